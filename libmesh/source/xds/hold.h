/* SPDX-License-Identifier: Apache-2.0 */
/* Updates that take most endpoints away at once are not believed at once: they are held, and drained by evidence. Pure.
 *
 * Held is what leaves fewer than half of the endpoints there were. Emptied sets go on as they were, for the time of the hold;
 * afterwards their endpoints serve as long as they answer. Of thinned ones, what is not named any more serves below all priorities
 * until the hold is over. The first answer is obeyed whatever it is, and so is any that comes with endpoints after an empty one. */
#ifndef SOURCE_XDS_HOLD_H
#define SOURCE_XDS_HOLD_H

#include "model/model.h"

enum hold_state {
    HOLD_NOTHING,
    HOLD_EMPTIED, /* what there was serves on */
    HOLD_LAST,    /* ... while it answers */
    HOLD_THINNED, /* what is not named any more serves last */
};

/* Zeroed, then hold_clear(). */
struct hold {
    enum hold_state state;
    struct model_endpoints *news; /* the newest that came */
    struct model_endpoints *good; /* the newest that was believed */
    struct model_endpoints *out;  /* what serves */
    uint64_t until_us;
};

/* What serves now, borrowed, the control plane's word being `news`. `is_new`: a hold has begun. NULL: out of memory, nothing has
 * changed. */
struct model_endpoints *hold_take(struct hold *hold, struct model_endpoints *news, uint64_t now_us, uint64_t hold_us,
                                  bool *is_new);
/* When time alone changes something; UINT64_MAX: never. */
uint64_t hold_due_us(const struct hold *hold);
void hold_clear(struct hold *hold);

#endif
