/* SPDX-License-Identifier: Apache-2.0 */
/* The time that is left, as headers: what the application's say, and what each attempt tells the callee. Pure. */
#ifndef REQUEST_DEADLINE_H
#define REQUEST_DEADLINE_H

#include "base/base.h"
#include "model/model.h"

#include <mesh/request.h> /* struct mesh_header */

enum { DEADLINE_HEADERS = 3 };

#define DEADLINE_NONE UINT64_MAX

/* What the application's own headers say. Zeroed: nothing. */
struct deadline_asked {
    uint32_t found;                /* DEADLINE_*: it has such a header */
    bool is_grpc;                  /* by its content-type */
    uint64_t us[DEADLINE_HEADERS]; /* of those found; DEADLINE_NONE when unreadable */
};

/* Takes note of one of the application's headers. */
void deadline_read(struct deadline_asked *asked, const struct mesh_header *header);
/* What they leave to the request itself, from its beginning; DEADLINE_NONE: any time. `which`: policy.deadline_headers. */
uint64_t deadline_limit_us(const struct deadline_asked *asked, uint32_t which);
/* A gRPC call's own timeout, at least 1; DEADLINE_NONE: it is none, or has none. */
uint64_t deadline_grpc_us(const struct deadline_asked *asked);

/* An attempt's times. */
struct deadline_times {
    uint64_t elapsed_us; /* since the request began */
    uint64_t left_us;    /* to the request; DEADLINE_NONE: no limit */
    uint64_t try_us;     /* to the attempt; DEADLINE_NONE: no limit of its own */
};

/* Headers for one attempt; they point into it. */
struct deadline_lines {
    struct mesh_header headers[DEADLINE_HEADERS];
    size_t n;
    uint32_t which; /* DEADLINE_*: those that are there; they replace the application's */
    char text[DEADLINE_HEADERS][TEXT_U64 + 1];
};

/* None says a later time than the application's header of that name. */
void deadline_write(struct deadline_lines *lines, const struct deadline_asked *asked, uint32_t which,
                    const struct deadline_times *times);

#endif
