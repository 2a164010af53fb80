/* SPDX-License-Identifier: Apache-2.0 */
/* The door of route/: which cluster of a snapshot serves a request. Pure: strings in, an entry out.
 *
 * A configured service is a route to the cluster of its own name; routes by host, path and header come from a control
 * plane and are matched here too. */
#ifndef ROUTE_ROUTE_H
#define ROUTE_ROUTE_H

#include "model/model.h"

/* What a request can be routed by. */
struct route_request {
    const char *service;
    const char *method;
    const char *path;
};

/* The entry of the cluster that serves it, borrowed from the snapshot; NULL: no route. */
const struct model_entry *route_match(const struct model_snapshot *snapshot, const struct route_request *request);

#endif
