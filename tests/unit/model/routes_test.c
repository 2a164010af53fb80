/* SPDX-License-Identifier: Apache-2.0 */
/* Routes of a service: virtual hosts by domain as Envoy finds them, the list of clusters, and that all is given back. */
#include "model/model.h"

#include <string.h>

#include "mesh_test.h"

enum { MOST_HOSTS = 8 };

/* Virtual hosts of one domain each, which is their name, too. */
struct hosts {
    struct route_host hosts[MOST_HOSTS];
    const char *domains[MOST_HOSTS];
    struct model_routes *routes;
};

static void make(struct hosts *hosts, const char *const *domains, size_t n)
{
    *hosts = (struct hosts){ .routes = model_routes_new() };
    assert_non_null(hosts->routes);
    for (size_t i = 0; i < n; i++) {
        hosts->domains[i] = domains[i];
        hosts->hosts[i] = (struct route_host){ .name = domains[i], .n_domains = 1, .domains = &hosts->domains[i] };
    }
    hosts->routes->hosts = hosts->hosts;
    hosts->routes->n_hosts = n;
}

static void expect_host(const struct hosts *hosts, const char *authority, const char *name)
{
    const struct route_host *host = model_routes_host(hosts->routes, authority);

    if (!host && name)
        fail_msg("\"%s\" has no virtual host", authority);
    if (host && (!name || strcmp(host->name, name) != 0))
        fail_msg("\"%s\" has the virtual host \"%s\"", authority, host->name);
}

static void the_most_special_domain_counts(void **state)
{
    static const char *const domains[] = { "*",     "*.example.com",     "*-api.example.com", "www.example.com",
                                           "www.*", "www.example.net:*", "users:8080",        "[::1]:80" };
    static const struct {
        const char *authority, *domain;
    } cases[] = {
        { "www.example.com", "www.example.com" },
        { "WWW.Example.COM", "www.example.com" },
        { "a.example.com", "*.example.com" },
        { "a.b.example.com", "*.example.com" },
        { "x-api.example.com", "*-api.example.com" },
        { "-api.example.com", "*.example.com" }, /* "*" is one character at least */
        { ".example.com", "*" },
        { "example.com", "*" },
        { "www.example.org", "www.*" },
        { "www.", "*" },
        { "www.example.net:80", "www.example.net:*" },
        { "www.example.com:80", "www.*" }, /* the port is a part of it */
        { "users:8080", "users:8080" },
        { "users", "*" },
        { "[::1]:80", "[::1]:80" },
        { "", "*" },
    };
    struct hosts hosts;
    struct fault fault;

    (void) state;
    make(&hosts, domains, COUNT_OF(domains));
    MESH_OK(model_routes_finish(hosts.routes, "Users:8080", &fault));
    assert_string_equal(hosts.routes->usual->name, "users:8080");
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect_host(&hosts, cases[i].authority, cases[i].domain);
    model_routes_unref(hosts.routes);
}

static void a_port_may_be_ignored(void **state)
{
    static const char *const domains[] = { "users", "[::1]", "*.example.com" };
    static const struct {
        const char *authority, *domain;
    } cases[] = {
        { "users:8080", "users" }, { "users", "users" }, { "users:", "users" },
        { "[::1]:80", "[::1]" },   { "[::1]", "[::1]" }, { "a.example.com:1", "*.example.com" },
        { "other:80", NULL },
    };
    struct hosts hosts;
    struct fault fault;

    (void) state;
    make(&hosts, domains, COUNT_OF(domains));
    hosts.routes->ignore_port = true;
    MESH_OK(model_routes_finish(hosts.routes, "nobody", &fault));
    assert_null(hosts.routes->usual);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect_host(&hosts, cases[i].authority, cases[i].domain);
    model_routes_unref(hosts.routes);
}

static void long_authorities_and_many_wildcards(void **state)
{
    enum { N = 300, LONG = 5000 };
    static char suffixes[N][N + 8], authority[LONG + 1];
    static const char *domains[N];
    static struct route_host hosts[N];
    struct model_routes *routes = model_routes_new();
    struct fault fault;

    (void) state;
    for (size_t i = 0; i < N; i++) {
        suffixes[i][0] = '*';
        memset(suffixes[i] + 1, 'a', i + 1);
        domains[i] = suffixes[i];
        hosts[i] = (struct route_host){ .name = suffixes[i], .n_domains = 1, .domains = &domains[i] };
    }
    routes->hosts = hosts;
    routes->n_hosts = N;
    MESH_OK(model_routes_finish(routes, "x", &fault));
    memset(authority, 'a', LONG);
    assert_null(model_routes_host(routes, authority)); /* longer than any name may be */
    authority[N] = '\0';
    assert_ptr_equal(model_routes_host(routes, authority), &hosts[N - 2]);
    authority[0] = 'b';
    authority[100] = 'b';
    assert_ptr_equal(model_routes_host(routes, authority), &hosts[N - 102]);
    model_routes_unref(routes);
}

