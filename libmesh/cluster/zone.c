/* SPDX-License-Identifier: Apache-2.0 */
/* The zones of a cluster: who is in which, and how far they are. */
#include "cluster/zone.h"

#include <string.h>

#include "cluster/state.h"

/* ---- one zone ---- */

static void zone_free(struct zone *zone)
{
    map_remove(&zone->part->zone_map, zone->key, zone->key_len);
    list_remove(&zone->link);
    balance_view_free(&zone->view);
    mem_free(zone->members);
    if (zone->balancer)
        zone->balancer->ops->free(zone->balancer);
    mem_free(zone);
}

void zones_free(struct part *part)
{
    LIST_EACH_SAFE(link, next, &part->zones) {
        zone_free(CONTAINER_OF(link, struct zone, link));
    }
    map_free(&part->zone_map);
    mem_free(part->priorities);
}

/* The number behind "NAME=" in a list such as "b=500,c=12000". */
static uint64_t distance_by_conf(const char *list, const char *name)
{
    size_t len = strlen(name), word;
    uint64_t us;

    for (const char *at = list; at && *at; at += word + (at[word] == ',')) {
        word = strcspn(at, ",");
        if (word > len + 1 && at[len] == '=' && memcmp(at, name, len) == 0 &&
            text_to_u64(at + len + 1, word - len - 1, &us))
            return us;
    }
    return UINT64_MAX;
}

void zones_outdate(struct part *part)
{
    LIST_EACH(link, &part->zones) {
        struct zone *zone = CONTAINER_OF(link, struct zone, link);

        zone->outdated = true;
        zone->distance_us = UINT64_MAX;
    }
}

/* ---- what tells them apart ---- */

bool zone_is_own(const struct cluster *cluster, const struct model_locality *place)
{
    const char *own = cluster->conf->policy.spill.zone;

    return own && strcmp(own, place->label) == 0;
}

/* A zone that nobody is in is more likely a wrong name than a place far from everything. */
bool zones_matter(const struct cluster *cluster, bool has_own)
{
    const struct policy_spill *spill = &cluster->conf->policy.spill;

    return spill->zones && !cluster->by_key && (spill->distances || has_own);
}

/* Envoy's subsets have no weights of localities. */
static bool are_weighted(const struct part *part)
{
    return part->cluster->conf->policy.spill.weighted && !part->cluster->by_key && part_is_all(part);
}

static bool add_name(struct buf *out, const char *name)
{
    return buf_append(out, name, strlen(name) + 1);
}

bool zone_key(const struct part *part, const struct model_locality *place, bool matter, bool is_degraded,
              struct buf *key)
{
    bool made =
        buf_append(key, &place->priority, sizeof place->priority) && buf_append(key, is_degraded ? "d" : "h", 1);

    if (are_weighted(part))
        return made && add_name(key, place->region) && add_name(key, place->zone) && add_name(key, place->sub_zone);
    return made && (!matter || add_name(key, place->label));
}

/* "eu/eu-1/rack-7" */
static void write_place(const struct model_locality *place, char *out)
{
    const char *names[] = { place->region, place->zone, place->sub_zone };
    char *at = out;

    *at = '\0';
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        size_t len = strlen(names[i]);

        if (len == 0)
            continue;
        if (at != out)
            *at++ = '/';
        memcpy(at, names[i], len + 1);
        at += len;
    }
}

static size_t name_room(const struct model_locality *place)
{
    return strlen(place->region) + strlen(place->zone) + strlen(place->sub_zone) + strlen(place->label) + 3;
}

static struct zone *zone_new(struct part *part, const struct model_locality *place, bool matter, const struct buf *key)
{
    size_t len = buf_len(key);
    struct zone *zone = mem_zalloc(sizeof *zone + len + name_room(place));
    char *name;

    if (!zone)
        return NULL;
    memcpy(zone->key, buf_bytes(key), len);
    zone->key_len = len;
    name = zone->key + len;
    if (are_weighted(part))
        write_place(place, name);
    else
        memcpy(name, matter ? place->label : "", matter ? strlen(place->label) + 1 : 1);
    zone->part = part;
    zone->name = name;
    zone->priority = place->priority;
    zone->distance_us = UINT64_MAX;
    zone->order = xxh64(name, strlen(name) + 1, part->cluster->shared->subset);
    if (!map_put(&part->zone_map, zone->key, len, zone)) {
        mem_free(zone);
        return NULL;
    }
    list_push_back(&part->zones, &zone->link);
    return zone;
}

/* Configured distances count whatever was measured. */
static void look_where_it_is(struct zone *zone, const struct model_locality *place)
{
    const struct cluster *cluster = zone->part->cluster;
    const struct policy_spill *spill = &cluster->conf->policy.spill;
    uint64_t configured = distance_by_conf(spill->distances, place->label);

    zone->is_own = zone->name[0] && zone_is_own(cluster, place);
    zone->weight = are_weighted(zone->part) ? place->weight : 0;
    if (configured != UINT64_MAX)
        zone->distance_us = configured;
}

static struct zone *zone_of(struct part *part, const struct model_locality *place, bool matter, bool is_degraded)
{
    struct buf key = { 0 };
    uint8_t room[256];
    struct zone *zone = NULL;

    buf_lend(&key, room, sizeof room);
    if (zone_key(part, place, matter, is_degraded, &key))
        zone = map_get(&part->zone_map, (const char *) buf_bytes(&key), buf_len(&key));
    if (!zone && buf_len(&key) > 0)
        zone = zone_new(part, place, matter, &key);
    if (zone) {
        zone->is_degraded = is_degraded;
        look_where_it_is(zone, place);
    }
    buf_free(&key);
    return zone;
}

