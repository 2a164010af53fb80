/* SPDX-License-Identifier: Apache-2.0 */
/* The retry decision as a table, the pauses, and Retry-After. */
#include "request/retry.h"

#include "mesh_test.h"

static const struct policy_retry standard = {
    .attempts = 3,
    .on = RETRY_ON_DEFAULT,
    .refused = true,
    .backoff_base_ms = 25,
    .backoff_max_ms = 1000,
};
static const struct policy_retry wary = { .attempts = 3, .on = RETRY_ON_DEFAULT, .refused = false };
static const struct policy_retry never = { .attempts = 3, .on = 0, .refused = true };
static const struct policy_retry others = { .attempts = 3, .on = RETRY_5XX | RETRY_RETRIABLE_4XX, .refused = true };

enum { GET = 1, POST = 0, SECOND = 2, LAST = 4, CHAINED = 8, UNREPLAYABLE = 16, REFUSED_BEFORE = 32 };

static const struct {
    const struct policy_retry *policy;
    unsigned what;
    int status;
    int32_t err;
    enum http_reach reach;
    enum retry_answer answer;
} cases[] = {
    /* never sent: any method, first free, then paid */
    { &standard, GET, 0, MESH_ERR_CONNECT, HTTP_NOT_SENT, RETRY_FREE },
    { &standard, POST, 0, MESH_ERR_CONNECT, HTTP_NOT_SENT, RETRY_FREE },
    { &standard, POST | SECOND, 0, MESH_ERR_CONNECT, HTTP_NOT_SENT, RETRY_PAID },
    { &standard, POST, 0, MESH_ERR_RESET, HTTP_NOT_SENT, RETRY_FREE },
    { &standard, POST, 0, MESH_ERR_TIMEOUT, HTTP_NOT_SENT, RETRY_FREE },
    { &standard, GET, 0, MESH_ERR_TLS, HTTP_NOT_SENT, RETRY_NO },
    { &standard, GET, 0, MESH_ERR_NOMEM, HTTP_NOT_SENT, RETRY_NO },
    { &standard, GET, 0, MESH_ERR_OVERFLOW, HTTP_NOT_SENT, RETRY_NO },
    { &never, GET, 0, MESH_ERR_CONNECT, HTTP_NOT_SENT, RETRY_NO },
    /* refused: any method once, then idempotent ones */
    { &standard, GET, 0, MESH_ERR_RESET, HTTP_REFUSED, RETRY_FREE },
    { &standard, POST, 0, MESH_ERR_RESET, HTTP_REFUSED, RETRY_FREE },
    { &standard, POST | SECOND | REFUSED_BEFORE, 0, MESH_ERR_RESET, HTTP_REFUSED, RETRY_NO },
    { &standard, GET | SECOND | REFUSED_BEFORE, 0, MESH_ERR_RESET, HTTP_REFUSED, RETRY_PAID },
    { &never, POST, 0, MESH_ERR_RESET, HTTP_REFUSED, RETRY_NO },
    /* refused, by a peer that is not believed: as if it might have been done */
    { &wary, POST, 0, MESH_ERR_RESET, HTTP_REFUSED, RETRY_NO },
    { &wary, GET, 0, MESH_ERR_RESET, HTTP_REFUSED, RETRY_PAID },
    /* may have been done: idempotent ones */
    { &standard, GET, 0, MESH_ERR_RESET, HTTP_MAYBE, RETRY_PAID },
    { &standard, POST, 0, MESH_ERR_RESET, HTTP_MAYBE, RETRY_NO },
    { &standard, GET, 0, MESH_ERR_TIMEOUT, HTTP_MAYBE, RETRY_PAID },
    { &standard, POST, 0, MESH_ERR_TIMEOUT, HTTP_MAYBE, RETRY_NO },
    { &standard, GET, 0, MESH_ERR_PROTOCOL, HTTP_MAYBE, RETRY_NO },
    { &standard, GET, 0, MESH_ERR_TOO_LARGE, HTTP_MAYBE, RETRY_NO },
    { &standard, GET, 0, MESH_ERR_CLOSING, HTTP_MAYBE, RETRY_NO },
    { &never, GET, 0, MESH_ERR_RESET, HTTP_MAYBE, RETRY_NO },
    { &others, GET, 0, MESH_ERR_TIMEOUT, HTTP_MAYBE, RETRY_NO },
    /* answers */
    { &standard, GET, 503, 0, HTTP_MAYBE, RETRY_PAID },
    { &standard, GET, 502, 0, HTTP_MAYBE, RETRY_PAID },
    { &standard, GET, 504, 0, HTTP_MAYBE, RETRY_PAID },
    { &standard, GET, 500, 0, HTTP_MAYBE, RETRY_NO },
    { &standard, GET, 409, 0, HTTP_MAYBE, RETRY_NO },
    { &standard, GET, 200, 0, HTTP_MAYBE, RETRY_NO },
    { &standard, POST, 503, 0, HTTP_MAYBE, RETRY_NO },
    { &others, GET, 500, 0, HTTP_MAYBE, RETRY_PAID },
    { &others, GET, 409, 0, HTTP_MAYBE, RETRY_PAID },
    { &others, GET, 404, 0, HTTP_MAYBE, RETRY_NO },
    /* nothing helps */
    { &standard, GET | LAST, 0, MESH_ERR_CONNECT, HTTP_NOT_SENT, RETRY_NO },
    { &standard, GET | LAST, 503, 0, HTTP_MAYBE, RETRY_NO },
    { &standard, GET | CHAINED, 0, MESH_ERR_CONNECT, HTTP_NOT_SENT, RETRY_NO },
    { &standard, GET | CHAINED, 0, MESH_ERR_RESET, HTTP_REFUSED, RETRY_NO },
    { &standard, GET | CHAINED, 503, 0, HTTP_MAYBE, RETRY_NO },
    { &standard, GET | UNREPLAYABLE, 0, MESH_ERR_RESET, HTTP_REFUSED, RETRY_NO },
};

