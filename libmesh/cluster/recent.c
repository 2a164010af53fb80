/* SPDX-License-Identifier: Apache-2.0 */
/* A histogram of the last thirty seconds: a ring of ten, and their sum. */
#include "cluster/recent.h"

#include <string.h>

#include "base/clock.h"

#define SLOT_US (RECENT_SLOT_S * US_PER_S)

static void forget(struct recent *recent, uint32_t counts[LATENCY_BUCKETS])
{
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        recent->all[i] -= counts[i];
        recent->n -= counts[i];
    }
    memset(counts, 0, LATENCY_BUCKETS * sizeof counts[0]);
}

static void advance(struct recent *recent, uint64_t now_us)
{
    uint64_t slot = now_us / SLOT_US;

    if (slot > recent->slot + RECENT_SLOTS)
        recent->slot = slot - RECENT_SLOTS;
    while (recent->slot < slot)
        forget(recent, recent->counts[++recent->slot % RECENT_SLOTS]);
}

void recent_add(struct recent *recent, uint64_t us, uint64_t now_us)
{
    unsigned bucket = latency_bucket(us);

    advance(recent, now_us);
    recent->counts[recent->slot % RECENT_SLOTS][bucket]++;
    recent->all[bucket]++;
    recent->n++;
}

void recent_add_least(struct recent *recent, uint64_t us, uint64_t now_us)
{
    if (recent->quantile_us > 0 && us > recent->quantile_us)
        recent_add(recent, us, now_us);
}

static uint64_t quantile(const struct recent *recent, uint32_t percent)
{
    uint64_t wanted = ((uint64_t) recent->n * percent + 99) / 100, seen = 0;
    unsigned bucket = 0;

    if (recent->n < LATENCY_FEWEST)
        return 0;
    while (bucket < LATENCY_BUCKETS - 1 && (seen += recent->all[bucket]) < wanted)
        bucket++;
    return latency_bucket_top(bucket);
}

uint64_t recent_quantile_us(struct recent *recent, uint32_t percent, uint64_t now_us)
{
    advance(recent, now_us);
    if (recent->quantile_us > 0 && recent->asked_slot == recent->slot && recent->percent == percent)
        return recent->quantile_us;
    recent->quantile_us = quantile(recent, percent);
    recent->asked_slot = recent->slot;
    recent->percent = percent;
    return recent->quantile_us;
}
