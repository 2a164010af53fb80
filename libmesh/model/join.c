/* SPDX-License-Identifier: Apache-2.0 */
/* Sets made of sets: their priorities one after the other, texts shared. */
#include <string.h>

#include "model/model.h"
#include "model/tables.h"

/* The part lives as long as the set, which points into its texts. */
static bool keep_part(struct model_endpoints *set, struct model_endpoints *part)
{
    struct model_tables *tables = model_tables_need(set);
    struct model_endpoints **parts;

    if (!tables)
        return false;
    parts = mem_realloc(tables->parts, (tables->n_parts + 1) * sizeof *parts);
    if (!parts)
        return false;
    tables->parts = parts;
    parts[tables->n_parts++] = model_endpoints_ref(part);
    return true;
}

static bool add_origin(struct model_endpoints *set, struct model_cluster *origin)
{
    struct model_cluster **origins = mem_realloc(set->origins, (set->n_origins + 1) * sizeof *origins);

    if (!origins)
        return false;
    set->origins = origins;
    origins[set->n_origins++] = model_cluster_ref(origin);
    return true;
}

/* Numbers of a part's tables in the set: LOOKUP_NONE where nobody has asked yet. */
struct joining {
    struct model_endpoints *set;
    const struct model_endpoints *part;
    uint32_t *localities, *rares;
    uint32_t rank; /* the priorities of the part begin here */
    uint16_t origin;
};

static uint32_t locality_of(struct joining *joining, const struct model_endpoint *endpoint)
{
    uint32_t *known = &joining->localities[endpoint->locality];
    struct model_locality wanted;

    if (*known != LOOKUP_NONE)
        return *known;
    wanted = joining->part->localities[endpoint->locality];
    wanted.priority += joining->rank;
    return *known = model_tables_locality(joining->set, &wanted);
}

static uint32_t rare_of(struct joining *joining, const struct model_endpoint *endpoint)
{
    uint32_t *known = &joining->rares[endpoint->rare];

    if (endpoint->rare == 0)
        return 0;
    if (*known == LOOKUP_NONE)
        *known = model_tables_rare(joining->set, &joining->part->rares[endpoint->rare]);
    return *known;
}

static bool copy_endpoint(struct joining *joining, const struct model_endpoint *from)
{
    struct model_endpoint *to = model_endpoints_add(joining->set);

    if (!to)
        return false;
    *to = *from;
    to->locality = locality_of(joining, from);
    to->rare = rare_of(joining, from);
    to->origin = joining->origin ? joining->origin : from->origin;
    return to->locality != LOOKUP_NONE && to->rare != LOOKUP_NONE;
}

static bool begin(struct joining *joining)
{
    size_t places = joining->part->n_localities, rares = joining->part->n_rares;

    joining->localities = mem_array(places, sizeof *joining->localities);
    joining->rares = mem_array(rares, sizeof *joining->rares);
    if (!joining->localities || !joining->rares)
        return false;
    memset(joining->localities, 0xff, places * sizeof *joining->localities);
    memset(joining->rares, 0xff, rares * sizeof *joining->rares);
    return true;
}

static void end(struct joining *joining)
{
    mem_free(joining->localities);
    mem_free(joining->rares);
}

static uint32_t ranks_of(const struct model_endpoints *part)
{
    uint32_t ranks = 0;

    for (size_t i = 0; i < part->n; i++) {
        uint32_t priority = model_endpoint_locality(part, &part->endpoints[i])->priority;

        if (priority + 1 > ranks)
            ranks = priority + 1;
    }
    return ranks;
}

static bool add_drops(struct model_endpoints *set, const struct model_endpoints *part, uint16_t origin)
{
    size_t n = set->n_drops + part->n_drops;
    struct model_drop *drops;

    if (part->n_drops == 0)
        return true;
    drops = model_endpoints_alloc(set, n * sizeof *drops);
    if (!drops)
        return false;
    for (size_t i = 0; i < n; i++) {
        drops[i] = i < set->n_drops ? set->drops[i] : part->drops[i - set->n_drops];
        if (i >= set->n_drops)
            drops[i].origin = origin;
    }
    set->drops = drops;
    set->n_drops = n;
    return true;
}

