/* SPDX-License-Identifier: Apache-2.0 */
/* A zone of a cluster: its endpoints of one priority, with the view of those that may get an attempt. Private to cluster/.
 *
 * Zones stand in cluster.zones by priority, then the own one first, then by distance. Where zones make no difference (none is configured,
 * a hashing policy, nobody in the own zone) there is one of the name "" a priority. */
#ifndef CLUSTER_ZONE_H
#define CLUSTER_ZONE_H

#include "cluster/cluster.h"
#include "cluster/spill.h"

struct zone {
    struct list link; /* in cluster.zones */
    uint32_t priority;
    bool is_own;
    size_t n, n_usable;
    uint64_t distance_us; /* UINT64_MAX: not known */
    uint64_t order;       /* of zones that are equally far: different for each client */
    struct spill spill;
    bool told_spilling;        /* an event said so */
    bool was_warmed;           /* a connection was opened to see how far it is */
    bool lenient;              /* the view has endpoints that are not usable: panic, or few are left */
    struct balance_view view;  /* those that may get an attempt now */
    struct endpoint **members; /* the same, in the view's order */
    struct balancer *balancer;
    bool outdated; /* the balancer is of a policy before */
    char name[];
};

void zones_free(struct cluster *cluster);
/* Gives each endpoint of the set its zone, counts, orders, shares, and makes all views. False: out of memory, views that could
 * not be made stay as they were. */
bool zones_build(struct cluster *cluster);
/* The configuration is another: where zones are is read again, and the next views get balancers of the new policy. */
void zones_outdate(struct cluster *cluster);
/* zone_choose.c. The zone that an attempt goes to, with a view that is not empty; NULL: there is none. */
struct zone *zone_choose(struct cluster *cluster, const struct cluster_hint *hint, uint64_t now_us);
/* zone_choose.c. The part of what is meant for it that the zone keeps. */
uint32_t zone_kept_percent(const struct cluster *cluster, const struct zone *zone);
/* zone_choose.c. Keeps a connection to the zone that is next, and looks once how far unknown ones are. */
void zones_warm(struct cluster *cluster);

#endif
