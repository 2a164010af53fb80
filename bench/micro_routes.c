/* SPDX-License-Identifier: Apache-2.0 */
/* How long finding the route of a request takes: among few and many, by each kind of path, when the last one matches. */
#include <stdio.h>
#include <string.h>

#include "bench/micro.h"
#include "route/route.h"

enum { MATCHES = 2000, ROUNDS = 20, PATH = 48 };

static const struct routes_case {
    const char *name;
    size_t n;
    enum match_kind kind;
    size_t n_headers;
} cases[] = {
    { "prefix", 1, MATCH_PREFIX, 0 },
    { "exact", 10, MATCH_EXACT, 0 },
    { "exact", 10000, MATCH_EXACT, 0 },
    { "prefix", 100, MATCH_PREFIX, 0 },
    { "prefix", 10000, MATCH_PREFIX, 0 },
    { "path prefix", 10000, MATCH_PATH_PREFIX, 0 },
    { "regex", 1, MATCH_REGEX, 0 },
    { "regex", 100, MATCH_REGEX, 0 },
    { "prefix, header", 10, MATCH_PREFIX, 1 },
    { "prefix, 2 headers", 1000, MATCH_PREFIX, 2 },
};

struct routes_mesh {
    struct route_host host;
    const char *domain;
    struct route *routes;
    char (*paths)[PATH];
    struct model_routes *model;
    struct model_snapshot *snapshot;
};

static struct model_snapshot *make_snapshot(struct model_routes *routes)
{
    struct model_service service = { .name = (char *) "users.default.svc.cluster.local:8080", .routes = routes };
    struct model_entry entry = { model_cluster_new("xds:users"), model_endpoints_new(ENDPOINTS_READY, "static", 0) };
    struct model_snapshot *snapshot;

    need(entry.cluster && entry.endpoints, "no memory");
    snapshot = model_snapshot_new(1, "", &entry, 1);
    need(snapshot && model_snapshot_add_services(snapshot, &service, 1), "no memory");
    model_cluster_unref(entry.cluster);
    model_endpoints_unref(entry.endpoints);
    return snapshot;
}

static struct match_text make_path(struct routes_mesh *mesh, enum match_kind kind, size_t i)
{
    struct match_text path = { .kind = kind, .text = mesh->paths[i] };
    char pattern[PATH + 8];
    struct fault fault;

    snprintf(mesh->paths[i], PATH, "/package.Service%zu/Method", i);
    path.len = strlen(path.text);
    if (kind == MATCH_REGEX) {
        snprintf(pattern, sizeof pattern, "%s[A-Z]?", path.text);
        need(regex_new(pattern, REGEX_TO_MATCH, &path.regex, &fault) == 0, fault.text);
        need(model_routes_keep_regex(mesh->model, path.regex), "no memory");
    }
    return path;
}

static void make(struct routes_mesh *mesh, const struct routes_case *what)
{
    static struct route_target target = { .cluster = "xds:users" };
    static struct match_header headers[] = {
        { .name = ":method", .value = { .kind = MATCH_EXACT, .text = "GET", .len = 3 } },
        { .name = "x-version", .value = { .kind = MATCH_PREFIX, .text = "v2", .len = 2 } },
    };
    struct fault fault;

    *mesh = (struct routes_mesh){ .domain = "users.default.svc.cluster.local:8080", .model = model_routes_new() };
    mesh->routes = mem_array(what->n, sizeof *mesh->routes);
    mesh->paths = mem_array(what->n, sizeof *mesh->paths);
    need(mesh->model && mesh->routes && mesh->paths, "no memory");
    mesh->host =
        (struct route_host){ .n_domains = 1, .domains = &mesh->domain, .n_routes = what->n, .routes = mesh->routes };
    mesh->model->hosts = &mesh->host;
    mesh->model->n_hosts = 1;
    for (size_t i = 0; i < what->n; i++)
        mesh->routes[i] = (struct route){ .path = make_path(mesh, what->kind, i),
                                          .n_headers = what->n_headers,
                                          .headers = headers,
                                          .n_targets = 1,
                                          .targets = &target };
    need(model_routes_finish(mesh->model, mesh->domain, &fault) == 0, fault.text);
    mesh->snapshot = make_snapshot(mesh->model);
}

static void discard(struct routes_mesh *mesh)
{
    model_snapshot_unref(mesh->snapshot);
    model_routes_unref(mesh->model);
    mem_free(mesh->routes);
    mem_free(mesh->paths);
}

static double match_ns(const struct routes_mesh *mesh, size_t n)
{
    static const struct mesh_header sent[] = {
        { "accept", "application/json" }, { "x-request-id", "17" }, { "x-version", "v2.1" }, { "user-agent", "micro" }
    };
    const struct route_request request = { .service = mesh->domain,
                                           .method = "GET",
                                           .path = mesh->paths[n - 1],
                                           .headers = sent,
                                           .n_headers = COUNT_OF(sent) };
    struct route_choice choice;
    struct fault fault;
    uint64_t least = UINT64_MAX;

    for (int i = 0; i < ROUNDS; i++) {
        uint64_t began = clock_now_us(), took;

        for (int k = 0; k < MATCHES; k++)
            need(route_match(mesh->snapshot, &request, &choice, &fault) == 0 && choice.entry, "no route");
        took = clock_now_us() - began;
        least = took < least ? took : least;
    }
    return (double) least * 1e3 / MATCHES;
}

void measure_routes(void)
{
    printf(", \"routes\": [");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct routes_mesh mesh;

        make(&mesh, &cases[i]);
        printf("%s{\"routes\": %zu, \"path\": \"%s\", \"ns\": %.1f}", i ? ", " : "", cases[i].n, cases[i].name,
               match_ns(&mesh, cases[i].n));
        discard(&mesh);
    }
    printf("]");
}
