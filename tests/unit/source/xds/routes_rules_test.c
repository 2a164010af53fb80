/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of routes: timeouts as Envoy combines them, retries, hashes, mirrors, and headers of all levels in order. */
#include "support/xds_routes.h"

typedef Route__RouteConfiguration Conf;

/* ---- timeouts ---- */

#define S     UINT64_C(1000000)
#define NONE  (-1) /* the field is absent */
#define UNSET UINT64_MAX

/* In seconds. Where max_stream_duration stands, `timeout` does not count. */
static const struct {
    int timeout, duration, header_max, legacy_max, listener;
    bool has_duration;
    uint64_t expected, grpc; /* UNSET: nothing is said */
} times[] = {
    { NONE, NONE, NONE, NONE, 0, false, UNSET, UNSET },
    { 3, NONE, NONE, NONE, 0, false, 3 * S, UNSET },
    { 0, NONE, NONE, NONE, 0, false, 0, UNSET },
    { 3, NONE, NONE, NONE, 2, false, 2 * S, UNSET },
    { 0, NONE, NONE, NONE, 2, false, 2 * S, UNSET },
    { NONE, NONE, NONE, NONE, 2, false, 2 * S, UNSET },
    { NONE, NONE, NONE, NONE, 60, false, UNSET, UNSET },
    { 3, 7, NONE, NONE, 0, true, 7 * S, UNSET },
    { 3, 0, NONE, NONE, 5, true, 0, UNSET },
    { 3, NONE, NONE, NONE, 5, true, 5 * S, UNSET },
    { 3, NONE, NONE, NONE, 0, true, 0, UNSET },
    { 3, 7, 9, NONE, 0, true, 7 * S, 9 * S },
    { NONE, NONE, 0, NONE, 0, true, 0, 0 },
    { 3, NONE, NONE, 9, 0, false, 3 * S, 9 * S },
    { 3, NONE, NONE, 9, 4, false, 3 * S, 4 * S },
    { 3, 7, NONE, 9, 0, true, 7 * S, UNSET },
};

static Pb__Duration *seconds(int n)
{
    return n == NONE ? NULL : xds_make_ms((uint64_t) n * 1000);
}

static Conf *make_times(size_t i)
{
    Conf *conf = xds_make_routes("users");
    Route__RouteAction *action = first_route(conf)->route;

    action->timeout = seconds(times[i].timeout);
    action->max_grpc_timeout = seconds(times[i].legacy_max);
    if (times[i].has_duration) {
        action->max_stream_duration = xds_make(&route__route_action__max_stream_duration__descriptor);
        action->max_stream_duration->max_stream_duration = seconds(times[i].duration);
        action->max_stream_duration->grpc_timeout_header_max = seconds(times[i].header_max);
    }
    return conf;
}

static struct xds_listener *make_listener(Hcm__HttpConnectionManager *manager)
{
    Listener__Listener *message = xds_make_listener("users", manager);
    struct buf bytes = xds_make_bytes(&message->base);
    struct fault fault = { 0 };
    struct xds_listener *listener;
    int32_t err = xds_listener_read(buf_bytes(&bytes), buf_len(&bytes), &listener, &ignored, &fault);

    if (err)
        print_error("%s\n", fault.text);
    MESH_OK(err);
    buf_free(&bytes);
    return listener;
}

static void test_timeouts_are_combined_as_in_envoy(void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        Hcm__HttpConnectionManager *manager = xds_make_manager("routes");
        struct xds_listener *listener;
        struct model_routes *routes;
        const struct route_rules *rules;
        int longest = times[i].has_duration && times[i].duration != NONE ? times[i].duration : times[i].listener;

        manager->common_http_protocol_options = xds_make(&core__http_protocol_options__descriptor);
        manager->common_http_protocol_options->max_stream_duration = seconds(times[i].listener);
        listener = make_listener(manager);
        routes = read_routes(make_times(i), listener);
        rules = &routes->hosts[0].routes[0].rules;
        if (rules->has_timeout != (times[i].expected != UNSET) || rules->has_grpc_max != (times[i].grpc != UNSET) ||
            rules->stream_us != (uint64_t) longest * S ||
            (rules->has_timeout && rules->timeout_us != times[i].expected) ||
            (rules->has_grpc_max && rules->grpc_max_us != times[i].grpc))
            fail_msg("line %zu: timeout %d %llu, gRPC's %d %llu", i, rules->has_timeout,
                     (unsigned long long) rules->timeout_us, rules->has_grpc_max,
                     (unsigned long long) rules->grpc_max_us);
        model_routes_unref(routes);
        xds_listener_unref(listener);
    }
}

