/* SPDX-License-Identifier: Apache-2.0 */
/* From a request to a cluster: the virtual host, its first route that matches, one of the route's targets. */
#include <stdio.h>
#include <string.h>

#include "route/conditions.h"

/* ---- the route ---- */

struct looking {
    const struct route_host *host;
    const struct route_request *request;
    struct route_path path;
};

static bool matches(const struct looking *looking, const struct route *route)
{
    return route_text_matches(&route->path, looking->path.text, looking->path.len) &&
           route_rest_matches(route, looking->request);
}

static const struct route *first_of_all(const struct looking *looking)
{
    for (size_t i = 0; i < looking->host->n_routes; i++)
        if (matches(looking, &looking->host->routes[i]))
            return &looking->host->routes[i];
    return NULL;
}

/* Routes with just this path, from the first on. */
static size_t first_exact(const struct looking *looking)
{
    const struct route_host *host = looking->host;
    const struct route *route = map_get(&host->exact, looking->path.text, looking->path.len);

    while (route && !route_rest_matches(route, looking->request)) {
        uint32_t next = host->same_path[route - host->routes];

        route = next ? &host->routes[next] : NULL;
    }
    return route ? (size_t) (route - host->routes) : host->n_routes;
}

/* The earliest counts, by whichever way it is found. */
static const struct route *first_indexed(const struct looking *looking)
{
    const struct route_host *host = looking->host;
    size_t exact = first_exact(looking);

    for (size_t i = 0; i < host->n_others && host->others[i] < exact; i++)
        if (matches(looking, &host->routes[host->others[i]]))
            return &host->routes[host->others[i]];
    return exact < host->n_routes ? &host->routes[exact] : NULL;
}

static int32_t find_route(struct route_choice *choice, const struct route_request *request)
{
    struct looking looking;
    bool done = route_path_begin(&looking.path, request->path, choice->routes->ignore_path_parameters);

    looking.host = choice->host;
    looking.request = request;
    if (done)
        choice->route = choice->host->others ? first_indexed(&looking) : first_of_all(&looking);
    route_path_end(&looking.path);
    return done ? 0 : MESH_ERR_NOMEM;
}

/* ---- the target ---- */

static uint64_t draw(const struct route *route, const struct route_request *request)
{
    uint64_t number;
    const char *value = route->weight_header ? route_header(request, route->weight_header) : NULL;

    if (value && text_to_u64(value, strlen(value), &number))
        return number;
    if (route->weight_by_hash && route_hash(&route->rules, request, &number))
        return number;
    return request->dice;
}

static const struct route_target *choose_target(const struct route *route, const struct route_request *request)
{
    uint64_t at;

    if (route->n_targets == 1 || route->total_weight == 0)
        return route->targets;
    at = draw(route, request) % route->total_weight;
    for (size_t i = 0; i < route->n_targets; i++) {
        if (at < route->targets[i].weight)
            return &route->targets[i];
        at -= route->targets[i].weight;
    }
    return &route->targets[route->n_targets - 1];
}

/* The header may be missing, or name no cluster that can be: then `entry` stays NULL. */
static const char *target_key(struct route_choice *choice, const struct route_request *request)
{
    const char *name;

    if (choice->target->cluster)
        return choice->target->cluster;
    name = route_header(request, choice->target->cluster_header);
    if (!name || *name == '\0' || strlen(name) + sizeof "xds:" > sizeof choice->by_header)
        return NULL;
    snprintf(choice->by_header, sizeof choice->by_header, "xds:%s", name);
    return choice->by_header;
}

/* ---- the service ---- */

static int32_t no_route(const struct route_request *request, struct fault *fault, const char *what)
{
    return fault_set(fault, MESH_ERR_NO_ROUTE, "service \"%.100s\": %s (authority \"%.60s\", path \"%.80s\")",
                     request->service, what, route_authority(request), request->path);
}

static int32_t match_routes(const struct model_snapshot *snapshot, const struct route_request *request,
                            struct route_choice *out, struct fault *fault)
{
    struct model_routes *routes = out->routes;
    struct route_request known = *request;
    const char *key;

    out->host = request->authority ? model_routes_host(routes, request->authority) : routes->usual;
    if (!known.authority)
        known.authority = routes->authority;
    if (!out->host)
        return no_route(request, fault, "the control plane has no virtual host for it");
    if (find_route(out, &known))
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    if (!out->route)
        return no_route(request, fault, "none of the control plane's routes matches");
    if (out->route->action != ROUTE_FORWARD)
        return 0;
    out->target = choose_target(out->route, &known);
    key = target_key(out, &known);
    out->entry = key ? model_snapshot_find(snapshot, key) : NULL;
    return 0;
}

/* Keys of clusters that a control plane gave are nobody's service. */
static const struct model_entry *configured(const struct model_snapshot *snapshot, const char *service)
{
    return text_starts_with(service, "xds:") ? NULL : model_snapshot_find(snapshot, service);
}

int32_t route_match(const struct model_snapshot *snapshot, const struct route_request *request,
                    struct route_choice *out, struct fault *fault)
{
    const struct model_service *service;

    memset(out, 0, offsetof(struct route_choice, by_header) + 1);
    out->entry = configured(snapshot, request->service);
    if (out->entry)
        return 0;
    service = model_snapshot_service(snapshot, request->service);
    if (!service)
        return MESH_ERR_AGAIN;
    if (!service->routes) {
        *fault = service->fault;
        return fault->code;
    }
    out->routes = service->routes;
    return match_routes(snapshot, request, out, fault);
}
