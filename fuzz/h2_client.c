/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP/2 connection of ours, with requests on it, is sent any bytes. The first four say what the client does meanwhile:
 *
 *   how many requests, with a body or without, cancelled at the head or refusing what comes
 *   in pieces of how many bytes, with a turn of the loop between them
 *   how much time passes afterwards
 *   whether the peer has greeted, as one that means well does
 *
 * Whatever comes, each request ends at most once, and nothing is left behind. */
#include "fuzz.h"

#include "support/h2_peer.h"

enum { REQUESTS = 4, CONTROL = 4, TURNS = 3, MOST_PIECES = 64 };

static struct h2_peer *connect_pair(void)
{
    struct h2_peer *peer = calloc(1, sizeof *peer);
    struct addr addr = { 0 };
    struct fault fault;
    int fds[2];

    mesh_test_clock_start(1000 * US_PER_S);
    peer->loop = test_loop_new();
    peer->preface_left = H2_PREFACE;
    peer->conf = (struct http_conn_conf){ .cluster = "users", .idle_us = 60 * US_PER_S, .silence_us = US_PER_S };
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0 ||
        !addr_parse(&addr, "127.0.0.1", 9, 80))
        abort();
    peer->fd = fds[1];
    loop_enter(peer->loop);
    if (http_conn_h2(peer->loop, &peer->conf, net_stream_new(fds[0], &addr), &h2_peer_ops, peer, &peer->conn, &fault))
        abort();
    loop_leave(peer->loop);
    return peer;
}

static void open_requests(struct h2_peer *peer, struct h2_exchange requests[REQUESTS], uint8_t how)
{
    for (size_t i = 0; i < 1 + how % REQUESTS; i++) {
        struct h2_exchange *x = &requests[i];

        x->stream.hold = how & 4;
        if (how & 8) {
            x->body = "";
            x->body_left = 100000;
        }
        x->cancels_on_head = (how & 16) && i == 0;
        x->refuses = how & 32 ? MESH_ERR_TOO_LARGE : 0;
        x->closes_on_data = (how & 64) && i == 1;
        if (h2_exchange_try(peer, x))
            memset(x, 0, sizeof *x);
    }
}

static void send_pieces(struct h2_peer *peer, const uint8_t *bytes, size_t len, size_t piece)
{
    piece += len / MOST_PIECES;
    while (len > 0 && !peer->n_closed) {
        size_t n = piece < len ? piece : len;

        h2_peer_send(peer, bytes, n);
        h2_peer_turn(peer);
        h2_peer_forget_frames(peer);
        bytes += n;
        len -= n;
    }
}

static void end(struct h2_peer *peer, struct h2_exchange requests[REQUESTS])
{
    for (size_t i = 0; i < REQUESTS; i++) {
        if (requests[i].n_ends > 1)
            abort();
        if (requests[i].stream.conn)
            h2_exchange_cancel(peer, &requests[i]);
    }
    h2_peer_free(peer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct h2_exchange requests[REQUESTS];
    struct h2_peer *peer;

    if (size < CONTROL)
        return 0;
    memset(requests, 0, sizeof requests);
    peer = connect_pair();
    if (data[3] & 1)
        h2_peer_settings(peer, 0, 0);
    h2_peer_turn(peer);
    open_requests(peer, requests, data[0]);
    h2_peer_turn(peer);
    send_pieces(peer, data + CONTROL, size - CONTROL, data[1] ? data[1] * (size_t) 16 : 7);
    for (int i = 0; i < TURNS; i++)
        h2_peer_pass_ms(peer, data[2] * UINT64_C(50));
    end(peer, requests);
    return 0;
}
