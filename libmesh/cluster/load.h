/* SPDX-License-Identifier: Apache-2.0 */
/* What a control plane is told of a cluster's load (LRS): attempts by locality and endpoint, and what was dropped, each since
 * the last report. Counting costs attempts nothing but their own counters; whoever reports adds up. */
#ifndef CLUSTER_LOAD_H
#define CLUSTER_LOAD_H

#include <stdint.h>

#include "base/base.h"
#include "model/model.h"

struct cluster;
struct cluster_shared;
struct endpoint_stats;

struct load_figures {
    uint64_t issued, succeeded, failed;
    uint64_t active; /* now */
};

/* A locality of one priority. Shared by the endpoints in it. */
struct load_place {
    struct list link; /* in cluster_shared.places */
    uint32_t refs;    /* endpoints; with the lock of cluster_shared, as all of it */
    uint32_t priority;
    const char *cluster; /* that its endpoints come from; "" the cluster itself */
    const char *region, *zone, *sub_zone;
    struct load_figures left;   /* of endpoints that are gone, not reported yet */
    struct load_figures adding; /* while a report is made */
    char texts[];
};

/* Whoever wants the load. Texts are lent for the call, which may not come back to the cluster. */
struct load_listener {
    /* NULL: not wanted. Before its place. */
    void (*on_endpoint)(void *user, const struct load_place *place, const char *address,
                        const struct load_figures *figures);
    void (*on_place)(void *user, const struct load_place *place, const struct load_figures *figures);
    /* category NULL: by a limit of the circuit breaker. */
    void (*on_drop)(void *user, const char *category, uint64_t n);
    void *user;
};

/* Only what is not 0 is told. Any thread. */
void load_take(struct cluster_shared *shared, const struct load_listener *listener);

/* For the cluster: the endpoint's figures belong to this locality from now on. Out of memory: they belong to none. */
void load_place_endpoint(struct cluster_shared *shared, struct endpoint_stats *stats,
                         const struct model_locality *place, const char *origin);
/* With the lock: it goes, and leaves its figures behind. */
void load_forget_endpoint(struct cluster_shared *shared, struct endpoint_stats *stats);
/* The first of the set's drops of this origin that takes a request, counted; NULL: none. */
const struct model_drop *load_drop(struct cluster *cluster, uint16_t origin);
/* How many of the category were dropped in all. */
uint64_t load_dropped(struct cluster_shared *shared, const char *category);
void load_free(struct cluster_shared *shared);

#endif
