/* SPDX-License-Identifier: Apache-2.0 */
/* Route configurations that are refused, each with the path of the field and what is wrong with it. */
#include "mesh_test.h"

#include <string.h>

#include "proto/fault.pb-c.h"
#include "proto/local_rate_limit.pb-c.h"
#include "source/xds/listener.h"
#include "support/xds_make.h"

typedef Route__RouteConfiguration Conf;

static Route__VirtualHost *host_of(Conf *conf)
{
    return conf->virtual_hosts[0];
}

static Route__Route *route_of(Conf *conf)
{
    return host_of(conf)->routes[0];
}

static Route__RouteAction *action_of(Conf *conf)
{
    return route_of(conf)->route;
}

/* ---- what is wrong ---- */

static void no_domain(Conf *conf)
{
    host_of(conf)->n_domains = 0;
}

static void empty_domain(Conf *conf)
{
    host_of(conf)->domains[0] = xds_make_text("%s", "");
}

static void domain_twice(Conf *conf)
{
    conf->virtual_hosts =
        xds_make_list(&conf->n_virtual_hosts, xds_make_host("users.example"), xds_make_host("USERS.example"), NULL);
}

static void star_twice(Conf *conf)
{
    conf->virtual_hosts = xds_make_list(&conf->n_virtual_hosts, xds_make_host("*"), xds_make_host("*"), NULL);
}

static void tls_requirement(Conf *conf)
{
    host_of(conf)->require_tls = (Route__VirtualHost__TlsRequirementType) 9;
}

static void no_match(Conf *conf)
{
    route_of(conf)->match = NULL;
}

static void no_path(Conf *conf)
{
    route_of(conf)->match->path_specifier_case = ROUTE__ROUTE_MATCH__PATH_SPECIFIER__NOT_SET;
}

static void set_path_regex(Conf *conf, const char *pattern)
{
    Route__RouteMatch *match = route_of(conf)->match;

    match->path_specifier_case = ROUTE__ROUTE_MATCH__PATH_SPECIFIER_SAFE_REGEX;
    match->safe_regex = xds_make(&matcher__regex_matcher__descriptor);
    match->safe_regex->regex = xds_make_text("%s", pattern);
}

static void bad_regex(Conf *conf)
{
    set_path_regex(conf, "/a(b");
}

static void empty_regex(Conf *conf)
{
    set_path_regex(conf, "");
}

static void set_separated(Conf *conf, const char *prefix)
{
    route_of(conf)->match->path_specifier_case = ROUTE__ROUTE_MATCH__PATH_SPECIFIER_PATH_SEPARATED_PREFIX;
    route_of(conf)->match->path_separated_prefix = xds_make_text("%s", prefix);
}

static void separated_slash(Conf *conf)
{
    set_separated(conf, "/a/");
}

static void separated_query(Conf *conf)
{
    set_separated(conf, "/a?b");
}

static Route__HeaderMatcher *add_header_matcher(Conf *conf, const char *name)
{
    Route__HeaderMatcher *matcher = xds_make(&route__header_matcher__descriptor);
    Route__RouteMatch *match = route_of(conf)->match;

    matcher->name = xds_make_text("%s", name);
    match->headers = xds_make_list(&match->n_headers, matcher, NULL);
    return matcher;
}

static void header_without_name(Conf *conf)
{
    add_header_matcher(conf, "");
}

static void header_with_bad_name(Conf *conf)
{
    add_header_matcher(conf, "x user");
}

static void unknown_header_matcher(Conf *conf)
{
    xds_make_unknown(&add_header_matcher(conf, "x-user")->base, 5);
}

static void empty_prefix_of_header(Conf *conf)
{
    Route__HeaderMatcher *matcher = add_header_matcher(conf, "x-user");

    matcher->header_match_specifier_case = ROUTE__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_PREFIX_MATCH;
    matcher->prefix_match = xds_make_text("%s", "");
}

