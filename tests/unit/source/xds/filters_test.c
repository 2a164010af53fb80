/* SPDX-License-Identifier: Apache-2.0 */
/* Faults and rate limits: what a listener says, and what configuration, virtual host, route and cluster say otherwise. */
#include "proto/fault.pb-c.h"
#include "proto/local_rate_limit.pb-c.h"
#include "support/xds_routes.h"

typedef Route__RouteConfiguration Conf;

/* ---- building ---- */

static Fault__HTTPFault *make_abort(uint32_t status)
{
    Fault__HTTPFault *fault = xds_make(&fault__httpfault__descriptor);

    fault->abort = xds_make(&fault__fault_abort__descriptor);
    fault->abort->error_type_case = FAULT__FAULT_ABORT__ERROR_TYPE_HTTP_STATUS;
    fault->abort->http_status = status;
    fault->abort->percentage = xds_make_percent(50)->default_value;
    return fault;
}

static LocalRateLimit__LocalRateLimit *make_limit(uint32_t tokens)
{
    LocalRateLimit__LocalRateLimit *limit = xds_make(&local_rate_limit__local_rate_limit__descriptor);

    limit->token_bucket = xds_make(&type__token_bucket__descriptor);
    limit->token_bucket->max_tokens = tokens;
    limit->token_bucket->fill_interval = xds_make_ms(1000);
    limit->filter_enabled = xds_make_percent(100);
    limit->filter_enforced = xds_make_percent(100);
    return limit;
}

static struct xds_listener *make_listener(Hcm__HttpFilter *fault, Hcm__HttpFilter *limit)
{
    Hcm__HttpConnectionManager *manager = xds_make_manager("routes");
    Listener__Listener *message;
    struct xds_listener *listener;
    struct fault why = { 0 };
    struct buf bytes;
    int32_t err;

    manager->http_filters = limit ? xds_make_list(&manager->n_http_filters, fault, limit, xds_make_router(), NULL)
                                  : xds_make_list(&manager->n_http_filters, fault, xds_make_router(), NULL);
    message = xds_make_listener("users", manager);
    bytes = xds_make_bytes(&message->base);
    err = xds_listener_read(buf_bytes(&bytes), buf_len(&bytes), &listener, &ignored, &why);
    if (err)
        print_error("%s\n", why.text);
    MESH_OK(err);
    buf_free(&bytes);
    return listener;
}

static struct xds_listener *make_faulty_listener(uint32_t status)
{
    return make_listener(xds_make_filter("fault", &make_abort(status)->base), NULL);
}

static Route__Route__TypedPerFilterConfigEntry *make_entry(const char *name, Pb__Any *config)
{
    Route__Route__TypedPerFilterConfigEntry *entry = xds_make(&route__route__typed_per_filter_config_entry__descriptor);

    entry->key = xds_make_text("%s", name);
    entry->value = config;
    return entry;
}

static void set_route(Conf *conf, const char *name, Pb__Any *config)
{
    Route__Route *route = first_route(conf);

    route->typed_per_filter_config = xds_make_list(&route->n_typed_per_filter_config, make_entry(name, config), NULL);
}

static void set_host(Conf *conf, const char *name, Pb__Any *config)
{
    Route__VirtualHost *host = conf->virtual_hosts[0];

    host->typed_per_filter_config = xds_make_list(&host->n_typed_per_filter_config, make_entry(name, config), NULL);
}

static Pb__Any *make_switch(bool disabled, Pb__Any *config, bool optional)
{
    Route__FilterConfig *wrapped = xds_make(&route__filter_config__descriptor);

    wrapped->disabled = disabled;
    wrapped->config = config;
    wrapped->is_optional = optional;
    return xds_make_any(&wrapped->base);
}

/* The status of the one fault that the first route has; 0: it has none. */
static int fault_status(const Conf *conf, const struct xds_listener *listener)
{
    struct model_routes *routes = read_routes(conf, listener);
    const struct route_rules *rules = &routes->hosts[0].routes[0].rules;
    int status = rules->n_faults ? rules->faults[0].abort_status : 0;

    assert_true(rules->n_faults <= 1);
    model_routes_unref(routes);
    return status;
}

