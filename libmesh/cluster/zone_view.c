/* SPDX-License-Identifier: Apache-2.0 */
/* Views of zones: who of them may get an attempt, and with a very large zone which part of it this client uses. */
#include <math.h>
#include <string.h>

#include "cluster/state.h"
#include "cluster/zone.h"

/* A view while it is made. */
struct draft {
    struct endpoint **members;
    struct balance_endpoint **balanced;
    size_t n;
    bool lenient;
};

static void draft_free(struct draft *draft)
{
    mem_free(draft->members);
    mem_free(draft->balanced);
}

/* ---- who may be in ---- */

/* All in panic, but for those that are to be left in peace; below half also those that were isolated for their rate alone; else
 * the usable ones. */
static bool may_be_in(const struct zone *zone, const struct endpoint *endpoint)
{
    if (endpoint->usable)
        return true;
    if (endpoint->told_health == ENDPOINT_DRAINING || endpoint->is_held)
        return false;
    return zone->panics || (2 * zone->n_usable < zone->n && endpoint_usable_but_for_rate(endpoint));
}

static void add(struct draft *draft, struct endpoint *endpoint)
{
    draft->members[draft->n] = endpoint;
    draft->balanced[draft->n++] = &endpoint->stats->balance;
    draft->lenient = draft->lenient || !endpoint->usable;
}

/* Of a very large zone only a part is used. Policies that go by a key keep all, since clients must agree on who has it.
 * False: out of memory. */
static bool keep_subset(const struct part *part, struct draft *draft)
{
    const struct cluster *cluster = part->cluster;
    bool of_all = part_is_all(part);
    size_t keep = balance_subset_size(draft->n, cluster->conf->policy.subset_size);
    uint32_t *chosen;
    bool made;

    if (keep == draft->n || cluster->by_key)
        return true;
    chosen = mem_array(keep, sizeof *chosen);
    made = chosen && balance_subset(draft->balanced, draft->n, cluster->shared->subset, keep, chosen);
    for (size_t i = 0; made && i < draft->n && of_all; i++)
        draft->members[i]->spare = true;
    for (size_t i = 0; made && i < keep; i++) {
        draft->members[i] = draft->members[chosen[i]];
        if (of_all)
            draft->members[i]->spare = false;
        draft->balanced[i] = draft->balanced[chosen[i]];
    }
    mem_free(chosen);
    draft->n = keep;
    return made;
}

bool zones_are_short(const struct part *part)
{
    LIST_EACH(link, &part->zones) {
        const struct zone *zone = CONTAINER_OF(link, struct zone, link);
        size_t wanted = balance_subset_size(zone->n, part->cluster->conf->policy.subset_size);

        if (zone->n_made < zone->n && (zone->view.n < wanted || zone->lenient))
            return true;
    }
    return false;
}

/* ---- hashing by weights of localities ---- */

/* A policy that goes by a key has one table for a priority, so that the weights of localities are folded into those of the
 * endpoints: a locality's part of the table is its weight's. 0: no part of it. */
static uint32_t folded_weight(const struct zone *zone, const struct endpoint *endpoint, const struct placing *placing)
{
    enum { SCALE = 1 << 28 };
    const struct tally *tally = &placing->tally;
    uint64_t all = zone->panics ? tally->weight : zone->is_degraded ? tally->degraded_weight : tally->usable_weight;
    double weight = endpoint->cluster->set->localities[endpoint->locality].weight;

    if (zone->locality_weights == 0 || all == 0)
        return endpoint->weight;
    if (weight == 0)
        return 0;
    return 1 +
           (uint32_t) lround(SCALE * (weight / (double) zone->locality_weights) * (endpoint->weight / (double) all));
}

/* False: it gets nothing. */
static bool weigh(const struct zone *zone, struct endpoint *endpoint, const struct placing *placings)
{
    const struct cluster *cluster = endpoint->cluster;
    bool fold = cluster->by_key && cluster->conf->policy.spill.weighted && part_is_all(zone->part);
    uint32_t weight = fold ? folded_weight(zone, endpoint, &placings[endpoint->locality]) : endpoint->weight;
    _Atomic uint32_t *now = &endpoint->stats->balance.weight;

    if (weight > 0 && part_is_all(zone->part) && atomic_load_explicit(now, memory_order_relaxed) != weight)
        atomic_store_explicit(now, weight, memory_order_relaxed);
    return weight > 0;
}

