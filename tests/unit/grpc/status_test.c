/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC's tables of codes, and messages with escapes of all kinds. */
#include <stdlib.h>
#include <string.h>

#include "mesh_test.h"

#include "base/base.h"
#include "grpc/status.h"

static void codes_have_names(void **state)
{
    (void) state;
    assert_string_equal(grpc_code_name(GRPC_OK), "OK");
    assert_string_equal(grpc_code_name(GRPC_UNAVAILABLE), "UNAVAILABLE");
    assert_string_equal(grpc_code_name(16), "UNAUTHENTICATED");
    assert_string_equal(grpc_code_name(17), "?");
    assert_string_equal(grpc_code_name(-1), "?");
}

static void http_statuses_mean_codes(void **state)
{
    static const int pairs[][2] = {
        { 400, 13 }, { 401, 16 }, { 403, 7 }, { 404, 12 }, { 429, 14 }, { 431, 13 }, { 502, 14 },
        { 503, 14 }, { 504, 14 }, { 200, 2 }, { 301, 2 },  { 500, 2 },  { 418, 2 },  { 0, 2 },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        assert_int_equal(grpc_code_of_http(pairs[i][0]), pairs[i][1]);
}

static void resets_mean_codes(void **state)
{
    static const int codes[] = { 13, 13, 13, 13, 13, 13, 13, 14, 1, 13, 13, 8, 7, 13, 13 };

    (void) state;
    for (uint32_t i = 0; i < COUNT_OF(codes); i++)
        assert_int_equal(grpc_code_of_reset(i), codes[i]);
    assert_int_equal(grpc_code_of_reset(UINT32_MAX), 13);
}

static void errors_mean_codes(void **state)
{
    static const int pairs[][2] = {
        { 0, 0 },
        { MESH_ERR_RESET, GRPC_UNAVAILABLE },
        { MESH_ERR_CONNECT, GRPC_UNAVAILABLE },
        { MESH_ERR_CLOSING, GRPC_UNAVAILABLE },
        { MESH_ERR_PROTOCOL, GRPC_INTERNAL },
        { MESH_ERR_TIMEOUT, GRPC_DEADLINE_EXCEEDED },
        { MESH_ERR_CANCELLED, GRPC_CANCELLED },
        { MESH_ERR_TOO_LARGE, GRPC_RESOURCE_EXHAUSTED },
        { MESH_ERR_NOMEM, GRPC_RESOURCE_EXHAUSTED },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        assert_int_equal(grpc_code_of_error(pairs[i][0]), pairs[i][1]);
}

static void reads(const char *text, const char *wanted)
{
    char out[64];

    grpc_message_read(text, strlen(text), out, sizeof out);
    assert_string_equal(out, wanted);
}

static void messages_are_decoded(void **state)
{
    (void) state;
    reads("", "");
    reads("no such thing", "no such thing");
    reads("50%25 of%0aall", "50% of\nall");
    reads("%E2%82%AC %e2%82%ac", "\xe2\x82\xac \xe2\x82\xac");
}

/* A decoder never fails: what is no escape stays. */
static void wrong_escapes_stay(void **state)
{
    (void) state;
    reads("100%", "100%");
    reads("100%2", "100%2");
    reads("%zz%%41", "%zz%A");
    reads("%2x%x2", "%2x%x2");
    reads("cut%00here", "cut%00here");
    reads("\x01\xff%ff", "\x01\xff\xff");
}

static void long_messages_are_cut(void **state)
{
    size_t len = 1 << 20;
    char *text = malloc(len), out[9];

    (void) state;
    memset(text, 'x', len);
    grpc_message_read(text, len, out, sizeof out);
    assert_string_equal(out, "xxxxxxxx");
    grpc_message_read("abcdef%E2%82%AC", 15, out, sizeof out); /* nine bytes: the last character is left out */
    assert_string_equal(out, "abcdef");
    grpc_message_read("abcde%E2%82%AC", 14, out, sizeof out);
    assert_string_equal(out, "abcde\xe2\x82\xac");
    grpc_message_read("12345678", 8, out, sizeof out);
    assert_string_equal(out, "12345678");
    free(text);
}

static void random_messages_stay_in_bounds(void **state)
{
    static const char letters[] = "%%%%0123abcdefABCDEFzZ \xe2\x82\xff";
    struct rand dice;

    (void) state;
    rand_seed_with(&dice, 11);
    for (int i = 0; i < 100000; i++) {
        size_t len = rand_below(&dice, 40), cap = 1 + rand_below(&dice, 40);
        char *text = malloc(len + 1), *out = malloc(cap);

        for (size_t k = 0; k < len; k++)
            text[k] = letters[rand_below(&dice, sizeof letters - 1)];
        grpc_message_read(text, len, out, cap);
        assert_true(strlen(out) < cap && strlen(out) <= len);
        free(text);
        free(out);
    }
}

static void own_statuses_are_sentences(void **state)
{
    struct grpc_status status;

    (void) state;
    grpc_status_set(&status, GRPC_INTERNAL, "%d bytes", 7);
    assert_int_equal(status.code, 13);
    assert_false(status.from_peer);
    assert_null(status.details);
    assert_string_equal(status.message, "7 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_have_names),           cmocka_unit_test(http_statuses_mean_codes),
        cmocka_unit_test(resets_mean_codes),          cmocka_unit_test(errors_mean_codes),
        cmocka_unit_test(messages_are_decoded),       cmocka_unit_test(wrong_escapes_stay),
        cmocka_unit_test(long_messages_are_cut),      cmocka_unit_test(random_messages_stay_in_bounds),
        cmocka_unit_test(own_statuses_are_sentences),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
