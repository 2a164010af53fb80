/* SPDX-License-Identifier: Apache-2.0 */
/* Inflating a message of gzip, up to a limit. Pure. */
#ifndef GRPC_INFLATE_H
#define GRPC_INFLATE_H

#include "base/base.h"

/* Appends to `out`. MESH_ERR_TOO_LARGE: more than `most` bytes; _PROTOCOL: it is not gzip, cut off, or followed by something;
 * _NOMEM. */
int32_t grpc_inflate(const uint8_t *bytes, size_t len, size_t most, struct buf *out);

#endif
