/* SPDX-License-Identifier: Apache-2.0 */
/* Memory runs out once, at each allocation in turn, or for good from there: an error or success, nothing leaks, and the next
 * call works. The first endpoint refuses connections, so that every request is retried. */
#include "support/mesh_client.h"

static struct h2_server *server;
static const char *checks = "off"; /* health.check of the clients */

static int begin(void **state)
{
    (void) state;
    server = h2_server_start(NULL);
    return 0;
}

static int finish(void **state)
{
    (void) state;
    h2_server_stop(server);
    return 0;
}

static void endpoints_text(char *out, size_t len)
{
    static uint16_t refusing;

    if (refusing == 0)
        refusing = h2_refusing_port();
    snprintf(out, len, "[{\"address\":\"127.0.0.1:%u\",\"priority\":0},{\"address\":\"127.0.0.1:%u\",\"priority\":1}]",
             refusing, h2_server_port(server));
}

static struct mesh_client *client_new(void)
{
    char endpoints[160];

    endpoints_text(endpoints, sizeof endpoints);
    return client_of(endpoints, PAIRS("retry.budget_min", "1000", "retry.backoff_base_ms", "1", "log", "off",
                                      "health.check", checks, "health.path", "/ok", "health.interval_ms", "10"));
}

/* ---- making a client ---- */

static int32_t make_and_free(void)
{
    struct mesh_conf *conf = mesh_conf_new();
    struct mesh_client *client = NULL;
    char endpoints[160], why[256];
    int32_t err = MESH_ERR_NOMEM;

    endpoints_text(endpoints, sizeof endpoints);
    if (conf)
        err = mesh_conf_set(conf, "services.users.protocol", "h2c", why, sizeof why);
    if (!err)
        err = mesh_conf_set(conf, "services.users.endpoints", endpoints, why, sizeof why);
    if (!err)
        err = mesh_client_new(conf, &client, why, sizeof why);
    mesh_conf_free(conf);
    mesh_client_free(client);
    return err;
}

static void making_a_client(void **state)
{
    (void) state;
    mesh_test_each_allocation_fails(make_and_free);
}

/* ---- using one ---- */

/* Each returns the error it met, if any. */

static char last_detail[400];

static int32_t request(struct mesh_client *client)
{
    struct answer answer = get(client, "/ok", NULL);

    memcpy(last_detail, answer.detail, sizeof last_detail);
    return answer.err;
}

static int32_t request_with_much(struct mesh_client *client)
{
    static uint8_t body[100000];
    struct ask ask = { 0 };

    ask_for(&ask, "/echo", "much");
    ask_header(&ask, "host", "other.example");
    ask_header(&ask, "x-mesh-attempt", "1");
    ask.opts.method = "PUT";
    ask.opts.body = body;
    ask.opts.body_len = sizeof body;
    return call(client, &ask).err;
}

static int32_t request_that_is_refused(struct mesh_client *client)
{
    struct mesh_response *response;
    struct ask ask = { 0 };
    int32_t err;

    ask_for(&ask, "no slash", NULL);
    err = mesh_request(client, &ask.opts, &response);
    if (err != MESH_ERR_INVALID)
        fail_msg("%s", mesh_error_name(err));
    mesh_response_free(response);
    return 0;
}

static int32_t start_and_take(struct mesh_client *client, struct mesh_queue *queue)
{
    struct mesh_event event;
    struct mesh_call *handle;
    struct ask ask = { 0 };
    int32_t err = mesh_request_start(client, &ask_for(&ask, "/ok", NULL)->opts, queue, 1, &handle);

    if (err)
        return err;
    assert_int_equal(mesh_queue_next(queue, &event, 1, GUARD_MS), 1);
    assert_int_equal(event.tag, 1);
    mesh_response_free(event.response);
    mesh_call_free(handle);
    return event.err;
}

static int32_t queued(struct mesh_client *client)
{
    struct mesh_queue *queue;
    int32_t err = mesh_queue_new(client, &queue);

    if (err)
        return err;
    err = start_and_take(client, queue);
    mesh_queue_free(queue);
    return err;
}

static int32_t stream_through(struct mesh_stream *stream)
{
    uint8_t buf[5000] = { 0 };
    size_t got = 1, all = 0;
    int32_t err = mesh_stream_write(stream, buf, sizeof buf, NULL);

    if (!err)
        err = mesh_stream_finish(stream);
    while (!err && got > 0) {
        err = mesh_stream_read(stream, buf, sizeof buf, &got);
        all += got;
    }
    if (!err)
        assert_int_equal(all, sizeof buf);
    return err;
}

