/* SPDX-License-Identifier: Apache-2.0 */
/* Adaptive throttling in virtual time: whom it holds back, how many, since when, and when it ends. */
#include "cluster/throttle.h"

#include "base/clock.h"
#include "mesh_test.h"

#define START (1000 * US_PER_S)

static const struct policy_throttle standard = { .adaptive = true, .max_percent = 90 };

/* Requests come evenly; of those that are sent the service takes `capacity` a second and turns the others away. */
struct sim {
    struct throttle throttle;
    const struct policy_throttle *policy;
    enum policy_criticality criticality;
    struct rand dice;
    uint64_t now;
    unsigned rate, capacity; /* a second */
    unsigned sent, held_back;
};

static struct sim sim_of(enum policy_criticality criticality, unsigned rate, unsigned capacity)
{
    struct sim sim = {
        .policy = &standard, .criticality = criticality, .now = START, .rate = rate, .capacity = capacity
    };

    rand_seed_with(&sim.dice, 7);
    return sim;
}

static void run(struct sim *sim, unsigned seconds)
{
    sim->sent = sim->held_back = 0;
    for (unsigned s = 0; s < seconds; s++) {
        unsigned taken = 0;

        for (unsigned i = 0; i < sim->rate; i++) {
            uint64_t now = sim->now + i * US_PER_S / sim->rate;

            if (throttle_holds_back(&sim->throttle, sim->policy, sim->criticality, now, &sim->dice)) {
                sim->held_back++;
                continue;
            }
            throttle_sent(&sim->throttle, now);
            sim->sent++;
            if (taken++ >= sim->capacity)
                throttle_turned_away(&sim->throttle, now);
        }
        sim->now += US_PER_S;
    }
}

static double share_sent(const struct sim *sim)
{
    return (double) sim->sent / (sim->sent + sim->held_back);
}

static void who_accepts_all_gets_all(void **state)
{
    (void) state;
    for (int c = 0; c < CRITICALITY_COUNT; c++) {
        struct sim sim = sim_of((enum policy_criticality) c, 1000, 1000);

        run(&sim, 300);
        assert_int_equal(sim.held_back, 0);
    }
}

/* What has no answer yet is not held against anybody. */
static void many_at_once_are_no_overload(void **state)
{
    struct sim sim = sim_of(CRITICALITY_SHEDDABLE, 0, 0);

    (void) state;
    for (int i = 0; i < 10000; i++) {
        assert_false(throttle_holds_back(&sim.throttle, &standard, CRITICALITY_SHEDDABLE, START, &sim.dice));
        throttle_sent(&sim.throttle, START);
    }
}

static void one_that_turns_all_away_is_sent_a_tenth(void **state)
{
    struct sim sim = sim_of(CRITICALITY_CRITICAL, 1000, 0);

    (void) state;
    run(&sim, 1);
    assert_in_range(sim.sent, 80, 130); /* the first five, then a tenth */
    run(&sim, 119);
    assert_true(share_sent(&sim) > 0.09 && share_sent(&sim) < 0.11);
}

static void no_more_than_max_percent_are_held_back(void **state)
{
    static const uint32_t most[] = { 0, 10, 50, 100 };

    (void) state;
    for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
        struct policy_throttle policy = { .adaptive = true, .max_percent = most[i] };
        struct sim sim = sim_of(CRITICALITY_CRITICAL, 1000, 0);

        sim.policy = &policy;
        run(&sim, 100);
        assert_true(share_sent(&sim) > 1 - most[i] / 100.0 - 0.02 && share_sent(&sim) < 1 - most[i] / 100.0 + 0.02);
    }
}

/* A service that can do 300 of 1000 a second: s = 1 - p and p = 1 - K * 0.3 / s, so s = sqrt(0.3 * K). */
static void the_less_critical_are_held_back_more(void **state)
{
    static const double expected[CRITICALITY_COUNT] = { 0.775, 0.714, 0.648, 0.574 };

    (void) state;
    for (int c = 0; c < CRITICALITY_COUNT; c++) {
        struct sim sim = sim_of((enum policy_criticality) c, 1000, 300);

        run(&sim, 240);
        run(&sim, 120);
        assert_true(share_sent(&sim) > expected[c] - 0.02 && share_sent(&sim) < expected[c] + 0.02);
    }
}

