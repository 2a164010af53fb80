/* SPDX-License-Identifier: Apache-2.0 */
/* Isolation after failures, one probe, slow recovery. After Envoy's outlier detection (consecutive failures, success
 * rate, ejection that doubles, a cap) and Finagle's failure accrual (one probe before traffic returns). */
#include "cluster/outlier.h"

#include <string.h>

enum { LEAST_SHARE = 10, SLOW_FACTOR = 10, MOST_DOUBLINGS = 20 };

/* Nothing but late answers for so long. */
#define DUMB_US (3 * US_PER_S)
/* Well for so long, and the next isolation begins with the shortest time again. */
#define FORGIVEN_US (30 * US_PER_S)

static void enter(struct outlier *outlier, enum outlier_state state, uint64_t now_us)
{
    outlier->state = state;
    outlier->since_us = now_us;
}

/* ---- the last ten seconds ---- */

static unsigned slot_of(struct outlier *outlier, uint64_t now_us)
{
    uint64_t second = now_us / US_PER_S;

    if (second - outlier->second >= OUTLIER_SECONDS) {
        memset(outlier->answered, 0, sizeof outlier->answered);
        memset(outlier->failed, 0, sizeof outlier->failed);
        outlier->second = second;
    }
    while (outlier->second < second) {
        outlier->second++;
        outlier->answered[outlier->second % OUTLIER_SECONDS] = 0;
        outlier->failed[outlier->second % OUTLIER_SECONDS] = 0;
    }
    return (unsigned) (second % OUTLIER_SECONDS);
}

static bool rate_is_low(const struct outlier *outlier, const struct policy_outlier *conf)
{
    uint64_t answered = 0, all = 0;

    if (conf->success_percent == 0)
        return false;
    for (unsigned i = 0; i < OUTLIER_SECONDS; i++) {
        answered += outlier->answered[i];
        all += outlier->answered[i] + outlier->failed[i];
    }
    return all >= conf->min_requests && answered * 100 < all * conf->success_percent;
}

/* What happened before does not count a second time. */
static void forget(struct outlier *outlier)
{
    memset(outlier->answered, 0, sizeof outlier->answered);
    memset(outlier->failed, 0, sizeof outlier->failed);
    outlier->in_row = outlier->late_in_row = 0;
}

/* ---- attempts ---- */

static void begin_recovery(struct outlier *outlier, const struct policy_outlier *conf, uint64_t now_us)
{
    uint64_t slow_us = SLOW_FACTOR * (now_us - outlier->isolated_us);

    if (slow_us > conf->slow_start_ms * US_PER_MS)
        slow_us = conf->slow_start_ms * US_PER_MS;
    enter(outlier, slow_us > 0 ? OUTLIER_RECOVERING : OUTLIER_WELL, now_us);
    outlier->until_us = now_us + slow_us;
    forget(outlier);
}

bool outlier_answered(struct outlier *outlier, const struct policy_outlier *conf, uint64_t now_us)
{
    outlier->answered[slot_of(outlier, now_us)]++;
    outlier->in_row = outlier->late_in_row = 0;
    if (outlier->state == OUTLIER_PROBED)
        begin_recovery(outlier, conf, now_us);
    outlier->by_rate = rate_is_low(outlier, conf);
    return outlier_is_in(outlier) && outlier->by_rate;
}

bool outlier_failed(struct outlier *outlier, const struct policy_outlier *conf, uint64_t now_us)
{
    outlier->failed[slot_of(outlier, now_us)]++;
    outlier->in_row++;
    if (outlier->state == OUTLIER_PROBED)
        return true;
    if (!outlier_is_in(outlier))
        return false;
    outlier->by_rate = false;
    if (conf->consecutive > 0 && outlier->in_row >= conf->consecutive)
        return true;
    outlier->by_rate = rate_is_low(outlier, conf);
    return outlier->by_rate;
}

