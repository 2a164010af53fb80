/* SPDX-License-Identifier: Apache-2.0 */
/* Random listeners and route configurations, well-formed on the wire: each is read or refused with a sentence, the same way whenever it
 * comes, and what was accepted can be read by each service. */
#include "mesh_test.h"

#include <string.h>

#include "proto/fault.pb-c.h"
#include "proto/local_rate_limit.pb-c.h"
#include "proto/router.pb-c.h"
#include "source/xds/listener.h"
#include "support/xds_make.h"
#include "support/xds_random.h"

enum { ROUNDS = 4000 };

static const ProtobufCMessageDescriptor *const anys[] = {
    &hcm__http_connection_manager__descriptor,       &router__router__descriptor,       &fault__httpfault__descriptor,
    &local_rate_limit__local_rate_limit__descriptor, &route__filter_config__descriptor, &core__node__descriptor,
};

static const char *const texts[] = {
    "a",
    "b",
    "users",
    "*",
    "*.example",
    "/",
    "/a",
    "/a/",
    "x-a",
    "X-B",
    ":path",
    "host",
    "",
    "%REQ(x-a)%",
    "%%",
    "50%",
    "5xx",
    "reset,retriable-headers",
    "a+",
    "(",
    "\\1",
    "envoy.lb",
    "fault",
    "io.grpc.channel_id",
    "line\nbreak",
    "\xc3\xa4",
};

/* The same seed gives the same message. */
static struct xds_random start(uint64_t seed)
{
    struct xds_random random = { .anys = anys,
                                 .n_anys = COUNT_OF(anys),
                                 .texts = texts,
                                 .n_texts = COUNT_OF(texts),
                                 .share = 5 + (unsigned) (seed % 5) * 10 };

    rand_seed_with(&random.dice, seed);
    return random;
}

/* What random bytes hardly ever do: most of it is right. */
static Route__RouteConfiguration *random_routes(struct xds_random *random)
{
    Route__RouteConfiguration *conf = xds_make_routes("users");
    Route__VirtualHost *host = conf->virtual_hosts[0];
    Route__Route *route = host->routes[0];
    ProtobufCMessage *whole = xds_random_message(random, &route__route_configuration__descriptor, 0);

    switch (rand_below(&random->dice, 6)) {
    case 0:
        return (Route__RouteConfiguration *) whole;
    case 1:
        route->match = (Route__RouteMatch *) xds_random_message(random, &route__route_match__descriptor, 3);
        break;
    case 2:
        route->route = (Route__RouteAction *) xds_random_message(random, &route__route_action__descriptor, 3);
        break;
    case 3:
        host->routes[0] = (Route__Route *) xds_random_message(random, &route__route__descriptor, 2);
        break;
    case 4:
        conf->virtual_hosts[0] = (Route__VirtualHost *) xds_random_message(random, &route__virtual_host__descriptor, 1);
        break;
    default:
        route->route->retry_policy =
            (Route__RetryPolicy *) xds_random_message(random, &route__retry_policy__descriptor, 4);
    }
    return conf;
}

/* Whatever was accepted when it was checked, a service can use with a listener that has no such filters. */
static bool check_routes(const Route__RouteConfiguration *conf, const struct xds_listener *listener)
{
    struct xds_routes_env check = { .version = "1" };
    struct xds_routes_env use = { .listener = listener, .service = "users", .version = "1" };
    struct buf bytes = xds_make_bytes(&conf->base);
    struct ignored ignored = { 0 };
    struct fault fault = { 0 };
    struct model_routes *routes, *again;
    int32_t err = xds_routes_read(buf_bytes(&bytes), buf_len(&bytes), &check, &routes, &ignored, &fault);

    assert_true(err == 0 || err == MESH_ERR_INVALID || err == MESH_ERR_PROTOCOL);
    assert_int_equal(err == 0, routes != NULL);
    assert_int_equal(err != 0, fault.text[0] != '\0');
    assert_int_equal(xds_routes_read(buf_bytes(&bytes), buf_len(&bytes), &use, &again, NULL, NULL), err);
    model_routes_unref(routes);
    model_routes_unref(again);
    ignored_clear(&ignored);
    buf_free(&bytes);
    return err == 0;
}

static struct xds_listener *plain_listener(void)
{
    struct buf bytes = xds_make_bytes(&xds_make_listener("users", xds_make_manager("routes"))->base);
    struct xds_listener *listener;

    MESH_OK(xds_listener_read(buf_bytes(&bytes), buf_len(&bytes), &listener, NULL, NULL));
    buf_free(&bytes);
    xds_make_clear();
    return listener;
}

static void test_random_routes_are_read_or_refused(void **state)
{
    struct xds_listener *listener = plain_listener();
    unsigned accepted = 0;

    (void) state;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        struct xds_random random = start(seed);

        accepted += check_routes(random_routes(&random), listener);
        xds_make_clear();
    }
    xds_listener_unref(listener);
    print_message("%u of %d accepted\n", accepted, ROUNDS);
    assert_true(accepted > ROUNDS / 10);
    assert_true(accepted < ROUNDS * 9 / 10);
}

static void test_random_listeners_are_read_or_refused(void **state)
{
    unsigned accepted = 0;

    (void) state;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        struct xds_random random = start(seed);
        Hcm__HttpConnectionManager *manager = xds_make_manager("routes");
        struct ignored ignored = { 0 };
        struct fault fault = { 0 };
        struct xds_listener *listener;
        struct buf bytes;
        int32_t err;

        if (seed % 4 == 0)
            manager = (Hcm__HttpConnectionManager *) xds_random_message(&random, anys[0], 1);
        if (seed % 4 == 1)
            manager->http_filters =
                xds_make_list(&manager->n_http_filters, xds_random_message(&random, &hcm__http_filter__descriptor, 2),
                              xds_make_router(), NULL);
        if (seed % 4 == 2) {
            manager->route_specifier_case = HCM__HTTP_CONNECTION_MANAGER__ROUTE_SPECIFIER_ROUTE_CONFIG;
            manager->route_config = random_routes(&random);
        }
        if (seed % 4 == 3)
            manager->common_http_protocol_options =
                (Core__HttpProtocolOptions *) xds_random_message(&random, &core__http_protocol_options__descriptor, 2);
        bytes = xds_make_bytes(&xds_make_listener("users", manager)->base);
        err = xds_listener_read(buf_bytes(&bytes), buf_len(&bytes), &listener, &ignored, &fault);
        assert_true(err == 0 || err == MESH_ERR_INVALID || err == MESH_ERR_PROTOCOL);
        assert_int_equal(err == 0, listener != NULL);
        accepted += err == 0;
        xds_listener_unref(listener);
        ignored_clear(&ignored);
        buf_free(&bytes);
        xds_make_clear();
    }
    print_message("%u of %d accepted\n", accepted, ROUNDS);
    assert_true(accepted > ROUNDS / 10);
    assert_true(accepted < ROUNDS * 9 / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(test_random_routes_are_read_or_refused),
        LEAK_TEST(test_random_listeners_are_read_or_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
