/* SPDX-License-Identifier: Apache-2.0 */
/* Linear probing with backward-shift deletion; grows at three quarters full. */
#include "base/map.h"

#include <pthread.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/mem.h"
#include "base/rand.h"

enum { SMALLEST = 8 };

static uint64_t seed;
static pthread_once_t seeded = PTHREAD_ONCE_INIT;

static void make_seed(void)
{
    struct rand r;

    rand_seed(&r);
    seed = rand_u64(&r);
}

uint64_t hash_bytes(const void *bytes, size_t len)
{
    pthread_once(&seeded, make_seed);
    return XXH3_64bits_withSeed(bytes, len, seed);
}

static struct map_slot *find(const struct map *map, uint64_t hash, const char *key, size_t key_len)
{
    for (size_t i = hash & map->mask;; i = (i + 1) & map->mask) {
        struct map_slot *slot = &map->slots[i];

        if (!slot->key)
            return slot;
        if (slot->hash == hash && slot->key_len == key_len && memcmp(slot->key, key, key_len) == 0)
            return slot;
    }
}

static bool grow(struct map *map)
{
    size_t n = map->slots ? (map->mask + 1) * 2 : SMALLEST;
    struct map bigger = { .slots = mem_array(n, sizeof *map->slots), .mask = n - 1, .count = map->count };

    if (!bigger.slots)
        return false;
    for (size_t i = 0; map->slots && i <= map->mask; i++) {
        struct map_slot *slot = &map->slots[i];

        if (slot->key)
            *find(&bigger, slot->hash, slot->key, slot->key_len) = *slot;
    }
    mem_free(map->slots);
    *map = bigger;
    return true;
}

void *map_get(const struct map *map, const char *key, size_t key_len)
{
    struct map_slot *slot;

    if (map->count == 0)
        return NULL;
    slot = find(map, hash_bytes(key, key_len), key, key_len);
    return slot->key ? slot->value : NULL;
}

void *map_get_text(const struct map *map, const char *key)
{
    return map_get(map, key, strlen(key));
}

bool map_put(struct map *map, const char *key, size_t key_len, void *value)
{
    uint64_t hash = hash_bytes(key, key_len);
    struct map_slot *slot;

    if ((!map->slots || (map->count + 1) * 4 > (map->mask + 1) * 3) && !grow(map))
        return false;
    slot = find(map, hash, key, key_len);
    map->count += slot->key == NULL;
    *slot = (struct map_slot){ .hash = hash, .key = key, .key_len = key_len, .value = value };
    return true;
}

/* Slots after the hole move back while that brings them nearer to where their hash points. */
static void close_hole(struct map *map, size_t hole)
{
    for (size_t i = (hole + 1) & map->mask; map->slots[i].key; i = (i + 1) & map->mask) {
        size_t home = map->slots[i].hash & map->mask;

        if (((i - home) & map->mask) < ((i - hole) & map->mask))
            continue;
        map->slots[hole] = map->slots[i];
        hole = i;
    }
    map->slots[hole] = (struct map_slot){ 0 };
}

void *map_remove(struct map *map, const char *key, size_t key_len)
{
    struct map_slot *slot;
    void *value;

    if (map->count == 0)
        return NULL;
    slot = find(map, hash_bytes(key, key_len), key, key_len);
    if (!slot->key)
        return NULL;
    value = slot->value;
    map->count--;
    close_hole(map, (size_t) (slot - map->slots));
    return value;
}

void *map_next(const struct map *map, size_t *at)
{
    while (map->slots && *at <= map->mask) {
        struct map_slot *slot = &map->slots[(*at)++];

        if (slot->key)
            return slot->value;
    }
    return NULL;
}

void map_free(struct map *map)
{
    mem_free(map->slots);
    *map = (struct map){ 0 };
}
