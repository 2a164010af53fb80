/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of a route configuration are kept in: texts, regular expressions and clusters, counted against limits. */
#include "source/xds/routes_reader.h"

#include <string.h>

#include "source/xds/cluster.h"

static const struct {
    size_t most;
    const char *name;
} limits[ROUTES_COUNTED] = {
    [ROUTES_HOST] = { 100000, "virtual hosts" },
    [ROUTES_DOMAIN] = { 200000, "domains" },
    [ROUTES_ROUTE] = { 100000, "routes" },
    [ROUTES_TARGET] = { 200000, "clusters of routes" },
    [ROUTES_MATCHER] = { 500000, "matchers of headers and query parameters" },
    [ROUTES_CHANGE] = { 500000, "changes of headers" },
    [ROUTES_REGEX] = { 10000, "regular expressions" },
    [ROUTES_REGEX_BYTE] = { 1 << 20, "bytes of regular expressions" },
    [ROUTES_OVERRIDE] = { 100000, "configurations of filters" },
    [ROUTES_BODY_BYTE] = { 16 << 20, "bytes of direct responses" },
};

/* ---- the reader ---- */

bool routes_reader_init(struct routes_reader *reader, struct reading *reading, const struct xds_routes_env *env)
{
    *reader = (struct routes_reader){ .reading = reading, .env = env, .routes = model_routes_new() };
    if (!reader->routes)
        reading_no_memory(reading);
    return reader->routes;
}

void routes_reader_clear(struct routes_reader *reader)
{
    map_free(&reader->matching);
    map_free(&reader->replacing);
    map_free(&reader->clusters);
    mem_free(reader->buckets);
    model_routes_unref(reader->routes);
}

int32_t routes_take(struct routes_reader *reader, enum routes_counted what, size_t n)
{
    size_t left = limits[what].most - reader->counts[what];

    if (n > left)
        return reading_wrong(reader->reading, "more than %zu %s", limits[what].most, limits[what].name);
    reader->counts[what] += n;
    return 0;
}

/* ---- memory and texts ---- */

void *routes_alloc(struct routes_reader *reader, size_t count, size_t size)
{
    void *made = model_routes_alloc(reader->routes, count, size);

    if (!made)
        reading_no_memory(reader->reading);
    return made;
}

static int32_t keep_text(struct routes_reader *reader, const char *text, size_t len, const char **out)
{
    if (len > ROUTES_TEXT_MOST)
        return reading_wrong(reader->reading, "%zu bytes; allowed are %d", len, (int) ROUTES_TEXT_MOST);
    *out = model_routes_text(reader->routes, text, len);
    return *out ? 0 : reading_no_memory(reader->reading);
}

int32_t routes_text(struct routes_reader *reader, const char *text, const char **out)
{
    return keep_text(reader, text, strlen(text), out);
}

int32_t routes_lower(struct routes_reader *reader, const char *text, const char **out)
{
    size_t len = strlen(text);
    char *lower;

    if (len > ROUTES_TEXT_MOST)
        return reading_wrong(reader->reading, "%zu bytes; allowed are %d", len, (int) ROUTES_TEXT_MOST);
    lower = routes_alloc(reader, len + 1, 1);
    if (!lower)
        return MESH_ERR_NOMEM;
    text_lower(text, len, lower);
    *out = lower;
    return 0;
}

/* ---- regular expressions ---- */

static int32_t make_regex(struct routes_reader *reader, const char *pattern, enum regex_use use, struct regex **out)
{
    struct map *known = use == REGEX_TO_MATCH ? &reader->matching : &reader->replacing;
    const char *key = pattern;
    int32_t err = routes_take(reader, ROUTES_REGEX, 1);

    if (!err)
        err = routes_take(reader, ROUTES_REGEX_BYTE, strlen(pattern));
    if (!err)
        err = routes_text(reader, pattern, &key);
    if (err)
        return err;
    err = regex_new(pattern, use, out, reader->reading->fault);
    if (err)
        return reading_failed(reader->reading, err);
    if (!model_routes_keep_regex(reader->routes, *out) || !map_put(known, key, strlen(key), *out))
        return reading_no_memory(reader->reading);
    return 0;
}

