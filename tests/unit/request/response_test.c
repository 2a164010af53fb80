/* SPDX-License-Identifier: Apache-2.0 */
/* Collecting an answer, and reading it through the public getters. */
#include "request/response.h"

#include <string.h>

#include "mesh_test.h"

static void add(struct mesh_response *response, const char *name, const char *value, bool is_trailer)
{
    MESH_OK(response_add_field(response, name, strlen(name), value, strlen(value), is_trailer));
}

static void fields_are_found_without_case(void **state)
{
    struct mesh_response *response = response_new();

    (void) state;
    add(response, "content-type", "text/plain", false);
    add(response, "x", "1", false);
    add(response, "x", "2", false);
    add(response, "empty", "", false);
    add(response, "x", "3", true);
    assert_string_equal(mesh_response_header(response, "Content-Type"), "text/plain");
    assert_string_equal(mesh_response_header(response, "X"), "1");
    assert_string_equal(mesh_response_header(response, "empty"), "");
    assert_null(mesh_response_header(response, "content-typ"));
    assert_null(mesh_response_header(response, "content-type2"));
    assert_null(mesh_response_header(response, ""));
    assert_null(mesh_response_header(response, NULL));
    assert_string_equal(mesh_response_trailer(response, "x"), "3");
    assert_null(mesh_response_trailer(response, "empty"));
    mesh_response_free(response);
}

/* More than the few that need no allocation, and a text that moves while it grows. */
static void many_fields(void **state)
{
    struct mesh_response *response = response_new();
    char name[16], value[64];
    const char *n, *v;

    (void) state;
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "name-%d", i);
        snprintf(value, sizeof value, "a value of some length, number %d", i);
        add(response, name, value, i >= 490);
    }
    assert_int_equal(mesh_response_header_at(response, 0, NULL, NULL), 490);
    assert_int_equal(mesh_response_trailer_at(response, 0, NULL, NULL), 10);
    for (size_t i = 0; i < 490; i++) {
        mesh_response_header_at(response, i, &n, &v);
        snprintf(name, sizeof name, "name-%zu", i);
        assert_string_equal(n, name);
        assert_string_equal(mesh_response_header(response, name), v);
    }
    mesh_response_header_at(response, 490, &n, &v);
    assert_null(n);
    assert_null(v);
    mesh_response_trailer_at(response, 9, &n, &v);
    assert_string_equal(n, "name-499");
    mesh_response_trailer_at(response, SIZE_MAX, &n, &v);
    assert_null(n);
    mesh_response_free(response);
}

static void another_attempt_begins_anew(void **state)
{
    struct mesh_response *response = response_new();
    const void *data;
    size_t len;

    (void) state;
    response->status = 503;
    for (int i = 0; i < 40; i++)
        add(response, "retry-after", "1", i > 35);
    assert_true(buf_append(&response->body, "busy", 4));
    response_reset(response);
    assert_int_equal(mesh_response_status(response), 0);
    assert_null(mesh_response_header(response, "retry-after"));
    assert_null(mesh_response_trailer(response, "retry-after"));
    MESH_OK(mesh_response_body(response, &data, &len));
    assert_int_equal(len, 0);
    assert_null(data);
    add(response, "x", "y", false);
    assert_string_equal(mesh_response_header(response, "x"), "y");
    mesh_response_free(response);
}

static void nothing_is_an_empty_response(void **state)
{
    const void *data = "x";
    const char *name = "x", *value = "x";
    size_t len = 7;

    (void) state;
    assert_int_equal(mesh_response_status(NULL), 0);
    assert_int_equal(mesh_response_error(NULL), 0);
    assert_int_equal(mesh_response_attempts(NULL), 0);
    assert_int_equal(mesh_response_duration_us(NULL), 0);
    assert_string_equal(mesh_response_detail(NULL), "");
    assert_string_equal(mesh_response_endpoint(NULL), "");
    assert_string_equal(mesh_response_zone(NULL), "");
    assert_null(mesh_response_header(NULL, "x"));
    assert_null(mesh_response_trailer(NULL, "x"));
    assert_int_equal(mesh_response_header_at(NULL, 0, &name, &value), 0);
    assert_null(name);
    assert_null(value);
    MESH_OK(mesh_response_body(NULL, &data, &len));
    assert_null(data);
    assert_int_equal(len, 0);
    MESH_ERR(MESH_ERR_INVALID, mesh_response_body(NULL, NULL, &len));
    mesh_response_free(NULL);
}

