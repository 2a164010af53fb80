/* SPDX-License-Identifier: Apache-2.0 */
/* What a server may say, right and wrong: resources bare and wrapped, refusals again and again, and what is too much. */
#include "support/xds_side.h"

/* ---- resources ---- */

static void test_bare_resource(void **state)
{
    struct said said = { .type = XDS_CLUSTER, .version = "1", .nonce = "n", .n_resources = 2 };
    struct side here, *side = side_begin(&here, false);
    struct xds_answer *answer;

    (void) state;
    side_open_with(side, XDS_CLUSTER, "a");
    said.resources[0].body = "one";
    said.resources[1] = (struct said_resource){ .body = "other", .type_url = "type.googleapis.com/other" };
    answer = side_hear(side, &said);
    assert_int_equal(answer->n_resources, 2);
    assert_null(answer->resources[0].name);
    assert_string_equal(answer->resources[0].version, "");
    assert_int_equal(answer->resources[0].len, 3);
    assert_memory_equal(answer->resources[0].bytes, "one", 3);
    assert_null(answer->resources[0].error);
    assert_string_equal(answer->resources[1].error, "it is of type type.googleapis.com/other, allowed is "
                                                    "type.googleapis.com/envoy.config.cluster.v3.Cluster");
    side_conclude(side, answer, NULL);
    side_end(side);
}

static void test_resource_of_another_type(bool is_delta)
{
    struct said said = said_cluster("1", "n", "body");
    struct side here, *side = side_begin(&here, is_delta);
    struct xds_answer *answer;

    side_open_with(side, XDS_CLUSTER, "a");
    said.resources[0].type_url = WRAPPER_URL;
    said.n_resources = 2;
    said.resources[1] = (struct said_resource){ .name = "b", .body = "good" };
    answer = side_hear(side, &said);
    assert_null(answer->refusal);
    assert_string_equal(answer->resources[0].name, "a");
    assert_string_equal(answer->resources[0].error, "it is of type " WRAPPER_URL ", allowed is "
                                                    "type.googleapis.com/envoy.config.cluster.v3.Cluster");
    assert_string_equal(answer->resources[1].name, "b");
    assert_null(answer->resources[1].error);
    side_conclude(side, answer, NULL);
    side_end(side);
}

static void test_time_to_live(bool is_delta)
{
    static const int64_t minute = 60, negative = -1, for_ever = INT64_MAX;
    struct said said = { .type = XDS_ENDPOINTS,
                         .n_resources = 4,
                         .resources = { { .name = "a", .version = "3", .body = "body", .ttl_s = &minute },
                                        { .name = "b", .version = "4", .ttl_s = &minute },
                                        { .name = "c", .body = "body", .ttl_s = &negative },
                                        { .name = "d", .ttl_s = &for_ever } } };
    struct side here, *side = side_begin(&here, is_delta);
    struct xds_answer *answer;

    side_open_with(side, XDS_ENDPOINTS, "a");
    answer = side_hear(side, &said);
    assert_int_equal(answer->n_resources, 4);
    assert_true(answer->resources[0].ttl_us == 60 * US_PER_S);
    assert_false(answer->resources[0].is_heartbeat);
    assert_true(answer->resources[1].ttl_us == 60 * US_PER_S);
    assert_true(answer->resources[1].is_heartbeat);
    assert_string_equal(answer->resources[1].name, "b");
    assert_string_equal(answer->resources[1].version, "4");
    assert_string_equal(answer->resources[2].error, "ttl: -1 s and 0 ns is no duration from 0 to 10,000 years");
    assert_non_null(answer->resources[3].error);
    side_conclude(side, answer, NULL);
    side_end(side);
}

static void test_resource_without_a_name(bool is_delta)
{
    struct said said = { .type = XDS_CLUSTER, .n_resources = 2, .resources = { { .name = "" }, { .name = "" } } };
    struct side here, *side = side_begin(&here, is_delta);
    struct xds_answer *answer;

    side_open_with(side, XDS_CLUSTER, "a");
    answer = side_hear(side, &said);
    assert_null(answer->refusal);
    for (size_t i = 0; i < 2; i++) {
        assert_null(answer->resources[i].name);
        assert_string_equal(answer->resources[i].error,
                            is_delta ? "it has no name" : "it has neither a name nor a body");
    }
    side_conclude(side, answer, NULL);
    side_end(side);
}