static void test_idle_timeouts_of_route_and_listener(void **state)
{
    Hcm__HttpConnectionManager *manager = xds_make_manager("routes");
    Conf *conf = xds_make_routes("users");
    struct xds_listener *listener;
    struct model_routes *routes;

    (void) state;
    manager->stream_idle_timeout = xds_make_ms(0);
    listener = make_listener(manager);
    routes = read_routes(conf, listener);
    assert_true(routes->from_api_listener);
    assert_int_equal(routes->idle_us, 0);
    assert_false(routes->hosts[0].routes[0].rules.has_idle);
    model_routes_unref(routes);
    first_route(conf)->route->idle_timeout = xds_make_ms(250);
    routes = read_routes(conf, NULL);
    assert_int_equal(routes->idle_us, UINT64_MAX);
    assert_true(routes->hosts[0].routes[0].rules.has_idle);
    assert_int_equal(routes->hosts[0].routes[0].rules.idle_us, 250000);
    model_routes_unref(routes);
    xds_listener_unref(listener);
}

/* ---- retries ---- */

static Route__RetryPolicy *make_retry(const char *on)
{
    Route__RetryPolicy *policy = xds_make(&route__retry_policy__descriptor);

    policy->retry_on = xds_make_text("%s", on);
    return policy;
}

static void test_no_retry_policy_leaves_the_policy_of_the_cluster(void **state)
{
    struct model_routes *routes;

    (void) state;
    routes = read_routes(xds_make_routes("users"), NULL);
    assert_null(routes->hosts[0].routes[0].rules.retry);
    model_routes_unref(routes);
}

static void test_a_retry_policy_is_read(void **state)
{
    Conf *conf = xds_make_routes("users");
    Route__RetryPolicy *policy = make_retry("5xx , reset,retriable-status-codes,hope,");
    Route__RetryPolicy__RetryHostPredicate *other = xds_make(&route__retry_policy__retry_host_predicate__descriptor);
    Route__RetryPolicy__RetryHostPredicate *previous = xds_make(&route__retry_policy__retry_host_predicate__descriptor);
    uint32_t codes[] = { 429, 999 };
    struct model_routes *routes;
    const struct route_rules *rules;

    (void) state;
    first_route(conf)->route->retry_policy = policy;
    policy->retriable_status_codes = codes;
    policy->n_retriable_status_codes = COUNT_OF(codes);
    policy->retry_back_off = xds_make(&route__retry_policy__retry_back_off__descriptor);
    policy->retry_back_off->base_interval = xds_make_ms(40);
    other->name = xds_make_text("envoy.retry_host_predicates.omit_canary_hosts");
    previous->name = xds_make_text("envoy.retry_host_predicates.previous_hosts");
    policy->retry_host_predicate = xds_make_list(&policy->n_retry_host_predicate, previous, other, NULL);
    policy->per_try_idle_timeout = xds_make_ms(5);
    routes = read_routes(conf, NULL);
    rules = &routes->hosts[0].routes[0].rules;
    assert_int_equal(rules->retry->on, RETRY_5XX | RETRY_RESET | RETRY_STATUS_CODES);
    assert_int_equal(rules->retry->attempts, 2);
    assert_int_equal(rules->retry->statuses.n, 1);
    assert_int_equal(rules->retry->statuses.codes[0], 429);
    assert_int_equal(rules->retry->backoff_base_ms, 40);
    assert_int_equal(rules->retry->backoff_max_ms, 400);
    assert_int_equal(rules->retry->per_try_timeout_ms, 70);
    assert_true(rules->retry->refused);
    assert_int_equal(rules->per_try_idle_us, 5000);
    assert_int_equal(ignored.n, 3);
    assert_true(is_listed("virtual_hosts[0].routes[0].route.retry_policy.retry_on: \"hope\" is not known to libmesh"));
    assert_true(is_listed("virtual_hosts[0].routes[0].route.retry_policy.retry_host_predicate: "
                          "\"envoy.retry_host_predicates.omit_canary_hosts\" is not known to libmesh"));
    model_routes_unref(routes);
}

static void test_no_retries_are_obeyed(void **state)
{
    Conf *conf = xds_make_routes("users");
    struct model_routes *routes;

    (void) state;
    first_route(conf)->route->retry_policy = make_retry("5xx");
    first_route(conf)->route->retry_policy->num_retries = xds_make_u32(0);
    routes = read_routes(conf, NULL);
    assert_int_equal(routes->hosts[0].routes[0].rules.retry->attempts, 1);
    model_routes_unref(routes);
}

