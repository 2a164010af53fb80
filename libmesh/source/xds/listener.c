/* SPDX-License-Identifier: Apache-2.0 */
/* A listener as a client sees it: where its routes are, and which filters stand before them. */
#include "source/xds/listener.h"

#include <string.h>

#include "proto/http_connection_manager.pb-c.h"
#include "proto/listener.pb-c.h"
#include "source/xds/routes_reader.h"
#include "source/xds/scalars.h"
#include "source/xds/wire.h"

enum { SHOWN = 100 };

/* ---- where the routes are ---- */

static int32_t read_rds(struct reading *reading, const Hcm__Rds *rds, struct xds_listener *out)
{
    if (!rds->config_source ||
        rds->config_source->config_source_specifier_case == CORE__CONFIG_SOURCE__CONFIG_SOURCE_SPECIFIER__NOT_SET)
        return reading_wrong_at(reading, "config_source", "allowed are ads and self: the same control plane");
    if (rds->route_config_name[0] == '\0')
        return reading_wrong_at(reading, "route_config_name", "it is empty");
    out->routes_name = mem_strdup(rds->route_config_name);
    return out->routes_name ? 0 : reading_no_memory(reading);
}

static int32_t keep_inline(struct reading *reading, const Route__RouteConfiguration *message, struct xds_listener *out)
{
    size_t len = protobuf_c_message_get_packed_size(&message->base);

    out->inline_routes = mem_alloc(len + 1);
    if (!out->inline_routes)
        return reading_no_memory(reading);
    out->inline_len = protobuf_c_message_pack(&message->base, out->inline_routes);
    return 0;
}

/* They are read for once, so that they are refused with their listener. */
static int32_t read_inline(struct reading *reading, const Route__RouteConfiguration *message, struct xds_listener *out)
{
    struct xds_routes_env env = { .listener = out };
    struct model_routes *routes;
    int32_t err = routes_of_message(reading, message, &env, &routes);

    if (err)
        return err;
    model_routes_unref(routes);
    return keep_inline(reading, message, out);
}

static int32_t read_routes(struct reading *reading, const Hcm__HttpConnectionManager *message, struct xds_listener *out)
{
    int32_t err;

    switch (message->route_specifier_case) {
    case HCM__HTTP_CONNECTION_MANAGER__ROUTE_SPECIFIER_RDS:
        reading_enter(reading, "rds");
        err = read_rds(reading, message->rds, out);
        break;
    case HCM__HTTP_CONNECTION_MANAGER__ROUTE_SPECIFIER_ROUTE_CONFIG:
        reading_enter(reading, "route_config");
        err = read_inline(reading, message->route_config, out);
        break;
    default:
        return reading_wrong(reading, "it has neither rds nor route_config");
    }
    reading_leave(reading);
    return err;
}

/* ---- options ---- */

static void list_connection_options(struct reading *reading, const Core__HttpProtocolOptions *options)
{
    if (options->idle_timeout || options->max_connection_duration || options->max_requests_per_connection ||
        options->max_response_headers_kb)
        reading_ignored(
            reading, "but for max_stream_duration it is about connections to a listener, which a client has none of");
}

static int32_t read_options(struct reading *reading, const Hcm__HttpConnectionManager *message,
                            struct xds_listener *out)
{
    const Core__HttpProtocolOptions *options = message->common_http_protocol_options;
    int32_t err = scalar_us(reading, "stream_idle_timeout", message->stream_idle_timeout, &out->idle_us);

    if (err || !options)
        return err;
    reading_enter(reading, "common_http_protocol_options");
    list_connection_options(reading, options);
    err = scalar_us(reading, "max_stream_duration", options->max_stream_duration, &out->stream_us);
    reading_leave(reading);
    return err;
}

/* ---- filters ---- */

/* What they say is read with the routes; whether it can be is found out here. */
static int32_t try_filters(struct reading *reading, struct xds_listener *listener)
{
    struct xds_routes_env env = { .listener = listener };
    struct routes_reader reader;
    struct filter_level level;
    int32_t err;

    if (!routes_reader_init(&reader, reading, &env))
        return MESH_ERR_NOMEM;
    err = filters_begin(&reader, &level);
    routes_reader_clear(&reader);
    return err;
}

static int32_t read_filters(struct reading *reading, const Hcm__HttpConnectionManager *message,
                            struct xds_listener *out)
{
    int32_t err = filters_read(reading, message->n_http_filters, message->http_filters, &out->filters);

    return err ? err : try_filters(reading, out);
}

/* ---- all of it ---- */

static int32_t read_manager(struct reading *reading, const Pb__Any *any, struct xds_listener *out)
{
    ProtobufCMessage *unpacked;
    const Hcm__HttpConnectionManager *message;
    char type[SHOWN];
    int32_t err;

    if (!scalar_any_is(any, hcm__http_connection_manager__descriptor.name))
        return reading_wrong(reading, "type \"%s\"; allowed is %s",
                             text_printable(any->type_url, strlen(any->type_url), type, sizeof type),
                             hcm__http_connection_manager__descriptor.name);
    err = values_unpack(reading, any, &hcm__http_connection_manager__descriptor, &unpacked);
    if (err)
        return err;
    message = (const Hcm__HttpConnectionManager *) unpacked;
    err = read_options(reading, message, out);
    if (!err)
        err = read_filters(reading, message, out);
    if (!err)
        err = read_routes(reading, message, out);
    wire_free(unpacked);
    return err;
}

static int32_t read_listener(struct reading *reading, const Listener__Listener *message, struct xds_listener *out)
{
    int32_t err;

    out->name = mem_strdup(message->name);
    if (!out->name)
        return reading_no_memory(reading);
    if (!message->api_listener || !message->api_listener->api_listener)
        return reading_wrong(reading, "api_listener is missing: the listener of a proxy is of no use to a client");
    reading_enter(reading, "api_listener");
    reading_enter(reading, "api_listener");
    err = read_manager(reading, message->api_listener->api_listener, out);
    reading_leave(reading);
    reading_leave(reading);
    return err;
}

int32_t xds_listener_read(const uint8_t *bytes, size_t len, struct xds_listener **out, struct ignored *ignored,
                          struct fault *fault)
{
    struct reading reading = { .fault = fault, .ignored = ignored };
    struct xds_listener *made;
    ProtobufCMessage *message;
    int32_t err = wire_unpack(&listener__listener__descriptor, bytes, len, &wire_limits_routes, &message, fault);

    *out = NULL;
    if (err)
        return err;
    made = mem_zalloc(sizeof *made);
    if (made) {
        made->refs = 1;
        made->idle_us = UINT64_MAX;
        reading_unknown_within(&reading, message);
    }
    err = made ? read_listener(&reading, (const Listener__Listener *) message, made) : reading_no_memory(&reading);
    wire_free(message);
    if (err) {
        xds_listener_unref(made);
        made = NULL;
    }
    *out = made;
    return err;
}

struct xds_listener *xds_listener_ref(struct xds_listener *listener)
{
    if (listener)
        listener->refs++;
    return listener;
}

void xds_listener_unref(struct xds_listener *listener)
{
    if (!listener || --listener->refs > 0)
        return;
    mem_free(listener->name);
    mem_free(listener->routes_name);
    mem_free(listener->inline_routes);
    filters_free(listener->filters);
    mem_free(listener);
}
