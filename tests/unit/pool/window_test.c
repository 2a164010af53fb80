/* SPDX-License-Identifier: Apache-2.0 */
/* How an endpoint gets its attempts back after it was in doubt. */
#include "mesh_test.h"

#include "base/clock.h"
#include "pool/window.h"

static void without_doubt_there_is_no_window(void **state)
{
    struct window window = { 0 };

    (void) state;
    window_answered(&window, US_PER_S);
    window_failed(&window, US_PER_S);
    assert_true(window_admits(&window, 1000000, US_PER_S));
}

static void it_opens_with_answers(void **state)
{
    struct window window = { 0 };
    uint32_t first;

    (void) state;
    window_begin(&window, US_PER_S);
    first = window.limit;
    assert_true(window_admits(&window, first - 1, US_PER_S));
    assert_false(window_admits(&window, first, US_PER_S));
    for (uint32_t i = 0; i < first; i++)
        window_answered(&window, US_PER_S);
    assert_true(window_admits(&window, 2 * first - 1, US_PER_S)); /* doubled by one round */
    assert_false(window_admits(&window, 2 * first, US_PER_S));
}

static void many_failures_at_once_are_one(void **state)
{
    struct window window = { 0 };

    (void) state;
    window_begin(&window, US_PER_S);
    for (int i = 0; i < 90; i++)
        window_answered(&window, US_PER_S);
    assert_int_equal(window.limit, 100);
    for (int i = 0; i < 50; i++)
        window_failed(&window, 2 * US_PER_S);
    assert_int_equal(window.limit, 70);
    window_failed(&window, 2 * US_PER_S + 100 * US_PER_MS);
    assert_int_equal(window.limit, 49);
    for (uint64_t i = 0; i < 100; i++)
        window_failed(&window, (3 + i) * US_PER_S);
    assert_true(window_admits(&window, 3, 200 * US_PER_S)); /* never shut */
}

static void it_goes_when_it_holds_nothing_back(void **state)
{
    struct window window = { 0 };

    (void) state;
    window_begin(&window, US_PER_S);
    window_answered(&window, 3 * US_PER_S);
    assert_false(window_admits(&window, 1000, 3 * US_PER_S));
    window_answered(&window, 6 * US_PER_S - 1);
    assert_int_not_equal(window.limit, 0);
    window_answered(&window, 6 * US_PER_S);
    assert_int_equal(window.limit, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_doubt_there_is_no_window),
        cmocka_unit_test(it_opens_with_answers),
        cmocka_unit_test(many_failures_at_once_are_one),
        cmocka_unit_test(it_goes_when_it_holds_nothing_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
