/* SPDX-License-Identifier: Apache-2.0 */
/* Listeners: where their routes are, which filters they may have, and what is refused. */
#include "proto/fault.pb-c.h"
#include "proto/local_rate_limit.pb-c.h"
#include "proto/router.pb-c.h"
#include "support/xds_routes.h"

static int32_t read_message(const Listener__Listener *message, struct xds_listener **out, struct fault *fault)
{
    struct buf bytes = xds_make_bytes(&message->base);
    int32_t err = xds_listener_read(buf_bytes(&bytes), buf_len(&bytes), out, &ignored, fault);

    buf_free(&bytes);
    return err;
}

static struct xds_listener *accepted(const Hcm__HttpConnectionManager *manager)
{
    struct fault fault = { 0 };
    struct xds_listener *listener;
    int32_t err = read_message(xds_make_listener("users", manager), &listener, &fault);

    if (err)
        print_error("%s\n", fault.text);
    MESH_OK(err);
    return listener;
}

static void refused(const Hcm__HttpConnectionManager *manager, const char *sentence)
{
    struct fault fault = { 0 };
    struct xds_listener *listener;

    MESH_ERR(MESH_ERR_INVALID, read_message(xds_make_listener("users", manager), &listener, &fault));
    assert_string_equal(fault.text, sentence);
    assert_null(listener);
}

#define MANAGER "api_listener.api_listener"

/* ---- routes ---- */

static void test_routes_by_name(void **state)
{
    Hcm__HttpConnectionManager *manager = xds_make_manager("route-7");
    struct xds_listener *listener;

    (void) state;
    manager->common_http_protocol_options = xds_make(&core__http_protocol_options__descriptor);
    manager->common_http_protocol_options->max_stream_duration = xds_make_ms(1500);
    manager->stream_idle_timeout = xds_make_ms(20);
    listener = accepted(manager);
    assert_string_equal(listener->name, "users");
    assert_string_equal(listener->routes_name, "route-7");
    assert_null(listener->inline_routes);
    assert_int_equal(listener->idle_us, 20000);
    assert_int_equal(listener->stream_us, 1500000);
    assert_int_equal(ignored.n, 0);
    xds_listener_unref(xds_listener_ref(listener));
    xds_listener_unref(listener);
}

static void test_what_is_not_said(void **state)
{
    struct xds_listener *listener;

    (void) state;
    listener = accepted(xds_make_manager("r"));
    assert_int_equal(listener->idle_us, UINT64_MAX);
    assert_int_equal(listener->stream_us, 0);
    xds_listener_unref(listener);
}

static void set_inline(Hcm__HttpConnectionManager *manager, Route__RouteConfiguration *conf)
{
    manager->route_specifier_case = HCM__HTTP_CONNECTION_MANAGER__ROUTE_SPECIFIER_ROUTE_CONFIG;
    manager->route_config = conf;
}

/* The bytes that are kept are those of the configuration. */
static void test_routes_inside(void **state)
{
    Hcm__HttpConnectionManager *manager = xds_make_manager("");
    struct xds_routes_env env = { .service = "users" };
    struct model_routes *routes;
    struct xds_listener *listener;

    (void) state;
    set_inline(manager, xds_make_routes("a"));
    listener = accepted(manager);
    assert_null(listener->routes_name);
    env.listener = listener;
    MESH_OK(xds_routes_read(listener->inline_routes, listener->inline_len, &env, &routes, NULL, NULL));
    assert_string_equal(routes->hosts[0].routes[0].targets[0].cluster, "xds:a");
    model_routes_unref(routes);
    xds_listener_unref(listener);
}

static void test_wrong_routes_inside_are_refused_with_their_listener(void **state)
{
    Hcm__HttpConnectionManager *manager = xds_make_manager("");
    Route__RouteConfiguration *conf = xds_make_routes("a");

    (void) state;
    first_route(conf)->match = NULL;
    set_inline(manager, conf);
    refused(manager, MANAGER ".route_config.virtual_hosts[0].routes[0].match: it is missing");
    conf->virtual_hosts = xds_make_list(&conf->n_virtual_hosts, xds_make_host("*"), xds_make_host("*"), NULL);
    refused(manager, MANAGER ".route_config: virtual_hosts[1].domains[0]: \"*\" stands there for the second time");
}

static void test_routes_of_elsewhere_are_refused(void **state)
{
    Hcm__HttpConnectionManager *manager = xds_make_manager("r");

    (void) state;
    manager->rds->config_source->config_source_specifier_case = CORE__CONFIG_SOURCE__CONFIG_SOURCE_SPECIFIER__NOT_SET;
    refused(manager, MANAGER ".rds.config_source: allowed are ads and self: the same control plane");
    refused(xds_make_manager(""), MANAGER ".rds.route_config_name: it is empty");
    manager->route_specifier_case = HCM__HTTP_CONNECTION_MANAGER__ROUTE_SPECIFIER__NOT_SET;
    refused(manager, MANAGER ": it has neither rds nor route_config");
}

