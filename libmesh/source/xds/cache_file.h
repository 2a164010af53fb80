/* SPDX-License-Identifier: Apache-2.0 */
/* The file in which resources outlive the process: its bytes. Pure, but for writing a whole file.
 *
 *   "libmesh-xds\n"  format u32  records u64  |  record ...  |  XXH64 of all before
 *   record:          type u8  confirmed u64 (ms since 1970)  name, version, bytes: u32 length and so many bytes each
 *
 * Numbers are little-endian. A file of another format, cut off or damaged anywhere is not read at all. */
#ifndef SOURCE_XDS_CACHE_FILE_H
#define SOURCE_XDS_CACHE_FILE_H

#include "base/base.h"
#include "source/xds/types.h"

enum { CACHE_FORMAT = 1 };
/* Larger files are not read, nor written. */
#define CACHE_FILE_MOST (UINT64_C(1) << 30)

struct cache_record {
    enum xds_type type;
    uint64_t confirmed_wall_ms; /* when a control plane last said so */
    const char *name, *version; /* NUL-terminated only when they are to be written */
    size_t name_len, version_len;
    const uint8_t *bytes;
    size_t len;
};

/* False: out of memory. The head is written with a count of 0, which cache_file_end() corrects. */
bool cache_file_begin(struct buf *out);
bool cache_file_add(struct buf *out, const struct cache_record *record);
bool cache_file_end(struct buf *out, uint64_t n_records);

/* MESH_ERR_PROTOCOL with a sentence: it is none of ours, or damaged. Then *at is where the records begin. */
int32_t cache_file_check(const uint8_t *bytes, size_t len, size_t *at, uint64_t *n_records, struct fault *fault);
/* The next one of a checked file; points into it. False: there are no more. */
bool cache_file_next(const uint8_t *bytes, size_t len, size_t *at, struct cache_record *out);

/* Written beside, flushed to the disk, renamed: whoever reads finds the old or the new one. `before`, NULL: none, is what the old one
 * is kept as. MESH_ERR_IO with a sentence; nothing half-done stays. */
int32_t cache_file_write(const char *path, const char *before, const uint8_t *bytes, size_t len, struct fault *fault);
#endif
