/* SPDX-License-Identifier: Apache-2.0 */
/* A file's whole content. Private to source/. */
#ifndef SOURCE_FILE_READ_H
#define SOURCE_FILE_READ_H

#include "base/base.h"

/* `what` begins sentences: "configuration file". MESH_ERR_IO, errno says more; MESH_ERR_INVALID: larger than `largest` bytes;
 * MESH_ERR_NOMEM. */
int32_t file_read_bytes(const char *what, const char *path, size_t largest, struct buf *out, struct fault *fault);
/* The same, text: ends with a NUL, the only one; MESH_ERR_INVALID also when it is no text. */
int32_t file_read(const char *what, const char *path, size_t largest, struct buf *out, struct fault *fault);

#endif
