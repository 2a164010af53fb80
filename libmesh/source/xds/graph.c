/* SPDX-License-Identifier: Apache-2.0 */
/* Services of the graph: their listeners and routes, and when new routes take over. */
#include "source/xds/graph.h"

#include <stdatomic.h>
#include <string.h>

void graph_init(struct graph *graph, const struct graph_conf *conf, struct store *store)
{
    *graph = (struct graph){ .conf = *conf, .store = store };
}

void graph_reconfigure(struct graph *graph, const struct conf *conf, const struct policy_retry *retry)
{
    struct graph_service *service;
    size_t at = 0;

    graph->conf.conf = conf;
    graph->conf.hold_us = conf_number(conf, "xds.hold_ms") * US_PER_MS;
    graph->retry = *retry;
    while ((service = map_next(&graph->services, &at))) {
        service->listener_revision = 0;
        service->is_configured = conf_has_own_values(conf, service->name);
    }
}

/* ---- the table ---- */

struct graph_service *graph_find(const struct graph *graph, const char *service)
{
    return map_get_text(&graph->services, service);
}

static void free_service(struct graph_service *service)
{
    if (service->listener)
        store_rest(service->listener);
    if (service->routes)
        store_rest(service->routes);
    model_routes_unref(service->published);
    model_routes_unref(service->candidate);
    mem_free(service->host);
    mem_free(service);
}

struct graph_service *graph_want(struct graph *graph, const char *name, const char *listener, const char *host)
{
    size_t len = strlen(name);
    struct graph_service *service = graph_find(graph, name);

    if (service)
        return service;
    service = mem_zalloc(sizeof *service + len + 1);
    if (!service)
        return NULL;
    service->graph = graph;
    memcpy(service->name, name, len);
    service->is_configured = conf_has_own_values(graph->conf.conf, name);
    service->host = mem_strdup(host);
    if (service->host)
        service->listener = store_want(graph->store, XDS_LISTENER, listener);
    if (service->listener && map_put(&graph->services, service->name, len, service))
        return service;
    free_service(service);
    return NULL;
}

void graph_forget(struct graph *graph, struct graph_service *service)
{
    map_remove(&graph->services, service->name, strlen(service->name));
    free_service(service);
}

uint64_t graph_last_used(const struct graph_service *service)
{
    return service->published ? atomic_load_explicit(&service->published->used_us, memory_order_relaxed) : 0;
}

void graph_clear(struct graph *graph)
{
    struct graph_service *service;
    struct graph_cluster *cluster;
    size_t at = 0;

    while ((service = map_next(&graph->services, &at)))
        free_service(service);
    map_free(&graph->services);
    at = 0;
    while ((cluster = map_next(&graph->clusters, &at)))
        graph_cluster_free(cluster);
    map_free(&graph->clusters);
}

/* ---- listener and routes ---- */

static bool want_routes(struct graph_service *service, const char *name)
{
    struct resource *before = service->routes;

    if (before && strcmp(before->name, name) == 0)
        return true;
    service->routes = store_want(service->graph->store, XDS_ROUTES, name);
    if (before)
        store_rest(before);
    return service->routes != NULL;
}

static void want_no_routes(struct graph_service *service)
{
    if (service->routes)
        store_rest(service->routes);
    service->routes = NULL;
}

/* Why a resource that is known has no value. */
static void blame(const struct resource *resource, struct fault *why)
{
    const char *text = resource->error.text[0] ? resource->error.text : "the control plane does not know it";

    fault_set(why, MESH_ERR_NO_ROUTE, "%s", text);
}

/* The bytes that the routes are made of, and which revision that is; NULL: not there yet. */
static const uint8_t *routes_bytes(struct graph_service *service, size_t *len, uint64_t *revision)
{
    const struct xds_listener *listener = service->listener->listener;

    *revision = service->routes ? service->routes->revision : 0;
    if (!listener->routes_name) {
        *len = listener->inline_len;
        return listener->inline_routes;
    }
    if (!service->routes->bytes)
        return NULL;
    *len = service->routes->bytes->len;
    return service->routes->bytes->data;
}

