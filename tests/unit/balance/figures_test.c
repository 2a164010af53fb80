/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of an endpoint: latencies that forget, penalties that fade, and what touches neither. */
#include <math.h>

#include "unit/balance/crowd.h"

static const uint64_t start = 5000 * US_PER_S;

static void test_nothing_known(void **state)
{
    struct balance_endpoint endpoint = { 0 };

    (void) state;
    assert_true(balance_peak_us(&endpoint, start) == 0);
    assert_true(balance_mean_us(&endpoint, start) == 0);
    assert_true(balance_penalty_us(&endpoint, start) == 0);
}

/* What is slow because it is the first says nothing of the endpoint. */
static void test_introduction(void **state)
{
    static const uint64_t first[] = { 40000, 1000, 2000, 30000 };
    struct balance_endpoint endpoint = { 0 };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(first); i++) {
        assert_false(balance_is_known(&endpoint));
        balance_answered(&endpoint, first[i], start);
    }
    assert_true(balance_is_known(&endpoint));
    assert_about(balance_peak_us(&endpoint, start), 1000, 1);
    assert_about(balance_mean_us(&endpoint, start), 1000, 1);
}

static void test_peak(void **state)
{
    struct balance_endpoint endpoint = { 0 };

    (void) state;
    balance_introduce(&endpoint, 1000, start);
    balance_answered(&endpoint, 9000, start); /* up at once */
    assert_about(balance_peak_us(&endpoint, start), 9000, 1);
    balance_answered(&endpoint, 1000, start); /* down with time only */
    assert_about(balance_peak_us(&endpoint, start), 9000, 1);
    assert_about(balance_peak_us(&endpoint, start + 10 * US_PER_S), 9000 * exp(-1), 5);
    balance_answered(&endpoint, 1000, start + 10 * US_PER_S); /* down to what is measured */
    assert_about(balance_peak_us(&endpoint, start + 10 * US_PER_S), 1000 + 8000 * exp(-1), 5);
}

/* What lost to a hedge would have taken longer: that is all that is known. */
static void test_outrun(void **state)
{
    struct balance_endpoint endpoint = { 0 };

    (void) state;
    balance_outrun(&endpoint, 9000, start);
    assert_true(balance_peak_us(&endpoint, start) == 0);
    balance_introduce(&endpoint, 1000, start);
    balance_outrun(&endpoint, 500, start);
    assert_about(balance_peak_us(&endpoint, start), 1000, 1);
    balance_outrun(&endpoint, 9000, start);
    assert_about(balance_peak_us(&endpoint, start), 9000, 1);
    assert_about(balance_mean_us(&endpoint, start), 1000, 1);
    assert_true(balance_penalty_us(&endpoint, start) == 0);
}

static void test_mean(void **state)
{
    struct balance_endpoint endpoint = { 0 };

    (void) state;
    balance_introduce(&endpoint, 1000, start);
    assert_about(balance_mean_us(&endpoint, start), 1000, 1);
    balance_answered(&endpoint, 3000, start); /* a burst moves it too */
    assert_about(balance_mean_us(&endpoint, start), 1100, 1);
    balance_answered(&endpoint, 3000, start + 2 * US_PER_S);
    assert_about(balance_mean_us(&endpoint, start + 2 * US_PER_S), 3000 - 1900 * exp(-1), 5);
    assert_about(balance_mean_us(&endpoint, start + 31 * US_PER_S), 3000 - 1900 * exp(-1), 5);
    assert_about(balance_mean_us(&endpoint, start + 33 * US_PER_S), (3000 - 1900 * exp(-1)) / 2, 5);
    assert_about(balance_mean_us(&endpoint, start + 95 * US_PER_S), (3000 - 1900 * exp(-1)) / 8, 5);
}

