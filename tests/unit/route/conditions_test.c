/* SPDX-License-Identifier: Apache-2.0 */
/* What a route asks of a request, with Envoy's documented meanings. */
#include "route/conditions.h"

#include <string.h>

#include "mesh_test.h"

static struct match_text text_match(enum match_kind kind, const char *text)
{
    return (struct match_text){ .kind = kind, .text = text, .len = text ? strlen(text) : 0 };
}

/* A regex is the test's for its whole life. */
static struct match_text regex_match(const char *pattern)
{
    struct match_text match = { .kind = MATCH_REGEX };
    struct fault fault;

    MESH_OK(regex_new(pattern, REGEX_TO_MATCH, &match.regex, &fault));
    return match;
}

/* ---- paths ---- */

static void paths(void **state)
{
    static const struct {
        enum match_kind kind;
        bool ignore_case, ignore_parameters;
        const char *wanted, *path;
        bool matches;
    } cases[] = {
        { MATCH_EXACT, false, false, "/users", "/users", true },
        { MATCH_EXACT, false, false, "/users", "/users?a=/b", true },
        { MATCH_EXACT, false, false, "/users", "/users#top", true },
        { MATCH_EXACT, false, false, "/users", "/users/", false },
        { MATCH_EXACT, false, false, "/users", "/Users", false },
        { MATCH_EXACT, true, false, "/users", "/Users?A", true },
        { MATCH_EXACT, false, false, "/users", "/users;v=1", false },
        { MATCH_EXACT, false, true, "/users", "/users;v=1?q", true },
        { MATCH_EXACT, false, true, "/users", "/users?a;b", true },
        { MATCH_EXACT, false, true, "/users/42", "/users;v=1;w/42;x=/", false },
        { MATCH_EXACT, false, true, "/users/42", "/users;v=1;w/42;x?/", true },
        { MATCH_EXACT, false, true, "/users/", "/users;/", true },
        { MATCH_EXACT, false, true, "/a", "/a;b#;c/d", true },
        { MATCH_PREFIX, false, false, "/", "/", true },
        { MATCH_PREFIX, false, false, "/", "*", false },
        { MATCH_PREFIX, false, false, "", "*", true },
        { MATCH_PREFIX, false, false, "/api", "/apis", true },
        { MATCH_PREFIX, false, false, "/api/", "/api", false },
        { MATCH_PREFIX, false, false, "/api?", "/api?x", false }, /* the query is not looked at */
        { MATCH_PREFIX, true, false, "/api", "/API/x", true },
        { MATCH_PATH_PREFIX, false, false, "/api", "/api", true },
        { MATCH_PATH_PREFIX, false, false, "/api", "/api/x", true },
        { MATCH_PATH_PREFIX, false, false, "/api", "/api?x", true },
        { MATCH_PATH_PREFIX, false, false, "/api", "/apis", false },
        { MATCH_PATH_PREFIX, false, false, "/api", "/ap", false },
        { MATCH_PATH_PREFIX, true, false, "/api", "/Api/", true },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct match_text match = text_match(cases[i].kind, cases[i].wanted);

        match.ignore_case = cases[i].ignore_case;
        if (route_path_matches(&match, cases[i].path, cases[i].ignore_parameters) != cases[i].matches)
            fail_msg("\"%s\" and \"%s\", case %zu", cases[i].wanted, cases[i].path, i);
    }
}

static void paths_by_regex(void **state)
{
    struct match_text match = regex_match("/b[io]t");

    (void) state;
    assert_true(route_path_matches(&match, "/bit", false));
    assert_true(route_path_matches(&match, "/bot?x=1", false));
    assert_false(route_path_matches(&match, "/bite", false));
    assert_false(route_path_matches(&match, "/bit/bot", false));
    regex_free(match.regex);
}

/* ---- headers ---- */

static const struct mesh_header sent[] = {
    { "X-One", "value" }, { "x-many", "a" },    { "x-other", "z" }, { "X-Many", "b" },
    { "x-empty", "" },    { "x-number", "-5" }, { "x-many", "c" },  { "x-large", "99999999999999999999" },
};
static const struct route_request request = {
    .service = "users",
    .method = "PUT",
    .path = "/a?b=c",
    .headers = sent,
    .n_headers = COUNT_OF(sent),
};

static void expect(const struct match_header *match, bool matches, size_t at)
{
    if (route_header_matches(match, &request, sent, COUNT_OF(sent)) != matches)
        fail_msg("header \"%s\", case %zu", match->name, at);
}

