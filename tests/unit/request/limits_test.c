/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets by their key: shared, remembered while they matter, and forgotten. */
#include "request/limits.h"

#include "mesh_test.h"

#define START (UINT64_C(1000) * US_PER_S)

static struct route_bucket bucket_of(uint64_t key)
{
    return (struct route_bucket){ .key = key, .most = 1, .per_fill = 1, .fill_us = US_PER_S };
}

static bool takes(struct limits *limits, uint64_t key, uint64_t now_us)
{
    struct route_bucket bucket = bucket_of(key);

    return limits_take(limits, &bucket, now_us);
}

static void each_key_has_a_bucket(void **state)
{
    struct limits limits;

    (void) state;
    limits_init(&limits);
    assert_true(takes(&limits, 1, START));
    assert_false(takes(&limits, 1, START));
    assert_true(takes(&limits, 2, START));
    assert_true(takes(&limits, 1, START + US_PER_S));
    limits_free(&limits);
}

static void full_ones_are_forgotten_when_there_are_many(void **state)
{
    struct limits limits;
    uint64_t later = START + 2 * US_PER_S;

    (void) state;
    limits_init(&limits);
    for (uint64_t key = 0; key < LIMITS_MOST; key++)
        assert_true(takes(&limits, key, START));
    assert_true(takes(&limits, 5, later));
    assert_true(takes(&limits, LIMITS_MOST, later));
    assert_int_equal(limits.levels.count, 2);
    assert_false(takes(&limits, 5, later)); /* that one was not full */
    limits_free(&limits);
}

static void without_memory_nobody_is_refused(void **state)
{
    (void) state;
    for (uint64_t nth = 1; nth <= 2; nth++) {
        struct limits limits;
        int64_t live;

        limits_init(&limits);
        mem_watch(nth, true);
        assert_true(takes(&limits, 1, START));
        assert_true(takes(&limits, 1, START));
        limits_free(&limits);
        assert_true(mem_unwatch(&live));
        assert_int_equal(live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(each_key_has_a_bucket),
        LEAK_TEST(full_ones_are_forgotten_when_there_are_many),
        cmocka_unit_test(without_memory_nobody_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
