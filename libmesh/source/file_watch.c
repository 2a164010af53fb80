/* SPDX-License-Identifier: Apache-2.0 */
/* Watching one file through its folder.
 *
 * An inotify watch on the file itself would follow the old file after a rename, so the folder is watched and any event in it makes us
 * look. What counts is what stat() says of the path, symbolic links followed. What inotify cannot see (a link that leads to
 * another folder, whose file is written in place; network file systems) is found by looking every few seconds. */
#include "source/file_watch.h"

#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define STILL_US      (100 * US_PER_MS)
#define LONGEST_US    US_PER_S
#define POLL_US       (10 * US_PER_S)
#define POLL_ALONE_US (2 * US_PER_S) /* without inotify */

enum {
    FOLDER_EVENTS = IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE,
    FOLDER_GONE = IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT,
};

struct file_watch {
    struct loop *loop;
    struct loop_io io;       /* fd -1: no inotify */
    int folder_watch;        /* -1: the folder is not watched */
    struct loop_timer still; /* a burst of changes is over */
    struct loop_timer poll;
    uint64_t burst_began_us; /* 0: none */
    struct file_look seen;
    void (*on_change)(void *user);
    void *user;
    char *path, *folder;
};

struct file_look file_look(const char *path)
{
    struct file_look now;
    struct stat st;

    memset(&now, 0, sizeof now);
    if (stat(path, &st) < 0)
        return now;
    now.device = st.st_dev;
    now.inode = st.st_ino;
    now.size = st.st_size;
    now.changed = st.st_mtim;
    return now;
}

bool file_look_equal(const struct file_look *a, const struct file_look *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* ---- bursts ---- */

static void burst(struct file_watch *watch)
{
    uint64_t now = loop_now_us(watch->loop), due = now + STILL_US;

    if (watch->burst_began_us == 0)
        watch->burst_began_us = now;
    if (due > watch->burst_began_us + LONGEST_US)
        due = watch->burst_began_us + LONGEST_US;
    loop_timer_set(watch->loop, &watch->still, due);
}

static void on_still(struct loop_timer *timer)
{
    struct file_watch *watch = CONTAINER_OF(timer, struct file_watch, still);
    struct file_look now = file_look(watch->path);

    watch->burst_began_us = 0;
    if (file_look_equal(&now, &watch->seen))
        return;
    watch->seen = now;
    watch->on_change(watch->user);
}

/* ---- inotify ---- */

static void watch_folder(struct file_watch *watch)
{
    if (watch->io.fd >= 0 && watch->folder_watch < 0)
        watch->folder_watch =
            inotify_add_watch(watch->io.fd, watch->folder, FOLDER_EVENTS | IN_DELETE_SELF | IN_MOVE_SELF);
}

/* Events are not looked at but for the folder's own fate: names in it say little when links lead to the file. */
static void on_ready(struct loop_io *io, uint32_t events)
{
    struct file_watch *watch = CONTAINER_OF(io, struct file_watch, io);
    char bytes[sizeof(struct inotify_event) + NAME_MAX + 1] __attribute__((aligned(__alignof__(struct inotify_event))));
    bool gone = false;
    ssize_t n;

    (void) events;
    while ((n = read(io->fd, bytes, sizeof bytes)) > 0) {
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *event = (const struct inotify_event *) (bytes + at);

            gone |= (event->mask & FOLDER_GONE) != 0 && event->wd == watch->folder_watch;
            at += (ssize_t) (sizeof *event + event->len);
        }
    }
    if (gone) {
        inotify_rm_watch(io->fd, watch->folder_watch);
        watch->folder_watch = -1;
        watch_folder(watch);
    }
    burst(watch);
}

static void open_inotify(struct file_watch *watch)
{
    watch->io.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->io.fd < 0)
        return;
    watch->io.on_ready = on_ready;
    if (loop_io_add(watch->loop, &watch->io, EPOLLIN) != 0) {
        close(watch->io.fd);
        watch->io.fd = -1;
    }
    watch_folder(watch);
}

/* ---- looking now and then ---- */

static void plan_poll(struct file_watch *watch)
{
    loop_timer_set(watch->loop, &watch->poll,
                   loop_now_us(watch->loop) + (watch->folder_watch < 0 ? POLL_ALONE_US : POLL_US));
}

static void on_poll(struct loop_timer *timer)
{
    struct file_watch *watch = CONTAINER_OF(timer, struct file_watch, poll);
    struct file_look now = file_look(watch->path);

    watch_folder(watch);
    plan_poll(watch);
    if (!file_look_equal(&now, &watch->seen) && watch->burst_began_us == 0)
        burst(watch);
}

/* ---- the watch ---- */

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return mem_strdup(".");
    return slash == path ? mem_strdup("/") : mem_strndup(path, (size_t) (slash - path));
}

int32_t file_watch_new(struct loop *loop, const char *path, const struct file_look *seen, void (*on_change)(void *user),
                       void *user, struct file_watch **out)
{
    struct file_watch *watch = mem_zalloc(sizeof *watch);

    *out = NULL;
    if (!watch)
        return MESH_ERR_NOMEM;
    watch->loop = loop;
    watch->on_change = on_change;
    watch->user = user;
    watch->still.on_due = on_still;
    watch->poll.on_due = on_poll;
    watch->io.fd = watch->folder_watch = -1;
    watch->path = mem_strdup(path);
    watch->folder = folder_of(path);
    if (!watch->path || !watch->folder) {
        file_watch_free(watch);
        return MESH_ERR_NOMEM;
    }
    open_inotify(watch);
    watch->seen = *seen;
    plan_poll(watch);
    burst(watch);
    *out = watch;
    return 0;
}

void file_watch_free(struct file_watch *watch)
{
    if (!watch)
        return;
    loop_timer_cancel(watch->loop, &watch->still);
    loop_timer_cancel(watch->loop, &watch->poll);
    loop_io_remove(watch->loop, &watch->io);
    if (watch->io.fd >= 0)
        close(watch->io.fd);
    mem_free(watch->path);
    mem_free(watch->folder);
    mem_free(watch);
}
