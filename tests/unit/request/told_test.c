/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer says about retrying it, read from headers and trailers. */
#include "request/told.h"

#include <string.h>

#include "mesh_test.h"

enum { NOW_S = 784111777 }; /* Sun, 06 Nov 1994 08:49:37 GMT */

static struct told told_by(const char *name, const char *value, bool is_trailer)
{
    struct mesh_response *response = response_new();
    struct told told;

    assert_non_null(response);
    MESH_OK(response_add_field(response, "x", 1, "y", 1, false));
    MESH_OK(response_add_field(response, name, strlen(name), value, strlen(value), is_trailer));
    told = told_read(response, NOW_S);
    response_free(response);
    return told;
}

static void nothing_is_told(void **state)
{
    struct told told = told_by("x-other", "1", false);

    (void) state;
    assert_false(told.rate_limited || told.forbids || told.has_wait);
    assert_int_equal(told.grpc_status, GRPC_STATUS_NONE);
}

static void pauses(void **state)
{
    static const struct {
        const char *name, *value;
        bool forbids, has_wait;
        uint64_t wait_us;
    } cases[] = {
        { "retry-after", "2", false, true, 2000000 },
        { "Retry-After", "Sun, 06 Nov 1994 08:49:47 GMT", false, true, 10000000 },
        { "retry-after", "0", false, false, 0 },
        { "retry-after", "soon", false, false, 0 },
        { "grpc-retry-pushback-ms", "0", false, true, 0 },
        { "grpc-retry-pushback-ms", "1500", false, true, 1500000 },
        { "grpc-retry-pushback-ms", "-1", true, false, 0 },
        { "grpc-retry-pushback-ms", "", true, false, 0 },
        { "grpc-retry-pushback-ms", "1.5", true, false, 0 },
        { "grpc-retry-pushback-ms", "18446744073709551615", true, false, 0 },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases) * 2; i++) {
        struct told told = told_by(cases[i / 2].name, cases[i / 2].value, i % 2);

        assert_int_equal(told.forbids, cases[i / 2].forbids);
        assert_int_equal(told.has_wait, cases[i / 2].has_wait);
        assert_int_equal(told.wait_us, cases[i / 2].wait_us);
    }
}

static void pushback_goes_before_retry_after(void **state)
{
    struct mesh_response *response = response_new();
    struct told told;

    (void) state;
    assert_non_null(response);
    MESH_OK(response_add_field(response, "retry-after", 11, "5", 1, false));
    MESH_OK(response_add_field(response, "grpc-status", 11, "3", 1, false));
    MESH_OK(response_add_field(response, "grpc-status", 11, "14", 2, true));
    MESH_OK(response_add_field(response, "grpc-retry-pushback-ms", 22, "20", 2, true));
    told = told_read(response, NOW_S);
    assert_true(told.has_wait);
    assert_int_equal(told.wait_us, 20000);
    assert_int_equal(told.grpc_status, 14);
    response_free(response);
}

static void words(void **state)
{
    (void) state;
    assert_true(told_by("x-mesh-retry", "no", false).forbids);
    assert_true(told_by("x-mesh-retry", "No", true).forbids);
    assert_false(told_by("x-mesh-retry", "yes", false).forbids);
    assert_true(told_by("x-envoy-ratelimited", "", false).rate_limited);
    assert_int_equal(told_by("grpc-status", "14", true).grpc_status, 14);
    assert_int_equal(told_by("grpc-status", "0", false).grpc_status, 0);
    assert_int_equal(told_by("grpc-status", "-1", true).grpc_status, GRPC_STATUS_NONE);
    assert_int_equal(told_by("grpc-status", "99999999999", true).grpc_status, GRPC_STATUS_NONE);
}

static void what_grpc_statuses_stand_for(void **state)
{
    (void) state;
    assert_int_equal(told_http_status(0), 200);
    assert_int_equal(told_http_status(5), 404);
    assert_int_equal(told_http_status(8), 429);
    assert_int_equal(told_http_status(14), 503);
    assert_int_equal(told_http_status(16), 401);
    assert_int_equal(told_http_status(17), 500);
}

static void retry_after(void **state)
{
    (void) state;
    assert_int_equal(told_retry_after_us("0", NOW_S), 0);
    assert_int_equal(told_retry_after_us("1", NOW_S), US_PER_S);
    assert_int_equal(told_retry_after_us("120", NOW_S), 120 * US_PER_S);
    assert_int_equal(told_retry_after_us("Sun, 06 Nov 1994 08:49:47 GMT", NOW_S), 10 * US_PER_S);
    assert_int_equal(told_retry_after_us("Sun, 06 Nov 1994 08:49:27 GMT", NOW_S), 0);
    assert_int_equal(told_retry_after_us("Sun, 06 Nov 1994 08:49:47 GMT x", NOW_S), 0);
    assert_int_equal(told_retry_after_us("", NOW_S), 0);
    assert_int_equal(told_retry_after_us("-1", NOW_S), 0);
    assert_int_equal(told_retry_after_us("1.5", NOW_S), 0);
    assert_int_equal(told_retry_after_us("soon", NOW_S), 0);
    assert_int_equal(told_retry_after_us("18446744073709551615", NOW_S), 0);
    assert_int_equal(told_retry_after_us("99999999999999999999", NOW_S), 0);
}

static uint64_t reset_by(const char *value, bool is_unix_time)
{
    struct route_reset_header headers[] = { { "x-none", false }, { "x-reset", is_unix_time } };
    struct route_rules rules = { .n_reset_headers = 2, .reset_headers = headers, .reset_most_us = 300 * US_PER_S };
    struct mesh_response *response = response_new();
    uint64_t us;

    response_add_field(response, "x-reset", 7, value, strlen(value), false);
    us = told_reset_us(response, &rules, NOW_S);
    response_free(response);
    return us;
}

static void reset_headers(void **state)
{
    char at[TEXT_U64];

    (void) state;
    assert_int_equal(reset_by("20", false), 20 * US_PER_S);
    assert_int_equal(reset_by("300", false), 300 * US_PER_S);
    assert_int_equal(reset_by("301", false), 0);
    assert_int_equal(reset_by("0", false), 0);
    assert_int_equal(reset_by("soon", false), 0);
    assert_int_equal(reset_by("18446744073709551615", false), 0);
    text_from_u64(NOW_S + 7, at);
    assert_int_equal(reset_by(at, true), 7 * US_PER_S);
    text_from_u64(NOW_S - 7, at);
    assert_int_equal(reset_by(at, true), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_told),
        cmocka_unit_test(pauses),
        cmocka_unit_test(pushback_goes_before_retry_after),
        cmocka_unit_test(words),
        cmocka_unit_test(what_grpc_statuses_stand_for),
        cmocka_unit_test(retry_after),
        LEAK_TEST(reset_headers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
