/* SPDX-License-Identifier: Apache-2.0 */
/* Subsets of large clusters: their size, who is in them, and what a change of the cluster costs a client. */
#include <stdlib.h>
#include <string.h>

#include "balance/balance.h"
#include "mesh_test.h"

enum { SERVERS = 2000, MOST = 400 };

struct large {
    struct balance_endpoint endpoints[SERVERS];
    char names[SERVERS][40];
    struct balance_endpoint *present[SERVERS];
};

static struct large *large_new(void)
{
    struct large *large = test_calloc(1, sizeof *large);

    for (unsigned i = 0; i < SERVERS; i++) {
        snprintf(large->names[i], sizeof large->names[i], "10.0.%u.%u:80", i / 250, i % 250);
        large->endpoints[i].hash_key = large->names[i];
        large->present[i] = &large->endpoints[i];
    }
    return large;
}

/* A client's endpoints as a bit each, by their place in `endpoints`. */
struct chosen {
    bool is[SERVERS];
};

static void choose(const struct large *large, size_t n, uint64_t client, struct chosen *out)
{
    size_t keep = balance_subset_size(n, 0);
    uint32_t indices[MOST];

    assert_in_range(keep, 1, MOST);
    *out = (struct chosen){ 0 };
    assert_true(balance_subset(large->present, n, client, keep, indices));
    for (size_t i = 0; i < keep; i++) {
        assert_true(i == 0 || indices[i] > indices[i - 1]);
        out->is[large->present[indices[i]] - large->endpoints] = true;
    }
}

/* Connections that `after` has and `before` had not. */
static unsigned joined(const struct chosen *before, const struct chosen *after)
{
    unsigned n = 0;

    for (size_t i = 0; i < SERVERS; i++)
        n += after->is[i] && !before->is[i];
    return n;
}

static void test_sizes(void **state)
{
    size_t before = 0;

    (void) state;
    assert_int_equal(balance_subset_size(1, 0), 1);
    assert_int_equal(balance_subset_size(64, 0), 64);
    assert_int_equal(balance_subset_size(100, 0), 80);
    assert_int_equal(balance_subset_size(100000, 0), 200);
    assert_int_equal(balance_subset_size(100000, 5000), 5000);
    assert_int_equal(balance_subset_size(10, 20), 10);
    for (size_t n = 0; n < 100000; n++) { /* one more or less is never more than one connection */
        size_t now = balance_subset_size(n, 0);

        assert_in_range(now, before, before + 1);
        before = now;
    }
}

/* Whoever leaves is followed by one other at most, whatever the size, in the subset or not. */
static void test_a_leaving_endpoint_costs_one_connection(void **state)
{
    static const size_t sizes[] = { 65, 100, 257, SERVERS };
    struct large *large = large_new();
    struct chosen before, after;

    (void) state;
    for (size_t s = 0; s < COUNT_OF(sizes); s++) {
        size_t n = sizes[s];

        choose(large, n, 1234, &before);
        for (size_t i = 0; i < n; i++) {
            struct balance_endpoint *last = large->present[n - 1], *gone = large->present[i];
            unsigned cost;

            large->present[i] = last;
            choose(large, n - 1, 1234, &after);
            large->present[i] = gone;
            cost = joined(&before, &after);
            assert_in_range(cost, 0, before.is[gone - large->endpoints] ? 1 : 0);
            assert_in_range(joined(&after, &before), 0, 2); /* itself, and one for a subset that is smaller by one */
        }
    }
    test_free(large);
}

/* A rolling restart under new addresses, one at a time: in all as many new connections as places in the subset. */
static void test_everybody_is_replaced(void **state)
{
    struct large *large = large_new();
    struct chosen before, after;
    unsigned cost = 0;

    (void) state;
    choose(large, 1000, 7, &before);
    for (size_t i = 0; i < 1000; i++) {
        large->present[i] = &large->endpoints[1000 + i];
        choose(large, 1000, 7, &after);
        assert_in_range(joined(&before, &after), 0, 2);
        cost += joined(&before, &after);
        before = after;
    }
    assert_in_range(cost, 253, 2 * 253 + 100);
    test_free(large);
}

/* Many clients together use every endpoint about alike. */
static void test_clients_spread(void **state)
{
    enum { CLIENTS = 2000, N = 500 };
    struct large *large = large_new();
    unsigned uses[N] = { 0 };
    struct chosen chosen;
    double expected = (double) CLIENTS * (double) balance_subset_size(N, 0) / N;

    (void) state;
    for (uint64_t client = 0; client < CLIENTS; client++) {
        choose(large, N, xxh64(&client, sizeof client, 1), &chosen);
        for (size_t i = 0; i < N; i++)
            uses[i] += chosen.is[i];
    }
    for (size_t i = 0; i < N; i++) /* five standard deviations */
        assert_in_range(uses[i], (unsigned) (expected * 0.85), (unsigned) (expected * 1.15));
    test_free(large);
}

static int32_t choose_some(void)
{
    struct balance_endpoint a = { .hash_key = "a" }, b = { .hash_key = "b" };
    struct balance_endpoint *endpoints[] = { &a, &b };
    uint32_t chosen;

    return balance_subset(endpoints, 2, 1, 1, &chosen) ? 0 : MESH_ERR_NOMEM;
}

static void test_out_of_memory(void **state)
{
    (void) state;
    mesh_test_each_allocation_fails(choose_some);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(test_sizes),
        LEAK_TEST(test_a_leaving_endpoint_costs_one_connection),
        LEAK_TEST(test_everybody_is_replaced),
        LEAK_TEST(test_clients_spread),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
