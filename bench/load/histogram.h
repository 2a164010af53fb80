/* SPDX-License-Identifier: Apache-2.0 */
/* Latencies of one thread in bounded memory: 64 steps an octave, so a value is known to within 1.6 %. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_STEPS = 64, HISTOGRAM_OCTAVES = 32, HISTOGRAM_BUCKETS = HISTOGRAM_STEPS * HISTOGRAM_OCTAVES };

struct histogram {
    uint64_t n;
    uint64_t most_ns;
    uint32_t counts[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t ns);
void histogram_merge(struct histogram *into, const struct histogram *from);
/* The value below which `fraction` (0 to 1) of all lie, nanoseconds; interpolated within its step. 0: nothing was added. */
double histogram_quantile(const struct histogram *histogram, double fraction);

#endif
