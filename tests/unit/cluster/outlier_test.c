/* SPDX-License-Identifier: Apache-2.0 */
/* When an endpoint is isolated, how it is tried again, and how it comes back. */
#include "mesh_test.h"

#include "cluster/outlier.h"

static const struct policy_outlier conf = {
    .consecutive = 5,
    .success_percent = 80,
    .min_requests = 20,
    .base_ms = 100,
    .max_ms = 30000,
    .max_percent = 50,
    .slow_start_ms = 30000,
};

/* Any hour will do. */
static const uint64_t begin = 3600 * US_PER_S;

static void isolate_now(struct outlier *outlier, uint64_t now)
{
    struct rand dice;

    rand_seed_with(&dice, now);
    outlier_isolate(outlier, &conf, now, &dice);
}

/* Fails it until it has earned isolation; returns after how many failures. */
static unsigned fail_until_earned(struct outlier *outlier, uint64_t now)
{
    unsigned n = 1;

    while (!outlier_failed(outlier, &conf, now))
        n++;
    return n;
}

static void five_failures_in_a_row_earn_it(void **state)
{
    struct outlier outlier = { 0 };

    (void) state;
    for (int i = 0; i < 4; i++)
        assert_false(outlier_failed(&outlier, &conf, begin));
    assert_false(outlier_answered(&outlier, &conf, begin));
    assert_int_equal(fail_until_earned(&outlier, begin), 5);
    assert_false(outlier.by_rate);
}

static void a_low_rate_earns_it_once_enough_is_known(void **state)
{
    struct outlier outlier = { 0 };
    unsigned n = 0;
    bool earned = false;

    (void) state;
    for (; !earned; n++)
        earned = n % 3 == 0 ? outlier_failed(&outlier, &conf, begin) : outlier_answered(&outlier, &conf, begin);
    assert_int_equal(n, conf.min_requests);
    assert_true(outlier.by_rate);
}

static void what_is_older_than_ten_seconds_is_forgotten(void **state)
{
    struct outlier outlier = { 0 };

    (void) state;
    for (int i = 0; i < 19; i++)
        if (i % 4 == 0)
            outlier_answered(&outlier, &conf, begin);
        else
            assert_false(outlier_failed(&outlier, &conf, begin));
    for (int i = 0; i < 30; i++)
        assert_false(outlier_answered(&outlier, &conf, begin + 10 * US_PER_S));
}

static void isolation_doubles_and_is_jittered(void **state)
{
    struct outlier outlier = { 0 };
    uint64_t now = begin, wait = 100 * US_PER_MS;

    (void) state;
    for (int i = 0; i < 12; i++, wait = wait * 2 < 30 * US_PER_S ? wait * 2 : 30 * US_PER_S) {
        isolate_now(&outlier, now);
        assert_in_range(outlier.until_us - now, wait / 2, wait);
        assert_false(outlier_tick(&outlier, outlier.until_us - 1));
        assert_true(outlier_tick(&outlier, outlier.until_us));
        now = outlier.until_us;
        outlier_probe(&outlier, now);
        assert_true(outlier_failed(&outlier, &conf, now));
    }
}

static void one_probe_decides(void **state)
{
    struct outlier outlier = { 0 };

    (void) state;
    isolate_now(&outlier, begin);
    assert_false(outlier_is_in(&outlier));
    outlier_tick(&outlier, outlier.until_us);
    assert_int_equal(outlier.state, OUTLIER_DUE);
    outlier_probe(&outlier, begin + US_PER_S);
    assert_int_equal(outlier.state, OUTLIER_PROBED);
    outlier_probe_untold(&outlier, begin + US_PER_S);
    assert_int_equal(outlier.state, OUTLIER_DUE);
    outlier_probe(&outlier, begin + US_PER_S);
    outlier_answered(&outlier, &conf, begin + US_PER_S);
    assert_int_equal(outlier.state, OUTLIER_RECOVERING);
    assert_true(outlier_is_in(&outlier));
}

