/* SPDX-License-Identifier: Apache-2.0 */
/* A call of gRPC under test, and what became of it. */
#ifndef SUPPORT_GRPC_EXCHANGE_H
#define SUPPORT_GRPC_EXCHANGE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grpc/grpc.h"
#include "test_loop.h"

enum grpc_exchange_place { ON_NOTHING, ON_METADATA, ON_MESSAGE, ON_ROOM, ON_STATUS };

struct grpc_exchange {
    struct grpc_stream stream;
    bool asks;                       /* for the next message with each that comes */
    enum grpc_exchange_place frees;  /* cancels and frees itself there */
    enum grpc_exchange_place *freed; /* where it did */
    struct http_conn *again;         /* opens itself anew there when it has ended, once */

    char metadata[1024], trailers[1024]; /* "name=value;" */
    unsigned n_messages, n_room, n_statuses;
    size_t bytes;
    uint64_t sum; /* xxh64 of the last message */
    char last[64];
    size_t last_len;
    struct grpc_status status;
    uint8_t details[256];
};

static inline bool grpc_exchange_ends(struct grpc_exchange *x, enum grpc_exchange_place place)
{
    if (x->frees != place)
        return false;
    *x->freed = place;
    grpc_stream_cancel(&x->stream);
    free(x);
    return true;
}

static inline struct grpc_exchange *grpc_exchange_of(struct grpc_stream *stream)
{
    return CONTAINER_OF(stream, struct grpc_exchange, stream);
}

static void grpc_exchange_on_metadata(struct grpc_stream *stream, const char *name, size_t name_len, const void *value,
                                      size_t len, bool is_trailer)
{
    struct grpc_exchange *x = grpc_exchange_of(stream);
    char *into = is_trailer ? x->trailers : x->metadata;
    size_t used = strlen(into);

    if (!grpc_exchange_ends(x, ON_METADATA))
        snprintf(into + used, sizeof x->metadata - used, "%.*s=%.*s;", (int) name_len, name, (int) len,
                 (const char *) value);
}

static void grpc_exchange_on_message(struct grpc_stream *stream, const uint8_t *bytes, size_t len)
{
    struct grpc_exchange *x = grpc_exchange_of(stream);

    x->n_messages++;
    x->bytes += len;
    x->last_len = len;
    x->sum = xxh64(bytes, len, 0);
    snprintf(x->last, sizeof x->last, "%.*s", (int) (len < 60 ? len : 60), len > 0 ? (const char *) bytes : "");
    if (!grpc_exchange_ends(x, ON_MESSAGE) && x->asks)
        grpc_stream_receive(stream);
}

static void grpc_exchange_on_room(struct grpc_stream *stream)
{
    struct grpc_exchange *x = grpc_exchange_of(stream);

    x->n_room++;
    grpc_exchange_ends(x, ON_ROOM);
}

static const struct grpc_call grpc_exchange_call = {
    .scheme = "http",
    .authority = "users.test",
    .path = "/test.Echo/Unary",
    .user_agent = "libmesh-test",
};

static void grpc_exchange_on_status(struct grpc_stream *stream, const struct grpc_status *status)
{
    struct grpc_exchange *x = grpc_exchange_of(stream);

    x->n_statuses++;
    x->status = *status;
    assert_true(status->n_details <= sizeof x->details);
    if (status->n_details > 0)
        memcpy(x->details, status->details, status->n_details);
    x->status.details = x->details;
    if (grpc_exchange_ends(x, ON_STATUS) || !x->again)
        return;
    MESH_OK(grpc_stream_open(x->again, stream, &grpc_exchange_call, NULL));
    x->again = NULL;
}

static const struct grpc_stream_ops grpc_exchange_ops = { grpc_exchange_on_metadata, grpc_exchange_on_message,
                                                          grpc_exchange_on_room, grpc_exchange_on_status };

static inline int32_t grpc_exchange_try(struct loop *loop, struct http_conn *conn, struct grpc_exchange *x,
                                        struct grpc_call call, struct fault *fault)
{
    int32_t err;

    call.scheme = call.scheme ? call.scheme : grpc_exchange_call.scheme;
    call.authority = call.authority ? call.authority : grpc_exchange_call.authority;
    call.path = call.path ? call.path : grpc_exchange_call.path;
    call.user_agent = call.user_agent ? call.user_agent : grpc_exchange_call.user_agent;
    x->stream.ops = &grpc_exchange_ops;
    loop_enter(loop);
    err = grpc_stream_open(conn, &x->stream, &call, fault);
    loop_leave(loop);
    return err;
}

static inline void grpc_exchange_open(struct loop *loop, struct http_conn *conn, struct grpc_exchange *x,
                                      struct grpc_call call)
{
    struct fault fault = { 0 };
    int32_t err = grpc_exchange_try(loop, conn, x, call, &fault);

    if (err)
        fail_msg("%s", fault.text);
}

static inline int32_t grpc_exchange_send(struct loop *loop, struct grpc_exchange *x, const void *bytes, size_t len)
{
    int32_t err;

    loop_enter(loop);
    err = grpc_stream_send(&x->stream, bytes, len);
    loop_leave(loop);
    return err;
}

static inline void grpc_exchange_send_end(struct loop *loop, struct grpc_exchange *x)
{
    loop_enter(loop);
    grpc_stream_send_end(&x->stream);
    loop_leave(loop);
}

static inline void grpc_exchange_receive(struct loop *loop, struct grpc_exchange *x)
{
    loop_enter(loop);
    grpc_stream_receive(&x->stream);
    loop_leave(loop);
}

static inline void grpc_exchange_cancel(struct loop *loop, struct grpc_exchange *x)
{
    loop_enter(loop);
    grpc_stream_cancel(&x->stream);
    loop_leave(loop);
}

static inline void grpc_exchange_ended(const struct grpc_exchange *x, enum grpc_code code, const char *message)
{
    if (x->status.code != code || strcmp(x->status.message, message) != 0)
        fail_msg("ended with %s: %s", grpc_code_name(x->status.code), x->status.message);
    assert_int_equal(x->n_statuses, 1);
    assert_int_equal(x->stream.state, GRPC_STREAM_CLOSED);
}

#endif
