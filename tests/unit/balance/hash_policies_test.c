/* SPDX-License-Identifier: Apache-2.0 */
/* ring_hash and maglev: against their definitions written down plainly, and what consistent hashing is bought for. That Envoy
 * agrees: tests/system/test_hash_envoy.py. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "unit/balance/crowd.h"

enum { KEYS = 20000 };

static const char *const both[] = { "ring_hash", "maglev" };

static size_t pick_key(struct crowd *crowd, uint64_t key)
{
    crowd->hint.key = key;
    return crowd_pick(crowd);
}

static uint64_t nth_key(uint64_t n)
{
    return xxh64(&n, sizeof n, 42);
}

/* ---- the definitions ---- */

struct plain_point {
    uint64_t hash;
    size_t at;
};

static int by_hash(const void *a, const void *b)
{
    uint64_t x = ((const struct plain_point *) a)->hash, y = ((const struct plain_point *) b)->hash;

    return (x > y) - (x < y);
}

/* The ring of endpoints with these weights and at least 1024 points, sorted. */
static size_t plain_ring(const struct crowd *crowd, const uint32_t *weights, struct plain_point *points)
{
    double sum = 0, least = INFINITY, scale, wanted = 0;
    size_t n = 0;

    for (size_t i = 0; i < crowd->n; i++) {
        sum += weights[i];
        least = weights[i] < least ? weights[i] : least;
    }
    scale = ceil(least / sum * 1024) / (least / sum);
    for (size_t i = 0; i < crowd->n; i++) {
        wanted += scale * (weights[i] / sum);
        for (unsigned k = 0; (double) n < wanted; k++) {
            char name[64];
            int len = snprintf(name, sizeof name, "%s_%u", crowd->names[i], k);

            points[n++] = (struct plain_point){ xxh64(name, (size_t) len, 0), i };
        }
    }
    qsort(points, n, sizeof *points, by_hash);
    return n;
}

static size_t plain_find(const struct plain_point *points, size_t n, uint64_t key)
{
    for (size_t i = 0; i < n; i++)
        if (points[i].hash >= key)
            return points[i].at;
    return points[0].at;
}

static void test_ring_is_as_defined(void **state)
{
    static const uint32_t equal[] = { 1, 1, 1, 1, 1 }, unequal[] = { 3, 1, 10, 2, 7 }, one[] = { 1 };
    static const struct {
        size_t n;
        const uint32_t *weights;
    } cases[] = { { 5, equal }, { 5, unequal }, { 1, one } };

    (void) state;
    for (size_t c = 0; c < COUNT_OF(cases); c++) {
        struct plain_point *points = test_calloc(100000, sizeof *points);
        struct crowd crowd;
        size_t n;

        crowd_begin(&crowd, "ring_hash", cases[c].n, cases[c].weights);
        n = plain_ring(&crowd, cases[c].weights, points);
        for (uint64_t i = 0; i < 2000; i++)
            assert_int_equal(pick_key(&crowd, nth_key(i)), plain_find(points, n, nth_key(i)));
        for (size_t i = 0; i < n; i++) { /* a point itself, and what comes just after it */
            assert_int_equal(pick_key(&crowd, points[i].hash), points[i].at);
            assert_int_equal(pick_key(&crowd, points[i].hash + 1), points[(i + 1) % n].at);
        }
        assert_int_equal(pick_key(&crowd, 0), points[0].at);
        assert_int_equal(pick_key(&crowd, UINT64_MAX), points[0].at);
        crowd_end(&crowd);
        test_free(points);
    }
}

/* The table of the paper for the key "at % 65537", asked entry by entry. */
static void test_maglev_is_as_defined(void **state)
{
    enum { ENTRIES = 65537, N = 12 };
    uint64_t next[N] = { 0 }, offset[N], skip[N], filled = 0;
    size_t *table = test_malloc(ENTRIES * sizeof *table);
    /* 10.0.0.10:8080 and on sort before 10.0.0.1:8080, since '0' is before ':' */
    static const size_t order[N] = { 9, 10, 11, 0, 1, 2, 3, 4, 5, 6, 7, 8 };
    struct crowd crowd;

    (void) state;
    crowd_begin(&crowd, "maglev", N, NULL);
    for (size_t i = 0; i < N; i++) {
        offset[i] = xxh64(crowd.names[i], strlen(crowd.names[i]), 0) % ENTRIES;
        skip[i] = xxh64(crowd.names[i], strlen(crowd.names[i]), 1) % (ENTRIES - 1) + 1;
    }
    for (size_t i = 0; i < ENTRIES; i++)
        table[i] = N;
    for (size_t turn = 0; filled < ENTRIES; turn++) {
        size_t i = order[turn % N], at;

        do
            at = (offset[i] + skip[i] * next[i]++) % ENTRIES;
        while (table[at] != N);
        table[at] = i;
        filled++;
    }
    for (size_t i = 0; i < ENTRIES; i++)
        assert_int_equal(pick_key(&crowd, i + ENTRIES * (i % 1000)), table[i]);
    crowd_end(&crowd);
    test_free(table);
}

