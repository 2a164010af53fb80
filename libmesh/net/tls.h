/* SPDX-License-Identifier: Apache-2.0 */
/* What tls*.c and the streams share: OpenSSL's context of one identity, its remembered sessions, words for its failures. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/base.h"
#include "net/net.h"

/* ---- remembered sessions: net/tls_session.c ---- */

/* The newest session of each server name. Shared by the loops of a client, so under a lock; but nobody ever waits for it:
 * whoever finds it taken does without, which costs a full handshake and not a deadlock in a child that was forked meanwhile. */
struct tls_sessions {
    atomic_flag taken;
    struct map by_name;
    struct list oldest_first;
};

void tls_sessions_init(struct tls_sessions *sessions);
void tls_sessions_fini(struct tls_sessions *sessions);
/* Keeps a copy, instead of what was there for the name. */
void tls_sessions_remember(struct tls_sessions *sessions, const char *name, const SSL_SESSION *session);
/* A copy, owned by the caller; NULL when there is none that may be used. */
SSL_SESSION *tls_sessions_recall(struct tls_sessions *sessions, const char *name);
void tls_sessions_forget(struct tls_sessions *sessions, const char *name);

/* ---- the context: net/tls.c ---- */

struct net_tls {
    _Atomic uint32_t refs;
    SSL_CTX *context;
    BIO_METHOD *socket_method; /* net/tls_bio.c */
    struct tls_sessions sessions;
    char *roots; /* what is trusted, for sentences: "tls.ca /etc/mesh/ca.pem" */
    bool insecure, any_name, has_certificate;
    struct peer_names *names; /* a reference; NULL: none */
    int min_version;
};

/* ---- what the certificate must name: net/tls_names.c ---- */

/* Checks the names of the peer's certificate once its chain is good. With `tls->names` only. */
void tls_names_demand(struct net_tls *tls, SSL_CTX *context);

/* "h2,http/1.1" as RFC 7301 section 3.1 writes it, into `wire`. False: an empty or overlong name, or too many. */
enum { TLS_ALPN_MOST = 256 };
bool tls_alpn_wire(const char *names, uint8_t wire[TLS_ALPN_MOST], size_t *len);

/* ---- the socket under OpenSSL: net/tls_bio.c ---- */

struct net_stream;

/* NULL: out of memory. */
BIO_METHOD *tls_bio_method_new(void);
/* NULL: out of memory. The stream owns the descriptor and outlives the BIO. */
BIO *tls_bio_new(const BIO_METHOD *method, struct net_stream *stream);

/* ---- words for failures: net/tls_fault.c, net/tls_certificate.c ---- */

/* Before each call whose failure is to be explained: OpenSSL keeps one queue of errors per thread, whoever made them. */
void tls_errors_clear(void);
/* The oldest error in the queue, which is the cause of the others, in OpenSSL's words; empties the queue. Returns out. */
const char *tls_errors_text(char out[FAULT_TEXT]);
/* Sets the stream's fault, unless it has one, from the queue and the stream's last errno; empties the queue. */
void tls_fault_handshake(struct net_stream *stream, int ssl_error);
void tls_fault_transfer(struct net_stream *stream, int ssl_error);
/* Sets the stream's fault from a check of its peer's certificate that failed. */
void tls_fault_certificate(struct net_stream *stream, X509_STORE_CTX *check);

#endif
