/* SPDX-License-Identifier: Apache-2.0 */
/* An arena: what it gives is zeroed, aligned, apart from everything else, and gone with it. */
#include "base/base.h"

#include <stdint.h>
#include <string.h>

#include "mesh_test.h"

static bool is_zero(const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i])
            return false;
    return true;
}

static void elements_are_zeroed_and_apart(void **state)
{
    static const size_t sizes[] = { 1, 7, 16, 100, 2048, 2049, 5000, 20000, 3 };
    enum { ROUNDS = 50, N = ROUNDS * COUNT_OF(sizes) };
    unsigned char *given[N];
    struct arena *arena = arena_new();

    (void) state;
    for (size_t i = 0; i < N; i++) {
        size_t size = sizes[i % COUNT_OF(sizes)];

        given[i] = arena_array(arena, 1, size);
        assert_non_null(given[i]);
        assert_int_equal((uintptr_t) given[i] % 16, 0);
        assert_true(is_zero(given[i], size));
        memset(given[i], (int) (i % 255) + 1, size);
    }
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < sizes[i % COUNT_OF(sizes)]; k++)
            assert_int_equal(given[i][k], i % 255 + 1);
    arena_free(arena);
}

static void texts_are_copies(void **state)
{
    struct arena *arena = arena_new();
    char text[] = "a text";
    const char *copy = arena_text(arena, text, 3), *empty = arena_text(arena, text, 0);

    (void) state;
    text[0] = 'x';
    assert_string_equal(copy, "a t");
    assert_string_equal(empty, "");
    arena_free(arena);
    arena_free(NULL);
}

static void sizes_that_do_not_fit_are_refused(void **state)
{
    struct arena *arena = arena_new();

    (void) state;
    assert_null(arena_array(arena, SIZE_MAX / 2, 3));
    assert_null(arena_array(arena, 1, SIZE_MAX));
    assert_null(arena_array(arena, 1, SIZE_MAX - 20));
    assert_non_null(arena_array(arena, 0, 8));
    arena_free(arena);
}

static int32_t fill(void)
{
    struct arena *arena = arena_new();
    bool done = arena && arena_array(arena, 1, 10000) && arena_text(arena, "abc", 3) && arena_array(arena, 30, 300);

    arena_free(arena);
    return done ? 0 : MESH_ERR_NOMEM;
}

static void any_allocation_may_fail(void **state)
{
    (void) state;
    mesh_test_each_allocation_fails(fill);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(elements_are_zeroed_and_apart),
        LEAK_TEST(texts_are_copies),
        LEAK_TEST(sizes_that_do_not_fit_are_refused),
        cmocka_unit_test(any_allocation_may_fail),
    };

    return cmocka_run_group_tests_name("base/arena", tests, NULL, NULL);
}