static void string_matcher_without_pattern(Conf *conf)
{
    Route__HeaderMatcher *matcher = add_header_matcher(conf, "x-user");

    matcher->header_match_specifier_case = ROUTE__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_STRING_MATCH;
    matcher->string_match = xds_make(&matcher__string_matcher__descriptor);
}

static void many_header_matchers(Conf *conf)
{
    static Route__HeaderMatcher *matchers[1001];
    Route__HeaderMatcher *matcher = add_header_matcher(conf, "x-user");

    for (size_t i = 0; i < COUNT_OF(matchers); i++)
        matchers[i] = matcher;
    route_of(conf)->match->n_headers = COUNT_OF(matchers);
    route_of(conf)->match->headers = matchers;
}

static void query_without_name(Conf *conf)
{
    Route__RouteMatch *match = route_of(conf)->match;

    match->query_parameters =
        xds_make_list(&match->n_query_parameters, xds_make(&route__query_parameter_matcher__descriptor), NULL);
}

static void fraction_without_value(Conf *conf)
{
    route_of(conf)->match->runtime_fraction = xds_make(&core__runtime_fractional_percent__descriptor);
}

static void empty_cluster(Conf *conf)
{
    action_of(conf)->cluster = xds_make_text("%s", "");
}

static Route__WeightedCluster__ClusterWeight *set_weighted(Conf *conf, const char *name, uint32_t a, uint32_t b)
{
    Route__WeightedCluster__ClusterWeight *one = xds_make(&route__weighted_cluster__cluster_weight__descriptor);
    Route__WeightedCluster__ClusterWeight *two = xds_make(&route__weighted_cluster__cluster_weight__descriptor);
    Route__WeightedCluster *weighted = xds_make(&route__weighted_cluster__descriptor);

    one->name = xds_make_text("%s", name);
    one->weight = xds_make_u32(a);
    two->name = xds_make_text("b");
    two->weight = xds_make_u32(b);
    weighted->clusters = xds_make_list(&weighted->n_clusters, one, two, NULL);
    action_of(conf)->cluster_specifier_case = ROUTE__ROUTE_ACTION__CLUSTER_SPECIFIER_WEIGHTED_CLUSTERS;
    action_of(conf)->weighted_clusters = weighted;
    return one;
}

static void no_weight(Conf *conf)
{
    set_weighted(conf, "a", 0, 0);
}

static void too_much_weight(Conf *conf)
{
    set_weighted(conf, "a", UINT32_MAX, 1);
}

static void no_weighted_cluster(Conf *conf)
{
    set_weighted(conf, "a", 1, 1);
    action_of(conf)->weighted_clusters->n_clusters = 0;
}

static void weighted_without_name(Conf *conf)
{
    set_weighted(conf, "", 1, 1);
}

static void weighted_with_both(Conf *conf)
{
    set_weighted(conf, "a", 0, 1)->cluster_header = xds_make_text("x-cluster");
}

static Matcher__RegexMatchAndSubstitute *make_rewrite(const char *pattern, const char *substitution)
{
    Matcher__RegexMatchAndSubstitute *rewrite = xds_make(&matcher__regex_match_and_substitute__descriptor);

    rewrite->pattern = xds_make(&matcher__regex_matcher__descriptor);
    rewrite->pattern->regex = xds_make_text("%s", pattern);
    rewrite->substitution = xds_make_text("%s", substitution);
    return rewrite;
}

static void two_rewrites(Conf *conf)
{
    action_of(conf)->prefix_rewrite = xds_make_text("/b");
    action_of(conf)->regex_rewrite = make_rewrite("a", "b");
}

static void rewrite_with_line_break(Conf *conf)
{
    action_of(conf)->prefix_rewrite = xds_make_text("/b\r\nx: y");
}

static void rewrite_without_group(Conf *conf)
{
    action_of(conf)->regex_rewrite = make_rewrite("a(b)", "\\2");
}

static void rewrite_without_pattern(Conf *conf)
{
    action_of(conf)->regex_rewrite = xds_make(&matcher__regex_match_and_substitute__descriptor);
}

