/* SPDX-License-Identifier: Apache-2.0 */
/* What a route configuration becomes: matches, targets, rewrites, answers, and what is listed as not honoured. */
#include "support/xds_routes.h"

typedef Route__RouteConfiguration Conf;

/* ---- hosts ---- */

static void test_virtual_hosts_are_found_by_domain(void **state)
{
    Conf *conf = xds_make_routes("users");
    Route__VirtualHost *host = xds_make_host("Users.Example");
    struct model_routes *routes;

    (void) state;
    host->name = xds_make_text("own");
    host->require_tls = ROUTE__VIRTUAL_HOST__TLS_REQUIREMENT_TYPE__EXTERNAL_ONLY;
    conf->virtual_hosts = xds_make_list(&conf->n_virtual_hosts, conf->virtual_hosts[0], host, NULL);
    conf->ignore_port_in_host_matching = true;
    routes = read_routes(conf, NULL);
    assert_string_equal(routes->name, "routes");
    assert_string_equal(routes->version, "v7");
    assert_string_equal(model_routes_host(routes, "users.example:80")->name, "own");
    assert_true(model_routes_host(routes, "users.example")->https_only);
    assert_string_equal(routes->usual->name, "all");
    assert_false(routes->usual->https_only);
    assert_int_equal(ignored.n, 0);
    model_routes_unref(routes);
}

static void test_no_virtual_host_is_nothing_wrong(void **state)
{
    Route__RouteConfiguration *conf = xds_make(&route__route_configuration__descriptor);
    struct model_routes *routes;

    (void) state;
    routes = read_routes(conf, NULL);
    assert_int_equal(routes->n_hosts, 0);
    assert_null(routes->usual);
    model_routes_unref(routes);
}

static void test_a_star_in_the_middle_is_listed(void **state)
{
    Conf *conf = xds_make_routes("users");

    (void) state;
    conf->virtual_hosts[0]->domains[0] = xds_make_text("a*.example");
    model_routes_unref(read_routes(conf, NULL));
    assert_true(
        is_listed("virtual_hosts[0].domains[0]: \"*\" is a wildcard alone, or at one end; here it is a character of "
                  "the name"));
}

/* ---- matches ---- */

static void test_paths_are_lower_case_where_case_says_nothing(void **state)
{
    Conf *conf = xds_make_routes("users");
    struct model_routes *routes;

    (void) state;
    first_route(conf)->match->prefix = xds_make_text("/API/");
    first_route(conf)->match->case_sensitive = xds_make_bool(false);
    routes = read_routes(conf, NULL);
    assert_int_equal(routes->hosts[0].routes[0].path.kind, MATCH_PREFIX);
    assert_true(routes->hosts[0].routes[0].path.ignore_case);
    assert_string_equal(routes->hosts[0].routes[0].path.text, "/api/");
    assert_int_equal(routes->hosts[0].routes[0].path.len, 5);
    model_routes_unref(routes);
}

static Route__HeaderMatcher *make_matcher(const char *name)
{
    Route__HeaderMatcher *matcher = xds_make(&route__header_matcher__descriptor);

    matcher->name = xds_make_text("%s", name);
    return matcher;
}

static void test_headers_are_compared_in_every_way(void **state)
{
    Conf *conf = xds_make_routes("users");
    Route__RouteMatch *match = first_route(conf)->match;
    Route__HeaderMatcher *plain = make_matcher("X-There"), *absent = make_matcher("x-absent");
    Route__HeaderMatcher *range = make_matcher("x-number"), *text = make_matcher("Host");
    struct model_routes *routes;
    const struct match_header *headers;

    (void) state;
    absent->header_match_specifier_case = ROUTE__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_PRESENT_MATCH;
    absent->present_match = false;
    range->header_match_specifier_case = ROUTE__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_RANGE_MATCH;
    range->range_match = xds_make(&type__int64_range__descriptor);
    range->range_match->start = -5;
    range->range_match->end = 9;
    range->treat_missing_header_as_empty = true;
    text->header_match_specifier_case = ROUTE__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_STRING_MATCH;
    text->string_match = xds_make(&matcher__string_matcher__descriptor);
    text->string_match->match_pattern_case = MATCHER__STRING_MATCHER__MATCH_PATTERN_SUFFIX;
    text->string_match->suffix = xds_make_text(".Example");
    text->string_match->ignore_case = true;
    text->invert_match = true;
    match->headers = xds_make_list(&match->n_headers, plain, absent, range, text, NULL);
    routes = read_routes(conf, NULL);
    headers = routes->hosts[0].routes[0].headers;
    assert_string_equal(headers[0].name, "x-there");
    assert_int_equal(headers[0].value.kind, MATCH_PRESENT);
    assert_false(headers[0].invert);
    assert_int_equal(headers[1].value.kind, MATCH_PRESENT);
    assert_true(headers[1].invert);
    assert_int_equal(headers[2].value.kind, MATCH_RANGE);
    assert_int_equal(headers[2].value.from, -5);
    assert_int_equal(headers[2].value.to, 9);
    assert_true(headers[2].missing_is_empty);
    assert_string_equal(headers[3].name, ":authority");
    assert_int_equal(headers[3].value.kind, MATCH_SUFFIX);
    assert_string_equal(headers[3].value.text, ".example");
    assert_true(headers[3].invert);
    model_routes_unref(routes);
}