/* ---- who is in which ---- */

static void add_locality(struct zone *zone, const struct model_locality *place, size_t n, size_t n_usable,
                         size_t n_around, bool panic)
{
    zone->n += n;
    zone->n_usable += n_usable;
    zone->n_around += n_around;
    if (panic || n_usable > 0)
        zone->locality_weights += place->weight;
}

static bool find_zones(struct part *part, struct placing *placing, const struct model_locality *place, bool matter)
{
    const struct tally *tally = &placing->tally;
    bool panic = placing->priority->panic, apart = tally->n_degraded > 0 && !panic;
    size_t n = tally->n - (apart ? tally->n_degraded : 0);

    if (n > 0)
        placing->zone = zone_of(part, place, matter, false);
    if (apart)
        placing->degraded = zone_of(part, place, matter, true);
    if ((n > 0 && !placing->zone) || (apart && !placing->degraded))
        return false;
    if (n > 0)
        add_locality(placing->zone, place, n, tally->n_usable + (apart ? 0 : tally->n_degraded_usable), tally->n,
                     panic);
    if (apart)
        add_locality(placing->degraded, place, tally->n_degraded, tally->n_degraded_usable, tally->n, panic);
    return true;
}

static void empty_zones(struct part *part)
{
    LIST_EACH(link, &part->zones) {
        struct zone *zone = CONTAINER_OF(link, struct zone, link);

        zone->n = zone->n_usable = zone->n_around = zone->n_made = 0;
        zone->locality_weights = 0;
    }
}

static bool assign_localities(struct part *part, struct placing *placings)
{
    const struct cluster *cluster = part->cluster;
    const struct model_endpoints *set = cluster->set;
    bool has_own = false, matter;

    for (size_t i = 0; i < set->n_localities; i++)
        has_own = has_own || (placings[i].tally.n > 0 && zone_is_own(cluster, &set->localities[i]));
    matter = zones_matter(cluster, has_own);
    for (size_t i = 0; i < set->n_localities; i++)
        if (placings[i].tally.n > 0 && !find_zones(part, &placings[i], &set->localities[i], matter))
            return false;
    return true;
}

static uint64_t connect_us(const struct endpoint *endpoint)
{
    uint64_t us = endpoint->pool ? pool_state(endpoint->pool).connect_us : 0;

    return us > 0 ? us : UINT64_MAX;
}

struct zone *placing_zone(const struct placing *placings, const struct endpoint *endpoint)
{
    const struct placing *placing = &placings[endpoint->locality];
    bool apart = endpoint->told_health == ENDPOINT_DEGRADED && placing->degraded;

    return apart ? placing->degraded : placing->zone;
}

static void assign_endpoints(struct part *part, const struct placing *placings)
{
    const char *distances = part->cluster->conf->policy.spill.distances;

    LIST_EACH(link, &part->cluster->endpoints) {
        struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, link);
        struct zone *zone = part_has(part, endpoint) ? placing_zone(placings, endpoint) : NULL;
        uint64_t distance = zone ? connect_us(endpoint) : UINT64_MAX;

        if (part_is_all(part))
            endpoint->home = zone;
        if (zone)
            zone->n_made++;
        if (zone && distance < zone->distance_us && distance_by_conf(distances, endpoint->zone) == UINT64_MAX)
            zone->distance_us = distance;
    }
}

/* Zones that nobody is in any more go. */
static void drop_empty_ones(struct part *part)
{
    part->n_zones = 0;
    LIST_EACH_SAFE(link, next, &part->zones) {
        struct zone *zone = CONTAINER_OF(link, struct zone, link);

        if (zone->n == 0)
            zone_free(zone);
        else
            part->n_zones++;
    }
}

/* ---- how far they are ---- */

/* By halves and doubles: what differs by less is equally far. */
static unsigned ring_of(uint64_t distance_us)
{
    unsigned ring = 0;

    for (; distance_us > 1; distance_us /= 2)
        ring++;
    return ring;
}

static bool is_before(const struct zone *a, const struct zone *b)
{
    if (a->priority != b->priority)
        return a->priority < b->priority;
    if (a->is_degraded != b->is_degraded)
        return b->is_degraded;
    if (a->is_own != b->is_own)
        return a->is_own;
    if (ring_of(a->distance_us) != ring_of(b->distance_us))
        return a->distance_us < b->distance_us;
    return a->order < b->order;
}

/* From the end, since most stand in order already. */
static void line_up(struct part *part)
{
    struct list unsorted;

    list_init(&unsorted);
    list_take_all(&unsorted, &part->zones);
    LIST_EACH_SAFE(link, next, &unsorted) {
        struct zone *zone = CONTAINER_OF(link, struct zone, link);
        struct list *at = part->zones.prev;

        list_remove(link);
        while (at != &part->zones && is_before(zone, CONTAINER_OF(at, struct zone, link)))
            at = at->prev;
        list_push_back(at->next, link);
    }
}

bool zones_build(struct part *part)
{
    struct placing *placings = mem_array(part->cluster->set->n_localities, sizeof *placings);
    bool made = placings && zones_count(part, placings);

    if (made)
        empty_zones(part);
    made = made && assign_localities(part, placings);
    if (made) {
        assign_endpoints(part, placings);
        drop_empty_ones(part);
        line_up(part);
        made = zones_view(part, placings);
    }
    mem_free(placings);
    return made;
}
