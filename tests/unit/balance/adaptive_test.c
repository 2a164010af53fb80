/* SPDX-License-Identifier: Apache-2.0 */
/* The default policy, one rule a test. What the rules give together is in tests/sim. */
#include "unit/balance/crowd.h"

enum { FAST_US = 1000, SLOW_US = 10000 };

static void advance_ms(struct crowd *crowd, uint64_t ms)
{
    crowd->hint.now_us += ms * US_PER_MS;
}

/* Everybody answered, the first `slow` ones slowly; a judgement is due. */
static void begin_measured(struct crowd *crowd, size_t n, size_t slow, const uint32_t *weights)
{
    crowd_begin(crowd, "adaptive", n, weights);
    for (size_t i = 0; i < n; i++) {
        balance_began(&crowd->endpoints[i], crowd->hint.now_us);
        balance_ended(&crowd->endpoints[i]);
        balance_introduce(&crowd->endpoints[i], i < slow ? SLOW_US : FAST_US, crowd->hint.now_us);
    }
    advance_ms(crowd, 100);
}

/* First requests one after the other, and no second while the first is under way. */
static void test_unknown_ones_come_first(void **state)
{
    struct crowd crowd;

    (void) state;
    begin_measured(&crowd, 2, 0, NULL);
    crowd.endpoints[1] = (struct balance_endpoint){ .weight = 1 };
    assert_int_equal(crowd_pick(&crowd), 1);
    balance_began(&crowd.endpoints[1], crowd.hint.now_us);
    crowd_count(&crowd, 100);
    assert_int_equal(crowd.counts[1], 0);
    balance_ended(&crowd.endpoints[1]);
    crowd_answer(&crowd, 1, 100 * FAST_US); /* it had a connection to open */
    assert_int_equal(crowd_pick(&crowd), 1);
    balance_introduce(&crowd.endpoints[1], FAST_US, crowd.hint.now_us);
    crowd.endpoints[0].active = 1;
    assert_int_equal(crowd_pick(&crowd), 1);
    crowd_end(&crowd);
}

/* Endpoints that nobody measures (streams) share by what is in flight. */
static void test_all_unknown(void **state)
{
    struct crowd crowd;

    (void) state;
    crowd_begin(&crowd, "adaptive", 4, NULL);
    for (int i = 0; i < 400; i++)
        balance_began(&crowd.endpoints[crowd_pick(&crowd)], crowd.hint.now_us);
    for (size_t i = 0; i < 4; i++)
        assert_about(crowd.endpoints[i].active, 100, 3);
    crowd_end(&crowd);
}

/* Before anybody has answered, whoever fails at once does not get what the others are still busy with. */
static void test_fails_before_anybody_answers(void **state)
{
    struct crowd crowd;
    unsigned failed = 0;

    (void) state;
    crowd_begin(&crowd, "adaptive", 3, NULL);
    for (int i = 0; i < 100; i++) {
        size_t at = crowd_pick(&crowd);

        balance_began(&crowd.endpoints[at], crowd.hint.now_us);
        if (at != 1)
            continue;
        balance_ended(&crowd.endpoints[1]);
        balance_failed(&crowd.endpoints[1], crowd.hint.now_us);
        failed++;
    }
    assert_in_range(failed, 1, 5);
    crowd_end(&crowd);
}

static void test_one_alone(void **state)
{
    struct crowd crowd;

    (void) state;
    crowd_begin(&crowd, "adaptive", 1, NULL);
    assert_int_equal(crowd_pick(&crowd), 0);
    balance_failed(&crowd.endpoints[0], crowd.hint.now_us);
    assert_int_equal(crowd_pick(&crowd), 0);
    crowd_end(&crowd);
}

static void test_least_wait(void **state)
{
    struct crowd crowd;

    (void) state;
    begin_measured(&crowd, 2, 1, NULL);
    crowd_count(&crowd, 100);
    assert_int_equal(crowd.counts[0], 0);
    crowd.endpoints[1].active = 20; /* 21 times 1 ms is more than once 10 ms */
    crowd_count(&crowd, 100);
    assert_int_equal(crowd.counts[1], 0);
    crowd_end(&crowd);
}

/* Half of them are slow: with two choices a quarter of the picks would be; enough are looked at that none is. */
static void test_more_choices(void **state)
{
    struct crowd crowd;

    (void) state;
    begin_measured(&crowd, 4, 2, NULL);
    crowd_count(&crowd, 300);
    assert_int_equal(crowd.counts[0] + crowd.counts[1], 0);
    crowd_end(&crowd);
    begin_measured(&crowd, 100, 50, NULL); /* more than are looked at to judge */
    crowd_count(&crowd, 3000);
    for (size_t i = 1; i < 50; i++)
        crowd.counts[0] += crowd.counts[i];
    assert_in_range(crowd.counts[0], 0, 30);
    crowd_end(&crowd);
}

