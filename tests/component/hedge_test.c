/* SPDX-License-Identifier: Apache-2.0 */
/* Hedges: a second attempt beside one that is late, against two servers of which the first is slow, lost, or wrong. */
#include <unistd.h>

#include "support/mesh_client.h"

/* A request is late after so long; long enough that a busy machine does not make it so. */
#define LATE_MS "300"

/* Server 1 does what the path says with "at=1"; server 2 does something else meanwhile. */
struct trio {
    struct h2_server *servers[3];
    struct mesh_client *client;
    uint64_t key; /* leads to server 1 */
    char endpoints[512];
};

/* `zones`: NULL: none. */
static void start_servers(struct trio *trio, const char *else_path, const char *const *zones, unsigned n)
{
    size_t used = 0;

    for (unsigned i = 0; i < n; i++) {
        struct h2_server_conf conf = { .number = i + 1, .else_path = else_path };

        trio->servers[i] = h2_server_start(&conf);
        used +=
            (size_t) snprintf(trio->endpoints + used, sizeof trio->endpoints - used,
                              "%s{\"address\":\"127.0.0.1:%u\"%s%s%s}", i ? "," : "[", h2_server_port(trio->servers[i]),
                              zones ? ",\"zone\":\"" : "", zones ? zones[i] : "", zones ? "\"" : "");
    }
    snprintf(trio->endpoints + used, sizeof trio->endpoints - used, "]");
}

static void use_key(const struct trio *trio, struct ask *ask)
{
    ask->opts.flags |= MESH_REQ_HAS_HASH_KEY;
    ask->opts.hash_key = trio->key;
}

/* Finds a key, and gives enough answers to know what is late. */
static void warm_up(struct trio *trio)
{
    bool found = false;

    for (uint64_t i = 0; i < 40; i++) {
        uint64_t was = trio->key;
        struct ask ask = { 0 };
        char id[16];

        snprintf(id, sizeof id, "w%llu", (unsigned long long) i);
        ask_for(&ask, "/ok", id);
        trio->key = i * UINT64_C(0x9e3779b97f4a7c15); /* all around the ring */
        use_key(trio, &ask);
        assert_int_equal(call(trio->client, &ask).status, 200);
        if (found)
            trio->key = was;
        else
            found = h2_server_record(trio->servers[0], id).seen > 0;
    }
    assert_true(found);
}

static struct trio trio_of(const char *else_path, const char *const *keys)
{
    struct trio trio = { .client = NULL };
    const char *all[40] = { "balance.policy",     "ring_hash", "hedge.percentile", "90",
                            "hedge.min_delay_ms", LATE_MS,     "outlier.policy",   "off" };
    size_t n = 8;

    for (; keys && *keys; keys++)
        all[n++] = *keys;
    start_servers(&trio, else_path, NULL, 2);
    trio.client = client_of(trio.endpoints, all);
    warm_up(&trio);
    return trio;
}

static void trio_free(struct trio *trio)
{
    mesh_client_free(trio->client);
    for (int i = 0; i < 3; i++)
        h2_server_stop(trio->servers[i]);
}

static struct h2_record record(const struct trio *trio, int server, const char *id)
{
    return h2_server_record(trio->servers[server - 1], id);
}

/* `id` becomes what the servers count it by. */
static struct answer first_to_server_1(const struct trio *trio, struct ask *ask, char id[16])
{
    static unsigned number;

    snprintf(id, 16, "r%u", number++);
    ask->headers[0].value = id;
    use_key(trio, ask);
    return call(trio->client, ask);
}

static struct answer get_from_1(const struct trio *trio, const char *path, char id[16])
{
    struct ask ask = { 0 };

    ask_for(&ask, path, "");
    return first_to_server_1(trio, &ask, id);
}

static void seen(const struct trio *trio, const char *id, unsigned by_1, unsigned by_2)
{
    assert_int_equal(record(trio, 1, id).seen, by_1);
    assert_int_equal(record(trio, 2, id).seen, by_2);
}

/* ---- who answers ---- */

