/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of log lines: numbers, times, quoting, and that a line never outgrows its room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <time.h>

#include "observe/line.h"

static const char *text_of(struct line *line)
{
    line->text[line->len] = '\0';
    return line->text;
}

static void test_numbers(void **state)
{
    struct line line = { 0 };

    (void) state;
    line_number(&line, 0);
    line_put(&line, " ");
    line_number(&line, INT64_MIN);
    line_put(&line, " ");
    line_number(&line, INT64_MAX);
    line_put(&line, " ");
    line_millis(&line, 1007);
    line_put(&line, " ");
    line_millis(&line, 12);
    assert_string_equal(text_of(&line), "0 -9223372036854775808 9223372036854775807 1.007 0.012");
}

/* Every day of four centuries and more, against libc. */
static void test_times_agree_with_libc(void **state)
{
    (void) state;
    for (uint64_t day = 0; day < UINT64_C(200000); day++) {
        time_t seconds = (time_t) (day * 86400 + day % 86400);
        struct line line = { 0 };
        char expected[64];
        struct tm tm;

        gmtime_r(&seconds, &tm);
        strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S.007Z", &tm);
        line_time(&line, (uint64_t) seconds * 1000000 + 7999);
        assert_string_equal(text_of(&line), expected);
    }
}

static void test_logfmt_quotes_what_would_mislead(void **state)
{
    static const char *const cases[][2] = {
        { "10.0.0.7:8080", "10.0.0.7:8080" },
        { "", "\"\"" },
        { "a b", "\"a b\"" },
        { "a=b", "\"a=b\"" },
        { "say \"no\"", "\"say \\\"no\\\"\"" },
        { "x\nlevel=ERROR", "\"x\\nlevel=ERROR\"" },
        { "\x1b[31m", "\"\\u001b[31m\"" },
    };

    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct line line = { 0 };

        line_logfmt(&line, cases[i][0]);
        assert_string_equal(text_of(&line), cases[i][1]);
    }
}

static void test_quoted_is_cut(void **state)
{
    struct line line = { 0 };
    char text[1000];

    (void) state;
    memset(text, 'x', sizeof text);
    line_quoted(&line, text, sizeof text, 10);
    assert_string_equal(text_of(&line), "\"xxxxxxxxxx\xe2\x80\xa6\"");
    line.len = 0;
    line_quoted(&line, NULL, 5, 10);
    assert_string_equal(text_of(&line), "\"\"");
}

static void test_line_never_outgrows_its_room(void **state)
{
    struct line *line = calloc(1, sizeof *line);
    char text[300];

    (void) state;
    memset(text, '\x01', sizeof text);
    for (int i = 0; i < 200; i++) {
        line_quoted(line, text, sizeof text, LINE_TEXT_MOST);
        line_bytes(line, text, 7);
        line_number(line, INT64_MIN);
        assert_true(line->len < LINE_ROOM);
    }
    assert_true(line->len > LINE_ROOM - 50);
    free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_times_agree_with_libc),
        cmocka_unit_test(test_logfmt_quotes_what_would_mislead),
        cmocka_unit_test(test_quoted_is_cut),
        cmocka_unit_test(test_line_never_outgrows_its_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
