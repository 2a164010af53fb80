/* SPDX-License-Identifier: Apache-2.0 */
/* What one request goes by: the rules of its route where that has some, else the policy of its cluster. Chosen once; pure. */
#ifndef REQUEST_RULES_H
#define REQUEST_RULES_H

#include "model/model.h"
#include "request/deadline.h"

/* Borrowed from the cluster's configuration and the routes, which the request holds. */
struct rules {
    const struct policy_retry *retry; /* but for budget_*, which are always read from the cluster's */
    const struct route_rules *route;  /* never NULL: a configured service has rules that say nothing */
    bool is_obeyed;                   /* a route says what is retried: of any method, as Envoy does it */
    bool hedges_late;                 /* an attempt whose own time is over goes on beside a hedge */
    uint64_t timeout_us;              /* of the whole, unless the call says so; 0: none */
    uint64_t idle_us;                 /* silence of a stream after its head; 0: any */
    uint64_t stream_us;               /* all of a stream; 0: any time */
};

/* routes and route NULL: a configured service. `asked`: what its headers say about time. */
struct rules rules_choose(const struct policy *policy, const struct model_routes *routes, const struct route *route,
                          const struct deadline_asked *asked);

#endif
