/* SPDX-License-Identifier: Apache-2.0 */
/* Falling back from one control plane to the next, and returning. */
#include "source/xds/fallback.h"

static bool last_has_failed(const struct fallback *fallback)
{
    return fallback->n_asked > 0 && fallback->failed >> (fallback->n_asked - 1) & 1;
}

void fallback_failed(struct fallback *fallback, size_t server)
{
    fallback->failed |= UINT64_C(1) << server;
}

bool fallback_answered(struct fallback *fallback, size_t server)
{
    bool ends_others = server + 1 < fallback->n_asked;

    fallback->failed &= (UINT64_C(1) << server) - 1; /* what became of those after it is forgotten with them */
    fallback->n_asked = server + 1;
    return ends_others;
}

bool fallback_wants_next(const struct fallback *fallback)
{
    if (fallback->n_asked == 0)
        return fallback->n > 0;
    return fallback->n_asked < fallback->n && fallback->lacks && last_has_failed(fallback);
}

bool fallback_is_lost(const struct fallback *fallback)
{
    return last_has_failed(fallback) && !fallback_wants_next(fallback);
}
