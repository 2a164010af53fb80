/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps one event that happens a thousand times a second from drowning the others. Pure: time is an argument. */
#ifndef OBSERVE_LIMIT_H
#define OBSERVE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* So many lines of one event at once, and so many a second from then on. */
enum { LIMIT_BURST = 50, LIMIT_PER_SECOND = 5 };
/* Distinct names that are told apart; further ones share the last place. */
enum { LIMIT_NAMES = 64, LIMIT_NAME_ROOM = 48 };

struct limit_entry {
    char name[LIMIT_NAME_ROOM]; /* "": free */
    uint64_t full_us;           /* when the whole burst is there again */
    uint64_t suppressed;        /* since the last line */
};

/* Zeroed is fresh. */
struct limit {
    struct limit_entry entries[LIMIT_NAMES];
};

/* Whether a line of this event may be written; then *suppressed gets how many were not since the last one. */
bool limit_allows(struct limit *limit, const char *name, uint64_t now_us, uint64_t *suppressed);

#endif
