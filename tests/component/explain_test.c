/* SPDX-License-Identifier: Apache-2.0 */
/* Why a request went as it did, and where one would go: through the public interface, against real connections. */
#include <pthread.h>

#include "support/mesh_client.h"

static char *explained(struct mesh_client *client, const struct ask *ask)
{
    struct mesh_response *response;
    const char *text;
    char *copy;

    mesh_request(client, &ask->opts, &response);
    text = mesh_response_explanation(response);
    assert_non_null(text);
    copy = strdup(text);
    mesh_response_free(response);
    return copy;
}

static char *explained_call(struct mesh_client *client, const char *method, const char *path)
{
    struct ask ask = { 0 };

    ask_for(&ask, path, "a");
    ask.opts.method = method;
    ask.opts.flags = MESH_REQ_EXPLAIN;
    return explained(client, &ask);
}

/* The parts stand in the text, one behind the other. */
static void says_in_order(const char *text, const char *const *parts)
{
    for (; *parts; parts++) {
        const char *at = strstr(text, *parts);

        if (!at)
            fail_msg("\"%s\" does not go on with \"%s\"", text, *parts);
        text = at + strlen(*parts);
    }
}

#define SAYS(text, ...) says_in_order((text), (const char *const[]){ __VA_ARGS__, NULL })

/* ---- one that is over ---- */

static void an_answer_names_endpoint_and_candidates(void **state)
{
    struct h2_server *servers[2] = { h2_server_start(NULL), h2_server_start(NULL) };
    struct mesh_client *client = client_of(at_servers(servers, 2), NULL);
    char *text = explained_call(client, "GET", "/ok?secret=1"), first[32], second[32];
    struct answer plain;

    (void) state;
    snprintf(first, sizeof first, "\"127.0.0.1:%u\"", h2_server_port(servers[0]));
    snprintf(second, sizeof second, "\"127.0.0.1:%u\"", h2_server_port(servers[1]));
    SAYS(text, "\"service\":\"users\",\"method\":\"GET\",\"path\":\"/ok\"", "\"status\":200,\"error\":null",
         "\"attempts_made\":1,\"attempts_most\":3", "\"zone_reason\":\"zones make no difference\"",
         "\"choice\":\"adaptive: the least score of 2 drawn\",\"candidates\":[{", "\"score\":0", "\"status\":200");
    says(text, first);
    says(text, second);
    assert_null(strstr(text, "secret"));
    free(text);
    plain = get(client, "/ok", NULL);
    ANSWER(plain, 0, 200, 1);
    mesh_client_free(client);
    h2_server_stop(servers[0]);
    h2_server_stop(servers[1]);
}

static void nobody_asked(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, NULL);
    struct mesh_response *response;
    struct ask ask = { 0 };

    (void) state;
    MESH_OK(mesh_request(client, &ask_for(&ask, "/ok", NULL)->opts, &response));
    assert_null(mesh_response_explanation(response));
    assert_null(mesh_response_explanation(NULL));
    mesh_response_free(response);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void retries_have_reasons(void **state)
{
    static const struct {
        const char *method, *path, *then[4];
    } cases[] = {
        { "GET", "/status?code=503&first=1", { "\"retry\":\"retried: paid", "\"number\":2", "\"status\":200" } },
        { "GET", "/kill?first=1", { "\"error\":\"MESH_ERR_RESET\"", "\"retry\":\"retried: paid", "\"status\":200" } },
        { "POST", "/refuse?first=1", { "\"retry\":\"retried: free", "\"number\":2", "\"status\":200" } },
        { "POST", "/kill?first=1", { "MESH_ERR_RESET", "\"retry\":\"not retried: it may have been executed" } },
        { "POST", "/status?code=503", { "\"retry\":\"not retried: it may have been executed" } },
        { "GET", "/status?code=500", { "\"retry\":\"not retried: retry.on does not name this" } },
        { "GET", "/status?code=503", { "retried: paid", "retried: paid", "not retried: its attempts are used up" } },
    };

    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct h2_server *server = h2_server_start(NULL);
        struct mesh_client *client = client_of_server(server, NULL);
        char *text = explained_call(client, cases[i].method, cases[i].path);

        says_in_order(text, cases[i].then);
        free(text);
        mesh_client_free(client);
        h2_server_stop(server);
    }
}

