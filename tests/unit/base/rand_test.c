/* SPDX-License-Identifier: Apache-2.0 */
/* Dice: the published sequence of SplitMix64, bounds, an even spread, different seeds. */
#include "mesh_test.h"

#include "base/base.h"

static void sequence_is_splitmix64(void **state)
{
    struct rand dice;

    (void) state;
    rand_seed_with(&dice, 1234567);
    assert_true(rand_u64(&dice) == UINT64_C(6457827717110365317));
    assert_true(rand_u64(&dice) == UINT64_C(3203168211198807973));
    assert_true(rand_u64(&dice) == UINT64_C(9817491932198370423));
}

static void below_stays_below(void **state)
{
    static const uint64_t limits[] = { 1, 2, 3, 1000, UINT64_C(1) << 63, UINT64_MAX };
    struct rand dice;

    (void) state;
    rand_seed_with(&dice, 1);
    assert_true(rand_below(&dice, 0) == 0);
    for (size_t i = 0; i < COUNT_OF(limits); i++)
        for (int n = 0; n < 1000; n++)
            assert_true(rand_below(&dice, limits[i]) < limits[i]);
}

static void below_spreads_evenly(void **state)
{
    uint32_t counts[10] = { 0 };
    struct rand dice;

    (void) state;
    rand_seed_with(&dice, 99);
    for (int n = 0; n < 100000; n++)
        counts[rand_below(&dice, 10)]++;
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        assert_in_range(counts[i], 9500, 10500);
}

static void seeds_differ(void **state)
{
    struct rand a, b;

    (void) state;
    rand_seed(&a);
    rand_seed(&b);
    assert_true(rand_u64(&a) != rand_u64(&b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequence_is_splitmix64),
        cmocka_unit_test(below_stays_below),
        cmocka_unit_test(below_spreads_evenly),
        cmocka_unit_test(seeds_differ),
    };

    return cmocka_run_group_tests_name("base/rand", tests, NULL, NULL);
}