static void headers(void **state)
{
    static const struct {
        const char *name;
        enum match_kind kind;
        const char *wanted;
        bool ignore_case, invert, missing_is_empty, matches;
    } cases[] = {
        { "x-one", MATCH_EXACT, "value", .matches = true },
        { "x-one", MATCH_EXACT, "VALUE", .matches = false },
        { "x-one", MATCH_EXACT, "value", .invert = true, .matches = false },
        { "x-one", MATCH_EXACT, "other", .invert = true, .matches = true },
        { "x-one", MATCH_PREFIX, "val", .matches = true },
        { "x-one", MATCH_SUFFIX, "lue", .matches = true },
        { "x-one", MATCH_SUFFIX, "val", .matches = false },
        { "x-one", MATCH_SUFFIX, "a value", .matches = false },
        { "x-one", MATCH_CONTAINS, "alu", .matches = true },
        { "x-one", MATCH_CONTAINS, "value", .matches = true },
        { "x-one", MATCH_CONTAINS, "values", .matches = false },
        { "x-one", MATCH_CONTAINS, "", .matches = true },
        { "x-one", MATCH_PRESENT, NULL, .matches = true },
        { "x-one", MATCH_PRESENT, NULL, .invert = true, .matches = false },
        { "x-many", MATCH_EXACT, "a,b,c", .matches = false },
        { "x-many", MATCH_EXACT, "c", .matches = true }, /* one of them is enough */
        { "x-many", MATCH_EXACT, "c", .invert = true, .matches = false },
        { "x-many", MATCH_EXACT, "d", .invert = true, .matches = true },
        { "x-many", MATCH_CONTAINS, "b", .matches = true },
        { "x-empty", MATCH_EXACT, "", .matches = true },
        { "x-empty", MATCH_PRESENT, NULL, .matches = true },
        { "x-none", MATCH_EXACT, "", .matches = false },
        { "x-none", MATCH_EXACT, "a", .invert = true, .matches = false },
        { "x-none", MATCH_EXACT, "a", .invert = true, .missing_is_empty = true, .matches = true },
        { "x-none", MATCH_EXACT, "", .missing_is_empty = true, .matches = true },
        { "x-none", MATCH_PRESENT, NULL, .matches = false },
        { "x-none", MATCH_PRESENT, NULL, .invert = true, .matches = true },
        { ":path", MATCH_EXACT, "/a?b=c", .matches = true },
        { ":method", MATCH_EXACT, "PUT", .matches = true },
        { ":authority", MATCH_EXACT, "users", .matches = true },
        { "host", MATCH_EXACT, "users", .matches = true },
        { ":scheme", MATCH_EXACT, "http", .matches = true },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct match_header match = { cases[i].name, text_match(cases[i].kind, cases[i].wanted), cases[i].invert,
                                      cases[i].missing_is_empty };

        expect(&match, cases[i].matches, i);
    }
}

static void headers_without_case(void **state)
{
    static const struct {
        enum match_kind kind;
        const char *wanted, *value;
        bool matches;
    } cases[] = {
        { MATCH_EXACT, "value", "VaLuE", true },        { MATCH_PREFIX, "val", "VALUE", true },
        { MATCH_SUFFIX, "lue", "VALUE", true },         { MATCH_CONTAINS, "alu", "xVALUE", true },
        { MATCH_CONTAINS, "alu", "VAL", false },        { MATCH_CONTAINS, "", "", true },
        { MATCH_EXACT, "\xc3\xa4", "\xc3\x84", false }, /* ASCII alone */
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct match_text match = text_match(cases[i].kind, cases[i].wanted);

        match.ignore_case = true;
        if (route_text_matches(&match, cases[i].value, strlen(cases[i].value)) != cases[i].matches)
            fail_msg("\"%s\" and \"%s\"", cases[i].wanted, cases[i].value);
    }
}

static void numbers_in_headers(void **state)
{
    static const struct {
        const char *value;
        int64_t from, to;
        bool matches;
    } cases[] = {
        { "-5", -10, 0, true },
        { "-5", -5, -4, true },
        { "-5", -10, -5, false },
        { "0", -10, 0, false },
        { "-1somestring", -10, 0, false },
        { "10.9", -10, 100, false },
        { " 7 ", 7, 8, true },
        { "+7", 7, 8, true },
        { "", -10, 10, false },
        { "-", -10, 10, false },
        { "9223372036854775806", 0, INT64_MAX, true },
        { "9223372036854775808", INT64_MIN, INT64_MAX, false },
        { "-9223372036854775808", INT64_MIN, 0, true },
        { "-9223372036854775809", INT64_MIN, 0, false },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct match_text match = { .kind = MATCH_RANGE, .from = cases[i].from, .to = cases[i].to };

        if (route_text_matches(&match, cases[i].value, strlen(cases[i].value)) != cases[i].matches)
            fail_msg("\"%s\", case %zu", cases[i].value, i);
    }
}

