/* SPDX-License-Identifier: Apache-2.0 */
/* Texts, places and rare things of a set of endpoints. */
#include "model/tables.h"

#include <stddef.h>
#include <string.h>

enum { FIRST_BLOCK = 128, LARGEST_BLOCK = 1 << 16, FIRST_ITEMS = 4 };

const struct model_locality model_locality_none = { "", "", "", "", 0, 0 };
const struct model_rare model_rare_none = { .hostname = "", .hash_key = "" };

/* Text is never moved: others point at it. So blocks, each as large as all before it, until they are large. */
struct text_block {
    struct text_block *older;
    size_t used, cap;
    _Alignas(max_align_t) char bytes[];
};

struct model_tables *model_tables_need(struct model_endpoints *set)
{
    if (!set->tables)
        set->tables = mem_zalloc(sizeof *set->tables);
    return set->tables;
}

void model_tables_free(struct model_endpoints *set)
{
    struct model_tables *tables = set->tables;
    struct text_block *block = tables ? tables->newest : NULL;

    if (set->localities != &model_locality_none)
        mem_free((void *) set->localities);
    if (set->rares != &model_rare_none)
        mem_free((void *) set->rares);
    while (block) {
        struct text_block *older = block->older;

        mem_free(block);
        block = older;
    }
    if (!tables)
        return;
    for (size_t i = 0; i < tables->n_parts; i++)
        model_endpoints_unref(tables->parts[i]);
    mem_free(tables->parts);
    lookup_free(&tables->places);
    lookup_free(&tables->rares);
    mem_free(tables);
}

/* ---- texts ---- */

static const char *find_recent(const struct model_tables *tables, const char *wanted, size_t len)
{
    for (unsigned i = 0; i < TABLES_RECENT; i++) {
        const char *known = tables->recent[i];

        if (known && strncmp(known, wanted, len) == 0 && known[len] == '\0')
            return known;
    }
    return NULL;
}

static struct text_block *block_with_room(struct model_tables *tables, size_t len)
{
    struct text_block *block = tables->newest;
    size_t cap = FIRST_BLOCK;

    if (block && block->cap - block->used >= len)
        return block;
    if (block)
        cap = block->cap < LARGEST_BLOCK ? block->cap * 2 : LARGEST_BLOCK;
    if (cap < len)
        cap = len;
    block = mem_alloc(sizeof *block + cap);
    if (!block)
        return NULL;
    *block = (struct text_block){ .older = tables->newest, .cap = cap };
    tables->newest = block;
    return block;
}

const char *model_endpoints_text(struct model_endpoints *set, const char *text, size_t len)
{
    struct model_tables *tables = len > 0 ? model_tables_need(set) : NULL;
    const char *known;
    struct text_block *block;
    char *copy;

    if (len == 0)
        return "";
    known = tables ? find_recent(tables, text, len) : NULL;
    if (!tables || known)
        return known;
    block = block_with_room(tables, len + 1);
    if (!block)
        return NULL;
    copy = block->bytes + block->used;
    memcpy(copy, text, len);
    copy[len] = '\0';
    block->used += len + 1;
    tables->recent[tables->next_recent++ % TABLES_RECENT] = copy;
    return copy;
}

void *model_endpoints_alloc(struct model_endpoints *set, size_t size)
{
    enum { ALIGN = _Alignof(max_align_t) };
    struct model_tables *tables = model_tables_need(set);
    struct text_block *block = tables ? block_with_room(tables, size + ALIGN) : NULL;
    char *at;

    if (!block)
        return NULL;
    block->used = (block->used + ALIGN - 1) / ALIGN * ALIGN;
    at = block->bytes + block->used;
    block->used += size;
    return memset(at, 0, size);
}

/* ---- tables ---- */

