/* SPDX-License-Identifier: Apache-2.0 */
/* `mesh resolve`: what people are shown of a target, step by step. */
#include "support/dns_source.h"
#include "support/fake_dns.h"

#include <jansson.h>

static struct fake_dns *dns;

struct told {
    unsigned times;
    int32_t err;
    json_t *json;
};

static int set_up(void **state)
{
    static struct source_fixture f;

    mesh_test_watch(state);
    dns = fake_dns_start();
    fixture_init(&f);
    fixture_set(&f, "dns.servers", dns->servers);
    fixture_set(&f, "dns.timeout_ms", "100");
    fixture_set(&f, "dns.tries", "1");
    fixture_set(&f, "zone_cidrs", "a=10.0.1.0/24");
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_clear(*state);
    fake_dns_stop(dns);
    return mesh_test_unwatch(state);
}

static void on_explained(void *user, int32_t err, char *json)
{
    struct told *told = user;
    json_error_t error;

    told->times++;
    told->err = err;
    told->json = json ? json_loads(json, JSON_REJECT_DUPLICATES, &error) : NULL;
    if (json && !told->json)
        fail_msg("%s: %s", error.text, json);
    mem_free(json);
}

static bool is_told(void *user)
{
    return ((struct told *) user)->times > 0;
}

static struct told explain(struct source_fixture *f, const char *target)
{
    struct told told = { 0 };
    struct fault fault = { 0 };

    loop_enter(f->loop);
    if (source_explain(f->source, target, on_explained, &told, &fault))
        fail_msg("%s", fault.text);
    assert_int_equal(told.times, 0);
    loop_leave(f->loop);
    test_loop_until(f->loop, is_told, &told);
    assert_int_equal(told.times, 1);
    assert_non_null(told.json);
    return told;
}

static const char *text_at(json_t *object, const char *list, size_t i, const char *key)
{
    const char *text = json_string_value(json_object_get(json_array_get(json_object_get(object, list), i), key));

    return text ? text : "(null)";
}

static size_t count(json_t *object, const char *list)
{
    return json_array_size(json_object_get(object, list));
}

static void an_srv_name(void **state)
{
    struct source_fixture *f = *state;
    struct told told;
    json_t *records;

    fake_dns_set(dns, "_h2c._tcp.users.test", FAKE_SRV, 30,
                 "10 5 8080 a.test; 20 5 8081 b.test; 20 5 8082 nothing.test");
    fake_dns_set(dns, "a.test", FAKE_A, 60, "10.0.1.1");
    fake_dns_set(dns, "b.test", FAKE_A, 60, "10.0.2.1");
    fixture_start(f);
    told = explain(f, "srv+h2c://_h2c._tcp.users.test");
    assert_int_equal(told.err, 0);
    assert_string_equal(json_string_value(json_object_get(told.json, "target")), "srv+h2c://_h2c._tcp.users.test");
    assert_int_equal(count(told.json, "steps"), 4);
    assert_string_equal(text_at(told.json, "steps", 0, "query"), "_h2c._tcp.users.test SRV");
    assert_string_equal(text_at(told.json, "steps", 0, "result"), "ok");
    assert_string_equal(text_at(told.json, "steps", 0, "from"), "dns");
    records = json_object_get(json_array_get(json_object_get(told.json, "steps"), 0), "records");
    assert_string_equal(json_string_value(json_array_get(records, 1)), "20 5 8081 b.test");
    assert_string_equal(text_at(told.json, "steps", 1, "query"), "a.test. A, AAAA");
    assert_string_equal(text_at(told.json, "steps", 3, "result"), "nxdomain");
    assert_int_equal(count(told.json, "endpoints"), 2);
    assert_string_equal(text_at(told.json, "endpoints", 0, "address"), "10.0.1.1:8080");
    assert_string_equal(text_at(told.json, "endpoints", 0, "zone"), "a");
    assert_string_equal(text_at(told.json, "endpoints", 0, "hostname"), "a.test");
    assert_string_equal(text_at(told.json, "endpoints", 1, "address"), "10.0.2.1:8081");
    assert_true(json_is_null(json_object_get(told.json, "error")));
    json_decref(told.json);
}

