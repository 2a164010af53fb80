/* SPDX-License-Identifier: Apache-2.0 */
/* Refresh and retry delays. */
#include "source/dns_schedule.h"

#include "base/clock.h"

enum { FIRST_RETRY_S = 1, LONGEST_RETRY_S = 30 };

/* 0 to most, evenly. */
static uint64_t part_of(uint64_t most, uint64_t dice)
{
    return most == UINT64_MAX ? dice : dice % (most + 1);
}

uint64_t dns_refresh_delay_us(uint32_t ttl_s, uint64_t min_ms, uint64_t max_ms, uint64_t dice)
{
    uint64_t ttl = ttl_s * US_PER_S;
    uint64_t least = min_ms * US_PER_MS;
    uint64_t delay;

    if (ttl > max_ms * US_PER_MS)
        ttl = max_ms * US_PER_MS;
    delay = ttl - part_of(ttl / 5, dice);
    return delay > least ? delay : least + part_of(least / 5, dice);
}

uint64_t dns_retry_delay_us(unsigned nth, uint64_t dice)
{
    uint64_t delay = LONGEST_RETRY_S * US_PER_S;

    if (nth <= 5)
        delay = (uint64_t) FIRST_RETRY_S << (nth > 0 ? nth - 1 : 0);
    if (nth <= 5)
        delay *= US_PER_S;
    return delay - delay / 10 + part_of(delay / 5, dice);
}
