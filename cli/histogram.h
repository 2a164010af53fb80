/* SPDX-License-Identifier: Apache-2.0 */
/* Latencies counted in buckets that are narrow where values are small: exact below 128, then within 1.6 %. */
#ifndef CLI_HISTOGRAM_H
#define CLI_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

/* 64 steps for each doubling, up to 2^36: 19 hours in microseconds. */
enum { HISTOGRAM_STEPS = 64, HISTOGRAM_TOP_BIT = 36 };
enum { HISTOGRAM_BUCKETS = HISTOGRAM_STEPS * (HISTOGRAM_TOP_BIT - 5) };

/* Zeroed is empty. */
struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total, highest;
};

void histogram_add(struct histogram *histogram, uint64_t value);
void histogram_merge(struct histogram *into, const struct histogram *from);
/* The value that `share` (0 to 1) of all do not exceed; 0 when it is empty. */
uint64_t histogram_quantile(const struct histogram *histogram, double share);

#endif
