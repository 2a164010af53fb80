/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions: RE2's grammar and no more, whole texts, replacing, and patterns that mean harm. */
#include "base/base.h"

#include <pthread.h>
#include <string.h>

#include "mesh_test.h"

static struct regex *regex_of(const char *pattern, enum regex_use use)
{
    struct regex *regex;
    struct fault fault = { 0 };

    if (regex_new(pattern, use, &regex, &fault))
        fail_msg("%s", fault.text);
    return regex;
}

/* ---- what is allowed ---- */

static void patterns_of_re2_are_taken(void **state)
{
    static const char *const patterns[] = {
        "",
        "a|b|",
        "/users/[0-9]+",
        "(?i)abc(?-i)d",
        "(?i:abc)(?s-m:.)",
        "(?P<id>[^/]+)/(?<name>.*?)",
        "[]a]",
        "[^]a-z\\]\\-]",
        "[[:alpha:][:^digit:]_]",
        "[a[:b]",
        "\\d\\D\\s\\S\\w\\W\\b\\B\\A\\z",
        "\\x41\\x{1F600}\\012\\t\\n\\r\\f\\a",
        "\\pL\\p{Greek}\\P{^Lu}[\\pN]",
        "\\Q(?=*\\E+\\.\\/\\-\\{\\}\\_",
        "a*?b+?c??d{2,3}?",
        "/users/{id}/{a,b}",
        "x{1000}",
        "(x{10}){100}",
        "((a{10}){10}b{9}){10}",
        "\xc3\xa9+",
        "^a$|^b$",
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(patterns); i++)
        regex_free(regex_of(patterns[i], REGEX_TO_MATCH));
}

static void what_re2_does_not_know_is_refused(void **state)
{
    static const struct {
        const char *pattern, *says;
    } cases[] = {
        { "(a)\\1", "at byte 3: what was matched before cannot be matched again" },
        { "a(?=b)", "at byte 1: there are no such groups" },
        { "a(?!b)", "at byte 1: there are no such groups" },
        { "(?<=a)b", "at byte 0: there are no such groups" },
        { "(?<!a)b", "at byte 0: there are no such groups" },
        { "(?>a)", "no such groups" },
        { "(?|a)", "no such groups" },
        { "(?R)", "no such groups" },
        { "(?1)", "no such groups" },
        { "(?P>a)", "no such groups" },
        { "(?P=a)", "no such groups" },
        { "(?(1)a)", "no such groups" },
        { "(?C1)", "no such groups" },
        { "(?#a)", "no such groups" },
        { "(?x)a", "no such groups" },
        { "(?^)a", "no such groups" },
        { "(?'a'b)", "no such groups" },
        { "(?i-)a", "no such groups" },
        { "(*ACCEPT)a", "no such groups" },
        { "(*UTF)a", "no such groups" },
        { "a*+", "cannot be repeated without a group" },
        { "a**", "cannot be repeated without a group" },
        { "a{2}{3}", "cannot be repeated without a group" },
        { "a??\?", "cannot be repeated without a group" },
        { "*a", "nothing to repeat" },
        { "a|+", "nothing to repeat" },
        { "(?i)*", "nothing to repeat" },
        { "{2}", "nothing to repeat" },
        { "a{1001}", "more than 1000 times" },
        { "a{1,99999999999999999999}", "more than 1000 times" },
        { "((a{10}){11}){10}", "more than 1000 times" },
        { "a{,5}", "an incomplete repetition" },
        { "a{ 1, 2 }", "an incomplete repetition" },
        { "\\C", "no such escape" },
        { "\\R", "no such escape" },
        { "\\K", "no such escape" },
        { "\\h", "no such escape" },
        { "\\v", "no such escape" },
        { "\\Z", "no such escape" },
        { "\\G", "no such escape" },
        { "\\E", "no such escape" },
        { "\\k{a}", "no such escape" },
        { "\\g1", "no such escape" },
        { "\\x4", "no such escape" },
        { "\\x{}", "no such escape" },
        { "a\\", "no such escape" },
        { "[\\b]", "no such escape in a class" },
        { "[\\R]", "no such escape in a class" },
        { "[[:<:]]", "no such class" },
        { "[[:foo:]]", "no such class" },
        { "[a", "the class does not end" },
        { "[a[", "the class does not end" },
        { "[[:alpha", "the class does not end" },
        { "(a", "a group does not end" },
        { "a)", "no group is open" },
        { "[b-a]", "range out of order" },
        { "\\p{Nowhere}", "unknown property" },
        { "\xff", "UTF-8" },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct regex *regex;
        struct fault fault = { 0 };

        MESH_ERR(MESH_ERR_INVALID, regex_new(cases[i].pattern, REGEX_TO_MATCH, &regex, &fault));
        assert_null(regex);
        if (!strstr(fault.text, cases[i].says))
            fail_msg("%s: \"%s\" is not in it", fault.text, cases[i].says);
    }
}

