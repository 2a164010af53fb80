/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks that are used again: same bytes, bounded, no overflow, nothing leaks. */
#include "mesh_test.h"

#include <string.h>

#include "base/base.h"

static void a_freed_block_is_used_again(void **state)
{
    struct spare spare = { 0 };
    void *block = spare_alloc(&spare, 100);

    (void) state;
    spare_free(&spare, block);
    assert_true(spare.bytes >= 100);
    assert_ptr_equal(spare_alloc(&spare, 90), block);
    assert_int_equal(spare.bytes, 0);
    spare_free(&spare, block);
    spare_clear(&spare);
    assert_int_equal(spare.bytes, 0);
}

static void every_size_can_be_written_whole(void **state)
{
    struct spare spare = { 0 };

    (void) state;
    for (size_t size = 0; size < 3000; size += 7) {
        uint8_t *block = spare_alloc(&spare, size), *again;

        assert_non_null(block);
        assert_int_equal((uintptr_t) block % _Alignof(max_align_t), 0);
        memset(block, 0xee, size);
        spare_free(&spare, block);
        again = spare_array(&spare, 1, size);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(again[i], 0);
        spare_free(&spare, again);
    }
    spare_clear(&spare);
}

static void realloc_keeps_the_bytes(void **state)
{
    static const size_t sizes[] = { 3, 17, 200, 1000, 1020, 5000, 40, 100000 };
    struct spare spare = { 0 };
    char *block = spare_realloc(&spare, NULL, 4);

    (void) state;
    memcpy(block, "abc", 4);
    for (size_t i = 1; i < COUNT_OF(sizes); i++) {
        block = spare_realloc(&spare, block, sizes[i]);
        assert_string_equal(block, "abc");
        memset(block + 4, 0xee, sizes[i] - 4);
    }
    spare_free(&spare, block);
    spare_clear(&spare);
}

static void what_is_kept_is_bounded(void **state)
{
    enum { MANY = 500 };
    struct spare spare = { 0 };
    void *blocks[MANY];

    (void) state;
    for (int i = 0; i < MANY; i++)
        blocks[i] = spare_alloc(&spare, 400);
    for (int i = 0; i < MANY; i++)
        spare_free(&spare, blocks[i]);
    assert_in_range(spare.bytes, 1, SPARE_MOST_BYTES);
    spare_free(&spare, NULL);
    spare_clear(&spare);
}

static void no_size_overflows(void **state)
{
    volatile size_t half = SIZE_MAX / 2; /* what the compiler can compute it warns about */
    struct spare spare = { 0 };
    void *block = spare_alloc(&spare, 1);

    (void) state;
    assert_null(spare_array(&spare, half, 3));
    assert_null(spare_alloc(&spare, half * 2 + 1));
    assert_null(spare_realloc(&spare, block, half * 2 + 1));
    spare_free(&spare, block);
    spare_clear(&spare);
}

static void out_of_memory_is_told_and_nothing_leaks(void **state)
{
    struct spare spare = { 0 };
    int64_t live;
    void *block;

    (void) state;
    spare_free(&spare, spare_alloc(&spare, 100));
    mem_watch(2, true);
    block = spare_alloc(&spare, 100);
    assert_non_null(block);
    assert_null(spare_alloc(&spare, 100));
    assert_null(spare_realloc(&spare, block, 1000));
    spare_free(&spare, block);
    assert_true(mem_unwatch(&live));
    assert_int_equal(live, 0);
    spare_clear(&spare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_freed_block_is_used_again), cmocka_unit_test(every_size_can_be_written_whole),
        cmocka_unit_test(realloc_keeps_the_bytes),     cmocka_unit_test(what_is_kept_is_bounded),
        cmocka_unit_test(no_size_overflows),           cmocka_unit_test(out_of_memory_is_told_and_nothing_leaks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
