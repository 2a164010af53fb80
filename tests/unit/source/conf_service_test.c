/* SPDX-License-Identifier: Apache-2.0 */
/* Services made from values: places, protocols, names for TLS and authority, policies, proxies, contradictions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "source/conf.h"

static struct conf *conf;
static struct fault fault;
static struct service one;

static int begin(void **state)
{
    (void) state;
    clearenv();
    conf = conf_new();
    fault = (struct fault){ 0 };
    one = (struct service){ 0 };
    return conf == NULL;
}

static int end(void **state)
{
    (void) state;
    service_clear(&one);
    conf_free(conf);
    return 0;
}

static void set(const char *key, const char *value)
{
    if (conf_set(conf, key, value, &fault) != 0)
        fail_msg("%s", fault.text);
}

/* The only service of the configuration, into `one`. */
static void build(void)
{
    struct service *services;
    size_t n;

    if (conf_services(conf, &services, &n, &fault) != 0)
        fail_msg("%s", fault.text);
    assert_int_equal(n, 1);
    service_clear(&one);
    one = services[0];
    mem_free(services);
}

static void build_unknown(const char *name)
{
    service_clear(&one);
    if (conf_service_of(conf, name, &one, &fault) != 0)
        fail_msg("%s", fault.text);
}

static void refuse(const char *sentence)
{
    struct service *services;
    size_t n;

    fault = (struct fault){ 0 };
    assert_int_not_equal(conf_services(conf, &services, &n, &fault), 0);
    assert_string_equal(fault.text, sentence);
    assert_null(services);
    assert_int_equal(conf_check(conf, &fault), MESH_ERR_INVALID);
}

static void no_service_is_fine(void **state)
{
    struct service *services;
    size_t n;

    (void) state;
    assert_int_equal(conf_services(conf, &services, &n, &fault), 0);
    assert_int_equal(n, 0);
    assert_null(services);
}

static const struct model_locality *place_of(const struct model_endpoints *set, size_t at)
{
    return model_endpoint_locality(set, &set->endpoints[at]);
}

static void a_list_becomes_endpoints(void **state)
{
    char text[ADDR_TEXT];

    (void) state;
    set("zone_cidrs", "net=10.0.0.0/24");
    set("services.users.protocol", "h2c");
    set("services.users.endpoints", "[{\"address\": \"10.0.0.1\", \"zone\": \"a\", \"weight\": 3, \"priority\": 1},"
                                    " {\"address\": \"10.0.0.2:81\"}, {\"address\": \"[::1]:82\"},"
                                    " {\"address\": \"unix:/run/users.sock\"}]");
    build();
    assert_string_equal(one.cluster->name, "users");
    assert_int_equal(one.cluster->protocol, MODEL_H2C);
    assert_string_equal(one.cluster->authority, "users");
    assert_int_equal(one.n_targets, 0);
    assert_int_equal(one.endpoints->state, ENDPOINTS_READY);
    assert_string_equal(one.endpoints->source, "static");
    assert_int_equal(one.endpoints->n, 4);
    assert_string_equal(addr_format(&one.endpoints->endpoints[0].addr, text), "10.0.0.1:80");
    assert_string_equal(place_of(one.endpoints, 0)->label, "a");
    assert_int_equal(one.endpoints->endpoints[0].weight, 3);
    assert_int_equal(place_of(one.endpoints, 0)->priority, 1);
    assert_string_equal(addr_format(&one.endpoints->endpoints[1].addr, text), "10.0.0.2:81");
    assert_string_equal(place_of(one.endpoints, 1)->label, "net");
    assert_int_equal(one.endpoints->endpoints[1].weight, 1);
    assert_string_equal(addr_format(&one.endpoints->endpoints[2].addr, text), "[::1]:82");
    assert_string_equal(place_of(one.endpoints, 2)->label, "");
    assert_string_equal(addr_format(&one.endpoints->endpoints[3].addr, text), "unix:/run/users.sock");
}

static void the_line_of_services_becomes_endpoints(void **state)
{
    (void) state;
    set("services", "users=h2://10.0.0.1@a,[::1]:81@eu/b");
    build();
    assert_int_equal(one.cluster->protocol, MODEL_H2);
    assert_int_equal(one.endpoints->endpoints[0].addr.port, 443);
    assert_string_equal(place_of(one.endpoints, 1)->label, "eu/b");
    assert_string_equal(one.cluster->tls.server_name, "users");
}

