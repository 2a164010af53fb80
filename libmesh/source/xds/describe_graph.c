/* SPDX-License-Identifier: Apache-2.0 */
/* Services and clusters of the graph as JSON: what leads where, and what is missing on the way. */
#include "source/xds/describe.h"

#include <string.h>

/* ---- services ---- */

static void write_cluster_names(struct json_writer *w, const char *key, const struct model_routes *routes)
{
    json_key(w, key);
    json_begin(w, '[');
    for (size_t i = 0; routes && i < routes->n_clusters; i++)
        json_quoted(w, describe_cluster_name(routes->clusters[i]));
    json_end(w, ']');
}

/* Clusters that new routes wait for. */
static void write_awaited(struct json_writer *w, const struct graph_service *service)
{
    const struct model_routes *routes = service->candidate;

    json_key(w, "waits_for");
    json_begin(w, '[');
    for (size_t i = 0; routes && i < routes->n_clusters; i++) {
        const char *name = describe_cluster_name(routes->clusters[i]);
        const struct graph_cluster *cluster = map_get_text(&service->graph->clusters, name);

        if (!cluster || !graph_cluster_is_known(cluster))
            json_quoted(w, name);
    }
    json_end(w, ']');
}

static const char *routes_name(const struct graph_service *service)
{
    return service->listener->listener ? service->listener->listener->routes_name : NULL;
}

static void write_service(struct json_writer *w, const struct graph_service *service)
{
    const struct model_routes *routes = service->published ? service->published : service->candidate;

    json_begin(w, '{');
    json_put_text(w, "service", service->name);
    json_put_text(w, "host", service->host);
    json_put_text(w, "listener", service->listener->name);
    json_put_text(w, "routes", routes_name(service));
    json_key(w, "has_inline_routes");
    json_bool(w, service->listener->listener && service->listener->listener->inline_routes);
    json_key(w, "is_published");
    json_bool(w, service->published != NULL);
    json_put_text(w, "version", service->published ? service->published->version : NULL);
    write_cluster_names(w, "clusters", routes);
    write_awaited(w, service);
    describe_fault(w, "error", &service->fault);
    json_end(w, '}');
}

void describe_services(struct json_writer *w, const struct graph *graph)
{
    struct map_slot *sorted = describe_sorted(w, &graph->services);

    json_key(w, "services");
    json_begin(w, '[');
    for (size_t i = 0; sorted && i < graph->services.count; i++)
        write_service(w, sorted[i].value);
    json_end(w, ']');
    mem_free(sorted);
}

/* ---- clusters ---- */

static const char *kind_name(const struct graph_cluster *cluster)
{
    static const char *const names[] = {
        [XDS_CLUSTER_EDS] = "eds",
        [XDS_CLUSTER_STATIC] = "static",
        [XDS_CLUSTER_DNS] = "dns",
        [XDS_CLUSTER_AGGREGATE] = "aggregate",
    };

    return cluster->seen ? names[cluster->seen->kind] : NULL;
}

static const char *hold_name(enum hold_state state)
{
    static const char *const names[] = {
        [HOLD_EMPTIED] = "emptied: what was there serves on",
        [HOLD_LAST] = "emptied: what was there serves while it answers",
        [HOLD_THINNED] = "thinned: what is not named any more serves last",
    };

    return names[state];
}

static void write_hold(struct json_writer *w, const struct graph_cluster *cluster)
{
    const struct hold *hold = &cluster->hold;

    json_key(w, "hold");
    if (hold->state == HOLD_NOTHING) {
        json_quoted(w, NULL);
        return;
    }
    json_begin(w, '{');
    json_put_text(w, "state", hold_name(hold->state));
    json_put_number(w, "named", hold->news->n);
    json_put_number(w, "before", hold->good->n);
    describe_moment(w, "until", cluster->graph->conf.loop, hold->state == HOLD_LAST ? 0 : hold->until_us);
    json_end(w, '}');
}

static const struct fault *fault_of(const struct graph_cluster *cluster)
{
    if (cluster->fault.code || !cluster->endpoints)
        return &cluster->fault;
    return &cluster->endpoints->fault;
}

static void write_cluster(struct json_writer *w, const struct graph_cluster *cluster)
{
    const struct xds_cluster *seen = cluster->seen;

    json_begin(w, '{');
    json_put_text(w, "cluster", cluster->name);
    json_put_text(w, "kind", kind_name(cluster));
    json_put_text(w, "endpoints_name", cluster->eds ? cluster->eds->name : NULL);
    describe_texts(w, "members", seen ? seen->members : NULL, seen ? seen->n_members : 0);
    json_key(w, "is_published");
    json_bool(w, cluster->conf != NULL);
    json_put_number(w, "endpoints", cluster->endpoints ? cluster->endpoints->n : 0);
    write_hold(w, cluster);
    describe_fault(w, "error", fault_of(cluster));
    json_end(w, '}');
}

void describe_clusters(struct json_writer *w, const struct graph *graph)
{
    struct map_slot *sorted = describe_sorted(w, &graph->clusters);

    json_key(w, "clusters");
    json_begin(w, '[');
    for (size_t i = 0; sorted && i < graph->clusters.count; i++)
        write_cluster(w, sorted[i].value);
    json_end(w, ']');
    mem_free(sorted);
}
