/* SPDX-License-Identifier: Apache-2.0 */
/* A token bucket for each event name, kept as the moment when it is full again. */
#include "observe/limit.h"

#include <string.h>

#include "base/clock.h"

static const uint64_t step_us = US_PER_S / LIMIT_PER_SECOND;

static struct limit_entry *entry_of(struct limit *limit, const char *name)
{
    struct limit_entry *entry = limit->entries;
    struct limit_entry *last = limit->entries + LIMIT_NAMES - 1;

    while (entry < last && entry->name[0] != '\0' && strncmp(entry->name, name, LIMIT_NAME_ROOM - 1) != 0)
        entry++;
    if (entry->name[0] == '\0')
        strncpy(entry->name, name, LIMIT_NAME_ROOM - 1);
    return entry;
}

bool limit_allows(struct limit *limit, const char *name, uint64_t now_us, uint64_t *suppressed)
{
    struct limit_entry *entry = entry_of(limit, name);

    *suppressed = 0;
    if (entry->full_us < now_us)
        entry->full_us = now_us;
    if (entry->full_us - now_us > (LIMIT_BURST - 1) * step_us) {
        entry->suppressed++;
        return false;
    }
    entry->full_us += step_us;
    *suppressed = entry->suppressed;
    entry->suppressed = 0;
    return true;
}
