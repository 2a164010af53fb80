/* SPDX-License-Identifier: Apache-2.0 */
/* Where lines go: standard error, a descriptor of the application's, or a file; and writing there without waiting. */
#ifndef OBSERVE_TARGET_H
#define OBSERVE_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/fault.h"

enum target_kind { TARGET_OFF, TARGET_STDERR, TARGET_FD, TARGET_PATH };

/* How bytes get out without waiting; O_NONBLOCK is never set on a description that others hold too. */
enum target_way {
    TARGET_PLAIN,       /* a regular file: write() waits for nothing but the disk */
    TARGET_NONBLOCKING, /* a pipe or terminal that we opened anew for ourselves */
    TARGET_SEND,        /* a socket: MSG_DONTWAIT */
    TARGET_POLLED       /* a shared pipe or terminal: poll() before each small write */
};

struct target {
    enum target_kind kind;
    enum target_way way;
    int fd; /* our own descriptor; -1: there is none at the moment */
    char *path;
    dev_t device; /* what fd leads to */
    ino_t inode;
    uint64_t checked_us;
};

/* `spec` is "off" (or NULL, ""), "stderr", "fd:N" or a path. A standard error that is closed is no failure.
 * MESH_ERR_INVALID, MESH_ERR_IO, MESH_ERR_NOMEM with a sentence. */
int32_t target_open(struct target *target, const char *spec, struct fault *fault);
void target_close(struct target *target);
/* Once a second: a path that leads to another file now is opened anew (rotation); a standard error that was redirected
 * is followed. True when the target changed. */
bool target_follow(struct target *target, uint64_t now_us);
/* Whether writing there waits for nothing, not even a disk. */
bool target_never_waits(const struct target *target);
/* Bytes written, or a negative errno; -EAGAIN: it would wait. May raise SIGPIPE, unless it is blocked. */
ssize_t target_write(struct target *target, const void *bytes, size_t len);
/* Until it takes bytes again, at most `timeout_ms`. */
void target_wait(const struct target *target, int timeout_ms);

#endif
