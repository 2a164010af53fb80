/* SPDX-License-Identifier: Apache-2.0 */
/* What a route asks of a request: its path, headers, query parameters, and luck. */
#include "route/conditions.h"

#include <string.h>

/* ---- texts ---- */

static bool same(const char *text, const char *wanted, size_t len, bool ignore_case)
{
    return ignore_case ? text_equal_nocase_n(text, len, wanted, len) : memcmp(text, wanted, len) == 0;
}

static bool contains(const struct match_text *match, const char *text, size_t len)
{
    if (!match->ignore_case)
        return match->len == 0 || memmem(text, len, match->text, match->len);
    for (size_t at = 0; at + match->len <= len; at++)
        if (same(text + at, match->text, match->len, true))
            return true;
    return false;
}

/* Spaces around it and a sign are allowed. */
static bool in_range(const struct match_text *match, const char *text, size_t len)
{
    uint64_t digits;
    int64_t number;
    bool negative;

    while (len > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        len--;
    }
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    negative = len > 0 && *text == '-';
    if (len > 0 && (*text == '-' || *text == '+')) {
        text++;
        len--;
    }
    if (!text_to_u64(text, len, &digits) || digits > (uint64_t) INT64_MAX + negative)
        return false;
    number = negative ? (int64_t) -digits : (int64_t) digits;
    return number >= match->from && number < match->to;
}

bool route_text_matches(const struct match_text *match, const char *text, size_t len)
{
    switch (match->kind) {
    case MATCH_EXACT:
        return len == match->len && same(text, match->text, len, match->ignore_case);
    case MATCH_PREFIX:
        return len >= match->len && same(text, match->text, match->len, match->ignore_case);
    case MATCH_SUFFIX:
        return len >= match->len && same(text + len - match->len, match->text, match->len, match->ignore_case);
    case MATCH_CONTAINS:
        return contains(match, text, len);
    case MATCH_REGEX:
        return regex_matches(match->regex, text, len);
    case MATCH_PRESENT:
        return true;
    case MATCH_RANGE:
        return in_range(match, text, len);
    case MATCH_PATH_PREFIX:
        return len >= match->len && same(text, match->text, match->len, match->ignore_case) &&
               (len == match->len || text[match->len] == '/');
    }
    return false;
}

/* ---- the path ---- */

size_t route_path_length(const char *path)
{
    return strcspn(path, "?#");
}

/* Of each segment what stands before ";" (Envoy since 1.40; before, parameters ended the path). */
static bool strip(struct buf *out, const char *path, size_t len)
{
    const char *end = path + len;
    bool done = true;

    while (path < end && done) {
        size_t kept = strcspn(path, ";");

        if (kept > (size_t) (end - path))
            kept = (size_t) (end - path);
        done = buf_append(out, path, kept);
        path += kept;
        path += strcspn(path, "/?#");
    }
    return done;
}

bool route_path_begin(struct route_path *path, const char *whole, bool ignore_parameters)
{
    bool done = true;

    buf_lend(&path->stripped, path->room, sizeof path->room);
    path->text = whole;
    path->len = route_path_length(whole);
    if (ignore_parameters && memchr(whole, ';', path->len)) {
        done = strip(&path->stripped, whole, path->len);
        path->text = (const char *) buf_bytes(&path->stripped);
        path->len = buf_len(&path->stripped);
    }
    return done;
}

void route_path_end(struct route_path *path)
{
    buf_free(&path->stripped);
}

bool route_path_matches(const struct match_text *match, const char *whole, bool ignore_parameters)
{
    struct route_path path;
    bool matches = route_path_begin(&path, whole, ignore_parameters) && route_text_matches(match, path.text, path.len);

    route_path_end(&path);
    return matches;
}

/* ---- headers ---- */

const char *route_authority(const struct route_request *request)
{
    return request->authority ? request->authority : request->service;
}

