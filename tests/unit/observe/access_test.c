/* SPDX-License-Identifier: Apache-2.0 */
/* The access log's line: its fields, and that no stranger's bytes break it or reveal a query. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include "observe/access.h"

static json_t *parsed(const struct observe_access *record)
{
    struct line line = { 0 };
    json_error_t error;
    json_t *object;

    access_format(&line, record);
    for (size_t i = 0; i < line.len; i++)
        assert_true((unsigned char) line.text[i] >= 0x20);
    object = json_loadb(line.text, line.len, JSON_REJECT_DUPLICATES, &error);
    if (!object)
        fail_msg("%s: %.*s", error.text, (int) line.len, line.text);
    return object;
}

static const char *text_at(json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void test_every_field(void **state)
{
    static const struct observe_access record = {
        .started_wall_us = UINT64_C(1795611600123456),
        .service = "users",
        .cluster = "users-v1",
        .route = "by-path",
        .host = "10.0.0.7:8080",
        .zone = "a",
        .method = "GET",
        .path = "/v1/users/42",
        .authority = "users",
        .protocol = "HTTP/2",
        .trace_id = "4bf92f3577b34da6a3ce929d0e0e4736",
        .detail = "",
        .status = 200,
        .attempts = 2,
        .duration_us = 12345,
        .bytes_sent = 10,
        .bytes_received = UINT64_C(5000000000),
    };
    struct line line = { 0 };

    (void) state;
    access_format(&line, &record);
    line.text[line.len] = '\0';
    assert_string_equal(
        line.text,
        "{\"start_time\":\"2026-11-25T13:00:00.123Z\",\"service\":\"users\",\"upstream_cluster\":\"users-v1\","
        "\"route_name\":\"by-path\",\"upstream_host\":\"10.0.0.7:8080\",\"upstream_zone\":\"a\",\"method\":\"GET\","
        "\"path\":\"/v1/users/42\","
        "\"authority\":\"users\",\"protocol\":\"HTTP/"
        "2\",\"response_code\":200,\"response_flags\":\"-\",\"attempts\":2,\"hedged\":false,"
        "\"duration_ms\":12.345,\"bytes_sent\":10,\"bytes_received\":5000000000,"
        "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"error\":null,\"detail\":\"\"}");
}

static void test_empty_record_is_an_object(void **state)
{
    struct observe_access record = { 0 };
    json_t *object = parsed(&record);

    (void) state;
    assert_string_equal(text_at(object, "upstream_host"), "");
    assert_string_equal(text_at(object, "path"), "");
    json_decref(object);
}

static void test_flags_have_envoys_names(void **state)
{
    static const struct {
        uint32_t flags;
        const char *text;
    } cases[] = {
        { FLAG_CONNECT_FAILURE | FLAG_RETRY_LIMIT, "UF,URX" },
        { FLAG_RETRY_LIMIT | FLAG_RETRY_BUDGET, "URX" },
        { FLAG_NO_HEALTHY_UPSTREAM, "UH" },
        { FLAG_DNS_FAILURE, "DF" },
        { FLAG_DROP_OVERLOAD, "DO" },
        { FLAG_UPSTREAM_TIMEOUT | FLAG_REMOTE_RESET, "UT,UR" },
        { FLAG_DELAY_INJECTED | FLAG_FAULT_INJECTED, "DI,FI" },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct observe_access record = { .flags = cases[i].flags, .err = MESH_ERR_TIMEOUT };
        json_t *object = parsed(&record);

        assert_string_equal(text_at(object, "response_flags"), cases[i].text);
        assert_string_equal(text_at(object, "error"), "MESH_ERR_TIMEOUT");
        json_decref(object);
    }
}

static void test_query_is_not_told(void **state)
{
    struct observe_access record = { .path = "/login?password=secret" };
    json_t *object = parsed(&record);

    (void) state;
    assert_string_equal(text_at(object, "path"), "/login?\xe2\x80\xa6");
    json_decref(object);
    record.path = "/a#token=secret";
    object = parsed(&record);
    assert_null(strstr(text_at(object, "path"), "secret"));
    json_decref(object);
}

/* Each text full of the bytes that grow most. */
static void test_hostile_texts(void **state)
{
    static const char pattern[] = "\",\"response_code\":999,\"x\":\"\n{\"forged\":1}\n\x01\xff\xc0\x80\xe2\x80\xa8";
    char *text = calloc(1, 100000);
    struct observe_access record = { .attempts = 1, .duration_us = UINT64_MAX };
    json_t *object;

    (void) state;
    for (size_t at = 0; at + sizeof pattern < 100000; at += sizeof pattern - 1)
        memcpy(text + at, pattern, sizeof pattern - 1);
    record.service = record.cluster = record.host = record.zone = record.method = record.path = text;
    record.authority = record.protocol = record.route = record.trace_id = record.detail = text;
    object = parsed(&record);
    assert_int_equal(json_integer_value(json_object_get(object, "response_code")), 0);
    assert_int_equal(json_object_size(object), 20);
    assert_true(strlen(text_at(object, "path")) <= LINE_PATH_MOST + 3);
    assert_true(strlen(text_at(object, "detail")) <= LINE_TEXT_MOST + 3);
    json_decref(object);
    memset(text, '\x01', 99999);
    json_decref(parsed(&record));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field),
        cmocka_unit_test(test_empty_record_is_an_object),
        cmocka_unit_test(test_flags_have_envoys_names),
        cmocka_unit_test(test_query_is_not_told),
        cmocka_unit_test(test_hostile_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
