/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 by libcurl's multi interface on our loop. Private to http/h1_*.c.
 *
 * Vocabulary
 *   connection  struct h1_conn: one endpoint (and TLS identity), one multi handle, up to max_connections sockets.
 *   exchange    struct h1_exchange: an easy handle and what we know of the request that it carries. Used again and again.
 *   socket      struct h1_socket: a descriptor that libcurl owns, whether it is used, idle or still connecting.
 *
 * Rules
 *   libcurl calls us back in the middle of its own work, and forbids to add or remove handles there (`in_curl`): what owners
 *   ask for meanwhile is queued and done by h1_settle().
 *   Owners may free the connection in any callback: everything that calls them stands between h1_enter() and h1_leave().
 *   libcurl sends a request again by itself when a used socket died under it, POST included: the pre-request callback and
 *   the one that opens sockets refuse the second time. */
#ifndef HTTP_H1_H
#define HTTP_H1_H

#include <curl/curl.h>

#include "http/h1_head.h"
#include "http/kind.h"

struct h1_conn {
    struct http_conn base;
    CURLM *multi;               /* NULL until the first stream, and after the end */
    CURLSH *share;              /* TLS sessions, which easy handles do not share by themselves; NULL without TLS */
    struct curl_slist *resolve; /* the endpoint's addresses under a name that nobody else has */
    struct curl_slist *connect_to;
    struct {
        struct addr addrs[2];
        size_t n_addrs;
        char *unix_path, *server_name, *proxy, *ca, *ca_dir, *cert, *key;
        char *url;                             /* with a proxy it differs from request to request: NULL */
        bool tls, insecure, any_name, only_ca; /* only_ca: no other roots than `ca` */
        int min_tls_version;
        struct net_tls *identity; /* NULL: of the files */
        uint32_t max_connections;
        uint64_t connect_timeout_us;
    } fixed;
    char peer_text[2 * ADDR_TEXT + 160]; /* whom faults name */

    struct list sockets;
    struct list running;        /* exchanges that the multi handle has */
    struct list queued;         /* to be added to it */
    struct list doomed;         /* to be removed from it: nobody listens any more */
    struct list spare;          /* idle exchanges */
    struct list touched;        /* exchanges that may be paused no longer, or are answered */
    uint32_t n_spare, n_unsure; /* n_unsure: sockets that are not is_sure */

    struct loop_timer curl_timer, idle_timer;
    struct loop_later later;
    unsigned busy;  /* depth of h1_enter() */
    bool in_curl;   /* libcurl is on the stack */
    bool kick;      /* libcurl wants to be called as soon as possible */
    bool room_grew; /* on_room() is due */
    bool ending;    /* end_why is set: everything ends at the next settling */
    bool freed;     /* by its owner while it was busy */
    struct fault end_why;
};

struct h1_socket {
    struct loop_io io;
    struct net_tls_end tls_end;
    struct list link; /* in h1_conn.sockets, the most recently used first */
    struct h1_conn *conn;
    struct h1_exchange *user; /* NULL: idle */
    uint32_t wanted;          /* what libcurl waits for: EPOLLIN, EPOLLOUT */
    ino_t inode;              /* recognises the descriptor */
    bool is_sure;             /* libcurl will call h1_socket_close() for it */
    bool is_curls_own;        /* of its resolver thread: not a connection */
};

enum h1_state {
    H1_SPARE, /* in no list, or in `spare` */
    H1_QUEUED,
    H1_RUNNING, /* libcurl has it */
    H1_DOOMED,  /* libcurl has it, but nobody listens any more */
    H1_ENDING,  /* its owner is being told */
};

struct h1_exchange {
    enum h1_state state;
    struct list link;    /* in the list of its state */
    struct list touched; /* in h1_conn.touched */
    struct h1_conn *conn;
    CURL *easy;
    struct http_stream *stream; /* NULL: nobody listens any more */

    /* the request */
    void *request_block; /* header lines and what else libcurl only borrows */
    size_t request_cap;
    bool is_head; /* the method is HEAD */
    bool body_ended;
    int64_t body_left; /* of a length that was announced; -1: unknown */

    /* the answer */
    struct buf lines; /* of the head until it is complete, then of the trailers */
    struct h1_head head;
    bool head_done;
    bool ended_properly; /* with TLS: the peer has said that nothing more comes */
    bool is_answered;    /* it is whole, although the request may not be */
    bool has_excess;     /* bytes beyond the answer's end have been dropped by libcurl */
    uint32_t n_informational;

    /* how it goes */
    size_t unconsumed;                       /* given to an owner that holds, and not consumed */
    bool recv_paused, send_paused, has_more; /* has_more: what send_paused waits for */
    uint32_t attempts;                       /* times that libcurl was about to send it */
    bool is_reusable;                        /* its handle, when it is put back */
    bool has_waited;                         /* for its socket, since the first */
    long size_before;                        /* bytes sent before the first: a proxy's CONNECT */
    int socket_errno;                        /* why no socket could be opened */
    struct fault fault;                      /* why we ended it from within a callback */
    char error[CURL_ERROR_SIZE];
};

/* ---- h1_conn.c: the connection ---- */

void h1_conn_init(struct h1_conn *conn);
/* Sets the timer that closes it when it is unused for too long. */
void h1_conn_await_use(struct h1_conn *conn);
/* Nobody is on the stack. */
void h1_conn_destroy(struct h1_conn *conn);
/* Around whatever may call owners. h1_leave() frees the connection when an owner asked for that. */
void h1_enter(struct h1_conn *conn);
void h1_leave(struct h1_conn *conn);
/* Tells the owner what the turn has brought: room, the end. */
void h1_conn_tell(struct h1_conn *conn);

