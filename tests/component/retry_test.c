/* SPDX-License-Identifier: Apache-2.0 */
/* What is sent again, how often, where, and how it is told: against servers that count executions by request. */
#include "support/mesh_client.h"

/* A server and a client of it, with backoff out of the way. */
struct pair {
    struct h2_server *server;
    struct mesh_client *client;
};

static struct pair pair_of(const char *const *keys)
{
    struct pair pair = { .server = h2_server_start(NULL) };

    pair.client = client_of_server(pair.server, keys);
    return pair;
}

static void pair_free(struct pair *pair)
{
    mesh_client_free(pair->client);
    h2_server_stop(pair->server);
}

static void executed(const struct pair *pair, const char *id, unsigned seen, unsigned times)
{
    struct h2_record record = h2_server_record(pair->server, id);

    assert_int_equal(record.seen, seen);
    assert_int_equal(record.executed, times);
}

/* ---- what was not done is done, whatever the method ---- */

static void a_refused_connection_moves_on_to_another_endpoint(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    uint16_t ports[2] = { h2_refusing_port(), h2_server_port(server) };
    struct mesh_client *client;

    (void) state;
    for (int i = 0; i < 20; i++) {
        struct answer answer;

        client = client_of(at_ports(ports, 2), NULL);
        answer = post(client, "/ok", "a");
        assert_int_equal(answer.err, 0);
        assert_true(answer.attempts == 1 || answer.attempts == 2);
        if (answer.attempts == 2)
            says(answer.detail, "refused");
        mesh_client_free(client);
    }
    assert_int_equal(h2_server_record(server, "a").executed, 20);
    h2_server_stop(server);
}

static void who_refuses_connections_is_left_out_afterwards(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    uint16_t ports[2] = { h2_refusing_port(), h2_server_port(server) };
    struct mesh_client *client = client_of(at_ports(ports, 2), NULL);
    unsigned retried = 0;

    (void) state;
    for (int i = 0; i < 200; i++) {
        struct answer answer = get(client, "/ok", NULL);

        assert_int_equal(answer.err, 0);
        retried += answer.attempts > 1;
    }
    assert_true(retried <= 2);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void nobody_there_at_all(void **state)
{
    struct mesh_client *client = client_of(at_port(h2_refusing_port()), NULL);
    struct answer answer = get(client, "/ok", NULL);

    (void) state;
    ANSWER(answer, MESH_ERR_CONNECT, 0, 3);
    says(answer.detail, "attempt 3 of 3 on 127.0.0.1:");
    says(answer.detail, "refused");
    mesh_client_free(client);
}

static void a_refused_stream_is_sent_again_once_even_a_post(void **state)
{
    struct pair pair = pair_of(NULL);
    struct answer answer = post(pair.client, "/refuse?first=1", "a");

    (void) state;
    ANSWER(answer, 0, 200, 2);
    executed(&pair, "a", 2, 1);
    answer = post(pair.client, "/refuse?first=2", "b"); /* a proxy may have passed it on: not a third time */
    ANSWER(answer, MESH_ERR_RESET, 0, 2);
    says(answer.detail, "REFUSED_STREAM");
    executed(&pair, "b", 2, 0);
    answer = get(pair.client, "/refuse?first=2", "c");
    ANSWER(answer, 0, 200, 3);
    executed(&pair, "c", 3, 1);
    pair_free(&pair);
}

static void a_goaway_loses_nothing(void **state)
{
    struct pair pair = pair_of(NULL);
    struct answer answer = post(pair.client, "/goaway?first=1", "a");

    (void) state;
    ANSWER(answer, 0, 200, 2);
    executed(&pair, "a", 2, 1);
    assert_int_equal(h2_server_accepted(pair.server), 2);
    pair_free(&pair);
}

static void refused_requests_can_be_left_alone(void **state)
{
    struct pair pair = pair_of(PAIRS("retry.refused", "off"));
    struct answer answer = post(pair.client, "/refuse?first=1", "a");

    (void) state;
    ANSWER(answer, MESH_ERR_RESET, 0, 1);
    executed(&pair, "a", 1, 0);
    answer = get(pair.client, "/refuse?first=1", "b"); /* idempotent: as after any reset */
    ANSWER(answer, 0, 200, 2);
    pair_free(&pair);
}

/* ---- what may have been done is done again only if that does no harm ---- */

static void a_reset_get_is_sent_again_and_a_post_is_not(void **state)
{
    static const char *const paths[] = { "/reset?first=1&code=2", "/kill?first=1", "/reset?first=1&code=8" };
    struct pair pair = pair_of(NULL);

    (void) state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char got[8], posted[8];
        struct answer answer;

        snprintf(got, sizeof got, "g%zu", i);
        snprintf(posted, sizeof posted, "p%zu", i);
        answer = get(pair.client, paths[i], got);
        ANSWER(answer, 0, 200, 2);
        executed(&pair, got, 2, 2);
        answer = post(pair.client, paths[i], posted);
        ANSWER(answer, MESH_ERR_RESET, 0, 1);
        executed(&pair, posted, 1, 1);
    }
    pair_free(&pair);
}

