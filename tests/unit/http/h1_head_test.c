/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of HTTP/1.1 answers: which are read how, which are refused. */
#include "mesh_test.h"

#include <string.h>

#include "http/h1_head.h"

static int32_t status_of(const char *line, struct h1_head *head)
{
    struct fault fault = { 0 };
    int32_t err = h1_head_status(line, strlen(line), head, &fault);

    assert_int_equal(fault.code, err);
    return err;
}

static void status_lines_are_read_strictly(void **state)
{
    static const struct {
        const char *line;
        int status, minor_version;
    } good[] = {
        { "HTTP/1.1 200 OK\r\n", 200, 1 }, { "HTTP/1.0 404 Not Found\n", 404, 0 },
        { "HTTP/1.1 204\r\n", 204, 1 },    { "HTTP/1.1 999 \r\n", 999, 1 },
        { "HTTP/1.1 100", 100, 1 },
    };
    static const char *const bad[] = { "",
                                       "HTTP/1.1",
                                       "HTTP/1.1 20",
                                       "HTTP/2 200",
                                       "HTTP/1.1  200 OK",
                                       "HTTP/1.1 2000 OK",
                                       "HTTP/1.1 099 OK",
                                       "http/1.1 200 OK",
                                       " HTTP/1.1 200 OK",
                                       "HTTP/1.1\t200 OK",
                                       "ICY 200 OK",
                                       "HTTP/1.1 200-OK" };
    struct h1_head head;

    (void) state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        MESH_OK(status_of(good[i].line, &head));
        assert_int_equal(head.status, good[i].status);
        assert_int_equal(head.minor_version, good[i].minor_version);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        MESH_ERR(MESH_ERR_PROTOCOL, status_of(bad[i], &head));
}

static int32_t check(char *block, size_t len, struct h1_head *head)
{
    struct fault fault = { 0 };
    int32_t err = h1_head_check(block, len, head, &fault);

    assert_int_equal(fault.code, err);
    return err;
}

static void fields_are_walked(void **state)
{
    char block[] = "X-A:b\r\nEMPTY:\r\nBlank: \t \r\nfolded: a\r\n\tb\n  c\r\nColons: a:b:c\nlast: \xc3\xa4";
    static const struct {
        const char *name, *value;
    } expected[] = {
        { "x-a", "b" },        { "empty", "" },        { "blank", "" }, { "folded", "a  \tb   c" },
        { "colons", "a:b:c" }, { "last", "\xc3\xa4" },
    };
    struct h1_head head = { .minor_version = 1 };
    struct h1_field field;
    size_t at = 0, n = 0;

    (void) state;
    MESH_OK(check(block, strlen(block), &head));
    MESH_OK(check(block, strlen(block), &head)); /* a second time is the same */
    while (h1_head_next(block, strlen(block), &at, &field)) {
        assert_true(n < COUNT_OF(expected));
        assert_int_equal(field.name_len, strlen(expected[n].name));
        assert_memory_equal(field.name, expected[n].name, field.name_len);
        assert_int_equal(field.value_len, strlen(expected[n].value));
        assert_memory_equal(field.value, expected[n].value, field.value_len);
        n++;
    }
    assert_int_equal(n, COUNT_OF(expected));
    assert_false(head.has_length || head.is_chunked);
}

static void an_empty_block_has_no_fields(void **state)
{
    struct h1_head head = { 0 };
    struct h1_field field;
    size_t at = 0;

    (void) state;
    MESH_OK(h1_head_check(NULL, 0, &head, NULL));
    assert_false(h1_head_next("", 0, &at, &field));
}

static void bad_fields_are_refused(void **state)
{
    static const char *const bad[] = { "no colon\r\n",      ": no name\r\n",      "blank : a\r\n", " folded: first\r\n",
                                       "x-a: b\rc\r\n",     "x-a: b\x01\r\n",     "x-a: \x7f\r\n", "x(a): b\r\n",
                                       "x-\xc3\xa4: b\r\n", "good: a\r\n\r\nx: b" };
    static const char with_nul[] = "x-a: b\0c\r\n", name_with_nul[] = "x\0a: b\r\n";
    struct h1_head head = { .minor_version = 1 };
    char block[64];

    (void) state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        memcpy(block, bad[i], strlen(bad[i]));
        MESH_ERR(MESH_ERR_PROTOCOL, check(block, strlen(bad[i]), &head));
    }
    memcpy(block, with_nul, sizeof with_nul);
    MESH_ERR(MESH_ERR_PROTOCOL, check(block, sizeof with_nul - 1, &head));
    memcpy(block, name_with_nul, sizeof name_with_nul);
    MESH_ERR(MESH_ERR_PROTOCOL, check(block, sizeof name_with_nul - 1, &head));
}

