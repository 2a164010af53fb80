/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints, a view of them and a balancer, for tests of policies. */
#ifndef UNIT_BALANCE_CROWD_H
#define UNIT_BALANCE_CROWD_H

#include "balance/balance.h"
#include "mesh_test.h"

enum { CROWD_MOST = 128 };

struct crowd {
    size_t n;
    struct balance_endpoint endpoints[CROWD_MOST];
    char names[CROWD_MOST][40];
    struct balance_view view;
    struct balancer *balancer;
    struct balance_hint hint;
    struct rand dice;
    unsigned counts[CROWD_MOST]; /* of crowd_count() */
};

static inline void crowd_view(struct crowd *crowd)
{
    struct balance_endpoint *pointers[CROWD_MOST];

    for (size_t i = 0; i < crowd->n; i++)
        pointers[i] = &crowd->endpoints[i];
    assert_true(balance_view_build(&crowd->view, pointers, crowd->n));
    assert_true(balance_prepare(crowd->balancer, &crowd->view));
}

/* n endpoints 10.0.0.1:8080, 10.0.0.2:8080, ... with these weights; NULL: 1. */
static inline void crowd_begin(struct crowd *crowd, const char *policy, size_t n, const uint32_t *weights)
{
    *crowd = (struct crowd){ .n = n, .hint = { .now_us = 1000 * US_PER_S, .idempotent = true } };
    for (size_t i = 0; i < n; i++) {
        snprintf(crowd->names[i], sizeof crowd->names[i], "10.0.0.%zu:8080", i + 1);
        crowd->endpoints[i].hash_key = crowd->names[i];
        crowd->endpoints[i].weight = weights ? weights[i] : 1;
    }
    rand_seed_with(&crowd->dice, 1);
    crowd->balancer = balance_find(policy)->make(&(struct balance_conf){ 0 });
    assert_non_null(crowd->balancer);
    crowd_view(crowd);
}

static inline void crowd_end(struct crowd *crowd)
{
    balance_view_free(&crowd->view);
    crowd->balancer->ops->free(crowd->balancer);
}

static inline size_t crowd_pick(struct crowd *crowd)
{
    return (size_t) balance_pick(crowd->balancer, &crowd->view, &crowd->hint, &crowd->dice);
}

/* Picks, with nothing in flight, and how often each came out. */
static inline void crowd_count(struct crowd *crowd, unsigned picks)
{
    for (size_t i = 0; i < crowd->n; i++)
        crowd->counts[i] = 0;
    for (unsigned i = 0; i < picks; i++)
        crowd->counts[crowd_pick(crowd)]++;
}

/* An attempt that takes so long and succeeds. */
static inline void crowd_answer(struct crowd *crowd, size_t at, uint64_t latency_us)
{
    balance_answered(&crowd->endpoints[at], latency_us, crowd->hint.now_us);
}

/* So many that it is known by them. */
static inline void balance_introduce(struct balance_endpoint *endpoint, uint64_t latency_us, uint64_t now_us)
{
    for (int i = 0; i < BALANCE_INTRODUCTION; i++)
        balance_answered(endpoint, latency_us, now_us);
}

static inline void assert_about(double value, double expected, double tolerance)
{
    if (value >= expected - tolerance && value <= expected + tolerance)
        return;
    print_error("%f, not %f +- %f\n", value, expected, tolerance);
    fail();
}

#endif
