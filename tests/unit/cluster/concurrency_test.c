/* SPDX-License-Identifier: Apache-2.0 */
/* The adaptive limit in virtual time: each rule by itself, and before servers of known capacity. */
#include "cluster/concurrency.h"

#include "base/clock.h"
#include "mesh_test.h"

#define START (1000 * US_PER_S)

static const struct policy_concurrency standard = { .adaptive = true, .initial = 20, .min = 4, .max = 1000 };

/* ---- single rules ---- */

static unsigned fill(struct concurrency *c, const struct policy_concurrency *policy)
{
    unsigned n = 0;

    while (n < 100000 && concurrency_enter(c, policy))
        n++;
    return n;
}

static void window_of(struct concurrency *c, uint64_t latency_us, unsigned n, uint64_t now)
{
    for (unsigned i = 0; i < n; i++)
        concurrency_answered(c, &standard, latency_us, now);
}

static void it_begins_where_the_policy_says(void **state)
{
    static const struct policy_concurrency odd[] = { { true, 7, 4, 1000, 0 },
                                                     { true, 1, 4, 1000, 0 },
                                                     { true, 2000, 4, 1000, 0 },
                                                     { true, 1, 1, 1, 0 },
                                                     { true, 5, 50, 10, 0 } };
    static const unsigned limits[] = { 7, 4, 1000, 1, 50 };

    (void) state;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        struct concurrency c = { 0 };

        assert_int_equal(concurrency_limit(&c, &odd[i]), limits[i]);
        assert_int_equal(fill(&c, &odd[i]), limits[i]);
        concurrency_leave(&c);
        assert_true(concurrency_enter(&c, &odd[i]));
        assert_false(concurrency_enter(&c, &odd[i]));
    }
}

static void it_grows_while_the_latency_stays(void **state)
{
    struct concurrency c = { 0 };

    (void) state;
    fill(&c, &standard);
    window_of(&c, 1000, 99, START);
    assert_int_equal(concurrency_limit(&c, &standard), 20);
    window_of(&c, 1000, 1, START); /* L + 0.2 sqrt(20) */
    assert_true(c.limit > 20.89 && c.limit < 20.90);
    for (int i = 0; i < 1000; i++) {
        fill(&c, &standard);
        window_of(&c, 1000, 100, START);
    }
    assert_int_equal(concurrency_limit(&c, &standard), 1000);
}

static void it_does_not_grow_when_half_is_not_used(void **state)
{
    struct concurrency c = { 0 };

    (void) state;
    for (int i = 0; i < 9; i++)
        assert_true(concurrency_enter(&c, &standard));
    for (int i = 0; i < 100; i++)
        window_of(&c, 1000, 100, START);
    assert_int_equal(concurrency_limit(&c, &standard), 20);
    assert_true(concurrency_enter(&c, &standard));
    window_of(&c, 1000, 100, START);
    assert_true(c.limit > 20);
}

/* What was in flight at once within the window counts, not what is at its end. */
static void the_most_of_a_window_counts(void **state)
{
    struct concurrency c = { 0 };

    (void) state;
    fill(&c, &standard);
    for (int i = 0; i < 20; i++)
        concurrency_leave(&c);
    window_of(&c, 1000, 100, START);
    assert_true(c.limit > 20);
}

static void it_shrinks_when_the_latency_grows(void **state)
{
    struct concurrency c = { 0 };
    double before;

    (void) state;
    for (int i = 0; i < 20; i++) {
        fill(&c, &standard);
        window_of(&c, 1000, 100, START);
    }
    before = c.limit;
    window_of(&c, 1400, 100, START);
    assert_true(c.limit > before); /* within the tolerance */
    before = c.limit;
    window_of(&c, 10000, 100, START); /* g is 0.5 at least */
    assert_true(c.limit < 0.95 * before && c.limit > 0.9 * before);
    for (int i = 0; i < 100; i++)
        window_of(&c, 10000, 100, START);
    assert_in_range(concurrency_limit(&c, &standard), 4, 10);
}

static void who_is_turned_away_counts_a_tenth(void **state)
{
    struct concurrency c = { 0 };

    (void) state;
    fill(&c, &standard);
    window_of(&c, 1000, 99, START);
    concurrency_turned_away(&c, &standard, START);
    assert_true(c.limit > 17.99 && c.limit < 18.01);
    for (int i = 0; i < 100 * 100; i++)
        concurrency_turned_away(&c, &standard, START);
    assert_int_equal(concurrency_limit(&c, &standard), 4);
}

static void few_answers_have_a_second(void **state)
{
    struct concurrency c = { 0 };

    (void) state;
    fill(&c, &standard);
    window_of(&c, 1000, 20, START);
    window_of(&c, 1000, 1, START + US_PER_S - 1);
    assert_int_equal(c.windows, 0);
    window_of(&c, 1000, 1, START + US_PER_S);
    assert_int_equal(c.windows, 1);
    window_of(&c, 1000, 9, START + 10 * US_PER_S);
    window_of(&c, 1000, 1, START + 10 * US_PER_S + US_PER_S / 2);
    assert_int_equal(c.windows, 1);
    window_of(&c, 1000, 1, START + 11 * US_PER_S);
    assert_int_equal(c.windows, 2);
}

