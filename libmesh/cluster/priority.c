/* SPDX-License-Identifier: Apache-2.0 */
/* Shares of priorities, as Envoy's load balancer computes them (envoy/source/extensions/load_balancing_policies/common,
 * recalculatePerPriorityState): health, normalised when less than 100 is left, the rest of rounding to the first. */
#include "cluster/priority.h"

enum { WHOLE = 100 };

static uint32_t health_of(uint64_t n_well, uint64_t n, uint32_t overprovisioning)
{
    double health = n > 0 ? (double) overprovisioning * (double) n_well / (double) n : 0;

    if (health < 1 && n_well > 0)
        return 1; /* unlike Envoy: one of a thousand is not nobody */
    return health < WHOLE ? (uint32_t) health : WHOLE;
}

static uint32_t healthy(const struct priority *priority, uint32_t overprovisioning)
{
    return health_of(priority->n_usable, priority->n, overprovisioning);
}

static uint32_t degraded(const struct priority *priority, uint32_t overprovisioning)
{
    return health_of(priority->n_degraded, priority->n, overprovisioning);
}

static uint32_t total_health(const struct priority *priorities, size_t n, uint32_t overprovisioning)
{
    uint32_t total = 0;

    for (size_t i = 0; i < n && total < WHOLE; i++)
        total += healthy(&priorities[i], overprovisioning) + degraded(&priorities[i], overprovisioning);
    return total < WHOLE ? total : WHOLE;
}

static bool is_below(const struct priority *priority, uint32_t percent)
{
    return priority->heads_usable * WHOLE < priority->heads * percent;
}

/* Everybody panics: shares by the number of endpoints. */
static void share_by_size(struct priority *priorities, size_t n)
{
    uint64_t all = 0;
    uint32_t left = WHOLE;

    for (size_t i = 0; i < n; i++)
        all += priorities[i].heads;
    for (size_t i = 0; i < n; i++) {
        priorities[i].panic = true;
        priorities[i].load = (uint32_t) (priorities[i].heads * WHOLE / all);
        left -= priorities[i].load;
    }
    priorities[0].load += left;
}

/* `health` of `total`, as far as it is left. */
static uint32_t take(uint32_t health, uint32_t total, uint32_t *left)
{
    uint32_t load = health * WHOLE / total;

    if (load > *left)
        load = *left;
    *left -= load;
    return load;
}

static void share_by_health(struct priority *priorities, size_t n, uint32_t overprovisioning, uint32_t total)
{
    uint32_t left = WHOLE;
    uint32_t *first = NULL;

    for (size_t i = 0; i < n; i++) {
        priorities[i].load = take(healthy(&priorities[i], overprovisioning), total, &left);
        if (!first && priorities[i].n_usable > 0)
            first = &priorities[i].load;
    }
    for (size_t i = 0; i < n; i++) {
        priorities[i].degraded_load = take(degraded(&priorities[i], overprovisioning), total, &left);
        if (!first && priorities[i].n_degraded > 0)
            first = &priorities[i].degraded_load;
    }
    if (first)
        *first += left;
}

void priority_share(struct priority *priorities, size_t n, uint32_t overprovisioning, uint32_t panic)
{
    uint32_t total = total_health(priorities, n, overprovisioning);
    bool all_panic = true;

    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++) {
        priorities[i].load = priorities[i].degraded_load = 0;
        priorities[i].panic = total < WHOLE && is_below(&priorities[i], panic);
        all_panic = all_panic && priorities[i].panic;
    }
    if (total == 0 || all_panic)
        share_by_size(priorities, n);
    else
        share_by_health(priorities, n, overprovisioning, total);
}

size_t priority_pick(const struct priority *priorities, size_t n, struct rand *dice, bool *is_degraded)
{
    bool alone = n == 1 && priorities[0].degraded_load == 0;
    uint64_t at = alone ? 0 : rand_below(dice, WHOLE);

    *is_degraded = false;
    for (size_t i = 0; i < n; i++) {
        if (at < priorities[i].load)
            return i;
        at -= priorities[i].load;
    }
    *is_degraded = true;
    for (size_t i = 0; i < n; i++) {
        if (at < priorities[i].degraded_load)
            return i;
        at -= priorities[i].degraded_load;
    }
    *is_degraded = false;
    return n - 1;
}
