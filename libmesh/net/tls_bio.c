/* SPDX-License-Identifier: Apache-2.0 */
/* The socket under OpenSSL. Its own socket BIO uses write(), which raises SIGPIPE; this one does not, and keeps errno for the
 * sentence about a failure. */
#include "net/tls.h"

#include <errno.h>
#include <sys/socket.h>

#include "net/stream.h"

static int on_write(BIO *bio, const char *bytes, int len)
{
    struct net_stream *stream = BIO_get_data(bio);
    ssize_t n = send(stream->fd, bytes, (size_t) len, MSG_NOSIGNAL);

    BIO_clear_retry_flags(bio);
    if (n >= 0)
        return (int) n;
    if (errno == EAGAIN || errno == EINTR)
        BIO_set_retry_write(bio);
    else
        stream->io_error = errno;
    return -1;
}

static int on_read(BIO *bio, char *buf, int cap)
{
    struct net_stream *stream = BIO_get_data(bio);
    ssize_t n = recv(stream->fd, buf, (size_t) cap, 0);

    BIO_clear_retry_flags(bio);
    if (n == 0)
        stream->at_end = true;
    if (n >= 0)
        return (int) n;
    if (errno == EAGAIN || errno == EINTR)
        BIO_set_retry_read(bio);
    else
        stream->io_error = errno;
    return -1;
}

/* The end must be told: without it OpenSSL could not say that the peer ended without close-notify. */
static long on_control(BIO *bio, int command, long number, void *pointer)
{
    struct net_stream *stream = BIO_get_data(bio);

    (void) number;
    (void) pointer;
    if (command == BIO_CTRL_FLUSH)
        return 1;
    if (command == BIO_CTRL_EOF)
        return stream->at_end;
    return 0;
}

BIO_METHOD *tls_bio_method_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "mesh socket");

    if (!method)
        return NULL;
    if (BIO_meth_set_write(method, on_write) && BIO_meth_set_read(method, on_read) &&
        BIO_meth_set_ctrl(method, on_control))
        return method;
    BIO_meth_free(method);
    return NULL;
}

BIO *tls_bio_new(const BIO_METHOD *method, struct net_stream *stream)
{
    BIO *bio = BIO_new(method);

    if (!bio)
        return NULL;
    BIO_set_data(bio, stream);
    BIO_set_init(bio, 1);
    return bio;
}
