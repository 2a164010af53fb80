/* SPDX-License-Identifier: Apache-2.0 */
/* The first way in: mesh_request(), from one thread and from many. */
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/mesh_client.h"

static void a_request_is_answered(void **state)
{
    struct h2_server *server = h2_server_start(&(struct h2_server_conf){ .name = "alice" });
    struct mesh_client *client = client_of_server(server, NULL);
    struct answer answer = get(client, "/ok", "a");
    char endpoint[32];

    (void) state;
    ANSWER(answer, 0, 200, 1);
    assert_string_equal(answer.body, "alice");
    assert_string_equal(answer.detail, "");
    snprintf(endpoint, sizeof endpoint, "127.0.0.1:%u", h2_server_port(server));
    assert_string_equal(answer.endpoint, endpoint);
    assert_int_equal(h2_server_record(server, "a").executed, 1);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void a_target_needs_no_configuration(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, NULL);
    struct ask ask = { 0 };
    char target[64];

    (void) state;
    snprintf(target, sizeof target, "h2c://127.0.0.1:%u", h2_server_port(server));
    for (int i = 0; i < 3; i++) {
        ask_for(&ask, "/ok", NULL);
        ask.opts.service = target;
        ANSWER(call(client, &ask), 0, 200, 1);
    }
    assert_int_equal(h2_server_accepted(server), 1);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void bodies_headers_and_trailers_arrive(void **state)
{
    static uint8_t body[300000];
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, NULL);
    struct mesh_response *response;
    struct ask ask = { 0 };
    const void *data;
    char sum[24];
    size_t len;

    (void) state;
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = h2_pattern(i);
    ask_for(&ask, "/echo", NULL);
    ask.opts.method = "POST";
    ask.opts.body = body;
    ask.opts.body_len = sizeof body;
    MESH_OK(mesh_request(client, &ask.opts, &response));
    MESH_OK(mesh_response_body(response, &data, &len));
    assert_int_equal(len, sizeof body);
    assert_memory_equal(data, body, len);
    assert_string_equal(mesh_response_header(response, "X-Server"), "server");
    assert_null(mesh_response_header(response, "x-sum"));
    assert_string_equal(mesh_response_trailer(response, "x-bytes"), "300000");
    snprintf(sum, sizeof sum, "%llu", (unsigned long long) h2_sum(0, body, sizeof body));
    assert_string_equal(mesh_response_trailer(response, "x-sum"), sum);
    assert_int_equal(mesh_response_trailer_at(response, 0, NULL, NULL), 2);
    mesh_response_free(response);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void a_unix_socket(void **state)
{
    char path[64], endpoints[128];
    struct h2_server *server;
    struct mesh_client *client;
    struct answer answer;

    (void) state;
    snprintf(path, sizeof path, "/tmp/mesh-request-test-%d", getpid());
    snprintf(endpoints, sizeof endpoints, "[{\"address\":\"unix:%s\"}]", path);
    server = h2_server_start(&(struct h2_server_conf){ .unix_path = path });
    client = client_of(endpoints, NULL);
    answer = get(client, "/ok", NULL);
    ANSWER(answer, 0, 200, 1);
    says(answer.endpoint, path);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void an_answer_that_is_too_large(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, PAIRS("services.users.response.max_bytes", "100000"));
    struct answer answer = get(client, "/give?bytes=100000", NULL);

    (void) state;
    ANSWER(answer, 0, 200, 1);
    assert_int_equal(answer.len, 100000);
    answer = get(client, "/give?bytes=100001", NULL);
    ANSWER(answer, MESH_ERR_TOO_LARGE, 0, 1);
    assert_int_equal(answer.len, 0);
    ANSWER(get(client, "/ok", NULL), 0, 200, 1);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void an_answer_that_comes_early_ends_an_upload(void **state)
{
    static uint8_t body[2 << 20];
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, NULL);
    struct ask ask = { 0 };

    (void) state;
    ask_for(&ask, "/early", NULL);
    ask.opts.method = "PUT";
    ask.opts.body = body;
    ask.opts.body_len = sizeof body;
    ANSWER(call(client, &ask), 0, 200, 1);
    ANSWER(get(client, "/ok", NULL), 0, 200, 1);
    mesh_client_free(client);
    h2_server_stop(server);
}

/* ---- wrong arguments ---- */

static void refused(struct mesh_client *client, const struct ask *ask, int32_t err, const char *why)
{
    struct mesh_response *response;

    assert_int_equal(mesh_request(client, &ask->opts, &response), err);
    assert_non_null(response);
    says(mesh_response_detail(response), why);
    assert_int_equal(mesh_response_attempts(response), 0);
    mesh_response_free(response);
}

static void wrong_arguments_are_refused_before_a_byte_leaves(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, NULL);
    struct ask ask = { 0 };

    (void) state;
    ask_for(&ask, "/ok\r\nx: y", NULL);
    refused(client, &ask, MESH_ERR_INVALID, "path");
    ask_for(&ask, "/ok", NULL);
    ask_header(&ask, "x", "a\nb");
    refused(client, &ask, MESH_ERR_INVALID, "\"x\"");
    ask_for(&ask, "/ok", NULL);
    ask.opts.flags = 1u << 31;
    refused(client, &ask, MESH_ERR_INVALID, "0x80000000");
    assert_int_equal(h2_server_accepted(server), 0);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void a_service_that_nobody_knows(void **state)
{
    struct mesh_client *client = client_of(at_port(1), NULL);
    struct ask ask = { 0 };

    (void) state;
    ask_for(&ask, "/ok", NULL);
    ask.opts.service = "xyz://nowhere";
    refused(client, &ask, MESH_ERR_INVALID, "xyz://nowhere");
    mesh_client_free(client);
}

/* ---- many threads ---- */

struct caller {
    struct mesh_client *client;
    unsigned calls, answered;
    struct answer bad;
};

static void *call_often(void *user)
{
    struct caller *caller = user;

    for (unsigned i = 0; i < caller->calls; i++) {
        struct answer answer = get(caller->client, "/ok", "a");

        if (answer.err == 0 && answer.status == 200 && strcmp(answer.body, "server") == 0)
            caller->answered++;
        else
            caller->bad = answer;
    }
    return NULL;
}

static void run_callers(struct mesh_client *client, unsigned n, unsigned calls)
{
    struct caller *callers = calloc(n, sizeof *callers);
    pthread_t *threads = calloc(n, sizeof *threads);
    pthread_attr_t small;

    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 256 << 10);
    for (unsigned i = 0; i < n; i++) {
        callers[i] = (struct caller){ .client = client, .calls = calls };
        assert_int_equal(pthread_create(&threads[i], &small, call_often, &callers[i]), 0);
    }
    for (unsigned i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < n; i++)
        if (callers[i].answered != calls)
            fail_msg("thread %u: %u of %u: %s: %s", i, callers[i].answered, calls, mesh_error_name(callers[i].bad.err),
                     callers[i].bad.detail);
    free(callers);
    free(threads);
}

