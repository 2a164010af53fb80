/* SPDX-License-Identifier: Apache-2.0 */
/* The clock: never back, replaced and given back, the wall clock in this century. */
#include "mesh_test.h"

#include "base/base.h"

static void system_clock_never_goes_back(void **state)
{
    uint64_t before = clock_now_us();

    (void) state;
    for (int i = 0; i < 10000; i++) {
        uint64_t now = clock_now_us();

        assert_true(now >= before);
        before = now;
    }
}

static void a_test_moves_its_own(void **state)
{
    uint64_t real = clock_now_us();

    (void) state;
    mesh_test_clock_start(5 * US_PER_S);
    assert_true(clock_now_us() == 5 * US_PER_S);
    mesh_test_clock_advance_ms(250);
    assert_true(clock_now_us() == 5 * US_PER_S + 250 * US_PER_MS);
    clock_replace(NULL);
    assert_true(clock_now_us() >= real);
}

static void wall_clock_counts_from_1970(void **state)
{
    (void) state;
    assert_true(clock_wall_us() / US_PER_S > UINT64_C(1600000000));
    assert_true(clock_wall_us() / US_PER_S < UINT64_C(10000000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(system_clock_never_goes_back),
        cmocka_unit_test(a_test_moves_its_own),
        cmocka_unit_test(wall_clock_counts_from_1970),
    };

    return cmocka_run_group_tests_name("base/clock", tests, NULL, NULL);
}
