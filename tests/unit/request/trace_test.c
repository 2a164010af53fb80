/* SPDX-License-Identifier: Apache-2.0 */
/* Recording requests, keeping the last ones, and their explanation in words. */
#include <math.h>
#include <string.h>

#include "mesh_test.h"
#include "request/trace.h"

static struct traces traces;
static struct endpoint_stats *stats[9];
static struct endpoint *endpoint;

static int begin(void **state)
{
    (void) state;
    mem_watch(0, false);
    traces_init(&traces);
    for (size_t i = 0; i < COUNT_OF(stats); i++) {
        stats[i] = mem_zalloc(sizeof *stats[i] + ADDR_TEXT);
        snprintf(stats[i]->address, ADDR_TEXT, "10.0.0.%zu:80", i);
        stats[i]->balance.hash_key = stats[i]->address;
    }
    endpoint = mem_zalloc(sizeof *endpoint);
    endpoint->stats = stats[0];
    endpoint->address = stats[0]->address;
    endpoint->zone = "a";
    return 0;
}

static int end(void **state)
{
    int64_t live;

    (void) state;
    traces_free(&traces);
    for (size_t i = 0; i < COUNT_OF(stats); i++)
        mem_free(stats[i]);
    mem_free(endpoint);
    mem_unwatch(&live);
    return live == 0 ? 0 : -1;
}

static struct trace *begin_trace(const char *path)
{
    return trace_begin(&traces, &(struct trace_ask){ .service = "users", .method = "GET", .path = path }, 1000);
}

/* With an attempt whose choice is `facts`. */
static struct trace_attempt *attempt_of(struct trace *trace, struct choice_facts facts, const char *passed_by)
{
    struct cluster_choice choice, *filled = trace_choice(trace, &choice);

    if (!filled)
        return NULL;
    facts.policy = "adaptive";
    filled->facts = facts;
    filled->passed_by = passed_by;
    balance_note(&filled->balance, &stats[0]->balance, 12.4F);
    balance_note(&filled->balance, &stats[1]->balance, INFINITY);
    return trace_attempt_begin(trace, endpoint, filled, 2000);
}

static char text[16384];

static const char *written(const struct trace *trace)
{
    struct json_writer w = { 0 };
    char *json;

    trace_write(&w, trace, 10000);
    json = json_finish(&w);
    assert_non_null(json);
    snprintf(text, sizeof text, "%s", json);
    mem_free(json);
    return text;
}

static void has(const char *part)
{
    if (!strstr(text, part))
        fail_msg("%s\ndoes not have %s", text, part);
}

/* ---- words ---- */

static void a_request_in_words(void **state)
{
    struct trace *trace = begin_trace("/a/b?secret");
    struct trace_attempt *attempt = attempt_of(trace, (struct choice_facts){ .has_zones = true, .is_own = true }, NULL);

    (void) state;
    attempt->opened_us = 2500;
    trace_attempt_failed(trace, attempt, MESH_ERR_RESET, "the peer \"reset\" it");
    trace_attempt_end(attempt, 0, 4000);
    attempt->verdict = VERDICT_PAID;
    attempt->wait_us = 77;
    trace->made = 1;
    trace->most = 3;
    trace_end(&traces, trace, MESH_ERR_TIMEOUT, "no answer", 6000);
    written(trace);
    has("{\"service\":\"users\",\"method\":\"GET\",\"path\":\"/a/b\",\"age_us\":9000,\"duration_us\":5000,\"status\":0,"
        "\"error\":\"MESH_ERR_TIMEOUT\",\"detail\":\"no answer\",");
    has("\"attempts\":[{\"number\":1,\"endpoint\":\"10.0.0.0:80\",\"zone\":\"a\",\"zone_reason\":\"own zone");
    has("\"candidates\":[{\"endpoint\":\"10.0.0.0:80\",\"score\":12,\"tried\":false},"
        "{\"endpoint\":\"10.0.0.1:80\",\"score\":null,\"tried\":true}]");
    has("\"after_us\":1000,\"waited_us\":500,\"duration_us\":2000,\"status\":0,\"error\":\"MESH_ERR_RESET\","
        "\"detail\":\"the peer \\\"reset\\\" it\",\"hedging\":\"\",\"retry\":\"retried: paid from the retry "
        "budget\",\"pause_us\":77}]}");
}

