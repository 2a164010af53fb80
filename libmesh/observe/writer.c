/* SPDX-License-Identifier: Apache-2.0 */
/* Who writes lines out: the one who makes them while there are few and the target never waits, else a thread, which is
 * started when it is first needed. */
#include "observe/state.h"

#include <signal.h>
#include <time.h>

/* Lines that come within this time are written with one call. */
enum { GATHER_US = 20 * 1000 };
/* How long a full target is waited for before the other sink gets its turn. */
enum { FULL_WAIT_MS = 20 };
/* What observe_free() allows for the last lines, and on top for a thread to notice. */
enum { END_US = 500 * 1000, NOTICE_US = 50 * 1000 };

/* A broken pipe and a file beyond its limit are told by errno; their signals must not reach the application. */
struct held_signals {
    sigset_t before;
    bool pipe_pending, size_pending;
};

static void hold_signals(struct held_signals *held)
{
    sigset_t pending, write_signals;

    sigemptyset(&write_signals);
    sigaddset(&write_signals, SIGPIPE);
    sigaddset(&write_signals, SIGXFSZ);
    sigpending(&pending);
    held->pipe_pending = sigismember(&pending, SIGPIPE);
    held->size_pending = sigismember(&pending, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &write_signals, &held->before);
}

/* Takes back what our own write raised. */
static void swallow(int signal_number, bool was_pending)
{
    static const struct timespec at_once = { 0 };
    sigset_t one, pending;

    sigpending(&pending);
    if (was_pending || !sigismember(&pending, signal_number))
        return;
    sigemptyset(&one);
    sigaddset(&one, signal_number);
    sigtimedwait(&one, NULL, &at_once);
}

static void release_signals(const struct held_signals *held)
{
    swallow(SIGPIPE, held->pipe_pending);
    swallow(SIGXFSZ, held->size_pending);
    pthread_sigmask(SIG_SETMASK, &held->before, NULL);
}

static void write_here_locked(struct observe *observe, struct sink *sink)
{
    uint64_t now_us = clock_now_us();
    struct held_signals held;

    hold_signals(&held);
    do
        sink_turn(sink);
    while (sink_write(sink, now_us) && !sink_is_empty(sink));
    release_signals(&held);
    observe->locked.written_us = now_us;
}

/* ---- the thread ---- */

static bool all_empty_locked(const struct observe *observe)
{
    for (size_t i = 0; i < SINKS; i++)
        if (!sink_is_empty(&observe->locked.sinks[i]))
            return false;
    return true;
}

static void wait_locked(struct observe *observe, pthread_cond_t *cond, uint64_t us)
{
    uint64_t until = clock_now_us() + us;
    struct timespec at = { (time_t) (until / US_PER_S), (long) (until % US_PER_S * 1000) };

    pthread_cond_clockwait(cond, &observe->lock, CLOCK_MONOTONIC, &at);
}

static void wait_for_lines_locked(struct observe *observe)
{
    uint64_t since_us;

    if (observe->locked.stopping)
        return;
    if (all_empty_locked(observe)) {
        observe->locked.writer = WRITER_IDLE;
        if (loss_untold_locked(observe))
            wait_locked(observe, &observe->work, US_PER_S);
        else
            pthread_cond_wait(&observe->work, &observe->lock);
    }
    since_us = clock_now_us() - observe->locked.written_us;
    if (since_us >= GATHER_US || observe->locked.stopping)
        return;
    observe->locked.writer = WRITER_GATHERING;
    wait_locked(observe, &observe->work, GATHER_US - since_us);
}

/* One round over all sinks. Returns whether one of them is full. */
static bool write_out_locked(struct observe *observe)
{
    struct sink *full = NULL;

    observe->locked.writer = WRITER_BUSY;
    for (size_t i = 0; i < SINKS; i++)
        sink_turn(&observe->locked.sinks[i]);
    pthread_mutex_unlock(&observe->lock);

    for (size_t i = 0; i < SINKS; i++)
        if (!sink_write(&observe->locked.sinks[i], clock_now_us()))
            full = &observe->locked.sinks[i];
    if (full)
        target_wait(&full->target, FULL_WAIT_MS);

    pthread_mutex_lock(&observe->lock);
    observe->locked.written_us = clock_now_us();
    return full != NULL;
}

static void tell_losses_locked(struct observe *observe)
{
    struct loss losses[LOSSES];
    size_t n = loss_collect_locked(observe, losses);

    pthread_mutex_unlock(&observe->lock);
    loss_write(observe, losses, n);
    pthread_mutex_lock(&observe->lock);
}

