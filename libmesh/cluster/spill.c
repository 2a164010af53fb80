/* SPDX-License-Identifier: Apache-2.0 */
/* Demand against what a zone can do. Why it is so, with measurements: docs/architecture.md, "Zones". */
#include "cluster/spill.h"

#include <math.h>

#include "base/clock.h"

#define INTERVAL_US (250 * US_PER_MS)
#define LONGEST_US  (2 * US_PER_S)  /* with fewer answers than that nothing is judged */
#define BASE_US     (10 * US_PER_S) /* how long one least mean is looked for */
#define NOT_LOAD_US (5 * US_PER_S)  /* slow for so long with much less to do: that is how long it takes now */
#define WORK_OFF_US US_PER_S
#define LATELY_US   (5 * US_PER_S)
#define SLACK_US    1000.0f
#define SLOWER      2.0f
#define GIVEN       0.9f
#define GROWTH      0.02f /* of the limit, a second */
#define RETURN \
    0.1f /* of demand, a second, while less than HOME of it is kept: the limit may come from a moment's stall */
#define HOME          0.7f
#define RISE          0.1f /* of the part kept, a second */
#define BETTER        0.7f
#define SMOOTHING     0.3f
#define NEAR          0.95f
#define BEYOND        1.1f
#define ALIKE         0.6f
#define MUCH_LESS     0.8f
#define FORGET_FACTOR 1.5f /* a limit so far above demand is none */

enum { LEAST_ANSWERS = 20, BASE_ANSWERS = 100 };

void spill_wanted(struct spill *spill)
{
    spill->now.wanted++;
}

void spill_ended(struct spill *spill, bool failed, uint64_t latency_us)
{
    struct spill_count *now = &spill->now;

    if (failed)
        now->failed++;
    else
        now->answered++;
    if (latency_us == 0)
        return;
    now->measured++;
    now->latency_us += latency_us;
}

/* ---- what is normal ---- */

static float base_of(const struct spill *spill)
{
    float least = 0;

    for (int i = 0; i < SPILL_BASES; i++)
        if (spill->bases_us[i] > 0 && (least == 0 || spill->bases_us[i] < least))
            least = spill->bases_us[i];
    return least;
}

static float mean_of(const struct spill_count *count)
{
    return (float) count->latency_us / (float) count->measured;
}

static void take_mean(struct spill *spill, float mean, uint64_t now_us)
{
    bool known = spill_mean_us(spill, now_us) > 0;

    spill->smooth_us = known ? spill->smooth_us + SMOOTHING * (mean - spill->smooth_us) : mean;
    spill->mean_us = mean;
    spill->mean_at_us = now_us;
}

static void keep_base(struct spill *spill, float mean, uint64_t now_us)
{
    if (now_us - spill->newest_us >= BASE_US) {
        for (int i = SPILL_BASES - 1; i > 0; i--)
            spill->bases_us[i] = spill->bases_us[i - 1];
        spill->bases_us[0] = 0;
        spill->newest_us = now_us;
    }
    if (spill->bases_us[0] == 0 || mean < spill->bases_us[0])
        spill->bases_us[0] = mean;
}

/* The least of few answers would say less about the zone than about chance. */
static void see_base(struct spill *spill, uint64_t now_us)
{
    spill->base.measured += spill->now.measured;
    spill->base.latency_us += spill->now.latency_us;
    if (spill->base.measured < BASE_ANSWERS || now_us - spill->base_began_us < US_PER_S)
        return;
    keep_base(spill, mean_of(&spill->base), now_us);
    spill->base = (struct spill_count){ 0 };
    spill->base_began_us = now_us;
}

float spill_mean_us(const struct spill *spill, uint64_t now_us)
{
    return now_us - spill->mean_at_us < LATELY_US ? spill->smooth_us : 0;
}

/* It is slow, but not for having much to do: from now on this is normal. */
static void accept_as_normal(struct spill *spill)
{
    for (int i = 0; i < SPILL_BASES; i++)
        spill->bases_us[i] = 0;
    spill->bases_us[0] = spill->mean_us;
    spill->congested_us = 0;
    spill->limit = 0;
}

/* ---- the limit ---- */

/* Chance may make the mean of n answers so much larger: three deviations, if they are spread as exponentially distributed ones. */
static bool is_congested(const struct spill *spill, uint32_t n)
{
    float base = base_of(spill);

    return base > 0 && spill->mean_us > (SLOWER + 3 / sqrtf((float) n)) * base + SLACK_US;
}

