/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, following and writing the place where lines go. We write to a descriptor of our own, because the
 * application may close its own and get the number back for a socket that no log line must ever reach. */
#include "observe/target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

enum { ALL_WRITABLE = 0644, FIRST_FREE_FD = 3 };

static bool may_fill_up(mode_t mode)
{
    return S_ISFIFO(mode) || S_ISCHR(mode);
}

static void adopt(struct target *target, int fd, enum target_way way, const struct stat *what)
{
    target->fd = fd;
    target->way = way;
    target->device = what->st_dev;
    target->inode = what->st_ino;
}

/* A description of our own for the pipe or terminal behind a descriptor; -1: not possible here (no /proc, other owner). */
static int open_anew(int fd)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* 0 or an errno. */
static int adopt_number(struct target *target, int number)
{
    struct stat what;
    int fd = -1;

    if (fstat(number, &what) != 0)
        return errno;
    if ((fcntl(number, F_GETFL) & O_ACCMODE) == O_RDONLY)
        return EBADF;
    if (may_fill_up(what.st_mode))
        fd = open_anew(number);
    if (fd >= 0) {
        adopt(target, fd, TARGET_NONBLOCKING, &what);
        return 0;
    }
    fd = fcntl(number, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    if (fd < 0)
        return errno;
    if (S_ISSOCK(what.st_mode))
        adopt(target, fd, TARGET_SEND, &what);
    else
        adopt(target, fd, may_fill_up(what.st_mode) ? TARGET_POLLED : TARGET_PLAIN, &what);
    return 0;
}

/* 0 or an errno. O_NONBLOCK: a pipe without a reader is refused instead of waited for. */
static int adopt_path(struct target *target)
{
    struct stat what;
    int fd = open(target->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, ALL_WRITABLE);

    if (fd < 0)
        return errno;
    if (fstat(fd, &what) != 0) {
        int error = errno;

        close(fd);
        return error;
    }
    adopt(target, fd, may_fill_up(what.st_mode) ? TARGET_NONBLOCKING : TARGET_PLAIN, &what);
    return 0;
}

static int32_t open_number(struct target *target, const char *spec, struct fault *fault)
{
    const char *digits = spec + strlen("fd:");
    char why[FAULT_TEXT];
    uint64_t number;
    int error;

    if (!text_to_u64(digits, strlen(digits), &number) || number > INT_MAX)
        return fault_set(fault, MESH_ERR_INVALID, "\"%.64s\" names no descriptor; allowed is fd:N with a number", spec);
    error = adopt_number(target, (int) number);
    if (error)
        return fault_set(fault, MESH_ERR_IO, "cannot write to descriptor %d: %s", (int) number,
                         fault_errno(error, why));
    return 0;
}

static int32_t open_path(struct target *target, const char *spec, struct fault *fault)
{
    char why[FAULT_TEXT];
    int error;

    target->path = mem_strdup(spec);
    if (!target->path)
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    error = adopt_path(target);
    if (!error)
        return 0;
    mem_free(target->path);
    target->path = NULL;
    return fault_set(fault, MESH_ERR_IO, "cannot open \"%.128s\" for appending: %s", spec, fault_errno(error, why));
}

int32_t target_open(struct target *target, const char *spec, struct fault *fault)
{
    int32_t err = 0;

    *target = (struct target){ .fd = -1 };
    if (!spec || *spec == '\0' || strcmp(spec, "off") == 0)
        return 0;
    if (strcmp(spec, "stderr") == 0) {
        target->kind = TARGET_STDERR;
        adopt_number(target, STDERR_FILENO);
        return 0;
    }
    target->kind = text_starts_with(spec, "fd:") ? TARGET_FD : TARGET_PATH;
    if (target->kind == TARGET_FD)
        err = open_number(target, spec, fault);
    else
        err = open_path(target, spec, fault);
    if (err)
        target->kind = TARGET_OFF;
    return err;
}

void target_close(struct target *target)
{
    if (target->fd >= 0)
        close(target->fd);
    mem_free(target->path);
    *target = (struct target){ .fd = -1 };
}

static bool leads_elsewhere(const struct target *target, const struct stat *what)
{
    return target->fd < 0 || what->st_dev != target->device || what->st_ino != target->inode;
}

/* Programs that become daemons close every descriptor; the number may be somebody else's by now. */
static bool is_ours(const struct target *target)
{
    struct stat what;

    return target->fd >= 0 && fstat(target->fd, &what) == 0 && !leads_elsewhere(target, &what);
}

static bool follow_path(struct target *target)
{
    struct stat what;
    int old = target->fd;

    if (stat(target->path, &what) == 0 && !leads_elsewhere(target, &what))
        return false;
    if (adopt_path(target) != 0)
        return false;
    if (old >= 0)
        close(old);
    return true;
}

/* A socket at number 2 that was not there before is an application's that got the free number, not its standard error. */
static bool follow_stderr(struct target *target)
{
    struct stat what;
    bool open_now = fstat(STDERR_FILENO, &what) == 0 && !S_ISSOCK(what.st_mode);
    int old = target->fd;

    if (old >= 0 && fstat(STDERR_FILENO, &what) == 0 && !leads_elsewhere(target, &what))
        return false;
    if (!open_now || adopt_number(target, STDERR_FILENO) != 0)
        target->fd = -1;
    if (old >= 0)
        close(old);
    return true;
}

bool target_follow(struct target *target, uint64_t now_us)
{
    if (target->kind == TARGET_OFF || now_us - target->checked_us < US_PER_S)
        return false;
    target->checked_us = now_us;
    if (!is_ours(target))
        target->fd = -1;
    if (target->kind == TARGET_PATH)
        return follow_path(target);
    return target->kind == TARGET_STDERR && follow_stderr(target);
}

bool target_never_waits(const struct target *target)
{
    return target->way != TARGET_PLAIN;
}

static bool takes_bytes(const struct target *target, int timeout_ms)
{
    struct pollfd wanted = { .fd = target->fd, .events = POLLOUT };

    return poll(&wanted, 1, timeout_ms) == 1;
}

ssize_t target_write(struct target *target, const void *bytes, size_t len)
{
    ssize_t n;

    if (!is_ours(target)) {
        target->fd = -1;
        return -EBADF;
    }
    if (target->way == TARGET_SEND) {
        n = send(target->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        return n < 0 ? -errno : n;
    }
    if (target->way == TARGET_POLLED) {
        if (!takes_bytes(target, 0))
            return -EAGAIN;
        /* What a pipe that is ready takes whole. */
        len = len < PIPE_BUF ? len : PIPE_BUF;
    }
    n = write(target->fd, bytes, len);
    return n < 0 ? -errno : n;
}

void target_wait(const struct target *target, int timeout_ms)
{
    takes_bytes(target, timeout_ms);
}
