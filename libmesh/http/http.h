/* SPDX-License-Identifier: Apache-2.0 */
/* The door of http/: HTTP exchanges (streams) on connections, HTTP/2 by nghttp2 and HTTP/1.1 by libcurl behind one table.
 *
 * Everything is used inside a loop. Callbacks never come from within the function that asked for them, except
 * read_body() and on_*() of OTHER streams and connections.
 *
 * Life of a connection:  http_conn_h2() / http_conn_h1() → on_room … → on_draining (no new streams) → on_closed → free
 * Life of a stream:      http_stream_open() → [on_informational] → on_header … → on_head → on_data … → [on_header, trailer]
 *                        → on_end, exactly once, unless http_stream_cancel() was called first. */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/base.h"
#include "loop/loop.h"
#include "net/net.h"

#include <mesh/request.h> /* struct mesh_header */

struct http_conn;
struct http_stream;

/* How far a stream that failed had come: what retrying it may do. */
enum http_reach {
    HTTP_NOT_SENT, /* no byte of it has left: always safe to send again */
    HTTP_REFUSED,  /* sent, and the peer says it did not process it: REFUSED_STREAM, GOAWAY above last-id */
    HTTP_MAYBE,    /* sent; the peer may have processed it */
};

struct http_result {
    int32_t
        err; /* 0: the answer is whole; else MESH_ERR_RESET (a silent peer's too), _PROTOCOL, _TOO_LARGE, _NOMEM, ... */
    enum http_reach reach;
    const struct fault *fault; /* with err; borrowed for the call */
    bool wants_http1;          /* the peer answers this only over HTTP/1.1 (HTTP_1_1_REQUIRED) */
    bool was_reset;            /* by the peer's RST_STREAM: */
    uint32_t reset_code;       /* its error code */
};

/* What a stream tells its owner. One const table an owner type. */
struct http_stream_ops {
    /* Next piece of the request's body, at most cap bytes. Sets *eof with the last one. 0 without *eof: none now,
     * http_stream_resume() will tell. Negative: MESH_ERR_*, the stream is reset with it. */
    ssize_t (*read_body)(struct http_stream *stream, uint8_t *buf, size_t cap, bool *eof);
    /* Each header of the final head, then on_head(); after it each trailer. Names are lower case. Not for 1xx answers.
     * Returning other than 0 (MESH_ERR_TOO_LARGE, MESH_ERR_NOMEM) ends the stream with it. */
    int32_t (*on_header)(struct http_stream *stream, const char *name, size_t name_len, const char *value,
                         size_t value_len, bool is_trailer);
    void (*on_head)(struct http_stream *stream, int status, bool end);
    /* All of it is taken. With `hold` set at opening the peer may send no more than the window (http_conn_conf.window)
     * until http_stream_consume() gives it back; else it is given back at once. */
    int32_t (*on_data)(struct http_stream *stream, const uint8_t *bytes, size_t len);
    void (*on_end)(struct http_stream *stream, const struct http_result *result);
};

/* Embedded in its owner, zeroed. */
struct http_stream {
    const struct http_stream_ops *ops;
    struct http_conn *conn; /* NULL before opening and after the end */
    struct list link;       /* in its connection */
    void *impl;             /* of the connection's kind */
    uint32_t impl_bits;     /* the same */
    int32_t id;
    bool hold; /* see on_data */
    bool sent; /* the head has been handed to the socket */
    bool had_head;
    uint64_t bytes_sent, bytes_received; /* bodies */
};

struct http_request {
    const char *method;                /* "GET" */
    const char *scheme;                /* "http", "https" */
    const char *authority;             /* "users:80" */
    const char *path;                  /* "/v1?x=y" */
    const struct mesh_header *headers; /* validated: no CR LF NUL, no connection headers; any case */
    size_t n_headers;
    /* The library's own, after the others; names are constants in lower case. What they say differs from request to request: but for
     * the first request of a connection it is kept out of HPACK's table. */
    const struct mesh_header *extra;
    size_t n_extra;
    bool has_body;
    int64_t body_len;     /* for content-length; -1: unknown */
    uint64_t deadline_us; /* of this attempt; informative for h1 */
    bool again; /* another attempt has failed: over HTTP/1.1 not on a connection that was kept, it may be as dead */
};

