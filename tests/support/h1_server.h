/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP/1.1 server of scripted bytes, plain, TLS or on a unix socket: a thread for each connection runs what the test says. */
#ifndef SUPPORT_H1_SERVER_H
#define SUPPORT_H1_SERVER_H

#include "support/tls_peer.h"

#include <strings.h>
#include <sys/un.h>

enum { SERVER_CONNECTIONS = 64, SERVER_TEXT = 8192 };

struct server;

struct server_conn {
    struct server *server;
    _Atomic int fd;
    int number; /* of connections, the first is 1 */
    SSL *ssl;
    pthread_t thread;
    char input[SERVER_TEXT]; /* read, not yet used */
    size_t input_len;
    char head[SERVER_TEXT]; /* of the last request */
    size_t body_bytes;      /* of it, without chunk headers */
    char body_first[64];    /* its beginning */
};

struct server {
    void (*serve)(struct server_conn *conn);
    void *_Atomic user; /* what the script is about */
    SSL_CTX *context;
    struct addr addr;
    int listener;
    _Atomic bool stop;
    _Atomic int accepted, requests, resumed;
    pthread_mutex_t lock;
    char head[SERVER_TEXT]; /* of the last request to any connection */
    char sni[64], alpn[16];
    struct server_conn conns[SERVER_CONNECTIONS];
    pthread_t thread;
};

/* ---- inside a script ---- */

static inline void server_send_bytes(struct server_conn *conn, const void *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = peer_write(conn->fd, conn->ssl, (const char *) bytes + at, len - at);

        if (n <= 0)
            return;
        at += (size_t) n;
    }
}

static inline void server_send(struct server_conn *conn, const char *text)
{
    server_send_bytes(conn, text, strlen(text));
}

/* Each byte a segment of its own. */
static inline void server_drip(struct server_conn *conn, const char *text)
{
    for (; *text; text++) {
        server_send_bytes(conn, text, 1);
        sched_yield();
    }
}

