/* SPDX-License-Identifier: Apache-2.0 */
/* Making endpoints of resolved addresses. Nothing here depends on the order in which servers happened to answer, so that the same
 * facts are the same set. */
#include "source/dns_found.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 16, MIXED_SCALE = 100, KEY_BYTES = 23 };

/* ---- gathering ---- */

static struct dns_found *room(struct dns_founds *founds)
{
    size_t cap = founds->cap ? founds->cap * 2 : FIRST_ROOM;
    struct dns_found *items;

    if (founds->failed)
        return NULL;
    if (founds->n < founds->cap)
        return &founds->items[founds->n++];
    items = mem_realloc(founds->items, cap * sizeof *items);
    if (!items) {
        founds->failed = true;
        return NULL;
    }
    founds->items = items;
    founds->cap = cap;
    return &founds->items[founds->n++];
}

void dns_founds_add(struct dns_founds *founds, const struct addr *addr, const struct addr *alternative,
                    const struct dns_host_of *of)
{
    struct dns_found *found = room(founds);

    if (!found)
        return;
    *found = (struct dns_found){ .addr = *addr, .of = *of, .order = founds->n };
    if (alternative)
        found->alternative = *alternative;
}

/* The next address of the family at or after `at`. */
static size_t next_of(const struct addr *addrs, size_t n, size_t at, enum addr_family family)
{
    while (at < n && addrs[at].family != family)
        at++;
    return at;
}

/* n: there is none that is used. */
static size_t first_of(const struct addr *addrs, size_t n, enum addr_family family, enum service_families families)
{
    bool is_used = families == FAMILIES_BOTH || (family == ADDR_IPV6) == (families == FAMILIES_IPV6);

    if (families == FAMILIES_IPV4_FIRST && family == ADDR_IPV6)
        is_used = next_of(addrs, n, 0, ADDR_IPV4) == n;
    return is_used ? next_of(addrs, n, 0, family) : n;
}

static struct addr with_port(const struct addr *addr, uint16_t port)
{
    struct addr copy = *addr;

    copy.port = port;
    return copy;
}

void dns_founds_add_host(struct dns_founds *founds, const struct addr *addrs, size_t n, enum addr_family prefers,
                         const struct dns_host_of *of)
{
    enum addr_family other = prefers == ADDR_IPV6 ? ADDR_IPV4 : ADDR_IPV6;
    size_t a = first_of(addrs, n, prefers, of->families), b = first_of(addrs, n, other, of->families);

    while (a < n || b < n) {
        struct addr first = with_port(&addrs[a < n ? a : b], of->port);
        struct addr second = { 0 };

        if (a < n && b < n)
            second = with_port(&addrs[b], of->port);
        dns_founds_add(founds, &first, &second, of);
        a = a < n ? next_of(addrs, n, a + 1, prefers) : n;
        b = b < n ? next_of(addrs, n, b + 1, other) : n;
    }
}

void dns_founds_keep_one(struct dns_founds *founds, const struct model_endpoints *now)
{
    for (size_t i = 1; i < founds->n && now->n == 1; i++) {
        if (!addr_equal(&founds->items[i].addr, &now->endpoints[0].addr))
            continue;
        founds->items[0] = founds->items[i];
        break;
    }
    founds->n = founds->n > 0;
}

void dns_founds_clear(struct dns_founds *founds)
{
    mem_free(founds->items);
    *founds = (struct dns_founds){ 0 };
}

/* ---- each address once ---- */

static void make_key(const struct addr *addr, char key[KEY_BYTES])
{
    memcpy(key, &addr->family, 1);
    memcpy(key + 1, &addr->port, 2);
    memcpy(key + 3, &addr->scope, 4);
    memcpy(key + 7, addr->ip, 16);
}

struct seen {
    struct map map;
    char (*keys)[KEY_BYTES];
    size_t n;
};

