/* SPDX-License-Identifier: Apache-2.0 */
/* Active health checks of a cluster: for each endpoint a timer, and one exchange or connect at a time. One loop of a client asks;
 * what it finds is in struct endpoint_stats, for all loops. Private to cluster/.
 *
 * A check takes nothing that belongs to requests - no place in the breaker, the budget, the figures - but a stream of the
 * endpoint's own connections. */
#ifndef CLUSTER_CHECKER_H
#define CLUSTER_CHECKER_H

#include "cluster/grpc_health.h"
#include "cluster/health.h"
#include "cluster/state.h"

/* ---- for the rest of cluster/ ---- */

/* The configuration or the endpoints are new, or nobody asks any more: has this loop ask, if it is to be. */
void checker_attend(struct cluster *cluster);
/* This loop does not ask any more; another one may. */
void checker_end(struct cluster *cluster);
/* The loop that asks has found something since the view was made. */
bool checker_has_news(const struct cluster *cluster);

/* ---- among the files of the checker ---- */

struct check_ops {
    /* check_ended() comes later. An error: it could not begin. */
    int32_t (*begin)(struct check *check, struct fault *fault);
    /* Nothing of it is left afterwards; it will not tell anything any more. */
    void (*end)(struct check *check);
};
extern const struct check_ops check_http; /* gRPC too */
extern const struct check_ops check_tcp;

struct check {
    struct endpoint *endpoint;
    struct health health;
    struct loop_timer timer;     /* until the next one begins, or until the running one has taken too long */
    const struct check_ops *ops; /* of the running one; NULL: none runs */
    struct model_cluster *conf;  /* what the running one goes by: a reference */

    /* check_http.c */
    struct pool_lease lease;
    struct http_stream stream;
    struct loop_later again;
    bool repeated;
    int status;
    int64_t grpc_status; /* -1: none */
    size_t n_sent, n_received;
    uint8_t received[GRPC_HEALTH_ANSWER_MOST + 1];

    struct net_dial *dial; /* check_tcp.c */
};

static inline struct loop *check_loop(const struct check *check)
{
    return check->endpoint->cluster->env.loop;
}

/* The running check is over; `why` unless it has passed. */
void check_ended(struct check *check, enum health_verdict verdict, const struct fault *why);
/* The same for one that got no answer; what our own side could not do says nothing about the endpoint. */
void check_got_nothing(struct check *check, const struct fault *why);
/* Of the endpoint: stops whatever runs. NULL is fine. */
void check_free(struct check *check);

#endif