/* What the route does not say is not taken from its virtual host. */
static void test_the_routes_retry_policy_replaces_the_virtual_hosts(void **state)
{
    Conf *conf = xds_make_routes("users");
    Route__VirtualHost *host = conf->virtual_hosts[0];
    struct model_routes *routes;

    (void) state;
    host->routes = xds_make_list(&host->n_routes, xds_make_route("/a", "a"), xds_make_route("/b", "b"), NULL);
    host->retry_policy = make_retry("5xx");
    host->retry_policy->num_retries = xds_make_u32(7);
    host->routes[1]->route->retry_policy = make_retry("reset");
    routes = read_routes(conf, NULL);
    assert_int_equal(routes->hosts[0].routes[0].rules.retry->attempts, 8);
    assert_int_equal(routes->hosts[0].routes[0].rules.retry->on, RETRY_5XX);
    assert_int_equal(routes->hosts[0].routes[1].rules.retry->attempts, 2);
    assert_int_equal(routes->hosts[0].routes[1].rules.retry->on, RETRY_RESET);
    model_routes_unref(routes);
}

static void test_retriable_headers_count_with_their_word(void **state)
{
    Conf *conf = xds_make_routes("users");
    Route__RetryPolicy *policy = make_retry("5xx");
    Route__HeaderMatcher *matcher = xds_make(&route__header_matcher__descriptor);
    struct model_routes *routes;

    (void) state;
    matcher->name = xds_make_text("X-Again");
    policy->retriable_headers = xds_make_list(&policy->n_retriable_headers, matcher, NULL);
    first_route(conf)->route->retry_policy = policy;
    routes = read_routes(conf, NULL);
    assert_int_equal(routes->hosts[0].routes[0].rules.n_retry_headers, 0);
    model_routes_unref(routes);
    policy->retry_on = xds_make_text("retriable-headers");
    routes = read_routes(conf, NULL);
    assert_int_equal(routes->hosts[0].routes[0].rules.n_retry_headers, 1);
    assert_string_equal(routes->hosts[0].routes[0].rules.retry_headers[0].name, "x-again");
    assert_int_equal(ignored.n, 0);
    model_routes_unref(routes);
}

static void test_reset_headers_are_read(void **state)
{
    Conf *conf = xds_make_routes("users");
    Route__RetryPolicy__RateLimitedRetryBackOff *backoff =
        xds_make(&route__retry_policy__rate_limited_retry_back_off__descriptor);
    Route__RetryPolicy__ResetHeader *header = xds_make(&route__retry_policy__reset_header__descriptor);
    struct model_routes *routes;
    const struct route_rules *rules;

    (void) state;
    header->name = xds_make_text("X-RateLimit-Reset");
    header->format = ROUTE__RETRY_POLICY__RESET_HEADER_FORMAT__UNIX_TIMESTAMP;
    backoff->reset_headers = xds_make_list(&backoff->n_reset_headers, header, NULL);
    first_route(conf)->route->retry_policy = make_retry("5xx");
    first_route(conf)->route->retry_policy->rate_limited_retry_back_off = backoff;
    routes = read_routes(conf, NULL);
    rules = &routes->hosts[0].routes[0].rules;
    assert_int_equal(rules->n_reset_headers, 1);
    assert_string_equal(rules->reset_headers[0].name, "x-ratelimit-reset");
    assert_true(rules->reset_headers[0].is_unix_time);
    assert_int_equal(rules->reset_most_us, 300 * S);
    model_routes_unref(routes);
}

static void test_switches_are_read(void **state)
{
    Conf *conf = xds_make_routes("users");
    Route__VirtualHost *host = conf->virtual_hosts[0];
    struct model_routes *routes;
    const struct route_rules *rules;

    (void) state;
    host->hedge_policy = xds_make(&route__hedge_policy__descriptor);
    host->hedge_policy->hedge_on_per_try_timeout = true;
    host->include_request_attempt_count = true;
    first_route(conf)->route->priority = CORE__ROUTING_PRIORITY__HIGH;
    routes = read_routes(conf, NULL);
    rules = &routes->hosts[0].routes[0].rules;
    assert_true(rules->hedge_on_per_try_timeout);
    assert_true(rules->attempt_count);
    assert_true(rules->is_critical);
    model_routes_unref(routes);
    first_route(conf)->route->hedge_policy = xds_make(&route__hedge_policy__descriptor);
    routes = read_routes(conf, NULL);
    assert_false(routes->hosts[0].routes[0].rules.hedge_on_per_try_timeout);
    model_routes_unref(routes);
}