/* ---- faults ---- */

static void test_a_fault_is_read_whole(void **state)
{
    Fault__HTTPFault *fault = make_abort(418);
    Route__HeaderMatcher *matcher = xds_make(&route__header_matcher__descriptor);
    struct xds_listener *listener;
    struct model_routes *routes;
    const struct route_fault *read;

    (void) state;
    matcher->name = xds_make_text("X-Chaos");
    fault->headers = xds_make_list(&fault->n_headers, matcher, NULL);
    fault->upstream_cluster = xds_make_text("users");
    fault->max_active_faults = xds_make_u32(3);
    fault->delay = xds_make(&fault_common__fault_delay__descriptor);
    fault->delay->fault_delay_secifier_case = FAULT_COMMON__FAULT_DELAY__FAULT_DELAY_SECIFIER_HEADER_DELAY;
    fault->delay->header_delay = xds_make(&fault_common__fault_delay__header_delay__descriptor);
    fault->delay->percentage = xds_make_percent(100)->default_value;
    listener = make_listener(xds_make_filter("fault", &fault->base), NULL);
    routes = read_routes(xds_make_routes("users"), listener);
    read = &routes->hosts[0].routes[0].rules.faults[0];
    assert_true(read->has_delay && read->delay_by_header);
    assert_true(read->has_abort && !read->abort_by_header);
    assert_int_equal(read->abort_status, 418);
    assert_int_equal(read->abort_fraction.numerator, 50);
    assert_string_equal(read->cluster, "xds:users");
    assert_string_equal(read->headers[0].name, "x-chaos");
    assert_int_equal(read->most_active, 3);
    model_routes_unref(routes);
    xds_listener_unref(listener);
}

static void test_a_fault_of_no_percent_is_none(void **state)
{
    Fault__HTTPFault *fault = make_abort(503);
    struct xds_listener *listener;

    (void) state;
    fault->abort->percentage = NULL;
    listener = make_listener(xds_make_filter("fault", &fault->base), NULL);
    assert_int_equal(fault_status(xds_make_routes("users"), listener), 0);
    xds_listener_unref(listener);
}

/* Whom it is for a client cannot tell: so it is for nobody. */
static void test_a_fault_for_some_clients_is_left_out(void **state)
{
    Fault__HTTPFault *fault = make_abort(503);
    struct xds_listener *listener;

    (void) state;
    xds_make_unknown(&fault->base, 5);
    listener = make_listener(xds_make_filter("fault", &fault->base), NULL);
    assert_true(
        is_listed("api_listener.api_listener.http_filters[0].typed_config.downstream_nodes: the fault is left out: it "
                  "is not for every client"));
    assert_int_equal(fault_status(xds_make_routes("users"), listener), 0);
    xds_listener_unref(listener);
}

/* ---- levels ---- */

static void test_the_most_specific_level_wins(void **state)
{
    struct xds_listener *listener = make_faulty_listener(501);
    Conf *conf = xds_make_routes("users");

    (void) state;
    assert_int_equal(fault_status(conf, listener), 501);
    set_host(conf, "fault", xds_make_any(&make_abort(502)->base));
    assert_int_equal(fault_status(conf, listener), 502);
    set_route(conf, "fault", xds_make_any(&make_abort(503)->base));
    assert_int_equal(fault_status(conf, listener), 503);
    set_route(conf, "fault", make_switch(true, NULL, false));
    assert_int_equal(fault_status(conf, listener), 0);
    set_route(conf, "fault", make_switch(false, xds_make_any(&make_abort(504)->base), false));
    assert_int_equal(fault_status(conf, listener), 504);
    assert_int_equal(ignored.n, 0);
    xds_listener_unref(listener);
}

/* An empty configuration in the wrapper enables what the levels above say. */
static void test_a_disabled_filter_waits_for_a_level_that_enables_it(void **state)
{
    Hcm__HttpFilter *filter = xds_make_filter("fault", &make_abort(501)->base);
    Conf *conf = xds_make_routes("users");
    struct xds_listener *listener;

    (void) state;
    filter->disabled = true;
    listener = make_listener(filter, NULL);
    assert_int_equal(fault_status(conf, listener), 0);
    set_host(conf, "fault", make_switch(false, xds_make(&pb__any__descriptor), false));
    assert_int_equal(fault_status(conf, listener), 501);
    set_host(conf, "fault", xds_make_any(&make_abort(502)->base));
    assert_int_equal(fault_status(conf, listener), 502);
    xds_listener_unref(listener);
}

