/* SPDX-License-Identifier: Apache-2.0 */
/* Adaptive throttling ("Handling Overload", Site Reliability Engineering, 2016): a service that turns many attempts away is
 * spared some requests, the less critical ones sooner. One of these for each service and criticality. Pure: time and dice are
 * arguments; whoever shares it brings the lock.
 *
 * Of the last two minutes: sent, what was put on the wire, and accepted, those of them that were not turned away (one whose answer has
 * not come counts as accepted). What is held back here counts as neither, so that a service that is well again is found out
 * by the few that pass, within seconds. */
#ifndef CLUSTER_THROTTLE_H
#define CLUSTER_THROTTLE_H

#include "base/rand.h"
#include "model/model.h"

enum { THROTTLE_SECONDS = 120 };

/* Zeroed: nothing is known. */
struct throttle {
    uint64_t second;        /* that the window ends with */
    uint64_t began;         /* second of the oldest attempt in it */
    uint64_t passed_second; /* in which one was last let through */
    uint32_t sent, turned_away;
    struct {
        uint32_t sent, turned_away;
    } seconds[THROTTLE_SECONDS];
};

/* Is the next request held back? With (sent - K * accepted) / (sent + 1), at most policy.max_percent; never below five sent a
 * second, nor the first of a second. K is 2 for the most critical and 1.1 for the least. */
bool throttle_holds_back(struct throttle *throttle, const struct policy_throttle *policy,
                         enum policy_criticality criticality, uint64_t now_us, struct rand *dice);
/* An attempt is on its way. */
void throttle_sent(struct throttle *throttle, uint64_t now_us);
/* An attempt that was sent met overload: 429, 503 with a word about it, RESOURCE_EXHAUSTED, no answer in time. */
void throttle_turned_away(struct throttle *throttle, uint64_t now_us);

#endif
