/* SPDX-License-Identifier: Apache-2.0 */
/* One loop: entering and leaving, one turn, work from other threads. */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "loop/state.h"

int32_t loop_new(const struct loop_conf *conf, struct loop **out)
{
    struct loop *loop = mem_zalloc(sizeof *loop);

    *out = NULL;
    if (!loop)
        return MESH_ERR_NOMEM;
    loop->conf = *conf;
    pthread_mutex_init(&loop->lock, NULL);
    pthread_mutex_init(&loop->parked_lock, NULL);
    pthread_mutex_init(&loop->keeper_lock, NULL);
    watch_init(&loop->watch);
    list_init(&loop->later);
    list_init(&loop->parked);
    rand_seed(&loop->rand);
    loop->now_us = clock_now_us();
    *out = loop;
    return 0;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    loop_stop(loop);
    watch_close(&loop->watch);
    pthread_mutex_destroy(&loop->lock);
    pthread_mutex_destroy(&loop->parked_lock);
    pthread_mutex_destroy(&loop->keeper_lock);
    mem_free(loop);
}

void loop_abandon(struct loop *loop)
{
    watch_abandon(&loop->watch);
}

uint64_t loop_now_us(const struct loop *loop)
{
    return loop->now_us;
}

struct rand *loop_rand(struct loop *loop)
{
    return &loop->rand;
}

/* ---- inside ---- */

static void run_submitted(struct loop *loop)
{
    struct loop_task *newest = atomic_exchange(&loop->submitted, NULL), *oldest = NULL;

    while (newest) {
        struct loop_task *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct loop_task *task = oldest;

        oldest = task->next;
        task->run(task);
    }
}

static void run_deferred(struct loop *loop)
{
    struct list *link;

    while ((link = list_pop_front(&loop->later))) {
        struct loop_later *later = CONTAINER_OF(link, struct loop_later, link);

        later->run(later);
    }
}

void loop_defer(struct loop *loop, struct loop_later *later)
{
    if (!list_linked(&later->link))
        list_push_back(&loop->later, &later->link);
}

void loop_undefer(struct loop_later *later)
{
    list_remove(&later->link);
}

void loop_wake_poll(struct loop *loop)
{
    uint64_t one = 1;

    if (write(loop->watch.wake_fd, &one, sizeof one) < 0)
        return; /* full: it is readable anyway */
}

/* Whether the thread that is in a turn is the driver still: a caller takes the role from the keeper without the lock. */
static bool drives(const struct loop *loop, const struct loop_waiter *self)
{
    return self != NULL || atomic_load(&loop->driver) == DRIVER_KEEPER;
}

/* Ends a turn and gives the lock back. Of the driver (`is_driver`): tells others when its coming poll will end. Of others: a poll
 * that would end after a timer that was set in this turn is made to return. Returns the end of the coming poll. */
static uint64_t finish_turn(struct loop *loop, struct loop_waiter *self, bool is_driver, uint64_t until_us)
{
    struct loop_waiter *done;
    uint64_t next;
    bool wake;

    run_submitted(loop);
    run_deferred(loop);
    done = loop->done;
    loop->done = NULL;
    next = loop_timer_next(loop);
    if (is_driver)
        loop->polling_until_us = self && self->is_done ? 0 : next < until_us ? next : until_us;
    wake = !is_driver && loop->polling_until_us > next && !loop->watch.wake_pending;
    if (wake)
        loop->watch.wake_pending = true;
    pthread_mutex_unlock(&loop->lock);
    if (wake)
        loop_wake_poll(loop);
    loop_wake_done(loop, done, self);
    return next < until_us ? next : until_us;
}

/* Work that was submitted while somebody held the lock who had looked already, or never looks: whoever gives the lock back
 * comes by here, since who submits goes away when it finds the lock taken. */
static void combine(struct loop *loop)
{
    while (atomic_load(&loop->submitted) && pthread_mutex_trylock(&loop->lock) == 0) {
        loop->now_us = clock_now_us();
        finish_turn(loop, NULL, false, LOOP_FOREVER);
    }
}

void loop_enter(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->now_us = clock_now_us();
}

void loop_leave(struct loop *loop)
{
    finish_turn(loop, NULL, false, LOOP_FOREVER);
    combine(loop);
}

