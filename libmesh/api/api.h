/* SPDX-License-Identifier: Apache-2.0 */
/* The door of api/: public arguments checked and brought into the library's own form. No logic beyond that. */
#ifndef API_API_H
#define API_API_H

#include "client/client.h"

#include <mesh/mesh.h>

/* = struct conf; the public name of the same thing. */
static inline struct conf *api_conf(const struct mesh_conf *conf)
{
    return (struct conf *) (uintptr_t) conf;
}

/* Brings a caller's sized struct, of an older or newer header, into ours. `least` is where the first version's required part
 * ended, bytes. MESH_ERR_INVALID: its size says that it was not set; MESH_ERR_TOO_NEW: a field beyond our knowledge is set. */
int32_t api_import(void *ours, size_t our_size, const void *theirs, size_t least, struct fault *fault);

/* A checked request: what the public options say, as the request layer wants it. */
struct api_request {
    struct request_ask ask;
    struct body body;
    uint32_t flags;
    struct mesh_header *headers; /* when a "host" had to be taken out: to be freed */
};

enum {
    API_FLAGS_QUEUED = MESH_REQ_HAS_HASH_KEY | MESH_REQ_IDEMPOTENT | MESH_REQ_EXPLAIN,
    API_FLAGS_WAITING = API_FLAGS_QUEUED | MESH_REQ_INTERRUPTIBLE,
};

/* MESH_ERR_INVALID, MESH_ERR_TOO_NEW, MESH_ERR_NOMEM with a sentence that names the field. Strings stay the caller's. */
int32_t api_read_request(const struct mesh_request_opts *theirs, uint32_t allowed_flags, struct api_request *out,
                         struct fault *fault);
void api_request_clear(struct api_request *request);
/* For calls whose outcome comes later: the client, referenced, and the request. */
int32_t api_begin_queued(struct mesh_client *given, const struct mesh_request_opts *opts,
                         const struct mesh_queue *queue, struct api_request *out, struct mesh_client **client);
/* A relative timeout as the loop's absolute time; MESH_FOREVER is none. */
uint64_t api_until_us(uint32_t timeout_ms);

#endif
