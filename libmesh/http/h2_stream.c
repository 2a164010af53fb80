/* SPDX-License-Identifier: Apache-2.0 */
/* The streams of an HTTP/2 connection: opening, request bodies, giving windows back, and all the ways in which they end. */
#include "http/h2.h"

#include <string.h>

enum { NV_ON_STACK = 64, PSEUDO_HEADERS = 4 };

/* Servers take more than about a thousand RST_STREAM in short time for an attack (rapid reset) and close the connection: nghttp2
 * allows 1000 and 33 a second, Envoy 500. Fewer at once would leave an overloaded server with work that nobody waits for. */
static const struct h2_rule cancel_rule = { "cancelled streams", 300, 30, 0, 300 };

void h2_stream_init_cancels(struct h2_conn *conn, uint64_t now_us)
{
    h2_bucket_init(&conn->cancels, &cancel_rule, now_us);
}

static bool may_cancel(struct h2_conn *conn)
{
    return h2_bucket_take(&conn->cancels, &cancel_rule, loop_now_us(conn->base.loop), 0);
}

/* ---- opening ---- */

struct header_list {
    nghttp2_nv *nv;
    size_t n, bytes;
};

/* Everything is borrowed for the call that opens the stream, so nghttp2 copies it, names in lower case; it need not do that with
 * names of our own (`flags`). */
static void add(struct header_list *list, const char *name, const char *value, uint8_t flags)
{
    nghttp2_nv *nv = &list->nv[list->n++];

    nv->name = (uint8_t *) (uintptr_t) name;
    nv->namelen = strlen(name);
    nv->value = (uint8_t *) (uintptr_t) value;
    nv->valuelen = strlen(value);
    nv->flags = flags;
    list->bytes += nv->namelen + nv->valuelen + 32;
}

static void add_all(struct header_list *list, const struct mesh_header *headers, size_t n, uint8_t flags)
{
    for (size_t i = 0; i < n; i++)
        add(list, headers[i].name, headers[i].value, flags);
}

/* What the library says differs from request to request, so it stays out of HPACK's table. The first request's does not: its names
 * are found there from then on, which spares each later one 40 bytes and 700 instructions. */
static uint8_t flags_of_extra(const struct h2_conn *conn)
{
    bool is_first = conn->made_id == 0;

    return is_first ? NGHTTP2_NV_FLAG_NO_COPY_NAME : NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_INDEX;
}

static void list_headers(struct header_list *list, const struct h2_conn *conn, const struct http_request *request,
                         char digits[TEXT_U64])
{
    add(list, ":method", request->method, NGHTTP2_NV_FLAG_NO_COPY_NAME);
    add(list, ":scheme", request->scheme, NGHTTP2_NV_FLAG_NO_COPY_NAME);
    add(list, ":authority", request->authority, NGHTTP2_NV_FLAG_NO_COPY_NAME);
    add(list, ":path", request->path, NGHTTP2_NV_FLAG_NO_COPY_NAME);
    add_all(list, request->headers, request->n_headers, NGHTTP2_NV_FLAG_NONE);
    add_all(list, request->extra, request->n_extra, flags_of_extra(conn));
    if (!request->has_body || request->body_len < 0)
        return;
    text_from_u64((uint64_t) request->body_len, digits);
    add(list, "content-length", digits, NGHTTP2_NV_FLAG_NO_COPY_NAME);
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t cap, uint32_t *flags,
                         nghttp2_data_source *source, void *user)
{
    struct h2_conn *conn = user;
    struct http_stream *stream = h2_stream_by_id(conn, id);
    bool eof = false;
    ssize_t n;

    (void) session, (void) source;
    if (!stream)
        return NGHTTP2_ERR_DEFERRED; /* its RST_STREAM is on the way */
    conn->current = stream;
    n = stream->ops->read_body(stream, buf, cap, &eof);
    if (conn->current != stream)
        return NGHTTP2_ERR_DEFERRED;
    if (n < 0) {
        h2_stream_fail(conn, stream, (int32_t) n, NGHTTP2_CANCEL, NULL);
        return NGHTTP2_ERR_DEFERRED;
    }
    stream->bytes_sent += (size_t) n;
    if (eof) {
        stream->impl_bits |= H2_STREAM_SENT_ALL;
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        return n;
    }
    return n > 0 ? n : NGHTTP2_ERR_DEFERRED;
}