static void a_limit_beyond_a_new_policy_is_brought_within(void **state)
{
    static const struct policy_concurrency smaller = { .adaptive = true, .initial = 20, .min = 2, .max = 10 };
    struct concurrency c = { 0 };

    (void) state;
    fill(&c, &standard);
    window_of(&c, 1000, 100, START);
    assert_int_equal(concurrency_limit(&c, &smaller), 10);
    assert_false(concurrency_enter(&c, &smaller));
}

/* ---- before a server ---- */

enum { MOST_WORKERS = 64, MOST_RUNNING = 1024 };

/* A queue before workers that need work_us each. Requests come evenly. */
struct sim {
    struct concurrency c;
    uint64_t now;
    unsigned workers;
    uint64_t work_us;
    uint64_t free_at[MOST_WORKERS];
    struct {
        uint64_t began, ends;
    } running[MOST_RUNNING]; /* a ring: they end in the order in which they began */
    unsigned first, n, worker;
    unsigned answered, refused;
    uint64_t latency_us; /* of all answers together */
};

static void end_one(struct sim *sim)
{
    uint64_t latency = sim->running[sim->first].ends - sim->running[sim->first].began;

    concurrency_leave(&sim->c);
    concurrency_answered(&sim->c, &standard, latency, sim->running[sim->first].ends);
    sim->latency_us += latency;
    sim->answered++;
    sim->first = (sim->first + 1) % MOST_RUNNING;
    sim->n--;
}

static void begin_one(struct sim *sim)
{
    uint64_t *free_at = &sim->free_at[sim->worker];
    unsigned at = (sim->first + sim->n) % MOST_RUNNING;

    if (!concurrency_enter(&sim->c, &standard)) {
        sim->refused++;
        return;
    }
    assert_true(sim->n < MOST_RUNNING);
    *free_at = (*free_at > sim->now ? *free_at : sim->now) + sim->work_us;
    sim->running[at].began = sim->now;
    sim->running[at].ends = *free_at;
    sim->worker = (sim->worker + 1) % sim->workers;
    sim->n++;
}

/* load: of what the workers can do. */
static void run(struct sim *sim, double load, unsigned seconds)
{
    double rate = load * sim->workers * (double) US_PER_S / (double) sim->work_us;
    uint64_t ends = sim->now + seconds * US_PER_S;
    double at = (double) sim->now;

    sim->answered = sim->refused = 0;
    sim->latency_us = 0;
    while (sim->now < ends) {
        at += (double) US_PER_S / rate;
        sim->now = (uint64_t) at;
        while (sim->n > 0 && sim->running[sim->first].ends <= sim->now)
            end_one(sim);
        begin_one(sim);
    }
}

static double mean_latency(const struct sim *sim)
{
    return (double) sim->latency_us / sim->answered;
}

static void overload_is_kept_out_and_the_server_busy(void **state)
{
    static const struct {
        unsigned workers;
        uint64_t work_us;
    } servers[] = { { 20, 10000 }, { 8, 1000 }, { 60, 5000 }, { 60, 500 } };

    (void) state;
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
        struct sim sim = { .now = START, .workers = servers[i].workers, .work_us = servers[i].work_us };
        double work = (double) sim.work_us, can = sim.workers * (double) US_PER_S / work;

        run(&sim, 0.5, 20);
        run(&sim, 0.5, 10);
        assert_int_equal(sim.refused, 0);
        run(&sim, 3, 10);
        run(&sim, 3, 20);
        assert_true(mean_latency(&sim) < 2.5 * work);
        assert_true(sim.answered > 0.95 * 20 * can);
        run(&sim, 0.5, 5);
        run(&sim, 0.5, 10);
        assert_int_equal(sim.refused, 0);
        assert_true(mean_latency(&sim) < 1.1 * work);
    }
}

/* The whole point of a slow average that moves with time: after five minutes of overload it is still one. */
static void nobody_gets_used_to_overload_soon(void **state)
{
    struct sim sim = { .now = START, .workers = 20, .work_us = 1000 };

    (void) state;
    run(&sim, 0.5, 20);
    run(&sim, 3, 60);
    run(&sim, 3, 10);
    assert_true(mean_latency(&sim) < 2.5 * 1000);
}

/* The server becomes four times faster, then as slow as before. */
static void it_follows_the_server(void **state)
{
    struct sim sim = { .now = START, .workers = 20, .work_us = 8000 };

    (void) state;
    run(&sim, 0.9, 30);
    sim.work_us = 2000;
    run(&sim, 0.9, 30);
    run(&sim, 0.9, 10);
    assert_int_equal(sim.refused, 0);
    sim.work_us = 8000;
    run(&sim, 0.9, 10);
    assert_in_range(concurrency_limit(&sim.c, &standard), 4, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_begins_where_the_policy_says),
        cmocka_unit_test(it_grows_while_the_latency_stays),
        cmocka_unit_test(it_does_not_grow_when_half_is_not_used),
        cmocka_unit_test(the_most_of_a_window_counts),
        cmocka_unit_test(it_shrinks_when_the_latency_grows),
        cmocka_unit_test(who_is_turned_away_counts_a_tenth),
        cmocka_unit_test(few_answers_have_a_second),
        cmocka_unit_test(a_limit_beyond_a_new_policy_is_brought_within),
        cmocka_unit_test(overload_is_kept_out_and_the_server_busy),
        cmocka_unit_test(nobody_gets_used_to_overload_soon),
        cmocka_unit_test(it_follows_the_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