static char *many(const char *text, size_t n, const char *tail)
{
    size_t len = strlen(text);
    char *all = mem_alloc(n * len + strlen(tail) + 1);

    assert_non_null(all);
    for (size_t i = 0; i < n; i++)
        memcpy(all + i * len, text, len);
    memcpy(all + n * len, tail, strlen(tail) + 1);
    return all;
}

static void large_patterns_are_refused(void **state)
{
    struct regex *regex;
    struct fault fault = { 0 };
    char *longer = many("a", REGEX_MOST + 1, ""), *nested = many("(", 200, ""),
         *wide = many("(a{1000}b{1000})", 1000, "");

    (void) state;
    MESH_ERR(MESH_ERR_INVALID, regex_new(longer, REGEX_TO_MATCH, &regex, &fault));
    assert_non_null(strstr(fault.text, "at most 16384"));
    MESH_ERR(MESH_ERR_INVALID, regex_new(nested, REGEX_TO_MATCH, &regex, &fault));
    assert_non_null(strstr(fault.text, "too deep"));
    if (regex_new(wide, REGEX_TO_MATCH, &regex, &fault) == 0) /* a PCRE2 that was built for large patterns */
        regex_free(regex);
    mem_free(longer);
    mem_free(nested);
    mem_free(wide);
}

/* ---- matching ---- */

static void the_whole_text_is_matched(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        { "a", "a", true },
        { "a", "ab", false },
        { "a", "ba", false },
        { "a|ab", "ab", true },
        { "a*?", "aaa", true },
        { "^a$", "a", true },
        { "a$", "a\n", false },
        { "a.c", "a\nc", false },
        { "(?s)a.c", "a\nc", true },
        { "(?i)/Users", "/uSERS", true },
        { "/b/[^/]+/c", "/b/x/c", true },
        { "/b/[^/]+/c", "/b/x/y/c", false },
        { "", "", true },
        { "", "a", false },
        { "a{2,3}", "aaaa", false },
        { "(?U)a*", "aa", true },
        { "[[:alpha:]]+", "abc", true },
        { "\\d+", "\xd9\xa3", false }, /* digits of ASCII */
        { "\xc3\xa9.", "\xc3\xa9\xc3\xa8", true },
        { ".", "\xc3\xa9", true },
        { ".*", "\xff\xfe", false }, /* nothing matches what is not UTF-8, as with RE2 */
        { "[^a]*", "\xc3", false },
        { "/users/{id}", "/users/{id}", true },
        { "\\Qa.b\\E+", "a.bbb", true },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct regex *regex = regex_of(cases[i].pattern, REGEX_TO_MATCH);

        if (regex_matches(regex, cases[i].text, strlen(cases[i].text)) != cases[i].matches)
            fail_msg("\"%s\" and \"%s\"", cases[i].pattern, cases[i].text);
        regex_free(regex);
    }
}

static void matching_allocates_nothing(void **state)
{
    struct regex *regex = regex_of("/(users|orders)/([0-9]+)(/.*)?", REGEX_TO_MATCH);
    int64_t live;

    (void) state;
    mem_watch(1, true);
    assert_true(regex_matches(regex, "/users/42/orders", 16));
    assert_false(regex_matches(regex, "/users/x/orders", 15));
    assert_false(mem_unwatch(&live)); /* no allocation was asked for */
    regex_free(regex);
}

