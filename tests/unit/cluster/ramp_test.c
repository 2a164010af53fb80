/* SPDX-License-Identifier: Apache-2.0 */
/* How many requests are let through while endpoints come back after an outage. */
#include "mesh_test.h"

#include "cluster/ramp.h"

static unsigned admitted_of_1000(const struct ramp *ramp, uint32_t n)
{
    unsigned admitted = 0;
    struct rand dice;

    rand_seed_with(&dice, 7);
    for (int i = 0; i < 1000; i++)
        admitted += ramp_admits(ramp, n, &dice);
    return admitted;
}

static void without_an_outage_all_are_admitted(void **state)
{
    struct ramp ramp = { 0 };

    (void) state;
    assert_false(ramp_see(&ramp, 1, US_PER_S)); /* nine of ten are down, but not all were */
    assert_int_equal(admitted_of_1000(&ramp, 10), 1000);
}

static void the_share_follows_who_is_back(void **state)
{
    struct ramp ramp = { 0 };

    (void) state;
    ramp_see(&ramp, 10, US_PER_S);
    assert_true(ramp_see(&ramp, 0, 2 * US_PER_S));
    assert_int_equal(admitted_of_1000(&ramp, 10), 1000); /* somebody has to find out */
    ramp_see(&ramp, 1, 3 * US_PER_S);
    assert_in_range(admitted_of_1000(&ramp, 10), 150, 250);
    ramp_see(&ramp, 3, 4 * US_PER_S);
    assert_in_range(admitted_of_1000(&ramp, 10), 550, 650);
    ramp_see(&ramp, 5, 5 * US_PER_S);
    assert_int_equal(admitted_of_1000(&ramp, 10), 1000);
}

static void it_ends_when_nobody_comes_any_more(void **state)
{
    struct ramp ramp = { 0 };

    (void) state;
    ramp_see(&ramp, 0, US_PER_S);
    ramp_see(&ramp, 1, 2 * US_PER_S);
    assert_false(ramp_see(&ramp, 1, 5 * US_PER_S - 1));
    assert_true(ramp.runs);
    assert_true(ramp_see(&ramp, 1, 5 * US_PER_S));
    assert_int_equal(admitted_of_1000(&ramp, 10), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_an_outage_all_are_admitted),
        cmocka_unit_test(the_share_follows_who_is_back),
        cmocka_unit_test(it_ends_when_nobody_comes_any_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