static void a_late_request_is_answered_by_another_endpoint(void **state)
{
    char log[64], line[2048], id[16], port[16];
    bool told = false;
    struct trio trio;
    struct answer answer;
    FILE *file;

    (void) state;
    snprintf(log, sizeof log, "/tmp/mesh-hedge-test-%d", getpid());
    trio = trio_of(NULL, PAIRS("access_log", log));
    answer = get_from_1(&trio, "/never?at=1", id);
    ANSWER(answer, 0, 200, 2);
    says(answer.detail, "hedged after ");
    says(answer.detail, ": the hedge was answered");
    snprintf(port, sizeof port, ":%u", h2_server_port(trio.servers[1]));
    says(answer.endpoint, port);
    seen(&trio, id, 1, 1);
    assert_string_equal(record(&trio, 1, id).attempts, "-");
    assert_string_equal(record(&trio, 2, id).attempts, "2");
    UNTIL(record(&trio, 1, id).cancelled == 1);
    assert_int_equal(record(&trio, 2, id).cancelled, 0);
    trio_free(&trio);
    file = fopen(log, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        told = told || (strstr(line, "\"attempts\":2,\"hedged\":true") && strstr(line, "the hedge was answered"));
    fclose(file);
    unlink(log);
    assert_true(told);
}

static void an_explanation_tells_both_attempts(void **state)
{
    struct trio trio = trio_of(NULL, NULL);
    struct mesh_response *response;
    struct ask ask = { 0 };

    (void) state;
    ask_for(&ask, "/never?at=1", "a");
    ask.opts.flags = MESH_REQ_EXPLAIN;
    use_key(&trio, &ask);
    MESH_OK(mesh_request(trio.client, &ask.opts, &response));
    says(mesh_response_explanation(response), "\"hedge\":false");
    says(mesh_response_explanation(response), "\"hedge\":true");
    mesh_response_free(response);
    trio_free(&trio);
}

static void the_first_attempt_may_still_win(void **state)
{
    struct trio trio = trio_of("/never", NULL);
    char id[16];
    struct answer answer = get_from_1(&trio, "/slow?ms=700&at=1", id);

    (void) state;
    ANSWER(answer, 0, 200, 2);
    says(answer.detail, "the attempt that it was sent beside was answered");
    seen(&trio, id, 1, 1);
    UNTIL(record(&trio, 2, id).cancelled == 1);
    trio_free(&trio);
}

static void an_unusable_answer_of_the_hedge_does_not_count(void **state)
{
    struct trio trio = trio_of("/status?code=503", NULL);
    char id[16];
    struct answer answer = get_from_1(&trio, "/slow?ms=700&at=1", id);

    (void) state;
    ANSWER(answer, 0, 200, 2);
    seen(&trio, id, 1, 1);
    trio_free(&trio);
}

/* ---- how it is told ---- */

static void explains(const struct trio *trio, const char *path, const char *const *parts)
{
    struct mesh_response *response;
    struct ask ask = { 0 };
    const char *text;

    ask_for(&ask, path, "explained");
    ask.opts.flags = MESH_REQ_EXPLAIN;
    use_key(trio, &ask);
    mesh_request(trio->client, &ask.opts, &response);
    text = mesh_response_explanation(response);
    assert_non_null(text);
    for (; *parts; parts++) {
        says(text, *parts);
        text = strstr(text, *parts) + 1;
    }
    mesh_response_free(response);
}

static void a_hedge_is_explained(void **state)
{
    struct trio trio = trio_of(NULL, NULL);

    (void) state;
    explains(&trio, "/never?at=1",
             PAIRS("\"number\":1", "\"hedge\":false", "given up: the other attempt was answered first",
                   "\"hedging\":\"hedged\"", "\"number\":2", "\"hedge\":true", "\"status\":200"));
    trio_free(&trio);
    trio = trio_of("/never", NULL);
    explains(&trio, "/slow?ms=700&at=1",
             PAIRS("\"number\":1", "\"status\":200", "\"hedging\":\"hedged\"", "\"number\":2", "\"hedge\":true",
                   "given up: the other attempt was answered first"));
    trio_free(&trio);
    trio = trio_of("/status?code=503", NULL);
    explains(&trio, "/status?code=503&delay=500&at=1",
             PAIRS("\"number\":1", "\"status\":503", "\"hedging\":\"hedged\"", "\"retry\":\"",
                   "etried: ", "\"number\":2", "\"hedge\":true"));
    trio_free(&trio);
}

static void a_hedge_that_was_not_sent_has_a_reason(void **state)
{
    struct trio trio =
        trio_of(NULL, PAIRS("retry.budget_percent", "0", "retry.budget_per_second", "0", "retry.budget_min", "0"));

    (void) state;
    explains(&trio, "/slow?ms=700&at=1",
             PAIRS("\"status\":200", "\"hedging\":\"not hedged: the retry budget is spent\""));
    trio_free(&trio);
}

/* ---- who fails ---- */

static void a_failed_attempt_waits_for_its_hedge(void **state)
{
    static const char *const paths[] = { "/reset?code=2&delay=500&at=1", "/status?code=503&delay=500&at=1",
                                         "/kill?delay=500&at=1" };
    struct trio trio = trio_of("/slow?ms=600", NULL);

    (void) state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char id[16];
        struct answer answer = get_from_1(&trio, paths[i], id);

        ANSWER(answer, 0, 200, 2);
        assert_string_equal(answer.body, "server");
        seen(&trio, id, 1, 1);
    }
    trio_free(&trio);
}

