/* SPDX-License-Identifier: Apache-2.0 */
/* The door of loop/: descriptors, timers, work from other threads, and who of all waiting threads does the I/O.
 *
 * Vocabulary
 *   inside     between loop_enter() and loop_leave(), or in a callback of the loop: the loop's lock is held.
 *   driver     the one thread that polls and reads. It holds the lock only while it is inside, never while it polls.
 *   waiter     a thread in loop_wait(): it drives, or is parked on a futex until it is done or is told to drive.
 *   keeper     the loop's own thread: drives when nobody else does and there is work, or when many wait.
 *
 * Rules
 *   Everything that belongs to a loop (watches, timers, connections, requests) is touched inside only; code there is
 *   written as if there were no threads. Callbacks run inside and must not block.
 *   Functions marked [any] may be called from any thread, not inside; all others inside only.
 *   Callbacks are never called from within the function that asked for them. */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"

struct loop;

/* ---- the loop ---- */

struct loop_conf {
    bool threadless; /* the application drives; no keeper is ever started */
};

/* [any] Opens nothing yet: the first loop_enter() does. */
int32_t loop_new(const struct loop_conf *conf, struct loop **out);
/* [any] Ends the keeper, for good. */
void loop_stop(struct loop *loop);
/* [any] Ends the keeper and frees. Nothing may be watched any more and nobody may wait. */
void loop_free(struct loop *loop);
/* [any] Around fork(): holds the lock, so that the child finds the loop as it is between two turns. */
void loop_before_fork(struct loop *loop);
void loop_after_fork_in_parent(struct loop *loop);
/* [any] In a forked child: closes every descriptor the loop knows, silently, and touches nothing else. The loop and all
 * that belongs to it must not be used again. */
void loop_abandon(struct loop *loop);
/* [any] Opens epoll and wake descriptors if that has not happened. MESH_ERR_IO, MESH_ERR_NOMEM. */
int32_t loop_open(struct loop *loop, struct fault *fault);

/* [any] Takes the lock; waits for it. */
void loop_enter(struct loop *loop);
/* Runs what was deferred, gives the lock back, wakes who is done, and runs what others submitted meanwhile. */
void loop_leave(struct loop *loop);

/* The time of this turn, microseconds of the monotonic clock: fresh at loop_enter() and after each poll. */
uint64_t loop_now_us(const struct loop *loop);
struct rand *loop_rand(struct loop *loop);

/* ---- descriptors ---- */

/* Embedded in its owner. */
struct loop_io {
    int fd;
    uint32_t events;                                       /* what is waited for: EPOLLIN, EPOLLOUT or 0 */
    void (*on_ready)(struct loop_io *io, uint32_t events); /* EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP */
    uint32_t slot;                                         /* the loop's; 0: not added */
};

/* fd and on_ready are set. The descriptor stays the owner's, who closes it after loop_io_remove(). MESH_ERR_IO. */
int32_t loop_io_add(struct loop *loop, struct loop_io *io, uint32_t events);
void loop_io_want(struct loop *loop, struct loop_io *io, uint32_t events);
/* on_ready is not called any more, also not for an event of this very turn. Fine for one that was never added. */
void loop_io_remove(struct loop *loop, struct loop_io *io);

/* ---- timers ---- */

/* Embedded in its owner; zeroed is idle. Setting never fails. */
struct loop_timer {
    uint64_t due_us;
    void (*on_due)(struct loop_timer *timer);
    struct loop_timer *child, *sibling, *back; /* pairing heap */
    bool is_set;
};

/* Sets or moves. A time in the past is due at the next turn. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t due_us);
void loop_timer_cancel(struct loop *loop, struct loop_timer *timer);

/* ---- work for later ---- */

/* Embedded in its owner. */
struct loop_task {
    struct loop_task *next;
    void (*run)(struct loop_task *task);
};

/* [any] Has the task run inside, soon, by whoever drives. The task is not touched after its run() was entered. */
void loop_submit(struct loop *loop, struct loop_task *task);

/* [any] The same, but nobody is made to do it now: with the next turn of whoever comes. Also from a signal handler. */
void loop_submit_quietly(struct loop *loop, struct loop_task *task);
/* [any] Has the poll that may be under way return, so that quietly submitted work is done. Also from a signal handler. */
void loop_nudge(struct loop *loop);

/* Embedded in its owner; zeroed is idle. */
struct loop_later {
    struct list link;
    void (*run)(struct loop_later *later);
};

/* Once, at the end of this turn, before the lock is given back: what wants to see everything that the turn has done
 * (a connection writes its output once). Deferring again while it is pending does nothing. */
void loop_defer(struct loop *loop, struct loop_later *later);
void loop_undefer(struct loop_later *later);

/* ---- waiting ---- */

/* On the waiting thread's stack, or in a queue; loop_waiter_init() before each use. */
struct loop_waiter {
    _Atomic uint32_t state;
    bool is_done; /* the same as state, known inside already */
    struct list parked;
    struct loop_waiter *next_done;
};

void loop_waiter_init(struct loop_waiter *waiter);
/* Ends its wait. Exactly once per init. */
void loop_waiter_done(struct loop *loop, struct loop_waiter *waiter);

#define LOOP_FOREVER UINT64_MAX

/* [any] Waits until loop_waiter_done(), driving the loop meanwhile when it is this thread's turn.
 * 0; MESH_ERR_INTERRUPTED: `interruptible` and a signal handler ran; MESH_ERR_TIMEOUT: until_us has come. After the last two
 * the waiter is still to be done: make sure inside that it never will, or wait again. */
int32_t loop_wait(struct loop *loop, struct loop_waiter *waiter, uint64_t until_us, bool interruptible);

/* [any] There is work now that nobody may be waiting for: has the keeper exist, which drives when nobody else has for a while. */
void loop_attend(struct loop *loop);
/* [any] Somebody outside (an application that watches a descriptor) waits for what this loop does: the keeper is to drive
 * as soon as nobody else does, not after a while. Counted; -1 takes it back. */
void loop_expect(struct loop *loop, int by);
/* [any] Somebody polls just now: what is submitted quietly waits for the end of that poll. */
bool loop_is_driven(const struct loop *loop);

/* ---- threadless ---- */

/* [any] The epoll descriptor; how long its owner may wait (-1: for ever); one turn without waiting. */
int loop_fd(const struct loop *loop);
int32_t loop_timeout_ms(struct loop *loop);
void loop_turn(struct loop *loop);
/* Something came that the owner has to take: counted, -1 when it was taken. The owner does not wait while there is any; what
 * comes in another thread's turn, or in a call of the owner itself, may be all that would have ended its wait. */
void loop_unserved(struct loop *loop, int by);

#endif