/* ---- what they are bought for ---- */

static void count_keys(struct crowd *crowd)
{
    for (size_t i = 0; i < crowd->n; i++)
        crowd->counts[i] = 0;
    for (uint64_t i = 0; i < KEYS; i++)
        crowd->counts[pick_key(crowd, nth_key(i))]++;
}

static void test_shares_follow_weights(void **state)
{
    static const uint32_t weights[] = { 1, 2, 3, 4 };
    static const double tolerance[] = { 0.05, 0.01 }; /* of all keys: a ring is uneven, a table is not */

    (void) state;
    for (size_t p = 0; p < COUNT_OF(both); p++) {
        struct crowd crowd;

        crowd_begin(&crowd, both[p], 4, weights);
        count_keys(&crowd);
        for (size_t i = 0; i < 4; i++)
            assert_about((double) crowd.counts[i] / KEYS, weights[i] / 10.0, tolerance[p]);
        crowd_end(&crowd);
    }
}

/* Of the keys of those that stay hardly any moves when one leaves. (On a ring none would, but that those that stay get more
 * points for the same size.) */
static void test_few_keys_move(void **state)
{
    (void) state;
    for (size_t p = 0; p < COUNT_OF(both); p++) {
        struct crowd before, after;
        unsigned moved = 0;

        crowd_begin(&before, both[p], 20, NULL);
        crowd_begin(&after, both[p], 19, NULL); /* without the last one */
        for (uint64_t i = 0; i < KEYS; i++) {
            size_t was = pick_key(&before, nth_key(i));

            moved += was != 19 && pick_key(&after, nth_key(i)) != was;
        }
        assert_in_range(moved, 0, KEYS / 20);
        crowd_end(&before);
        crowd_end(&after);
    }
}

/* A retry of the same key goes elsewhere, and always to the same elsewhere. */
static void test_retries(void **state)
{
    (void) state;
    for (size_t p = 0; p < COUNT_OF(both); p++) {
        struct balance_endpoint *tried[5];
        struct crowd crowd;

        crowd_begin(&crowd, both[p], 5, NULL);
        crowd.hint.tried = tried;
        for (uint64_t i = 0; i < 500; i++) {
            crowd.hint.n_tried = 0;
            while (crowd.hint.n_tried < 5) {
                size_t at = pick_key(&crowd, nth_key(i));

                assert_int_equal(pick_key(&crowd, nth_key(i)), at);
                assert_false(balance_was_tried(&crowd.hint, &crowd.endpoints[at]));
                tried[crowd.hint.n_tried++] = &crowd.endpoints[at];
            }
            assert_in_range(pick_key(&crowd, nth_key(i)), 0, 4);
        }
        crowd_end(&crowd);
    }
}

/* The next one on the ring, as the definition says. */
static void test_retry_walks_on(void **state)
{
    static const uint32_t weights[] = { 1, 1, 1 };
    struct plain_point *points = test_calloc(10000, sizeof *points);
    struct balance_endpoint *tried[1];
    struct crowd crowd;
    size_t n;

    (void) state;
    crowd_begin(&crowd, "ring_hash", 3, NULL);
    n = plain_ring(&crowd, weights, points);
    crowd.hint.tried = tried;
    crowd.hint.n_tried = 1;
    for (size_t i = 0; i < n; i++) {
        size_t next = i;

        tried[0] = &crowd.endpoints[points[i].at];
        while (points[next].at == points[i].at)
            next = (next + 1) % n;
        assert_int_equal(pick_key(&crowd, points[i].hash), points[next].at);
    }
    crowd_end(&crowd);
    test_free(points);
}

/* Sizes of the ring: the limit holds, and more endpoints than points leave some without. */
static void test_ring_sizes(void **state)
{
    struct balance_conf conf = { .ring_min_size = 1, .ring_max_size = 4 };
    struct crowd crowd;
    unsigned reached = 0;

    (void) state;
    crowd_begin(&crowd, "ring_hash", 8, NULL);
    crowd.balancer->ops->free(crowd.balancer);
    crowd.balancer = balance_ring_hash.make(&conf);
    crowd_view(&crowd);
    count_keys(&crowd);
    for (size_t i = 0; i < 8; i++)
        reached += crowd.counts[i] > 0;
    assert_int_equal(reached, 4);
    crowd_end(&crowd);
}

/* ---- out of memory ---- */

