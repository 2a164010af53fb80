/* SPDX-License-Identifier: Apache-2.0 */
/* What a route makes of the head of an attempt: changed headers, another path, another host, in Envoy's order. Made for each attempt anew
 * from what the application said, since endpoint and number differ; a route that changes nothing costs no allocation. */
#include <string.h>

#include "request/state.h"

/* ---- headers ---- */

static int32_t change_headers(struct rewrite *rewrite, const struct request *request, struct route_request *what,
                              struct http_request *wanted)
{
    const struct header_changes *changes = &request->way.target->request_changes;
    struct route_facts facts;

    if (changes->n == 0)
        return 0;
    facts = way_facts(request, what);
    if (!header_list_copy(&rewrite->list, wanted->headers, wanted->n_headers) ||
        !route_change_headers(changes, &facts, &rewrite->list))
        return MESH_ERR_NOMEM;
    wanted->headers = what->headers = rewrite->list.items;
    wanted->n_headers = what->n_headers = rewrite->list.n;
    return 0;
}

/* ---- the host ---- */

static const char *find(const struct http_request *wanted, const char *name)
{
    for (size_t i = 0; i < wanted->n_headers; i++)
        if (text_equal_nocase(wanted->headers[i].name, name))
            return wanted->headers[i].value;
    return NULL;
}

/* The host before, behind those that are there already. */
static int32_t append_forwarded(struct rewrite *rewrite, const struct http_request *wanted, const char *host)
{
    const char *before = find(wanted, "x-forwarded-host");
    struct buf text = { 0 };

    if (before)
        buf_printf(&text, "%s,", before);
    if (!buf_append(&text, host, strlen(host) + 1)) {
        buf_free(&text);
        return MESH_ERR_NOMEM;
    }
    rewrite->forwarded = mem_strdup((const char *) buf_bytes(&text));
    buf_free(&text);
    return rewrite->forwarded ? 0 : MESH_ERR_NOMEM;
}

static const char *hostname_of(const struct request *request)
{
    const struct endpoint *endpoint = request->attempt.endpoint;

    return endpoint && request->way.route->host_of_endpoint && *endpoint->hostname ? endpoint->hostname : NULL;
}

static int32_t change_host(struct rewrite *rewrite, const struct request *request, const struct route_request *what,
                           struct http_request *wanted)
{
    const struct request_way *way = &request->way;
    struct route_choice choice;
    const char *host = hostname_of(request), *before = wanted->authority;
    int32_t err = 0;

    choice.routes = way->routes;
    choice.host = way->host;
    choice.route = way->route;
    choice.target = way->target;
    if (!host)
        err = route_rewrite_host(&choice, what, &rewrite->host);
    if (err || !(host || rewrite->host))
        return err;
    wanted->authority = host ? host : rewrite->host;
    return way->route->append_forwarded_host ? append_forwarded(rewrite, wanted, before) : 0;
}

/* ---- all of it ---- */

int32_t rewrite_make(struct rewrite *rewrite, const struct request *request, struct http_request *wanted)
{
    struct route_request what;
    int32_t err;

    rewrite->is_made = request->way.target != NULL;
    if (!rewrite->is_made)
        return 0;
    *rewrite = (struct rewrite){ .is_made = true };
    what = request_what(request);
    err = change_headers(rewrite, request, &what, wanted);
    if (!err)
        err = change_host(rewrite, request, &what, wanted);
    if (!err)
        err = route_rewrite_path(request->way.route, request->ask.path, &rewrite->path);
    if (!err && rewrite->path)
        wanted->path = rewrite->path;
    if (request->way.route->rules.attempt_count)
        text_from_u64(request->made, rewrite->count);
    return err;
}

void rewrite_clear(struct rewrite *rewrite)
{
    if (!rewrite->is_made)
        return;
    mem_free(rewrite->path);
    mem_free(rewrite->host);
    mem_free(rewrite->forwarded);
    header_list_clear(&rewrite->list);
}
