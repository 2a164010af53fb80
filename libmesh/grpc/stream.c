/* SPDX-License-Identifier: Apache-2.0 */
/* A call on an HTTP/2 stream: what comes is kept until asked for, and callbacks come at the end of a turn. */
#include "grpc/stream.h"

#include <string.h>

#include "grpc/timeout.h"

enum { SEND_AHEAD = 64 << 10, KEPT = 64 << 10 };

static struct grpc_stream *of_http(struct http_stream *http)
{
    return CONTAINER_OF(http, struct grpc_stream, http);
}

static void later(struct grpc_stream *stream)
{
    loop_defer(stream->loop, &stream->later);
}

/* ---- the end ---- */

static void leave_connection(struct grpc_stream *stream)
{
    loop_timer_cancel(stream->loop, &stream->timer);
    http_stream_cancel(&stream->http);
}

static void release(struct grpc_stream *stream)
{
    buf_free(&stream->in);
    buf_free(&stream->out);
    grpc_reader_free(&stream->reader);
    stream->state = GRPC_STREAM_CLOSED;
}

/* stream->status is what it is; messages that still wait are dropped. */
static void decide(struct grpc_stream *stream)
{
    leave_connection(stream);
    stream->state = GRPC_STREAM_DECIDED;
    stream->has_message = false;
    later(stream);
}

static void refuse(struct grpc_stream *stream, enum grpc_code code, const char *why)
{
    grpc_status_set(&stream->status, code, "%s", why);
    decide(stream);
}

/* With the answer whole and nothing of it left to be asked for, its status counts if the messages are as they must be. */
static void settle(struct grpc_stream *stream)
{
    if (stream->state != GRPC_STREAM_ANSWERED || stream->has_message || buf_len(&stream->in) > 0)
        return;
    if (stream->status.code == GRPC_OK && grpc_reader_is_within(&stream->reader))
        refuse(stream, GRPC_INTERNAL, "the answer ends within a message");
    else if (stream->status.code == GRPC_OK && stream->one_answer && stream->n_messages == 0)
        refuse(stream, GRPC_INTERNAL, "the answer has no message");
    else
        decide(stream);
}

/* The owner may free or open the stream anew: what the status points to is kept here meanwhile. */
static void tell_status(struct grpc_stream *stream)
{
    struct grpc_answer answer = stream->answer;
    struct grpc_status status = stream->status;

    release(stream);
    stream->answer = (struct grpc_answer){ 0 };
    stream->ops->on_status(stream, &status);
    grpc_answer_free(&answer);
}

static void on_deadline(struct loop_timer *timer)
{
    refuse(CONTAINER_OF(timer, struct grpc_stream, timer), GRPC_DEADLINE_EXCEEDED, "the deadline has passed");
}

/* ---- receiving ---- */

/* Reads up to the end of the message that was asked for. Returns how much of it is used. */
static size_t take(struct grpc_stream *stream, const uint8_t *bytes, size_t len)
{
    size_t used = 0;

    if (!stream->wants || stream->has_message || len == 0)
        return 0;
    switch (grpc_reader_feed(&stream->reader, bytes, len, &used, &stream->status)) {
    case GRPC_READ_MORE:
        break;
    case GRPC_READ_MESSAGE:
        stream->has_message = true;
        later(stream);
        break;
    case GRPC_READ_REFUSED:
        decide(stream);
        break;
    }
    http_stream_consume(&stream->http, used);
    return used;
}

static void take_waiting(struct grpc_stream *stream)
{
    size_t used = take(stream, buf_bytes(&stream->in), buf_len(&stream->in));

    buf_consume(&stream->in, used);
    if (buf_len(&stream->in) == 0 && stream->in.cap > KEPT)
        buf_free(&stream->in);
}

/* The next of a method that answers once is asked for only to see that it does not come. */
static void tell_message(struct grpc_stream *stream)
{
    stream->has_message = false;
    if (stream->one_answer && stream->n_messages > 0) {
        refuse(stream, GRPC_INTERNAL, "the answer has more than one message");
        return;
    }
    stream->n_messages++;
    stream->wants = stream->one_answer;
    stream->ops->on_message(stream, stream->reader.message, stream->reader.len);
}

static void tell_room(struct grpc_stream *stream)
{
    stream->has_room = false;
    stream->ops->on_room(stream);
}

/* Everything that owners are told, but metadata, one thing at a time. */
static void tell(struct grpc_stream *stream)
{
    if (stream->state == GRPC_STREAM_DECIDED)
        tell_status(stream);
    else if (stream->has_room)
        tell_room(stream);
    else if (stream->has_message)
        tell_message(stream);
}