/* Backtracking alone would take these longer than the sun shines; the hang guard of the test is what fails. */
static void harmful_patterns_are_decided(void **state)
{
    static const struct {
        const char *pattern, *piece, *tail;
        size_t n;
        bool matches;
    } cases[] = {
        { "(a|aa)+$", "a", "", 8000, true },
        { "(a|aa)+$", "a", "b", 8000, false },
        { "(a|aa)+", "a", "", 8000, true },
        { "(a|aa)+", "a", "b", 8000, false }, /* a part of it does match */
        { "((a|aa){2})*", "a", "", 8000, true },
        { "(a+)+", "a", "", 8000, true },
        { "(?:.+?|a{1,}){1,3}", "ab", "\n", 4000, false },
        { "((\\D+?)*?_{0,2}?){1,3}", "\xc3\x9f", "", 4000, true },
        { "(\\012+|[[:alpha:]\\]]+|\\x{e9}+|\xc3\xa9+|\\Qab\\E+)+", "a]\xc3\xa9\nabb", "", 1000, true },
        { "(x(a|aa)+)?", "xa", "", 4000, false },
        { "((a|aa)+(bb)?)?", "a", "b", 8000, false },
        { "(a*)*b", "a", "", 8000, false },
        { "(a*)*b", "a", "b", 8000, true },
        { "(x+x+)+y", "x", "", 8000, false },
        { "(.*)*(.*)*(.*)*z", "x", "", 8000, false },
        { ".*.*.*.*=.*", "x", "", 8000, false },
        { ".*.*.*.*=.*", "x", "=", 8000, true },
        { "a*b|a*c|a*d|a*e|a*f|a*g|a*h", "a", "h", 8000, true },
        { "(a?){30}a{30}", "a", "", 30, true },
        { "((a{1,10}){1,10}){1,10}b", "a", "b", 500, true },
        { "([a-q][^u-z]{13}x)+", "abcdefghijklmnx", "", 500, true },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct regex *regex = regex_of(cases[i].pattern, REGEX_TO_MATCH);
        char *text = many(cases[i].piece, cases[i].n, cases[i].tail);

        if (regex_matches(regex, text, strlen(text)) != cases[i].matches)
            fail_msg("\"%s\" and %zu times \"%s\", \"%s\"", cases[i].pattern, cases[i].n, cases[i].piece,
                     cases[i].tail);
        mem_free(text);
        regex_free(regex);
    }
}

static void *match_many_times(void *given)
{
    const struct regex *regex = given;
    size_t wrong = 0;

    for (int i = 0; i < 2000; i++) {
        wrong += !regex_matches(regex, "/users/42/orders", 16);
        wrong += regex_matches(regex, "/users/42/order", 15);
    }
    return (void *) wrong;
}

static void one_regex_serves_many_threads(void **state)
{
    struct regex *regex = regex_of("/(users|orders)/([0-9]+)/orders", REGEX_TO_MATCH);
    pthread_t threads[4];

    (void) state;
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, match_many_times, regex), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *wrong;

        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    regex_free(regex);
}

/* ---- replacing ---- */