/* Whoever passes a condition by sends everybody's requests where a few were meant to go. */
static void test_a_route_with_an_unknown_condition_is_left_out(void **state)
{
    Conf *conf = xds_make_routes("canary");
    Route__VirtualHost *host = conf->virtual_hosts[0];
    struct model_routes *routes;

    (void) state;
    xds_make_unknown(&first_route(conf)->match->base, 17);
    host->routes = xds_make_list(&host->n_routes, host->routes[0], xds_make_route("/", "stable"), NULL);
    routes = read_routes(conf, NULL);
    assert_int_equal(routes->hosts[0].n_routes, 1);
    assert_string_equal(routes->hosts[0].routes[0].targets[0].cluster, "xds:stable");
    assert_int_equal(routes->n_clusters, 1);
    assert_true(
        is_listed("virtual_hosts[0].routes[0].match: the route is left out: field 17 of it narrows what matches, and "
                  "is not known to libmesh"));
    model_routes_unref(routes);
}

/* A CONNECT route does not make the others useless. */
static void test_a_route_with_another_path_specifier_is_left_out(void **state)
{
    Conf *conf = xds_make_routes("tunnel");
    struct model_routes *routes;

    (void) state;
    first_route(conf)->match->path_specifier_case = ROUTE__ROUTE_MATCH__PATH_SPECIFIER__NOT_SET;
    xds_make_unknown(&first_route(conf)->match->base, 12);
    routes = read_routes(conf, NULL);
    assert_int_equal(routes->hosts[0].n_routes, 0);
    assert_int_equal(ignored.n, 2);
    model_routes_unref(routes);
}

static void test_equal_regular_expressions_are_made_once(void **state)
{
    Conf *conf = xds_make_routes("users");
    Route__VirtualHost *host = conf->virtual_hosts[0];
    struct model_routes *routes;

    (void) state;
    host->routes = xds_make_list(&host->n_routes, host->routes[0], xds_make_route("/", "b"), NULL);
    for (size_t i = 0; i < 2; i++) {
        Route__RouteMatch *match = host->routes[i]->match;

        match->path_specifier_case = ROUTE__ROUTE_MATCH__PATH_SPECIFIER_SAFE_REGEX;
        match->safe_regex = xds_make(&matcher__regex_matcher__descriptor);
        match->safe_regex->regex = xds_make_text("/v[0-9]+/.*");
    }
    routes = read_routes(conf, NULL);
    assert_ptr_equal(routes->hosts[0].routes[0].path.regex, routes->hosts[0].routes[1].path.regex);
    assert_true(regex_matches(routes->hosts[0].routes[0].path.regex, "/v12/a", 6));
    model_routes_unref(routes);
}

/* ---- targets ---- */

static Route__WeightedCluster__ClusterWeight *make_weight(const char *name, uint32_t weight)
{
    Route__WeightedCluster__ClusterWeight *made = xds_make(&route__weighted_cluster__cluster_weight__descriptor);

    made->name = xds_make_text("%s", name);
    made->weight = xds_make_u32(weight);
    return made;
}

static Route__WeightedCluster *set_weighted(Conf *conf, Route__WeightedCluster__ClusterWeight *one,
                                            Route__WeightedCluster__ClusterWeight *two)
{
    Route__WeightedCluster *weighted = xds_make(&route__weighted_cluster__descriptor);

    weighted->clusters = xds_make_list(&weighted->n_clusters, one, two, NULL);
    first_route(conf)->route->cluster_specifier_case = ROUTE__ROUTE_ACTION__CLUSTER_SPECIFIER_WEIGHTED_CLUSTERS;
    first_route(conf)->route->weighted_clusters = weighted;
    return weighted;
}

