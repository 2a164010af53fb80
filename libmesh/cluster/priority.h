/* SPDX-License-Identifier: Apache-2.0 */
/* Which part of the requests each priority gets, by how many of its endpoints are usable. Pure.
 * The arithmetic is Envoy's (docs: "Priority levels", "Panic threshold"): whole percents, overprovisioning, panic. */
#ifndef CLUSTER_PRIORITY_H
#define CLUSTER_PRIORITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

struct priority {
    uint32_t level; /* 0 is best */
    uint32_t n, n_usable;
    uint32_t load; /* percent of the requests; the loads of all add up to 100 */
    bool panic;    /* all of its endpoints are used, usable or not */
};

/* Fills `load` and `panic` of n priorities, best first, none of them empty. `overprovisioning` and `panic` are percents; with panic 0
 * only a cluster without a single usable endpoint panics. */
void priority_share(struct priority *priorities, size_t n, uint32_t overprovisioning, uint32_t panic);
/* The index of the one that gets a request. */
size_t priority_pick(const struct priority *priorities, size_t n, struct rand *dice);

#endif
