/* SPDX-License-Identifier: Apache-2.0 */
/* Weights by what endpoints report: gRFC A58's rules of blackout, expiration and penalty, and the sequence that comes of them; the first
 * endpoint in a list, or in a client's own order. */
#include "unit/balance/crowd.h"

static uint64_t at_s(uint64_t s)
{
    return (1000 + s) * US_PER_S;
}

static void weights(void **state)
{
    static const struct {
        double rps, eps, utilization, penalty, weight;
    } cases[] = {
        { 100, 0, 0.5, 1, 200 }, { 100, 10, 0.4, 1, 200 }, { 100, 10, 0.4, 0, 250 }, { 100, 10, 0.4, 6, 100 },
        { 0, 0, 0.5, 1, 0 },     { 100, 0, 0, 1, 0 },      { 100, 0, 1e-320, 1, 0 },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        float weight = balance_load_weight(cases[i].rps, cases[i].eps, cases[i].utilization, cases[i].penalty);

        if (weight < (float) cases[i].weight * 0.999F || weight > (float) cases[i].weight * 1.001F)
            fail_msg("case %zu: %g", i, (double) weight);
    }
}

static void a_weight_counts_after_its_blackout_until_it_expires(void **state)
{
    struct balance_endpoint endpoint = { .weight = 1 };

    (void) state;
    assert_true(balance_loaded(&endpoint, 0, 1000, at_s(0)) == 0);
    assert_true(balance_reported(&endpoint, 0, at_s(0)));
    assert_null(endpoint.load);
    assert_true(balance_reported(&endpoint, 50, at_s(0)));
    assert_true(balance_loaded(&endpoint, 10000, 180000, at_s(9)) == 0);
    assert_true(balance_loaded(&endpoint, 10000, 180000, at_s(11)) == 50);
    assert_true(balance_reported(&endpoint, 0, at_s(100))); /* says nothing, keeps nothing alive */
    assert_true(balance_loaded(&endpoint, 10000, 180000, at_s(179)) == 50);
    assert_true(balance_loaded(&endpoint, 10000, 180000, at_s(181)) == 0);
    assert_true(balance_reported(&endpoint, 60, at_s(200))); /* the blackout begins anew */
    assert_true(balance_loaded(&endpoint, 10000, 180000, at_s(205)) == 0);
    assert_true(balance_loaded(&endpoint, 10000, 180000, at_s(211)) == 60);
    balance_forget_load(&endpoint);
}

static void forget(struct crowd *crowd)
{
    for (size_t i = 0; i < crowd->n; i++)
        balance_forget_load(&crowd->endpoints[i]);
    crowd_end(crowd);
}

static void as_often_as_reported(void **state)
{
    static const float reported[] = { 10, 20, 70 };
    struct crowd crowd;

    (void) state;
    crowd_begin(&crowd, "weighted_round_robin", 3, NULL);
    for (size_t i = 0; i < 3; i++)
        balance_reported(&crowd.endpoints[i], reported[i], at_s(0));
    crowd.hint.now_us = at_s(1);
    crowd_count(&crowd, 300); /* none counts yet */
    for (size_t i = 0; i < 3; i++)
        assert_in_range(crowd.counts[i], 98, 102);
    crowd.hint.now_us = at_s(11);
    crowd_count(&crowd, 1000);
    assert_in_range(crowd.counts[0], 97, 103);
    assert_in_range(crowd.counts[1], 197, 203);
    assert_in_range(crowd.counts[2], 697, 703);
    crowd.hint.now_us = at_s(181); /* nobody has said anything for long */
    crowd_count(&crowd, 300);
    for (size_t i = 0; i < 3; i++)
        assert_in_range(crowd.counts[i], 98, 102);
    forget(&crowd);
}

/* Not with each request, but once a second. */
static void reports_are_looked_at_in_a_while(void **state)
{
    struct crowd crowd;

    (void) state;
    crowd_begin(&crowd, "weighted_round_robin", 2, NULL);
    balance_reported(&crowd.endpoints[0], 10, at_s(0));
    balance_reported(&crowd.endpoints[1], 10, at_s(0));
    crowd.hint.now_us = at_s(20);
    crowd_pick(&crowd);
    balance_reported(&crowd.endpoints[1], 90, at_s(20));
    crowd.hint.now_us = at_s(20) + US_PER_S / 2;
    crowd_count(&crowd, 1000);
    assert_in_range(crowd.counts[1], 498, 502);
    crowd.hint.now_us = at_s(21);
    crowd_count(&crowd, 1000);
    assert_in_range(crowd.counts[1], 897, 903);
    forget(&crowd);
}

static void who_reports_nothing_is_in_the_middle(void **state)
{
    static const float reported[] = { 10, 20, 90 };
    struct crowd crowd;

    (void) state;
    crowd_begin(&crowd, "weighted_round_robin", 4, NULL);
    for (size_t i = 0; i < 3; i++)
        balance_reported(&crowd.endpoints[i], reported[i], at_s(0));
    crowd.hint.now_us = at_s(20);
    crowd_count(&crowd, 1400);
    assert_in_range(crowd.counts[0], 96, 104);
    assert_in_range(crowd.counts[2], 896, 904);
    assert_in_range(crowd.counts[3], 196, 204);
    forget(&crowd);
}

/* One report says nothing about the others: what is configured holds. */
static void without_reports_configured_weights_hold(void **state)
{
    static const uint32_t configured[] = { 1, 3 };
    struct crowd crowd;

    (void) state;
    crowd_begin(&crowd, "weighted_round_robin", 2, configured);
    balance_reported(&crowd.endpoints[0], 1000, at_s(0));
    crowd.hint.now_us = at_s(20);
    crowd_count(&crowd, 400);
    assert_in_range(crowd.counts[0], 98, 102);
    forget(&crowd);
}

/* ---- the first ---- */

static void the_first_in_the_list(void **state)
{
    struct crowd crowd;

    (void) state;
    crowd_begin(&crowd, "pick_first", 3, NULL);
    crowd_count(&crowd, 100);
    assert_int_equal(crowd.counts[0], 100);
    crowd_end(&crowd);
}

static void each_client_has_its_own_first(void **state)
{
    unsigned firsts[8] = { 0 };

    (void) state;
    for (uint64_t client = 0; client < 200; client++) {
        struct balancer *balancer = balance_find("pick_first")->make(&(struct balance_conf){ .shuffle = true });
        struct crowd crowd;
        size_t first;

        crowd_begin(&crowd, "pick_first", 8, NULL);
        crowd.balancer->ops->free(crowd.balancer);
        crowd.balancer = balancer;
        rand_seed_with(&crowd.dice, client + 1);
        crowd_view(&crowd);
        first = crowd_pick(&crowd);
        crowd_count(&crowd, 20);
        assert_int_equal(crowd.counts[first], 20);
        firsts[first]++;
        crowd_end(&crowd);
    }
    for (size_t i = 0; i < 8; i++)
        assert_in_range(firsts[i], 8, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(weights),
        LEAK_TEST(a_weight_counts_after_its_blackout_until_it_expires),
        LEAK_TEST(as_often_as_reported),
        LEAK_TEST(reports_are_looked_at_in_a_while),
        LEAK_TEST(who_reports_nothing_is_in_the_middle),
        LEAK_TEST(without_reports_configured_weights_hold),
        LEAK_TEST(the_first_in_the_list),
        LEAK_TEST(each_client_has_its_own_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
