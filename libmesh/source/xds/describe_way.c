/* SPDX-License-Identifier: Apache-2.0 */
/* The way of one service, for `mesh resolve`: listener → routes → clusters → endpoints, a step for each resource. */
#include <stdio.h>
#include <string.h>

#include "source/xds/describe.h"

/* More are not shown: nobody reads them. */
enum { ENDPOINTS_MOST = 1000 };

struct way {
    const struct xds *xds;
    struct json_writer *w;
};

/* ---- steps ---- */

/* The control plane that a resource is asked from. */
static const char *whom(const struct way *way, const struct resource *resource)
{
    for (size_t i = 0; i < way->xds->n_ads; i++) {
        const struct ads *ads = &way->xds->ads[i];

        if (!ads->conf.is_mine(ads->conf.user, ads, resource))
            continue;
        for (size_t j = 0; j < FALLBACK_MOST; j++)
            if (ads->items[j].is_up)
                return ads_server_conf(&ads->items[j])->uri;
    }
    return resource->is_stale ? "the disk" : NULL;
}

static void begin_step(struct way *way, const struct resource *resource)
{
    char query[FAULT_TEXT];
    bool is_fine = resource->state == RESOURCE_ACKED;

    snprintf(query, sizeof query, "%s %.250s", xds_type_name(resource->type), resource->name);
    json_begin(way->w, '{');
    json_put_text(way->w, "query", query);
    json_put_text(way->w, "result", is_fine ? "ok" : resource_state_name(resource->state));
    json_put_text(way->w, "version", resource->version);
    json_put_text(way->w, "from", whom(way, resource));
    json_put_text(way->w, "detail", resource->error.code ? resource->error.text : NULL);
    json_key(way->w, "records");
    json_begin(way->w, '[');
}

static void end_step(struct way *way)
{
    json_end(way->w, ']');
    json_end(way->w, '}');
}

static void put_record(struct way *way, const char *what, const char *name)
{
    char text[FAULT_TEXT];

    snprintf(text, sizeof text, "%s %.250s", what, name);
    json_quoted(way->w, text);
}

static void write_listener(struct way *way, const struct graph_service *service)
{
    const struct xds_listener *listener = service->listener->listener;

    begin_step(way, service->listener);
    if (listener && listener->routes_name)
        put_record(way, xds_type_name(XDS_ROUTES), listener->routes_name);
    else if (listener)
        json_quoted(way->w, "routes of its own");
    end_step(way);
}

static const struct model_routes *routes_of(const struct graph_service *service)
{
    return service->published ? service->published : service->candidate;
}

static void write_routes(struct way *way, const struct graph_service *service)
{
    const struct model_routes *routes = routes_of(service);

    if (!service->routes)
        return;
    begin_step(way, service->routes);
    for (size_t i = 0; routes && i < routes->n_clusters; i++)
        put_record(way, xds_type_name(XDS_CLUSTER), describe_cluster_name(routes->clusters[i]));
    end_step(way);
}

/* ---- clusters ---- */

static void put_sources(struct way *way, const struct xds_cluster *conf)
{
    char host[FAULT_TEXT];

    if (conf->kind == XDS_CLUSTER_EDS)
        put_record(way, xds_type_name(XDS_ENDPOINTS), conf->eds_name);
    if (conf->kind == XDS_CLUSTER_STATIC)
        json_quoted(way->w, "endpoints of its own");
    for (size_t i = 0; i < conf->n_targets; i++) {
        snprintf(host, sizeof host, "%.250s:%u", conf->targets[i].target.host, conf->targets[i].target.port);
        put_record(way, "host", host);
    }
    for (size_t i = 0; i < conf->n_members; i++)
        put_record(way, xds_type_name(XDS_CLUSTER), conf->members[i]);
}

static void write_endpoints(struct way *way, const struct graph_cluster *cluster)
{
    const struct model_endpoints *named = cluster->eds->endpoints;
    char count[64];

    begin_step(way, cluster->eds);
    if (named) {
        snprintf(count, sizeof count, "%zu endpoint%s%s", named->n, named->n == 1 ? "" : "s",
                 cluster->hold.state == HOLD_NOTHING ? "" : "; those before are held");
        json_quoted(way->w, count);
    }
    end_step(way);
}

