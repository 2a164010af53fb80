/* SPDX-License-Identifier: Apache-2.0 */
/* The retry decision as a table, and the pauses. */
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
    { &others, GET, 0, MESH_ERR_TIMEOUT, HTTP_MAYBE, RETRY_PAID }, /* 5xx means those too, as in Envoy */
    { &others, POST, 0, MESH_ERR_TIMEOUT, HTTP_MAYBE, RETRY_NO },
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

static void who_asks_with_what_condition(void **state)
{
    static const struct {
        uint32_t on;
        int32_t err;
        enum http_reach reach;
        bool asked;
    } failures[] = {
        { RETRY_RESET_BEFORE_REQUEST, MESH_ERR_CONNECT, HTTP_NOT_SENT, true },
        { RETRY_RESET_BEFORE_REQUEST, MESH_ERR_RESET, HTTP_NOT_SENT, true },
        { RETRY_RESET_BEFORE_REQUEST, MESH_ERR_RESET, HTTP_MAYBE, false },
        { RETRY_RESET_BEFORE_REQUEST, MESH_ERR_RESET, HTTP_REFUSED, false },
        { RETRY_RESET, MESH_ERR_CONNECT, HTTP_NOT_SENT, false },
        { RETRY_RESET, MESH_ERR_RESET, HTTP_MAYBE, true },
        { RETRY_RESET, MESH_ERR_TIMEOUT, HTTP_MAYBE, false },
        { RETRY_TIMEOUT, MESH_ERR_TIMEOUT, HTTP_MAYBE, true },
        { RETRY_5XX, MESH_ERR_CONNECT, HTTP_NOT_SENT, true },
        { RETRY_5XX, MESH_ERR_RESET, HTTP_REFUSED, true },
        { RETRY_5XX, MESH_ERR_RESET, HTTP_MAYBE, true },
        { RETRY_5XX, MESH_ERR_TIMEOUT, HTTP_MAYBE, true },
        { RETRY_GATEWAY_ERROR, MESH_ERR_CONNECT, HTTP_NOT_SENT, true },
        { RETRY_GATEWAY_ERROR, MESH_ERR_RESET, HTTP_MAYBE, true },
        { RETRY_GATEWAY_ERROR, MESH_ERR_TIMEOUT, HTTP_MAYBE, true },
        { RETRY_STATUS_CODES, MESH_ERR_RESET, HTTP_MAYBE, false },
        { RETRY_RATELIMITED, MESH_ERR_RESET, HTTP_MAYBE, false },
        { RETRY_GRPC_UNAVAILABLE, MESH_ERR_RESET, HTTP_MAYBE, false },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(failures); i++) {
        struct policy_retry policy = { .on = failures[i].on, .refused = true };
        struct retry_case c = { .policy = &policy, .made = 1, .most = 3, .idempotent = true, .replayable = true };

        c.err = failures[i].err;
        c.reach = failures[i].reach;
        c.per_try_timeout = c.err == MESH_ERR_TIMEOUT;
        if ((retry_may(&c) != RETRY_NO) != failures[i].asked)
            fail_msg("case %zu", i);
    }
}

/* ---- answers ---- */

static enum retry_answer after(const struct policy_retry *policy, int status, struct told told)
{
    struct retry_case c = {
        .policy = policy,
        .made = 1,
        .most = 3,
        .idempotent = true,
        .replayable = true,
        .status = status,
        .told = told,
    };

    return retry_may(&c);
}

static struct told grpc(int status)
{
    return (struct told){ .grpc_status = status };
}

static void statuses_can_be_listed(void **state)
{
    const struct policy_retry policy = { .on = RETRY_STATUS_CODES, .statuses = { { 418, 503 }, 2 } };
    const struct policy_retry unused = { .on = RETRY_RESET, .statuses = { { 418, 503 }, 2 } };

    (void) state;
    assert_int_equal(after(&policy, 418, grpc(GRPC_STATUS_NONE)), RETRY_PAID);
    assert_int_equal(after(&policy, 503, grpc(GRPC_STATUS_NONE)), RETRY_PAID);
    assert_int_equal(after(&policy, 502, grpc(GRPC_STATUS_NONE)), RETRY_NO);
    assert_int_equal(after(&unused, 503, grpc(GRPC_STATUS_NONE)), RETRY_NO);
    assert_int_equal(after(&others, 600, grpc(GRPC_STATUS_NONE)), RETRY_NO);
}

