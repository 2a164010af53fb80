/* SPDX-License-Identifier: Apache-2.0 */
/* The zones of a cluster: who is in which, how far they are, and the views of each. */
#include "cluster/zone.h"

#include <string.h>

#include "cluster/state.h"

/* ---- who is in which ---- */

static void zone_free(struct zone *zone)
{
    list_remove(&zone->link);
    balance_view_free(&zone->view);
    mem_free(zone->members);
    if (zone->balancer)
        zone->balancer->ops->free(zone->balancer);
    mem_free(zone);
}

void zones_free(struct cluster *cluster)
{
    LIST_EACH_SAFE(link, next, &cluster->zones) {
        zone_free(CONTAINER_OF(link, struct zone, link));
    }
}

static bool anybody_in(const struct cluster *cluster, const char *name)
{
    LIST_EACH(link, &cluster->endpoints) {
        if (strcmp(CONTAINER_OF(link, struct endpoint, link)->zone, name) == 0)
            return true;
    }
    return false;
}

/* A zone that nobody is in is more likely a wrong name than a place far from everything. */
static bool zones_matter(const struct cluster *cluster)
{
    const struct policy_spill *spill = &cluster->conf->policy.spill;

    if (!spill->zones || cluster->by_key)
        return false;
    return spill->distances || (spill->zone && anybody_in(cluster, spill->zone));
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

static void place(struct zone *zone, const struct policy_spill *spill)
{
    zone->is_own = spill->zone && strcmp(spill->zone, zone->name) == 0;
    zone->distance_us = distance_by_conf(spill->distances, zone->name);
}

void zones_outdate(struct cluster *cluster)
{
    LIST_EACH(link, &cluster->zones) {
        struct zone *zone = CONTAINER_OF(link, struct zone, link);

        zone->outdated = true;
        place(zone, &cluster->conf->policy.spill);
    }
}

static struct zone *zone_new(struct cluster *cluster, uint32_t priority, const char *name)
{
    size_t size = strlen(name) + 1;
    struct zone *zone = mem_zalloc(sizeof *zone + size);

    if (!zone)
        return NULL;
    memcpy(zone->name, name, size);
    zone->priority = priority;
    place(zone, &cluster->conf->policy.spill);
    zone->order = xxh64(name, size, cluster->shared->subset);
    list_push_back(&cluster->zones, &zone->link);
    return zone;
}

static struct zone *zone_of(struct cluster *cluster, uint32_t priority, const char *name)
{
    LIST_EACH(link, &cluster->zones) {
        struct zone *zone = CONTAINER_OF(link, struct zone, link);

        if (zone->priority == priority && strcmp(zone->name, name) == 0)
            return zone;
    }
    return zone_new(cluster, priority, name);
}

static bool assign(struct cluster *cluster)
{
    bool matter = zones_matter(cluster);

    LIST_EACH(link, &cluster->endpoints) {
        struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, link);

        endpoint->home = zone_of(cluster, endpoint->priority, matter ? endpoint->zone : "");
        if (!endpoint->home)
            return false;
    }
    return true;
}

/* ---- how far they are ---- */

static uint64_t connect_us(const struct endpoint *endpoint)
{
    uint64_t us = endpoint->pool ? pool_state(endpoint->pool).connect_us : 0;

    return us > 0 ? us : UINT64_MAX;
}

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
    if (a->is_own != b->is_own)
        return a->is_own;
    if (ring_of(a->distance_us) != ring_of(b->distance_us))
        return a->distance_us < b->distance_us;
    return a->order < b->order;
}

static void line_up(struct cluster *cluster)
{
    struct list unsorted;

    list_init(&unsorted);
    list_take_all(&unsorted, &cluster->zones);
    LIST_EACH_SAFE(link, next, &unsorted) {
        struct zone *zone = CONTAINER_OF(link, struct zone, link);
        struct list *at = cluster->zones.next;

        list_remove(link);
        while (at != &cluster->zones && is_before(CONTAINER_OF(at, struct zone, link), zone))
            at = at->next;
        list_push_back(at, link);
    }
}

/* ---- counting ---- */

static void count_one(struct endpoint *endpoint, const char *distances)
{
    struct zone *zone = endpoint->home;
    uint64_t distance = connect_us(endpoint);

    zone->n++;
    zone->n_usable += endpoint_usable(endpoint);
    if (distance < zone->distance_us && distance_by_conf(distances, zone->name) == UINT64_MAX)
        zone->distance_us = distance;
}

/* Zones that nobody is in any more go. */
static void count(struct cluster *cluster)
{
    cluster->n_zones = 0;
    LIST_EACH(link, &cluster->zones) {
        struct zone *zone = CONTAINER_OF(link, struct zone, link);

        zone->n = zone->n_usable = 0;
    }
    LIST_EACH(link, &cluster->endpoints) {
        count_one(CONTAINER_OF(link, struct endpoint, link), cluster->conf->policy.spill.distances);
    }
    LIST_EACH_SAFE(link, next, &cluster->zones) {
        struct zone *zone = CONTAINER_OF(link, struct zone, link);

        if (zone->n == 0)
            zone_free(zone);
        else
            cluster->n_zones++;
    }
}

