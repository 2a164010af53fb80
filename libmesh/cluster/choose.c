/* SPDX-License-Identifier: Apache-2.0 */
/* Which endpoint gets an attempt: one that is due to be tried out, else the balancer's choice in the zone. */
#include "cluster/checker.h"
#include "cluster/state.h"
#include "cluster/zone.h"

/* How many times over the part of a very large cluster that is used may be made, twice. */
enum { MOST_REACH = 16 };

/* One endpoint alone that is down is no panic, only a failure that its requests tell. */
static void tell_panic(struct cluster *cluster, bool panic)
{
    if (panic == cluster->panicking)
        return;
    cluster->panicking = panic;
    if (cluster->n_endpoints < 2)
        return;
    OBSERVE(cluster->env.observe, panic ? MESH_LOG_WARN : MESH_LOG_INFO, panic ? "panic_begins" : "panic_ends",
            FIELD_TEXT("cluster", cluster->conf->label), FIELD_NUMBER("endpoints", cluster->n_endpoints));
}

static void tell_ramp(const struct cluster *cluster)
{
    OBSERVE(cluster->env.observe, MESH_LOG_INFO, cluster->ramp.runs ? "ramp_begins" : "ramp_ends",
            FIELD_TEXT("cluster", cluster->conf->label), FIELD_NUMBER("usable", cluster->n_usable),
            FIELD_NUMBER("endpoints", cluster->n_endpoints));
}

/* Too few of those that are made are usable: more are. True: there are more now. */
static bool reach_further(struct cluster *cluster)
{
    unsigned before = cluster->reach;

    if (before >= MOST_REACH)
        return false;
    cluster->reach = before > 0 ? 2 * before : 2;
    if (cluster_take_set(cluster, cluster->set, false) == 0)
        return true;
    cluster->reach = before;
    return false;
}

bool cluster_build_view(struct cluster *cluster)
{
    bool made = zones_build(&cluster->all);

    if (made && zones_are_short(&cluster->all) && reach_further(cluster))
        made = zones_build(&cluster->all);
    cluster->has_ghosts = cluster->has_ghosts && !made;
    cluster->n_usable = cluster->all.n_usable;
    cluster->views++;
    tell_panic(cluster, cluster->n_usable == 0 && cluster->n_endpoints > 0);
    if (cluster->conf->policy.outlier.ramp &&
        ramp_see(&cluster->ramp, (uint32_t) cluster->n_usable, loop_now_us(cluster->env.loop)))
        tell_ramp(cluster);
    cluster->look_us = 0;
    return made;
}

/* Out of memory leaves the old view, whose endpoints are all still there: removed ones are kept until the next success. */
void cluster_on_rebuild(struct loop_later *later)
{
    struct cluster *cluster = CONTAINER_OF(later, struct cluster, rebuild);

    cluster_build_view(cluster);
}

void cluster_health_changed(struct cluster *cluster)
{
    loop_defer(cluster->env.loop, &cluster->rebuild);
}

void cluster_on_sweep(struct loop_later *later)
{
    struct cluster *cluster = CONTAINER_OF(later, struct cluster, sweep);

    if (cluster->has_ghosts && !cluster_build_view(cluster))
        return;
    parts_trim(cluster);
    LIST_EACH_SAFE(link, next, &cluster->leaving) {
        struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, link);

        if (endpoint_is_idle(endpoint))
            endpoint_free(endpoint);
    }
}

void cluster_sweep_later(struct cluster *cluster)
{
    loop_defer(cluster->env.loop, &cluster->sweep);
}

/* ---- choosing ---- */

/* Earlier attempts' endpoints, and silent ones that were met on the way. */
enum { MOST_PASSED_OVER = 2 * CLUSTER_MOST_TRIED };

int32_t cluster_nobody(const struct cluster *cluster, struct fault *fault)
{
    const struct model_endpoints *set = cluster->set;

    if (set->state == ENDPOINTS_PENDING)
        return MESH_ERR_AGAIN;
    if (set->state == ENDPOINTS_FAILED) {
        *fault = set->fault;
        return fault->code;
    }
    if (set->state == ENDPOINTS_WITHDRAWN)
        return fault_set(fault, MESH_ERR_NO_HEALTHY, "the service is withdrawn: its SRV record has the target \".\"");
    return fault_set(fault, MESH_ERR_NO_HEALTHY, "the cluster has no endpoints (source: %s)", set->source);
}

/* Not more often than each second, unless something is due. */
static void look(struct cluster *cluster, uint64_t now_us)
{
    const struct policy *policy = &cluster->conf->policy;

    cluster->look_us = UINT64_MAX;
    cluster_look_at_troubled(cluster, now_us);
    cluster_look_at_envoy(cluster, now_us);
    if (cluster->all.n_zones > 1 && policy->spill.warm)
        zones_warm(&cluster->all);
    if (policy->outlier.ramp && ramp_see(&cluster->ramp, (uint32_t) cluster->n_usable, now_us))
        tell_ramp(cluster);
    if ((cluster->all.n_zones > 1 || cluster->ramp.runs) && cluster->look_us > now_us + US_PER_S)
        cluster->look_us = now_us + US_PER_S;
}

