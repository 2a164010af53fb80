/* SPDX-License-Identifier: Apache-2.0 */
/* The door of pool/: the connections of one endpoint in one loop, and who waits for a place on one. Used inside.
 *
 * Vocabulary
 *   lease   an attempt's wait for a place; answered exactly once: a connection with room, or a fault.
 *   usable  open, not draining, not silent just now, with room.
 * Rules
 *   A new connection is dialled when leases wait, and already before: when the streams in use pass seven tenths of what the peer
 *   allows (a second connection before the limit hurts).
 *   After doubt (the last connecting failed, or the connection was silent) attempts come in slowly (window.h), and of those that
 *   wait the newest is first: the old ones would be too late.
 *   A connection counts as open when the peer has shown itself (HTTP/2: its SETTINGS), within the connect timeout: a stopped
 *   process whose kernel accepts connections takes no request. */
#ifndef POOL_POOL_H
#define POOL_POOL_H

#include <stdatomic.h>

#include "http/http.h"
#include "observe/observe.h"

/* Counted over all pools of a cluster, in all loops. */
struct pool_limits {
    _Atomic uint32_t connections;
    _Atomic uint32_t max_connections; /* changes with the configuration */
};

enum pool_speaks {
    POOL_HTTP1,
    POOL_HTTP2,
    POOL_ALPN, /* TLS decides: found with the first connection, then remembered */
};

/* Strings and files' names are borrowed for the pool's life. */
struct pool_conf {
    struct addr addrs[2];
    size_t n_addrs;
    enum pool_speaks speaks;
    struct net_tls *tls;          /* a reference is taken; NULL: plain */
    struct net_tls_conf tls_conf; /* the same for HTTP/1.1 */
    const char *server_name;
    const char *proxy;
    struct http_conn_conf http;
    uint64_t connect_timeout_us;
    struct pool_limits *limits;
    /* The pool's state as told by pool_state() may have changed, or it has become empty while draining. Never from within
     * one of the functions below. */
    void (*on_change)(void *user);
    void *user;
};

struct pool;

struct pool_lease {
    struct list link;
    struct pool *pool; /* while waiting */
    void (*on_leased)(struct pool_lease *lease, struct http_conn *conn);
    void (*on_failed)(struct pool_lease *lease, const struct fault *fault);
};

int32_t pool_new(struct loop *loop, const struct pool_conf *conf, struct pool **out);
/* Leases must be gone. Closes everything, silently. NULL is fine. */
void pool_free(struct pool *pool);
/* A connection with room, at once: open the stream before anything else happens. NULL: none just now. */
struct http_conn *pool_take(struct pool *pool);
/* Waits for one; answered later. */
void pool_wait(struct pool *pool, struct pool_lease *lease);
/* Not answered any more. Fine for one that is not waiting. */
void pool_forget(struct pool_lease *lease);
/* The peer has refused a request since it wants HTTP/1.1 (HTTP_1_1_REQUIRED): new connections speak that, those that there are take no
 * more. False: the target demands HTTP/2. */
bool pool_speak_http1(struct pool *pool);
/* An attempt on one of its connections has ended: whether with an answer in time. */
void pool_attempt_ended(struct pool *pool, bool answered);
/* Opens a connection if there is none. */
void pool_warm(struct pool *pool);
/* No more leases: closes each connection when its last stream has ended. */
void pool_drain(struct pool *pool);
bool pool_is_empty(const struct pool *pool);
/* Fails all streams and leases with err, and closes. */
void pool_close(struct pool *pool, int32_t err, const char *why);

enum pool_health {
    POOL_IDLE, /* no connection and no reason to doubt */
    POOL_CONNECTING,
    POOL_CONNECTED,
    POOL_SILENT, /* every connection is silent just now */
    POOL_FAILED, /* the last connecting failed: pool_fault() */
};
const char *pool_health_name(enum pool_health health);

struct pool_state {
    enum pool_health health;
    uint32_t connections, streams, waiting;
    const struct fault *fault; /* with POOL_FAILED; borrowed */
    const char *protocol;      /* "h2", "http/1.1"; "" not known yet */
    uint64_t connect_us;       /* the least that opening an HTTP/2 connection took; 0: not known */
};
struct pool_state pool_state(const struct pool *pool);
/* Silence after which a connection is asked, from now on. */
void pool_set_silence(struct pool *pool, uint64_t silence_us);

#endif
