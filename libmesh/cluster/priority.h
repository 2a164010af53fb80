/* SPDX-License-Identifier: Apache-2.0 */
/* Which part of the requests each priority gets, by how many of its endpoints are usable. Pure.
 * The arithmetic is Envoy's (docs: "Priority levels", "Degraded endpoints", "Panic threshold"): whole percents, overprovisioning,
 * panic. */
#ifndef CLUSTER_PRIORITY_H
#define CLUSTER_PRIORITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

struct priority {
    uint32_t level;                   /* 0 is best */
    uint64_t n, n_usable, n_degraded; /* by heads, or by weights; a degraded one is not among the usable */
    uint64_t heads, heads_usable;     /* what panic goes by: degraded ones count as usable */
    uint32_t load, degraded_load;     /* percents of the requests; those of all add up to 100 */
    bool panic;                       /* all of its endpoints are used, usable or not */
};

/* Fills loads and `panic` of n priorities, best first, none of them empty. `overprovisioning` and `panic` are percents; with panic 0
 * only a cluster without a single usable endpoint panics. */
void priority_share(struct priority *priorities, size_t n, uint32_t overprovisioning, uint32_t panic);
/* The index of the one that gets a request; *degraded: its degraded endpoints do. */
size_t priority_pick(const struct priority *priorities, size_t n, struct rand *dice, bool *degraded);

#endif
