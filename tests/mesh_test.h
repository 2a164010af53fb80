/* SPDX-License-Identifier: Apache-2.0 */
/* What every test needs besides cmocka: readable failures of mesh calls, a leak check, a clock that stands still, and a
 * loop that makes each allocation fail once. */
#ifndef MESH_TEST_H
#define MESH_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"

/* ThreadSanitizer is at work, of gcc or of clang. */
#if defined(__SANITIZE_THREAD__)
#define MESH_TEST_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MESH_TEST_TSAN 1
#endif
#endif
#ifndef MESH_TEST_TSAN
#define MESH_TEST_TSAN 0
#endif

/* The call returns 0; else its error's name is what the failure shows. */
#define MESH_OK(call) MESH_ERR(MESH_OK, call)

/* The call returns this error. */
#define MESH_ERR(expected, call) mesh_test_result((call), (expected), #call, __FILE__, __LINE__)

static inline void mesh_test_result(int32_t result, int32_t expected, const char *call, const char *file, int line)
{
    if (result == expected)
        return;
    print_error("%s: %s, not %s\n", call, error_name(result), error_name(expected));
    _fail(file, line);
}

/* Leaks: as setup and teardown of a test (or of a group, once). Blocks that live between the two are counted. */
static inline int mesh_test_watch(void **state)
{
    (void) state;
    mem_watch(0, false);
    return 0;
}

static inline int mesh_test_unwatch(void **state)
{
    int64_t live;

    (void) state;
    mem_unwatch(&live);
    if (live != 0)
        print_error("%lld blocks are not freed (below 0: freed without having been allocated)\n", (long long) live);
    return live == 0 ? 0 : -1;
}

/* A test with the leak check around it. */
#define LEAK_TEST(function) cmocka_unit_test_setup_teardown(function, mesh_test_watch, mesh_test_unwatch)

/* Makes the first allocation of `scenario` fail, then the second, ... until it runs through with all of them granted.
 * The scenario returns 0 or MESH_ERR_NOMEM, and leaves nothing behind either way. Not within LEAK_TEST. */
static inline void mesh_test_each_allocation_fails(int32_t (*scenario)(void))
{
    bool reached = true;

    for (uint64_t nth = 1; reached; nth++) {
        int64_t live;
        int32_t err;

        mem_watch(nth, false);
        err = scenario();
        reached = mem_unwatch(&live);
        if (err == (reached ? MESH_ERR_NOMEM : 0) && live == 0)
            continue;
        print_error("allocation %llu fails: %s, %lld blocks not freed\n", (unsigned long long) nth, error_name(err),
                    (long long) live);
        fail();
    }
}

/* A clock that only the test moves. clock_replace(NULL) brings the system's back. */
static uint64_t mesh_test_now_us;

static inline uint64_t mesh_test_clock(void)
{
    return mesh_test_now_us;
}

static inline void mesh_test_clock_start(uint64_t now_us)
{
    mesh_test_now_us = now_us;
    clock_replace(mesh_test_clock);
}

static inline void mesh_test_clock_advance_ms(uint64_t ms)
{
    mesh_test_now_us += ms * US_PER_MS;
}

#endif
