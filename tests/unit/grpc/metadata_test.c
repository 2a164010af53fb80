/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata: what may be sent, how it becomes headers, and how it comes back out of them. */
#include <string.h>

#include "mesh_test.h"

#include "grpc/metadata.h"

static int32_t check(const char *name, const char *value, struct fault *fault)
{
    return grpc_metadata_check(&(struct grpc_metadata){ name, value, strlen(value) }, 1, fault);
}

static void good_metadata(void **state)
{
    struct fault fault;

    (void) state;
    MESH_OK(grpc_metadata_check(NULL, 0, &fault));
    MESH_OK(check("x-request-id", "a b~!", &fault));
    MESH_OK(check("a_b.c-0", "", &fault));
    MESH_OK(check("trace-bin", "\x01\xff\n", &fault));
    MESH_OK(check("grpcx", "1", &fault));
}

static void bad_metadata_is_named(void **state)
{
    static const struct {
        const char *name, *value, *says;
    } cases[] = {
        { "", "v", "without a name" },
        { "X-Upper", "v", "names have a-z" },
        { "a b", "v", "names have a-z" },
        { ":path", "/", "names have a-z" },
        { "a\r\nb", "v", "a\\x0d\\x0ab" },
        { "grpc-timeout", "1S", "gRPC's own" },
        { "grpc-anything-bin", "x", "gRPC's own" },
        { "te", "trailers", "gRPC's own" },
        { "content-type", "text/html", "gRPC's own" },
        { "user-agent", "me", "gRPC's own" },
        { "connection", "close", "gRPC's own" },
        { "a", "x\ry", "byte 0x0d at 1" },
        { "a", "\xc3\xa4", "byte 0xc3 at 0" },
        { "a", "\x7f", "byte 0x7f" },
        { "a", " x", "a space" },
        { "a", "x ", "a space" },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fault fault = { 0 };

        MESH_ERR(MESH_ERR_INVALID, check(cases[i].name, cases[i].value, &fault));
        if (!strstr(fault.text, cases[i].says))
            fail_msg("%s: does not say \"%s\"", fault.text, cases[i].says);
    }
}

static void sizes_are_limited(void **state)
{
    static char value[GRPC_METADATA_MOST + 1];
    struct grpc_metadata entries[2] = { { "a", value, 0 }, { "b-bin", value, 0 } };
    struct fault fault;

    (void) state;
    memset(value, 'v', sizeof value);
    entries[0].len = GRPC_METADATA_MOST - 33;
    MESH_OK(grpc_metadata_check(entries, 1, &fault));
    MESH_ERR(MESH_ERR_TOO_LARGE, grpc_metadata_check(entries, 2, &fault));
    entries[0].len++;
    MESH_ERR(MESH_ERR_TOO_LARGE, grpc_metadata_check(entries, 1, &fault));
    entries[1].len = (GRPC_METADATA_MOST - 37) / 4 * 3; /* as base64 */
    MESH_OK(grpc_metadata_check(entries + 1, 1, &fault));
    entries[1].len += 3;
    MESH_ERR(MESH_ERR_TOO_LARGE, grpc_metadata_check(entries + 1, 1, &fault));
    entries[1].len = SIZE_MAX;
    MESH_ERR(MESH_ERR_TOO_LARGE, grpc_metadata_check(entries + 1, 1, &fault));
}

static const struct mesh_header own[] = { { "te", "trailers" } };
static const struct grpc_metadata some[] = {
    { "a", "1", 1 }, { "b-bin", "\0\xff", 2 }, { "c", NULL, 0 }, { "d-bin", NULL, 0 }
};

static int32_t make_headers(void)
{
    struct grpc_headers headers;
    int32_t err = grpc_headers_make(&headers, own, 1, some, COUNT_OF(some));

    if (err == 0)
        grpc_headers_free(&headers);
    return err;
}

static void headers_are_made(void **state)
{
    static const char *const values[] = { "trailers", "1", "AP8", "", "" };
    struct grpc_headers headers;

    (void) state;
    MESH_OK(grpc_headers_make(&headers, own, 1, some, COUNT_OF(some)));
    assert_int_equal(headers.n, 5);
    for (size_t i = 0; i < headers.n; i++) {
        assert_string_equal(headers.headers[i].name, i == 0 ? "te" : some[i - 1].name);
        assert_string_equal(headers.headers[i].value, values[i]);
    }
    grpc_headers_free(&headers);
}

static void headers_want_memory(void **state)
{
    (void) state;
    mesh_test_each_allocation_fails(make_headers);
}

static void metadata_among_headers(void **state)
{
    static const char *const names[] = { "x", "x-bin", "server", "date", "grpcx" };
    static const char *const others[] = { "grpc-status", "grpc-status-details-bin", "content-type", ":status", "" };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_true(grpc_metadata_is(names[i], strlen(names[i])));
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_false(grpc_metadata_is(others[i], strlen(others[i])));
    assert_true(grpc_metadata_is_binary("x-bin", 5));
    assert_false(grpc_metadata_is_binary("x-bin2", 6));
    assert_false(grpc_metadata_is_binary("bin", 3));
}

/* "[text]", "!" for what is none. */
static void read_as(const char *text, const char *wanted)
{
    char got[256] = "";
    size_t text_len = strlen(text), len;
    struct buf room = { 0 };
    const uint8_t *bytes;

    while (grpc_metadata_next(&text, &text_len, &room, &bytes, &len)) {
        size_t used = strlen(got);

        if (bytes)
            snprintf(got + used, sizeof got - used, "[%.*s]", (int) len, (const char *) bytes);
        else
            snprintf(got + used, sizeof got - used, "!");
    }
    assert_string_equal(got, wanted);
    buf_free(&room);
}

static void binary_values_are_read(void **state)
{
    (void) state;
    read_as("", "[]");
    read_as("Zm9v", "[foo]");
    read_as("Zg==,Zm8", "[f][fo]");
    read_as("Zg, Zm8=,", "[f][fo][]");
    read_as("%%%", "!");
    read_as("Zg,Z,Zm9v", "[f]![foo]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(good_metadata),          LEAK_TEST(bad_metadata_is_named),      LEAK_TEST(sizes_are_limited),
        LEAK_TEST(headers_are_made),       cmocka_unit_test(headers_want_memory), LEAK_TEST(metadata_among_headers),
        LEAK_TEST(binary_values_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
