/* SPDX-License-Identifier: Apache-2.0 */
/* Latencies of the last half minute: few say nothing, old ones are forgotten, the answer holds for three seconds. */
#include "cluster/recent.h"

#include "base/clock.h"
#include "mesh_test.h"

#define AT_S(n) ((n) *US_PER_S)

static void add(struct recent *recent, unsigned n, uint64_t us, uint64_t now_us)
{
    for (unsigned i = 0; i < n; i++)
        recent_add(recent, us, now_us);
}

static void few_answers_say_nothing(void **state)
{
    struct recent recent = { 0 };

    (void) state;
    add(&recent, 19, 1000, AT_S(100));
    assert_int_equal(recent_quantile_us(&recent, 95, AT_S(100)), 0);
    add(&recent, 1, 1000, AT_S(100));
    assert_in_range(recent_quantile_us(&recent, 95, AT_S(100)), 1000, 1250);
}

static void quantiles(void **state)
{
    struct recent recent = { 0 };

    (void) state;
    add(&recent, 95, 100, AT_S(100));
    add(&recent, 5, 100000, AT_S(101));
    assert_in_range(recent_quantile_us(&recent, 95, AT_S(101)), 100, 125);
    assert_in_range(recent_quantile_us(&recent, 96, AT_S(101)), 100000, 125000);
    assert_in_range(recent_quantile_us(&recent, 50, AT_S(101)), 100, 125);
}

static void the_answer_holds_for_three_seconds(void **state)
{
    struct recent recent = { 0 };

    (void) state;
    add(&recent, 20, 100, AT_S(99));
    assert_in_range(recent_quantile_us(&recent, 50, AT_S(99)), 100, 125);
    add(&recent, 1000, 100000, AT_S(100));
    assert_in_range(recent_quantile_us(&recent, 50, AT_S(101)), 100, 125);
    assert_in_range(recent_quantile_us(&recent, 50, AT_S(102)), 100000, 125000);
}

static void what_is_older_than_half_a_minute_is_forgotten(void **state)
{
    struct recent recent = { 0 };

    (void) state;
    add(&recent, 100, 100000, AT_S(99));
    add(&recent, 20, 100, AT_S(120));
    assert_in_range(recent_quantile_us(&recent, 50, AT_S(128)), 100000, 125000);
    assert_in_range(recent_quantile_us(&recent, 50, AT_S(129)), 100, 125);
    assert_int_equal(recent_quantile_us(&recent, 50, AT_S(150)), 0);
    add(&recent, 20, 100, AT_S(1000)); /* after a long pause */
    assert_in_range(recent_quantile_us(&recent, 50, AT_S(1000)), 100, 125);
    assert_int_equal(recent.n, 20);
    assert_int_equal(recent_quantile_us(&recent, 50, AT_S(100000)), 0);
    assert_int_equal(recent.n, 0);
}

static void what_was_ended_early_counts_when_it_was_late(void **state)
{
    struct recent recent = { 0 };

    (void) state;
    recent_add_least(&recent, 500000, AT_S(100)); /* late is not known yet */
    assert_int_equal(recent.n, 0);
    add(&recent, 20, 100, AT_S(100));
    recent_quantile_us(&recent, 95, AT_S(100));
    recent_add_least(&recent, 50, AT_S(100));
    assert_int_equal(recent.n, 20);
    recent_add_least(&recent, 500000, AT_S(100));
    assert_int_equal(recent.n, 21);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_answers_say_nothing),
        cmocka_unit_test(quantiles),
        cmocka_unit_test(the_answer_holds_for_three_seconds),
        cmocka_unit_test(what_is_older_than_half_a_minute_is_forgotten),
        cmocka_unit_test(what_was_ended_early_counts_when_it_was_late),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