static void test_wrapper_that_cannot_be_read(void **state)
{
    struct said said = { .type = XDS_CLUSTER,
                         .n_resources = 2,
                         .resources = { { .body = "\x1a\x7f", .type_url = WRAPPER_URL },
                                        { .name = "b", .body = "good" } } };
    struct side here, *side = side_begin(&here, false);
    struct xds_answer *answer;

    (void) state;
    side_open_with(side, XDS_CLUSTER, "a");
    answer = side_hear(side, &said);
    assert_string_equal(answer->resources[0].error,
                        "envoy.service.discovery.v3.Resource, field 3: it is longer than what holds it");
    assert_string_equal(answer->resources[1].name, "b");
    assert_memory_equal(answer->resources[1].bytes, "good", 4);
    side_conclude(side, answer, NULL);
    side_end(side);
}

static void test_removed_names(void **state)
{
    struct said said = said_cluster("1", "n", "body");
    struct side here, *side = side_begin(&here, true);
    struct xds_answer *answer;

    (void) state;
    side_open_with(side, XDS_CLUSTER, "a");
    said.removed[0] = "b";
    said.removed[1] = "never asked for";
    said.n_removed = 2;
    answer = side_hear(side, &said);
    assert_null(answer->refusal);
    assert_int_equal(answer->n_removed, 2);
    assert_string_equal(answer->removed[0], "b");
    assert_string_equal(answer->removed[1], "never asked for");
    side_conclude(side, answer, NULL);
    side_end(side);
}

static void refused_as_a_whole(struct side *side, const struct said *said, const char *why)
{
    struct xds_answer *answer = side_hear(side, said);
    struct asked asked;

    assert_string_equal(answer->refusal, why);
    assert_false(answer->is_repeated);
    assert_int_equal(answer->n_resources + answer->n_removed + answer->n_errors, 0);
    side_conclude(side, answer, answer->refusal);
    asked = side_next(side);
    asked_is_nack(asked, "", said->nonce, why, side->is_delta);
    asked_done(asked);
}

static void test_names_that_stand_twice(void **state)
{
    struct said said = said_cluster("1", "n", "body");
    struct side here, *side = side_begin(&here, true);

    (void) state;
    side_open_with(side, XDS_CLUSTER, "a");
    said.n_resources = 2;
    said.resources[1] = (struct said_resource){ .name = "a", .body = "other" };
    refused_as_a_whole(side, &said, "a stands twice in resources and removed_resources");
    said.resources[1].name = "b";
    said.n_removed = 2;
    said.removed[0] = "c";
    said.removed[1] = "b";
    refused_as_a_whole(side, &said, "b stands twice in resources and removed_resources");
    said.removed[1] = "c";
    refused_as_a_whole(side, &said, "c stands twice in resources and removed_resources");
    said.removed[1] = "d";
    side_conclude(side, side_hear(side, &said), NULL);
    side_pass_over(side);
    side_end(side);
}

static void test_errors_of_the_server(bool is_delta)
{
    struct said said = { .type = XDS_CLUSTER,
                         .version = "1",
                         .nonce = "n",
                         .errors = { { "a", "not for you", 7 }, { "b", "no such", 5 } },
                         .n_errors = 2 };
    struct side here, *side = side_begin(&here, is_delta);
    struct xds_answer *answer;

    side_open_with(side, XDS_CLUSTER, "a");
    answer = side_hear(side, &said);
    assert_int_equal(answer->n_errors, 2);
    assert_string_equal(answer->errors[0].name, "a");
    assert_int_equal(answer->errors[0].code, 7);
    assert_string_equal(answer->errors[0].message, "not for you");
    assert_string_equal(answer->errors[1].name, "b");
    side_conclude(side, answer, NULL);
    side_end(side);
}

/* ---- refusing again ---- */

