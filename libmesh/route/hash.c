/* SPDX-License-Identifier: Apache-2.0 */
/* The hash of a request by the hash policies of its route, which is Envoy's to the bit. */
#include <string.h>

#include "route/conditions.h"

/* Further values of one header are left out. */
enum { MOST_VALUES = 16 };

/* ---- a header: all its values, rewritten, sorted, each hashed with the hash of those before as seed ---- */

struct values {
    struct buf rewritten[MOST_VALUES];
    const char *texts[MOST_VALUES];
    size_t lengths[MOST_VALUES];
    size_t n;
};

static int compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

    return order ? order : (a_len > b_len) - (a_len < b_len);
}

static void insert(struct values *values, const char *text, size_t len)
{
    size_t at = values->n++;

    for (; at > 0 && compare(values->texts[at - 1], values->lengths[at - 1], text, len) > 0; at--) {
        values->texts[at] = values->texts[at - 1];
        values->lengths[at] = values->lengths[at - 1];
    }
    values->texts[at] = text;
    values->lengths[at] = len;
}

/* What cannot be rewritten counts as it is. */
static void add_value(struct values *values, const struct regex_rewrite *rewrite, const char *value)
{
    struct buf *rewritten = &values->rewritten[values->n];

    if (rewrite->regex && regex_replace(rewrite->regex, value, strlen(value), rewrite->substitution, rewritten) == 0)
        insert(values, buf_len(rewritten) > 0 ? (const char *) buf_bytes(rewritten) : "", buf_len(rewritten));
    else
        insert(values, value, strlen(value));
}

static bool hash_header(const struct route_hash *policy, const struct route_request *request, uint64_t *out)
{
    struct values values = { .n = 0 };
    const char *value = route_header_pseudo(request, policy->name);
    size_t at = 0;

    if (value)
        add_value(&values, &policy->rewrite, value);
    while (!value && values.n < MOST_VALUES) {
        const char *next = route_header_next(request->headers, request->n_headers, policy->name, &at);

        if (!next)
            break;
        add_value(&values, &policy->rewrite, next);
    }
    *out = 0;
    for (size_t i = 0; i < values.n; i++)
        *out = xxh64(values.texts[i], values.lengths[i], *out);
    for (size_t i = 0; i < values.n; i++)
        buf_free(&values.rewritten[i]);
    return values.n > 0;
}

/* ---- a cookie ---- */

/* "a=1; b=\"2\"": the value's first character and length, without quotes. */
static const char *find_cookie(const char *cookies, const char *name, size_t *len)
{
    size_t name_len = strlen(name);

    for (const char *at = cookies; *at; at += strspn(at, ";")) {
        size_t whole;

        at += strspn(at, " ");
        whole = strcspn(at, ";");
        if (whole > name_len && at[name_len] == '=' && memcmp(at, name, name_len) == 0) {
            const char *value = at + name_len + 1;

            *len = whole - name_len - 1;
            if (*len < 2 || value[0] != '"' || value[*len - 1] != '"')
                return value;
            *len -= 2;
            return value + 1;
        }
        at += whole;
    }
    return NULL;
}

/* An empty one is none. */
static bool hash_cookie(const char *name, const struct route_request *request, uint64_t *out)
{
    const char *cookies, *value = NULL;
    size_t at = 0, len = 0;

    while (!value && (cookies = route_header_next(request->headers, request->n_headers, "cookie", &at)))
        value = find_cookie(cookies, name, &len);
    if (!value || len == 0)
        return false;
    *out = xxh64(value, len, 0);
    return true;
}

/* ---- all together ---- */

static bool hash_query(const char *name, const struct route_request *request, uint64_t *out)
{
    size_t len;
    const char *value = route_query(request->path, name, &len);

    if (value)
        *out = xxh64(value, len, 0);
    return value != NULL;
}

static bool hash_one(const struct route_hash *policy, const struct route_request *request, uint64_t *out)
{
    switch (policy->kind) {
    case ROUTE_HASH_HEADER:
        return hash_header(policy, request, out);
    case ROUTE_HASH_COOKIE:
        return hash_cookie(policy->name, request, out);
    case ROUTE_HASH_QUERY:
        return hash_query(policy->name, request, out);
    case ROUTE_HASH_CHANNEL:
        break;
    }
    *out = xxh64(&request->channel, sizeof request->channel, 0);
    return true;
}

bool route_hash(const struct route_rules *rules, const struct route_request *request, uint64_t *out)
{
    uint64_t so_far = 0, one;
    bool found = false;

    for (size_t i = 0; i < rules->n_hash; i++) {
        if (hash_one(&rules->hash[i], request, &one)) {
            so_far = (so_far << 1 | so_far >> 63) ^ one;
            found = true;
        }
        if (rules->hash[i].terminal && found)
            break;
    }
    *out = so_far;
    return found;
}
