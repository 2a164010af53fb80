/* SPDX-License-Identifier: Apache-2.0 */
/* The error table against the enum of mesh/error.h, which is read as text: nothing is missing, misnamed or twice. */
#include "mesh_test.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

/* The next `NAME = NUMBER` after *at whose name begins with `prefix`; false at the end of the enum. */
static bool next_enumerator(const char **at, const char *prefix, char name[64], int32_t *value)
{
    const char *end = strchr(*at, '}');

    for (const char *p = strstr(*at, prefix); p && p < end; p = strstr(p + 1, prefix)) {
        size_t len = strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");

        if (strncmp(p + len, " = ", 3) != 0)
            continue;
        snprintf(name, 64, "%.*s", (int) len, p);
        *value = (int32_t) strtol(p + len + 3, NULL, 10);
        *at = p + len;
        return true;
    }
    return false;
}

static void read_header(char *text, size_t size)
{
    FILE *file = fopen(MESH_SOURCE_DIR "/include/mesh/error.h", "r");
    size_t len;

    assert_non_null(file);
    len = fread(text, 1, size - 1, file);
    fclose(file);
    assert_true(len < size - 1);
    text[len] = '\0';
}

static void table_has_what_the_header_declares(void **state)
{
    static char text[16384];
    const char *at;
    char name[64];
    int32_t value;
    size_t count = 0;

    (void) state;
    read_header(text, sizeof text);
    at = strstr(text, "enum mesh_err {");
    assert_non_null(at);
    while (next_enumerator(&at, "MESH_", name, &value)) {
        const struct error_entry *entry = error_entry(value);

        if (!entry)
            fail_msg("%s (%d) is not in the table", name, value);
        assert_string_equal(entry->name, name);
        assert_ptr_equal(error_entry_at(count), entry);
        count++;
    }
    assert_true(count > 20);
    assert_null(error_entry_at(count));
}

static void codes_are_unique_and_have_class_and_text(void **state)
{
    const struct error_entry *a, *b;

    (void) state;
    for (size_t i = 0; (a = error_entry_at(i)); i++) {
        assert_int_equal(a->class == MESH_CLASS_NONE, a->code == 0);
        assert_in_range(a->class, MESH_CLASS_NONE, MESH_CLASS_LOCAL);
        assert_true(a->code <= 0);
        assert_true(strlen(a->text) > 5 && islower((unsigned char) a->text[0]));
        assert_int_not_equal(a->text[strlen(a->text) - 1], '.');
        for (size_t j = 0; j < i && (b = error_entry_at(j)); j++) {
            assert_int_not_equal(a->code, b->code);
            assert_string_not_equal(a->text, b->text);
        }
    }
}

static void unknown_numbers_are_named_so(void **state)
{
    (void) state;
    assert_null(error_entry(1));
    assert_null(error_entry(-1));
    assert_null(error_entry(INT32_MIN));
    assert_string_equal(error_name(-999), "MESH_ERR_UNKNOWN");
    assert_string_equal(error_name(0), "MESH_OK");
    assert_string_equal(error_name(MESH_ERR_TIMEOUT), "MESH_ERR_TIMEOUT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_has_what_the_header_declares),
        cmocka_unit_test(codes_are_unique_and_have_class_and_text),
        cmocka_unit_test(unknown_numbers_are_named_so),
    };

    return cmocka_run_group_tests_name("base/error", tests, NULL, NULL);
}