static void when_both_fail_there_is_another_attempt(void **state)
{
    struct trio trio = trio_of("/status?code=503&first=1&delay=500", NULL);
    char id[16];
    struct answer answer = get_from_1(&trio, "/reset?code=2&first=1&delay=500&at=1", id);

    (void) state;
    ANSWER(answer, 0, 200, 3);
    assert_int_equal(record(&trio, 1, id).seen + record(&trio, 2, id).seen, 3);
    says(answer.detail, "before: ");
    trio_free(&trio);
}

static void when_both_fail_for_good_an_answer_is_better_than_none(void **state)
{
    struct trio trio = trio_of("/status?code=503&delay=500", PAIRS("retry.attempts", "2"));
    char id[16];
    struct answer answer = get_from_1(&trio, "/reset?code=2&delay=500&at=1", id);

    (void) state;
    ANSWER(answer, 0, 503, 2);
    seen(&trio, id, 1, 1);
    trio_free(&trio);
    trio = trio_of("/status?code=503&delay=500", PAIRS("retry.attempts", "2"));
    answer = get_from_1(&trio, "/status?code=502&delay=500&at=1", id);
    ANSWER(answer, 0, 502, 2);
    trio_free(&trio);
    trio = trio_of("/kill?delay=500", PAIRS("retry.attempts", "2"));
    answer = get_from_1(&trio, "/reset?code=2&delay=500&at=1", id);
    ANSWER(answer, MESH_ERR_RESET, 0, 2);
    says(answer.detail, "neither attempt was answered");
    trio_free(&trio);
}

/* ---- who is not hedged ---- */

static void only_what_may_be_sent_twice_is_hedged(void **state)
{
    struct trio trio = trio_of(NULL, NULL);
    struct ask ask = { 0 };
    struct answer answer;
    char id[16];

    (void) state;
    ask_for(&ask, "/slow?ms=700&at=1", "");
    ask.opts.method = "POST";
    ask.opts.body = "body";
    ask.opts.body_len = 4;
    answer = first_to_server_1(&trio, &ask, id);
    ANSWER(answer, 0, 200, 1);
    seen(&trio, id, 1, 0);
    ask.opts.flags |= MESH_REQ_IDEMPOTENT;
    answer = first_to_server_1(&trio, &ask, id);
    ANSWER(answer, 0, 200, 2);
    seen(&trio, id, 1, 1);
    assert_int_equal(record(&trio, 2, id).bytes, 4);
    trio_free(&trio);
}

static void a_retry_of_somebody_above_is_not_hedged(void **state)
{
    struct trio trio = trio_of(NULL, NULL);
    struct ask ask = { 0 };
    char id[16];

    (void) state;
    ask_for(&ask, "/slow?ms=700&at=1", "");
    ask_header(&ask, "x-mesh-attempt", "2");
    ANSWER(first_to_server_1(&trio, &ask, id), 0, 200, 1);
    seen(&trio, id, 1, 0);
    ask_for(&ask, "/slow?ms=700&at=1", "");
    ask.opts.max_attempts = 1;
    ANSWER(first_to_server_1(&trio, &ask, id), 0, 200, 1);
    seen(&trio, id, 1, 0);
    trio_free(&trio);
}

static void without_budget_there_is_no_hedge(void **state)
{
    struct trio trio =
        trio_of(NULL, PAIRS("retry.budget_min", "0", "retry.budget_percent", "0", "retry.budget_per_second", "0"));
    char id[16];

    (void) state;
    ANSWER(get_from_1(&trio, "/slow?ms=700&at=1", id), 0, 200, 1);
    seen(&trio, id, 1, 0);
    trio_free(&trio);
}

