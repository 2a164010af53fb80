/* SPDX-License-Identifier: Apache-2.0 */
/* Durations and mistyped names on the command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/duration.c"
#include "cli/nearest.c"

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } right[] = { { "250ms", 250 },  { "1s", 1000 }, { "1.5s", 1500 }, { "1m", 60000 },
                  { "2h", 7200000 }, { "0s", 0 },    { "0.0001s", 0 }, { ".5s", 500 } };
    static const char *const wrong[] = { "",    "s",    "5",    "5 s",  "1d",   "-1s",  "+1s",
                                         "1ss", "1e3s", "0x1s", "1..s", "infs", "nans", "99999999999999999h" };
    uint64_t ms;

    (void) state;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        assert_true(parse_duration(right[i].text, &ms));
        assert_int_equal(ms, right[i].ms);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(parse_duration(wrong[i], &ms));
}

static void test_nearest_names(void **state)
{
    static const char *const names[] = { "request", "bench", "endpoints", "resolve", "config" };
    static const char *const cases[][2] = {
        { "reqest", "request" }, { "benhc", "bench" }, { "end", "endpoints" }, { "resolv", "resolve" },
        { "conf", "config" },    { "zzzz", NULL },     { "", NULL },           { "x", NULL },
    };
    char long_word[500];

    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *found = nearest_name(cases[i][0], names, sizeof names / sizeof *names);

        if (cases[i][1])
            assert_string_equal(found, cases[i][1]);
        else
            assert_null(found);
    }
    memset(long_word, 'r', sizeof long_word - 1);
    long_word[sizeof long_word - 1] = '\0';
    assert_null(nearest_name(long_word, names, sizeof names / sizeof *names));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_nearest_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
