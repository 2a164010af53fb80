/* SPDX-License-Identifier: Apache-2.0 */
/* Gradient2: windows of answers, and what each does to the limit. */
#include "cluster/concurrency.h"

#include <math.h>

#include "base/clock.h"

enum { WINDOW_SAMPLES = 100, LEAST_SAMPLES = 10, WARM_UP_WINDOWS = 10 };

static const double tolerance = 1.5, smoothing = 0.2, back_off = 0.9, least_gradient = 0.5;
static const double long_window_s = 300;

static double within(double value, double least, double most)
{
    if (value < least)
        return least;
    return value > most ? most : value;
}

static double limit_within(double limit, const struct policy_concurrency *policy)
{
    return within(limit, policy->min, policy->max > policy->min ? policy->max : policy->min);
}

static double current(const struct concurrency *concurrency, const struct policy_concurrency *policy)
{
    return limit_within(concurrency->limit > 0 ? concurrency->limit : policy->initial, policy);
}

uint32_t concurrency_limit(const struct concurrency *concurrency, const struct policy_concurrency *policy)
{
    return (uint32_t) within(current(concurrency, policy), 1, UINT32_MAX);
}

bool concurrency_enter(struct concurrency *concurrency, const struct policy_concurrency *policy)
{
    if (concurrency->active >= concurrency_limit(concurrency, policy))
        return false;
    concurrency->active++;
    if (concurrency->active > concurrency->most)
        concurrency->most = concurrency->active;
    return true;
}

void concurrency_leave(struct concurrency *concurrency)
{
    concurrency->active--;
}

/* ---- windows ---- */

/* The first windows count alike; a latency that has come down is believed sooner than one that has gone up. */
static void follow_long(struct concurrency *concurrency, double short_us, double seconds)
{
    double weight = within(seconds / long_window_s, 0, 1);

    if (concurrency->windows < WARM_UP_WINDOWS)
        weight = 1.0 / ++concurrency->windows;
    concurrency->long_us += weight * (short_us - concurrency->long_us);
    if (concurrency->long_us > 2 * short_us)
        concurrency->long_us *= 0.95;
}

static double next_limit(const struct concurrency *concurrency, double limit, double short_us)
{
    double gradient = within(tolerance * concurrency->long_us / short_us, least_gradient, 1);
    double next = limit * gradient + fmax(4, sqrt(limit));

    next = (1 - smoothing) * limit + smoothing * next;
    return next > limit && concurrency->most < limit / 2 ? limit : next;
}

static void close_window(struct concurrency *concurrency, const struct policy_concurrency *policy, uint64_t now_us)
{
    double limit = current(concurrency, policy), short_us;

    if (concurrency->answered > 0) {
        short_us = fmax(1, (double) concurrency->sum_us / concurrency->answered);
        follow_long(concurrency, short_us, (double) (now_us - concurrency->began_us) / US_PER_S);
        limit = concurrency->turned_away > 0 ? limit : next_limit(concurrency, limit, short_us);
    }
    if (concurrency->turned_away > 0)
        limit *= back_off;
    concurrency->limit = limit_within(limit, policy);
    concurrency->most = concurrency->active;
    concurrency->answered = concurrency->turned_away = 0;
    concurrency->sum_us = 0;
}

/* Nobody is waited for: a window that is over ends with the next answer. */
static void sample(struct concurrency *concurrency, const struct policy_concurrency *policy, uint64_t now_us)
{
    uint32_t samples = concurrency->answered + concurrency->turned_away;

    if (samples == 1)
        concurrency->began_us = now_us;
    if (samples >= WINDOW_SAMPLES || (samples >= LEAST_SAMPLES && now_us - concurrency->began_us >= US_PER_S))
        close_window(concurrency, policy, now_us);
}

void concurrency_answered(struct concurrency *concurrency, const struct policy_concurrency *policy, uint64_t latency_us,
                          uint64_t now_us)
{
    concurrency->answered++;
    concurrency->sum_us += latency_us;
    sample(concurrency, policy, now_us);
}

void concurrency_turned_away(struct concurrency *concurrency, const struct policy_concurrency *policy, uint64_t now_us)
{
    concurrency->turned_away++;
    sample(concurrency, policy, now_us);
}
