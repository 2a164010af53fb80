/* SPDX-License-Identifier: Apache-2.0 */
/* The owner of HTTP/1.1 connections and streams in tests: writes down everything that it is told. */
#ifndef SUPPORT_H1_CALL_H
#define SUPPORT_H1_CALL_H

#include "test_loop.h"

#include <string.h>

#include "http/http.h"

struct h1_owner {
    struct http_conn *conn;
    int rooms, drainings, closings;
    struct fault why; /* of the last draining or closing */
    void (*on_room)(struct h1_owner *owner);
    void (*on_closed)(struct h1_owner *owner);
};

struct h1_call {
    struct http_stream stream;
    struct h1_owner *owner;
    /* what the test asks for */
    const char *method, *path, *authority;
    const struct mesh_header *headers;
    size_t n_headers;
    const char *upload; /* whole, or see read */
    int64_t upload_len; /* -1: told to nobody */
    uint64_t deadline_us;
    ssize_t (*read)(struct h1_call *call, uint8_t *buf, size_t cap, bool *eof);
    void (*on_head)(struct h1_call *call);
    int32_t (*on_data)(struct h1_call *call, size_t len);
    void (*on_end)(struct h1_call *call);
    int32_t header_error;
    void *user;
    /* what came */
    size_t uploaded;
    int status, heads, ends;
    bool head_was_end;
    char lines[4096], trailers[1024], body[4096]; /* their beginnings */
    uint64_t body_bytes;
    int32_t err;
    enum http_reach reach;
    struct fault fault;
};

static inline struct h1_call *h1_call_of(struct http_stream *stream)
{
    return CONTAINER_OF(stream, struct h1_call, stream);
}

static inline ssize_t h1_call_read(struct http_stream *stream, uint8_t *buf, size_t cap, bool *eof)
{
    struct h1_call *call = h1_call_of(stream);
    size_t left;

    if (call->read)
        return call->read(call, buf, cap, eof);
    left = strlen(call->upload) - call->uploaded;
    if (left > cap)
        left = cap;
    memcpy(buf, call->upload + call->uploaded, left);
    call->uploaded += left;
    *eof = call->uploaded == strlen(call->upload);
    return (ssize_t) left;
}

static inline int32_t h1_call_header(struct http_stream *stream, const char *name, size_t name_len, const char *value,
                                     size_t value_len, bool is_trailer)
{
    struct h1_call *call = h1_call_of(stream);
    char *out = is_trailer ? call->trailers : call->lines;
    size_t cap = is_trailer ? sizeof call->trailers : sizeof call->lines;

    snprintf(out + strlen(out), cap - strlen(out), "%.*s=%.*s\n", (int) name_len, name, (int) value_len, value);
    return call->header_error;
}

static inline void h1_call_head(struct http_stream *stream, int status, bool end)
{
    struct h1_call *call = h1_call_of(stream);

    call->status = status;
    call->head_was_end = end;
    call->heads++;
    if (call->on_head)
        call->on_head(call);
}

static inline int32_t h1_call_data(struct http_stream *stream, const uint8_t *bytes, size_t len)
{
    struct h1_call *call = h1_call_of(stream);

    for (size_t i = 0; i < len && call->body_bytes + i < sizeof call->body - 1; i++)
        call->body[call->body_bytes + i] = (char) bytes[i];
    call->body_bytes += len;
    return call->on_data ? call->on_data(call, len) : 0;
}

static inline void h1_call_end(struct http_stream *stream, const struct http_result *result)
{
    struct h1_call *call = h1_call_of(stream);

    call->ends++;
    call->err = result->err;
    call->reach = result->reach;
    if (result->fault)
        call->fault = *result->fault;
    assert_true(!result->err == !result->fault);
    assert_int_equal(call->fault.code, result->err);
    if (call->on_end)
        call->on_end(call);
}

static const struct http_stream_ops h1_call_ops = { h1_call_read, h1_call_header, h1_call_head, h1_call_data,
                                                    h1_call_end };

/* Inside the loop. */
static inline int32_t h1_call_open(struct h1_owner *owner, struct h1_call *call)
{
    struct http_request request = {
        .method = call->method ? call->method : "GET",
        .scheme = "http",
        .authority = call->authority ? call->authority : "users",
        .path = call->path ? call->path : "/",
        .headers = call->headers,
        .n_headers = call->n_headers,
        .has_body = call->upload || call->read,
        .body_len = call->upload && call->upload_len == 0 ? (int64_t) strlen(call->upload) : call->upload_len,
        .deadline_us = call->deadline_us,
    };

    call->owner = owner;
    call->stream.ops = &h1_call_ops;
    return http_stream_open(owner->conn, &call->stream, &request);
}

static inline void h1_call_start(struct loop *loop, struct h1_owner *owner, struct h1_call *call)
{
    loop_enter(loop);
    MESH_OK(h1_call_open(owner, call));
    assert_int_equal(call->ends, 0);
    loop_leave(loop);
}

static inline bool h1_call_is_done(void *user)
{
    return ((struct h1_call *) user)->ends > 0;
}

static inline bool h1_call_is_sent(void *user)
{
    return ((struct h1_call *) user)->stream.sent;
}

static inline void h1_call_wait(struct loop *loop, struct h1_call *call)
{
    test_loop_until(loop, h1_call_is_done, call);
    assert_int_equal(call->ends, 1);
}

/* Opens it and waits for its end. */
static inline void h1_call_do(struct loop *loop, struct h1_owner *owner, struct h1_call *call)
{
    h1_call_start(loop, owner, call);
    h1_call_wait(loop, call);
}

/* ---- connections ---- */

static inline void h1_owner_room(struct http_conn *conn)
{
    struct h1_owner *owner = conn->owner;

    owner->rooms++;
    if (owner->on_room)
        owner->on_room(owner);
}

static inline void h1_owner_draining(struct http_conn *conn, const struct fault *why)
{
    struct h1_owner *owner = conn->owner;

    owner->drainings++;
    owner->why = *why;
}

static inline void h1_owner_closed(struct http_conn *conn, const struct fault *why)
{
    struct h1_owner *owner = conn->owner;

    owner->closings++;
    owner->why = *why;
    if (owner->on_closed)
        owner->on_closed(owner);
}

static const struct http_conn_ops h1_owner_ops = { h1_owner_room, h1_owner_draining, h1_owner_closed };

static inline struct http_h1_conf h1_conf_for(const struct addr *addr)
{
    return (struct http_h1_conf){
        .addrs = { *addr },
        .n_addrs = 1,
        .max_connections = 4,
        .connect_timeout_us = 10 * US_PER_S,
    };
}

static inline void h1_owner_open_with(struct loop *loop, struct h1_owner *owner, const struct http_h1_conf *h1,
                                      const struct http_conn_conf *conf)
{
    struct http_conn_conf plain = { 0 };
    struct fault fault = { 0 };

    *owner = (struct h1_owner){ 0 };
    loop_enter(loop);
    MESH_OK(http_conn_h1(loop, conf ? conf : &plain, h1, &h1_owner_ops, owner, &owner->conn, &fault));
    loop_leave(loop);
}

static inline void h1_owner_open(struct loop *loop, struct h1_owner *owner, const struct addr *addr)
{
    struct http_h1_conf h1 = h1_conf_for(addr);

    h1_owner_open_with(loop, owner, &h1, NULL);
}

static inline void h1_owner_free(struct loop *loop, struct h1_owner *owner)
{
    loop_enter(loop);
    http_conn_free(owner->conn);
    owner->conn = NULL;
    loop_leave(loop);
}

#endif