/* Nobody is slow, so two choices are enough, and load spreads. */
static void test_few_choices(void **state)
{
    struct crowd crowd;

    (void) state;
    begin_measured(&crowd, 10, 0, NULL);
    crowd_answer(&crowd, 3, FAST_US * 3 / 2);
    crowd_count(&crowd, 10000); /* the worst of ten wins no pair, the others all alike */
    for (size_t i = 0; i < 10; i++)
        assert_about(crowd.counts[i], i == 3 ? 0 : 10000 / 9.0, 300);
    crowd_end(&crowd);
}

static void test_failures_repel(void **state)
{
    struct crowd crowd;

    (void) state;
    begin_measured(&crowd, 3, 0, NULL);
    balance_failed(&crowd.endpoints[1], crowd.hint.now_us);
    crowd_count(&crowd, 100);
    assert_int_equal(crowd.counts[1], 0);
    for (int i = 0; i < 6; i++)
        crowd_answer(&crowd, 1, FAST_US);
    crowd.endpoints[0].active = crowd.endpoints[2].active = 1;
    crowd_count(&crowd, 300);
    assert_true(crowd.counts[1] > 150); /* forgiven: it is in two pairs of three, and wins them */
    crowd_end(&crowd);
}

/* Who lost for more than a second is tried out, by three requests in a thousand. */
static void test_trials(void **state)
{
    struct crowd crowd;
    unsigned trials = 0;

    (void) state;
    begin_measured(&crowd, 2, 1, NULL);
    for (int i = 0; i < 20000; i++) {
        size_t at = crowd_pick(&crowd);

        trials += at == 0;
        balance_began(&crowd.endpoints[at], crowd.hint.now_us);
        balance_ended(&crowd.endpoints[at]);
        crowd_answer(&crowd, at, at == 0 ? SLOW_US : FAST_US);
        advance_ms(&crowd, 10);
    }
    assert_about(trials, 60, 5);
    crowd_end(&crowd);
}

static void test_no_trial_by_others(void **state)
{
    struct crowd crowd;

    (void) state;
    begin_measured(&crowd, 2, 1, NULL);
    advance_ms(&crowd, 1500);
    crowd.hint.idempotent = false;
    crowd_count(&crowd, 2000);
    assert_int_equal(crowd.counts[0], 0);
    crowd.hint.idempotent = true;
    crowd.endpoints[0].active = 1; /* somebody tries it out already */
    crowd_count(&crowd, 2000);
    assert_int_equal(crowd.counts[0], 0);
    crowd_end(&crowd);
}

/* ... and still find out, in the end, that an endpoint is well again. */
static void test_nobody_is_shunned_for_ever(void **state)
{
    struct crowd crowd;
    unsigned seconds = 0;

    (void) state;
    begin_measured(&crowd, 2, 1, NULL);
    crowd.hint.idempotent = false;
    while (seconds < 1000 && crowd_pick(&crowd) != 0) {
        crowd_answer(&crowd, 1, FAST_US);
        advance_ms(&crowd, 1000);
        seconds++;
    }
    assert_in_range(seconds, 30, 150);
    crowd_end(&crowd);
}

/* Weights say how often an endpoint is a candidate: equal ones get their shares at any load. */
static void test_weights(void **state)
{
    static const uint32_t weights[] = { 1, 9, 10 };
    struct crowd crowd;

    (void) state;
    begin_measured(&crowd, 3, 0, weights);
    crowd_count(&crowd, 20000);
    assert_about(crowd.counts[0], 1000, 150);
    assert_about(crowd.counts[1], 9000, 400);
    crowd_end(&crowd);
}

/* ... and cannot make up for being slow. */
static void test_heavy_and_slow(void **state)
{
    static const uint32_t weights[] = { 3, 1, 1, 1 };
    struct crowd crowd;

    (void) state;
    begin_measured(&crowd, 4, 1, weights);
    crowd_count(&crowd, 3000);
    assert_in_range(crowd.counts[0], 0, 60);
    crowd_end(&crowd);
}

static void test_slow_start(void **state)
{
    struct crowd crowd;

    (void) state;
    begin_measured(&crowd, 2, 0, NULL);
    crowd.endpoints[0].withheld = BALANCE_WHOLE * 9 / 10;
    crowd_view(&crowd);
    crowd_count(&crowd, 11000);
    assert_about(crowd.counts[0], 1000, 200);
    crowd_end(&crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(test_unknown_ones_come_first),
        LEAK_TEST(test_all_unknown),
        LEAK_TEST(test_fails_before_anybody_answers),
        LEAK_TEST(test_one_alone),
        LEAK_TEST(test_least_wait),
        LEAK_TEST(test_more_choices),
        LEAK_TEST(test_few_choices),
        LEAK_TEST(test_failures_repel),
        LEAK_TEST(test_trials),
        LEAK_TEST(test_no_trial_by_others),
        LEAK_TEST(test_nobody_is_shunned_for_ever),
        LEAK_TEST(test_weights),
        LEAK_TEST(test_heavy_and_slow),
        LEAK_TEST(test_slow_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