bool outlier_late(struct outlier *outlier, const struct policy_outlier *conf, uint64_t now_us)
{
    if (outlier->late_in_row++ == 0)
        outlier->late_us = now_us;
    if (!outlier_is_in(outlier))
        return outlier->state == OUTLIER_PROBED;
    outlier->by_rate = false;
    return conf->consecutive > 0 && outlier->late_in_row >= conf->consecutive && now_us - outlier->late_us >= DUMB_US;
}

/* ---- isolation ---- */

static void isolate(struct outlier *outlier, uint64_t wait_us, uint64_t now_us)
{
    if (outlier_is_in(outlier))
        outlier->isolated_us = now_us;
    enter(outlier, OUTLIER_ISOLATED, now_us);
    outlier->follows = false;
    outlier->until_us = now_us + wait_us;
    forget(outlier);
}

void outlier_isolate(struct outlier *outlier, const struct policy_outlier *conf, uint64_t now_us, struct rand *dice)
{
    uint64_t most = conf->max_ms * US_PER_MS, wait = conf->base_ms * US_PER_MS;

    if (outlier->state == OUTLIER_WELL && now_us - outlier->since_us > FORGIVEN_US)
        outlier->times = 0;
    for (uint32_t i = 0; i < outlier->times && wait < most; i++)
        wait *= 2;
    if (wait > most)
        wait = most;
    if (outlier->times < MOST_DOUBLINGS)
        outlier->times++;
    isolate(outlier, wait / 2 + rand_below(dice, wait / 2 + 1), now_us);
}

void outlier_isolate_for(struct outlier *outlier, uint64_t wait_us, uint64_t now_us)
{
    isolate(outlier, wait_us, now_us);
}

void outlier_rejoin(struct outlier *outlier, const struct policy_outlier *conf, uint64_t now_us)
{
    begin_recovery(outlier, conf, now_us);
}

void outlier_release(struct outlier *outlier, uint64_t now_us)
{
    enter(outlier, OUTLIER_WELL, now_us);
    forget(outlier);
}

uint32_t outlier_failed_lately(const struct outlier *outlier, uint64_t now_us)
{
    uint64_t second = now_us / US_PER_S;
    uint32_t failed = 0;

    for (uint64_t at = second - 1; at <= second; at++)
        if (at <= outlier->second && outlier->second - at < OUTLIER_SECONDS)
            failed += outlier->failed[at % OUTLIER_SECONDS];
    return failed;
}

void outlier_join(struct outlier *outlier, uint64_t slow_us, uint64_t now_us)
{
    enter(outlier, OUTLIER_RECOVERING, now_us);
    outlier->until_us = now_us + slow_us;
}

bool outlier_tick(struct outlier *outlier, uint64_t now_us)
{
    bool timed = outlier->state == OUTLIER_ISOLATED || outlier->state == OUTLIER_RECOVERING;

    if (!timed || now_us < outlier->until_us)
        return false;
    enter(outlier, outlier->state == OUTLIER_ISOLATED ? OUTLIER_DUE : OUTLIER_WELL, now_us);
    return true;
}

void outlier_probe(struct outlier *outlier, uint64_t now_us)
{
    enter(outlier, OUTLIER_PROBED, now_us);
}

void outlier_probe_untold(struct outlier *outlier, uint64_t now_us)
{
    if (outlier->state == OUTLIER_PROBED)
        enter(outlier, OUTLIER_DUE, now_us);
}

bool outlier_is_in(const struct outlier *outlier)
{
    return outlier->state == OUTLIER_WELL || outlier->state == OUTLIER_RECOVERING;
}

uint32_t outlier_share(const struct outlier *outlier, uint64_t now_us)
{
    uint64_t whole = outlier->until_us - outlier->since_us, gone = now_us - outlier->since_us;
    uint64_t percent;

    if (outlier->state != OUTLIER_RECOVERING || gone >= whole)
        return 100;
    percent = gone * 100 / whole;
    return percent < LEAST_SHARE ? LEAST_SHARE : (uint32_t) percent;
}

bool outlier_may_isolate(uint32_t n, uint32_t isolated, uint32_t max_percent)
{
    uint64_t most = (uint64_t) n * max_percent / 100;

    if (n < 2 || max_percent == 0)
        return false;
    return isolated < (most > 0 ? most : 1);
}
