/* SPDX-License-Identifier: Apache-2.0 */
/* The door of a cluster for requests: everything that may refuse one before it is sent. In the order in which they are asked: what
 * the control plane wants to be dropped, the breaker's limits, adaptive throttling, the rate limit, adaptive concurrency, which may let it wait for a moment. Who is
 * refused costs next to nothing, gets an error of its own with a sentence that names the key, and is counted here; nothing else
 * learns of it: no endpoint, no retry budget, no window of throttling or concurrency.
 *
 * Rules
 *   Breaker, throttling and rate limit are shared by the loops of a client. Concurrency is a loop's own: latency tells each what
 *   it needs to know, and nobody has to be woken in another loop.
 *   A stream is counted by the concurrency until its head has come, which is what its latency is measured by. */
#ifndef CLUSTER_ADMISSION_H
#define CLUSTER_ADMISSION_H

#include <pthread.h>

#include "cluster/concurrency.h"
#include "cluster/rate_limit.h"
#include "cluster/throttle.h"
#include "loop/loop.h"
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
    REFUSED_BY_CONCURRENCY,
    REFUSED_BY_DROP,
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

/* What a cluster has of it in its loop. */
struct admission_gate {
    struct concurrency concurrency;
    struct list queue; /* struct admission, the oldest first */
    uint32_t n_queued;
    struct loop_later serve;
};

/* A request at the door. Embedded in it, zeroed, then the first ones set. */
struct admission {
    enum policy_criticality criticality;
    uint64_t ends_us; /* of the request; 0: no limit */
    /* The end of a wait: it runs (0), or err and the fault. */
    void (*on_decided)(struct admission *admission, int32_t err, const struct fault *fault);

    struct cluster *cluster; /* where it is counted; NULL: nowhere */
    bool is_concurrent;      /* counted there too */
    struct list link;        /* in gate.queue */
    struct loop_timer patience;
};

/* Before a cluster takes up a policy. MESH_ERR_NOMEM. */
int32_t admission_prepare(struct cluster_shared *shared, const struct policy *policy);
/* The cluster has taken up another one. */
void admission_adopt(struct cluster *cluster);
void admission_shared_free(struct admission_shared *shared);
void admission_open(struct cluster *cluster);
void admission_close(struct cluster *cluster);

/* May the request run? Counts it, until admission_leave(). MESH_ERR_AGAIN: it waits, on_decided() will come from another turn or
 * from the end of this one. MESH_ERR_OVERFLOW, MESH_ERR_THROTTLED, MESH_ERR_RATE_LIMITED with a sentence. */
int32_t admission_enter(struct admission *admission, struct cluster *cluster, struct fault *fault);
/* What the control plane wants not to be sent to endpoints of one origin. MESH_ERR_THROTTLED, counted, with a sentence. */
int32_t admission_pass_drops(struct cluster *cluster, uint16_t origin, struct fault *fault);
/* It runs no more, or waits no more. Nothing if it has not entered. */
void admission_leave(struct admission *admission);
/* May an attempt of it wait for a connection? Counts that too. MESH_ERR_OVERFLOW. */
int32_t admission_enter_waiting(const struct admission *admission, struct fault *fault);
void admission_leave_waiting(const struct admission *admission);

/* Whether somebody here wants to hear how attempts end: else those below need not be called. */
bool admission_listens(const struct admission *admission);
/* An attempt of it is on its way. */
void admission_sent(const struct admission *admission);
/* One that was sent was turned away by a peer that has too much to do, or got no answer in time. */
void admission_turned_away(const struct admission *admission);
/* A usable answer came so long after the attempt was sent. */
void admission_answered(const struct admission *admission, uint64_t latency_us);
/* It is a stream, and its head has come: how long it lasts says nothing. */
void admission_streams(struct admission *admission);

#endif
