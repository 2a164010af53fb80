/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes in and out of one connected socket. Plain streams are send() and recv() and nothing else. */
#include "net/stream.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/socket.h"

/* ---- life ---- */

struct net_stream *net_stream_new(int fd, const struct addr *peer)
{
    struct net_stream *stream = mem_zalloc(sizeof *stream);

    if (!stream)
        return NULL;
    stream->fd = fd;
    stream->read_needs = EPOLLIN;
    stream->write_needs = EPOLLOUT;
    stream->peer = *peer;
    if (peer->family != ADDR_UNIX)
        return stream;
    stream->peer_path = mem_strdup(peer->path);
    stream->peer.path = stream->peer_path;
    if (stream->peer_path)
        return stream;
    mem_free(stream);
    return NULL;
}

void net_stream_close(struct net_stream *stream)
{
    if (!stream)
        return;
    close(stream->fd);
    SSL_free(stream->ssl); /* sends nothing */
    net_tls_unref(stream->tls);
    mem_free(stream->server_name);
    mem_free(stream->peer_path);
    mem_free(stream);
}

void net_stream_shutdown(struct net_stream *stream)
{
    if (stream->ssl && !stream->is_broken && SSL_is_init_finished(stream->ssl)) {
        tls_errors_clear();
        SSL_shutdown(stream->ssl); /* once: the peer's own close-notify is for reading to find */
        tls_errors_clear();
    }
    shutdown(stream->fd, SHUT_WR);
}

/* ---- plain ---- */

static ssize_t fail(struct net_stream *stream, int error)
{
    char peer[ADDR_TEXT], text[FAULT_TEXT];

    fault_set(&stream->fault, MESH_ERR_RESET, "connection to %s: %s", addr_format(&stream->peer, peer),
              net_socket_error_text(error, text));
    return NET_FAILED;
}

static ssize_t plain_read(struct net_stream *stream, void *buf, size_t cap)
{
    ssize_t n;

    do
        n = recv(stream->fd, buf, cap, 0);
    while (n < 0 && errno == EINTR);
    if (n >= 0)
        return n;
    return errno == EAGAIN ? NET_AGAIN : fail(stream, errno);
}

static ssize_t plain_write(struct net_stream *stream, const void *bytes, size_t len)
{
    ssize_t n;

    do
        n = send(stream->fd, bytes, len, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n >= 0)
        return n;
    return errno == EAGAIN ? NET_AGAIN : fail(stream, errno);
}

/* ---- TLS ---- */

/* What a call that gave no bytes means; `needs` gets what it waits for. A send() that failed leaves the other direction
 * alone: what the peer said last (a GOAWAY) is still worth reading. */
static ssize_t tls_without_bytes(struct net_stream *stream, uint32_t *needs)
{
    int why = SSL_get_error(stream->ssl, 0);

    switch (why) {
    case SSL_ERROR_WANT_READ:
        *needs = EPOLLIN;
        return NET_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        *needs = EPOLLOUT;
        return NET_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        stream->is_broken = why == SSL_ERROR_SSL;
        tls_fault_transfer(stream, why);
        return NET_FAILED;
    }
}

static ssize_t tls_read(struct net_stream *stream, void *buf, size_t cap)
{
    ssize_t result;
    size_t n;

    if (stream->is_broken)
        return NET_FAILED;
    tls_errors_clear();
    if (SSL_read_ex(stream->ssl, buf, cap, &n) == 1) {
        stream->is_dry = false;
        stream->read_needs = EPOLLIN;
        return (ssize_t) n;
    }
    stream->is_dry = true;
    result = tls_without_bytes(stream, &stream->read_needs);
    stream->is_broken |= result == NET_FAILED;
    return result;
}

static ssize_t tls_write(struct net_stream *stream, const void *bytes, size_t len)
{
    ssize_t result;
    size_t n;

    if (stream->is_broken)
        return NET_FAILED;
    tls_errors_clear();
    if (SSL_write_ex(stream->ssl, bytes, len, &n) == 1) {
        stream->write_needs = EPOLLOUT;
        return (ssize_t) n;
    }
    result = tls_without_bytes(stream, &stream->write_needs);
    return result == 0 ? NET_AGAIN : result;
}

/* ---- either ---- */

ssize_t net_stream_read(struct net_stream *stream, void *buf, size_t cap)
{
    return stream->ssl ? tls_read(stream, buf, cap) : plain_read(stream, buf, cap);
}

ssize_t net_stream_write(struct net_stream *stream, const void *bytes, size_t len)
{
    return stream->ssl ? tls_write(stream, bytes, len) : plain_write(stream, bytes, len);
}

uint32_t net_stream_wants(const struct net_stream *stream, bool has_output)
{
    return stream->read_needs | (has_output ? stream->write_needs : 0);
}

bool net_stream_pending(const struct net_stream *stream)
{
    return stream->ssl && !stream->is_dry && SSL_has_pending(stream->ssl);
}

int net_stream_fd(const struct net_stream *stream)
{
    return stream->fd;
}

const struct fault *net_stream_fault(const struct net_stream *stream)
{
    return &stream->fault;
}

const char *net_stream_alpn(const struct net_stream *stream)
{
    return stream->alpn;
}

bool net_stream_is_tls(const struct net_stream *stream)
{
    return stream->ssl != NULL;
}

bool net_stream_resumed(const struct net_stream *stream)
{
    return stream->ssl && SSL_session_reused(stream->ssl);
}

const struct addr *net_stream_peer(const struct net_stream *stream)
{
    return &stream->peer;
}
