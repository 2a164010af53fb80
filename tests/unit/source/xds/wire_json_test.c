/* SPDX-License-Identifier: Apache-2.0 */
/* Resources as JSON: names and values as protobuf's own JSON has them, nothing hidden but private keys, and bounded. */
#include "mesh_test.h"

#include <jansson.h>
#include <string.h>

#include "source/xds/types.h"
#include "source/xds/wire_json.h"
#include "source/xds/wire_types.h"
#include "support/proto_text.h"

static char *written(enum xds_type type, const char *text, size_t most)
{
    struct json_writer w = { 0 };
    struct buf bytes = { 0 };
    char *json;

    proto_text(wire_type_of_url(xds_type_url(type)), text, &bytes);
    wire_json_write(&w, xds_type_url(type), buf_bytes(&bytes), buf_len(&bytes), most);
    buf_free(&bytes);
    json = json_finish(&w);
    assert_non_null(json);
    return json;
}

static void becomes(enum xds_type type, const char *text, const char *expected)
{
    char *json = written(type, text, 1 << 20);
    json_t *got = json_loads(json, JSON_REJECT_DUPLICATES, NULL), *wanted = json_loads(expected, 0, NULL);

    assert_non_null(wanted);
    json_object_set_new(wanted, "@type", json_string(xds_type_url(type)));
    if (!got || !json_equal(got, wanted))
        fail_msg("%s\nis not\n%s", json, expected);
    json_decref(got);
    json_decref(wanted);
    mem_free(json);
}

/* ---- values ---- */

static void test_scalars_and_well_known_types(void **state)
{
    (void) state;
    becomes(XDS_CLUSTER,
            "name: \"users\" type: EDS connect_timeout { seconds: 5 nanos: 250000000 } eds_cluster_config { eds_config "
            "{ ads { } "
            "} service_name: \"u\" } circuit_breakers { thresholds { max_requests { value: 7 } } } outlier_detection { "
            "consecutive_5xx { } } "
            "ring_hash_lb_config { minimum_ring_size { value: 18446744073709551615 } }",
            "{ \"name\": \"users\", \"type\": \"EDS\", \"connect_timeout\": \"5.250s\", \"eds_cluster_config\": { "
            "\"eds_config\": { \"ads\": {} }, \"service_name\": \"u\" }, \"circuit_breakers\": { \"thresholds\": [ { "
            "\"max_requests\": 7 } ] }, "
            "\"outlier_detection\": { \"consecutive_5xx\": 0 }, \"ring_hash_lb_config\": { \"minimum_ring_size\": "
            "\"18446744073709551615\" } }");
}

static void test_lists_and_choices(void **state)
{
    (void) state;
    becomes(
        XDS_ROUTES,
        "name: \"r\" virtual_hosts { name: \"v\" domains: \"a\" domains: \"b\" routes { match { prefix: \"\" } "
        "direct_response { status: 200 body { inline_bytes: \"hello\" } } } routes { match { path: \"/x\" } route { "
        "cluster: \"c\" } } }",
        "{ \"name\": \"r\", \"virtual_hosts\": [ { \"name\": \"v\", \"domains\": [ \"a\", \"b\" ], \"routes\": [ { "
        "\"match\": { \"prefix\": \"\" }, \"direct_response\": { \"status\": 200, \"body\": { \"inline_bytes\": "
        "\"aGVsbG8=\" } } }, { \"match\": { \"path\": \"/x\" }, \"route\": { \"cluster\": \"c\" } } ] } ] }");
}

static void test_maps_and_any(void **state)
{
    (void) state;
    becomes(
        XDS_CLUSTER,
        "name: \"users\" typed_extension_protocol_options { key: \"o\" value { "
        "[envoy.extensions.upstreams.http.v3.HttpProtocolOptions] { explicit_http_config { http2_protocol_options { "
        "} } } } } metadata { filter_metadata { key: \"f\" value { fields { key: \"k\" value { number_value: 3 } } } } "
        "}",
        "{ \"name\": \"users\", \"typed_extension_protocol_options\": { \"o\": { \"@type\": "
        "\"type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\", \"explicit_http_config\": { "
        "\"http2_protocol_options\": {} } } }, \"metadata\": { \"filter_metadata\": { \"f\": { \"k\": 3 } } } }");
}

