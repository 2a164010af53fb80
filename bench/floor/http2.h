/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP/2 connection on nghttp2 that carries unary gRPC calls. Not thread-safe: whoever uses it holds a lock. */
#ifndef BENCH_FLOOR_HTTP2_H
#define BENCH_FLOOR_HTTP2_H

#include <nghttp2/nghttp2.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "floor/wire.h"
#include "load/load.h"

enum call_state { CALL_WAITING, CALL_DONE, CALL_LEAD }; /* LEAD: its thread was woken to take over the driving */

struct call {
    struct call *next; /* in one list at a time: of new calls, or of ended ones */
    struct call *previous_parked, *next_parked;
    const struct load_message *message;
    size_t sent, received;
    int grpc_status; /* -1: none came */
    _Atomic int state;
    uint64_t began_ns;
};

void call_init(struct call *call, const struct load_message *message);
/* Ends the program when the echo did not come back whole. */
void call_check(const struct call *call);

struct http2 {
    struct wire wire;
    nghttp2_session *session;
    char authority[32];
    struct call *ended;
    size_t out_len, out_sent;
    _Atomic bool blocked;
    uint8_t out[1 << 17];
    uint8_t in[1 << 16];
};

void http2_open(struct http2 *http2, uint16_t port, const char *ca);
void http2_submit(struct http2 *http2, struct call *call);
/* Sends what there is, as far as the socket takes it. */
void http2_write(struct http2 *http2);
/* Reads once what has come; calls end in here. */
void http2_read(struct http2 *http2);
/* The socket did not take all of it. Any thread. */
bool http2_is_blocked(const struct http2 *http2);
/* The calls that have ended since the last time. */
struct call *http2_take_ended(struct http2 *http2);

#endif
