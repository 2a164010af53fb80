/* SPDX-License-Identifier: Apache-2.0 */
/* The types of resources that a control plane is asked for, in the order in which one leads to the next. */
#ifndef SOURCE_XDS_TYPES_H
#define SOURCE_XDS_TYPES_H

#include <stdbool.h>
#include <stddef.h>

enum xds_type { XDS_LISTENER, XDS_ROUTES, XDS_CLUSTER, XDS_ENDPOINTS, XDS_TYPES };

/* "type.googleapis.com/envoy.config.listener.v3.Listener" */
const char *xds_type_url(enum xds_type type);
/* "listener", "route configuration", "cluster", "endpoints": for sentences and logs. */
const char *xds_type_name(enum xds_type type);
/* False: none of these. */
bool xds_type_parse(const char *url, size_t len, enum xds_type *out);
/* A state-of-the-world answer of this type holds all there is: who is not in it is deleted. */
bool xds_type_is_full(enum xds_type type);

#endif
