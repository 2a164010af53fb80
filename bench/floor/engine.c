/* SPDX-License-Identifier: Apache-2.0 */
/* The driver's role: taken, used, handed on.
 *
 * Anybody may submit a call and, when the lock is free, write it out. Only the driver polls and reads; it holds the lock only
 * while it touches the connection. Everybody else parks on a futex of its own and is woken once: by the end of its call, or
 * to take the role over. */
#include "floor/engine.h"

#include <linux/futex.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Callers inside: above CROWD the keeper drives, at ALONE and below they take the role back. */
enum { CROWD = 6, ALONE = 2 };
enum { POLL_MS = 1000, KEEPER_LOOKS_MS = 5 };

static void futex_wake(_Atomic int *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void futex_wait(_Atomic int *word, int value, const struct timespec *most)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, most, NULL, 0);
}

/* ---- calls in ---- */

static void submit(struct engine *engine, struct call *call)
{
    struct call *newest = atomic_load(&engine->submitted);

    do
        call->next = newest;
    while (!atomic_compare_exchange_weak(&engine->submitted, &newest, call));
}

/* With the lock. */
static void start_submitted(struct engine *engine)
{
    struct call *newest = atomic_exchange(&engine->submitted, NULL), *oldest = NULL;

    while (newest) {
        struct call *before = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = before;
    }
    while (oldest) {
        struct call *next = oldest->next;

        http2_submit(engine->http2, oldest);
        oldest = next;
    }
}

/* Starts what is submitted; whoever holds the lock looks again when he has given it back. */
static void write_submitted(struct engine *engine)
{
    while (atomic_load(&engine->submitted) && pthread_mutex_trylock(&engine->lock) == 0) {
        start_submitted(engine);
        http2_write(engine->http2);
        pthread_mutex_unlock(&engine->lock);
    }
}

/* ---- the driver ---- */

/* Only the keeper's wait can be ended from outside. */
static void wait_for_io(struct engine *engine, bool is_keeper)
{
    struct pollfd fds[2] = { { .fd = engine->http2->wire.fd, .events = POLLIN },
                             { .fd = engine->wake_fd, .events = POLLIN } };
    uint64_t count;

    if (http2_is_blocked(engine->http2))
        fds[0].events |= POLLOUT;
    poll(fds, is_keeper ? 2 : 1, POLL_MS);
    if (fds[1].revents && read(engine->wake_fd, &count, sizeof count) < 0)
        load_fail("floor: eventfd");
}

/* The call may be gone as soon as its thread sees that it is done. */
static void wake_ended(struct call *ended, const struct call *own)
{
    while (ended) {
        struct call *next = ended->next;

        atomic_store(&ended->state, CALL_DONE);
        if (ended != own)
            futex_wake(&ended->state);
        ended = next;
    }
}

/* One turn: of a caller until its `own` call has ended, of the keeper (NULL). */
static void drive_once(struct engine *engine, const struct call *own)
{
    struct call *ended;

    wait_for_io(engine, own == NULL);
    pthread_mutex_lock(&engine->lock);
    http2_read(engine->http2);
    start_submitted(engine);
    http2_write(engine->http2);
    ended = http2_take_ended(engine->http2);
    pthread_mutex_unlock(&engine->lock);
    wake_ended(ended, own);
    write_submitted(engine);
}

/* ---- parking ---- */

static void enter_parked(struct engine *engine, struct call *call)
{
    pthread_mutex_lock(&engine->parked_lock);
    call->previous_parked = NULL;
    call->next_parked = engine->parked;
    if (engine->parked)
        engine->parked->previous_parked = call;
    engine->parked = call;
    pthread_mutex_unlock(&engine->parked_lock);
}

static void leave_parked(struct engine *engine, struct call *call)
{
    pthread_mutex_lock(&engine->parked_lock);
    if (call->previous_parked)
        call->previous_parked->next_parked = call->next_parked;
    else
        engine->parked = call->next_parked;
    if (call->next_parked)
        call->next_parked->previous_parked = call->previous_parked;
    pthread_mutex_unlock(&engine->parked_lock);
}