static void grpc_conditions_go_by_their_number(void **state)
{
    static const struct {
        uint32_t on;
        int status;
    } conditions[] = {
        { RETRY_GRPC_CANCELLED, 1 }, { RETRY_GRPC_DEADLINE_EXCEEDED, 4 }, { RETRY_GRPC_RESOURCE_EXHAUSTED, 8 },
        { RETRY_GRPC_INTERNAL, 13 }, { RETRY_GRPC_UNAVAILABLE, 14 },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(conditions); i++) {
        struct policy_retry policy = { .on = conditions[i].on };

        for (int status = GRPC_STATUS_NONE; status < 20; status++)
            assert_int_equal(after(&policy, 200, grpc(status)), status == conditions[i].status ? RETRY_PAID : RETRY_NO);
        assert_true(retry_looks_at(&policy, 200));
        assert_true(retry_looks_at_trailers(&policy));
    }
    assert_false(retry_looks_at(&standard, 200));
    assert_false(retry_looks_at_trailers(&standard));
}

static void a_rate_limited_answer_is_asked_about_that_alone(void **state)
{
    const struct policy_retry policy = { .on = RETRY_RATELIMITED };
    const struct policy_retry all = { .on = RETRY_5XX | RETRY_GATEWAY_ERROR | RETRY_GRPC_UNAVAILABLE };
    struct told limited = { .rate_limited = true, .grpc_status = 14 };

    (void) state;
    assert_int_equal(after(&policy, 429, limited), RETRY_PAID);
    assert_int_equal(after(&policy, 200, limited), RETRY_PAID);
    assert_int_equal(after(&policy, 429, grpc(GRPC_STATUS_NONE)), RETRY_NO);
    assert_int_equal(after(&all, 503, limited), RETRY_NO);
}

static void the_peer_may_forbid_it(void **state)
{
    struct told told = { .forbids = true, .grpc_status = GRPC_STATUS_NONE };

    (void) state;
    assert_int_equal(after(&standard, 503, told), RETRY_NO);
    told.forbids = false;
    assert_int_equal(after(&standard, 503, told), RETRY_PAID);
}

static void a_route_may_name_headers(void **state)
{
    const struct policy_retry policy = { .attempts = 2, .on = RETRY_CONNECT_FAILURE };
    struct retry_case c = {
        .policy = &policy, .made = 1, .most = 2, .idempotent = true, .replayable = true, .status = 404
    };

    (void) state;
    c.told.grpc_status = GRPC_STATUS_NONE;
    assert_int_equal(retry_judge(&c), VERDICT_NOT_LISTED);
    c.has_header = true;
    assert_int_equal(retry_judge(&c), VERDICT_PAID);
    c.told.rate_limited = true; /* asked about that alone */
    assert_int_equal(retry_judge(&c), VERDICT_NOT_LISTED);
    c.told.rate_limited = false;
    c.barred = true;
    assert_int_equal(retry_judge(&c), VERDICT_BARRED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_decision),
        cmocka_unit_test(more_attempts_than_are_allowed_are_none),
        cmocka_unit_test(pauses_double_up_to_the_longest_and_are_spread_from_zero),
        cmocka_unit_test(who_asks_with_what_condition),
        cmocka_unit_test(statuses_can_be_listed),
        cmocka_unit_test(grpc_conditions_go_by_their_number),
        cmocka_unit_test(a_rate_limited_answer_is_asked_about_that_alone),
        cmocka_unit_test(the_peer_may_forbid_it),
        cmocka_unit_test(a_route_may_name_headers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
