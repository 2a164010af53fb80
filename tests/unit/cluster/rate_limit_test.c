/* SPDX-License-Identifier: Apache-2.0 */
/* The token bucket in virtual time: how many pass at once, how many in a while, and what a new policy makes of it. */
#include "cluster/rate_limit.h"

#include <pthread.h>

#include "base/clock.h"
#include "mesh_test.h"

#define START (1000 * US_PER_S)

static unsigned take_all(struct rate_limit *limit, const struct policy_rate_limit *policy, uint64_t now)
{
    unsigned n = 0;

    while (n < 10000000 && rate_limit_take(limit, policy, now))
        n++;
    return n;
}

static void without_a_rate_there_is_no_limit(void **state)
{
    static const struct policy_rate_limit none = { 0, 5 };
    struct rate_limit limit = { 0 };

    (void) state;
    for (int i = 0; i < 1000; i++)
        assert_true(rate_limit_take(&limit, &none, START));
    rate_limit_give_back(&limit, &none);
    assert_int_equal(limit.full_again, 0);
}

static void at_once_pass_as_many_as_the_burst(void **state)
{
    static const struct policy_rate_limit policies[] = { { 1, 0 },       { 100, 0 },        { 100, 7 },
                                                         { 3, 1000000 }, { 100000000, 50 }, { 1, 100000000 } };
    static const unsigned bursts[] = { 1, 100, 7, 1000000, 50, 10000000 };

    (void) state;
    for (size_t i = 0; i < sizeof bursts / sizeof *bursts; i++) {
        struct rate_limit limit = { 0 };

        assert_int_equal(take_all(&limit, &policies[i], START), bursts[i]);
        if (i < 3)
            assert_int_equal(take_all(&limit, &policies[i], START), 0);
    }
}

/* Whoever comes as fast as it can gets burst + rate * time, neither one more nor one less. */
static void in_a_while_pass_as_many_as_the_rate_gives(void **state)
{
    static const uint32_t rates[] = { 1, 3, 7, 100, 1000, 12345 };

    (void) state;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        const struct policy_rate_limit policy = { rates[i], 10 };
        struct rate_limit limit = { 0 };
        unsigned n = 0;

        for (uint64_t now = START; now < START + 10 * US_PER_S; now += 50)
            n += take_all(&limit, &policy, now);
        assert_in_range(n, 10 + rates[i] * 10 - 1, 10 + rates[i] * 10);
    }
}

static void they_pass_evenly(void **state)
{
    static const struct policy_rate_limit policy = { 100, 1 };
    struct rate_limit limit = { 0 };

    (void) state;
    for (uint64_t now = START; now < START + US_PER_S; now += 10 * US_PER_MS) {
        assert_int_equal(take_all(&limit, &policy, now), 1);
        assert_int_equal(take_all(&limit, &policy, now + 9 * US_PER_MS), 0);
    }
}

static void a_pause_gives_no_more_than_the_burst(void **state)
{
    static const struct policy_rate_limit policy = { 100, 0 };
    struct rate_limit limit = { 0 };

    (void) state;
    take_all(&limit, &policy, START);
    assert_int_equal(take_all(&limit, &policy, START + 500 * US_PER_MS), 50);
    assert_int_equal(take_all(&limit, &policy, START + 3600 * US_PER_S), 100);
}

static void what_was_not_used_is_there_again(void **state)
{
    static const struct policy_rate_limit policy = { 10, 0 };
    struct rate_limit limit = { 0 };

    (void) state;
    take_all(&limit, &policy, START);
    rate_limit_give_back(&limit, &policy);
    rate_limit_give_back(&limit, &policy);
    assert_int_equal(take_all(&limit, &policy, START), 2);
}