static void an_empty_list_is_no_endpoint(void **state)
{
    (void) state;
    set("services.users.endpoints", "[]");
    build();
    assert_int_equal(one.endpoints->state, ENDPOINTS_READY);
    assert_int_equal(one.endpoints->n, 0);
}

static void a_literal_target_needs_no_resolver(void **state)
{
    (void) state;
    set("zone_cidrs", "net=10.0.0.0/24");
    set("services.users.target", "h2c://10.0.0.7:81");
    build();
    assert_int_equal(one.n_targets, 0);
    assert_int_equal(one.endpoints->n, 1);
    assert_int_equal(one.endpoints->endpoints[0].addr.port, 81);
    assert_string_equal(place_of(one.endpoints, 0)->label, "net");
    assert_string_equal(one.cluster->authority, "10.0.0.7:81");
    set("services.users.target", "http+unix:/run/users.sock");
    build();
    assert_string_equal(one.endpoints->endpoints[0].addr.path, "/run/users.sock");
    assert_string_equal(one.cluster->authority, "users");
}

static const struct {
    const char *target, *authority, *server_name;
} names[] = {
    { "http://users.internal", "users.internal", NULL },
    { "http://users.internal:81", "users.internal:81", NULL },
    { "https://users.internal:443", "users.internal", "users.internal" },
    { "https://Users.Internal.:8443", "users.internal:8443", "users.internal" },
    { "h2://[::1]:8443", "[::1]:8443", "::1" },
    { "h2://10.0.0.1", "10.0.0.1", "10.0.0.1" },
    { "srv+h2://_grpc._tcp.orders.service.consul", "orders.service.consul", "orders.service.consul" },
    { "srv+https://orders.service.consul.", "orders.service.consul", "orders.service.consul" },
    { "srv+h2c://_grpc._tcp.orders.service.consul", "orders.service.consul", NULL },
    { "unix:/run/x.sock", "users", NULL },
};

static void targets_give_authority_and_server_name(void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        set("services.users.target", names[i].target);
        build();
        assert_string_equal(one.cluster->authority, names[i].authority);
        if (names[i].server_name)
            assert_string_equal(one.cluster->tls.server_name, names[i].server_name);
        else
            assert_null(one.cluster->tls.server_name);
    }
    set("services.users.authority", "front:9");
    set("services.users.target", "https://users.internal");
    set("services.users.tls.server_name", "cert.example");
    build();
    assert_string_equal(one.cluster->authority, "front:9");
    assert_string_equal(one.cluster->tls.server_name, "cert.example");
}

static void an_authority_names_endpoints_for_tls(void **state)
{
    (void) state;
    set("services.users.endpoints", "10.0.0.1:443");
    set("services.users.protocol", "h2");
    set("services.users.authority", "users.example:8443");
    build();
    assert_string_equal(one.cluster->authority, "users.example:8443");
    assert_string_equal(one.cluster->tls.server_name, "users.example");
}

static void zones_become_targets(void **state)
{
    (void) state;
    set("services.users.zones", "{\"a\": \"https://users-a:81\", \"b\": \"https://users-b\"}");
    refuse("service \"users\": its zones have several hosts; tls.server_name says which name all their certificates "
           "carry");
    set("services.users.tls.server_name", "users.example");
    build();
    assert_null(one.endpoints);
    assert_int_equal(one.n_targets, 2);
    assert_string_equal(one.targets[0].zone, "a");
    assert_string_equal(one.targets[0].target.host, "users-a");
    assert_int_equal(one.targets[1].target.port, 443);
    assert_string_equal(one.cluster->authority, "users");
    assert_string_equal(one.cluster->tls.server_name, "users.example");
    set("services.users.tls.server_name", "");
    set("services.users.zones", "{\"a\": \"https://users:81\", \"b\": \"https://users:82\"}");
    build();
    assert_string_equal(one.cluster->tls.server_name, "users");
    conf_free(conf);
    conf = conf_new();
    set("services.users.zones", "{\"a\": \"h2c://10.0.0.1\", \"b\": \"h2c://10.0.0.2\"}");
    build();
    assert_int_equal(one.n_targets, 0);
    assert_int_equal(one.endpoints->n, 2);
    assert_string_equal(place_of(one.endpoints, 1)->label, "b");
    set("services.users.zones", "{\"a\": \"h2c://10.0.0.1\", \"b\": \"http://10.0.0.2\"}");
    refuse("service \"users\": its zones speak h2c and http; one is allowed");
}

