/* SPDX-License-Identifier: Apache-2.0 */
/* The messages that stand in an Any, by their full name. */
#include "source/xds/wire_types.h"

#include <string.h>

#include "proto/aggregate_cluster.pb-c.h"
#include "proto/client_side_weighted_round_robin.pb-c.h"
#include "proto/cluster.pb-c.h"
#include "proto/dns_cluster.pb-c.h"
#include "proto/endpoint.pb-c.h"
#include "proto/fault.pb-c.h"
#include "proto/http_connection_manager.pb-c.h"
#include "proto/http_protocol_options.pb-c.h"
#include "proto/least_request.pb-c.h"
#include "proto/listener.pb-c.h"
#include "proto/local_rate_limit.pb-c.h"
#include "proto/maglev.pb-c.h"
#include "proto/pick_first.pb-c.h"
#include "proto/protobuf.pb-c.h"
#include "proto/random.pb-c.h"
#include "proto/ring_hash.pb-c.h"
#include "proto/round_robin.pb-c.h"
#include "proto/route.pb-c.h"
#include "proto/router.pb-c.h"
#include "proto/tls.pb-c.h"
#include "proto/wrr_locality.pb-c.h"

static const ProtobufCMessageDescriptor *const types[] = {
    &listener__listener__descriptor,
    &route__route_configuration__descriptor,
    &cluster__cluster__descriptor,
    &endpoint__cluster_load_assignment__descriptor,
    &hcm__http_connection_manager__descriptor,
    &router__router__descriptor,
    &fault__httpfault__descriptor,
    &local_rate_limit__local_rate_limit__descriptor,
    &route__filter_config__descriptor,
    &aggregate_cluster__cluster_config__descriptor,
    &dns_cluster__dns_cluster__descriptor,
    &upstream_http__http_protocol_options__descriptor,
    &tls__upstream_tls_context__descriptor,
    &wrr_locality__wrr_locality__descriptor,
    &round_robin__round_robin__descriptor,
    &random__random__descriptor,
    &least_request__least_request__descriptor,
    &ring_hash__ring_hash__descriptor,
    &maglev__maglev__descriptor,
    &pick_first__pick_first__descriptor,
    &weighted_round_robin__client_side_weighted_round_robin__descriptor,
    &pb__struct__descriptor,
};

const ProtobufCMessageDescriptor *wire_type_of_url(const char *type_url)
{
    const char *slash = strrchr(type_url, '/');
    const char *name = slash ? slash + 1 : type_url;

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i]->name, name) == 0)
            return types[i];
    return NULL;
}
