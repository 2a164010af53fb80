/* SPDX-License-Identifier: Apache-2.0 */
/* Target URIs: what each spelling means, and what the sentences say about the wrong ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "model/model.h"

struct good {
    const char *text;
    enum model_target_kind kind;
    enum model_protocol protocol;
    const char *host;
    uint16_t port;
};

static const struct good goods[] = {
    { "http://users", TARGET_HOST, MODEL_HTTP, "users", 80 },
    { "h2c://users.internal:8080", TARGET_HOST, MODEL_H2C, "users.internal", 8080 },
    { "https://API.Example.com/", TARGET_HOST, MODEL_HTTPS, "api.example.com", 443 },
    { "HTTPS://api.example.com:8443", TARGET_HOST, MODEL_HTTPS, "api.example.com", 8443 },
    { "h2://absolute.example.", TARGET_HOST, MODEL_H2, "absolute.example.", 443 },
    { "h2c://10.0.0.1:81", TARGET_ADDRESS, MODEL_H2C, "10.0.0.1", 81 },
    { "http://10.0.0.1", TARGET_ADDRESS, MODEL_HTTP, "10.0.0.1", 80 },
    { "http://[::1]:80", TARGET_ADDRESS, MODEL_HTTP, "::1", 80 },
    { "h2://[fd00::7]", TARGET_ADDRESS, MODEL_H2, "fd00::7", 443 },
    { "srv+h2c://_grpc._tcp.orders.service.consul", TARGET_SRV, MODEL_H2C, "_grpc._tcp.orders.service.consul", 0 },
    { "srv+https://Orders.service.consul", TARGET_SRV, MODEL_HTTPS, "orders.service.consul", 0 },
    { "srv+h2://x", TARGET_SRV, MODEL_H2, "x", 0 },
    { "srv+http://x", TARGET_SRV, MODEL_HTTP, "x", 0 },
    { "h2c+unix:/run/Users.sock", TARGET_UNIX, MODEL_H2C, "/run/Users.sock", 0 },
    { "http+unix:/run/users.sock", TARGET_UNIX, MODEL_HTTP, "/run/users.sock", 0 },
    { "unix:/run/users.sock", TARGET_UNIX, MODEL_H2C, "/run/users.sock", 0 },
    { "unix:///run/users.sock", TARGET_UNIX, MODEL_H2C, "/run/users.sock", 0 },
    { "xds:///users", TARGET_XDS, MODEL_HTTPS, "users", 0 },
    { "dns:///users:50051", TARGET_HOST, MODEL_H2C, "users", 50051 },
    { "dns:///users", TARGET_HOST, MODEL_H2C, "users", 80 },
    { "ipv4:10.0.0.1:50051", TARGET_ADDRESS, MODEL_H2C, "10.0.0.1", 50051 },
    { "ipv6:[::1]:50051", TARGET_ADDRESS, MODEL_H2C, "::1", 50051 },
    { "ipv6:::1", TARGET_ADDRESS, MODEL_H2C, "::1", 80 },
    { "users", TARGET_HOST, MODEL_HTTPS, "users", 443 },
    { "users.default:81", TARGET_HOST, MODEL_HTTPS, "users.default", 81 },
    { "10.0.0.1:81", TARGET_ADDRESS, MODEL_HTTPS, "10.0.0.1", 81 },
    { "my_host", TARGET_HOST, MODEL_HTTPS, "my_host", 443 },
};

static void every_spelling_is_understood(void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT_OF(goods); i++) {
        struct model_target target;
        struct fault fault = { 0 };

        if (model_target_parse(goods[i].text, MODEL_HTTPS, &target, &fault) != 0)
            fail_msg("%s: %s", goods[i].text, fault.text);
        assert_int_equal(target.kind, goods[i].kind);
        assert_int_equal(target.protocol, goods[i].protocol);
        assert_string_equal(target.host, goods[i].host);
        assert_int_equal(target.port, goods[i].port);
        if (target.kind == TARGET_ADDRESS)
            assert_int_equal(target.addr.port, goods[i].port);
        if (target.kind == TARGET_UNIX)
            assert_ptr_equal(target.addr.path, target.host);
        model_target_free(&target);
    }
}

static const struct {
    const char *text, *says;
} bads[] = {
    { "", "the target is empty" },
    { "htp://users", "target \"htp://users\": unknown scheme; there are http, h2c, https, h2" },
    { "srv+unix:/x", "unknown scheme" },
    { "srv+dns://x", "unknown scheme" },
    { "dns://8.8.8.8/users", "it is written dns:///host:port" },
    { "dns:users", "it is written dns:///host:port" },
    { "xds:users", "unknown scheme" },
    { "xds:///", "the name is missing" },
    { "http://", "the host is missing" },
    { "http://:80", "the host is missing" },
    { "http://users:", "the port is a number from 1 to 65535" },
    { "http://users:0", "the port is a number from 1 to 65535" },
    { "http://users:65536", "the port is a number from 1 to 65535" },
    { "http://users:http", "the port is a number from 1 to 65535" },
    { "http://users/v1", "paths belong to requests" },
    { "http://users?x", "paths belong to requests" },
    { "http://me:secret@users", "user names and passwords have no place in it" },
    { "http://::1:80", "an IPv6 address stands in brackets" },
    { "http://[::1", "']' after an IPv6 address is missing" },
    { "http://[::1]80", "only \":port\" may stand behind ']'" },
    { "http://[users]:80", "no IPv6 address in the brackets" },
    { "http://[10.0.0.1]:80", "no IPv6 address in the brackets" },
    { "http://10.0.0.256", "neither an address nor a name" },
    { "http://a..b", "an empty part" },
    { "http://us ers", "a host name has letters, digits" },
    { "http://us\ners", "target \"http://us\\x0aers\"" },
    { "http://b\xc3\xbc"
      "cher",
      "punycode" },
    { "srv+h2c://orders:80", "an SRV name has no port" },
    { "srv+h2c://orders/x", "paths belong to requests" },
    { "srv+h2c://", "the host is missing" },
    { "unix:", "the path is missing" },
    { "unix://host/path", "a unix socket's path follows" },
    { "ipv4:users:80", "an address is wanted here" },
    { "ipv4:10.0.0.1:80,10.0.0.2:80", "several are the endpoints of a service" },
    { "h2c+unix:/"
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      "at most 107 bytes" },
    { "http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b", "longer than 63" },
};

static void wrong_ones_are_explained(void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT_OF(bads); i++) {
        struct model_target target;
        struct fault fault = { 0 };

        assert_int_equal(model_target_parse(bads[i].text, MODEL_HTTP, &target, &fault), MESH_ERR_INVALID);
        if (!strstr(fault.text, bads[i].says))
            fail_msg("\"%s\" says: %s", bads[i].text, fault.text);
        assert_null(target.host);
    }
}

static void another_protocol_brings_its_port(void **state)
{
    struct model_target target;

    (void) state;
    assert_int_equal(model_target_parse("10.0.0.1", MODEL_HTTP, &target, NULL), 0);
    model_target_set_protocol(&target, MODEL_H2);
    assert_int_equal(target.port, 443);
    assert_int_equal(target.addr.port, 443);
    model_target_free(&target);

    assert_int_equal(model_target_parse("http://users:81", MODEL_HTTP, &target, NULL), 0);
    model_target_set_protocol(&target, MODEL_H2);
    assert_int_equal(target.port, 81);
    model_target_free(&target);
}

static void protocols_have_names(void **state)
{
    enum model_protocol protocol = MODEL_HTTP;

    (void) state;
    assert_true(model_protocol_parse("H2c", &protocol));
    assert_int_equal(protocol, MODEL_H2C);
    assert_false(model_protocol_parse("h3", &protocol));
    assert_string_equal(model_protocol_name(MODEL_HTTPS), "https");
    assert_true(model_protocol_tls(MODEL_H2));
    assert_false(model_protocol_tls(MODEL_HTTP));
}

static void no_memory_is_told(void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT_OF(goods); i++) {
        struct model_target target;
        int64_t live;

        mem_watch(1, true);
        assert_int_equal(model_target_parse(goods[i].text, MODEL_HTTP, &target, NULL), MESH_ERR_NOMEM);
        assert_true(mem_unwatch(&live));
        assert_int_equal(live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling_is_understood),
        cmocka_unit_test(wrong_ones_are_explained),
        cmocka_unit_test(another_protocol_brings_its_port),
        cmocka_unit_test(protocols_have_names),
        cmocka_unit_test(no_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