/* ---- one zone ---- */

static void replace_balancer(struct zone *zone, struct balancer *balancer)
{
    if (zone->balancer && zone->balancer != balancer)
        zone->balancer->ops->free(zone->balancer);
    zone->balancer = balancer;
    zone->outdated = false;
}

/* Takes the draft over, also on failure. */
static bool take_draft(const struct cluster *cluster, struct zone *zone, struct draft *draft)
{
    bool renew = zone->outdated || !zone->balancer;
    struct balancer *balancer = renew ? cluster_make_balancer(cluster->conf) : zone->balancer;
    struct balance_view view = { 0 };

    if (!balancer || !keep_subset(zone->part, draft) || !balance_view_build(&view, draft->balanced, draft->n) ||
        !balance_prepare(balancer, &view))
        goto fail;
    balance_view_free(&zone->view);
    zone->view = view;
    replace_balancer(zone, balancer);
    mem_free(zone->members);
    zone->members = draft->members;
    zone->lenient = draft->lenient;
    mem_free(draft->balanced);
    return true;
fail:
    if (renew && balancer)
        balancer->ops->free(balancer);
    balance_view_free(&view);
    draft_free(draft);
    return false;
}

/* ---- all ---- */

static bool panics(const struct part *part, const struct zone *zone)
{
    for (size_t i = 0; i < part->n_priorities; i++)
        if (part->priorities[i].level == zone->priority)
            return part->priorities[i].panic;
    return part->n_usable == 0;
}

static void free_drafts(struct draft *drafts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        draft_free(&drafts[i]);
    mem_free(drafts);
}

/* One a zone, in their order. NULL: out of memory. */
static struct draft *make_drafts(struct part *part)
{
    struct draft *drafts = mem_array(part->n_zones + 1, sizeof *drafts);
    bool made = drafts != NULL;
    size_t at = 0;

    LIST_EACH(link, &part->zones) {
        struct zone *zone = CONTAINER_OF(link, struct zone, link);
        struct draft *draft = made ? &drafts[at] : NULL;

        zone->at = at++;
        zone->panics = panics(part, zone);
        if (!draft)
            continue;
        draft->members = mem_array(zone->n_made + 1, sizeof(struct endpoint *));
        draft->balanced = mem_array(zone->n_made + 1, sizeof(struct balance_endpoint *));
        made = draft->members && draft->balanced;
    }
    if (made)
        return drafts;
    if (drafts)
        free_drafts(drafts, part->n_zones);
    return NULL;
}

static void fill_drafts(struct part *part, struct draft *drafts, const struct placing *placings)
{
    LIST_EACH(link, &part->cluster->endpoints) {
        struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, link);
        struct zone *zone = part_has(part, endpoint) ? placing_zone(placings, endpoint) : NULL;

        if (part_is_all(part))
            endpoint->spare = false;
        if (zone && weigh(zone, endpoint, placings) && may_be_in(zone, endpoint))
            add(&drafts[zone->at], endpoint);
    }
}

/* Where panic finds nobody else, those that are to be left in peace are better than nobody. */
static void add_the_last(struct part *part, struct draft *drafts, const struct placing *placings)
{
    LIST_EACH(link, &part->zones) {
        struct zone *zone = CONTAINER_OF(link, struct zone, link);

        zone->is_deserted = zone->panics && drafts[zone->at].n == 0 && zone->n_made > 0;
    }
    LIST_EACH(link, &part->cluster->endpoints) {
        struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, link);
        struct zone *zone = part_has(part, endpoint) ? placing_zone(placings, endpoint) : NULL;

        if (zone && zone->is_deserted)
            add(&drafts[zone->at], endpoint);
    }
}

bool zones_view(struct part *part, const struct placing *placings)
{
    struct draft *drafts = make_drafts(part);
    bool made = drafts != NULL;

    if (!made)
        return false;
    fill_drafts(part, drafts, placings);
    if (part->n_usable == 0)
        add_the_last(part, drafts, placings);
    LIST_EACH(link, &part->zones) {
        struct zone *zone = CONTAINER_OF(link, struct zone, link);

        made = take_draft(part->cluster, zone, &drafts[zone->at]) && made;
    }
    mem_free(drafts);
    return made;
}
