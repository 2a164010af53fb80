/* SPDX-License-Identifier: Apache-2.0 */
/* Envoy's outlier detection: who is ejected for what, for how long, and how few may be at once. */
#include "mesh_test.h"

#include "cluster/outlier_envoy.h"

enum { MOST = 20 };

/* Any hour will do. */
static const uint64_t begin = 3600 * US_PER_S;

static const struct policy_outlier_envoy defaults = {
    .interval_ms = 10000,
    .base_ejection_ms = 30000,
    .max_ejection_ms = 300000,
    .max_ejection_percent = 10,
    .consecutive_5xx = 5,
    .consecutive_local_origin_failure = 5,
    .success_rate_stdev_factor = 1900,
    .success_rate_minimum_hosts = 5,
    .success_rate_request_volume = 100,
    .failure_percentage_minimum_hosts = 5,
    .failure_percentage_request_volume = 50,
};

struct fixture {
    struct outlier_envoy detector;
    struct outlier_envoy_host hosts[MOST];
    struct policy_outlier_envoy conf;
    uint64_t now;
};

static struct fixture *start(struct fixture *f, uint32_t n)
{
    *f = (struct fixture){ .conf = defaults, .now = begin };
    outlier_envoy_init(&f->detector);
    f->detector.n_hosts = n;
    for (uint32_t i = 0; i < n; i++)
        outlier_envoy_join(&f->detector, &f->hosts[i]);
    outlier_envoy_tick(&f->detector, &f->conf, f->now); /* the first interval begins */
    return f;
}

/* `n` answers of host i. */
static void answer(struct fixture *f, unsigned i, unsigned n, int status)
{
    while (n-- > 0)
        outlier_envoy_answered(&f->detector, &f->hosts[i], &f->conf, status, f->now);
}

static void miss(struct fixture *f, unsigned i, unsigned n, bool timed_out)
{
    while (n-- > 0)
        outlier_envoy_failed(&f->detector, &f->hosts[i], &f->conf, timed_out, f->now);
}

/* Each second somebody looks. */
static void pass_s(struct fixture *f, unsigned s)
{
    for (; s > 0; s--) {
        f->now += US_PER_S;
        outlier_envoy_tick(&f->detector, &f->conf, f->now);
    }
}

static unsigned n_ejected(const struct fixture *f)
{
    unsigned n = 0;

    for (unsigned i = 0; i < MOST; i++)
        n += f->hosts[i].ejected;
    assert_int_equal(n, f->detector.n_ejected);
    return n;
}

static void five_5xx_in_a_row(void **state)
{
    struct fixture f;

    (void) state;
    start(&f, 10);
    answer(&f, 0, 4, 500);
    answer(&f, 0, 1, 499);
    answer(&f, 0, 4, 503);
    assert_int_equal(n_ejected(&f), 0);
    answer(&f, 0, 1, 500);
    assert_true(f.hosts[0].ejected && f.hosts[0].changed);
    assert_string_equal(outlier_envoy_reason_name(f.hosts[0].reason), "consecutive_5xx");
}

static void gateway_failures_in_a_row(void **state)
{
    struct fixture f;

    (void) state;
    start(&f, 10);
    f.conf.consecutive_gateway_failure = 3;
    answer(&f, 0, 2, 502);
    answer(&f, 0, 1, 500); /* a 5xx, but none of those */
    answer(&f, 0, 1, 504);
    assert_int_equal(n_ejected(&f), 0);
    answer(&f, 0, 1, 503); /* the second in a row, but the fifth 5xx */
    assert_int_equal(n_ejected(&f), 1);
    assert_string_equal(outlier_envoy_reason_name(f.hosts[0].reason), "consecutive_5xx");
    start(&f, 10);
    f.conf.consecutive_gateway_failure = 3;
    answer(&f, 0, 3, 502);
    assert_string_equal(outlier_envoy_reason_name(f.hosts[0].reason), "consecutive_gateway_failure");
}

static void zero_is_not_enforced(void **state)
{
    struct fixture f;

    (void) state;
    start(&f, 10);
    f.conf.consecutive_5xx = f.conf.consecutive_gateway_failure = 0;
    answer(&f, 0, 1000, 503);
    assert_int_equal(n_ejected(&f), 0);
}

