/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that may refuse a request before it is sent: the breaker's limits, throttling, the rate limit. Who is refused costs next
 * to nothing, gets an error of its own with a sentence that names the key, and is counted here; nothing else learns of it:
 * no endpoint, no retry budget. */
#ifndef CLUSTER_ADMISSION_H
#define CLUSTER_ADMISSION_H

#include <pthread.h>

#include "cluster/rate_limit.h"
#include "cluster/throttle.h"
#include "model/model.h"

struct cluster;
struct cluster_shared;

/* The breaker counts CRITICALITY_CRITICAL_PLUS apart. */
enum { ADMISSION_DEFAULT, ADMISSION_HIGH, ADMISSION_PRIORITIES };

/* Who said no. */
enum admission_refusal {
    REFUSED_BY_REQUESTS,
    REFUSED_BY_PENDING,
    REFUSED_BY_THROTTLE,
    REFUSED_BY_RATE_LIMIT,
    ADMISSION_REFUSALS
};
const char *admission_refusal_name(enum admission_refusal refusal); /* "rate_limit" */

/* Made when a policy first asks for it, since it is large and few do; it stays as long as the cluster. */
struct admission_throttles {
    pthread_mutex_t lock;
    struct throttle by_criticality[CRITICALITY_COUNT];
};

/* What all loops share of it, zeroed. */
struct admission_shared {
    _Atomic uint32_t active[ADMISSION_PRIORITIES];  /* requests running */
    _Atomic uint32_t pending[ADMISSION_PRIORITIES]; /* attempts waiting for a connection */
    struct rate_limit rate_limit;
    struct admission_throttles *_Atomic throttles; /* NULL: none yet */
    _Atomic uint64_t refused[ADMISSION_REFUSALS];
};

/* A request at the door. Embedded in it, zeroed, then `criticality` set. */
struct admission {
    enum policy_criticality criticality;
    struct cluster *cluster; /* where it is counted; NULL: nowhere */
};

/* Before a cluster takes up a policy. MESH_ERR_NOMEM. */
int32_t admission_prepare(struct cluster_shared *shared, const struct policy *policy);
/* The cluster has taken up another one. */
void admission_adopt(struct cluster *cluster);
void admission_shared_free(struct admission_shared *shared);

/* May the request run? Counts it, until admission_leave(). MESH_ERR_OVERFLOW, MESH_ERR_THROTTLED, MESH_ERR_RATE_LIMITED with a
 * sentence. */
int32_t admission_enter(struct admission *admission, struct cluster *cluster, struct fault *fault);
/* Nothing if it has not entered. */
void admission_leave(struct admission *admission);
/* May an attempt of it wait for a connection? Counts that too. MESH_ERR_OVERFLOW. */
int32_t admission_enter_waiting(const struct admission *admission, struct fault *fault);
void admission_leave_waiting(const struct admission *admission);

/* Whether somebody here wants to hear how attempts end: else the two below need not be called. */
bool admission_listens(const struct admission *admission);
/* An attempt of it is on its way. */
void admission_sent(const struct admission *admission);
/* One that was sent was turned away by a peer that has too much to do, or got no answer in time. */
void admission_turned_away(const struct admission *admission);

#endif