static void negative_timeout(Conf *conf)
{
    action_of(conf)->timeout = xds_make(&pb__duration__descriptor);
    action_of(conf)->timeout->seconds = -1;
}

static void unknown_priority(Conf *conf)
{
    action_of(conf)->priority = (Core__RoutingPriority) 4;
}

static Route__RetryPolicy *set_retry(Conf *conf)
{
    return action_of(conf)->retry_policy = xds_make(&route__retry_policy__descriptor);
}

static void backoff_without_base(Conf *conf)
{
    set_retry(conf)->retry_back_off = xds_make(&route__retry_policy__retry_back_off__descriptor);
}

static void backoff_upside_down(Conf *conf)
{
    Route__RetryPolicy__RetryBackOff *backoff = xds_make(&route__retry_policy__retry_back_off__descriptor);

    backoff->base_interval = xds_make_ms(100);
    backoff->max_interval = xds_make_ms(50);
    set_retry(conf)->retry_back_off = backoff;
}

static void reset_without_headers(Conf *conf)
{
    set_retry(conf)->rate_limited_retry_back_off =
        xds_make(&route__retry_policy__rate_limited_retry_back_off__descriptor);
}

static void hash_without_kind(Conf *conf)
{
    Route__RouteAction *action = action_of(conf);

    action->hash_policy =
        xds_make_list(&action->n_hash_policy, xds_make(&route__route_action__hash_policy__descriptor), NULL);
}

static void mirror_to_nowhere(Conf *conf)
{
    conf->request_mirror_policies = xds_make_list(
        &conf->n_request_mirror_policies, xds_make(&route__route_action__request_mirror_policy__descriptor), NULL);
}

/* ---- headers ---- */

static Core__HeaderValueOption *add_header(Conf *conf, const char *name, const char *value)
{
    Core__HeaderValueOption *option = xds_make_header(name, value);
    Route__Route *route = route_of(conf);

    route->request_headers_to_add = xds_make_list(&route->n_request_headers_to_add, option, NULL);
    return option;
}

static void add_host(Conf *conf)
{
    add_header(conf, "Host", "a");
}

static void add_path(Conf *conf)
{
    add_header(conf, ":path", "/");
}

static void add_empty_name(Conf *conf)
{
    add_header(conf, "", "a");
}

static void add_line_break(Conf *conf)
{
    add_header(conf, "x-a", "b\nc");
}

static void add_unknown_variable(Conf *conf)
{
    add_header(conf, "x-a", "%DOWNSTREAM_REMOTE_ADDRESS%");
}

static void add_endless_variable(Conf *conf)
{
    add_header(conf, "x-a", "100%");
}

static void add_answer_variable(Conf *conf)
{
    add_header(conf, "x-a", "%RESP(x-b)%");
}

static void add_variable_without_header(Conf *conf)
{
    add_header(conf, "x-a", "%REQ%");
}

static void add_both_appends(Conf *conf)
{
    Core__HeaderValueOption *option = add_header(conf, "x-a", "b");

    option->append = xds_make_bool(true);
    option->append_action = CORE__HEADER_VALUE_OPTION__HEADER_APPEND_ACTION__ADD_IF_ABSENT;
}

static void add_unknown_action(Conf *conf)
{
    add_header(conf, "x-a", "b")->append_action = (Core__HeaderValueOption__HeaderAppendAction) 8;
}

static void remove_host(Conf *conf)
{
    Route__VirtualHost *host = host_of(conf);

    host->request_headers_to_remove = xds_make_list(&host->n_request_headers_to_remove, xds_make_text("host"), NULL);
}

static void remove_status(Conf *conf)
{
    conf->response_headers_to_remove =
        xds_make_list(&conf->n_response_headers_to_remove, xds_make_text(":status"), NULL);
}

/* ---- answers ---- */

