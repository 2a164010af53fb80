/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting threads: one drives, the others are parked; who leaves hands the driving on. */
#include "loop/state.h"

void loop_waiter_init(struct loop_waiter *waiter)
{
    *waiter = (struct loop_waiter){ .state = WAITER_RUNNING };
}

void loop_waiter_done(struct loop *loop, struct loop_waiter *waiter)
{
    waiter->is_done = true;
    waiter->next_done = loop->done;
    loop->done = waiter;
}

void loop_wake_done(struct loop *loop, struct loop_waiter *done, const struct loop_waiter *self)
{
    while (done) {
        struct loop_waiter *waiter = done;
        uint32_t was;

        done = waiter->next_done;
        was = atomic_exchange(&waiter->state, WAITER_DONE);
        /* From here on the waiter may be gone with its thread's stack; a wake of its address is harmless. */
        if (was == WAITER_PARKED)
            futex_wake_one(&waiter->state);
        if (was == WAITER_DRIVING && waiter != self)
            loop_wake_poll(loop);
    }
}

static bool is_done(struct loop_waiter *waiter)
{
    return atomic_load(&waiter->state) == WAITER_DONE;
}

static bool become_driver(struct loop *loop)
{
    int was = DRIVER_NOBODY;

    if (atomic_compare_exchange_strong(&loop->driver, &was, DRIVER_CALLER))
        return true;
    if (was != DRIVER_KEEPER || loop->conf.threadless || atomic_load(&loop->waiting) > LOOP_ALONE)
        return false;
    if (!atomic_compare_exchange_strong(&loop->driver, &was, DRIVER_CALLER))
        return false;
    loop_wake_poll(loop); /* the keeper leaves its poll and parks */
    return true;
}

static bool lead_a_parked_one(struct loop *loop)
{
    bool found = false;

    pthread_mutex_lock(&loop->parked_lock);
    LIST_EACH(link, &loop->parked) {
        struct loop_waiter *waiter = CONTAINER_OF(link, struct loop_waiter, parked);
        uint32_t was = atomic_load(&waiter->state);

        if (was != WAITER_RUNNING && was != WAITER_PARKED)
            continue;
        if (!atomic_compare_exchange_strong(&waiter->state, &was, WAITER_LEAD))
            continue;
        if (was == WAITER_PARKED)
            futex_wake_one(&waiter->state);
        found = true;
        break;
    }
    pthread_mutex_unlock(&loop->parked_lock);
    return found;
}

void loop_hand_over(struct loop *loop)
{
    bool is_crowd = !loop->conf.threadless && atomic_load(&loop->waiting) > LOOP_CROWD;

    if (is_crowd && loop_keeper_call(loop))
        return;
    if (lead_a_parked_one(loop))
        return;
    if (loop->conf.threadless) {
        loop_wake_owner(loop);
        return;
    }
    if (atomic_load(&loop->expected) > 0 || atomic_load(&loop->keeper_polls))
        loop_keeper_call(loop);
    else
        loop_attend(loop);
}

/* Drives until the waiter is done, interrupted, or out of time. */
static int32_t drive(struct loop *loop, struct loop_waiter *waiter, uint64_t until_us, bool interruptible)
{
    uint64_t poll_until = loop_begin_poll(loop, until_us);
    uint32_t was = WAITER_RUNNING;
    int32_t err = 0;

    atomic_fetch_add(&loop->led, 1);
    atomic_compare_exchange_strong(&waiter->state, &was, WAITER_DRIVING);
    while (!is_done(waiter)) {
        bool interrupted = loop_drive_once(loop, waiter, &poll_until, until_us);

        if (is_done(waiter))
            break;
        if (interrupted && interruptible) {
            err = MESH_ERR_INTERRUPTED;
            break;
        }
        if (until_us != LOOP_FOREVER && clock_now_us() >= until_us) {
            err = MESH_ERR_TIMEOUT;
            break;
        }
    }
    was = WAITER_DRIVING;
    atomic_compare_exchange_strong(&waiter->state, &was, WAITER_RUNNING);
    atomic_store(&loop->driver, DRIVER_NOBODY);
    return err;
}

/* Being told to lead in the same moment does not undo an interruption: loop_wait() passes the lead on. */
static int32_t sleep_until_woken(struct loop_waiter *waiter, uint64_t until_us, bool interruptible)
{
    uint32_t was = WAITER_RUNNING;
    int32_t err = 0;

    if (!atomic_compare_exchange_strong(&waiter->state, &was, WAITER_PARKED))
        return 0;
    while (!err && atomic_load(&waiter->state) == WAITER_PARKED) {
        bool interrupted = futex_wait_until(&waiter->state, WAITER_PARKED, until_us);

        if (interrupted && interruptible)
            err = MESH_ERR_INTERRUPTED;
        else if (until_us != LOOP_FOREVER && clock_now_us() >= until_us)
            err = MESH_ERR_TIMEOUT;
    }
    was = WAITER_PARKED;
    atomic_compare_exchange_strong(&waiter->state, &was, WAITER_RUNNING);
    return err;
}

/* Until done, told to lead, interrupted or out of time. */
static int32_t park(struct loop *loop, struct loop_waiter *waiter, uint64_t until_us, bool interruptible)
{
    uint32_t lead = WAITER_LEAD;
    int32_t err = 0;

    pthread_mutex_lock(&loop->parked_lock);
    list_push_front(&loop->parked, &waiter->parked);
    pthread_mutex_unlock(&loop->parked_lock);
    /* Who gives the driving up looks at the parked ones after it has said so: one of the two sees the other. */
    if (atomic_load(&loop->driver) != DRIVER_NOBODY)
        err = sleep_until_woken(waiter, until_us, interruptible);
    pthread_mutex_lock(&loop->parked_lock);
    list_remove(&waiter->parked);
    pthread_mutex_unlock(&loop->parked_lock);
    atomic_compare_exchange_strong(&waiter->state, &lead, WAITER_RUNNING);
    return err;
}

int32_t loop_wait(struct loop *loop, struct loop_waiter *waiter, uint64_t until_us, bool interruptible)
{
    int32_t err = 0;

    if (is_done(waiter))
        return 0;
    atomic_fetch_add(&loop->waiting, 1);
    while (!err && !is_done(waiter)) {
        if (become_driver(loop))
            err = drive(loop, waiter, until_us, interruptible);
        else
            err = park(loop, waiter, until_us, interruptible);
    }
    atomic_fetch_sub(&loop->waiting, 1);
    /* Also who was only parked: it may have been told to lead and finished in the same moment. */
    if (atomic_load(&loop->driver) == DRIVER_NOBODY)
        loop_hand_over(loop);
    return is_done(waiter) ? 0 : err;
}

bool loop_is_driven(const struct loop *loop)
{
    return atomic_load(&loop->driver) != DRIVER_NOBODY;
}

void loop_expect(struct loop *loop, int by)
{
    atomic_fetch_add(&loop->expected, by);
    if (by > 0 && atomic_load(&loop->driver) == DRIVER_NOBODY)
        loop_keeper_call(loop);
}
