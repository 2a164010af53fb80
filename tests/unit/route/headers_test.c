/* SPDX-License-Identifier: Apache-2.0 */
/* Headers that a control plane adds, replaces and removes, and the variables in their values. */
#include "route/route.h"

#include <string.h>
#include <unistd.h>

#include "mesh_test.h"

static const struct mesh_header sent[] = {
    { "Accept", "text/html" }, { "x-many", "1" }, { "X-Many", "2" }, { "x-id", "0123456789" }, { "x-empty", "" },
};
static const struct mesh_header answer[] = { { "Server", "nginx" }, { "x-id", "of the answer" } };

static const struct route_request request = {
    .service = "users",
    .method = "POST",
    .path = "/a?b",
    .authority = "users.example.com",
    .headers = sent,
    .n_headers = COUNT_OF(sent),
};
static const struct route_facts facts = {
    .request = &request,
    .cluster = "backend",
    .endpoint = "10.0.0.1:80",
    .protocol = "HTTP/2",
    .route = "by-path",
    .wall_ms = UINT64_C(951782400007),
};

/* "a=1 a=2 b=": names and values in order. */
static void expect_list(const struct header_list *list, const char *expected)
{
    struct buf text = { 0 };

    for (size_t i = 0; i < list->n; i++)
        assert_true(buf_printf(&text, "%s%s=%s", i > 0 ? " " : "", list->items[i].name, list->items[i].value));
    assert_true(buf_append(&text, "", 1));
    assert_string_equal(buf_bytes(&text), expected);
    buf_free(&text);
}

static void change(const struct header_change *items, size_t n, const struct mesh_header *headers, size_t n_headers,
                   const char *expected)
{
    struct header_changes changes = { n, (struct header_change *) items };
    struct header_list list = { .n = 0 };

    assert_true(header_list_copy(&list, headers, n_headers));
    assert_true(route_change_headers(&changes, &facts, &list));
    expect_list(&list, expected);
    header_list_clear(&list);
}

static void what_each_action_does(void **state)
{
    static const struct {
        enum header_action action;
        const char *name, *expected;
    } cases[] = {
        { HEADER_APPEND, "a", "A=1 b=2 a=3 a=new" },
        { HEADER_APPEND, "c", "A=1 b=2 a=3 c=new" },
        { HEADER_ADD_IF_ABSENT, "a", "A=1 b=2 a=3" },
        { HEADER_ADD_IF_ABSENT, "c", "A=1 b=2 a=3 c=new" },
        { HEADER_OVERWRITE, "a", "b=2 a=new" },
        { HEADER_OVERWRITE, "c", "A=1 b=2 a=3 c=new" },
        { HEADER_OVERWRITE_IF_EXISTS, "a", "b=2 a=new" },
        { HEADER_OVERWRITE_IF_EXISTS, "c", "A=1 b=2 a=3" },
        { HEADER_REMOVE, "a", "b=2" },
        { HEADER_REMOVE, "c", "A=1 b=2 a=3" },
    };
    static const struct mesh_header headers[] = { { "A", "1" }, { "b", "2" }, { "a", "3" } };
    struct value_part part = { .kind = VALUE_TEXT, .text = "new", .len = 3 };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct header_change one = { .action = cases[i].action, .name = cases[i].name, .n_parts = 1, .parts = &part };

        change(&one, 1, headers, COUNT_OF(headers), cases[i].expected);
    }
}

