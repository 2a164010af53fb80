/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP/2 connection under test, and the server at its other end as a script: frames written by hand, frames received put
 * into a list. Both ends live in one thread on a virtual clock, so that nothing depends on how fast the machine is. */
#ifndef SUPPORT_H2_PEER_H
#define SUPPORT_H2_PEER_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/http.h"
#include "net/stream.h"
#include "test_loop.h"

enum { H2_FRAMES = 4096, H2_PREFACE = 24, H2_FRAME_HEAD = 9 };

struct h2_frame {
    uint8_t type, flags;
    int32_t id;
    size_t len;
    uint8_t *payload; /* of malloc() */
};

struct h2_peer {
    struct loop *loop;
    int fd;
    size_t preface_left;
    struct buf in;
    struct h2_frame frames[H2_FRAMES]; /* received and not taken yet */
    size_t n_frames;
    uint64_t bytes_received;
    bool has_ended; /* FIN or reset */
    bool deaf;      /* does not read */

    struct http_conn *conn; /* the client's end */
    struct http_conn_conf conf;
    unsigned n_room, n_draining, n_closed;
    struct fault draining_why, closed_why;
    bool free_when_closed;
};

/* ---- what the connection tells ---- */

static void h2_peer_on_room(struct http_conn *conn)
{
    ((struct h2_peer *) conn->owner)->n_room++;
}

static void h2_peer_on_draining(struct http_conn *conn, const struct fault *why)
{
    struct h2_peer *peer = conn->owner;

    peer->n_draining++;
    peer->draining_why = *why;
}

static void h2_peer_on_closed(struct http_conn *conn, const struct fault *why)
{
    struct h2_peer *peer = conn->owner;

    peer->n_closed++;
    peer->closed_why = *why;
    if (!peer->free_when_closed)
        return;
    peer->conn = NULL;
    http_conn_free(conn);
}

static const struct http_conn_ops h2_peer_ops = { h2_peer_on_room, h2_peer_on_draining, h2_peer_on_closed };

/* ---- life ---- */

static inline void h2_peer_pair(int fds[2], struct addr *addr)
{
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    struct addr any;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(addr_parse(&any, "127.0.0.1", 9, 0));
    len = addr_to_sockaddr(&any, &name);
    assert_int_equal(bind(listener, (struct sockaddr *) &name, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    len = sizeof name;
    assert_int_equal(getsockname(listener, (struct sockaddr *) &name, &len), 0);
    assert_true(addr_from_sockaddr(addr, (struct sockaddr *) &name));
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fds[0], (struct sockaddr *) &name, len), 0);
    fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(fds[1] >= 0);
    assert_int_equal(setsockopt(fds[1], IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)), 0);
    fcntl(fds[0], F_SETFL, fcntl(fds[0], F_GETFL) | O_NONBLOCK);
    close(listener);
}

static inline int32_t h2_peer_try_connect(struct h2_peer *peer)
{
    struct net_stream *stream;
    struct fault fault = { 0 };
    struct addr addr;
    int32_t err;
    int fds[2];

    peer->preface_left = H2_PREFACE;
    h2_peer_pair(fds, &addr);
    peer->fd = fds[1];
    stream = net_stream_new(fds[0], &addr);
    if (!stream) {
        close(fds[0]);
        return MESH_ERR_NOMEM;
    }
    loop_enter(peer->loop);
    err = http_conn_h2(peer->loop, &peer->conf, stream, &h2_peer_ops, peer, &peer->conn, &fault);
    loop_leave(peer->loop);
    return err;
}

static inline struct h2_peer *h2_peer_new(const struct http_conn_conf *conf)
{
    struct h2_peer *peer = calloc(1, sizeof *peer);

    mesh_test_clock_start(1000 * US_PER_S);
    peer->loop = test_loop_new();
    if (conf)
        peer->conf = *conf;
    peer->conf.cluster = "users";
    MESH_OK(h2_peer_try_connect(peer));
    return peer;
}

static inline void h2_peer_hang_up(struct h2_peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    peer->fd = -1;
}

