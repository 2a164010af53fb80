/* SPDX-License-Identifier: Apache-2.0 */
/* Shares of priorities, as Envoy's load balancer computes them (envoy/source/extensions/load_balancing_policies/common,
 * recalculatePerPriorityState): health, normalised when less than 100 is left, the rest of rounding to the first. */
#include "cluster/priority.h"

enum { WHOLE = 100 };

static uint32_t health_of(const struct priority *priority, uint32_t overprovisioning)
{
    uint64_t health = (uint64_t) overprovisioning * priority->n_usable / priority->n;

    if (health == 0 && priority->n_usable > 0)
        return 1; /* unlike Envoy: one of a thousand is not nobody */
    return health < WHOLE ? (uint32_t) health : WHOLE;
}

static uint32_t total_health(const struct priority *priorities, size_t n, uint32_t overprovisioning)
{
    uint32_t total = 0;

    for (size_t i = 0; i < n && total < WHOLE; i++)
        total += health_of(&priorities[i], overprovisioning);
    return total < WHOLE ? total : WHOLE;
}

static bool is_below(const struct priority *priority, uint32_t percent)
{
    return (uint64_t) priority->n_usable * WHOLE < (uint64_t) priority->n * percent;
}

/* Everybody panics: shares by the number of endpoints. */
static void share_by_size(struct priority *priorities, size_t n)
{
    uint64_t all = 0;
    uint32_t left = WHOLE;

    for (size_t i = 0; i < n; i++)
        all += priorities[i].n;
    for (size_t i = 0; i < n; i++) {
        priorities[i].panic = true;
        priorities[i].load = (uint32_t) ((uint64_t) priorities[i].n * WHOLE / all);
        left -= priorities[i].load;
    }
    priorities[0].load += left;
}

static void share_by_health(struct priority *priorities, size_t n, uint32_t overprovisioning, uint32_t total)
{
    uint32_t left = WHOLE;
    struct priority *first = NULL;

    for (size_t i = 0; i < n; i++) {
        uint32_t load = health_of(&priorities[i], overprovisioning) * WHOLE / total;

        priorities[i].load = load < left ? load : left;
        left -= priorities[i].load;
        if (!first && priorities[i].n_usable > 0)
            first = &priorities[i];
    }
    if (first)
        first->load += left;
}

void priority_share(struct priority *priorities, size_t n, uint32_t overprovisioning, uint32_t panic)
{
    uint32_t total = total_health(priorities, n, overprovisioning);
    bool all_panic = true;

    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++) {
        priorities[i].panic = total < WHOLE && is_below(&priorities[i], panic);
        all_panic = all_panic && priorities[i].panic;
    }
    if (total == 0 || all_panic)
        share_by_size(priorities, n);
    else
        share_by_health(priorities, n, overprovisioning, total);
}

size_t priority_pick(const struct priority *priorities, size_t n, struct rand *dice)
{
    uint64_t at = n > 1 ? rand_below(dice, WHOLE) : 0;

    for (size_t i = 0; i + 1 < n; i++) {
        if (at < priorities[i].load)
            return i;
        at -= priorities[i].load;
    }
    return n - 1;
}