static void changes_are_done_in_order(void **state)
{
    struct value_part one = { .kind = VALUE_TEXT, .text = "1" }, two = { .kind = VALUE_TEXT, .text = "2" },
                      copy = { .kind = VALUE_REQUEST_HEADER, .text = "a" };
    const struct header_change changes[] = {
        { .action = HEADER_REMOVE, .name = "accept" },
        { .action = HEADER_APPEND, .name = "a", .n_parts = 1, .parts = &one },
        { .action = HEADER_OVERWRITE, .name = "b", .n_parts = 1, .parts = &copy }, /* sees what was made before */
        { .action = HEADER_ADD_IF_ABSENT, .name = "a", .n_parts = 1, .parts = &two },
        { .action = HEADER_OVERWRITE_IF_EXISTS, .name = "b", .n_parts = 1, .parts = &two },
        { .action = HEADER_APPEND, .name = "c", .n_parts = 1, .parts = &copy },
        { .action = HEADER_REMOVE, .name = "a" },
    };

    (void) state;
    change(changes, COUNT_OF(changes), sent, 1, "b=2 c=1");
}

static void empty_values(void **state)
{
    struct value_part nothing = { .kind = VALUE_REQUEST_HEADER, .text = "x-none" },
                      nothing_too = { .kind = VALUE_TEXT, .text = "" };
    const struct header_change changes[] = {
        { .action = HEADER_APPEND, .name = "a", .n_parts = 1, .parts = &nothing },
        { .action = HEADER_APPEND, .name = "b", .n_parts = 1, .parts = &nothing_too },
        { .action = HEADER_OVERWRITE, .name = "accept", .n_parts = 1, .parts = &nothing },
        { .action = HEADER_APPEND, .name = "c", .keep_empty = true, .n_parts = 1, .parts = &nothing },
        { .action = HEADER_APPEND, .name = "d", .keep_empty = true },
    };

    (void) state;
    change(changes, COUNT_OF(changes), sent, 1, "Accept=text/html c= d=");
}

static void expect_made(const struct value_part *parts, size_t n, const char *expected)
{
    const struct header_change one = {
        .action = HEADER_APPEND, .name = "v", .keep_empty = true, .n_parts = n, .parts = (struct value_part *) parts
    };
    char whole[600];

    snprintf(whole, sizeof whole, "Accept=text/html x-many=1 X-Many=2 x-id=0123456789 x-empty= v=%s", expected);
    change(&one, 1, sent, COUNT_OF(sent), whole);
}

static void variables(void **state)
{
    static const struct {
        struct value_part part;
        const char *value;
    } cases[] = {
        { { .kind = VALUE_REQUEST_HEADER, .text = "accept" }, "text/html" },
        { { .kind = VALUE_REQUEST_HEADER, .text = "x-many" }, "1" },
        { { .kind = VALUE_REQUEST_HEADER, .text = "x-id", .most = 4 }, "0123" },
        { { .kind = VALUE_REQUEST_HEADER, .text = "x-id", .most = 40 }, "0123456789" },
        { { .kind = VALUE_REQUEST_HEADER, .text = "x-none", .alternative = "accept", .most = 4 }, "text" },
        { { .kind = VALUE_REQUEST_HEADER, .text = "x-empty", .alternative = "accept" }, "" },
        { { .kind = VALUE_REQUEST_HEADER, .text = "x-none", .alternative = ":path" }, "/a?b" },
        { { .kind = VALUE_REQUEST_HEADER, .text = "x-none", .alternative = "x-neither" }, "" },
        { { .kind = VALUE_REQUEST_HEADER, .text = ":method" }, "POST" },
        { { .kind = VALUE_REQUEST_HEADER, .text = ":authority" }, "users.example.com" },
        { { .kind = VALUE_RESPONSE_HEADER, .text = "server" }, "" }, /* there is no answer yet */
        { { .kind = VALUE_CLUSTER }, "backend" },
        { { .kind = VALUE_ENDPOINT }, "10.0.0.1:80" },
        { { .kind = VALUE_PROTOCOL }, "HTTP/2" },
        { { .kind = VALUE_ROUTE }, "by-path" },
        { { .kind = VALUE_START_TIME }, "2000-02-29T00:00:00.007Z" },
    };
    const struct value_part mixed[] = { { .kind = VALUE_TEXT, .text = "<" },
                                        { .kind = VALUE_CLUSTER },
                                        { .kind = VALUE_TEXT, .text = "@" },
                                        { .kind = VALUE_ENDPOINT },
                                        { .kind = VALUE_TEXT, .text = ">" } };
    struct value_part host = { .kind = VALUE_HOSTNAME };
    char name[256];

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect_made(&cases[i].part, 1, cases[i].value);
    expect_made(mixed, COUNT_OF(mixed), "<backend@10.0.0.1:80>");
    assert_int_equal(gethostname(name, sizeof name), 0);
    expect_made(&host, 1, name);
}

