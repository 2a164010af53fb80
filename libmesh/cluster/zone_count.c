/* SPDX-License-Identifier: Apache-2.0 */
/* How many endpoints of each locality are usable, and which part of the requests each priority gets. */
#include <stdlib.h>
#include <string.h>

#include "cluster/state.h"
#include "cluster/zone.h"

/* ---- localities ---- */

void tally_add(struct tally *tally, const struct model_endpoint *endpoint)
{
    bool is_degraded = endpoint->health == ENDPOINT_DEGRADED, is_usable = endpoint->health == ENDPOINT_HEALTHY;

    tally->n++;
    tally->n_usable += is_usable;
    tally->n_degraded += is_degraded;
    tally->n_degraded_usable += is_degraded;
    tally->weight += endpoint->weight;
    tally->usable_weight += is_usable ? endpoint->weight : 0;
    tally->degraded_weight += is_degraded ? endpoint->weight : 0;
}

static void count_endpoint(struct tally *tally, struct endpoint *endpoint)
{
    bool is_degraded = endpoint->told_health == ENDPOINT_DEGRADED;

    endpoint->usable = endpoint_usable(endpoint);
    tally->n++;
    tally->n_degraded += is_degraded;
    tally->weight += endpoint->weight;
    if (!endpoint->usable)
        return;
    if (is_degraded) {
        tally->n_degraded_usable++;
        tally->degraded_weight += endpoint->weight;
    } else {
        tally->n_usable++;
        tally->usable_weight += endpoint->weight;
    }
}

static void count_localities(const struct part *part, struct placing *placings)
{
    const struct cluster *cluster = part->cluster;

    for (size_t i = 0; cluster->absent && i < cluster->set->n_localities; i++)
        placings[i].tally = cluster->absent[i];
    LIST_EACH(link, &cluster->endpoints) {
        struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, link);

        if (part_has(part, endpoint))
            count_endpoint(&placings[endpoint->locality].tally, endpoint);
    }
}

/* ---- priorities ---- */

static int by_level(const void *a, const void *b)
{
    const struct priority *x = a, *y = b;

    return x->level < y->level ? -1 : x->level > y->level;
}

static struct priority *find_level(struct priority *priorities, size_t n, uint32_t level)
{
    struct priority wanted = { .level = level };

    return bsearch(&wanted, priorities, n, sizeof *priorities, by_level);
}

/* The levels there are, sorted, each once. */
static size_t list_levels(const struct model_endpoints *set, const struct placing *placings, struct priority *out)
{
    size_t n = 0, kept = 0;

    for (size_t i = 0; i < set->n_localities; i++)
        if (placings[i].tally.n > 0)
            out[n++] = (struct priority){ .level = set->localities[i].priority };
    if (n > 1)
        qsort(out, n, sizeof *out, by_level);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || out[kept - 1].level != out[i].level)
            out[kept++] = out[i];
    return kept;
}

static void add_locality(struct priority *priority, const struct tally *tally, bool by_weight)
{
    priority->heads += tally->n;
    priority->heads_usable += tally->n_usable + tally->n_degraded_usable;
    priority->n += by_weight ? tally->weight : tally->n;
    priority->n_usable += by_weight ? tally->usable_weight : tally->n_usable;
    priority->n_degraded += by_weight ? tally->degraded_weight : tally->n_degraded_usable;
}

uint32_t cluster_overprovisioning(const struct cluster *cluster)
{
    uint32_t told = cluster->set->overprovisioning_percent;

    return told > 0 ? told : cluster->conf->policy.spill.overprovisioning_percent;
}

/* Of SRV records the best priority that can be reached has all (RFC 2782): one usable endpoint is enough. */
static uint32_t overprovisioning_of_priorities(const struct cluster *cluster)
{
    return strcmp(cluster->set->source, "srv") == 0 ? UINT32_MAX : cluster_overprovisioning(cluster);
}

bool zones_count(struct part *part, struct placing *placings)
{
    const struct cluster *cluster = part->cluster;
    const struct model_endpoints *set = cluster->set;
    struct priority *priorities = mem_array(set->n_localities, sizeof *priorities);
    size_t n;

    if (!priorities)
        return false;
    count_localities(part, placings);
    n = list_levels(set, placings, priorities);
    part->n_endpoints = part->n_usable = 0;
    for (size_t i = 0; i < set->n_localities; i++) {
        struct placing *placing = &placings[i];

        if (placing->tally.n == 0)
            continue;
        placing->priority = find_level(priorities, n, set->localities[i].priority);
        add_locality(placing->priority, &placing->tally, set->health_by_weight);
        part->n_endpoints += placing->tally.n;
        part->n_usable += placing->tally.n_usable + placing->tally.n_degraded_usable;
    }
    priority_share(priorities, n, overprovisioning_of_priorities(cluster), cluster->conf->policy.spill.panic_percent);
    mem_free(part->priorities);
    part->priorities = priorities;
    part->n_priorities = n;
    return true;
}