static void a_retry_of_somebody_above_is_named(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, NULL);
    struct ask ask = { 0 };
    char *text;

    (void) state;
    ask_for(&ask, "/status?code=503", NULL);
    ask_header(&ask, "x-mesh-attempt", "2");
    ask.opts.flags = MESH_REQ_EXPLAIN;
    text = explained(client, &ask);
    SAYS(text, "\"chained\":true", "not retried: it is itself the retry of somebody above");
    free(text);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void a_spent_budget_is_named(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(
        server, PAIRS("retry.budget_percent", "0", "retry.budget_per_second", "0", "retry.budget_min", "0"));
    char *text = explained_call(client, "GET", "/status?code=503");

    (void) state;
    SAYS(text, "\"attempts_made\":1", "\"retry\":\"not retried: the retry budget is spent\"");
    free(text);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void a_tried_endpoint_is_named(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    uint16_t ports[2] = { h2_refusing_port(), h2_server_port(server) };
    bool met = false;

    (void) state;
    for (int i = 0; i < 100 && !met; i++) {
        struct mesh_client *client = client_of(at_ports(ports, 2), NULL);
        char *text = explained_call(client, "POST", "/ok");

        met = strstr(text, "MESH_ERR_CONNECT") != NULL;
        if (met)
            SAYS(text, "\"error\":\"MESH_ERR_CONNECT\",\"detail\":\"connect to 127.0.0.1:", "refused\"",
                 "\"retry\":\"retried: free", "\"number\":2", "\"status\":200");
        free(text);
        mesh_client_free(client);
    }
    assert_true(met);
    h2_server_stop(server);
}

static void who_is_refused_at_the_door_knows_by_whom(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, PAIRS("rate_limit.per_second", "1", "rate_limit.burst", "1"));
    char *text = NULL;

    (void) state;
    for (int i = 0; i < 100 && !(text && strstr(text, "RATE_LIMITED")); i++) {
        free(text);
        text = explained_call(client, "GET", "/ok");
    }
    SAYS(text, "\"error\":\"MESH_ERR_RATE_LIMITED\",\"detail\":\"its rate_limit.per_second 1 (burst 1) is used up",
         "\"attempts_made\":0", "\"attempts\":[]");
    free(text);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void queued_calls_and_streams_are_explained_too(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, NULL);
    struct mesh_event event = { 0 };
    struct mesh_queue *queue;
    struct mesh_stream *stream;
    struct ask ask = { 0 };
    char buf[64];
    size_t got = 1;

    (void) state;
    ask_for(&ask, "/ok", NULL);
    ask.opts.flags = MESH_REQ_EXPLAIN;
    MESH_OK(mesh_queue_new(client, &queue));
    MESH_OK(mesh_request_start(client, &ask.opts, queue, 1, NULL));
    assert_int_equal(mesh_queue_next(queue, &event, 1, GUARD_MS), 1);
    SAYS(mesh_response_explanation(event.response), "\"attempts_made\":1");
    mesh_response_free(event.response);
    mesh_queue_free(queue);
    MESH_OK(mesh_stream_open(client, &ask.opts, NULL, 0, &stream));
    MESH_OK(mesh_stream_finish(stream));
    while (got > 0)
        MESH_OK(mesh_stream_read(stream, buf, sizeof buf, &got));
    SAYS(mesh_response_explanation(mesh_stream_response(stream)), "\"attempts_made\":1");
    mesh_stream_free(stream);
    mesh_client_free(client);
    h2_server_stop(server);
}

/* ---- the last ones ---- */

static unsigned count(const char *text, const char *part)
{
    unsigned n = 0;

    for (; (text = strstr(text, part)); text++)
        n++;
    return n;
}

static void the_last_ones_are_always_there(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, PAIRS("loops", "1"));
    char *text;

    (void) state;
    MESH_OK(mesh_client_recent(client, &text));
    assert_string_equal(text, "[]");
    mesh_string_free(text);
    for (int i = 0; i < 50; i++)
        ANSWER(get(client, i == 48 ? "/status?code=404" : "/ok?x=1", NULL), 0, i == 48 ? 404 : 200, 1);
    MESH_OK(mesh_client_recent(client, &text));
    assert_int_equal(count(text, "\"service\":\"users\""), 32);
    SAYS(text, "\"path\":\"/ok\"", "\"path\":\"/status\"", "\"status\":404", "\"path\":\"/ok\"");
    assert_null(strstr(text, "x=1"));
    mesh_string_free(text);
    MESH_ERR(MESH_ERR_INVALID, mesh_client_recent(client, NULL));
    mesh_client_free(client);
    h2_server_stop(server);
}

struct crowd {
    struct mesh_client *client;
    _Atomic bool over;
};

