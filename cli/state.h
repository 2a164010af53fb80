/* SPDX-License-Identifier: Apache-2.0 */
/* How states and figures of endpoints look in tables; shared by `mesh endpoints` and `mesh explain`. */
#ifndef CLI_STATE_H
#define CLI_STATE_H

#include "cli/output.h"

enum colour state_colour(const char *state);
/* A member in milliseconds, as "1.23 ms"; empty when it is null. */
void ms_cell(struct table *table, const json_t *object, const char *key);
/* What a control plane says of an endpoint's health ("health" or "told_health"), when that is not simply "healthy". */
void told_cell(struct table *table, const json_t *endpoint);

#endif
