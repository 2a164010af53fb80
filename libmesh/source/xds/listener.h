/* SPDX-License-Identifier: Apache-2.0 */
/* Listeners and route configurations: from the bytes of a control plane to what requests are routed by. Pure.
 * Private to source/xds/. */
#ifndef SOURCE_XDS_LISTENER_H
#define SOURCE_XDS_LISTENER_H

#include "model/model.h"
#include "source/xds/reading.h"

struct xds_filters; /* the HTTP filters of a listener: faults, local rate limits, the router */

/* A listener as a client sees it: its api_listener. Immutable, reference-counted; inside the source's loop only. */
struct xds_listener {
    uint32_t refs;
    char *name;
    char *routes_name;      /* of the route configuration; NULL: it is inline */
    uint8_t *inline_routes; /* bytes of the RouteConfiguration; NULL */
    size_t inline_len;
    struct xds_filters *filters;
    uint64_t idle_us;   /* stream_idle_timeout; UINT64_MAX: not said */
    uint64_t stream_us; /* common_http_protocol_options.max_stream_duration; 0: none */
};

/* MESH_ERR_INVALID: refused, the sentence has the field's path; MESH_ERR_PROTOCOL, _TOO_LARGE: not readable; _NOMEM. */
int32_t xds_listener_read(const uint8_t *bytes, size_t len, struct xds_listener **out, struct ignored *ignored,
                          struct fault *fault);
struct xds_listener *xds_listener_ref(struct xds_listener *listener);
void xds_listener_unref(struct xds_listener *listener); /* NULL is fine */

/* What routes are made with, beside the bytes. */
struct xds_routes_env {
    const struct xds_listener *listener; /* NULL: its filters are not known yet: a check of the bytes */
    const char *service;                 /* whose requests they are for: the authority of those that say none */
    const char *version;
    const struct policy_retry *retry; /* what a retry policy says nothing of */
};
/* Errors as above. With a listener only that is listed which depends on it: the rest was, when the bytes were checked. */
int32_t xds_routes_read(const uint8_t *bytes, size_t len, const struct xds_routes_env *env, struct model_routes **out,
                        struct ignored *ignored, struct fault *fault);

#endif
