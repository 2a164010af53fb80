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

static void a_time_is_written_by_rfc_3339(void **state)
{
    static const struct {
        uint64_t wall_us;
        const char *text;
    } cases[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { UINT64_C(951782399999999), "2000-02-28T23:59:59.999Z" },
        { UINT64_C(951782400000000), "2000-02-29T00:00:00.000Z" },
        { UINT64_C(253402300799999000), "9999-12-31T23:59:59.999Z" },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[CLOCK_TEXT];

        clock_text(cases[i].wall_us, text);
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(system_clock_never_goes_back),
        cmocka_unit_test(a_test_moves_its_own),
        cmocka_unit_test(wall_clock_counts_from_1970),
        cmocka_unit_test(a_time_is_written_by_rfc_3339),
    };

    return cmocka_run_group_tests_name("base/clock", tests, NULL, NULL);
}
