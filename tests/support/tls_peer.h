/* SPDX-License-Identifier: Apache-2.0 */
/* A server in a thread of the test, on a free port of loopback: plain or TLS, well-behaved or not. */
#ifndef SUPPORT_TLS_PEER_H
#define SUPPORT_TLS_PEER_H

#include "support/certificates.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>

#include <openssl/ssl.h>

#include "base/base.h"

enum peer_manner {
    PEER_ECHO,     /* sends back what comes; on the end closes with close-notify */
    PEER_CUT,      /* says "cut" and closes without close-notify */
    PEER_FAREWELL, /* says "bye" and closes with close-notify */
    PEER_PLAIN,    /* TLS is answered with a line of HTTP */
    PEER_ALERT,    /* TLS is answered with the fatal alert conf.alert */
    PEER_STALL,    /* accepts and says nothing */
    PEER_CLOSE,    /* accepts and closes */
    PEER_SWALLOW,  /* reads nothing until told by peer->go, then counts what comes until the end */
};

struct peer_conf {
    enum peer_manner manner;
    const struct certificate *certificate;  /* NULL: no TLS */
    const struct certificate *client_ca;    /* clients need a certificate of it */
    const struct certificate *intermediate; /* sent along */
    int max_version;                        /* TLS1_1_VERSION, ...; 0: any */
    const char *alpn;                       /* the one protocol it speaks */
    unsigned char alert;
    int family; /* AF_INET6; 0: AF_INET */
};

struct peer {
    struct peer_conf conf;
    struct addr addr;
    int listener;
    _Atomic int connection; /* descriptor of the connection at hand, or -1 */
    _Atomic bool stop, go;
    _Atomic int accepted, resumed, closed_with_notify, closed_without_notify;
    _Atomic uint64_t bytes;
    char sni[64]; /* of the last handshake */
    SSL_CTX *context;
    pthread_t thread;
};

static inline int peer_choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                                       const unsigned char *offered, unsigned offered_len, void *user)
{
    const struct peer *peer = user;
    size_t len = strlen(peer->conf.alpn);

    (void) ssl;
    for (unsigned i = 0; i < offered_len; i += offered[i] + 1u) {
        if (offered[i] != len || memcmp(offered + i + 1, peer->conf.alpn, len) != 0)
            continue;
        *out = offered + i + 1;
        *out_len = offered[i];
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static inline SSL_CTX *peer_context(struct peer *peer)
{
    const struct peer_conf *conf = &peer->conf;
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    assert_non_null(context);
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0");
    SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context, conf->max_version);
    SSL_CTX_set_session_id_context(context, (const unsigned char *) "peer", 4);
    assert_int_equal(SSL_CTX_use_certificate(context, conf->certificate->x509), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, conf->certificate->key), 1);
    if (conf->intermediate)
        SSL_CTX_add1_chain_cert(context, conf->intermediate->x509);
    if (conf->alpn)
        SSL_CTX_set_alpn_select_cb(context, peer_choose_protocol, peer);
    if (conf->client_ca) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context), conf->client_ca->x509);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    return context;
}

static inline ssize_t peer_read(int fd, SSL *ssl, void *buf, size_t cap)
{
    return ssl ? SSL_read(ssl, buf, (int) cap) : recv(fd, buf, cap, 0);
}

static inline ssize_t peer_write(int fd, SSL *ssl, const void *bytes, size_t len)
{
    return ssl ? SSL_write(ssl, bytes, (int) len) : send(fd, bytes, len, MSG_NOSIGNAL);
}

static inline void peer_until_end(struct peer *peer, int fd, SSL *ssl, bool echo)
{
    char buf[16384];
    ssize_t n;

    while ((n = peer_read(fd, ssl, buf, sizeof buf)) > 0) {
        atomic_fetch_add(&peer->bytes, (uint64_t) n);
        for (ssize_t at = 0, written; echo && at < n; at += written) {
            written = peer_write(fd, ssl, buf + at, (size_t) (n - at));
            if (written <= 0)
                return;
        }
    }
    if (ssl && SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN)
        atomic_fetch_add(&peer->closed_with_notify, 1);
    else
        atomic_fetch_add(&peer->closed_without_notify, 1);
    if (ssl && n == 0)
        SSL_shutdown(ssl);
}

