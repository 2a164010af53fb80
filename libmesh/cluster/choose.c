/* SPDX-License-Identifier: Apache-2.0 */
/* Which endpoint gets an attempt: the view of those that may, and the balancer's choice among them. */
#include "cluster/state.h"

/* The best priority with somebody usable; when nobody is (panic) all count, of every priority. */
static uint32_t priority_in_use(const struct cluster *cluster, bool *panic)
{
    uint32_t best = UINT32_MAX;

    LIST_EACH(link, &cluster->endpoints) {
        const struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, link);

        if (endpoint->priority < best && endpoint_usable(endpoint))
            best = endpoint->priority;
    }
    *panic = best == UINT32_MAX && !list_empty(&cluster->endpoints);
    return best;
}

/* One endpoint alone that is down is no panic, only a failure that its requests tell. */
static void tell_panic(struct cluster *cluster, bool panic)
{
    if (panic == cluster->panicking)
        return;
    cluster->panicking = panic;
    if (cluster->n_endpoints < 2)
        return;
    OBSERVE(cluster->env.observe, panic ? MESH_LOG_WARN : MESH_LOG_INFO, panic ? "panic_begins" : "panic_ends",
            FIELD_TEXT("cluster", cluster->conf->name), FIELD_NUMBER("endpoints", cluster->n_endpoints));
}

/* Of a very large cluster only a part is used. Policies that go by a key keep all, since clients must agree on who has it.
 * False: out of memory. */
static bool keep_subset(const struct cluster *cluster, struct endpoint **members, struct balance_endpoint **balanced,
                        size_t *n)
{
    size_t keep = balance_subset_size(*n, cluster->conf->policy.subset_size);
    uint32_t *chosen;
    bool made;

    if (keep == *n || cluster->balancer->ops->by_key)
        return true;
    chosen = mem_array(keep, sizeof *chosen);
    made = chosen && balance_subset(balanced, *n, cluster->shared->subset, keep, chosen);
    for (size_t i = 0; made && i < keep; i++) {
        members[i] = members[chosen[i]];
        balanced[i] = balanced[chosen[i]];
    }
    mem_free(chosen);
    *n = keep;
    return made;
}

bool cluster_build_view(struct cluster *cluster)
{
    struct endpoint **members = mem_array(cluster->n_endpoints, sizeof *members);
    struct balance_endpoint **balanced = mem_array(cluster->n_endpoints, sizeof *balanced);
    struct balance_view view = { 0 };
    uint32_t priority;
    size_t n = 0;
    bool panic = false;

    if (!members || !balanced)
        goto fail;
    priority = priority_in_use(cluster, &panic);
    LIST_EACH(link, &cluster->endpoints) {
        struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, link);

        if (!panic && (endpoint->priority != priority || !endpoint_usable(endpoint)))
            continue;
        members[n] = endpoint;
        balanced[n++] = &endpoint->stats->balance;
    }
    if (!keep_subset(cluster, members, balanced, &n) || !balance_view_build(&view, balanced, n) ||
        !balance_prepare(cluster->balancer, &view))
        goto fail;
    balance_view_free(&cluster->view);
    cluster->view = view;
    mem_free(balanced);
    mem_free(cluster->members);
    cluster->members = members;
    tell_panic(cluster, panic);
    return true;
fail:
    balance_view_free(&view);
    mem_free(members);
    mem_free(balanced);
    return false;
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

    if (!cluster_build_view(cluster))
        return;
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

static int32_t nobody(const struct cluster *cluster, struct fault *fault)
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

/* An endpoint that fell silent since the view was made is passed over while another is left. */
static struct endpoint *pick(struct cluster *cluster, struct balance_hint *hint, struct balance_endpoint **tried)
{
    struct endpoint *first = NULL;

    for (;;) {
        int64_t at = balance_pick(cluster->balancer, &cluster->view, hint, loop_rand(cluster->env.loop));
        struct endpoint *endpoint = cluster->members[at];

        if (!first)
            first = endpoint;
        if (cluster->panicking || endpoint_usable(endpoint))
            return endpoint;
        if (hint->n_tried == MOST_PASSED_OVER || hint->n_tried >= cluster->view.n)
            return first;
        tried[hint->n_tried++] = &endpoint->stats->balance;
    }
}

int32_t cluster_choose(struct cluster *cluster, const struct cluster_hint *hint, struct endpoint **out,
                       struct fault *fault)
{
    struct balance_endpoint *tried[MOST_PASSED_OVER];
    struct balance_hint balance = {
        .now_us = loop_now_us(cluster->env.loop),
        .key = hint->key,
        .tried = tried,
        .idempotent = hint->idempotent,
    };

    *out = NULL;
    if (cluster->view.n == 0)
        return nobody(cluster, fault);
    while (balance.n_tried < hint->n_tried && balance.n_tried < CLUSTER_MOST_TRIED) {
        tried[balance.n_tried] = &hint->tried[balance.n_tried]->stats->balance;
        balance.n_tried++;
    }
    *out = pick(cluster, &balance, tried);
    return endpoint_open_pool(*out, fault);
}
