/* SPDX-License-Identifier: Apache-2.0 */
/* Slow start of an endpoint, and its end. */
#include "pool/window.h"

#include "base/clock.h"

enum { FIRST = 10, LEAST = 4 };

/* One decision of the endpoint's is felt by many attempts: it counts once. */
#define CUT_EVERY_US (100 * US_PER_MS)
/* It has held back nothing for so long: it is not needed any more. */
#define NEEDLESS_US (3 * US_PER_S)

void window_begin(struct window *window, uint64_t now_us)
{
    *window = (struct window){ .limit = FIRST, .limited_us = now_us };
}

bool window_admits(struct window *window, uint32_t running, uint64_t now_us)
{
    if (window->limit == 0 || running < window->limit)
        return true;
    window->limited_us = now_us;
    return false;
}

void window_answered(struct window *window, uint64_t now_us)
{
    if (window->limit == 0)
        return;
    window->limit++;
    if (now_us - window->limited_us >= NEEDLESS_US)
        window->limit = 0;
}

void window_failed(struct window *window, uint64_t now_us)
{
    if (window->limit == 0 || now_us - window->cut_us < CUT_EVERY_US)
        return;
    window->cut_us = now_us;
    window->limit = window->limit * 7 / 10;
    if (window->limit < LEAST)
        window->limit = LEAST;
}
