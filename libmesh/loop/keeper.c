/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper: the loop's own thread, which drives when nobody else does, and when many wait. */
#include <signal.h>

#include "loop/state.h"

/* While callers come often the keeper only looks now and then whether they still do; with nobody driving for this long
 * it takes over and sleeps in the poll, waking for events and timers only. */
#define WATCH_US (20 * US_PER_MS)

static bool is_wanted(struct loop *loop, bool nobody_came)
{
    return nobody_came || atomic_load(&loop->expected) > 0 || atomic_load(&loop->waiting) > LOOP_CROWD;
}

/* A caller that takes the role away wakes this poll, but may see the wake first, in its own: then the keeper stays in the
 * poll until something else ends it, or until it is called. The other way round the keeper may have seen a wake that was
 * for the caller: it is passed on. */
static void keep(struct loop *loop)
{
    uint64_t poll_until;

    atomic_store(&loop->keeper_polls, true);
    poll_until = loop_begin_poll(loop, LOOP_FOREVER);
    while (atomic_load(&loop->driver) == DRIVER_KEEPER && !atomic_load(&loop->keeper_stop))
        loop_drive_once(loop, NULL, &poll_until, LOOP_FOREVER);
    atomic_store(&loop->keeper_polls, false);
    if (atomic_load(&loop->driver) == DRIVER_CALLER)
        loop_wake_poll(loop);
}

static void *run(void *user)
{
    struct loop *loop = user;
    bool nobody_came = false;

    while (!atomic_load(&loop->keeper_stop)) {
        uint32_t word = atomic_load(&loop->keeper_word), led = atomic_load(&loop->led);
        int nobody = DRIVER_NOBODY;

        if (is_wanted(loop, nobody_came) && atomic_compare_exchange_strong(&loop->driver, &nobody, DRIVER_KEEPER)) {
            keep(loop);
            nobody_came = false;
            continue;
        }
        futex_wait_until(&loop->keeper_word, word, clock_now_us() + WATCH_US);
        nobody_came = led == atomic_load(&loop->led);
    }
    return NULL;
}

/* Signals are the application's: none is ever handled on this thread. */
static bool start(struct loop *loop)
{
    sigset_t all, before;
    bool ok;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    ok = pthread_create(&loop->keeper, NULL, run, loop) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (ok)
        pthread_setname_np(loop->keeper, "mesh");
    return ok;
}

/* Without a thread to be had the waiting callers still drive; the next attempt comes with the next call. */
void loop_attend(struct loop *loop)
{
    if (loop->conf.threadless || atomic_load(&loop->keeper_started))
        return;
    pthread_mutex_lock(&loop->keeper_lock);
    if (!atomic_load(&loop->keeper_started) && !atomic_load(&loop->keeper_stop) && start(loop))
        atomic_store(&loop->keeper_started, true);
    pthread_mutex_unlock(&loop->keeper_lock);
}

bool loop_keeper_call(struct loop *loop)
{
    loop_attend(loop);
    atomic_fetch_add(&loop->keeper_word, 1);
    futex_wake_one(&loop->keeper_word);
    if (atomic_load(&loop->keeper_polls))
        loop_wake_poll(loop);
    return atomic_load(&loop->keeper_started);
}

void loop_stop(struct loop *loop)
{
    if (!loop)
        return;
    pthread_mutex_lock(&loop->keeper_lock);
    atomic_store(&loop->keeper_stop, true);
    pthread_mutex_unlock(&loop->keeper_lock);
    if (!atomic_load(&loop->keeper_started))
        return;
    atomic_fetch_add(&loop->keeper_word, 1);
    futex_wake_one(&loop->keeper_word);
    loop_wake_poll(loop);
    pthread_join(loop->keeper, NULL);
    atomic_store(&loop->keeper_started, false);
}
