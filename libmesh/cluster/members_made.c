/* SPDX-License-Identifier: Apache-2.0 */
/* Of a very large set few endpoints are ever used by one client (balance/subset.c), so that only those become objects that rank
 * first, by a hash of address and client: nobody's rank depends on who else is there. */
#include <stdlib.h>
#include <string.h>

#include "cluster/state.h"
#include "cluster/zone.h"

/* Below that it is not worth while. */
enum { LEAST_SET = 1024, MORE_THAN_USED = 2 };

struct ranked {
    uint64_t rank;
    uint32_t index;
};

/* Endpoints that will be one zone: those of the least rank, the largest on top. */
struct group {
    size_t n, room, kept;
    struct ranked *heap;
};

struct choosing {
    const struct cluster *cluster;
    const struct model_endpoints *set;
    uint32_t (*group_of)[2]; /* by locality, and by being degraded */
    struct group *groups;
    size_t n_groups;
    size_t *counts; /* by locality * 2 + degraded */
};

/* ---- groups ---- */

static bool has_own(const struct choosing *c)
{
    for (size_t i = 0; i < c->set->n_localities; i++)
        if (c->counts[2 * i] + c->counts[2 * i + 1] > 0 && zone_is_own(c->cluster, &c->set->localities[i]))
            return true;
    return false;
}

/* Keys are kept in one run of bytes until all groups are known. */
struct keys {
    struct map map; /* group's number + 1 */
    struct buf *items;
    size_t n;
};

static bool find_group(struct choosing *c, struct keys *keys, size_t at, bool matter)
{
    const struct model_locality *place = &c->set->localities[at / 2];
    struct buf *key = &keys->items[keys->n];
    uintptr_t number;

    if (!zone_key(&c->cluster->all, place, matter, at % 2 != 0, key))
        return false;
    number = (uintptr_t) map_get(&keys->map, (const char *) buf_bytes(key), buf_len(key));
    if (number == 0) {
        number = ++keys->n;
        if (!map_put(&keys->map, (const char *) buf_bytes(key), buf_len(key), (void *) number))
            return false;
    } else {
        buf_clear(key);
    }
    c->group_of[at / 2][at % 2] = (uint32_t) number - 1;
    c->groups[number - 1].n += c->counts[at];
    return true;
}

static bool find_groups(struct choosing *c)
{
    size_t n = 2 * c->set->n_localities;
    struct keys keys = { .items = mem_array(n + 1, sizeof *keys.items) };
    bool matter = zones_matter(c->cluster, has_own(c)), found = keys.items != NULL;

    for (size_t i = 0; i < n && found; i++)
        if (c->counts[i] > 0)
            found = find_group(c, &keys, i, matter);
    c->n_groups = keys.n;
    for (size_t i = 0; i <= keys.n && keys.items; i++)
        buf_free(&keys.items[i]);
    mem_free(keys.items);
    map_free(&keys.map);
    return found;
}

/* False: nobody would be left out. */
static bool plan_room(struct choosing *c)
{
    unsigned times = MORE_THAN_USED * (c->cluster->reach ? c->cluster->reach : 1);
    bool some = false;

    for (size_t i = 0; i < c->n_groups; i++) {
        struct group *group = &c->groups[i];
        size_t used = balance_subset_size(group->n, c->cluster->conf->policy.subset_size);

        group->room = used < group->n / times ? used * times : group->n;
        some = some || group->room < group->n;
    }
    return some;
}

static bool give_room(struct choosing *c)
{
    for (size_t i = 0; i < c->n_groups; i++) {
        c->groups[i].heap = mem_array(c->groups[i].room, sizeof *c->groups[i].heap);
        if (!c->groups[i].heap)
            return false;
    }
    return true;
}

/* ---- ranks ---- */

/* Those that are not to be used come last. */
static uint64_t rank_of(const struct model_endpoint *endpoint, uint64_t client)
{
    const struct addr *addr = &endpoint->addr;
    uint64_t place[3] = { addr->port, 0, 0 }, rank;
    bool well = endpoint->health == ENDPOINT_HEALTHY || endpoint->health == ENDPOINT_DEGRADED;

    if (addr->family == ADDR_UNIX)
        place[1] = xxh64(addr->path, strlen(addr->path), 0);
    else
        memcpy(&place[1], addr->ip, sizeof addr->ip);
    rank = xxh64(place, sizeof place, client) >> 1;
    return well ? rank : rank | UINT64_C(1) << 63;
}

