/* SPDX-License-Identifier: Apache-2.0 */
/* The socket of an HTTP/2 connection: bytes to nghttp2 as they come, frames out once a turn. */
#include "http/h2.h"

/* ---- in ---- */

static void end_by_socket(struct h2_conn *conn)
{
    if (conn->state != H2_OPEN)
        return;
    h2_end(conn, MESH_ERR_RESET, H2_NO_GOAWAY, "failed");
    conn->why = *net_stream_fault(conn->net);
}

/* An idle connection may be closed at any time; before the peer's SETTINGS, or with work in flight, that is a failure. */
static void end_of_input(struct h2_conn *conn)
{
    bool orderly = conn->base.n_streams == 0 && conn->has_settings;

    h2_end(conn, orderly ? 0 : MESH_ERR_RESET, H2_NO_GOAWAY, "closed the connection%s",
           conn->has_settings ? "" : " before it said anything in HTTP/2");
}

/* nghttp2 gives up; what it finds wrong with the peer otherwise it says in a GOAWAY (see note_goaway). */
static void end_of_understanding(struct h2_conn *conn, int error)
{
    switch (error) {
    case NGHTTP2_ERR_NOMEM:
        h2_end(conn, MESH_ERR_NOMEM, NGHTTP2_INTERNAL_ERROR, "could not be listened to: out of memory");
        return;
    case NGHTTP2_ERR_FLOODED:
        h2_end(conn, MESH_ERR_PROTOCOL, NGHTTP2_ENHANCE_YOUR_CALM,
               "flooded the connection with frames to be acknowledged, reading none of the answers");
        return;
    case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS:
        h2_end(conn, MESH_ERR_PROTOCOL, NGHTTP2_ENHANCE_YOUR_CALM, "flooded the connection with CONTINUATION frames");
        return;
    default:
        h2_end(conn, MESH_ERR_PROTOCOL, NGHTTP2_PROTOCOL_ERROR, "broke HTTP/2: %s", nghttp2_strerror(error));
    }
}

/* A peer that sends but does not read makes us owe it more and more frames. */
static bool owes_too_much(const struct h2_conn *conn)
{
    return conn->blocked && nghttp2_session_get_outbound_queue_size(conn->session) > H2_MAX_QUEUED + 4 * conn->n_active;
}

static void end_flood(struct h2_conn *conn, enum h2_flood flood)
{
    if (flood == H2_FLOOD_ENDED)
        h2_end(conn, MESH_ERR_PROTOCOL, NGHTTP2_STREAM_CLOSED, "broke HTTP/2: STREAM_CLOSED: sent %s",
               h2_flood_name(flood));
    else
        h2_end(conn, MESH_ERR_PROTOCOL, NGHTTP2_ENHANCE_YOUR_CALM, "flooded the connection with %s",
               h2_flood_name(flood));
}

static void feed(struct h2_conn *conn, size_t len)
{
    uint64_t now = loop_now_us(conn->base.loop);
    enum h2_flood flood;
    ssize_t used;

    h2_silence_heard(&conn->silence, now);
    conn->has_heard = true;
    conn->walked_id = 0;
    conn->walked = NULL;
    flood = h2_guard_read(&conn->guard, conn->in, len, now);
    if (flood != H2_FLOOD_NONE) {
        end_flood(conn, flood);
        return;
    }
    used = nghttp2_session_mem_recv(conn->session, conn->in, len);
    if (conn->state != H2_OPEN)
        return;
    if (used < 0)
        end_of_understanding(conn, (int) used);
    else if (owes_too_much(conn))
        end_of_understanding(conn, NGHTTP2_ERR_FLOODED);
}

/* A read that does not fill the buffer has taken all there was: no second one to find that out. TLS gives one record at a time. */
static bool may_have_more(const struct h2_conn *conn, ssize_t n)
{
    return n == H2_IN || (n == H2_TLS_RECORD && net_stream_is_tls(conn->net));
}

bool h2_read(struct h2_conn *conn)
{
    int reads = 0;

    conn->read_us = loop_now_us(conn->base.loop);
    while (conn->state == H2_OPEN) {
        ssize_t n = net_stream_read(conn->net, conn->in, H2_IN);

        if (n == NET_AGAIN)
            break;
        if (n == NET_FAILED)
            end_by_socket(conn);
        else if (n == 0)
            end_of_input(conn);
        else
            feed(conn, (size_t) n);
        reads++;
        if (!net_stream_pending(conn->net) && (!may_have_more(conn, n) || reads >= H2_READS_PER_TURN))
            break;
    }
    return reads > 0;
}

/* ---- out ---- */

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t) bytes[0] << 24 | (uint32_t) bytes[1] << 16 | (uint32_t) bytes[2] << 8 | bytes[3];
}

