/* SPDX-License-Identifier: Apache-2.0 */
/* The connections of the naive client. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "faults/naive.h"

/* ---- what nghttp2 tells ---- */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
    struct call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    (void) name_len, (void) flags, (void) user;
    if (call && strcmp((const char *) name, ":status") == 0)
        call->status = (int) strtol((const char *) value, NULL, 10);
    if (call && strcmp((const char *) name, "x-server") == 0)
        snprintf(call->server, sizeof call->server, "%.*s", (int) value_len, (const char *) value);
    return 0;
}

static void release(struct call *call)
{
    LIST_REMOVE(call, of_peer);
    call->peer = NULL;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user)
{
    struct peer *peer = user;
    struct call *call = nghttp2_session_get_stream_user_data(session, stream);

    if (!call)
        return 0;
    release(call);
    naive_ended(peer->naive, call, code == 0 && call->status > 0);
    return 0;
}

static nghttp2_session *new_session(struct peer *peer)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *session;

    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return NULL;
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    if (nghttp2_session_client_new(&session, callbacks, peer) != 0)
        session = NULL;
    nghttp2_session_callbacks_del(callbacks);
    if (session)
        nghttp2_submit_settings(session, 0, NULL, 0);
    return session;
}

/* ---- the connection ---- */

void peer_init(struct naive *naive, const char *host_port)
{
    struct peer *peer = &naive->peers[naive->n_peers++];
    const char *colon = strrchr(host_port, ':');
    char host[64];

    snprintf(host, sizeof host, "%.*s", colon ? (int) (colon - host_port) : 0, host_port);
    peer->naive = naive;
    peer->fd = -1;
    peer->address.sin_family = AF_INET;
    peer->address.sin_port = htons((uint16_t) strtoul(colon ? colon + 1 : "", NULL, 10));
    if (inet_pton(AF_INET, host, &peer->address.sin_addr) != 1) {
        fprintf(stderr, "fault client: no endpoint \"%s\"\n", host_port);
        exit(2);
    }
}

static bool dial(struct peer *peer)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    peer->session = new_session(peer);
    peer->fd = fd;
    peer->is_connecting = true;
    peer->is_dead = false;
    peer->out_len = 0;
    LIST_INIT(&peer->calls);
    if (!peer->session || fd < 0)
        return false;
    return connect(fd, (struct sockaddr *) &peer->address, sizeof peer->address) == 0 || errno == EINPROGRESS;
}

/* The calls are taken off first: each may begin its next try here, on a new connection. */
static void hang_up(struct peer *peer)
{
    LIST_HEAD(, call) calls = LIST_HEAD_INITIALIZER(calls);
    struct call *call;

    while ((call = LIST_FIRST(&peer->calls))) {
        release(call);
        LIST_INSERT_HEAD(&calls, call, of_peer);
    }
    nghttp2_session_del(peer->session);
    if (peer->fd >= 0)
        close(peer->fd);
    peer->fd = -1;
    peer->session = NULL;
    while ((call = LIST_FIRST(&calls))) {
        LIST_REMOVE(call, of_peer);
        naive_ended(peer->naive, call, false);
    }
}

static void receive(struct peer *peer)
{
    uint8_t bytes[16384];
    ssize_t n;

    while ((n = recv(peer->fd, bytes, sizeof bytes, 0)) > 0)
        if (nghttp2_session_mem_recv(peer->session, bytes, (size_t) n) < 0)
            peer->is_dead = true;
    if (n == 0 || errno != EAGAIN)
        peer->is_dead = true;
}

static void transmit(struct peer *peer)
{
    while (!peer->is_dead) {
        ssize_t n;

        if (peer->out_len == 0) {
            n = nghttp2_session_mem_send(peer->session, &peer->out);
            if (n <= 0)
                return;
            peer->out_len = (size_t) n;
        }
        n = send(peer->fd, peer->out, peer->out_len, MSG_NOSIGNAL);
        if (n < 0) {
            peer->is_dead = errno != EAGAIN;
            return;
        }
        peer->out += n;
        peer->out_len -= (size_t) n;
    }
}

short peer_wants(const struct peer *peer)
{
    bool writes = peer->is_connecting || peer->out_len > 0 || nghttp2_session_want_write(peer->session);

    return (short) (POLLIN | (writes ? POLLOUT : 0));
}

void peer_serve(struct peer *peer, short revents)
{
    if (revents & (POLLIN | POLLHUP | POLLERR))
        receive(peer);
    if (revents & POLLOUT)
        peer->is_connecting = false;
    if (!peer->is_connecting)
        transmit(peer);
    if (peer->is_dead || (!nghttp2_session_want_read(peer->session) && !nghttp2_session_want_write(peer->session)))
        hang_up(peer);
}

/* ---- tries ---- */

static nghttp2_nv pair(const char *name, const char *value)
{
    return (nghttp2_nv){ (uint8_t *) (uintptr_t) name, (uint8_t *) (uintptr_t) value, strlen(name), strlen(value),
                         NGHTTP2_NV_FLAG_NONE };
}

static int32_t submit(struct peer *peer, struct call *call)
{
    const struct schedule *schedule = &peer->naive->schedule;
    nghttp2_nv head[8];
    char id[24], attempt[12];
    size_t n = 0;

    snprintf(id, sizeof id, "%llu", (unsigned long long) call->number);
    snprintf(attempt, sizeof attempt, "%u", call->tries);
    head[n++] = pair(":method", schedule->method);
    head[n++] = pair(":scheme", "http");
    head[n++] = pair(":authority", "users");
    head[n++] = pair(":path", "/bench.Echo/Say");
    head[n++] = pair("x-request-id", id);
    if (schedule->marked)
        head[n++] = pair("x-envoy-attempt-count", schedule->marked);
    else if (schedule->attempts != 1)
        head[n++] = pair("x-naive-attempt", attempt);
    return nghttp2_submit_request(peer->session, NULL, head, n, NULL, call);
}

bool peer_send(struct peer *peer, struct call *call)
{
    if (peer->fd < 0 && !dial(peer)) {
        hang_up(peer);
        return false;
    }
    call->status = 0;
    call->stream = submit(peer, call);
    if (call->stream < 0)
        return false;
    call->peer = peer;
    LIST_INSERT_HEAD(&peer->calls, call, of_peer);
    return true;
}

void peer_cancel(struct call *call)
{
    struct peer *peer = call->peer;

    if (!peer)
        return;
    nghttp2_session_set_stream_user_data(peer->session, call->stream, NULL);
    nghttp2_submit_rst_stream(peer->session, 0, call->stream, NGHTTP2_CANCEL);
    release(call);
}
