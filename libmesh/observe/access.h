/* SPDX-License-Identifier: Apache-2.0 */
/* The access log's line. */
#ifndef OBSERVE_ACCESS_H
#define OBSERVE_ACCESS_H

#include "observe/line.h"
#include "observe/observe.h"

/* One JSON object, without a newline. `line` is empty before. */
void access_format(struct line *line, const struct observe_access *record);

#endif
