/* SPDX-License-Identifier: Apache-2.0 */
/* What the library refuses itself, through the public interface: by which error, with which words, that nothing of it reaches
 * the server, and that requests pass again. */
#include <pthread.h>
#include <unistd.h>

#include "support/mesh_client.h"

enum { MOST_CALLS = 256 };

static struct answer get_as(struct mesh_client *client, const char *path, const char *id, const char *criticality)
{
    struct ask ask = { 0 };

    ask_for(&ask, path, id);
    ask_header(&ask, "X-Mesh-Criticality", criticality);
    return call(client, &ask);
}

/* Nothing was sent, and the detail says why. */
static void is_refused(struct answer answer, int32_t err, const char *why)
{
    ANSWER(answer, err, 0, 0);
    says(answer.detail, why);
    says(answer.detail, "nothing was sent");
}

/* ---- calls in threads of their own ---- */

struct crowd {
    struct mesh_client *client;
    const char *path, *criticality;
    pthread_t threads[MOST_CALLS];
    struct answer answers[MOST_CALLS];
    unsigned n;
    _Atomic unsigned next;
};

static void *call_once(void *user)
{
    struct crowd *crowd = user;
    unsigned i = crowd->next++;

    crowd->answers[i] = get_as(crowd->client, crowd->path, NULL, crowd->criticality);
    return NULL;
}

static void crowd_begin(struct crowd *crowd, struct mesh_client *client, const char *path, const char *criticality,
                        unsigned n)
{
    *crowd = (struct crowd){ .client = client, .path = path, .criticality = criticality, .n = n };
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(pthread_create(&crowd->threads[i], NULL, call_once, crowd), 0);
}

static void crowd_end(struct crowd *crowd)
{
    for (unsigned i = 0; i < crowd->n; i++)
        pthread_join(crowd->threads[i], NULL);
}

static void all_are_ok(const struct crowd *crowd)
{
    for (unsigned i = 0; i < crowd->n; i++)
        ANSWER(crowd->answers[i], 0, 200, 1);
}

/* ---- the breaker, by priority ---- */

static void what_is_most_critical_passes_while_the_rest_is_full(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client =
        client_of_server(server, PAIRS("breaker.max_requests", "3", "breaker.high_max_requests", "2"));
    struct crowd normal, high;

    (void) state;
    crowd_begin(&normal, client, "/slow?ms=1500", "sheddable-plus", 3);
    UNTIL(h2_server_streams(server) == 3);
    is_refused(get(client, "/ok", "late"), MESH_ERR_OVERFLOW, "breaker.max_requests 3");
    is_refused(get_as(client, "/ok", "late", "critical"), MESH_ERR_OVERFLOW, "breaker.max_requests 3");
    is_refused(get_as(client, "/ok", "late", "sheddable"), MESH_ERR_OVERFLOW, "breaker.max_requests 3");
    ANSWER(get_as(client, "/ok", NULL, "critical-plus"), 0, 200, 1);
    crowd_begin(&high, client, "/slow?ms=1500", "critical-plus", 2);
    UNTIL(h2_server_streams(server) == 5);
    is_refused(get_as(client, "/ok", "late", "critical-plus"), MESH_ERR_OVERFLOW, "breaker.high_max_requests 2");
    assert_int_equal(h2_server_record(server, "late").seen, 0);
    crowd_end(&normal);
    crowd_end(&high);
    all_are_ok(&normal);
    all_are_ok(&high);
    ANSWER(get(client, "/ok", NULL), 0, 200, 1);
    ANSWER(get_as(client, "/ok", NULL, "critical-plus"), 0, 200, 1);
    mesh_client_free(client);
    h2_server_stop(server);
}

/* Nobody can connect, so whoever comes waits. */
static void who_waits_is_counted_by_priority_too(void **state)
{
    struct h2_server *server = h2_server_start(&(struct h2_server_conf){ .mute = true });
    struct mesh_client *client =
        client_of_server(server, PAIRS("breaker.max_pending", "3", "breaker.high_max_pending", "2",
                                       "connect_timeout_ms", "1500", "retry.attempts", "1"));
    static const char *const keys[] = { "breaker.max_pending 3", "breaker.high_max_pending 2" };
    struct crowd crowds[2];
    unsigned refused[2] = { 0 };

    (void) state;
    crowd_begin(&crowds[0], client, "/ok", "critical", 10);
    crowd_begin(&crowds[1], client, "/ok", "critical-plus", 10);
    for (int k = 0; k < 2; k++) {
        crowd_end(&crowds[k]);
        for (int i = 0; i < 10; i++) {
            refused[k] += crowds[k].answers[i].err == MESH_ERR_OVERFLOW;
            if (crowds[k].answers[i].err == MESH_ERR_OVERFLOW)
                says(crowds[k].answers[i].detail, keys[k]);
            else
                assert_int_equal(crowds[k].answers[i].err, MESH_ERR_CONNECT);
        }
    }
    assert_int_equal(refused[0], 7);
    assert_int_equal(refused[1], 8);
    mesh_client_free(client);
    h2_server_stop(server);
}

