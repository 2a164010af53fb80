/* SPDX-License-Identifier: Apache-2.0 */
/* One stream of both variants, message by message: what is asked for, acknowledged and refused, and when. */
#include "support/xds_messages.h"

#include "source/xds/protocol.h"

#define NOW UINT64_C(5000000)

struct side {
    bool is_delta;
    struct protocol *protocol;
    Core__Node node;
};

static struct side *begin(struct side *side, bool is_delta)
{
    struct side fresh = { .is_delta = is_delta, .node = CORE__NODE__INIT };

    *side = fresh;
    side->node.id = (char *) "me";
    MESH_OK(protocol_new(is_delta, &side->node, &protocol_limits_standard, &side->protocol));
    return side;
}

static void end(struct side *side)
{
    protocol_free(side->protocol);
}

/* ---- doing ---- */

static void subscribe(struct side *side, enum xds_type type, const char *name)
{
    struct fault fault = { 0 };

    MESH_OK(protocol_subscribe(side->protocol, type, name, &fault));
}

/* The next request, which there is. */
static struct asked next_at(struct side *side, uint64_t now_us)
{
    struct buf bytes = { 0 };
    struct asked asked;

    MESH_OK(protocol_next_request(side->protocol, now_us, &bytes));
    assert_true(buf_len(&bytes) > 0);
    asked = asked_read(&bytes, side->is_delta);
    buf_free(&bytes);
    return asked;
}

static struct asked next(struct side *side)
{
    assert_true(protocol_due_us(side->protocol) <= NOW);
    return next_at(side, NOW);
}

static void nothing_at(struct side *side, uint64_t now_us)
{
    struct buf bytes = { 0 };

    MESH_OK(protocol_next_request(side->protocol, now_us, &bytes));
    assert_int_equal(buf_len(&bytes), 0);
    buf_free(&bytes);
}

static void nothing(struct side *side)
{
    nothing_at(side, NOW);
    assert_true(protocol_due_us(side->protocol) > NOW);
}

static void done(struct asked asked)
{
    wire_free(asked.message);
}

static void pass_over(struct side *side)
{
    done(next(side));
}

/* What the server says arrives. */
static int32_t arrive(struct side *side, const struct said *said, struct xds_answer **out, struct fault *fault)
{
    struct buf bytes = { 0 };
    int32_t err;

    said_pack(said, side->is_delta, &bytes);
    err = protocol_receive(side->protocol, buf_bytes(&bytes), buf_len(&bytes), out, fault);
    memset(bytes.data, 0xee, bytes.cap); /* nobody looks there any more */
    buf_free(&bytes);
    return err;
}

static struct xds_answer *hear(struct side *side, const struct said *said)
{
    struct xds_answer *answer;
    struct fault fault = { 0 };

    MESH_OK(arrive(side, said, &answer, &fault));
    assert_non_null(answer);
    assert_int_equal(answer->type, said->type);
    return answer;
}

static void conclude(struct side *side, struct xds_answer *answer, const char *error)
{
    protocol_conclude(side->protocol, answer, error, NOW);
}

/* A stream on which one cluster was asked for. */
static void open_with(struct side *side, enum xds_type type, const char *name)
{
    subscribe(side, type, name);
    protocol_stream_opened(side->protocol);
    pass_over(side);
    nothing(side);
}

static struct said cluster_said(const char *version, const char *nonce, const char *body)
{
    return (struct said){ .type = XDS_CLUSTER,
                          .version = version,
                          .nonce = nonce,
                          .n_resources = 1,
                          .resources = { { .name = "a", .version = version, .body = body } } };
}

/* ---- expecting ---- */

static void has_names(struct asked asked, size_t n, ...)
{
    va_list names;

    assert_int_equal(asked.n_names, n);
    va_start(names, n);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(asked.names[i], va_arg(names, const char *));
    va_end(names);
}

static void is_ack(struct asked asked, const char *version, const char *nonce, bool is_delta)
{
    assert_null(asked.error);
    assert_string_equal(asked.nonce, nonce);
    assert_string_equal(asked.version, is_delta ? "" : version);
}

static void is_nack(struct asked asked, const char *version, const char *nonce, const char *why, bool is_delta)
{
    assert_non_null(asked.error);
    assert_int_equal(asked.error->code, 3);
    assert_string_equal(asked.error->message, why);
    assert_string_equal(asked.nonce, nonce);
    assert_string_equal(asked.version, is_delta ? "" : version);
}

/* ---- asking ---- */

