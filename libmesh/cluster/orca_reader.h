/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of the forms of a load report share. Private to cluster/orca*.c. */
#ifndef CLUSTER_ORCA_READER_H
#define CLUSTER_ORCA_READER_H

#include "cluster/orca.h"

struct orca_reader {
    const char *metrics; /* that were asked for; NULL: none */
    struct orca_report *report;
    uint32_t seen;   /* of the report's own numbers, by bit */
    uint64_t chosen; /* of those that were asked for, by bit */
};

/* One number: "cpu_utilization"; with a map "named_metrics" and what stands in it. False: the report counts for nothing. */
bool orca_take(struct orca_reader *reader, const char *map, const char *name, size_t len, double value);
/* A decimal number as JSON has it, whatever the locale; where it ends in *end. False: there is none. */
bool orca_number(const char *at, const char *end, const char **rest, double *out);

/* orca_json.c, orca_binary.c */
bool orca_read_json(struct orca_reader *reader, const char *text, size_t len);
bool orca_read_message(struct orca_reader *reader, const uint8_t *bytes, size_t len);

#endif