/* ---- the rate limit ---- */

static void the_burst_passes_and_no_more(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client =
        client_of_server(server, PAIRS("rate_limit.per_second", "1", "rate_limit.burst", "5", "retry.budget_min", "0"));
    uint64_t began = test_now_ms();
    unsigned passed = 0, refused = 0;

    (void) state;
    for (int i = 0; i < 200; i++) {
        struct answer answer = get_as(client, "/ok", "all", i % 2 ? "critical-plus" : "sheddable");

        passed += answer.err == 0;
        refused += answer.err != 0;
        if (answer.err)
            is_refused(answer, MESH_ERR_RATE_LIMITED, "rate_limit.per_second 1 (burst 5)");
    }
    assert_in_range(passed, 5, 5 + (test_now_ms() - began) / 1000 + 1);
    assert_int_equal(h2_server_record(server, "all").seen, passed);
    assert_int_equal(passed + refused, 200);
    mesh_client_free(client);
    h2_server_stop(server);
}

/* Several threads, several loops, as fast as they can: together they get burst + rate * time. */
struct rush {
    struct mesh_client *client;
    uint64_t until_ms;
    _Atomic unsigned passed, other;
};

static void *rush(void *user)
{
    struct rush *all = user;

    while (test_now_ms() < all->until_ms) {
        struct answer answer = get(all->client, "/ok", NULL);

        all->passed += answer.err == 0;
        all->other += answer.err != 0 && answer.err != MESH_ERR_RATE_LIMITED;
    }
    return NULL;
}

static void in_a_while_the_rate_passes(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(
        server, PAIRS("rate_limit.per_second", "50", "rate_limit.burst", "10", "loops", "2", "timeout_ms", "0"));
    struct rush all = { .client = client };
    pthread_t threads[4];
    uint64_t began;
    unsigned before;

    (void) state;
    while (get(client, "/ok", NULL).err == 0)
        continue; /* the bucket is empty from here on */
    began = test_now_ms();
    before = h2_server_seen(server);
    assert_true(before >= 10);
    all.until_ms = began + 1000;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, rush, &all), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(all.other, 0);
    assert_int_equal(h2_server_seen(server) - before, all.passed);
    assert_in_range(all.passed, 1, (test_now_ms() - began) * 50 / 1000 + 2);
    mesh_client_free(client);
    h2_server_stop(server);
}

/* ---- throttling ---- */

/* The server turns all of them away; how many of n reach it. */
static unsigned reach(struct mesh_client *client, struct h2_server *server, const char *path, unsigned n)
{
    unsigned before = h2_server_seen(server);

    for (unsigned i = 0; i < n; i++) {
        struct answer answer = get(client, path, NULL);

        if (answer.err)
            is_refused(answer, MESH_ERR_THROTTLED, "throttle.adaptive");
    }
    return h2_server_seen(server) - before;
}

static void who_turns_requests_away_is_spared(void **state)
{
    static const char *const overloaded[] = { "/status?code=429", "/status?code=503&after=0" };

    (void) state;
    for (size_t i = 0; i < sizeof overloaded / sizeof *overloaded; i++) {
        struct h2_server *server = h2_server_start(NULL);
        struct mesh_client *client = client_of_server(server, PAIRS("throttle.adaptive", "on", "retry.attempts", "1"));

        assert_in_range(reach(client, server, overloaded[i], 2000), 100, 500);
        mesh_client_free(client);
        h2_server_stop(server);
    }
}

