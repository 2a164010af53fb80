/* SPDX-License-Identifier: Apache-2.0 */
/* How many requests at once a cluster can take, learned from its latency: Gradient2 of Netflix' concurrency-limits. Pure: time
 * is an argument. One for each cluster and loop, without locks: what one loop has in flight is a fair sample of what all have.
 *
 * After each window - 100 answers, or a second with at least ten - `short` is their mean, `long` a slow average of those means,
 * and L = 0.8 L + 0.2 (L g + max(4, sqrt L)) with g = 1.5 long / short within 0.5 and 1. L does not grow while less than half
 * of it is in use; a window in which somebody was turned away makes it 0.9 L.
 * The long average moves with time, not with the number of windows, by 1/300 a second: else a busy service would be used to its
 * own overload within seconds. */
#ifndef CLUSTER_CONCURRENCY_H
#define CLUSTER_CONCURRENCY_H

#include <stdbool.h>
#include <stdint.h>

#include "model/model.h"

/* Zeroed: nothing is known, and the limit is the policy's initial one. */
struct concurrency {
    double limit;   /* L; 0: not begun */
    double long_us; /* the slow average */
    uint32_t windows;
    uint32_t active;
    uint64_t began_us, sum_us;      /* of the window: its first sample; all latencies */
    uint32_t answered, turned_away; /* in it */
    uint32_t most;                  /* in flight at once in it */
};

/* How many may run at once now, at least 1. */
uint32_t concurrency_limit(const struct concurrency *concurrency, const struct policy_concurrency *policy);
/* Another request runs: false when the limit is reached, and it does not. */
bool concurrency_enter(struct concurrency *concurrency, const struct policy_concurrency *policy);
void concurrency_leave(struct concurrency *concurrency);
/* A usable answer came after latency_us. */
void concurrency_answered(struct concurrency *concurrency, const struct policy_concurrency *policy, uint64_t latency_us,
                          uint64_t now_us);
/* One was turned away, or had no answer in time. */
void concurrency_turned_away(struct concurrency *concurrency, const struct policy_concurrency *policy, uint64_t now_us);

#endif