static void the_decision(void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct retry_case c = {
            .policy = cases[i].policy,
            .made = cases[i].what & LAST     ? 3
                    : cases[i].what & SECOND ? 2
                                             : 1,
            .most = 3,
            .idempotent = cases[i].what & GET,
            .chained = cases[i].what & CHAINED,
            .replayable = !(cases[i].what & UNREPLAYABLE),
            .refused_before = cases[i].what & REFUSED_BEFORE,
            .status = cases[i].status,
            .err = cases[i].err,
            .reach = cases[i].reach,
            .per_try_timeout = cases[i].err == MESH_ERR_TIMEOUT,
        };

        if (retry_may(&c) != cases[i].answer)
            fail_msg("case %zu: %d, not %d", i, (int) retry_may(&c), (int) cases[i].answer);
    }
}

static void more_attempts_than_are_allowed_are_none(void **state)
{
    struct retry_case c = { .policy = &standard, .made = 5, .most = 3, .idempotent = true, .replayable = true };

    (void) state;
    c.err = MESH_ERR_CONNECT;
    c.reach = HTTP_NOT_SENT;
    assert_int_equal(retry_may(&c), RETRY_NO);
}

/* ---- pauses ---- */

static void longest_of(const struct policy_retry *policy, uint32_t retry, uint64_t longest_us)
{
    uint64_t most = 0, least = UINT64_MAX, sum = 0;
    struct rand dice;

    rand_seed_with(&dice, 42);
    for (int i = 0; i < 5000; i++) {
        uint64_t us = retry_backoff_us(policy, retry, &dice);

        most = us > most ? us : most;
        least = us < least ? us : least;
        sum += us;
    }
    assert_true(most <= longest_us);
    assert_true(most > longest_us * 95 / 100);
    assert_true(least < longest_us / 20);
    assert_in_range(sum / 5000, longest_us * 45 / 100, longest_us * 55 / 100);
}

static void pauses_double_up_to_the_longest_and_are_spread_from_zero(void **state)
{
    (void) state;
    longest_of(&standard, 1, 25000);
    longest_of(&standard, 2, 50000);
    longest_of(&standard, 3, 100000);
    longest_of(&standard, 6, 800000);
    longest_of(&standard, 7, 1000000);
    longest_of(&standard, 100000, 1000000);
}

static void retry_after(void **state)
{
    /* Sun, 06 Nov 1994 08:49:37 GMT */
    const uint64_t then = 784111777;

    (void) state;
    assert_int_equal(retry_after_us("0", then), 0);
    assert_int_equal(retry_after_us("1", then), US_PER_S);
    assert_int_equal(retry_after_us("120", then), 120 * US_PER_S);
    assert_int_equal(retry_after_us("Sun, 06 Nov 1994 08:49:47 GMT", then), 10 * US_PER_S);
    assert_int_equal(retry_after_us("Sun, 06 Nov 1994 08:49:27 GMT", then), 0);
    assert_int_equal(retry_after_us("Sun, 06 Nov 1994 08:49:47 GMT x", then), 0);
    assert_int_equal(retry_after_us("", then), 0);
    assert_int_equal(retry_after_us("-1", then), 0);
    assert_int_equal(retry_after_us("1.5", then), 0);
    assert_int_equal(retry_after_us("soon", then), 0);
    assert_int_equal(retry_after_us("18446744073709551615", then), 0);
    assert_int_equal(retry_after_us("99999999999999999999", then), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_decision),
        cmocka_unit_test(more_attempts_than_are_allowed_are_none),
        cmocka_unit_test(pauses_double_up_to_the_longest_and_are_spread_from_zero),
        cmocka_unit_test(retry_after),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
