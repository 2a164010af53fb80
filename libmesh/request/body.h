/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a request: in memory as a whole, or written piece by piece and kept for another attempt while it fits. */
#ifndef REQUEST_BODY_H
#define REQUEST_BODY_H

#include "base/base.h"

enum { BODY_KEPT = 64 << 10 }; /* bytes of a written body: unsent ones at most, and kept ones for a retry */

struct body {
    const uint8_t *bytes; /* in memory: all of it, borrowed */
    size_t len;
    bool is_stream;
    struct buf written; /* stream: what is kept */
    size_t dropped;     /* stream: bytes sent and not kept any more */
    size_t sent;        /* by the attempt that runs, from the beginning */
    bool finished;      /* stream: no more will be written */
};

static inline bool body_is_empty(const struct body *body)
{
    return !body->is_stream && body->len == 0;
}

/* -1: not known yet. */
int64_t body_length(const struct body *body);
/* Next bytes for the wire. 0 without *eof: none now. */
size_t body_read(struct body *body, uint8_t *out, size_t cap, bool *eof);
/* Takes as much as fits; false: out of memory. Stream only. */
bool body_write(struct body *body, const uint8_t *bytes, size_t len, size_t *taken);
bool body_has_room(const struct body *body);
/* Another attempt can begin at the first byte. */
bool body_is_replayable(const struct body *body);
void body_rewind(struct body *body);
void body_free(struct body *body);

#endif
