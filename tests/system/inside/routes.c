/* SPDX-License-Identifier: Apache-2.0 */
/* What libmesh makes of requests by a route configuration, without sending any.
 *
 *   routes FILE    FILE has the bytes of a RouteConfiguration; a line of stdin is a request:
 *                  {"method": , "path": , "authority": , "headers": [[name, value], ...], "dice": 0}
 *                  A line of stdout is what becomes of it; stderr has what is not honoured. Clusters whose names begin with "missing" do not exist. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "route/route.h"
#include "source/xds/listener.h"

enum { MOST_HEADERS = 32, MOST_BYTES = 1 << 20, MOST_LINE = 1 << 16 };

static void die(const char *what, const char *why)
{
    fprintf(stderr, "routes: %s: %s\n", what, why);
    exit(2);
}

/* ---- the configuration ---- */

static struct model_routes *read_routes(const char *path)
{
    static uint8_t bytes[MOST_BYTES];
    static const struct policy_retry retry;
    struct xds_routes_env env = { .service = "users", .version = "1", .retry = &retry };
    FILE *file = fopen(path, "rb");
    size_t len = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    struct ignored ignored = { 0 };
    struct fault fault = { 0 };
    struct model_routes *routes;

    if (!file)
        die(path, "cannot be read");
    fclose(file);
    if (xds_routes_read(bytes, len, &env, &routes, &ignored, &fault))
        die("refused", fault.text);
    for (size_t i = 0; i < ignored.n; i++)
        fprintf(stderr, "%s\n", ignored.items[i]);
    ignored_clear(&ignored);
    return routes;
}

static struct model_snapshot *make_snapshot(struct model_routes *routes)
{
    struct model_service service = { .name = (char *) "users", .routes = routes };
    struct model_entry *entries = calloc(routes->n_clusters + 1, sizeof *entries);
    struct model_snapshot *snapshot;
    size_t n = 0;

    for (size_t i = 0; i < routes->n_clusters; i++) {
        if (strncmp(routes->clusters[i], "xds:missing", 11) == 0)
            continue;
        entries[n].cluster = model_cluster_new(routes->clusters[i]);
        entries[n++].endpoints = model_endpoints_new(ENDPOINTS_READY, "static", 0);
    }
    snapshot = model_snapshot_new(1, "", entries, n);
    if (!snapshot || !model_snapshot_add_services(snapshot, &service, 1))
        die("snapshot", "out of memory");
    for (size_t i = 0; i < n; i++) {
        model_cluster_unref(entries[i].cluster);
        model_endpoints_unref(entries[i].endpoints);
    }
    free(entries);
    return snapshot;
}

/* ---- a request ---- */

static void read_request(const json_t *line, struct mesh_header *headers, struct route_request *out)
{
    json_t *pairs = json_object_get(line, "headers"), *pair;
    size_t i;

    *out = (struct route_request){
        .service = "users",
        .method = json_string_value(json_object_get(line, "method")),
        .path = json_string_value(json_object_get(line, "path")),
        .authority = json_string_value(json_object_get(line, "authority")),
        .dice = (uint64_t) json_integer_value(json_object_get(line, "dice")),
        .headers = headers,
    };
    if (!out->method || !out->path || json_array_size(pairs) > MOST_HEADERS)
        die("stdin", "no request");
    json_array_foreach(pairs, i, pair)
    {
        headers[i] = (struct mesh_header){ json_string_value(json_array_get(pair, 0)),
                                           json_string_value(json_array_get(pair, 1)) };
    }
    out->n_headers = json_array_size(pairs);
}

static json_t *changed(const struct header_changes *changes, const struct route_facts *facts,
                       const struct mesh_header *headers, size_t n, struct header_list *list)
{
    json_t *pairs = json_array();

    if (!header_list_copy(list, headers, n) || !route_change_headers(changes, facts, list))
        die("headers", "out of memory");
    for (size_t i = 0; i < list->n; i++)
        json_array_append_new(pairs, json_pack("[ss]", list->items[i].name, list->items[i].value));
    return pairs;
}

