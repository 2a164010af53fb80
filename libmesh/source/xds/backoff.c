/* SPDX-License-Identifier: Apache-2.0 */
/* Waits between attempts. */
#include "source/xds/backoff.h"

#include "base/base.h"

static uint64_t spread(uint64_t least_us, uint64_t most_us, uint64_t dice)
{
    return least_us + dice % (most_us - least_us + 1);
}

/* Before the nth try, 1 and up. */
static uint64_t wait_of(uint32_t nth, uint64_t dice)
{
    uint64_t most_ms = BACKOFF_FIRST_MS;

    for (uint32_t i = 1; i < nth && most_ms < BACKOFF_LONGEST_MS; i++)
        most_ms *= 2;
    if (most_ms > BACKOFF_LONGEST_MS)
        most_ms = BACKOFF_LONGEST_MS;
    return spread(most_ms * US_PER_MS / 10, most_ms * US_PER_MS, dice);
}

void backoff_answered(struct backoff *backoff)
{
    backoff->failures = 0;
}

uint64_t backoff_after_failure(struct backoff *backoff, uint64_t dice)
{
    if (backoff->failures < UINT32_MAX)
        backoff->failures++;
    return wait_of(backoff->failures, dice);
}

uint64_t backoff_after_answers(struct backoff *backoff, uint64_t lasted_us, uint64_t dice)
{
    if (lasted_us >= BACKOFF_LASTING_MS * US_PER_MS)
        backoff->short_lived = 0;
    else if (backoff->short_lived < UINT32_MAX)
        backoff->short_lived++;
    if (backoff->short_lived > 1)
        return wait_of(backoff->short_lived - 1, dice);
    return spread(0, BACKOFF_SPREAD_MS * US_PER_MS, dice);
}