static Route__DirectResponseAction *set_answer(Conf *conf, uint32_t status)
{
    Route__DirectResponseAction *answer = xds_make(&route__direct_response_action__descriptor);

    answer->status = status;
    route_of(conf)->action_case = ROUTE__ROUTE__ACTION_DIRECT_RESPONSE;
    route_of(conf)->direct_response = answer;
    return answer;
}

static void answer_status(Conf *conf)
{
    set_answer(conf, 600);
}

static void answer_body(Conf *conf)
{
    Core__DataSource *body = xds_make(&core__data_source__descriptor);

    body->specifier_case = CORE__DATA_SOURCE__SPECIFIER_INLINE_STRING;
    body->inline_string = xds_make_text("12345");
    set_answer(conf, 200)->body = body;
    conf->max_direct_response_body_size_bytes = xds_make_u32(4);
}

static Route__RedirectAction *set_redirect(Conf *conf)
{
    route_of(conf)->action_case = ROUTE__ROUTE__ACTION_REDIRECT;
    return route_of(conf)->redirect = xds_make(&route__redirect_action__descriptor);
}

static void redirect_code(Conf *conf)
{
    set_redirect(conf)->response_code = (Route__RedirectAction__RedirectResponseCode) 5;
}

static void redirect_port(Conf *conf)
{
    set_redirect(conf)->port_redirect = 70000;
}

static void redirect_host(Conf *conf)
{
    set_redirect(conf)->host_redirect = xds_make_text("a\rb");
}

/* ---- filters ---- */

static void set_filter(Conf *conf, Pb__Any *config)
{
    Route__RouteConfiguration__TypedPerFilterConfigEntry *entry =
        xds_make(&route__route_configuration__typed_per_filter_config_entry__descriptor);

    entry->key = xds_make_text("fault");
    entry->value = config;
    conf->typed_per_filter_config = xds_make_list(&conf->n_typed_per_filter_config, entry, NULL);
}

static void fault_without_error(Conf *conf)
{
    Fault__HTTPFault *fault = xds_make(&fault__httpfault__descriptor);

    fault->abort = xds_make(&fault__fault_abort__descriptor);
    set_filter(conf, xds_make_any(&fault->base));
}

static void limit_too_fast(Conf *conf)
{
    LocalRateLimit__LocalRateLimit *limit = xds_make(&local_rate_limit__local_rate_limit__descriptor);

    limit->token_bucket = xds_make(&type__token_bucket__descriptor);
    limit->token_bucket->max_tokens = 1;
    limit->token_bucket->fill_interval = xds_make_ms(49);
    set_filter(conf, xds_make_any(&limit->base));
}

static void empty_filter_config(Conf *conf)
{
    Route__FilterConfig *config = xds_make(&route__filter_config__descriptor);

    config->is_optional = true;
    set_filter(conf, xds_make_any(&config->base));
}

static void filter_cut_off(Conf *conf)
{
    Pb__Any *any = xds_make_any(xds_make(&fault__httpfault__descriptor));
    static uint8_t cut[] = { 0x0a };

    any->value.data = cut;
    any->value.len = 1;
    set_filter(conf, any);
}

/* ---- the table ---- */

#define HOST   "virtual_hosts[0]"
#define ROUTE  HOST ".routes[0]"
#define ACTION ROUTE ".route"