/* What an upstream of the test answers with. */
static const struct mesh_header answered[] = { { "x-answer", "1" }, { "x-answer", "2" }, { "x-other", "o" } };

static json_t *forwarded(const struct route_choice *choice, const struct route_request *request)
{
    const char *cluster = choice->entry ? choice->entry->cluster->name + strlen("xds:") : NULL;
    struct route_facts facts = { .request = request, .cluster = cluster, .route = choice->route->name };
    struct route_request what = *request;
    struct header_list sent = { 0 }, received = { 0 };
    char *path = NULL, *host = NULL;
    json_t *out;

    if (!choice->entry)
        return json_pack("{si}", "status", choice->route->missing_status);
    out = json_object();
    json_object_set_new(out, "sent",
                        changed(&choice->target->request_changes, &facts, request->headers, request->n_headers, &sent));
    what.headers = sent.items;
    what.n_headers = sent.n;
    if (route_rewrite_host(choice, &what, &host) || route_rewrite_path(choice->route, request->path, &path))
        die("rewrite", request->path);
    facts.answer = answered;
    facts.n_answer = COUNT_OF(answered);
    json_object_set_new(out, "received",
                        changed(&choice->target->response_changes, &facts, answered, COUNT_OF(answered), &received));
    json_object_set_new(out, "status", json_integer(200));
    json_object_set_new(out, "host", json_string(host ? host : route_authority(request)));
    json_object_set_new(out, "path", json_string(path ? path : request->path));
    mem_free(host);
    mem_free(path);
    header_list_clear(&sent);
    header_list_clear(&received);
    return out;
}

static json_t *answered_itself(const struct route_choice *choice, const struct route_request *request)
{
    const struct route *route = choice->route;
    struct route_facts facts = { .request = request, .route = route->name, .answer = answered };
    struct header_list received = { 0 };
    json_t *pairs = changed(&route->response_changes, &facts, NULL, 0, &received);
    char *location = NULL;
    json_t *out;

    header_list_clear(&received);
    if (route->action == ROUTE_ANSWER)
        return json_pack("{sisoss%}", "status", route->answer_status, "received", pairs, "body", route->answer_body,
                         route->answer_len);
    if (route->action == ROUTE_REFUSE)
        die("refused", route->refused);
    if (route_redirect_location(route, request, "http", &location))
        die("redirect", request->path);
    out = json_pack("{sisoss}", "status", route->redirect.status, "received", pairs, "location", location);
    mem_free(location);
    return out;
}

static json_t *decide(const struct model_snapshot *snapshot, const struct route_request *request)
{
    struct route_choice choice;
    struct fault fault = { 0 };

    if (route_match(snapshot, request, &choice, &fault))
        return json_pack("{siss}", "status", 404, "error", fault.text);
    return choice.route->action == ROUTE_FORWARD ? forwarded(&choice, request) : answered_itself(&choice, request);
}

static void answer_line(const struct model_snapshot *snapshot, const char *line)
{
    struct mesh_header headers[MOST_HEADERS];
    struct route_request request;
    json_error_t why;
    json_t *asked = json_loads(line, 0, &why), *out;

    if (!asked)
        die("stdin", why.text);
    read_request(asked, headers, &request);
    out = decide(snapshot, &request);
    if (!out || json_dumpf(out, stdout, JSON_COMPACT))
        die("stdout", line);
    putchar('\n');
    json_decref(out);
    json_decref(asked);
}

int main(int argc, char **argv)
{
    static char line[MOST_LINE];
    struct model_routes *routes;
    struct model_snapshot *snapshot;

    if (argc != 2)
        die("usage", "routes FILE");
    routes = read_routes(argv[1]);
    snapshot = make_snapshot(routes);
    while (fgets(line, sizeof line, stdin))
        answer_line(snapshot, line);
    model_snapshot_unref(snapshot);
    model_routes_unref(routes);
    return 0;
}