static void a_policy_alone_makes_the_name_the_target(void **state)
{
    (void) state;
    set("services.users.default.timeout_ms", "7");
    set("protocol", "h2c");
    build();
    assert_int_equal(one.n_targets, 1);
    assert_string_equal(one.targets[0].target.host, "users.default");
    assert_int_equal(one.cluster->protocol, MODEL_H2C);
    assert_int_equal(one.cluster->policy.timeout_ms, 7);
}

static void unknown_names_are_targets(void **state)
{
    (void) state;
    set("timeout_ms", "9");
    build_unknown("users.internal:81");
    assert_string_equal(one.cluster->name, "users.internal:81");
    assert_int_equal(one.cluster->protocol, MODEL_HTTP);
    assert_string_equal(one.cluster->authority, "users.internal:81");
    assert_int_equal(one.cluster->policy.timeout_ms, 9);
    assert_int_equal(one.targets[0].target.port, 81);
    build_unknown("h2://10.0.0.1");
    assert_int_equal(one.endpoints->n, 1);
    assert_string_equal(one.cluster->tls.server_name, "10.0.0.1");
    build_unknown("unix:/run/x.sock");
    assert_string_equal(one.cluster->authority, "localhost");
    set("protocol", "h2c");
    build_unknown("users.internal");
    assert_int_equal(one.cluster->protocol, MODEL_H2C);
    build_unknown("https://users.internal");
    assert_int_equal(one.cluster->protocol, MODEL_HTTPS);
    service_clear(&one);
    assert_int_equal(conf_service_of(conf, "us ers", &one, &fault), MESH_ERR_INVALID);
    assert_non_null(strstr(fault.text, "target \"us ers\": a host name has letters"));
    assert_null(one.cluster);
    assert_int_equal(conf_service_of(conf, "xds:///users", &one, &fault), MESH_ERR_NO_ROUTE);
    assert_string_equal(fault.text, "\"xds:///users\" needs a control plane: xds.bootstrap, or GRPC_XDS_BOOTSTRAP in "
                                    "the environment");
}

static void the_table_fills_the_policy(void **state)
{
    const struct policy *policy;

    (void) state;
    build_unknown("users");
    policy = &one.cluster->policy;
    assert_int_equal(policy->timeout_ms, 15000);
    assert_int_equal(policy->connect_timeout_ms, 1000);
    assert_int_equal(policy->stream_idle_ms, 300000);
    assert_int_equal(policy->response_max_bytes, 67108864);
    assert_int_equal(policy->max_header_bytes, 65536);
    assert_int_equal(policy->window_bytes, 1048576);
    assert_int_equal(policy->silence_ms, 250);
    assert_int_equal(policy->retry.attempts, 3);
    assert_int_equal(policy->retry.on, RETRY_ON_DEFAULT);
    assert_true(policy->retry.refused);
    assert_int_equal(policy->retry.per_try_timeout_ms, 0);
    assert_int_equal(policy->retry.backoff_base_ms, 25);
    assert_int_equal(policy->retry.backoff_max_ms, 1000);
    assert_int_equal(policy->retry.budget_percent, 10);
    assert_int_equal(policy->retry.budget_per_second, 1);
    assert_int_equal(policy->retry.budget_min, 10);
    assert_int_equal(policy->breaker.max_connections, 1024);
    assert_int_equal(policy->breaker.max_pending, 1024);
    assert_int_equal(policy->breaker.max_requests, 1024);
    assert_string_equal(policy->balance, "adaptive");
    assert_null(one.cluster->proxy);
    set("retry.on", "5xx,retriable-4xx");
    set("retry.refused", "off");
    set("balance.policy", "random");
    build_unknown("users");
    assert_int_equal(one.cluster->policy.retry.on, RETRY_5XX | RETRY_RETRIABLE_4XX);
    assert_false(one.cluster->policy.retry.refused);
    assert_string_equal(one.cluster->policy.balance, "random");
}

