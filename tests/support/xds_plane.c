/* SPDX-License-Identifier: Apache-2.0 */
/* The control plane of tests: a session of nghttp2 for each connection, sockets that are never waited for. */
#include "support/xds_plane.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <nghttp2/nghttp2.h>

enum { CONNS = 64, PIECE = 16384, FRAME_HEAD = 5 };

struct conn {
    struct plane *plane;
    int fd;
    SSL *ssl;
    nghttp2_session *session;
    uint8_t *out;
    size_t out_len;
    bool dead;
};

struct plane {
    struct plane_conf conf;
    int listener;
    uint16_t port;
    struct conn *conns[CONNS];
    size_t n_conns;
    struct plane_stream streams[PLANE_STREAMS];
    unsigned n_streams, n_accepted, n_pings;
};

static void need(bool is_so, const char *what)
{
    if (is_so)
        return;
    fprintf(stderr, "xds_plane: %s: %s\n", what, strerror(errno));
    abort();
}

static void append(uint8_t **bytes, size_t *len, const void *more, size_t n)
{
    *bytes = realloc(*bytes, *len + n + 1);
    need(*bytes != NULL, "memory");
    memcpy(*bytes + *len, more, n);
    *len += n;
}

static void drop(uint8_t *bytes, size_t *len, size_t n)
{
    memmove(bytes, bytes + n, *len - n);
    *len -= n;
}

/* ---- messages ---- */

static void note_message(struct plane_stream *stream, const uint8_t *bytes, size_t len)
{
    size_t kept = len < PLANE_TEXT - 1 ? len : PLANE_TEXT - 1;

    stream->n_messages++;
    memcpy(stream->last, bytes, kept);
    stream->last[kept] = '\0';
    stream->last_len = len;
}

static void take_messages(struct plane_stream *stream)
{
    while (stream->in_len >= FRAME_HEAD) {
        const uint8_t *b = stream->in;
        size_t len = (size_t) b[1] << 24 | (size_t) b[2] << 16 | (size_t) b[3] << 8 | b[4];

        if (stream->in_len < FRAME_HEAD + len)
            return;
        note_message(stream, b + FRAME_HEAD, len);
        drop(stream->in, &stream->in_len, FRAME_HEAD + len);
    }
}

static ssize_t read_out(nghttp2_session *session, int32_t id, uint8_t *buf, size_t cap, uint32_t *flags,
                        nghttp2_data_source *source, void *user)
{
    struct plane_stream *stream = source->ptr;
    size_t n = stream->out_len < cap ? stream->out_len : cap;
    nghttp2_nv trailers[] = {
        { (uint8_t *) "grpc-status", (uint8_t *) stream->status, 11, strlen(stream->status), NGHTTP2_NV_FLAG_NONE },
        { (uint8_t *) "grpc-message", (uint8_t *) stream->message, 12, strlen(stream->message), NGHTTP2_NV_FLAG_NONE },
    };

    (void) user;
    if (n > 0) {
        memcpy(buf, stream->out, n);
        drop(stream->out, &stream->out_len, n);
    }
    if (stream->out_len == 0 && stream->ends) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        nghttp2_submit_trailer(session, id, trailers, 2);
        return (ssize_t) n;
    }
    return n > 0 ? (ssize_t) n : NGHTTP2_ERR_DEFERRED;
}

static void answer(struct plane_stream *stream)
{
    struct conn *conn = stream->conn;
    nghttp2_data_provider provider = { .source.ptr = stream, .read_callback = read_out };
    nghttp2_nv head[] = {
        { (uint8_t *) ":status", (uint8_t *) "200", 7, 3, NGHTTP2_NV_FLAG_NONE },
        { (uint8_t *) "content-type", (uint8_t *) "application/grpc", 12, 16, NGHTTP2_NV_FLAG_NONE },
    };

    if (!conn)
        return;
    if (!stream->answered)
        nghttp2_submit_response(conn->session, stream->id, head, 2, &provider);
    else
        nghttp2_session_resume_data(conn->session, stream->id);
    stream->answered = true;
}

void plane_send(struct plane_stream *stream, const void *bytes, size_t len)
{
    const uint8_t head[FRAME_HEAD] = { 0, (uint8_t) (len >> 24), (uint8_t) (len >> 16), (uint8_t) (len >> 8),
                                       (uint8_t) len };

    append(&stream->out, &stream->out_len, head, sizeof head);
    append(&stream->out, &stream->out_len, bytes, len);
    answer(stream);
}