static const struct {
    const char *name;
    void (*make)(Conf *conf);
    int32_t err; /* 0: MESH_ERR_INVALID */
    const char *sentence;
} cases[] = {
    { "no domain", no_domain, 0, HOST ".domains: there is none, so that nothing would come here" },
    { "empty domain", empty_domain, 0, HOST ".domains[0]: it is empty" },
    { "domain twice", domain_twice, 0,
      "virtual_hosts[1].domains[0]: \"users.example\" stands there for the second time" },
    { "star twice", star_twice, 0, "virtual_hosts[1].domains[0]: \"*\" stands there for the second time" },
    { "requirement of TLS", tls_requirement, 0, HOST ".require_tls: 9 does not exist" },
    { "no match", no_match, 0, ROUTE ".match: it is missing" },
    { "no path", no_path, 0, ROUTE ".match: it has none of prefix, path, safe_regex and path_separated_prefix" },
    { "bad regex", bad_regex, 0, ROUTE ".match.safe_regex: " },
    { "empty regex", empty_regex, 0, ROUTE ".match.safe_regex: there is no regular expression" },
    { "separated prefix with slash", separated_slash, 0,
      ROUTE ".match.path_separated_prefix: \"/a/\": it has two bytes or more, no \"?\" or \"#\", and does not end in "
            "\"/\"" },
    { "separated prefix with query", separated_query, 0, ROUTE ".match.path_separated_prefix: \"/a?b\": " },
    { "header without name", header_without_name, 0, ROUTE ".match.headers[0]: \"\" is no name of a header" },
    { "header with bad name", header_with_bad_name, 0, ROUTE ".match.headers[0]: \"x user\" is no name of a header" },
    { "unknown header matcher", unknown_header_matcher, 0,
      ROUTE ".match.headers[0]: field 5 of a header matcher is not known to libmesh" },
    { "empty prefix of a header", empty_prefix_of_header, 0,
      ROUTE ".match.headers[0].prefix_match: it is empty, which would match everything" },
    { "string matcher without pattern", string_matcher_without_pattern, 0,
      ROUTE ".match.headers[0].string_match: a string matcher has none of exact" },
    { "many header matchers", many_header_matchers, 0, ROUTE ".match.headers: 1001 matchers; allowed are 1000" },
    { "query parameter without name", query_without_name, 0, ROUTE ".match.query_parameters[0]: name is empty" },
    { "fraction without value", fraction_without_value, 0, ROUTE ".match.runtime_fraction: default_value is missing" },
    { "empty cluster", empty_cluster, 0, ACTION ".cluster: the name of a cluster has 0 bytes" },
    { "no weight", no_weight, 0, ACTION ".weighted_clusters.clusters: the sum of weights is 0" },
    { "too much weight", too_much_weight, 0, ACTION ".weighted_clusters.clusters: the sum of weights is 4294967296" },
    { "no weighted cluster", no_weighted_cluster, 0, ACTION ".weighted_clusters.clusters: there is none" },
    { "weighted without name", weighted_without_name, 0,
      ACTION ".weighted_clusters.clusters[0]: it has neither name and cluster_header" },
    { "weighted with both", weighted_with_both, 0,
      ACTION ".weighted_clusters.clusters[0]: it has both name and cluster_header" },
    { "two rewrites", two_rewrites, 0, ACTION ": it has both prefix_rewrite and regex_rewrite" },
    { "rewrite with line break", rewrite_with_line_break, 0, ACTION ".prefix_rewrite: it has a control byte" },
    { "rewrite without group", rewrite_without_group, 0, ACTION ".regex_rewrite.substitution: " },
    { "rewrite without pattern", rewrite_without_pattern, 0,
      ACTION ".regex_rewrite.pattern: there is no regular expression" },
    { "negative timeout", negative_timeout, 0, ACTION ".timeout: -1 s and 0 ns is no duration" },
    { "unknown priority", unknown_priority, 0, ACTION ".priority: 4 does not exist" },
    { "backoff without base", backoff_without_base, 0,
      ACTION ".retry_policy.retry_back_off.base_interval: it is missing" },
    { "backoff upside down", backoff_upside_down, 0,
      ACTION ".retry_policy.retry_back_off.max_interval: 50 ms is less than base_interval, 100 ms" },
    { "reset without headers", reset_without_headers, 0,
      ACTION ".retry_policy.rate_limited_retry_back_off.reset_headers: there is none" },
    { "hash without kind", hash_without_kind, 0,
      ACTION ".hash_policy[0]: it has none of header, cookie, query_parameter and filter_state" },
    { "mirror to nowhere", mirror_to_nowhere, 0,
      "request_mirror_policies[0]: it has neither cluster and cluster_header" },
    { "host added", add_host, 0, ROUTE ".request_headers_to_add[0].header: \"Host\" cannot be changed here" },
    { "path added", add_path, 0, ROUTE ".request_headers_to_add[0].header: \":path\" cannot be changed here" },
    { "empty name added", add_empty_name, 0, ROUTE ".request_headers_to_add[0].header: \"\" is no name of a header" },
    { "line break added", add_line_break, 0, ROUTE ".request_headers_to_add[0].header: it has a control byte" },
    { "unknown variable", add_unknown_variable, 0,
      ROUTE
      ".request_headers_to_add[0].header: \"%DOWNSTREAM_REMOTE_ADDRESS%\": a client does not know this variable" },
    { "endless variable", add_endless_variable, 0,
      ROUTE ".request_headers_to_add[0].header: \"%\": \"%\" begins a variable that does not end" },
    { "variable of the answer", add_answer_variable, 0,
      ROUTE ".request_headers_to_add[0].header: \"%RESP(x-b)%\": a request is sent before there is an answer" },
    { "variable without header", add_variable_without_header, 0,
      ROUTE ".request_headers_to_add[0].header: \"%REQ%\": it needs the name of a header in parentheses" },
    { "both appends", add_both_appends, 0,
      ROUTE ".request_headers_to_add[0].append: it must not stand beside append_action" },
    { "unknown append action", add_unknown_action, 0,
      ROUTE ".request_headers_to_add[0].append_action: 8 does not exist" },
    { "host removed", remove_host, 0, HOST ".request_headers_to_remove[0]: \"host\" cannot be changed here" },
    { "status removed", remove_status, 0, "response_headers_to_remove[0]: \":status\" cannot be changed here" },
    { "status of an answer", answer_status, 0, ROUTE ".direct_response.status: 600; allowed is 200 to 599" },
    { "body of an answer", answer_body, 0, ROUTE ".direct_response.body.inline_string: 5 bytes; allowed are 4" },
    { "code of a redirect", redirect_code, 0, ROUTE ".redirect.response_code: 5 does not exist" },
    { "port of a redirect", redirect_port, 0, ROUTE ".redirect.port_redirect: 70000 is no port" },
    { "host of a redirect", redirect_host, 0, ROUTE ".redirect.host_redirect: it has a control byte" },
    { "fault without error", fault_without_error, 0,
      "typed_per_filter_config[0].abort: it has none of http_status, grpc_status and header_abort" },
    { "limit too fast", limit_too_fast, 0,
      "typed_per_filter_config[0].token_bucket.fill_interval: 49000 us; allowed is 50 ms and more" },
    { "empty configuration of a filter", empty_filter_config, 0,
      "typed_per_filter_config[0]: it has neither config nor disabled" },
    { "filter cut off", filter_cut_off, MESH_ERR_PROTOCOL, "typed_per_filter_config[0]: " },
};

