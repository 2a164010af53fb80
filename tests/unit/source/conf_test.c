/* SPDX-License-Identifier: Apache-2.0 */
/* Setting keys, the environment, precedence, and what the sentences say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <jansson.h>

#include "source/conf.h"

static struct conf *conf;
static struct fault fault;
static char folder[] = "/tmp/mesh-conf-XXXXXX";

static int begin(void **state)
{
    (void) state;
    clearenv();
    conf = conf_new();
    fault = (struct fault){ 0 };
    return conf == NULL;
}

static int end(void **state)
{
    (void) state;
    conf_free(conf);
    return 0;
}

static const char *in_folder(const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static const char *write_file(const char *name, const char *text)
{
    const char *path = in_folder(name);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static void set(const char *key, const char *value)
{
    if (conf_set(conf, key, value, &fault) != 0)
        fail_msg("%s", fault.text);
}

static void refuse(const char *key, const char *value, const char *sentence)
{
    fault = (struct fault){ 0 };
    assert_int_equal(conf_set(conf, key, value, &fault), MESH_ERR_INVALID);
    assert_string_equal(fault.text, sentence);
}

static const char *own(const char *service, enum key_id id)
{
    const struct value *value = values_find(&conf->values, service, key_at(id));

    return value ? value->text : NULL;
}

static const char *origin(const char *service, enum key_id id)
{
    const struct value *value = values_find(&conf->values, service, key_at(id));

    return value ? value->from : "default";
}

static void defaults_hold_at_first(void **state)
{
    (void) state;
    assert_int_equal(conf_number(conf, "timeout_ms"), 15000);
    assert_string_equal(conf_text(conf, "zone"), "");
    assert_string_equal(conf_text(conf, "log"), "stderr");
    assert_string_equal(conf_text(conf, "no.such.key"), "");
    assert_true(conf_bool(conf, "tls.verify"));
    assert_null(conf_file(conf));
    assert_int_equal(conf_check(conf, &fault), 0);
}

static void keys_are_set(void **state)
{
    (void) state;
    set("retry.attempts", "2");
    set("retry.attempts", "007");
    set("zone", "eu/a-1");
    set("retry.refused", "False");
    set("retry.on", " reset , 5xx,");
    set("services.users.retry.attempts", "5");
    assert_string_equal(conf_text(conf, "retry.attempts"), "7");
    assert_string_equal(conf_text(conf, "zone"), "eu/a-1");
    assert_string_equal(conf_text(conf, "retry.refused"), "off");
    assert_string_equal(conf_text(conf, "retry.on"), "reset,5xx");
    assert_int_equal(conf_value_number(conf, "users", KEY_RETRY_ATTEMPTS), 5);
    assert_int_equal(conf_value_number(conf, "other", KEY_RETRY_ATTEMPTS), 7);
    set("zone", "");
    assert_string_equal(conf_text(conf, "zone"), "");
}

static void service_names_may_have_dots(void **state)
{
    (void) state;
    set("services.users.default.timeout_ms", "1");
    set("services.users.retry.retry.attempts", "4");
    set("services.log.target", "http://x");
    assert_string_equal(own("users.default", KEY_TIMEOUT_MS), "1");
    assert_string_equal(own("users.retry", KEY_RETRY_ATTEMPTS), "4");
    assert_string_equal(own("log", KEY_TARGET), "http://x");
}

static void unknown_keys_name_the_nearest(void **state)
{
    (void) state;
    refuse("retry.atempts", "2", "unknown key \"retry.atempts\"; the nearest is \"retry.attempts\"");
    refuse("defaults.timeout_ms", "2", "unknown key \"defaults.timeout_ms\"; the nearest is \"timeout_ms\"");
    refuse("services.users.retry.atempts", "2",
           "unknown key \"services.users.retry.atempts\"; the nearest is \"services.users.retry.attempts\"");
    refuse("services.users.default.tmeout_ms", "2",
           "unknown key \"services.users.default.tmeout_ms\"; the nearest is \"services.users.default.timeout_ms\"");
    refuse("services.users", "x", "unknown key \"services.users\"; the nearest is \"services.NAME.target\"");
    refuse("services..target", "x", "unknown key \"services..target\"; the nearest is \"services.NAME.target\"");
    refuse("services.a b.target", "x", "unknown key \"services.a b.target\"; the nearest is \"services.a b.target\"");
    refuse("hedge.delay_ms", "5", "unknown key \"hedge.delay_ms\"; the nearest is \"hedge.min_delay_ms\"");
    refuse("target", "http://x", "target belongs to one service: services.NAME.target");
    refuse("", "x", "unknown key \"\"; the nearest is \"log\"");
}

static void wrong_values_are_explained(void **state)
{
    (void) state;
    refuse("retry.attempts", "0", "retry.attempts is \"0\", allowed is a whole number from 1 to 20");
    refuse("services.users.connect_timeout_ms", "2s",
           "services.users.connect_timeout_ms is \"2s\", allowed is a whole number of ms from 1 to 600000");
    refuse("timeout_ms", "-1", "timeout_ms is \"-1\", allowed is a whole number of ms from 0 to 86400000");
    refuse("timeout_ms", "", "timeout_ms is \"\", allowed is a whole number of ms from 0 to 86400000");
    refuse("timeout_ms", "99999999999999999999999",
           "timeout_ms is \"99999999999999999999999\", allowed is a whole number of ms from 0 to 86400000");
    refuse("log.level", "verbose", "log.level is \"verbose\", allowed is one of debug,info,warn,error");
    refuse("balance.policy", "fastest",
           "balance.policy is \"fastest\", allowed is one of adaptive,least_request,round_robin,random,ring_hash,"
           "maglev,pick_first,weighted_round_robin");
    refuse("balance.hash_on", "header:", "balance.hash_on is \"header:\", allowed is key, path or header:NAME");
    refuse("balance.hash_on", "cookie", "balance.hash_on is \"cookie\", allowed is key, path or header:NAME");
    refuse(
        "retry.on", "reset,5x",
        "retry.on has \"5x\", allowed is a list of "
        "connect-failure,refused-stream,reset,reset-before-request,gateway-error,5xx,per-try-timeout,retriable-4xx,"
        "retriable-status-codes,envoy-ratelimited,cancelled,deadline-exceeded,internal,resource-exhausted,unavailable");
    refuse("retry.statuses", "409,700",
           "retry.statuses has \"700\", allowed is a list of up to 16 status codes such as 409,503");
    refuse("health.path", "healthz", "health.path is \"healthz\", allowed is a path such as /healthz");
    refuse("zone_distances", "b=near",
           "zone_distances has \"b=near\", allowed is a list of zones and microseconds such as b=500,c=12000");
    refuse("tls.verify", "maybe", "tls.verify is \"maybe\", allowed is on or off");
    refuse("zone", "a b", "zone is \"a b\", allowed is a name of up to 128 letters, digits, '.', '_', '-' and '/'");
    refuse("zone_cidrs", "a=10.0.0.0/33",
           "zone_cidrs has \"a=10.0.0.0/33\", allowed is a list such as a=10.0.0.0/20,b=10.0.16.0/20");
    refuse("dns.servers", "10.0.0.2,dns.internal",
           "dns.servers has \"dns.internal\", allowed is a list of addresses such as "
           "10.0.0.2,127.0.0.1:8600,[::1]:53");
    refuse("access_log", "fd:x", "access_log is \"fd:x\", allowed is stderr, off, fd:N or the name of a file");
    refuse("proxy", "proxy:3128",
           "proxy is \"proxy:3128\", allowed is off, env, or a URL such as http://proxy:3128 "
           "(http, https, socks5, socks5h)");
    refuse("tls.server_name", "users:443",
           "tls.server_name is \"users:443\", allowed is a host name or an address, without a port");
    refuse("services.users.authority", "users/x", "services.users.authority is \"users/x\", allowed is host[:port]");
    refuse("log.redact", "x y", "log.redact has \"x y\", allowed is a list of header names");
    refuse("services.users.target", "htp://x",
           "services.users.target: target \"htp://x\": unknown scheme; there are http, h2c, https, h2 "
           "(srv+ in front: an SRV name), h2c+unix, http+unix, xds, dns, ipv4, ipv6, unix");
    refuse("services.users.zones", "{\"a\": \"h2c://a:x\"}",
           "services.users.zones: zone \"a\": target \"h2c://a:x\": the port is a number from 1 to 65535");
    refuse("services.users.zones", "{}",
           "services.users.zones is \"{}\", allowed is an object such as "
           "{\"a\": \"h2c://users-a:80\", \"b\": \"h2c://users-b:80\"}");
}

static void hosts_are_normal(void **state)
{
    (void) state;
    set("tls.server_name", "Users.Example");
    assert_string_equal(conf_text(conf, "tls.server_name"), "users.example");
    set("tls.server_name", "::1");
    assert_string_equal(conf_text(conf, "tls.server_name"), "::1");
    set("tls.server_name", "");
    set("services.users.authority", "[::1]:81");
    set("services.users.authority", "users:81");
    assert_string_equal(own("users", KEY_AUTHORITY), "users:81");
}

static void proxies_have_a_url(void **state)
{
    (void) state;
    set("proxy", "http://me:se@cret@proxy.internal:3128");
    set("proxy", "socks5h://[::1]:1080");
    set("proxy", "https://proxy/");
    set("proxy", "env");
    set("proxy", "off");
    assert_int_equal(conf_set(conf, "proxy", "http://", NULL), MESH_ERR_INVALID);
    assert_int_equal(conf_set(conf, "proxy", "http://a b", NULL), MESH_ERR_INVALID);
    assert_int_equal(conf_set(conf, "proxy", "ftp://proxy", NULL), MESH_ERR_INVALID);
}

static void the_environment_is_read(void **state)
{
    (void) state;
    setenv("MESH_RETRY_ATTEMPTS", "2", 1);
    setenv("MESH_ZONE", "", 1);
    setenv("MESH_DNS_SERVERS", "127.0.0.1:8600, [::1]:53", 1);
    setenv("MESH_SERVICES",
           " users=h2c://10.0.0.1:80@zone-a, 10.0.0.2:80@zone-b; pay = https://api.example.com;"
           "orders=srv+h2c://_grpc._tcp.orders.service.consul;\nlocal=unix:/a,unix:/b@z;",
           1);
    assert_int_equal(conf_read_env(conf, &fault), 0);
    assert_string_equal(conf_text(conf, "retry.attempts"), "2");
    assert_string_equal(origin("", KEY_RETRY_ATTEMPTS), "environment MESH_RETRY_ATTEMPTS");
    assert_string_equal(origin("", KEY_ZONE), "default");
    assert_string_equal(conf_text(conf, "dns.servers"), "127.0.0.1:8600,[::1]:53");
    assert_string_equal(own("users", KEY_ENDPOINTS), "10.0.0.1:80@zone-a, 10.0.0.2:80@zone-b");
    assert_string_equal(own("users", KEY_PROTOCOL), "h2c");
    assert_string_equal(own("pay", KEY_TARGET), "https://api.example.com");
    assert_null(own("pay", KEY_PROTOCOL));
    assert_string_equal(own("orders", KEY_TARGET), "srv+h2c://_grpc._tcp.orders.service.consul");
    assert_string_equal(own("local", KEY_ENDPOINTS), "unix:/a,unix:/b@z");
    assert_string_equal(origin("local", KEY_ENDPOINTS), "environment MESH_SERVICES");
}

static void refuse_variable(const char *name, const char *value, const char *sentence)
{
    setenv(name, value, 1);
    fault = (struct fault){ 0 };
    assert_int_equal(conf_read_env(conf, &fault), MESH_ERR_INVALID);
    assert_string_equal(fault.text, sentence);
    assert_int_equal(conf->values.n, 0);
    unsetenv(name);
}

static void wrong_variables_are_explained(void **state)
{
    (void) state;
    setenv("MESH_ZONE", "a", 1);
    refuse_variable("MESH_RETRY_ATTEMPTS", "many",
                    "environment MESH_RETRY_ATTEMPTS: retry.attempts is \"many\", "
                    "allowed is a whole number from 1 to 20");
    refuse_variable("MESH_SERVICES", "users", "environment MESH_SERVICES: services: \"users\" is not name=target");
    refuse_variable("MESH_SERVICES", "users=", "environment MESH_SERVICES: services: \"users\" has no target");
    refuse_variable("MESH_SERVICES", "a b=http://x",
                    "environment MESH_SERVICES: services: \"a b\" is no name of 1 to 128 letters, digits, "
                    "'.', '_' and '-'");
    refuse_variable("MESH_SERVICES", "a=http://x;a=http://y",
                    "environment MESH_SERVICES: services: \"a\" stands twice");
    refuse_variable("MESH_SERVICES", "a=dns://10.0.0.1:80,10.0.0.2:80",
                    "environment MESH_SERVICES: services: \"dns\" is no scheme for a list of addresses; "
                    "there are http, h2c, https, h2");
    refuse_variable("MESH_SERVICES", "users=h2c://users.internal:80@a",
                    "environment MESH_SERVICES: services.users.endpoints: endpoint 1: address \"users.internal:80\" "
                    "is no literal address such as 10.0.0.1:80, [::1]:80 or unix:/path; names stand in target");
    refuse_variable("MESH_SERVICES", "users=10.0.0.1:80@",
                    "environment MESH_SERVICES: services.users.endpoints: endpoint 1: zone \"\" is not made of "
                    "1 to 128 letters, digits, '.', '_', '-' and '/'");
    refuse_variable("MESH_SERVICES", "{\"users\": {\"timeout\": 3}}",
                    "environment MESH_SERVICES, line 1: unknown key \"timeout\"; the nearest is \"timeout_ms\"");
    refuse_variable("MESH_CONFIG", "{\"zone\": 3}",
                    "environment MESH_CONFIG, line 1: zone is 3, allowed is a name of up to 128 letters, digits, "
                    "'.', '_', '-' and '/'");
}

static void unknown_variables_are_warnings(void **state)
{
    static const char *const fine[] = {
        "MESH_PORT",        "MESH_SERVICE_HOST",     "MESH_SERVICE_PORT",     "MESH_SERVICE_PORT_HTTP",
        "MESH_PORT_80_TCP", "MESH_PORT_80_TCP_ADDR", "MESH_WEB_SERVICE_HOST", "MESH_WEB_PORT_53_UDP_PROTO",
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(fine); i++)
        setenv(fine[i], "tcp://10.0.0.1:80", 1);
    setenv("MESH_RETRY_ATEMPTS", "2", 1);
    setenv("MESHY", "2", 1);
    setenv("MESH_EMPTY", "", 1);
    assert_int_equal(conf_read_env(conf, &fault), 0);
    assert_int_equal(conf->n_warnings, 1);
    assert_string_equal(conf->warnings[0], "environment variable MESH_RETRY_ATEMPTS is no key of the configuration; "
                                           "the nearest is MESH_RETRY_ATTEMPTS");
    assert_int_equal(conf_read_env(conf, &fault), 0);
    assert_int_equal(conf->n_warnings, 1);
}

static void the_higher_origin_wins_in_any_order(void **state)
{
    const char *path = write_file("order.json", "{\"zone\": \"file\", \"region\": \"file\", \"log\": \"off\","
                                                "\"defaults\": {\"timeout_ms\": 5}}");

    (void) state;
    setenv("MESH_ZONE", "environment", 1);
    setenv("MESH_REGION", "environment", 1);
    for (unsigned order = 0; order < 6; order++) {
        static const char orders[6][4] = { "sef", "sfe", "esf", "efs", "fse", "fes" };

        conf_free(conf);
        conf = conf_new();
        for (const char *step = orders[order]; *step; step++) {
            if (*step == 's')
                set("zone", "set");
            else if (*step == 'e')
                assert_int_equal(conf_read_env(conf, &fault), 0);
            else
                assert_int_equal(conf_read_file(conf, path, &fault), 0);
        }
        assert_string_equal(conf_text(conf, "zone"), "set");
        assert_string_equal(conf_text(conf, "region"), "environment");
        assert_string_equal(conf_text(conf, "log"), "off");
        assert_int_equal(conf_number(conf, "timeout_ms"), 5);
    }
}

static void a_failure_changes_nothing(void **state)
{
    (void) state;
    set("zone", "a");
    setenv("MESH_REGION", "b", 1);
    setenv("MESH_TIMEOUT_MS", "x", 1);
    assert_int_equal(conf_read_env(conf, &fault), MESH_ERR_INVALID);
    assert_int_equal(conf_set(conf, "services", "a=http://x; b=", &fault), MESH_ERR_INVALID);
    assert_int_equal(conf_set(conf, "config", "{\"region\": \"b\", \"x\": 1}", &fault), MESH_ERR_INVALID);
    assert_int_equal(conf->values.n, 1);
    assert_string_equal(conf_text(conf, "zone"), "a");
}

static void relative_files_are_relative_to_the_file(void **state)
{
    char here[256], expected[512];
    const char *path = write_file("files.json", "{\"access_log\": \"access.log\", \"log\": \"fd:2\", \"defaults\": "
                                                "{\"tls\": {\"ca\": \"ca.pem\", \"cert\": \"/abs/me.pem\"}}}");

    (void) state;
    assert_int_equal(conf_read_file(conf, path, &fault), 0);
    snprintf(expected, sizeof expected, "%s/ca.pem", folder);
    assert_string_equal(conf_text(conf, "tls.ca"), expected);
    assert_string_equal(conf_text(conf, "tls.cert"), "/abs/me.pem");
    snprintf(expected, sizeof expected, "%s/access.log", folder);
    assert_string_equal(conf_text(conf, "access_log"), expected);
    assert_string_equal(conf_text(conf, "log"), "fd:2");
    set("tls.ca", "ca.pem");
    snprintf(expected, sizeof expected, "%s/ca.pem", getcwd(here, sizeof here));
    assert_string_equal(conf_text(conf, "tls.ca"), expected);
}

static void a_copy_is_its_own(void **state)
{
    struct conf *copy;
    struct addr addr;

    (void) state;
    set("zone", "a");
    set("zone_cidrs", "x=10.0.0.0/8,y=10.1.0.0/16,z=fd00::/8,w=10.2.3.4");
    setenv("MESH_ODD", "1", 1);
    assert_int_equal(conf_read_env(conf, &fault), 0);
    copy = conf_copy(conf);
    set("zone", "b");
    set("zone_cidrs", "");
    assert_string_equal(conf_text(copy, "zone"), "a");
    assert_int_equal(copy->n_warnings, 1);
    assert_true(addr_parse(&addr, "10.1.2.3", 8, 80));
    assert_string_equal(conf_zone_of(copy, &addr), "y");
    assert_string_equal(conf_zone_of(conf, &addr), "");
    assert_true(addr_parse(&addr, "10.2.3.4", 8, 80));
    assert_string_equal(conf_zone_of(copy, &addr), "w");
    assert_true(addr_parse(&addr, "10.2.3.5", 8, 80));
    assert_string_equal(conf_zone_of(copy, &addr), "x");
    assert_true(addr_parse(&addr, "fdff::1", 7, 80));
    assert_string_equal(conf_zone_of(copy, &addr), "z");
    assert_true(addr_parse(&addr, "fe00::1", 7, 80));
    assert_string_equal(conf_zone_of(copy, &addr), "");
    conf_free(copy);
}

static void a_hook(int32_t level, const char *event, const char *line, void *user)
{
    (void) level, (void) event, (void) line, (void) user;
}

static void observe_gets_its_part(void **state)
{
    struct observe_conf out;

    (void) state;
    setenv("OTEL_SERVICE_NAME", "checkout", 1);
    setenv("MESH_LOG_LEVEL", "debug", 1);
    setenv("MESH_LOG_FORMAT", "json", 1);
    setenv("MESH_ACCESS_LOG", "fd:3", 1);
    conf_fill_observe(conf, &out);
    assert_string_equal(out.service_name, "");
    assert_int_equal(out.level, MESH_LOG_WARN);
    assert_int_equal(conf_read_env(conf, &fault), 0);
    set("threads", "none");
    conf_set_log(conf, a_hook, conf);
    conf_fill_observe(conf, &out);
    assert_string_equal(out.service_name, "checkout");
    assert_int_equal(out.level, MESH_LOG_DEBUG);
    assert_int_equal(out.format, OBSERVE_JSON);
    assert_string_equal(out.access_log, "fd:3");
    assert_string_equal(out.log, "stderr");
    assert_true(out.threadless);
    assert_ptr_equal(out.hook, a_hook);
    assert_ptr_equal(out.hook_user, conf);
}

static char last_line[512];

static void remember(int32_t level, const char *event, const char *line, void *user)
{
    (void) user;
    assert_int_equal(level, MESH_LOG_WARN);
    assert_string_equal(event, "configuration_warning");
    snprintf(last_line, sizeof last_line, "%s", line);
}

static void warnings_are_logged(void **state)
{
    struct observe_conf out;
    struct observe *observe;

    (void) state;
    setenv("MESH_ZON", "a", 1);
    assert_int_equal(conf_read_env(conf, &fault), 0);
    set("threads", "none");
    conf_set_log(conf, remember, NULL);
    conf_fill_observe(conf, &out);
    assert_int_equal(observe_new(&out, &observe, &fault), 0);
    conf_log_warnings(conf, observe);
    observe_free(observe);
    assert_non_null(strstr(last_line, "MESH_ZON is no key of the configuration; the nearest is MESH_ZONE"));
}

static void check_refuses_contradictions(void **state)
{
    (void) state;
    set("dns.min_ttl_ms", "5000");
    set("dns.max_ttl_ms", "4000");
    assert_int_equal(conf_check(conf, &fault), MESH_ERR_INVALID);
    assert_string_equal(fault.text, "dns.min_ttl_ms is 5000, more than dns.max_ttl_ms, which is 4000");
    set("dns.max_ttl_ms", "5000");
    set("services.users.retry.backoff_base_ms", "2000");
    assert_int_equal(conf_check(conf, &fault), MESH_ERR_INVALID);
    assert_string_equal(fault.text, "services.users.retry.backoff_base_ms (set) is 2000, more than "
                                    "retry.backoff_max_ms (default), which is 1000");
    set("retry.backoff_max_ms", "2000");
    assert_int_equal(conf_check(conf, &fault), 0);
    set("services.users.tls.ca", "/no/such/ca.pem");
    assert_int_equal(conf_check(conf, &fault), MESH_ERR_INVALID);
    assert_string_equal(fault.text, "services.users.tls.ca (set) is /no/such/ca.pem: No such file or directory");
}

static json_t *describe(bool all)
{
    char *text = conf_describe(conf, all);
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

    assert_non_null(object);
    mem_free(text);
    return object;
}

static const char *text_at(json_t *object, const char *key, const char *member)
{
    return json_string_value(json_object_get(json_object_get(object, key), member));
}

static void a_description_tells_values_and_origins(void **state)
{
    json_t *object;

    (void) state;
    setenv("MESH_ZONE", "a", 1);
    setenv("MESH_CONFIG",
           "{\"region\": \"r\", \"services\": {\"users\": {\"endpoints\": [{\"address\": \"[::1]:1\"}]}}}", 1);
    assert_int_equal(conf_read_env(conf, &fault), 0);
    set("proxy", "http://me:secret@proxy:3128");
    set("services.local.endpoints", "[::1]:80@a");
    object = describe(false);
    assert_string_equal(text_at(object, "zone", "value"), "a");
    assert_string_equal(text_at(object, "zone", "origin"), "environment MESH_ZONE");
    assert_string_equal(text_at(object, "region", "origin"), "environment MESH_CONFIG");
    assert_string_equal(text_at(object, "proxy", "value"), "http://***@proxy:3128");
    assert_string_equal(text_at(object, "proxy", "origin"), "set");
    assert_string_equal(text_at(object, "config", "value"), "{...}");
    assert_string_equal(text_at(object, "services.local.endpoints", "value"), "[::1]:80@a");
    assert_true(json_is_array(json_object_get(json_object_get(object, "services.users.endpoints"), "value")));
    assert_null(json_object_get(object, "timeout_ms"));
    json_decref(object);
    object = describe(true);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(object, "timeout_ms"), "value")), 15000);
    assert_string_equal(text_at(object, "timeout_ms", "origin"), "default");
    assert_true(json_is_true(json_object_get(json_object_get(object, "tls.verify"), "value")));
    assert_int_equal(json_array_size(json_object_get(json_object_get(object, "log.redact"), "value")), 5);
    json_decref(object);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(defaults_hold_at_first),
        TEST(keys_are_set),
        TEST(service_names_may_have_dots),
        TEST(unknown_keys_name_the_nearest),
        TEST(wrong_values_are_explained),
        TEST(hosts_are_normal),
        TEST(proxies_have_a_url),
        TEST(the_environment_is_read),
        TEST(wrong_variables_are_explained),
        TEST(unknown_variables_are_warnings),
        TEST(the_higher_origin_wins_in_any_order),
        TEST(a_failure_changes_nothing),
        TEST(relative_files_are_relative_to_the_file),
        TEST(a_copy_is_its_own),
        TEST(observe_gets_its_part),
        TEST(warnings_are_logged),
        TEST(check_refuses_contradictions),
        TEST(a_description_tells_values_and_origins),
    };
    int failed;

    if (!mkdtemp(folder))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(in_folder("order.json"));
    unlink(in_folder("files.json"));
    rmdir(folder);
    return failed;
}