static void what_says_where_an_answer_ends_is_unambiguous(void **state)
{
    static const struct {
        const char *block;
        int minor_version;
        int32_t err;
        bool has_length, is_chunked;
        uint64_t length;
    } cases[] = {
        { "content-length: 0\r\n", 1, 0, true, false, 0 },
        { "Content-Length: 9223372036854775807\r\n", 1, 0, true, false, INT64_MAX },
        { "content-length: 5\r\ncontent-length: 5\r\n", 1, 0, true, false, 5 },
        { "transfer-encoding: CHUNKED\r\n", 1, 0, false, true, 0 },
        { "content-length: 9223372036854775808\r\n", 1, MESH_ERR_PROTOCOL, false, false, 0 },
        { "content-length: 5\r\ncontent-length: 6\r\n", 1, MESH_ERR_PROTOCOL, false, false, 0 },
        { "content-length:\r\n", 1, MESH_ERR_PROTOCOL, false, false, 0 },
        { "content-length: -1\r\n", 1, MESH_ERR_PROTOCOL, false, false, 0 },
        { "content-length: 0x10\r\n", 1, MESH_ERR_PROTOCOL, false, false, 0 },
        { "content-length: 1 2\r\n", 1, MESH_ERR_PROTOCOL, false, false, 0 },
        { "content-length: 1\r\n 2\r\n", 1, MESH_ERR_PROTOCOL, false, false, 0 },
        { "content-length: 5\r\ntransfer-encoding: chunked\r\n", 1, MESH_ERR_PROTOCOL, false, false, 0 },
        { "transfer-encoding: chunked\r\ncontent-length: 5\r\n", 1, MESH_ERR_PROTOCOL, false, false, 0 },
        { "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", 1, MESH_ERR_PROTOCOL, false, false, 0 },
        { "transfer-encoding: gzip, chunked\r\n", 1, MESH_ERR_PROTOCOL, false, false, 0 },
        { "transfer-encoding: identity\r\n", 1, MESH_ERR_PROTOCOL, false, false, 0 },
        { "transfer-encoding: chunked\r\n", 0, MESH_ERR_PROTOCOL, false, false, 0 },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct h1_head head = { .minor_version = cases[i].minor_version };
        char block[128];

        memcpy(block, cases[i].block, strlen(cases[i].block));
        MESH_ERR(cases[i].err, check(block, strlen(cases[i].block), &head));
        if (cases[i].err)
            continue;
        assert_int_equal(head.has_length, cases[i].has_length);
        assert_int_equal(head.is_chunked, cases[i].is_chunked);
        assert_int_equal(head.length, cases[i].length);
    }
}

static void fields_are_counted(void **state)
{
    char block[(H1_MAX_FIELDS + 1) * 4];
    struct h1_head head = { .minor_version = 1 };

    (void) state;
    for (size_t i = 0; i < sizeof block; i += 4)
        memcpy(block + i, "a:b\n", 4);
    MESH_OK(check(block, sizeof block - 4, &head));
    MESH_ERR(MESH_ERR_TOO_LARGE, check(block, sizeof block, &head));
}

static void what_is_about_the_connection_is_known(void **state)
{
    static const char *const hop[] = { "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade" };
    static const char *const other[] = { "content-length", "x-connection", "connectio", "trailer", "date" };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(hop); i++)
        assert_true(h1_field_is_hop_by_hop(&(struct h1_field){ .name = hop[i], .name_len = strlen(hop[i]) }));
    for (size_t i = 0; i < COUNT_OF(other); i++)
        assert_false(h1_field_is_hop_by_hop(&(struct h1_field){ .name = other[i], .name_len = strlen(other[i]) }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_lines_are_read_strictly),
        cmocka_unit_test(fields_are_walked),
        cmocka_unit_test(an_empty_block_has_no_fields),
        cmocka_unit_test(bad_fields_are_refused),
        cmocka_unit_test(what_says_where_an_answer_ends_is_unambiguous),
        cmocka_unit_test(fields_are_counted),
        cmocka_unit_test(what_is_about_the_connection_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