static int32_t prepare_twice(const char *policy)
{
    struct balance_endpoint a = { .weight = 1, .hash_key = "a" }, b = { .weight = 2, .hash_key = "b" };
    struct balance_endpoint *endpoints[] = { &a, &b };
    struct balance_view one = { 1, endpoints, true, NULL, NULL }, two = { 2, endpoints, true, NULL, NULL };
    struct balancer *balancer = balance_find(policy)->make(&(struct balance_conf){ 0 });
    struct balance_hint hint = { .key = 7 };
    struct rand dice = { 1 };
    int32_t err = MESH_ERR_NOMEM;

    if (!balancer)
        return err;
    assert_int_equal(balance_pick(balancer, &one, &hint, &dice), 0); /* not prepared: any */
    if (balance_prepare(balancer, &one)) {
        bool again = balance_prepare(balancer, &two);

        assert_in_range(balance_pick(balancer, again ? &two : &one, &hint, &dice), 0, again);
        err = again ? 0 : MESH_ERR_NOMEM;
    }
    balancer->ops->free(balancer);
    return err;
}

static int32_t prepare_ring(void)
{
    return prepare_twice("ring_hash");
}

static int32_t prepare_maglev(void)
{
    return prepare_twice("maglev");
}

static void test_out_of_memory(void **state)
{
    (void) state;
    mesh_test_each_allocation_fails(prepare_ring);
    mesh_test_each_allocation_fails(prepare_maglev);
}

/* ---- bounded loads ---- */

static void begin_bounded(struct crowd *crowd, const char *policy, size_t n, const uint32_t *weights, uint32_t percent)
{
    crowd_begin(crowd, policy, n, weights);
    crowd->balancer->ops->free(crowd->balancer);
    crowd->balancer = balance_find(policy)->make(&(struct balance_conf){ .hash_balance_percent = percent });
    assert_non_null(crowd->balancer);
    crowd_view(crowd);
}

/* Attempts of one hash that all stay in flight: nobody gets more than its share and a bit. */
static void test_one_hash_floods_nobody(void **state)
{
    static const uint32_t weights[] = { 1, 1, 2, 4 };

    (void) state;
    for (size_t p = 0; p < COUNT_OF(both); p++) {
        struct crowd crowd;
        unsigned sum = 0;

        begin_bounded(&crowd, both[p], 4, weights, 125);
        for (unsigned i = 1; i <= 800; i++) {
            size_t at = pick_key(&crowd, 42);

            crowd.endpoints[at].active++;
            /* What it had before this one fits into its share of 125 % of all. */
            assert_true(crowd.endpoints[at].active - 1 <= ceil(ceil(i * 1.25) * weights[at] / 8.0));
        }
        for (size_t i = 0; i < 4; i++)
            sum += crowd.endpoints[i].active;
        assert_int_equal(sum, 800);
        assert_in_range(crowd.endpoints[3].active, 200, 501);
        crowd_end(&crowd);
    }
}

/* As long as nobody has too much, it is where the hash leads; what is too much goes to the same other one. */
static void test_a_hash_keeps_its_places(void **state)
{
    (void) state;
    for (size_t p = 0; p < COUNT_OF(both); p++) {
        struct crowd plain, bounded;

        crowd_begin(&plain, both[p], 10, NULL);
        begin_bounded(&bounded, both[p], 10, NULL, 100);
        for (uint64_t i = 0; i < 1000; i++) {
            size_t home = pick_key(&plain, nth_key(i)), other;

            assert_int_equal(pick_key(&bounded, nth_key(i)), home);
            bounded.endpoints[home].active = 5;
            other = pick_key(&bounded, nth_key(i));
            assert_int_not_equal(other, home);
            assert_int_equal(pick_key(&bounded, nth_key(i)), other);
            bounded.endpoints[home].active = 0;
        }
        crowd_end(&plain);
        crowd_end(&bounded);
    }
}

/* Everybody has too much: whoever has the least of it. */
static void test_all_have_too_much(void **state)
{
    struct crowd crowd;

    (void) state;
    begin_bounded(&crowd, "maglev", 3, NULL, 1); /* so little leaves no place for anybody */
    for (size_t i = 0; i < 3; i++)
        crowd.endpoints[i].active = 10 + (uint32_t) i;
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(pick_key(&crowd, nth_key(i)), 0);
    crowd_end(&crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(test_one_hash_floods_nobody), LEAK_TEST(test_a_hash_keeps_its_places),
        LEAK_TEST(test_all_have_too_much),      LEAK_TEST(test_ring_is_as_defined),
        LEAK_TEST(test_maglev_is_as_defined),   LEAK_TEST(test_shares_follow_weights),
        LEAK_TEST(test_few_keys_move),          LEAK_TEST(test_retries),
        LEAK_TEST(test_retry_walks_on),         LEAK_TEST(test_ring_sizes),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
