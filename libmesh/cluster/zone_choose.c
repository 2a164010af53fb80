/* SPDX-License-Identifier: Apache-2.0 */
/* Which zone an attempt goes to: the own one, unless it is not well or has more to do than it can; then the next one. */
#include "cluster/state.h"

/* ---- spilling ---- */

static struct zone *next_of(const struct zone *zone)
{
    for (struct list *at = zone->link.next; at != &zone->part->zones; at = at->next) {
        struct zone *next = CONTAINER_OF(at, struct zone, link);

        if (next->priority == zone->priority && next->is_degraded == zone->is_degraded && next->view.n > 0)
            return next;
    }
    return NULL;
}

static void tell_spilling(const struct cluster *cluster, struct zone *zone, const struct zone *next)
{
    enum { SPILLS = SPILL_WHOLE * 95 / 100 };
    uint32_t keep = spill_keep(&zone->spill);
    bool spills = zone->told_spilling ? keep < SPILL_WHOLE : keep < SPILLS;

    if (spills == zone->told_spilling)
        return;
    zone->told_spilling = spills;
    OBSERVE(cluster->env.observe, MESH_LOG_INFO, spills ? "zone_spill_begins" : "zone_spill_ends",
            FIELD_TEXT("cluster", cluster->conf->label), FIELD_TEXT("zone", zone->name),
            FIELD_TEXT("next_zone", next ? next->name : ""),
            FIELD_NUMBER("kept_percent", (uint64_t) keep * 100 / SPILL_WHOLE),
            FIELD_NUMBER("limit_per_second", (uint64_t) zone->spill.limit));
}

static void look_at_load(const struct cluster *cluster, struct zone *zone, uint64_t now_us)
{
    const struct zone *next = next_of(zone);
    float elsewhere_us = next ? spill_mean_us(&next->spill, now_us) : 0;

    if (spill_look(&zone->spill, next != NULL, elsewhere_us, now_us))
        tell_spilling(cluster, zone, next);
}

/* 65536ths of what its endpoints could do together that the usable ones can, with overprovisioning. */
static uint64_t well_part(const struct cluster *cluster, const struct zone *zone)
{
    uint64_t part = zone->n_around > 0 ? (uint64_t) zone->n_usable * SPILL_WHOLE / zone->n_around : 0;

    part = cluster_overprovisioning(cluster) * part / 100;
    return part < SPILL_WHOLE ? part : SPILL_WHOLE;
}

/* 65536ths that stay in the zone: by those who are well, and by load. */
static uint64_t kept(const struct cluster *cluster, const struct zone *zone)
{
    const struct policy_spill *spill = &cluster->conf->policy.spill;
    uint64_t keep = well_part(cluster, zone);

    if (keep > SPILL_WHOLE || zone->lenient)
        keep = SPILL_WHOLE;
    return spill->load ? keep * spill_keep(&zone->spill) / SPILL_WHOLE : keep;
}

uint32_t zone_kept_percent(const struct cluster *cluster, const struct zone *zone)
{
    return (uint32_t) ((kept(cluster, zone) * 100 + SPILL_WHOLE / 2) / SPILL_WHOLE);
}

/* ---- choosing ---- */

/* Those of a part are known by its view alone, which has few. */
static bool zone_has(const struct zone *zone, const struct endpoint *endpoint)
{
    if (part_is_all(zone->part))
        return endpoint->home == zone;
    for (size_t i = 0; i < zone->view.n; i++)
        if (zone->members[i] == endpoint)
            return true;
    return false;
}

static bool all_tried(const struct zone *zone, const struct cluster_hint *hint)
{
    size_t n = 0;

    for (size_t i = 0; i < hint->n_tried; i++)
        n += zone_has(zone, hint->tried[i]);
    return n >= zone->view.n;
}

static enum zone_pass ask(struct cluster *cluster, struct zone *zone, const struct cluster_hint *hint, uint64_t now_us)
{
    if (hint->n_tried > 0 && spill_mostly_fails(&zone->spill))
        return ZONE_FAILS;
    if (hint->n_tried > 0 && all_tried(zone, hint))
        return ZONE_ALL_TRIED;
    if (hint->beside && zone_has(zone, hint->beside))
        return ZONE_BESIDE;
    spill_wanted(&zone->spill);
    look_at_load(cluster, zone, now_us);
    return rand_below(loop_rand(cluster->env.loop), SPILL_WHOLE) < kept(cluster, zone) ? ZONE_TOOK_IT : ZONE_KEEPS_LESS;
}

static void note_pass(const struct cluster *cluster, const struct zone *zone, enum zone_pass pass,
                      struct cluster_choice *choice)
{
    if (!choice || choice->passed_by)
        return;
    choice->passed_by = zone->name;
    choice->facts.pass = pass;
    choice->facts.kept_percent = (uint8_t) zone_kept_percent(cluster, zone);
}

static bool is_asked(const struct zone *zone, const struct priority *priority, bool degraded)
{
    return zone->priority == priority->level && zone->is_degraded == degraded && zone->view.n > 0;
}