/* The answer is refused; its reply is due after so many seconds and not before. */
static void refused_after(struct side *side, const struct said *said, uint64_t now_us, uint64_t seconds)
{
    struct xds_answer *answer = side_hear(side, said);
    struct asked asked;

    assert_int_equal(answer->is_repeated, seconds > 0);
    if (answer->is_repeated) {
        assert_string_equal(answer->refusal, "why");
        assert_int_equal(answer->n_resources, 0);
    }
    protocol_conclude(side->protocol, answer, answer->refusal ? answer->refusal : "why", now_us);
    if (seconds > 0) {
        assert_true(protocol_due_us(side->protocol) == now_us + seconds * US_PER_S);
        side_nothing_at(side, now_us + seconds * US_PER_S - 1);
    }
    asked = side_next_at(side, now_us + seconds * US_PER_S);
    asked_is_nack(asked, "", said->nonce, "why", side->is_delta);
    asked_done(asked);
    side_nothing_at(side, UINT64_MAX - 1);
}

static void test_same_answer_is_refused_later_and_later(bool is_delta)
{
    static const uint64_t waits_s[] = { 0, 1, 2, 4, 8, 16, 30, 30, 30 };
    struct said said = said_cluster("1", "n", "bad"), other = said_cluster("1", "n", "bad too");
    struct side here, *side = side_begin(&here, is_delta);
    uint64_t now_us = SIDE_NOW_US;

    side_open_with(side, XDS_CLUSTER, "a");
    for (size_t i = 0; i < COUNT_OF(waits_s); i++, now_us += 31 * US_PER_S) {
        said.nonce = i % 2 ? "odd" : "even";
        refused_after(side, &said, now_us, waits_s[i]);
    }
    /* Another content, another version, another type: at once. */
    refused_after(side, &other, now_us, 0);
    refused_after(side, &said, now_us, 0);
    refused_after(side, &said, now_us, 1);
    said.version = "2";
    refused_after(side, &said, now_us, 0);
    refused_after(side, &said, now_us, 1);
    side_subscribe(side, XDS_LISTENER, "a");
    side_pass_over(side);
    said.type = XDS_LISTENER;
    refused_after(side, &said, now_us, 0);
    side_end(side);
}

static void test_accepted_answer_ends_the_waiting(bool is_delta)
{
    struct said bad = said_cluster("1", "n", "bad"), good = said_cluster("0", "n", "good");
    struct side here, *side = side_begin(&here, is_delta);
    struct xds_answer *answer;

    side_open_with(side, XDS_CLUSTER, "a");
    refused_after(side, &bad, SIDE_NOW_US, 0);
    refused_after(side, &bad, SIDE_NOW_US, 1);
    side_conclude(side, side_hear(side, &good), NULL);
    side_pass_over(side);
    answer = side_hear(side, &bad);
    assert_false(answer->is_repeated);
    side_conclude(side, answer, "why");
    side_pass_over(side);
    side_end(side);
}

static void test_same_answer_on_the_next_stream(bool is_delta)
{
    struct said bad = said_cluster("1", "n", "bad");
    struct side here, *side = side_begin(&here, is_delta);

    side_open_with(side, XDS_CLUSTER, "a");
    refused_after(side, &bad, SIDE_NOW_US, 0);
    refused_after(side, &bad, SIDE_NOW_US, 1);
    refused_after(side, &bad, SIDE_NOW_US, 2);
    protocol_stream_opened(side->protocol);
    side_pass_over(side);
    refused_after(side, &bad, SIDE_NOW_US, 1);
    side_end(side);
}

/* All requests that are due now or later. */
static void done_later(struct side *side)
{
    while (protocol_due_us(side->protocol) != UINT64_MAX)
        asked_done(side_next_at(side, SIDE_NOW_US + 60 * US_PER_S));
}

static bool is_repeated(struct side *side, const struct said *said)
{
    struct xds_answer *answer = side_hear(side, said);
    bool repeated = answer->is_repeated;

    assert_int_equal(repeated, answer->n_resources == 0);
    side_conclude(side, answer, "why");
    done_later(side);
    return repeated;
}

