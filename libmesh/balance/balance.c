/* SPDX-License-Identifier: Apache-2.0 */
/* The view of the endpoints, the table of policies, and keeping retries off what was tried. */
#include "balance/balance.h"

#include <string.h>

static const struct balance_ops *const policies[] = {
    &balance_least_request,
    &balance_round_robin,
    &balance_random,
};

const struct balance_ops *balance_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(policies); i++)
        if (strcmp(policies[i]->name, name) == 0)
            return policies[i];
    return NULL;
}

static bool weights_differ(struct balance_endpoint *const *endpoints, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (endpoints[i]->weight != endpoints[0]->weight)
            return true;
    return false;
}

bool balance_view_build(struct balance_view *view, struct balance_endpoint *const *endpoints, size_t n)
{
    struct balance_view built = { .n = n };
    uint64_t sum = 0;

    built.endpoints = mem_array(n, sizeof *built.endpoints);
    if (!built.endpoints)
        return false;
    if (weights_differ(endpoints, n)) {
        built.weight_sums = mem_array(n, sizeof *built.weight_sums);
        if (!built.weight_sums) {
            mem_free(built.endpoints);
            return false;
        }
    }
    for (size_t i = 0; i < n; i++) {
        built.endpoints[i] = endpoints[i];
        sum += endpoints[i]->weight;
        if (built.weight_sums)
            built.weight_sums[i] = sum;
    }
    balance_view_free(view);
    *view = built;
    return true;
}

void balance_view_free(struct balance_view *view)
{
    mem_free(view->endpoints);
    mem_free(view->weight_sums);
    *view = (struct balance_view){ 0 };
}

size_t balance_view_at_weight(const struct balance_view *view, uint64_t at)
{
    size_t low = 0, high = view->n - 1;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (view->weight_sums[middle] > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

size_t balance_view_sample(const struct balance_view *view, struct rand *dice)
{
    if (!view->weight_sums)
        return (size_t) rand_below(dice, view->n);
    return balance_view_at_weight(view, rand_below(dice, view->weight_sums[view->n - 1]));
}

static bool was_tried(const struct balance_hint *hint, const struct balance_endpoint *endpoint)
{
    for (size_t i = 0; i < hint->n_tried; i++)
        if (hint->tried[i] == endpoint)
            return true;
    return false;
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

        if (!was_tried(hint, view->endpoints[at]))
            return (int64_t) at;
    }
    return (int64_t) chosen;
}
