/* SPDX-License-Identifier: Apache-2.0 */
/* A zone of a cluster: its endpoints of one priority, with the view of those that may get an attempt. Private to cluster/.
 *
 * Zones stand in part.zones by priority, then the own one first, then by distance. Where zones make no difference (none is configured,
 * a hashing policy, nobody in the own zone) there is one of the name "" a priority. Where localities are weighted, each is a zone.
 * Degraded endpoints are zones of their own, unless the priority panics. */
#ifndef CLUSTER_ZONE_H
#define CLUSTER_ZONE_H

#include "cluster/cluster.h"
#include "cluster/spill.h"

struct zone {
    struct part *part;
    struct list link; /* in part.zones */
    uint32_t priority;
    uint32_t weight; /* of the locality, where these are weighted; 0: it gets nothing as long as another has one */
    bool is_own;
    bool is_degraded;
    size_t n;                  /* endpoints, also those that are not made */
    size_t n_usable;           /* of them */
    size_t n_around;           /* with those of the same place that are degraded: what n_usable is a part of */
    size_t n_made;             /* struct endpoint in it */
    uint64_t locality_weights; /* of those of its localities that have somebody */
    size_t at;                 /* its place in the list */
    bool panics, is_deserted;
    uint64_t distance_us; /* UINT64_MAX: not known */
    uint64_t order;       /* of zones that are equally far: different for each client */
    struct spill spill;
    bool told_spilling;        /* an event said so */
    bool was_warmed;           /* a connection was opened to see how far it is */
    bool lenient;              /* the view has endpoints that are not usable: panic, or few are left */
    struct balance_view view;  /* those that may get an attempt now */
    struct endpoint **members; /* the same, in the view's order */
    struct balancer *balancer;
    bool outdated;    /* the balancer is of a policy before */
    const char *name; /* "eu-1"; of a weighted locality "eu/eu-1/rack-7" */
    size_t key_len;
    char key[]; /* what it is found by; then the name */
};

/* What was counted of the endpoints of one locality: usable ones as attempts have told, or as the control plane says of those that
 * are not made. */
struct tally {
    size_t n, n_usable;
    size_t n_degraded, n_degraded_usable; /* among n; not among n_usable */
    uint64_t weight, usable_weight, degraded_weight;
};
void tally_add(struct tally *tally, const struct model_endpoint *endpoint);

/* A locality of the set while zones are built. */
struct placing {
    struct tally tally;
    struct zone *zone, *degraded; /* where its endpoints are; NULL: none yet */
    struct priority *priority;
};

/* parts.c */
void part_init(struct part *part, struct cluster *cluster);
bool part_has(const struct part *part, const struct endpoint *endpoint);
static inline bool part_is_all(const struct part *part)
{
    return part->n_labels == 0;
}
/* Those by labels go; or those that were used longest ago, when there are many. */
void parts_free(struct cluster *cluster);
void parts_trim(struct cluster *cluster);
/* What a request with these labels chooses among, of a cluster that is divided. MESH_ERR_NO_HEALTHY, MESH_ERR_NOMEM with a sentence. */
int32_t part_choose(struct cluster *cluster, const struct route_subset *subset, struct part **out, struct fault *fault);

void zones_free(struct part *part);
/* Gives each endpoint of the part its zone, counts, orders, shares, and makes all views. False: out of memory, views that could
 * not be made stay as they were. */
bool zones_build(struct part *part);
/* The configuration is another: where zones are is read again, and the next views get balancers of the new policy. */
void zones_outdate(struct part *part);
/* Where zones are told apart by a locality's name or place, the same key for those that are one zone. False: out of memory. */
bool zone_key(const struct part *part, const struct model_locality *place, bool matter, bool is_degraded,
              struct buf *key);
/* Zones make a difference; `has_own`: somebody is in the own one. */
bool zones_matter(const struct cluster *cluster, bool has_own);
bool zone_is_own(const struct cluster *cluster, const struct model_locality *place);
/* The zone of one of the part's endpoints. */
struct zone *placing_zone(const struct placing *placings, const struct endpoint *endpoint);

/* zone_count.c. Fills tallies and priorities; one placing for each locality of the set. False: out of memory. */
bool zones_count(struct part *part, struct placing *placings);
/* zone_view.c. The views of all zones. */
bool zones_view(struct part *part, const struct placing *placings);
/* zone_view.c. A part of the endpoints is enough, and more of them can be made. */
bool zones_are_short(const struct part *part);

/* zone_choose.c. The zone that an attempt goes to, with a view that is not empty; NULL: there is none. */
struct zone *zone_choose(struct part *part, const struct cluster_hint *hint, uint64_t now_us);
/* zone_choose.c. The part of what is meant for it that the zone keeps. */
uint32_t zone_kept_percent(const struct cluster *cluster, const struct zone *zone);
/* zone_choose.c. The part of its priority's requests that a weighted locality gets; without weights 0. */
uint32_t zone_weight_percent(const struct cluster *cluster, const struct zone *zone);
/* zone_choose.c. Keeps a connection to the zone that is next, and looks once how far unknown ones are. */
void zones_warm(struct part *part);

#endif
