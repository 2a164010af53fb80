/* SPDX-License-Identifier: Apache-2.0 */
/* What nghttp2 tells about the frames of an HTTP/2 connection. The callbacks stand in the order in which an answer comes.
 *
 * on_stream_close must never return an error: nghttp2 1.52 leaks memory then (CVE-2023-35945). The others stop the reading
 * with one as soon as the connection is to end. */
#include "http/h2.h"

#include <stdio.h>
#include <string.h>

static int go_on(const struct h2_conn *conn)
{
    return conn->state == H2_OPEN ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* ---- header blocks ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2_conn *conn = user;
    struct http_stream *stream = h2_stream_by_id(conn, frame->hd.stream_id);

    (void) session;
    conn->block = (struct h2_block){ .stream = stream, .is_trailer = stream && stream->had_head };
    return 0;
}

/* Counts as SETTINGS_MAX_HEADER_LIST_SIZE does (RFC 9113 6.5.2): 32 bytes on top of each header. One block too large ends its
 * stream; what goes on and on, or expands without measure, ends the connection. False then. */
static bool fits(struct h2_conn *conn, size_t len)
{
    struct h2_block *block = &conn->block;
    uint32_t most = conn->base.conf.max_header_bytes;
    char detail[FAULT_TEXT];

    block->bytes += (uint32_t) len + 32;
    block->n++;
    if (block->bytes <= most && block->n <= H2_MAX_HEADERS)
        return true;
    if (block->bytes / 4 > most || block->n > 4 * H2_MAX_HEADERS) {
        h2_end(conn, MESH_ERR_PROTOCOL, NGHTTP2_ENHANCE_YOUR_CALM,
               "flooded the connection with a header block of more than %u headers or %u bytes", block->n - 1,
               block->bytes);
        return false;
    }
    snprintf(detail, sizeof detail, "sent more than %u bytes or %d of %s in one answer", most, H2_MAX_HEADERS,
             block->is_trailer ? "trailers" : "headers");
    if (block->stream)
        h2_stream_fail(conn, block->stream, MESH_ERR_TOO_LARGE, NGHTTP2_CANCEL, detail);
    return true;
}