static int32_t streamed(struct mesh_client *client)
{
    struct mesh_stream *stream;
    struct ask ask = { 0 };
    int32_t err;

    ask_for(&ask, "/echo", NULL);
    ask.opts.method = "PUT";
    err = mesh_stream_open(client, &ask.opts, NULL, 0, &stream);
    if (err)
        return err;
    err = stream_through(stream);
    mesh_stream_free(stream);
    return err;
}

static int32_t described(struct mesh_client *client)
{
    char *text;
    int32_t err = mesh_client_describe(client, "users", 0, 1000, &text);

    mesh_string_free(text);
    return err;
}

/* What was asked for may be missing then, and nothing else is. */
static int32_t explained(struct mesh_client *client)
{
    struct mesh_response *response;
    struct ask ask = { 0 };
    char *would = NULL, *recent = NULL;
    int32_t err;

    ask_for(&ask, "/ok", NULL);
    ask.opts.flags = MESH_REQ_EXPLAIN;
    err = mesh_request(client, &ask.opts, &response);
    mesh_response_free(response);
    if (!err)
        err = mesh_client_explain(client, "users", "GET", "/ok", GUARD_MS, &would);
    if (!err)
        err = mesh_client_recent(client, &recent);
    mesh_string_free(would);
    mesh_string_free(recent);
    return err;
}

/* Returns when each endpoint was checked, or 50 ms are over: several checks. */
static int32_t checked(struct mesh_client *client)
{
    char *text;
    int32_t err = mesh_client_describe(client, "users", 1, 50, &text);

    mesh_string_free(text);
    return err;
}

/* Blocks still there, over several watches, of which only one fails allocations. Returns whether the nth was reached. */
static bool one_failure(int32_t (*use)(struct mesh_client *client), uint64_t nth, bool then_all)
{
    int64_t before, during, after;
    struct mesh_client *client;
    int32_t err, next;
    bool reached;

    mem_watch(0, false);
    client = client_new();
    mem_unwatch(&before);
    mem_watch(nth, then_all);
    err = use(client);
    reached = mem_unwatch(&during);
    mem_watch(0, false);
    next = use(client);
    /* What was refused to the keeper's thread in that very moment may yet end the connection that this one waited for. */
    if (next == MESH_ERR_NOMEM)
        next = use(client);
    mesh_client_free(client);
    mem_unwatch(&after);
    if (!reached && err)
        fail_msg("without a failure: %s", mesh_error_name(err));
    if (next)
        fail_msg("allocation %llu failed with %s; then: %s (%s)", (unsigned long long) nth, mesh_error_name(err),
                 mesh_error_name(next), last_detail);
    if (before + during + after != 0)
        fail_msg("allocation %llu failed with %s; %lld blocks are not freed", (unsigned long long) nth,
                 mesh_error_name(err), (long long) (before + during + after));
    return reached;
}

static void each_fails(int32_t (*use)(struct mesh_client *client))
{
    for (uint64_t nth = 1; one_failure(use, nth, false); nth++)
        ;
    for (uint64_t nth = 1; one_failure(use, nth, true); nth++)
        ;
}

static void a_request_with_a_retry(void **state)
{
    (void) state;
    each_fails(request);
}

static void a_request_with_much_in_it(void **state)
{
    (void) state;
    each_fails(request_with_much);
}

static void a_request_with_a_wrong_path(void **state)
{
    (void) state;
    each_fails(request_that_is_refused);
}

static void a_queued_request(void **state)
{
    (void) state;
    each_fails(queued);
}

static void a_stream(void **state)
{
    (void) state;
    each_fails(streamed);
}

static void a_description(void **state)
{
    (void) state;
    each_fails(described);
}

static void explanations(void **state)
{
    (void) state;
    each_fails(explained);
}

static void health_checks(void **state)
{
    static const char *const kinds[] = { "http", "tcp" };

    (void) state;
    for (size_t i = 0; i < 2; i++) {
        checks = kinds[i];
        each_fails(checked);
    }
    checks = "off";
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(making_a_client),
        cmocka_unit_test(a_request_with_a_retry),
        cmocka_unit_test(a_request_with_much_in_it),
        cmocka_unit_test(a_request_with_a_wrong_path),
        cmocka_unit_test(a_queued_request),
        cmocka_unit_test(a_stream),
        cmocka_unit_test(a_description),
        cmocka_unit_test(explanations),
        cmocka_unit_test(health_checks),
    };

    return cmocka_run_group_tests(tests, begin, finish);
}
