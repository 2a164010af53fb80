/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing with linear probing; at most three slots of four are taken. */
#include "base/lookup.h"

#include "base/mem.h"

enum { FIRST_SLOTS = 16 };

/* The low bits say where it stands, so others are kept. */
static uint32_t kept_part(uint64_t hash)
{
    return (uint32_t) (hash >> 32) ^ (uint32_t) hash;
}

uint32_t lookup_find(const struct lookup *lookup, uint64_t hash, bool (*is)(const void *user, uint32_t number),
                     const void *user)
{
    uint32_t part = kept_part(hash);

    if (lookup->count == 0)
        return LOOKUP_NONE;
    for (size_t at = part & lookup->mask; lookup->slots[at].number_plus_1 != 0; at = (at + 1) & lookup->mask) {
        const struct lookup_slot *slot = &lookup->slots[at];

        if (slot->hash == part && is(user, slot->number_plus_1 - 1))
            return slot->number_plus_1 - 1;
    }
    return LOOKUP_NONE;
}

static void put(struct lookup_slot *slots, size_t mask, struct lookup_slot slot)
{
    size_t at = slot.hash & mask;

    while (slots[at].number_plus_1 != 0)
        at = (at + 1) & mask;
    slots[at] = slot;
}

static bool resize(struct lookup *lookup, size_t n_slots)
{
    struct lookup_slot *slots = mem_array(n_slots, sizeof *slots);

    if (!slots)
        return false;
    for (size_t i = 0; lookup->slots && i <= lookup->mask; i++)
        if (lookup->slots[i].number_plus_1 != 0)
            put(slots, n_slots - 1, lookup->slots[i]);
    mem_free(lookup->slots);
    lookup->slots = slots;
    lookup->mask = n_slots - 1;
    return true;
}

bool lookup_reserve(struct lookup *lookup, size_t count)
{
    size_t n_slots = lookup->slots ? lookup->mask + 1 : FIRST_SLOTS;

    while (n_slots - n_slots / 4 < count)
        n_slots *= 2;
    return (lookup->slots && n_slots == lookup->mask + 1) || resize(lookup, n_slots);
}

bool lookup_add(struct lookup *lookup, uint64_t hash, uint32_t number)
{
    if (!lookup_reserve(lookup, lookup->count + 1))
        return false;
    put(lookup->slots, lookup->mask, (struct lookup_slot){ kept_part(hash), number + 1 });
    lookup->count++;
    return true;
}

void lookup_free(struct lookup *lookup)
{
    mem_free(lookup->slots);
    *lookup = (struct lookup){ 0 };
}
