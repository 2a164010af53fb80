/* SPDX-License-Identifier: Apache-2.0 */
/* A route configuration as a whole: its levels, and its virtual hosts. */
#include <stdio.h>
#include <string.h>

#include "source/xds/routes_reader.h"
#include "source/xds/wire.h"

enum { BODY_STANDARD = 4096, BODY_MOST = 1 << 20 };

/* Of 100,000 routes with all that belongs to them, and of nothing that is much more. */
const struct wire_limits wire_limits_routes = {
    .bytes = (size_t) 64 << 20,
    .fields = (size_t) 16 << 20,
    .memory = (size_t) 512 << 20,
    .depth = WIRE_DEPTH_MAX,
};

/* ---- domains ---- */

static int32_t read_domain(struct routes_reader *reader, const char *domain, const char **out)
{
    size_t len = strlen(domain);
    const char *star = len > 1 ? memchr(domain + 1, '*', len - 1) : NULL;

    if (len == 0)
        return reading_wrong(reader->reading, "it is empty");
    if (star && (star[1] != '\0' || domain[0] == '*'))
        reading_ignored(reader->reading,
                        "\"*\" is a wildcard alone, or at one end; here it is a character of the name");
    return routes_lower(reader, domain, out);
}

static int32_t read_domains(struct routes_reader *reader, const Route__VirtualHost *message, struct route_host *out)
{
    int32_t err = routes_take(reader, ROUTES_DOMAIN, message->n_domains);

    if (err)
        return err;
    if (message->n_domains == 0)
        return reading_wrong_at(reader->reading, "domains", "there is none, so that nothing would come here");
    out->domains = routes_alloc(reader, message->n_domains, sizeof *out->domains);
    if (!out->domains)
        return MESH_ERR_NOMEM;
    out->n_domains = message->n_domains;
    for (size_t i = 0; i < message->n_domains && !err; i++) {
        reading_enter_item(reader->reading, "domains", i);
        err = read_domain(reader, message->domains[i], &out->domains[i]);
        reading_leave(reader->reading);
    }
    return err;
}

/* ---- what a virtual host says for its routes ---- */

static int32_t host_changes(struct routes_reader *reader, const struct routes_changes *conf)
{
    const Route__VirtualHost *host = reader->host;
    struct routes_change_lists lists = {
        .n_request_add = host->n_request_headers_to_add,
        .request_add = host->request_headers_to_add,
        .n_request_remove = host->n_request_headers_to_remove,
        .request_remove = host->request_headers_to_remove,
        .n_response_add = host->n_response_headers_to_add,
        .response_add = host->response_headers_to_add,
        .n_response_remove = host->n_response_headers_to_remove,
        .response_remove = host->response_headers_to_remove,
    };
    struct routes_changes own;
    int32_t err = routes_changes(reader, &lists, &own);

    return err ? err : routes_join_changes(reader, &own, conf, &reader->outer);
}

static int32_t host_filters(struct routes_reader *reader, const struct filter_level *conf)
{
    const struct filter_overrides overrides = FILTER_OVERRIDES(reader->host);
    char place[ROUTES_PLACE];

    snprintf(place, sizeof place, "host %s", reader->host->name);
    return filters_override(reader, conf, &overrides, place, &reader->filters);
}

/* The configuration's mirrors count where the virtual host has none. */
static int32_t host_mirrors(struct routes_reader *reader, const struct routes_mirrors *conf)
{
    reader->mirrors = *conf;
    return routes_mirrors(reader, reader->host->n_request_mirror_policies, reader->host->request_mirror_policies,
                          &reader->mirrors);
}

static int32_t read_tls(struct routes_reader *reader, const Route__VirtualHost *message, struct route_host *out)
{
    if ((uint32_t) message->require_tls > ROUTE__VIRTUAL_HOST__TLS_REQUIREMENT_TYPE__ALL)
        return reading_wrong_at(reader->reading, "require_tls", "%d does not exist", (int) message->require_tls);
    out->https_only = message->require_tls != ROUTE__VIRTUAL_HOST__TLS_REQUIREMENT_TYPE__NONE;
    return 0;
}

/* ---- a virtual host ---- */

/* Those that are left out leave no gap. */
static int32_t read_routes(struct routes_reader *reader, const Route__VirtualHost *message, struct route_host *out)
{
    int32_t err = routes_take(reader, ROUTES_ROUTE, message->n_routes);

    if (err || message->n_routes == 0)
        return err;
    out->routes = routes_alloc(reader, message->n_routes, sizeof *out->routes);
    if (!out->routes)
        return MESH_ERR_NOMEM;
    for (size_t i = 0; i < message->n_routes && !err; i++) {
        struct route *route = &out->routes[out->n_routes];
        bool known = true;

        *route = (struct route){ .name = "" };
        reader->index = i;
        reading_enter_item(reader->reading, "routes", i);
        err = routes_route(reader, message->routes[i], route, &known);
        out->n_routes += !err && known;
        reading_leave(reader->reading);
    }
    return err;
}

/* The levels of the configuration, that a virtual host adds to. */
struct conf_level {
    struct routes_changes changes;
    struct filter_level filters;
    struct routes_mirrors mirrors;
};

static int32_t read_host(struct routes_reader *reader, const struct conf_level *conf, const Route__VirtualHost *message,
                         struct route_host *out)
{
    int32_t err;

    reader->host = message;
    err = routes_text(reader, message->name, &out->name);
    if (!err)
        err = read_domains(reader, message, out);
    if (!err)
        err = read_tls(reader, message, out);
    if (!err)
        err = host_changes(reader, &conf->changes);
    if (!err)
        err = host_filters(reader, &conf->filters);
    if (!err)
        err = host_mirrors(reader, &conf->mirrors);
    return err ? err : read_routes(reader, message, out);
}

