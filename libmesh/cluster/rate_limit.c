/* SPDX-License-Identifier: Apache-2.0 */
/* The token bucket. It is empty while it needs a whole burst's time to be full again. */
#include "cluster/rate_limit.h"

#include "base/base.h"

#define UNITS_PER_US UINT64_C(16000)
#define UNITS_PER_S  (UNITS_PER_US * US_PER_S)
/* No bucket takes longer to be full: nine years. One that would is filled faster. */
#define LONGEST (UINT64_C(1) << 62)

uint32_t rate_limit_burst(const struct policy_rate_limit *policy)
{
    return policy->burst ? policy->burst : policy->per_second;
}

/* `span`: of a whole bucket. */
static bool take(struct rate_limit *limit, uint64_t token, uint64_t span, uint64_t now_us)
{
    uint64_t now = now_us * UNITS_PER_US, empty = now + span, was, next;

    was = atomic_load_explicit(&limit->full_again, memory_order_relaxed);
    do {
        next = (was > now ? was : now) + token;
        if (next > empty)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&limit->full_again, &was, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

bool rate_limit_take(struct rate_limit *limit, const struct policy_rate_limit *policy, uint64_t now_us)
{
    uint64_t token;

    if (policy->per_second == 0)
        return true;
    token = UNITS_PER_S / policy->per_second;
    return take(limit, token, token * rate_limit_burst(policy), now_us);
}

bool rate_limit_take_of(struct rate_limit *limit, uint32_t most, uint32_t per_fill, uint64_t fill_us, uint64_t now_us)
{
    uint64_t token, span;

    if (fill_us > LONGEST / UNITS_PER_US)
        fill_us = LONGEST / UNITS_PER_US;
    token = fill_us * UNITS_PER_US / per_fill;
    if (__builtin_mul_overflow(token, most, &span) || span > LONGEST) {
        token = LONGEST / most;
        span = token * most;
    }
    return take(limit, token, span, now_us);
}

bool rate_limit_is_full(const struct rate_limit *limit, uint64_t now_us)
{
    return atomic_load_explicit(&limit->full_again, memory_order_relaxed) <= now_us * UNITS_PER_US;
}

void rate_limit_adopt(struct rate_limit *limit, const struct policy_rate_limit *policy, uint64_t now_us)
{
    uint64_t was = atomic_load_explicit(&limit->full_again, memory_order_relaxed), empty;

    if (policy->per_second == 0)
        return;
    empty = now_us * UNITS_PER_US + UNITS_PER_S / policy->per_second * rate_limit_burst(policy);
    while (was > empty && !atomic_compare_exchange_weak_explicit(&limit->full_again, &was, empty, memory_order_relaxed,
                                                                 memory_order_relaxed))
        continue;
}

void rate_limit_give_back(struct rate_limit *limit, const struct policy_rate_limit *policy)
{
    if (policy->per_second > 0)
        atomic_fetch_sub_explicit(&limit->full_again, UNITS_PER_S / policy->per_second, memory_order_relaxed);
}