/* An hour's debt by the old policy is none by the new one. */
static void a_faster_policy_counts_at_once(void **state)
{
    static const struct policy_rate_limit slow = { 1, 3600 }, fast = { 100, 10 };
    struct rate_limit limit = { 0 };

    (void) state;
    assert_int_equal(take_all(&limit, &slow, START), 3600);
    rate_limit_adopt(&limit, &fast, START);
    assert_int_equal(take_all(&limit, &fast, START), 0);
    assert_int_equal(take_all(&limit, &fast, START + US_PER_S), 10);
    rate_limit_adopt(&limit, &slow, START + US_PER_S);
    assert_in_range(take_all(&limit, &slow, START + US_PER_S), 3599, 3600);
}

static void a_loop_whose_time_is_a_little_late_harms_nothing(void **state)
{
    static const struct policy_rate_limit policy = { 100, 0 };
    struct rate_limit limit = { 0 };

    (void) state;
    take_all(&limit, &policy, START);
    assert_int_equal(take_all(&limit, &policy, START - US_PER_S), 0);
    assert_int_equal(take_all(&limit, &policy, START + 100 * US_PER_MS), 10);
}

/* ---- several loops ---- */

enum { LOOPS = 4 };

static const struct policy_rate_limit shared_policy = { 1000, 100000 };

static bool take_of_three(struct rate_limit *limit, uint64_t now_us)
{
    return rate_limit_take_of(limit, 3, 2, 10 * US_PER_S, now_us);
}

static void tokens_may_come_less_often_than_one_a_second(void **state)
{
    struct rate_limit limit = { 0 };

    (void) state;
    assert_true(rate_limit_is_full(&limit, START));
    for (int i = 0; i < 3; i++)
        assert_true(take_of_three(&limit, START));
    assert_false(take_of_three(&limit, START + 5 * US_PER_S - 1));
    assert_true(take_of_three(&limit, START + 5 * US_PER_S));
    assert_false(take_of_three(&limit, START + 5 * US_PER_S));
    assert_false(rate_limit_is_full(&limit, START + 20 * US_PER_S - 1));
    assert_true(rate_limit_is_full(&limit, START + 20 * US_PER_S));
}

static void no_number_is_too_large(void **state)
{
    struct rate_limit limit = { 0 };

    (void) state;
    for (int i = 0; i < 100; i++)
        assert_true(rate_limit_take_of(&limit, UINT32_MAX, UINT32_MAX, 1, START));
    for (int i = 0; i < 100; i++)
        assert_true(rate_limit_take_of(&limit, UINT32_MAX, 1, UINT64_MAX, START));
    limit = (struct rate_limit){ 0 };
    for (int i = 0; i < 100; i++)
        assert_true(rate_limit_take_of(&limit, 100, 1, UINT64_MAX, START));
    assert_false(rate_limit_take_of(&limit, 100, 1, UINT64_MAX, START));
}

static void *take_from_a_loop(void *limit)
{
    return (void *) (uintptr_t) take_all(limit, &shared_policy, START);
}

static void all_loops_together_get_the_burst(void **state)
{
    struct rate_limit limit = { 0 };
    pthread_t loops[LOOPS];
    uintptr_t sum = 0;

    (void) state;
    for (int i = 0; i < LOOPS; i++)
        assert_int_equal(pthread_create(&loops[i], NULL, take_from_a_loop, &limit), 0);
    for (int i = 0; i < LOOPS; i++) {
        void *n;

        pthread_join(loops[i], &n);
        sum += (uintptr_t) n;
    }
    assert_int_equal(sum, 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_rate_there_is_no_limit),
        cmocka_unit_test(at_once_pass_as_many_as_the_burst),
        cmocka_unit_test(in_a_while_pass_as_many_as_the_rate_gives),
        cmocka_unit_test(they_pass_evenly),
        cmocka_unit_test(a_pause_gives_no_more_than_the_burst),
        cmocka_unit_test(what_was_not_used_is_there_again),
        cmocka_unit_test(a_faster_policy_counts_at_once),
        cmocka_unit_test(a_loop_whose_time_is_a_little_late_harms_nothing),
        cmocka_unit_test(tokens_may_come_less_often_than_one_a_second),
        cmocka_unit_test(no_number_is_too_large),
        cmocka_unit_test(all_loops_together_get_the_burst),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