static void park(struct engine *engine, struct call *call)
{
    int lead = CALL_LEAD;

    enter_parked(engine, call);
    /* Seen here it is in the list before the role is given up, or it sees that the role is free. */
    if (atomic_load(&engine->driver) != DRIVER_NONE)
        while (atomic_load(&call->state) == CALL_WAITING)
            futex_wait(&call->state, CALL_WAITING, NULL);
    leave_parked(engine, call);
    atomic_compare_exchange_strong(&call->state, &lead, CALL_WAITING);
}

static void wake_a_leader(struct engine *engine)
{
    pthread_mutex_lock(&engine->parked_lock);
    for (struct call *call = engine->parked; call; call = call->next_parked) {
        int waiting = CALL_WAITING;

        if (atomic_compare_exchange_strong(&call->state, &waiting, CALL_LEAD)) {
            futex_wake(&call->state);
            break;
        }
    }
    pthread_mutex_unlock(&engine->parked_lock);
}

/* ---- the role ---- */

static bool is_crowded(struct engine *engine)
{
    return engine->has_keeper && atomic_load(&engine->inside) > CROWD;
}

static bool take_role(struct engine *engine)
{
    int nobody = DRIVER_NONE;

    return atomic_compare_exchange_strong(&engine->driver, &nobody, DRIVER_CALLER);
}

/* The keeper gives the role up between two turns. Were it taken away in the middle of one, the end of the taker's own call
 * might be read there, while the taker polls for it. */
static void send_keeper_away(struct engine *engine)
{
    uint64_t one = 1;

    if (atomic_load(&engine->driver) != DRIVER_KEEPER || atomic_load(&engine->inside) > ALONE)
        return;
    if (!atomic_exchange(&engine->keeper_leaves, true) && write(engine->wake_fd, &one, sizeof one) != sizeof one)
        load_fail("floor: eventfd");
}

static void hand_role_on(struct engine *engine)
{
    atomic_store(&engine->last_driven_ns, load_now_ns());
    atomic_store(&engine->driver, DRIVER_NONE);
    if (is_crowded(engine)) {
        atomic_fetch_add(&engine->keeper_word, 1);
        futex_wake(&engine->keeper_word);
    } else {
        wake_a_leader(engine);
    }
}

static void wait_for_call(struct engine *engine, struct call *call)
{
    while (atomic_load(&call->state) != CALL_DONE) {
        if (!take_role(engine)) {
            send_keeper_away(engine);
            park(engine, call);
            continue;
        }
        while (atomic_load(&call->state) != CALL_DONE)
            drive_once(engine, call);
        hand_role_on(engine);
    }
}

void engine_call(struct engine *engine, struct call *call)
{
    atomic_fetch_add(&engine->inside, 1);
    submit(engine, call);
    write_submitted(engine);
    wait_for_call(engine, call);
    atomic_fetch_sub(&engine->inside, 1);
}

/* ---- the keeper ---- */

/* A crowd, or nobody has driven lately: then whoever handed the role on found nobody who could take it. */
static bool is_wanted(struct engine *engine)
{
    return is_crowded(engine) ||
           load_now_ns() - atomic_load(&engine->last_driven_ns) > (uint64_t) KEEPER_LOOKS_MS * 1000000U;
}

static void *keep(void *argument)
{
    const struct timespec look = { 0, KEEPER_LOOKS_MS * 1000000L };
    struct engine *engine = argument;

    for (;;) {
        int word = atomic_load(&engine->keeper_word), nobody = DRIVER_NONE;

        if (is_wanted(engine) && atomic_compare_exchange_strong(&engine->driver, &nobody, DRIVER_KEEPER)) {
            atomic_store(&engine->keeper_leaves, false);
            while (!atomic_load(&engine->keeper_leaves))
                drive_once(engine, NULL);
            hand_role_on(engine);
            continue;
        }
        futex_wait(&engine->keeper_word, word, &look);
    }
    return NULL;
}

void engine_start(struct engine *engine, struct http2 *http2, bool keeper)
{
    pthread_t thread;

    *engine =
        (struct engine){ .http2 = http2, .has_keeper = keeper, .wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) };
    pthread_mutex_init(&engine->lock, NULL);
    pthread_mutex_init(&engine->parked_lock, NULL);
    if (engine->wake_fd < 0 || (keeper && pthread_create(&thread, NULL, keep, engine) != 0))
        load_fail("floor: the engine cannot be started");
}