static void write_cluster(struct way *way, const char *name, unsigned depth)
{
    const struct graph_cluster *cluster = map_get_text(&way->xds->graph.clusters, name);

    if (!cluster || depth > GRAPH_DEEPEST)
        return;
    begin_step(way, cluster->cluster);
    if (cluster->seen)
        put_sources(way, cluster->seen);
    end_step(way);
    if (cluster->eds)
        write_endpoints(way, cluster);
    for (size_t i = 0; cluster->seen && i < cluster->seen->n_members; i++)
        write_cluster(way, cluster->seen->members[i], depth + 1);
}

/* ---- endpoints ---- */

static void put_endpoint(struct json_writer *w, const char *cluster, const struct model_endpoints *set,
                         const struct model_endpoint *endpoint)
{
    const struct model_locality *place = model_endpoint_locality(set, endpoint);
    const struct model_rare *rare = model_endpoint_rare(set, endpoint);
    char text[ADDR_TEXT];

    json_begin(w, '{');
    json_put_text(w, "cluster", cluster);
    json_put_text(w, "address", addr_format(&endpoint->addr, text));
    json_put_text(w, "alternative",
                  rare->alternative.family != ADDR_NONE ? addr_format(&rare->alternative, text) : NULL);
    json_put_text(w, "zone", place->label);
    json_put_number(w, "weight", endpoint->weight);
    json_put_number(w, "priority", place->priority);
    json_put_text(w, "health", model_health_name((enum model_health) endpoint->health));
    json_key(w, "held");
    json_bool(w, endpoint->is_held);
    json_put_text(w, "hostname", rare->hostname);
    json_end(w, '}');
}

static size_t put_endpoints(struct way *way, const char *name, size_t most)
{
    const struct graph_cluster *cluster = map_get_text(&way->xds->graph.clusters, name);
    const struct model_endpoints *set = cluster ? cluster->endpoints : NULL;
    size_t n = 0;

    for (; set && n < set->n && n < most; n++)
        put_endpoint(way->w, name, set, &set->endpoints[n]);
    return n;
}

static size_t write_all_endpoints(struct way *way, const struct model_routes *routes)
{
    size_t n = 0;

    json_key(way->w, "endpoints");
    json_begin(way->w, '[');
    for (size_t i = 0; routes && i < routes->n_clusters; i++)
        n += put_endpoints(way, describe_cluster_name(routes->clusters[i]), ENDPOINTS_MOST - n);
    json_end(way->w, ']');
    return n;
}

/* ---- the whole ---- */

static void judge(const struct graph_service *service, size_t n_endpoints, struct fault *fault)
{
    if (service->fault.code) {
        *fault = service->fault;
        if (fault->code == MESH_ERR_AGAIN)
            fault->code = MESH_ERR_TIMEOUT;
        return;
    }
    if (!service->published)
        fault_set(fault, MESH_ERR_TIMEOUT, "service \"%.100s\": not everything that it leads to has come in time",
                  service->name);
    else if (service->published->n_clusters > 0 && n_endpoints == 0)
        fault_set(fault, MESH_ERR_NO_HEALTHY, "service \"%.100s\": its clusters have no endpoint", service->name);
}

void xds_describe_way(const struct xds *xds, const char *name, struct json_writer *w, struct fault *fault)
{
    const struct graph_service *service = graph_find(&xds->graph, name);
    struct way way = { xds, w };
    const struct model_routes *routes = service ? routes_of(service) : NULL;

    *fault = (struct fault){ 0 };
    json_key(w, "steps");
    json_begin(w, '[');
    if (service) {
        write_listener(&way, service);
        write_routes(&way, service);
    }
    for (size_t i = 0; routes && i < routes->n_clusters; i++)
        write_cluster(&way, describe_cluster_name(routes->clusters[i]), 1);
    json_end(w, ']');
    if (service)
        judge(service, write_all_endpoints(&way, routes), fault);
}
