/* SPDX-License-Identifier: Apache-2.0 */
/* How many attempts an endpoint gets at once after it was in doubt: few at first, more with each answer, as TCP opens a connection
 * (RFC 5681, slow start). What has waited meanwhile would otherwise come all at once, and be too late when its turn comes. Pure. */
#ifndef POOL_WINDOW_H
#define POOL_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

struct window {
    uint32_t limit;      /* 0: none */
    uint64_t limited_us; /* when it last held something back, or began */
    uint64_t cut_us;
};

void window_begin(struct window *window, uint64_t now_us);
/* One more, with `running` at work? */
bool window_admits(struct window *window, uint32_t running, uint64_t now_us);
/* An attempt was answered; or was not, or too late. */
void window_answered(struct window *window, uint64_t now_us);
void window_failed(struct window *window, uint64_t now_us);

#endif
