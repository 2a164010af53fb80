/* SPDX-License-Identifier: Apache-2.0 */
/* What balancing must hold, in virtual time; --table prints every case with every policy. MESH_SIM_SEEDS: runs a case, each
 * with other dice (default 5); all figures are means. */
#include <stdlib.h>
#include <string.h>

#include "mesh_test.h"
#include "sim/sim.h"

enum case_id { HALF_OF_4, HALF_OF_20, ONE_OF_20, FAILS_FAST, BLIP, ERRORS, BUSY_56, BUSY_65, BUSY_75, CASES };

/* "56 %" is of what the servers can do while an antagonist takes its part: 0.8 of their nominal capacity. */
#define BUSY(share) \
    .servers = 50, .clients = 50, .load = 0.8 * (share), .seconds = 10, .warm_up_s = 1, .antagonist = true

static const struct sim_case cases[CASES] = {
    [HALF_OF_4] = { .name = "half of 4 slow",
                    .servers = 4,
                    .clients = 10,
                    .load = 0.05,
                    .seconds = 60,
                    .warm_up_s = 2,
                    .slow = 2,
                    .slow_us = 5000 },
    [HALF_OF_20] = { .name = "half of 20 slow",
                     .servers = 20,
                     .clients = 10,
                     .load = 0.05,
                     .seconds = 20,
                     .warm_up_s = 2,
                     .slow = 10,
                     .slow_us = 5000 },
    [ONE_OF_20] = { .name = "1 of 20 slow",
                    .servers = 20,
                    .clients = 10,
                    .load = 0.05,
                    .seconds = 20,
                    .warm_up_s = 2,
                    .slow = 1,
                    .slow_us = 5000 },
    [FAILS_FAST] = { .name = "1 of 10 fails fast",
                     .servers = 10,
                     .clients = 10,
                     .load = 0.5,
                     .seconds = 15,
                     .failing = 1,
                     .fails_to_s = 15 },
    [BLIP] = { .name = "1 of 10 fails for 50 ms",
               .servers = 10,
               .clients = 10,
               .load = 0.5,
               .seconds = 15,
               .failing = 1,
               .fails_from_s = 5,
               .fails_to_s = 5.05 },
    [ERRORS] = { .name = "0.1 % errors, load 0.9",
                 .servers = 10,
                 .clients = 10,
                 .load = 0.9,
                 .seconds = 10,
                 .warm_up_s = 1,
                 .error_share = 0.001 },
    [BUSY_56] = { .name = "antagonist, 56 %", BUSY(0.56) },
    [BUSY_65] = { .name = "antagonist, 65 %", BUSY(0.65) },
    [BUSY_75] = { .name = "antagonist, 75 %", BUSY(0.75) },
};

struct figures {
    uint64_t requests;
    double p50_ms, p99_ms, p999_ms, failed_percent, back_s;
};

static unsigned seeds(void)
{
    const char *wanted = getenv("MESH_SIM_SEEDS");
    unsigned long n = wanted ? strtoul(wanted, NULL, 10) : 5;

    return n > 0 && n <= 1000 ? (unsigned) n : 1;
}

static struct figures run(enum case_id id, const struct balance_ops *policy)
{
    struct figures sum = { 0 };
    unsigned n = seeds();

    for (unsigned seed = 1; seed <= n; seed++) {
        struct sim_result result;

        sim_run(&cases[id], policy, seed, &result);
        sum.requests += result.requests;
        sum.p50_ms += result.p50_ms / n;
        sum.p99_ms += result.p99_ms / n;
        sum.p999_ms += result.p999_ms / n;
        sum.failed_percent += 100.0 * (double) result.failed / (double) result.requests / n;
        sum.back_s += result.back_s / n;
    }
    return sum;
}

/* ---- the table ---- */

static void print_row(const struct sim_case *what, const struct balance_ops *policy, const struct figures *figures,
                      double seconds)
{
    printf("%-24s %-14s %7.2f %8.2f %8.2f %9.4f ", what->name, policy->name, figures->p50_ms, figures->p99_ms,
           figures->p999_ms, figures->failed_percent);
    if (what->fails_from_s > 0)
        printf("%6.1f", figures->back_s);
    else
        printf("%6s", "-");
    printf("  %5.1f\n", (double) figures->requests / seconds / 1e6);
    fflush(stdout);
}

