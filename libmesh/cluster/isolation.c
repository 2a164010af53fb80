/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints that fail are left out for a while, tried with one attempt, and come back slowly. The rules of one endpoint are in
 * outlier.c; here is what they mean in a cluster. */
#include "cluster/state.h"
#include "cluster/zone.h"

/* How often the share of a recovering endpoint follows the time. */
#define RAMP_EVERY_US (100 * US_PER_MS)
/* How often it is asked whether isolation helps. */
#define HELPS_EVERY_US (100 * US_PER_MS)
/* Until then only an idempotent request tries an endpoint out. */
#define WAIT_FOR_IDEMPOTENT_US US_PER_S

enum { LEAST_FAILURES = 5 };

static const struct policy_outlier *policy_of(const struct endpoint *endpoint)
{
    return &endpoint->cluster->conf->policy.outlier;
}

/* ---- the list of those who are not well ---- */

static void set_withheld(struct endpoint *endpoint, uint32_t share_percent)
{
    uint32_t withheld = (100 - share_percent) * BALANCE_WHOLE / 100;

    atomic_store_explicit(&endpoint->stats->balance.withheld, withheld, memory_order_relaxed);
}

static void look_not_later_than(struct cluster *cluster, uint64_t then_us)
{
    if (then_us < cluster->look_us)
        cluster->look_us = then_us;
}

void isolation_enlist(struct endpoint *endpoint)
{
    struct cluster *cluster = endpoint->cluster;
    uint64_t now = loop_now_us(cluster->env.loop);

    if (!list_linked(&endpoint->trouble))
        list_push_back(&cluster->troubled, &endpoint->trouble);
    look_not_later_than(cluster, 0);
    set_withheld(endpoint, outlier_share(endpoint->outlier, now)); /* what the next view is made by */
    cluster_health_changed(cluster);
}

static uint32_t count_isolated(const struct cluster *cluster)
{
    uint32_t n = 0;

    LIST_EACH(link, &cluster->troubled) {
        n += !outlier_is_in(CONTAINER_OF(link, struct endpoint, trouble)->outlier);
    }
    return n;
}

/* The others fail, too: then an endpoint fails because there is too much to do, or for what all of them need, and the others would
 * only have to carry its part. Who is isolated for failures in a row must be better than half of theirs, who is
 * for its rate than theirs can be called good. `besides`: failures of its own. */
static bool others_fail(const struct cluster *cluster, bool by_rate, uint32_t besides, uint64_t now_us)
{
    uint32_t good = by_rate ? cluster->conf->policy.outlier.success_percent : 50;
    uint64_t succeeded, failed;

    budget_last_second(&cluster->shared->budget, now_us, &succeeded, &failed);
    if (failed < besides + LEAST_FAILURES)
        return false;
    failed -= besides;
    return succeeded * 100 < (succeeded + failed) * good;
}

bool isolation_is_possible(struct endpoint *endpoint)
{
    if (!endpoint->outlier)
        endpoint->outlier = mem_zalloc(sizeof *endpoint->outlier);
    return endpoint->outlier != NULL;
}

/* ---- what attempts tell ---- */

static void tell_isolated(const struct endpoint *endpoint, uint64_t now_us)
{
    const struct outlier *outlier = endpoint->outlier;

    OBSERVE(endpoint->cluster->env.observe, MESH_LOG_INFO, "endpoint_isolated",
            FIELD_TEXT("cluster", endpoint->cluster->conf->label), FIELD_TEXT("endpoint", endpoint->address),
            FIELD_TEXT("zone", endpoint->zone), FIELD_TEXT("why", isolation_reason(endpoint)),
            FIELD_NUMBER("for_ms", (outlier->until_us - now_us) / US_PER_MS), FIELD_NUMBER("times", outlier->times));
}

