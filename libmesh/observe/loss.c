/* SPDX-License-Identifier: Apache-2.0 */
/* Lines that were lost are told of in the log, once it can be written again. */
#include "observe/state.h"

static uint64_t untold(const struct sink *sink)
{
    return atomic_load_explicit(&sink->dropped, memory_order_relaxed) - sink->told;
}

static struct loss loss_of(const struct sink *sink, const char *event, uint64_t lines)
{
    return (struct loss){ event, sink->name, lines, atomic_load_explicit(&sink->cause, memory_order_relaxed) };
}

/* At most once a second, but not withheld at the end. */
static bool may_tell(const struct observe *observe, const struct sink *sink, uint64_t now_us)
{
    return observe->locked.stopping || sink->told == 0 || now_us - sink->told_us >= US_PER_S;
}

size_t loss_collect_locked(struct observe *observe, struct loss losses[LOSSES])
{
    size_t n = 0;

    for (size_t i = 0; i < SINKS; i++) {
        struct sink *sink = &observe->locked.sinks[i];

        if (sink->failing && !sink->told_failing) {
            sink->told_failing = true;
            /* The log cannot take a line about itself. */
            if (i != SINK_LOG)
                losses[n++] = loss_of(sink, "log_write_failed", 0);
        }
        if (sink->failing || sink->back.start != sink->back.end)
            continue;
        sink->told_failing = false;
        if (untold(sink) > 0 && may_tell(observe, sink, clock_now_us())) {
            losses[n++] = loss_of(sink, "log_dropped", untold(sink));
            sink->told += untold(sink);
            sink->told_us = clock_now_us();
        }
    }
    return n;
}

void loss_write(struct observe *observe, const struct loss *losses, size_t n)
{
    char why[FAULT_TEXT];

    for (size_t i = 0; i < n; i++) {
        const struct loss *loss = &losses[i];

        if (loss->lines == 0)
            OBSERVE(observe, MESH_LOG_WARN, loss->event, FIELD_TEXT("sink", loss->sink),
                    FIELD_TEXT("cause", fault_errno(loss->cause, why)));
        else
            OBSERVE(observe, MESH_LOG_WARN, loss->event, FIELD_TEXT("sink", loss->sink),
                    FIELD_NUMBER("lines", loss->lines), FIELD_TEXT("cause", fault_errno(loss->cause, why)));
    }
}

bool loss_untold_locked(const struct observe *observe)
{
    for (size_t i = 0; i < SINKS; i++)
        if (!observe->locked.sinks[i].failing && untold(&observe->locked.sinks[i]) > 0)
            return true;
    return false;
}