static void test_weighted_clusters_without_weight_are_left_out(void **state)
{
    Conf *conf = xds_make_routes("");
    struct model_routes *routes;
    const struct route *route;

    (void) state;
    set_weighted(conf, make_weight("off", 0), make_weight("on", 5))->random_value_specifier_case =
        ROUTE__WEIGHTED_CLUSTER__RANDOM_VALUE_SPECIFIER_HEADER_NAME;
    first_route(conf)->route->weighted_clusters->header_name = xds_make_text("X-Dice");
    routes = read_routes(conf, NULL);
    route = &routes->hosts[0].routes[0];
    assert_int_equal(route->n_targets, 1);
    assert_string_equal(route->targets[0].cluster, "xds:on");
    assert_int_equal(route->total_weight, 5);
    assert_string_equal(route->weight_header, "x-dice");
    assert_int_equal(routes->n_clusters, 1);
    assert_string_equal(routes->clusters[0], "xds:on");
    model_routes_unref(routes);
}

static void test_an_entry_overrides_keys_of_the_subset(void **state)
{
    Conf *conf = xds_make_routes("");
    Route__WeightedCluster__ClusterWeight *one = make_weight("a", 1), *two = make_weight("b", 1);
    struct model_routes *routes;
    const struct route_target *targets;

    (void) state;
    set_weighted(conf, one, two);
    first_route(conf)->route->metadata_match = xds_make_metadata("version", "v1");
    one->metadata_match = xds_make_metadata("stage", "prod");
    two->metadata_match = xds_make_metadata("version", "v2");
    routes = read_routes(conf, NULL);
    targets = routes->hosts[0].routes[0].targets;
    assert_int_equal(targets[0].subset.n, 2);
    assert_string_equal(targets[0].subset.entries[0].key, "stage");
    assert_string_equal(targets[0].subset.entries[0].value, "\"prod\"");
    assert_string_equal(targets[0].subset.entries[1].key, "version");
    assert_string_equal(targets[0].subset.entries[1].value, "\"v1\"");
    assert_int_equal(targets[1].subset.n, 1);
    assert_string_equal(targets[1].subset.entries[0].value, "\"v2\"");
    model_routes_unref(routes);
}

static void test_a_route_to_what_is_not_known_is_left_out(void **state)
{
    Conf *conf = xds_make_routes("users");
    struct model_routes *routes;

    (void) state;
    first_route(conf)->route->cluster_specifier_case = ROUTE__ROUTE_ACTION__CLUSTER_SPECIFIER__NOT_SET;
    routes = read_routes(conf, NULL);
    assert_int_equal(routes->hosts[0].n_routes, 0);
    assert_true(
        is_listed("virtual_hosts[0].routes[0].route: the route is left out: it has none of cluster, cluster_header and "
                  "weighted_clusters"));
    model_routes_unref(routes);
}

static void test_a_cluster_may_be_named_by_a_header(void **state)
{
    Conf *conf = xds_make_routes("users");
    struct model_routes *routes;

    (void) state;
    first_route(conf)->route->cluster_specifier_case = ROUTE__ROUTE_ACTION__CLUSTER_SPECIFIER_CLUSTER_HEADER;
    first_route(conf)->route->cluster_header = xds_make_text("X-Cluster");
    routes = read_routes(conf, NULL);
    assert_null(routes->hosts[0].routes[0].targets[0].cluster);
    assert_string_equal(routes->hosts[0].routes[0].targets[0].cluster_header, "x-cluster");
    assert_int_equal(routes->n_clusters, 0);
    assert_true(
        is_listed("virtual_hosts[0].routes[0].route.cluster_header: clusters that a header names are there only if "
                  "another route names them"));
    model_routes_unref(routes);
}

/* ---- actions ---- */

static void test_rewrites_are_read(void **state)
{
    Conf *conf = xds_make_routes("users");
    Route__RouteAction *action = first_route(conf)->route;
    struct model_routes *routes;
    const struct route *route;

    (void) state;
    action->regex_rewrite = xds_make(&matcher__regex_match_and_substitute__descriptor);
    action->regex_rewrite->pattern = xds_make(&matcher__regex_matcher__descriptor);
    action->regex_rewrite->pattern->regex = xds_make_text("^/v([0-9]+)");
    action->regex_rewrite->substitution = xds_make_text("/\\1");
    action->host_rewrite_specifier_case = ROUTE__ROUTE_ACTION__HOST_REWRITE_SPECIFIER_HOST_REWRITE_LITERAL;
    action->host_rewrite_literal = xds_make_text("internal");
    action->append_x_forwarded_host = true;
    action->cluster_not_found_response_code = ROUTE__ROUTE_ACTION__CLUSTER_NOT_FOUND_RESPONSE_CODE__NOT_FOUND;
    routes = read_routes(conf, NULL);
    route = &routes->hosts[0].routes[0];
    assert_non_null(route->path_rewrite.regex);
    assert_string_equal(route->path_rewrite.substitution, "/\\1");
    assert_string_equal(route->host_rewrite, "internal");
    assert_true(route->append_forwarded_host);
    assert_int_equal(route->missing_status, 404);
    model_routes_unref(routes);
}

