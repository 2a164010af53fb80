/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of the protocol and of the node fails once: nothing leaks, and what was tried can be tried again. And many names. */
#include "support/xds_side.h"

#include "source/xds/node.h"

/* ---- no memory ---- */

static struct buf responses[2]; /* packed before memory runs out */
static bool is_delta;

static int32_t ask(struct protocol *protocol)
{
    struct buf out = { 0 };
    int32_t err = 0;

    while (!err && protocol_due_us(protocol) <= SIDE_NOW_US)
        err = protocol_next_request(protocol, SIDE_NOW_US, &out);
    buf_free(&out);
    return err;
}

static int32_t hear(struct protocol *protocol, const struct buf *bytes, const char *error)
{
    struct xds_answer *answer;
    struct fault fault = { 0 };
    int32_t err = protocol_receive(protocol, buf_bytes(bytes), buf_len(bytes), &answer, &fault);

    assert_true(!err == (answer != NULL));
    assert_int_equal(err, fault.code);
    if (answer)
        protocol_conclude(protocol, answer, error, SIDE_NOW_US);
    return err;
}

/* No memory for a sentence or for a version that is held is no failure: watched by who counts. */
static int32_t talk(struct protocol *protocol)
{
    struct fault fault = { 0 };
    int32_t err = protocol_subscribe(protocol, XDS_CLUSTER, "a", &fault);

    if (!err)
        err = protocol_subscribe(protocol, XDS_CLUSTER, "b", &fault);
    protocol_stream_opened(protocol);
    if (!err)
        err = ask(protocol);
    if (!err)
        err = hear(protocol, &responses[0], NULL);
    if (!err)
        err = hear(protocol, &responses[1], NULL);
    protocol_unsubscribe(protocol, XDS_CLUSTER, "b");
    if (!err)
        err = ask(protocol);
    protocol_stream_opened(protocol);
    return err ? err : ask(protocol);
}

static int32_t scenario(void)
{
    Core__Node node = CORE__NODE__INIT;
    struct protocol *protocol;
    int32_t err = protocol_new(is_delta, &node, &protocol_limits_standard, &protocol);

    if (!err)
        err = talk(protocol);
    protocol_free(protocol);
    return err;
}

static void prepare(bool delta)
{
    static const int64_t minute = 60;
    struct said said = { .type = XDS_CLUSTER,
                         .version = "1",
                         .nonce = "n",
                         .n_resources = 3,
                         .resources = { { .name = "a", .version = "1", .body = "body", .ttl_s = &minute },
                                        { .name = "b", .body = "body", .type_url = "other" },
                                        { .name = "c" } },
                         .n_errors = 1,
                         .errors = { { "d", "no such", 5 } },
                         .n_removed = 1,
                         .removed = { "e" } };

    is_delta = delta;
    said_pack(&said, delta, &responses[0]);
    said.resources[2].name = "a";
    said_pack(&said, delta, &responses[1]);
}

static void test_no_memory(void **state)
{
    (void) state;
    for (int delta = 0; delta < 2; delta++) {
        prepare(delta);
        mesh_test_each_allocation_fails(scenario);
        buf_free(&responses[0]);
        buf_free(&responses[1]);
    }
}

/* What could not be made is made later, whole. */
static void test_request_is_made_once_there_is_memory(bool delta)
{
    struct side here, *side = side_begin(&here, delta);
    bool failed = true;
    struct asked asked;

    side_subscribe(side, XDS_CLUSTER, "a");
    protocol_stream_opened(side->protocol);
    for (uint64_t nth = 1; failed; nth++) {
        struct buf out = { 0 };
        int32_t err;

        mem_watch(nth, false);
        err = protocol_next_request(side->protocol, SIDE_NOW_US, &out);
        failed = mem_unwatch(NULL);
        assert_int_equal(err, failed ? MESH_ERR_NOMEM : 0);
        assert_int_equal(buf_len(&out) > 0, !failed);
        if (!failed) {
            asked = asked_read(&out, delta);
            asked_names_are(asked, 1, "a");
            assert_non_null(asked.node);
            asked_done(asked);
        }
        buf_free(&out);
    }
    side_nothing(side);
    side_end(side);
}

/* An answer is refused with or without memory for the sentence. */
static void test_refusal_without_memory(bool delta)
{
    struct said said = said_cluster("1", "n", "body");
    struct side here, *side = side_begin(&here, delta);
    struct xds_answer *answer;
    struct asked asked;

    side_open_with(side, XDS_CLUSTER, "a");
    answer = side_hear(side, &said);
    mem_watch(1, true);
    side_conclude(side, answer, "why");
    mem_unwatch(NULL);
    asked = side_next(side);
    asked_is_nack(asked, "", "n", "", delta);
    asked_done(asked);
    side_end(side);
}

/* ---- many names ---- */

enum { MANY = 200000 };

/* All of them come, go and come again without one looking for another. */
static void test_many_names(bool delta)
{
    struct side here, *side = side_begin(&here, delta);
    struct asked asked;
    char name[32];

    protocol_stream_opened(side->protocol);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "cluster-%u", i);
        side_subscribe(side, XDS_CLUSTER, name);
    }
    asked = side_next(side);
    assert_int_equal(asked.n_names, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "cluster-%u", i);
        assert_string_equal(asked.names[i], name);
    }
    asked_done(asked);
    for (unsigned i = 0; i < MANY; i += 2) {
        snprintf(name, sizeof name, "cluster-%u", i);
        protocol_unsubscribe(side->protocol, XDS_CLUSTER, name);
    }
    asked = side_next(side);
    assert_int_equal(delta ? asked.n_gone : asked.n_names, MANY / 2);
    asked_done(asked);
    protocol_stream_opened(side->protocol);
    asked = side_next(side);
    assert_int_equal(asked.n_names, MANY / 2);
    assert_string_equal(asked.names[0], "cluster-1");
    asked_done(asked);
    side_nothing(side);
    side_end(side);
}

/* ---- the node ---- */

static int32_t node_scenario(void)
{
    struct bootstrap_node node = { .id = (char *) "me",
                                   .cluster = (char *) "mine",
                                   .region = (char *) "r",
                                   .zone = (char *) "z",
                                   .sub_zone = (char *) "s",
                                   .metadata =
                                       (char *) "{\"a\": [1, {\"b\": \"c\"}, null, true], \"d\": {}, \"e\": []}" };
    struct fault fault = { 0 };
    Core__Node *message;
    int32_t err = node_message(&node, NULL, "", &message, &fault);

    assert_int_equal(err, fault.code);
    if (message)
        wire_free(&message->base);
    return err;
}

static void test_node_without_memory(void **state)
{
    (void) state;
    mesh_test_each_allocation_fails(node_scenario);
}

BOTH(test_request_is_made_once_there_is_memory)
BOTH(test_refusal_without_memory)
BOTH(test_many_names)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_request_is_made_once_there_is_memory_sotw),
        cmocka_unit_test(test_request_is_made_once_there_is_memory_delta),
        cmocka_unit_test(test_refusal_without_memory_sotw),
        cmocka_unit_test(test_refusal_without_memory_delta),
        IN_BOTH(test_many_names),
        cmocka_unit_test(test_node_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
