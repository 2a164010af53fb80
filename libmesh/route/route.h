/* SPDX-License-Identifier: Apache-2.0 */
/* The door of route/: where a request goes, and what is done to it on the way. Pure: a snapshot and a request in, a choice out;
 * dice are an argument.
 *
 * A configured service is a route to the cluster of its own name. A service that a control plane knows has model_routes: the
 * virtual host by the request's authority, its first route that matches, one of that route's clusters by weight. Meanings are
 * Envoy's. */
#ifndef ROUTE_ROUTE_H
#define ROUTE_ROUTE_H

#include "model/model.h"

#include <mesh/request.h> /* struct mesh_header */

/* What a request can be routed by. */
struct route_request {
    const char *service;
    const char *method;
    const char *path;
    const char *authority; /* what it says itself; NULL: nothing, the service's name counts */
    const struct mesh_header *headers;
    size_t n_headers;
    uint64_t dice;    /* random bits: drawn once a request, for all fractions and weights */
    uint64_t channel; /* a number of this client, for hashing by it */
};

enum { ROUTE_KEY_MOST = 1024 };

/* Everything is borrowed from the snapshot. */
struct route_choice {
    const struct model_entry *entry; /* the cluster; NULL: see `route` */
    struct model_routes *routes;     /* NULL: a configured service, and so are the following */
    const struct route_host *host;
    const struct route *route;
    const struct route_target *target; /* of ROUTE_FORWARD */
    char by_header[ROUTE_KEY_MOST];    /* key of the cluster that a header names; "" it was not by header */
};

/* 0: `entry` is set, or the route answers itself (redirect, direct response), or there is no such cluster
 * (route->missing_status). MESH_ERR_AGAIN: the snapshot does not know the service. MESH_ERR_NO_ROUTE, or whatever the
 * service's fault is, with a sentence that names the service, the authority, and what there is. */
int32_t route_match(const struct model_snapshot *snapshot, const struct route_request *request,
                    struct route_choice *out, struct fault *fault);

/* Pieces of it, for others and for tests; the virtual host is found by model_routes_host(). */
bool route_path_matches(const struct match_text *match, const char *path, bool ignore_parameters);
/* One header of a request or, with request NULL, of the answer in `headers`. */
bool route_header_matches(const struct match_header *match, const struct route_request *request,
                          const struct mesh_header *headers, size_t n);
/* The request's own, or its service's name. */
const char *route_authority(const struct route_request *request);
bool route_fraction_hits(const struct route_fraction *fraction, uint64_t dice);

/* ---- what is done on the way; texts from mem_alloc(), NULL in *out: it stays as it is. MESH_ERR_NOMEM, MESH_ERR_INVALID:
 * what came out cannot be sent, or a regular expression takes too many steps. The order is Envoy's: headers are changed first,
 * `request` has them as they are then; then the host, by the path as it came; then the path ---- */

/* prefix_rewrite and regex_rewrite of the path; its query stays. */
int32_t route_rewrite_path(const struct route *route, const char *path, char **out);
/* The host, of the target or the route; auto_host_rewrite is the caller's, who knows the endpoint. */
int32_t route_rewrite_host(const struct route_choice *choice, const struct route_request *request, char **out);
/* Location of a redirect. `scheme` is the request's. */
int32_t route_redirect_location(const struct route *route, const struct route_request *request, const char *scheme,
                                char **out);

/* What the variables in values of headers are made of; NULL: not known, the variable is empty. Headers of whatever is
 * changed are read where they are changed, so that later values see earlier ones. */
struct route_facts {
    const struct route_request *request;
    const struct mesh_header *answer; /* NULL: a request is changed */
    size_t n_answer;
    const char *cluster, *endpoint, *protocol, *route;
    uint64_t wall_ms;
};

/* Headers that change. Zeroed is empty. The array is its own, and so are values that had to be made; other texts are borrowed
 * from what was copied or from the routes. */
struct header_list {
    struct mesh_header *items;
    size_t n, cap;
    struct value_made *made; /* route/headers.c */
};
/* Into an empty list. False: out of memory. */
bool header_list_copy(struct header_list *list, const struct mesh_header *headers, size_t n);
/* Applies the changes in order. False: out of memory; some are done. */
bool route_change_headers(const struct header_changes *changes, const struct route_facts *facts,
                          struct header_list *list);
void header_list_clear(struct header_list *list);

/* Hash of the request by the route's hash policy, as Envoy combines them. False: none of them gives one. */
bool route_hash(const struct route_rules *rules, const struct route_request *request, uint64_t *out);

#endif
