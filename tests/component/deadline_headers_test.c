/* SPDX-License-Identifier: Apache-2.0 */
/* The deadline is passed on: what a server is told of the time that is left, and what the application's own headers do. */
#include "support/mesh_client.h"

enum { TIMEOUT_MS = 20000 };

static const char *const all_headers[] = { "timeout_ms", "20000", "deadline.headers",
                                           "x-mesh-deadline-ms,grpc-timeout,x-envoy-expected-rq-timeout-ms", NULL };

struct pair {
    struct h2_server *server;
    struct mesh_client *client;
};

/* The first request of the connection, "first", has been made: it leaves the names in HPACK's table. */
static struct pair pair_of(const char *const *keys)
{
    struct pair pair = { .server = h2_server_start(NULL) };

    pair.client = client_of_server(pair.server, keys);
    ANSWER(get(pair.client, "/ok", "first"), 0, 200, 1);
    return pair;
}

static void pair_free(struct pair *pair)
{
    mesh_client_free(pair->client);
    h2_server_stop(pair->server);
}

/* How often a header came with the last request of an id, and its last value with what follows it. */
static unsigned times_seen(const struct h2_record *record, const char *name, uint64_t *value, char *rest)
{
    const char *at = record->head;
    size_t len = strlen(name);
    unsigned n = 0;

    for (; *at; at = strchr(at, '\n') + 1) {
        char *end;

        if (strncmp(at, name, len) != 0 || at[len] != ':')
            continue;
        *value = strtoull(at + len + 2, &end, 10);
        *rest = *end;
        n++;
    }
    return n;
}

/* One header of the name, a number within low to high, and after it `rest`. */
static void was_told(const struct pair *pair, const char *id, const char *name, uint64_t low, uint64_t high, char rest)
{
    struct h2_record record = h2_server_record(pair->server, id);
    uint64_t value = 0;
    char got = '\0';

    if (times_seen(&record, name, &value, &got) != 1 || value < low || value > high || got != rest)
        fail_msg("not one %s of %llu to %llu with '%c' in:\n%s", name, (unsigned long long) low,
                 (unsigned long long) high, rest, record.head);
}

static void was_not_told(const struct pair *pair, const char *id, const char *name)
{
    struct h2_record record = h2_server_record(pair->server, id);
    uint64_t value;
    char rest;

    if (times_seen(&record, name, &value, &rest) != 0)
        fail_msg("%s in:\n%s", name, record.head);
}

static struct answer get_with(const struct pair *pair, const char *path, const char *id, const char *const *headers)
{
    struct ask ask = { 0 };

    ask_for(&ask, path, id);
    for (; headers[0]; headers += 2)
        ask_header(&ask, headers[0], headers[1]);
    return call(pair->client, &ask);
}

static void the_time_left_is_told(void **state)
{
    struct pair pair = pair_of(all_headers);

    (void) state;
    get(pair.client, "/ok", "a");
    was_told(&pair, "first", "x-mesh-deadline-ms", 1, TIMEOUT_MS, '\n');
    was_told(&pair, "a", "x-mesh-deadline-ms", 1, TIMEOUT_MS, '!'); /* the value is never in HPACK's table */
    was_told(&pair, "a", "x-envoy-expected-rq-timeout-ms", 1, TIMEOUT_MS, '!');
    was_not_told(&pair, "a", "grpc-timeout");
    get_with(&pair, "/ok", "b", PAIRS("content-type", "application/grpc"));
    was_told(&pair, "b", "grpc-timeout", 1000, TIMEOUT_MS * 1000, 'u');
    post(pair.client, "/echo", "c");
    was_told(&pair, "c", "content-length", 4, 4, '\n');
    pair_free(&pair);
}

static void each_attempt_tells_what_is_left_to_it(void **state)
{
    struct pair pair = pair_of(all_headers);

    (void) state;
    ANSWER(get(pair.client, "/status?code=503&first=1&after=1", "a"), 0, 200, 2);
    was_told(&pair, "a", "x-mesh-deadline-ms", 1, TIMEOUT_MS - 1000, '!');
    pair_free(&pair);
}

static void without_a_time_or_when_switched_off_nothing_is_told(void **state)
{
    struct pair none = pair_of(PAIRS("timeout_ms", "0")), off = pair_of(PAIRS("deadline.headers", "off"));

    (void) state;
    get_with(&none, "/ok", "a", PAIRS("content-type", "application/grpc"));
    was_not_told(&none, "a", "x-mesh-deadline-ms");
    was_not_told(&none, "a", "grpc-timeout");
    get_with(&off, "/ok", "a", PAIRS("content-type", "application/grpc"));
    was_not_told(&off, "a", "x-mesh-deadline-ms");
    was_not_told(&off, "a", "grpc-timeout");
    get_with(&off, "/ok", "b", PAIRS("x-mesh-deadline-ms", "7777777")); /* the application's is its own affair */
    was_told(&off, "b", "x-mesh-deadline-ms", 7777777, 7777777, '\n');
    pair_free(&none);
    pair_free(&off);
}

