/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots coming in: clusters that stay are updated, those that are gone drain, requests that waited for a name go on. */
#include <stdatomic.h>
#include <string.h>

#include "client/client.h"

/* The source is told again that a cluster is in use: often enough that it never rests. */
#define WANT_AGAIN_US ((uint64_t) SOURCE_UNUSED_S / 10 * US_PER_S)

/* ---- telling the source what is used ---- */

/* A lane other than the first asks from its own loop; the source lives in the first. */
struct want {
    struct loop_task task;
    struct lane *lane; /* who asks */
    int32_t err;
    struct fault fault;
    char service[];
};

static void on_want_failed(struct loop_task *task)
{
    struct want *want = CONTAINER_OF(task, struct want, task);

    LIST_EACH_SAFE(link, next, &want->lane->env.homeless) {
        struct request *request = CONTAINER_OF(link, struct request, homeless);

        if (strcmp(request->ask.service, want->service) == 0)
            request_found_home(request, want->err, &want->fault);
    }
    mem_free(want);
}

static void on_want(struct loop_task *task)
{
    struct want *want = CONTAINER_OF(task, struct want, task);
    struct loop *loop = want->lane->loop;

    want->err = source_want(want->lane->engine->source, want->service, &want->fault);
    if (want->err == 0) {
        mem_free(want);
        return;
    }
    want->task.run = on_want_failed;
    loop_submit_quietly(loop, &want->task); /* it may be gone from here on */
    loop_nudge(loop);
}

static int32_t want(struct lane *lane, const char *service, struct fault *fault)
{
    size_t size = strlen(service) + 1;
    struct want *message;

    if (lane == &lane->engine->lanes[0])
        return source_want(lane->engine->source, service, fault);
    message = mem_zalloc(sizeof *message + size);
    if (!message)
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    message->lane = lane;
    memcpy(message->service, service, size);
    message->task.run = on_want;
    loop_submit_quietly(lane->engine->lanes[0].loop, &message->task);
    loop_nudge(lane->engine->lanes[0].loop);
    loop_attend(lane->engine->lanes[0].loop);
    return 0;
}

/* ---- clusters ---- */

static int32_t open_cluster(struct lane *lane, const struct model_entry *entry, struct cluster **out)
{
    struct cluster_env env = { lane->loop, lane->env.observe };
    struct cluster_shared *shared = engine_shared(lane->engine, entry->cluster->name);
    struct cluster *cluster;
    int32_t err;

    *out = NULL;
    if (!shared)
        return MESH_ERR_NOMEM;
    err = cluster_new(&env, entry, shared, &cluster);
    cluster_shared_unref(shared);
    if (err)
        return err;
    if (!map_put(&lane->clusters, cluster->shared->name, strlen(cluster->shared->name), cluster)) {
        cluster_unref(cluster);
        return MESH_ERR_NOMEM;
    }
    list_push_back(&lane->in_use, &cluster->link);
    *out = cluster;
    return 0;
}

static void keep_wanted(struct lane *lane, struct cluster *cluster, const char *service)
{
    uint64_t now = loop_now_us(lane->loop);
    struct fault ignored;

    if (cluster->wanted_us != 0 && now - cluster->wanted_us < WANT_AGAIN_US)
        return;
    cluster->wanted_us = now;
    want(lane, service, &ignored);
}

/* The cluster of an entry, opened when it is called for the first time. */
static int32_t cluster_of(struct lane *lane, const struct model_entry *entry, struct cluster **out)
{
    int32_t err = 0;

    *out = map_get_text(&lane->clusters, entry->cluster->name);
    if (!*out)
        err = open_cluster(lane, entry, out);
    if (!err)
        cluster_ref(*out);
    return err;
}

/* The mark that keeps a control plane's subscriptions: set often enough, and not by each request. */
static void mark_used(struct model_routes *routes, uint64_t now_us)
{
    uint64_t before = atomic_load_explicit(&routes->used_us, memory_order_relaxed);

    if (before == 0 || now_us > before + US_PER_S)
        atomic_store_explicit(&routes->used_us, now_us, memory_order_relaxed);
}

static int32_t find_routed(struct lane *lane, const struct route_request *what, struct route_choice *choice,
                           struct cluster **out, struct fault *fault)
{
    int32_t err = route_match(lane->snapshot, what, choice, fault);

    if (err == MESH_ERR_AGAIN) {
        err = want(lane, what->service, fault);
        return err ? err : MESH_ERR_AGAIN;
    }
    if (choice->routes)
        mark_used(choice->routes, loop_now_us(lane->loop));
    if (!err && choice->entry)
        err = cluster_of(lane, choice->entry, out);
    if (err)
        return fault->code == err ? err : fault_set(fault, err, "%s", error_text(err));
    if (choice->routes)
        model_routes_ref(choice->routes);
    else if (*out)
        keep_wanted(lane, *out, what->service);
    return 0;
}

