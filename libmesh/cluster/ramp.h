/* SPDX-License-Identifier: Apache-2.0 */
/* After a total outage: as many requests as the endpoints that are back can be expected to carry, so that those who come
 * first are not run over. Pure: time and dice are arguments. */
#ifndef CLUSTER_RAMP_H
#define CLUSTER_RAMP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"

struct ramp {
    bool runs;
    uint32_t usable;     /* when last looked at */
    uint64_t changed_us; /* when that changed */
};

/* The number of usable endpoints, whenever it is found. True: the ramp began or ended. */
bool ramp_see(struct ramp *ramp, uint32_t usable, uint64_t now_us);
/* May a request go to one of `usable` of n endpoints? In a ramp: usable of half of n. */
bool ramp_admits(const struct ramp *ramp, uint32_t n, struct rand *dice);

#endif
