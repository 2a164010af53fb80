/* SPDX-License-Identifier: Apache-2.0 */
/* How often each name came. */
#ifndef CLI_TALLY_H
#define CLI_TALLY_H

#include <stddef.h>
#include <stdint.h>

struct tally_entry {
    char *name; /* NULL: free */
    uint64_t count;
};

/* Zeroed is empty. A hash table: a benchmark asks once per call. */
struct tally {
    struct tally_entry *entries;
    size_t room, n;
};

void tally_add(struct tally *tally, const char *name, uint64_t count);
void tally_merge(struct tally *into, const struct tally *from);
/* Moves all names to the front, the most frequent first. Nothing may be added afterwards. */
void tally_sort(struct tally *tally);
void tally_free(struct tally *tally);

#endif
