/* SPDX-License-Identifier: Apache-2.0 */
/* When names are looked up again. */
#include "mesh_test.h"

#include "base/base.h"
#include "source/dns_schedule.h"

enum { ROUNDS = 2000 };

static void assert_within(uint64_t value, uint64_t least, uint64_t most)
{
    if (value < least || value > most)
        fail_msg("%llu is not between %llu and %llu", (unsigned long long) value, (unsigned long long) least,
                 (unsigned long long) most);
}

static void before_the_answer_ends_and_not_in_step(void **state)
{
    struct rand dice;
    uint64_t least = UINT64_MAX, most = 0;

    (void) state;
    rand_seed_with(&dice, 1);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t delay = dns_refresh_delay_us(60, 1000, 300000, rand_u64(&dice));

        assert_within(delay, 48 * US_PER_S, 60 * US_PER_S);
        least = delay < least ? delay : least;
        most = delay > most ? delay : most;
    }
    assert_true(most - least > 10 * US_PER_S);
}

static void within_the_limits(void **state)
{
    struct rand dice;

    (void) state;
    rand_seed_with(&dice, 2);
    for (int i = 0; i < ROUNDS; i++) {
        assert_within(dns_refresh_delay_us(0, 1000, 300000, rand_u64(&dice)), 1000 * US_PER_MS, 1200 * US_PER_MS);
        assert_within(dns_refresh_delay_us(1, 1000, 300000, rand_u64(&dice)), 1000 * US_PER_MS, 1200 * US_PER_MS);
        assert_within(dns_refresh_delay_us(86400, 1000, 300000, rand_u64(&dice)), 240 * US_PER_S, 300 * US_PER_S);
        assert_within(dns_refresh_delay_us(UINT32_MAX, 1000, 300000, rand_u64(&dice)), 240 * US_PER_S, 300 * US_PER_S);
        assert_within(dns_refresh_delay_us(0, 0, 0, rand_u64(&dice)), 0, 0);
    }
}

static void retries_double_and_stop_doubling(void **state)
{
    static const uint64_t seconds[] = { 1, 1, 2, 4, 8, 16, 30, 30, 30 };
    struct rand dice;

    (void) state;
    rand_seed_with(&dice, 3);
    for (int i = 0; i < ROUNDS; i++) {
        for (unsigned nth = 1; nth < COUNT_OF(seconds); nth++)
            assert_within(dns_retry_delay_us(nth, rand_u64(&dice)), seconds[nth] * US_PER_S * 9 / 10,
                          seconds[nth] * US_PER_S * 11 / 10);
        assert_within(dns_retry_delay_us(UINT32_MAX, rand_u64(&dice)), 27 * US_PER_S, 33 * US_PER_S);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_the_answer_ends_and_not_in_step),
        cmocka_unit_test(within_the_limits),
        cmocka_unit_test(retries_double_and_stop_doubling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
