/* SPDX-License-Identifier: Apache-2.0 */
/* What active health checks say about one endpoint, as Envoy counts: the first one decides alone, later ones in a row. Pure:
 * dice are arguments, and nothing here knows how a check is made. */
#ifndef CLUSTER_HEALTH_H
#define CLUSTER_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "model/model.h"

enum health_state {
    HEALTH_UNKNOWN, /* no check has ended yet: requests are welcome */
    HEALTH_HEALTHY,
    HEALTH_UNHEALTHY,
};
const char *health_state_name(enum health_state state);

/* How one check ended. */
enum health_verdict {
    HEALTH_PASSED,
    HEALTH_FAILED,  /* no answer: so many in a row */
    HEALTH_REFUSED, /* an answer that says no: decides alone */
    HEALTH_UNTOLD,  /* our own side could not ask: says nothing */
};

struct health {
    enum health_state state;
    uint32_t passed, failed; /* in a row */
};

/* A check has ended. True: the state is another now. */
bool health_judge(struct health *health, const struct policy_health *conf, enum health_verdict verdict);

/* How long to wait before the first check - no longer than a second, so that not all endpoints are asked at once - and from the
 * end of one to the next: a tenth more or less than the interval. */
uint64_t health_first_wait_us(const struct policy_health *conf, struct rand *dice);
uint64_t health_wait_us(const struct policy_health *conf, struct rand *dice);

#endif