static void a_few_failures_are_nothing(void **state)
{
    struct sim sim = sim_of(CRITICALITY_CRITICAL, 100, 60); /* 1 / K = 0.59 */

    (void) state;
    run(&sim, 200);
    assert_in_range(sim.held_back, 0, 100);
    sim = sim_of(CRITICALITY_SHEDDABLE, 100, 92); /* 1 / K = 0.91 */
    run(&sim, 200);
    assert_in_range(sim.held_back, 0, 100);
}

static void below_five_a_second_nobody_is_held_back(void **state)
{
    struct sim sim = sim_of(CRITICALITY_SHEDDABLE, 4, 0);

    (void) state;
    run(&sim, 600);
    assert_int_equal(sim.held_back, 0);
}

static void one_a_second_passes(void **state)
{
    struct policy_throttle all = { .adaptive = true, .max_percent = 100 };
    struct sim sim = sim_of(CRITICALITY_SHEDDABLE, 1000, 0);

    (void) state;
    run(&sim, 10);
    sim.policy = &all;
    for (int second = 0; second < 10; second++) {
        run(&sim, 1);
        assert_in_range(sim.sent, 1, 6); /* and a few by the dice: sent / (sent + 1) is not quite 1 */
    }
}

/* Well again after a total outage of ten minutes. */
static void it_ends_by_itself(void **state)
{
    struct sim sim = sim_of(CRITICALITY_CRITICAL, 1000, 0);
    unsigned seconds = 0;

    (void) state;
    run(&sim, 600);
    sim.capacity = 1000;
    do {
        run(&sim, 1);
        seconds++;
    } while (share_sent(&sim) < 0.95 && seconds < 600);
    assert_in_range(seconds, 1, 60);
    run(&sim, 130);
    assert_in_range(sim.held_back, 0, 100);
    run(&sim, 100);
    assert_int_equal(sim.held_back, 0);
}

static void it_is_forgotten_after_two_minutes(void **state)
{
    struct sim sim = sim_of(CRITICALITY_CRITICAL, 1000, 0);

    (void) state;
    run(&sim, 200);
    sim.now += THROTTLE_SECONDS * US_PER_S;
    sim.capacity = 1000;
    run(&sim, 200);
    assert_int_equal(sim.held_back, 0);
    assert_int_equal(sim.throttle.turned_away, 0);
    assert_int_equal(sim.throttle.sent, THROTTLE_SECONDS * 1000);
}

static void a_loop_whose_time_is_a_little_late_harms_nothing(void **state)
{
    struct throttle throttle = { 0 };

    (void) state;
    throttle_sent(&throttle, START);
    throttle_sent(&throttle, START - US_PER_S);
    throttle_turned_away(&throttle, START - US_PER_S / 2);
    assert_int_equal(throttle.sent, 2);
    assert_int_equal(throttle.turned_away, 1);
    throttle_sent(&throttle, START + 1000 * US_PER_S);
    assert_int_equal(throttle.sent, 1);
    assert_int_equal(throttle.turned_away, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_accepts_all_gets_all),
        cmocka_unit_test(many_at_once_are_no_overload),
        cmocka_unit_test(one_that_turns_all_away_is_sent_a_tenth),
        cmocka_unit_test(no_more_than_max_percent_are_held_back),
        cmocka_unit_test(the_less_critical_are_held_back_more),
        cmocka_unit_test(a_few_failures_are_nothing),
        cmocka_unit_test(below_five_a_second_nobody_is_held_back),
        cmocka_unit_test(one_a_second_passes),
        cmocka_unit_test(it_ends_by_itself),
        cmocka_unit_test(it_is_forgotten_after_two_minutes),
        cmocka_unit_test(a_loop_whose_time_is_a_little_late_harms_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
