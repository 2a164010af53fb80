/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP/2 connection, as the h2_*.c files share it. Private to them (and to their tests).
 *
 *   h2_conn.c     life: making, draining, timers, the end
 *   h2_io.c       the socket: one read per readiness, one write per turn
 *   h2_session.c  what nghttp2 tells about frames
 *   h2_stream.c   opening, bodies, cancelling, how a stream ends
 *   h2_ended.c    frames of streams that have ended
 *   h2_guard.c    floods (pure)      h2_silence.c  silent peers (pure)
 *
 * Rules
 *   Output is made and written in on_settle(), at the end of the turn; everything else only changes state and defers it.
 *   nghttp2 holds the owner's struct http_stream as stream data: NULL there means that nobody listens any more, so whoever
 *   takes a stream out (h2_stream_forget) resets it. Callbacks may end any stream: after one, `current` says whether
 *   the stream it was for is still there.
 *   Nothing is freed while `busy` is above 0. */
#ifndef HTTP_H2_H
#define HTTP_H2_H

#include <nghttp2/nghttp2.h>

#include "http/h2_guard.h"
#include "http/h2_silence.h"
#include "http/kind.h"

enum {
    H2_IN = 64 << 10,         /* bytes of one read */
    H2_TLS_RECORD = 16 << 10, /* the largest */
    H2_OUT = 64 << 10,        /* bytes collected before writing */
    H2_READS_PER_TURN = 16,   /* then others have their turn */
    H2_WRITES_PER_TURN = 16,
    H2_CONNECTION_WINDOW = 16 << 20,
    H2_FIRST_LIMIT = 100,               /* streams, before the peer has said how many it allows */
    H2_LAST_ID = INT32_MAX - 64,        /* stream ids are used up from here; an odd one, as those of clients are */
    H2_MAX_HEADERS = 1000,              /* in one block */
    H2_MAX_INFORMATIONAL = 256,         /* 1xx answers before the final one */
    H2_MAX_REQUEST_HEADERS = 256 << 10, /* bytes */
    H2_MAX_QUEUED = 2000,               /* frames we owe a peer that does not read, plus some for each stream */
    H2_LINGER_BYTES = 1 << 20,
    H2_LINGER_US = 1000000,
};

enum h2_state {
    H2_OPEN,
    H2_ENDING,    /* `why` is set; on_settle() will end the streams */
    H2_LINGERING, /* GOAWAY is out; reads on so that it is not lost to a TCP reset */
    H2_CLOSED,
};

/* Instead of an error code for the GOAWAY: the socket is of no use any more. */
#define H2_NO_GOAWAY UINT32_MAX

/* The header block that is being read: one at a time in a connection. */
struct h2_block {
    struct http_stream *stream; /* NULL: nobody listens */
    uint32_t bytes, n;
    uint16_t status;
    bool is_trailer;
    bool is_informational;
};

/* Streams that we have reset: frames of theirs may be on the way still, which those of streams that the peer has ended may not. */
struct h2_resets {
    int32_t ids[64]; /* a ring */
    uint32_t next;
    int32_t unknown_up_to; /* ids up to this one have been pushed out of it: nobody knows */
};

struct h2_conn {
    struct http_conn base;
    enum h2_state state;
    struct net_stream *net;
    nghttp2_session *session;
    struct spare spare; /* the session's memory: four blocks a request */
    struct loop_io io;
    struct loop_later settle;
    uint32_t busy; /* functions on the stack that use it */
    bool is_freed; /* by its owner, while busy */

    uint8_t *in;
    struct buf out;
    bool blocked;     /* the socket took no more: nothing is made until it is ready */
    uint64_t read_us; /* last attempt */

    uint32_t limit;       /* streams the peer allows */
    uint32_t n_active;    /* streams nghttp2 knows, the cancelled ones included */
    bool room_grew;       /* to be told */
    bool has_settings;    /* the peer's have come */
    int32_t made_id;      /* last stream opened */
    int32_t last_id;      /* none is opened beyond it */
    int32_t collected_id; /* last stream whose HEADERS are in `out`, or have been */
    int32_t sent_id;      /* last stream of whose HEADERS the socket may have taken a byte */

    struct h2_block block;
    struct http_stream *current;
    struct h2_resets resets;
    int32_t walked_id; /* h2_ended_arrival() has just looked this stream up */
    struct http_stream *walked;
    int32_t reset_id; /* the peer has just reset this stream */

    bool drains; /* no new streams; `why` says why; the owner hears of it in on_settle() */
    bool has_goaway;
    bool wants_http1;     /* the GOAWAY says HTTP_1_1_REQUIRED */
    struct fault why;     /* of draining or of the end */
    uint32_t goaway_code; /* to send at the end */
    char detail[128];     /* what nghttp2 said last about a frame it refused */