/* The first zone of the priority that takes it. When all pass it on, it is the nearest one's: no ping-pong when everything is full. */
static struct zone *choose_by_distance(struct part *part, const struct priority *priority, bool degraded,
                                       const struct cluster_hint *hint, uint64_t now_us)
{
    struct zone *nearest = NULL;

    LIST_EACH(link, &part->zones) {
        struct zone *zone = CONTAINER_OF(link, struct zone, link);
        enum zone_pass pass;

        if (!is_asked(zone, priority, degraded))
            continue;
        pass = ask(part->cluster, zone, hint, now_us);
        if (pass == ZONE_TOOK_IT)
            return zone;
        note_pass(part->cluster, zone, pass, hint->choice);
        if (!nearest)
            nearest = zone;
    }
    if (hint->choice)
        hint->choice->facts.came_back = nearest != NULL;
    return nearest;
}

/* ---- weighted localities ---- */

/* Envoy's: its weight, less when not all of it are usable. In panic every endpoint is as good as another. */
static uint64_t effective_weight(const struct cluster *cluster, const struct zone *zone)
{
    if (zone->panics)
        return (uint64_t) zone->view.n * SPILL_WHOLE;
    return zone->weight * well_part(cluster, zone);
}

static bool is_used_up(const struct zone *zone, const struct cluster_hint *hint)
{
    return (hint->n_tried > 0 && all_tried(zone, hint)) || (hint->beside && zone_has(zone, hint->beside));
}

/* One at random by weight; `spare_used`: none whose endpoints were all tried. NULL: there is none with a weight. */
static struct zone *draw_by_weight(struct part *part, const struct priority *priority, bool degraded,
                                   const struct cluster_hint *hint, bool spare_used)
{
    struct zone *drawn = NULL;
    uint64_t sum = 0;

    LIST_EACH(link, &part->zones) {
        struct zone *zone = CONTAINER_OF(link, struct zone, link);
        uint64_t weight;

        if (!is_asked(zone, priority, degraded) || (spare_used && is_used_up(zone, hint)))
            continue;
        weight = effective_weight(part->cluster, zone);
        sum += weight;
        if (weight > 0 && rand_below(loop_rand(part->cluster->env.loop), sum) < weight)
            drawn = zone;
    }
    return drawn;
}

static struct zone *choose_of_priority(struct part *part, const struct priority *priority, bool degraded,
                                       const struct cluster_hint *hint, uint64_t now_us)
{
    struct zone *zone = NULL;

    if (part->cluster->conf->policy.spill.weighted && part_is_all(part)) {
        zone = draw_by_weight(part, priority, degraded, hint, true);
        if (!zone)
            zone = draw_by_weight(part, priority, degraded, hint, false);
    }
    if (zone)
        spill_wanted(&zone->spill);
    return zone ? zone : choose_by_distance(part, priority, degraded, hint, now_us);
}

uint32_t zone_weight_percent(const struct cluster *cluster, const struct zone *zone)
{
    uint64_t sum = 0, own = zone->view.n > 0 ? effective_weight(cluster, zone) : 0;

    LIST_EACH(link, &zone->part->zones) {
        const struct zone *other = CONTAINER_OF(link, struct zone, link);

        if (other->priority == zone->priority && other->is_degraded == zone->is_degraded && other->view.n > 0)
            sum += effective_weight(cluster, other);
    }
    return sum > 0 ? (uint32_t) ((double) own * 100 / (double) sum + 0.5) : 0;
}

/* ---- all of it ---- */

static struct zone *anybody(const struct part *part)
{
    LIST_EACH(link, &part->zones) {
        struct zone *zone = CONTAINER_OF(link, struct zone, link);

        if (zone->view.n > 0)
            return zone;
    }
    return NULL;
}

struct zone *zone_choose(struct part *part, const struct cluster_hint *hint, uint64_t now_us)
{
    const struct priority *priority;
    struct zone *zone;
    bool degraded;

    if (part->n_zones <= 1)
        return anybody(part);
    priority = &part->priorities[priority_pick(part->priorities, part->n_priorities, loop_rand(part->cluster->env.loop),
                                               &degraded)];
    if (hint->choice)
        hint->choice->facts.priority_percent = (uint8_t) (degraded ? priority->degraded_load : priority->load);
    zone = choose_of_priority(part, priority, degraded, hint, now_us);
    return zone ? zone : anybody(part);
}

/* ---- connections ahead of need ---- */

static void warm(struct zone *zone)
{
    struct endpoint *endpoint = zone->view.n > 0 ? zone->members[0] : NULL;

    if (!endpoint || endpoint_open_pool(endpoint, NULL) != 0)
        return;
    zone->was_warmed = true;
    if (pool_state(endpoint->pool).health == POOL_IDLE)
        pool_warm(endpoint->pool);
}

void zones_warm(struct part *part)
{
    bool next_is_warm = false;

    LIST_EACH(link, &part->zones) {
        struct zone *zone = CONTAINER_OF(link, struct zone, link);
        bool is_far = zone->link.prev != &part->zones;

        if (!is_far)
            continue;
        if (!next_is_warm || (zone->distance_us == UINT64_MAX && !zone->was_warmed))
            warm(zone);
        next_is_warm = true;
    }
}