/* Without the split they are 503 and 504. */
static void local_failures_are_gateway_failures(void **state)
{
    struct fixture f;

    (void) state;
    start(&f, 10);
    f.conf.consecutive_gateway_failure = 4;
    miss(&f, 0, 2, false);
    miss(&f, 0, 2, true);
    assert_true(f.hosts[0].ejected);
    assert_int_equal(f.hosts[0].reason, ENVOY_CONSECUTIVE_GATEWAY_FAILURE);
}

static void local_failures_apart(void **state)
{
    struct fixture f;

    (void) state;
    start(&f, 10);
    f.conf.split_local_origin = true;
    f.conf.consecutive_gateway_failure = 2;
    miss(&f, 0, 4, false);
    outlier_envoy_connected(&f.hosts[0], &f.conf); /* begins anew, whatever is answered then */
    answer(&f, 0, 1, 503);
    miss(&f, 0, 4, true);
    assert_int_equal(n_ejected(&f), 0);
    miss(&f, 0, 1, false);
    assert_int_equal(f.hosts[0].reason, ENVOY_CONSECUTIVE_LOCAL_ORIGIN_FAILURE);
    assert_true(f.hosts[0].ejected);
}

static void at_most_max_ejection_percent(void **state)
{
    static const struct {
        uint32_t hosts, percent, ejected;
    } cases[] = { { 9, 10, 0 }, { 10, 10, 1 }, { 19, 10, 1 }, { 20, 10, 2 },   { 3, 33, 0 },
                  { 3, 34, 1 }, { 3, 67, 2 },  { 4, 50, 2 },  { 10, 100, 10 }, { 10, 0, 0 } };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f;

        start(&f, cases[i].hosts);
        f.conf.max_ejection_percent = cases[i].percent;
        for (unsigned host = 0; host < cases[i].hosts; host++)
            answer(&f, host, 5, 503);
        assert_int_equal(n_ejected(&f), cases[i].ejected);
    }
}

/* Who could not be ejected counts from zero again. */
static void overflow_resets_the_counter(void **state)
{
    struct fixture f;

    (void) state;
    start(&f, 3);
    answer(&f, 0, 5, 503);
    f.conf.max_ejection_percent = 100;
    answer(&f, 0, 4, 503);
    assert_int_equal(n_ejected(&f), 0);
    answer(&f, 0, 1, 503);
    assert_int_equal(n_ejected(&f), 1);
}

/* The mean of 50, 100, 100, 100, 100 is 90, the deviation 20: below 90 - 1.9 * 20 = 52 is an outlier. */
static void the_success_rate_that_stands_out(void **state)
{
    static const struct {
        unsigned failed; /* of host 0's 100 */
        bool ejected;
    } cases[] = { { 50, true }, { 0, false }, { 1, true } };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f;

        start(&f, 5);
        f.conf.max_ejection_percent = 100;
        f.conf.consecutive_5xx = 0;
        answer(&f, 0, cases[i].failed, 500);
        answer(&f, 0, 100 - cases[i].failed, 200);
        for (unsigned host = 1; host < 5; host++)
            answer(&f, host, 100, 200);
        pass_s(&f, 9);
        assert_int_equal(n_ejected(&f), 0); /* the interval is not over */
        pass_s(&f, 1);
        assert_int_equal(f.hosts[0].ejected, cases[i].ejected);
        assert_int_equal(n_ejected(&f), cases[i].ejected);
    }
}

/* Rates 50, 60, 100, 100, 100: mean 82, variance 496, deviation 22.27; 82 - 1.9 * 22.27 = 39.7 ejects nobody, with the factor 1
 * the limit is 59.7. */
static void the_factor(void **state)
{
    static const unsigned failed[] = { 50, 40, 0, 0, 0 };

    (void) state;
    for (uint32_t factor = 1000; factor <= 1900; factor += 900) {
        struct fixture f;

        start(&f, 5);
        f.conf.max_ejection_percent = 100;
        f.conf.consecutive_5xx = 0;
        f.conf.success_rate_stdev_factor = factor;
        for (unsigned host = 0; host < 5; host++) {
            answer(&f, host, failed[host], 500);
            answer(&f, host, 100 - failed[host], 200);
        }
        pass_s(&f, 10);
        assert_int_equal(f.hosts[0].ejected, factor == 1000);
        assert_int_equal(n_ejected(&f), factor == 1000);
    }
}

