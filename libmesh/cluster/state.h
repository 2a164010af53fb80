/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of cluster/ share. Private to cluster/. */
#ifndef CLUSTER_STATE_H
#define CLUSTER_STATE_H

#include <pthread.h>

#include "cluster/cluster.h"
#include "cluster/zone.h"

/* shared.c. The figures of an endpoint, made at first use: one reference. The key is its address with the NUL; where it has a name
 * for hashing, or another cluster's settings, followed by that name and that cluster's. NULL: out of memory. */
struct endpoint_stats *cluster_stats_get(struct cluster_shared *shared, const char *key, size_t key_len);
void cluster_stats_put(struct cluster_shared *shared, struct endpoint_stats *stats);

/* endpoint.c */
struct endpoint *endpoint_new(struct cluster *cluster, const struct model_endpoints *set,
                              const struct model_endpoint *model);
void endpoint_free(struct endpoint *endpoint);
bool endpoint_is(const struct endpoint *endpoint, const struct model_endpoints *set,
                 const struct model_endpoint *model);
/* Weight and priority may change while it stays the same endpoint. */
void endpoint_adopt(struct endpoint *endpoint, const struct model_endpoints *set, const struct model_endpoint *model);
bool endpoint_in_doubt(const struct endpoint *endpoint);
/* By what the control plane says. */
bool endpoint_is_to_be_used(const struct endpoint *endpoint);
bool endpoint_usable(const struct endpoint *endpoint);
/* Usable, or isolated for its success rate alone. */
bool endpoint_usable_but_for_rate(const struct endpoint *endpoint);
/* Nothing of it is left: it may be freed. */
bool endpoint_is_idle(const struct endpoint *endpoint);
void endpoint_remove(struct endpoint *endpoint);

/* Whom TLS greets: by the configuration, else the host name it came by, else its address, which is never sent. NULL: out of
 * memory. */
const char *endpoint_server_name(struct endpoint *endpoint);
/* transport.c. The TLS of its settings, made if they have one, else NULL; lent: MESH_ERR_TLS, MESH_ERR_IO, MESH_ERR_NOMEM with a
 * sentence. */
int32_t endpoint_need_tls(struct endpoint *endpoint, struct net_tls **out, struct fault *fault);
/* What no settings need any more goes; or all. */
void cluster_forget_tls(struct cluster *cluster, bool all);

/* isolation.c */
/* An attempt on it has ended. */
void endpoint_judge(struct endpoint *endpoint, enum attempt_outcome outcome, uint64_t now_us);
/* It joins a cluster in use. */
void endpoint_join(struct endpoint *endpoint);
void endpoint_leave_troubled(struct endpoint *endpoint);
void cluster_look_at_troubled(struct cluster *cluster, uint64_t now_us);
/* An endpoint whose isolation is over: this attempt finds out how it is. NULL: there is none that this attempt may try. */
struct endpoint *cluster_due(struct part *part, const struct cluster_hint *hint, uint64_t now_us);

/* The policy is another one: what the one before found is forgotten. */
void cluster_forget_isolation(struct cluster *cluster);

/* isolation_envoy.c */
void endpoint_check_passed(struct endpoint *endpoint);
void endpoint_leave_envoy(struct endpoint *endpoint);
void cluster_look_at_envoy(struct cluster *cluster, uint64_t now_us);

/* False: out of memory. */
bool isolation_is_possible(struct endpoint *endpoint);
/* Its outlier has another state. */
void isolation_enlist(struct endpoint *endpoint);

/* isolation_shared.c */
/* The other loops hear that it is isolated; 0: in again. */
void isolation_tell(struct endpoint *endpoint, uint64_t until_us);
bool isolation_has_news(const struct cluster *cluster);
void isolation_heed(struct cluster *cluster, uint64_t now_us);
/* Failures in a row, of all loops together. */
uint32_t isolation_count_failure(struct endpoint *endpoint);
void isolation_count_answer(struct endpoint *endpoint);

/* cluster.c. The balancer of its policy; NULL: out of memory. */
struct balancer *cluster_make_balancer(const struct model_cluster *conf);

/* choose.c */
/* Why there is no endpoint to choose from: MESH_ERR_AGAIN when that may change at once, else with a sentence. */
int32_t cluster_nobody(const struct cluster *cluster, struct fault *fault);
/* False: out of memory, the old view stays. */
bool cluster_build_view(struct cluster *cluster);
/* Something that decides who is usable has changed: the view is made again at the end of the turn. */
void cluster_health_changed(struct cluster *cluster);
/* Frees removed endpoints that are idle, at the end of the turn. */
void cluster_sweep_later(struct cluster *cluster);
void cluster_on_rebuild(struct loop_later *later);
void cluster_on_sweep(struct loop_later *later);

/* members.c. Matches a new set with the endpoints there are: all or nothing. `replace`: nobody stays, since what
 * connections depend on has changed. */
int32_t cluster_take_set(struct cluster *cluster, struct model_endpoints *set, bool replace);

/* members_made.c. Which endpoints of a set become struct endpoint: all, or of a very large one those that rank first for this
 * client in each zone, several times as many as are used. */
struct made {
    uint32_t *chosen; /* indices, ascending; NULL: all */
    size_t n;
    struct tally *absent; /* the others, by locality; NULL with `chosen` */
};
/* False: out of memory. */
bool made_choose(const struct cluster *cluster, const struct model_endpoints *set, struct made *out);
void made_free(struct made *made);

/* zone_count.c. In percent: the set's, or the policy's. */
uint32_t cluster_overprovisioning(const struct cluster *cluster);
/* transport.c. Whether connections made by the one are good for the other. */
bool cluster_same_transport(const struct model_cluster *a, const struct model_cluster *b);

#endif