static void take_candidate(struct graph_service *service, struct model_routes *routes)
{
    model_routes_unref(service->candidate);
    service->candidate = routes;
}

/* What is said of filters that its listener does not have. */
static void tell_ignored(const struct graph_service *service, struct ignored *ignored)
{
    for (size_t i = 0; i < ignored->n; i++)
        OBSERVE(service->graph->conf.observe, MESH_LOG_WARN, "xds_ignored", FIELD_TEXT("type", "routes"),
                FIELD_TEXT("name", service->name), FIELD_TEXT("detail", ignored->items[i]));
    ignored_clear(ignored);
}

/* False: out of memory. */
static bool make_candidate(struct graph_service *service, const uint8_t *bytes, size_t len)
{
    const struct resource *from = service->routes ? service->routes : service->listener;
    struct xds_routes_env env = { service->listener->listener, service->host, from->version, &service->graph->retry };
    struct model_routes *routes = NULL;
    struct ignored ignored = { 0 };
    struct fault fault = { 0 };
    int32_t err = xds_routes_read(bytes, len, &env, &routes, &ignored, &fault);

    tell_ignored(service, &ignored);
    if (err == MESH_ERR_NOMEM)
        return false;
    take_candidate(service, routes);
    service->refused = (struct fault){ 0 };
    if (!err)
        return true;
    fault_set(&service->refused, MESH_ERR_NO_ROUTE, "its routes cannot be used: %s", fault.text);
    OBSERVE(service->graph->conf.observe, MESH_LOG_ERROR, "xds_rejected", FIELD_TEXT("type", "routes"),
            FIELD_TEXT("name", service->name), FIELD_TEXT("detail", service->refused.text));
    return true;
}

/* Routes of the newest listener and route configuration, if those are others than before. False: out of memory. */
static bool renew_routes(struct graph_service *service, struct fault *why)
{
    uint64_t revision;
    size_t len;
    const uint8_t *bytes = routes_bytes(service, &len, &revision);

    if (!bytes) {
        if (service->routes && resource_is_known(service->routes))
            blame(service->routes, why);
        return true;
    }
    if (service->listener_revision == service->listener->revision && service->routes_revision == revision)
        return true;
    if (!make_candidate(service, bytes, len))
        return false;
    service->listener_revision = service->listener->revision;
    service->routes_revision = revision;
    return true;
}

/* What was given up takes its routes along. */
static void withdraw(struct graph_service *service, struct fault *why)
{
    take_candidate(service, NULL);
    if (service->published)
        service->graph->changed = true;
    model_routes_unref(service->published);
    service->published = NULL;
    service->listener_revision = service->routes_revision = 0;
    want_no_routes(service);
    blame(service->listener, why);
}

/* False: out of memory. */
static bool look_at_listener(struct graph_service *service, struct fault *why)
{
    const struct xds_listener *listener = service->listener->listener;

    if (!listener) {
        if (resource_is_known(service->listener))
            withdraw(service, why);
        return true;
    }
    if (!listener->routes_name)
        want_no_routes(service);
    else if (!want_routes(service, listener->routes_name))
        return false;
    return renew_routes(service, why);
}

/* ---- clusters of routes ---- */

/* Keys of routes have the prefix in front of the control plane's name. */
static const char *name_of(const char *key)
{
    return key + sizeof XDS_CLUSTER_PREFIX - 1;
}

/* Of several services that lead there and have values of their own the first by name counts. */
static void claim(struct graph_service *service, struct graph_cluster *cluster)
{
    const struct graph_service *other = cluster->configured_by;

    if (service->is_configured && (!other || strcmp(service->name, other->name) < 0))
        cluster->configured_by = service;
}

static void configure_clusters(struct graph *graph)
{
    struct graph_cluster *cluster;
    size_t at = 0;

    while ((cluster = map_next(&graph->clusters, &at)))
        store_configure(cluster->cluster, cluster->configured_by ? cluster->configured_by->name : NULL);
}