static void isolate(struct endpoint *endpoint, uint64_t now_us)
{
    const struct policy_outlier *policy = policy_of(endpoint);
    struct cluster *cluster = endpoint->cluster;
    struct outlier *outlier = endpoint->outlier;
    bool is_in = outlier_is_in(outlier);

    if (is_in && others_fail(cluster, outlier->by_rate, outlier_failed_lately(outlier, now_us), now_us)) {
        outlier_release(outlier, now_us); /* nor does it count when the others are well again */
        return;
    }
    if (is_in && !outlier_may_isolate((uint32_t) cluster->n_made, count_isolated(cluster), policy->max_percent))
        return;
    outlier_isolate(outlier, policy, now_us, loop_rand(cluster->env.loop));
    tell_isolated(endpoint, now_us);
    isolation_tell(endpoint, outlier->until_us);
    isolation_enlist(endpoint);
}

static void take_answer(struct endpoint *endpoint, uint64_t now_us)
{
    struct outlier *outlier = endpoint->outlier;
    bool was_in = !outlier || outlier_is_in(outlier);

    isolation_count_answer(endpoint);
    if (!outlier)
        return;
    if (outlier_answered(outlier, policy_of(endpoint), now_us))
        isolate(endpoint, now_us);
    if (was_in || !outlier_is_in(outlier))
        return;
    isolation_tell(endpoint, 0);
    isolation_enlist(endpoint);
}

static void take_failure(struct endpoint *endpoint, enum attempt_outcome outcome, uint64_t now_us)
{
    const struct policy_outlier *policy = policy_of(endpoint);
    bool earned;

    if (!isolation_is_possible(endpoint))
        return;
    if (outcome == ATTEMPT_FAILED)
        endpoint->outlier->in_row = isolation_count_failure(endpoint) - 1;
    earned = outcome == ATTEMPT_LATE ? outlier_late(endpoint->outlier, policy, now_us)
                                     : outlier_failed(endpoint->outlier, policy, now_us);
    if (earned)
        isolate(endpoint, now_us);
}

void endpoint_judge(struct endpoint *endpoint, enum attempt_outcome outcome, uint64_t now_us)
{
    if (endpoint->removed || policy_of(endpoint)->kind != OUTLIER_ADAPTIVE)
        return;
    if (outcome == ATTEMPT_FAILED || outcome == ATTEMPT_LATE)
        take_failure(endpoint, outcome, now_us);
    else if (endpoint->outlier && outcome == ATTEMPT_UNJUDGED)
        outlier_probe_untold(endpoint->outlier, now_us);
    else if (outcome != ATTEMPT_UNJUDGED)
        take_answer(endpoint, now_us);
}

/* ---- what time tells ---- */

static void tell_state(const struct endpoint *endpoint)
{
    enum outlier_state state = endpoint->outlier->state;

    OBSERVE(endpoint->cluster->env.observe, state == OUTLIER_WELL ? MESH_LOG_INFO : MESH_LOG_DEBUG,
            state == OUTLIER_WELL ? "endpoint_well" : "endpoint_due",
            FIELD_TEXT("cluster", endpoint->cluster->conf->label), FIELD_TEXT("endpoint", endpoint->address),
            FIELD_TEXT("zone", endpoint->zone));
}

/* When it has to be looked at again; 0: never. */
static uint64_t look_at(struct endpoint *endpoint, uint64_t now_us)
{
    struct outlier *outlier = endpoint->outlier;

    if (endpoint->attempts == 0)
        outlier_probe_untold(outlier, now_us); /* the attempt that it was chosen for has not begun after all */
    if (outlier_tick(outlier, now_us)) {
        tell_state(endpoint);
        if (outlier->state == OUTLIER_WELL)
            cluster_health_changed(endpoint->cluster);
    }
    set_withheld(endpoint, outlier_share(outlier, now_us));
    if (outlier->state == OUTLIER_RECOVERING)
        return now_us + RAMP_EVERY_US;
    if (outlier->state == OUTLIER_ISOLATED && outlier->until_us < now_us + HELPS_EVERY_US)
        return outlier->until_us;
    return outlier_is_in(outlier) ? 0 : now_us + HELPS_EVERY_US;
}