static void tls_is_filled(void **state)
{
    uint64_t identity;

    (void) state;
    set("tls.ca", "/ca.pem");
    set("services.pay.target", "https://pay");
    set("services.pay.tls.cert", "/me.pem");
    set("services.pay.tls.key", "/me.key");
    set("services.pay.tls.min_version", "1.3");
    build();
    assert_string_equal(one.cluster->tls.ca, "/ca.pem");
    assert_string_equal(one.cluster->tls.cert, "/me.pem");
    assert_string_equal(one.cluster->tls.key, "/me.key");
    assert_int_equal(one.cluster->tls.min_version, 13);
    assert_false(one.cluster->tls.insecure);
    identity = one.cluster->identity;
    set("services.pay.timeout_ms", "3");
    build();
    assert_true(one.cluster->identity == identity);
    set("services.pay.tls.verify", "off");
    build();
    assert_true(one.cluster->tls.insecure);
    assert_false(one.cluster->identity == identity);
    set("services.pay.tls.key", "");
    refuse("services.pay.tls.cert (set) is given without tls.key; both or neither is allowed");
    set("services.pay.tls.cert", "");
    set("tls.key", "/me.key");
    set("services.pay.tls.key", "/me.key");
    refuse("services.pay.tls.key (set) is given without tls.cert; both or neither is allowed");
}

static void tls_without_tls_is_refused(void **state)
{
    (void) state;
    set("tls.ca", "/ca.pem");
    set("services.users.target", "h2c://users");
    build();
    assert_null(one.cluster->tls.ca);
    set("services.users.tls.cert", "/me.pem");
    refuse("services.users.tls.cert (set) is given, but service \"users\" speaks h2c, which has no TLS; "
           "https and h2 have");
}

static void protocols_do_not_contradict(void **state)
{
    (void) state;
    set("services.pay.target", "http://pay:81");
    set("services.pay.protocol", "h2c");
    build();
    assert_int_equal(one.cluster->protocol, MODEL_H2C);
    assert_int_equal(one.targets[0].target.port, 81);
    set("services.pay.target", "https://pay");
    set("services.pay.protocol", "h2");
    build();
    assert_int_equal(one.cluster->protocol, MODEL_H2);
    assert_int_equal(one.targets[0].target.port, 443);
    set("services.pay.protocol", "h2c");
    refuse("service \"pay\": its target says https and its protocol says h2c (set), one with TLS, one without");
    set("services.pay.target", "pay");
    build();
    assert_int_equal(one.cluster->protocol, MODEL_H2C);
}

static void a_file_does_not_turn_off_tls_of_the_environment(void **state)
{
    (void) state;
    setenv("MESH_CONFIG", "{\"services\": {\"pay\": {\"target\": \"h2c://pay\", \"protocol\": \"h2c\"}}}", 1);
    setenv("MESH_SERVICES", "pay=https://pay", 1);
    assert_int_equal(conf_read_env(conf, &fault), 0);
    build();
    assert_int_equal(one.cluster->protocol, MODEL_HTTPS);
    setenv("MESH_SERVICES", "pay=10.0.0.1:80,10.0.0.2:80", 1);
    assert_int_equal(conf_read_env(conf, &fault), 0);
    refuse("service \"pay\" has endpoints (environment MESH_SERVICES) and target (environment MESH_SERVICES); "
           "one of endpoints, target and zones is allowed");
}

static void the_higher_origin_says_where_a_service_is(void **state)
{
    (void) state;
    setenv("MESH_CONFIG", "{\"services\": {\"pay\": {\"target\": \"https://pay\", \"tls\": {\"verify\": false}}}}", 1);
    setenv("MESH_SERVICES", "pay=h2c://10.0.0.1:80,10.0.0.2:80", 1);
    assert_int_equal(conf_read_env(conf, &fault), 0);
    build();
    assert_int_equal(one.cluster->protocol, MODEL_H2C);
    assert_int_equal(one.endpoints->n, 2);
    set("services.pay.zones", "{\"a\": \"http://pay-a\"}");
    build();
    assert_int_equal(one.n_targets, 1);
    assert_string_equal(one.targets[0].zone, "a");
}

static void alternatives_exclude_each_other(void **state)
{
    (void) state;
    set("services.users.target", "http://users");
    set("services.users.endpoints", "10.0.0.1:80");
    refuse("service \"users\" has endpoints (set) and target (set); one of endpoints, target and zones is allowed");
}