/* An endpoint that fell silent since the view was made is passed over while another is left. */
static struct endpoint *pick(struct cluster *cluster, struct zone *zone, struct balance_hint *hint,
                             struct balance_endpoint **tried)
{
    struct endpoint *first = NULL;

    for (;;) {
        int64_t at = balance_pick(zone->balancer, &zone->view, hint, loop_rand(cluster->env.loop));
        struct endpoint *endpoint = zone->members[at];

        if (!first)
            first = endpoint;
        if (zone->lenient || endpoint_usable(endpoint))
            return endpoint;
        if (hint->n_tried == MOST_PASSED_OVER || hint->n_tried >= zone->view.n)
            return first;
        tried[hint->n_tried++] = &endpoint->stats->balance;
        if (hint->choice)
            hint->choice->n = 0;
    }
}

static struct endpoint *choose_in(struct cluster *cluster, struct zone *zone, const struct cluster_hint *hint)
{
    struct balance_endpoint *tried[MOST_PASSED_OVER];
    struct endpoint *endpoint;
    size_t n_tried;
    struct balance_hint balance = {
        .now_us = loop_now_us(cluster->env.loop),
        .key = hint->key,
        .tried = tried,
        .idempotent = hint->idempotent,
        .choice = hint->choice ? &hint->choice->balance : NULL,
    };

    while (balance.n_tried < hint->n_tried && balance.n_tried < CLUSTER_MOST_TRIED) {
        tried[balance.n_tried] = &hint->tried[balance.n_tried]->stats->balance;
        balance.n_tried++;
    }
    n_tried = balance.n_tried;
    endpoint = pick(cluster, zone, &balance, tried);
    if (hint->choice)
        hint->choice->facts.passed_over = (uint8_t) (balance.n_tried - n_tried);
    return endpoint;
}

static void note(const struct part *part, const struct zone *zone, struct choice_facts *facts)
{
    facts->has_zones = part->n_zones > 1;
    facts->is_own = zone->is_own;
    facts->priority = zone->priority;
    facts->is_lenient = zone->lenient;
    facts->panics = part->n_usable == 0;
    facts->policy = zone->balancer->ops->name;
}

/* The loop that checks has found something, or has stopped to check. */
static void heed_news(struct cluster *cluster)
{
    checker_attend(cluster);
    if (!cluster_build_view(cluster))
        cluster_health_changed(cluster); /* tried again at the end of the turn */
}

/* Nothing comes of it after all. */
static int32_t undo(struct endpoint *endpoint, int32_t err)
{
    if (err)
        endpoint_judge(endpoint, ATTEMPT_UNJUDGED, loop_now_us(endpoint->cluster->env.loop));
    return err;
}

static int32_t pass_drops(struct endpoint *endpoint, struct fault *fault)
{
    return undo(endpoint, admission_pass_drops(endpoint->cluster, endpoint->origin_number, fault));
}

static int32_t open_pool(struct endpoint *endpoint, struct fault *fault)
{
    return undo(endpoint, endpoint_open_pool(endpoint, fault));
}

static bool was_tried(const struct cluster_hint *hint, const struct endpoint *endpoint)
{
    for (size_t i = 0; i < hint->n_tried; i++)
        if (hint->tried[i] == endpoint)
            return true;
    return false;
}

int32_t cluster_choose(struct cluster *cluster, const struct cluster_hint *hint, struct endpoint **out,
                       struct fault *fault)
{
    uint64_t now = loop_now_us(cluster->env.loop);
    struct part *part = &cluster->all;
    struct zone *zone;
    int32_t err;

    if (checker_has_news(cluster))
        heed_news(cluster);
    if (isolation_has_news(cluster))
        isolation_heed(cluster, now);
    if (now >= cluster->look_us)
        look(cluster, now);
    *out = NULL;
    if (cluster->conf->subsets && cluster->n_endpoints > 0) {
        err = part_choose(cluster, hint->subset, &part, fault);
        if (err)
            return err;
    }
    zone = zone_choose(part, hint, now);
    if (!zone)
        return cluster_nobody(cluster, fault);
    if (hint->n_tried == 0 && cluster->ramp.runs &&
        !ramp_admits(&cluster->ramp, (uint32_t) cluster->n_endpoints, loop_rand(cluster->env.loop)))
        return fault_set(fault, MESH_ERR_NO_HEALTHY,
                         "%zu of %zu endpoints are back after an outage; outlier.ramp lets through what they can carry",
                         cluster->n_usable, cluster->n_endpoints);
    if (hint->choice)
        note(part, zone, &hint->choice->facts);
    if (!list_empty(&cluster->troubled) && !hint->beside)
        *out = cluster_due(part, hint, now);
    if (!*out)
        *out = choose_in(cluster, zone, hint);
    if (hint->beside && was_tried(hint, *out))
        return fault_set(fault, MESH_ERR_NO_HEALTHY, "there is no other endpoint");
    err = hint->n_tried == 0 && (*out)->origin_number > 0 ? pass_drops(*out, fault) : 0;
    return err ? err : open_pool(*out, fault);
}
