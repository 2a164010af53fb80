/* SPDX-License-Identifier: Apache-2.0 */
/* Does the peer have too much to do? Read from answers and the time they take, and told to the cluster's admission if that
 * listens. */
#ifndef REQUEST_OVERLOAD_H
#define REQUEST_OVERLOAD_H

#include "request/request.h"

/* By its head: 429; 503 with a Retry-After, with Envoy's x-envoy-overloaded, or with x-mesh-retry: no (a 503 alone may as well
 * come from one that is broken); grpc-status RESOURCE_EXHAUSTED. Pure. */
bool overload_told_by_head(const struct mesh_response *response);
/* By its trailers: grpc-status RESOURCE_EXHAUSTED. Pure. */
bool overload_told_by_trailers(const struct mesh_response *response);

/* The head has come; the trailers; what is judged, the head for streams; the attempt is about to end with err while it waits
 * for its answer. */
void overload_hear_head(const struct request *request);
void overload_hear_trailers(const struct request *request);
void overload_hear_answer(struct request *request, enum attempt_outcome outcome);
void overload_hear_timeout(const struct request *request, int32_t err);

#endif