void plane_end(struct plane_stream *stream, const char *status, const char *message)
{
    snprintf(stream->status, sizeof stream->status, "%s", status);
    snprintf(stream->message, sizeof stream->message, "%s", message);
    stream->ends = true;
    answer(stream);
}

void plane_reset(struct plane_stream *stream, uint32_t code)
{
    struct conn *conn = stream->conn;

    if (conn)
        nghttp2_submit_rst_stream(conn->session, NGHTTP2_FLAG_NONE, stream->id, code);
}

/* ---- what nghttp2 tells ---- */

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct conn *conn = user;
    struct plane *plane = conn->plane;
    struct plane_stream *stream = &plane->streams[plane->n_streams];

    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    need(plane->n_streams++ < PLANE_STREAMS, "too many streams");
    stream->plane = plane;
    stream->conn = conn;
    stream->id = frame->hd.stream_id;
    nghttp2_session_set_stream_user_data(session, stream->id, stream);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
    struct plane_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    const struct {
        const char *name;
        char *to;
    } kept[] = { { ":path", stream->path },
                 { ":authority", stream->authority },
                 { ":scheme", stream->scheme },
                 { "user-agent", stream->user_agent } };

    (void) flags, (void) user;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (strlen(kept[i].name) == name_len && memcmp(kept[i].name, name, name_len) == 0)
            snprintf(kept[i].to, PLANE_TEXT, "%.*s", (int) value_len, (const char *) value);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t len, void *user)
{
    struct plane_stream *stream = nghttp2_session_get_stream_user_data(session, id);

    (void) flags, (void) user;
    if (!stream)
        return 0;
    stream->received += len;
    append(&stream->in, &stream->in_len, bytes, len);
    take_messages(stream);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct conn *conn = user;

    (void) session;
    if (frame->hd.type == NGHTTP2_PING && !(frame->hd.flags & NGHTTP2_FLAG_ACK))
        conn->plane->n_pings++;
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct plane_stream *stream = nghttp2_session_get_stream_user_data(session, id);

    (void) user;
    if (!stream)
        return 0;
    stream->conn = NULL;
    stream->was_reset = code == NGHTTP2_CANCEL;
    return 0;
}

static nghttp2_session *new_session(struct conn *conn)
{
    const struct plane_conf *conf = &conn->plane->conf;
    const nghttp2_settings_entry most = { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, conf->max_streams };
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *session;

    need(nghttp2_session_callbacks_new(&callbacks) == 0, "memory");
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    need(nghttp2_session_server_new(&session, callbacks, conn) == 0, "memory");
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, &most, conf->max_streams > 0);
    if (conf->says_good_bye)
        nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, NULL, 0);
    return session;
}

/* ---- connections ---- */

static ssize_t receive(struct conn *conn, uint8_t *bytes, size_t cap)
{
    ssize_t n;

    if (!conn->ssl)
        return recv(conn->fd, bytes, cap, 0);
    n = SSL_read(conn->ssl, bytes, (int) cap);
    if (n <= 0)
        errno = SSL_get_error(conn->ssl, (int) n) == SSL_ERROR_WANT_READ ? EAGAIN : EPIPE;
    return n > 0 || errno == EAGAIN ? n : -1;
}

static ssize_t transmit(struct conn *conn, const uint8_t *bytes, size_t len)
{
    ssize_t n;

    if (!conn->ssl)
        return send(conn->fd, bytes, len, MSG_NOSIGNAL);
    n = SSL_write(conn->ssl, bytes, (int) len);
    if (n > 0)
        return n;
    switch (SSL_get_error(conn->ssl, (int) n)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        break;
    default:
        errno = EPIPE;
    }
    return -1;
}

static void read_all(struct conn *conn)
{
    uint8_t bytes[PIECE];
    ssize_t n = -1;

    while (!conn->dead && (n = receive(conn, bytes, sizeof bytes)) > 0)
        if (!conn->plane->conf.mute && nghttp2_session_mem_recv(conn->session, bytes, (size_t) n) < 0)
            conn->dead = true;
    if (!conn->dead)
        conn->dead = n == 0 || errno != EAGAIN;
}

static void write_all(struct conn *conn)
{
    const uint8_t *bytes;
    ssize_t n;

    while (!conn->plane->conf.mute && (n = nghttp2_session_mem_send(conn->session, &bytes)) > 0)
        append(&conn->out, &conn->out_len, bytes, (size_t) n);
    while (!conn->dead && conn->out_len > 0 && (n = transmit(conn, conn->out, conn->out_len)) != 0) {
        if (n < 0) {
            conn->dead = errno != EAGAIN;
            return;
        }
        drop(conn->out, &conn->out_len, (size_t) n);
    }
}