/* What would be taken now and was not is looked at: a name that is new, a time to live, what memory did not permit. */
static void test_same_answer_is_looked_at_again(bool is_delta)
{
    static const int64_t minute = 60;
    struct said bad = said_cluster("1", "n", "bad");
    struct side here, *side = side_begin(&here, is_delta);
    struct xds_answer *answer;

    side_open_with(side, XDS_CLUSTER, "a");
    assert_false(is_repeated(side, &bad));
    assert_true(is_repeated(side, &bad));
    side_subscribe(side, XDS_CLUSTER, "a");
    side_subscribe(side, XDS_ENDPOINTS, "b");
    assert_true(is_repeated(side, &bad));
    side_subscribe(side, XDS_CLUSTER, "b");
    assert_false(is_repeated(side, &bad));
    assert_true(is_repeated(side, &bad));
    protocol_unsubscribe(side->protocol, XDS_CLUSTER, "b");
    side_subscribe(side, XDS_CLUSTER, "b");
    answer = side_hear(side, &bad);
    assert_false(answer->is_repeated);
    side_subscribe(side, XDS_CLUSTER, "c");
    side_conclude(side, answer, "why");
    assert_false(is_repeated(side, &bad));
    protocol_look_again(side->protocol, XDS_CLUSTER);
    assert_false(is_repeated(side, &bad));
    answer = side_hear(side, &bad);
    assert_true(answer->is_repeated);
    protocol_look_again(side->protocol, XDS_CLUSTER);
    side_conclude(side, answer, "why");
    assert_false(is_repeated(side, &bad));
    bad.resources[0].ttl_s = &minute;
    assert_false(is_repeated(side, &bad));
    assert_false(is_repeated(side, &bad));
    side_end(side);
}

/* Servers that keep resources in a map send them in another order each time. */
static void test_order_makes_no_other_answer(bool is_delta)
{
    struct said bad = said_cluster("1", "n", "bad");
    struct side here, *side = side_begin(&here, is_delta);

    side_open_with(side, XDS_CLUSTER, "a");
    bad.n_resources = 2;
    bad.resources[1] = (struct said_resource){ .name = "b", .version = "1", .body = "good" };
    assert_false(is_repeated(side, &bad));
    bad.resources[1] = bad.resources[0];
    bad.resources[0] = (struct said_resource){ .name = "b", .version = "1", .body = "good" };
    assert_true(is_repeated(side, &bad));
    bad.resources[0].body = "better";
    assert_false(is_repeated(side, &bad));
    side_end(side);
}

/* A server that sends the same again without waiting: one refusal, of the latest nonce. */
static void test_next_answer_overtakes_a_reply(bool is_delta)
{
    struct said bad = said_cluster("2", "n1", "bad"), good = said_cluster("1", "n4", "good");
    struct side here, *side = side_begin(&here, is_delta);
    struct asked asked;

    side_open_with(side, XDS_CLUSTER, "a");
    side_conclude(side, side_hear(side, &bad), "why");
    side_pass_over(side);
    bad.nonce = "n2";
    side_conclude(side, side_hear(side, &bad), "why");
    bad.nonce = "n3";
    side_conclude(side, side_hear(side, &bad), "why");
    side_nothing(side);
    asked = side_next_at(side, SIDE_NOW_US + 2 * US_PER_S);
    asked_is_nack(asked, "", "n3", "why", is_delta);
    asked_done(asked);
    side_conclude(side, side_hear(side, &bad), "why");
    side_conclude(side, side_hear(side, &good), NULL);
    asked = side_next(side);
    asked_is_ack(asked, "1", "n4", is_delta);
    asked_done(asked);
    side_nothing_at(side, UINT64_MAX - 1);
    side_end(side);
}

