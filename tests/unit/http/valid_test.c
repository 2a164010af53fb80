/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand in a request, and what the sentence says about what may not. */
#include <string.h>

#include "http/http.h"
#include "mesh_test.h"

static void says(const struct fault *fault, int32_t err, const char *expected)
{
    assert_int_equal(err, expected ? MESH_ERR_INVALID : 0);
    if (!expected)
        return;
    assert_int_equal(fault->code, MESH_ERR_INVALID);
    if (!strstr(fault->text, expected))
        fail_msg("\"%s\" is not in: %s", expected, fault->text);
}

static void method(const char *text, const char *expected)
{
    struct fault fault;

    says(&fault, http_valid_method(text, &fault), expected);
}

static void path(const char *text, const char *expected)
{
    struct fault fault;

    says(&fault, http_valid_path(text, &fault), expected);
}

static void authority(const char *text, const char *expected)
{
    struct fault fault;

    says(&fault, http_valid_authority(text, &fault), expected);
}

static void header(const char *name, const char *value, const char *expected)
{
    const struct mesh_header h = { name, value };
    struct fault fault;

    says(&fault, http_valid_header(&h, &fault), expected);
}

static void test_method(void **state)
{
    (void) state;
    method("GET", NULL);
    method("PROPFIND", NULL);
    method("x!#$%&'*+-.^_`|~9", NULL);
    method("", "is empty");
    method("GET ", "method \"GET \": byte 4 is a space");
    method("GE\r\nT", "method \"GE\\x0d\\x0aT\": byte 3 is CR");
    method("G:T", "byte 2 is ':'");
    method("\xc3\xa4", "byte 1 is 0xc3");
    method("CONNECT", "tunnel");
}

static void test_path(void **state)
{
    (void) state;
    path("/", NULL);
    path("*", NULL);
    path("/v1/users?x=%C3%A4&y=\"{}|\\^", NULL);
    path("", "must begin with \"/\"");
    path("users", "path \"users\" must begin with \"/\"");
    path("*x", "must begin with \"/\"");
    path("/a b", "byte 3 is a space");
    path("/a\nb", "byte 3 is LF");
    path("/a\tb", "byte 3 is a tab");
    path("/a\x7f", "byte 3 is 0x7f");
    path("/a#b", "byte 3 is '#'");
    path("/\xc3\xa4", "byte 2 is 0xc3; what is not ASCII must be percent-encoded, here as %C3");
}

static void test_authority(void **state)
{
    (void) state;
    authority("users", NULL);
    authority("users.example.com:8080", NULL);
    authority("10.0.0.1:0", NULL);
    authority("[::1]", NULL);
    authority("[fe80::1%25eth0]:65535", NULL);
    authority("my_service", NULL);
    authority("", "has no host");
    authority(":80", "has no host");
    authority("users:", "port must be a number");
    authority("users:http", "port must be a number");
    authority("users:65536", "0 to 65535");
    authority("me@users", "byte 3 is '@'");
    authority("users/v1", "byte 6 is '/'");
    authority("us ers", "byte 3 is a space");
    authority("users\r\n", "byte 6 is CR");
    authority("\xc3\xa4", "byte 1 is 0xc3");
    authority("[::1", "must enclose");
    authority("[]", "must enclose");
    authority("[::1]x", "byte 6 is 'x'");
    authority("::1", "has no host");
    authority("fe80::1", "port must be a number");
}

static void test_header_names(void **state)
{
    (void) state;
    header("X-Request-Id", "1", NULL);
    header("host", "users", NULL);
    header("trailer", "x", NULL);
    header(NULL, "1", "no name");
    header("", "1", "empty name");
    header("x y", "1", "header name \"x y\": byte 2 is a space");
    header("x:", "1", "byte 2 is ':'");
    header("x\r\ny", "1", "header name \"x\\x0d\\x0ay\": byte 2 is CR");
    header(":path", "/", "belong to the protocol");
}

static void test_header_values(void **state)
{
    (void) state;
    header("x", "", NULL);
    header("x", "a \t b \xc3\xa4", NULL);
    header("x", NULL, "header \"x\" has no value");
    header("x", "a\r\nb: c", "header \"x\": byte 2 of the value is CR");
    header("x", "a\nb", "byte 2 of the value is LF");
    header("x", "\x01", "byte 1 of the value is 0x01");
    header("x", "\x7f", "byte 1 of the value is 0x7f");
    header("x", " a", "must not begin or end with a space");
    header("x", "a\t", "must not begin or end with a space");
}

static void test_a_secret_is_not_told(void **state)
{
    const struct mesh_header h = { "authorization", "hunter2\n" };
    struct fault fault;

    (void) state;
    MESH_ERR(MESH_ERR_INVALID, http_valid_header(&h, &fault));
    assert_null(strstr(fault.text, "hunter2"));
}

static void test_headers_of_the_connection(void **state)
{
    (void) state;
    header("Connection", "close", "belongs to the connection");
    header("proxy-connection", "close", "belongs to the connection");
    header("keep-alive", "1", "belongs to the connection");
    header("Transfer-Encoding", "chunked", "belongs to the connection");
    header("upgrade", "h2c", "belongs to the connection");
    header("http2-settings", "x", "belongs to the connection");
    header("Content-Length", "1", "length of the body");
    header("te", "trailers", NULL);
    header("TE", "Trailers", NULL);
    header("te", "gzip", "only the value \"trailers\"");
}

static void test_no_fault_is_wanted(void **state)
{
    (void) state;
    MESH_ERR(MESH_ERR_INVALID, http_valid_path("x", NULL));
    MESH_ERR(MESH_ERR_INVALID, http_valid_method("x y", NULL));
}

/* What RFC 9110 5.6.2 and 5.5 say, byte by byte. */
static void test_every_byte(void **state)
{
    static const char tokens[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    (void) state;
    for (int c = 1; c < 256; c++) {
        const char inside[] = { '/', (char) c, 'x', '\0' };
        bool token = strchr(tokens, c) != NULL;

        assert_int_equal(http_valid_method(inside + 1, NULL) == 0, token);
        assert_int_equal(http_valid_header(&(struct mesh_header){ inside + 1, "" }, NULL) == 0, token);
        assert_int_equal(http_valid_path(inside, NULL) == 0, c > ' ' && c < 0x7f && c != '#');
        assert_int_equal(http_valid_header(&(struct mesh_header){ "x", inside }, NULL) == 0,
                         c == '\t' || (c >= ' ' && c != 0x7f));
    }
}

static void test_idempotent(void **state)
{
    (void) state;
    assert_true(http_method_idempotent("GET"));
    assert_true(http_method_idempotent("DELETE"));
    assert_true(http_method_idempotent("PUT"));
    assert_false(http_method_idempotent("POST"));
    assert_false(http_method_idempotent("PATCH"));
    assert_false(http_method_idempotent("get"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_method),
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_authority),
        cmocka_unit_test(test_header_names),
        cmocka_unit_test(test_header_values),
        cmocka_unit_test(test_a_secret_is_not_told),
        cmocka_unit_test(test_headers_of_the_connection),
        cmocka_unit_test(test_no_fault_is_wanted),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_idempotent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
