/* SPDX-License-Identifier: Apache-2.0 */
/* One stream of both variants, message by message: what is asked for, acknowledged and refused, and when. */
#include "support/xds_side.h"

/* ---- asking ---- */

static void test_nothing_is_asked_without_names_or_stream(bool is_delta)
{
    struct side here, *side = side_begin(&here, is_delta);

    side_nothing(side);
    protocol_stream_opened(side->protocol);
    side_nothing(side);
    side_subscribe(side, XDS_CLUSTER, "a");
    protocol_unsubscribe(side->protocol, XDS_CLUSTER, "a");
    protocol_unsubscribe(side->protocol, XDS_CLUSTER, "never");
    side_nothing(side);
    protocol_stream_closed(side->protocol);
    side_subscribe(side, XDS_CLUSTER, "a");
    side_nothing(side);
    side_end(side);
}

static void test_first_requests(bool is_delta)
{
    static const enum xds_type order[] = { XDS_CLUSTER, XDS_ENDPOINTS, XDS_LISTENER, XDS_ROUTES };
    struct side here, *side = side_begin(&here, is_delta);

    for (enum xds_type type = 0; type < XDS_TYPES; type++) {
        side_subscribe(side, type, "a");
        side_subscribe(side, type, "b");
        side_subscribe(side, type, "a");
    }
    protocol_stream_opened(side->protocol);
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        struct asked asked = side_next(side);

        assert_int_equal(asked.type, order[i]);
        asked_names_are(asked, 2, "a", "b");
        asked_is_ack(asked, "", "", is_delta);
        assert_int_equal(asked.node != NULL, i == 0);
        asked_done(asked);
    }
    side_nothing(side);
    side_end(side);
}

static void test_ack(bool is_delta)
{
    struct side here, *side = side_begin(&here, is_delta);
    struct said said = said_cluster("7", "n1", "body");
    struct xds_answer *answer;
    struct asked asked;

    side_open_with(side, XDS_CLUSTER, "a");
    answer = side_hear(side, &said);
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
    side_nothing(side);
    side_conclude(side, answer, NULL);
    asked = side_next(side);
    asked_is_ack(asked, "7", "n1", is_delta);
    assert_int_equal(asked.n_names, is_delta ? 0 : 1);
    assert_null(asked.node);
    asked_done(asked);
    side_nothing(side);

    /* Names that change later go with the same nonce, or without any. */
    side_subscribe(side, XDS_CLUSTER, "b");
    asked = side_next(side);
    asked_is_ack(asked, "7", is_delta ? "" : "n1", is_delta);
    assert_true(asked_has(asked.names, asked.n_names, "b"));
    assert_int_equal(asked_has(asked.names, asked.n_names, "a"), !is_delta);
    asked_done(asked);
    side_nothing(side);
    side_end(side);
}

static void test_nack_keeps_the_version(bool is_delta)
{
    struct side here, *side = side_begin(&here, is_delta);
    struct said good = said_cluster("1", "n1", "good"), bad = said_cluster("2", "n2", "bad");
    struct asked asked;

    side_open_with(side, XDS_CLUSTER, "a");
    side_conclude(side, side_hear(side, &good), NULL);
    side_pass_over(side);
    side_conclude(side, side_hear(side, &bad), "clusters: a: no good");
    asked = side_next(side);
    asked_is_nack(asked, "1", "n2", "clusters: a: no good", is_delta);
    asked_done(asked);
    side_nothing(side);

    /* What changes afterwards is no second refusal. */
    side_subscribe(side, XDS_CLUSTER, "b");
    asked = side_next(side);
    asked_is_ack(asked, "1", is_delta ? "" : "n2", is_delta);
    asked_done(asked);
    side_nothing(side);
    side_end(side);
}

static void test_first_answer_is_refused(bool is_delta)
{
    struct side here, *side = side_begin(&here, is_delta);
    struct said bad = said_cluster("2", "n2", "bad");
    struct asked asked;

    side_open_with(side, XDS_CLUSTER, "a");
    side_conclude(side, side_hear(side, &bad), "no good");
    asked = side_next(side);
    asked_is_nack(asked, "", "n2", "no good", is_delta);
    asked_done(asked);
    side_end(side);
}

