/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of the file of resources, and writing it so that it is never half there. */
#include "source/xds/cache_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char magic[] = "libmesh-xds\n";

enum {
    MAGIC = sizeof magic - 1,
    HEAD = MAGIC + sizeof(uint32_t) + sizeof(uint64_t),
    TAIL = sizeof(uint64_t), /* the checksum */
    PATH_MOST = 4096,
};

/* ---- numbers ---- */

static void put(uint8_t *at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t) (value >> 8 * i);
}

static uint64_t get(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t) at[i] << 8 * i;
    return value;
}

static bool append_number(struct buf *out, uint64_t value, size_t bytes)
{
    uint8_t raw[sizeof value];

    put(raw, value, bytes);
    return buf_append(out, raw, bytes);
}

/* ---- writing ---- */

bool cache_file_begin(struct buf *out)
{
    return buf_append(out, magic, MAGIC) && append_number(out, CACHE_FORMAT, sizeof(uint32_t)) &&
           append_number(out, 0, sizeof(uint64_t));
}

static bool append_bytes(struct buf *out, const void *bytes, size_t len)
{
    return append_number(out, len, sizeof(uint32_t)) && buf_append(out, bytes, len);
}

bool cache_file_add(struct buf *out, const struct cache_record *record)
{
    return append_number(out, record->type, 1) && append_number(out, record->confirmed_wall_ms, sizeof(uint64_t)) &&
           append_bytes(out, record->name, record->name_len) &&
           append_bytes(out, record->version, record->version_len) && append_bytes(out, record->bytes, record->len);
}

bool cache_file_end(struct buf *out, uint64_t n_records)
{
    uint8_t *bytes = out->data + out->start;

    put(bytes + MAGIC + sizeof(uint32_t), n_records, sizeof n_records);
    return append_number(out, xxh64(bytes, buf_len(out), 0), TAIL);
}

/* ---- reading ---- */

int32_t cache_file_check(const uint8_t *bytes, size_t len, size_t *at, uint64_t *n_records, struct fault *fault)
{
    uint64_t format;

    if (len < HEAD + TAIL || memcmp(bytes, magic, MAGIC) != 0)
        return fault_set(fault, MESH_ERR_PROTOCOL, "it does not begin as such a file does");
    format = get(bytes + MAGIC, sizeof(uint32_t));
    if (format != CACHE_FORMAT)
        return fault_set(fault, MESH_ERR_PROTOCOL, "it has format %" PRIu64 ", and this version of libmesh reads %d",
                         format, CACHE_FORMAT);
    if (xxh64(bytes, len - TAIL, 0) != get(bytes + len - TAIL, TAIL))
        return fault_set(fault, MESH_ERR_PROTOCOL, "its checksum is wrong: it is damaged or not whole");
    *n_records = get(bytes + MAGIC + sizeof(uint32_t), sizeof(uint64_t));
    *at = HEAD;
    return 0;
}

static bool next_bytes(const uint8_t *bytes, size_t end, size_t *at, const uint8_t **out, size_t *out_len)
{
    if (end - *at < sizeof(uint32_t))
        return false;
    *out_len = get(bytes + *at, sizeof(uint32_t));
    *at += sizeof(uint32_t);
    if (end - *at < *out_len)
        return false;
    *out = bytes + *at;
    *at += *out_len;
    return true;
}

bool cache_file_next(const uint8_t *bytes, size_t len, size_t *at, struct cache_record *out)
{
    size_t end = len - TAIL;
    const uint8_t *name, *version;

    if (end - *at < 1 + sizeof(uint64_t) || bytes[*at] >= XDS_TYPES)
        return false;
    out->type = (enum xds_type) bytes[*at];
    out->confirmed_wall_ms = get(bytes + *at + 1, sizeof(uint64_t));
    *at += 1 + sizeof(uint64_t);
    if (!next_bytes(bytes, end, at, &name, &out->name_len) ||
        !next_bytes(bytes, end, at, &version, &out->version_len) || !next_bytes(bytes, end, at, &out->bytes, &out->len))
        return false;
    out->name = (const char *) name;
    out->version = (const char *) version;
    return true;
}

/* ---- on the disk ---- */

static int32_t io_fault(struct fault *fault, const char *what, const char *path)
{
    char why[FAULT_TEXT];

    return fault_set(fault, MESH_ERR_IO, "%s %.150s: %.120s", what, path, fault_errno(errno, why));
}

static int32_t write_all(int fd, const char *path, const uint8_t *bytes, size_t len, struct fault *fault)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return io_fault(fault, "cannot write", path);
        bytes += n;
        len -= (size_t) n;
    }
    return fsync(fd) == 0 ? 0 : io_fault(fault, "cannot flush", path);
}

static int32_t write_beside(const char *beside, const uint8_t *bytes, size_t len, struct fault *fault)
{
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int32_t err;

    if (fd < 0)
        return io_fault(fault, "cannot create", beside);
    err = write_all(fd, beside, bytes, len, fault);
    if (close(fd) != 0 && !err)
        err = io_fault(fault, "cannot close", beside);
    return err;
}

/* The rename outlives a crash only once its folder is flushed, too; where that cannot be done, the old file may be found. */
static void flush_folder(const char *path)
{
    char folder[PATH_MOST];
    char *slash;
    int fd;

    text_copy(folder, sizeof folder, path);
    slash = strrchr(folder, '/');
    if (!slash)
        return;
    slash[slash == folder] = '\0';
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

int32_t cache_file_write(const char *path, const char *before, const uint8_t *bytes, size_t len, struct fault *fault)
{
    char beside[PATH_MOST];
    int n = snprintf(beside, sizeof beside, "%s.%ld.tmp", path, (long) getpid());
    int32_t err;

    if (n < 0 || (size_t) n >= sizeof beside)
        return fault_set(fault, MESH_ERR_IO, "the path %.150s... is too long", path);
    err = write_beside(beside, bytes, len, fault);
    if (!err && before)
        (void) rename(path, before); /* the first time there is none */
    if (!err && rename(beside, path) != 0)
        err = io_fault(fault, "cannot rename to", path);
    if (err)
        (void) unlink(beside);
    else
        flush_folder(path);
    return err;
}
