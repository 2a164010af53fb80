/* SPDX-License-Identifier: Apache-2.0 */
/* Views: who is drawn how often, by weight, by what slow start withholds, and with any number of endpoints. */
#include "unit/balance/crowd.h"

enum { DRAWS = 200000 };

static void count_draws(struct crowd *crowd)
{
    for (size_t i = 0; i < crowd->n; i++)
        crowd->counts[i] = 0;
    for (int i = 0; i < DRAWS; i++)
        crowd->counts[balance_view_sample(&crowd->view, &crowd->dice)]++;
}

static void assert_shares(const struct crowd *crowd, const double *parts)
{
    double sum = 0;

    for (size_t i = 0; i < crowd->n; i++)
        sum += parts[i];
    for (size_t i = 0; i < crowd->n; i++)
        assert_about((double) crowd->counts[i] / DRAWS, parts[i] / sum, 0.01);
}

static void test_empty(void **state)
{
    struct balance_view view = { 0 };

    (void) state;
    assert_true(balance_view_build(&view, NULL, 0));
    assert_int_equal(view.n, 0);
    balance_view_free(&view);
}

static void test_equal_weights(void **state)
{
    static const uint32_t weights[] = { 5, 5, 5 };
    struct crowd crowd;

    (void) state;
    crowd_begin(&crowd, "random", 3, weights);
    assert_true(crowd.view.even);
    assert_null(crowd.view.weight_sums);
    count_draws(&crowd);
    assert_shares(&crowd, (const double[]){ 1, 1, 1 });
    crowd_end(&crowd);
}

static void test_weights(void **state)
{
    static const uint32_t weights[] = { 1, 100, 7, 1, 50 };
    struct crowd crowd;

    (void) state;
    crowd_begin(&crowd, "random", 5, weights);
    assert_false(crowd.view.even);
    count_draws(&crowd);
    assert_shares(&crowd, (const double[]){ 1, 100, 7, 1, 50 });
    crowd_end(&crowd);
}

/* The guide finds what a search from the beginning finds, at every border of a share. */
static void test_every_point(void **state)
{
    uint32_t weights[CROWD_MOST];
    struct crowd crowd;
    uint64_t sum = 0, seen = 0;

    (void) state;
    for (size_t i = 0; i < CROWD_MOST; i++)
        sum += weights[i] = (uint32_t) (i % 13 == 0 ? 1000 : 1 + i % 3);
    crowd_begin(&crowd, "random", CROWD_MOST, weights);
    for (size_t i = 0; i < CROWD_MOST; i++) {
        for (uint32_t k = 0; k < weights[i]; k++, seen++) { /* the first point of unit `seen` of the sum */
            __extension__ typedef unsigned __int128 wide;
            uint64_t point = (uint64_t) ((((wide) seen << 64) + sum - 1) / sum);

            assert_int_equal(balance_view_at(&crowd.view, point), i);
        }
    }
    assert_int_equal(balance_view_at(&crowd.view, UINT64_MAX), CROWD_MOST - 1);
    crowd_end(&crowd);
}

/* A weight that is partly withheld counts for the rest, without a new view. */
static void test_withheld(void **state)
{
    struct crowd crowd;

    (void) state;
    crowd_begin(&crowd, "random", 4, NULL);
    crowd.endpoints[1].withheld = BALANCE_WHOLE / 2;
    crowd.endpoints[3].withheld = BALANCE_WHOLE;
    crowd_view(&crowd);
    assert_false(crowd.view.even);
    count_draws(&crowd);
    assert_shares(&crowd, (const double[]){ 1, 0.5, 1, 0 });
    crowd.endpoints[3].withheld = BALANCE_WHOLE * 9 / 10;
    count_draws(&crowd);
    assert_shares(&crowd, (const double[]){ 1, 0.5, 1, 0.1 });
    crowd_end(&crowd);
}

static void test_withheld_and_weights(void **state)
{
    static const uint32_t weights[] = { 1, 4, 1 };
    struct crowd crowd;

    (void) state;
    crowd_begin(&crowd, "random", 3, weights);
    crowd.endpoints[1].withheld = BALANCE_WHOLE * 3 / 4;
    count_draws(&crowd);
    assert_shares(&crowd, (const double[]){ 1, 1, 1 });
    crowd_end(&crowd);
}

/* When all start slowly together they share alike, and somebody is always drawn. */
static void test_all_withheld(void **state)
{
    struct crowd crowd;

    (void) state;
    crowd_begin(&crowd, "random", 3, NULL);
    for (size_t i = 0; i < 3; i++)
        crowd.endpoints[i].withheld = BALANCE_WHOLE;
    crowd_view(&crowd);
    count_draws(&crowd);
    assert_shares(&crowd, (const double[]){ 1, 1, 1 });
    crowd_end(&crowd);
}

static int32_t build_twice(void)
{
    struct balance_endpoint a = { .weight = 1 }, b = { .weight = 2 };
    struct balance_endpoint *endpoints[] = { &a, &b };
    struct balance_view view = { 0 };
    int32_t err = MESH_ERR_NOMEM;

    if (balance_view_build(&view, endpoints, 1)) {
        bool second = balance_view_build(&view, endpoints, 2);

        assert_int_equal(view.n, second ? 2 : 1);
        assert_ptr_equal(view.endpoints[0], &a);
        err = second ? 0 : MESH_ERR_NOMEM;
    }
    balance_view_free(&view);
    return err;
}

static void test_out_of_memory(void **state)
{
    (void) state;
    mesh_test_each_allocation_fails(build_twice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(test_empty),        LEAK_TEST(test_equal_weights),
        LEAK_TEST(test_weights),      LEAK_TEST(test_every_point),
        LEAK_TEST(test_withheld),     LEAK_TEST(test_withheld_and_weights),
        LEAK_TEST(test_all_withheld), cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
