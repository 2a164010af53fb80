/* SPDX-License-Identifier: Apache-2.0 */
/* Who drives: the keeper, a caller that takes the role from it, nobody for a moment. Whatever the order, timers are kept, work is
 * done and waits end. Each scene has one event only that could end it, and is played many times. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>

#include "loop/loop.h"
#include "mesh_test.h"

enum { ROUNDS = 400, GUARD_MS = 30000 };

static struct loop *loop;

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

/* ---- a timer that nobody waits for in the loop ---- */

struct alarm_clock {
    struct loop_timer timer;
    _Atomic bool rang;
};

static void on_ring(struct loop_timer *timer)
{
    CONTAINER_OF(timer, struct alarm_clock, timer)->rang = true;
}

static void set_alarm(struct alarm_clock *clock, uint64_t us)
{
    clock->timer.on_due = on_ring;
    clock->rang = false;
    loop_enter(loop);
    loop_timer_set(loop, &clock->timer, loop_now_us(loop) + us);
    loop_leave(loop);
}

static void rings(struct alarm_clock *clock)
{
    for (int ms = 0; !clock->rang; ms++) {
        if (ms > GUARD_MS)
            fail_msg("the timer is not kept");
        poll(NULL, 0, 1);
    }
}

/* A wait that ends at once, or after a moment, by its own limit: the driving is taken from the keeper and given back. */
static void take_the_driving(uint64_t us)
{
    struct loop_waiter waiter;

    loop_waiter_init(&waiter);
    MESH_ERR(MESH_ERR_TIMEOUT, loop_wait(loop, &waiter, clock_now_us() + us, false));
}

static void timers_are_kept_after_a_caller_has_driven(void **state)
{
    struct alarm_clock clock = { .rang = false };

    (void) state;
    loop_expect(loop, 1);
    for (int i = 0; i < ROUNDS; i++) {
        take_the_driving((uint64_t) (i % 4) * 100);
        set_alarm(&clock, 500);
        rings(&clock);
    }
    loop_expect(loop, -1);
}

static void timers_are_kept_while_nobody_is_expected(void **state)
{
    struct alarm_clock clock = { .rang = false };

    (void) state;
    for (int i = 0; i < 20; i++) {
        take_the_driving(100);
        set_alarm(&clock, 500);
        rings(&clock);
    }
}

/* ---- work that is submitted just when somebody begins to poll ---- */

struct job {
    struct loop_task task;
    struct loop_waiter waiter;
};

static void on_run(struct loop_task *task)
{
    loop_waiter_done(loop, &CONTAINER_OF(task, struct job, task)->waiter);
}

static void do_one_job(void)
{
    struct job job = { .task.run = on_run };

    loop_waiter_init(&job.waiter);
    loop_submit(loop, &job.task);
    MESH_OK(loop_wait(loop, &job.waiter, LOOP_FOREVER, false));
}

static void *do_jobs(void *user)
{
    for (int i = 0; i < 10 * ROUNDS; i++)
        do_one_job();
    return user;
}

/* With few threads one that submits meets one that begins to drive, and there is no third to end its poll. */
static void work_is_done_whoever_comes(void **state)
{
    (void) state;
    for (int n = 2; n <= 4; n++) {
        pthread_t threads[4];
        void *ended;

        for (int i = 0; i < n; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, do_jobs, loop), 0);
        for (int i = 0; i < n; i++) {
            pthread_join(threads[i], &ended);
            assert_ptr_equal(ended, loop);
        }
    }
}

/* Asking for the timeout is a look at the loop too. */
static void *look_often(void *stop)
{
    while (!*(_Atomic bool *) stop)
        loop_timeout_ms(loop);
    return NULL;
}

static void work_is_done_while_others_look(void **state)
{
    _Atomic bool stop = false;
    pthread_t looker;

    (void) state;
    assert_int_equal(pthread_create(&looker, NULL, look_often, &stop), 0);
    for (int i = 0; i < 5 * ROUNDS; i++)
        do_one_job();
    stop = true;
    pthread_join(looker, NULL);
}

/* ---- a wait that another thread ends ---- */

struct ended_by_another {
    struct loop_waiter waiter;
    _Atomic int stage; /* 1: waiting, or about to; 2: ended */
};

static void *end_waits(void *user)
{
    struct ended_by_another *wait = user;

    for (int i = 0; i < ROUNDS; i++) {
        while (wait->stage != 1)
            sched_yield();
        for (int k = 0; k < i % 50; k++)
            sched_yield();
        loop_enter(loop);
        loop_waiter_done(loop, &wait->waiter);
        wait->stage = 2;
        loop_leave(loop);
    }
    return NULL;
}

/* The keeper sleeps in its poll, a caller takes the driving, and the wake that ends the caller's wait comes at that moment. */
static void waits_end_while_the_driving_changes_hands(void **state)
{
    struct ended_by_another wait = { .stage = 0 };
    pthread_t thread;

    (void) state;
    loop_expect(loop, 1);
    assert_int_equal(pthread_create(&thread, NULL, end_waits, &wait), 0);
    for (int i = 0; i < ROUNDS; i++) {
        loop_waiter_init(&wait.waiter);
        wait.stage = 1;
        MESH_OK(loop_wait(loop, &wait.waiter, LOOP_FOREVER, false));
        assert_int_equal(wait.stage, 2);
    }
    pthread_join(thread, NULL);
    loop_expect(loop, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(timers_are_kept_after_a_caller_has_driven, make, destroy),
        cmocka_unit_test_setup_teardown(timers_are_kept_while_nobody_is_expected, make, destroy),
        cmocka_unit_test_setup_teardown(work_is_done_whoever_comes, make, destroy),
        cmocka_unit_test_setup_teardown(work_is_done_while_others_look, make, destroy),
        cmocka_unit_test_setup_teardown(waits_end_while_the_driving_changes_hands, make, destroy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