    struct h2_guard guard;
    struct h2_silence silence;
    struct h2_bucket cancels;
    struct loop_timer silence_timer, idle_timer, age_timer, linger_timer, alive_timer;
    uint64_t idle_since_us;
    size_t lingered;          /* bytes thrown away */
    bool is_shut;             /* our direction is */
    bool is_asked, has_heard; /* h2_alive.c: a PING is out; something has come since then */
    char *peer_path;          /* of a unix socket; base.peer points to it */
};

static inline struct h2_conn *h2_of(const struct http_conn *conn)
{
    return (struct h2_conn *) conn;
}

/* `err` is one of ours, not 0. */
static inline const char *h2_error_text(int32_t err)
{
    const struct error_entry *entry = error_entry(err);

    return entry ? entry->text : "unknown error";
}

/* ---- h2_conn.c ---- */

/* Begins the end, once: streams end with `err` later in this turn. The sentence is put behind the peer's address.
 * An orderly end has err 0. */
void h2_end(struct h2_conn *conn, int32_t err, uint32_t goaway_code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* After conn->busy++: the connection may be gone afterwards. */
void h2_leave(struct h2_conn *conn);
void h2_settle_later(struct h2_conn *conn);
/* Sets a sentence that begins with the peer's address. */
int32_t h2_fault(const struct h2_conn *conn, struct fault *fault, int32_t err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- h2_io.c ---- */

/* Reads what is there, hands it to nghttp2. False: there was nothing. An end of the connection right behind bytes may be
 * found by the next call only. */
bool h2_read(struct h2_conn *conn);
/* Makes frames and writes them until there is nothing more or the socket takes no more. */
void h2_flush(struct h2_conn *conn);
/* One step of lingering. True: it is over. */
bool h2_linger(struct h2_conn *conn);
void h2_update_interest(struct h2_conn *conn);

/* ---- h2_alive.c ---- */

void h2_alive_begin(struct h2_conn *conn);

/* ---- h2_session.c ---- */

/* So many streams the peer allows; the configuration may allow fewer. */
void h2_set_limit(struct h2_conn *conn, uint32_t allowed);
int32_t h2_session_new(struct h2_conn *conn);

/* ---- h2_ended.c ---- */

/* For the guard: no HEADERS and no DATA after the peer has ended the stream (RFC 9113 5.1; nghttp2 ignores them). */
enum h2_arrival h2_ended_arrival(struct h2_guard *guard, uint8_t type, uint8_t flags, int32_t id);
/* nghttp2 has closed a stream; NULL: nobody listened to it any more. */
void h2_ended_note(struct h2_conn *conn, const struct http_stream *stream, int32_t id, uint32_t code);

/* ---- h2_stream.c ---- */

enum {
    H2_STREAM_SENT_ALL = 1 << 0, /* no more body to send */
    H2_STREAM_ANSWERED = 1 << 1, /* END_STREAM has come */
    H2_STREAM_ENDED =
        1 << 2, /* END_STREAM or RST_STREAM is among the bytes read, whether nghttp2 has seen it yet or not */
    H2_STREAM_INFORMATIONAL = 1 << 8, /* counts 1xx answers from this bit up */
};

void h2_stream_init_cancels(struct h2_conn *conn, uint64_t now_us);
int32_t h2_stream_open(struct http_conn *base, struct http_stream *stream, const struct http_request *request);
void h2_stream_resume(struct http_conn *base, struct http_stream *stream);
void h2_stream_consume(struct http_conn *base, struct http_stream *stream, size_t n);
void h2_stream_cancel(struct http_conn *base, struct http_stream *stream);

/* The whole answer is there. */
void h2_stream_answered(struct h2_conn *conn, struct http_stream *stream);
/* We give it up: RST_STREAM with the code; its owner hears err. `detail` may be NULL. */
void h2_stream_fail(struct h2_conn *conn, struct http_stream *stream, int32_t err, uint32_t code, const char *detail);
/* The peer broke the rules in it; nghttp2 has queued the RST_STREAM. */
void h2_stream_broken(struct h2_conn *conn, struct http_stream *stream, const char *detail);
/* nghttp2 has closed it. */
void h2_stream_closed(struct h2_conn *conn, int32_t id, uint32_t code);
/* Data for a stream nobody listens to. */
void h2_stream_discard(struct h2_conn *conn, int32_t id, size_t len);
enum http_reach h2_stream_reach(const struct http_stream *stream);

static inline struct http_stream *h2_stream_by_id(const struct h2_conn *conn, int32_t id)
{
    return nghttp2_session_get_stream_user_data(conn->session, id);
}

#endif
