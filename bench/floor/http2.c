/* SPDX-License-Identifier: Apache-2.0 */
/* nghttp2 with the fewest steps between it and the socket: requests in, ended calls out. */
#include "floor/http2.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WRITE_AT_ONCE = 1 << 16, STREAM_WINDOW = 1 << 20, CONNECTION_WINDOW = 1 << 24 };

void call_init(struct call *call, const struct load_message *message)
{
    *call = (struct call){ .message = message, .grpc_status = -1 };
}

void call_check(const struct call *call)
{
    if (call->grpc_status != 0 || call->received != call->message->len)
        load_fail("floor: grpc-status %d, %zu of %zu bytes", call->grpc_status, call->received, call->message->len);
}

/* ---- what nghttp2 asks and tells ---- */

static ssize_t give_body(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t room, uint32_t *flags,
                         nghttp2_data_source *source, void *user)
{
    struct call *call = source->ptr;
    size_t left = call->message->len - call->sent, n = left < room ? left : room;

    (void) session, (void) id, (void) user;
    memcpy(buffer, call->message->data + call->sent, n);
    call->sent += n;
    if (n == left)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t) n;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
    static const char status[] = "grpc-status";
    struct call *call;

    (void) flags, (void) user;
    if (name_len != sizeof status - 1 || memcmp(name, status, name_len) != 0)
        return 0;
    call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (call && value_len > 0)
        call->grpc_status = (int) strtol((const char *) value, NULL, 10);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *user)
{
    struct call *call = nghttp2_session_get_stream_user_data(session, id);

    (void) flags, (void) data, (void) user;
    if (call)
        call->received += len;
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *user)
{
    struct http2 *http2 = user;
    struct call *call = nghttp2_session_get_stream_user_data(session, id);

    (void) error;
    if (!call)
        return 0;
    call->next = http2->ended;
    http2->ended = call;
    return 0;
}

/* ---- the connection ---- */

static nghttp2_session *make_session(struct http2 *http2)
{
    static const nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW },
                                                       { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 } };
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *session;

    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        load_fail("floor: no memory");
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    if (nghttp2_session_client_new(&session, callbacks, http2) != 0)
        load_fail("floor: no memory");
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof settings[0]);
    nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
    return session;
}

void http2_open(struct http2 *http2, uint16_t port, const char *ca)
{
    wire_open(&http2->wire, port, ca);
    snprintf(http2->authority, sizeof http2->authority, "127.0.0.1:%u", port);
    http2->session = make_session(http2);
    http2_write(http2);
}

static nghttp2_nv header(const char *name, const char *value)
{
    return (nghttp2_nv){ (uint8_t *) name, (uint8_t *) value, strlen(name), strlen(value),
                         NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE };
}

void http2_submit(struct http2 *http2, struct call *call)
{
    nghttp2_data_provider body = { .source.ptr = call, .read_callback = give_body };
    nghttp2_nv headers[] = {
        header(":method", "POST"),
        header(":scheme", http2->wire.ssl ? "https" : "http"),
        header(":path", "/bench.Echo/Say"),
        header(":authority", http2->authority),
        header("content-type", "application/grpc"),
        header("te", "trailers"),
        header("user-agent", "floor"),
    };

    if (nghttp2_submit_request(http2->session, NULL, headers, sizeof headers / sizeof headers[0], &body, call) < 0)
        load_fail("floor: nghttp2 takes no further request");
}

/* What nghttp2 has to send, gathered so that one system call takes it. */
static void fill_output(struct http2 *http2)
{
    const uint8_t *frame;
    ssize_t n;

    http2->out_len = http2->out_sent = 0;
    while (http2->out_len < WRITE_AT_ONCE && (n = nghttp2_session_mem_send(http2->session, &frame)) > 0) {
        memcpy(http2->out + http2->out_len, frame, (size_t) n);
        http2->out_len += (size_t) n;
    }
}

static bool has_output(const struct http2 *http2)
{
    return http2->out_sent < http2->out_len;
}

void http2_write(struct http2 *http2)
{
    do {
        if (!has_output(http2))
            fill_output(http2);
        if (!has_output(http2))
            break;
        http2->out_sent += wire_write(&http2->wire, http2->out + http2->out_sent, http2->out_len - http2->out_sent);
    } while (!has_output(http2));
    atomic_store_explicit(&http2->blocked, has_output(http2), memory_order_relaxed);
}

void http2_read(struct http2 *http2)
{
    size_t n;

    do {
        n = wire_read(&http2->wire, http2->in, sizeof http2->in);
        if (n > 0 && nghttp2_session_mem_recv(http2->session, http2->in, n) < 0)
            load_fail("floor: the peer broke HTTP/2");
    } while (n > 0 && wire_holds_more(&http2->wire));
}

bool http2_is_blocked(const struct http2 *http2)
{
    return atomic_load_explicit(&http2->blocked, memory_order_relaxed);
}

struct call *http2_take_ended(struct http2 *http2)
{
    struct call *ended = http2->ended;

    http2->ended = NULL;
    return ended;
}