static void answers_see_both(void **state)
{
    struct value_part parts[] = { { .kind = VALUE_REQUEST_HEADER, .text = "x-id" },
                                  { .kind = VALUE_TEXT, .text = "," },
                                  { .kind = VALUE_RESPONSE_HEADER, .text = "x-id" },
                                  { .kind = VALUE_TEXT, .text = "," },
                                  { .kind = VALUE_RESPONSE_HEADER, .text = "x-none", .alternative = "server" } };
    struct header_change one = { .action = HEADER_OVERWRITE, .name = "v", .n_parts = COUNT_OF(parts), .parts = parts };
    struct header_changes changes = { 1, &one };
    struct route_facts of_answer = facts;
    struct header_list list = { .n = 0 };

    (void) state;
    of_answer.answer = answer;
    of_answer.n_answer = COUNT_OF(answer);
    assert_true(header_list_copy(&list, answer, COUNT_OF(answer)));
    assert_true(route_change_headers(&changes, &of_answer, &list));
    expect_list(&list, "Server=nginx x-id=of the answer v=0123456789,of the answer,nginx");
    header_list_clear(&list);
}

static void without_facts_variables_are_empty(void **state)
{
    static const enum value_part_kind kinds[] = { VALUE_REQUEST_HEADER, VALUE_RESPONSE_HEADER, VALUE_CLUSTER,
                                                  VALUE_ENDPOINT,       VALUE_PROTOCOL,        VALUE_ROUTE };
    struct route_facts nothing = { .request = NULL };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct value_part part = { .kind = kinds[i], .text = ":path" };
        struct header_change one = { .action = HEADER_APPEND, .name = "v", .n_parts = 1, .parts = &part };
        struct header_changes changes = { 1, &one };
        struct header_list list = { .n = 0 };

        assert_true(header_list_copy(&list, NULL, 0));
        assert_true(route_change_headers(&changes, &nothing, &list));
        assert_int_equal(list.n, 0);
        header_list_clear(&list);
    }
}

static int32_t add_many(void)
{
    char longer[1000];
    struct value_part parts[] = { { .kind = VALUE_TEXT, .text = longer }, { .kind = VALUE_CLUSTER } };
    struct header_change one = { .action = HEADER_APPEND, .name = "v", .n_parts = 2, .parts = parts };
    struct header_changes changes = { 1, &one };
    struct header_list list = { .n = 0 };
    bool done = header_list_copy(&list, sent, COUNT_OF(sent));

    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    for (int i = 0; i < 30 && done; i++)
        done = route_change_headers(&changes, &facts, &list);
    if (done)
        assert_int_equal(list.n, COUNT_OF(sent) + 30);
    header_list_clear(&list);
    return done ? 0 : MESH_ERR_NOMEM;
}

static void any_allocation_may_fail(void **state)
{
    (void) state;
    mesh_test_each_allocation_fails(add_many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(what_each_action_does),
        LEAK_TEST(changes_are_done_in_order),
        LEAK_TEST(empty_values),
        LEAK_TEST(variables),
        LEAK_TEST(answers_see_both),
        LEAK_TEST(without_facts_variables_are_empty),
        cmocka_unit_test(any_allocation_may_fail),
    };

    return cmocka_run_group_tests_name("route/headers", tests, NULL, NULL);
}
