/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a route configuration in a test, with what was listed as not honoured. */
#ifndef TESTS_SUPPORT_XDS_ROUTES_H
#define TESTS_SUPPORT_XDS_ROUTES_H

#include <string.h>

#include "mesh_test.h"
#include "source/xds/listener.h"
#include "support/xds_make.h"

static struct ignored ignored;

static int routes_test_end(void **state)
{
    ignored_clear(&ignored);
    xds_make_clear();
    return mesh_test_unwatch(state);
}

/* A test with the leak check around it, that ends with nothing made and nothing listed. */
#define ROUTES_TEST(function) cmocka_unit_test_setup_teardown(function, mesh_test_watch, routes_test_end)

/* For requests to "users", as a part of that listener; NULL: of none that is known. */
static inline struct model_routes *read_routes(const Route__RouteConfiguration *conf,
                                               const struct xds_listener *listener)
{
    struct policy_retry retry = { .attempts = 3,
                                  .on = RETRY_ON_DEFAULT,
                                  .refused = true,
                                  .per_try_timeout_ms = 70,
                                  .backoff_base_ms = 30,
                                  .backoff_max_ms = 1000 };
    struct xds_routes_env env = { .listener = listener, .service = "users", .version = "v7", .retry = &retry };
    struct buf bytes = xds_make_bytes(&conf->base);
    struct fault fault = { 0 };
    struct model_routes *routes;
    int32_t err = xds_routes_read(buf_bytes(&bytes), buf_len(&bytes), &env, &routes, &ignored, &fault);

    if (err)
        print_error("%s\n", fault.text);
    MESH_OK(err);
    buf_free(&bytes);
    return routes;
}

static inline bool is_listed(const char *sentence)
{
    for (size_t i = 0; i < ignored.n; i++)
        if (strcmp(ignored.items[i], sentence) == 0)
            return true;
    for (size_t i = 0; i < ignored.n; i++)
        print_message("listed: %s\n", ignored.items[i]);
    return false;
}

static inline Route__Route *first_route(const Route__RouteConfiguration *conf)
{
    return conf->virtual_hosts[0]->routes[0];
}

#endif
