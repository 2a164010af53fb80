/* SPDX-License-Identifier: Apache-2.0 */
/* The request's hash as Envoy's hash policies make it: xxHash64 of the text; of a header with several values all of them,
 * sorted, each hashed with the hash of those before as seed. */
#include "request/hash.h"

#include <string.h>

/* Further values of one header are left out. */
enum { MOST_VALUES = 16 };

static size_t insert(const char **sorted, size_t n, const char *value)
{
    size_t at = n;

    for (; at > 0 && strcmp(sorted[at - 1], value) > 0; at--)
        sorted[at] = sorted[at - 1];
    sorted[at] = value;
    return n + 1;
}

static bool hash_header(const char *name, const struct request_ask *ask, uint64_t *out)
{
    const char *values[MOST_VALUES];
    size_t n = 0;

    for (size_t i = 0; i < ask->n_headers && n < MOST_VALUES; i++)
        if (text_equal_nocase(ask->headers[i].name, name))
            n = insert(values, n, ask->headers[i].value);
    *out = 0;
    for (size_t i = 0; i < n; i++)
        *out = xxh64(values[i], strlen(values[i]), *out);
    return n > 0;
}

bool hash_request(const struct policy_hash *policy, const struct request_ask *ask, uint64_t *out)
{
    switch (policy->on) {
    case HASH_ON_PATH:
        *out = xxh64(ask->path, strlen(ask->path), 0);
        return true;
    case HASH_ON_HEADER:
        return hash_header(policy->header, ask, out);
    case HASH_ON_KEY:
        break;
    }
    *out = ask->hash_key;
    return ask->has_hash_key;
}