static void the_budget_pays_for_hedges(void **state)
{
    struct trio trio =
        trio_of(NULL, PAIRS("retry.budget_min", "2", "retry.budget_percent", "0", "retry.budget_per_second", "0"));
    unsigned hedged = 0;

    (void) state;
    for (int i = 0; i < 4; i++) {
        char id[16];

        hedged += get_from_1(&trio, "/slow?ms=600&at=1", id).attempts == 2;
    }
    assert_int_equal(hedged, 2);
    trio_free(&trio);
}

static void alone_there_is_nobody_to_hedge_with(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client =
        client_of_server(server, PAIRS("hedge.percentile", "50", "hedge.min_delay_ms", "1", "retry.budget_min", "50"));

    (void) state;
    for (int i = 0; i < 25; i++)
        get(client, "/ok", NULL);
    for (int i = 0; i < 5; i++)
        ANSWER(get(client, "/slow?ms=50", "a"), 0, 200, 1);
    assert_int_equal(h2_server_record(server, "a").seen, 5);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void until_enough_is_known_nothing_is_late(void **state)
{
    struct h2_server *servers[2] = { h2_server_start(NULL), h2_server_start(NULL) };
    struct mesh_client *client =
        client_of(at_servers(servers, 2), PAIRS("hedge.percentile", "50", "hedge.min_delay_ms", "1"));

    (void) state;
    for (int i = 0; i < 10; i++)
        ANSWER(get(client, "/slow?ms=30", NULL), 0, 200, 1);
    mesh_client_free(client);
    h2_server_stop(servers[0]);
    h2_server_stop(servers[1]);
}

/* Where most attempts fail, more of them make it worse. */
static void while_the_service_fails_nothing_is_hedged(void **state)
{
    struct trio trio = trio_of(NULL, NULL);
    struct mesh_event event;
    struct mesh_queue *queue;
    struct ask ask = { 0 };

    (void) state;
    MESH_OK(mesh_queue_new(trio.client, &queue));
    for (int i = 0; i < 100; i++)
        ANSWER(get(trio.client, "/status?code=500", NULL), 0, 500, 1);
    ask_for(&ask, "/slow?ms=1000", "a");
    use_key(&trio, &ask);
    MESH_OK(mesh_request_start(trio.client, &ask.opts, queue, 1, NULL));
    while (mesh_queue_next(queue, &event, 1, 0) == 0)
        get(trio.client, "/status?code=500", NULL);
    assert_int_equal(event.err, 0);
    assert_int_equal(mesh_response_attempts(event.response), 1);
    mesh_response_free(event.response);
    mesh_queue_free(queue);
    trio_free(&trio);
}

/* ---- where ---- */

/* Policies that go by a key know no zones: here requests go to both servers of the own zone in turn. */
static void the_hedge_goes_to_another_zone(void **state)
{
    static const char *const zones[3] = { "a", "a", "b" };
    struct trio trio = { .client = NULL };
    unsigned hedged = 0;

    (void) state;
    start_servers(&trio, NULL, zones, 3);
    trio.client = client_of(trio.endpoints, PAIRS("zone", "a", "spill.load", "off", "balance.policy", "round_robin",
                                                  "hedge.percentile", "90", "hedge.min_delay_ms", LATE_MS));
    for (int i = 0; i < 30; i++)
        assert_int_equal(get(trio.client, "/ok", NULL).status, 200);
    for (int i = 0; i < 4; i++)
        hedged += get(trio.client, "/never?at=1", "a").attempts == 2;
    assert_int_equal(hedged, 2);
    assert_int_equal(record(&trio, 1, "a").seen, 2);
    assert_int_equal(record(&trio, 2, "a").seen, 2);
    assert_int_equal(record(&trio, 3, "a").seen, 2);
    trio_free(&trio);
}

/* ---- the attempt's own time ---- */

static void an_attempt_whose_time_is_over_goes_on_beside_the_next(void **state)
{
    struct trio trio = trio_of("/never", PAIRS("hedge.percentile", "0", "hedge.on_per_try_timeout", "on",
                                               "retry.per_try_timeout_ms", LATE_MS));
    struct ask ask = { 0 };
    char id[16];

    (void) state;
    ANSWER(get_from_1(&trio, "/slow?ms=700&at=1", id), 0, 200, 2);
    seen(&trio, id, 1, 1);
    trio_free(&trio);
    trio = trio_of(
        NULL, PAIRS("hedge.percentile", "0", "hedge.on_per_try_timeout", "on", "retry.per_try_timeout_ms", LATE_MS));
    ANSWER(get_from_1(&trio, "/never?at=1", id), 0, 200, 2);
    ANSWER(get_from_1(&trio, "/hang?at=1", id), 0, 200, 2); /* the head came, the rest did not */
    ask_for(&ask, "/slow?ms=700&at=1", "");
    ask.opts.method = "POST"; /* it has no next one */
    ANSWER(first_to_server_1(&trio, &ask, id), 0, 200, 1);
    trio_free(&trio);
}

/* ---- ends from outside, while both run ---- */

static void start_both(const struct trio *trio, struct mesh_queue *queue, const char *id, struct mesh_call **running)
{
    struct ask ask = { 0 };

    ask_for(&ask, "/never", id);
    MESH_OK(mesh_request_start(trio->client, &ask.opts, queue, 7, running));
    UNTIL(record(trio, 1, id).seen == 1 && record(trio, 2, id).seen == 1);
}

static void cancelling_ends_both(void **state)
{
    struct trio trio = trio_of(NULL, NULL);
    struct mesh_queue *queue;
    struct mesh_event event;
    struct mesh_call *running;

    (void) state;
    MESH_OK(mesh_queue_new(trio.client, &queue));
    start_both(&trio, queue, "a", &running);
    MESH_OK(mesh_call_cancel(running));
    assert_int_equal(mesh_queue_next(queue, &event, 1, GUARD_MS), 1);
    assert_int_equal(event.err, MESH_ERR_CANCELLED);
    assert_int_equal(mesh_response_attempts(event.response), 2);
    UNTIL(record(&trio, 1, "a").cancelled == 1 && record(&trio, 2, "a").cancelled == 1);
    mesh_response_free(event.response);
    mesh_call_free(running);
    mesh_queue_free(queue);
    trio_free(&trio);
}

static void the_deadline_ends_both(void **state)
{
    struct trio trio = trio_of(NULL, NULL);
    struct ask ask = { 0 };
    struct answer answer;

    (void) state;
    ask_for(&ask, "/never", "a");
    ask.opts.timeout_ms = 1500;
    answer = call(trio.client, &ask);
    ANSWER(answer, MESH_ERR_TIMEOUT, 0, 2);
    says(answer.detail, "neither attempt was answered");
    UNTIL(record(&trio, 1, "a").cancelled == 1 && record(&trio, 2, "a").cancelled == 1);
    trio_free(&trio);
}

/* The attempt has failed, and its hedge runs into the deadline. */
static void the_deadline_ends_a_request_that_waits_for_its_hedge(void **state)
{
    struct trio trio = trio_of("/never", NULL);
    struct ask ask = { 0 };
    struct answer answer;
    char id[16];

    (void) state;
    ask_for(&ask, "/reset?code=2&delay=500&at=1", "");
    ask.opts.timeout_ms = 1500;
    answer = first_to_server_1(&trio, &ask, id);
    ANSWER(answer, MESH_ERR_TIMEOUT, 0, 2);
    says(answer.detail, "the hedge had no answer within the request's time, after: ");
    trio_free(&trio);
}

static void a_client_is_freed_while_both_run(void **state)
{
    struct trio trio = trio_of(NULL, NULL);
    struct mesh_queue *queue;
    struct mesh_call *running;

    (void) state;
    MESH_OK(mesh_queue_new(trio.client, &queue));
    start_both(&trio, queue, "a", &running);
    mesh_call_free(running);
    mesh_queue_free(queue);
    trio_free(&trio);
}

static void servers_die_while_both_run(void **state)
{
    struct trio trio = trio_of(NULL, PAIRS("retry.attempts", "2"));
    struct mesh_queue *queue;
    struct mesh_event event;
    struct mesh_call *running;

    (void) state;
    MESH_OK(mesh_queue_new(trio.client, &queue));
    start_both(&trio, queue, "a", &running);
    for (int i = 0; i < 2; i++) {
        h2_server_stop(trio.servers[i]);
        trio.servers[i] = NULL;
    }
    assert_int_equal(mesh_queue_next(queue, &event, 1, GUARD_MS), 1);
    assert_int_equal(event.err, MESH_ERR_RESET);
    mesh_response_free(event.response);
    mesh_call_free(running);
    mesh_queue_free(queue);
    trio_free(&trio);
}

/* Everything at once, hedged within a millisecond: each request ends once, whatever the others do. */
static void a_storm_of_hedges(void **state)
{
    enum { CALLS = 400, SHORT_MS = 1000 };
    static const char *const paths[] = { "/ok",
                                         "/slow?ms=20&at=1",
                                         "/never?at=1",
                                         "/reset?code=2&delay=5&at=1",
                                         "/status?code=503&delay=5&at=1",
                                         "/kill?delay=10&at=1",
                                         "/refuse?at=1",
                                         "/status?code=503&delay=3",
                                         "/hang?at=1",
                                         "/give?bytes=100000" };
    struct trio trio = trio_of("/slow?ms=8", PAIRS("hedge.min_delay_ms", "1", "hedge.percentile", "50",
                                                   "retry.budget_min", "1000", "breaker.max_pending", "5000"));
    struct mesh_queue *queue;
    struct mesh_event event;
    unsigned ended = 0;

    (void) state;
    MESH_OK(mesh_queue_new(trio.client, &queue));
    for (unsigned i = 0; i < CALLS; i++) {
        struct ask ask = { 0 };

        ask_for(&ask, paths[i % (sizeof paths / sizeof *paths)], NULL);
        ask.opts.timeout_ms = SHORT_MS;
        MESH_OK(mesh_request_start(trio.client, &ask.opts, queue, i, NULL));
        if (i % 10 == 9) {
            int32_t n = mesh_queue_next(queue, &event, 1, 20);

            ended += n == 1;
            if (n == 1)
                mesh_response_free(event.response);
        }
    }
    while (ended < CALLS / 2 && mesh_queue_next(queue, &event, 1, GUARD_MS) == 1) {
        ended++;
        mesh_response_free(event.response);
    }
    assert_int_equal(ended, CALLS / 2);
    mesh_queue_free(queue); /* and the rest goes with the client */
    trio_free(&trio);
}

/* One allocation of a hedged request fails, each in turn: it ends somehow, and the next one goes well. */
static void memory_runs_out(void **state)
{
    struct trio trio = trio_of(
        NULL, PAIRS("hedge.min_delay_ms", "1", "hedge.percentile", "50", "retry.budget_min", "10000", "log", "off"));
    bool reached = true;

    (void) state;
    for (uint64_t nth = 1; reached; nth++) {
        struct ask ask = { 0 };
        int64_t blocks;

        ask_for(&ask, "/never?at=1", "a");
        ask.opts.timeout_ms = 100;
        use_key(&trio, &ask);
        mem_watch(nth, false);
        call(trio.client, &ask);
        reached = mem_unwatch(&blocks);
        assert_int_equal(get(trio.client, "/ok", NULL).status, 200);
        assert_true(nth < 1000);
    }
    trio_free(&trio);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_late_request_is_answered_by_another_endpoint),
        cmocka_unit_test(an_explanation_tells_both_attempts),
        cmocka_unit_test(the_first_attempt_may_still_win),
        cmocka_unit_test(an_unusable_answer_of_the_hedge_does_not_count),
        cmocka_unit_test(a_hedge_is_explained),
        cmocka_unit_test(a_hedge_that_was_not_sent_has_a_reason),
        cmocka_unit_test(a_failed_attempt_waits_for_its_hedge),
        cmocka_unit_test(when_both_fail_there_is_another_attempt),
        cmocka_unit_test(when_both_fail_for_good_an_answer_is_better_than_none),
        cmocka_unit_test(only_what_may_be_sent_twice_is_hedged),
        cmocka_unit_test(a_retry_of_somebody_above_is_not_hedged),
        cmocka_unit_test(without_budget_there_is_no_hedge),
        cmocka_unit_test(the_budget_pays_for_hedges),
        cmocka_unit_test(alone_there_is_nobody_to_hedge_with),
        cmocka_unit_test(until_enough_is_known_nothing_is_late),
        cmocka_unit_test(while_the_service_fails_nothing_is_hedged),
        cmocka_unit_test(the_hedge_goes_to_another_zone),
        cmocka_unit_test(an_attempt_whose_time_is_over_goes_on_beside_the_next),
        cmocka_unit_test(cancelling_ends_both),
        cmocka_unit_test(the_deadline_ends_both),
        cmocka_unit_test(the_deadline_ends_a_request_that_waits_for_its_hedge),
        cmocka_unit_test(a_client_is_freed_while_both_run),
        cmocka_unit_test(servers_die_while_both_run),
        cmocka_unit_test(a_storm_of_hedges),
        cmocka_unit_test(memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
