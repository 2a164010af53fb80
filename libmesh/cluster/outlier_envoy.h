/* SPDX-License-Identifier: Apache-2.0 */
/* Envoy's outlier detection, rule for rule (its outlier_detection_impl.cc): one struct a host, one detector a cluster. Pure: time
 * is an argument, and intervals end when the owner comes, however late that is.
 *
 * Not here: dice (a threshold of 0 is not enforced, any other always), jitter of the ejection time, monitors of extensions. */
#ifndef CLUSTER_OUTLIER_ENVOY_H
#define CLUSTER_OUTLIER_ENVOY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "model/model.h"

enum outlier_envoy_reason {
    ENVOY_CONSECUTIVE_5XX,
    ENVOY_CONSECUTIVE_GATEWAY_FAILURE,
    ENVOY_CONSECUTIVE_LOCAL_ORIGIN_FAILURE,
    ENVOY_SUCCESS_RATE,
    ENVOY_SUCCESS_RATE_LOCAL_ORIGIN,
    ENVOY_FAILURE_PERCENTAGE,
    ENVOY_FAILURE_PERCENTAGE_LOCAL_ORIGIN,
};
const char *outlier_envoy_reason_name(enum outlier_envoy_reason reason); /* "consecutive_5xx" */

/* Who is to blame: the host's answers, or what our own side saw of it (with split_local_origin). */
enum outlier_envoy_origin { ENVOY_EXTERNAL, ENVOY_LOCAL, ENVOY_ORIGINS };

struct outlier_envoy_host {
    struct list link;
    uint32_t consecutive_5xx, consecutive_gateway_failure, consecutive_local_origin_failure;
    struct {
        uint32_t all, good;
    } seen[ENVOY_ORIGINS]; /* in this interval */
    bool ejected;
    bool changed;                     /* ejected or back since the owner looked: the owner's to clear */
    enum outlier_envoy_reason reason; /* of the last ejection */
    uint32_t times;                   /* by which the base time is multiplied */
    uint64_t ejected_us, back_us;     /* last; back_us 0: never */
};

struct outlier_envoy {
    struct list hosts;  /* struct outlier_envoy_host: those that have seen requests */
    uint32_t n_hosts;   /* all that the cluster has; the owner's */
    uint32_t n_ejected; /* of `hosts` */
    uint64_t tick_us;   /* the interval ends; 0: none has begun */
};

void outlier_envoy_init(struct outlier_envoy *detector);
void outlier_envoy_join(struct outlier_envoy *detector, struct outlier_envoy_host *host);
void outlier_envoy_leave(struct outlier_envoy *detector, struct outlier_envoy_host *host);

/* What happened to an attempt, in its order. An answer's head with this status: */
void outlier_envoy_answered(struct outlier_envoy *detector, struct outlier_envoy_host *host,
                            const struct policy_outlier_envoy *conf, int status, uint64_t now_us);
/* There is a connection for it: */
void outlier_envoy_connected(struct outlier_envoy_host *host, const struct policy_outlier_envoy *conf);
/* No connection, a reset; or the time was over: */
void outlier_envoy_failed(struct outlier_envoy *detector, struct outlier_envoy_host *host,
                          const struct policy_outlier_envoy *conf, bool timed_out, uint64_t now_us);
/* An active check passed: it is back at once. */
void outlier_envoy_passed(struct outlier_envoy *detector, struct outlier_envoy_host *host, uint64_t now_us);

/* Ends the intervals that are over: who comes back, who is ejected for its rate. Call it before any of the above, too. True:
 * some host has changed. */
bool outlier_envoy_tick(struct outlier_envoy *detector, const struct policy_outlier_envoy *conf, uint64_t now_us);
/* How long the host is ejected in all, in whole intervals from above. */
uint64_t outlier_envoy_ejection_us(const struct outlier_envoy_host *host, const struct policy_outlier_envoy *conf);

#endif