/* Room for one more of `size` bytes; the first one is `none`. NULL: out of memory. */
static void *one_more(const void *items, const void *none, size_t n, size_t *cap, size_t size)
{
    void *grown = (void *) items;

    if (items == none) {
        grown = mem_alloc(FIRST_ITEMS * size);
        if (!grown)
            return NULL;
        memcpy(grown, none, size);
        *cap = FIRST_ITEMS;
    } else if (n == *cap) {
        grown = mem_realloc(grown, 2 * *cap * size);
        if (!grown)
            return NULL;
        *cap *= 2;
    }
    return grown;
}

static uint64_t mix(uint64_t so_far, uint64_t more)
{
    uint64_t both[2] = { so_far, more };

    return hash_bytes(both, sizeof both);
}

static uint64_t hash_text(const char *text)
{
    return hash_bytes(text, strlen(text));
}

static bool is_place(const struct model_locality *known, const struct model_locality *wanted)
{
    return known->priority == wanted->priority && known->weight == wanted->weight &&
           strcmp(known->zone, wanted->zone) == 0 && strcmp(known->region, wanted->region) == 0 &&
           strcmp(known->sub_zone, wanted->sub_zone) == 0;
}

struct search {
    const struct model_endpoints *set;
    const void *wanted;
};

static bool is_wanted_place(const void *user, uint32_t number)
{
    const struct search *search = user;

    return is_place(&search->set->localities[number], search->wanted);
}

static uint32_t add_locality(struct model_endpoints *set, const struct model_locality *wanted, uint64_t hash)
{
    struct model_tables *tables = set->tables;
    size_t n = set->n_localities;
    struct model_locality *items =
        one_more(set->localities, &model_locality_none, n, &tables->localities_cap, sizeof *items);

    if (!items)
        return LOOKUP_NONE;
    set->localities = items;
    items[n] = *wanted;
    items[n].label = items[n].zone[0] ? items[n].zone : items[n].region;
    if (!lookup_add(&tables->places, hash, (uint32_t) n))
        return LOOKUP_NONE;
    return tables->last_place = (uint32_t) set->n_localities++;
}

static uint64_t hash_place(const struct model_locality *wanted)
{
    return mix(mix(hash_text(wanted->region), hash_text(wanted->zone)),
               mix(hash_text(wanted->sub_zone), (uint64_t) wanted->priority << 32 | wanted->weight));
}

static uint32_t find_locality(struct model_endpoints *set, const struct model_locality *wanted, uint64_t *hash)
{
    struct search search = { set, wanted };

    if (is_place(&set->localities[set->tables->last_place], wanted))
        return set->tables->last_place;
    *hash = hash_place(wanted);
    return lookup_find(&set->tables->places, *hash, is_wanted_place, &search);
}

uint32_t model_tables_locality(struct model_endpoints *set, const struct model_locality *wanted)
{
    uint64_t hash = 0;
    uint32_t number = find_locality(set, wanted, &hash);

    return number != LOOKUP_NONE ? number : add_locality(set, wanted, hash);
}

static uint32_t add_copy(struct model_endpoints *set, const struct model_locality *wanted, uint64_t hash)
{
    struct model_locality copy = *wanted;

    copy.region = model_endpoints_text(set, wanted->region, strlen(wanted->region));
    copy.zone = model_endpoints_text(set, wanted->zone, strlen(wanted->zone));
    copy.sub_zone = model_endpoints_text(set, wanted->sub_zone, strlen(wanted->sub_zone));
    if (!copy.region || !copy.zone || !copy.sub_zone)
        return LOOKUP_NONE;
    return add_locality(set, &copy, hash);
}

uint32_t model_endpoints_locality(struct model_endpoints *set, const struct model_locality *wanted)
{
    uint64_t hash = 0;
    uint32_t number;

    if (!model_tables_need(set))
        return LOOKUP_NONE;
    number = find_locality(set, wanted, &hash);
    return number != LOOKUP_NONE ? number : add_copy(set, wanted, hash);
}

