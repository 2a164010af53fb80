/* SPDX-License-Identifier: Apache-2.0 */
/* Faults that a control plane injects (Envoy's fault filter): which of them meet a request. Pure but for the numbers of those that are
 * active, which lie in the routes. */
#ifndef REQUEST_FAULTS_H
#define REQUEST_FAULTS_H

#include "base/base.h"
#include "route/route.h"

enum { FAULTS_MOST = 32 }; /* of one route: nobody has more than a few filters, further ones are left out */

/* What they do to one request: the delay of all, and the first abort. */
struct faults_dealt {
    uint64_t delay_us; /* 0: none */
    bool aborts;
    uint16_t status;      /* of the answer; 0: ... */
    uint32_t grpc_status; /* ... this one */
    uint32_t counted;     /* a bit for each fault of the route that is active because of it */
};

/* `cluster`: key of the one it goes to; NULL: none. faults_end() when the request ends. */
void faults_deal(const struct route_rules *rules, const struct route_request *request, const char *cluster,
                 struct rand *dice, struct faults_dealt *out);
void faults_end(const struct route_rules *rules, uint32_t counted);

#endif
