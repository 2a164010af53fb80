/* SPDX-License-Identifier: Apache-2.0 */
/* The log-linear histogram: linear steps inside each power of two. */
#include "cli/histogram.h"

enum { STEP_BITS = 6, EXACT = 2 * HISTOGRAM_STEPS };

static size_t bucket_of(uint64_t value)
{
    size_t shift;

    if (value < EXACT)
        return value;
    if (value >> HISTOGRAM_TOP_BIT != 0)
        return HISTOGRAM_BUCKETS - 1;
    shift = (size_t) (63 - __builtin_clzll(value)) - STEP_BITS;
    return shift * HISTOGRAM_STEPS + (value >> shift);
}

/* The highest value that falls into the bucket. */
static uint64_t top_of(size_t bucket)
{
    size_t shift;

    if (bucket < EXACT)
        return bucket;
    shift = bucket / HISTOGRAM_STEPS - 1;
    return ((bucket % HISTOGRAM_STEPS + HISTOGRAM_STEPS + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->counts[bucket_of(value)]++;
    histogram->total++;
    if (value > histogram->highest)
        histogram->highest = value;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->counts[i] += from->counts[i];
    into->total += from->total;
    if (from->highest > into->highest)
        into->highest = from->highest;
}

uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t) (share * (double) histogram->total + 0.999999), seen = 0;

    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen > 0 && seen >= wanted)
            return top_of(i) < histogram->highest ? top_of(i) : histogram->highest;
    }
    return histogram->highest;
}