static void a_post_that_says_so_is_sent_again(void **state)
{
    struct pair pair = pair_of(NULL);
    struct ask ask = { 0 };
    struct answer answer;

    (void) state;
    ask_for(&ask, "/kill?first=1", "a");
    ask.opts.method = "POST";
    ask.opts.flags = MESH_REQ_IDEMPOTENT;
    ask.opts.body = "body";
    ask.opts.body_len = 4;
    answer = call(pair.client, &ask);
    ANSWER(answer, 0, 200, 2);
    assert_int_equal(h2_server_record(pair.server, "a").bytes, 8);
    pair_free(&pair);
}

static void a_503_is_asked_again_with_and_without_retry_after(void **state)
{
    struct pair pair = pair_of(NULL);
    struct answer answer = get(pair.client, "/status?code=503&first=1", "a");

    (void) state;
    ANSWER(answer, 0, 200, 2);
    says(answer.detail, "answered 503");
    answer = get(pair.client, "/status?code=503&first=1&after=1", "b");
    ANSWER(answer, 0, 200, 2);
    assert_true(answer.took_ms >= 1000);
    answer = post(pair.client, "/status?code=503&first=1", "c");
    ANSWER(answer, 0, 503, 1);
    answer = get(pair.client, "/status?code=500&first=1", "d");
    ANSWER(answer, 0, 500, 1);
    answer = get(pair.client, "/status?code=503", "e"); /* the answer stands when attempts are used up */
    ANSWER(answer, 0, 503, 3);
    pair_free(&pair);
}

/* Waiting as long as is asked would miss the deadline: the answer there is is better than none. */
static void a_retry_after_beyond_the_deadline_is_not_waited_for(void **state)
{
    struct pair pair = pair_of(PAIRS("timeout_ms", "3000"));
    struct answer answer = get(pair.client, "/status?code=503&after=3600", "a");

    (void) state;
    ANSWER(answer, 0, 503, 1);
    assert_true(answer.took_ms < 2500);
    pair_free(&pair);
}

static void an_attempt_has_its_own_time(void **state)
{
    struct pair pair = pair_of(PAIRS("retry.per_try_timeout_ms", "100"));
    struct answer answer = get(pair.client, "/never?first=1", "a");

    (void) state;
    ANSWER(answer, 0, 200, 2);
    says(answer.detail, "per_try_timeout_ms 100");
    answer = post(pair.client, "/never?first=1", "b");
    ANSWER(answer, MESH_ERR_TIMEOUT, 0, 1);
    executed(&pair, "b", 1, 1);
    answer = get(pair.client, "/hang?first=1", "c"); /* the head came, the rest did not */
    ANSWER(answer, 0, 200, 2);
    pair_free(&pair);
}

