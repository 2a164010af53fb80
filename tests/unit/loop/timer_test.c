/* SPDX-License-Identifier: Apache-2.0 */
/* The timer heap gives timers back in order, whatever was set, moved and cancelled in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "loop/state.h"

enum { N = 500 };

struct probe {
    struct loop_timer timer;
    uint64_t expected_us; /* 0: cancelled */
    bool fired;
};

static struct loop *loop;
static uint64_t last_us;
static unsigned fired;

static void on_due(struct loop_timer *timer)
{
    struct probe *probe = CONTAINER_OF(timer, struct probe, timer);

    assert_false(probe->fired);
    assert_int_equal(timer->due_us, probe->expected_us);
    assert_true(timer->due_us >= last_us);
    probe->fired = true;
    last_us = timer->due_us;
    fired++;
}

static void in_order_after_random_changes(void **state)
{
    static struct probe probes[N];
    struct rand rand;
    unsigned expected = 0;

    (void) state;
    rand_seed_with(&rand, 7);
    for (int step = 0; step < 20 * N; step++) {
        struct probe *probe = &probes[rand_below(&rand, N)];

        probe->timer.on_due = on_due;
        probe->expected_us = rand_below(&rand, 4) ? loop->now_us + 1 + rand_below(&rand, 1000000) : 0;
        if (probe->expected_us)
            loop_timer_set(loop, &probe->timer, probe->expected_us);
        else
            loop_timer_cancel(loop, &probe->timer);
    }
    for (int i = 0; i < N; i++)
        expected += probes[i].expected_us != 0;
    loop->now_us += 2000000;
    loop_timer_run_due(loop);
    assert_int_equal(fired, expected);
    assert_int_equal(loop_timer_next(loop), LOOP_FOREVER);
}

static unsigned again_calls;

static void set_again(struct loop_timer *timer)
{
    again_calls++;
    loop_timer_set(loop, timer, 0);
}

static void a_timer_that_sets_itself_waits_for_the_next_turn(void **state)
{
    struct loop_timer timer = { .on_due = set_again };

    (void) state;
    loop_timer_set(loop, &timer, 0);
    loop->now_us++;
    loop_timer_run_due(loop);
    assert_int_equal(again_calls, 1);
    loop->now_us++;
    loop_timer_run_due(loop);
    assert_int_equal(again_calls, 2);
    loop_timer_cancel(loop, &timer);
}

static int make_loop(void **state)
{
    (void) state;
    return loop_new(&(struct loop_conf){ .threadless = true }, &loop);
}

static int free_loop(void **state)
{
    (void) state;
    loop_free(loop);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(in_order_after_random_changes, make_loop, free_loop),
        cmocka_unit_test_setup_teardown(a_timer_that_sets_itself_waits_for_the_next_turn, make_loop, free_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