/* Unix sockets are told apart by whoever wrote their paths. */
static bool is_seen(struct seen *seen, const struct addr *addr)
{
    char key[KEY_BYTES];

    if (addr->family != ADDR_IPV4 && addr->family != ADDR_IPV6)
        return false;
    make_key(addr, key);
    return map_get(&seen->map, key, KEY_BYTES) != NULL;
}

static bool remember(struct seen *seen, const struct addr *addr)
{
    char *key = seen->keys[seen->n];

    if (addr->family != ADDR_IPV4 && addr->family != ADDR_IPV6)
        return true;
    make_key(addr, key);
    if (!map_put(&seen->map, key, KEY_BYTES, key))
        return false;
    seen->n++;
    return true;
}

/* An endpoint is the same if one of its addresses is. Those that come first stay: they have the better priority. */
static bool drop_duplicates(struct dns_founds *founds)
{
    struct seen seen = { .keys = mem_array(2 * founds->n + 1, KEY_BYTES) };
    size_t n = 0;
    bool done = seen.keys != NULL;

    for (size_t i = 0; done && i < founds->n; i++) {
        struct dns_found *found = &founds->items[i];

        if (is_seen(&seen, &found->addr) || is_seen(&seen, &found->alternative))
            continue;
        done = remember(&seen, &found->addr) && remember(&seen, &found->alternative);
        founds->items[n++] = *found;
    }
    if (done)
        founds->n = n;
    map_free(&seen.map);
    mem_free(seen.keys);
    return done;
}

/* ---- endpoints ---- */

static int by_priority(const void *a, const void *b)
{
    const struct dns_found *x = a, *y = b;

    if (x->of.priority != y->of.priority)
        return x->of.priority < y->of.priority ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static bool fill(struct model_endpoints *set, struct model_endpoint *out, const struct dns_found *found, uint32_t rank,
                 const struct conf *conf)
{
    const char *zone = found->of.zone[0] || !conf ? found->of.zone : conf_zone_of(conf, &found->addr);

    out->addr = found->addr;
    out->weight = found->of.weight > 0 ? found->of.weight : 1;
    if (out->addr.family == ADDR_UNIX)
        out->addr.path = model_endpoints_text(set, found->addr.path, strlen(found->addr.path));
    return (out->addr.family != ADDR_UNIX || out->addr.path) && model_endpoints_place(set, out, zone, rank) &&
           model_endpoints_name(set, out, found->of.hostname, &found->alternative);
}

struct model_endpoints *dns_founds_endpoints(struct dns_founds *founds, const struct conf *conf, const char *source)
{
    struct model_endpoints *set;
    uint32_t rank = 0;

    if (founds->failed)
        return NULL;
    if (founds->n > 1)
        qsort(founds->items, founds->n, sizeof *founds->items, by_priority);
    if (!drop_duplicates(founds))
        return NULL;
    set = model_endpoints_new(ENDPOINTS_READY, source, founds->n);
    for (size_t i = 0; set && i < founds->n; i++) {
        if (i > 0 && founds->items[i].of.priority != founds->items[i - 1].of.priority)
            rank++;
        if (!fill(set, &set->endpoints[i], &founds->items[i], rank, conf)) {
            model_endpoints_unref(set);
            set = NULL;
        }
    }
    return set;
}

/* ---- SRV records ---- */

bool dns_srv_usable(const struct net_srv *srv)
{
    return srv->target[0] != '\0' && srv->port != 0;
}

bool dns_srv_withdrawn(const struct net_srv *srvs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (srvs[i].target[0] != '\0')
            return false;
    return n > 0;
}

bool dns_srv_mixed(const struct net_srv *srvs, size_t n)
{
    bool none = false, some = false;

    for (size_t i = 0; i < n; i++) {
        none |= srvs[i].weight == 0;
        some |= srvs[i].weight != 0;
    }
    return none && some;
}

uint32_t dns_srv_weight(uint16_t weight, bool mixed)
{
    if (weight == 0)
        return 1;
    return mixed ? (uint32_t) weight * MIXED_SCALE : weight;
}
