/* SPDX-License-Identifier: Apache-2.0 */
/* What a loop consists of. Private to loop/. */
#ifndef LOOP_STATE_H
#define LOOP_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "loop/loop.h"
#include "loop/watch.h"

/* loop.driver: who polls and reads. */
enum { DRIVER_NOBODY, DRIVER_CALLER, DRIVER_KEEPER };

/* loop_waiter.state */
enum {
    WAITER_RUNNING, /* on its way to one of the others */
    WAITER_PARKED,  /* on the futex */
    WAITER_DRIVING, /* it polls: whoever else ends its wait has the poll return */
    WAITER_LEAD,    /* told to take the driving over */
    WAITER_DONE,
};

/* Threads in loop_wait() above which the keeper drives, and up to which a caller takes the role back from it. Measured:
 * from about six on it makes no difference to the price of a call who polls, and the keeper spares the hand-over. */
enum { LOOP_CROWD = 6, LOOP_ALONE = 2 };

struct loop {
    struct loop_conf conf;
    pthread_mutex_t lock;

    /* with the lock */
    struct watch watch;
    struct loop_timer *timers; /* root of the pairing heap: what is due first */
    struct list later;
    struct loop_waiter *done; /* to be woken when the lock is given back */
    uint64_t now_us;
    uint64_t polling_until_us; /* when the driver's poll ends by itself; 0: nobody polls */
    int unserved;              /* loop_unserved() */
    struct rand rand;

    /* any thread */
    _Atomic(struct loop_task *) submitted; /* newest first */
    _Atomic int driver;
    _Atomic int waiting;      /* threads in loop_wait() */
    _Atomic int expected;     /* loop_expect() */
    _Atomic bool owner_waits; /* threadless: its owner polls, or is about to */
    _Atomic uint32_t led;     /* how often a caller has driven: whether callers come often */

    pthread_mutex_t parked_lock;
    struct list parked; /* waiters, with parked_lock */

    /* the keeper */
    pthread_mutex_t keeper_lock; /* starting and stopping it */
    pthread_t keeper;
    _Atomic bool keeper_started;
    _Atomic uint32_t keeper_word; /* futex: changes when the keeper is to look up */
    _Atomic bool keeper_polls;    /* it is in its poll, maybe one that it does not know to be over (keep()) */
    _Atomic bool keeper_stop;
};

/* loop.c */
/* Beginning to drive. Returns when the first poll is to end, at the latest until_us. */
uint64_t loop_begin_poll(struct loop *loop, uint64_t until_us);
/* Polls until *poll_until, then does what is due. `self` is the driver's own waiter, NULL for the keeper. Sets *poll_until for the
 * next poll, at the latest until_us. True when a signal handler ended the poll. */
bool loop_drive_once(struct loop *loop, struct loop_waiter *self, uint64_t *poll_until, uint64_t until_us);
/* Has a poll that is under way return. */
void loop_wake_poll(struct loop *loop);
/* Has the poll of a threadless loop's owner return, who may wait for what another thread has seen. */
void loop_wake_owner(struct loop *loop);

/* timer.c */
uint64_t loop_timer_next(const struct loop *loop); /* when the first is due; LOOP_FOREVER: none is set */
void loop_timer_run_due(struct loop *loop);

/* wait.c */
/* The driver has stopped: finds the next one. */
void loop_hand_over(struct loop *loop);
/* Ends the waits of a chain, which the driver itself (`self`, or NULL) may be a part of. Without the lock. */
void loop_wake_done(struct loop *loop, struct loop_waiter *done, const struct loop_waiter *self);

/* keeper.c */
/* Has the keeper look whether it is to drive, starting it when needed. False: there is no thread to be had. */
bool loop_keeper_call(struct loop *loop);

/* futex.c */
void futex_wake_one(_Atomic uint32_t *word);
/* Until the word is not `value` any more, somebody wakes it, or it is until_us. True when a signal handler ran. */
bool futex_wait_until(_Atomic uint32_t *word, uint32_t value, uint64_t until_us);

#endif