/* Names do not wait for a refusal that does. A server that tells the state of the world reads them beside its latest nonce only. */
static void test_names_do_not_wait(bool is_delta)
{
    struct said bad = said_cluster("2", "n1", "bad");
    struct side here, *side = side_begin(&here, is_delta);
    struct asked asked;

    side_open_with(side, XDS_CLUSTER, "a");
    refused_after(side, &bad, SIDE_NOW_US, 0);
    bad.nonce = "n2";
    side_conclude(side, side_hear(side, &bad), "why");
    side_nothing(side);
    side_subscribe(side, XDS_CLUSTER, "b");
    asked = side_next(side);
    assert_true(asked_has(asked.names, asked.n_names, "b"));
    if (is_delta)
        asked_is_ack(asked, "", "", is_delta);
    else
        asked_is_nack(asked, "", "n2", "why", is_delta);
    asked_done(asked);
    if (is_delta) {
        asked = side_next_at(side, SIDE_NOW_US + US_PER_S);
        asked_is_nack(asked, "", "n2", "why", is_delta);
        asked_done(asked);
    }
    side_nothing_at(side, UINT64_MAX - 1);
    side_end(side);
}

/* ---- nonces ---- */

static void test_empty_and_repeated_nonces(bool is_delta)
{
    struct said said = said_cluster("1", "", "body");
    struct side here, *side = side_begin(&here, is_delta);
    struct asked asked;

    side_open_with(side, XDS_CLUSTER, "a");
    for (size_t i = 0; i < 4; i++) {
        said.nonce = i < 2 ? "" : "same";
        side_conclude(side, side_hear(side, &said), NULL);
        asked = side_next(side);
        asked_is_ack(asked, "1", said.nonce, is_delta);
        asked_done(asked);
        side_nothing_at(side, UINT64_MAX - 1);
    }
    side_end(side);
}

/* ---- sentences ---- */

static void refusal_is(struct side *side, const char *said, const char *sent)
{
    static unsigned number;
    char nonce[16] = "";
    struct said bad = said_cluster("1", nonce, "bad");
    struct asked asked;

    snprintf(nonce, sizeof nonce, "%u", ++number);
    bad.version = nonce;
    side_conclude(side, side_hear(side, &bad), said);
    asked = side_next(side);
    asked_is_nack(asked, "", nonce, sent, side->is_delta);
    assert_string_equal(protocol_status(side->protocol, XDS_CLUSTER).error, sent);
    asked_done(asked);
}

static void test_sentences_are_cut(bool is_delta)
{
    struct side here, *side = side_begin(&here, is_delta);
    char *text = calloc(1, 5001), *cut = calloc(1, 4097);

    assert_true(text && cut);
    side_open_with(side, XDS_CLUSTER, "a");
    memset(text, 'x', 4096);
    refusal_is(side, text, text);
    memset(text, 'x', 5000);
    memset(cut, 'x', 4096 - 14);
    memcpy(cut + 4096 - 14, "...(truncated)", 14);
    refusal_is(side, text, cut);
    /* Within a character. */
    memcpy(text + 4096 - 14 - 1, "\xc3\xa4", 2);
    memcpy(cut + 4096 - 14 - 1, "...(truncated)", 15);
    refusal_is(side, text, cut);
    refusal_is(side, "caf\xc3", "caf?");
    refusal_is(side, "\xff\xfe \xc3\xa4", "?? \xc3\xa4");
    refusal_is(side, "", "");
    free(text);
    free(cut);
    side_end(side);
}

/* ---- limits ---- */

static struct side *begin_with(struct side *side, bool is_delta, const struct protocol_limits *limits)
{
    side_begin(side, is_delta);
    protocol_free(side->protocol);
    MESH_OK(protocol_new(is_delta, &side->node, limits, &side->protocol));
    return side;
}