/* ---- what is no client's listener ---- */

static void test_listeners_of_proxies_are_refused(void **state)
{
    Listener__Listener *message = xds_make(&listener__listener__descriptor);
    struct fault fault = { 0 };
    struct xds_listener *listener;

    (void) state;
    MESH_ERR(MESH_ERR_INVALID, read_message(message, &listener, &fault));
    assert_string_equal(fault.text, "api_listener is missing: the listener of a proxy is of no use to a client");
    message->api_listener = xds_make(&listener__api_listener__descriptor);
    message->api_listener->api_listener = xds_make_any(xds_make(&router__router__descriptor));
    MESH_ERR(MESH_ERR_INVALID, read_message(message, &listener, &fault));
    assert_string_equal(fault.text,
                        MANAGER ": type \"type.googleapis.com/envoy.extensions.filters.http.router.v3.Router\"; "
                                "allowed is envoy.extensions.filters.network.http_connection_manager.v3."
                                "HttpConnectionManager");
}

static void test_options_of_connections_are_listed(void **state)
{
    Hcm__HttpConnectionManager *manager = xds_make_manager("r");

    (void) state;
    manager->common_http_protocol_options = xds_make(&core__http_protocol_options__descriptor);
    manager->common_http_protocol_options->idle_timeout = xds_make_ms(5);
    xds_make_unknown(&manager->base, 7);
    xds_listener_unref(accepted(manager));
    assert_int_equal(ignored.n, 2);
    assert_true(is_listed(MANAGER
                          ": field 7 of "
                          "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager is not "
                          "known to libmesh"));
}

/* ---- filters ---- */

static Hcm__HttpFilter *make_fault_filter(const char *name)
{
    return xds_make_filter(name, xds_make(&fault__httpfault__descriptor));
}

static Hcm__HttpFilter *make_stranger(const char *name)
{
    return xds_make_filter(name, xds_make(&core__node__descriptor));
}

static void test_the_router_is_the_last_filter(void **state)
{
    Hcm__HttpConnectionManager *manager = xds_make_manager("r");

    (void) state;
    manager->n_http_filters = 0;
    refused(manager, MANAGER ".http_filters: the last one is not the router "
                             "(envoy.extensions.filters.http.router.v3.Router)");
    manager->http_filters = xds_make_list(&manager->n_http_filters, make_fault_filter("fault"), NULL);
    refused(manager, MANAGER ".http_filters: the last one is not the router "
                             "(envoy.extensions.filters.http.router.v3.Router)");
    manager->http_filters =
        xds_make_list(&manager->n_http_filters, xds_make_router(), make_fault_filter("fault"), NULL);
    refused(manager, MANAGER ".http_filters[1]: filter \"fault\" stands behind the router");
    manager->http_filters = xds_make_list(&manager->n_http_filters, xds_make_router(), NULL);
    manager->http_filters[0]->disabled = true;
    refused(manager, MANAGER ".http_filters[0]: the router is disabled, so that no request would go anywhere");
}

static void test_names_of_filters_are_unique(void **state)
{
    Hcm__HttpConnectionManager *manager = xds_make_manager("r");

    (void) state;
    manager->http_filters = xds_make_list(&manager->n_http_filters, make_fault_filter("a"), make_fault_filter("a"),
                                          xds_make_router(), NULL);
    refused(manager, MANAGER ".http_filters[1]: there are two filters \"a\"");
}

static void test_unknown_filters_are_refused_unless_optional(void **state)
{
    Hcm__HttpConnectionManager *manager = xds_make_manager("r");

    (void) state;
    manager->http_filters = xds_make_list(&manager->n_http_filters, make_stranger("wasm"), xds_make_router(), NULL);
    refused(manager,
            MANAGER ".http_filters[0]: filter \"wasm\" of type \"type.googleapis.com/envoy.config.core.v3.Node\" is "
                    "not known to libmesh, and not optional");
    manager->http_filters[0]->is_optional = true;
    xds_listener_unref(accepted(manager));
    assert_true(is_listed(MANAGER ".http_filters[0]: filter \"wasm\" of type "
                                  "\"type.googleapis.com/envoy.config.core.v3.Node\" is left out"));
    manager->http_filters[0]->is_optional = false;
    manager->http_filters[0]->config_type_case = HCM__HTTP_FILTER__CONFIG_TYPE__NOT_SET;
    refused(manager,
            MANAGER ".http_filters[0]: filter \"wasm\" of type \"\" is not known to libmesh, and not optional");
}