/* ---- h1_multi.c, h1_drive.c: libcurl on our loop ---- */

/* NULL when out of memory. */
CURLM *h1_multi_new(void);

/* Makes the multi handle if there is none. */
int32_t h1_multi_open(struct h1_conn *conn);
/* Closes all sockets. No exchange is in it any more. */
void h1_multi_close(struct h1_conn *conn);
/* Has libcurl work on a socket, or on its timers (CURL_SOCKET_TIMEOUT), and tells what has ended. */
void h1_drive(struct h1_conn *conn, curl_socket_t fd, int curl_events);
/* Does what was asked for while libcurl was on the stack. */
void h1_settle(struct h1_conn *conn);
void h1_on_curl_timer(struct loop_timer *timer);

/* ---- h1_socket.c: the descriptors that libcurl owns ---- */

/* CURLOPT_OPENSOCKETFUNCTION of an exchange, CURLOPT_CLOSESOCKETFUNCTION of a connection, CURLMOPT_SOCKETFUNCTION. */
curl_socket_t h1_socket_open(void *user, curlsocktype purpose, struct curl_sockaddr *address);
int h1_socket_close(void *user, curl_socket_t fd);
/* CURLOPT_SSL_CTX_FUNCTION of an exchange, whose connection is about to begin with TLS. */
CURLcode h1_socket_secure(CURL *easy, void *ssl_ctx, void *user);
int h1_socket_want(CURL *easy, curl_socket_t fd, int what, void *user, void *unused);
/* Forgets those that libcurl has closed without a word: before owners are called. */
void h1_socket_check(struct h1_conn *conn);
/* The exchange has a connection: its socket will not be closed without a word. */
void h1_socket_connected(struct h1_exchange *exchange);
/* The exchange uses none any more. */
void h1_socket_release(struct h1_exchange *exchange);
/* Sees to it that libcurl finds an idle socket dead when it comes to use it again. */
void h1_socket_retire(struct h1_conn *conn, curl_socket_t fd);
/* Retires idle sockets that the peer has ended or written to: before each request. */
void h1_socket_refresh(struct h1_conn *conn);

/* ---- h1_exchange.c: one request and its answer ---- */

struct h1_exchange *h1_exchange_take(struct h1_conn *conn);
/* Keeps it for another request, or frees it. It is in no list and not in the multi handle. */
void h1_exchange_put(struct h1_exchange *exchange);
void h1_exchange_free(struct h1_exchange *exchange);
/* Gives it to libcurl, now or when that is possible. */
void h1_exchange_start(struct h1_exchange *exchange);
/* Nobody listens any more: takes it away from libcurl, now or when that is possible, and puts it. */
void h1_exchange_drop(struct h1_exchange *exchange);
/* Has h1_exchange_unpause() called at the end of this turn. */
void h1_exchange_touch(struct h1_exchange *exchange);
/* libcurl is done with it: tells the owner, puts it. */
void h1_exchange_done(struct h1_exchange *exchange, CURLcode code);
/* Lets it read or write again if the reason to pause has gone. */
void h1_exchange_unpause(struct h1_exchange *exchange);
/* libcurl does not wait for bytes of the peer: if it had them all, the answer is whole. */
void h1_exchange_reads_no_more(struct h1_exchange *exchange);
enum http_reach h1_exchange_reach(const struct h1_exchange *exchange);

/* ---- h1_transfer.c: libcurl's callbacks of an exchange ---- */

size_t h1_on_header_line(char *line, size_t size, size_t n, void *user);
size_t h1_on_body(char *bytes, size_t size, size_t n, void *user);
size_t h1_on_upload(char *buf, size_t size, size_t n, void *user);
int h1_on_request(void *user, char *peer_ip, char *local_ip, int peer_port, int local_port);
int h1_on_debug(CURL *easy, curl_infotype type, char *text, size_t len, void *user);

/* Of the head, or of the trailers after it; NULL when there are none. */
char *h1_lines(const struct h1_exchange *exchange, size_t *len);
/* By its head, the answer has no body (RFC 9112 section 6.3). */
bool h1_is_body_less(const struct h1_exchange *exchange);

/* ---- h1_easy.c, h1_request.c: what libcurl is told ---- */

/* Once per process. MESH_ERR_INTERNAL when libcurl cannot be used. */
int32_t h1_curl_init(void);
/* An easy handle with everything that is the same for all requests of a connection; NULL when out of memory. */
CURL *h1_easy_new(struct h1_exchange *exchange);
/* MESH_ERR_NOMEM, MESH_ERR_INVALID for what HTTP/1.1 by libcurl cannot send. */
int32_t h1_request_set(struct h1_exchange *exchange, const struct http_request *request);

/* ---- h1_fault.c ---- */

struct h1_outcome {
    CURLcode code;
    bool head_begun, head_done; /* something of the answer's head has come, all of it */
    bool is_cut;                /* only its end says where the answer ends, and that was not a proper one */
    bool sent;                  /* libcurl began to send the request */
    const char *text;           /* libcurl's own words; "" none */
    int error;                  /* errno of a failed connect; 0 unknown */
    const char *peer;
    const char *name; /* that TLS verifies */
    uint64_t connect_timeout_us;
};
/* What a transfer's end means: 0 only if the answer is whole. Pure. */
int32_t h1_fault_of(const struct h1_outcome *outcome, struct fault *fault);

#endif
