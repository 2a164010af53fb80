/* SPDX-License-Identifier: Apache-2.0 */
/* Other paths, hosts and redirects: the examples of Envoy's documentation, and its corners. */
#include "route/route.h"

#include <string.h>

#include "mesh_test.h"

static struct match_text text_match(enum match_kind kind, const char *text)
{
    return (struct match_text){ .kind = kind, .text = text, .len = strlen(text) };
}

static struct regex_rewrite rewrite_of(const char *pattern, const char *substitution)
{
    struct regex_rewrite rewrite = { .substitution = substitution };
    struct fault fault;

    if (pattern)
        MESH_OK(regex_new(pattern, REGEX_TO_REPLACE, &rewrite.regex, &fault));
    return rewrite;
}

/* NULL: it stays. */
static void expect_text(char *text, const char *expected, size_t at)
{
    if (!text != !expected)
        fail_msg("case %zu: \"%s\"", at, text ? text : "(stays)");
    if (text && strcmp(text, expected) != 0)
        fail_msg("case %zu: \"%s\"", at, text);
    mem_free(text);
}

/* ---- paths ---- */

static void a_prefix_takes_the_place_of_what_matched(void **state)
{
    static const struct {
        enum match_kind kind;
        const char *matches, *prefix, *path, *becomes;
    } cases[] = {
        { MATCH_PREFIX, "/prefix/", "/", "/prefix/foo?x=1", "/foo?x=1" },
        { MATCH_PREFIX, "/prefix", "/", "/prefix", "/" },
        { MATCH_PREFIX, "/prefix", "/", "/prefix/foo", "//foo" }, /* as Envoy's documentation warns */
        { MATCH_PREFIX, "/", "/base/", "/a/b", "/base/a/b" },
        { MATCH_EXACT, "/a", "/b/c", "/a?q#f", "/b/c?q#f" },
        { MATCH_EXACT, "/a", "/b", "/a;v=1?q", "/b;v=1?q" },
        { MATCH_PATH_PREFIX, "/api", "/v2", "/api/users", "/v2/users" },
        { MATCH_REGEX, "", "/x", "/any/thing?q", "/x?q" },
        { MATCH_PREFIX, "/a", "", "/a", NULL },
        { MATCH_PREFIX, "/a", NULL, "/a", NULL },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct route route = { .path = text_match(cases[i].kind, cases[i].matches), .prefix_rewrite = cases[i].prefix };
        char *path;

        MESH_OK(route_rewrite_path(&route, cases[i].path, &path));
        expect_text(path, cases[i].becomes, i);
    }
}

static void a_regex_rewrites_the_path_alone(void **state)
{
    static const struct {
        const char *pattern, *substitution, *path, *becomes;
    } cases[] = {
        { "^/service/([^/]+)(/.*)$", "\\2/instance/\\1", "/service/foo/v1/api?x=/service/a/b",
          "/v1/api/instance/foo?x=/service/a/b" },
        { "one", "two", "/xxx/one/yyy/one/zzz#one", "/xxx/two/yyy/two/zzz#one" },
        { "nothing", "x", "/a?b", "/a?b" },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct route route = { .path = text_match(MATCH_PREFIX, "/"),
                               .path_rewrite = rewrite_of(cases[i].pattern, cases[i].substitution) };
        char *path;

        MESH_OK(route_rewrite_path(&route, cases[i].path, &path));
        expect_text(path, cases[i].becomes, i);
        regex_free(route.path_rewrite.regex);
    }
}

static void what_cannot_be_sent_is_an_error(void **state)
{
    static const char *const substitutions[] = { "/a b", "/a\r\nb: c", "/\x7f" };
    char *text;

    (void) state;
    for (size_t i = 0; i < COUNT_OF(substitutions); i++) {
        struct route route = { .path = text_match(MATCH_PREFIX, "/"),
                               .path_rewrite = rewrite_of("/.*", substitutions[i]) };

        MESH_ERR(MESH_ERR_INVALID, route_rewrite_path(&route, "/x", &text));
        assert_null(text);
        regex_free(route.path_rewrite.regex);
    }
}