static void many_threads_call(const char *loops, unsigned n, unsigned calls)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, PAIRS("loops", loops, "breaker.max_requests", "10000",
                                                                "breaker.max_pending", "10000", "timeout_ms", "60000"));

    run_callers(client, n, calls);
    assert_int_equal(h2_server_record(server, "a").executed, n * calls);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void two_threads_call(void **state)
{
    (void) state;
    many_threads_call("1", 2, 400);
}

static void fifty_threads_call(void **state)
{
    (void) state;
    many_threads_call("1", 50, 60);
}

static void fifty_threads_call_through_three_loops(void **state)
{
    (void) state;
    many_threads_call("3", 50, 60);
}

static void a_thousand_threads_call(void **state)
{
    (void) state;
    many_threads_call("1", 1000, 3);
}

/* Now many, now few: the driving goes from caller to keeper and back. */
static void crowds_come_and_go(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, PAIRS("timeout_ms", "60000"));

    (void) state;
    for (int i = 0; i < 5; i++) {
        run_callers(client, 12, 10);
        run_callers(client, 1, 10);
        poll(NULL, 0, 60); /* the keeper comes */
        run_callers(client, 2, 5);
        poll(NULL, 0, 30);
        run_callers(client, 7, 10);
    }
    mesh_client_free(client);
    h2_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered),
        cmocka_unit_test(a_target_needs_no_configuration),
        cmocka_unit_test(bodies_headers_and_trailers_arrive),
        cmocka_unit_test(a_unix_socket),
        cmocka_unit_test(an_answer_that_is_too_large),
        cmocka_unit_test(an_answer_that_comes_early_ends_an_upload),
        cmocka_unit_test(wrong_arguments_are_refused_before_a_byte_leaves),
        cmocka_unit_test(a_service_that_nobody_knows),
        cmocka_unit_test(two_threads_call),
        cmocka_unit_test(fifty_threads_call),
        cmocka_unit_test(fifty_threads_call_through_three_loops),
        cmocka_unit_test(a_thousand_threads_call),
        cmocka_unit_test(crowds_come_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
