/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 (RFC 4648 section 4), as gRPC carries bytes in headers: written without padding, read with and without. Pure. */
#ifndef GRPC_BASE64_H
#define GRPC_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/base.h"

/* Appends; false: out of memory. */
bool grpc_base64_write(struct buf *out, const void *bytes, size_t len);
/* How many bytes the text stands for; SIZE_MAX: it is no base64. */
size_t grpc_base64_size(const char *text, size_t len);
/* Writes grpc_base64_size() bytes, which is not SIZE_MAX. */
void grpc_base64_read(const char *text, size_t len, uint8_t *out);

#endif