static void test_reply_and_names_are_one_message(bool is_delta)
{
    struct side here, *side = side_begin(&here, is_delta);
    struct said said = said_cluster("1", "n1", "body");
    struct xds_answer *answer;
    struct asked asked;

    side_open_with(side, XDS_CLUSTER, "a");
    answer = side_hear(side, &said);
    side_subscribe(side, XDS_CLUSTER, "b");
    side_subscribe(side, XDS_ENDPOINTS, "a");
    side_subscribe(side, XDS_LISTENER, "x");
    protocol_unsubscribe(side->protocol, XDS_CLUSTER, "a");

    /* The answer's type and the one below wait, others do not. */
    asked = side_next(side);
    assert_int_equal(asked.type, XDS_LISTENER);
    asked_done(asked);
    side_nothing(side);
    side_subscribe(side, XDS_ENDPOINTS, "b");
    side_conclude(side, answer, NULL);
    asked = side_next(side);
    assert_int_equal(asked.type, XDS_CLUSTER);
    asked_is_ack(asked, "1", "n1", is_delta);
    asked_names_are(asked, 1, "b");
    assert_int_equal(asked.n_gone, is_delta ? 1 : 0);
    asked_done(asked);
    asked = side_next(side);
    assert_int_equal(asked.type, XDS_ENDPOINTS);
    asked_names_are(asked, 2, "a", "b");
    asked_done(asked);
    side_nothing(side);
    side_end(side);
}

static void test_last_name_goes(bool is_delta)
{
    struct side here, *side = side_begin(&here, is_delta);
    struct said said = said_cluster("1", "n1", "body");
    struct asked asked;

    side_open_with(side, XDS_CLUSTER, "a");
    protocol_unsubscribe(side->protocol, XDS_CLUSTER, "a");
    asked = side_next(side);
    assert_int_equal(asked.n_names, 0);
    assert_int_equal(asked_has(asked.gone, asked.n_gone, "a"), is_delta);
    asked_done(asked);
    side_nothing(side);

    /* What was on its way is acknowledged. */
    side_conclude(side, side_hear(side, &said), NULL);
    asked = side_next(side);
    asked_is_ack(asked, "1", "n1", is_delta);
    assert_int_equal(asked.n_names + asked.n_gone, 0);
    asked_done(asked);

    /* On the next stream an empty list would mean everything. */
    protocol_stream_opened(side->protocol);
    side_nothing(side);
    side_end(side);
}

static void test_given_up_and_wanted_again(bool is_delta)
{
    struct side here, *side = side_begin(&here, is_delta);
    struct asked asked;

    side_open_with(side, XDS_CLUSTER, "a");
    protocol_unsubscribe(side->protocol, XDS_CLUSTER, "a");
    side_subscribe(side, XDS_CLUSTER, "a");
    asked = side_next(side);
    assert_int_equal(asked.n_names, 0);
    assert_int_equal(asked.n_gone, is_delta ? 1 : 0);
    asked_done(asked);
    asked = side_next(side);
    asked_names_are(asked, 1, "a");
    assert_int_equal(asked.n_gone, 0);
    asked_done(asked);
    side_nothing(side);

    protocol_unsubscribe(side->protocol, XDS_CLUSTER, "a");
    side_subscribe(side, XDS_CLUSTER, "a");
    protocol_unsubscribe(side->protocol, XDS_CLUSTER, "a");
    side_pass_over(side);
    side_nothing(side);
    assert_int_equal(protocol_status(side->protocol, XDS_CLUSTER).names, 0);
    side_end(side);
}

/* ---- streams ---- */

