/* SPDX-License-Identifier: Apache-2.0 */
/* Latencies in a log-linear histogram: exact below 64 ns, 64 steps an octave above. */
#include "load/histogram.h"

enum { STEP_BITS = 6 };

static unsigned bucket_of(uint64_t ns)
{
    unsigned octave;

    if (ns < HISTOGRAM_STEPS)
        return (unsigned) ns;
    octave = 63U - (unsigned) __builtin_clzll(ns) - STEP_BITS + 1;
    if (octave >= HISTOGRAM_OCTAVES)
        return HISTOGRAM_BUCKETS - 1;
    return octave * HISTOGRAM_STEPS + (unsigned) (ns >> (octave - 1)) - HISTOGRAM_STEPS;
}

/* The smallest value that falls into a bucket. */
static double bucket_start(unsigned bucket)
{
    unsigned octave = bucket / HISTOGRAM_STEPS, step = bucket % HISTOGRAM_STEPS;

    if (octave == 0)
        return step;
    return (double) ((uint64_t) (HISTOGRAM_STEPS + step) << (octave - 1));
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
    histogram->counts[bucket_of(ns)]++;
    histogram->n++;
    if (ns > histogram->most_ns)
        histogram->most_ns = ns;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    into->n += from->n;
    if (from->most_ns > into->most_ns)
        into->most_ns = from->most_ns;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->counts[i] += from->counts[i];
}

double histogram_quantile(const struct histogram *histogram, double fraction)
{
    double wanted = fraction * (double) histogram->n, below = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        double here = histogram->counts[i];

        if (here > 0 && below + here >= wanted)
            return bucket_start(i) + (bucket_start(i + 1) - bucket_start(i)) * (wanted - below) / here;
        below += here;
    }
    return 0;
}
