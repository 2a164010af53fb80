/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as JSON for people: what is there and nothing else, forms of its own for what JSON has, and no keys. */
#include "mesh_test.h"

#include "proto/cluster.pb-c.h"
#include "proto/router.pb-c.h"
#include "proto/tls.pb-c.h"
#include "source/xds/message_json.h"
#include "support/xds_make.h"

static void json_is(const ProtobufCMessage *message, const char *expected)
{
    struct json_writer w = { 0 };
    char *json;

    message_json(&w, message);
    json = json_finish(&w);
    assert_non_null(json);
    assert_string_equal(json, expected);
    mem_free(json);
    xds_make_clear();
}

static void test_what_is_not_there_is_left_out(void **state)
{
    (void) state;
    json_is(xds_make(&route__route_configuration__descriptor), "{}");
}

static void test_a_route_configuration(void **state)
{
    Route__RouteConfiguration *conf = xds_make_routes("users");
    Route__Route *route = conf->virtual_hosts[0]->routes[0];

    (void) state;
    route->route->timeout = xds_make_ms(1500);
    route->route->metadata_match = xds_make_metadata("version", "v1");
    route->route->priority = CORE__ROUTING_PRIORITY__HIGH;
    route->match->case_sensitive = xds_make_bool(false);
    xds_make_unknown(&route->base, 77);
    json_is(&conf->base,
            "{\"name\":\"routes\",\"virtual_hosts\":[{\"name\":\"all\",\"domains\":[\"*\"],\"routes\":[{\"match\":{"
            "\"prefix\":"
            "\"/\",\"case_sensitive\":false},\"route\":{\"cluster\":\"users\",\"metadata_match\":{\"filter_metadata\":{"
            "\"envoy.lb\":{\"version\":\"v1\"}}},\"timeout\":\"1.5s\",\"priority\":\"HIGH\"},\"@unknown\":[77]}]}]}");
}

static void test_durations(void **state)
{
    (void) state;
    json_is(&xds_make_ms(0)->base, "\"0s\"");
    json_is(&xds_make_ms(20000)->base, "\"20s\"");
    json_is(&xds_make_ms(20010)->base, "\"20.01s\"");
}

/* What is packed in it stands in its place; of a stranger only the size. */
static void test_what_an_any_holds(void **state)
{
    Router__Router *router = xds_make(&router__router__descriptor);
    Core__Node *node;

    (void) state;
    router->suppress_envoy_headers = true;
    json_is(&xds_make_any(&router->base)->base,
            "{\"@type\":\"type.googleapis.com/envoy.extensions.filters.http.router.v3.Router\","
            "\"suppress_envoy_headers\":true}");
    node = xds_make(&core__node__descriptor);
    node->id = xds_make_text("me");
    json_is(&xds_make_any(&node->base)->base,
            "{\"@type\":\"type.googleapis.com/envoy.config.core.v3.Node\",\"@bytes\":4}");
}

static void test_keys_are_not_shown(void **state)
{
    Tls__TlsCertificate *certificate = xds_make(&tls__tls_certificate__descriptor);

    (void) state;
    certificate->private_key = xds_make(&core__data_source__descriptor);
    certificate->private_key->specifier_case = CORE__DATA_SOURCE__SPECIFIER_INLINE_STRING;
    certificate->private_key->inline_string = xds_make_text("-----BEGIN PRIVATE KEY-----");
    json_is(&certificate->base, "{\"private_key\":\"[redacted]\"}");
}

/* Whoever nests as deep as the scan allows does not stop the writer. */
static void test_messages_that_nest_deeply_end(void **state)
{
    Cluster__Cluster *cluster = xds_make(&cluster__cluster__descriptor);
    Pb__Any *any = xds_make_any(&cluster->base);
    struct json_writer w = { 0 };
    char *json;

    (void) state;
    for (size_t i = 0; i < 80; i++) {
        Route__FilterConfig *wrapped = xds_make(&route__filter_config__descriptor);

        wrapped->config = any;
        any = xds_make_any(&wrapped->base);
    }
    message_json(&w, &any->base);
    assert_false(w.failed);
    json = json_finish(&w);
    assert_non_null(json);
    assert_non_null(strstr(json, "\"config\":\"...\""));
    mem_free(json);
    xds_make_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(test_what_is_not_there_is_left_out),
        LEAK_TEST(test_a_route_configuration),
        LEAK_TEST(test_durations),
        LEAK_TEST(test_what_an_any_holds),
        LEAK_TEST(test_keys_are_not_shown),
        LEAK_TEST(test_messages_that_nest_deeply_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