static void rates_need_requests_and_hosts(void **state)
{
    static const struct {
        unsigned requests, minimum_hosts;
        bool ejected;
    } cases[] = { { 100, 5, true }, { 99, 5, false }, { 100, 6, false }, { 100, 0, true } };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f;

        start(&f, 5);
        f.conf.max_ejection_percent = 100;
        f.conf.consecutive_5xx = 0;
        f.conf.success_rate_minimum_hosts = cases[i].minimum_hosts;
        answer(&f, 0, cases[i].requests, 500);
        for (unsigned host = 1; host < 5; host++)
            answer(&f, host, cases[i].requests, 200);
        pass_s(&f, 10);
        assert_int_equal(f.hosts[0].ejected, cases[i].ejected);
    }
}

/* Requests of two intervals do not add up. */
static void each_interval_counts_for_itself(void **state)
{
    struct fixture f;

    (void) state;
    start(&f, 5);
    f.conf.max_ejection_percent = 100;
    f.conf.consecutive_5xx = 0;
    for (int half = 0; half < 2; half++) {
        answer(&f, 0, 60, 500);
        for (unsigned host = 1; host < 5; host++)
            answer(&f, host, 60, 200);
        pass_s(&f, 10);
    }
    assert_int_equal(n_ejected(&f), 0);
}

static void the_failure_percentage(void **state)
{
    static const struct {
        unsigned failed, requests;
        bool ejected;
    } cases[] = { { 42, 50, false }, { 43, 50, true }, { 43, 49, false }, { 85, 100, true } };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f;

        start(&f, 5);
        f.conf.max_ejection_percent = 100;
        f.conf.consecutive_5xx = f.conf.success_rate_stdev_factor = 0;
        f.conf.failure_percentage_threshold = 85;
        answer(&f, 0, cases[i].failed, 500);
        answer(&f, 0, cases[i].requests - cases[i].failed, 200);
        for (unsigned host = 1; host < 5; host++)
            answer(&f, host, 50, 200);
        pass_s(&f, 10);
        assert_int_equal(f.hosts[0].ejected, cases[i].ejected);
        if (cases[i].ejected)
            assert_int_equal(f.hosts[0].reason, ENVOY_FAILURE_PERCENTAGE);
    }
}

static void rates_of_local_failures(void **state)
{
    struct fixture f;

    (void) state;
    start(&f, 5);
    f.conf.max_ejection_percent = 100;
    f.conf.split_local_origin = true;
    f.conf.consecutive_local_origin_failure = 0;
    miss(&f, 0, 100, false);
    for (unsigned host = 1; host < 5; host++)
        for (int i = 0; i < 100; i++)
            outlier_envoy_connected(&f.hosts[host], &f.conf);
    pass_s(&f, 10);
    assert_true(f.hosts[0].ejected);
    assert_int_equal(f.hosts[0].reason, ENVOY_SUCCESS_RATE_LOCAL_ORIGIN);
}

/* ---- for how long ---- */

/* From now until it is back, seconds. */
static unsigned seconds_ejected(struct fixture *f, unsigned i)
{
    unsigned s = 0;

    for (; f->hosts[i].ejected; s++)
        pass_s(f, 1);
    return s;
}

/* 30 s, then 60, 90, ... 300 at most; seen at the ends of intervals of 10 s. */
static void each_ejection_is_longer(void **state)
{
    static const unsigned lasts[] = { 30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300 };
    struct fixture f;

    (void) state;
    start(&f, 10);
    for (size_t i = 0; i < COUNT_OF(lasts); i++) {
        answer(&f, 0, 5, 503);
        assert_int_equal(seconds_ejected(&f, 0), lasts[i]);
    }
}

static void only_intervals_take_it_back(void **state)
{
    struct fixture f;

    (void) state;
    start(&f, 10);
    pass_s(&f, 7);
    answer(&f, 0, 5, 503); /* 30 s are over 3 s before, and then 7 s after the end of an interval */
    assert_int_equal(seconds_ejected(&f, 0), 33);
}

