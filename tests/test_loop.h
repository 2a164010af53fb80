/* SPDX-License-Identifier: Apache-2.0 */
/* A loop that the test itself drives, until something is so or a generous guard ends the test. */
#ifndef TEST_LOOP_H
#define TEST_LOOP_H

#include <poll.h>
#include <stdbool.h>

#include "loop/loop.h"
#include "mesh_test.h"

enum { TEST_GUARD_MS = 30000, TEST_POLL_MS = 20 };

static inline struct loop *test_loop_new(void)
{
    struct loop_conf conf = { .threadless = true };
    struct loop *loop;

    MESH_OK(loop_new(&conf, &loop));
    MESH_OK(loop_open(loop, NULL));
    return loop;
}

static inline void test_loop_turn(struct loop *loop)
{
    struct pollfd fd = { .fd = loop_fd(loop), .events = POLLIN };
    int32_t wait = loop_timeout_ms(loop);

    poll(&fd, 1, wait < 0 || wait > TEST_POLL_MS ? TEST_POLL_MS : wait);
    loop_turn(loop);
}

/* The condition is asked inside the loop. */
static inline void test_loop_until(struct loop *loop, bool (*is_so)(void *user), void *user)
{
    for (int turns = 0; turns < TEST_GUARD_MS; turns++) {
        bool done;

        loop_enter(loop);
        done = is_so(user);
        loop_leave(loop);
        if (done)
            return;
        test_loop_turn(loop);
    }
    fail_msg("what the test waits for does not come");
}

/* Some turns, in which what must not happen would. */
static inline void test_loop_turns(struct loop *loop, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        test_loop_turn(loop);
}

#endif
