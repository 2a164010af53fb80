/* SPDX-License-Identifier: Apache-2.0 */
/* The system's clocks behind the seam that tests replace. */
#include "base/clock.h"

#include <stddef.h>
#include <time.h>

static uint64_t read_clock(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (uint64_t) t.tv_sec * US_PER_S + (uint64_t) t.tv_nsec / 1000;
}

static uint64_t system_now_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static uint64_t (*source)(void) = system_now_us;

uint64_t clock_now_us(void)
{
    return source();
}

uint64_t clock_wall_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

void clock_replace(uint64_t (*now_us)(void))
{
    source = now_us ? now_us : system_now_us;
}
