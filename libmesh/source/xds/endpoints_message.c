/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a ClusterLoadAssignment from their messages, with what is wrong with them. */
#include <string.h>

#include "source/xds/endpoints_making.h"
#include "source/xds/scalars.h"
#include "source/xds/values.h"

enum { MILLION = 1000000 };

/* ---- one endpoint ---- */

enum model_health endpoints_health(uint64_t status)
{
    switch (status) {
    case CORE__HEALTH_STATUS__UNKNOWN:
    case CORE__HEALTH_STATUS__HEALTHY:
        return ENDPOINT_HEALTHY;
    case CORE__HEALTH_STATUS__DRAINING:
        return ENDPOINT_DRAINING;
    case CORE__HEALTH_STATUS__TIMEOUT:
        return ENDPOINT_TIMED_OUT;
    case CORE__HEALTH_STATUS__DEGRADED:
        return ENDPOINT_DEGRADED;
    default: /* what is not known is not used */
        return ENDPOINT_UNHEALTHY;
    }
}

static int32_t read_socket_address(struct reading *reading, const Core__SocketAddress *from, struct addr *out)
{
    if (from->protocol != CORE__SOCKET_ADDRESS__PROTOCOL__TCP)
        return reading_wrong_at(reading, "protocol", "%d, allowed is TCP", (int) from->protocol);
    if (from->port_specifier_case != CORE__SOCKET_ADDRESS__PORT_SPECIFIER_PORT_VALUE)
        return reading_wrong_at(reading, "port_value", "it is missing");
    if (from->port_value == 0 || from->port_value > UINT16_MAX)
        return reading_wrong_at(reading, "port_value", "%u, allowed is 1 to 65535", from->port_value);
    if (!addr_parse_ip(out, from->address, strlen(from->address), (uint16_t) from->port_value))
        return reading_wrong_at(reading, "address", "\"%.100s\" is no literal IP address", from->address);
    return 0;
}

static int32_t read_address(struct reading *reading, const char *field, const Core__Address *from, struct addr *out)
{
    int32_t err = 0;

    reading_enter(reading, field);
    if (from && from->address_case == CORE__ADDRESS__ADDRESS_SOCKET_ADDRESS) {
        reading_unknown_within(reading, &from->base);
        reading_enter(reading, "socket_address");
        err = read_socket_address(reading, from->socket_address, out);
        reading_leave(reading);
    } else if (from && from->address_case == CORE__ADDRESS__ADDRESS_PIPE) {
        if (!addr_unix(out, from->pipe->path))
            err = reading_wrong_at(reading, "pipe.path", "\"%.120s\" is no path of 1 to 107 bytes", from->pipe->path);
    } else {
        err = reading_wrong(reading, "there is neither socket_address nor pipe");
    }
    reading_leave(reading);
    return err;
}

static void tell_more_addresses(struct endpoints_making *making)
{
    if (making->told_more_addresses)
        return;
    making->told_more_addresses = true;
    reading_ignored_at(making->reading, "additional_addresses", "one address of each family is used, others are not");
}

/* The first of another family is raced with the first address. */
static int32_t read_more_addresses(struct endpoints_making *making, const Endpoint__Endpoint *from,
                                   struct endpoint_read *out)
{
    for (size_t i = 0; i < from->n_additional_addresses; i++) {
        struct addr addr = { 0 };
        int32_t err;

        reading_enter_item(making->reading, "additional_addresses", i);
        err = read_address(making->reading, "address", from->additional_addresses[i]->address, &addr);
        reading_leave(making->reading);
        if (err)
            return err;
        if (addr.family != ADDR_UNIX && addr.family != out->addr.family && out->alternative.family == ADDR_NONE)
            out->alternative = addr;
        else
            tell_more_addresses(making);
    }
    return 0;
}

static void read_health_check(struct endpoints_making *making, const Endpoint__Endpoint__HealthCheckConfig *from,
                              struct endpoint_read *out)
{
    out->unchecked = from->disable_active_health_check;
    reading_unknown(making->reading, &from->base);
    if ((from->port_value == 0 && from->hostname[0] == '\0') || making->told_health_check)
        return;
    making->told_health_check = true;
    reading_ignored_at(making->reading, "health_check_config",
                       "checks go to the endpoint's own port, with the host of the cluster's health check");
}