static inline void h2_peer_free_conn(struct h2_peer *peer)
{
    loop_enter(peer->loop);
    http_conn_free(peer->conn);
    loop_leave(peer->loop);
    peer->conn = NULL;
}

static inline void h2_peer_forget_frames(struct h2_peer *peer)
{
    for (size_t i = 0; i < peer->n_frames; i++)
        free(peer->frames[i].payload);
    peer->n_frames = 0;
}

static inline void h2_peer_free(struct h2_peer *peer)
{
    h2_peer_free_conn(peer);
    h2_peer_hang_up(peer);
    loop_free(peer->loop);
    h2_peer_forget_frames(peer);
    buf_free(&peer->in);
    free(peer);
    clock_replace(NULL);
}

/* ---- frames in ---- */

static inline bool h2_peer_parse(struct h2_peer *peer)
{
    const uint8_t *b = buf_bytes(&peer->in);
    struct h2_frame *frame = &peer->frames[peer->n_frames];
    size_t len;

    if (peer->preface_left > 0) {
        len = buf_len(&peer->in) < peer->preface_left ? buf_len(&peer->in) : peer->preface_left;
        buf_consume(&peer->in, len);
        peer->preface_left -= len;
        return len > 0;
    }
    if (buf_len(&peer->in) < H2_FRAME_HEAD)
        return false;
    len = (size_t) b[0] << 16 | (size_t) b[1] << 8 | b[2];
    if (buf_len(&peer->in) < H2_FRAME_HEAD + len)
        return false;
    assert_true(peer->n_frames < H2_FRAMES);
    *frame = (struct h2_frame){ .type = b[3], .flags = b[4], .len = len };
    frame->id = (int32_t) ((uint32_t) b[5] << 24 | (uint32_t) b[6] << 16 | (uint32_t) b[7] << 8 | b[8]);
    frame->payload = malloc(len + 1);
    memcpy(frame->payload, b + H2_FRAME_HEAD, len);
    peer->n_frames++;
    buf_consume(&peer->in, H2_FRAME_HEAD + len);
    return true;
}

static inline void h2_peer_receive(struct h2_peer *peer)
{
    uint8_t bytes[65536];
    ssize_t n;

    while (peer->fd >= 0 && !peer->deaf && (n = recv(peer->fd, bytes, sizeof bytes, MSG_DONTWAIT)) != 0) {
        if (n < 0 && errno != EAGAIN)
            peer->has_ended = true;
        if (n < 0)
            break;
        peer->bytes_received += (uint64_t) n;
        assert_true(buf_append(&peer->in, bytes, (size_t) n));
    }
    if (peer->fd >= 0 && !peer->deaf && recv(peer->fd, bytes, 1, MSG_DONTWAIT | MSG_PEEK) == 0)
        peer->has_ended = true;
    while (h2_peer_parse(peer))
        ;
}

/* One turn of the client, then of the server. */
static inline void h2_peer_turn(struct h2_peer *peer)
{
    loop_turn(peer->loop);
    h2_peer_receive(peer);
}

/* Time passes; what is due happens. */
static inline void h2_peer_pass_ms(struct h2_peer *peer, uint64_t ms)
{
    h2_peer_turn(peer);
    mesh_test_clock_advance_ms(ms);
    for (int i = 0; i < 3; i++)
        h2_peer_turn(peer);
}