/* What a connection tells its owner. `why` has code 0 when the end is an orderly one (GOAWAY without error, idle, age, ids used
 * up, drained). on_draining() comes before on_closed() unless the owner itself asked for the end. */
struct http_conn_ops {
    /* A stream has ended, or the peer allows more (its first SETTINGS included): http_conn_room() may have grown. */
    void (*on_room)(struct http_conn *conn);
    /* No new streams from now on (GOAWAY, age, silence, ids used up); running ones end by themselves. Once. */
    void (*on_draining)(struct http_conn *conn, const struct fault *why);
    /* Gone; all its streams have had their on_end(). The owner frees it with http_conn_free() now or later. Once. */
    void (*on_closed)(struct http_conn *conn, const struct fault *why);
};

enum http_protocol { HTTP_2, HTTP_1_1 };

struct http_conn_conf {
    uint32_t window;           /* bytes a peer may send ahead of http_stream_consume(), per stream; 0: 1 MiB */
    uint32_t max_header_bytes; /* of one header block, decoded; 0: 64 KiB */
    uint64_t idle_us;          /* closes after so long without a stream; 0: never */
    uint64_t age_us;           /* drains after so long; 0: never */
    uint64_t silence_us;      /* work in flight and no byte for so long: PING; again so long without answer: closed. The
                                    owner raises it with http_conn_set_silence(). 0: never */
    uint64_t answer_us;       /* how long the answer to such a PING may take; 0: silence_us */
    uint64_t alive_us;        /* PINGs so far apart, also without work; 0: none. HTTP/2 */
    uint64_t alive_answer_us; /* nothing heard for so long after one of them: closed */
    uint32_t max_streams;     /* at once, HTTP/2; 0: as the peer allows */
    uint32_t max_requests;    /* in all, then it drains, HTTP/2; 0: as many as there are stream ids */
    struct observe *observe;  /* where events go; may be NULL */
    const char *cluster;      /* for events; borrowed for the connection's life */
};

/* First member of each kind. */
struct http_conn {
    const struct http_conn_kind *kind;
    const struct http_conn_ops *ops;
    struct loop *loop;
    struct http_conn_conf conf;
    struct addr peer;
    void *owner;
    struct list streams;
    uint32_t n_streams;
    bool draining, closed;
    uint64_t opened_us;
};

/* HTTP/2 on a stream just dialled, which the connection owns from now on, on failure too. Sends the preface at once. */
int32_t http_conn_h2(struct loop *loop, const struct http_conn_conf *conf, struct net_stream *stream,
                     const struct http_conn_ops *ops, void *owner, struct http_conn **out, struct fault *fault);

/* ---- from addresses to an HTTP/2 connection that can be used: http/connect.c ---- */

struct http_connect;

struct http_connect_conf {
    struct net_dial_conf dial; /* timeout_us: of dialling, and once more of waiting for the peer's SETTINGS */
    struct http_conn_conf conn;
    const struct http_conn_ops *ops; /* the connection's, with `user` as its owner, from on_done on */
};

struct http_connected {
    struct http_conn *conn;    /* yours, with room for streams; NULL: not connected, */
    const struct fault *fault; /* this is why; borrowed for the call */
    bool speaks_http1;         /* it was connected, but the peer does not offer HTTP/2 by ALPN */
};
typedef void (*http_connected_fn)(void *user, const struct http_connected *result);

/* on_done comes exactly once, unless cancelled, never from within this call; what stands for the attempt is freed before it.
 * As net_dial_start(): MESH_ERR_INVALID, MESH_ERR_NOMEM. */
