/* SPDX-License-Identifier: Apache-2.0 */
/* A log-linear histogram whose counts are halved every thousand answers. */
#include "cluster/latency.h"

enum { HALVE_AT = 1000 };

unsigned latency_bucket(uint64_t us)
{
    unsigned octave, bucket;

    if (us < 4)
        return (unsigned) us;
    octave = 63 - (unsigned) __builtin_clzll(us);
    bucket = (octave - 1) * 4 + (unsigned) (us >> (octave - 2) & 3);
    return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

uint64_t latency_bucket_top(unsigned bucket)
{
    unsigned octave = bucket / 4 + 1;

    return bucket < 4 ? bucket : ((uint64_t) (bucket % 4 + 5) << (octave - 2)) - 1;
}

static void halve(struct latency *latency)
{
    latency->n = 0;
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        latency->counts[i] /= 2;
        latency->n += latency->counts[i];
    }
}

void latency_add(struct latency *latency, uint64_t us)
{
    if (latency->n >= HALVE_AT)
        halve(latency);
    latency->counts[latency_bucket(us)]++;
    latency->n++;
}

uint64_t latency_quantile_us(const struct latency *latency, uint32_t percent)
{
    uint64_t wanted = ((uint64_t) latency->n * percent + 99) / 100, seen = 0;

    if (latency->n < LATENCY_FEWEST)
        return 0;
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        seen += latency->counts[i];
        if (seen >= wanted)
            return latency_bucket_top(i);
    }
    return latency_bucket_top(LATENCY_BUCKETS - 1);
}