#define H2_UNTIL(peer, condition)                          \
    do {                                                   \
        for (int turns_ = 0; !(condition); turns_++) {     \
            if (turns_ > 20000)                            \
                fail_msg("does not come: %s", #condition); \
            h2_peer_turn(peer);                            \
            if (turns_ > 100)                              \
                poll(NULL, 0, 1);                          \
        }                                                  \
    } while (0)

static inline const struct h2_frame *h2_peer_find(struct h2_peer *peer, uint8_t type)
{
    for (size_t i = 0; i < peer->n_frames; i++)
        if (peer->frames[i].type == type)
            return &peer->frames[i];
    return NULL;
}

static inline size_t h2_peer_count(struct h2_peer *peer, uint8_t type)
{
    size_t n = 0;

    for (size_t i = 0; i < peer->n_frames; i++)
        n += peer->frames[i].type == type;
    return n;
}

static inline uint32_t h2_frame_u32(const struct h2_frame *frame, size_t at)
{
    const uint8_t *b = frame->payload + at;

    assert_true(frame->len >= at + 4);
    return (uint32_t) b[0] << 24 | (uint32_t) b[1] << 16 | (uint32_t) b[2] << 8 | b[3];
}

/* Waits for a frame of the type and takes it (its payload is not kept). Returns the error code of GOAWAY and RST_STREAM. */
static inline uint32_t h2_peer_take(struct h2_peer *peer, uint8_t type, int32_t id)
{
    uint32_t code = 0;
    size_t at = 0;

    H2_UNTIL(peer, h2_peer_find(peer, type) != NULL);
    while (peer->frames[at].type != type)
        at++;
    assert_int_equal(peer->frames[at].id, id);
    if (type == NGHTTP2_RST_STREAM)
        code = h2_frame_u32(&peer->frames[at], 0);
    if (type == NGHTTP2_GOAWAY)
        code = h2_frame_u32(&peer->frames[at], 4);
    free(peer->frames[at].payload);
    memmove(&peer->frames[at], &peer->frames[at + 1], (peer->n_frames - at - 1) * sizeof *peer->frames);
    peer->n_frames--;
    return code;
}

/* ---- frames out ---- */

/* Everything, unless the client has gone. The client's turn comes when the socket is full. */
static inline void h2_peer_send(struct h2_peer *peer, const void *bytes, size_t len)
{
    const uint8_t *next = bytes;

    while (len > 0 && peer->fd >= 0) {
        ssize_t n = send(peer->fd, next, len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno != EAGAIN)
            return;
        if (n > 0) {
            next += n;
            len -= (size_t) n;
            continue;
        }
        if (peer->n_closed)
            return;
        h2_peer_turn(peer);
    }
}

static inline void h2_peer_frame(struct h2_peer *peer, uint8_t type, uint8_t flags, int32_t id, const void *payload,
                                 size_t len)
{
    uint8_t head[H2_FRAME_HEAD] = {
        (uint8_t) (len >> 16),           (uint8_t) (len >> 8), (uint8_t) len,       type,        flags,
        (uint8_t) ((uint32_t) id >> 24), (uint8_t) (id >> 16), (uint8_t) (id >> 8), (uint8_t) id
    };

    h2_peer_send(peer, head, sizeof head);
    h2_peer_send(peer, payload, len);
}

/* One number in each 4 bytes of the payload. */
static inline void h2_peer_numbers(struct h2_peer *peer, uint8_t type, uint8_t flags, int32_t id, size_t n,
                                   const uint32_t *numbers)
{
    uint8_t payload[64];

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 4; k++)
            payload[4 * i + k] = (uint8_t) (numbers[i] >> (24 - 8 * k));
    h2_peer_frame(peer, type, flags, id, payload, 4 * n);
}

static inline void h2_peer_settings(struct h2_peer *peer, uint16_t setting, uint32_t value)
{
    uint8_t payload[6] = { (uint8_t) (setting >> 8), (uint8_t) setting,      (uint8_t) (value >> 24),
                           (uint8_t) (value >> 16),  (uint8_t) (value >> 8), (uint8_t) value };

    h2_peer_frame(peer, NGHTTP2_SETTINGS, 0, 0, payload, setting ? sizeof payload : 0);
}

static inline void h2_peer_reset(struct h2_peer *peer, int32_t id, uint32_t code)
{
    h2_peer_numbers(peer, NGHTTP2_RST_STREAM, 0, id, 1, &code);
}

static inline void h2_peer_goaway(struct h2_peer *peer, uint32_t last_id, uint32_t code)
{
    h2_peer_numbers(peer, NGHTTP2_GOAWAY, 0, 0, 2, (uint32_t[]){ last_id, code });
}

