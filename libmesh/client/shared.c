/* SPDX-License-Identifier: Apache-2.0 */
/* What the loops of a client share of each cluster, found by its key. It outlives the cluster, whose figures count again when it comes back;
 * but a control plane may give ever new ones, so that those that nobody uses are forgotten when there are many. */
#include <stdatomic.h>
#include <string.h>

#include "client/client.h"

/* So many are kept in any case, and twice as many as were in use the last time. */
enum { SHARED_KEPT = 4096 };

static bool put(struct map *map, struct cluster_shared *shared)
{
    return map_put(map, shared->name, strlen(shared->name), shared);
}

/* With the lock: nobody gets hold of one in whom nobody has a share. */
static bool is_used(struct cluster_shared *shared)
{
    return atomic_load(&shared->refs) > 1;
}

/* Without memory all of them stay. */
static void forget_unused(struct engine *engine)
{
    struct map kept = { 0 };
    struct cluster_shared *shared;
    size_t at = 0;

    while ((shared = map_next(&engine->shared, &at)))
        if (is_used(shared) && !put(&kept, shared)) {
            map_free(&kept);
            return;
        }
    at = 0;
    while ((shared = map_next(&engine->shared, &at)))
        if (!map_get_text(&kept, shared->name))
            cluster_shared_unref(shared);
    map_free(&engine->shared);
    engine->shared = kept;
}

static struct cluster_shared *add(struct engine *engine, const char *name)
{
    struct cluster_shared *shared = cluster_shared_new(name);

    if (!shared)
        return NULL;
    if (engine->shared.count >= SHARED_KEPT && engine->shared.count >= engine->shared_most) {
        forget_unused(engine);
        engine->shared_most = 2 * engine->shared.count;
    }
    if (put(&engine->shared, shared))
        return shared;
    cluster_shared_unref(shared);
    return NULL;
}

struct cluster_shared *engine_shared(struct engine *engine, const char *name)
{
    struct cluster_shared *shared;

    pthread_mutex_lock(&engine->lock);
    shared = map_get_text(&engine->shared, name);
    if (!shared)
        shared = add(engine, name);
    if (shared)
        cluster_shared_ref(shared);
    pthread_mutex_unlock(&engine->lock);
    return shared;
}

struct cluster_shared *engine_shared_known(struct engine *engine, const char *name)
{
    struct cluster_shared *shared;

    pthread_mutex_lock(&engine->lock);
    shared = map_get_text(&engine->shared, name);
    if (shared)
        cluster_shared_ref(shared);
    pthread_mutex_unlock(&engine->lock);
    return shared;
}

void engine_shared_free(struct engine *engine)
{
    struct cluster_shared *shared;
    size_t at = 0;

    while ((shared = map_next(&engine->shared, &at)))
        cluster_shared_unref(shared);
    map_free(&engine->shared);
}