/* ---- hashes and mirrors ---- */

static Route__RouteAction__HashPolicy *make_hash(Route__RouteAction__HashPolicy__PolicySpecifierCase kind)
{
    Route__RouteAction__HashPolicy *policy = xds_make(&route__route_action__hash_policy__descriptor);

    policy->policy_specifier_case = kind;
    return policy;
}

static Route__RouteAction__HashPolicy *make_state_hash(const char *key)
{
    Route__RouteAction__HashPolicy *policy = make_hash(ROUTE__ROUTE_ACTION__HASH_POLICY__POLICY_SPECIFIER_FILTER_STATE);

    policy->filter_state = xds_make(&route__route_action__hash_policy__filter_state__descriptor);
    policy->filter_state->key = xds_make_text("%s", key);
    return policy;
}

/* One that gives no hash here is passed by, and listed. */
static void test_hash_policies_are_read(void **state)
{
    Conf *conf = xds_make_routes("users");
    Route__RouteAction *action = first_route(conf)->route;
    Route__RouteAction__HashPolicy *header = make_hash(ROUTE__ROUTE_ACTION__HASH_POLICY__POLICY_SPECIFIER_HEADER);
    Route__RouteAction__HashPolicy *cookie = make_hash(ROUTE__ROUTE_ACTION__HASH_POLICY__POLICY_SPECIFIER_COOKIE);
    Route__RouteAction__HashPolicy *source = make_hash(ROUTE__ROUTE_ACTION__HASH_POLICY__POLICY_SPECIFIER__NOT_SET);
    struct model_routes *routes;
    const struct route_rules *rules;

    (void) state;
    header->header = xds_make(&route__route_action__hash_policy__header__descriptor);
    header->header->header_name = xds_make_text("X-User");
    header->terminal = true;
    cookie->cookie = xds_make(&route__route_action__hash_policy__cookie__descriptor);
    cookie->cookie->name = xds_make_text("Session");
    xds_make_unknown(&source->base, 3);
    action->hash_policy = xds_make_list(&action->n_hash_policy, source, header, make_state_hash("other"), cookie,
                                        make_state_hash("io.grpc.channel_id"), NULL);
    routes = read_routes(conf, NULL);
    rules = &routes->hosts[0].routes[0].rules;
    assert_int_equal(rules->n_hash, 3);
    assert_int_equal(rules->hash[0].kind, ROUTE_HASH_HEADER);
    assert_string_equal(rules->hash[0].name, "x-user");
    assert_true(rules->hash[0].terminal);
    assert_int_equal(rules->hash[1].kind, ROUTE_HASH_COOKIE);
    assert_string_equal(rules->hash[1].name, "Session");
    assert_int_equal(rules->hash[2].kind, ROUTE_HASH_CHANNEL);
    assert_true(is_listed("virtual_hosts[0].routes[0].route.hash_policy[2].filter_state: \"other\" gives no hash; "
                          "\"io.grpc.channel_id\" would"));
    assert_true(is_listed("virtual_hosts[0].routes[0].route.hash_policy[0]: it gives no hash: only header, cookie, "
                          "query_parameter and filter_state do"));
    model_routes_unref(routes);
}

static Route__RouteAction__RequestMirrorPolicy *make_mirror(const char *cluster)
{
    Route__RouteAction__RequestMirrorPolicy *policy = xds_make(&route__route_action__request_mirror_policy__descriptor);

    policy->cluster = xds_make_text("%s", cluster);
    return policy;
}

static void test_the_most_specific_list_of_mirrors_counts(void **state)
{
    Conf *conf = xds_make_routes("users");
    Route__RouteAction *action = first_route(conf)->route;
    struct model_routes *routes;
    const struct route_rules *rules;

    (void) state;
    conf->request_mirror_policies = xds_make_list(&conf->n_request_mirror_policies, make_mirror("outer"), NULL);
    routes = read_routes(conf, NULL);
    rules = &routes->hosts[0].routes[0].rules;
    assert_int_equal(rules->n_mirrors, 1);
    assert_string_equal(rules->mirrors[0].cluster, "xds:outer");
    assert_int_equal(rules->mirrors[0].fraction.numerator, 100);
    assert_int_equal(routes->n_clusters, 2);
    model_routes_unref(routes);
    action->request_mirror_policies =
        xds_make_list(&action->n_request_mirror_policies, make_mirror("a"), make_mirror("b"), NULL);
    action->request_mirror_policies[1]->runtime_fraction = xds_make_percent(5);
    routes = read_routes(conf, NULL);
    rules = &routes->hosts[0].routes[0].rules;
    assert_int_equal(rules->n_mirrors, 2);
    assert_string_equal(rules->mirrors[1].cluster, "xds:b");
    assert_int_equal(rules->mirrors[1].fraction.numerator, 5);
    assert_int_equal(routes->n_clusters, 3);
    model_routes_unref(routes);
}