static void note_opened(struct h2_conn *conn, struct http_stream *stream, int32_t id)
{
    uint64_t now = loop_now_us(conn->base.loop);

    stream->id = id;
    conn->made_id = id;
    conn->n_active++;
    h2_silence_asked(&conn->silence, now, conn->base.n_streams == 1);
    if (conn->silence.limit_us && !conn->silence_timer.is_set)
        loop_timer_set(conn->base.loop, &conn->silence_timer, now + conn->silence.limit_us);
    h2_settle_later(conn);
}

static int32_t submit(struct h2_conn *conn, struct http_stream *stream, const struct http_request *request,
                      const struct header_list *list)
{
    const nghttp2_data_provider provider = { .source.ptr = NULL, .read_callback = read_body };
    bool has_body = request->has_body && request->body_len != 0;
    int32_t id;

    if (list->bytes > H2_MAX_REQUEST_HEADERS)
        return MESH_ERR_TOO_LARGE;
    id = nghttp2_submit_request(conn->session, NULL, list->nv, list->n, has_body ? &provider : NULL, stream);
    if (id == NGHTTP2_ERR_NOMEM)
        return MESH_ERR_NOMEM;
    if (id < 0)
        return MESH_ERR_AGAIN;
    if (!has_body)
        stream->impl_bits |= H2_STREAM_SENT_ALL;
    note_opened(conn, stream, id);
    return 0;
}

int32_t h2_stream_open(struct http_conn *base, struct http_stream *stream, const struct http_request *request)
{
    size_t most = PSEUDO_HEADERS + request->n_headers + request->n_extra + 1;
    nghttp2_nv on_stack[NV_ON_STACK];
    struct header_list list = { .nv = on_stack };
    char digits[TEXT_U64];
    int32_t err;

    if (most > NV_ON_STACK)
        list.nv = mem_array(most, sizeof *list.nv);
    if (!list.nv)
        return MESH_ERR_NOMEM;
    list_headers(&list, h2_of(base), request, digits);
    err = submit(h2_of(base), stream, request, &list);
    if (list.nv != on_stack)
        mem_free(list.nv);
    return err;
}

void h2_stream_resume(struct http_conn *base, struct http_stream *stream)
{
    nghttp2_session_resume_data(h2_of(base)->session, stream->id); /* an error: it was not waiting */
    h2_settle_later(h2_of(base));
}

void h2_stream_consume(struct http_conn *base, struct http_stream *stream, size_t n)
{
    if (!stream->hold)
        return;
    nghttp2_session_consume_stream(h2_of(base)->session, stream->id, n);
    h2_settle_later(h2_of(base));
}

/* ---- the end of a stream ---- */

enum http_reach h2_stream_reach(const struct http_stream *stream)
{
    return stream->id > h2_of(stream->conn)->sent_id ? HTTP_NOT_SENT : HTTP_MAYBE;
}

/* From here on nobody listens to it. */
static void forget(struct h2_conn *conn, struct http_stream *stream)
{
    if (conn->current == stream)
        conn->current = NULL;
    if (conn->block.stream == stream)
        conn->block.stream = NULL;
    nghttp2_session_set_stream_user_data(conn->session, stream->id, NULL);
}

static void reset(struct h2_conn *conn, int32_t id, uint32_t code)
{
    if (nghttp2_submit_rst_stream(conn->session, NGHTTP2_FLAG_NONE, id, code) != 0)
        h2_end(conn, MESH_ERR_NOMEM, H2_NO_GOAWAY, "could not be told of a cancelled request: out of memory");
    h2_settle_later(conn);
}

static void end_with(struct h2_conn *conn, struct http_stream *stream, const struct fault *fault, enum http_reach reach)
{
    const struct http_result result = { .err = fault->code, .reach = reach, .fault = fault };

    forget(conn, stream);
    http_stream_end(stream, &result);
}

void h2_stream_fail(struct h2_conn *conn, struct http_stream *stream, int32_t err, uint32_t code, const char *detail)
{
    struct fault fault;

    if (detail)
        h2_fault(conn, &fault, err, "%s", detail);
    else
        h2_fault(conn, &fault, err, "was answering, or being sent to, when the request was given up: %s",
                 h2_error_text(err));
    reset(conn, stream->id, code);
    end_with(conn, stream, &fault, h2_stream_reach(stream));
}

