/* SPDX-License-Identifier: Apache-2.0 */
/* The silent connection: decisions only. */
#include "http/h2_silence.h"

void h2_silence_asked(struct h2_silence *silence, uint64_t now_us, bool first)
{
    if (first)
        silence->since_us = now_us;
    if (silence->asked_us == 0)
        silence->asked_us = now_us;
}

void h2_silence_heard(struct h2_silence *silence, uint64_t now_us)
{
    silence->since_us = now_us;
    silence->asked_us = 0;
    silence->pinged_us = 0;
}

void h2_silence_pinged(struct h2_silence *silence, uint64_t now_us)
{
    silence->pinged_us = now_us;
    silence->pings++;
}

static bool may_ping(const struct h2_silence *silence, uint64_t useful)
{
    return silence->pings < H2_SILENCE_PINGS || useful != silence->useful ||
           silence->limit_us >= H2_SILENCE_HARMLESS_US;
}

static bool passed(const struct h2_silence *silence, uint64_t from_us, uint64_t now_us)
{
    return now_us >= from_us && now_us - from_us >= silence->limit_us;
}

static uint64_t answer_limit(const struct h2_silence *silence)
{
    return silence->answer_us ? silence->answer_us : silence->limit_us;
}

enum h2_silence_step h2_silence_check(struct h2_silence *silence, uint64_t now_us, bool busy, uint64_t useful,
                                      uint64_t *next_us)
{
    if (useful != silence->useful) {
        silence->useful = useful;
        silence->pings = 0;
    }
    if (silence->limit_us == 0 || (!busy && !silence->pinged_us))
        return H2_SILENCE_REST;
    *next_us = now_us + silence->limit_us;
    if (silence->pinged_us) {
        *next_us = silence->pinged_us + answer_limit(silence);
        return now_us >= *next_us ? H2_SILENCE_CLOSE : H2_SILENCE_WAIT;
    }
    if (!passed(silence, silence->since_us, now_us)) {
        *next_us = silence->since_us + silence->limit_us;
        return H2_SILENCE_WAIT;
    }
    if (!may_ping(silence, useful))
        return H2_SILENCE_ASK_KERNEL;
    *next_us = now_us + answer_limit(silence);
    return H2_SILENCE_PING;
}

bool h2_silence_is(const struct h2_silence *silence, uint64_t now_us, bool busy, uint64_t useful)
{
    if (silence->limit_us == 0)
        return false;
    if (silence->pinged_us)
        return true; /* also with nothing in flight any more: the question stands */
    if (!busy)
        return false;
    if (may_ping(silence, useful))
        return passed(silence, silence->since_us, now_us);
    return silence->asked_us && passed(silence, silence->asked_us, now_us);
}