static bool begins(const char *text, const char *begin)
{
    return strncmp(text, begin, strlen(begin)) == 0;
}

static void test_each_is_refused_with_its_path(void **state)
{
    struct xds_routes_env env = { .service = "users" };
    bool all = true;

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Conf *conf = xds_make_routes("users");
        int32_t expected = cases[i].err ? cases[i].err : MESH_ERR_INVALID, err;
        struct ignored ignored = { 0 };
        struct fault fault = { 0 };
        struct model_routes *routes;
        struct buf bytes;

        cases[i].make(conf);
        bytes = xds_make_bytes(&conf->base);
        err = xds_routes_read(buf_bytes(&bytes), buf_len(&bytes), &env, &routes, &ignored, &fault);
        if (err != expected || !begins(fault.text, cases[i].sentence)) {
            print_error("%s: %s, \"%s\"\n", cases[i].name, error_name(err), fault.text);
            all = false;
        }
        model_routes_unref(routes);
        ignored_clear(&ignored);
        buf_free(&bytes);
        xds_make_clear();
    }
    assert_true(all);
}

/* ---- too much ---- */

static void refused_as_too_much(Conf *conf, const char *sentence)
{
    struct xds_routes_env env = { .service = "users" };
    struct fault fault = { 0 };
    struct model_routes *routes;
    struct buf bytes = xds_make_bytes(&conf->base);

    MESH_ERR(MESH_ERR_INVALID, xds_routes_read(buf_bytes(&bytes), buf_len(&bytes), &env, &routes, NULL, &fault));
    assert_null(routes);
    assert_string_equal(fault.text, sentence);
    buf_free(&bytes);
}

