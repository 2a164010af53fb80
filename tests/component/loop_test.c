/* SPDX-License-Identifier: Apache-2.0 */
/* Threads wait in one loop: whoever drives completes them all, none is forgotten, signals end a wait when asked to. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "loop/loop.h"

enum { THREADS = 40, CALLS = 300 };

static struct loop *loop;

/* A call that a timer ends after a little while, or the very turn that starts it. */
struct call {
    struct loop_task task;
    struct loop_timer timer;
    struct loop_waiter waiter;
    uint64_t delay_us;
};

static void end_call(struct loop_timer *timer)
{
    struct call *call = CONTAINER_OF(timer, struct call, timer);

    loop_waiter_done(loop, &call->waiter);
}

static void start_call(struct loop_task *task)
{
    struct call *call = CONTAINER_OF(task, struct call, task);

    call->timer.on_due = end_call;
    if (call->delay_us == 0)
        loop_waiter_done(loop, &call->waiter);
    else
        loop_timer_set(loop, &call->timer, loop_now_us(loop) + call->delay_us);
}

static void *many_calls(void *user)
{
    struct rand rand;

    rand_seed_with(&rand, (uintptr_t) user);
    for (int i = 0; i < CALLS; i++) {
        struct call call = { .task.run = start_call, .delay_us = rand_below(&rand, 3) * rand_below(&rand, 2000) };

        loop_waiter_init(&call.waiter);
        loop_submit(loop, &call.task);
        if (loop_wait(loop, &call.waiter, LOOP_FOREVER, false) != 0)
            return NULL;
    }
    return user;
}

static void run_crowd(unsigned n)
{
    pthread_t threads[THREADS];
    void *ended;

    for (uintptr_t i = 0; i < n; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, many_calls, (void *) (i + 1)), 0);
    for (uintptr_t i = 0; i < n; i++) {
        pthread_join(threads[i], &ended);
        assert_ptr_equal(ended, (void *) (i + 1));
    }
}

static void every_waiter_of_a_crowd_is_woken(void **state)
{
    (void) state;
    run_crowd(THREADS);
    run_crowd(3);
    run_crowd(1);
}

static void a_wait_ends_at_its_limit(void **state)
{
    struct loop_waiter waiter;

    (void) state;
    loop_waiter_init(&waiter);
    assert_int_equal(loop_wait(loop, &waiter, clock_now_us() + 5000, false), MESH_ERR_TIMEOUT);
    loop_enter(loop);
    loop_waiter_done(loop, &waiter);
    loop_leave(loop);
    assert_int_equal(loop_wait(loop, &waiter, LOOP_FOREVER, false), 0);
}

static void on_alarm(int signal)
{
    (void) signal;
}

/* Once driving, once parked behind another thread that drives. */
static void *wait_for_signal(void *user)
{
    struct loop_waiter waiter;
    int32_t *err = user;

    loop_waiter_init(&waiter);
    *err = loop_wait(loop, &waiter, LOOP_FOREVER, true);
    return NULL;
}

static void a_signal_ends_an_interruptible_wait(void **state)
{
    struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
    int32_t errs[2] = { 1, 1 };
    pthread_t threads[2];

    (void) state;
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, wait_for_signal, &errs[i]);
    for (int i = 0; i < 2; i++) {
        while (pthread_tryjoin_np(threads[i], NULL) != 0) {
            pthread_kill(threads[i], SIGUSR1);
            usleep(1000);
        }
        assert_int_equal(errs[i], MESH_ERR_INTERRUPTED);
    }
}

/* Both ends of two pipes become readable in one turn; the first callback removes the other's watch. */
struct pair {
    struct loop_io io;
    struct pair *other;
    struct loop_waiter *waiter;
    int calls;
};

static void remove_the_other(struct loop_io *io, uint32_t events)
{
    struct pair *pair = CONTAINER_OF(io, struct pair, io);

    (void) events;
    pair->calls++;
    loop_io_remove(loop, &pair->other->io);
    loop_io_remove(loop, &pair->io);
    loop_waiter_done(loop, pair->waiter);
}

static void no_event_after_removal(void **state)
{
    int first[2], second[2];
    struct loop_waiter waiter;
    struct pair a = { .io.on_ready = remove_the_other }, b = { .io.on_ready = remove_the_other };

    (void) state;
    assert_int_equal(pipe(first) | pipe(second), 0);
    loop_waiter_init(&waiter);
    a.other = &b;
    b.other = &a;
    a.waiter = b.waiter = &waiter;
    a.io.fd = first[0];
    b.io.fd = second[0];
    assert_int_equal(write(first[1], "x", 1) + write(second[1], "x", 1), 2);
    loop_enter(loop);
    assert_int_equal(loop_io_add(loop, &a.io, EPOLLIN) | loop_io_add(loop, &b.io, EPOLLIN), 0);
    loop_leave(loop);
    assert_int_equal(loop_wait(loop, &waiter, LOOP_FOREVER, false), 0);
    assert_int_equal(a.calls + b.calls, 1);
    for (int i = 0; i < 2; i++) {
        close(first[i]);
        close(second[i]);
    }
}

static int make(void **state)
{
    (void) state;
    return loop_new(&(struct loop_conf){ 0 }, &loop) || loop_open(loop, NULL);
}

static int destroy(void **state)
{
    (void) state;
    loop_free(loop);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_waiter_of_a_crowd_is_woken, make, destroy),
        cmocka_unit_test_setup_teardown(a_wait_ends_at_its_limit, make, destroy),
        cmocka_unit_test_setup_teardown(a_signal_ends_an_interruptible_wait, make, destroy),
        cmocka_unit_test_setup_teardown(no_event_after_removal, make, destroy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
