/* SPDX-License-Identifier: Apache-2.0 */
/* The table of policies, and keeping retries off what was tried. */
#include "balance/balance.h"

#include <string.h>

static const struct balance_ops *const policies[] = {
    &balance_adaptive,  &balance_least_request, &balance_round_robin, &balance_random,
    &balance_ring_hash, &balance_maglev,        &balance_pick_first,  &balance_weighted_round_robin,
};

const struct balance_ops *balance_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(policies); i++)
        if (strcmp(policies[i]->name, name) == 0)
            return policies[i];
    return NULL;
}

bool balance_was_tried(const struct balance_hint *hint, const struct balance_endpoint *endpoint)
{
    for (size_t i = 0; i < hint->n_tried; i++)
        if (hint->tried[i] == endpoint)
            return true;
    return false;
}

bool balance_prepare(struct balancer *self, const struct balance_view *view)
{
    return view->n == 0 || !self->ops->prepare || self->ops->prepare(self, view);
}

int64_t balance_pick(struct balancer *self, const struct balance_view *view, const struct balance_hint *hint,
                     struct rand *dice)
{
    size_t chosen;

    if (view->n == 0)
        return -1;
    chosen = self->ops->pick(self, view, hint, dice);
    for (size_t step = 0; step < view->n && step <= hint->n_tried; step++) {
        size_t at = (chosen + step) % view->n;

        if (balance_was_tried(hint, view->endpoints[at]))
            continue;
        if (hint->choice)
            hint->choice->was_moved = step > 0;
        return (int64_t) at;
    }
    return (int64_t) chosen;
}
