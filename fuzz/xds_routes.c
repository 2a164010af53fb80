/* SPDX-License-Identifier: Apache-2.0 */
/* A RouteConfiguration of any bytes, as a part of a listener that has filters to override; requests go by what is accepted. */
#include "grow.h"
#include "routes.h"

static struct xds_listener *listener;

static void pack_any(Pb__Any *any, const char *url, const ProtobufCMessage *message, uint8_t *room)
{
    pb__any__init(any);
    any->type_url = (char *) url;
    any->value.len = protobuf_c_message_pack(message, room);
    any->value.data = room;
}

static void make_filter(Hcm__HttpFilter *filter, const char *name, Pb__Any *config)
{
    hcm__http_filter__init(filter);
    filter->name = (char *) name;
    filter->config_type_case = HCM__HTTP_FILTER__CONFIG_TYPE_TYPED_CONFIG;
    filter->typed_config = config;
}

/* A fault, a limit, a router: what the words of grow.h call so. */
static void prepare(void)
{
    static uint8_t rooms[4][512];
    Fault__HTTPFault fault = FAULT__HTTPFAULT__INIT;
    LocalRateLimit__LocalRateLimit limit = LOCAL_RATE_LIMIT__LOCAL_RATE_LIMIT__INIT;
    Router__Router router = ROUTER__ROUTER__INIT;
    Hcm__HttpConnectionManager manager = HCM__HTTP_CONNECTION_MANAGER__INIT;
    Hcm__Rds rds = HCM__RDS__INIT;
    Core__ConfigSource source = CORE__CONFIG_SOURCE__INIT;
    Core__AggregatedConfigSource ads = CORE__AGGREGATED_CONFIG_SOURCE__INIT;
    Listener__ApiListener api = LISTENER__API_LISTENER__INIT;
    Listener__Listener message = LISTENER__LISTENER__INIT;
    Hcm__HttpFilter filters[3], *pointers[] = { &filters[0], &filters[1], &filters[2] };
    Pb__Any configs[4];
    struct fault why = { 0 };
    uint8_t bytes[1024];
    size_t len;

    pack_any(&configs[0], "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault", &fault.base,
             rooms[0]);
    pack_any(&configs[1], "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
             &limit.base, rooms[1]);
    pack_any(&configs[2], "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router", &router.base, rooms[2]);
    make_filter(&filters[0], "envoy.filters.http.fault", &configs[0]);
    make_filter(&filters[1], "envoy.filters.http.local_ratelimit", &configs[1]);
    make_filter(&filters[2], "envoy.filters.http.router", &configs[2]);
    source.config_source_specifier_case = CORE__CONFIG_SOURCE__CONFIG_SOURCE_SPECIFIER_ADS;
    source.ads = &ads;
    rds.config_source = &source;
    rds.route_config_name = (char *) "r";
    manager.route_specifier_case = HCM__HTTP_CONNECTION_MANAGER__ROUTE_SPECIFIER_RDS;
    manager.rds = &rds;
    manager.n_http_filters = COUNT_OF(filters);
    manager.http_filters = pointers;
    pack_any(&configs[3],
             "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
             &manager.base, rooms[3]);
    api.api_listener = &configs[3];
    message.name = (char *) "users";
    message.api_listener = &api;
    FUZZ_CHECK(protobuf_c_message_get_packed_size(&message.base) <= sizeof bytes);
    len = protobuf_c_message_pack(&message.base, bytes);
    FUZZ_CHECK(xds_listener_read(bytes, len, &listener, NULL, &why) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf bytes = grow_or_take(data, size, &route__route_configuration__descriptor);
    int32_t err;

    if (!listener)
        prepare();
    err = routes_read(buf_bytes(&bytes), buf_len(&bytes), listener);
    FUZZ_CHECK(routes_read(buf_bytes(&bytes), buf_len(&bytes), listener) == err);
    routes_read(buf_bytes(&bytes), buf_len(&bytes), NULL);
    buf_free(&bytes);
    return 0;
}