static bool add_member(struct model_endpoints *set, const struct model_entry *member, uint32_t *rank)
{
    struct model_endpoints *part = member->endpoints;
    struct joining joining = { .set = set, .part = part, .rank = *rank, .origin = (uint16_t) (set->n_origins + 1) };
    bool done = add_origin(set, member->cluster) && keep_part(set, part) && begin(&joining) &&
                add_drops(set, part, joining.origin);

    for (size_t i = 0; done && i < part->n; i++)
        done = copy_endpoint(&joining, &part->endpoints[i]);
    *rank += ranks_of(part);
    end(&joining);
    return done;
}

/* What all members say of themselves holds for the set where only one can: the first that is ready. */
static struct model_endpoints *begin_set(const struct model_entry *members, size_t n)
{
    const struct model_endpoints *first = NULL;
    struct model_endpoints *set;

    for (size_t i = 0; i < n && !first; i++)
        if (members[i].endpoints->state == ENDPOINTS_READY)
            first = members[i].endpoints;
    if (!first && n > 0)
        first = members[0].endpoints;
    set = model_endpoints_new(first ? first->state : ENDPOINTS_READY, first ? first->source : "eds", 0);
    if (!set || !first)
        return set;
    set->fault = first->fault;
    set->overprovisioning_percent = first->overprovisioning_percent;
    set->health_by_weight = first->health_by_weight;
    return set;
}

struct model_endpoints *model_endpoints_join(const struct model_entry *members, size_t n)
{
    struct model_endpoints *set = begin_set(members, n);
    uint32_t rank = 0;
    bool done = set != NULL && n < UINT16_MAX;

    for (size_t i = 0; done && i < n; i++)
        if (members[i].endpoints->state == ENDPOINTS_READY)
            done = add_member(set, &members[i], &rank);
    if (!done) {
        model_endpoints_unref(set);
        return NULL;
    }
    model_endpoints_finish(set);
    return set;
}

/* ---- what was there before ---- */

struct search {
    const struct model_endpoints *set;
    const struct addr *addr;
};

static bool is_address(const void *user, uint32_t number)
{
    const struct search *search = user;

    return addr_equal(&search->set->endpoints[number].addr, search->addr);
}

static bool has(const struct model_endpoints *set, const struct lookup *addresses, const struct addr *addr)
{
    struct search search = { set, addr };

    return lookup_find(addresses, addr_hash(addr), is_address, &search) != LOOKUP_NONE;
}

static bool gather(const struct model_endpoints *set, struct lookup *out)
{
    for (size_t i = 0; i < set->n; i++)
        if (!lookup_add(out, addr_hash(&set->endpoints[i].addr), (uint32_t) i))
            return false;
    return true;
}

static bool add_others(struct model_endpoints *set, struct model_endpoints *before, const struct model_endpoints *now,
                       const struct lookup *known)
{
    uint32_t last = ranks_of(set);
    struct joining joining = { .set = set, .part = before };
    bool done = keep_part(set, before) && begin(&joining);

    for (size_t i = 0; done && i < before->n; i++) {
        const struct model_endpoint *endpoint = &before->endpoints[i];

        if (has(now, known, &endpoint->addr))
            continue;
        joining.rank =
            last - model_endpoint_locality(before, endpoint)->priority; /* wraps back: all have the last rank */
        done = copy_endpoint(&joining, endpoint);
        if (done)
            set->endpoints[set->n - 1].is_held = true;
    }
    end(&joining);
    return done;
}

static bool take_over(struct model_endpoints *set, struct model_endpoints *now)
{
    struct joining joining = { .set = set, .part = now };
    bool done = keep_part(set, now) && begin(&joining) && add_drops(set, now, 0);

    for (size_t i = 0; i < now->n_origins; i++)
        done = done && add_origin(set, now->origins[i]);
    for (size_t i = 0; done && i < now->n; i++)
        done = copy_endpoint(&joining, &now->endpoints[i]);
    end(&joining);
    return done;
}

struct model_endpoints *model_endpoints_hold(struct model_endpoints *now, struct model_endpoints *before)
{
    struct model_entry entry = { NULL, now };
    struct model_endpoints *set = begin_set(&entry, 1);
    struct lookup known = { 0 };
    bool done = set && gather(now, &known) && take_over(set, now) && add_others(set, before, now, &known);

    lookup_free(&known);
    if (!done) {
        model_endpoints_unref(set);
        return NULL;
    }
    model_endpoints_finish(set);
    return set;
}