static void who_is_broken_is_not(void **state)
{
    static const char *const broken[] = { "/status?code=503", "/status?code=500", "/status?code=404" };
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, PAIRS("throttle.adaptive", "on", "retry.attempts", "1"));

    (void) state;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        assert_int_equal(reach(client, server, broken[i], 200), 200);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void no_answer_in_time_is_being_turned_away(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, PAIRS("throttle.adaptive", "on", "retry.attempts", "1",
                                                                "timeout_ms", "0", "throttle.max_percent", "100"));
    unsigned throttled = 0;

    (void) state;
    ANSWER(get(client, "/ok", NULL), 0, 200, 1);
    for (int i = 0; i < 2000 && throttled == 0; i++) {
        struct ask ask = { 0 };
        struct answer answer;

        ask_for(&ask, "/never", NULL)->opts.timeout_ms = 2;
        answer = call(client, &ask);
        throttled += answer.err == MESH_ERR_THROTTLED;
        assert_true(answer.err == MESH_ERR_THROTTLED || answer.err == MESH_ERR_TIMEOUT);
    }
    assert_int_equal(throttled, 1);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void sparing_ends_when_requests_are_taken_again(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, PAIRS("throttle.adaptive", "on", "retry.attempts", "1"));
    unsigned in_a_row = 0;

    (void) state;
    reach(client, server, "/status?code=429", 1000);
    for (unsigned i = 0; i < 100000 && in_a_row < 500; i++) {
        struct answer answer = get(client, "/ok", NULL);

        in_a_row = answer.err == 0 ? in_a_row + 1 : 0;
        assert_true(answer.err == 0 || answer.err == MESH_ERR_THROTTLED);
    }
    assert_int_equal(in_a_row, 500);
    mesh_client_free(client);
    h2_server_stop(server);
}

/* ---- adaptive concurrency ---- */

/* A limit of eight that does not adapt, with a place for four who wait as long as they may. */
static struct mesh_client *limited_to_eight(struct h2_server *server)
{
    return client_of_server(server, PAIRS("concurrency.adaptive", "on", "concurrency.initial", "8", "concurrency.min",
                                          "8", "concurrency.max", "8", "concurrency.queue_ms", "60000", "loops", "1",
                                          "timeout_ms", "0"));
}