static void a_rewrite_that_takes_too_long_is_an_error(void **state)
{
    static char path[4000];
    struct route route = { .path = text_match(MATCH_PREFIX, "/"), .path_rewrite = rewrite_of("(a|aa)+$", "x") };
    char *text;

    (void) state;
    memset(path, 'a', sizeof path - 2);
    path[0] = '/';
    path[sizeof path - 2] = '!';
    MESH_ERR(MESH_ERR_INVALID, route_rewrite_path(&route, path, &text));
    assert_null(text);
    regex_free(route.path_rewrite.regex);
}

/* ---- hosts ---- */

static void hosts(void **state)
{
    static const struct mesh_header headers[] = { { "X-Host", "by.header" },
                                                  { "x-host", "second" },
                                                  { "x-empty", "" } };
    static const struct {
        const char *literal, *header, *pattern, *of_target, *becomes;
    } cases[] = {
        { .becomes = NULL },
        { .literal = "literal", .becomes = "literal" },
        { .header = "x-host", .becomes = "by.header" },
        { .header = "x-empty", .becomes = NULL },
        { .header = "x-none", .of_target = "target", .becomes = "target" },
        { .pattern = "^/(.+)/.+$", .becomes = "envoyproxy.io" },
        { .of_target = "target", .becomes = "target" },
        { .literal = "literal", .of_target = "target", .becomes = "literal" },
    };
    const struct route_request request = {
        .service = "users", .path = "/envoyproxy.io/some/path?x", .headers = headers, .n_headers = 3
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct route route = { .host_rewrite = cases[i].literal,
                               .host_header = cases[i].header,
                               .host_path_rewrite = rewrite_of(cases[i].pattern, "\\1") };
        struct route_target target = { .host = cases[i].of_target };
        struct route_choice choice = { .route = &route, .target = &target };
        struct route_request what = request;
        char *host;

        if (cases[i].pattern)
            what.path = "/envoyproxy.io/path?x=/y/z";
        MESH_OK(route_rewrite_host(&choice, &what, &host));
        expect_text(host, cases[i].becomes, i);
        regex_free(route.host_path_rewrite.regex);
    }
}

/* ---- redirects ---- */

static void redirects(void **state)
{
    static const struct {
        struct route_redirect redirect;
        const char *authority, *path, *scheme, *location;
    } cases[] = {
        { { .host = "new.com" }, "old.com", "/a?b", "http", "http://new.com/a?b" },
        { { .scheme = "https" }, "old.com", "/a", "http", "https://old.com/a" },
        { { .scheme = "https" },
          "old.com:80",
          "/a",
          "http",
          "https://old.com/a" }, /* a default port goes with its scheme */
        { { .scheme = "https" }, "old.com:8080", "/a", "http", "https://old.com:8080/a" },
        { { .scheme = "http" }, "old.com:443", "/a", "https", "http://old.com/a" },
        { { .scheme = "http" }, "old.com:80", "/a", "http", "http://old.com:80/a" },
        { { .scheme = "https" }, "[::1]:80", "/a", "http", "https://[::1]/a" },
        { { .scheme = "https" }, "[::1]", "/a", "http", "https://[::1]/a" },
        { { .port = 8080 }, "old.com:80", "/a", "http", "http://old.com:8080/a" },
        { { .port = 8080 }, "old.com", "/a", "http", "http://old.com:8080/a" },
        { { .port = 8080 }, "[fe80::1]:81", "/a", "http", "http://[fe80::1]:8080/a" },
        { { .path = "/new" }, "h", "/a?b=c", "http", "http://h/new?b=c" },
        { { .path = "/new?x=1" }, "h", "/a?b=c", "http", "http://h/new?x=1" },
        { { .path = "/new?x=1", .strip_query = true }, "h", "/a?b=c", "http", "http://h/new?x=1" },
        { { .path = "/new", .strip_query = true }, "h", "/a?b=c", "http", "http://h/new" },
        { { .path = "new" }, "h", "/a", "http", "http://h/new" },
        { { .strip_query = true }, "h", "/a?b=c", "http", "http://h/a" },
        { { .prefix_rewrite = "/v2/" }, "h", "/v1/users?b", "http", "http://h/v2/users?b" },
        { { .prefix_rewrite = "/v2/", .strip_query = true }, "h", "/v1/users?b", "http", "http://h/v2/users" },
        { { .prefix_rewrite = "v2/" }, "h", "/v1/users", "http", "http://h/v2/users" },
        { { .host = "n", .scheme = "https", .port = 444 }, "h:1", "/a", "http", "https://n:444/a" },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct route route = { .path = text_match(MATCH_PREFIX, "/v1/"), .redirect = cases[i].redirect };
        struct route_request request = { .service = "s", .authority = cases[i].authority, .path = cases[i].path };
        char *location;

        if (!cases[i].redirect.prefix_rewrite)
            route.path = text_match(MATCH_PREFIX, "/");
        MESH_OK(route_redirect_location(&route, &request, cases[i].scheme, &location));
        expect_text(location, cases[i].location, i);
    }
}

