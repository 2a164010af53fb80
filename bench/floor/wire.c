/* SPDX-License-Identifier: Apache-2.0 */
/* The floor's connection: a socket, with OpenSSL on it when asked. */
#include "floor/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>

#include "load/load.h"

static const unsigned char alpn[] = { 2, 'h', '2' };

static void fail_tls(const char *what)
{
    load_fail("floor: %s: %s", what, ERR_reason_error_string(ERR_peek_last_error()));
}

static SSL *handshake(int fd, const char *ca)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl;

    if (!context || SSL_CTX_load_verify_locations(context, ca, NULL) != 1)
        fail_tls(ca);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    /* What of a write was taken is known, and the buffer may have moved when the rest follows. */
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* One read(2) for a record, not one for its head and one for its rest. */
    SSL_CTX_set_read_ahead(context, 1);
    ssl = SSL_new(context);
    if (!ssl || SSL_set_fd(ssl, fd) != 1 || SSL_set1_host(ssl, "localhost") != 1 ||
        SSL_set_tlsext_host_name(ssl, "localhost") != 1 || SSL_set_alpn_protos(ssl, alpn, sizeof alpn) != 0)
        fail_tls("set-up");
    if (SSL_connect(ssl) != 1)
        fail_tls("handshake");
    return ssl;
}

void wire_open(struct wire *wire, uint16_t port, const char *ca)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    int on = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    wire->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (wire->fd < 0 || connect(wire->fd, (struct sockaddr *) &address, sizeof address) != 0)
        load_fail("floor: 127.0.0.1:%u: %s", port, strerror(errno));
    setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    wire->ssl = ca ? handshake(wire->fd, ca) : NULL;
    fcntl(wire->fd, F_SETFL, O_NONBLOCK);
}

/* What a call of OpenSSL that took or gave nothing means. */
static size_t not_now(const struct wire *wire, int result)
{
    int error = SSL_get_error(wire->ssl, result);

    if (error == SSL_ERROR_ZERO_RETURN)
        load_fail("floor: the connection was closed");
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        fail_tls("connection");
    return 0;
}

size_t wire_read(struct wire *wire, void *buffer, size_t room)
{
    ssize_t got;

    if (wire->ssl) {
        int read = SSL_read(wire->ssl, buffer, (int) room);

        return read > 0 ? (size_t) read : not_now(wire, read);
    }
    got = recv(wire->fd, buffer, room, 0);
    if (got == 0)
        load_fail("floor: the connection was closed");
    if (got < 0 && errno != EAGAIN)
        load_fail("floor: %s", strerror(errno));
    return got > 0 ? (size_t) got : 0;
}

size_t wire_write(struct wire *wire, const void *data, size_t len)
{
    ssize_t sent;

    if (wire->ssl) {
        int written = SSL_write(wire->ssl, data, (int) len);

        return written > 0 ? (size_t) written : not_now(wire, written);
    }
    sent = send(wire->fd, data, len, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        load_fail("floor: %s", strerror(errno));
    return sent > 0 ? (size_t) sent : 0;
}

bool wire_holds_more(const struct wire *wire)
{
    return wire->ssl && SSL_has_pending(wire->ssl);
}
