/* SPDX-License-Identifier: Apache-2.0 */
/* A value and the millisecond it was true at, in one word that loops share. Private to balance/. */
#ifndef BALANCE_FIGURE_H
#define BALANCE_FIGURE_H

#include <string.h>

#include "balance/balance.h"

struct figure {
    float value;
    uint32_t at_ms;
};

static inline struct figure figure_load(const balance_figure *figure)
{
    uint64_t word = atomic_load_explicit(figure, memory_order_relaxed);
    struct figure loaded;

    memcpy(&loaded, &word, sizeof loaded);
    return loaded;
}

static inline void figure_store(balance_figure *figure, float value, uint64_t now_us)
{
    struct figure stored = { value, (uint32_t) (now_us / US_PER_MS) };
    uint64_t word;

    memcpy(&word, &stored, sizeof word);
    atomic_store_explicit(figure, word, memory_order_relaxed);
}

/* Milliseconds wrap: whoever was idle for 25 days looks as it did then. A clock that another loop read a moment
 * later is no age. */
static inline uint32_t figure_age_ms(uint32_t at_ms, uint64_t now_us)
{
    int32_t age = (int32_t) ((uint32_t) (now_us / US_PER_MS) - at_ms);

    return age > 0 ? (uint32_t) age : 0;
}

#endif