static inline void h2_peer_window(struct h2_peer *peer, int32_t id, uint32_t by)
{
    h2_peer_numbers(peer, NGHTTP2_WINDOW_UPDATE, 0, id, 1, &by);
}

static inline void h2_peer_data(struct h2_peer *peer, int32_t id, size_t len, bool end)
{
    static const uint8_t zeros[16384];

    h2_peer_frame(peer, NGHTTP2_DATA, end ? NGHTTP2_FLAG_END_STREAM : 0, id, zeros, len);
}

/* A header block as HPACK literals without indexing; names and values up to 126 bytes. */
struct h2_headers {
    size_t len;
    uint8_t bytes[16384];
};

static inline void h2_put_text(struct h2_headers *block, const char *text)
{
    size_t len = strlen(text);

    assert_true(len < 127 && block->len + 1 + len <= sizeof block->bytes);
    block->bytes[block->len++] = (uint8_t) len;
    memcpy(block->bytes + block->len, text, len);
    block->len += len;
}

static inline void h2_put_header(struct h2_headers *block, const char *name, const char *value)
{
    block->bytes[block->len++] = 0;
    h2_put_text(block, name);
    h2_put_text(block, value);
}

/* Name, value, name, value, ... NULL. */
static inline void h2_peer_headers(struct h2_peer *peer, int32_t id, bool end, const char *const *pairs)
{
    struct h2_headers block = { 0 };

    for (; pairs[0]; pairs += 2)
        h2_put_header(&block, pairs[0], pairs[1]);
    h2_peer_frame(peer, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | (end ? NGHTTP2_FLAG_END_STREAM : 0), id,
                  block.bytes, block.len);
}
#define H2_PAIRS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* The whole handshake: SETTINGS both ways. */
static inline void h2_peer_greet(struct h2_peer *peer, uint16_t setting, uint32_t value)
{
    h2_peer_settings(peer, setting, value);
    H2_UNTIL(peer, h2_peer_count(peer, NGHTTP2_SETTINGS) >= 2); /* theirs, and the acknowledgement of ours */
    h2_peer_frame(peer, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
    H2_UNTIL(peer, peer->n_room > 0);
    h2_peer_forget_frames(peer);
}

/* A connection that is ready for requests. */
static inline struct h2_peer *h2_peer_ready(const struct http_conn_conf *conf)
{
    struct h2_peer *peer = h2_peer_new(conf);

    h2_peer_greet(peer, 0, 0);
    return peer;
}

/* ---- a request, and what became of it ---- */

struct h2_exchange {
    struct http_stream stream;
    const char *body; /* to send; NULL: none */
    size_t body_left;
    bool waits;      /* read_body() gives nothing until this is false */
    bool endless;    /* read_body() never ends */
    int32_t refuses; /* what on_data() and on_header() return */
    bool cancels_on_head, closes_on_data;

    int status;
    bool head_was_end;
    char headers[2048], trailers[256]; /* "name=value;" */
    size_t received;
    unsigned n_ends;
    int32_t err;
    enum http_reach reach;
    bool wants_http1;
    char fault[FAULT_TEXT];
};

static ssize_t h2_exchange_read_body(struct http_stream *stream, uint8_t *buf, size_t cap, bool *eof)
{
    struct h2_exchange *x = CONTAINER_OF(stream, struct h2_exchange, stream);
    size_t n = x->body_left < cap ? x->body_left : cap;

    if (x->waits)
        return 0;
    if (x->endless) {
        memset(buf, 'x', cap);
        return (ssize_t) cap;
    }
    memset(buf, 'x', n);
    x->body_left -= n;
    *eof = x->body_left == 0;
    return (ssize_t) n;
}

static int32_t h2_exchange_on_header(struct http_stream *stream, const char *name, size_t name_len, const char *value,
                                     size_t value_len, bool is_trailer)
{
    struct h2_exchange *x = CONTAINER_OF(stream, struct h2_exchange, stream);
    char *into = is_trailer ? x->trailers : x->headers;
    size_t cap = is_trailer ? sizeof x->trailers : sizeof x->headers;
    size_t used = strlen(into);

    if (x->refuses)
        return x->refuses;
    snprintf(into + used, cap - used, "%.*s=%.*s;", (int) name_len, name, (int) value_len, value);
    return 0;
}

static void h2_exchange_on_head(struct http_stream *stream, int status, bool end)
{
    struct h2_exchange *x = CONTAINER_OF(stream, struct h2_exchange, stream);

    x->status = status;
    x->head_was_end = end;
    if (x->cancels_on_head)
        http_stream_cancel(stream);
}

static int32_t h2_exchange_on_data(struct http_stream *stream, const uint8_t *bytes, size_t len)
{
    struct h2_exchange *x = CONTAINER_OF(stream, struct h2_exchange, stream);

    (void) bytes;
    x->received += len;
    if (x->closes_on_data)
        http_conn_close(stream->conn, MESH_ERR_CLOSING, "the client is closing");
    return x->refuses;
}

static void h2_exchange_on_end(struct http_stream *stream, const struct http_result *result)
{
    struct h2_exchange *x = CONTAINER_OF(stream, struct h2_exchange, stream);

    x->n_ends++;
    x->err = result->err;
    x->reach = result->reach;
    x->wants_http1 = result->wants_http1;
    snprintf(x->fault, sizeof x->fault, "%s", result->err ? result->fault->text : "");
}

static const struct http_stream_ops h2_exchange_ops = { h2_exchange_read_body, h2_exchange_on_header,
                                                        h2_exchange_on_head, h2_exchange_on_data, h2_exchange_on_end };

static inline int32_t h2_exchange_try(struct h2_peer *peer, struct h2_exchange *x)
{
    const struct mesh_header headers[] = { { "X-Test", "yes" }, { "te", "trailers" } };
    struct http_request request = {
        .method = x->body || x->endless ? "POST" : "GET",
        .scheme = "http",
        .authority = "users:80",
        .path = "/v1",
        .headers = headers,
        .n_headers = 2,
        .has_body = x->body || x->endless,
        .body_len = x->endless || x->waits ? -1 : (int64_t) x->body_left,
    };
    int32_t err;

    x->stream.ops = &h2_exchange_ops;
    loop_enter(peer->loop);
    err = http_stream_open(peer->conn, &x->stream, &request);
    loop_leave(peer->loop);
    return err;
}

static inline void h2_exchange_start(struct h2_peer *peer, struct h2_exchange *x)
{
    MESH_OK(h2_exchange_try(peer, x));
}

/* The request has arrived. Returns its stream id. */
static inline int32_t h2_exchange_send(struct h2_peer *peer, struct h2_exchange *x)
{
    h2_exchange_start(peer, x);
    h2_peer_take(peer, NGHTTP2_HEADERS, x->stream.id);
    return x->stream.id;
}

static inline void h2_exchange_cancel(struct h2_peer *peer, struct h2_exchange *x)
{
    loop_enter(peer->loop);
    http_stream_cancel(&x->stream);
    loop_leave(peer->loop);
}

static inline void h2_exchange_ended(struct h2_peer *peer, struct h2_exchange *x, int32_t err, enum http_reach reach)
{
    H2_UNTIL(peer, x->n_ends > 0);
    if (x->err != err)
        print_error("ended with %s: %s\n", error_name(x->err), x->fault);
    assert_int_equal(x->err, err);
    assert_int_equal(x->reach, reach);
    assert_int_equal(x->n_ends, 1);
    assert_null(x->stream.conn);
}

/* It goes on working: an ordinary request and its answer. */
static inline void h2_peer_works(struct h2_peer *peer)
{
    struct h2_exchange x = { 0 };
    int32_t id = h2_exchange_send(peer, &x);

    h2_peer_headers(peer, id, true, H2_PAIRS(":status", "200"));
    h2_exchange_ended(peer, &x, 0, HTTP_MAYBE);
    assert_int_equal(x.status, 200);
}

#endif