static void on_later(struct loop_later *deferred)
{
    struct grpc_stream *stream = CONTAINER_OF(deferred, struct grpc_stream, later);
    bool gone = false;

    if (stream->state == GRPC_STREAM_DECIDED) {
        tell(stream);
        return;
    }
    stream->gone = &gone;
    tell(stream);
    if (gone)
        return;
    stream->gone = NULL;
    if (stream->state != GRPC_STREAM_DECIDED)
        take_waiting(stream);
    settle(stream);
    if (stream->has_room || stream->has_message)
        later(stream);
}

/* ---- what the HTTP stream tells ---- */

static ssize_t read_body(struct http_stream *http, uint8_t *buf, size_t cap, bool *eof)
{
    struct grpc_stream *stream = of_http(http);
    size_t n = buf_len(&stream->out) < cap ? buf_len(&stream->out) : cap;

    if (n > 0)
        memcpy(buf, buf_bytes(&stream->out), n);
    buf_consume(&stream->out, n);
    if (buf_len(&stream->out) == 0 && stream->out.cap > KEPT)
        buf_free(&stream->out);
    if (stream->lacks_room && buf_len(&stream->out) < stream->send_ahead) {
        stream->lacks_room = false;
        stream->has_room = stream->ops->on_room != NULL;
        later(stream);
    }
    *eof = stream->sent_all && buf_len(&stream->out) == 0;
    return (ssize_t) n;
}

/* Out of memory: the value is left out as one that is no base64 is. */
static void tell_binary(struct grpc_stream *stream, const char *name, size_t name_len, const char *value,
                        size_t value_len, bool is_trailer)
{
    struct buf room = { 0 };
    const uint8_t *bytes;
    bool gone = false;
    size_t len;

    stream->gone = &gone;
    while (!gone && grpc_metadata_next(&value, &value_len, &room, &bytes, &len))
        if (bytes)
            stream->ops->on_metadata(stream, name, name_len, bytes, len, is_trailer);
    if (!gone)
        stream->gone = NULL;
    buf_free(&room);
}

static int32_t on_header(struct http_stream *http, const char *name, size_t name_len, const char *value,
                         size_t value_len, bool is_trailer)
{
    struct grpc_stream *stream = of_http(http);
    int32_t err = grpc_answer_header(&stream->answer, name, name_len, value, value_len, is_trailer);

    if (err || !stream->ops->on_metadata || !grpc_metadata_is(name, name_len))
        return err;
    if (grpc_metadata_is_binary(name, name_len))
        tell_binary(stream, name, name_len, value, value_len, is_trailer);
    else
        stream->ops->on_metadata(stream, name, name_len, value, value_len, is_trailer);
    return 0;
}

/* A page of some proxy need not be read to its end. */
static void on_head(struct http_stream *http, int status, bool end)
{
    struct grpc_stream *stream = of_http(http);

    grpc_answer_head(&stream->answer, status);
    stream->reader.encoding = stream->answer.encoding;
    if (end || !grpc_answer_is_other(&stream->answer))
        return;
    grpc_answer_judge(&stream->answer, &stream->status);
    decide(stream);
}

static int32_t on_data(struct http_stream *http, const uint8_t *bytes, size_t len)
{
    struct grpc_stream *stream = of_http(http);
    size_t used;

    grpc_answer_body(&stream->answer);
    used = buf_len(&stream->in) == 0 ? take(stream, bytes, len) : 0;
    if (stream->state != GRPC_STREAM_RUNNING || used == len || buf_append(&stream->in, bytes + used, len - used))
        return 0;
    refuse(stream, GRPC_RESOURCE_EXHAUSTED, "a message was not kept: out of memory");
    return 0;
}

static void judge_failure(struct grpc_stream *stream, const struct http_result *result)
{
    enum grpc_code code = result->was_reset ? grpc_code_of_reset(result->reset_code) : grpc_code_of_error(result->err);

    if (code == GRPC_CANCELLED && stream->deadline_us && loop_now_us(stream->loop) >= stream->deadline_us)
        code = GRPC_DEADLINE_EXCEEDED;
    grpc_status_set(&stream->status, code, "%s", result->fault->text);
}

static void on_end(struct http_stream *http, const struct http_result *result)
{
    struct grpc_stream *stream = of_http(http);

    loop_timer_cancel(stream->loop, &stream->timer);
    stream->state = GRPC_STREAM_ANSWERED;
    if (result->err)
        judge_failure(stream, result);
    else
        grpc_answer_judge(&stream->answer, &stream->status);
    later(stream);
}

static const struct http_stream_ops http_ops = { read_body, on_header, on_head, on_data, on_end };

/* ---- what owners ask for ---- */