uint32_t model_endpoints_add_locality(struct model_endpoints *set, const struct model_locality *wanted)
{
    return model_tables_need(set) ? add_copy(set, wanted, hash_place(wanted)) : LOOKUP_NONE;
}

bool model_endpoints_place(struct model_endpoints *set, struct model_endpoint *endpoint, const char *zone,
                           uint32_t priority)
{
    struct model_locality wanted = { .region = "", .zone = zone, .sub_zone = "", .priority = priority };
    uint32_t number = model_endpoints_locality(set, &wanted);

    if (number == LOOKUP_NONE)
        return false;
    endpoint->locality = number;
    return true;
}

/* ---- rare things ---- */

static bool is_same_rare(const struct model_rare *known, const struct model_rare *wanted)
{
    return known->labels == wanted->labels && strcmp(known->hostname, wanted->hostname) == 0 &&
           strcmp(known->hash_key, wanted->hash_key) == 0 && addr_equal(&known->alternative, &wanted->alternative);
}

static bool is_wanted_rare(const void *user, uint32_t number)
{
    const struct search *search = user;

    return is_same_rare(&search->set->rares[number], search->wanted);
}

static uint64_t hash_rare(const struct model_rare *wanted)
{
    return mix(mix(hash_text(wanted->hostname), hash_text(wanted->hash_key)),
               mix((uintptr_t) wanted->labels, addr_hash(&wanted->alternative)));
}

static uint32_t add_rare(struct model_endpoints *set, const struct model_rare *wanted, uint64_t hash)
{
    struct model_tables *tables = set->tables;
    struct model_rare *items = one_more(set->rares, &model_rare_none, set->n_rares, &tables->rares_cap, sizeof *items);

    if (!items)
        return LOOKUP_NONE;
    set->rares = items;
    items[set->n_rares] = *wanted;
    if (!lookup_add(&tables->rares, hash, (uint32_t) set->n_rares))
        return LOOKUP_NONE;
    return (uint32_t) set->n_rares++;
}

static uint32_t find_rare(const struct model_endpoints *set, const struct model_rare *wanted, uint64_t hash)
{
    struct search search = { set, wanted };

    return lookup_find(&set->tables->rares, hash, is_wanted_rare, &search);
}

uint32_t model_tables_rare(struct model_endpoints *set, const struct model_rare *wanted)
{
    uint64_t hash = hash_rare(wanted);
    uint32_t number = model_tables_need(set) ? find_rare(set, wanted, hash) : LOOKUP_NONE;

    return number != LOOKUP_NONE || !set->tables ? number : add_rare(set, wanted, hash);
}

uint32_t model_endpoints_rare(struct model_endpoints *set, const struct model_rare *wanted)
{
    struct model_rare copy = *wanted;
    uint64_t hash = hash_rare(wanted);
    uint32_t number = model_tables_need(set) ? find_rare(set, wanted, hash) : LOOKUP_NONE;

    if (number != LOOKUP_NONE || !set->tables)
        return number;
    copy.hostname = model_endpoints_text(set, wanted->hostname, strlen(wanted->hostname));
    copy.hash_key = model_endpoints_text(set, wanted->hash_key, strlen(wanted->hash_key));
    return copy.hostname && copy.hash_key ? add_rare(set, &copy, hash) : LOOKUP_NONE;
}

bool model_endpoints_name(struct model_endpoints *set, struct model_endpoint *endpoint, const char *hostname,
                          const struct addr *alternative)
{
    struct model_rare wanted = *model_endpoint_rare(set, endpoint);
    uint32_t number;

    if (hostname[0] == '\0' && alternative->family == ADDR_NONE)
        return true;
    wanted.alternative = *alternative;
    wanted.hostname = hostname;
    number = model_endpoints_rare(set, &wanted);
    if (number == LOOKUP_NONE)
        return false;
    endpoint->rare = number;
    return true;
}