static void a_few_too_many_wait_for_their_turn(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = limited_to_eight(server);
    struct crowd running, waiting;
    unsigned most = 0;

    (void) state;
    crowd_begin(&running, client, "/slow?ms=500", "critical", 8);
    UNTIL(h2_server_streams(server) == 8);
    crowd_begin(&waiting, client, "/ok", "critical-plus", 4);
    UNTIL(h2_server_seen(server) == 12 || (most = h2_server_streams(server)) > 8);
    assert_in_range(most, 0, 8);
    crowd_end(&running);
    crowd_end(&waiting);
    all_are_ok(&running);
    all_are_ok(&waiting);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void many_too_many_are_refused(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = limited_to_eight(server);
    struct crowd running, crowd;
    unsigned passed = 0;

    (void) state;
    crowd_begin(&running, client, "/slow?ms=3000", "critical", 8);
    UNTIL(h2_server_streams(server) == 8);
    crowd_begin(&crowd, client, "/ok", "critical", 100);
    crowd_end(&crowd);
    for (unsigned i = 0; i < crowd.n; i++) {
        passed += crowd.answers[i].err == 0;
        if (crowd.answers[i].err)
            is_refused(crowd.answers[i], MESH_ERR_OVERFLOW, "concurrency.adaptive");
    }
    assert_in_range(passed, 4, 99);
    assert_int_equal(h2_server_seen(server), 8 + passed);
    crowd_end(&running);
    all_are_ok(&running);
    ANSWER(get(client, "/ok", NULL), 0, 200, 1);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void who_waits_too_long_is_refused(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = limited_to_eight(server);
    struct crowd running;
    struct ask ask = { 0 };

    (void) state;
    crowd_begin(&running, client, "/slow?ms=2000", "critical", 8);
    UNTIL(h2_server_streams(server) == 8);
    ask_for(&ask, "/ok", "late")->opts.timeout_ms = 400; /* a quarter of it is waited for */
    is_refused(call(client, &ask), MESH_ERR_OVERFLOW, "concurrency.adaptive");
    assert_int_equal(h2_server_record(server, "late").seen, 0);
    crowd_end(&running);
    all_are_ok(&running);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void streams_that_have_begun_are_not_counted(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = limited_to_eight(server);
    struct mesh_stream *streams[12];
    struct ask ask = { 0 };
    char bytes[100];
    size_t got;

    (void) state;
    ask_for(&ask, "/hang", NULL);
    for (int i = 0; i < 12; i++) {
        MESH_OK(mesh_stream_open(client, &ask.opts, NULL, 0, &streams[i]));
        MESH_OK(mesh_stream_finish(streams[i]));
        MESH_OK(mesh_stream_read(streams[i], bytes, sizeof bytes, &got));
    }
    ANSWER(get(client, "/ok", NULL), 0, 200, 1);
    for (int i = 0; i < 12; i++)
        mesh_stream_free(streams[i]);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void who_waits_may_be_cancelled(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = limited_to_eight(server);
    struct mesh_queue *queue;
    struct mesh_call *calls[9];
    struct mesh_event event;
    struct ask ask = { 0 };

    (void) state;
    MESH_OK(mesh_queue_new(client, &queue));
    ask_for(&ask, "/never", NULL);
    for (uint64_t i = 0; i < 9; i++)
        MESH_OK(mesh_request_start(client, &ask.opts, queue, i, &calls[i]));
    UNTIL(h2_server_streams(server) == 8);
    MESH_OK(mesh_call_cancel(calls[8]));
    assert_int_equal(mesh_queue_next(queue, &event, 1, GUARD_MS), 1);
    assert_int_equal(event.tag, 8);
    assert_int_equal(event.err, MESH_ERR_CANCELLED);
    assert_int_equal(mesh_response_attempts(event.response), 0);
    mesh_response_free(event.response);
    for (int i = 0; i < 9; i++)
        mesh_call_free(calls[i]);
    assert_int_equal(h2_server_seen(server), 8);
    mesh_queue_free(queue);
    mesh_client_free(client);
    h2_server_stop(server);
}

/* ---- all at once ---- */

static bool is_a_refusal(int32_t err)
{
    return err == MESH_ERR_OVERFLOW || err == MESH_ERR_RATE_LIMITED || err == MESH_ERR_THROTTLED;
}

static void *rush_against_all(void *user)
{
    static const char *const criticalities[] = { "critical-plus", "critical", "sheddable-plus", "sheddable" };
    struct rush *all = user;

    for (unsigned i = 0; test_now_ms() < all->until_ms; i++) {
        struct answer answer =
            get_as(all->client, i % 3 ? "/slow?ms=1" : "/status?code=429", NULL, criticalities[i % 4]);

        all->passed += answer.err == 0;
        all->other += answer.err != 0 && !is_a_refusal(answer.err);
    }
    return NULL;
}

static void whatever_passes_all_limits_is_sent_once(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(
        server, PAIRS("loops", "2", "retry.attempts", "1", "rate_limit.per_second", "3000", "rate_limit.burst", "10",
                      "throttle.adaptive", "on", "concurrency.adaptive", "on", "concurrency.initial", "3",
                      "concurrency.min", "2", "breaker.max_requests", "6", "breaker.high_max_requests", "2"));
    struct rush all = { .client = client, .until_ms = test_now_ms() + 1000 };
    pthread_t threads[16];

    (void) state;
    for (int i = 0; i < 16; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, rush_against_all, &all), 0);
    for (int i = 0; i < 16; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(all.other, 0);
    assert_true(all.passed > 0);
    assert_int_equal(h2_server_seen(server), all.passed);
    mesh_client_free(client);
    h2_server_stop(server);
}

/* ---- how it is written down ---- */

/* The access log of two requests, the second of which was refused. */
static void flag_is(const char *key, const char *value, const char *flag, int32_t err)
{
    struct h2_server *server = h2_server_start(NULL);
    char path[] = "/tmp/mesh-limits-XXXXXX", text[8192] = "";
    int fd = mkstemp(path);
    struct mesh_client *client =
        client_of_server(server, PAIRS("access_log", path, "rate_limit.burst", "1", "throttle.max_percent", "100",
                                       "concurrency.min", "1", "concurrency.max", "1", "concurrency.initial", "1",
                                       "retry.attempts", "1", "loops", "1", key, value));
    struct crowd one;
    int32_t got = 0;

    assert_true(fd >= 0);
    crowd_begin(&one, client, "/slow?ms=1000", "critical", 1);
    UNTIL(h2_server_streams(server) == 1);
    for (int i = 0; i < 1000 && got == 0; i++)
        got = get(client, "/status?code=429", NULL).err;
    assert_int_equal(got, err);
    crowd_end(&one);
    mesh_client_free(client);
    assert_true(read(fd, text, sizeof text - 1) > 0);
    says(text, flag);
    close(fd);
    unlink(path);
    h2_server_stop(server);
}

static void each_refusal_has_its_flag(void **state)
{
    (void) state;
    flag_is("breaker.max_requests", "1", "\"response_flags\":\"UO\"", MESH_ERR_OVERFLOW);
    flag_is("rate_limit.per_second", "1", "\"response_flags\":\"RL\"", MESH_ERR_RATE_LIMITED);
    flag_is("throttle.adaptive", "on", "\"response_flags\":\"DO\"", MESH_ERR_THROTTLED);
    flag_is("concurrency.adaptive", "on", "\"response_flags\":\"UO\"", MESH_ERR_OVERFLOW);
}

/* ---- criticality ---- */

static void an_unknown_criticality_is_told_with_those_there_are(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, NULL);
    static const char *const wrong[] = { "", "high", "critical plus", "CRITICAL-PLUSS" };

    (void) state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct answer answer = get_as(client, "/ok", "wrong", wrong[i]);

        ANSWER(answer, MESH_ERR_INVALID, 0, 0);
        says(answer.detail, "x-mesh-criticality");
        says(answer.detail, "critical-plus, critical, sheddable-plus and sheddable");
    }
    assert_int_equal(h2_server_record(server, "wrong").seen, 0);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void goes_on_as(struct mesh_client *client, struct h2_server *server, const char *given, const char *expected)
{
    struct answer answer = given ? get_as(client, "/ok", "any", given) : get(client, "/ok", "any");

    ANSWER(answer, 0, 200, 1);
    if (!expected)
        assert_null(strstr(h2_server_record(server, "any").head, "x-mesh-criticality"));
    else
        says(h2_server_record(server, "any").head, expected);
}

static void the_callee_learns_the_criticality(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *usual = client_of_server(server, NULL);
    struct mesh_client *other = client_of_server(server, PAIRS("criticality", "sheddable"));

    (void) state;
    goes_on_as(usual, server, NULL, NULL);
    goes_on_as(usual, server, "critical", "x-mesh-criticality: critical\n");
    goes_on_as(usual, server, "Sheddable-Plus", "x-mesh-criticality: Sheddable-Plus\n");
    goes_on_as(other, server, NULL, "x-mesh-criticality: sheddable\n"); /* the name is in HPACK's table from then on */
    goes_on_as(other, server, NULL, "x-mesh-criticality: sheddable!\n");
    goes_on_as(other, server, "critical", "x-mesh-criticality: critical\n");
    goes_on_as(other, server, "CRITICAL-PLUS", "x-mesh-criticality: CRITICAL-PLUS\n");
    mesh_client_free(usual);
    mesh_client_free(other);
    h2_server_stop(server);
}

/* The policy's criticality decides where the request says nothing. */
static void the_policy_s_criticality_counts(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(
        server, PAIRS("criticality", "critical-plus", "breaker.max_requests", "1", "breaker.high_max_requests", "1"));
    struct crowd high;

    (void) state;
    crowd_begin(&high, client, "/slow?ms=1000", "critical-plus", 1);
    UNTIL(h2_server_streams(server) == 1);
    is_refused(get(client, "/ok", NULL), MESH_ERR_OVERFLOW, "breaker.high_max_requests 1");
    ANSWER(get_as(client, "/ok", NULL, "critical"), 0, 200, 1);
    crowd_end(&high);
    all_are_ok(&high);
    mesh_client_free(client);
    h2_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_most_critical_passes_while_the_rest_is_full),
        cmocka_unit_test(who_waits_is_counted_by_priority_too),
        cmocka_unit_test(the_burst_passes_and_no_more),
        cmocka_unit_test(in_a_while_the_rate_passes),
        cmocka_unit_test(who_turns_requests_away_is_spared),
        cmocka_unit_test(who_is_broken_is_not),
        cmocka_unit_test(no_answer_in_time_is_being_turned_away),
        cmocka_unit_test(sparing_ends_when_requests_are_taken_again),
        cmocka_unit_test(a_few_too_many_wait_for_their_turn),
        cmocka_unit_test(many_too_many_are_refused),
        cmocka_unit_test(who_waits_too_long_is_refused),
        cmocka_unit_test(streams_that_have_begun_are_not_counted),
        cmocka_unit_test(who_waits_may_be_cancelled),
        cmocka_unit_test(whatever_passes_all_limits_is_sent_once),
        cmocka_unit_test(each_refusal_has_its_flag),
        cmocka_unit_test(an_unknown_criticality_is_told_with_those_there_are),
        cmocka_unit_test(the_callee_learns_the_criticality),
        cmocka_unit_test(the_policy_s_criticality_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
