/* SPDX-License-Identifier: Apache-2.0 */
/* Levels of buckets. One that is full needs no remembering: it is what a new one would be. */
#include "request/limits.h"

#include "cluster/rate_limit.h"

struct level {
    uint64_t key;
    struct rate_limit limit;
};

void limits_init(struct limits *limits)
{
    *limits = (struct limits){ .lock = PTHREAD_MUTEX_INITIALIZER };
}

void limits_free(struct limits *limits)
{
    struct level *level;
    size_t at = 0;

    while ((level = map_next(&limits->levels, &at)))
        mem_free(level);
    map_free(&limits->levels);
    pthread_mutex_destroy(&limits->lock);
}

static bool put(struct map *map, struct level *level)
{
    return map_put(map, (const char *) &level->key, sizeof level->key, level);
}

/* Without memory all of them stay. */
static void forget_full(struct limits *limits, uint64_t now_us)
{
    struct map kept = { 0 };
    struct level *level;
    size_t at = 0;

    while ((level = map_next(&limits->levels, &at)))
        if (!rate_limit_is_full(&level->limit, now_us) && !put(&kept, level)) {
            map_free(&kept);
            return;
        }
    at = 0;
    while ((level = map_next(&limits->levels, &at)))
        if (rate_limit_is_full(&level->limit, now_us))
            mem_free(level);
    map_free(&limits->levels);
    limits->levels = kept;
}

static struct level *level_of(struct limits *limits, uint64_t key, uint64_t now_us)
{
    struct level *level = map_get(&limits->levels, (const char *) &key, sizeof key);

    if (level)
        return level;
    if (limits->levels.count >= LIMITS_MOST)
        forget_full(limits, now_us);
    level = mem_zalloc(sizeof *level);
    if (!level)
        return NULL;
    level->key = key;
    if (put(&limits->levels, level))
        return level;
    mem_free(level);
    return NULL;
}

bool limits_take(struct limits *limits, const struct route_bucket *bucket, uint64_t now_us)
{
    struct level *level;
    bool taken;

    pthread_mutex_lock(&limits->lock);
    level = level_of(limits, bucket->key, now_us);
    taken = !level || rate_limit_take_of(&level->limit, bucket->most, bucket->per_fill, bucket->fill_us, now_us);
    pthread_mutex_unlock(&limits->lock);
    return taken;
}