/* Three digits, nghttp2 has seen to that. */
static void note_status(struct h2_block *block, const uint8_t *value)
{
    block->status = (uint16_t) ((value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0'));
    block->is_informational = block->status < 200;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
    struct h2_conn *conn = user;
    struct http_stream *stream;
    int32_t err;

    (void) session, (void) frame, (void) flags;
    if (!fits(conn, name_len + value_len))
        return go_on(conn);
    if (name[0] == ':') {
        note_status(&conn->block, value);
        return 0;
    }
    stream = conn->block.stream;
    if (!stream || conn->block.is_informational)
        return 0;
    err = stream->ops->on_header(stream, (const char *) name, name_len, (const char *) value, value_len,
                                 conn->block.is_trailer);
    if (err && conn->block.stream == stream)
        h2_stream_fail(conn, stream, err, NGHTTP2_CANCEL, NULL);
    return go_on(conn);
}

static void on_informational(struct h2_conn *conn, struct http_stream *stream)
{
    stream->impl_bits += H2_STREAM_INFORMATIONAL;
    if (stream->impl_bits / H2_STREAM_INFORMATIONAL > H2_MAX_INFORMATIONAL)
        h2_end(conn, MESH_ERR_PROTOCOL, NGHTTP2_ENHANCE_YOUR_CALM,
               "flooded the connection with 1xx answers to one request");
}

static void on_headers_end(struct h2_conn *conn, const nghttp2_frame *frame)
{
    struct http_stream *stream = conn->block.stream;
    bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

    if (!stream)
        return;
    if (conn->block.is_informational) {
        on_informational(conn, stream);
        return;
    }
    if (!conn->block.is_trailer) {
        stream->had_head = true;
        stream->ops->on_head(stream, conn->block.status, end);
    }
    if (end && conn->block.stream == stream)
        h2_stream_answered(conn, stream);
    conn->block.stream = NULL;
}

/* ---- bodies ---- */

static void give_back(struct h2_conn *conn, int32_t id, size_t len, bool hold)
{
    if (hold)
        nghttp2_session_consume_connection(conn->session, len);
    else
        nghttp2_session_consume(conn->session, id, len);
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t len,
                         void *user)
{
    struct h2_conn *conn = user;
    struct http_stream *stream = h2_stream_by_id(conn, id);
    int32_t err;

    (void) session, (void) flags;
    if (!stream) {
        h2_stream_discard(conn, id, len);
        return 0;
    }
    give_back(conn, id, len, stream->hold);
    stream->bytes_received += len;
    conn->current = stream;
    err = stream->ops->on_data(stream, bytes, len);
    if (err && conn->current == stream)
        h2_stream_fail(conn, stream, err, NGHTTP2_CANCEL, NULL);
    return go_on(conn);
}

static void on_data_end(struct h2_conn *conn, const nghttp2_frame *frame)
{
    struct http_stream *stream;

    if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return;
    stream = h2_stream_by_id(conn, frame->hd.stream_id);
    if (stream)
        h2_stream_answered(conn, stream);
}

/* ---- other frames ---- */

void h2_set_limit(struct h2_conn *conn, uint32_t allowed)
{
    uint32_t most = conn->base.conf.max_streams;

    conn->limit = most > 0 && most < allowed ? most : allowed;
}

static void on_settings(struct h2_conn *conn, const nghttp2_frame *frame)
{
    if (frame->hd.flags & NGHTTP2_FLAG_ACK)
        return;
    conn->has_settings = true;
    h2_set_limit(conn, nghttp2_session_get_remote_settings(conn->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS));
    conn->room_grew = true;
}

/* Streams above the last id are closed by nghttp2 right after this, as refused. A second GOAWAY may lower the id. */
static void on_goaway(struct h2_conn *conn, const nghttp2_goaway *goaway)
{
    bool orderly = goaway->error_code == NGHTTP2_NO_ERROR;
    char said[96];

    conn->has_goaway = true;
    conn->wants_http1 |= goaway->error_code == NGHTTP2_HTTP_1_1_REQUIRED;
    if (conn->drains)
        return;
    conn->drains = true;
    text_printable((const char *) goaway->opaque_data, goaway->opaque_data_len, said, sizeof said);
    h2_fault(conn, &conn->why, orderly ? 0 : MESH_ERR_RESET, "takes no more requests on this connection: GOAWAY %s%s%s",
             nghttp2_http2_strerror(goaway->error_code), said[0] ? ": " : "", said);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2_conn *conn = user;

    (void) session;
    switch (frame->hd.type) {
    case NGHTTP2_DATA:
        on_data_end(conn, frame);
        break;
    case NGHTTP2_HEADERS:
        on_headers_end(conn, frame);
        break;
    case NGHTTP2_RST_STREAM:
        conn->reset_id = frame->hd.stream_id;
        break;
    case NGHTTP2_SETTINGS:
        on_settings(conn, frame);
        break;
    case NGHTTP2_GOAWAY:
        on_goaway(conn, &frame->goaway);
        break;
    default:
        break;
    }
    return go_on(conn);
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    (void) session;
    h2_stream_closed(user, id, code);
    return 0;
}

/* ---- what the peer does wrong ---- */

/* Comes before on_invalid_frame(), with the header's name and value: the value may be a secret. */
static int on_error(nghttp2_session *session, int error, const char *text, size_t len, void *user)
{
    static const char value[] = ", value:";
    struct h2_conn *conn = user;
    const char *cut = memmem(text, len, value, sizeof value - 1);

    (void) session, (void) error;
    text_printable(text, cut ? (size_t) (cut - text) : len, conn->detail, sizeof conn->detail);
    return 0;
}

/* A stream error: nghttp2 has queued the RST_STREAM. (After a connection error everything ends anyway.) */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user)
{
    struct h2_conn *conn = user;
    struct http_stream *stream = h2_stream_by_id(conn, frame->hd.stream_id);

    (void) session;
    if (stream)
        h2_stream_broken(conn, stream, conn->detail[0] ? conn->detail : nghttp2_strerror(error));
    conn->detail[0] = '\0';
    return go_on(conn);
}

/* ---- making one ---- */

static void *session_alloc(size_t size, void *user)
{
    return spare_alloc(user, size);
}

static void session_free(void *block, void *user)
{
    spare_free(user, block);
}

static void *session_array(size_t count, size_t size, void *user)
{
    return spare_array(user, count, size);
}

static void *session_realloc(void *block, size_t size, void *user)
{
    return spare_realloc(user, block, size);
}

static void set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_error_callback2(callbacks, on_error);
}

static void set_options(nghttp2_option *option)
{
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_peer_max_concurrent_streams(option, H2_FIRST_LIMIT);
    nghttp2_option_set_max_send_header_block_length(option,
                                                    (size_t) 2 * H2_MAX_REQUEST_HEADERS); /* h2_stream_open() checks */
    nghttp2_option_set_no_closed_streams(option, 1);
}

static int submit_settings(struct h2_conn *conn)
{
    const nghttp2_settings_entry entries[] = {
        { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, conn->base.conf.window },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, conn->base.conf.max_header_bytes },
    };
    int error = nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, entries, COUNT_OF(entries));

    return error ? error
                 : nghttp2_session_set_local_window_size(conn->session, NGHTTP2_FLAG_NONE, 0, H2_CONNECTION_WINDOW);
}

int32_t h2_session_new(struct h2_conn *conn)
{
    nghttp2_mem mem = { &conn->spare, session_alloc, session_free, session_array, session_realloc };
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int error;

    error = nghttp2_session_callbacks_new(&callbacks);
    if (error)
        goto done;
    error = nghttp2_option_new(&option);
    if (error)
        goto done;
    set_callbacks(callbacks);
    set_options(option);

    error = nghttp2_session_client_new3(&conn->session, callbacks, conn, option, &mem);
    if (error)
        goto done;
    error = submit_settings(conn);
done:
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return error ? MESH_ERR_NOMEM : 0;
}
