/* SPDX-License-Identifier: Apache-2.0 */
/* A hash map from names to pointers: open addressing, keys borrowed from the values they lead to. Zeroed is empty. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* XXH3, seeded once per process, so that strangers' names cannot be made to collide. Never for what others must agree on. */
uint64_t hash_bytes(const void *bytes, size_t len);

struct map_slot {
    uint64_t hash;
    const char *key; /* NULL: free */
    size_t key_len;
    void *value;
};

struct map {
    struct map_slot *slots;
    size_t mask; /* slots - 1, a power of two */
    size_t count;
};

void *map_get(const struct map *map, const char *key, size_t key_len);
void *map_get_text(const struct map *map, const char *key);
/* Adds or replaces. `key` stays borrowed until it is removed. False: out of memory, nothing changed. */
bool map_put(struct map *map, const char *key, size_t key_len, void *value);
/* Returns the value that was there, or NULL. */
void *map_remove(struct map *map, const char *key, size_t key_len);
/* Walks all values: *at begins with 0. Returns NULL at the end. The map may not change meanwhile. */
void *map_next(const struct map *map, size_t *at);
void map_free(struct map *map);

#endif
