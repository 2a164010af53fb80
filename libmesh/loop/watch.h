/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptors of one loop: an epoll set, and a table of slots so that an event which was fetched before its
 * descriptor was removed is recognised as stale. Private to loop/. */
#ifndef LOOP_WATCH_H
#define LOOP_WATCH_H

#include <sys/epoll.h>

#include "loop/loop.h"

enum { WATCH_BATCH = 64 };

struct watch_slot {
    struct loop_io *io; /* NULL: free */
    uint32_t generation;
};

struct watch {
    int epoll_fd, wake_fd;    /* -1: not open */
    struct watch_slot *slots; /* slot 0 is never given out */
    uint32_t n_slots, first_free;
    bool wake_pending;
};

void watch_init(struct watch *watch);
int32_t watch_open(struct watch *watch, struct fault *fault);
void watch_close(struct watch *watch);
/* Closes every descriptor without telling anybody: not epoll either, whose set a forked child shares with its parent. */
void watch_abandon(struct watch *watch);
/* Runs the callbacks of events that are not stale. With the loop's lock. */
void watch_dispatch(struct watch *watch, const struct epoll_event *events, int n);

#endif