void loop_submit_quietly(struct loop *loop, struct loop_task *task)
{
    struct loop_task *newest = atomic_load(&loop->submitted);

    do
        task->next = newest;
    while (!atomic_compare_exchange_weak(&loop->submitted, &newest, task));
}

void loop_submit(struct loop *loop, struct loop_task *task)
{
    loop_submit_quietly(loop, task);
    combine(loop);
}

void loop_nudge(struct loop *loop)
{
    loop_wake_poll(loop);
}

/* ---- beginning, and fork ---- */

int32_t loop_open(struct loop *loop, struct fault *fault)
{
    int32_t err;

    pthread_mutex_lock(&loop->lock);
    err = watch_open(&loop->watch, fault);
    pthread_mutex_unlock(&loop->lock);
    combine(loop);
    return err;
}

void loop_before_fork(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
}

void loop_after_fork_in_parent(struct loop *loop)
{
    pthread_mutex_unlock(&loop->lock);
    combine(loop);
}

/* ---- the driver ---- */

static int poll_timeout_ms(uint64_t now_us, uint64_t until_us)
{
    uint64_t ms;

    if (until_us == LOOP_FOREVER)
        return -1;
    if (until_us <= now_us)
        return 0;
    ms = (until_us - now_us + 999) / 1000;
    return ms > INT_MAX ? INT_MAX : (int) ms;
}

uint64_t loop_begin_poll(struct loop *loop, uint64_t until_us)
{
    uint64_t next;

    pthread_mutex_lock(&loop->lock);
    next = loop_timer_next(loop);
    loop->polling_until_us = until_us < next ? until_us : next;
    next = loop->polling_until_us;
    pthread_mutex_unlock(&loop->lock);
    combine(loop);
    return next;
}

bool loop_drive_once(struct loop *loop, struct loop_waiter *self, uint64_t *poll_until, uint64_t until_us)
{
    struct epoll_event events[WATCH_BATCH];
    bool interrupted;
    int timeout = *poll_until == LOOP_FOREVER ? -1 : poll_timeout_ms(clock_now_us(), *poll_until);
    int n = epoll_wait(loop->watch.epoll_fd, events, WATCH_BATCH, timeout);

    interrupted = n < 0 && errno == EINTR;
    pthread_mutex_lock(&loop->lock);
    loop->now_us = clock_now_us();
    watch_dispatch(&loop->watch, events, n);
    loop_timer_run_due(loop);
    *poll_until = finish_turn(loop, self, drives(loop, self), until_us);
    combine(loop);
    return interrupted;
}

/* ---- threadless ---- */

int loop_fd(const struct loop *loop)
{
    return loop->watch.epoll_fd;
}

/* The owner is going to poll for so long: a timer that is set meanwhile, by whatever thread, makes it return. */
int32_t loop_timeout_ms(struct loop *loop)
{
    uint64_t next;
    bool unserved;

    atomic_store(&loop->owner_waits, true);
    next = loop_begin_poll(loop, LOOP_FOREVER);
    pthread_mutex_lock(&loop->lock);
    unserved = loop->unserved > 0;
    pthread_mutex_unlock(&loop->lock);
    combine(loop);
    return unserved ? 0 : poll_timeout_ms(clock_now_us(), next);
}

void loop_unserved(struct loop *loop, int by)
{
    loop->unserved += by;
    if (by > 0)
        loop_wake_owner(loop);
}

void loop_wake_owner(struct loop *loop)
{
    if (atomic_load(&loop->owner_waits))
        loop_wake_poll(loop);
}

void loop_turn(struct loop *loop)
{
    uint64_t poll_until = 0;
    int nobody = DRIVER_NOBODY;

    if (!atomic_compare_exchange_strong(&loop->driver, &nobody, DRIVER_KEEPER))
        return; /* a thread waits in a call of its own and does all this */
    atomic_store(&loop->owner_waits, false);
    loop_drive_once(loop, NULL, &poll_until, LOOP_FOREVER);
    loop_enter(loop);
    loop->polling_until_us = 0;
    loop_leave(loop);
    atomic_store(&loop->driver, DRIVER_NOBODY);
    loop_hand_over(loop);
}