static void test_penalty(void **state)
{
    static const double in_a_row[] = { 12.5e3, 100e3, 200e3, 400e3, 800e3, 1600e3, 3200e3, 5000e3, 5000e3 };
    struct balance_endpoint endpoint = { 0 };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(in_a_row); i++) {
        balance_failed(&endpoint, start);
        assert_about(balance_penalty_us(&endpoint, start), in_a_row[i], 1);
    }
    for (int i = 0; i < 100; i++)
        balance_failed(&endpoint, start);
    assert_about(balance_penalty_us(&endpoint, start), 5e6, 1);
    assert_about(balance_penalty_us(&endpoint, start + 2 * US_PER_S), 5e6 * exp(-1), 5e3);
    assert_true(balance_mean_us(&endpoint, start) == 0); /* failures have no latency */
    assert_true(balance_peak_us(&endpoint, start) == 0);
}

/* A slow service's penalty is measured by its own answers. */
static void test_penalty_of_a_slow_one(void **state)
{
    struct balance_endpoint endpoint = { 0 };

    (void) state;
    balance_answered(&endpoint, 100000, start);
    balance_failed(&endpoint, start);
    assert_about(balance_penalty_us(&endpoint, start), 200e3, 1);
    balance_failed(&endpoint, start);
    assert_about(balance_penalty_us(&endpoint, start), 1600e3, 1);
}

static void test_success_forgives(void **state)
{
    struct balance_endpoint endpoint = { 0 };

    (void) state;
    balance_failed(&endpoint, start);
    balance_failed(&endpoint, start);
    balance_answered(&endpoint, 1000, start);
    assert_about(balance_penalty_us(&endpoint, start), 50e3, 1);
    assert_int_equal(endpoint.failures, 0);
    balance_failed(&endpoint, start); /* the first in a row again: not above what is left */
    assert_about(balance_penalty_us(&endpoint, start), 50e3, 1);
    for (int i = 0; i < 20; i++)
        balance_answered(&endpoint, 1000, start);
    assert_true(balance_penalty_us(&endpoint, start) == 0);
}

/* A stream's answer has no latency; it is a success all the same. */
static void test_unmeasured_success(void **state)
{
    struct balance_endpoint endpoint = { 0 };

    (void) state;
    balance_failed(&endpoint, start);
    balance_answered(&endpoint, 0, start);
    assert_int_equal(endpoint.failures, 0);
    assert_about(balance_penalty_us(&endpoint, start), 6250, 1);
    assert_true(balance_mean_us(&endpoint, start) == 0);
}

static void test_begin_and_end(void **state)
{
    struct balance_endpoint endpoint = { 0 };

    (void) state;
    balance_began(&endpoint, start);
    balance_began(&endpoint, start + 100 * US_PER_MS);
    assert_int_equal(endpoint.active, 2);
    balance_ended(&endpoint);
    assert_int_equal(endpoint.active, 1);
    assert_int_equal(balance_idle_ms(&endpoint, start + 350 * US_PER_MS), 250);
}

/* Loops read the clock one after the other: what is told "later" is not old. */
static void test_clocks_of_two_loops(void **state)
{
    struct balance_endpoint endpoint = { 0 };

    (void) state;
    balance_began(&endpoint, start);
    balance_answered(&endpoint, 1000, start);
    balance_failed(&endpoint, start);
    assert_int_equal(balance_idle_ms(&endpoint, start - 2 * US_PER_MS), 0);
    assert_about(balance_peak_us(&endpoint, start - 2 * US_PER_MS), 1000, 1);
    assert_about(balance_penalty_us(&endpoint, start - 2 * US_PER_MS), 12500, 1);
    balance_answered(&endpoint, 1000, start - 2 * US_PER_MS);
    assert_about(balance_mean_us(&endpoint, start), 1000, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_known),
        cmocka_unit_test(test_introduction),
        cmocka_unit_test(test_peak),
        cmocka_unit_test(test_outrun),
        cmocka_unit_test(test_mean),
        cmocka_unit_test(test_penalty),
        cmocka_unit_test(test_penalty_of_a_slow_one),
        cmocka_unit_test(test_success_forgives),
        cmocka_unit_test(test_unmeasured_success),
        cmocka_unit_test(test_begin_and_end),
        cmocka_unit_test(test_clocks_of_two_loops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
