/* SPDX-License-Identifier: Apache-2.0 */
/* Adaptive throttling: a ring of seconds with its sums, and one throw of the dice. */
#include "cluster/throttle.h"

#include <string.h>

#include "base/clock.h"

enum { LEAST_PER_SECOND = 5, TENTHS = 10 };

static void drop_oldest(struct throttle *throttle, uint64_t second)
{
    uint64_t at = second % THROTTLE_SECONDS;

    throttle->sent -= throttle->seconds[at].sent;
    throttle->turned_away -= throttle->seconds[at].turned_away;
    throttle->seconds[at].sent = throttle->seconds[at].turned_away = 0;
}

/* A loop whose time is a little late counts in the second that another has brought. */
static void advance(struct throttle *throttle, uint64_t second)
{
    if (second >= throttle->second + THROTTLE_SECONDS) {
        memset(throttle->seconds, 0, sizeof throttle->seconds);
        throttle->sent = throttle->turned_away = 0;
        throttle->second = second;
    }
    while (throttle->second < second)
        drop_oldest(throttle, ++throttle->second);
}

void throttle_sent(struct throttle *throttle, uint64_t now_us)
{
    advance(throttle, now_us / US_PER_S);
    if (throttle->sent == 0)
        throttle->began = throttle->second;
    throttle->sent++;
    throttle->seconds[throttle->second % THROTTLE_SECONDS].sent++;
}

void throttle_turned_away(struct throttle *throttle, uint64_t now_us)
{
    advance(throttle, now_us / US_PER_S);
    throttle->turned_away++;
    throttle->seconds[throttle->second % THROTTLE_SECONDS].turned_away++;
}

static bool is_rare(const struct throttle *throttle)
{
    uint64_t seconds = throttle->second - throttle->began + 1;

    return throttle->sent < LEAST_PER_SECOND * (seconds < THROTTLE_SECONDS ? seconds : THROTTLE_SECONDS);
}

/* What K allows is taken off what was sent, in tenths of attempts: 0 and below holds nobody back. */
static int64_t excess(const struct throttle *throttle, enum policy_criticality criticality)
{
    static const int64_t k_tenths[CRITICALITY_COUNT] = { 20, 17, 14, 11 };
    int64_t sent = throttle->sent, accepted = sent - throttle->turned_away;

    return TENTHS * sent - k_tenths[criticality] * (accepted > 0 ? accepted : 0);
}

static bool loses(const struct throttle *throttle, const struct policy_throttle *policy, int64_t excess,
                  struct rand *dice)
{
    uint64_t all = TENTHS * ((uint64_t) throttle->sent + 1), thrown = rand_below(dice, all);

    return thrown < (uint64_t) excess && thrown * 100 < all * policy->max_percent;
}

bool throttle_holds_back(struct throttle *throttle, const struct policy_throttle *policy,
                         enum policy_criticality criticality, uint64_t now_us, struct rand *dice)
{
    int64_t too_many;

    advance(throttle, now_us / US_PER_S);
    too_many = excess(throttle, criticality);
    if (too_many > 0 && !is_rare(throttle) && throttle->passed_second == throttle->second &&
        loses(throttle, policy, too_many, dice))
        return true;
    throttle->passed_second = throttle->second;
    return false;
}
