/* SPDX-License-Identifier: Apache-2.0 */
/* Where a cluster's endpoints come from: EDS, the resource itself, names, other clusters. */
#include <inttypes.h>
#include <string.h>

#include "proto/aggregate_cluster.pb-c.h"
#include "proto/dns_cluster.pb-c.h"
#include "source/xds/cluster_reader.h"
#include "source/xds/endpoints.h"

#define AGGREGATE   "envoy.extensions.clusters.aggregate.v3.ClusterConfig"
#define DNS         "envoy.extensions.clusters.dns.v3.DnsCluster"

#define EDS_WAIT_US (15 * US_PER_S)

enum { PORT_MOST = 65535, PRIORITY_MOST = 128, HOST_MOST = 253 };

/* ---- EDS ---- */

static bool is_same_stream(const Core__ConfigSource *source)
{
    return source && source->config_source_specifier_case != CORE__CONFIG_SOURCE__CONFIG_SOURCE_SPECIFIER__NOT_SET;
}

static int32_t read_eds(struct cluster_reader *reader)
{
    const Cluster__Cluster__EdsClusterConfig *config = reader->message->eds_cluster_config;
    const char *name = config ? config->service_name : "";

    reader->out->kind = XDS_CLUSTER_EDS;
    reader->out->eds_wait_us = EDS_WAIT_US;
    if (!config || !is_same_stream(config->eds_config))
        return reading_wrong_at(&reader->reading, "eds_cluster_config.eds_config", "one of ads and self is allowed");
    if (name[0] == '\0' && text_starts_with(reader->message->name, "xdstp:"))
        return reading_wrong_at(&reader->reading, "eds_cluster_config.service_name",
                                "is missing, as the name of the cluster begins with \"xdstp:\"");
    reader->out->eds_name = mem_strdup(name[0] ? name : reader->message->name);
    if (!reader->out->eds_name)
        return reading_no_memory(&reader->reading);
    return scalar_us(&reader->reading, "eds_cluster_config.eds_config.initial_fetch_timeout",
                     config->eds_config->initial_fetch_timeout, &reader->out->eds_wait_us);
}

/* ---- the resource itself ---- */

static int32_t read_static(struct cluster_reader *reader)
{
    const Endpoint__ClusterLoadAssignment none = ENDPOINT__CLUSTER_LOAD_ASSIGNMENT__INIT;
    const Endpoint__ClusterLoadAssignment *given = reader->message->load_assignment;
    int32_t err;

    reader->out->kind = XDS_CLUSTER_STATIC;
    reading_enter(&reader->reading, "load_assignment");
    err = endpoints_of_message(&reader->reading, given ? given : &none, &reader->out->endpoints);
    reading_leave(&reader->reading);
    return err;
}

/* ---- names ---- */

static bool is_host_name(const char *host)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t len = strspn(host, allowed);

    return len > 0 && host[len] == '\0' && len <= HOST_MOST;
}

static int32_t check_place(struct reading *reading, const Core__SocketAddress *place)
{
    if (place->protocol != CORE__SOCKET_ADDRESS__PROTOCOL__TCP)
        return reading_wrong_at(reading, "protocol", "only TCP is allowed");
    if (place->port_specifier_case != CORE__SOCKET_ADDRESS__PORT_SPECIFIER_PORT_VALUE)
        return reading_wrong_at(reading, "port_value", "is missing");
    if (place->port_value == 0 || place->port_value > PORT_MOST)
        return reading_wrong_at(reading, "port_value", "%" PRIu32 " is not from 1 to 65535", place->port_value);
    return 0;
}

static int32_t fill_target(struct cluster_reader *reader, const Core__SocketAddress *place, struct service_target *to)
{
    struct model_target *target = &to->target;
    int32_t err = check_place(&reader->reading, place);

    if (err)
        return err;
    target->port = (uint16_t) place->port_value;
    target->port_written = true;
    target->protocol = reader->conf->protocol;
    target->kind = TARGET_HOST;
    if (addr_parse(&target->addr, place->address, strlen(place->address), target->port))
        target->kind = TARGET_ADDRESS;
    else if (!is_host_name(place->address))
        return reading_wrong_at(&reader->reading, "address", "\"%.100s\" is neither an address nor a name of a host",
                                place->address);
    target->host = mem_strdup(place->address);
    return target->host ? 0 : reading_no_memory(&reader->reading);
}

static void list_of_endpoint(struct reading *reading, const Endpoint__LbEndpoint *from)
{
    if (from->load_balancing_weight && from->load_balancing_weight->value != 1)
        reading_ignored_at(reading, "load_balancing_weight", "what a name resolves to has equal weights");
    if (from->health_status != CORE__HEALTH_STATUS__UNKNOWN && from->health_status != CORE__HEALTH_STATUS__HEALTHY)
        reading_ignored_at(reading, "health_status", "what a name resolves to is used");
    if (from->metadata)
        reading_ignored_at(reading, "metadata", "what a name resolves to has none");
    if (from->endpoint->hostname[0])
        reading_ignored_at(reading, "endpoint.hostname", "is the name that is resolved");
    if (from->endpoint->health_check_config)
        reading_ignored_at(reading, "endpoint.health_check_config", "checks are those of the cluster");
    if (from->endpoint->n_additional_addresses > 0)
        reading_ignored_at(reading, "endpoint.additional_addresses", "the name gives all addresses");
}