static void test_what_filters_say_is_read_with_the_listener(void **state)
{
    Hcm__HttpConnectionManager *manager = xds_make_manager("r");
    Fault__HTTPFault *fault = xds_make(&fault__httpfault__descriptor);
    LocalRateLimit__LocalRateLimit *limit = xds_make(&local_rate_limit__local_rate_limit__descriptor);

    (void) state;
    fault->abort = xds_make(&fault__fault_abort__descriptor);
    fault->abort->error_type_case = FAULT__FAULT_ABORT__ERROR_TYPE_HTTP_STATUS;
    fault->abort->http_status = 600;
    limit->token_bucket = xds_make(&type__token_bucket__descriptor);
    manager->http_filters =
        xds_make_list(&manager->n_http_filters, xds_make_filter("fault", &fault->base), xds_make_router(), NULL);
    refused(manager, MANAGER ".http_filters[0].typed_config.abort.http_status: 600; allowed is 200 to 599");
    manager->http_filters = xds_make_list(&manager->n_http_filters, make_fault_filter("fault"),
                                          xds_make_filter("limit", &limit->base), xds_make_router(), NULL);
    refused(manager, MANAGER ".http_filters[1].typed_config.token_bucket.max_tokens: it is 0");
}

static void test_switches_of_the_router_are_listed(void **state)
{
    Hcm__HttpConnectionManager *manager = xds_make_manager("r");
    Router__Router *router = xds_make(&router__router__descriptor);

    (void) state;
    router->suppress_envoy_headers = true;
    manager->http_filters = xds_make_list(&manager->n_http_filters, xds_make_filter("router", &router->base), NULL);
    xds_listener_unref(accepted(manager));
    assert_true(is_listed(MANAGER ".http_filters[0].typed_config.suppress_envoy_headers: deadline.headers of the "
                                  "configuration says what is sent"));
}

/* Also where routes inside go by the same filters. */
static void test_what_a_filter_says_in_vain_is_listed_once(void **state)
{
    Hcm__HttpConnectionManager *manager = xds_make_manager("");
    Fault__HTTPFault *fault = xds_make(&fault__httpfault__descriptor);

    (void) state;
    fault->abort = xds_make(&fault__fault_abort__descriptor);
    fault->abort->error_type_case = FAULT__FAULT_ABORT__ERROR_TYPE_GRPC_STATUS;
    fault->abort->grpc_status = 14;
    fault->abort->percentage = xds_make_percent(5)->default_value;
    xds_make_unknown(&fault->base, 5);
    manager->http_filters =
        xds_make_list(&manager->n_http_filters, xds_make_filter("fault", &fault->base), xds_make_router(), NULL);
    set_inline(manager, xds_make_routes("a"));
    xds_listener_unref(accepted(manager));
    assert_int_equal(ignored.n, 2);
    assert_true(is_listed(MANAGER ".http_filters[0].typed_config: field 5 of "
                                  "envoy.extensions.filters.http.fault.v3.HTTPFault is not known to libmesh"));
}

/* ---- memory ---- */

static struct buf everything;

static int32_t read_everything(void)
{
    struct fault fault = { 0 };
    struct xds_listener *listener;
    int32_t err = xds_listener_read(buf_bytes(&everything), buf_len(&everything), &listener, NULL, &fault);

    xds_listener_unref(listener);
    return err;
}

static void test_every_allocation_may_fail(void **state)
{
    Hcm__HttpConnectionManager *manager = xds_make_manager("");
    Fault__HTTPFault *fault = xds_make(&fault__httpfault__descriptor);

    (void) state;
    fault->abort = xds_make(&fault__fault_abort__descriptor);
    fault->abort->error_type_case = FAULT__FAULT_ABORT__ERROR_TYPE_HTTP_STATUS;
    fault->abort->http_status = 503;
    fault->abort->percentage = xds_make_percent(5)->default_value;
    manager->http_filters =
        xds_make_list(&manager->n_http_filters, xds_make_filter("fault", &fault->base), xds_make_router(), NULL);
    set_inline(manager, xds_make_routes("a"));
    everything = xds_make_bytes(&xds_make_listener("users", manager)->base);
    mesh_test_each_allocation_fails(read_everything);
    buf_free(&everything);
    xds_make_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROUTES_TEST(test_routes_by_name),
        ROUTES_TEST(test_what_is_not_said),
        ROUTES_TEST(test_routes_inside),
        ROUTES_TEST(test_wrong_routes_inside_are_refused_with_their_listener),
        ROUTES_TEST(test_routes_of_elsewhere_are_refused),
        ROUTES_TEST(test_listeners_of_proxies_are_refused),
        ROUTES_TEST(test_options_of_connections_are_listed),
        ROUTES_TEST(test_the_router_is_the_last_filter),
        ROUTES_TEST(test_names_of_filters_are_unique),
        ROUTES_TEST(test_unknown_filters_are_refused_unless_optional),
        ROUTES_TEST(test_what_filters_say_is_read_with_the_listener),
        ROUTES_TEST(test_switches_of_the_router_are_listed),
        ROUTES_TEST(test_what_a_filter_says_in_vain_is_listed_once),
        cmocka_unit_test(test_every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
