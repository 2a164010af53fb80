/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 of the fault server: requests as nghttp2 tells them, answers as it sends them. */
#include <stdlib.h>
#include <string.h>

#include "faults/server.h"

enum { MOST_STREAMS = 100000, ANY_RESETS = 1000000 };

/* ---- answers ---- */

#define PAIR(name, value)                                                                               \
    {                                                                                                   \
        (uint8_t *) (uintptr_t) (name), (uint8_t *) (uintptr_t) (value), strlen(name), strlen(value), 0 \
    }

/* An empty gRPC message, and the trailers that end a call well. */
static ssize_t give_message(nghttp2_session *session, int32_t stream, uint8_t *buf, size_t cap, uint32_t *flags,
                            nghttp2_data_source *source, void *user)
{
    const nghttp2_nv trailers[] = { PAIR("grpc-status", "0") };

    (void) source, (void) user;
    if (cap < 5)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    memset(buf, 0, 5);
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    nghttp2_submit_trailer(session, stream, trailers, 1);
    return 5;
}

static void answer_grpc(struct request *request, bool ok)
{
    nghttp2_data_provider message = { .read_callback = give_message };
    const nghttp2_nv head[] = { PAIR(":status", "200"), PAIR("content-type", "application/grpc"),
                                PAIR("x-server", request->conn->server->name), PAIR("grpc-status", "14") };

    nghttp2_submit_response(request->conn->session, request->stream, head, ok ? 3 : 4, ok ? &message : NULL);
}

void session_answer(struct request *request, bool ok)
{
    const nghttp2_nv head[] = { PAIR(":status", ok ? "200" : "503"), PAIR("x-server", request->conn->server->name) };

    if (request->is_grpc)
        answer_grpc(request, ok);
    else
        nghttp2_submit_response(request->conn->session, request->stream, head, 2, NULL);
}

void session_refuse(struct request *request)
{
    nghttp2_submit_rst_stream(request->conn->session, 0, request->stream, NGHTTP2_REFUSED_STREAM);
}

/* ---- requests ---- */

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct conn *conn = user;
    struct request *request;

    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    request = calloc(1, sizeof *request);
    if (!request)
        give_up("no memory");
    request->conn = conn;
    request->stream = frame->hd.stream_id;
    memcpy(request->id, "-", 2);
    memcpy(request->attempt, "-", 2);
    memcpy(request->method, "-", 2);
    LIST_INSERT_HEAD(&conn->requests, request, of_conn);
    nghttp2_session_set_stream_user_data(session, request->stream, request);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
    struct request *request = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    const char *header = (const char *) name;
    int len = (int) value_len;

    (void) name_len, (void) flags, (void) user; /* nghttp2 ends both with a NUL */
    if (!request)
        return 0;
    if (strcmp(header, "x-request-id") == 0)
        snprintf(request->id, sizeof request->id, "%.*s", len, (const char *) value);
    else if (strcmp(header, ":method") == 0)
        snprintf(request->method, sizeof request->method, "%.*s", len, (const char *) value);
    else if (strcmp(header, "x-mesh-attempt") == 0 || strcmp(header, "x-envoy-attempt-count") == 0 ||
             strcmp(header, "x-naive-attempt") == 0 || strcmp(header, "grpc-previous-rpc-attempts") == 0)
        snprintf(request->attempt, sizeof request->attempt, "%.*s", len, (const char *) value);
    else if (strcmp(header, "content-type") == 0)
        request->is_grpc = strncmp((const char *) value, "application/grpc", 16) == 0;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct conn *conn = user;
    struct request *request;

    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    request = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (request && request->state == ARRIVING && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        work_arrived(conn->server, request);
    return 0;
}

/* Answered requests are no longer known here. */
static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user)
{
    struct conn *conn = user;
    struct request *request = nghttp2_session_get_stream_user_data(session, stream);

    (void) code;
    if (request)
        work_abandoned(conn->server, request);
    return 0;
}

nghttp2_session *session_new(struct conn *conn)
{
    const nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, MOST_STREAMS } };
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    nghttp2_session *session;

    if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0)
        give_up("no memory");
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    /* After 1000 resets nghttp2 sends a GOAWAY, but serves streams that it does not cover: executed twice by no client's fault. */
    nghttp2_option_set_stream_reset_rate_limit(option, ANY_RESETS, ANY_RESETS);
    if (nghttp2_session_server_new2(&session, callbacks, conn, option) != 0)
        give_up("no memory");
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session, 0, settings, 1);
    return session;
}