static int32_t read_target(struct cluster_reader *reader, const Endpoint__LbEndpoint *from, struct service_target *to)
{
    const Core__Address *address;
    int32_t err;

    if (from->host_identifier_case != ENDPOINT__LB_ENDPOINT__HOST_IDENTIFIER_ENDPOINT)
        return reading_wrong_at(&reader->reading, "endpoint", "is missing");
    address = from->endpoint->address;
    if (!address || address->address_case != CORE__ADDRESS__ADDRESS_SOCKET_ADDRESS)
        return reading_wrong_at(&reader->reading, "endpoint.address.socket_address",
                                "is missing: clusters of this type have names to resolve");
    reading_enter(&reader->reading, "endpoint.address.socket_address");
    err = fill_target(reader, address->socket_address, to);
    reading_leave(&reader->reading);
    if (!err)
        list_of_endpoint(&reader->reading, from);
    return err;
}

/* AUTO and ALL race both, which is what Envoy does with ALL alone. */
static enum service_families families_of(const struct cluster_reader *reader)
{
    switch (reader->message->dns_lookup_family) {
    case CLUSTER__CLUSTER__DNS_LOOKUP_FAMILY__V4_ONLY:
        return FAMILIES_IPV4;
    case CLUSTER__CLUSTER__DNS_LOOKUP_FAMILY__V6_ONLY:
        return FAMILIES_IPV6;
    case CLUSTER__CLUSTER__DNS_LOOKUP_FAMILY__V4_PREFERRED:
        return FAMILIES_IPV4_FIRST;
    default:
        return FAMILIES_BOTH;
    }
}

static int32_t place_target(struct cluster_reader *reader, const Endpoint__LocalityLbEndpoints *locality,
                            struct service_target *to)
{
    const Core__Locality *where = locality->locality;
    const char *zone = where ? (where->zone[0] ? where->zone : where->region) : "";

    to->priority = locality->priority;
    to->families = families_of(reader);
    to->is_one = reader->out->is_logical;
    to->zone = mem_strdup(zone);
    return to->zone ? 0 : reading_no_memory(&reader->reading);
}

static int32_t read_locality(struct cluster_reader *reader, const Endpoint__LocalityLbEndpoints *locality)
{
    int32_t err = 0;

    if (locality->priority > PRIORITY_MOST)
        return reading_wrong_at(&reader->reading, "priority", "%" PRIu32 " is more than 128", locality->priority);
    if (locality->load_balancing_weight && reader->policy->spill.weighted)
        reading_ignored_at(&reader->reading, "load_balancing_weight", "localities of names have equal weights");
    if (locality->metadata)
        reading_ignored_at(&reader->reading, "metadata", "what a name resolves to has none");
    for (size_t i = 0; i < locality->n_lb_endpoints && !err; i++) {
        struct service_target *to = &reader->out->targets[reader->out->n_targets++];

        reading_enter_item(&reader->reading, "lb_endpoints", i);
        err = read_target(reader, locality->lb_endpoints[i], to);
        reading_leave(&reader->reading);
        if (!err)
            err = place_target(reader, locality, to);
    }
    return err;
}

static int32_t read_assignment_policy(struct cluster_reader *reader,
                                      const Endpoint__ClusterLoadAssignment__Policy *policy)
{
    uint32_t *percent = &reader->policy->spill.overprovisioning_percent;

    if (!policy)
        return 0;
    if (policy->n_drop_overloads > 0)
        reading_ignored_at(&reader->reading, "policy.drop_overloads", "nothing is dropped where names are resolved");
    if (policy->endpoint_stale_after)
        reading_ignored_at(&reader->reading, "policy.endpoint_stale_after", "names are resolved again instead");
    if (policy->weighted_priority_health)
        reading_ignored_at(&reader->reading, "policy.weighted_priority_health", "all weights are equal");
    return scalar_u32(&reader->reading, "policy.overprovisioning_factor", policy->overprovisioning_factor, 1,
                      UINT32_MAX, percent);
}

static size_t count_endpoints(const Endpoint__ClusterLoadAssignment *assignment)
{
    size_t n = 0;

    for (size_t i = 0; i < assignment->n_endpoints; i++)
        n += assignment->endpoints[i]->n_lb_endpoints;
    return n;
}

