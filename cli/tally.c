/* SPDX-License-Identifier: Apache-2.0 */
/* Counting names: open addressing over copies of them. */
#include "cli/tally.h"

#include <stdlib.h>
#include <string.h>

#include "cli/output.h"

static uint64_t hash_of(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */

    for (; *name; name++)
        hash = (hash ^ (unsigned char) *name) * 0x100000001b3;
    return hash;
}

/* The name's entry, or the free one where it belongs. */
static struct tally_entry *find(const struct tally *tally, const char *name)
{
    size_t at = hash_of(name) & (tally->room - 1);

    while (tally->entries[at].name && strcmp(tally->entries[at].name, name) != 0)
        at = (at + 1) & (tally->room - 1);
    return &tally->entries[at];
}

static void grow(struct tally *tally)
{
    struct tally old = *tally;

    tally->room = old.room ? old.room * 2 : 16;
    tally->entries = must_have(calloc(tally->room, sizeof *tally->entries));
    for (size_t i = 0; i < old.room; i++)
        if (old.entries[i].name)
            *find(tally, old.entries[i].name) = old.entries[i];
    free(old.entries);
}

void tally_add(struct tally *tally, const char *name, uint64_t count)
{
    struct tally_entry *entry;

    if (tally->n >= tally->room / 4 * 3)
        grow(tally);
    entry = find(tally, name);
    if (!entry->name) {
        entry->name = must_have(strdup(name));
        tally->n++;
    }
    entry->count += count;
}

void tally_merge(struct tally *into, const struct tally *from)
{
    for (size_t i = 0; i < from->room; i++)
        if (from->entries[i].name)
            tally_add(into, from->entries[i].name, from->entries[i].count);
}

static int compare(const void *left, const void *right)
{
    const struct tally_entry *a = left, *b = right;

    if (!a->name || !b->name)
        return !a->name - !b->name;
    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    return strcmp(a->name, b->name);
}

void tally_sort(struct tally *tally)
{
    if (tally->room > 0)
        qsort(tally->entries, tally->room, sizeof *tally->entries, compare);
}

void tally_free(struct tally *tally)
{
    for (size_t i = 0; i < tally->room; i++)
        free(tally->entries[i].name);
    free(tally->entries);
    *tally = (struct tally){ 0 };
}
