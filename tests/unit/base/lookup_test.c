/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers found by the hash of what they stand for, also where hashes are the same. */
#include "mesh_test.h"

#include "base/base.h"

enum { MANY = 10000 };

struct wanted {
    const uint64_t *items;
    uint64_t item;
};

static bool is(const void *user, uint32_t number)
{
    const struct wanted *wanted = user;

    return wanted->items[number] == wanted->item;
}

static uint64_t good_hash(uint64_t item)
{
    return hash_bytes(&item, sizeof item);
}

static uint64_t no_hash(uint64_t item)
{
    (void) item;
    return 7;
}

static uint64_t upper_half(uint64_t item)
{
    return item << 32;
}

static void everything_is_found(uint64_t (*hash)(uint64_t), uint32_t n)
{
    static uint64_t items[MANY];
    struct lookup lookup = { 0 };

    for (uint32_t i = 0; i < n; i++) {
        items[i] = 3 * i;
        assert_true(lookup_add(&lookup, hash(items[i]), i));
    }
    assert_int_equal(lookup.count, n);
    for (uint32_t i = 0; i < 3 * n; i++) {
        struct wanted wanted = { items, i };

        assert_int_equal(lookup_find(&lookup, hash(i), is, &wanted), i % 3 == 0 ? i / 3 : LOOKUP_NONE);
    }
    lookup_free(&lookup);
}

static void numbers_are_found(void **state)
{
    (void) state;
    everything_is_found(good_hash, MANY);
    everything_is_found(upper_half, MANY);
    everything_is_found(no_hash, 100);
}

static void an_empty_one_has_nothing(void **state)
{
    struct lookup lookup = { 0 };
    struct wanted wanted = { NULL, 0 };

    (void) state;
    assert_int_equal(lookup_find(&lookup, 0, is, &wanted), LOOKUP_NONE);
    lookup_free(&lookup);
}

static void room_that_is_there_is_not_made_again(void **state)
{
    struct lookup lookup = { 0 };
    struct lookup_slot *slots;

    (void) state;
    assert_true(lookup_reserve(&lookup, MANY));
    slots = lookup.slots;
    for (uint32_t i = 0; i < MANY; i++)
        assert_true(lookup_add(&lookup, good_hash(i), i));
    assert_ptr_equal(lookup.slots, slots);
    lookup_free(&lookup);
}

static void without_memory_nothing_changes(void **state)
{
    uint64_t items[] = { 1, 2 };
    struct wanted wanted = { items, 1 };
    struct lookup lookup = { 0 };
    int64_t live;

    (void) state;
    mem_watch(1, false);
    assert_false(lookup_add(&lookup, 1, 0));
    assert_true(lookup_add(&lookup, 1, 0));
    mem_unwatch(&live);
    assert_int_equal(lookup_find(&lookup, 1, is, &wanted), 0);
    assert_int_equal(lookup.count, 1);
    lookup_free(&lookup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(numbers_are_found),
        LEAK_TEST(an_empty_one_has_nothing),
        LEAK_TEST(room_that_is_there_is_not_made_again),
        cmocka_unit_test(without_memory_nothing_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
