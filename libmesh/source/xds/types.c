/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the types of resources. */
#include "source/xds/types.h"

#include <string.h>

static const struct {
    const char *url, *name;
    bool is_full;
} types[XDS_TYPES] = {
    [XDS_LISTENER] = { "type.googleapis.com/envoy.config.listener.v3.Listener", "listener", true },
    [XDS_ROUTES] = { "type.googleapis.com/envoy.config.route.v3.RouteConfiguration", "route configuration", false },
    [XDS_CLUSTER] = { "type.googleapis.com/envoy.config.cluster.v3.Cluster", "cluster", true },
    [XDS_ENDPOINTS] = { "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment", "endpoints", false },
};

const char *xds_type_url(enum xds_type type)
{
    return types[type].url;
}

const char *xds_type_name(enum xds_type type)
{
    return types[type].name;
}

bool xds_type_parse(const char *url, size_t len, enum xds_type *out)
{
    for (int i = 0; i < XDS_TYPES; i++) {
        if (strlen(types[i].url) != len || memcmp(types[i].url, url, len) != 0)
            continue;
        *out = (enum xds_type) i;
        return true;
    }
    return false;
}

bool xds_type_is_full(enum xds_type type)
{
    return types[type].is_full;
}
