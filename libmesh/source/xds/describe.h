/* SPDX-License-Identifier: Apache-2.0 */
/* What an xds is made of, as JSON for people and tools (docs/xds.md). Private to source/xds/. */
#ifndef SOURCE_XDS_DESCRIBE_H
#define SOURCE_XDS_DESCRIBE_H

#include "source/xds/xds_state.h"

/* Each a member of the object that is open. */
void describe_services(struct json_writer *w, const struct graph *graph);
void describe_clusters(struct json_writer *w, const struct graph *graph);

/* ---- shared ---- */

/* "error": null, or an object of code and detail. */
void describe_fault(struct json_writer *w, const char *key, const struct fault *fault);
/* A moment of the loop's clock, as one of the wall's; 0: null. */
void describe_moment(struct json_writer *w, const char *key, const struct loop *loop, uint64_t loop_us);
void describe_texts(struct json_writer *w, const char *key, char *const *items, size_t n);
/* The map's entries in the order of their keys, map->count of them, to be freed. NULL: out of memory, which the writer is told. */
struct map_slot *describe_sorted(struct json_writer *w, const struct map *map);
/* The control plane's name of a cluster, from its key. */
const char *describe_cluster_name(const char *key);

#endif