static void close_conn(struct conn *conn)
{
    struct plane *plane = conn->plane;

    for (unsigned i = 0; i < plane->n_streams; i++)
        if (plane->streams[i].conn == conn)
            plane->streams[i].conn = NULL;
    nghttp2_session_del(conn->session);
    SSL_free(conn->ssl);
    close(conn->fd);
    free(conn->out);
    free(conn);
}

static void accept_all(struct plane *plane)
{
    int fd;

    while ((fd = accept4(plane->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct conn *conn = calloc(1, sizeof *conn);

        need(conn != NULL && plane->n_conns < CONNS, "too many connections");
        if (!plane->conf.unix_path)
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        conn->plane = plane;
        conn->fd = fd;
        conn->session = new_session(conn);
        if (plane->conf.tls) {
            conn->ssl = SSL_new(plane->conf.tls);
            SSL_set_fd(conn->ssl, fd);
            SSL_set_accept_state(conn->ssl);
            SSL_set_mode(conn->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        }
        plane->conns[plane->n_conns++] = conn;
        plane->n_accepted++;
    }
}

void plane_turn(struct plane *plane)
{
    size_t kept = 0;

    accept_all(plane);
    for (size_t i = 0; i < plane->n_conns; i++) {
        struct conn *conn = plane->conns[i];

        read_all(conn);
        write_all(conn);
        if (conn->dead)
            close_conn(conn);
        else
            plane->conns[kept++] = conn;
    }
    plane->n_conns = kept;
}

/* ---- the door ---- */

static void bind_tcp(struct plane *plane)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(plane->port) };
    socklen_t len = sizeof name;

    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    plane->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(plane->listener, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
    need(bind(plane->listener, (struct sockaddr *) &name, len) == 0, "bind");
    need(getsockname(plane->listener, (struct sockaddr *) &name, &len) == 0, "getsockname");
    plane->port = ntohs(name.sin_port);
}

static void bind_unix(struct plane *plane)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };

    snprintf(name.sun_path, sizeof name.sun_path, "%s", plane->conf.unix_path);
    plane->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    need(bind(plane->listener, (struct sockaddr *) &name, sizeof name) == 0, "bind");
}

static void bind_listener(struct plane *plane)
{
    if (plane->conf.unix_path)
        bind_unix(plane);
    else
        bind_tcp(plane);
}

static void close_listener(struct plane *plane)
{
    close(plane->listener);
    if (plane->conf.unix_path)
        unlink(plane->conf.unix_path);
}

void plane_listen(struct plane *plane)
{
    need(listen(plane->listener, 64) == 0, "listen");
}

/* The port stays bound, so that nobody else gets it. */
void plane_deafen(struct plane *plane)
{
    close_listener(plane);
    bind_listener(plane);
}

struct plane *plane_start(struct plane_conf conf)
{
    struct plane *plane = calloc(1, sizeof *plane);

    need(plane != NULL, "memory");
    plane->conf = conf;
    bind_listener(plane);
    if (!conf.deaf)
        plane_listen(plane);
    return plane;
}

void plane_hang_up(struct plane *plane)
{
    for (size_t i = 0; i < plane->n_conns; i++)
        close_conn(plane->conns[i]);
    plane->n_conns = 0;
}

void plane_stop(struct plane *plane)
{
    if (!plane)
        return;
    plane_hang_up(plane);
    close_listener(plane);
    for (unsigned i = 0; i < plane->n_streams; i++) {
        free(plane->streams[i].in);
        free(plane->streams[i].out);
    }
    free(plane);
}

void plane_set_mute(struct plane *plane, bool mute)
{
    plane->conf.mute = mute;
}

void plane_goaway(struct plane *plane, uint32_t code)
{
    for (size_t i = 0; i < plane->n_conns; i++) {
        nghttp2_session *session = plane->conns[i]->session;

        nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session), code, NULL,
                              0);
    }
}

uint16_t plane_port(const struct plane *plane)
{
    return plane->port;
}

unsigned plane_accepted(const struct plane *plane)
{
    return plane->n_accepted;
}

unsigned plane_open(const struct plane *plane)
{
    return (unsigned) plane->n_conns;
}

unsigned plane_pings(const struct plane *plane)
{
    return plane->n_pings;
}

unsigned plane_streams(const struct plane *plane)
{
    return plane->n_streams;
}

struct plane_stream *plane_stream(struct plane *plane, unsigned nth)
{
    need(nth < plane->n_streams, "no such stream");
    return &plane->streams[nth];
}

struct plane_stream *plane_last(struct plane *plane)
{
    return plane_stream(plane, plane->n_streams - 1);
}