/* A request has no scheme before its cluster is known; it is plain to a proxy beside it, too. */
const char *route_header_pseudo(const struct route_request *request, const char *name)
{
    if (strcmp(name, ":path") == 0)
        return request->path;
    if (strcmp(name, ":method") == 0)
        return request->method;
    if (strcmp(name, ":authority") == 0 || strcmp(name, "host") == 0)
        return route_authority(request);
    if (strcmp(name, ":scheme") == 0)
        return "http";
    return NULL;
}

const char *route_header_next(const struct mesh_header *headers, size_t n, const char *name, size_t *at)
{
    while (*at < n) {
        const struct mesh_header *header = &headers[(*at)++];

        if (text_equal_nocase(header->name, name))
            return header->value;
    }
    return NULL;
}

const char *route_header(const struct route_request *request, const char *name)
{
    const char *value = route_header_pseudo(request, name);
    size_t at = 0;

    return value ? value : route_header_next(request->headers, request->n_headers, name, &at);
}

/* Of several values one is enough (Envoy since 1.39; joined by commas, one more value could hide another). */
static bool any_value_matches(const struct match_header *match, const struct mesh_header *headers, size_t n, bool *any)
{
    bool matches = false;
    size_t at = 0;
    const char *value;

    while (!matches && (value = route_header_next(headers, n, match->name, &at))) {
        *any = true;
        matches = route_text_matches(&match->value, value, strlen(value));
    }
    return matches;
}

/* A missing header matches nothing, inverted or not, but where its presence is the question. */
bool route_header_matches(const struct match_header *match, const struct route_request *request,
                          const struct mesh_header *headers, size_t n)
{
    const char *pseudo = request ? route_header_pseudo(request, match->name) : NULL;
    bool any = pseudo != NULL;
    bool matches =
        pseudo ? route_text_matches(&match->value, pseudo, strlen(pseudo)) : any_value_matches(match, headers, n, &any);

    if (!any && match->missing_is_empty)
        return route_text_matches(&match->value, "", 0) != match->invert;
    if (!any)
        return match->value.kind == MATCH_PRESENT && match->invert;
    return matches != match->invert;
}

static bool headers_match(const struct route *route, const struct route_request *request)
{
    for (size_t i = 0; i < route->n_headers; i++)
        if (!route_header_matches(&route->headers[i], request, request->headers, request->n_headers))
            return false;
    return true;
}

/* ---- query parameters ---- */

const char *route_query(const char *path, const char *name, size_t *len)
{
    const char *at = strchr(path, '?');
    size_t name_len = strlen(name);

    while (at) {
        size_t whole = strcspn(++at, "&"), key = strcspn(at, "=&");

        if (key == name_len && memcmp(at, name, key) == 0) {
            *len = key < whole ? whole - key - 1 : 0;
            return key < whole ? at + key + 1 : at + whole;
        }
        at = at[whole] ? at + whole : NULL;
    }
    return NULL;
}

static bool queries_match(const struct route *route, const struct route_request *request)
{
    for (size_t i = 0; i < route->n_queries; i++) {
        const struct match_query *match = &route->queries[i];
        size_t len;
        const char *value = route_query(request->path, match->name, &len);

        if (!value || !route_text_matches(&match->value, value, len))
            return false;
    }
    return true;
}

/* ---- the rest ---- */

/* "application/grpc", alone or with "+proto" and the like behind it; "application/grpc-web" is something else. */
static bool is_grpc(const struct route_request *request)
{
    static const char type[] = "application/grpc";
    const char *value = route_header(request, "content-type");

    return value && text_starts_with(value, type) && (value[sizeof type - 1] == '\0' || value[sizeof type - 1] == '+');
}

bool route_fraction_hits(const struct route_fraction *fraction, uint64_t dice)
{
    return dice % fraction->denominator < fraction->numerator;
}

bool route_rest_matches(const struct route *route, const struct route_request *request)
{
    return (!route->has_fraction || route_fraction_hits(&route->fraction, request->dice)) &&
           (!route->grpc_only || is_grpc(request)) && headers_match(route, request) && queries_match(route, request);
}