/* Of SRV records the best priority that can be reached has all (RFC 2782): one usable endpoint is enough. */
static uint32_t overprovisioning(const struct cluster *cluster)
{
    bool is_srv = strcmp(cluster->set->source, "srv") == 0;

    return is_srv ? UINT32_MAX : cluster->conf->policy.spill.overprovisioning_percent;
}

/* One entry a priority, in order: zones are sorted. There are no more priorities than zones. */
static bool share(struct cluster *cluster)
{
    struct priority *priorities = mem_array(cluster->n_zones, sizeof *priorities), *last = NULL;
    size_t n = 0;

    if (!priorities)
        return false;
    cluster->n_usable = 0;
    LIST_EACH(link, &cluster->zones) {
        const struct zone *zone = CONTAINER_OF(link, struct zone, link);

        if (!last || last->level != zone->priority) {
            last = &priorities[n++];
            last->level = zone->priority;
        }
        last->n += (uint32_t) zone->n;
        last->n_usable += (uint32_t) zone->n_usable;
        cluster->n_usable += zone->n_usable;
    }
    priority_share(priorities, n, overprovisioning(cluster), cluster->conf->policy.spill.panic_percent);
    mem_free(cluster->priorities);
    cluster->priorities = priorities;
    cluster->n_priorities = n;
    return true;
}

static bool panics(const struct cluster *cluster, const struct zone *zone)
{
    for (size_t i = 0; i < cluster->n_priorities; i++)
        if (cluster->priorities[i].level == zone->priority)
            return cluster->priorities[i].panic;
    return cluster->n_usable == 0;
}

/* ---- views ---- */

/* Of a very large zone only a part is used. Policies that go by a key keep all, since clients must agree on who has it.
 * False: out of memory. */
static bool keep_subset(const struct cluster *cluster, struct endpoint **members, struct balance_endpoint **balanced,
                        size_t *n)
{
    size_t keep = balance_subset_size(*n, cluster->conf->policy.subset_size);
    uint32_t *chosen;
    bool made;

    if (keep == *n || cluster->by_key)
        return true;
    chosen = mem_array(keep, sizeof *chosen);
    made = chosen && balance_subset(balanced, *n, cluster->shared->subset, keep, chosen);
    for (size_t i = 0; made && i < *n; i++)
        members[i]->spare = true;
    for (size_t i = 0; made && i < keep; i++) {
        members[i] = members[chosen[i]];
        members[i]->spare = false;
        balanced[i] = balanced[chosen[i]];
    }
    mem_free(chosen);
    *n = keep;
    return made;
}

/* Who may get an attempt: all in panic; below half also those that were isolated for their rate alone; else the usable ones. */
static bool may_be_in(const struct zone *zone, const struct endpoint *endpoint, bool panic)
{
    if (panic || endpoint_usable(endpoint))
        return true;
    return 2 * zone->n_usable < zone->n && endpoint_usable_but_for_rate(endpoint);
}

static void replace_balancer(struct zone *zone, struct balancer *balancer)
{
    if (zone->balancer && zone->balancer != balancer)
        zone->balancer->ops->free(zone->balancer);
    zone->balancer = balancer;
    zone->outdated = false;
}

static bool build_view(struct cluster *cluster, struct zone *zone)
{
    struct endpoint **members = mem_array(zone->n, sizeof *members);
    struct balance_endpoint **balanced = mem_array(zone->n, sizeof *balanced);
    struct balance_view view = { 0 };
    bool renew = zone->outdated || !zone->balancer, panic = panics(cluster, zone), lenient = false;
    struct balancer *balancer = renew ? cluster_make_balancer(cluster->conf) : zone->balancer;
    size_t n = 0;

    if (!members || !balanced || !balancer)
        goto fail;
    LIST_EACH(link, &cluster->endpoints) {
        struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, link);

        if (endpoint->home != zone)
            continue;
        endpoint->spare = false;
        if (!may_be_in(zone, endpoint, panic))
            continue;
        lenient = lenient || !endpoint_usable(endpoint);
        members[n] = endpoint;
        balanced[n++] = &endpoint->stats->balance;
    }
    if (!keep_subset(cluster, members, balanced, &n) || !balance_view_build(&view, balanced, n) ||
        !balance_prepare(balancer, &view))
        goto fail;
    balance_view_free(&zone->view);
    zone->view = view;
    replace_balancer(zone, balancer);
    mem_free(balanced);
    mem_free(zone->members);
    zone->members = members;
    zone->lenient = lenient;
    return true;
fail:
    if (renew && balancer)
        balancer->ops->free(balancer);
    balance_view_free(&view);
    mem_free(members);
    mem_free(balanced);
    return false;
}

bool zones_build(struct cluster *cluster)
{
    bool made;

    if (!assign(cluster))
        return false;
    count(cluster);
    line_up(cluster);
    made = share(cluster);
    LIST_EACH(link, &cluster->zones) {
        made = build_view(cluster, CONTAINER_OF(link, struct zone, link)) && made;
    }
    return made;
}
