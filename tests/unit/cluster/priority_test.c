/* SPDX-License-Identifier: Apache-2.0 */
/* Shares of priorities: the examples of Envoy's documentation, and its panic. */
#include "mesh_test.h"

#include "cluster/priority.h"

enum { MOST = 4 };

struct example {
    uint32_t usable[MOST]; /* of 100 each */
    uint32_t load[MOST];
    size_t n;
};

static struct priority counted(uint64_t n, uint64_t usable, uint64_t degraded)
{
    return (struct priority){
        .n = n, .n_usable = usable, .n_degraded = degraded, .heads = n, .heads_usable = usable + degraded
    };
}

static void shares_are_those_of_envoy(void **state)
{
    /* "Priority levels": https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/priority */
    static const struct example examples[] = {
        { { 100, 100 }, { 100, 0 }, 2 },     { { 72, 100 }, { 100, 0 }, 2 },         { { 71, 100 }, { 99, 1 }, 2 },
        { { 50, 100 }, { 70, 30 }, 2 },      { { 25, 100 }, { 35, 65 }, 2 },         { { 0, 100 }, { 0, 100 }, 2 },
        { { 25, 25 }, { 50, 50 }, 2 },       { { 25, 25, 20 }, { 36, 35, 29 }, 3 },  { { 0, 0, 5 }, { 0, 0, 100 }, 3 },
        { { 100, 0, 0 }, { 100, 0, 0 }, 3 }, { { 50, 10, 100 }, { 70, 14, 16 }, 3 },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(examples); i++) {
        const struct example *example = &examples[i];
        struct priority priorities[MOST];
        uint32_t sum = 0;

        for (size_t p = 0; p < example->n; p++)
            priorities[p] = counted(100, example->usable[p], 0);
        priority_share(priorities, example->n, 140, 0);
        for (size_t p = 0; p < example->n; p++) {
            assert_in_range(priorities[p].load + 1, example->load[p],
                            example->load[p] + 2); /* rounding goes to the first */
            assert_false(priorities[p].panic);
            sum += priorities[p].load;
        }
        assert_int_equal(sum, 100);
    }
}

static void nobody_usable_is_panic(void **state)
{
    struct priority priorities[] = { counted(30, 0, 0), counted(10, 0, 0) };

    (void) state;
    priority_share(priorities, 2, 140, 0);
    assert_int_equal(priorities[0].load, 75);
    assert_int_equal(priorities[1].load, 25);
    assert_true(priorities[0].panic && priorities[1].panic);
}

static void one_of_many_is_somebody(void **state)
{
    struct priority priorities[] = { counted(1000, 1, 0) };

    (void) state;
    priority_share(priorities, 1, 140, 0);
    assert_int_equal(priorities[0].load, 100);
    assert_false(priorities[0].panic);
}

static void few_usable_are_panic_where_configured(void **state)
{
    struct priority priorities[] = { counted(10, 4, 0), counted(10, 1, 0) };

    (void) state;
    priority_share(priorities, 2, 140, 50);
    assert_true(priorities[0].panic && priorities[1].panic);
    priorities[1] = counted(10, 10, 0); /* together they can do it all: no panic */
    priority_share(priorities, 2, 140, 50);
    assert_false(priorities[0].panic || priorities[1].panic);
    assert_int_equal(priorities[0].load, 56);
}

static void picks_follow_the_shares(void **state)
{
    struct priority priorities[] = { counted(4, 2, 0), counted(4, 4, 0) };
    unsigned first = 0;
    struct rand dice;
    bool degraded;

    (void) state;
    rand_seed_with(&dice, 1);
    priority_share(priorities, 2, 140, 0);
    for (int i = 0; i < 10000; i++)
        first += priority_pick(priorities, 2, &dice, &degraded) == 0;
    assert_in_range(first, 6800, 7200);
}

/* Healthy endpoints of all priorities come before degraded ones of any. */
static void degraded_ones_carry_what_is_left(void **state)
{
    struct priority one[] = { counted(100, 50, 50) };
    struct priority two[] = { counted(100, 20, 40), counted(100, 30, 10) };
    struct priority none_healthy[] = { counted(10, 0, 3), counted(10, 0, 0) };
    unsigned of_second = 0, degraded_ones = 0;
    struct rand dice;

    (void) state;
    priority_share(one, 1, 140, 50);
    assert_int_equal(one[0].load, 70);
    assert_int_equal(one[0].degraded_load, 30);
    priority_share(two, 2, 140, 0);
    assert_int_equal(two[0].load, 28);
    assert_int_equal(two[1].load, 42);
    assert_int_equal(two[0].degraded_load, 30);
    assert_int_equal(two[1].degraded_load, 0);
    priority_share(none_healthy, 2, 140, 0);
    assert_int_equal(none_healthy[0].degraded_load, 100);
    assert_false(none_healthy[0].panic);
    rand_seed_with(&dice, 1);
    for (int i = 0; i < 10000; i++) {
        bool degraded;

        of_second += priority_pick(two, 2, &dice, &degraded) == 1;
        degraded_ones += degraded;
    }
    assert_in_range(of_second, 4000, 4400);
    assert_in_range(degraded_ones, 2800, 3200);
}

/* With weights that are not heads, panic still goes by heads. */
static void weights_are_not_heads(void **state)
{
    struct priority priorities[] = { { .n = 100, .n_usable = 90, .heads = 10, .heads_usable = 1 },
                                     { .n = 10, .n_usable = 0, .heads = 10, .heads_usable = 0 } };

    (void) state;
    priority_share(priorities, 1, 100, 50);
    assert_int_equal(priorities[0].load, 100);
    assert_true(priorities[0].panic);
    priority_share(priorities, 2, 140, 0);
    assert_int_equal(priorities[0].load, 100);
    assert_false(priorities[0].panic);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_those_of_envoy),        cmocka_unit_test(nobody_usable_is_panic),
        cmocka_unit_test(degraded_ones_carry_what_is_left), cmocka_unit_test(weights_are_not_heads),
        cmocka_unit_test(one_of_many_is_somebody),          cmocka_unit_test(few_usable_are_panic_where_configured),
        cmocka_unit_test(picks_follow_the_shares),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