static void choices_in_words(void **state)
{
    static const struct {
        struct choice_facts facts;
        const char *passed_by, *says;
    } cases[] = {
        { { 0 }, NULL, "zones make no difference" },
        { { .has_zones = true, .priority_percent = 100 }, NULL, "\"the nearest zone\"" },
        { { .has_zones = true, .pass = ZONE_KEEPS_LESS, .kept_percent = 63 }, "b", "zone b keeps 63 %: passed on" },
        { { .has_zones = true, .pass = ZONE_FAILS }, "b", "retry: most attempts in zone b fail" },
        { { .has_zones = true, .pass = ZONE_ALL_TRIED }, "b", "retry: all endpoints of zone b were tried" },
        { { .has_zones = true, .came_back = true, .pass = ZONE_KEEPS_LESS }, "b", "since no zone takes it; zone b" },
        { { .has_zones = true, .priority = 1, .priority_percent = 40 }, NULL, "; priority 1 has 40 %\"" },
        { { .is_due = true, .panics = true },
          NULL,
          "\"choice\":\"due: its isolation was over, and this attempt finds" },
        { { .panics = true }, NULL, "adaptive: the least score of 2 drawn; panic: nobody is usable" },
        { { .is_lenient = true }, NULL, "; few are left" },
        { { .passed_over = 2 }, NULL, "; 2 that fell silent just now passed over" },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct trace *trace = begin_trace("/");

        attempt_of(trace, cases[i].facts, cases[i].passed_by);
        written(trace);
        has(cases[i].says);
        trace_end(&traces, trace, 0, "", 3000);
    }
}

static void what_the_balancer_says(void **state)
{
    struct trace *trace = begin_trace("/");
    struct cluster_choice choice, *filled = trace_choice(trace, &choice);

    (void) state;
    filled->facts.policy = "maglev";
    filled->balance.was_moved = true;
    trace_attempt_begin(trace, endpoint, filled, 2000);
    filled = trace_choice(trace, &choice);
    filled->facts.policy = "adaptive";
    filled->balance.is_trial = true;
    for (size_t i = 0; i < COUNT_OF(stats); i++)
        balance_note(&filled->balance, &stats[i]->balance, 0);
    trace_attempt_begin(trace, endpoint, filled, 2000);
    written(trace);
    has("\"choice\":\"maglev; that was tried before: the next one\",\"candidates\":[]");
    has("\"choice\":\"adaptive: idle for long, this attempt finds out how it is\"");
    has("\"10.0.0.7:80\"");
    assert_null(strstr(text, "\"10.0.0.8:80\"")); /* the ninth */
    trace_end(&traces, trace, 0, "", 3000);
}

static void each_verdict_has_a_sentence(void **state)
{
    (void) state;
    assert_string_equal(retry_verdict_text(VERDICT_NONE), "");
    for (enum retry_verdict v = VERDICT_FREE; v <= VERDICT_BUDGET_SPENT; v++)
        assert_true(strstr(retry_verdict_text(v), "retried: ") != NULL);
}

/* ---- limits ---- */

static void what_is_too_long_is_cut(void **state)
{
    struct trace *trace;
    char path[5000];

    (void) state;
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    trace = begin_trace(path);
    assert_int_equal(strlen(trace_string(trace, trace->path)), 128);
    for (int i = 0; i < TRACE_ATTEMPTS; i++)
        trace_attempt_failed(trace, attempt_of(trace, (struct choice_facts){ 0 }, path), MESH_ERR_RESET, path);
    assert_null(attempt_of(trace, (struct choice_facts){ 0 }, NULL));
    trace_attempt_failed(trace, NULL, MESH_ERR_RESET, path);
    trace_attempt_end(NULL, 0, 0);
    trace_end(&traces, trace, MESH_ERR_RESET, path, 3000);
    assert_true(trace->used <= sizeof trace->texts);
    written(trace);
    has("\"number\":4");
}

