/* SPDX-License-Identifier: Apache-2.0 */
/* What a route asks of a request, piece by piece. Private to route/. */
#ifndef ROUTE_CONDITIONS_H
#define ROUTE_CONDITIONS_H

#include "route/route.h"

bool route_text_matches(const struct match_text *match, const char *text, size_t len);
/* Bytes of the path before query and fragment. */
size_t route_path_length(const char *path);

/* What of a path is looked at: borrowed, unless there are parameters to be left out. */
struct route_path {
    const char *text;
    size_t len;
    struct buf stripped;
    char room[512];
};
/* False: out of memory. route_path_end() in any case. */
bool route_path_begin(struct route_path *path, const char *whole, bool ignore_parameters);
void route_path_end(struct route_path *path);
/* All that `route` asks for but the path. */
bool route_rest_matches(const struct route *route, const struct route_request *request);

/* The next header of that name from *at on, which moves behind it. NULL: no more. */
const char *route_header_next(const struct mesh_header *headers, size_t n, const char *name, size_t *at);
/* ":path", ":method", ":scheme", ":authority" and "host", which is the same. NULL: it is none of these. */
const char *route_header_pseudo(const struct route_request *request, const char *name);
/* One value: of one of those, or of the first such header. NULL: none. */
const char *route_header(const struct route_request *request, const char *name);
/* First value of a query parameter, as it stands in the path. NULL: none. */
const char *route_query(const char *path, const char *name, size_t *len);

#endif