static void test_nothing_is_asked_without_names_or_stream(bool is_delta)
{
    struct side here, *side = begin(&here, is_delta);

    nothing(side);
    protocol_stream_opened(side->protocol);
    nothing(side);
    subscribe(side, XDS_CLUSTER, "a");
    protocol_unsubscribe(side->protocol, XDS_CLUSTER, "a");
    protocol_unsubscribe(side->protocol, XDS_CLUSTER, "never");
    nothing(side);
    protocol_stream_closed(side->protocol);
    subscribe(side, XDS_CLUSTER, "a");
    nothing(side);
    end(side);
}

static void test_first_requests(bool is_delta)
{
    static const enum xds_type order[] = { XDS_CLUSTER, XDS_ENDPOINTS, XDS_LISTENER, XDS_ROUTES };
    struct side here, *side = begin(&here, is_delta);

    for (enum xds_type type = 0; type < XDS_TYPES; type++) {
        subscribe(side, type, "a");
        subscribe(side, type, "b");
        subscribe(side, type, "a");
    }
    protocol_stream_opened(side->protocol);
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        struct asked asked = next(side);

        assert_int_equal(asked.type, order[i]);
        has_names(asked, 2, "a", "b");
        is_ack(asked, "", "", is_delta);
        assert_int_equal(asked.node != NULL, i == 0);
        done(asked);
    }
    nothing(side);
    end(side);
}

static void test_ack(bool is_delta)
{
    struct side here, *side = begin(&here, is_delta);
    struct said said = cluster_said("7", "n1", "body");
    struct xds_answer *answer;
    struct asked asked;

    open_with(side, XDS_CLUSTER, "a");
    answer = hear(side, &said);
    assert_int_equal(answer->n_resources, 1);
    assert_string_equal(answer->version, "7");
    assert_string_equal(answer->nonce, "n1");
    assert_string_equal(answer->resources[0].name, "a");
    assert_string_equal(answer->resources[0].version, "7");
    assert_int_equal(answer->resources[0].len, 4);
    assert_memory_equal(answer->resources[0].bytes, "body", 4);
    assert_true(answer->resources[0].ttl_us == XDS_NO_TTL);
    assert_false(answer->resources[0].is_heartbeat);
    assert_null(answer->resources[0].error);
    assert_null(answer->refusal);
    nothing(side);
    conclude(side, answer, NULL);
    asked = next(side);
    is_ack(asked, "7", "n1", is_delta);
    assert_int_equal(asked.n_names, is_delta ? 0 : 1);
    assert_null(asked.node);
    done(asked);
    nothing(side);

    /* Names that change later go with the same nonce, or without any. */
    subscribe(side, XDS_CLUSTER, "b");
    asked = next(side);
    is_ack(asked, "7", is_delta ? "" : "n1", is_delta);
    assert_true(asked_has(asked.names, asked.n_names, "b"));
    assert_int_equal(asked_has(asked.names, asked.n_names, "a"), !is_delta);
    done(asked);
    nothing(side);
    end(side);
}

static void test_nack_keeps_the_version(bool is_delta)
{
    struct side here, *side = begin(&here, is_delta);
    struct said good = cluster_said("1", "n1", "good"), bad = cluster_said("2", "n2", "bad");
    struct asked asked;

    open_with(side, XDS_CLUSTER, "a");
    conclude(side, hear(side, &good), NULL);
    pass_over(side);
    conclude(side, hear(side, &bad), "clusters: a: no good");
    asked = next(side);
    is_nack(asked, "1", "n2", "clusters: a: no good", is_delta);
    done(asked);
    nothing(side);

    /* What changes afterwards is no second refusal. */
    subscribe(side, XDS_CLUSTER, "b");
    asked = next(side);
    is_ack(asked, "1", is_delta ? "" : "n2", is_delta);
    done(asked);
    nothing(side);
    end(side);
}

static void test_first_answer_is_refused(bool is_delta)
{
    struct side here, *side = begin(&here, is_delta);
    struct said bad = cluster_said("2", "n2", "bad");
    struct asked asked;

    open_with(side, XDS_CLUSTER, "a");
    conclude(side, hear(side, &bad), "no good");
    asked = next(side);
    is_nack(asked, "", "n2", "no good", is_delta);
    done(asked);
    end(side);
}