static int32_t collect(void)
{
    struct mesh_response *response = response_new();
    int32_t err = response ? 0 : MESH_ERR_NOMEM;

    for (int i = 0; i < 40 && !err; i++)
        err = response_add_field(response, "name", 4, "value", 5, i > 30);
    if (response && err) /* what was there is still whole */
        assert_true(response->n_fields == 0 || strcmp(response_text(response, response->fields[0].name), "name") == 0);
    response_free(response);
    return err;
}

static void headers_are_replaced_and_trailers_stay(void **state)
{
    struct mesh_response *response = response_new();
    struct mesh_header *headers;
    size_t n;

    (void) state;
    for (int i = 0; i < 30; i++)
        add(response, "old", "1", false);
    add(response, "last", "2", false);
    add(response, "sum", "3", true);
    headers = response_headers(response, &n);
    assert_int_equal(n, 31);
    assert_string_equal(headers[30].name, "last");
    headers[0] = (struct mesh_header){ "new", "4" };
    headers[1] = headers[30]; /* it lies in the text that is replaced */
    MESH_OK(response_replace_headers(response, headers, 2));
    mem_free(headers);
    assert_int_equal(mesh_response_header_at(response, 0, NULL, NULL), 2);
    assert_null(mesh_response_header(response, "old"));
    assert_string_equal(mesh_response_header(response, "new"), "4");
    assert_string_equal(mesh_response_header(response, "last"), "2");
    assert_string_equal(mesh_response_trailer(response, "sum"), "3");
    response_free(response);
}

static int32_t replace(void)
{
    struct mesh_response *response = response_new();
    struct mesh_header many[40];
    int32_t err = response ? response_add_field(response, "name", 4, "value", 5, false) : MESH_ERR_NOMEM;

    for (int i = 0; i < 40; i++)
        many[i] = (struct mesh_header){ "x-many", "a text that does not fit into the room that a response has itself" };
    if (!err)
        err = response_replace_headers(response, many, 40);
    if (response && err)
        assert_true(response->n_fields == 0 || strcmp(response_text(response, response->fields[0].name), "name") == 0);
    response_free(response);
    return err;
}

static void out_of_memory(void **state)
{
    (void) state;
    mesh_test_each_allocation_fails(collect);
    mesh_test_each_allocation_fails(replace);
}

static void blocks_become_responses(void **state)
{
    struct response_blocks blocks = { 0 };
    void *block = mem_alloc(sizeof(struct mesh_response));
    struct mesh_response *response;

    (void) state;
    response_blocks_add(&blocks, block);
    response = response_new_in(&blocks);
    assert_ptr_equal(response, block);
    assert_int_equal(blocks.n, 0);
    add(response, "x", "1", false);
    assert_string_equal(mesh_response_header(response, "x"), "1");
    response_free(response);
    for (int i = 0; i < 2 * RESPONSE_BLOCKS; i++)
        response_blocks_add(&blocks, mem_alloc(sizeof(struct mesh_response)));
    assert_int_equal(blocks.n, RESPONSE_BLOCKS);
    response_blocks_free(&blocks);
    assert_null(blocks.first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_become_responses),
        LEAK_TEST(fields_are_found_without_case),
        LEAK_TEST(many_fields),
        LEAK_TEST(another_attempt_begins_anew),
        LEAK_TEST(headers_are_replaced_and_trailers_stay),
        LEAK_TEST(nothing_is_an_empty_response),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