static void sift_down(struct ranked *heap, size_t n)
{
    size_t at = 0;

    for (;;) {
        size_t larger = 2 * at + 1;
        struct ranked kept = heap[at];

        if (larger + 1 < n && heap[larger + 1].rank > heap[larger].rank)
            larger++;
        if (larger >= n || heap[larger].rank <= kept.rank)
            return;
        heap[at] = heap[larger];
        heap[larger] = kept;
        at = larger;
    }
}

static void sift_up(struct ranked *heap, size_t at)
{
    while (at > 0 && heap[(at - 1) / 2].rank < heap[at].rank) {
        struct ranked kept = heap[at];

        heap[at] = heap[(at - 1) / 2];
        heap[(at - 1) / 2] = kept;
        at = (at - 1) / 2;
    }
}

static void offer(struct group *group, uint64_t rank, uint32_t index)
{
    if (group->kept < group->room) {
        group->heap[group->kept] = (struct ranked){ rank, index };
        sift_up(group->heap, group->kept++);
    } else if (rank < group->heap[0].rank) {
        group->heap[0] = (struct ranked){ rank, index };
        sift_down(group->heap, group->room);
    }
}

static uint32_t *group_at(const struct choosing *c, const struct model_endpoint *endpoint)
{
    return &c->group_of[endpoint->locality][endpoint->health == ENDPOINT_DEGRADED];
}

static int by_index(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;

    return x < y ? -1 : x > y;
}

static void collect(const struct choosing *c, struct made *out)
{
    for (size_t i = 0; i < c->n_groups; i++)
        for (size_t k = 0; k < c->groups[i].kept; k++)
            out->chosen[out->n++] = c->groups[i].heap[k].index;
    if (out->n > 1)
        qsort(out->chosen, out->n, sizeof *out->chosen, by_index);
}

static void count_absent(const struct choosing *c, struct made *out)
{
    size_t next = 0;

    for (size_t i = 0; i < c->set->n; i++) {
        const struct model_endpoint *endpoint = &c->set->endpoints[i];

        if (next < out->n && out->chosen[next] == i)
            next++;
        else
            tally_add(&out->absent[endpoint->locality], endpoint);
    }
}

static bool rank_all(struct choosing *c, struct made *out)
{
    size_t room = 0;

    for (size_t i = 0; i < c->n_groups; i++)
        room += c->groups[i].room;
    out->chosen = mem_array(room, sizeof *out->chosen);
    out->absent = mem_array(c->set->n_localities, sizeof *out->absent);
    if (!out->chosen || !out->absent)
        return false;
    for (size_t i = 0; i < c->set->n; i++) {
        const struct model_endpoint *endpoint = &c->set->endpoints[i];

        offer(&c->groups[*group_at(c, endpoint)], rank_of(endpoint, c->cluster->shared->subset), (uint32_t) i);
    }
    collect(c, out);
    count_absent(c, out);
    return true;
}

/* ---- doors ---- */

static bool choose(struct choosing *c, struct made *out)
{
    for (size_t i = 0; i < c->set->n; i++) {
        const struct model_endpoint *endpoint = &c->set->endpoints[i];

        c->counts[2 * endpoint->locality + (endpoint->health == ENDPOINT_DEGRADED)]++;
    }
    if (!find_groups(c))
        return false;
    if (!plan_room(c))
        return true;
    return give_room(c) && rank_all(c, out);
}

bool made_choose(const struct cluster *cluster, const struct model_endpoints *set, struct made *out)
{
    size_t n = 2 * set->n_localities;
    struct choosing c = { .cluster = cluster, .set = set };
    bool chosen;

    *out = (struct made){ 0 };
    if (set->n < LEAST_SET || cluster->by_key || cluster->conf->subsets) {
        out->n = set->n;
        return true;
    }
    c.counts = mem_array(n, sizeof *c.counts);
    c.groups = mem_array(n, sizeof *c.groups);
    c.group_of = mem_array(n, sizeof *c.group_of);
    chosen = c.counts && c.groups && c.group_of && choose(&c, out);
    for (size_t i = 0; c.groups && i < c.n_groups; i++)
        mem_free(c.groups[i].heap);
    mem_free(c.counts);
    mem_free(c.groups);
    mem_free(c.group_of);
    if (!out->chosen)
        out->n = set->n;
    if (!chosen)
        made_free(out);
    return chosen;
}

void made_free(struct made *made)
{
    mem_free(made->chosen);
    mem_free(made->absent);
    *made = (struct made){ 0 };
}
