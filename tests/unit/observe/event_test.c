/* SPDX-License-Identifier: Apache-2.0 */
/* Event lines in both formats, and the limit on repeating them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include "observe/event.h"
#include "observe/limit.h"

static const struct observe_field down[] = {
    { "cluster", "users", 0 },
    { "endpoint", "10.0.0.7:8080", 0 },
    { "cause", "connect: \"refused\"\nWARN forged x=1", 0 },
    { "failures", NULL, 5 },
};

static struct event example(void)
{
    return (struct event){
        .wall_us = UINT64_C(1795611600123456),
        .level = MESH_LOG_WARN,
        .name = "endpoint_down",
        .fields = down,
        .n_fields = COUNT_OF(down),
    };
}

static void test_text(void **state)
{
    struct event event = example();
    struct line line = { 0 };

    (void) state;
    event.suppressed = 3;
    event_format_text(&line, &event);
    line.text[line.len] = '\0';
    assert_string_equal(line.text, "2026-11-25T13:00:00.123Z WARN endpoint_down cluster=users endpoint=10.0.0.7:8080 "
                                   "cause=\"connect: \\\"refused\\\"\\nWARN forged x=1\" failures=5 suppressed=3");
}

static json_t *as_json(const struct event *event)
{
    struct line line = { 0 };
    json_error_t error;
    json_t *object;

    event_format_json(&line, event);
    object = json_loadb(line.text, line.len, JSON_REJECT_DUPLICATES, &error);
    if (!object)
        fail_msg("%s: %.*s", error.text, (int) line.len, line.text);
    return object;
}

static void test_json(void **state)
{
    struct event event = example();
    json_t *object, *fields;

    (void) state;
    event.service_name = "shop";
    event.zone = "b";
    object = as_json(&event);
    fields = json_object_get(object, "fields");
    assert_string_equal(json_string_value(json_object_get(object, "timestamp")), "2026-11-25T13:00:00.123Z");
    assert_string_equal(json_string_value(json_object_get(object, "severity_text")), "WARN");
    assert_int_equal(json_integer_value(json_object_get(object, "severity_number")), 13);
    assert_string_equal(json_string_value(json_object_get(object, "event")), "endpoint_down");
    assert_string_equal(json_string_value(json_object_get(object, "service.name")), "shop");
    assert_string_equal(json_string_value(json_object_get(object, "zone")), "b");
    assert_string_equal(json_string_value(json_object_get(fields, "cause")), down[2].text);
    assert_int_equal(json_integer_value(json_object_get(fields, "failures")), 5);
    json_decref(object);
}

/* Many long fields: what does not fit is left out, and the object still ends. */
static void test_too_many_fields(void **state)
{
    struct observe_field fields[200];
    char text[2000], name[200];
    struct event event = example();
    struct line line = { 0 };
    json_t *object;

    (void) state;
    memset(text, '\x02', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        fields[i] = (struct observe_field){ i == 0 ? name : "f", text, 0 };
    event.fields = fields;
    event.n_fields = 20;
    event.service_name = event.zone = text;
    event.suppressed = UINT64_MAX / 4;
    event_format_text(&line, &event);
    assert_true(line.len < LINE_ROOM);
    line.len = 0;
    event_format_json(&line, &event);
    assert_true(line.len < LINE_ROOM);
    assert_memory_equal(line.text + line.len - 2, "\"}", 2);
    event.n_fields = COUNT_OF(fields);
    line.len = 0;
    event_format_json(&line, &event);
    object = json_loadb(line.text, line.len, 0, NULL);
    assert_non_null(object);
    assert_non_null(json_object_get(object, "zone"));
    json_decref(object);
}

static void test_limit_lets_a_burst_through_and_then_a_trickle(void **state)
{
    struct limit *limit = calloc(1, sizeof *limit);
    uint64_t now = 1000000, suppressed, passed = 0;

    (void) state;
    for (int i = 0; i < 1000; i++)
        passed += limit_allows(limit, "connection_closed", now, &suppressed);
    assert_int_equal(passed, LIMIT_BURST);
    assert_true(limit_allows(limit, "another", now, &suppressed));
    assert_int_equal(suppressed, 0);

    assert_true(limit_allows(limit, "connection_closed", now + 1000000 / LIMIT_PER_SECOND, &suppressed));
    assert_int_equal(suppressed, 1000 - LIMIT_BURST);
    assert_false(limit_allows(limit, "connection_closed", now + 1000000 / LIMIT_PER_SECOND, &suppressed));

    passed = 0;
    for (int i = 0; i < 1000; i++)
        passed += limit_allows(limit, "connection_closed", now + 3600 * UINT64_C(1000000), &suppressed);
    assert_int_equal(passed, LIMIT_BURST);
    free(limit);
}

static void test_limit_survives_more_names_than_it_has_places(void **state)
{
    struct limit *limit = calloc(1, sizeof *limit);
    uint64_t suppressed;

    (void) state;
    for (int i = 0; i < 1000; i++) {
        char name[200];

        memset(name, 'a' + i % 26, sizeof name);
        name[i % 199] = '\0';
        limit_allows(limit, name, 5, &suppressed);
    }
    free(limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_too_many_fields),
        cmocka_unit_test(test_limit_lets_a_burst_through_and_then_a_trickle),
        cmocka_unit_test(test_limit_survives_more_names_than_it_has_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