static void test_names_that_cannot_be_asked_for(bool is_delta)
{
    struct protocol_limits limits = protocol_limits_standard;
    struct side here, *side;
    struct fault fault = { 0 };

    limits.names = 2;
    limits.text = 8;
    side = begin_with(&here, is_delta, &limits);
    MESH_ERR(MESH_ERR_INVALID, protocol_subscribe(side->protocol, XDS_CLUSTER, "", &fault));
    assert_string_equal(fault.text, "cluster \"\": no name of a resource");
    MESH_ERR(MESH_ERR_INVALID, protocol_subscribe(side->protocol, XDS_CLUSTER, "*", &fault));
    assert_string_equal(fault.text, "cluster \"*\": no name of a resource");
    MESH_ERR(MESH_ERR_INVALID, protocol_subscribe(side->protocol, XDS_CLUSTER, "\xff", &fault));
    assert_string_equal(fault.text, "cluster: a name that is not UTF-8");
    MESH_ERR(MESH_ERR_TOO_LARGE, protocol_subscribe(side->protocol, XDS_CLUSTER, "123456789", &fault));
    assert_string_equal(fault.text, "cluster \"123456789...\": the name is longer than 8 bytes");
    side_subscribe(side, XDS_CLUSTER, "12345678");
    side_subscribe(side, XDS_CLUSTER, "2");
    MESH_ERR(MESH_ERR_TOO_LARGE, protocol_subscribe(side->protocol, XDS_CLUSTER, "3", &fault));
    assert_string_equal(fault.text, "cluster \"3\": more than 2 names");
    side_subscribe(side, XDS_CLUSTER, "2");
    side_subscribe(side, XDS_LISTENER, "3");
    protocol_unsubscribe(side->protocol, XDS_CLUSTER, "2");
    side_subscribe(side, XDS_CLUSTER, "3");
    side_end(side);
}

static void test_answers_that_are_too_large(bool is_delta)
{
    struct protocol_limits limits = protocol_limits_standard;
    struct said said = said_cluster("1", "n", "body");
    struct side here, *side;
    struct xds_answer *answer;
    struct fault fault = { 0 };

    limits.resources = 1;
    limits.text = 8;
    limits.wire.bytes = 1024;
    side = begin_with(&here, is_delta, &limits);
    side_open_with(side, XDS_CLUSTER, "a");
    said.nonce = "123456789";
    MESH_ERR(MESH_ERR_TOO_LARGE, side_arrive(side, &said, &answer, &fault));
    assert_null(answer);
    assert_string_equal(fault.text, "nonce: longer than 8 bytes");
    said.nonce = "n";
    said.n_resources = 2;
    said.resources[1] = (struct said_resource){ .name = "b", .body = "body" };
    refused_as_a_whole(side, &said, "resources: more than 1");
    said.n_resources = 1;
    said.n_errors = 2;
    said.errors[0].name = said.errors[1].name = said.errors[0].message = said.errors[1].message = "x";
    refused_as_a_whole(side, &said, "resource_errors: more than 1");
    said.n_errors = 0;
    said.n_removed = is_delta ? 2 : 0;
    said.removed[0] = said.removed[1] = "x";
    if (is_delta)
        refused_as_a_whole(side, &said, "removed_resources: more than 1");
    said.n_removed = 0;
    said.version = "123456789";
    refused_as_a_whole(side, &said, "version_info: longer than 8 bytes");
    said.version = "1";
    said.resources[0].version = "123456789";
    answer = side_hear(side, &said);
    if (is_delta)
        assert_string_equal(answer->resources[0].error, "version: longer than 8 bytes");
    protocol_drop(side->protocol, answer);
    said.resources[0].body_len = 1025;
    said.resources[0].body = calloc(1, 1025);
    MESH_ERR(MESH_ERR_TOO_LARGE, side_arrive(side, &said, &answer, &fault));
    assert_null(answer);
    free((char *) said.resources[0].body);
    side_end(side);
}

/* Each wrapper alone could be read, all of them together take too much. */
static void test_wrappers_together_are_bounded(void **state)
{
    struct protocol_limits limits = protocol_limits_standard;
    struct said said = { .type = XDS_CLUSTER, .n_resources = 40 };
    struct side here, *side;
    struct xds_answer *answer;
    size_t refused = 0;

    (void) state;
    limits.wire.memory = 24000;
    side = begin_with(&here, false, &limits);
    for (size_t i = 0; i < said.n_resources; i++)
        said.resources[i] =
            (struct said_resource){ .body = "\x1a\x01"
                                            "a"
                                            "\xa8\x06\x01\xa8\x06\x01\xa8\x06\x01\xa8\x06\x01\xa8\x06\x01"
                                            "\xa8\x06\x01\xa8\x06\x01\xa8\x06\x01",
                                    .type_url = WRAPPER_URL };
    side_open_with(side, XDS_CLUSTER, "a");
    answer = side_hear(side, &said);
    for (size_t i = 0; i < answer->n_resources; i++)
        refused += answer->resources[i].error != NULL;
    assert_in_range(refused, 5, 35);
    assert_null(answer->resources[0].error);
    assert_non_null(strstr(answer->resources[39].error, "bytes of memory"));
    side_conclude(side, answer, NULL);
    side_end(side);
}

