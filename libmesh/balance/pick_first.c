/* SPDX-License-Identifier: Apache-2.0 */
/* The first endpoint that is usable, all requests to the one: in the order in which they are listed, or in one of the client's own.
 * Views have usable endpoints alone, so that the next one serves while the first is not well. */
#include "balance/balance.h"

#include <string.h>

struct pick_first {
    struct balancer balancer;
    bool shuffle, chosen;
    uint64_t seed; /* 0: not drawn yet */
    size_t first;
};

static struct balancer *make(const struct balance_conf *conf)
{
    struct pick_first *self = mem_zalloc(sizeof *self);

    if (!self)
        return NULL;
    self->balancer.ops = &balance_pick_first;
    self->shuffle = conf->shuffle;
    return &self->balancer;
}

static void drop(struct balancer *balancer)
{
    mem_free(balancer);
}

static bool prepare(struct balancer *balancer, const struct balance_view *view)
{
    (void) view;
    CONTAINER_OF(balancer, struct pick_first, balancer)->chosen = false;
    return true;
}

/* By rendezvous hashing: who stays keeps its place, whoever comes and goes. */
static size_t find_first(const struct pick_first *self, const struct balance_view *view)
{
    uint64_t best = UINT64_MAX;
    size_t found = 0;

    for (size_t i = 0; i < view->n; i++) {
        const char *key = view->endpoints[i]->hash_key;
        uint64_t both[2] = { self->seed, hash_bytes(key, strlen(key)) };
        uint64_t hash = hash_bytes(both, sizeof both);

        if (hash >= best)
            continue;
        best = hash;
        found = i;
    }
    return found;
}

static size_t pick(struct balancer *balancer, const struct balance_view *view, const struct balance_hint *hint,
                   struct rand *dice)
{
    struct pick_first *self = CONTAINER_OF(balancer, struct pick_first, balancer);

    (void) hint;
    if (!self->shuffle)
        return 0;
    if (self->seed == 0)
        self->seed = rand_u64(dice) | 1;
    if (!self->chosen)
        self->first = find_first(self, view);
    self->chosen = true;
    return self->first;
}

const struct balance_ops balance_pick_first = { "pick_first", false, make, prepare, pick, drop, NULL, false };
