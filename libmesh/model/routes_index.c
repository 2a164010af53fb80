/* SPDX-License-Identifier: Apache-2.0 */
/* What of routes is found by hash: virtual hosts by domain, exact paths; and the list of clusters. */
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

/* ---- domains ---- */

static bool put_new(struct map *map, const char *text, size_t len, struct route_host *host, int32_t *err)
{
    if (map_get(map, text, len))
        *err = MESH_ERR_INVALID;
    else if (!map_put(map, text, len, host))
        *err = MESH_ERR_NOMEM;
    return *err == 0;
}

static int32_t index_domain(struct model_routes *routes, const char *domain, struct route_host *host)
{
    size_t len = strlen(domain);
    int32_t err = 0;

    if (strcmp(domain, "*") == 0) {
        if (routes->any)
            return MESH_ERR_INVALID;
        routes->any = host;
        return 0;
    }
    if (domain[0] == '*') {
        if (put_new(&routes->suffixes.hosts, domain + 1, len - 1, host, &err))
            routes->suffixes.lengths[routes->suffixes.n_lengths++] = len - 1;
    } else if (len > 0 && domain[len - 1] == '*') {
        if (put_new(&routes->prefixes.hosts, domain, len - 1, host, &err))
            routes->prefixes.lengths[routes->prefixes.n_lengths++] = len - 1;
    } else {
        put_new(&routes->domains, domain, len, host, &err);
    }
    return err;
}

static int longer_first(const void *a, const void *b)
{
    size_t x = *(const size_t *) a, y = *(const size_t *) b;

    return (x < y) - (x > y);
}

static void sort_lengths(struct route_wildcards *wildcards)
{
    size_t n = 0;

    if (wildcards->n_lengths == 0)
        return;
    qsort(wildcards->lengths, wildcards->n_lengths, sizeof *wildcards->lengths, longer_first);
    for (size_t i = 0; i < wildcards->n_lengths; i++)
        if (n == 0 || wildcards->lengths[n - 1] != wildcards->lengths[i])
            wildcards->lengths[n++] = wildcards->lengths[i];
    wildcards->n_lengths = n;
}

static int32_t index_domains(struct model_routes *routes, struct fault *fault)
{
    size_t n = 0;

    for (size_t i = 0; i < routes->n_hosts; i++)
        n += routes->hosts[i].n_domains;
    routes->suffixes.lengths = model_routes_alloc(routes, n, sizeof(size_t));
    routes->prefixes.lengths = model_routes_alloc(routes, n, sizeof(size_t));
    if (!routes->suffixes.lengths || !routes->prefixes.lengths)
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < routes->n_hosts; i++) {
        struct route_host *host = &routes->hosts[i];

        for (size_t k = 0; k < host->n_domains; k++) {
            int32_t err = index_domain(routes, host->domains[k], host);

            if (err == MESH_ERR_INVALID)
                return fault_set(fault, err,
                                 "virtual_hosts[%zu].domains[%zu]: \"%.100s\" stands there for the second time", i, k,
                                 host->domains[k]);
            if (err)
                return fault_set(fault, err, "out of memory");
        }
    }
    sort_lengths(&routes->suffixes);
    sort_lengths(&routes->prefixes);
    return 0;
}

/* ---- exact paths ---- */

/* Fewer routes are looked at as fast one by one. */
enum { INDEX_FROM = 16 };

static bool index_paths(struct model_routes *routes, struct route_host *host)
{
    if (host->n_routes < INDEX_FROM)
        return true;
    host->same_path = model_routes_alloc(routes, host->n_routes, sizeof *host->same_path);
    host->others = model_routes_alloc(routes, host->n_routes, sizeof *host->others);
    if (!host->same_path || !host->others)
        return false;
    for (size_t i = 0; i < host->n_routes; i++)
        if (host->routes[i].path.kind != MATCH_EXACT || host->routes[i].path.ignore_case)
            host->others[host->n_others++] = (uint32_t) i;
    for (size_t i = host->n_routes; i-- > 0;) {
        const struct match_text *path = &host->routes[i].path;
        struct route *following;

        if (path->kind != MATCH_EXACT || path->ignore_case)
            continue;
        following = map_get(&host->exact, path->text, path->len);
        host->same_path[i] = following ? (uint32_t) (following - host->routes) : 0;
        if (!map_put(&host->exact, path->text, path->len, &host->routes[i]))
            return false;
    }
    return true;
}

