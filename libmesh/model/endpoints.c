/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of endpoints: counted, immutable once published. */
#include "model/endpoints.h"

#include <stdatomic.h>
#include <string.h>

#include "model/model.h"
#include "model/tables.h"

enum { FIRST_ROOM = 16 };

_Static_assert(sizeof(struct model_endpoint) == 40, "a million endpoints pay for every byte");

const char *model_health_name(enum model_health health)
{
    static const char *const names[] = { "healthy", "degraded", "draining", "unhealthy", "timeout" };

    return names[health];
}

struct model_endpoints *model_endpoints_new(enum model_endpoints_state state, const char *source, size_t n)
{
    struct model_endpoints *set = mem_zalloc(sizeof *set);

    if (!set)
        return NULL;
    *set = (struct model_endpoints){
        .refs = 1,
        .state = state,
        .source = source,
        .n = n,
        .n_localities = 1,
        .localities = &model_locality_none,
        .n_rares = 1,
        .rares = &model_rare_none,
    };
    if (n == 0)
        return set;
    set->endpoints = mem_array(n, sizeof *set->endpoints);
    if (!set->endpoints) {
        mem_free(set);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        set->endpoints[i].weight = 1;
    return set;
}

static bool grow(struct model_endpoints *set, struct model_tables *tables)
{
    size_t cap = set->n < FIRST_ROOM ? FIRST_ROOM : 2 * set->n;
    struct model_endpoint *grown = mem_realloc(set->endpoints, cap * sizeof *grown);

    if (!grown)
        return false;
    set->endpoints = grown;
    tables->endpoints_cap = cap;
    return true;
}

struct model_endpoint *model_endpoints_add(struct model_endpoints *set)
{
    struct model_tables *tables = model_tables_need(set);

    if (!tables || (set->n >= tables->endpoints_cap && !grow(set, tables)))
        return NULL;
    set->endpoints[set->n] = (struct model_endpoint){ .weight = 1 };
    return &set->endpoints[set->n++];
}

/* Where the shorter copy cannot be had, the longer one stays. */
void model_endpoints_finish(struct model_endpoints *set)
{
    struct model_tables *tables = set->tables;
    struct model_endpoint *shorter;

    if (!tables)
        return;
    lookup_free(&tables->places);
    lookup_free(&tables->rares);
    if (set->n == 0 || tables->endpoints_cap <= set->n)
        return;
    shorter = mem_realloc(set->endpoints, set->n * sizeof *shorter);
    if (!shorter)
        return;
    set->endpoints = shorter;
    tables->endpoints_cap = set->n;
}

struct model_endpoints *model_endpoints_ref(struct model_endpoints *set)
{
    if (set)
        atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    return set;
}

void model_endpoints_unref(struct model_endpoints *set)
{
    if (!set || atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < set->n_origins; i++)
        model_cluster_unref(set->origins[i]);
    mem_free(set->origins);
    model_tables_free(set);
    mem_free(set->endpoints);
    mem_free(set);
}

/* ---- comparing ---- */

static bool locality_equal(const struct model_locality *a, const struct model_locality *b)
{
    return a->priority == b->priority && a->weight == b->weight && strcmp(a->region, b->region) == 0 &&
           strcmp(a->zone, b->zone) == 0 && strcmp(a->sub_zone, b->sub_zone) == 0;
}

static bool labels_equal(const struct model_labels *a, const struct model_labels *b)
{
    if (a == b)
        return true;
    if (!a || !b || a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->items[i].key, b->items[i].key) != 0 || strcmp(a->items[i].value, b->items[i].value) != 0)
            return false;
    return true;
}

static bool rare_equal(const struct model_rare *a, const struct model_rare *b)
{
    return addr_equal(&a->alternative, &b->alternative) && strcmp(a->hostname, b->hostname) == 0 &&
           strcmp(a->hash_key, b->hash_key) == 0 && labels_equal(a->labels, b->labels);
}

/* What they point to may stand elsewhere in the tables. */
static bool endpoint_equal(const struct model_endpoints *a, const struct model_endpoints *b, size_t i)
{
    const struct model_endpoint *x = &a->endpoints[i], *y = &b->endpoints[i];

    return addr_equal(&x->addr, &y->addr) && x->weight == y->weight && x->origin == y->origin &&
           x->health == y->health && x->unchecked == y->unchecked && x->is_held == y->is_held &&
           locality_equal(model_endpoint_locality(a, x), model_endpoint_locality(b, y)) &&
           ((x->rare == 0 && y->rare == 0) || rare_equal(model_endpoint_rare(a, x), model_endpoint_rare(b, y)));
}

static bool drops_equal(const struct model_endpoints *a, const struct model_endpoints *b)
{
    if (a->n_drops != b->n_drops)
        return false;
    for (size_t i = 0; i < a->n_drops; i++)
        if (a->drops[i].per_million != b->drops[i].per_million || a->drops[i].origin != b->drops[i].origin ||
            strcmp(a->drops[i].category, b->drops[i].category) != 0)
            return false;
    return true;
}

static bool origins_equal(const struct model_endpoints *a, const struct model_endpoints *b)
{
    if (a->n_origins != b->n_origins)
        return false;
    for (size_t i = 0; i < a->n_origins; i++)
        if (a->origins[i] != b->origins[i])
            return false;
    return true;
}

static bool rules_equal(const struct model_endpoints *a, const struct model_endpoints *b)
{
    return a->state == b->state && strcmp(a->source, b->source) == 0 && a->fault.code == b->fault.code &&
           strcmp(a->fault.text, b->fault.text) == 0 && a->overprovisioning_percent == b->overprovisioning_percent &&
           a->health_by_weight == b->health_by_weight && a->stale_after_us == b->stale_after_us && drops_equal(a, b) &&
           origins_equal(a, b);
}

bool model_endpoints_equal(const struct model_endpoints *a, const struct model_endpoints *b)
{
    if (a == b)
        return true;
    if (a->n != b->n || !rules_equal(a, b))
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!endpoint_equal(a, b, i))
            return false;
    return true;
}
