/* SPDX-License-Identifier: Apache-2.0 */
/* The door of net/: sockets, TLS and names. Everything here is used inside a loop (loop/loop.h).
 *
 *   tls       what to trust and who we are; made once, shared by connections of one identity
 *   dial      from addresses to a connected, and with TLS trusted, byte stream (happy eyeballs)
 *   stream    bytes in and out of one connected socket, plain or TLS
 *   resolver  names to addresses, SRV to targets, on the loop */
#ifndef NET_NET_H
#define NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/base.h"
#include "loop/loop.h"

/* ---- TLS: net/tls.c ---- */

struct net_tls;

/* All strings are borrowed for net_tls_new() only. */
struct net_tls_conf {
    const char *ca;   /* PEM file; NULL: SSL_CERT_FILE, SSL_CERT_DIR, else the system's roots */
    const char *cert; /* PEM chain of the client certificate; NULL: none. With key, or neither */
    const char *key;  /* PEM */
    const char *ca_pem, *cert_pem,
        *key_pem;             /* what stood in the file of that name, which is not read then; NULL: it is */
    bool insecure;            /* the peer is not verified at all; the configuration must say so in words */
    bool any_name;            /* whatever host the peer's certificate is for: what it must name is in `names` */
    struct peer_names *names; /* one of which it must have, too; NULL: none. A reference is taken */
    int min_version;          /* 12 or 13; 0: 12 */
};

/* Reads the files. MESH_ERR_INVALID, or MESH_ERR_TLS or MESH_ERR_IO with a sentence that names the file, MESH_ERR_NOMEM. */
int32_t net_tls_new(const struct net_tls_conf *conf, struct net_tls **out, struct fault *fault);
struct net_tls *net_tls_ref(struct net_tls *tls);
void net_tls_unref(struct net_tls *tls); /* NULL is fine */
/* For a connection that libcurl makes, while `tls` lives: its SSL_CTX trusts the same and is the same. False: out of memory. */
bool net_tls_lend(struct net_tls *tls, void *ssl_ctx);

/* For connections that libcurl makes: told when the peer has said that nothing more comes (close-notify): net/tls_end.c.
 * Embedded in its owner. */
struct net_tls_end {
    void (*on_end)(struct net_tls_end *end);
};
/* ssl_ctx is the SSL_CTX of this one connection; `end` outlives it. */
void net_tls_watch_end(void *ssl_ctx, struct net_tls_end *end);

/* ---- streams: net/stream.c ---- */

struct net_stream;

enum {
    NET_AGAIN = -1,  /* not now: wait for net_stream_wants() */
    NET_FAILED = -2, /* net_stream_fault() says why */
};

int net_stream_fd(const struct net_stream *stream);
/* More than 0: bytes read; 0: the peer has ended, properly; NET_AGAIN; NET_FAILED (also a TLS end without close-notify). */
ssize_t net_stream_read(struct net_stream *stream, void *buf, size_t cap);
/* More than 0: bytes written, maybe fewer than len; NET_AGAIN; NET_FAILED. Never raises SIGPIPE. len is above 0.
 * After NET_AGAIN the next write begins with the same bytes and is not shorter: TLS may have encrypted them already. */
ssize_t net_stream_write(struct net_stream *stream, const void *bytes, size_t len);
/* EPOLLIN and EPOLLOUT that the last NET_AGAIN of read and of write need (TLS may need either for both). */
uint32_t net_stream_wants(const struct net_stream *stream, bool has_output);
/* Bytes wait in the TLS layer already, also right after the dial: read until NET_AGAIN before polling. */
bool net_stream_pending(const struct net_stream *stream);
const struct fault *net_stream_fault(const struct net_stream *stream);
/* "h2", "http/1.1", or "" when none was agreed. */
const char *net_stream_alpn(const struct net_stream *stream);
bool net_stream_is_tls(const struct net_stream *stream);
bool net_stream_resumed(const struct net_stream *stream);
const struct addr *net_stream_peer(const struct net_stream *stream);
/* Ends our direction: TLS close-notify, then FIN. Reading goes on. */
void net_stream_shutdown(struct net_stream *stream);
/* Closes the socket and frees; the caller has removed its watch. NULL is fine. */
void net_stream_close(struct net_stream *stream);

