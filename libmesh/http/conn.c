/* SPDX-License-Identifier: Apache-2.0 */
/* What every kind of connection shares: the list of streams, the once-only callbacks, and the dispatch to the kind. */
#include "http/kind.h"

enum { DEFAULT_WINDOW = 1 << 20, DEFAULT_HEADER_BYTES = 64 << 10 };

/* ---- for the kinds ---- */

void http_conn_init(struct http_conn *conn, const struct http_conn_kind *kind, struct loop *loop,
                    const struct http_conn_conf *conf, const struct http_conn_ops *ops, void *owner)
{
    conn->kind = kind;
    conn->ops = ops;
    conn->loop = loop;
    conn->conf = *conf;
    if (conn->conf.window == 0)
        conn->conf.window = DEFAULT_WINDOW;
    if (conn->conf.max_header_bytes == 0)
        conn->conf.max_header_bytes = DEFAULT_HEADER_BYTES;
    conn->owner = owner;
    conn->opened_us = loop_now_us(loop);
    list_init(&conn->streams);
}

static void detach(struct http_stream *stream)
{
    list_remove(&stream->link);
    stream->conn->n_streams--;
    stream->conn = NULL;
}

void http_stream_end(struct http_stream *stream, const struct http_result *result)
{
    detach(stream);
    stream->ops->on_end(stream, result);
}

void http_stream_end_ok(struct http_stream *stream)
{
    http_stream_end(stream, &(struct http_result){ .err = 0, .reach = HTTP_MAYBE });
}

void http_conn_end_all(struct http_conn *conn, const struct fault *fault,
                       enum http_reach (*reach_of)(const struct http_stream *stream))
{
    while (!list_empty(&conn->streams)) {
        struct http_stream *stream = CONTAINER_OF(conn->streams.next, struct http_stream, link);
        const struct http_result result = { .err = fault->code, .reach = reach_of(stream), .fault = fault };

        http_stream_end(stream, &result);
    }
}

void http_conn_tell_room(struct http_conn *conn)
{
    if (!conn->draining && !conn->closed)
        conn->ops->on_room(conn);
}

void http_conn_tell_draining(struct http_conn *conn, const struct fault *why)
{
    if (conn->draining || conn->closed)
        return;
    conn->draining = true;
    conn->ops->on_draining(conn, why);
}

void http_conn_tell_closed(struct http_conn *conn, const struct fault *why)
{
    if (conn->closed)
        return;
    conn->draining = true;
    conn->closed = true;
    conn->ops->on_closed(conn, why);
}

/* ---- connections ---- */

uint32_t http_conn_room(const struct http_conn *conn)
{
    return conn->draining || conn->closed ? 0 : conn->kind->room(conn);
}

uint32_t http_conn_limit(const struct http_conn *conn)
{
    return conn->kind->limit(conn);
}

bool http_conn_silent(const struct http_conn *conn)
{
    return conn->kind->silent && conn->kind->silent(conn);
}

void http_conn_set_silence(struct http_conn *conn, uint64_t silence_us)
{
    conn->conf.silence_us = silence_us;
    if (conn->kind->silence_changed)
        conn->kind->silence_changed(conn);
}

void http_conn_refresh(struct http_conn *conn)
{
    if (conn->kind->refresh && !conn->closed)
        conn->kind->refresh(conn);
}

void http_conn_drain(struct http_conn *conn)
{
    if (conn->draining || conn->closed)
        return;
    conn->draining = true;
    conn->kind->drain(conn);
}

void http_conn_close(struct http_conn *conn, int32_t err, const char *why)
{
    if (conn->closed)
        return;
    conn->draining = true;
    conn->kind->close(conn, err, why);
}

void http_conn_free(struct http_conn *conn)
{
    if (conn)
        conn->kind->free(conn);
}

enum http_protocol http_conn_protocol(const struct http_conn *conn)
{
    return conn->kind->protocol;
}

/* ---- streams ---- */

int32_t http_stream_open(struct http_conn *conn, struct http_stream *stream, const struct http_request *request)
{
    int32_t err;

    if (http_conn_room(conn) == 0)
        return MESH_ERR_AGAIN;
    stream->conn = conn;
    stream->impl = NULL;
    stream->impl_bits = 0;
    stream->id = 0;
    stream->sent = stream->had_head = false;
    stream->bytes_sent = stream->bytes_received = 0;
    list_push_back(&conn->streams, &stream->link);
    conn->n_streams++;
    err = conn->kind->stream_open(conn, stream, request);
    if (err)
        detach(stream);
    return err;
}

void http_stream_resume(struct http_stream *stream)
{
    if (stream->conn)
        stream->conn->kind->stream_resume(stream->conn, stream);
}

void http_stream_consume(struct http_stream *stream, size_t n)
{
    if (stream->conn)
        stream->conn->kind->stream_consume(stream->conn, stream, n);
}

void http_stream_cancel(struct http_stream *stream)
{
    struct http_conn *conn = stream->conn;

    if (!conn)
        return;
    detach(stream);
    conn->kind->stream_cancel(conn, stream);
}