static int32_t read_hosts(struct routes_reader *reader, const struct conf_level *conf,
                          const Route__RouteConfiguration *message)
{
    struct model_routes *routes = reader->routes;
    int32_t err = routes_take(reader, ROUTES_HOST, message->n_virtual_hosts);

    if (err || message->n_virtual_hosts == 0)
        return err;
    routes->hosts = routes_alloc(reader, message->n_virtual_hosts, sizeof *routes->hosts);
    if (!routes->hosts)
        return MESH_ERR_NOMEM;
    routes->n_hosts = message->n_virtual_hosts;
    for (size_t i = 0; i < routes->n_hosts && !err; i++) {
        reading_enter_item(reader->reading, "virtual_hosts", i);
        err = read_host(reader, conf, message->virtual_hosts[i], &routes->hosts[i]);
        reading_leave(reader->reading);
    }
    return err;
}

/* ---- the configuration ---- */

static int32_t read_head(struct routes_reader *reader, const Route__RouteConfiguration *message)
{
    const struct xds_routes_env *env = reader->env;
    struct model_routes *routes = reader->routes;
    const Pb__UInt32Value *body_most = message->max_direct_response_body_size_bytes;
    int32_t err = routes_text(reader, message->name, &routes->name);

    if (!err)
        err = routes_text(reader, env->version ? env->version : "", &routes->version);
    reader->body_most = body_most ? body_most->value : BODY_STANDARD;
    if (reader->body_most > BODY_MOST)
        reader->body_most = BODY_MOST;
    reader->most_specific_wins = message->most_specific_header_mutations_wins;
    routes->ignore_port = message->ignore_port_in_host_matching;
    routes->ignore_path_parameters = message->ignore_path_parameters_in_path_matching;
    routes->from_api_listener = env->listener;
    if (env->listener)
        routes->idle_us = env->listener->idle_us;
    return err;
}

static int32_t read_changes(struct routes_reader *reader, const Route__RouteConfiguration *message,
                            struct routes_changes *out)
{
    struct routes_change_lists lists = {
        .n_request_add = message->n_request_headers_to_add,
        .request_add = message->request_headers_to_add,
        .n_request_remove = message->n_request_headers_to_remove,
        .request_remove = message->request_headers_to_remove,
        .n_response_add = message->n_response_headers_to_add,
        .response_add = message->response_headers_to_add,
        .n_response_remove = message->n_response_headers_to_remove,
        .response_remove = message->response_headers_to_remove,
    };

    return routes_changes(reader, &lists, out);
}

static int32_t read_filters(struct routes_reader *reader, const Route__RouteConfiguration *message,
                            struct filter_level *out)
{
    const struct filter_overrides overrides = FILTER_OVERRIDES(message);
    struct ignored *ignored = reader->reading->ignored;
    struct filter_level listener;
    int32_t err;

    reader->reading->ignored = NULL; /* what the listener has is listed with it */
    err = filters_begin(reader, &listener);
    reader->reading->ignored = ignored;
    return err ? err : filters_override(reader, &listener, &overrides, "configuration", out);
}

static int32_t read_conf(struct routes_reader *reader, const Route__RouteConfiguration *message)
{
    struct conf_level conf = { .mirrors = { 0 } };
    int32_t err = read_head(reader, message);

    if (!err)
        err = read_changes(reader, message, &conf.changes);
    if (!err)
        err = read_filters(reader, message, &conf.filters);
    if (!err)
        err =
            routes_mirrors(reader, message->n_request_mirror_policies, message->request_mirror_policies, &conf.mirrors);
    if (!err)
        err = read_hosts(reader, &conf, message);
    return err ? err : routes_keep_buckets(reader);
}

static int32_t finish(struct routes_reader *reader)
{
    const char *service = reader->env->service ? reader->env->service : "";
    int32_t err = model_routes_finish(reader->routes, service, reader->reading->fault);

    return err == MESH_ERR_INVALID ? reading_failed(reader->reading, err) : err;
}

static int32_t read_message(struct reading *reading, const Route__RouteConfiguration *message,
                            const struct xds_routes_env *env, struct ignored *homeless, struct model_routes **out)
{
    struct routes_reader reader;
    int32_t err;

    *out = NULL;
    if (!routes_reader_init(&reader, reading, env))
        return MESH_ERR_NOMEM;
    reader.homeless = homeless;
    err = read_conf(&reader, message);
    if (!err)
        err = finish(&reader);
    if (!err) {
        *out = reader.routes;
        reader.routes = NULL;
    }
    routes_reader_clear(&reader);
    return err;
}

int32_t routes_of_message(struct reading *reading, const Route__RouteConfiguration *message,
                          const struct xds_routes_env *env, struct model_routes **out)
{
    return read_message(reading, message, env, reading->ignored, out);
}

int32_t xds_routes_read(const uint8_t *bytes, size_t len, const struct xds_routes_env *env, struct model_routes **out,
                        struct ignored *ignored, struct fault *fault)
{
    struct reading reading = { .fault = fault, .ignored = env->listener ? NULL : ignored };
    ProtobufCMessage *message;
    int32_t err =
        wire_unpack(&route__route_configuration__descriptor, bytes, len, &wire_limits_routes, &message, fault);

    *out = NULL;
    if (err)
        return err;
    reading_unknown_within(&reading, message);
    err = read_message(&reading, (const Route__RouteConfiguration *) message, env, ignored, out);
    wire_free(message);
    return err;
}