/* True: each of them is known. */
static bool walk_clusters(struct graph_service *service, const struct model_routes *routes)
{
    struct graph *graph = service->graph;
    bool known = true;

    for (size_t i = 0; routes && i < routes->n_clusters; i++) {
        struct graph_cluster *cluster = graph_walk_cluster(graph, name_of(routes->clusters[i]), 1);

        if (cluster)
            claim(service, cluster);
        if (cluster && graph_cluster_is_known(cluster))
            continue;
        known = false;
        service->missing = cluster;
    }
    return known;
}

static void publish(struct graph_service *service)
{
    uint64_t used = graph_last_used(service);

    model_routes_unref(service->published);
    service->published = service->candidate;
    service->candidate = NULL;
    atomic_store_explicit(&service->published->used_us, used, memory_order_relaxed);
    service->graph->changed = true;
}

/* Who has no routes, and will not have any while no control plane answers, is not kept waiting. */
static void blame_control_plane(const struct graph_service *service, struct fault *why)
{
    const struct graph_conf *conf = &service->graph->conf;
    const struct fault *trouble = conf->trouble(conf->user, service->listener);

    if (trouble)
        fault_set(why, trouble->code, "no control plane answers: %s", trouble->text);
}

/* For those whose time ends while they wait. */
static void tell_awaited(const struct graph_service *service, struct fault *why)
{
    const struct resource *awaited = service->routes ? service->routes : service->listener;

    if (service->missing)
        awaited = service->missing->seen && service->missing->eds ? service->missing->eds : service->missing->cluster;
    fault_set(why, MESH_ERR_AGAIN, "the control plane has not sent %s \"%.150s\" yet", xds_type_name(awaited->type),
              awaited->name);
}

static void settle_fault(struct graph_service *service, struct fault *why)
{
    if (!why->code)
        *why = service->refused;
    if (!why->code && !service->published)
        blame_control_plane(service, why);
    if (!why->code && !service->published)
        tell_awaited(service, why);
    if (service->fault.code == why->code && strcmp(service->fault.text, why->text) == 0)
        return;
    service->fault = *why;
    service->graph->changed |= service->published == NULL;
}

static void walk_service(struct graph_service *service)
{
    struct fault why = { 0 };
    bool complete;

    service->missing = NULL;
    service->graph->short_of_memory |= !look_at_listener(service, &why);
    complete = walk_clusters(service, service->candidate);
    if (service->candidate && complete)
        publish(service);
    else
        walk_clusters(service, service->published);
    settle_fault(service, &why);
}

bool graph_update(struct graph *graph)
{
    struct graph_service *service;
    size_t at = 0;

    graph->walk++;
    graph->changed = graph->changed && graph->is_unfinished;
    graph->short_of_memory = graph->is_unfinished = false;
    graph->news_left = GRAPH_NEWS_A_WALK;
    while ((service = map_next(&graph->services, &at)))
        walk_service(service);
    graph_sweep_clusters(graph);
    if (graph->is_unfinished)
        return false;
    configure_clusters(graph);
    return graph->changed;
}

/* ---- what a snapshot takes ---- */

size_t graph_most_entries(const struct graph *graph)
{
    return graph->clusters.count;
}

size_t graph_entries(const struct graph *graph, struct model_entry *out)
{
    struct graph_cluster *cluster;
    size_t at = 0, n = 0;

    while ((cluster = map_next(&graph->clusters, &at)))
        if (cluster->conf)
            out[n++] = (struct model_entry){ cluster->conf, cluster->endpoints };
    return n;
}

size_t graph_most_services(const struct graph *graph)
{
    return graph->services.count;
}

size_t graph_services(const struct graph *graph, struct model_service *out)
{
    struct graph_service *service;
    size_t at = 0, n = 0;

    while ((service = map_next(&graph->services, &at))) {
        if (service->published)
            out[n++] = (struct model_service){ .name = service->name, .routes = service->published };
        else if (service->fault.code)
            out[n++] = (struct model_service){ .name = service->name, .fault = service->fault };
    }
    return n;
}
