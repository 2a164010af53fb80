/* SPDX-License-Identifier: Apache-2.0 */
/* How long one endpoint's answers take: a small histogram that forgets. Pure. */
#ifndef CLUSTER_LATENCY_H
#define CLUSTER_LATENCY_H

#include <stdint.h>

/* Four steps an octave: a value is known to within a fifth. Up to about an hour. */
enum { LATENCY_BUCKETS = 128 };
/* So many answers are needed to say something. */
enum { LATENCY_FEWEST = 20 };

struct latency {
    uint32_t n;
    uint16_t counts[LATENCY_BUCKETS];
};

unsigned latency_bucket(uint64_t us);
uint64_t latency_bucket_top(unsigned bucket);
void latency_add(struct latency *latency, uint64_t us);
/* The value below which `percent` of the answers lie, rounded up to its step; 0 when fewer than 20 are known. */
uint64_t latency_quantile_us(const struct latency *latency, uint32_t percent);

#endif
