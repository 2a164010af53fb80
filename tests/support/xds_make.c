/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of a control plane. */
#include "support/xds_make.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "proto/router.pb-c.h"

enum { LIST_MOST = 64 };

static struct arena *arena;

static void *take(size_t count, size_t size)
{
    void *made;

    if (!arena)
        arena = arena_new();
    made = arena ? arena_array(arena, count, size) : NULL;
    if (!made)
        abort();
    return made;
}

void xds_make_clear(void)
{
    arena_free(arena);
    arena = NULL;
}

void *xds_make(const ProtobufCMessageDescriptor *type)
{
    ProtobufCMessage *made = take(1, type->sizeof_message);

    type->message_init(made);
    return made;
}

void *xds_make_list(size_t *n, ...)
{
    void **items = take(LIST_MOST, sizeof *items);
    va_list args;
    void *item;

    *n = 0;
    va_start(args, n);
    while ((item = va_arg(args, void *))) {
        assert(*n < LIST_MOST);
        items[(*n)++] = item;
    }
    va_end(args);
    return items;
}

char *xds_make_text(const char *format, ...)
{
    va_list args;
    char *made;
    int n;

    va_start(args, format);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    made = take((size_t) n + 1, 1);
    va_start(args, format);
    vsnprintf(made, (size_t) n + 1, format, args);
    va_end(args);
    return made;
}

void *xds_make_block(size_t size)
{
    return take(1, size);
}

void xds_make_unknown(ProtobufCMessage *message, uint32_t number)
{
    static uint8_t one[] = { 1 };
    ProtobufCMessageUnknownField *field = take(1, sizeof *field);

    field->tag = number;
    field->wire_type = PROTOBUF_C_WIRE_TYPE_VARINT;
    field->len = sizeof one;
    field->data = one;
    message->n_unknown_fields = 1;
    message->unknown_fields = field;
}

struct buf xds_make_bytes(const ProtobufCMessage *message)
{
    struct buf bytes = { 0 };
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *room = buf_room(&bytes, size + 1);

    if (!room)
        abort();
    buf_added(&bytes, protobuf_c_message_pack(message, room));
    return bytes;
}

Pb__Any *xds_make_any(const ProtobufCMessage *message)
{
    Pb__Any *any = xds_make(&pb__any__descriptor);

    any->type_url = xds_make_text("type.googleapis.com/%s", message->descriptor->name);
    any->value.len = protobuf_c_message_get_packed_size(message);
    any->value.data = take(any->value.len + 1, 1);
    protobuf_c_message_pack(message, any->value.data);
    return any;
}

/* ---- values ---- */

Pb__UInt32Value *xds_make_u32(uint32_t value)
{
    Pb__UInt32Value *made = xds_make(&pb__uint32_value__descriptor);

    made->value = value;
    return made;
}

Pb__BoolValue *xds_make_bool(bool value)
{
    Pb__BoolValue *made = xds_make(&pb__bool_value__descriptor);

    made->value = value;
    return made;
}

Pb__Duration *xds_make_ms(uint64_t ms)
{
    Pb__Duration *made = xds_make(&pb__duration__descriptor);

    made->seconds = (int64_t) (ms / 1000);
    made->nanos = (int32_t) (ms % 1000) * 1000000;
    return made;
}

Core__HeaderValueOption *xds_make_header(const char *name, const char *value)
{
    Core__HeaderValueOption *made = xds_make(&core__header_value_option__descriptor);

    made->header = xds_make(&core__header_value__descriptor);
    made->header->key = xds_make_text("%s", name);
    made->header->value = xds_make_text("%s", value);
    return made;
}

Core__Metadata *xds_make_metadata(const char *key, const char *value)
{
    Core__Metadata *made = xds_make(&core__metadata__descriptor);
    Core__Metadata__FilterMetadataEntry *part = xds_make(&core__metadata__filter_metadata_entry__descriptor);
    Pb__Struct__FieldsEntry *field = xds_make(&pb__struct__fields_entry__descriptor);

    field->key = xds_make_text("%s", key);
    field->value = xds_make(&pb__value__descriptor);
    field->value->kind_case = PB__VALUE__KIND_STRING_VALUE;
    field->value->string_value = xds_make_text("%s", value);
    part->key = xds_make_text("envoy.lb");
    part->value = xds_make(&pb__struct__descriptor);
    part->value->fields = xds_make_list(&part->value->n_fields, field, NULL);
    made->filter_metadata = xds_make_list(&made->n_filter_metadata, part, NULL);
    return made;
}