/* ---- dialling: net/dial.c ---- */

struct net_dial;

struct net_dial_conf {
    const struct addr *addrs; /* in order of preference; raced as RFC 8305 says. Copied (a unix path too) */
    size_t n_addrs;
    uint64_t timeout_us;     /* whole, TLS handshake included */
    struct net_tls *tls;     /* NULL: plain. A reference is taken */
    const char *server_name; /* verified, and sent as SNI unless it is an address; required with TLS. Copied */
    const char *alpn;        /* "h2", "h2,http/1.1", NULL: none. Copied */
};

/* err 0: `stream` is yours. Else NULL and the fault: MESH_ERR_CONNECT, MESH_ERR_TLS, MESH_ERR_IO, MESH_ERR_NOMEM. */
typedef void (*net_dialled_fn)(void *user, int32_t err, struct net_stream *stream, const struct fault *fault);

/* on_done comes exactly once, unless cancelled, never from within this call. The dial frees itself before it.
 * MESH_ERR_INVALID (no address, no server_name with TLS, malformed alpn), MESH_ERR_NOMEM. */
int32_t net_dial_start(struct loop *loop, const struct net_dial_conf *conf, net_dialled_fn on_done, void *user,
                       struct net_dial **out);
void net_dial_cancel(struct net_dial *dial);

/* ---- names: net/resolver.c ---- */

struct net_resolver;
struct net_lookup;

struct net_resolver_conf {
    const char *servers;     /* "10.0.0.2,127.0.0.1:8600,[::1]:53"; NULL: the system's (resolv.conf). Copied */
    uint32_t timeout_ms;     /* of the first try, doubled for each one after it; 0: 2000 */
    uint32_t tries;          /* per server; 0: 2 */
    const char *resolv_conf; /* NULL: /etc/resolv.conf. Copied */
};

int32_t net_resolver_new(struct loop *loop, const struct net_resolver_conf *conf, struct net_resolver **out,
                         struct fault *fault);
/* Lookups that still run end unheard. */
void net_resolver_free(struct net_resolver *resolver);

struct net_srv {
    uint16_t priority, weight, port;
    const char *target; /* without the final dot; "" is the target "." : the service is decidedly not there */
};

enum net_answer_kind {
    NET_ANSWER_OK,       /* at least one record */
    NET_ANSWER_NODATA,   /* the name exists without such a record */
    NET_ANSWER_NXDOMAIN, /* the name does not exist */
    NET_ANSWER_FAILED,   /* no usable answer: SERVFAIL, refused, no server answers, ... */
};

struct net_answer {
    enum net_answer_kind kind;
    struct fault fault;       /* MESH_ERR_DNS and a sentence, unless NET_ANSWER_OK */
    uint32_t ttl_s;           /* least of the records; 0 when unknown or failed */
    const struct addr *addrs; /* net_lookup_host(): port 0, in the order of preference (RFC 6724) */
    size_t n_addrs;
    const struct net_srv *srvs; /* net_lookup_srv(): sorted by priority, then weight descending; no two are the same */
    size_t n_srvs;
    bool partial;     /* one of A and AAAA was not answered: what is here is true, and maybe not everything */
    const char *from; /* "hosts file", "dns", "literal" */
};

/* Everything in the answer is borrowed for the call. */
typedef void (*net_answered_fn)(void *user, const struct net_answer *answer);

/* A and AAAA, by hosts file and search rules as the system's resolver. Once, never from within this call. Names are copied.
 * MESH_ERR_NOMEM; everything else that goes wrong is an answer. */
int32_t net_lookup_host(struct net_resolver *resolver, const char *name, net_answered_fn on_done, void *user,
                        struct net_lookup **out);
int32_t net_lookup_srv(struct net_resolver *resolver, const char *name, net_answered_fn on_done, void *user,
                       struct net_lookup **out);
/* on_done will not be called. */
void net_lookup_cancel(struct net_lookup *lookup);

#endif