static void test_a_configuration_without_its_filter_is_listed(void **state)
{
    struct xds_listener *listener = make_faulty_listener(501);
    Conf *conf = xds_make_routes("users");

    (void) state;
    set_route(conf, "other", xds_make_any(&make_abort(503)->base));
    assert_int_equal(fault_status(conf, listener), 501);
    assert_true(
        is_listed("virtual_hosts[0].routes[0].typed_per_filter_config[0]: the listener has no filter \"other\" of "
                  "this type"));
    ignored_clear(&ignored);
    assert_int_equal(fault_status(conf, NULL), 0);
    assert_int_equal(ignored.n, 0); /* the listener is not known yet */
    xds_listener_unref(listener);
}

static void test_a_configuration_of_another_type(void **state)
{
    struct xds_listener *listener = make_faulty_listener(501);
    Conf *conf = xds_make_routes("users");
    Pb__Any *stranger = xds_make_any(xds_make(&core__node__descriptor));
    struct xds_routes_env env = { .listener = listener, .service = "users" };
    struct fault fault = { 0 };
    struct model_routes *routes;
    struct buf bytes;

    (void) state;
    set_route(conf, "cors", stranger);
    assert_int_equal(fault_status(conf, listener), 501);
    assert_int_equal(ignored.n, 0); /* that does not depend on the listener */
    assert_int_equal(fault_status(conf, NULL), 0);
    assert_true(is_listed("virtual_hosts[0].routes[0].typed_per_filter_config[0]: type "
                          "\"type.googleapis.com/envoy.config.core.v3.Node\" is not known to libmesh"));
    set_route(conf, "fault", make_switch(false, stranger, true));
    assert_int_equal(fault_status(conf, listener), 501);
    set_route(conf, "fault", stranger);
    bytes = xds_make_bytes(&conf->base);
    MESH_ERR(MESH_ERR_INVALID, xds_routes_read(buf_bytes(&bytes), buf_len(&bytes), &env, &routes, NULL, &fault));
    assert_string_equal(fault.text,
                        "virtual_hosts[0].routes[0].typed_per_filter_config[0]: type "
                        "\"type.googleapis.com/envoy.config.core.v3.Node\" is not that of the listener's filter");
    buf_free(&bytes);
    xds_listener_unref(listener);
}

/* ---- weighted clusters ---- */

static Route__WeightedCluster__ClusterWeight *make_weight(const char *name, Pb__Any *config)
{
    Route__WeightedCluster__ClusterWeight *made = xds_make(&route__weighted_cluster__cluster_weight__descriptor);

    made->name = xds_make_text("%s", name);
    made->weight = xds_make_u32(1);
    if (config)
        made->typed_per_filter_config =
            xds_make_list(&made->n_typed_per_filter_config, make_entry("fault", config), NULL);
    return made;
}

static Conf *make_weighted(Pb__Any *of_b, Pb__Any *of_c)
{
    Conf *conf = xds_make_routes("");
    Route__WeightedCluster *weighted = xds_make(&route__weighted_cluster__descriptor);

    weighted->clusters = xds_make_list(&weighted->n_clusters, make_weight("a", NULL), make_weight("b", of_b),
                                       make_weight("c", of_c), NULL);
    first_route(conf)->route->cluster_specifier_case = ROUTE__ROUTE_ACTION__CLUSTER_SPECIFIER_WEIGHTED_CLUSTERS;
    first_route(conf)->route->weighted_clusters = weighted;
    return conf;
}