/* Back since one whole interval, the next ejection is shorter by the base time for each of them. */
static void good_times_are_remembered(void **state)
{
    struct fixture f;

    (void) state;
    start(&f, 10);
    for (unsigned i = 0; i < 3; i++) {
        answer(&f, 0, 5, 503);
        assert_int_equal(seconds_ejected(&f, 0), 30 * (i + 1));
    }
    assert_int_equal(f.hosts[0].times, 3);
    pass_s(&f, 9);
    assert_int_equal(f.hosts[0].times, 3);
    pass_s(&f, 1);
    assert_int_equal(f.hosts[0].times, 2);
    answer(&f, 0, 5, 503);
    assert_int_equal(seconds_ejected(&f, 0), 90);
    pass_s(&f, 50);
    assert_int_equal(f.hosts[0].times, 0);
    answer(&f, 0, 5, 503);
    assert_int_equal(seconds_ejected(&f, 0), 30);
}

/* What still comes from an ejected host does not bring it out again when it is back. */
static void counters_begin_anew(void **state)
{
    struct fixture f;

    (void) state;
    start(&f, 10);
    answer(&f, 0, 12, 503);
    seconds_ejected(&f, 0);
    answer(&f, 0, 4, 503);
    assert_int_equal(n_ejected(&f), 0);
    answer(&f, 0, 1, 503);
    assert_int_equal(n_ejected(&f), 1);
}

static void a_check_brings_it_back(void **state)
{
    struct fixture f;

    (void) state;
    start(&f, 10);
    answer(&f, 0, 5, 503);
    f.hosts[0].changed = false;
    outlier_envoy_passed(&f.detector, &f.hosts[0], f.now);
    assert_true(f.hosts[0].changed);
    assert_int_equal(n_ejected(&f), 0);
    outlier_envoy_passed(&f.detector, &f.hosts[0], f.now);
    assert_int_equal(n_ejected(&f), 0);
}

static void who_leaves_makes_room(void **state)
{
    struct fixture f;

    (void) state;
    start(&f, 10);
    answer(&f, 0, 5, 503);
    outlier_envoy_leave(&f.detector, &f.hosts[0]);
    f.hosts[0].ejected = false;
    answer(&f, 1, 5, 503);
    assert_int_equal(n_ejected(&f), 1);
}

/* Nobody looks for a long while: the same as if somebody had looked each second. */
static void late_is_the_same_as_in_time(void **state)
{
    struct rand dice;

    (void) state;
    rand_seed_with(&dice, 3);
    for (int run = 0; run < 300; run++) {
        struct fixture often, seldom;

        start(&often, 10);
        start(&seldom, 10);
        for (int step = 0; step < 20; step++) {
            unsigned failures = rand_below(&dice, 7), s = rand_below(&dice, 3) ? 1 + rand_below(&dice, 25) : 600;

            answer(&often, 0, failures, 503);
            answer(&seldom, 0, failures, 503);
            pass_s(&often, s);
            seldom.now += s * US_PER_S;
            outlier_envoy_tick(&seldom.detector, &seldom.conf, seldom.now);
            assert_int_equal(often.hosts[0].ejected, seldom.hosts[0].ejected);
            assert_int_equal(often.hosts[0].times, seldom.hosts[0].times);
            assert_int_equal(often.hosts[0].back_us, seldom.hosts[0].back_us);
            assert_int_equal(often.detector.tick_us, seldom.detector.tick_us);
            assert_int_equal(n_ejected(&often), n_ejected(&seldom));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_5xx_in_a_row),
        cmocka_unit_test(gateway_failures_in_a_row),
        cmocka_unit_test(zero_is_not_enforced),
        cmocka_unit_test(local_failures_are_gateway_failures),
        cmocka_unit_test(local_failures_apart),
        cmocka_unit_test(at_most_max_ejection_percent),
        cmocka_unit_test(overflow_resets_the_counter),
        cmocka_unit_test(the_success_rate_that_stands_out),
        cmocka_unit_test(the_factor),
        cmocka_unit_test(rates_need_requests_and_hosts),
        cmocka_unit_test(each_interval_counts_for_itself),
        cmocka_unit_test(the_failure_percentage),
        cmocka_unit_test(rates_of_local_failures),
        cmocka_unit_test(each_ejection_is_longer),
        cmocka_unit_test(only_intervals_take_it_back),
        cmocka_unit_test(good_times_are_remembered),
        cmocka_unit_test(counters_begin_anew),
        cmocka_unit_test(a_check_brings_it_back),
        cmocka_unit_test(who_leaves_makes_room),
        cmocka_unit_test(late_is_the_same_as_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