static int32_t check(const struct http_conn *conn, const struct grpc_call *call, struct fault *fault)
{
    int32_t err;

    if (http_conn_protocol(conn) != HTTP_2)
        return fault_set(fault, MESH_ERR_INVALID, "gRPC needs HTTP/2; the connection has HTTP/1.1");
    err = http_valid_path(call->path, fault);
    if (err == 0)
        err = http_valid_authority(call->authority, fault);
    if (err == 0)
        err = http_valid_header(&(struct mesh_header){ "user-agent", call->user_agent }, fault);
    return err ? err : grpc_metadata_check(call->metadata, call->n_metadata, fault);
}

static int32_t open_http(struct http_conn *conn, struct grpc_stream *stream, const struct grpc_call *call)
{
    const struct mesh_header own[] = {
        { "te", "trailers" },
        { "content-type", "application/grpc" },
        { "grpc-accept-encoding", GRPC_ACCEPT_ENCODING },
        { "user-agent", call->user_agent },
    };
    char text[GRPC_TIMEOUT_TEXT];
    const struct mesh_header timeout = { "grpc-timeout", text };
    struct grpc_headers headers;
    int32_t err = grpc_headers_make(&headers, own, COUNT_OF(own), call->metadata, call->n_metadata);

    if (err)
        return err;
    grpc_timeout_write(call->timeout_us, text);
    err = http_stream_open(conn, &stream->http,
                           &(struct http_request){ .method = "POST",
                                                   .scheme = call->scheme,
                                                   .authority = call->authority,
                                                   .path = call->path,
                                                   .headers = headers.headers,
                                                   .n_headers = headers.n,
                                                   .extra = &timeout,
                                                   .n_extra = call->timeout_us > 0,
                                                   .has_body = true,
                                                   .body_len = -1,
                                                   .deadline_us = stream->deadline_us });
    grpc_headers_free(&headers);
    return err;
}

static uint64_t time_after(uint64_t now_us, uint64_t us)
{
    return us < UINT64_MAX - now_us ? now_us + us : UINT64_MAX;
}

int32_t grpc_stream_open(struct http_conn *conn, struct grpc_stream *stream, const struct grpc_call *call,
                         struct fault *fault)
{
    int32_t err = check(conn, call, fault);

    if (err)
        return err;
    *stream = (struct grpc_stream){
        .ops = stream->ops,
        .loop = conn->loop,
        .http = { .ops = &http_ops, .hold = true },
        .timer.on_due = on_deadline,
        .later.run = on_later,
        .send_ahead = call->send_ahead ? call->send_ahead : SEND_AHEAD,
        .one_answer = call->one_answer,
        .reader.most = call->receive_most,
        .deadline_us = call->timeout_us ? time_after(loop_now_us(conn->loop), call->timeout_us) : 0,
    };
    err = open_http(conn, stream, call);
    if (err)
        return fault_set(fault, err, "no stream for %.200s could be opened: %s", call->path, error_text(err));
    stream->state = GRPC_STREAM_RUNNING;
    if (stream->deadline_us)
        loop_timer_set(stream->loop, &stream->timer, stream->deadline_us);
    return 0;
}

int32_t grpc_stream_send(struct grpc_stream *stream, const void *bytes, size_t len)
{
    uint8_t *room;

    if (stream->state != GRPC_STREAM_RUNNING)
        return MESH_ERR_RESET;
    if (stream->sent_all)
        return MESH_ERR_INVALID;
    if (len > UINT32_MAX)
        return MESH_ERR_TOO_LARGE;
    if (buf_len(&stream->out) >= stream->send_ahead) {
        stream->lacks_room = true;
        return MESH_ERR_AGAIN;
    }
    room = buf_room(&stream->out, GRPC_FRAME_HEAD + len);
    if (!room)
        return MESH_ERR_NOMEM;
    grpc_frame_head(room, (uint32_t) len);
    if (len > 0)
        memcpy(room + GRPC_FRAME_HEAD, bytes, len);
    buf_added(&stream->out, GRPC_FRAME_HEAD + len);
    http_stream_resume(&stream->http);
    return 0;
}

void grpc_stream_send_end(struct grpc_stream *stream)
{
    stream->sent_all = true;
    http_stream_resume(&stream->http);
}

void grpc_stream_receive(struct grpc_stream *stream)
{
    if (stream->state == GRPC_STREAM_CLOSED)
        return;
    stream->wants = true;
    later(stream);
}

void grpc_stream_cancel(struct grpc_stream *stream)
{
    if (stream->state == GRPC_STREAM_CLOSED)
        return;
    leave_connection(stream);
    loop_undefer(&stream->later);
    release(stream);
    grpc_answer_free(&stream->answer);
    if (stream->gone)
        *stream->gone = true;
    stream->gone = NULL;
}