static void test_next_stream(bool is_delta)
{
    struct side here, *side = side_begin(&here, is_delta);
    struct said said = said_cluster("1", "n1", "body");
    struct asked asked;

    side_subscribe(side, XDS_CLUSTER, "b");
    side_subscribe(side, XDS_CLUSTER, "c");
    side_open_with(side, XDS_CLUSTER, "a");
    side_conclude(side, side_hear(side, &said), NULL);
    protocol_hold(side->protocol, XDS_CLUSTER, "a", "0");
    protocol_hold(side->protocol, XDS_CLUSTER, "a", "1");
    protocol_hold(side->protocol, XDS_CLUSTER, "b", "1");
    protocol_hold(side->protocol, XDS_CLUSTER, "b", NULL);
    protocol_hold(side->protocol, XDS_CLUSTER, "never", "1");
    protocol_unsubscribe(side->protocol, XDS_CLUSTER, "c");
    protocol_hold(side->protocol, XDS_CLUSTER, "c", "1");
    protocol_stream_closed(side->protocol);
    side_nothing(side);
    protocol_stream_opened(side->protocol);
    asked = side_next(side);
    asked_is_ack(asked, "1", "", is_delta);
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
    asked_done(asked);
    side_nothing(side);
    side_subscribe(side, XDS_CLUSTER, "d");
    protocol_hold(side->protocol, XDS_CLUSTER, "d", "4");
    asked = side_next(side);
    assert_int_equal(asked.n_held, 0);
    asked_done(asked);
    side_end(side);
}

static void test_reply_does_not_reach_another_stream(bool is_delta)
{
    struct side here, *side = side_begin(&here, is_delta);
    struct said said = said_cluster("1", "n1", "body");
    struct xds_answer *answer;
    struct asked asked;

    side_open_with(side, XDS_CLUSTER, "a");
    answer = side_hear(side, &said);
    protocol_stream_closed(side->protocol);
    protocol_stream_opened(side->protocol);
    side_nothing(side);
    side_conclude(side, answer, NULL);
    asked = side_next(side);
    asked_is_ack(asked, "1", "", is_delta);
    asked_names_are(asked, 1, "a");
    asked_done(asked);
    side_nothing(side);

    protocol_drop(side->protocol, side_hear(side, &said));
    side_nothing(side);
    side_end(side);
}

static void test_answers_that_nobody_asked_for(bool is_delta)
{
    struct side here, *side = side_begin(&here, is_delta);
    struct said said = said_cluster("1", "n1", "body"), other = { .type_url = "type.googleapis.com/other\n" };
    struct xds_answer *answer;
    struct fault fault = { 0 };

    side_open_with(side, XDS_LISTENER, "a");
    MESH_OK(side_arrive(side, &said, &answer, &fault));
    assert_null(answer);
    assert_string_equal(fault.text, "an answer of type type.googleapis.com/envoy.config.cluster.v3.Cluster, which was "
                                    "not asked for");
    MESH_OK(side_arrive(side, &other, &answer, &fault));
    assert_null(answer);
    assert_string_equal(fault.text, "an answer of type type.googleapis.com/other\\x0a, which was not asked for");
    side_subscribe(side, XDS_CLUSTER, "a");
    MESH_OK(side_arrive(side, &said, &answer, &fault));
    assert_null(answer);
    side_pass_over(side);
    side_nothing(side);
    protocol_drop(side->protocol, side_hear(side, &said));
    protocol_stream_opened(side->protocol);
    MESH_OK(side_arrive(side, &said, &answer, &fault));
    assert_null(answer);
    side_end(side);
}

static void test_bytes_that_are_no_answer(bool is_delta)
{
    struct side here, *side = side_begin(&here, is_delta);
    struct xds_answer *answer;
    struct fault fault = { 0 };

    side_open_with(side, XDS_CLUSTER, "a");
    MESH_ERR(MESH_ERR_PROTOCOL, protocol_receive(side->protocol, (const uint8_t *) "\x0a\x05zz", 4, &answer, &fault));
    assert_null(answer);
    assert_non_null(strstr(fault.text, "DiscoveryResponse, field 1: it is longer than what holds it"));
    MESH_OK(protocol_receive(side->protocol, NULL, 0, &answer, &fault));
    assert_null(answer);
    side_nothing(side);
    side_end(side);
}

/* ---- all of it in both variants ---- */

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
