/* SPDX-License-Identifier: Apache-2.0 */
/* The two messages of grpc.health.v1.Health/Check, as gRPC frames them. Pure. */
#ifndef CLUSTER_GRPC_HEALTH_H
#define CLUSTER_GRPC_HEALTH_H

#include <stddef.h>
#include <stdint.h>

enum {
    GRPC_HEALTH_SERVICE_MOST = 256, /* of a service's name: bytes */
    GRPC_HEALTH_REQUEST_MOST = 5 + 1 + 2 + GRPC_HEALTH_SERVICE_MOST,
    GRPC_HEALTH_ANSWER_MOST = 64, /* a HealthCheckResponse has 2 bytes; what is longer is none */
};

/* HealthCheckResponse.ServingStatus */
enum { GRPC_HEALTH_SERVING = 1 };

/* HealthCheckRequest{service}; NULL: the whole server. Longer names are cut. Returns its size. */
size_t grpc_health_request(const char *service, uint8_t out[GRPC_HEALTH_REQUEST_MOST]);
/* The status that an answer says; -1: it is none. */
int grpc_health_status(const uint8_t *bytes, size_t len);
/* "NOT_SERVING"; "?" for unknown numbers. */
const char *grpc_health_status_name(int status);

#endif
