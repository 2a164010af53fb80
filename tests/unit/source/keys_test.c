/* SPDX-License-Identifier: Apache-2.0 */
/* The table of keys is complete, its names do not collide, and its defaults are allowed by its own rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <jansson.h>

#include "source/conf.h"

static void every_row_is_filled(void **state)
{
    (void) state;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key *key = key_at((enum key_id) i);

        assert_non_null(key->name);
        assert_non_null(key->help);
        assert_non_null(key->standard);
        assert_int_equal(key_id(key), i);
        assert_ptr_equal(key_find(key->name), key);
        assert_true(strlen(key->name) + strlen("MESH_") < KEY_NAME_MAX);
        assert_non_null(key_type_name(key->type));
        if (key->type == TYPE_NUMBER)
            assert_true(key->min < key->max && key->max <= INT64_MAX);
        if (key->type == TYPE_WORD || key->type == TYPE_WORDS)
            assert_non_null(key->words);
    }
    assert_null(key_find("retry"));
    assert_null(key_find(""));
}

static void numbers_of_a_policy_fit(void **state)
{
    (void) state;
    for (size_t i = KEY_TIMEOUT_MS; i < KEY_COUNT; i++) {
        const struct key *key = key_at((enum key_id) i);

        if (key->type == TYPE_NUMBER && i != KEY_RESPONSE_MAX_BYTES)
            assert_true(key->max <= UINT32_MAX);
    }
}

static void defaults_are_allowed(void **state)
{
    (void) state;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key *key = key_at((enum key_id) i);
        struct conf *conf = conf_new();
        struct fault fault = { 0 };

        if (key->standard[0] != '\0' && conf_set(conf, key->name, key->standard, &fault) != 0)
            fail_msg("%s", fault.text);
        if (key->standard[0] != '\0')
            assert_string_equal(conf_text(conf, key->name), key->standard);
        conf_free(conf);
    }
}

static void variables_lead_to_their_key_only(void **state)
{
    char name[KEY_NAME_MAX];

    (void) state;
    assert_string_equal(key_environment(key_at(KEY_RETRY_ATTEMPTS), name), "MESH_RETRY_ATTEMPTS");
    assert_string_equal(key_environment(key_at(KEY_DNS_MIN_TTL_MS), name), "MESH_DNS_MIN_TTL_MS");
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key *key = key_at((enum key_id) i);

        key_environment(key, name);
        assert_ptr_equal(key_of_environment(name), key_is_bare(key) ? key : NULL);
    }
    assert_null(key_of_environment("MESH_TARGET"));
}

static void groups_are_known(void **state)
{
    (void) state;
    assert_true(key_is_group("retry"));
    assert_true(key_is_group("log"));
    assert_false(key_is_group("retry.attempts"));
    assert_false(key_is_group("ret"));
}

static void words_are_walked(void **state)
{
    static const char *const words[] = { "a", "bb", "c" };
    const char *list = " a, bb ,,c\t,";
    size_t len;

    (void) state;
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        const char *word = key_word(&list, &len);

        assert_non_null(word);
        assert_int_equal(len, strlen(words[i]));
        assert_memory_equal(word, words[i], len);
    }
    assert_null(key_word(&list, &len));
    list = "";
    assert_null(key_word(&list, &len));
}

static void what_is_allowed_is_said(void **state)
{
    char out[256];

    (void) state;
    assert_string_equal(key_allowed(key_at(KEY_CONNECT_TIMEOUT_MS), out, sizeof out),
                        "a whole number of ms from 1 to 600000");
    assert_string_equal(key_allowed(key_at(KEY_RETRY_ATTEMPTS), out, sizeof out), "a whole number from 1 to 20");
    assert_string_equal(key_allowed(key_at(KEY_THREADS), out, sizeof out), "one of auto,none");
    for (size_t i = 0; i < KEY_COUNT; i++)
        assert_true(strlen(key_allowed(key_at((enum key_id) i), out, sizeof out)) > 5);
}

static void the_table_is_json(void **state)
{
    char *text = conf_keys();
    json_t *keys = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    json_t *key;

    (void) state;
    assert_int_equal(json_array_size(keys), KEY_COUNT);
    key = json_array_get(keys, KEY_RETRY_ATTEMPTS);
    assert_string_equal(json_string_value(json_object_get(key, "name")), "retry.attempts");
    assert_string_equal(json_string_value(json_object_get(key, "environment")), "MESH_RETRY_ATTEMPTS");
    assert_int_equal(json_integer_value(json_object_get(key, "default")), 3);
    assert_int_equal(json_integer_value(json_object_get(key, "max")), 20);
    key = json_array_get(keys, KEY_TARGET);
    assert_true(json_is_null(json_object_get(key, "environment")));
    json_decref(keys);
    mem_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_filled),     cmocka_unit_test(numbers_of_a_policy_fit),
        cmocka_unit_test(defaults_are_allowed),    cmocka_unit_test(variables_lead_to_their_key_only),
        cmocka_unit_test(groups_are_known),        cmocka_unit_test(words_are_walked),
        cmocka_unit_test(what_is_allowed_is_said), cmocka_unit_test(the_table_is_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