static void release(struct endpoint *endpoint, uint64_t now_us)
{
    struct cluster *cluster = endpoint->cluster;

    OBSERVE(cluster->env.observe, MESH_LOG_INFO, "endpoint_released", FIELD_TEXT("cluster", cluster->conf->label),
            FIELD_TEXT("endpoint", endpoint->address), FIELD_TEXT("zone", endpoint->zone),
            FIELD_TEXT("why", "the others fail, too"));
    outlier_release(endpoint->outlier, now_us);
    isolation_tell(endpoint, 0);
    cluster_health_changed(cluster);
}

static void release_in_vain(struct cluster *cluster, uint64_t now_us)
{
    LIST_EACH(link, &cluster->troubled) {
        struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, trouble);

        if (!outlier_is_in(endpoint->outlier) && others_fail(cluster, endpoint->outlier->by_rate, 0, now_us))
            release(endpoint, now_us);
    }
}

void cluster_look_at_troubled(struct cluster *cluster, uint64_t now_us)
{
    release_in_vain(cluster, now_us);
    LIST_EACH_SAFE(link, next, &cluster->troubled) {
        struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, trouble);
        uint64_t then = look_at(endpoint, now_us);

        if (endpoint->outlier->state == OUTLIER_WELL)
            list_remove(link);
        if (then > 0)
            look_not_later_than(cluster, then);
    }
}

static bool may_try_out(const struct endpoint *endpoint, const struct cluster_hint *hint, uint64_t now_us)
{
    const struct outlier *outlier = endpoint->outlier;

    if (outlier->state != OUTLIER_DUE || endpoint_in_doubt(endpoint) || !endpoint_is_to_be_used(endpoint))
        return false;
    return hint->idempotent || now_us - outlier->since_us >= WAIT_FOR_IDEMPOTENT_US;
}

/* Retries and hedges have waited long enough. */
struct endpoint *cluster_due(struct part *part, const struct cluster_hint *hint, uint64_t now_us)
{
    if (hint->n_tried > 0)
        return NULL;
    LIST_EACH(link, &part->cluster->troubled) {
        struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, trouble);

        if (!may_try_out(endpoint, hint, now_us) || !part_has(part, endpoint))
            continue;
        outlier_probe(endpoint->outlier, now_us);
        if (hint->choice)
            hint->choice->facts.is_due = true;
        return endpoint;
    }
    return NULL;
}

/* ---- joining and leaving ---- */

void endpoint_join(struct endpoint *endpoint)
{
    struct cluster *cluster = endpoint->cluster;
    uint64_t slow_us = cluster->conf->policy.slow_start_ms * US_PER_MS;

    if (slow_us == 0 || !isolation_is_possible(endpoint))
        return;
    outlier_join(endpoint->outlier, slow_us, loop_now_us(cluster->env.loop));
    isolation_enlist(endpoint);
}

void endpoint_leave_troubled(struct endpoint *endpoint)
{
    if (!list_linked(&endpoint->trouble))
        return;
    list_remove(&endpoint->trouble);
    set_withheld(endpoint, 100);
}

void cluster_forget_isolation(struct cluster *cluster)
{
    LIST_EACH(link, &cluster->endpoints) {
        struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, link);

        endpoint_leave_troubled(endpoint);
        mem_free(endpoint->outlier);
        endpoint->outlier = NULL;
        endpoint_leave_envoy(endpoint);
    }
}

/* ---- showing ---- */

const char *isolation_reason(const struct endpoint *endpoint)
{
    const struct outlier *outlier = endpoint->outlier;

    if (endpoint->envoy && endpoint->envoy->ejected)
        return outlier_envoy_reason_name(endpoint->envoy->reason);
    if (!outlier || outlier->state == OUTLIER_WELL)
        return "";
    if (outlier->state == OUTLIER_RECOVERING)
        return "its share grows";
    return outlier->by_rate ? "too few of its attempts succeeded" : "its attempts failed in a row";
}