static void a_domain_stands_once(void **state)
{
    static const char *const twice[][2] = { { "users", "users" }, { "*", "*" }, { "*.a", "*.a" }, { "a.*", "a.*" } };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(twice); i++) {
        struct hosts hosts;
        struct fault fault = { 0 };

        make(&hosts, twice[i], 2);
        MESH_ERR(MESH_ERR_INVALID, model_routes_finish(hosts.routes, "users", &fault));
        assert_non_null(strstr(fault.text, "virtual_hosts[1].domains[0]: \""));
        assert_non_null(strstr(fault.text, "for the second time"));
        model_routes_unref(hosts.routes);
    }
}

static void clusters_are_listed_once(void **state)
{
    static const char *const domain[] = { "*" };
    struct route_target targets[] = { { .cluster = "xds:b" },
                                      { .cluster_header = "x-cluster" },
                                      { .cluster = "xds:a" } };
    struct route_mirror mirror = { .cluster = "xds:c" };
    struct route routes[] = {
        { .targets = targets, .n_targets = 3 },
        { .targets = targets + 2, .n_targets = 1, .rules = { .mirrors = &mirror, .n_mirrors = 1 } },
        { .action = ROUTE_ANSWER },
    };
    struct hosts hosts;
    struct fault fault;

    (void) state;
    make(&hosts, domain, 1);
    hosts.hosts[0].routes = routes;
    hosts.hosts[0].n_routes = COUNT_OF(routes);
    MESH_OK(model_routes_finish(hosts.routes, "users", &fault));
    assert_int_equal(hosts.routes->n_clusters, 3);
    assert_string_equal(hosts.routes->clusters[0], "xds:a");
    assert_string_equal(hosts.routes->clusters[1], "xds:b");
    assert_string_equal(hosts.routes->clusters[2], "xds:c");
    model_routes_unref(hosts.routes);
}

/* Texts, an indexed virtual host and a regular expression, all from one arena. */
static int32_t build(struct model_routes *routes)
{
    enum { N = 40 };
    struct route_host *host = model_routes_alloc(routes, 1, sizeof *host);
    struct route *list = model_routes_alloc(routes, N, sizeof *list);
    struct route_target *target = model_routes_alloc(routes, 1, sizeof *target);
    struct regex *regex;
    struct fault fault;

    if (!host || !list || !target)
        return MESH_ERR_NOMEM;
    host->domains = model_routes_alloc(routes, 1, sizeof *host->domains);
    target->cluster = model_routes_text(routes, "xds:users", 9);
    if (!host->domains || !target->cluster)
        return MESH_ERR_NOMEM;
    host->domains[0] = "users";
    host->n_domains = 1;
    host->routes = list;
    host->n_routes = N;
    routes->hosts = host;
    routes->n_hosts = 1;
    for (size_t i = 0; i < N; i++)
        list[i] = (struct route){ .path = { .kind = MATCH_EXACT, .text = "/a", .len = 2 },
                                  .targets = target,
                                  .n_targets = 1 };
    if (regex_new("a", REGEX_TO_MATCH, &regex, &fault))
        return MESH_ERR_NOMEM;
    if (!model_routes_keep_regex(routes, regex))
        return MESH_ERR_NOMEM;
    return model_routes_finish(routes, "users", &fault);
}

static int32_t build_and_give_back(void)
{
    struct model_routes *routes = model_routes_new();
    int32_t err = routes ? build(routes) : MESH_ERR_NOMEM;

    model_routes_unref(model_routes_ref(routes));
    model_routes_unref(routes);
    return err;
}

static void any_allocation_may_fail(void **state)
{
    (void) state;
    mesh_test_each_allocation_fails(build_and_give_back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(the_most_special_domain_counts),
        LEAK_TEST(a_port_may_be_ignored),
        LEAK_TEST(long_authorities_and_many_wildcards),
        LEAK_TEST(a_domain_stands_once),
        LEAK_TEST(clusters_are_listed_once),
        cmocka_unit_test(any_allocation_may_fail),
    };

    return cmocka_run_group_tests_name("model/routes", tests, NULL, NULL);
}