static inline void peer_hold(struct peer *peer, int fd)
{
    char byte;

    while (!atomic_load(&peer->stop) && recv(fd, &byte, 1, 0) > 0)
        continue;
}

static inline void peer_talk(struct peer *peer, int fd, SSL *ssl)
{
    switch (peer->conf.manner) {
    case PEER_CUT:
        peer_write(fd, ssl, "cut", 3);
        break;
    case PEER_FAREWELL:
        peer_write(fd, ssl, "bye", 3);
        if (ssl)
            SSL_shutdown(ssl);
        break;
    case PEER_SWALLOW:
        while (!atomic_load(&peer->go) && !atomic_load(&peer->stop))
            sched_yield();
        peer_until_end(peer, fd, ssl, false);
        break;
    default:
        peer_until_end(peer, fd, ssl, true);
    }
}

static inline void peer_serve(struct peer *peer, int fd)
{
    SSL *ssl = NULL;
    const char *sni;

    if (peer->conf.manner == PEER_CLOSE)
        return;
    if (peer->conf.manner == PEER_PLAIN)
        send(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, MSG_NOSIGNAL);
    if (peer->conf.manner == PEER_ALERT)
        send(fd, (unsigned char[]){ 0x15, 3, 3, 0, 2, 2, peer->conf.alert }, 7, MSG_NOSIGNAL);
    if (peer->conf.manner == PEER_STALL || peer->conf.manner == PEER_ALERT || peer->conf.manner == PEER_PLAIN) {
        peer_hold(peer, fd);
        return;
    }
    if (peer->context) {
        ssl = SSL_new(peer->context);
        SSL_set_fd(ssl, fd);
        if (SSL_accept(ssl) != 1) {
            SSL_free(ssl);
            return;
        }
        sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        snprintf(peer->sni, sizeof peer->sni, "%s", sni ? sni : "");
        atomic_fetch_add(&peer->resumed, SSL_session_reused(ssl));
    }
    peer_talk(peer, fd, ssl);
    SSL_free(ssl);
}

/* A test may take all descriptors away for a while: accept() then fails before it has waited. */
static inline int peer_accept(const struct peer *peer)
{
    int fd;

    while ((fd = accept(peer->listener, NULL, NULL)) < 0 && errno == EMFILE)
        sched_yield();
    return fd;
}

static inline void *peer_main(void *user)
{
    struct peer *peer = user;
    sigset_t pipe;
    int fd;

    /* OpenSSL's own socket BIO raises it; the test is about the other end */
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    while (!atomic_load(&peer->stop) && (fd = peer_accept(peer)) >= 0) {
        atomic_fetch_add(&peer->accepted, 1);
        atomic_store(&peer->connection, fd);
        if (!atomic_load(&peer->stop))
            peer_serve(peer, fd);
        atomic_store(&peer->connection, -1);
        close(fd);
    }
    return NULL;
}

/* A bound, listening socket on a free port of loopback. */
static inline int peer_listen(int family, int backlog, struct addr *addr)
{
    struct sockaddr_storage name = { .ss_family = (sa_family_t) family };
    socklen_t len = family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    if (family == AF_INET6)
        ((struct sockaddr_in6 *) &name)->sin6_addr = in6addr_loopback;
    else
        ((struct sockaddr_in *) &name)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *) &name, len), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *) &name, &len), 0);
    assert_true(addr_from_sockaddr(addr, (struct sockaddr *) &name));
    return fd;
}

/* The peer is copied nowhere: it stays where it is until peer_stop(). */
static inline void peer_start(struct peer *peer, struct peer_conf conf)
{
    *peer = (struct peer){ .conf = conf };
    atomic_store(&peer->connection, -1);
    peer->listener = peer_listen(conf.family ? conf.family : AF_INET, 64, &peer->addr);
    if (conf.certificate)
        peer->context = peer_context(peer);
    assert_int_equal(pthread_create(&peer->thread, NULL, peer_main, peer), 0);
}

static inline void peer_stop(struct peer *peer)
{
    int fd;

    atomic_store(&peer->stop, true);
    shutdown(peer->listener, SHUT_RDWR);
    fd = atomic_load(&peer->connection);
    if (fd >= 0)
        shutdown(fd, SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    close(peer->listener);
    SSL_CTX_free(peer->context);
}

#endif