int32_t lane_find_home(struct request_env *env, const struct route_request *what, struct route_choice *choice,
                       struct cluster **out, struct fault *fault)
{
    struct lane *lane = CONTAINER_OF(env, struct lane, env);
    struct cluster *cluster = map_get_text(&lane->clusters, what->service);

    *out = NULL;
    if (!cluster || cluster->conf->label != cluster->conf->name)
        return find_routed(lane, what, choice, out, fault);
    choice->routes = NULL;
    keep_wanted(lane, cluster, what->service);
    cluster_ref(cluster);
    *out = cluster;
    return 0;
}

int32_t lane_find_cluster(struct request_env *env, const char *key, struct cluster **out)
{
    struct lane *lane = CONTAINER_OF(env, struct lane, env);
    const struct model_entry *entry = model_snapshot_find(lane->snapshot, key);

    *out = NULL;
    return entry ? cluster_of(lane, entry, out) : MESH_ERR_NO_ROUTE;
}

/* ---- a new snapshot ---- */

static void retire(struct lane *lane, struct cluster *cluster)
{
    map_remove(&lane->clusters, cluster->shared->name, strlen(cluster->shared->name));
    list_remove(&cluster->link);
    list_push_back(&lane->retired, &cluster->link);
    cluster_drain(cluster);
}

static void free_retired(struct lane *lane)
{
    LIST_EACH_SAFE(link, next, &lane->retired) {
        struct cluster *cluster = CONTAINER_OF(link, struct cluster, link);

        if (!cluster_is_idle(cluster))
            continue;
        list_remove(link);
        cluster_unref(cluster);
    }
}

/* Out of memory for a cluster's update leaves it as it was, until the next snapshot. */
static void update_clusters(struct lane *lane)
{
    LIST_EACH_SAFE(link, next, &lane->in_use) {
        struct cluster *cluster = CONTAINER_OF(link, struct cluster, link);
        const struct model_entry *entry = model_snapshot_find(lane->snapshot, cluster->shared->name);

        if (!entry)
            retire(lane, cluster);
        else if (entry->cluster != cluster->conf || entry->endpoints != cluster->set)
            cluster_update(cluster, entry);
    }
}

static void house_the_homeless(struct lane *lane)
{
    struct list waiting;

    list_init(&waiting);
    list_take_all(&waiting, &lane->env.homeless);
    while (!list_empty(&waiting))
        request_found_home(CONTAINER_OF(waiting.next, struct request, homeless), 0, NULL);
}

static void adopt(struct lane *lane, struct model_snapshot *snapshot)
{
    model_snapshot_unref(lane->snapshot);
    lane->snapshot = snapshot;
    update_clusters(lane);
    free_retired(lane);
    house_the_homeless(lane);
}

static void on_swap(struct loop_task *task)
{
    struct lane *lane = CONTAINER_OF(task, struct lane, swap);
    struct model_snapshot *snapshot;

    atomic_store(&lane->swap_queued, false);
    snapshot = atomic_exchange(&lane->next, NULL);
    if (snapshot)
        adopt(lane, snapshot);
}

/* A lane that has not come to take the last one yet gets this one instead. */
static void bring(struct lane *lane, struct model_snapshot *snapshot)
{
    model_snapshot_unref(atomic_exchange(&lane->next, snapshot));
    if (atomic_exchange(&lane->swap_queued, true))
        return;
    lane->swap.run = on_swap;
    loop_submit_quietly(lane->loop, &lane->swap);
    loop_nudge(lane->loop);
}

void engine_on_snapshot(void *user, struct model_snapshot *snapshot)
{
    struct engine *engine = user;

    for (size_t i = 1; i < engine->n_lanes; i++)
        bring(&engine->lanes[i], model_snapshot_ref(snapshot));
    adopt(&engine->lanes[0], snapshot);
}

void lane_begin(struct lane *lane, struct model_snapshot *snapshot)
{
    lane->snapshot = model_snapshot_ref(snapshot);
}

static void free_clusters(struct list *clusters)
{
    LIST_EACH_SAFE(link, next, clusters) {
        struct cluster *cluster = CONTAINER_OF(link, struct cluster, link);

        list_remove(link);
        cluster_unref(cluster);
    }
}

void lane_end(struct lane *lane)
{
    if (!lane->loop)
        return;
    if (lane->snapshot) {
        loop_enter(lane->loop);
        free_clusters(&lane->in_use);
        free_clusters(&lane->retired);
        loop_leave(lane->loop);
    }
    traces_free(&lane->env.traces);
    response_blocks_free(&lane->env.blocks);
    map_free(&lane->clusters);
    model_snapshot_unref(atomic_exchange(&lane->next, NULL));
    model_snapshot_unref(lane->snapshot);
    loop_free(lane->loop);
}