static void test_what_is_not_read_is_told(void **state)
{
    (void) state;
    becomes(XDS_CLUSTER,
            "name: \"users\" 99: 5 99: 6 98: \"x\" transport_socket { name: \"t\" typed_config { type_url: "
            "\"example.com/some.Type\" value: \"abc\" } }",
            "{ \"name\": \"users\", \"transport_socket\": { \"name\": \"t\", \"typed_config\": { \"@type\": "
            "\"example.com/some.Type\", \"@bytes\": 3 } }, \"@unread\": [ 99, 98 ] }");
}

/* ---- what is not shown ---- */

static void test_private_keys_are_not_shown(void **state)
{
    static const char *const keys[] = { "inline_string: \"SECRET\"", "inline_bytes: \"SECRET\"" };

    (void) state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char text[512], *json;

        snprintf(
            text, sizeof text,
            "name: \"users\" transport_socket { name: \"tls\" typed_config { "
            "[envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext] { common_tls_context { tls_certificates { "
            "certificate_chain { filename: \"/chain.pem\" } private_key { %s } } } } } }",
            keys[i]);
        json = written(XDS_CLUSTER, text, 1 << 20);
        assert_null(strstr(json, "SECRET"));
        assert_null(strstr(json, "U0VDUkVU")); /* base64 of it */
        assert_non_null(strstr(json, "/chain.pem"));
        assert_non_null(strstr(json, "private_key"));
        mem_free(json);
    }
}

static void test_where_a_private_key_lies_is_shown(void **state)
{
    char *json;

    (void) state;
    json = written(XDS_CLUSTER,
                   "name: \"users\" transport_socket { name: \"tls\" typed_config { "
                   "[envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext] { common_tls_context { "
                   "tls_certificates { private_key { filename: \"/key.pem\" } } } } } }",
                   1 << 20);
    assert_non_null(strstr(json, "\"private_key\":{\"filename\":\"/key.pem\"}"));
    mem_free(json);
}

/* ---- bounds ---- */

static void test_what_is_too_much_is_left_out(void **state)
{
    struct buf text = { 0 };
    char *json;
    json_t *parsed;

    (void) state;
    buf_append_text(&text, "cluster_name: \"users\" ");
    for (int i = 0; i < 1000; i++)
        buf_append_text(&text, "endpoints { priority: 1 } ");
    buf_append(&text, "", 1);
    json = written(XDS_ENDPOINTS, (const char *) buf_bytes(&text), 2000);
    parsed = json_loads(json, 0, NULL);
    assert_non_null(parsed);
    assert_true(strlen(json) < 3000);
    assert_non_null(strstr(json, "left out"));
    json_decref(parsed);
    mem_free(json);
    buf_free(&text);
}

/* A cluster whose transport socket is in a cluster whose ...: each Any inside the one before. */
static void test_depth_is_bounded(void **state)
{
    struct buf text = { 0 };
    char *json;
    json_t *parsed;

    (void) state;
    for (int i = 0; i < 12; i++)
        buf_append_text(&text, "name: \"deep\" transport_socket { typed_config { [envoy.config.cluster.v3.Cluster] { ");
    for (int i = 0; i < 12; i++)
        buf_append_text(&text, "} } } ");
    buf_append(&text, "", 1);
    json = written(XDS_CLUSTER, (const char *) buf_bytes(&text), 1 << 20);
    parsed = json_loads(json, 0, NULL);
    assert_non_null(parsed);
    assert_non_null(strstr(json, "\"@bytes\""));
    json_decref(parsed);
    mem_free(json);
    buf_free(&text);
}

static void test_what_is_no_message_is_told(void **state)
{
    struct json_writer w = { 0 };
    char *json;

    (void) state;
    wire_json_write(&w, xds_type_url(XDS_CLUSTER), (const uint8_t *) "\xff\xff", 2, 1000);
    json = json_finish(&w);
    assert_non_null(json);
    assert_non_null(strstr(json, "\"@error\""));
    mem_free(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars_and_well_known_types),
        cmocka_unit_test(test_lists_and_choices),
        cmocka_unit_test(test_maps_and_any),
        cmocka_unit_test(test_what_is_not_read_is_told),
        cmocka_unit_test(test_private_keys_are_not_shown),
        cmocka_unit_test(test_where_a_private_key_lies_is_shown),
        cmocka_unit_test(test_what_is_too_much_is_left_out),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_what_is_no_message_is_told),
    };

    return cmocka_run_group_tests(tests, mesh_test_watch, mesh_test_unwatch);
}