/* ---- headers ---- */

static void add_levels(Conf *conf)
{
    Route__VirtualHost *host = conf->virtual_hosts[0];
    Route__Route *route = first_route(conf);
    Route__WeightedCluster__ClusterWeight *entry = xds_make(&route__weighted_cluster__cluster_weight__descriptor);
    Route__WeightedCluster *weighted = xds_make(&route__weighted_cluster__descriptor);

    entry->name = xds_make_text("a");
    entry->weight = xds_make_u32(1);
    weighted->clusters = xds_make_list(&weighted->n_clusters, entry, NULL);
    route->route->cluster_specifier_case = ROUTE__ROUTE_ACTION__CLUSTER_SPECIFIER_WEIGHTED_CLUSTERS;
    route->route->weighted_clusters = weighted;
    entry->request_headers_to_add =
        xds_make_list(&entry->n_request_headers_to_add, xds_make_header("x-entry", "1"), NULL);
    route->request_headers_to_add =
        xds_make_list(&route->n_request_headers_to_add, xds_make_header("x-route", "1"), NULL);
    route->request_headers_to_remove =
        xds_make_list(&route->n_request_headers_to_remove, xds_make_text("X-Gone"), NULL);
    host->request_headers_to_add = xds_make_list(&host->n_request_headers_to_add, xds_make_header("x-host", "1"), NULL);
    conf->request_headers_to_add = xds_make_list(&conf->n_request_headers_to_add, xds_make_header("x-conf", "1"), NULL);
    conf->response_headers_to_remove =
        xds_make_list(&conf->n_response_headers_to_remove, xds_make_text("server"), NULL);
}

static void names_are(const struct header_changes *changes, const char *const *names, size_t n)
{
    assert_int_equal(changes->n, n);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(changes->items[i].name, names[i]);
}

static void test_what_is_overwritten_comes_before_what_is_added(void **state)
{
    static const char *const names[] = { "x-gone", "x-b", "x-d", "x-a", "x-c" };
    Conf *conf = xds_make_routes("a");
    Core__HeaderValueOption *second = xds_make_header("x-b", "1"), *fourth = xds_make_header("x-d", "1");
    struct model_routes *routes;

    (void) state;
    second->append_action = CORE__HEADER_VALUE_OPTION__HEADER_APPEND_ACTION__OVERWRITE_IF_EXISTS_OR_ADD;
    fourth->append_action = CORE__HEADER_VALUE_OPTION__HEADER_APPEND_ACTION__OVERWRITE_IF_EXISTS;
    conf->request_headers_to_add = xds_make_list(&conf->n_request_headers_to_add, xds_make_header("x-a", "1"), second,
                                                 xds_make_header("x-c", "1"), fourth, NULL);
    conf->request_headers_to_remove = xds_make_list(&conf->n_request_headers_to_remove, xds_make_text("x-gone"), NULL);
    routes = read_routes(conf, NULL);
    names_are(&routes->hosts[0].routes[0].targets[0].request_changes, names, COUNT_OF(names));
    model_routes_unref(routes);
}

static void test_changes_of_all_levels_are_in_order(void **state)
{
    static const char *const normal[] = { "x-entry", "x-gone", "x-route", "x-host", "x-conf" };
    static const char *const reversed[] = { "x-entry", "x-conf", "x-host", "x-gone", "x-route" }; /* Envoy's order */
    Conf *conf = xds_make_routes("a");
    const struct route_target *target;
    struct model_routes *routes;

    (void) state;
    add_levels(conf);
    routes = read_routes(conf, NULL);
    target = &routes->hosts[0].routes[0].targets[0];
    names_are(&target->request_changes, normal, COUNT_OF(normal));
    assert_int_equal(target->request_changes.items[1].action, HEADER_REMOVE);
    assert_int_equal(target->response_changes.n, 1);
    assert_int_equal(target->response_changes.items[0].action, HEADER_REMOVE);
    model_routes_unref(routes);
    conf->most_specific_header_mutations_wins = true;
    routes = read_routes(conf, NULL);
    names_are(&routes->hosts[0].routes[0].targets[0].request_changes, reversed, COUNT_OF(reversed));
    model_routes_unref(routes);
}

