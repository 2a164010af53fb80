/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded store of finished lines in front of a target: two halves, one that makers fill and one that is written out. */
#ifndef OBSERVE_SINK_H
#define OBSERVE_SINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "observe/target.h"

enum { SINK_HALF = 1024 * 1024 };

/* Bytes start to end wait. The memory is taken whole at first use, so that a fork never sees it half grown. */
struct sink_half {
    char *bytes;
    size_t start, end;
};

/* Rules. The owner's lock guards `front`. `back`, `target` and the marks belong to whoever writes out: the writer thread
 * while it runs, else the maker that holds the lock. Counters are atomic. */
struct sink {
    const char *name; /* of its configuration key */
    struct target target;
    struct sink_half front, back;
    bool mid_line;    /* the last byte written was not a line's end */
    bool torn;        /* and the rest of that line was dropped */
    bool failing;     /* the last write failed for another reason than being full */
    atomic_int cause; /* errno of the last loss */
    _Atomic uint64_t dropped;
    uint64_t told;    /* of `dropped`, in an event */
    uint64_t told_us; /* when */
    bool told_failing;
};

bool sink_is_empty(const struct sink *sink);
/* Adds a line that ends with a newline, or counts it as dropped. */
void sink_add(struct sink *sink, const char *line, size_t len);
/* Moves what makers have added to the half that is written out, once that is empty. */
void sink_turn(struct sink *sink);
/* Writes out what goes without waiting. False: the target is full, try again when it takes bytes. What cannot be written
 * for any other reason is dropped and counted. SIGPIPE must be blocked. */
bool sink_write(struct sink *sink, uint64_t now_us);
/* Forgets what waits; for a forked child, whose parent writes it. */
void sink_forget(struct sink *sink);
void sink_close(struct sink *sink);

#endif
