/* SPDX-License-Identifier: Apache-2.0 */
/* The epoll set of a loop and its table of watched descriptors. */
#include "loop/watch.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop/state.h"

enum { FIRST_SLOTS = 16 };
#define WAKE_MARK UINT64_MAX

void watch_init(struct watch *watch)
{
    *watch = (struct watch){ .epoll_fd = -1, .wake_fd = -1 };
}

int32_t watch_open(struct watch *watch, struct fault *fault)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = WAKE_MARK };
    char why[FAULT_TEXT];

    if (watch->epoll_fd >= 0)
        return 0;
    watch->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (watch->epoll_fd < 0)
        goto fail;
    watch->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (watch->wake_fd < 0)
        goto fail;
    if (epoll_ctl(watch->epoll_fd, EPOLL_CTL_ADD, watch->wake_fd, &event) == 0)
        return 0;
fail:
    fault_set(fault, MESH_ERR_IO, "no descriptor for the event loop: %s (limit of open files: ulimit -n)",
              fault_errno(errno, why));
    watch_close(watch);
    return MESH_ERR_IO;
}

void watch_close(struct watch *watch)
{
    if (watch->wake_fd >= 0)
        close(watch->wake_fd);
    if (watch->epoll_fd >= 0)
        close(watch->epoll_fd);
    mem_free(watch->slots);
    watch_init(watch);
}

void watch_abandon(struct watch *watch)
{
    for (uint32_t i = 1; i < watch->n_slots; i++)
        if (watch->slots[i].io)
            close(watch->slots[i].io->fd);
    if (watch->wake_fd >= 0)
        close(watch->wake_fd);
    if (watch->epoll_fd >= 0)
        close(watch->epoll_fd);
}

void watch_dispatch(struct watch *watch, const struct epoll_event *events, int n)
{
    uint64_t count;

    for (int i = 0; i < n; i++) {
        uint32_t slot = (uint32_t) events[i].data.u64;
        uint32_t generation = (uint32_t) (events[i].data.u64 >> 32);
        struct loop_io *io;

        if (events[i].data.u64 == WAKE_MARK) {
            watch->wake_pending = false;
            if (read(watch->wake_fd, &count, sizeof count) < 0)
                continue;
            continue;
        }
        io = watch->slots[slot].io;
        if (io && watch->slots[slot].generation == generation)
            io->on_ready(io, events[i].events);
    }
}

/* A linear search from the lowest free one is enough: a loop has few descriptors,
 * and the lowest is reused first. */
static uint32_t take_slot(struct watch *watch)
{
    struct watch_slot *slots;
    uint32_t n;

    for (uint32_t i = watch->first_free ? watch->first_free : 1; i < watch->n_slots; i++) {
        if (!watch->slots[i].io) {
            watch->first_free = i + 1;
            return i;
        }
    }
    n = watch->n_slots ? watch->n_slots * 2 : FIRST_SLOTS;
    slots = mem_array(n, sizeof *slots);
    if (!slots)
        return 0;
    for (uint32_t i = 0; i < watch->n_slots; i++)
        slots[i] = watch->slots[i];
    watch->first_free = watch->n_slots ? watch->n_slots : 1;
    mem_free(watch->slots);
    watch->slots = slots;
    watch->n_slots = n;
    return watch->first_free++;
}

static int control(struct watch *watch, int operation, const struct loop_io *io)
{
    struct epoll_event event = {
        .events = io->events,
        .data.u64 = (uint64_t) watch->slots[io->slot].generation << 32 | io->slot,
    };

    return epoll_ctl(watch->epoll_fd, operation, io->fd, &event);
}

int32_t loop_io_add(struct loop *loop, struct loop_io *io, uint32_t events)
{
    struct watch *watch = &loop->watch;
    uint32_t slot = take_slot(watch);

    if (slot == 0)
        return MESH_ERR_NOMEM;
    watch->slots[slot].io = io;
    io->slot = slot;
    io->events = events;
    if (control(watch, EPOLL_CTL_ADD, io) == 0)
        return 0;
    watch->slots[slot].io = NULL;
    watch->first_free = slot;
    io->slot = 0;
    return errno == ENOMEM ? MESH_ERR_NOMEM : MESH_ERR_IO;
}

void loop_io_want(struct loop *loop, struct loop_io *io, uint32_t events)
{
    if (io->slot == 0 || io->events == events)
        return;
    io->events = events;
    control(&loop->watch, EPOLL_CTL_MOD, io);
}

void loop_io_remove(struct loop *loop, struct loop_io *io)
{
    struct watch *watch = &loop->watch;
    uint32_t slot = io->slot;

    if (slot == 0)
        return;
    epoll_ctl(watch->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
    watch->slots[slot].io = NULL;
    watch->slots[slot].generation++;
    if (slot < watch->first_free || watch->first_free == 0)
        watch->first_free = slot;
    io->slot = 0;
}