int32_t http_connect_start(struct loop *loop, const struct http_connect_conf *conf, http_connected_fn on_done,
                           void *user, struct http_connect **out);
void http_connect_cancel(struct http_connect *connect); /* NULL is fine */

/* ---- */

/* HTTP/1.1 to one endpoint: one object stands for up to max_connections sockets, which libcurl keeps. */
struct http_h1_conf {
    struct addr addrs[2]; /* of the endpoint */
    size_t n_addrs;
    bool tls;
    struct net_tls_conf tls_conf; /* as for net_tls_new(); strings copied */
    struct net_tls
        *identity; /* made of tls_conf: what it has read is used, a reference is taken. NULL: libcurl reads the files */
    const char *server_name; /* verified and sent as SNI; with TLS. Copied */
    const char *proxy; /* "http://proxy:3128"; NULL: none. Copied. With it host names reach the proxy, not addrs */
    uint32_t max_connections;
    uint64_t connect_timeout_us;
};
int32_t http_conn_h1(struct loop *loop, const struct http_conn_conf *conf, const struct http_h1_conf *h1,
                     const struct http_conn_ops *ops, void *owner, struct http_conn **out, struct fault *fault);

/* How many streams could be opened right now: 0 when draining, closed or full. */
uint32_t http_conn_room(const struct http_conn *conn);
/* How many the peer allows in all. */
uint32_t http_conn_limit(const struct http_conn *conn);
/* Silent just now: work in flight and nothing heard for its time. Nothing new should start on it. */
bool http_conn_silent(const struct http_conn *conn);
void http_conn_set_silence(struct http_conn *conn, uint64_t silence_us);
/* Reads what has come while nobody polled (a GOAWAY, an end) so that no request is written to a dead peer. Cheap when somebody
 * read within the last millisecond. */
void http_conn_refresh(struct http_conn *conn);
/* No new streams; closes when the last one has ended (GOAWAY sent). */
void http_conn_drain(struct http_conn *conn);
/* Ends all streams with err, closes. on_closed comes later in this turn or in the next. */
void http_conn_close(struct http_conn *conn, int32_t err, const char *why);
/* After on_closed, or at any time: closes silently, streams must be gone. NULL is fine. */
void http_conn_free(struct http_conn *conn);
enum http_protocol http_conn_protocol(const struct http_conn *conn);

/* Opens a stream on a connection with room. `stream->ops` is set; `request` is borrowed for this call (read_body() comes
 * later). Failure (MESH_ERR_NOMEM, MESH_ERR_AGAIN: no room after all) leaves the stream unopened: no on_end(). */
int32_t http_stream_open(struct http_conn *conn, struct http_stream *stream, const struct http_request *request);
/* read_body() has something again. */
void http_stream_resume(struct http_stream *stream);
/* The owner has used n bytes of what on_data() gave it (`hold` only). */
void http_stream_consume(struct http_stream *stream, size_t n);
/* Ends it unheard: RST_STREAM(CANCEL), 300 at once and 30 a second per connection; beyond that its answer is thrown away.
 * The struct may be freed at once. Fine for one that is not open. */
void http_stream_cancel(struct http_stream *stream);

/* ---- what may stand in a request: http/valid.c, pure ---- */

/* 0, or MESH_ERR_INVALID and a sentence naming what is wrong, where, what is allowed. */
int32_t http_valid_method(const char *method, struct fault *fault);
int32_t http_valid_path(const char *path, struct fault *fault);
int32_t http_valid_authority(const char *authority, struct fault *fault);
/* Refuses CR, LF, NUL, bad names, and headers that belong to the connection (connection, transfer-encoding, upgrade, te other
 * than "trailers", content-length, ...). */
int32_t http_valid_header(const struct mesh_header *header, struct fault *fault);
bool http_method_idempotent(const char *method); /* RFC 9110 9.2.2 */

#endif