static void test_reply_and_names_are_one_message(bool is_delta)
{
    struct side here, *side = begin(&here, is_delta);
    struct said said = cluster_said("1", "n1", "body");
    struct xds_answer *answer;
    struct asked asked;

    open_with(side, XDS_CLUSTER, "a");
    answer = hear(side, &said);
    subscribe(side, XDS_CLUSTER, "b");
    subscribe(side, XDS_ENDPOINTS, "a");
    subscribe(side, XDS_LISTENER, "x");
    protocol_unsubscribe(side->protocol, XDS_CLUSTER, "a");

    /* The answer's type and the one below wait, others do not. */
    asked = next(side);
    assert_int_equal(asked.type, XDS_LISTENER);
    done(asked);
    nothing(side);
    subscribe(side, XDS_ENDPOINTS, "b");
    conclude(side, answer, NULL);
    asked = next(side);
    assert_int_equal(asked.type, XDS_CLUSTER);
    is_ack(asked, "1", "n1", is_delta);
    has_names(asked, 1, "b");
    assert_int_equal(asked.n_gone, is_delta ? 1 : 0);
    done(asked);
    asked = next(side);
    assert_int_equal(asked.type, XDS_ENDPOINTS);
    has_names(asked, 2, "a", "b");
    done(asked);
    nothing(side);
    end(side);
}

static void test_last_name_goes(bool is_delta)
{
    struct side here, *side = begin(&here, is_delta);
    struct said said = cluster_said("1", "n1", "body");
    struct asked asked;

    open_with(side, XDS_CLUSTER, "a");
    protocol_unsubscribe(side->protocol, XDS_CLUSTER, "a");
    asked = next(side);
    assert_int_equal(asked.n_names, 0);
    assert_int_equal(asked_has(asked.gone, asked.n_gone, "a"), is_delta);
    done(asked);
    nothing(side);

    /* What was on its way is acknowledged. */
    conclude(side, hear(side, &said), NULL);
    asked = next(side);
    is_ack(asked, "1", "n1", is_delta);
    assert_int_equal(asked.n_names + asked.n_gone, 0);
    done(asked);

    /* On the next stream an empty list would mean everything. */
    protocol_stream_opened(side->protocol);
    nothing(side);
    end(side);
}

static void test_given_up_and_wanted_again(bool is_delta)
{
    struct side here, *side = begin(&here, is_delta);
    struct asked asked;

    open_with(side, XDS_CLUSTER, "a");
    protocol_unsubscribe(side->protocol, XDS_CLUSTER, "a");
    subscribe(side, XDS_CLUSTER, "a");
    asked = next(side);
    assert_int_equal(asked.n_names, 0);
    assert_int_equal(asked.n_gone, is_delta ? 1 : 0);
    done(asked);
    asked = next(side);
    has_names(asked, 1, "a");
    assert_int_equal(asked.n_gone, 0);
    done(asked);
    nothing(side);

    protocol_unsubscribe(side->protocol, XDS_CLUSTER, "a");
    subscribe(side, XDS_CLUSTER, "a");
    protocol_unsubscribe(side->protocol, XDS_CLUSTER, "a");
    pass_over(side);
    nothing(side);
    assert_int_equal(protocol_status(side->protocol, XDS_CLUSTER).names, 0);
    end(side);
}

/* ---- streams ---- */

static void test_next_stream(bool is_delta)
{
    struct side here, *side = begin(&here, is_delta);
    struct said said = cluster_said("1", "n1", "body");
    struct asked asked;

    subscribe(side, XDS_CLUSTER, "b");
    subscribe(side, XDS_CLUSTER, "c");
    open_with(side, XDS_CLUSTER, "a");
    conclude(side, hear(side, &said), NULL);
    protocol_hold(side->protocol, XDS_CLUSTER, "a", "0");
    protocol_hold(side->protocol, XDS_CLUSTER, "a", "1");
    protocol_hold(side->protocol, XDS_CLUSTER, "b", "1");
    protocol_hold(side->protocol, XDS_CLUSTER, "b", NULL);
    protocol_hold(side->protocol, XDS_CLUSTER, "never", "1");
    protocol_unsubscribe(side->protocol, XDS_CLUSTER, "c");
    protocol_hold(side->protocol, XDS_CLUSTER, "c", "1");
    protocol_stream_closed(side->protocol);
    nothing(side);
    protocol_stream_opened(side->protocol);
    asked = next(side);
    is_ack(asked, "1", "", is_delta);
    assert_non_null(asked.node);
    assert_int_equal(asked.n_names, 2);
    assert_true(asked_has(asked.names, asked.n_names, "a"));
    assert_true(asked_has(asked.names, asked.n_names, "b"));
    assert_int_equal(asked.n_gone, 0);
    assert_int_equal(asked.n_held, is_delta ? 1 : 0);
    if (is_delta) {
        assert_string_equal(asked.held[0]->key, "a");
        assert_string_equal(asked.held[0]->value, "1");
    }
    done(asked);
    nothing(side);
    subscribe(side, XDS_CLUSTER, "d");
    protocol_hold(side->protocol, XDS_CLUSTER, "d", "4");
    asked = next(side);
    assert_int_equal(asked.n_held, 0);
    done(asked);
    end(side);
}