static void an_attempts_own_time_is_told_in_envoys_header(void **state)
{
    struct pair pair = pair_of(PAIRS("deadline.headers", "x-envoy-expected-rq-timeout-ms", "retry.per_try_timeout_ms",
                                     "15000", "timeout_ms", "30000"));

    (void) state;
    get(pair.client, "/ok", "a");
    was_told(&pair, "a", "x-envoy-expected-rq-timeout-ms", 15000, 15000, '!');
    was_not_told(&pair, "a", "x-mesh-deadline-ms");
    pair_free(&pair);
}

static void the_earlier_deadline_is_passed_on(void **state)
{
    struct pair pair = pair_of(all_headers), endless = pair_of(PAIRS("timeout_ms", "0"));

    (void) state;
    get_with(&pair, "/ok", "a", PAIRS("X-Mesh-Deadline-Ms", "15000"));
    was_told(&pair, "a", "x-mesh-deadline-ms", 1, 15000, '!');
    was_told(&pair, "a", "x-envoy-expected-rq-timeout-ms", 1, 15000, '!');
    get_with(&pair, "/ok", "b", PAIRS("x-mesh-deadline-ms", "900000", "x-mesh-deadline-ms", "nonsense"));
    was_told(&pair, "b", "x-mesh-deadline-ms", 1, TIMEOUT_MS, '!');
    get_with(&pair, "/ok", "c", PAIRS("grpc-timeout", "15S", "content-type", "application/grpc+proto"));
    was_told(&pair, "c", "grpc-timeout", 1000, 15000000, 'u');
    was_told(&pair, "c", "x-mesh-deadline-ms", 1, 15000, '!');
    get_with(&pair, "/ok", "d", PAIRS("x-envoy-expected-rq-timeout-ms", "9000"));
    was_told(&pair, "d", "x-envoy-expected-rq-timeout-ms", 1, 9000, '!');
    was_told(&pair, "d", "x-mesh-deadline-ms", 1, TIMEOUT_MS, '!');
    get_with(&endless, "/ok", "e", PAIRS("x-mesh-deadline-ms", "30000"));
    was_told(&endless, "e", "x-mesh-deadline-ms", 1, 30000, '!');
    pair_free(&pair);
    pair_free(&endless);
}

static void the_applications_deadline_ends_the_request(void **state)
{
    struct pair pair = pair_of(NULL);
    struct answer answer = get_with(&pair, "/never", "a", PAIRS("x-mesh-deadline-ms", "300"));

    (void) state;
    ANSWER(answer, MESH_ERR_TIMEOUT, 0, 1);
    assert_true(answer.took_ms >= 300);
    answer = get_with(&pair, "/never", "b", PAIRS("grpc-timeout", "200m", "content-type", "application/grpc"));
    ANSWER(answer, MESH_ERR_TIMEOUT, 0, 1);
    assert_true(answer.took_ms >= 200);
    answer = get_with(&pair, "/ok", "c", PAIRS("x-mesh-deadline-ms", "0")); /* over before it begins */
    ANSWER(answer, MESH_ERR_TIMEOUT, 0, 0);
    assert_int_equal(h2_server_record(pair.server, "c").seen, 0);
    pair_free(&pair);
}

/* timeout_ms is the time until a stream's head: the callee must not end the stream by it. */
static void a_stream_is_not_told_the_time_of_its_head(void **state)
{
    struct pair pair = pair_of(all_headers);
    struct mesh_stream *stream;
    struct ask ask = { 0 };
    char buf[64];
    size_t got;

    (void) state;
    ask_for(&ask, "/ok", "a");
    ask_header(&ask, "content-type", "application/grpc");
    MESH_OK(mesh_stream_open(pair.client, &ask.opts, NULL, 0, &stream));
    MESH_OK(mesh_stream_finish(stream));
    MESH_OK(mesh_stream_read(stream, buf, sizeof buf, &got));
    mesh_stream_free(stream);
    was_not_told(&pair, "a", "x-mesh-deadline-ms");
    was_not_told(&pair, "a", "grpc-timeout");
    ask_for(&ask, "/ok", "b");
    ask_header(&ask, "content-type", "application/grpc");
    ask_header(&ask, "grpc-timeout", "900S");
    MESH_OK(mesh_stream_open(pair.client, &ask.opts, NULL, 0, &stream));
    MESH_OK(mesh_stream_finish(stream));
    MESH_OK(mesh_stream_read(stream, buf, sizeof buf, &got));
    mesh_stream_free(stream);
    was_told(&pair, "b", "grpc-timeout", 1, 900000, 'm');
    pair_free(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_time_left_is_told),
        cmocka_unit_test(each_attempt_tells_what_is_left_to_it),
        cmocka_unit_test(without_a_time_or_when_switched_off_nothing_is_told),
        cmocka_unit_test(an_attempts_own_time_is_told_in_envoys_header),
        cmocka_unit_test(the_earlier_deadline_is_passed_on),
        cmocka_unit_test(the_applications_deadline_ends_the_request),
        cmocka_unit_test(a_stream_is_not_told_the_time_of_its_head),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