static void test_actions_of_headers(void **state)
{
    Conf *conf = xds_make_routes("a");
    Core__HeaderValueOption *overwritten = xds_make_header("X-A", ""), *old = xds_make_header("x-b", " b ");
    Core__HeaderValueOption *raw = xds_make_header("x-c", "");
    static uint8_t bytes[] = { 0xff, 'c' };
    struct model_routes *routes;
    const struct header_changes *changes;

    (void) state;
    overwritten->append_action = CORE__HEADER_VALUE_OPTION__HEADER_APPEND_ACTION__OVERWRITE_IF_EXISTS;
    overwritten->keep_empty_value = true;
    old->append = xds_make_bool(false);
    raw->header->raw_value.data = bytes;
    raw->header->raw_value.len = sizeof bytes;
    conf->request_headers_to_add = xds_make_list(&conf->n_request_headers_to_add, overwritten, old,
                                                 xds_make_header("connection", "close"), raw, NULL);
    routes = read_routes(conf, NULL);
    changes = &routes->hosts[0].routes[0].targets[0].request_changes;
    assert_int_equal(changes->n, 3);
    assert_string_equal(changes->items[0].name, "x-a");
    assert_int_equal(changes->items[0].action, HEADER_OVERWRITE_IF_EXISTS);
    assert_true(changes->items[0].keep_empty);
    assert_int_equal(changes->items[0].n_parts, 0);
    assert_int_equal(changes->items[1].action, HEADER_OVERWRITE);
    assert_string_equal(changes->items[1].parts[0].text, "b");
    assert_int_equal(changes->items[2].action, HEADER_APPEND);
    assert_memory_equal(changes->items[2].parts[0].text, bytes, 2);
    assert_true(
        is_listed("request_headers_to_add[2].header: \"connection\" belongs to the connection or the body, which "
                  "libmesh looks after"));
    model_routes_unref(routes);
}

static void test_variables_are_taken_apart(void **state)
{
    Conf *conf = xds_make_routes("a");
    struct model_routes *routes;
    const struct header_change *change;

    (void) state;
    conf->request_headers_to_add = xds_make_list(
        &conf->n_request_headers_to_add, xds_make_header("x-a", "50%% of %REQ(X-User?:Path):8%%HOSTNAME%."), NULL);
    routes = read_routes(conf, NULL);
    change = &routes->hosts[0].routes[0].targets[0].request_changes.items[0];
    assert_int_equal(change->n_parts, 4);
    assert_int_equal(change->parts[0].kind, VALUE_TEXT);
    assert_string_equal(change->parts[0].text, "50% of ");
    assert_int_equal(change->parts[0].len, 7);
    assert_int_equal(change->parts[1].kind, VALUE_REQUEST_HEADER);
    assert_string_equal(change->parts[1].text, "x-user");
    assert_string_equal(change->parts[1].alternative, ":path");
    assert_int_equal(change->parts[1].most, 8);
    assert_int_equal(change->parts[2].kind, VALUE_HOSTNAME);
    assert_string_equal(change->parts[3].text, ".");
    model_routes_unref(routes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROUTES_TEST(test_timeouts_are_combined_as_in_envoy),
        ROUTES_TEST(test_idle_timeouts_of_route_and_listener),
        ROUTES_TEST(test_no_retry_policy_leaves_the_policy_of_the_cluster),
        ROUTES_TEST(test_a_retry_policy_is_read),
        ROUTES_TEST(test_no_retries_are_obeyed),
        ROUTES_TEST(test_the_routes_retry_policy_replaces_the_virtual_hosts),
        ROUTES_TEST(test_retriable_headers_count_with_their_word),
        ROUTES_TEST(test_reset_headers_are_read),
        ROUTES_TEST(test_switches_are_read),
        ROUTES_TEST(test_hash_policies_are_read),
        ROUTES_TEST(test_the_most_specific_list_of_mirrors_counts),
        ROUTES_TEST(test_changes_of_all_levels_are_in_order),
        ROUTES_TEST(test_what_is_overwritten_comes_before_what_is_added),
        ROUTES_TEST(test_actions_of_headers),
        ROUTES_TEST(test_variables_are_taken_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
