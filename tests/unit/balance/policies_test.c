/* SPDX-License-Identifier: Apache-2.0 */
/* The simple policies, and keeping retries off what was tried, whatever the policy. */
#include "unit/balance/crowd.h"

static const char *const all[] = { "adaptive",  "least_request", "round_robin", "random",
                                   "ring_hash", "maglev",        "pick_first",  "weighted_round_robin" };

static void test_names(void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT_OF(all); i++)
        assert_string_equal(balance_find(all[i])->name, all[i]);
    assert_null(balance_find("fastest"));
}

static void test_nobody(void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct crowd crowd;

        crowd_begin(&crowd, all[i], 0, NULL);
        assert_int_equal(balance_pick(crowd.balancer, &crowd.view, &crowd.hint, &crowd.dice), -1);
        crowd_end(&crowd);
    }
}

/* What was tried comes again only when everything was. */
static void test_tried(void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct balance_endpoint *tried[5];
        struct crowd crowd;

        crowd_begin(&crowd, all[i], 5, NULL);
        crowd.hint.tried = tried;
        for (size_t k = 0; k < 5; k++) {
            size_t at = crowd_pick(&crowd);

            assert_false(balance_was_tried(&crowd.hint, &crowd.endpoints[at]));
            tried[crowd.hint.n_tried++] = &crowd.endpoints[at];
        }
        assert_in_range(crowd_pick(&crowd), 0, 4);
        crowd_end(&crowd);
    }
}

static void test_round_robin(void **state)
{
    struct crowd crowd;
    size_t first;

    (void) state;
    crowd_begin(&crowd, "round_robin", 3, NULL);
    first = crowd_pick(&crowd);
    for (size_t i = 1; i < 30; i++)
        assert_int_equal(crowd_pick(&crowd), (first + i) % 3);
    crowd_end(&crowd);
}

static void test_round_robin_with_weights(void **state)
{
    static const uint32_t weights[] = { 1, 2, 7 };
    struct crowd crowd;

    (void) state;
    crowd_begin(&crowd, "round_robin", 3, weights);
    crowd_count(&crowd, 1000);
    assert_in_range(crowd.counts[0], 98, 102);
    assert_in_range(crowd.counts[1], 198, 202);
    assert_in_range(crowd.counts[2], 698, 702);
    crowd_end(&crowd);
}

static void test_round_robin_in_slow_start(void **state)
{
    struct crowd crowd;

    (void) state;
    crowd_begin(&crowd, "round_robin", 3, NULL);
    crowd.endpoints[2].withheld = BALANCE_WHOLE * 9 / 10;
    crowd_view(&crowd);
    crowd_count(&crowd, 21000);
    assert_about(crowd.counts[0], 10000, 200);
    assert_about(crowd.counts[1], 10000, 200);
    assert_about(crowd.counts[2], 1000, 150);
    crowd_end(&crowd);
}

static void test_least_request(void **state)
{
    struct crowd crowd;

    (void) state;
    crowd_begin(&crowd, "least_request", 3, NULL);
    crowd.endpoints[1].active = 9;
    crowd_count(&crowd, 1000);
    assert_int_equal(crowd.counts[1], 0); /* in every pair it loses */
    assert_about(crowd.counts[0], 500, 100);
    crowd_end(&crowd);
}

/* Idle endpoints get what their weights say. */
static void test_least_request_with_weights(void **state)
{
    static const uint32_t weights[] = { 1, 9 };
    struct crowd crowd;

    (void) state;
    crowd_begin(&crowd, "least_request", 2, weights);
    crowd_count(&crowd, 10000);
    assert_about(crowd.counts[0], 1000, 150);
    crowd_end(&crowd);
}

/* ---- telling ---- */

/* The least of the told candidates is what was picked; who compares none tells none. */
static void a_choice_tells_its_candidates(void **state)
{
    static const struct {
        const char *policy;
        unsigned least, most;
    } cases[] = { { "adaptive", 2, 8 }, { "least_request", 2, 2 }, { "round_robin", 0, 0 },
                  { "random", 0, 0 },   { "ring_hash", 0, 0 },     { "maglev", 0, 0 } };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct balance_choice choice = { 0 };
        struct crowd crowd;
        size_t picked;
        bool found = cases[i].most == 0;

        crowd_begin(&crowd, cases[i].policy, 5, NULL);
        crowd.hint.choice = &choice;
        picked = crowd_pick(&crowd);
        assert_in_range(choice.n, cases[i].least, cases[i].most);
        for (unsigned k = 0; k < choice.n; k++) {
            found = found || choice.candidates[k].endpoint == &crowd.endpoints[picked];
            assert_true(choice.candidates[k].score >= 0);
        }
        assert_true(found);
        assert_int_equal(crowd.balancer->ops->score != NULL, cases[i].most > 0);
        if (crowd.balancer->ops->score)
            assert_true(crowd.balancer->ops->score(crowd.balancer, &crowd.endpoints[0], crowd.hint.now_us) == 0);
        crowd_end(&crowd);
    }
}

static void a_choice_that_was_moved_tells_so(void **state)
{
    struct balance_choice choice = { 0 };
    struct balance_endpoint *tried[1];
    struct crowd crowd;
    size_t first;

    (void) state;
    crowd_begin(&crowd, "round_robin", 2, NULL);
    crowd.hint.choice = &choice;
    first = crowd_pick(&crowd);
    assert_false(choice.was_moved);
    tried[0] = &crowd.endpoints[1 - first]; /* whose turn it is */
    crowd.hint.tried = tried;
    crowd.hint.n_tried = 1;
    assert_int_equal(crowd_pick(&crowd), first);
    assert_true(choice.was_moved);
    crowd_end(&crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(test_names),
        LEAK_TEST(test_nobody),
        LEAK_TEST(test_tried),
        LEAK_TEST(test_round_robin),
        LEAK_TEST(test_round_robin_with_weights),
        LEAK_TEST(test_round_robin_in_slow_start),
        LEAK_TEST(test_least_request),
        LEAK_TEST(test_least_request_with_weights),
        LEAK_TEST(a_choice_tells_its_candidates),
        LEAK_TEST(a_choice_that_was_moved_tells_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
