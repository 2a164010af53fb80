/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation: sizes at the edge, the failure switch, the count of live blocks. */
#include "mesh_test.h"

#include <string.h>

#include "base/base.h"

static void blocks_are_what_was_asked_for(void **state)
{
    static const uint8_t zeros[64];
    uint8_t *block = mem_zalloc(64);
    uint8_t *array = mem_array(16, 4);
    char *text = mem_strdup("text");
    char *part = mem_strndup("text", 2);

    (void) state;
    assert_memory_equal(block, zeros, 64);
    assert_memory_equal(array, zeros, 64);
    assert_string_equal(text, "text");
    assert_string_equal(part, "te");
    mem_free(block);
    mem_free(array);
    mem_free(text);
    mem_free(part);
    mem_free(NULL);
}

static void nothing_is_something(void **state)
{
    void *blocks[] = { mem_alloc(0), mem_zalloc(0), mem_array(0, 8), mem_array(8, 0), mem_realloc(NULL, 0) };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        assert_non_null(blocks[i]);
        mem_free(blocks[i]);
    }
}

static void products_that_overflow_are_refused(void **state)
{
    volatile size_t half = SIZE_MAX / 2; /* what the compiler can compute it warns about */

    (void) state;
    assert_null(mem_array(half, 3));
    assert_null(mem_array(half + 2, 2));
}

static void realloc_keeps_the_bytes_and_counts_once(void **state)
{
    char *text = mem_strdup("abc");
    char *longer = mem_realloc(text, 1000);

    (void) state;
    assert_non_null(longer);
    assert_string_equal(longer, "abc");
    longer = mem_realloc(longer, 4);
    assert_string_equal(longer, "abc");
    mem_free(longer);
}

static void nth_allocation_fails_alone(void **state)
{
    char *text;
    int64_t live;

    (void) state;
    mem_watch(2, false);
    text = mem_alloc(1);
    assert_non_null(text);
    assert_null(mem_realloc(text, 10));
    text = mem_realloc(text, 10);
    assert_non_null(text);
    mem_free(text);
    assert_true(mem_unwatch(&live));
    assert_int_equal(live, 0);
}

static void each_kind_of_allocation_can_fail(void **state)
{
    (void) state;
    mem_watch(1, true);
    assert_null(mem_alloc(1));
    assert_null(mem_zalloc(1));
    assert_null(mem_array(1, 1));
    assert_null(mem_realloc(NULL, 1));
    assert_null(mem_strdup("x"));
    assert_null(mem_strndup("x", 1));
    assert_true(mem_unwatch(NULL));
}

static void a_failure_not_reached_is_told(void **state)
{
    (void) state;
    mem_watch(3, false);
    mem_free(mem_alloc(1));
    mem_free(mem_alloc(1));
    assert_false(mem_unwatch(NULL));
    mem_watch(0, false);
    assert_false(mem_unwatch(NULL));
}

static void live_blocks_are_counted(void **state)
{
    void *a, *b;
    int64_t live;

    (void) state;
    mem_watch(0, false);
    a = mem_alloc(1);
    b = mem_strdup("x");
    mem_unwatch(&live);
    assert_int_equal(live, 2);
    mem_watch(0, false);
    mem_free(a);
    mem_free(b);
    mem_unwatch(&live);
    assert_int_equal(live, -2);
}

static int32_t two_allocations(void)
{
    char *a = mem_alloc(1);
    char *b = a ? mem_alloc(1) : NULL;
    int32_t err = a && b ? 0 : MESH_ERR_NOMEM;

    mem_free(b);
    mem_free(a);
    return err;
}

static void the_loop_over_all_failures_ends(void **state)
{
    (void) state;
    mesh_test_each_allocation_fails(two_allocations);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(blocks_are_what_was_asked_for),          LEAK_TEST(nothing_is_something),
        LEAK_TEST(products_that_overflow_are_refused),     LEAK_TEST(realloc_keeps_the_bytes_and_counts_once),
        cmocka_unit_test(nth_allocation_fails_alone),      cmocka_unit_test(each_kind_of_allocation_can_fail),
        cmocka_unit_test(a_failure_not_reached_is_told),   cmocka_unit_test(live_blocks_are_counted),
        cmocka_unit_test(the_loop_over_all_failures_ends),
    };

    return cmocka_run_group_tests_name("base/mem", tests, NULL, NULL);
}