static void a_name_that_does_not_exist(void **state)
{
    struct source_fixture *f = *state;
    struct told told;

    fixture_start(f);
    told = explain(f, "nothing.test:80");
    assert_int_equal(told.err, MESH_ERR_DNS);
    assert_string_equal(text_at(told.json, "steps", 0, "result"), "nxdomain");
    assert_int_equal(count(told.json, "endpoints"), 0);
    assert_string_equal(json_string_value(json_object_get(told.json, "error")), "MESH_ERR_DNS");
    assert_non_null(strstr(json_string_value(json_object_get(told.json, "detail")), "NXDOMAIN"));
    json_decref(told.json);
}

static void a_withdrawn_service(void **state)
{
    struct source_fixture *f = *state;
    struct told told;

    fake_dns_set(dns, "_s._tcp.test", FAKE_SRV, 30, "0 0 0 .");
    fixture_start(f);
    told = explain(f, "srv+h2c://_s._tcp.test");
    assert_int_equal(told.err, MESH_ERR_DNS);
    assert_non_null(strstr(json_string_value(json_object_get(told.json, "detail")), "not there"));
    json_decref(told.json);
}

static void a_configured_service_and_a_literal(void **state)
{
    struct source_fixture *f = *state;
    struct told told;

    fake_dns_set(dns, "a.test", FAKE_A, 60, "10.0.1.1");
    fake_dns_set(dns, "b.test", FAKE_A, 60, "10.0.2.1");
    fixture_set(f, "services.users.zones", "{\"x\": \"h2c://a.test:80\", \"y\": \"h2c://b.test:81\"}");
    fixture_start(f);
    told = explain(f, "users");
    assert_int_equal(count(told.json, "steps"), 2);
    assert_string_equal(text_at(told.json, "endpoints", 1, "zone"), "y");
    json_decref(told.json);
    told = explain(f, "h2c://10.0.1.9:81");
    assert_int_equal(told.err, 0);
    assert_int_equal(count(told.json, "steps"), 0);
    assert_string_equal(text_at(told.json, "endpoints", 0, "address"), "10.0.1.9:81");
    json_decref(told.json);
}

static void what_is_no_target(void **state)
{
    struct source_fixture *f = *state;
    struct told told = { 0 };
    struct fault fault = { 0 };

    fixture_start(f);
    loop_enter(f->loop);
    assert_int_not_equal(source_explain(f->source, "ftp://x", on_explained, &told, &fault), 0);
    loop_leave(f->loop);
    assert_true(fault.text[0] != '\0');
    assert_int_equal(told.times, 0);
}

static void freed_before_it_ends(void **state)
{
    struct source_fixture *f = *state;
    static struct told told;

    fake_dns_behave(dns, "quiet.test", FAKE_A, FAKE_DROP);
    fixture_start(f);
    loop_enter(f->loop);
    MESH_OK(source_explain(f->source, "quiet.test:80", on_explained, &told, NULL));
    MESH_OK(source_explain(f->source, "10.0.0.1:80", on_explained, &told, NULL));
    source_free(f->source);
    f->source = NULL;
    loop_leave(f->loop);
    test_loop_turns(f->loop, 10);
    assert_int_equal(told.times, 0);
}

#define EXPLAIN_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXPLAIN_TEST(an_srv_name),         EXPLAIN_TEST(a_name_that_does_not_exist),
        EXPLAIN_TEST(a_withdrawn_service), EXPLAIN_TEST(a_configured_service_and_a_literal),
        EXPLAIN_TEST(what_is_no_target),   EXPLAIN_TEST(freed_before_it_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