/* ---- status ---- */

static void test_status(bool is_delta)
{
    struct said good = said_cluster("1", "n1", "good"), bad = said_cluster("2", "n2", "bad");
    struct side here, *side = side_begin(&here, is_delta);
    struct protocol_status status = protocol_status(side->protocol, XDS_CLUSTER);

    assert_string_equal(protocol_server(side->protocol), "");
    assert_string_equal(status.version, "");
    assert_null(status.error);
    assert_true(status.accepted_us + status.refused_us == 0);
    side_open_with(side, XDS_CLUSTER, "a");
    good.server = "plane\n1";
    protocol_conclude(side->protocol, side_hear(side, &good), NULL, SIDE_NOW_US);
    assert_string_equal(protocol_server(side->protocol), "plane\\x0a1");
    bad.server = "plane 2";
    protocol_conclude(side->protocol, side_hear(side, &bad), "why", SIDE_NOW_US + 7);
    assert_string_equal(protocol_server(side->protocol), "plane 2");
    status = protocol_status(side->protocol, XDS_CLUSTER);
    assert_int_equal(status.names, 1);
    assert_int_equal(status.accepted, 1);
    assert_int_equal(status.refused, 1);
    assert_string_equal(status.version, "1");
    assert_string_equal(status.error, "why");
    assert_true(status.accepted_us == SIDE_NOW_US);
    assert_true(status.refused_us == SIDE_NOW_US + 7);
    status = protocol_status(side->protocol, XDS_LISTENER);
    assert_true(status.names + status.accepted + status.refused == 0);
    side_end(side);
}

BOTH(test_resource_of_another_type)
BOTH(test_time_to_live)
BOTH(test_resource_without_a_name)
BOTH(test_errors_of_the_server)
BOTH(test_same_answer_is_refused_later_and_later)
BOTH(test_accepted_answer_ends_the_waiting)
BOTH(test_same_answer_on_the_next_stream)
BOTH(test_same_answer_is_looked_at_again)
BOTH(test_order_makes_no_other_answer)
BOTH(test_next_answer_overtakes_a_reply)
BOTH(test_names_do_not_wait)
BOTH(test_empty_and_repeated_nonces)
BOTH(test_sentences_are_cut)
BOTH(test_names_that_cannot_be_asked_for)
BOTH(test_answers_that_are_too_large)
BOTH(test_status)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(test_bare_resource),
        IN_BOTH(test_resource_of_another_type),
        IN_BOTH(test_time_to_live),
        IN_BOTH(test_resource_without_a_name),
        LEAK_TEST(test_wrapper_that_cannot_be_read),
        LEAK_TEST(test_removed_names),
        LEAK_TEST(test_names_that_stand_twice),
        IN_BOTH(test_errors_of_the_server),
        IN_BOTH(test_same_answer_is_refused_later_and_later),
        IN_BOTH(test_accepted_answer_ends_the_waiting),
        IN_BOTH(test_same_answer_on_the_next_stream),
        IN_BOTH(test_same_answer_is_looked_at_again),
        IN_BOTH(test_order_makes_no_other_answer),
        IN_BOTH(test_next_answer_overtakes_a_reply),
        IN_BOTH(test_names_do_not_wait),
        IN_BOTH(test_empty_and_repeated_nonces),
        IN_BOTH(test_sentences_are_cut),
        IN_BOTH(test_names_that_cannot_be_asked_for),
        IN_BOTH(test_answers_that_are_too_large),
        LEAK_TEST(test_wrappers_together_are_bounded),
        IN_BOTH(test_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
