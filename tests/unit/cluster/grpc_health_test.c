/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of gRPC's health check, and answers that are none. */
#include <string.h>

#include "mesh_test.h"

#include "base/base.h"
#include "cluster/grpc_health.h"

static void requests_are_framed(void **state)
{
    uint8_t out[GRPC_HEALTH_REQUEST_MOST];

    (void) state;
    assert_int_equal(grpc_health_request(NULL, out), 5);
    assert_memory_equal(out, "\0\0\0\0\0", 5);
    assert_int_equal(grpc_health_request("", out), 5);
    assert_int_equal(grpc_health_request("shop", out), 11);
    assert_memory_equal(out, "\0\0\0\0\6\n\4shop", 11);
}

static void long_names_have_a_longer_length(void **state)
{
    uint8_t out[GRPC_HEALTH_REQUEST_MOST];
    char name[400];

    (void) state;
    memset(name, 'x', sizeof name);
    name[256] = '\0';
    assert_int_equal(grpc_health_request(name, out), 5 + 3 + 256);
    assert_memory_equal(out, "\0\0\0\1\3\n\200\2xx", 10);
    name[256] = 'x';
    name[399] = '\0';
    assert_int_equal(grpc_health_request(name, out), 5 + 3 + 256);
}

#define STATUS(bytes) grpc_health_status((const uint8_t *) bytes, sizeof(bytes) - 1)

static void answers_say_a_status(void **state)
{
    (void) state;
    assert_int_equal(STATUS("\0\0\0\0\0"), 0);
    assert_int_equal(STATUS("\0\0\0\0\2\10\1"), GRPC_HEALTH_SERVING);
    assert_int_equal(STATUS("\0\0\0\0\2\10\2"), 2);
    assert_int_equal(STATUS("\0\0\0\0\4\10\2\10\1"), 1); /* the last one counts */
    assert_int_equal(STATUS("\0\0\0\0\3\10\200\1"), 128);
    assert_string_equal(grpc_health_status_name(2), "NOT_SERVING");
    assert_string_equal(grpc_health_status_name(-1), "?");
    assert_string_equal(grpc_health_status_name(4), "?");
}

/* Fields that a later version may bring. */
static void unknown_fields_are_skipped(void **state)
{
    (void) state;
    assert_int_equal(STATUS("\0\0\0\0\6\22\2ab\10\1"), 1);
    assert_int_equal(STATUS("\0\0\0\0\13\21\1\2\3\4\5\6\7\10\10\1"), 1);
    assert_int_equal(STATUS("\0\0\0\0\7\25\1\2\3\4\10\1"), 1);
    assert_int_equal(STATUS("\0\0\0\0\5\10\1\30\200\1"), 1);
}

static void what_is_no_answer(void **state)
{
    (void) state;
    assert_int_equal(grpc_health_status(NULL, 0), -1);
    assert_int_equal(STATUS("\0\0\0\0"), -1);
    assert_int_equal(STATUS("\1\0\0\0\2\10\1"), -1);   /* compressed */
    assert_int_equal(STATUS("\0\0\0\0\3\10\1"), -1);   /* cut */
    assert_int_equal(STATUS("\0\0\0\0\1\10\1"), -1);   /* too long */
    assert_int_equal(STATUS("\0\0\0\0\1\10"), -1);     /* a field without a value */
    assert_int_equal(STATUS("\0\0\0\0\2\10\200"), -1); /* a number without an end */
    assert_int_equal(STATUS("\0\0\0\0\4\22\3ab"), -1); /* text beyond the end */
    assert_int_equal(STATUS("\0\0\0\0\3\25\1\2"), -1); /* 32 bits beyond the end */
    assert_int_equal(STATUS("\0\0\0\0\2\13\1"), -1);   /* a wire type that nobody uses */
    assert_int_equal(STATUS("\0\0\0\0\13\10\377\377\377\377\377\377\377\377\377\1"), -1);
    assert_int_equal(STATUS("\0\0\0\0\16\10\377\377\377\377\377\377\377\377\377\377\377\377\1"), -1);
}

/* Whatever comes: no byte outside is read (a sanitizer would tell). */
static void random_bytes(void **state)
{
    struct rand dice;

    (void) state;
    rand_seed_with(&dice, 7);
    for (int i = 0; i < 200000; i++) {
        size_t len = rand_below(&dice, GRPC_HEALTH_ANSWER_MOST + 1);
        uint8_t *bytes = mem_alloc(len + 1);

        for (size_t k = 0; k < len; k++)
            bytes[k] = (uint8_t) (k < 4 ? 0 : k == 4 ? len - 5 : rand_below(&dice, 256));
        assert_true(grpc_health_status(bytes, len) >= -1);
        mem_free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_framed),  cmocka_unit_test(long_names_have_a_longer_length),
        cmocka_unit_test(answers_say_a_status), cmocka_unit_test(unknown_fields_are_skipped),
        cmocka_unit_test(what_is_no_answer),    cmocka_unit_test(random_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
