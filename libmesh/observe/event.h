/* SPDX-License-Identifier: Apache-2.0 */
/* The line of one event, in the two formats. */
#ifndef OBSERVE_EVENT_H
#define OBSERVE_EVENT_H

#include "observe/line.h"
#include "observe/observe.h"

struct event {
    uint64_t wall_us;
    int32_t level;
    const char *name;
    const struct observe_field *fields;
    size_t n_fields;
    uint64_t suppressed;             /* events of this name that were left out before it */
    const char *service_name, *zone; /* of this process; NULL or "": none */
};

/* Without a newline. `line` is empty before. Fields that do not fit are left out from the end. */
void event_format_text(struct line *line, const struct event *event);
void event_format_json(struct line *line, const struct event *event);

#endif
