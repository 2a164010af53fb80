/* SPDX-License-Identifier: Apache-2.0 */
/* What a kind of connection (HTTP/2, HTTP/1.1) provides to http/conn.c, and what it gets from there. Private to http/.
 *
 * Who does what
 *   conn.c   keeps the list and the number of streams, the flags `draining` and `closed`, and calls the owners' callbacks.
 *   a kind   speaks the protocol. It embeds struct http_conn as first member and calls http_conn_init() when it is made.
 *
 * Rules
 *   A kind calls owners through the functions below only, and never from within one of its own operations: what an
 *   operation causes is told at the end of the turn (loop_defer) or when bytes come.
 *   Every one of these functions may end in the owner's code, which may open, cancel, drain or close: afterwards a stream
 *   may be gone. The connection itself stays until http_conn_free(), which owners may call from on_closed(). */
#ifndef HTTP_KIND_H
#define HTTP_KIND_H

#include "http/http.h"

/* All members are set unless they say otherwise. */
struct http_conn_kind {
    enum http_protocol protocol;
    uint32_t (*room)(const struct http_conn *conn); /* not asked when draining or closed */
    uint32_t (*limit)(const struct http_conn *conn);
    bool (*silent)(const struct http_conn *conn);    /* may be NULL: never */
    void (*silence_changed)(struct http_conn *conn); /* conf.silence_us is new; may be NULL */
    void (*refresh)(struct http_conn *conn);         /* may be NULL */
    /* `draining` has just been set. When no stream is left: close, and http_conn_tell_closed(), in a later turn. */
    void (*drain)(struct http_conn *conn);
    /* `draining` is set. Later: http_conn_end_all(), then http_conn_tell_closed(). */
    void (*close)(struct http_conn *conn, int32_t err, const char *why);
    /* Frees the connection and closes what it has, unheard; its list of streams is empty. */
    void (*free)(struct http_conn *conn);

    /* The stream is in conn->streams already, its own fields are reset. On failure it is taken out again. */
    int32_t (*stream_open)(struct http_conn *conn, struct http_stream *stream, const struct http_request *request);
    void (*stream_resume)(struct http_conn *conn, struct http_stream *stream);
    void (*stream_consume)(struct http_conn *conn, struct http_stream *stream, size_t n);
    /* The stream is out of conn->streams and may be freed by its owner right after this call. */
    void (*stream_cancel)(struct http_conn *conn, struct http_stream *stream);
};

extern const struct http_conn_kind http_h2_kind; /* h2_conn.c */
extern const struct http_conn_kind http_h1_kind; /* h1_conn.c */

/* Fills the common part of a zeroed connection; zeros in conf become the defaults. */
void http_conn_init(struct http_conn *conn, const struct http_conn_kind *kind, struct loop *loop,
                    const struct http_conn_conf *conf, const struct http_conn_ops *ops, void *owner);

/* Takes the stream out of its connection and tells its owner, last of all: the stream may be gone afterwards. */
void http_stream_end(struct http_stream *stream, const struct http_result *result);
/* Ends it well. */
void http_stream_end_ok(struct http_stream *stream);
/* Ends all streams; reach_of() says how far each had come. The owner may cancel others of them meanwhile. */
void http_conn_end_all(struct http_conn *conn, const struct fault *fault,
                       enum http_reach (*reach_of)(const struct http_stream *stream));

void http_conn_tell_room(struct http_conn *conn);
/* Sets `draining` and calls on_draining(), unless that has happened or the owner itself asked for the end. */
void http_conn_tell_draining(struct http_conn *conn, const struct fault *why);
/* Sets `closed` and calls on_closed(), once: the connection may be gone afterwards. Streams have been ended. */
void http_conn_tell_closed(struct http_conn *conn, const struct fault *why);

#endif
