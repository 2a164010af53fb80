/* SPDX-License-Identifier: Apache-2.0 */
/* The command's histogram against sorting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/histogram.c"

static void test_empty(void **state)
{
    static struct histogram histogram;

    (void) state;
    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
}

static void test_small_values_are_exact(void **state)
{
    static struct histogram histogram;

    (void) state;
    for (uint64_t i = 1; i <= 100; i++)
        histogram_add(&histogram, i);
    assert_int_equal(histogram_quantile(&histogram, 0.50), 50);
    assert_int_equal(histogram_quantile(&histogram, 0.99), 99);
    assert_int_equal(histogram_quantile(&histogram, 1.00), 100);
    assert_int_equal(histogram_quantile(&histogram, 0.00), 1);
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *) left, b = *(const uint64_t *) right;

    return (a > b) - (a < b);
}

/* Of every size that a latency can have, in two histograms that are merged. */
static void test_quantiles_are_near_the_true_ones(void **state)
{
    enum { N = 20000 };
    static struct histogram a, b;
    static uint64_t values[N];
    uint64_t random = 88172645463325252;

    (void) state;
    for (size_t i = 0; i < N; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        values[i] = (random >> 28) >> (random % 36);
        histogram_add(i % 2 ? &a : &b, values[i]);
    }
    histogram_merge(&a, &b);
    qsort(values, N, sizeof *values, compare);
    assert_int_equal(a.total, N);
    assert_int_equal(a.highest, values[N - 1]);
    for (size_t i = 1; i < N; i += 7) {
        uint64_t exact = values[i - 1];
        uint64_t shown = histogram_quantile(&a, (double) i / N - 1e-9);

        assert_true(shown >= exact);
        assert_true(shown - exact <= exact / 64);
    }
}

static void test_enormous_values_stay_inside(void **state)
{
    static struct histogram histogram;

    (void) state;
    histogram_add(&histogram, UINT64_MAX);
    histogram_add(&histogram, UINT64_C(1) << HISTOGRAM_TOP_BIT);
    histogram_add(&histogram, (UINT64_C(1) << HISTOGRAM_TOP_BIT) - 1);
    assert_int_equal(histogram.total, 3);
    assert_int_equal(histogram.highest, UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_small_values_are_exact),
        cmocka_unit_test(test_quantiles_are_near_the_true_ones),
        cmocka_unit_test(test_enormous_values_stay_inside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