static void *call_on(void *user)
{
    struct crowd *crowd = user;

    while (!crowd->over)
        free(explained_call(crowd->client, "GET", "/status?code=503&first=1"));
    return NULL;
}

static void asking_while_others_call(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct crowd crowd = { .client = client_of_server(server, PAIRS("loops", "2")) };
    pthread_t threads[4];
    char *text;

    (void) state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_on, &crowd), 0);
    for (unsigned n = 0; n < 33;) { /* of both loops */
        MESH_OK(mesh_client_recent(crowd.client, &text));
        n = count(text, "\"service\":\"users\"");
        assert_true(n <= 64);
        mesh_string_free(text);
        MESH_OK(mesh_client_explain(crowd.client, "users", NULL, NULL, GUARD_MS, &text));
        SAYS(text, "\"decision\":\"sent to ");
        mesh_string_free(text);
    }
    crowd.over = true;
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    mesh_client_free(crowd.client);
    h2_server_stop(server);
}

/* ---- one that would be sent ---- */

static char *would(struct mesh_client *client, const char *service, const char *method)
{
    char *text;

    MESH_OK(mesh_client_explain(client, service, method, "/x", GUARD_MS, &text));
    return text;
}

static void values_have_origins(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client =
        client_of_server(server, PAIRS("services.users.retry.attempts", "2", "services.other.target", "h2c://x"));
    char *text = would(client, "users", "POST");

    (void) state;
    SAYS(text, "\"service\":\"users\",\"method\":\"POST\",\"path\":\"/x\",\"idempotent\":false", "\"protocol\":\"h2c\"",
         "\"state\":\"ready\",\"source\":\"static\",\"error\":null",
         "\"decision\":\"sent to 127.0.0.1:", "the only candidate", "\"retried\":\"what was certainly not executed",
         "\"candidate\":true,\"score\":0", "\"policy\":{", "\"timeout_ms\":{\"value\":60000,\"origin\":\"set\"}",
         "\"retry.attempts\":{\"value\":2,\"origin\":\"set: services.users.retry.attempts\"}",
         "\"balance.policy\":{\"value\":\"adaptive\",\"origin\":\"default\"}");
    assert_null(strstr(text, "services.other"));
    assert_int_equal(h2_server_seen(server), 0);
    mesh_string_free(text);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void what_cannot_be_sent_has_an_error(void **state)
{
    struct mesh_client *client = client_of(at_port(h2_refusing_port()), NULL);
    char *text;

    (void) state;
    MESH_ERR(MESH_ERR_INVALID, mesh_client_explain(client, "h2c://a..b", NULL, NULL, GUARD_MS, &text));
    SAYS(text, "\"service\":\"h2c://a..b\"", "\"error\":{\"code\":\"MESH_ERR_INVALID\",\"detail\":", "empty part");
    mesh_string_free(text);
    MESH_ERR(MESH_ERR_INVALID, mesh_client_explain(client, NULL, NULL, NULL, 0, &text));
    SAYS(text, "{\"error\":{\"code\":\"MESH_ERR_INVALID\",\"detail\":\"no service is given");
    mesh_string_free(text);
    MESH_ERR(MESH_ERR_INVALID, mesh_client_explain(client, "users", "G T", NULL, 0, &text));
    SAYS(text, "\"detail\":\"method \\\"G T\\\"");
    mesh_string_free(text);
    MESH_ERR(MESH_ERR_INVALID, mesh_client_explain(client, "users", NULL, NULL, 0, NULL));
    mesh_client_free(client);
}

static void an_isolated_endpoint_has_a_reason(void **state)
{
    struct h2_server *servers[3] = { h2_server_start(NULL), h2_server_start(NULL), h2_server_start(NULL) };
    struct mesh_client *client =
        client_of(at_servers(servers, 3), PAIRS("balance.policy", "round_robin", "retry.attempts", "1",
                                                "outlier.base_ms", "60000", "outlier.max_ms", "60000", "loops", "1"));
    char *text, address[64];

    (void) state;
    snprintf(address, sizeof address, "\"address\":\"127.0.0.1:%u\"", h2_server_port(servers[0]));
    for (int i = 0; i < 30; i++)
        get(client, "/health", NULL);
    h2_server_set_health(servers[0], 503);
    for (int i = 0; i < 30; i++)
        get(client, "/health", NULL);
    text = would(client, "users", "GET");
    SAYS(text, "\"endpoints\":3,\"usable\":2,\"candidates\":2", address, "\"state\":\"isolated\",\"reason\":\"",
         "failed in a row: left out for another", "\"isolated_for_ms\":", "\"latency_ms\":", "\"candidate\":false");
    mesh_string_free(text);
    MESH_OK(mesh_client_describe(client, "users", 0, 0, &text));
    SAYS(text, address, "\"state\":\"isolated\"", "\"connection\":\"connected\"", "\"share_percent\":");
    mesh_string_free(text);
    mesh_client_free(client);
    for (int i = 0; i < 3; i++)
        h2_server_stop(servers[i]);
}

static void who_is_ejected_by_envoys_rules_has_one_of_them_as_reason(void **state)
{
    struct h2_server *servers[2] = { h2_server_start(NULL), h2_server_start(NULL) };
    struct mesh_client *client =
        client_of(at_servers(servers, 2),
                  PAIRS("balance.policy", "round_robin", "retry.attempts", "1", "outlier.policy", "envoy",
                        "outlier.max_ejection_percent", "100", "loops", "1", "concurrency.adaptive", "on"));
    char *text;

    (void) state;
    h2_server_set_health(servers[0], 503);
    for (int i = 0; i < 20; i++)
        get(client, "/health", NULL);
    text = would(client, "users", "GET");
    SAYS(text, "\"state\":\"isolated\",\"reason\":\"consecutive_5xx: ejected for another",
         "\"isolated_for_ms\":", "\"concurrency\":{\"used\":0,\"most\":");
    mesh_string_free(text);
    mesh_client_free(client);
    h2_server_stop(servers[0]);
    h2_server_stop(servers[1]);
}

/* One of two in the own zone is down: a part of the requests is passed on, and says so. */
static void a_zone_that_passes_on_is_named(void **state)
{
    struct h2_server *own = h2_server_start(NULL), *next = h2_server_start(NULL);
    char endpoints[256], *text = NULL;
    struct mesh_client *client;

    (void) state;
    snprintf(endpoints, sizeof endpoints,
             "[{\"address\":\"127.0.0.1:%u\",\"zone\":\"a\"},{\"address\":\"127.0.0.1:%u\",\"zone\":\"a\"},"
             "{\"address\":\"127.0.0.1:%u\",\"zone\":\"b\"}]",
             h2_server_port(own), h2_refusing_port(), h2_server_port(next));
    client = client_of(endpoints, PAIRS("zone", "a", "loops", "1"));
    MESH_OK(mesh_client_describe(client, "users", 1, GUARD_MS, &text)); /* finds out who is there */
    mesh_string_free(text);
    text = would(client, "users", "GET");
    SAYS(text, "\"decision\":\"sent to 127.0.0.1:", "in zone a, the own one; it keeps 70 %, the rest is passed on",
         "\"zone\":\"a\",\"own\":true", "\"kept_percent\":70", "\"reason\":\"not all of its endpoints are usable\"",
         "\"zone\":\"b\",\"own\":false");
    mesh_string_free(text);
    do
        text = explained_call(client, "GET", "/ok");
    while (!strstr(text, "\"zone\":\"b\"") && (free(text), true));
    SAYS(text, "\"zone\":\"b\",\"zone_reason\":\"zone a keeps 70 %: passed on\"");
    free(text);
    do
        text = explained_call(client, "GET", "/ok");
    while (!strstr(text, "\"zone\":\"a\"") && (free(text), true));
    SAYS(text, "\"zone\":\"a\",\"zone_reason\":\"own zone\"");
    free(text);
    mesh_client_free(client);
    h2_server_stop(own);
    h2_server_stop(next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_names_endpoint_and_candidates),
        cmocka_unit_test(nobody_asked),
        cmocka_unit_test(retries_have_reasons),
        cmocka_unit_test(a_retry_of_somebody_above_is_named),
        cmocka_unit_test(a_spent_budget_is_named),
        cmocka_unit_test(a_tried_endpoint_is_named),
        cmocka_unit_test(who_is_refused_at_the_door_knows_by_whom),
        cmocka_unit_test(queued_calls_and_streams_are_explained_too),
        cmocka_unit_test(the_last_ones_are_always_there),
        cmocka_unit_test(asking_while_others_call),
        cmocka_unit_test(values_have_origins),
        cmocka_unit_test(what_cannot_be_sent_has_an_error),
        cmocka_unit_test(an_isolated_endpoint_has_a_reason),
        cmocka_unit_test(who_is_ejected_by_envoys_rules_has_one_of_them_as_reason),
        cmocka_unit_test(a_zone_that_passes_on_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