Core__RuntimeFractionalPercent *xds_make_percent(uint32_t percent)
{
    Core__RuntimeFractionalPercent *made = xds_make(&core__runtime_fractional_percent__descriptor);

    made->default_value = xds_make(&type__fractional_percent__descriptor);
    made->default_value->numerator = percent;
    return made;
}

/* ---- routes ---- */

Route__Route *xds_make_route(const char *prefix, const char *cluster)
{
    Route__Route *route = xds_make(&route__route__descriptor);

    route->match = xds_make(&route__route_match__descriptor);
    route->match->path_specifier_case = ROUTE__ROUTE_MATCH__PATH_SPECIFIER_PREFIX;
    route->match->prefix = xds_make_text("%s", prefix);
    route->action_case = ROUTE__ROUTE__ACTION_ROUTE;
    route->route = xds_make(&route__route_action__descriptor);
    route->route->cluster_specifier_case = ROUTE__ROUTE_ACTION__CLUSTER_SPECIFIER_CLUSTER;
    route->route->cluster = xds_make_text("%s", cluster);
    return route;
}

Route__VirtualHost *xds_make_host(const char *domain)
{
    Route__VirtualHost *host = xds_make(&route__virtual_host__descriptor);

    host->name = xds_make_text("all");
    host->domains = xds_make_list(&host->n_domains, xds_make_text("%s", domain), NULL);
    return host;
}

Route__RouteConfiguration *xds_make_routes(const char *cluster)
{
    Route__RouteConfiguration *conf = xds_make(&route__route_configuration__descriptor);
    Route__VirtualHost *host = xds_make_host("*");

    conf->name = xds_make_text("routes");
    conf->virtual_hosts = xds_make_list(&conf->n_virtual_hosts, host, NULL);
    host->routes = xds_make_list(&host->n_routes, xds_make_route("/", cluster), NULL);
    return conf;
}

/* ---- listeners ---- */

Hcm__HttpFilter *xds_make_filter(const char *name, const ProtobufCMessage *config)
{
    Hcm__HttpFilter *filter = xds_make(&hcm__http_filter__descriptor);

    filter->name = xds_make_text("%s", name);
    filter->config_type_case = HCM__HTTP_FILTER__CONFIG_TYPE_TYPED_CONFIG;
    filter->typed_config = xds_make_any(config);
    return filter;
}

Hcm__HttpFilter *xds_make_router(void)
{
    return xds_make_filter("envoy.filters.http.router", xds_make(&router__router__descriptor));
}

Hcm__HttpConnectionManager *xds_make_manager(const char *routes)
{
    Hcm__HttpConnectionManager *manager = xds_make(&hcm__http_connection_manager__descriptor);

    manager->route_specifier_case = HCM__HTTP_CONNECTION_MANAGER__ROUTE_SPECIFIER_RDS;
    manager->rds = xds_make(&hcm__rds__descriptor);
    manager->rds->route_config_name = xds_make_text("%s", routes);
    manager->rds->config_source = xds_make(&core__config_source__descriptor);
    manager->rds->config_source->config_source_specifier_case = CORE__CONFIG_SOURCE__CONFIG_SOURCE_SPECIFIER_ADS;
    manager->rds->config_source->ads = xds_make(&core__aggregated_config_source__descriptor);
    manager->http_filters = xds_make_list(&manager->n_http_filters, xds_make_router(), NULL);
    return manager;
}

Listener__Listener *xds_make_listener(const char *name, const Hcm__HttpConnectionManager *manager)
{
    Listener__Listener *listener = xds_make(&listener__listener__descriptor);

    listener->name = xds_make_text("%s", name);
    listener->api_listener = xds_make(&listener__api_listener__descriptor);
    listener->api_listener->api_listener = xds_make_any(&manager->base);
    return listener;
}
