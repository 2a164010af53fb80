/* SPDX-License-Identifier: Apache-2.0 */
/* The histogram of latencies: how exact it is, and that it forgets. */
#include "cluster/latency.h"

#include "mesh_test.h"

static void few_answers_say_nothing(void **state)
{
    struct latency latency = { 0 };

    (void) state;
    for (int i = 0; i < 19; i++)
        latency_add(&latency, 1000);
    assert_int_equal(latency_quantile_us(&latency, 99), 0);
    latency_add(&latency, 1000);
    assert_in_range(latency_quantile_us(&latency, 99), 1000, 1250);
}

/* Rounded up, by less than a quarter, over all magnitudes. */
static void a_value_is_known_to_its_step(void **state)
{
    (void) state;
    for (uint64_t us = 1; us < UINT64_C(3600000000); us += us / 7 + 1) {
        struct latency latency = { 0 };
        uint64_t known;

        for (int i = 0; i < 20; i++)
            latency_add(&latency, us);
        known = latency_quantile_us(&latency, 50);
        assert_true(known >= us);
        assert_true(known <= us + us / 4);
    }
}

static void the_longest_has_the_last_step(void **state)
{
    struct latency latency = { 0 };

    (void) state;
    for (int i = 0; i < 20; i++)
        latency_add(&latency, UINT64_MAX);
    assert_true(latency_quantile_us(&latency, 99) > UINT64_C(3600000000));
    latency_add(&latency, 0);
    assert_int_equal(latency_quantile_us(&latency, 1), 0);
}

static void quantiles(void **state)
{
    struct latency latency = { 0 };

    (void) state;
    for (int i = 0; i < 95; i++)
        latency_add(&latency, 100);
    for (int i = 0; i < 5; i++)
        latency_add(&latency, 100000);
    assert_in_range(latency_quantile_us(&latency, 50), 100, 125);
    assert_in_range(latency_quantile_us(&latency, 95), 100, 125);
    assert_in_range(latency_quantile_us(&latency, 96), 100000, 125000);
    assert_in_range(latency_quantile_us(&latency, 99), 100000, 125000);
}

static void what_was_long_ago_is_forgotten(void **state)
{
    struct latency latency = { 0 };

    (void) state;
    for (int i = 0; i < 1000; i++)
        latency_add(&latency, 100000);
    for (int i = 0; i < 8000; i++)
        latency_add(&latency, 100);
    assert_in_range(latency_quantile_us(&latency, 99), 100, 125);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_answers_say_nothing),        cmocka_unit_test(a_value_is_known_to_its_step),
        cmocka_unit_test(the_longest_has_the_last_step),  cmocka_unit_test(quantiles),
        cmocka_unit_test(what_was_long_ago_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
