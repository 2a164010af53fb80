/* SPDX-License-Identifier: Apache-2.0 */
/* When an update is held, and what serves meanwhile. */
#include "source/xds/hold.h"

static void replace(struct model_endpoints **place, struct model_endpoints *set)
{
    model_endpoints_ref(set);
    model_endpoints_unref(*place);
    *place = set;
}

static struct model_endpoints *believe(struct hold *hold, struct model_endpoints *news)
{
    replace(&hold->news, news);
    replace(&hold->good, news);
    replace(&hold->out, news);
    hold->state = HOLD_NOTHING;
    return hold->out;
}

/* `state` and what serves in it; the reference of `out` is taken over. */
static struct model_endpoints *settle(struct hold *hold, struct model_endpoints *news, enum hold_state state,
                                      struct model_endpoints *out)
{
    if (!out)
        return NULL;
    replace(&hold->news, news);
    model_endpoints_unref(hold->out);
    hold->out = out;
    hold->state = state;
    return out;
}

static bool is_believed(const struct hold *hold, const struct model_endpoints *news, uint64_t hold_us)
{
    bool was_empty = hold->state == HOLD_EMPTIED || hold->state == HOLD_LAST;

    return hold_us == 0 || !hold->good || 2 * news->n >= hold->good->n || (was_empty && news->n > 0);
}

static struct model_endpoints *begin(struct hold *hold, struct model_endpoints *news, uint64_t until_us)
{
    bool is_first = hold->state == HOLD_NOTHING;
    struct model_endpoints *out;

    if (news->n == 0)
        out = settle(hold, news, HOLD_EMPTIED, model_endpoints_ref(hold->good));
    else
        out = settle(hold, news, HOLD_THINNED, model_endpoints_hold(news, hold->good));
    if (out && is_first)
        hold->until_us = until_us;
    return out;
}

static struct model_endpoints *expire(struct hold *hold)
{
    if (hold->state == HOLD_THINNED)
        return believe(hold, hold->news);
    return settle(hold, hold->news, HOLD_LAST, model_endpoints_hold(hold->news, hold->good));
}

struct model_endpoints *hold_take(struct hold *hold, struct model_endpoints *news, uint64_t now_us, uint64_t hold_us,
                                  bool *is_new)
{
    enum hold_state before;
    struct model_endpoints *out;

    *is_new = false;
    if (now_us >= hold_due_us(hold) && !expire(hold))
        return NULL;
    if (news == hold->news)
        return hold->out;
    before = hold->state;
    if (is_believed(hold, news, hold_us))
        return believe(hold, news);
    if (before == HOLD_LAST)
        return settle(hold, news, HOLD_LAST, model_endpoints_hold(news, hold->good));
    out = begin(hold, news, now_us + hold_us);
    *is_new = out && before == HOLD_NOTHING;
    return out;
}

uint64_t hold_due_us(const struct hold *hold)
{
    return hold->state == HOLD_EMPTIED || hold->state == HOLD_THINNED ? hold->until_us : UINT64_MAX;
}

void hold_clear(struct hold *hold)
{
    model_endpoints_unref(hold->news);
    model_endpoints_unref(hold->good);
    model_endpoints_unref(hold->out);
    *hold = (struct hold){ 0 };
}