static int32_t find_regex(struct routes_reader *reader, const Matcher__RegexMatcher *matcher, enum regex_use use,
                          struct regex **out)
{
    if (!matcher || matcher->regex[0] == '\0')
        return reading_wrong(reader->reading, "there is no regular expression");
    *out = map_get_text(use == REGEX_TO_MATCH ? &reader->matching : &reader->replacing, matcher->regex);
    return *out ? 0 : make_regex(reader, matcher->regex, use, out);
}

int32_t routes_regex(struct routes_reader *reader, const char *field, const Matcher__RegexMatcher *matcher,
                     enum regex_use use, struct regex **out)
{
    int32_t err;

    reading_enter(reader->reading, field);
    err = find_regex(reader, matcher, use, out);
    reading_leave(reader->reading);
    return err;
}

static int32_t read_rewrite(struct routes_reader *reader, const Matcher__RegexMatchAndSubstitute *rewrite,
                            struct regex_rewrite *out)
{
    int32_t err = routes_regex(reader, "pattern", rewrite->pattern, REGEX_TO_REPLACE, &out->regex);

    if (err)
        return err;
    reading_enter(reader->reading, "substitution");
    err = regex_check_substitution(out->regex, rewrite->substitution, reader->reading->fault);
    if (err)
        reading_failed(reader->reading, err);
    else
        err = routes_header_value(reader, rewrite->substitution, &out->substitution);
    reading_leave(reader->reading);
    return err;
}

int32_t routes_rewrite(struct routes_reader *reader, const char *field, const Matcher__RegexMatchAndSubstitute *rewrite,
                       struct regex_rewrite *out)
{
    int32_t err;

    if (!rewrite)
        return 0;
    reading_enter(reader->reading, field);
    err = read_rewrite(reader, rewrite, out);
    reading_leave(reader->reading);
    return err;
}

/* ---- clusters ---- */

static int32_t make_key(struct routes_reader *reader, const char *name, const char **key)
{
    size_t prefix = strlen(XDS_CLUSTER_PREFIX), len = strlen(name);
    char *made;

    if (len == 0 || len > ROUTES_TEXT_MOST)
        return reading_wrong(reader->reading, "the name of a cluster has %zu bytes; allowed are 1 to %d", len,
                             (int) ROUTES_TEXT_MOST);
    made = routes_alloc(reader, prefix + len + 1, 1);
    if (!made)
        return MESH_ERR_NOMEM;
    memcpy(made, XDS_CLUSTER_PREFIX, prefix);
    memcpy(made + prefix, name, len);
    *key = made;
    return 0;
}

int32_t routes_cluster(struct routes_reader *reader, const char *name, const char **key)
{
    size_t len = strlen(name);
    int32_t err;

    *key = map_get(&reader->clusters, name, len);
    if (*key)
        return 0;
    err = make_key(reader, name, key);
    if (err)
        return err;
    if (!map_put(&reader->clusters, *key + strlen(XDS_CLUSTER_PREFIX), len, (void *) *key))
        return reading_no_memory(reader->reading);
    return 0;
}

/* ---- token buckets ---- */

int32_t routes_add_bucket(struct routes_reader *reader, const struct route_bucket *bucket, uint32_t *index)
{
    struct route_bucket *grown = mem_realloc(reader->buckets, (reader->n_buckets + 1) * sizeof *reader->buckets);

    if (!grown)
        return reading_no_memory(reader->reading);
    reader->buckets = grown;
    grown[reader->n_buckets] = *bucket;
    *index = (uint32_t) reader->n_buckets++;
    return 0;
}

int32_t routes_keep_buckets(struct routes_reader *reader)
{
    struct model_routes *routes = reader->routes;

    if (reader->n_buckets == 0)
        return 0;
    routes->buckets = routes_alloc(reader, reader->n_buckets, sizeof *routes->buckets);
    if (!routes->buckets)
        return MESH_ERR_NOMEM;
    memcpy(routes->buckets, reader->buckets, reader->n_buckets * sizeof *routes->buckets);
    routes->n_buckets = reader->n_buckets;
    return 0;
}