static void redirects_by_regex(void **state)
{
    struct route route = { .path = text_match(MATCH_PREFIX, "/v1"),
                           .redirect = { .regex_rewrite = rewrite_of("^/v1/(.*)$", "/v2/\\1/end") } };
    struct route_request request = { .service = "service.name", .path = "/v1/x?y" };
    char *location;

    (void) state;
    MESH_OK(route_redirect_location(&route, &request, "http", &location));
    expect_text(location, "http://service.name/v2/x/end?y", 0);
    route.redirect.strip_query = true;
    MESH_OK(route_redirect_location(&route, &request, "http", &location));
    expect_text(location, "http://service.name/v2/x/end", 1);
    regex_free(route.redirect.regex_rewrite.regex);
}

/* ---- out of memory ---- */

static int32_t rewrite_all(void)
{
    struct route route = { .path = text_match(MATCH_PREFIX, "/a"),
                           .prefix_rewrite = "/b",
                           .host_rewrite = "h",
                           .redirect = { .prefix_rewrite = "/c" } };
    struct route_choice choice = { .route = &route };
    struct route_request request = { .service = "s", .path = "/a/b" };
    char *path = NULL, *host = NULL, *location = NULL;
    int32_t err = route_rewrite_path(&route, "/a/b", &path);

    if (!err)
        err = route_rewrite_host(&choice, &request, &host);
    if (!err)
        err = route_redirect_location(&route, &request, "http", &location);
    mem_free(path);
    mem_free(host);
    mem_free(location);
    return err;
}

static void any_allocation_may_fail(void **state)
{
    (void) state;
    mesh_test_each_allocation_fails(rewrite_all);
}

static int32_t rewrite_by_regex(void)
{
    struct route route = { .path = text_match(MATCH_PREFIX, "/") };
    struct fault fault;
    char *path = NULL;
    int32_t err = regex_new("a", REGEX_TO_REPLACE, &route.path_rewrite.regex, &fault);

    route.path_rewrite.substitution = "b";
    if (!err)
        err = route_rewrite_path(&route, "/a?c", &path);
    mem_free(path);
    regex_free(route.path_rewrite.regex);
    return err;
}

static void any_allocation_by_regex_may_fail(void **state)
{
    (void) state;
    mesh_test_each_allocation_fails(rewrite_by_regex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(a_prefix_takes_the_place_of_what_matched),
        LEAK_TEST(a_regex_rewrites_the_path_alone),
        LEAK_TEST(what_cannot_be_sent_is_an_error),
        LEAK_TEST(a_rewrite_that_takes_too_long_is_an_error),
        LEAK_TEST(hosts),
        LEAK_TEST(redirects),
        LEAK_TEST(redirects_by_regex),
        cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test(any_allocation_by_regex_may_fail),
    };

    return cmocka_run_group_tests_name("route/rewrite", tests, NULL, NULL);
}
