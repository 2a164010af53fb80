/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of attempts added up by locality, and drops by category. */
#include "cluster/load.h"

#include <string.h>

#include "cluster/cluster.h"

/* A control plane has a handful of categories; one that always has new ones is not followed. */
enum { MILLION = 1000000, MOST_CATEGORIES = 256 };

struct load_category {
    struct list link; /* in cluster_shared.categories */
    uint64_t n, told;
    char name[];
};

/* ---- what an endpoint has that was not reported yet ---- */

static struct load_figures totals_of(const struct endpoint_stats *stats)
{
    return (struct load_figures){
        .issued = atomic_load_explicit(&stats->attempts, memory_order_relaxed),
        .succeeded = atomic_load_explicit(&stats->successes, memory_order_relaxed),
        .failed = atomic_load_explicit(&stats->failures, memory_order_relaxed),
        .active = atomic_load_explicit(&stats->balance.active, memory_order_relaxed),
    };
}

static struct load_figures take_news(struct endpoint_stats *stats)
{
    struct load_figures now = totals_of(stats), *told = &stats->told;
    struct load_figures news = { now.issued - told->issued, now.succeeded - told->succeeded, now.failed - told->failed,
                                 now.active };

    *told = now;
    return news;
}

static void add(struct load_figures *sum, const struct load_figures *more)
{
    sum->issued += more->issued;
    sum->succeeded += more->succeeded;
    sum->failed += more->failed;
    sum->active += more->active;
}

static bool is_nothing(const struct load_figures *figures)
{
    return figures->issued == 0 && figures->succeeded == 0 && figures->failed == 0 && figures->active == 0;
}

/* ---- places ---- */

static bool is_place(const struct load_place *known, const struct model_locality *place, const char *origin)
{
    return known->priority == place->priority && strcmp(known->zone, place->zone) == 0 &&
           strcmp(known->region, place->region) == 0 && strcmp(known->sub_zone, place->sub_zone) == 0 &&
           strcmp(known->cluster, origin) == 0;
}

static char *put_text(char *at, const char *text, const char **where)
{
    size_t size = strlen(text) + 1;

    *where = memcpy(at, text, size);
    return at + size;
}

static struct load_place *place_new(struct cluster_shared *shared, const struct model_locality *from,
                                    const char *origin)
{
    size_t size = strlen(from->region) + strlen(from->zone) + strlen(from->sub_zone) + strlen(origin) + 4;
    struct load_place *place = mem_zalloc(sizeof *place + size);
    char *at;

    if (!place)
        return NULL;
    at = put_text(place->texts, from->region, &place->region);
    at = put_text(at, from->zone, &place->zone);
    at = put_text(at, from->sub_zone, &place->sub_zone);
    put_text(at, origin, &place->cluster);
    place->priority = from->priority;
    list_push_back(&shared->places, &place->link);
    return place;
}

/* The newest first: endpoints of one locality stand together. */
static struct load_place *find_place(struct cluster_shared *shared, const struct model_locality *wanted,
                                     const char *origin)
{
    if (shared->last_place && is_place(shared->last_place, wanted, origin))
        return shared->last_place;
    LIST_EACH(link, &shared->places) {
        struct load_place *place = CONTAINER_OF(link, struct load_place, link);

        if (is_place(place, wanted, origin))
            return place;
    }
    return place_new(shared, wanted, origin);
}

static void place_free(struct cluster_shared *shared, struct load_place *place)
{
    if (shared->last_place == place)
        shared->last_place = NULL;
    list_remove(&place->link);
    mem_free(place);
}

/* A place that nobody is in is kept until it was reported, if somebody does. */
void load_forget_endpoint(struct cluster_shared *shared, struct endpoint_stats *stats)
{
    struct load_place *place = stats->place;
    struct load_figures news = take_news(stats);

    stats->place = NULL;
    if (!place)
        return;
    news.active = 0;
    add(&place->left, &news);
    place->refs--;
    if (place->refs == 0 && !shared->load_is_wanted)
        place_free(shared, place);
}

void load_place_endpoint(struct cluster_shared *shared, struct endpoint_stats *stats,
                         const struct model_locality *place, const char *origin)
{
    struct load_place *found;

    pthread_mutex_lock(&shared->lock);
    found = stats->place;
    if (!found || !is_place(found, place, origin)) {
        found = find_place(shared, place, origin);
        shared->last_place = found;
        if (found)
            found->refs++;
        load_forget_endpoint(shared, stats);
        stats->place = found;
    }
    pthread_mutex_unlock(&shared->lock);
}

