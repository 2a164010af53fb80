/* SPDX-License-Identifier: Apache-2.0 */
/* Tells when a file's content may have changed: written in place, replaced by a rename, or swapped with the folder that a symbolic
 * link leads to, as Kubernetes does with mounted configuration. Private to source/. */
#ifndef SOURCE_FILE_WATCH_H
#define SOURCE_FILE_WATCH_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "loop/loop.h"

struct file_watch;

/* What a path leads to, symbolic links followed; all 0: nothing. */
struct file_look {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct file_look file_look(const char *path);
bool file_look_equal(const struct file_look *a, const struct file_look *b);

/* `seen` is how the file looked when it was read last: a change since then counts. on_change comes once for each burst of changes,
 * when the file has been still for 100 ms or has changed for a second; also when the file disappears. Without inotify (its limits
 * are used up, or the file lies on a network) changes are seen by looking now and then. MESH_ERR_NOMEM. */
int32_t file_watch_new(struct loop *loop, const char *path, const struct file_look *seen, void (*on_change)(void *user),
                       void *user, struct file_watch **out);
void file_watch_free(struct file_watch *watch);

#endif
