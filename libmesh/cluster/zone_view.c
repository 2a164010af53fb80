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
static bool keep_subset(const struct cluster *cluster, struct draft *draft)
{
    size_t keep = balance_subset_size(draft->n, cluster->conf->policy.subset_size);
    uint32_t *chosen;
    bool made;

    if (keep == draft->n || cluster->by_key)
        return true;
    chosen = mem_array(keep, sizeof *chosen);
    made = chosen && balance_subset(draft->balanced, draft->n, cluster->shared->subset, keep, chosen);
    for (size_t i = 0; made && i < draft->n; i++)
        draft->members[i]->spare = true;
    for (size_t i = 0; made && i < keep; i++) {
        draft->members[i] = draft->members[chosen[i]];
        draft->members[i]->spare = false;
        draft->balanced[i] = draft->balanced[chosen[i]];
    }
    mem_free(chosen);
    draft->n = keep;
    return made;
}

bool zones_are_short(const struct cluster *cluster)
{
    LIST_EACH(link, &cluster->zones) {
        const struct zone *zone = CONTAINER_OF(link, struct zone, link);
        size_t wanted = balance_subset_size(zone->n, cluster->conf->policy.subset_size);

        if (zone->n_made < zone->n && (zone->view.n < wanted || zone->lenient))
            return true;
    }
    return false;
}

/* ---- hashing by weights of localities ---- */

/* A policy that goes by a key has one table for a priority, so that the weights of localities are folded into those of the
 * endpoints: a locality's part of the table is its weight's. 0: no part of it. */
static uint32_t folded_weight(const struct cluster *cluster, const struct endpoint *endpoint,
                              const struct placing *placing)
{
    enum { SCALE = 1 << 28 };
    const struct zone *zone = endpoint->home;
    const struct tally *tally = &placing->tally;
    uint64_t all = zone->panics ? tally->weight : zone->is_degraded ? tally->degraded_weight : tally->usable_weight;
    double weight = cluster->set->localities[endpoint->locality].weight;

    if (zone->locality_weights == 0 || all == 0)
        return endpoint->weight;
    if (weight == 0)
        return 0;
    return 1 +
           (uint32_t) lround(SCALE * (weight / (double) zone->locality_weights) * (endpoint->weight / (double) all));
}

/* False: it gets nothing. */
static bool weigh(const struct cluster *cluster, struct endpoint *endpoint, const struct placing *placings)
{
    bool fold = cluster->by_key && cluster->conf->policy.spill.weighted;
    uint32_t weight = fold ? folded_weight(cluster, endpoint, &placings[endpoint->locality]) : endpoint->weight;
    _Atomic uint32_t *now = &endpoint->stats->balance.weight;

    if (weight > 0 && atomic_load_explicit(now, memory_order_relaxed) != weight)
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

    if (!balancer || !keep_subset(cluster, draft) || !balance_view_build(&view, draft->balanced, draft->n) ||
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

static bool panics(const struct cluster *cluster, const struct zone *zone)
{
    for (size_t i = 0; i < cluster->n_priorities; i++)
        if (cluster->priorities[i].level == zone->priority)
            return cluster->priorities[i].panic;
    return cluster->n_usable == 0;
}

static void free_drafts(struct draft *drafts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        draft_free(&drafts[i]);
    mem_free(drafts);
}

/* One a zone, in their order. NULL: out of memory. */
static struct draft *make_drafts(struct cluster *cluster)
{
    struct draft *drafts = mem_array(cluster->n_zones + 1, sizeof *drafts);
    bool made = drafts != NULL;
    size_t at = 0;

    LIST_EACH(link, &cluster->zones) {
        struct zone *zone = CONTAINER_OF(link, struct zone, link);
        struct draft *draft = made ? &drafts[at] : NULL;

        zone->at = at++;
        zone->panics = panics(cluster, zone);
        if (!draft)
            continue;
        draft->members = mem_array(zone->n_made + 1, sizeof(struct endpoint *));
        draft->balanced = mem_array(zone->n_made + 1, sizeof(struct balance_endpoint *));
        made = draft->members && draft->balanced;
    }
    if (made)
        return drafts;
    if (drafts)
        free_drafts(drafts, cluster->n_zones);
    return NULL;
}

static void fill_drafts(struct cluster *cluster, struct draft *drafts, const struct placing *placings)
{
    LIST_EACH(link, &cluster->endpoints) {
        struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, link);

        endpoint->spare = false;
        if (weigh(cluster, endpoint, placings) && may_be_in(endpoint->home, endpoint))
            add(&drafts[endpoint->home->at], endpoint);
    }
}

/* Where panic finds nobody else, those that are to be left in peace are better than nobody. */
static void add_the_last(struct cluster *cluster, struct draft *drafts)
{
    LIST_EACH(link, &cluster->zones) {
        struct zone *zone = CONTAINER_OF(link, struct zone, link);

        zone->is_deserted = zone->panics && drafts[zone->at].n == 0 && zone->n_made > 0;
    }
    LIST_EACH(link, &cluster->endpoints) {
        struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, link);

        if (endpoint->home->is_deserted)
            add(&drafts[endpoint->home->at], endpoint);
    }
}

bool zones_view(struct cluster *cluster, const struct placing *placings)
{
    struct draft *drafts = make_drafts(cluster);
    bool made = drafts != NULL;

    if (!made)
        return false;
    fill_drafts(cluster, drafts, placings);
    if (cluster->n_usable == 0)
        add_the_last(cluster, drafts);
    LIST_EACH(link, &cluster->zones) {
        struct zone *zone = CONTAINER_OF(link, struct zone, link);

        made = take_draft(cluster, zone, &drafts[zone->at]) && made;
    }
    mem_free(drafts);
    return made;
}