static void test_redirects_are_read(void **state)
{
    Conf *conf = xds_make_routes("users");
    Route__RedirectAction *redirect = xds_make(&route__redirect_action__descriptor);
    struct model_routes *routes;
    const struct route *route;

    (void) state;
    first_route(conf)->action_case = ROUTE__ROUTE__ACTION_REDIRECT;
    first_route(conf)->redirect = redirect;
    redirect->scheme_rewrite_specifier_case = ROUTE__REDIRECT_ACTION__SCHEME_REWRITE_SPECIFIER_HTTPS_REDIRECT;
    redirect->https_redirect = true;
    redirect->path_rewrite_specifier_case = ROUTE__REDIRECT_ACTION__PATH_REWRITE_SPECIFIER_PATH_REDIRECT;
    redirect->path_redirect = xds_make_text("/new");
    redirect->response_code = ROUTE__REDIRECT_ACTION__REDIRECT_RESPONSE_CODE__PERMANENT_REDIRECT;
    redirect->port_redirect = 8443;
    routes = read_routes(conf, NULL);
    route = &routes->hosts[0].routes[0];
    assert_int_equal(route->action, ROUTE_REDIRECT);
    assert_int_equal(route->redirect.status, 308);
    assert_string_equal(route->redirect.scheme, "https");
    assert_string_equal(route->redirect.path, "/new");
    assert_int_equal(route->redirect.port, 8443);
    assert_null(route->redirect.host);
    model_routes_unref(routes);
}

static void test_direct_responses_are_read(void **state)
{
    Conf *conf = xds_make_routes("users");
    Route__DirectResponseAction *answer = xds_make(&route__direct_response_action__descriptor);
    struct model_routes *routes;
    const struct route *route;

    (void) state;
    first_route(conf)->action_case = ROUTE__ROUTE__ACTION_DIRECT_RESPONSE;
    first_route(conf)->direct_response = answer;
    answer->status = 503;
    answer->body = xds_make(&core__data_source__descriptor);
    answer->body->specifier_case = CORE__DATA_SOURCE__SPECIFIER_INLINE_STRING;
    answer->body->inline_string = xds_make_text("closed");
    routes = read_routes(conf, NULL);
    route = &routes->hosts[0].routes[0];
    assert_int_equal(route->action, ROUTE_ANSWER);
    assert_int_equal(route->answer_status, 503);
    assert_int_equal(route->answer_len, 6);
    assert_memory_equal(route->answer_body, "closed", 6);
    model_routes_unref(routes);
}

/* No later route takes its requests. */
static void test_an_unknown_action_fails_its_requests(void **state)
{
    Conf *conf = xds_make_routes("users");
    struct model_routes *routes;

    (void) state;
    first_route(conf)->action_case = ROUTE__ROUTE__ACTION__NOT_SET;
    xds_make_unknown(&first_route(conf)->base, 17);
    routes = read_routes(conf, NULL);
    assert_int_equal(routes->hosts[0].n_routes, 1);
    assert_int_equal(routes->hosts[0].routes[0].action, ROUTE_REFUSE);
    assert_non_null(routes->hosts[0].routes[0].refused);
    assert_true(
        is_listed("virtual_hosts[0].routes[0]: it has none of route, redirect and direct_response: requests that "
                  "match fail"));
    model_routes_unref(routes);
}

/* ---- what is not honoured ---- */

/* A field that comes with every route is one thing to say. */
static void test_unknown_fields_are_listed_once(void **state)
{
    Conf *conf = xds_make_routes("users");
    Route__VirtualHost *host = conf->virtual_hosts[0];

    (void) state;
    host->routes = xds_make_list(&host->n_routes, xds_make_route("/a", "a"), xds_make_route("/b", "b"), NULL);
    xds_make_unknown(&host->routes[0]->base, 5);
    xds_make_unknown(&host->routes[1]->base, 5);
    xds_make_unknown(&conf->base, 9);
    model_routes_unref(read_routes(conf, NULL));
    assert_int_equal(ignored.n, 2);
    assert_true(
        is_listed("virtual_hosts[0].routes[0]: field 5 of envoy.config.route.v3.Route is not known to libmesh"));
    assert_true(is_listed("field 9 of envoy.config.route.v3.RouteConfiguration is not known to libmesh"));
}

