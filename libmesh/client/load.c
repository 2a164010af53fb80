/* SPDX-License-Identifier: Apache-2.0 */
/* What control planes are told of the load: the figures of all loops, from the clusters to the source. */
#include "client/client.h"

struct telling {
    const struct source_load_listener *listener;
};

static struct source_load_place place_of(const struct load_place *place)
{
    return (struct source_load_place){ place->cluster, place->region, place->zone, place->sub_zone, place->priority };
}

static struct source_load_figures figures_of(const struct load_figures *figures)
{
    return (struct source_load_figures){ figures->issued, figures->succeeded, figures->failed, figures->active };
}

static void on_endpoint(void *user, const struct load_place *place, const char *address,
                        const struct load_figures *figures)
{
    const struct telling *telling = user;
    struct source_load_place at = place_of(place);
    struct source_load_figures what = figures_of(figures);

    telling->listener->on_endpoint(telling->listener->user, &at, address, &what);
}

static void on_place(void *user, const struct load_place *place, const struct load_figures *figures)
{
    const struct telling *telling = user;
    struct source_load_place at = place_of(place);
    struct source_load_figures what = figures_of(figures);

    telling->listener->on_place(telling->listener->user, &at, &what);
}

static void on_drop(void *user, const char *category, uint64_t n)
{
    const struct telling *telling = user;

    telling->listener->on_drop(telling->listener->user, category, n);
}

/* The lock of the engine is not held while the cluster's is: whoever has been found stays by its reference. */
void engine_take_load(void *user, const char *cluster, const struct source_load_listener *listener)
{
    struct engine *engine = user;
    struct telling telling = { listener };
    struct load_listener to = { on_endpoint, on_place, on_drop, &telling };
    struct cluster_shared *shared = engine_shared_known(engine, cluster);

    if (!shared)
        return;
    load_take(shared, &to);
    cluster_shared_unref(shared);
}
