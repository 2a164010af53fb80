/* SPDX-License-Identifier: Apache-2.0 */
/* A file's whole content. */
#include "source/file_read.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 16384 };

static int32_t no_memory(struct fault *fault)
{
    return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
}

static int32_t io_fault(struct fault *fault, const char *what, const char *path, int error)
{
    char why[FAULT_TEXT];

    return fault_set(fault, MESH_ERR_IO, "%s %s: %s", what, path, fault_errno(error, why));
}

static int32_t read_all(int fd, const char *what, const char *path, size_t largest, struct buf *out,
                        struct fault *fault)
{
    for (;;) {
        uint8_t *room = buf_room(out, PIECE);
        ssize_t n;

        if (!room)
            return no_memory(fault);
        n = read(fd, room, PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return io_fault(fault, what, path, errno);
        if (n == 0)
            break;
        buf_added(out, (size_t) n);
        if (buf_len(out) > largest)
            return fault_set(fault, MESH_ERR_INVALID, "%s %s: larger than %zu MiB", what, path, largest >> 20);
    }
    return 0;
}

int32_t file_read_bytes(const char *what, const char *path, size_t largest, struct buf *out, struct fault *fault)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int32_t err;

    if (fd < 0)
        return io_fault(fault, what, path, errno);
    err = read_all(fd, what, path, largest, out, fault);
    close(fd);
    return err;
}

int32_t file_read(const char *what, const char *path, size_t largest, struct buf *out, struct fault *fault)
{
    int32_t err = file_read_bytes(what, path, largest, out, fault);

    if (!err && !buf_append(out, "", 1))
        return no_memory(fault);
    if (!err && strlen((const char *) buf_bytes(out)) != buf_len(out) - 1)
        err = fault_set(fault, MESH_ERR_INVALID, "%s %s: it has a NUL byte, so it is no text", what, path);
    return err;
}