/* Nor do many routes hide what else there is. */
static void test_a_few_of_a_kind_are_enough(void **state)
{
    Conf *conf = xds_make_routes("users");
    Route__VirtualHost *host = conf->virtual_hosts[0];
    Route__Route *tunnel = xds_make_route("/", "users");

    (void) state;
    tunnel->route->cluster_specifier_case = ROUTE__ROUTE_ACTION__CLUSTER_SPECIFIER__NOT_SET;
    host->routes = xds_make_list(&host->n_routes, tunnel, tunnel, tunnel, tunnel, tunnel, NULL);
    host->domains[0] = xds_make_text("a*b");
    model_routes_unref(read_routes(conf, NULL));
    assert_int_equal(ignored.n, 1 + IGNORED_ALIKE);
    assert_int_equal(ignored.left_out, 5 - IGNORED_ALIKE);
    assert_true(
        is_listed("virtual_hosts[0].routes[2].route: the route is left out: it has none of cluster, cluster_header and "
                  "weighted_clusters"));
}

/* ---- memory ---- */

static struct buf everything;

static int32_t read_everything(void)
{
    struct xds_routes_env env = { .service = "users", .version = "1" };
    struct fault fault = { 0 };
    struct model_routes *routes;
    int32_t err = xds_routes_read(buf_bytes(&everything), buf_len(&everything), &env, &routes, NULL, &fault);

    model_routes_unref(routes);
    return err;
}

static void test_every_allocation_may_fail(void **state)
{
    Conf *conf = xds_make_routes("users");
    Route__Route *route = first_route(conf);
    Route__RouteAction *action = route->route;
    Route__HeaderMatcher *matcher = make_matcher("x-a");

    (void) state;
    route->match->headers = xds_make_list(&route->match->n_headers, matcher, NULL);
    matcher->header_match_specifier_case = ROUTE__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_SAFE_REGEX_MATCH;
    matcher->safe_regex_match = xds_make(&matcher__regex_matcher__descriptor);
    matcher->safe_regex_match->regex = xds_make_text("a+");
    conf->request_headers_to_add =
        xds_make_list(&conf->n_request_headers_to_add, xds_make_header("x-a", "%REQ(x-b)% b"), NULL);
    route->request_headers_to_add = xds_make_list(&route->n_request_headers_to_add, xds_make_header("x-c", "d"), NULL);
    action->metadata_match = xds_make_metadata("version", "v1");
    action->retry_policy = xds_make(&route__retry_policy__descriptor);
    action->retry_policy->retry_on = xds_make_text("5xx");
    everything = xds_make_bytes(&conf->base);
    mesh_test_each_allocation_fails(read_everything);
    buf_free(&everything);
    xds_make_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROUTES_TEST(test_virtual_hosts_are_found_by_domain),
        ROUTES_TEST(test_no_virtual_host_is_nothing_wrong),
        ROUTES_TEST(test_a_star_in_the_middle_is_listed),
        ROUTES_TEST(test_paths_are_lower_case_where_case_says_nothing),
        ROUTES_TEST(test_headers_are_compared_in_every_way),
        ROUTES_TEST(test_a_route_with_an_unknown_condition_is_left_out),
        ROUTES_TEST(test_a_route_with_another_path_specifier_is_left_out),
        ROUTES_TEST(test_equal_regular_expressions_are_made_once),
        ROUTES_TEST(test_weighted_clusters_without_weight_are_left_out),
        ROUTES_TEST(test_an_entry_overrides_keys_of_the_subset),
        ROUTES_TEST(test_a_route_to_what_is_not_known_is_left_out),
        ROUTES_TEST(test_a_cluster_may_be_named_by_a_header),
        ROUTES_TEST(test_rewrites_are_read),
        ROUTES_TEST(test_redirects_are_read),
        ROUTES_TEST(test_direct_responses_are_read),
        ROUTES_TEST(test_an_unknown_action_fails_its_requests),
        ROUTES_TEST(test_unknown_fields_are_listed_once),
        ROUTES_TEST(test_a_few_of_a_kind_are_enough),
        cmocka_unit_test(test_every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
