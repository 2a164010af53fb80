/* SPDX-License-Identifier: Apache-2.0 */
/* The map against a plain array that does the same, in random order, and its answers at the edges. */
#include "mesh_test.h"

#include <string.h>

#include "base/base.h"

enum { KEYS = 400 };

static void zeroed_is_empty(void **state)
{
    struct map map = { 0 };
    size_t at = 0;

    (void) state;
    assert_null(map_get_text(&map, "a"));
    assert_null(map_remove(&map, "a", 1));
    assert_null(map_next(&map, &at));
    map_free(&map);
    map_free(&map);
}

static void keys_are_bytes_with_a_length(void **state)
{
    struct map map = { 0 };
    int one, two, three;

    (void) state;
    assert_true(map_put(&map, "ab", 2, &two));
    assert_true(map_put(&map, "abc", 1, &one));
    assert_true(map_put(&map, "", 0, &three));
    assert_ptr_equal(map_get(&map, "ab\0", 2), &two);
    assert_null(map_get(&map, "ab\0", 3));
    assert_ptr_equal(map_get_text(&map, "a"), &one);
    assert_ptr_equal(map_get_text(&map, ""), &three);
    assert_null(map_get_text(&map, "AB"));
    map_free(&map);
}

static void put_replaces_value_and_borrowed_key(void **state)
{
    struct map map = { 0 };
    char first[] = "key", second[] = "key";
    int one, two;

    (void) state;
    assert_true(map_put(&map, first, 3, &one));
    assert_true(map_put(&map, second, 3, &two));
    first[0] = '?'; /* as if its owner were gone */
    assert_ptr_equal(map_get_text(&map, "key"), &two);
    assert_int_equal(map.count, 1);
    assert_ptr_equal(map_remove(&map, "key", 3), &two);
    assert_int_equal(map.count, 0);
    map_free(&map);
}

static void assert_same(const struct map *map, char keys[KEYS][8], const bool *present)
{
    size_t at = 0, count = 0, walked = 0;

    for (size_t i = 0; i < KEYS; i++) {
        assert_ptr_equal(map_get_text(map, keys[i]), present[i] ? keys[i] : NULL);
        count += present[i];
    }
    for (char *key; (key = map_next(map, &at)); walked++)
        assert_ptr_equal(map_get_text(map, key), key);
    assert_int_equal(map->count, count);
    assert_int_equal(walked, count);
}

static void random_puts_and_removals_match_an_array(void **state)
{
    struct map map = { 0 };
    char keys[KEYS][8];
    bool present[KEYS] = { 0 };
    struct rand dice;

    (void) state;
    rand_seed_with(&dice, 7);
    for (size_t i = 0; i < KEYS; i++)
        snprintf(keys[i], sizeof keys[i], "k%zu", i);
    for (int round = 0; round < 20000; round++) {
        size_t i = rand_below(&dice, KEYS);

        if (rand_below(&dice, 2) == 0) {
            assert_true(map_put(&map, keys[i], strlen(keys[i]), keys[i]));
            present[i] = true;
        } else {
            assert_ptr_equal(map_remove(&map, keys[i], strlen(keys[i])), present[i] ? keys[i] : NULL);
            present[i] = false;
        }
        if (round % 500 == 0)
            assert_same(&map, keys, present);
    }
    assert_same(&map, keys, present);
    map_free(&map);
}

static void no_memory_changes_nothing(void **state)
{
    struct map map = { 0 };
    char keys[7][2] = { "a", "b", "c", "d", "e", "f", "g" };

    (void) state;
    mem_watch(1, true);
    assert_false(map_put(&map, "a", 1, &map));
    mem_unwatch(NULL);
    assert_null(map_get_text(&map, "a"));

    for (size_t i = 0; i < 6; i++)
        assert_true(map_put(&map, keys[i], 1, keys[i]));
    mem_watch(1, true);
    assert_false(map_put(&map, keys[6], 1, keys[6]));
    mem_unwatch(NULL);
    assert_int_equal(map.count, 6);
    for (size_t i = 0; i < 6; i++)
        assert_ptr_equal(map_get_text(&map, keys[i]), keys[i]);
    assert_null(map_get_text(&map, "g"));
    map_free(&map);
}

static void hash_depends_on_every_byte(void **state)
{
    char text[64] = { 0 };
    uint64_t empty = hash_bytes(text, sizeof text);

    (void) state;
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = 1;
        assert_true(hash_bytes(text, sizeof text) != empty);
        text[i] = 0;
    }
    assert_true(hash_bytes(text, sizeof text) == empty);
    assert_true(hash_bytes(text, sizeof text - 1) != empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(zeroed_is_empty),
        LEAK_TEST(keys_are_bytes_with_a_length),
        LEAK_TEST(put_replaces_value_and_borrowed_key),
        LEAK_TEST(random_puts_and_removals_match_an_array),
        cmocka_unit_test(no_memory_changes_nothing),
        cmocka_unit_test(hash_depends_on_every_byte),
    };

    return cmocka_run_group_tests_name("base/map", tests, NULL, NULL);
}
