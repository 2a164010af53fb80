/* SPDX-License-Identifier: Apache-2.0 */
/* A file's whole text. Private to source/. */
#ifndef SOURCE_FILE_READ_H
#define SOURCE_FILE_READ_H

#include "base/base.h"

/* Ends with a NUL, the only one; `what` begins sentences: "configuration file". MESH_ERR_IO; MESH_ERR_INVALID: larger than `largest`
 * bytes, or no text; MESH_ERR_NOMEM. */
int32_t file_read(const char *what, const char *path, size_t largest, struct buf *out, struct fault *fault);

#endif