static void test_a_cluster_of_several_has_a_fault_of_its_own(void **state)
{
    struct xds_listener *listener = make_faulty_listener(501);
    Conf *conf = make_weighted(xds_make_any(&make_abort(502)->base), make_switch(true, NULL, false));
    struct model_routes *routes;
    const struct route_rules *rules;

    (void) state;
    routes = read_routes(conf, listener);
    rules = &routes->hosts[0].routes[0].rules;
    assert_int_equal(rules->n_faults, 2);
    assert_string_equal(rules->faults[0].cluster, "xds:a");
    assert_int_equal(rules->faults[0].abort_status, 501);
    assert_string_equal(rules->faults[1].cluster, "xds:b");
    assert_int_equal(rules->faults[1].abort_status, 502);
    model_routes_unref(routes);
    xds_listener_unref(listener);
}

/* ---- rate limits ---- */

static void test_routes_share_the_bucket_of_their_level(void **state)
{
    struct xds_listener *listener = make_listener(xds_make_filter("fault", xds_make(&fault__httpfault__descriptor)),
                                                  xds_make_filter("limit", &make_limit(10)->base));
    Conf *conf = xds_make_routes("users");
    Route__VirtualHost *host = conf->virtual_hosts[0];
    LocalRateLimit__LocalRateLimit *own = make_limit(3);
    struct model_routes *routes, *again;
    const struct route_limit *limit;

    (void) state;
    host->routes = xds_make_list(&host->n_routes, xds_make_route("/a", "a"), xds_make_route("/b", "b"),
                                 xds_make_route("/c", "c"), NULL);
    own->status = xds_make(&type__http_status__descriptor);
    own->status->code = (Type__StatusCode) 503;
    own->token_bucket->tokens_per_fill = xds_make_u32(2);
    host->routes[2]->typed_per_filter_config =
        xds_make_list(&host->routes[2]->n_typed_per_filter_config, make_entry("limit", xds_make_any(&own->base)), NULL);
    routes = read_routes(conf, listener);
    assert_int_equal(routes->hosts[0].routes[0].rules.limits[0].bucket,
                     routes->hosts[0].routes[1].rules.limits[0].bucket);
    assert_int_equal(routes->hosts[0].routes[0].rules.limits[0].status, 429);
    limit = &routes->hosts[0].routes[2].rules.limits[0];
    assert_int_equal(limit->status, 503);
    assert_int_equal(limit->enforced.numerator, 100);
    assert_int_equal(routes->n_buckets, 2);
    assert_int_equal(routes->buckets[limit->bucket].most, 3);
    assert_int_equal(routes->buckets[limit->bucket].per_fill, 2);
    assert_int_equal(routes->buckets[limit->bucket].fill_us, 1000000);
    again = read_routes(conf, listener);
    assert_int_equal(again->buckets[0].key, routes->buckets[0].key);
    assert_int_equal(again->buckets[1].key, routes->buckets[1].key);
    assert_true(routes->buckets[0].key != routes->buckets[1].key);
    model_routes_unref(again);
    model_routes_unref(routes);
    xds_listener_unref(listener);
}

/* As in Envoy, nobody is refused where nothing says of how many. */
static void test_a_limit_that_is_not_enforced_is_none(void **state)
{
    LocalRateLimit__LocalRateLimit *limit = make_limit(10);
    struct xds_listener *listener;
    struct model_routes *routes;

    (void) state;
    limit->filter_enforced = NULL;
    listener = make_listener(xds_make_filter("limit", &limit->base), NULL);
    routes = read_routes(xds_make_routes("users"), listener);
    assert_int_equal(routes->hosts[0].routes[0].rules.n_limits, 0);
    assert_int_equal(routes->n_buckets, 0);
    model_routes_unref(routes);
    xds_listener_unref(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROUTES_TEST(test_a_fault_is_read_whole),
        ROUTES_TEST(test_a_fault_of_no_percent_is_none),
        ROUTES_TEST(test_a_fault_for_some_clients_is_left_out),
        ROUTES_TEST(test_the_most_specific_level_wins),
        ROUTES_TEST(test_a_disabled_filter_waits_for_a_level_that_enables_it),
        ROUTES_TEST(test_a_configuration_without_its_filter_is_listed),
        ROUTES_TEST(test_a_configuration_of_another_type),
        ROUTES_TEST(test_a_cluster_of_several_has_a_fault_of_its_own),
        ROUTES_TEST(test_routes_share_the_bucket_of_their_level),
        ROUTES_TEST(test_a_limit_that_is_not_enforced_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
