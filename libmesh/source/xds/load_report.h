/* SPDX-License-Identifier: Apache-2.0 */
/* One report of load (envoy.service.load_stats.v3.LoadStatsRequest) while it is put together. Pure. Private to source/xds/. */
#ifndef SOURCE_XDS_LOAD_REPORT_H
#define SOURCE_XDS_LOAD_REPORT_H

#include "proto/core.pb-c.h"
#include "source/source.h"

struct load_report;
struct load_report_cluster;

/* NULL: out of memory. */
struct load_report *load_report_new(bool with_endpoints);
void load_report_free(struct load_report *report); /* NULL is fine */

/* The cluster's part, made if there is none; `interval_us` is what it covers. NULL: out of memory. */
struct load_report_cluster *load_report_cluster(struct load_report *report, const char *name, const char *eds_name,
                                                uint64_t interval_us);
/* Memory that is short is told by load_report_pack(). */
void load_report_add_endpoint(struct load_report_cluster *cluster, const struct source_load_place *at,
                              const char *address, const struct source_load_figures *figures);
void load_report_add_place(struct load_report_cluster *cluster, const struct source_load_place *at,
                           const struct source_load_figures *figures);
/* category NULL: without one. */
void load_report_add_drops(struct load_report_cluster *cluster, const char *category, uint64_t n);
/* Appends the message; `node` NULL: without it, as in all but the first of a stream. False: out of memory. */
bool load_report_pack(struct load_report *report, Core__Node *node, struct buf *out);

#endif
