/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC's metadata: names and values that applications put into headers. The value of a name that ends in "-bin" is any bytes,
 * which travel as base64; every other value is printable ASCII. Pure. */
#ifndef GRPC_METADATA_H
#define GRPC_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

#include <mesh/request.h> /* struct mesh_header */

struct grpc_metadata {
    const char *name;  /* [0-9a-z_.-]+ */
    const void *value; /* may be NULL with len 0 */
    size_t len;
};

/* Peers take header lists of 8 KiB for sure; each entry counts as in HTTP/2: name, value and 32. */
enum { GRPC_METADATA_MOST = 8 << 10 };

/* 0; MESH_ERR_INVALID: a name or value that must not be, _TOO_LARGE: all of them are more than GRPC_METADATA_MOST. */
int32_t grpc_metadata_check(const struct grpc_metadata *entries, size_t n, struct fault *fault);

/* Headers of a call: those that it sets itself, and after them metadata that has been checked. Zeroed is empty. */
struct grpc_headers {
    struct mesh_header *headers; /* names, and the values of the call's own, are borrowed */
    size_t n;
    struct buf text;
};

/* MESH_ERR_NOMEM leaves nothing to free. */
int32_t grpc_headers_make(struct grpc_headers *headers, const struct mesh_header *own, size_t n_own,
                          const struct grpc_metadata *entries, size_t n);
void grpc_headers_free(struct grpc_headers *headers);

/* Whether a header that has come is metadata, not HTTP's or gRPC's own. */
bool grpc_metadata_is(const char *name, size_t len);
bool grpc_metadata_is_binary(const char *name, size_t len);

/* The values of a "-bin" header that has come: several of one name may have been joined with commas. Takes the next from
 * the front of *text; false: none is left. What is no base64 comes as NULL. The bytes lie in `room`, until the next call. */
bool grpc_metadata_next(const char **text, size_t *text_len, struct buf *room, const uint8_t **bytes, size_t *len);

#endif
