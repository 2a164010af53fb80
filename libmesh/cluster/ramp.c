/* SPDX-License-Identifier: Apache-2.0 */
/* The ramp after an outage, as Linkerd's and Finagle's users ask for it: share by who is back, until nobody comes any more. */
#include "cluster/ramp.h"

/* Nobody has come or gone for so long: those who are here are all. */
#define SETTLED_US (3 * US_PER_S)

bool ramp_see(struct ramp *ramp, uint32_t usable, uint64_t now_us)
{
    bool ran = ramp->runs;

    if (usable != ramp->usable)
        ramp->changed_us = now_us;
    ramp->usable = usable;
    if (usable == 0)
        ramp->runs = true;
    else if (now_us - ramp->changed_us >= SETTLED_US)
        ramp->runs = false;
    return ramp->runs != ran;
}

/* With nobody back all are let through: requests are what finds out that somebody is. */
bool ramp_admits(const struct ramp *ramp, uint32_t n, struct rand *dice)
{
    if (!ramp->runs || ramp->usable == 0 || 2 * (uint64_t) ramp->usable >= n)
        return true;
    return rand_below(dice, n) < 2 * (uint64_t) ramp->usable;
}