static bool must_end_locked(const struct observe *observe)
{
    if (!observe->locked.stopping)
        return false;
    return all_empty_locked(observe) || clock_now_us() >= observe->locked.stop_us;
}

static void *writer_main(void *user)
{
    struct observe *observe = user;
    bool full = false;

    pthread_setname_np(pthread_self(), "mesh-log");
    pthread_mutex_lock(&observe->lock);
    while (!must_end_locked(observe)) {
        if (!full)
            wait_for_lines_locked(observe);
        full = write_out_locked(observe);
        tell_losses_locked(observe);
    }
    observe->locked.writer = WRITER_NONE;
    pthread_cond_signal(&observe->done);
    pthread_mutex_unlock(&observe->lock);
    observe_release(observe);
    return NULL;
}

/* The thread is born with all signals blocked: they are the application's. */
static bool start_thread_locked(struct observe *observe)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&observe->locked.thread, NULL, writer_main, observe);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return false;
    observe->locked.holders++;
    observe->locked.writer = WRITER_GATHERING;
    return true;
}

/* ---- makers ---- */

static void wake_writer_locked(struct observe *observe, const struct sink *sink)
{
    if (observe->locked.writer == WRITER_NONE) {
        observe->locked.no_thread = !start_thread_locked(observe);
        return;
    }
    if (observe->locked.writer == WRITER_GATHERING && sink->front.end < SINK_HALF / 2)
        return;
    /* Not signalled again before it has run. */
    observe->locked.writer = WRITER_GATHERING;
    pthread_cond_signal(&observe->work);
}

/* Nothing else waits, and the last lines are a while ago: a thread would only make it later. */
static bool is_quiet_locked(const struct observe *observe, const struct sink *sink, size_t len)
{
    return target_never_waits(&sink->target) && sink->front.end == len && sink->back.start == sink->back.end &&
           clock_now_us() - observe->locked.written_us >= GATHER_US;
}

static void hand_on_locked(struct observe *observe, struct sink *sink, size_t len)
{
    if (observe->locked.no_thread || is_quiet_locked(observe, sink, len))
        write_here_locked(observe, sink);
    if (observe->locked.no_thread || sink_is_empty(sink))
        return;
    wake_writer_locked(observe, sink);
    if (observe->locked.no_thread)
        write_here_locked(observe, sink);
}

void writer_put(struct observe *observe, struct sink *sink, const char *line, size_t len)
{
    struct loss losses[LOSSES];
    size_t n = 0;

    pthread_mutex_lock(&observe->lock);
    sink_add(sink, line, len);
    if (observe->locked.writer != WRITER_BUSY) {
        hand_on_locked(observe, sink, len);
        n = loss_collect_locked(observe, losses);
    }
    pthread_mutex_unlock(&observe->lock);
    loss_write(observe, losses, n);
}

/* ---- the end ---- */

static void end_thread_locked(struct observe *observe)
{
    pthread_t thread = observe->locked.thread;
    bool ended;

    pthread_cond_signal(&observe->work);
    while (observe->locked.writer != WRITER_NONE && clock_now_us() < observe->locked.stop_us + NOTICE_US)
        wait_locked(observe, &observe->done, NOTICE_US);
    ended = observe->locked.writer == WRITER_NONE;
    pthread_mutex_unlock(&observe->lock);
    if (ended)
        pthread_join(thread, NULL);
    else
        pthread_detach(thread);
    pthread_mutex_lock(&observe->lock);
}

static void write_rest_locked(struct observe *observe, struct sink *sink)
{
    while (!sink_is_empty(sink) && clock_now_us() < observe->locked.stop_us) {
        write_here_locked(observe, sink);
        if (!sink_is_empty(sink))
            target_wait(&sink->target, FULL_WAIT_MS);
    }
}

void writer_end(struct observe *observe)
{
    pthread_mutex_lock(&observe->lock);
    observe->locked.stopping = true;
    observe->locked.stop_us = clock_now_us() + END_US;
    if (observe->locked.writer != WRITER_NONE) {
        end_thread_locked(observe);
    } else {
        tell_losses_locked(observe);
        for (size_t i = 0; i < SINKS; i++)
            write_rest_locked(observe, &observe->locked.sinks[i]);
    }
    pthread_mutex_unlock(&observe->lock);
}
