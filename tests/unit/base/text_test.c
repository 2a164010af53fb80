/* SPDX-License-Identifier: Apache-2.0 */
/* Text: numbers, comparing without case, distances, making strangers' bytes printable. */
#include "mesh_test.h"

#include <string.h>

#include "base/base.h"

static void numbers_are_digits_only(void **state)
{
    static const char *const refused[] = { "",   " 1",   "1 ", "+1",
                                           "-1", "0x10", "1a", "18446744073709551616",
                                           "1.", ":",    "/",  "99999999999999999999999999" };
    uint64_t value = 42;

    (void) state;
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        if (text_to_u64(refused[i], strlen(refused[i]), &value))
            fail_msg("\"%s\" was taken for a number", refused[i]);
    assert_int_equal(value, 42);
    assert_true(text_to_u64("0", 1, &value));
    assert_int_equal(value, 0);
    assert_true(text_to_u64("007", 3, &value));
    assert_int_equal(value, 7);
    assert_true(text_to_u64("18446744073709551615", 20, &value));
    assert_true(value == UINT64_MAX);
    assert_true(text_to_u64("123456", 3, &value));
    assert_int_equal(value, 123);
}

static void numbers_are_written(void **state)
{
    static const struct {
        uint64_t value;
        const char *text;
    } cases[] = {
        { 0, "0" }, { 9, "9" }, { 10, "10" }, { 1234567, "1234567" }, { UINT64_MAX, "18446744073709551615" }
    };
    char text[TEXT_U64];

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(text_from_u64(cases[i].value, text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
}

static void case_is_ascii_only(void **state)
{
    (void) state;
    assert_true(text_equal_nocase("Content-Type", "cONTENT-tYPE"));
    assert_true(text_equal_nocase("", ""));
    assert_false(text_equal_nocase("a", "ab"));
    assert_false(text_equal_nocase("@", "`"));
    assert_false(text_equal_nocase("[", "{"));
    assert_false(text_equal_nocase("\xc4", "\xe4"));
    assert_true(text_equal_nocase_n("abX", 2, "ABy", 2));
    assert_false(text_equal_nocase_n("ab", 2, "abc", 3));
    assert_true(text_starts_with("srv+h2c://x", "srv+"));
    assert_true(text_starts_with("x", ""));
    assert_false(text_starts_with("sr", "srv+"));
    assert_false(text_starts_with("SRV+", "srv+"));
}

static void distance_counts_edits(void **state)
{
    char longer[200];

    (void) state;
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(text_distance("", ""), 0);
    assert_int_equal(text_distance("retry", "retry"), 0);
    assert_int_equal(text_distance("Retry", "rETRY"), 0);
    assert_int_equal(text_distance("retries", "retry"), 3);
    assert_int_equal(text_distance("", "abc"), 3);
    assert_int_equal(text_distance("abc", ""), 3);
    assert_int_equal(text_distance("kitten", "sitting"), 3);
    assert_int_equal(text_distance(longer, "a"), sizeof longer - 2);
    assert_true(text_distance("a", longer) == SIZE_MAX);
}

static void printable_escapes_what_could_break_a_line(void **state)
{
    char out[64];

    (void) state;
    assert_string_equal(text_printable("plain text ~", 12, out, sizeof out), "plain text ~");
    assert_string_equal(text_printable("a\"b\\c", 5, out, sizeof out), "a\\\"b\\\\c");
    assert_string_equal(text_printable("\r\n\0\x1b[1m", 7, out, sizeof out), "\\x0d\\x0a\\x00\\x1b[1m");
    assert_string_equal(text_printable("\x7f\xc3\xa4", 3, out, sizeof out), "\\x7f\\xc3\\xa4");
    assert_string_equal(text_printable("", 0, out, sizeof out), "");
}

static void printable_cuts_between_escapes(void **state)
{
    char out[8] = "?";

    (void) state;
    assert_string_equal(text_printable("abcdefghij", 10, out, 6), "abcde");
    assert_string_equal(text_printable("abc\ndef", 7, out, 7), "abc");
    assert_string_equal(text_printable("abc\ndef", 7, out, 8), "abc\\x0a");
    assert_string_equal(text_printable("abc", 3, out, 1), "");
    out[0] = '?';
    text_printable("abc", 3, out, 0);
    assert_int_equal(out[0], '?');
}

static void utf8_is_what_rfc_3629_says(void **state)
{
    static const char *const good[] = { "",
                                        "plain",
                                        "\xc2\x80",
                                        "\xdf\xbf",
                                        "\xe0\xa0\x80",
                                        "\xed\x9f\xbf",
                                        "\xee\x80\x80",
                                        "\xf0\x90\x80\x80",
                                        "a\xf4\x8f\xbf\xbfz" };
    static const char *const bad[] = { "\x80",
                                       "a\xbf",
                                       "\xc0\x80",
                                       "\xc1\xbf",
                                       "\xc2",
                                       "\xc2z",
                                       "\xe0\x9f\xbf",
                                       "\xed\xa0\x80",
                                       "\xe2\x82",
                                       "\xf0\x8f\xbf\xbf",
                                       "\xf4\x90\x80\x80",
                                       "\xf5\x80\x80\x80",
                                       "\xff" };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        if (!text_is_utf8(good[i], strlen(good[i])))
            fail_msg("good[%zu] was refused", i);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (text_is_utf8(bad[i], strlen(bad[i])))
            fail_msg("bad[%zu] was accepted", i);
    assert_true(text_is_utf8("a\0b", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_digits_only),
        cmocka_unit_test(numbers_are_written),
        cmocka_unit_test(case_is_ascii_only),
        cmocka_unit_test(distance_counts_edits),
        cmocka_unit_test(printable_escapes_what_could_break_a_line),
        cmocka_unit_test(printable_cuts_between_escapes),
        cmocka_unit_test(utf8_is_what_rfc_3629_says),
    };

    return cmocka_run_group_tests_name("base/text", tests, NULL, NULL);
}