static void headers_by_regex(void **state)
{
    struct match_header match = { .name = "x-many", .value = regex_match("[bc]") };

    (void) state;
    expect(&match, true, 0);
    match.invert = true;
    expect(&match, false, 1);
    match.name = "x-one";
    expect(&match, true, 2);
    regex_free(match.value.regex);
}

/* Of an answer nothing stands for a header but the header. */
static void headers_of_answers(void **state)
{
    static const struct mesh_header answer[] = { { "Retry", "yes" }, { "host", "x" } };
    struct match_header match = { .name = "retry", .value = text_match(MATCH_EXACT, "yes") };

    (void) state;
    assert_true(route_header_matches(&match, NULL, answer, COUNT_OF(answer)));
    match = (struct match_header){ .name = "host", .value = text_match(MATCH_EXACT, "x") };
    assert_true(route_header_matches(&match, NULL, answer, COUNT_OF(answer)));
    match.name = ":path";
    assert_false(route_header_matches(&match, NULL, answer, COUNT_OF(answer)));
}

/* ---- query parameters ---- */

static void query_parameters(void **state)
{
    static const struct {
        const char *path, *name, *value;
    } cases[] = {
        { "/a?id=1", "id", "1" },
        { "/a?x=0&id=1&id=2", "id", "1" }, /* the first one */
        { "/a?id", "id", "" },
        { "/a?id=", "id", "" },
        { "/a?id&x", "id", "" },
        { "/a?x&id=a=b", "id", "a=b" },
        { "/a?id=%20", "id", "%20" }, /* as it stands */
        { "/a?id=1#top", "id", "1#top" },
        { "/a?", "id", NULL },
        { "/a", "id", NULL },
        { "/a/id=1", "id", NULL },
        { "/a?idx=1&xid=1", "id", NULL },
        { "/a?&&id=3&", "id", "3" },
        { "/a?ID=1", "id", NULL },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t len = 0;
        const char *value = route_query(cases[i].path, cases[i].name, &len);

        if (!value != !cases[i].value)
            fail_msg("%s: there is a value: %d", cases[i].path, value != NULL);
        if (value && (len != strlen(cases[i].value) || memcmp(value, cases[i].value, len) != 0))
            fail_msg("%s: \"%.*s\"", cases[i].path, (int) len, value);
    }
}

/* ---- all of it ---- */

static void everything_must_hold(void **state)
{
    struct match_header header = { .name = "x-one", .value = text_match(MATCH_EXACT, "value") };
    struct match_query query = { .name = "b", .value = text_match(MATCH_EXACT, "c") };
    struct route route = { .n_headers = 1, .headers = &header, .n_queries = 1, .queries = &query };

    (void) state;
    assert_true(route_rest_matches(&route, &request));
    query.value = text_match(MATCH_EXACT, "d");
    assert_false(route_rest_matches(&route, &request));
    query.value = text_match(MATCH_PRESENT, NULL);
    assert_true(route_rest_matches(&route, &request));
    header.value = text_match(MATCH_EXACT, "other");
    assert_false(route_rest_matches(&route, &request));
}

static void grpc_by_its_content_type(void **state)
{
    static const struct {
        const char *type;
        bool matches;
    } cases[] = {
        { "application/grpc", true },  { "application/grpc+proto", true }, { "application/grpc-web", false },
        { "application/json", false }, { "application/grpc; a=b", false }, { "Application/grpc", false },
    };
    struct route route = { .grpc_only = true };

    (void) state;
    assert_false(route_rest_matches(&route, &request));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mesh_header header = { "Content-Type", cases[i].type };
        struct route_request call = { .service = "a", .path = "/", .headers = &header, .n_headers = 1 };

        if (route_rest_matches(&route, &call) != cases[i].matches)
            fail_msg("%s", cases[i].type);
    }
}

static void fractions(void **state)
{
    const struct route_fraction some = { 30, 100 }, none = { 0, 100 }, all = { 1000000, 1000000 };
    unsigned hits = 0;

    (void) state;
    for (uint64_t dice = 0; dice < 1000; dice++) {
        hits += route_fraction_hits(&some, dice);
        assert_false(route_fraction_hits(&none, dice));
        assert_true(route_fraction_hits(&all, dice));
    }
    assert_int_equal(hits, 300);
    assert_true(route_fraction_hits(&some, 29));
    assert_false(route_fraction_hits(&some, 30));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(paths),
        LEAK_TEST(paths_by_regex),
        LEAK_TEST(headers),
        LEAK_TEST(headers_without_case),
        LEAK_TEST(numbers_in_headers),
        LEAK_TEST(headers_by_regex),
        LEAK_TEST(headers_of_answers),
        LEAK_TEST(query_parameters),
        LEAK_TEST(everything_must_hold),
        LEAK_TEST(grpc_by_its_content_type),
        LEAK_TEST(fractions),
    };

    return cmocka_run_group_tests_name("route/conditions", tests, NULL, NULL);
}
