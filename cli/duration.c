/* SPDX-License-Identifier: Apache-2.0 */
/* Durations as people write them. */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    double ms;
} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000 }, { "h", 3600 * 1000 } };

/* More than any limit that an option has. */
static const double longest_ms = 1e15;

bool parse_duration(const char *text, uint64_t *ms)
{
    char *unit;
    double number;

    if (strspn(text, "0123456789.") == 0)
        return false;
    errno = 0;
    number = strtod(text, &unit);
    if (errno || unit != text + strspn(text, "0123456789."))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(unit, units[i].name) != 0)
            continue;
        if (number * units[i].ms > longest_ms)
            return false;
        *ms = (uint64_t) (number * units[i].ms + 0.5);
        return true;
    }
    return false;
}