static void test_routes_beyond_the_limit_are_refused(void **state)
{
    const size_t many = 100001;
    Conf *conf = xds_make_routes("users");
    Route__VirtualHost *host = host_of(conf);
    Route__Route *route = host->routes[0];

    (void) state;
    host->routes = mem_array(many, sizeof *host->routes);
    assert_non_null(host->routes);
    for (size_t i = 0; i < many; i++)
        host->routes[i] = route;
    host->n_routes = many;
    refused_as_too_much(conf, "virtual_hosts[0]: more than 100000 routes");
    mem_free(host->routes);
    xds_make_clear();
}

/* Each of them costs time to make and memory to keep. */
static void test_regular_expressions_beyond_the_limit_are_refused(void **state)
{
    const size_t many = 10001;
    Conf *conf = xds_make_routes("users");
    Route__VirtualHost *host = host_of(conf);
    Route__Route **routes = mem_array(many, sizeof(Route__Route *));

    (void) state;
    assert_non_null(routes);
    for (size_t i = 0; i < many; i++) {
        host->routes[0] = xds_make_route("/", "users");
        set_path_regex(conf, xds_make_text("/%zu", i));
        routes[i] = host->routes[0];
    }
    host->routes = routes;
    host->n_routes = many;
    refused_as_too_much(conf, "virtual_hosts[0].routes[10000].match.safe_regex: more than 10000 regular expressions");
    mem_free(routes);
    xds_make_clear();
}

/* Headers of the outer levels belong to every route, so that few bytes would become very many changes. */
static void test_changes_of_headers_do_not_multiply(void **state)
{
    enum { HEADERS = 500, ROUTES = 3000 };
    Conf *conf = xds_make_routes("users");
    Route__VirtualHost *host = host_of(conf);
    Core__HeaderValueOption *added[HEADERS];
    Route__Route *routes[ROUTES];
    struct xds_routes_env env = { .service = "users" };
    struct fault fault = { 0 };
    struct model_routes *read;
    struct buf bytes;

    (void) state;
    for (size_t i = 0; i < HEADERS; i++)
        added[i] = xds_make_header("x-a", "b");
    conf->request_headers_to_add = added;
    conf->n_request_headers_to_add = HEADERS;
    add_header(conf, "x-own", "1");
    for (size_t i = 0; i < ROUTES; i++)
        routes[i] = host->routes[0];
    host->routes = routes;
    host->n_routes = ROUTES;
    bytes = xds_make_bytes(&conf->base);
    MESH_ERR(MESH_ERR_INVALID, xds_routes_read(buf_bytes(&bytes), buf_len(&bytes), &env, &read, NULL, &fault));
    assert_non_null(strstr(fault.text, "more than 500000 changes of headers"));
    buf_free(&bytes);
    xds_make_clear();
}

static void test_bytes_that_are_no_message_are_refused(void **state)
{
    static const uint8_t bytes[] = { 0x12, 0x7f, 0x00 };
    struct xds_routes_env env = { .service = "users" };
    struct fault fault = { 0 };
    struct model_routes *routes;

    (void) state;
    MESH_ERR(MESH_ERR_PROTOCOL, xds_routes_read(bytes, sizeof bytes, &env, &routes, NULL, &fault));
    assert_null(routes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(test_each_is_refused_with_its_path),
        LEAK_TEST(test_routes_beyond_the_limit_are_refused),
        LEAK_TEST(test_regular_expressions_beyond_the_limit_are_refused),
        LEAK_TEST(test_changes_of_headers_do_not_multiply),
        LEAK_TEST(test_bytes_that_are_no_message_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
