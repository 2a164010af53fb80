/* SPDX-License-Identifier: Apache-2.0 */
/* How much of what is meant for a zone it keeps, as its answers tell. Pure: time is an argument.
 *
 * Load is demand over limit, in requests a second. The limit is found as congestion control finds it (BBR, "BBR: Congestion-Based
 * Congestion Control", ACM Queue 2016): when answers take twice as long as they took lately, what comes back in that time is what
 * the zone can do; from then on it gets a little less than that, and a little more each second. Demand counts what is spilled, too, so
 * that the load does not change by spilling. */
#ifndef CLUSTER_SPILL_H
#define CLUSTER_SPILL_H

#include <stdbool.h>
#include <stdint.h>

/* What was counted since an interval began. */
struct spill_count {
    uint32_t wanted;   /* requests meant for the zone, also those that were passed on */
    uint32_t answered; /* attempts that ended in it */
    uint32_t failed;
    uint32_t measured;
    uint64_t latency_us; /* sum of the measured ones */
};

enum { SPILL_BASES = 3, SPILL_WHOLE = 65536 };

struct spill {
    uint64_t began_us; /* the interval; 0: none yet */
    struct spill_count now, before;
    float before_s;          /* how long the one before was */
    struct spill_count base; /* since base_began_us: enough of them to say what is normal */
    uint64_t base_began_us;
    float mean_us;   /* of the last interval with enough answers; 0: not known */
    float smooth_us; /* the same over a few intervals */
    uint64_t mean_at_us;
    float rate;                  /* answers a second then */
    float bases_us[SPILL_BASES]; /* least means of ten seconds each, the newest first; 0: none */
    uint64_t newest_us;          /* when the newest of them began */
    float full;                  /* requests a second at which it was congested; 0: it was not yet */
    float limit;                 /* requests a second that it is given; 0: all */
    uint32_t credit;             /* what has added up to the next one that it keeps, 65536ths */
    float spilled;               /* part that is passed on: 0 to 1 */
    uint64_t congested_us;       /* since when; 0: it is not */
    uint64_t limited_us;         /* when the limit was last found */
    uint64_t well_us;            /* since when it is not */
    float congested_rate;        /* its rate then */
};

/* A request is meant for the zone. */
void spill_wanted(struct spill *spill);
/* An attempt in it has ended; latency 0: not measured. */
void spill_ended(struct spill *spill, bool failed, uint64_t latency_us);
/* Judges, when an interval is over. `elsewhere_us` is the mean latency of where the rest would go; 0: not known; `possible`: it
 * could go somewhere. True: a new part is kept. */
bool spill_look(struct spill *spill, bool possible, float elsewhere_us, uint64_t now_us);
/* The mean latency of late; 0: not known. */
float spill_mean_us(const struct spill *spill, uint64_t now_us);
/* One more of those meant for the zone: does it keep it, if it keeps `part` 65536ths? Not by chance, so that its share is even. */
bool spill_takes(struct spill *spill, uint64_t part);
/* 65536ths that the zone keeps. */
uint32_t spill_keep(const struct spill *spill);
/* More of its attempts failed than not, lately. */
bool spill_mostly_fails(const struct spill *spill);

#endif