static void test_reply_does_not_reach_another_stream(bool is_delta)
{
    struct side here, *side = begin(&here, is_delta);
    struct said said = cluster_said("1", "n1", "body");
    struct xds_answer *answer;
    struct asked asked;

    open_with(side, XDS_CLUSTER, "a");
    answer = hear(side, &said);
    protocol_stream_closed(side->protocol);
    protocol_stream_opened(side->protocol);
    nothing(side);
    conclude(side, answer, NULL);
    asked = next(side);
    is_ack(asked, "1", "", is_delta);
    has_names(asked, 1, "a");
    done(asked);
    nothing(side);

    protocol_drop(side->protocol, hear(side, &said));
    nothing(side);
    end(side);
}

static void test_answers_that_nobody_asked_for(bool is_delta)
{
    struct side here, *side = begin(&here, is_delta);
    struct said said = cluster_said("1", "n1", "body"), other = { .type_url = "type.googleapis.com/other\n" };
    struct xds_answer *answer;
    struct fault fault = { 0 };

    open_with(side, XDS_LISTENER, "a");
    MESH_OK(arrive(side, &said, &answer, &fault));
    assert_null(answer);
    assert_string_equal(fault.text, "an answer of type type.googleapis.com/envoy.config.cluster.v3.Cluster, which was "
                                    "not asked for");
    MESH_OK(arrive(side, &other, &answer, &fault));
    assert_null(answer);
    assert_string_equal(fault.text, "an answer of type type.googleapis.com/other\\x0a, which was not asked for");
    subscribe(side, XDS_CLUSTER, "a");
    MESH_OK(arrive(side, &said, &answer, &fault));
    assert_null(answer);
    pass_over(side);
    nothing(side);
    protocol_drop(side->protocol, hear(side, &said));
    protocol_stream_opened(side->protocol);
    MESH_OK(arrive(side, &said, &answer, &fault));
    assert_null(answer);
    end(side);
}

static void test_bytes_that_are_no_answer(bool is_delta)
{
    struct side here, *side = begin(&here, is_delta);
    struct xds_answer *answer;
    struct fault fault = { 0 };

    open_with(side, XDS_CLUSTER, "a");
    MESH_ERR(MESH_ERR_PROTOCOL, protocol_receive(side->protocol, (const uint8_t *) "\x0a\x05zz", 4, &answer, &fault));
    assert_null(answer);
    assert_non_null(strstr(fault.text, "DiscoveryResponse, field 1: it is longer than what holds it"));
    MESH_OK(protocol_receive(side->protocol, NULL, 0, &answer, &fault));
    assert_null(answer);
    nothing(side);
    end(side);
}

/* ---- all of it in both variants ---- */

#define BOTH(name)                         \
    static void name##_sotw(void **state)  \
    {                                      \
        (void) state;                      \
        name(false);                       \
    }                                      \
    static void name##_delta(void **state) \
    {                                      \
        (void) state;                      \
        name(true);                        \
    }

BOTH(test_nothing_is_asked_without_names_or_stream)
BOTH(test_first_requests)
BOTH(test_ack)
BOTH(test_nack_keeps_the_version)
BOTH(test_first_answer_is_refused)
BOTH(test_reply_and_names_are_one_message)
BOTH(test_last_name_goes)
BOTH(test_given_up_and_wanted_again)
BOTH(test_next_stream)
BOTH(test_reply_does_not_reach_another_stream)
BOTH(test_answers_that_nobody_asked_for)
BOTH(test_bytes_that_are_no_answer)

#define IN_BOTH(name) LEAK_TEST(name##_sotw), LEAK_TEST(name##_delta)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_BOTH(test_nothing_is_asked_without_names_or_stream),
        IN_BOTH(test_first_requests),
        IN_BOTH(test_ack),
        IN_BOTH(test_nack_keeps_the_version),
        IN_BOTH(test_first_answer_is_refused),
        IN_BOTH(test_reply_and_names_are_one_message),
        IN_BOTH(test_last_name_goes),
        IN_BOTH(test_given_up_and_wanted_again),
        IN_BOTH(test_next_stream),
        IN_BOTH(test_reply_does_not_reach_another_stream),
        IN_BOTH(test_answers_that_nobody_asked_for),
        IN_BOTH(test_bytes_that_are_no_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