/* ---- drops ---- */

static struct load_category *find_category(const struct cluster_shared *shared, const char *name)
{
    LIST_EACH(link, &shared->categories) {
        struct load_category *category = CONTAINER_OF(link, struct load_category, link);

        if (strcmp(category->name, name) == 0)
            return category;
    }
    return NULL;
}

static struct load_category *category_new(struct cluster_shared *shared, const char *name)
{
    size_t size = strlen(name) + 1;
    struct load_category *category =
        shared->n_categories < MOST_CATEGORIES ? mem_zalloc(sizeof *category + size) : NULL;

    if (!category)
        return NULL;
    shared->n_categories++;
    memcpy(category->name, name, size);
    list_push_back(&shared->categories, &category->link);
    return category;
}

static void count_drop(struct cluster_shared *shared, const char *name)
{
    struct load_category *category;

    pthread_mutex_lock(&shared->lock);
    category = find_category(shared, name);
    category = category ? category : category_new(shared, name);
    if (category)
        category->n++;
    pthread_mutex_unlock(&shared->lock);
}

uint64_t load_dropped(struct cluster_shared *shared, const char *category)
{
    const struct load_category *found;
    uint64_t n;

    pthread_mutex_lock(&shared->lock);
    found = find_category(shared, category);
    n = found ? found->n : 0;
    pthread_mutex_unlock(&shared->lock);
    return n;
}

const struct model_drop *load_drop(struct cluster *cluster, uint16_t origin)
{
    const struct model_endpoints *set = cluster->set;

    for (size_t i = 0; i < set->n_drops; i++) {
        const struct model_drop *drop = &set->drops[i];

        if (drop->origin != origin || rand_below(loop_rand(cluster->env.loop), MILLION) >= drop->per_million)
            continue;
        count_drop(cluster->shared, drop->category);
        return drop;
    }
    return NULL;
}

/* ---- reporting ---- */

static void tell_endpoints(struct cluster_shared *shared, const struct load_listener *listener)
{
    struct endpoint_stats *stats;
    size_t at = 0;

    while ((stats = map_next(&shared->stats, &at))) {
        struct load_figures news;

        if (!stats->place)
            continue;
        news = take_news(stats);
        add(&stats->place->adding, &news);
        if (listener->on_endpoint && !is_nothing(&news))
            listener->on_endpoint(listener->user, stats->place, stats->address, &news);
    }
}

static void tell_places(struct cluster_shared *shared, const struct load_listener *listener)
{
    LIST_EACH_SAFE(link, next, &shared->places) {
        struct load_place *place = CONTAINER_OF(link, struct load_place, link);
        struct load_figures sum = place->left;

        add(&sum, &place->adding);
        if (!is_nothing(&sum))
            listener->on_place(listener->user, place, &sum);
        place->left = place->adding = (struct load_figures){ 0 };
        if (place->refs == 0)
            place_free(shared, place);
    }
}

static void tell_drops(struct cluster_shared *shared, const struct load_listener *listener)
{
    const struct admission_shared *admission = &shared->admission;
    uint64_t refused =
        atomic_load(&admission->refused[REFUSED_BY_REQUESTS]) + atomic_load(&admission->refused[REFUSED_BY_PENDING]);

    LIST_EACH(link, &shared->categories) {
        struct load_category *category = CONTAINER_OF(link, struct load_category, link);

        if (category->n > category->told)
            listener->on_drop(listener->user, category->name, category->n - category->told);
        category->told = category->n;
    }
    if (refused > shared->refused_told)
        listener->on_drop(listener->user, NULL, refused - shared->refused_told);
    shared->refused_told = refused;
}

void load_take(struct cluster_shared *shared, const struct load_listener *listener)
{
    pthread_mutex_lock(&shared->lock);
    shared->load_is_wanted = true;
    tell_endpoints(shared, listener);
    tell_places(shared, listener);
    tell_drops(shared, listener);
    pthread_mutex_unlock(&shared->lock);
}

void load_free(struct cluster_shared *shared)
{
    LIST_EACH_SAFE(link, next, &shared->places) {
        place_free(shared, CONTAINER_OF(link, struct load_place, link));
    }
    LIST_EACH_SAFE(link, next, &shared->categories) {
        struct load_category *category = CONTAINER_OF(link, struct load_category, link);

        list_remove(link);
        mem_free(category);
    }
}