static inline void server_reset(struct server_conn *conn)
{
    struct linger none = { .l_onoff = 1 };

    setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

static inline bool server_fill(struct server_conn *conn)
{
    ssize_t n = peer_read(conn->fd, conn->ssl, conn->input + conn->input_len, sizeof conn->input - 1 - conn->input_len);

    if (n <= 0)
        return false;
    conn->input_len += (size_t) n;
    conn->input[conn->input_len] = '\0';
    return true;
}

static inline void server_use(struct server_conn *conn, size_t n)
{
    conn->input_len -= n;
    memmove(conn->input, conn->input + n, conn->input_len);
    conn->input[conn->input_len] = '\0';
}

/* Up to and with the text `end`, which becomes the end of `out`. */
static inline bool server_take_until(struct server_conn *conn, const char *end, char *out)
{
    char *found;

    conn->input[conn->input_len] = '\0';
    while (!(found = strstr(conn->input, end)))
        if (!server_fill(conn))
            return false;
    found += strlen(end);
    memcpy(out, conn->input, (size_t) (found - conn->input));
    out[found - conn->input] = '\0';
    server_use(conn, (size_t) (found - conn->input));
    return true;
}

static inline bool server_skip_body(struct server_conn *conn, size_t len)
{
    while (len > 0) {
        size_t n = conn->input_len < len ? conn->input_len : len;

        if (n == 0 && !server_fill(conn))
            return false;
        for (size_t i = 0; i < n; i++, conn->body_bytes++)
            if (conn->body_bytes < sizeof conn->body_first - 1)
                conn->body_first[conn->body_bytes] = conn->input[i];
        server_use(conn, n);
        len -= n;
    }
    return true;
}

static inline const char *server_header(const struct server_conn *conn, const char *name)
{
    for (const char *line = strstr(conn->head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            return line + strlen(name) + 2;
    }
    return NULL;
}

static inline bool server_read_body(struct server_conn *conn)
{
    const char *length = server_header(conn, "content-length");
    char line[SERVER_TEXT];
    size_t n;

    conn->body_bytes = 0;
    memset(conn->body_first, 0, sizeof conn->body_first);
    if (length)
        return server_skip_body(conn, strtoul(length, NULL, 10));
    if (!server_header(conn, "transfer-encoding"))
        return true;
    do {
        if (!server_take_until(conn, "\r\n", line))
            return false;
        n = strtoul(line, NULL, 16);
        if (!server_skip_body(conn, n) || !server_take_until(conn, "\r\n", line))
            return false;
    } while (n > 0);
    return true;
}

static inline bool server_read_head(struct server_conn *conn)
{
    struct server *server = conn->server;

    if (!server_take_until(conn, "\r\n\r\n", conn->head))
        return false;
    pthread_mutex_lock(&server->lock);
    memcpy(server->head, conn->head, sizeof server->head);
    pthread_mutex_unlock(&server->lock);
    atomic_fetch_add(&server->requests, 1);
    return true;
}

/* False: the client has ended. */
static inline bool server_read(struct server_conn *conn)
{
    return server_read_head(conn) && server_read_body(conn);
}

/* Until the client ends the connection. */
static inline void server_wait_end(struct server_conn *conn)
{
    do
        conn->input_len = 0;
    while (server_fill(conn));
}

/* A script: answers every request with `user`, a text. */
static inline void server_answer(struct server_conn *conn)
{
    while (server_read(conn))
        server_send(conn, conn->server->user);
}

/* ---- around it ---- */

static inline bool server_handshake(struct server_conn *conn)
{
    const unsigned char *protocol;
    unsigned protocol_len;
    const char *sni;
    struct server *server = conn->server;

    if (!server->context)
        return true;
    conn->ssl = SSL_new(server->context);
    SSL_set_fd(conn->ssl, conn->fd);
    if (SSL_accept(conn->ssl) != 1)
        return false;
    sni = SSL_get_servername(conn->ssl, TLSEXT_NAMETYPE_host_name);
    SSL_get0_alpn_selected(conn->ssl, &protocol, &protocol_len);
    pthread_mutex_lock(&server->lock);
    snprintf(server->sni, sizeof server->sni, "%s", sni ? sni : "");
    snprintf(server->alpn, sizeof server->alpn, "%.*s", (int) protocol_len, protocol ? (const char *) protocol : "");
    pthread_mutex_unlock(&server->lock);
    atomic_fetch_add(&server->resumed, SSL_session_reused(conn->ssl));
    return true;
}

static inline void *server_conn_main(void *user)
{
    struct server_conn *conn = user;
    int fd = conn->fd;
    sigset_t pipe;

    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    if (server_handshake(conn)) {
        conn->server->serve(conn);
    } else {
        shutdown(fd, SHUT_WR); /* so that the alert is not overtaken by a reset */
        while (recv(fd, conn->input, sizeof conn->input, 0) > 0)
            continue;
    }
    SSL_free(conn->ssl);
    pthread_mutex_lock(&conn->server->lock);
    conn->fd = -1;
    close(fd);
    pthread_mutex_unlock(&conn->server->lock);
    return NULL;
}

static inline void *server_main(void *user)
{
    struct server *server = user;
    int fd;

    while ((fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        int n = server->accepted;
        struct server_conn *conn = &server->conns[n];

        if (server->stop || n == SERVER_CONNECTIONS) {
            close(fd);
            return NULL;
        }
        *conn = (struct server_conn){ .server = server, .fd = fd, .number = n + 1 };
        atomic_fetch_add(&server->accepted, 1);
        pthread_create(&conn->thread, NULL, server_conn_main, conn);
    }
    return NULL;
}

static inline void server_run(struct server *server, void (*serve)(struct server_conn *), const void *user)
{
    server->serve = serve;
    server->user = (void *) (uintptr_t) user;
    pthread_mutex_init(&server->lock, NULL);
    assert_int_equal(pthread_create(&server->thread, NULL, server_main, server), 0);
}

/* It stays where it is until server_stop(). */
static inline void server_start(struct server *server, void (*serve)(struct server_conn *), const void *user)
{
    *server = (struct server){ 0 };
    server->listener = peer_listen(AF_INET, 64, &server->addr);
    server_run(server, serve, user);
}

static inline int server_choose_h1(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                                   const unsigned char *offered, unsigned offered_len, void *user)
{
    (void) ssl, (void) user;
    if (offered_len != 9 || memcmp(offered, "\x08http/1.1", 9) != 0)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = offered + 1;
    *out_len = 8;
    return SSL_TLSEXT_ERR_OK;
}

static inline void server_start_tls(struct server *server, void (*serve)(struct server_conn *), const void *user,
                                    const struct certificate *certificate, const struct certificate *client_ca)
{
    struct peer peer = { .conf = { .certificate = certificate, .client_ca = client_ca } };

    *server = (struct server){ .context = peer_context(&peer) };
    SSL_CTX_set_alpn_select_cb(server->context, server_choose_h1, NULL);
    server->listener = peer_listen(AF_INET, 64, &server->addr);
    server_run(server, serve, user);
}

static inline void server_start_unix(struct server *server, void (*serve)(struct server_conn *), const void *user,
                                     const char *path)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };

    *server = (struct server){ 0 };
    assert_true(addr_unix(&server->addr, path));
    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *) &name, sizeof name), 0);
    assert_int_equal(listen(server->listener, 8), 0);
    server_run(server, serve, user);
}

static inline void server_stop(struct server *server)
{
    atomic_store(&server->stop, true);
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    for (int i = 0; i < server->accepted; i++) {
        pthread_mutex_lock(&server->lock);
        if (server->conns[i].fd >= 0)
            shutdown(server->conns[i].fd, SHUT_RDWR);
        pthread_mutex_unlock(&server->lock);
        pthread_join(server->conns[i].thread, NULL);
    }
    SSL_CTX_free(server->context);
    pthread_mutex_destroy(&server->lock);
}

#endif