/* A blip costs a second, not half a minute: ten times what the isolation lasted. */
static void the_share_grows_over_ten_times_the_isolation(void **state)
{
    struct outlier outlier = { 0 };
    uint64_t back = begin + 200 * US_PER_MS;

    (void) state;
    isolate_now(&outlier, begin);
    outlier_tick(&outlier, back);
    outlier_probe(&outlier, back);
    outlier_answered(&outlier, &conf, back);
    assert_int_equal(outlier_share(&outlier, back), 10);
    assert_int_equal(outlier_share(&outlier, back + US_PER_S), 50);
    assert_int_equal(outlier_share(&outlier, back + 2 * US_PER_S), 100);
    assert_false(outlier_tick(&outlier, back + 2 * US_PER_S - 1));
    assert_true(outlier_tick(&outlier, back + 2 * US_PER_S));
    assert_int_equal(outlier.state, OUTLIER_WELL);
}

static void half_of_them_at_most(void **state)
{
    (void) state;
    assert_false(outlier_may_isolate(1, 0, 50));
    assert_true(outlier_may_isolate(2, 0, 50));
    assert_false(outlier_may_isolate(2, 1, 50));
    assert_true(outlier_may_isolate(3, 0, 50));
    assert_false(outlier_may_isolate(3, 1, 50));
    assert_true(outlier_may_isolate(10, 4, 50));
    assert_false(outlier_may_isolate(10, 5, 50));
    assert_false(outlier_may_isolate(10, 0, 0));
}

/* Slow is not dead: its part would make the others slow. */
static void late_answers_alone_earn_it_after_three_seconds(void **state)
{
    struct outlier outlier = { 0 };

    (void) state;
    for (uint64_t ms = 0; ms < 3000; ms += 10)
        assert_false(outlier_late(&outlier, &conf, begin + ms * US_PER_MS));
    assert_false(outlier_answered(&outlier, &conf, begin + 3 * US_PER_S)); /* one answer, and it begins anew */
    for (uint64_t ms = 0; ms < 3000; ms += 10)
        assert_false(outlier_late(&outlier, &conf, begin + 4 * US_PER_S + ms * US_PER_MS));
    assert_true(outlier_late(&outlier, &conf, begin + 7 * US_PER_S));
    assert_false(outlier.by_rate);
}

static void few_late_answers_earn_nothing(void **state)
{
    struct outlier outlier = { 0 };

    (void) state;
    for (uint64_t i = 0; i < 4; i++)
        assert_false(outlier_late(&outlier, &conf, begin + i * 10 * US_PER_S));
}

static void a_late_probe_isolates_again(void **state)
{
    struct outlier outlier = { 0 };

    (void) state;
    fail_until_earned(&outlier, begin);
    isolate_now(&outlier, begin);
    outlier_tick(&outlier, begin + US_PER_S);
    outlier_probe(&outlier, begin + US_PER_S);
    assert_true(outlier_late(&outlier, &conf, begin + 2 * US_PER_S));
}

static void who_is_released_is_judged_anew(void **state)
{
    struct outlier outlier = { 0 };

    (void) state;
    fail_until_earned(&outlier, begin);
    assert_int_equal(outlier_failed_lately(&outlier, begin), 5);
    isolate_now(&outlier, begin);
    outlier_release(&outlier, begin + 1);
    assert_true(outlier_is_in(&outlier));
    assert_int_equal(outlier_failed_lately(&outlier, begin), 0);
    assert_int_equal(fail_until_earned(&outlier, begin + US_PER_S), 5);
    assert_int_equal(outlier_failed_lately(&outlier, begin + 2 * US_PER_S), 5);
    assert_int_equal(outlier_failed_lately(&outlier, begin + 3 * US_PER_S), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_failures_in_a_row_earn_it),
        cmocka_unit_test(a_low_rate_earns_it_once_enough_is_known),
        cmocka_unit_test(what_is_older_than_ten_seconds_is_forgotten),
        cmocka_unit_test(isolation_doubles_and_is_jittered),
        cmocka_unit_test(one_probe_decides),
        cmocka_unit_test(the_share_grows_over_ten_times_the_isolation),
        cmocka_unit_test(half_of_them_at_most),
        cmocka_unit_test(late_answers_alone_earn_it_after_three_seconds),
        cmocka_unit_test(few_late_answers_earn_nothing),
        cmocka_unit_test(a_late_probe_isolates_again),
        cmocka_unit_test(who_is_released_is_judged_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
