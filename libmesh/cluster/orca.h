/* SPDX-License-Identifier: Apache-2.0 */
/* Load reports of endpoints (ORCA, xds.data.orca.v3.OrcaLoadReport) as they come in the headers and trailers of answers. Pure.
 *
 * "endpoint-load-metrics" has them as `TEXT cpu_utilization=0.3,named_metrics.queue=5`, as `JSON {...}` or as `BIN ` and base64;
 * "endpoint-load-metrics-bin" as base64 alone. They come from strangers: what is negative, infinite, no number, or stands twice makes
 * a report count for nothing, as in Envoy. */
#ifndef CLUSTER_ORCA_H
#define CLUSTER_ORCA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORCA_HEADER        "endpoint-load-metrics"
#define ORCA_BINARY_HEADER "endpoint-load-metrics-bin"

struct orca_report {
    double application, cpu, memory; /* utilizations, 1.0 is all of it */
    double rps, eps;                 /* requests and errors a second */
    double chosen;                   /* the largest of the metrics that were asked for */
};

/* `metrics`: those that were asked for, "named_metrics.queue,utilization.disk", or NULL. False: it is no report. */
bool orca_read(const char *value, size_t len, const char *metrics, struct orca_report *out);
bool orca_read_binary(const char *base64, size_t len, const char *metrics, struct orca_report *out);
/* What says how much the endpoint is used: the application's own number, else the metrics that were asked for, else the processor. */
double orca_utilization(const struct orca_report *report);

#endif