void h2_stream_broken(struct h2_conn *conn, struct http_stream *stream, const char *detail)
{
    struct fault fault;

    h2_fault(conn, &fault, MESH_ERR_PROTOCOL, "broke HTTP/2: %s", detail);
    end_with(conn, stream, &fault, h2_stream_reach(stream));
}

/* With the whole answer there, the rest of an upload is of no use to anybody. The stream ends now, not when the RST_STREAM is
 * out: a peer that answers early may not be reading. */
void h2_stream_answered(struct h2_conn *conn, struct http_stream *stream)
{
    stream->impl_bits |= H2_STREAM_ANSWERED;
    if (stream->impl_bits & H2_STREAM_SENT_ALL)
        return; /* h2_stream_closed() comes next */
    reset(conn, stream->id, NGHTTP2_NO_ERROR);
    forget(conn, stream);
    http_stream_end_ok(stream);
}

/* Why nghttp2 has closed it before the answer was whole. */
static struct http_result judge(struct h2_conn *conn, const struct http_stream *stream, uint32_t code,
                                struct fault *fault)
{
    struct http_result result = { .err = MESH_ERR_RESET, .reach = h2_stream_reach(stream), .fault = fault };
    const char *name = nghttp2_http2_strerror(code);

    if (conn->state != H2_OPEN) {
        *fault = conn->why;
        fault->code = conn->why.code ? conn->why.code : MESH_ERR_RESET;
    } else if (stream->id == conn->reset_id) {
        result.was_reset = true;
        result.reset_code = code;
        result.wants_http1 = code == NGHTTP2_HTTP_1_1_REQUIRED;
        if ((code == NGHTTP2_REFUSED_STREAM || result.wants_http1) && !stream->had_head)
            result.reach = HTTP_REFUSED; /* who has begun to answer has processed it, whatever it says */
        h2_fault(conn, fault, MESH_ERR_RESET, "reset the request: %s", name);
    } else if (conn->has_goaway && (result.reach == HTTP_NOT_SENT || code == NGHTTP2_REFUSED_STREAM)) {
        if (result.reach != HTTP_NOT_SENT)
            result.reach = HTTP_REFUSED;
        result.wants_http1 = conn->wants_http1;
        h2_fault(conn, fault, MESH_ERR_RESET, "did not take the request before it closed the connection to new ones");
    } else if (result.reach == HTTP_NOT_SENT) { /* all that can go wrong before it is sent */
        h2_fault(conn, fault, MESH_ERR_NOMEM, "was not sent the request: out of memory");
    } else {
        h2_fault(conn, fault, MESH_ERR_PROTOCOL, "broke HTTP/2 in its answer: %s", name);
    }
    result.err = fault->code;
    return result;
}

void h2_stream_closed(struct h2_conn *conn, int32_t id, uint32_t code)
{
    struct http_stream *stream = h2_stream_by_id(conn, id);
    struct http_result result;
    struct fault fault;

    conn->n_active--;
    conn->room_grew = true;
    h2_ended_note(conn, stream, id, code);
    if (!stream)
        return;
    if (stream->impl_bits & H2_STREAM_ANSWERED) {
        forget(conn, stream);
        http_stream_end_ok(stream);
        return;
    }
    result = judge(conn, stream, code, &fault);
    forget(conn, stream);
    http_stream_end(stream, &result);
}

/* ---- nobody listens ---- */

/* A request whose body is not whole must be reset whatever the limit: left alone it would never end, or seem to be complete.
 * One whose HEADERS are not made yet costs the peer nothing: nghttp2 drops it. */
void h2_stream_cancel(struct http_conn *base, struct http_stream *stream)
{
    struct h2_conn *conn = h2_of(base);
    size_t held;

    forget(conn, stream);
    h2_settle_later(conn);
    if (stream->id > conn->collected_id || !(stream->impl_bits & H2_STREAM_SENT_ALL) || may_cancel(conn)) {
        reset(conn, stream->id, NGHTTP2_CANCEL);
        return;
    }
    held = (size_t) nghttp2_session_get_stream_effective_recv_data_length(conn->session, stream->id);
    if (stream->hold && (ssize_t) held > 0)
        nghttp2_session_consume_stream(conn->session, stream->id, held);
}

/* One that goes on and on is reset as soon as the limit allows. */
void h2_stream_discard(struct h2_conn *conn, int32_t id, size_t len)
{
    nghttp2_session_consume(conn->session, id, len);
    if (may_cancel(conn))
        reset(conn, id, NGHTTP2_CANCEL);
}