static const char *proxy_of(const char *target)
{
    build_unknown(target);
    return one.cluster->proxy;
}

static void proxies_follow_the_variables(void **state)
{
    (void) state;
    setenv("https_proxy", "http://secure:1", 1);
    setenv("http_proxy", "plain:2", 1);
    setenv("NO_PROXY", "localhost, .internal example.org,10.0.0.0/8,[::1]", 1);
    assert_null(proxy_of("http://users.example.com"));
    set("proxy", "env");
    unsetenv("https_proxy");
    assert_string_equal(proxy_of("https://users.example.com"), "http://secure:1");
    assert_string_equal(proxy_of("http://users.example.com"), "http://plain:2");
    assert_null(proxy_of("h2c://users.example.com"));
    assert_null(proxy_of("h2://users.example.com"));
    assert_null(proxy_of("srv+http://users.example.com"));
    assert_null(proxy_of("http+unix:/x"));
    assert_null(proxy_of("http://localhost"));
    assert_null(proxy_of("http://a.b.internal"));
    assert_null(proxy_of("http://Internal."));
    assert_null(proxy_of("http://www.example.org"));
    assert_string_equal(proxy_of("http://notexample.org"), "http://plain:2");
    assert_string_equal(proxy_of("http://b.internal.example.com"), "http://plain:2");
    assert_null(proxy_of("http://10.1.2.3"));
    assert_string_equal(proxy_of("http://11.1.2.3"), "http://plain:2");
    assert_null(proxy_of("http://[::1]:80"));
}

static void all_proxy_serves_the_rest(void **state)
{
    (void) state;
    setenv("ALL_PROXY", "socks5://all:1", 1);
    setenv("HTTP_PROXY", "http://cgi:1", 1);
    set("proxy", "env");
    assert_string_equal(proxy_of("http://users.example.com"), "socks5://all:1");
    conf_free(conf);
    conf = conf_new();
    setenv("no_proxy", "*", 1);
    set("proxy", "env");
    assert_null(proxy_of("http://users.example.com"));
}

static void a_proxy_is_for_http_1(void **state)
{
    (void) state;
    set("proxy", "http://proxy:3128");
    set("services.users.target", "http://users");
    build();
    assert_string_equal(one.cluster->proxy, "http://proxy:3128");
    set("services.users.target", "h2c://users");
    refuse("proxy (set): service \"users\" speaks h2c; a proxy is for http and https, for others it is off");
    set("services.users.proxy", "off");
    build();
    assert_null(one.cluster->proxy);
}

static void many_services_come_in_one_go(void **state)
{
    struct service *services;
    size_t n;

    (void) state;
    set("services", "b=http://b; a=http://a; c=http://10.0.0.1");
    set("timeout_ms", "4");
    set("services.a.timeout_ms", "5");
    assert_int_equal(conf_services(conf, &services, &n, &fault), 0);
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++) {
        bool is_a = strcmp(services[i].cluster->name, "a") == 0;

        assert_int_equal(services[i].cluster->policy.timeout_ms, is_a ? 5 : 4);
        service_clear(&services[i]);
    }
    mem_free(services);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(no_service_is_fine),
        TEST(a_list_becomes_endpoints),
        TEST(the_line_of_services_becomes_endpoints),
        TEST(an_empty_list_is_no_endpoint),
        TEST(a_literal_target_needs_no_resolver),
        TEST(targets_give_authority_and_server_name),
        TEST(an_authority_names_endpoints_for_tls),
        TEST(zones_become_targets),
        TEST(a_policy_alone_makes_the_name_the_target),
        TEST(unknown_names_are_targets),
        TEST(the_table_fills_the_policy),
        TEST(tls_is_filled),
        TEST(tls_without_tls_is_refused),
        TEST(protocols_do_not_contradict),
        TEST(a_file_does_not_turn_off_tls_of_the_environment),
        TEST(the_higher_origin_says_where_a_service_is),
        TEST(alternatives_exclude_each_other),
        TEST(proxies_follow_the_variables),
        TEST(all_proxy_serves_the_rest),
        TEST(a_proxy_is_for_http_1),
        TEST(many_services_come_in_one_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
