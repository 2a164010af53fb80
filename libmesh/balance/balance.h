/* SPDX-License-Identifier: Apache-2.0 */
/* The door of balance/: which of a cluster's usable endpoints gets the next attempt. Pure: dice are an argument, one algorithm
 * a file behind a table of functions. */
#ifndef BALANCE_BALANCE_H
#define BALANCE_BALANCE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

/* What a balancer knows of one endpoint. Shared by all loops: relaxed atomics. */
struct balance_endpoint {
    _Atomic uint32_t active; /* attempts in flight */
    _Atomic uint32_t weight; /* 1 and up */
};

/* The endpoints to choose from. Rebuilt when their set or their health changes, never per request. */
struct balance_view {
    size_t n;
    struct balance_endpoint **endpoints;
    uint64_t *weight_sums; /* running sums of the weights; NULL: all weights are equal */
};

/* An empty view is all zeros. False: out of memory, the view stays as it was. The endpoints are borrowed. */
bool balance_view_build(struct balance_view *view, struct balance_endpoint *const *endpoints, size_t n);
void balance_view_free(struct balance_view *view);
/* The endpoint whose share of the sum of weights covers `at` (below the sum); only with unequal weights. */
size_t balance_view_at_weight(const struct balance_view *view, uint64_t at);
/* One endpoint at random, by weight; n is not 0. */
size_t balance_view_sample(const struct balance_view *view, struct rand *dice);

/* What the attempt asks for. */
struct balance_hint {
    uint64_t key;                          /* of hashing policies */
    struct balance_endpoint *const *tried; /* by earlier attempts: not again while there is another */
    size_t n_tried;
};

struct balancer;

struct balance_ops {
    const char *name;
    struct balancer *(*make)(void); /* NULL: out of memory */
    /* Index into the view, whose n is not 0. */
    size_t (*pick)(struct balancer *self, const struct balance_view *view, const struct balance_hint *hint,
                   struct rand *dice);
    void (*free)(struct balancer *self);
};

/* First member of each. */
struct balancer {
    const struct balance_ops *ops;
};

extern const struct balance_ops balance_least_request;
extern const struct balance_ops balance_round_robin;
extern const struct balance_ops balance_random;

/* NULL: no policy of that name. */
const struct balance_ops *balance_find(const char *name);

/* The policy's choice; when that was tried already and another is left, one that was not, nearest after it.
 * An index into the view; -1 when the view is empty. */
int64_t balance_pick(struct balancer *self, const struct balance_view *view, const struct balance_hint *hint,
                     struct rand *dice);

#endif