static void what_is_retried_can_be_chosen(void **state)
{
    struct pair pair = pair_of(PAIRS("retry.on", "5xx,retriable-4xx"));
    struct answer answer = get(pair.client, "/status?code=500&first=1", "a");

    (void) state;
    ANSWER(answer, 0, 200, 2);
    answer = get(pair.client, "/status?code=409&first=1", "b");
    ANSWER(answer, 0, 200, 2);
    answer = get(pair.client, "/kill?first=1", "c"); /* 5xx is that too, as in Envoy */
    ANSWER(answer, 0, 200, 2);
    pair_free(&pair);
    pair = pair_of(PAIRS("retry.on", "retriable-4xx,retriable-status-codes", "retry.statuses", "418"));
    ANSWER(get(pair.client, "/kill?first=1", "a"), MESH_ERR_RESET, 0, 1);
    ANSWER(get(pair.client, "/status?code=418&first=1", "b"), 0, 200, 2);
    ANSWER(get(pair.client, "/status?code=503&first=1", "c"), 0, 503, 1);
    ANSWER(post(pair.client, "/status?code=418&first=1", "d"), 0, 418, 1);
    pair_free(&pair);
}

static void reset_before_request_is_what_was_never_sent(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    uint16_t ports[2] = { h2_refusing_port(), h2_server_port(server) };
    struct mesh_client *client = client_of(at_ports(ports, 2), PAIRS("retry.on", "reset-before-request"));

    (void) state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(post(client, "/ok", "a").status, 200);
    assert_int_equal(h2_server_record(server, "a").executed, 10);
    ANSWER(get(client, "/kill?first=1", "b"), MESH_ERR_RESET, 0, 1);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void a_rate_limited_answer_has_its_own_condition(void **state)
{
    struct pair plain = pair_of(NULL), pair = pair_of(PAIRS("retry.on", "envoy-ratelimited"));

    (void) state;
    ANSWER(get(plain.client, "/status?code=503&first=1&h=x-envoy-ratelimited:true", "a"), 0, 503, 1);
    ANSWER(get(pair.client, "/status?code=429&first=1&h=x-envoy-ratelimited:true", "a"), 0, 200, 2);
    ANSWER(get(pair.client, "/status?code=429&first=1", "b"), 0, 429, 1);
    executed(&pair, "a", 2, 2);
    executed(&pair, "b", 1, 1);
    pair_free(&plain);
    pair_free(&pair);
}

/* ---- gRPC: in a head that is all of the answer, and in trailers ---- */

static struct answer grpc_call(const struct pair *pair, const char *path, const char *id, uint32_t flags)
{
    struct ask ask = { 0 };

    ask_for(&ask, path, id);
    ask_header(&ask, "content-type", "application/grpc");
    ask.opts.method = "POST";
    ask.opts.flags = flags;
    ask.opts.body = "body";
    ask.opts.body_len = 4;
    return call(pair->client, &ask);
}

static void grpc_statuses_are_retried_wherever_they_stand(void **state)
{
    struct pair pair = pair_of(PAIRS("retry.on", "unavailable,resource-exhausted"));
    struct answer answer;

    (void) state;
    answer = grpc_call(&pair, "/status?code=200&first=1&h=grpc-status:14", "a", MESH_REQ_IDEMPOTENT);
    ANSWER(answer, 0, 200, 2);
    says(answer.detail, "grpc-status 14");
    answer = grpc_call(&pair, "/status?code=200&first=1&t=grpc-status:14", "b", MESH_REQ_IDEMPOTENT);
    ANSWER(answer, 0, 200, 2);
    assert_string_equal(answer.body, "server"); /* of the second alone */
    answer = grpc_call(&pair, "/status?code=200&first=1&t=grpc-status:8", "c", MESH_REQ_IDEMPOTENT);
    ANSWER(answer, 0, 200, 2);
    answer = grpc_call(&pair, "/status?code=200&first=1&t=grpc-status:13", "d", MESH_REQ_IDEMPOTENT);
    ANSWER(answer, 0, 200, 1);
    answer = grpc_call(&pair, "/status?code=200&first=1&t=grpc-status:14", "e", 0);
    ANSWER(answer, 0, 200, 1);
    answer = grpc_call(&pair, "/status?code=200&t=grpc-status:14", "f", MESH_REQ_IDEMPOTENT);
    ANSWER(answer, 0, 200, 3); /* the last one stands */
    executed(&pair, "a", 2, 2);
    executed(&pair, "b", 2, 2);
    executed(&pair, "f", 3, 3);
    pair_free(&pair);
}

/* ---- what the peer says about it ---- */

static void the_peer_may_ask_for_a_pause_or_forbid_it(void **state)
{
    struct pair pair = pair_of(PAIRS("retry.on", "gateway-error,unavailable", "retry.backoff_base_ms", "1"));
    struct answer answer = get(pair.client, "/status?code=503&first=1&h=x-mesh-retry:no", "a");

    (void) state;
    ANSWER(answer, 0, 503, 1);
    says(answer.detail, "the peer forbids it");
    answer = get(pair.client, "/status?code=503&first=1&h=grpc-retry-pushback-ms:700", "b");
    ANSWER(answer, 0, 200, 2);
    assert_true(answer.took_ms >= 700);
    answer = get(pair.client, "/status?code=503&first=1&h=grpc-retry-pushback-ms:-1", "c");
    ANSWER(answer, 0, 503, 1);
    answer = get(pair.client, "/status?code=503&first=1&h=grpc-retry-pushback-ms:soon", "d");
    ANSWER(answer, 0, 503, 1);
    answer = get(pair.client, "/status?code=200&first=1&h=x-mesh-retry:no&t=grpc-status:14", "e");
    ANSWER(answer, 0, 200, 1);
    answer = get(pair.client, "/status?code=503&first=1&h=x-mesh-retry:yes", "f");
    ANSWER(answer, 0, 200, 2);
    executed(&pair, "a", 1, 1);
    executed(&pair, "b", 2, 2);
    executed(&pair, "c", 1, 1);
    pair_free(&pair);
}

/* ---- how often ---- */

static void attempts_are_limited_by_policy_and_by_call(void **state)
{
    struct pair pair = pair_of(PAIRS("retry.attempts", "4"));
    struct ask ask = { 0 };
    struct answer answer = get(pair.client, "/status?code=503", "a");

    (void) state;
    ANSWER(answer, 0, 503, 4);
    executed(&pair, "a", 4, 4);
    ask_for(&ask, "/status?code=503", "b");
    ask.opts.max_attempts = 1;
    answer = call(pair.client, &ask);
    ANSWER(answer, 0, 503, 1);
    executed(&pair, "b", 1, 1);
    ask_for(&ask, "/status?code=503", "c");
    ask.opts.max_attempts = 6;
    answer = call(pair.client, &ask);
    ANSWER(answer, 0, 503, 6);
    pair_free(&pair);
}

/* Ten in hand, then 10 % of the requests: a storm does not happen. */
static void the_budget_bounds_what_everybody_fails(void **state)
{
    struct pair pair = pair_of(PAIRS("retry.backoff_base_ms", "1"));
    unsigned told = 0, sent;

    (void) state;
    for (int i = 0; i < 300; i++) {
        struct answer answer = get(pair.client, "/status?code=503", "a");

        assert_int_equal(answer.status, 503);
        told += strstr(answer.detail, "the retry budget is spent") != NULL;
    }
    sent = h2_server_record(pair.server, "a").seen;
    assert_in_range(sent, 305, 300 + 30 + 10 + 5);
    assert_true(told > 200);
    pair_free(&pair);
}

static void attempts_are_numbered(void **state)
{
    struct pair pair = pair_of(NULL);

    (void) state;
    get(pair.client, "/status?code=503&first=2", "a");
    assert_string_equal(h2_server_record(pair.server, "a").attempts, "-,2,3");
    pair_free(&pair);
}

/* A retry of somebody above is not multiplied here, and its number goes on. */
static void a_retry_of_somebody_above_is_not_retried(void **state)
{
    static const char *const headers[] = { "x-mesh-attempt", "X-Mesh-Attempt", "x-envoy-attempt-count" };
    struct pair pair = pair_of(NULL);

    (void) state;
    for (size_t i = 0; i < 3; i++) {
        struct ask ask = { 0 };
        struct answer answer;
        char id[8];

        snprintf(id, sizeof id, "a%zu", i);
        ask_for(&ask, "/status?code=503", id);
        ask_header(&ask, headers[i], "2");
        answer = call(pair.client, &ask);
        ANSWER(answer, 0, 503, 1);
        assert_string_equal(h2_server_record(pair.server, id).attempts, i < 2 ? "2" : "-");
        ask_for(&ask, "/refuse", NULL);
        ask_header(&ask, headers[i], "3");
        answer = call(pair.client, &ask);
        ANSWER(answer, MESH_ERR_RESET, 0, 1);
    }
    pair_free(&pair);
}

static void a_first_attempt_of_somebody_above_is_retried_with_our_number(void **state)
{
    struct pair pair = pair_of(NULL);
    struct ask ask = { 0 };
    struct answer answer;

    (void) state;
    ask_for(&ask, "/status?code=503&first=1", "a");
    ask_header(&ask, "x-mesh-attempt", "1");
    answer = call(pair.client, &ask);
    ANSWER(answer, 0, 200, 2);
    assert_string_equal(h2_server_record(pair.server, "a").attempts, "1,2");
    pair_free(&pair);
}

/* ---- where ---- */

static void the_next_attempt_goes_to_another_endpoint(void **state)
{
    struct h2_server *servers[3];
    struct mesh_client *client;

    (void) state;
    for (int i = 0; i < 3; i++)
        servers[i] = h2_server_start(NULL);
    client = client_of(at_servers(servers, 3), PAIRS("retry.budget_min", "200", "outlier.policy", "off"));
    for (int i = 0; i < 50; i++) {
        char id[8];
        struct answer answer;

        snprintf(id, sizeof id, "a%d", i);
        answer = get(client, "/status?code=503&first=1", id);
        ANSWER(answer, 0, 503, 3); /* each endpoint had it once, each for the first time */
        for (int k = 0; k < 3; k++)
            assert_int_equal(h2_server_record(servers[k], id).seen, 1);
    }
    mesh_client_free(client);
    for (int i = 0; i < 3; i++)
        h2_server_stop(servers[i]);
}

static void more_attempts_than_endpoints_are_remembered(void **state)
{
    struct h2_server *servers[2] = { h2_server_start(NULL), h2_server_start(NULL) };
    struct mesh_client *client =
        client_of(at_servers(servers, 2), PAIRS("retry.attempts", "20", "retry.budget_min", "100",
                                                "retry.backoff_base_ms", "1", "retry.backoff_max_ms", "1"));
    struct answer answer = get(client, "/status?code=503", "a");

    (void) state;
    ANSWER(answer, 0, 503, 20);
    assert_int_equal(h2_server_record(servers[0], "a").seen + h2_server_record(servers[1], "a").seen, 20);
    mesh_client_free(client);
    h2_server_stop(servers[0]);
    h2_server_stop(servers[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_connection_moves_on_to_another_endpoint),
        cmocka_unit_test(who_refuses_connections_is_left_out_afterwards),
        cmocka_unit_test(nobody_there_at_all),
        cmocka_unit_test(a_refused_stream_is_sent_again_once_even_a_post),
        cmocka_unit_test(a_goaway_loses_nothing),
        cmocka_unit_test(refused_requests_can_be_left_alone),
        cmocka_unit_test(a_reset_get_is_sent_again_and_a_post_is_not),
        cmocka_unit_test(a_post_that_says_so_is_sent_again),
        cmocka_unit_test(a_503_is_asked_again_with_and_without_retry_after),
        cmocka_unit_test(a_retry_after_beyond_the_deadline_is_not_waited_for),
        cmocka_unit_test(an_attempt_has_its_own_time),
        cmocka_unit_test(what_is_retried_can_be_chosen),
        cmocka_unit_test(reset_before_request_is_what_was_never_sent),
        cmocka_unit_test(a_rate_limited_answer_has_its_own_condition),
        cmocka_unit_test(grpc_statuses_are_retried_wherever_they_stand),
        cmocka_unit_test(the_peer_may_ask_for_a_pause_or_forbid_it),
        cmocka_unit_test(attempts_are_limited_by_policy_and_by_call),
        cmocka_unit_test(the_budget_bounds_what_everybody_fails),
        cmocka_unit_test(attempts_are_numbered),
        cmocka_unit_test(a_retry_of_somebody_above_is_not_retried),
        cmocka_unit_test(a_first_attempt_of_somebody_above_is_retried_with_our_number),
        cmocka_unit_test(the_next_attempt_goes_to_another_endpoint),
        cmocka_unit_test(more_attempts_than_endpoints_are_remembered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
