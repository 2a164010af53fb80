/* SPDX-License-Identifier: Apache-2.0 */
/* The byte buffer: what goes in comes out, consumed room is used again, no memory changes nothing. */
#include "mesh_test.h"

#include <string.h>

#include "base/base.h"

static void assert_holds(const struct buf *b, const char *text)
{
    assert_int_equal(buf_len(b), strlen(text));
    if (*text)
        assert_memory_equal(buf_bytes(b), text, strlen(text));
}

static void zeroed_is_empty(void **state)
{
    struct buf b = { 0 };

    (void) state;
    assert_int_equal(buf_len(&b), 0);
    assert_null(buf_bytes(&b));
    assert_true(buf_append(&b, NULL, 0));
    assert_holds(&b, "");
    buf_free(&b);
    buf_free(&b);
}

static void appended_is_consumed_in_order(void **state)
{
    struct buf b = { 0 };

    (void) state;
    assert_true(buf_append_text(&b, "one "));
    assert_true(buf_append(&b, "two\0three", 9));
    assert_true(buf_printf(&b, " %d%s", 4, "!"));
    buf_consume(&b, 4);
    assert_int_equal(buf_len(&b), 12);
    assert_memory_equal(buf_bytes(&b), "two\0three 4!", 12);
    buf_consume(&b, 12);
    assert_holds(&b, "");
    assert_true(buf_append_text(&b, "again"));
    buf_clear(&b);
    assert_holds(&b, "");
    buf_free(&b);
}

static void room_is_written_in_place(void **state)
{
    struct buf b = { 0 };
    uint8_t *room = buf_room(&b, 1000);

    (void) state;
    assert_non_null(room);
    memset(room, 'x', 1000);
    buf_added(&b, 3);
    assert_holds(&b, "xxx");
    assert_ptr_equal(buf_room(&b, 10), room + 3);
    buf_free(&b);
}

static void steady_flow_needs_no_more_memory(void **state)
{
    struct buf b = { 0 };
    size_t cap;

    (void) state;
    assert_true(buf_append_text(&b, "0123456789"));
    cap = b.cap;
    for (int i = 0; i < 10000; i++) {
        assert_true(buf_append_text(&b, "0123456789"));
        buf_consume(&b, 10);
        assert_holds(&b, "0123456789");
    }
    assert_int_equal(b.cap, cap);
    buf_free(&b);
}

static void growth_keeps_what_was_there(void **state)
{
    struct buf b = { 0 };

    (void) state;
    for (int i = 0; i < 100000; i++)
        assert_true(buf_append(&b, &(uint8_t){ (uint8_t) i }, 1));
    buf_consume(&b, 999);
    for (int i = 999; i < 100000; i++)
        if (buf_bytes(&b)[i - 999] != (uint8_t) i)
            fail_msg("byte %d was lost", i);
    assert_int_equal(buf_len(&b), 100000 - 999);
    buf_free(&b);
}

static void what_is_lent_is_left_when_it_is_too_small(void **state)
{
    uint8_t bytes[8];
    struct buf b;

    (void) state;
    buf_lend(&b, bytes, sizeof bytes);
    assert_true(buf_append_text(&b, "abcdefgh"));
    assert_ptr_equal(b.data, bytes);
    buf_consume(&b, 2);
    assert_true(buf_append_text(&b, "ij"));
    assert_ptr_equal(b.data, bytes);
    assert_true(buf_append_text(&b, "k"));
    assert_ptr_not_equal(b.data, bytes);
    assert_holds(&b, "cdefghijk");
    buf_free(&b);
    buf_lend(&b, bytes, sizeof bytes);
    buf_free(&b);
    assert_null(b.data);
}

static void printf_grows_to_any_length(void **state)
{
    struct buf b = { 0 };

    (void) state;
    assert_true(buf_printf(&b, "%5000d", 7));
    assert_int_equal(buf_len(&b), 5000);
    assert_int_equal(buf_bytes(&b)[4999], '7');
    buf_free(&b);
}

static void impossible_sizes_are_refused(void **state)
{
    struct buf b = { 0 };

    (void) state;
    assert_true(buf_append_text(&b, "abc"));
    assert_null(buf_room(&b, SIZE_MAX));
    assert_null(buf_room(&b, SIZE_MAX / 2 + 2));
    assert_holds(&b, "abc");
    buf_free(&b);
}

static void no_memory_changes_nothing(void **state)
{
    struct buf b = { 0 };
    char large[1000] = { 0 };
    int64_t live;

    (void) state;
    mem_watch(1, true);
    assert_false(buf_append_text(&b, "abc"));
    assert_true(mem_unwatch(&live));
    assert_int_equal(live, 0);

    assert_true(buf_append_text(&b, "abc"));
    mem_watch(1, true);
    assert_false(buf_append(&b, large, sizeof large));
    assert_false(buf_printf(&b, "%300s", ""));
    assert_true(mem_unwatch(&live));
    assert_holds(&b, "abc");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(zeroed_is_empty),
        LEAK_TEST(appended_is_consumed_in_order),
        LEAK_TEST(room_is_written_in_place),
        LEAK_TEST(steady_flow_needs_no_more_memory),
        LEAK_TEST(growth_keeps_what_was_there),
        LEAK_TEST(printf_grows_to_any_length),
        LEAK_TEST(impossible_sizes_are_refused),
        cmocka_unit_test(what_is_lent_is_left_when_it_is_too_small),
        cmocka_unit_test(no_memory_changes_nothing),
    };

    return cmocka_run_group_tests_name("base/buf", tests, NULL, NULL);
}