static int32_t read_names(struct cluster_reader *reader, const Endpoint__ClusterLoadAssignment *assignment)
{
    size_t n = count_endpoints(assignment);
    int32_t err = read_assignment_policy(reader, assignment->policy);

    if (err)
        return err;
    if (n == 0)
        return reading_wrong_at(&reader->reading, "endpoints", "there is none");
    if (reader->out->is_logical && (n != 1 || assignment->n_endpoints != 1))
        return reading_wrong_at(&reader->reading, "endpoints", "LOGICAL_DNS has one locality with one endpoint");
    reader->out->targets = mem_array(n, sizeof *reader->out->targets);
    if (!reader->out->targets)
        return reading_no_memory(&reader->reading);
    for (size_t i = 0; i < assignment->n_endpoints && !err; i++) {
        reading_enter_item(&reader->reading, "endpoints", i);
        err = read_locality(reader, assignment->endpoints[i]);
        reading_leave(&reader->reading);
    }
    return err;
}

static int32_t read_dns(struct cluster_reader *reader, bool is_logical)
{
    const Endpoint__ClusterLoadAssignment *assignment = reader->message->load_assignment;
    int32_t err;

    reader->out->kind = XDS_CLUSTER_DNS;
    reader->out->is_logical = is_logical;
    if (reader->message->dns_lookup_family > CLUSTER__CLUSTER__DNS_LOOKUP_FAMILY__ALL)
        return reading_wrong_at(&reader->reading, "dns_lookup_family", "%d does not exist",
                                (int) reader->message->dns_lookup_family);
    if (!assignment)
        return reading_wrong_at(&reader->reading, "load_assignment", "is missing");
    reading_enter(&reader->reading, "load_assignment");
    err = read_names(reader, assignment);
    reading_leave(&reader->reading);
    return err;
}

/* ---- clusters of clusters ---- */

static int32_t read_members(struct cluster_reader *reader, const AggregateCluster__ClusterConfig *config)
{
    struct xds_cluster *out = reader->out;

    out->kind = XDS_CLUSTER_AGGREGATE;
    if (config->n_clusters == 0)
        return reading_wrong_at(&reader->reading, "clusters", "there is none");
    out->members = mem_array(config->n_clusters, sizeof *out->members);
    if (!out->members)
        return reading_no_memory(&reader->reading);
    for (size_t i = 0; i < config->n_clusters; i++) {
        if (config->clusters[i][0] == '\0')
            return reading_wrong_at(&reader->reading, "clusters", "a name is empty");
        out->members[i] = mem_strdup(config->clusters[i]);
        if (!out->members[i])
            return reading_no_memory(&reader->reading);
        out->n_members++;
    }
    return 0;
}

/* ---- which of them ---- */

static int32_t read_custom(struct cluster_reader *reader, const Cluster__Cluster__CustomClusterType *type)
{
    const Pb__Any *any = type->typed_config;
    ProtobufCMessage *config;
    int32_t err;

    reading_enter(&reader->reading, "cluster_type.typed_config");
    if (scalar_any_is(any, AGGREGATE)) {
        err = cluster_open(reader, any, &aggregate_cluster__cluster_config__descriptor, &config);
        err = err ? err : read_members(reader, (const AggregateCluster__ClusterConfig *) config);
        reading_leave(&reader->reading);
        return err;
    }
    if (!scalar_any_is(any, DNS)) {
        err = reading_wrong(&reader->reading, "\"%.100s\" is none of " AGGREGATE " and " DNS,
                            any ? any->type_url : type->name);
        reading_leave(&reader->reading);
        return err;
    }
    err = cluster_open(reader, any, &dns_cluster__dns_cluster__descriptor, &config);
    reading_leave(&reader->reading);
    return err ? err : read_dns(reader, ((const DnsCluster__DnsCluster *) config)->all_addresses_in_single_endpoint);
}

int32_t cluster_read_kind(struct cluster_reader *reader)
{
    const Cluster__Cluster *message = reader->message;
    Cluster__Cluster__DiscoveryType type = CLUSTER__CLUSTER__DISCOVERY_TYPE__STATIC;

    if (message->cluster_discovery_type_case == CLUSTER__CLUSTER__CLUSTER_DISCOVERY_TYPE_CLUSTER_TYPE)
        return read_custom(reader, message->cluster_type);
    if (message->cluster_discovery_type_case == CLUSTER__CLUSTER__CLUSTER_DISCOVERY_TYPE_TYPE)
        type = message->type;
    switch (type) {
    case CLUSTER__CLUSTER__DISCOVERY_TYPE__EDS:
        return read_eds(reader);
    case CLUSTER__CLUSTER__DISCOVERY_TYPE__STATIC:
        return read_static(reader);
    case CLUSTER__CLUSTER__DISCOVERY_TYPE__STRICT_DNS:
        return read_dns(reader, false);
    case CLUSTER__CLUSTER__DISCOVERY_TYPE__LOGICAL_DNS:
        return read_dns(reader, true);
    case CLUSTER__CLUSTER__DISCOVERY_TYPE__ORIGINAL_DST:
        return reading_wrong_at(&reader->reading, "type", "ORIGINAL_DST: a client knows no original destination");
    default:
        return reading_wrong_at(&reader->reading, "type", "%d is none of EDS, STATIC, STRICT_DNS and LOGICAL_DNS",
                                (int) type);
    }
}