static void the_last_ones_are_kept(void **state)
{
    struct trace *running[TRACE_RECENT + 10];
    size_t n = 0;

    (void) state;
    for (size_t i = 0; i < COUNT_OF(running); i++) {
        char path[16];

        snprintf(path, sizeof path, "/%zu", i);
        running[i] = begin_trace(path);
        assert_non_null(running[i]);
    }
    for (size_t i = 0; i < COUNT_OF(running); i++)
        trace_end(&traces, running[i], 0, "", 2000 + i);
    LIST_EACH(link, &traces.recent) {
        const struct trace *trace = CONTAINER_OF(link, struct trace, link);

        assert_int_equal(trace->ended_us, 2000 + COUNT_OF(running) - 1 - n);
        n++;
    }
    assert_int_equal(n, TRACE_RECENT);
    for (int i = 0; i < 1000; i++) /* used again */
        trace_end(&traces, begin_trace("/"), 0, "", 5000);
    assert_true(traces.n <= TRACE_RECENT + TRACE_SPARE);
}

static void a_crowd_is_not_recorded_unless_asked_for(void **state)
{
    static struct trace *running[TRACE_MOST + 1];

    (void) state;
    for (size_t i = 0; i < TRACE_MOST; i++)
        assert_non_null(running[i] = begin_trace("/"));
    assert_null(begin_trace("/"));
    assert_null(trace_choice(NULL, NULL));
    assert_null(trace_attempt_begin(NULL, endpoint, NULL, 0));
    trace_end(&traces, NULL, 0, "", 0);
    running[TRACE_MOST] = trace_begin(
        &traces, &(struct trace_ask){ .service = "a", .method = "GET", .path = "/", .is_wanted = true }, 1000);
    assert_non_null(running[TRACE_MOST]);
    for (size_t i = 0; i < COUNT_OF(running); i++)
        trace_end(&traces, running[i], 0, "", 2000);
    assert_int_equal(traces.n, TRACE_RECENT + TRACE_SPARE);
}

static void the_way_by_a_route(void **state)
{
    static const struct trace_way way = { "host", "by-path", "blue", 3, 10 };
    struct trace *first = begin_trace("/a");

    (void) state;
    trace_routed(first, &way);
    trace_mirrored(first);
    trace_treated(first, 250, "an injected fault");
    trace_end(&traces, first, 0, "", 5000);
    assert_non_null(strstr(written(first),
                           "\"route\":{\"virtual_host\":\"host\",\"name\":\"by-path\",\"cluster\":\"blue\","
                           "\"weight\":3,\"total_weight\":10,\"delay_us\":250,\"mirrored\":1,"
                           "\"answered_by\":\"an injected fault\"}"));
    for (int i = 0; i < 2 * TRACE_RECENT; i++) { /* records are used again: nothing of it is left */
        struct trace *next = begin_trace("/b");

        trace_treated(next, 7, "a redirect");
        assert_non_null(strstr(written(next), "\"route\":null"));
        trace_end(&traces, next, 0, "", 5000);
    }
    trace_routed(NULL, &way);
    trace_treated(NULL, 0, NULL);
    trace_mirrored(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_request_in_words, begin, end),
        cmocka_unit_test_setup_teardown(choices_in_words, begin, end),
        cmocka_unit_test_setup_teardown(what_the_balancer_says, begin, end),
        cmocka_unit_test_setup_teardown(each_verdict_has_a_sentence, begin, end),
        cmocka_unit_test_setup_teardown(what_is_too_long_is_cut, begin, end),
        cmocka_unit_test_setup_teardown(the_way_by_a_route, begin, end),
        cmocka_unit_test_setup_teardown(the_last_ones_are_kept, begin, end),
        cmocka_unit_test_setup_teardown(a_crowd_is_not_recorded_unless_asked_for, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