static int print_table(void)
{
    static const struct balance_ops *const policies[] = { &balance_round_robin, &balance_least_request, &sim_peak_ewma,
                                                          &balance_adaptive };

    printf("%-24s %-14s %7s %8s %8s %9s %6s  %5s\n", "", "", "p50 ms", "p99 ms", "p999 ms", "failed %", "back s",
           "M/s");
    for (size_t i = 0; i < CASES * COUNT_OF(policies); i++) {
        const struct balance_ops *policy = policies[i % COUNT_OF(policies)];
        enum case_id id = (enum case_id)(i / COUNT_OF(policies));
        uint64_t began = clock_now_us();
        struct figures figures = run(id, policy);

        print_row(&cases[id], policy, &figures, (double) (clock_now_us() - began) / 1e6);
    }
    return 0;
}

/* ---- the model ---- */

static void assert_at_most(double value, double most)
{
    if (value <= most)
        return;
    print_error("%f is above %f\n", value, most);
    fail();
}

static void assert_near(double value, double expected)
{
    assert_at_most(value, expected * 1.05);
    assert_at_most(expected * 0.95, value);
}

static void test_same_seed_same_figures(void **state)
{
    struct sim_case what = cases[FAILS_FAST];
    struct sim_result first, again, other;

    (void) state;
    what.seconds = 1;
    sim_run(&what, &balance_adaptive, 7, &first);
    sim_run(&what, &balance_adaptive, 7, &again);
    sim_run(&what, &balance_adaptive, 8, &other);
    assert_memory_equal(&first, &again, sizeof first);
    assert_true(other.requests != first.requests);
}

/* An M/M/8 queue at 0.05 of its load hardly ever waits: the latency is the work. */
static void test_work_is_exponential(void **state)
{
    struct sim_case what = cases[HALF_OF_4];
    struct sim_result result;

    (void) state;
    what.slow = 0;
    sim_run(&what, &balance_random, 1, &result);
    assert_near(result.p50_ms, 0.693);
    assert_near(result.p99_ms, 4.605);
    assert_near((double) result.requests, 60 * 1600);
}

/* Known figures of known policies: the model is the reference's. */
static void test_known_policies(void **state)
{
    (void) state;
    assert_near(run(HALF_OF_4, &balance_round_robin).p99_ms, 8.90);
    assert_near(run(HALF_OF_4, &balance_least_request).p99_ms, 8.75);
    assert_near(run(HALF_OF_4, &sim_peak_ewma).p99_ms, 8.01);
    assert_near(run(FAILS_FAST, &balance_round_robin).failed_percent, 10.0);
    assert_near(run(FAILS_FAST, &balance_least_request).failed_percent, 13.4);
    assert_near(run(FAILS_FAST, &sim_peak_ewma).failed_percent, 19.2);
}

/* ---- what `adaptive` must hold ---- */

static void test_half_slow(void **state)
{
    (void) state;
    assert_at_most(run(HALF_OF_4, &balance_adaptive).p99_ms, 6.2);
    assert_at_most(run(HALF_OF_20, &balance_adaptive).p99_ms, 5.4);
}

static void test_one_slow(void **state)
{
    (void) state;
    assert_at_most(run(ONE_OF_20, &balance_adaptive).p99_ms, 5.0);
}

static void test_fails_fast(void **state)
{
    (void) state;
    assert_at_most(run(FAILS_FAST, &balance_adaptive).failed_percent, 0.05);
}

static void test_blip(void **state)
{
    (void) state;
    assert_at_most(run(BLIP, &balance_adaptive).back_s, 2);
}

/* A few errors everywhere are nobody's fault and change nothing. */
static void test_errors_everywhere(void **state)
{
    (void) state;
    assert_near(run(ERRORS, &balance_adaptive).p99_ms, run(ERRORS, &balance_least_request).p99_ms);
}

static void test_antagonist(void **state)
{
    (void) state;
    assert_at_most(run(BUSY_75, &balance_adaptive).p99_ms, 9);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_figures),
        cmocka_unit_test(test_work_is_exponential),
        cmocka_unit_test(test_known_policies),
        cmocka_unit_test(test_half_slow),
        cmocka_unit_test(test_one_slow),
        cmocka_unit_test(test_fails_fast),
        cmocka_unit_test(test_blip),
        cmocka_unit_test(test_errors_everywhere),
        cmocka_unit_test(test_antagonist),
    };

    if (argc == 2 && strcmp(argv[1], "--table") == 0)
        return print_table();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
