/* SPDX-License-Identifier: Apache-2.0 */
/* How long a cluster's answers took in the last half minute: what "late" means. Pure: time is an argument. */
#ifndef CLUSTER_RECENT_H
#define CLUSTER_RECENT_H

#include "cluster/latency.h"

enum { RECENT_SLOTS = 10, RECENT_SLOT_S = 3 };

/* Zeroed: nothing is known. */
struct recent {
    uint64_t slot; /* the newest one's number */
    uint32_t counts[RECENT_SLOTS][LATENCY_BUCKETS];
    uint32_t all[LATENCY_BUCKETS]; /* of all slots */
    uint32_t n;
    /* The last question and its answer, which holds for a slot's time. */
    uint32_t percent;
    uint64_t quantile_us, asked_slot;
};

void recent_add(struct recent *recent, uint64_t us, uint64_t now_us);
/* An attempt that was ended after so long: it would have taken longer. Counts if it is longer than the quantile that is known;
 * else nothing is learnt. */
void recent_add_least(struct recent *recent, uint64_t us, uint64_t now_us);
/* As latency_quantile_us(), refreshed at most every three seconds. */
uint64_t recent_quantile_us(struct recent *recent, uint32_t percent, uint64_t now_us);

#endif
