/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of items in somebody's array, found by the items' hash: eight bytes a slot, nothing else. Zeroed is empty. */
#ifndef BASE_LOOKUP_H
#define BASE_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lookup_slot {
    uint32_t hash;
    uint32_t number_plus_1; /* 0: free */
};

struct lookup {
    struct lookup_slot *slots;
    size_t mask; /* slots - 1, a power of two */
    size_t count;
};

#define LOOKUP_NONE UINT32_MAX

/* The number with this hash for which `is` says yes; LOOKUP_NONE: there is none. */
uint32_t lookup_find(const struct lookup *lookup, uint64_t hash, bool (*is)(const void *user, uint32_t number),
                     const void *user);
/* `number` is below UINT32_MAX. Nothing is replaced. False: out of memory, nothing changed. */
bool lookup_add(struct lookup *lookup, uint64_t hash, uint32_t number);
/* Room for so many at once, where that is known. False: out of memory. */
bool lookup_reserve(struct lookup *lookup, size_t count);
void lookup_free(struct lookup *lookup);

#endif