/* nghttp2 says that the peer broke the protocol by putting a GOAWAY with the reason into the output. */
static void note_goaway(struct h2_conn *conn, const uint8_t *frame, size_t len)
{
    enum { CODE = 13, REASON = 17 };
    uint32_t code = big_endian(frame + CODE);
    char reason[128];

    if (code == NGHTTP2_NO_ERROR)
        return;
    text_printable((const char *) frame + REASON, len - REASON, reason, sizeof reason);
    h2_end(conn, code == NGHTTP2_INTERNAL_ERROR ? MESH_ERR_INTERNAL : MESH_ERR_PROTOCOL, code, "broke HTTP/2: %s%s%s",
           nghttp2_http2_strerror(code), reason[0] ? ": " : "", reason);
}

static void note_frame(struct h2_conn *conn, const uint8_t *frame, size_t len)
{
    enum { TYPE = 3, STREAM_ID = 5 };

    switch (frame[TYPE]) {
    case NGHTTP2_HEADERS:
        conn->collected_id = (int32_t) big_endian(frame + STREAM_ID);
        conn->guard.frames_sent++;
        break;
    case NGHTTP2_DATA:
        conn->guard.frames_sent++;
        break;
    case NGHTTP2_GOAWAY:
        note_goaway(conn, frame, len);
        break;
    default:
        break;
    }
}

/* nghttp2 gives one frame at a time. */
static void collect(struct h2_conn *conn)
{
    const uint8_t *bytes;
    ssize_t n;

    while (buf_len(&conn->out) < H2_OUT) {
        n = nghttp2_session_mem_send(conn->session, &bytes);
        if (n == 0)
            return;
        if (n < 0 || !buf_append(&conn->out, bytes, (size_t) n)) {
            h2_end(conn, n < 0 && n != NGHTTP2_ERR_NOMEM ? MESH_ERR_INTERNAL : MESH_ERR_NOMEM, H2_NO_GOAWAY,
                   "could not be written to: %s", n < 0 ? nghttp2_strerror((int) n) : "out of memory");
            conn->goaway_code = H2_NO_GOAWAY; /* a hole in the output: nothing may follow */
            return;
        }
        note_frame(conn, bytes, (size_t) n);
    }
}

/* The socket has taken bytes: streams whose HEADERS were in the buffer count as sent, all of them, to be on the safe side.
 * Their list is in the order of ids. */
static void note_sent(struct h2_conn *conn)
{
    struct list *head = &conn->base.streams;

    if (conn->sent_id == conn->collected_id)
        return;
    for (struct list *link = head->prev; link != head; link = link->prev) {
        struct http_stream *stream = CONTAINER_OF(link, struct http_stream, link);

        if (stream->id <= conn->sent_id)
            break;
        stream->sent = stream->id <= conn->collected_id;
    }
    conn->sent_id = conn->collected_id;
}

/* What the peer said last - a GOAWAY, an answer - can be read even now. */
static void write_failed(struct h2_conn *conn)
{
    h2_read(conn);
    end_by_socket(conn);
    conn->goaway_code = H2_NO_GOAWAY;
}

static bool write_out(struct h2_conn *conn)
{
    ssize_t n = net_stream_write(conn->net, buf_bytes(&conn->out), buf_len(&conn->out));

    if (n > 0) {
        buf_consume(&conn->out, (size_t) n);
        note_sent(conn);
        return true;
    }
    if (n == NET_FAILED)
        write_failed(conn);
    else
        conn->blocked = true;
    return false;
}

/* A peer that reads as fast as we write would keep the turn for itself: after a while the socket counts as full, and is found
 * ready in the next turn. */
void h2_flush(struct h2_conn *conn)
{
    int writes = 0;

    while (!conn->blocked && (conn->state == H2_OPEN || conn->goaway_code != H2_NO_GOAWAY)) {
        collect(conn);
        if (buf_len(&conn->out) == 0 || !write_out(conn))
            return;
        conn->blocked = ++writes == H2_WRITES_PER_TURN;
    }
}

/* ---- the rest ---- */

void h2_update_interest(struct h2_conn *conn)
{
    uint32_t events = net_stream_wants(conn->net, conn->blocked);

    if (events != conn->io.events)
        loop_io_want(conn->base.loop, &conn->io, events);
}

/* Everything that comes is thrown away. */
bool h2_linger(struct h2_conn *conn)
{
    ssize_t n = 0;

    h2_flush(conn);
    if (conn->goaway_code == H2_NO_GOAWAY)
        return true;
    if (!conn->is_shut && buf_len(&conn->out) == 0) {
        conn->is_shut = true;
        net_stream_shutdown(conn->net);
    }
    while (conn->lingered < H2_LINGER_BYTES && (n = net_stream_read(conn->net, conn->in, H2_IN)) > 0)
        conn->lingered += (size_t) n;
    return n != NET_AGAIN;
}