static void every_match_is_replaced(void **state)
{
    /* The first seven are those of RE2's documentation and tests of GlobalReplace(). */
    static const struct {
        const char *pattern, *substitution, *text, *becomes;
    } cases[] = {
        { "(qu|[b-df-hj-np-tv-z]*)([a-z]+)", "\\2\\1ay", "the quick brown fox jumps over the lazy dogs.",
          "ethay ickquay ownbray oxfay umpsjay overay ethay azylay ogsday." },
        { "\\w+", "\\0-NOSPAM", "abcd.efghi@google.com", "abcd-NOSPAM.efghi-NOSPAM@google-NOSPAM.com-NOSPAM" },
        { "^", "(START)", "foo", "(START)foo" },
        { "^", "(START)", "", "(START)" },
        { "$", "(END)", "", "(END)" },
        { "b", "bb", "ababababab", "abbabbabbabbabb" },
        { "b*", "bb", "aaaaa", "bbabbabbabbabbabb" },
        { "b*", "bb", "bababab", "bbabbabbabb" },
        { "a.*a", "(\\0)", "aba\naba", "(aba)\n(aba)" },
        { "x", "y", "abc", "abc" },
        { "^/service/([^/]+)(/.*)$", "\\2/instance/\\1", "/service/foo/v1/api", "/v1/api/instance/foo" },
        { "one", "two", "/xxx/one/yyy/one/zzz", "/xxx/two/yyy/two/zzz" },
        { "^(.*?)one(.*)$", "\\1two\\2", "/xxx/one/yyy/one/zzz", "/xxx/two/yyy/one/zzz" },
        { "(?i)/xxx/", "/yyy/", "/aaa/XxX/bbb", "/aaa/yyy/bbb" },
        { "(a)|(b)", "[\\1\\2\\\\]", "ab", "[a\\][b\\]" },
        { "", "-", "\xc3\xa9x", "-\xc3\xa9-x-" },
        { "a", "b", "a\xff", "a\xff" }, /* not UTF-8 */
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct regex *regex = regex_of(cases[i].pattern, REGEX_TO_REPLACE);
        struct fault fault;
        struct buf out = { 0 };

        MESH_OK(regex_check_substitution(regex, cases[i].substitution, &fault));
        MESH_OK(regex_replace(regex, cases[i].text, strlen(cases[i].text), cases[i].substitution, &out));
        assert_true(buf_append(&out, "", 1));
        assert_string_equal(buf_bytes(&out), cases[i].becomes);
        buf_free(&out);
        regex_free(regex);
    }
}

static void substitutions_are_checked(void **state)
{
    struct regex *regex = regex_of("(a)(b)", REGEX_TO_REPLACE);
    struct fault fault;

    (void) state;
    MESH_OK(regex_check_substitution(regex, "x\\2\\1\\0\\\\", &fault));
    MESH_ERR(MESH_ERR_INVALID, regex_check_substitution(regex, "\\3", &fault));
    assert_non_null(strstr(fault.text, "group 3 of a regular expression that has 2"));
    MESH_ERR(MESH_ERR_INVALID, regex_check_substitution(regex, "\\a", &fault));
    MESH_ERR(MESH_ERR_INVALID, regex_check_substitution(regex, "a\\", &fault));
    regex_free(regex);
}

static void replacing_has_an_end(void **state)
{
    static const char *const patterns[] = { "(a|aa)+$", "a*b|a*c|a*d|a*e|a*f|a*g|a*h", "(a?){30}a{30}c" };
    char *text = many("a", 8000, "!");

    (void) state;
    for (size_t i = 0; i < COUNT_OF(patterns); i++) {
        struct regex *regex = regex_of(patterns[i], REGEX_TO_REPLACE);
        struct buf out = { 0 };
        int32_t err = regex_replace(regex, text, strlen(text), "", &out);

        if (err != 0 && err != MESH_ERR_TOO_LARGE)
            fail_msg("%s: %s", patterns[i], error_name(err));
        buf_free(&out);
        regex_free(regex);
    }
    mem_free(text);
}

static int32_t make_and_use(void)
{
    struct regex *regex = NULL;
    struct fault fault;
    struct buf out = { 0 };
    int32_t err = regex_new("(a+)b", REGEX_TO_REPLACE, &regex, &fault);

    if (!err)
        err = regex_replace(regex, "aab", 3, "\\1", &out);
    buf_free(&out);
    regex_free(regex);
    return err;
}

static void any_allocation_may_fail(void **state)
{
    (void) state;
    mesh_test_each_allocation_fails(make_and_use);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(patterns_of_re2_are_taken),         LEAK_TEST(what_re2_does_not_know_is_refused),
        LEAK_TEST(large_patterns_are_refused),        LEAK_TEST(the_whole_text_is_matched),
        cmocka_unit_test(matching_allocates_nothing), LEAK_TEST(harmful_patterns_are_decided),
        LEAK_TEST(one_regex_serves_many_threads),     LEAK_TEST(every_match_is_replaced),
        LEAK_TEST(substitutions_are_checked),         LEAK_TEST(replacing_has_an_end),
        cmocka_unit_test(any_allocation_may_fail),
    };

    return cmocka_run_group_tests_name("base/regex", tests, NULL, NULL);
}