/* One measurement is rough: where it was full before counts most, unless it has become quite another zone. */
static void find_limit(struct spill *spill)
{
    bool alike = spill->full > ALIKE * spill->rate && spill->rate > ALIKE * spill->full;

    spill->full = alike ? spill->full + (spill->rate - spill->full) / 4 : spill->rate;
    spill->limit = GIVEN * spill->full;
}

/* What comes back while it is congested is what it can do. It takes a while to work off what has piled up: only then is it asked
 * again whether that was little enough. */
static void be_congested(struct spill *spill, uint64_t now_us)
{
    if (spill->congested_us == 0) {
        spill->congested_us = spill->limited_us = now_us;
        spill->congested_rate = spill->rate;
        find_limit(spill);
        return;
    }
    if (now_us - spill->congested_us >= NOT_LOAD_US && spill->rate < MUCH_LESS * spill->congested_rate) {
        accept_as_normal(spill);
        return;
    }
    if (now_us - spill->limited_us < WORK_OFF_US)
        return;
    spill->limited_us = now_us;
    if (GIVEN * spill->rate < spill->limit)
        find_limit(spill);
}

/* The longer it is well, the faster the limit grows; slowly near where it was full. */
static void be_well(struct spill *spill, float seconds, float demand, uint64_t now_us)
{
    float well_s;
    bool near;

    if (spill->congested_us > 0 || spill->well_us == 0)
        spill->well_us = now_us;
    spill->congested_us = 0;
    if (spill->limit == 0)
        return;
    well_s = (float) (now_us - spill->well_us) / (float) US_PER_S;
    near = spill->limit > NEAR * spill->full && spill->limit < BEYOND * spill->full;
    spill->limit += (near ? GROWTH : GROWTH * (1 + well_s)) * seconds * spill->limit;
    if (spill->limit < HOME * demand)
        spill->limit += RETURN * seconds * demand;
    if (spill->limit > FORGET_FACTOR * demand)
        spill->limit = 0;
}

/* Falls at once, rises slowly: what comes back must not be what drives it away again. */
static bool follow(struct spill *spill, float seconds, float demand)
{
    float kept = 1 - spill->spilled, target = 1;

    if (spill->limit > 0 && spill->limit < demand)
        target = spill->limit / demand;
    if (target > kept + RISE * seconds)
        target = kept + RISE * seconds;
    if (target > 1)
        target = 1;
    spill->spilled = 1 - target;
    return target != kept;
}

/* ---- intervals ---- */

/* The better of this interval and the one before, in which it may have had less to do. */
static float rate_of(const struct spill *spill, float seconds)
{
    float now = (float) (spill->now.answered + spill->now.failed) / seconds, before;

    if (spill->before_s == 0)
        return now;
    before = (float) (spill->before.answered + spill->before.failed) / spill->before_s;
    return now > before ? now : before;
}

static void begin(struct spill *spill, float took_s, uint64_t now_us)
{
    spill->before = spill->now;
    spill->before_s = took_s;
    spill->now = (struct spill_count){ 0 };
    spill->began_us = now_us;
}

bool spill_look(struct spill *spill, bool possible, float elsewhere_us, uint64_t now_us)
{
    uint64_t took_us = now_us - spill->began_us;
    bool enough = spill->now.measured >= LEAST_ANSWERS, useful;
    float seconds = (float) took_us / (float) US_PER_S, demand;
    uint32_t measured;

    if (spill->began_us == 0) {
        begin(spill, 0, now_us);
        return false;
    }
    if (took_us < INTERVAL_US || (!enough && took_us < LONGEST_US))
        return false;
    if (took_us > 2 * LONGEST_US) /* it had nothing to do for a while */
        seconds = 2;
    demand = (float) spill->now.wanted / seconds;
    measured = spill->now.measured;
    if (enough) {
        spill->rate = rate_of(spill, seconds);
        take_mean(spill, mean_of(&spill->now), now_us);
    }
    see_base(spill, now_us);
    useful = possible && elsewhere_us < BETTER * spill->smooth_us;
    begin(spill, seconds, now_us);
    if (enough && useful && is_congested(spill, measured))
        be_congested(spill, now_us);
    else
        be_well(spill, seconds, demand, now_us);
    return follow(spill, seconds, demand);
}

uint32_t spill_keep(const struct spill *spill)
{
    return (uint32_t) ((1 - spill->spilled) * SPILL_WHOLE);
}

bool spill_takes(struct spill *spill, uint64_t part)
{
    spill->credit += (uint32_t) part;
    if (spill->credit < SPILL_WHOLE)
        return false;
    spill->credit -= SPILL_WHOLE;
    return true;
}

bool spill_mostly_fails(const struct spill *spill)
{
    return spill->now.failed + spill->before.failed > spill->now.answered + spill->before.answered;
}
