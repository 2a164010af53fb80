/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing the names of a certificate with the patterns that are wanted. */
#include "base/peer_names.h"

#include <stdatomic.h>
#include <string.h>

#include "base/base.h"
#include "base/regex.h"

struct peer_names *peer_names_new(size_t n)
{
    struct peer_names *names;

    if (n > (SIZE_MAX - sizeof *names) / sizeof names->items[0])
        return NULL;
    names = mem_zalloc(sizeof *names + n * sizeof names->items[0]);
    if (!names)
        return NULL;
    names->refs = 1;
    names->n = n;
    return names;
}

struct peer_names *peer_names_ref(struct peer_names *names)
{
    if (names)
        atomic_fetch_add_explicit(&names->refs, 1, memory_order_relaxed);
    return names;
}

void peer_names_unref(struct peer_names *names)
{
    if (!names || atomic_fetch_sub_explicit(&names->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < names->n; i++) {
        mem_free(names->items[i].text);
        regex_free(names->items[i].regex);
    }
    mem_free(names);
}

uint64_t peer_names_hash(const struct peer_names *names)
{
    uint64_t hash = 0;

    for (size_t i = 0; names && i < names->n; i++) {
        const struct peer_name *item = &names->items[i];
        uint64_t all[] = { hash, item->types, item->how, item->ignore_case,
                           hash_bytes(item->text, strlen(item->text)) };

        hash = hash_bytes(all, sizeof all);
    }
    return hash;
}

/* ---- comparing ---- */

static bool same(const char *a, const char *b, size_t len, bool ignore_case)
{
    return ignore_case ? text_equal_nocase_n(a, len, b, len) : memcmp(a, b, len) == 0;
}

static bool contains(const struct peer_name *item, const char *name, size_t len, size_t wanted)
{
    for (size_t at = 0; at + wanted <= len; at++)
        if (same(name + at, item->text, wanted, item->ignore_case))
            return true;
    return false;
}

/* Letters of a DNS name have no case; "*" stands for the whole first label, and a name of two labels at least follows. */
static bool is_host(const char *host, const char *name, size_t len)
{
    const char *rest = strchr(host, '.');

    if (text_equal_nocase_n(host, strlen(host), name, len))
        return true;
    return len > 2 && name[0] == '*' && name[1] == '.' && rest && rest > host && strchr(rest + 1, '.') &&
           text_equal_nocase_n(rest, strlen(rest), name + 1, len - 1);
}

static bool fits(const struct peer_name *item, enum peer_name_type type, const char *name, size_t len)
{
    size_t wanted = strlen(item->text);

    switch (item->how) {
    case PEER_NAME_EXACT:
        if (type == PEER_NAME_DNS)
            return is_host(item->text, name, len);
        return len == wanted && same(name, item->text, len, item->ignore_case);
    case PEER_NAME_PREFIX:
        return len >= wanted && same(name, item->text, wanted, item->ignore_case);
    case PEER_NAME_SUFFIX:
        return len >= wanted && same(name + (len - wanted), item->text, wanted, item->ignore_case);
    case PEER_NAME_CONTAINS:
        return contains(item, name, len, wanted);
    case PEER_NAME_REGEX:
        return regex_matches(item->regex, name, len);
    }
    return false;
}

bool peer_names_match(const struct peer_names *names, enum peer_name_type type, const char *name, size_t len)
{
    for (size_t i = 0; i < names->n; i++)
        if ((names->items[i].types & type) && fits(&names->items[i], type, name, len))
            return true;
    return false;
}
