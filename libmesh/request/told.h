/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer's headers and trailers say about retrying it. Pure. */
#ifndef REQUEST_TOLD_H
#define REQUEST_TOLD_H

#include "model/model.h"
#include "request/response.h"

enum { GRPC_STATUS_NONE = -1 };

struct told {
    bool rate_limited; /* x-envoy-ratelimited, whatever it says */
    bool forbids;      /* x-mesh-retry: no; grpc-retry-pushback-ms that is negative or no number */
    bool has_wait;     /* grpc-retry-pushback-ms, Retry-After above 0 */
    uint64_t wait_us;  /* with has_wait */
    int grpc_status;
};

/* As far as it has come; what is in trailers and headers counts as the trailers have it. now_s is the wall clock, seconds since
 * 1970. */
struct told told_read(const struct mesh_response *response, uint64_t now_s);
/* The one that is asked for with every answer of a gRPC server. GRPC_STATUS_NONE: not said yet. */
int told_grpc_status(const struct mesh_response *response);
/* What the first of the route's reset headers that is readable says, if it is more than a millisecond and at most reset_most_us;
 * 0: nothing. */
uint64_t told_reset_us(const struct mesh_response *response, const struct route_rules *rules, uint64_t now_s);
/* Seconds of a Retry-After header (RFC 9110 10.2.3: a number, or an HTTP date), as microseconds; 0: none or unreadable. */
uint64_t told_retry_after_us(const char *value, uint64_t now_s);
/* The HTTP status that a grpc-status stands for (http-grpc-status-mapping.md of gRPC, the other way, as Envoy has it). */
int told_http_status(int grpc_status);

#endif
