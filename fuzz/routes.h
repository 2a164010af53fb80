/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that go by routes which were read, through everything that route/ does with them. */
#ifndef FUZZ_ROUTES_H
#define FUZZ_ROUTES_H

#include "fuzz.h"

#include "route/route.h"
#include "source/xds/listener.h"

static const struct mesh_header routes_headers[] = {
    { "x-a", "b" },     { "content-type", "application/grpc" }, { "cookie", "s=1; t=2" },
    { "x-c", "users" }, { "x-long", "aaaaaaaaaaaaaaaaaaaaaa" }, { "x-envoy-attempt-count", "1" },
    { "x-empty", "" },
};

static const struct route_request routes_requests[] = {
    { .service = "users", .method = "GET", .path = "/" },
    { .service = "users", .method = "POST", .path = "/a/b?c=d&q=1", .authority = "users.example.com:80" },
    { .service = "users",
      .method = "GET",
      .path = "/a.B/c;p=1",
      .authority = "USERS",
      .headers = routes_headers,
      .n_headers = sizeof routes_headers / sizeof *routes_headers,
      .dice = UINT64_C(0x9e3779b97f4a7c15) },
    { .service = "users", .method = "OPTIONS", .path = "*", .authority = "", .dice = UINT64_MAX },
};

/* Texts that come out can be sent: no control bytes. */
static inline void routes_check_text(char *text)
{
    for (const char *at = text; at && *at; at++)
        FUZZ_CHECK((unsigned char) *at >= 0x20 && *at != 0x7f);
    mem_free(text);
}

static inline void routes_change(const struct header_changes *changes, const struct route_request *request)
{
    struct route_facts facts = { .request = request, .cluster = "users", .endpoint = "10.0.0.1:80" };
    struct header_list list = { 0 };

    FUZZ_CHECK(header_list_copy(&list, request->headers, request->n_headers));
    FUZZ_CHECK(route_change_headers(changes, &facts, &list));
    for (size_t i = 0; i < list.n; i++)
        FUZZ_CHECK(list.items[i].name && list.items[i].value);
    header_list_clear(&list);
}

static inline void routes_obey(const struct route_choice *choice, const struct route_request *request)
{
    char *text = NULL;
    uint64_t hash;

    if (route_rewrite_path(choice->route, request->path, &text) == 0)
        routes_check_text(text);
    if (choice->target && route_rewrite_host(choice, request, &text) == 0)
        routes_check_text(text);
    if (choice->route->action == ROUTE_REDIRECT && route_redirect_location(choice->route, request, "http", &text) == 0)
        routes_check_text(text);
    if (choice->target) {
        routes_change(&choice->target->request_changes, request);
        routes_change(&choice->target->response_changes, request);
    }
    routes_change(&choice->route->response_changes, request);
    route_hash(&choice->route->rules, request, &hash);
}

static inline void routes_use(struct model_routes *routes)
{
    struct model_service service = { .name = (char *) "users", .routes = routes };
    struct model_snapshot *snapshot = model_snapshot_new(1, "", NULL, 0);

    FUZZ_CHECK(snapshot && model_snapshot_add_services(snapshot, &service, 1));
    for (size_t i = 0; i < sizeof routes_requests / sizeof *routes_requests; i++) {
        struct route_choice choice;
        struct fault fault = { 0 };
        int32_t err = route_match(snapshot, &routes_requests[i], &choice, &fault);

        FUZZ_CHECK(err != MESH_ERR_AGAIN && err != MESH_ERR_NOMEM);
        FUZZ_CHECK(err == 0 || fault.text[0]);
        if (err)
            continue;
        FUZZ_CHECK(choice.route && choice.routes == routes);
        routes_obey(&choice, &routes_requests[i]);
    }
    model_snapshot_unref(snapshot);
}

/* Read with the filters of `listener`, or without any. */
static inline int32_t routes_read(const uint8_t *bytes, size_t len, const struct xds_listener *listener)
{
    static const struct policy_retry retry = { .attempts = 3, .on = RETRY_ON_DEFAULT, .backoff_base_ms = 25 };
    struct xds_routes_env env = { .listener = listener, .service = "users", .version = "1", .retry = &retry };
    struct ignored ignored = { 0 };
    struct fault fault = { 0 };
    struct model_routes *routes;
    int32_t err = xds_routes_read(bytes, len, &env, &routes, &ignored, &fault);

    FUZZ_CHECK((err == 0) == (routes != NULL) && (err == 0 || fault.text[0]));
    FUZZ_CHECK(err != MESH_ERR_NOMEM);
    if (routes)
        routes_use(routes);
    model_routes_unref(routes);
    ignored_clear(&ignored);
    return err;
}

#endif
