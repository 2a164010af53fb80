/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of streams that have ended: some peers send them by mistake, and whoever waits for something else would wait in vain.
 *
 * nghttp2 forgets a client's streams when they are closed and ignores what comes for them. Here the guard asks about each HEADERS
 * and DATA frame, before nghttp2 gets to see the bytes of the same read; so the end that the peer has made is noted in
 * the stream (H2_STREAM_ENDED) as the bytes are walked through.
 *
 * What was on its way when we reset a stream is excused: at most the window that was left to the peer. */
#include "http/h2.h"

static void note_reset(struct h2_resets *resets, int32_t id)
{
    int32_t *slot = &resets->ids[resets->next++ % COUNT_OF(resets->ids)];

    if (*slot > resets->unknown_up_to)
        resets->unknown_up_to = *slot;
    *slot = id;
}

static bool is_reset(const struct h2_resets *resets, int32_t id)
{
    if (id <= resets->unknown_up_to)
        return true;
    for (size_t i = 0; i < COUNT_OF(resets->ids); i++)
        if (resets->ids[i] == id)
            return true;
    return false;
}

/* One that nobody listened to has ended without a reset of ours with NO_ERROR only. */
static bool was_reset_by_us(const struct http_stream *stream, uint32_t code)
{
    return stream ? !(stream->impl_bits & H2_STREAM_ENDED) : code != NGHTTP2_NO_ERROR;
}

void h2_ended_note(struct h2_conn *conn, const struct http_stream *stream, int32_t id, uint32_t code)
{
    int32_t window;

    if (!was_reset_by_us(stream, code))
        return;
    note_reset(&conn->resets, id);
    window = nghttp2_session_get_stream_local_window_size(conn->session, id);
    if (window > 0)
        h2_guard_excuse(&conn->guard, (uint32_t) window, H2_CONNECTION_WINDOW);
}

/* An id that is not in use yet is for nghttp2 to refuse; a stream that nghttp2 still knows has lost its owner only. */
static enum h2_arrival arrival_unheard(const struct h2_conn *conn, int32_t id)
{
    if (id > conn->collected_id || nghttp2_session_find_stream(conn->session, id))
        return H2_ARRIVES;
    return is_reset(&conn->resets, id) ? H2_ARRIVES_LATE : H2_ARRIVES_ENDED;
}

enum h2_arrival h2_ended_arrival(struct h2_guard *guard, uint8_t type, uint8_t flags, int32_t id)
{
    struct h2_conn *conn = CONTAINER_OF(guard, struct h2_conn, guard);
    bool is_reset_frame = type == NGHTTP2_RST_STREAM;
    struct http_stream *stream;

    if (conn->walked_id != id) {
        conn->walked = h2_stream_by_id(conn, id);
        conn->walked_id = id;
    }
    stream = conn->walked;
    if (!stream)
        return is_reset_frame ? H2_ARRIVES : arrival_unheard(conn, id);
    if ((stream->impl_bits & H2_STREAM_ENDED) && !is_reset_frame)
        return H2_ARRIVES_ENDED;
    if (is_reset_frame || (flags & NGHTTP2_FLAG_END_STREAM))
        stream->impl_bits |= H2_STREAM_ENDED;
    return H2_ARRIVES;
}