/* ---- clusters ---- */

static size_t count_clusters(const struct model_routes *routes)
{
    size_t n = 0;

    for (size_t i = 0; i < routes->n_hosts; i++)
        for (size_t k = 0; k < routes->hosts[i].n_routes; k++)
            n += routes->hosts[i].routes[k].n_targets + routes->hosts[i].routes[k].rules.n_mirrors;
    return n;
}

static void add_cluster(struct model_routes *routes, const char *key)
{
    if (key)
        routes->clusters[routes->n_clusters++] = key;
}

static void add_clusters(struct model_routes *routes, const struct route *route)
{
    for (size_t i = 0; i < route->n_targets; i++)
        add_cluster(routes, route->targets[i].cluster);
    for (size_t i = 0; i < route->rules.n_mirrors; i++)
        add_cluster(routes, route->rules.mirrors[i].cluster);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static bool list_clusters(struct model_routes *routes)
{
    size_t n = 0;

    routes->clusters = model_routes_alloc(routes, count_clusters(routes), sizeof *routes->clusters);
    if (!routes->clusters)
        return false;
    for (size_t i = 0; i < routes->n_hosts; i++)
        for (size_t k = 0; k < routes->hosts[i].n_routes; k++)
            add_clusters(routes, &routes->hosts[i].routes[k]);
    qsort(routes->clusters, routes->n_clusters, sizeof *routes->clusters, by_text);
    for (size_t i = 0; i < routes->n_clusters; i++)
        if (n == 0 || strcmp(routes->clusters[n - 1], routes->clusters[i]) != 0)
            routes->clusters[n++] = routes->clusters[i];
    routes->n_clusters = n;
    return true;
}

int32_t model_routes_finish(struct model_routes *routes, const char *service, struct fault *fault)
{
    int32_t err = index_domains(routes, fault);

    if (err)
        return err;
    for (size_t i = 0; i < routes->n_hosts; i++)
        if (!index_paths(routes, &routes->hosts[i]))
            return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    if (!list_clusters(routes))
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    routes->authority = model_routes_text(routes, service, strlen(service));
    if (!routes->authority)
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    routes->usual = model_routes_host(routes, service);
    return 0;
}

/* ---- finding a virtual host ---- */

/* Domains are not longer than this, or nobody's authority is it. */
enum { AUTHORITY_MOST = 1024 };

/* Also without the colon of an empty one; but not what is in the brackets of an IPv6 address. */
static size_t without_port(const char *authority, size_t len)
{
    for (size_t i = len; i-- > 0 && authority[i] != ']';)
        if (authority[i] == ':')
            return i;
    return len;
}

/* "*" stands for one character at least. */
static struct route_host *find_wildcard(const struct route_wildcards *wildcards, const char *authority, size_t len,
                                        bool at_end)
{
    struct route_host *host = NULL;

    for (size_t i = 0; i < wildcards->n_lengths && !host; i++) {
        size_t part = wildcards->lengths[i];

        if (part < len)
            host = map_get(&wildcards->hosts, at_end ? authority + len - part : authority, part);
    }
    return host;
}

static struct route_host *find_specific(const struct model_routes *routes, const char *authority, size_t len)
{
    struct route_host *host = map_get(&routes->domains, authority, len);

    if (!host)
        host = find_wildcard(&routes->suffixes, authority, len, true);
    if (!host)
        host = find_wildcard(&routes->prefixes, authority, len, false);
    return host;
}

struct route_host *model_routes_host(const struct model_routes *routes, const char *authority)
{
    char lower[AUTHORITY_MOST];
    size_t len = strlen(authority);
    struct route_host *host = NULL;

    if (routes->ignore_port)
        len = without_port(authority, len);
    if (len <= sizeof lower) {
        text_lower(authority, len, lower);
        host = find_specific(routes, lower, len);
    }
    return host ? host : routes->any;
}
