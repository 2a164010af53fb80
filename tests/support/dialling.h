/* SPDX-License-Identifier: Apache-2.0 */
/* Dialling from a test, and talking over the stream as if it were blocking. */
#ifndef SUPPORT_DIALLING_H
#define SUPPORT_DIALLING_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

#include "loop/loop.h"
#include "net/net.h"

enum { HANG_GUARD_MS = 30000 };

struct dialled {
    bool is_done;
    int32_t err;
    struct net_stream *stream;
    struct fault fault;
};

static inline void dialled_on_done(void *user, int32_t err, struct net_stream *stream, const struct fault *fault)
{
    struct dialled *dialled = user;

    assert_false(dialled->is_done);
    *dialled = (struct dialled){ .is_done = true, .err = err, .stream = stream, .fault = *fault };
}

static inline struct loop *dialling_loop(void)
{
    struct loop_conf conf = { .threadless = true };
    struct loop *loop;

    assert_int_equal(loop_new(&conf, &loop), 0);
    return loop;
}

/* Turns until it is done. */
static inline void dialling_wait(struct loop *loop, const bool *is_done)
{
    uint64_t guard = clock_now_us() + HANG_GUARD_MS * US_PER_MS;

    while (!*is_done) {
        struct pollfd ready = { .fd = loop_fd(loop), .events = POLLIN };
        int32_t timeout_ms = loop_timeout_ms(loop);

        assert_true(clock_now_us() < guard);
        poll(&ready, 1, timeout_ms < 0 || timeout_ms > 1000 ? 1000 : timeout_ms);
        loop_turn(loop);
    }
}

/* A whole dial. A timeout_us of 0 is twenty seconds. */
static inline struct dialled dial(struct loop *loop, struct net_dial_conf conf)
{
    struct dialled dialled = { .is_done = false };
    struct net_dial *started;

    if (conf.timeout_us == 0)
        conf.timeout_us = 20 * US_PER_S;
    if (loop_open(loop, &dialled.fault) != 0)
        return (struct dialled){ .is_done = true, .err = dialled.fault.code, .fault = dialled.fault };
    loop_enter(loop);
    dialled.err = net_dial_start(loop, &conf, dialled_on_done, &dialled, &started);
    assert_false(dialled.is_done);
    if (dialled.err)
        dialled.is_done = true;
    loop_leave(loop);
    dialling_wait(loop, &dialled.is_done);
    return dialled;
}

static inline void stream_wait(const struct net_stream *stream, bool has_output)
{
    uint32_t wants = net_stream_wants(stream, has_output);
    struct pollfd ready = {
        .fd = net_stream_fd(stream),
        .events = (short) ((wants & EPOLLIN ? POLLIN : 0) | (wants & EPOLLOUT ? POLLOUT : 0)),
    };

    assert_int_equal(poll(&ready, 1, HANG_GUARD_MS), 1);
}

/* Waits for the first bytes, the end (0) or a failure. */
static inline ssize_t stream_read(struct net_stream *stream, void *buf, size_t cap)
{
    ssize_t n;

    while ((n = net_stream_read(stream, buf, cap)) == NET_AGAIN)
        stream_wait(stream, false);
    return n;
}

/* All of it; false: NET_FAILED. */
static inline bool stream_write_all(struct net_stream *stream, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = net_stream_write(stream, bytes, len);

        if (n == NET_FAILED)
            return false;
        if (n == NET_AGAIN) {
            stream_wait(stream, true);
            continue;
        }
        bytes += n;
        len -= (size_t) n;
    }
    return true;
}

static inline void assert_says(const struct fault *fault, const char *words)
{
    if (!strstr(fault->text, words))
        fail_msg("\"%s\" does not say \"%s\"", fault->text, words);
}

#endif
