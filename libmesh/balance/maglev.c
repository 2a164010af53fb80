/* SPDX-License-Identifier: Apache-2.0 */
/* Consistent hashing by table, entry for entry as Envoy's MAGLEV (source/extensions/load_balancing_policies/maglev), after
 * Eisenbud et al.: Maglev, 2016, listing 1: each endpoint in turn takes the next free entry of a permutation of its own, and a
 * key belongs to the entry of its remainder. Slow start does not apply: a key has its endpoint. */
#include "balance/balance.h"

#include <stdlib.h>
#include <string.h>

/* ENTRIES is prime, so every step visits all of them. */
enum { ENTRIES = 65537, MOST_HASHES = 64 };
#define FREE UINT32_MAX

struct maglev {
    struct balancer balancer;
    uint32_t balance_percent;
    uint32_t *table; /* indices into the view; NULL: not prepared */
};

static struct balancer *make(const struct balance_conf *conf)
{
    struct maglev *self = mem_zalloc(sizeof *self);

    if (!self)
        return NULL;
    self->balancer.ops = &balance_maglev;
    self->balance_percent = conf->hash_balance_percent;
    return &self->balancer;
}

static void drop(struct balancer *balancer)
{
    struct maglev *self = CONTAINER_OF(balancer, struct maglev, balancer);

    mem_free(self->table);
    mem_free(self);
}

/* ---- the table ---- */

/* An endpoint while the table is filled. */
struct builder {
    const char *key;
    uint32_t at; /* index into the view */
    uint32_t next, skip;
    double weight, target; /* shares of the sum of weights, as Envoy computes them */
};

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct builder *) a)->key, ((const struct builder *) b)->key);
}

static void begin_builders(struct builder *builders, const struct balance_view *view)
{
    double sum = 0;

    for (uint32_t at = 0; at < view->n; at++) {
        const struct balance_endpoint *endpoint = view->endpoints[at];
        size_t len = strlen(endpoint->hash_key);

        builders[at] = (struct builder){
            .key = endpoint->hash_key,
            .at = at,
            .next = (uint32_t) (xxh64(endpoint->hash_key, len, 0) % ENTRIES),
            .skip = (uint32_t) (xxh64(endpoint->hash_key, len, 1) % (ENTRIES - 1)) + 1,
            .weight = atomic_load_explicit(&endpoint->weight, memory_order_relaxed),
        };
        sum += builders[at].weight;
    }
    for (size_t i = 0; i < view->n; i++)
        builders[i].weight /= sum;
    /* The order of turns decides who gets what, so all clients keep the same one. */
    qsort(builders, view->n, sizeof *builders, by_key);
}

static double heaviest(const struct builder *builders, size_t n)
{
    double most = 0;

    for (size_t i = 0; i < n; i++)
        if (builders[i].weight > most)
            most = builders[i].weight;
    return most;
}

static void take_next_free(struct builder *builder, uint32_t *table)
{
    while (table[builder->next] != FREE)
        builder->next = (builder->next + builder->skip) % ENTRIES;
    table[builder->next] = builder->at;
}

/* The heaviest endpoint takes an entry each round, others as often as their weight is a part of its weight. */
static void fill(uint32_t *table, struct builder *builders, size_t n)
{
    double most = heaviest(builders, n);
    uint32_t taken = 0;

    for (uint32_t i = 0; i < ENTRIES; i++)
        table[i] = FREE;
    for (uint32_t round = 1; taken < ENTRIES; round++) {
        for (size_t i = 0; i < n && taken < ENTRIES; i++) {
            if (round * builders[i].weight < builders[i].target)
                continue;
            builders[i].target += most;
            take_next_free(&builders[i], table);
            taken++;
        }
    }
}

static bool prepare(struct balancer *balancer, const struct balance_view *view)
{
    struct maglev *self = CONTAINER_OF(balancer, struct maglev, balancer);
    struct builder *builders = mem_array(view->n, sizeof *builders);
    uint32_t *table = mem_array(ENTRIES, sizeof *table);
    bool made = builders && table;

    if (made) {
        begin_builders(builders, view);
        fill(table, builders, view->n);
        mem_free(self->table);
        self->table = table;
    } else {
        mem_free(table);
    }
    mem_free(builders);
    return made;
}

/* ---- the choice ---- */

/* Other hashes of the key, as Envoy's retries take them, until one belongs to an endpoint that was not tried. */
static size_t pick(struct balancer *balancer, const struct balance_view *view, const struct balance_hint *hint,
                   struct rand *dice)
{
    struct maglev *self = CONTAINER_OF(balancer, struct maglev, balancer);
    size_t at;

    if (!self->table)
        return balance_view_sample(view, dice);
    at = self->table[hint->key % ENTRIES];
    for (uint64_t again = 1; again <= MOST_HASHES && balance_was_tried(hint, view->endpoints[at]); again++)
        at = self->table[(hint->key ^ (UINT64_MAX - again + 1)) % ENTRIES];
    return self->balance_percent > 0 ? balance_bounded(view, at, hint, self->balance_percent) : at;
}

const struct balance_ops balance_maglev = { "maglev", true, make, prepare, pick, drop, NULL, false };
