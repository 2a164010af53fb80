/* SPDX-License-Identifier: Apache-2.0 */
/* A test's call of gRPC, and the server at its other end as a script of frames: what the server sends for that call. */
#ifndef SUPPORT_GRPC_SCRIPT_H
#define SUPPORT_GRPC_SCRIPT_H

#include "support/grpc_exchange.h"
#include "support/h2_peer.h"

static struct h2_peer *peer;
static struct grpc_exchange x;

static inline void start_with(uint32_t window, struct grpc_call call)
{
    peer = h2_peer_ready(&(struct http_conn_conf){ .window = window });
    x = (struct grpc_exchange){ .asks = true };
    grpc_exchange_open(peer->loop, peer->conn, &x, call);
    h2_peer_take(peer, NGHTTP2_HEADERS, x.stream.http.id);
}

static inline void start(void)
{
    start_with(0, (struct grpc_call){ 0 });
}

static inline void stop(void)
{
    h2_peer_free(peer);
    peer = NULL;
}

static inline int32_t id(void)
{
    return x.stream.http.id;
}

static inline void ask(void)
{
    grpc_exchange_receive(peer->loop, &x);
}

static inline void head(void)
{
    h2_peer_headers(peer, id(), false, H2_PAIRS(":status", "200", "content-type", "application/grpc"));
}

static inline void data(const void *bytes, size_t len)
{
    h2_peer_frame(peer, NGHTTP2_DATA, 0, id(), bytes, len);
}
#define DATA(bytes) data(bytes, sizeof(bytes) - 1)

static inline void trailers(const char *status)
{
    h2_peer_headers(peer, id(), true, H2_PAIRS("grpc-status", status));
}

static inline void ends(enum grpc_code code, const char *message)
{
    H2_UNTIL(peer, x.n_statuses > 0);
    for (int i = 0; i < 3; i++)
        h2_peer_turn(peer);
    grpc_exchange_ended(&x, code, message);
}

static inline void turns(void)
{
    for (int i = 0; i < 10; i++)
        h2_peer_turn(peer);
}

#endif