static int32_t read_host(struct endpoints_making *making, const Endpoint__Endpoint *from, struct endpoint_read *out)
{
    int32_t err = read_address(making->reading, "address", from->address, &out->addr);

    if (err)
        return err;
    reading_unknown(making->reading, &from->base);
    out->hostname = from->hostname;
    out->hostname_len = strlen(from->hostname);
    if (from->health_check_config)
        read_health_check(making, from->health_check_config, out);
    return read_more_addresses(making, from, out);
}

int32_t endpoints_read_endpoint(struct endpoints_making *making, const Endpoint__LbEndpoint *message,
                                struct endpoint_read *out)
{
    struct reading *reading = making->reading;
    int32_t err;

    *out = (struct endpoint_read){ .weight = 1, .hostname = "", .health = endpoints_health(message->health_status) };
    if (message->host_identifier_case != ENDPOINT__LB_ENDPOINT__HOST_IDENTIFIER_ENDPOINT)
        return reading_wrong(reading, "there is no endpoint");
    reading_unknown(reading, &message->base);
    reading_enter(reading, "endpoint");
    err = read_host(making, message->endpoint, out);
    reading_leave(reading);
    if (!err)
        err = scalar_u32(reading, "load_balancing_weight", message->load_balancing_weight, 1, UINT32_MAX, &out->weight);
    if (!err && message->metadata)
        err = endpoints_read_metadata(making, message->metadata, &out->metadata);
    return err;
}

/* ---- a locality's names ---- */

int32_t endpoints_read_locality(struct endpoints_making *making, const Core__Locality *locality)
{
    struct model_endpoints *set = making->set;
    struct model_locality *place = &making->place;

    reading_unknown(making->reading, &locality->base);
    place->region = model_endpoints_text(set, locality->region, strlen(locality->region));
    place->zone = model_endpoints_text(set, locality->zone, strlen(locality->zone));
    place->sub_zone = model_endpoints_text(set, locality->sub_zone, strlen(locality->sub_zone));
    return place->region && place->zone && place->sub_zone ? 0 : reading_no_memory(making->reading);
}

/* ---- the policy ---- */

static int32_t read_drop(struct endpoints_making *making,
                         const Endpoint__ClusterLoadAssignment__Policy__DropOverload *from, struct model_drop *out)
{
    struct route_fraction fraction = { 0, 100 };
    int32_t err = values_fraction(making->reading, "drop_percentage", from->drop_percentage, &fraction);

    if (err)
        return err;
    reading_unknown_within(making->reading, &from->base);
    out->per_million = (uint32_t) ((uint64_t) fraction.numerator * MILLION / fraction.denominator);
    out->category = model_endpoints_text(making->set, from->category, strlen(from->category));
    return out->category ? 0 : reading_no_memory(making->reading);
}

static int32_t read_drops(struct endpoints_making *making, const Endpoint__ClusterLoadAssignment__Policy *policy)
{
    size_t n = policy->n_drop_overloads;
    struct model_drop *drops = n > 0 ? model_endpoints_alloc(making->set, n * sizeof *drops) : NULL;

    if (n > 0 && !drops)
        return reading_no_memory(making->reading);
    for (size_t i = 0; i < n; i++) {
        int32_t err;

        reading_enter_item(making->reading, "drop_overloads", i);
        err = read_drop(making, policy->drop_overloads[i], &drops[i]);
        reading_leave(making->reading);
        if (err)
            return err;
    }
    making->set->drops = drops;
    making->set->n_drops = n;
    return 0;
}

int32_t endpoints_read_policy(struct endpoints_making *making, const Endpoint__ClusterLoadAssignment__Policy *policy)
{
    struct reading *reading = making->reading;
    struct model_endpoints *set = making->set;
    int32_t err;

    reading_enter(reading, "policy");
    reading_unknown(reading, &policy->base);
    err = read_drops(making, policy);
    if (!err)
        err = scalar_u32(reading, "overprovisioning_factor", policy->overprovisioning_factor, 1, UINT32_MAX,
                         &set->overprovisioning_percent);
    if (!err)
        err = scalar_us(reading, "endpoint_stale_after", policy->endpoint_stale_after, &set->stale_after_us);
    set->health_by_weight = policy->weighted_priority_health;
    reading_leave(reading);
    return err;
}
