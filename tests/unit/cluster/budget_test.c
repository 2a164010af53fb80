/* SPDX-License-Identifier: Apache-2.0 */
/* The retry budget in virtual time: what it allows, when it forgets, and when retries of what was refused are free. */
#include "cluster/budget.h"

#include "base/clock.h"
#include "mesh_test.h"

static const struct budget_limits limits = { .percent = 10, .per_second = 1, .minimum = 10 };

static unsigned spend_all(struct budget *budget, const struct budget_limits *by, uint64_t now)
{
    unsigned n = 0;

    while (n < 1000000 && budget_spend(budget, by, now))
        n++;
    return n;
}

static void a_few_are_in_hand_from_the_beginning(void **state)
{
    struct budget budget = { 0 };
    uint64_t allowed;

    (void) state;
    assert_int_equal(budget_look(&budget, &limits, 100 * US_PER_S, &allowed), 0);
    assert_int_equal(allowed, 10);
    assert_int_equal(spend_all(&budget, &limits, 100 * US_PER_S), 10);
    assert_int_equal(budget_look(&budget, &limits, 100 * US_PER_S, &allowed), 10);
    assert_false(budget_spend(&budget, &limits, 100 * US_PER_S));
    assert_int_equal(budget_look(&budget, &limits, 200 * US_PER_S, &allowed), 0);
}

static void requests_earn(void **state)
{
    struct budget budget = { 0 };
    uint64_t now = 1000 * US_PER_S;

    (void) state;
    for (int i = 0; i < 1000; i++)
        budget_deposit(&budget, now + (uint64_t) i * 9 * US_PER_MS);
    assert_int_equal(spend_all(&budget, &limits, now + 9 * US_PER_S), 1000 / 10 + 10);
}

static void what_was_earned_and_spent_is_forgotten_after_ten_seconds(void **state)
{
    struct budget budget = { 0 };
    uint64_t now = 1000 * US_PER_S;

    (void) state;
    for (int i = 0; i < 1000; i++)
        budget_deposit(&budget, now);
    assert_int_equal(spend_all(&budget, &limits, now), 110);
    assert_int_equal(spend_all(&budget, &limits, now + 9 * US_PER_S), 0);
    assert_int_equal(spend_all(&budget, &limits, now + 10 * US_PER_S), 10);
    assert_int_equal(spend_all(&budget, &limits, now + 1000000 * US_PER_S), 10);
}

/* 100 requests a second, everything fails, every budget is used up: sustained amplification is 1.1 and a bit. */
static void a_storm_is_bounded(void **state)
{
    struct budget budget = { 0 };
    unsigned requests = 0, retries = 0;

    (void) state;
    for (uint64_t now = 5000 * US_PER_S; now < 5060 * US_PER_S; now += 10 * US_PER_MS) {
        budget_deposit(&budget, now);
        requests++;
        retries += spend_all(&budget, &limits, now);
    }
    assert_int_equal(requests, 6000);
    assert_in_range(retries, 600, 600 + 60 + 20);
}

static void limits_count_for_themselves(void **state)
{
    static const struct budget_limits nothing = { 0 }, minimum = { .minimum = 3 }, percent = { .percent = 50 },
                                      rate = { .per_second = 2 };
    const struct budget_limits *const all[] = { &nothing, &minimum, &percent, &rate };
    static const unsigned allowed[] = { 0, 3, 10, 20 };

    (void) state;
    for (size_t i = 0; i < 4; i++) {
        struct budget budget = { 0 };

        for (int k = 0; k < 20; k++)
            budget_deposit(&budget, 77 * US_PER_S);
        assert_int_equal(spend_all(&budget, all[i], 77 * US_PER_S), allowed[i]);
    }
}

/* ---- whether things go well ---- */

static void without_attempts_all_is_well(void **state)
{
    struct budget budget = { 0 };

    (void) state;
    assert_true(budget_mostly_succeeds(&budget, 0));
    assert_true(budget_mostly_succeeds(&budget, 100 * US_PER_S));
}

static void half_is_enough(void **state)
{
    struct budget budget = { 0 };
    uint64_t now = 100 * US_PER_S;

    (void) state;
    budget_attempt_ended(&budget, false, now);
    assert_false(budget_mostly_succeeds(&budget, now));
    budget_attempt_ended(&budget, true, now);
    assert_true(budget_mostly_succeeds(&budget, now));
    budget_attempt_ended(&budget, false, now);
    assert_false(budget_mostly_succeeds(&budget, now));
}

static void only_the_last_second_counts(void **state)
{
    struct budget budget = { 0 };
    uint64_t now = 100 * US_PER_S;

    (void) state;
    for (int i = 0; i < 10; i++)
        budget_attempt_ended(&budget, false, now + (uint64_t) i * 50 * US_PER_MS);
    assert_false(budget_mostly_succeeds(&budget, now + 900 * US_PER_MS));
    assert_true(budget_mostly_succeeds(&budget, now + 1500 * US_PER_MS));
}

/* A clock that another loop has already moved on. */
static void a_time_that_is_a_little_late_harms_nothing(void **state)
{
    struct budget budget = { 0 };
    uint64_t now = 100 * US_PER_S;

    (void) state;
    budget_deposit(&budget, now);
    budget_deposit(&budget, now - US_PER_S);
    budget_attempt_ended(&budget, true, now);
    budget_attempt_ended(&budget, false, now - US_PER_S / 5);
    assert_true(budget_mostly_succeeds(&budget, now));
    assert_int_equal(spend_all(&budget, &limits, now - 2 * US_PER_S), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_few_are_in_hand_from_the_beginning),
        cmocka_unit_test(requests_earn),
        cmocka_unit_test(what_was_earned_and_spent_is_forgotten_after_ten_seconds),
        cmocka_unit_test(a_storm_is_bounded),
        cmocka_unit_test(limits_count_for_themselves),
        cmocka_unit_test(without_attempts_all_is_well),
        cmocka_unit_test(half_is_enough),
        cmocka_unit_test(only_the_last_second_counts),
        cmocka_unit_test(a_time_that_is_a_little_late_harms_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
