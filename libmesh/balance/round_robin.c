/* SPDX-License-Identifier: Apache-2.0 */
/* One after the other; with unequal weights the sequence walks through the sum of weights in steps that visit each endpoint
 * as often as its weight says, well mixed (a low-discrepancy walk by the golden ratio). */
#include "balance/balance.h"

/* Endpoints that slow start may let pass in one pick. */
enum { MOST_PASSED = 16 };

struct round_robin {
    struct balancer balancer;
    uint64_t turn;
    uint64_t phase; /* fraction of 2^64 */
    bool begun;
};

static struct balancer *make(const struct balance_conf *conf)
{
    struct round_robin *self = mem_zalloc(sizeof *self);

    (void) conf;
    if (!self)
        return NULL;
    self->balancer.ops = &balance_round_robin;
    return &self->balancer;
}

static void drop(struct balancer *balancer)
{
    mem_free(balancer);
}

static size_t next(struct round_robin *self, const struct balance_view *view)
{
    if (!view->weight_sums)
        return (size_t) (self->turn++ % view->n);
    self->phase += UINT64_C(0x9e3779b97f4a7c15);
    return balance_view_at(view, self->phase);
}

static size_t pick(struct balancer *balancer, const struct balance_view *view, const struct balance_hint *hint,
                   struct rand *dice)
{
    struct round_robin *self = CONTAINER_OF(balancer, struct round_robin, balancer);
    size_t at;

    (void) hint;
    if (!self->begun) { /* clients that start together do not all begin with the same endpoint */
        self->turn = rand_u64(dice);
        self->phase = rand_u64(dice);
        self->begun = true;
    }
    at = next(self, view);
    for (int i = 0; !view->even && i < MOST_PASSED && !balance_admits(view->endpoints[at], dice); i++)
        at = next(self, view);
    return at;
}

const struct balance_ops balance_round_robin = { "round_robin", false, make, NULL, pick, drop, NULL, false };
