/* SPDX-License-Identifier: Apache-2.0 */
/* A stream from the inside, for the files that make one and for those that explain its failures. */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "net/net.h"
#include "net/tls.h"

struct net_stream {
    int fd;
    int io_error;                     /* TLS: errno of the last send() or recv() that failed */
    uint32_t read_needs, write_needs; /* what the last NET_AGAIN of each asked for */
    bool at_end;                      /* TLS: the peer's FIN has been read */
    bool is_dry;                      /* TLS: the last read got nothing, so what is buffered is no whole record */
    bool is_broken;                   /* TLS: OpenSSL must not be called any more */
    SSL *ssl;                         /* NULL: plain */
    struct net_tls *tls;
    char *server_name; /* TLS: what was verified; without a final dot */
    char alpn[16];
    struct addr peer;
    char *peer_path; /* of a unix socket, for peer.path */
    struct fault fault;
};

/* Takes a connected descriptor, on success only. NULL: out of memory. */
struct net_stream *net_stream_new(int fd, const struct addr *peer);

/* ---- TLS on a connected stream: net/handshake.c ---- */

/* MESH_ERR_NOMEM, MESH_ERR_TLS. The stream's fault tells more. */
int32_t net_stream_secure(struct net_stream *stream, struct net_tls *tls, const char *server_name, const char *alpn);
/* 0: the peer is trusted; NET_AGAIN: wait for net_stream_wants(); NET_FAILED. */
int net_stream_handshake(struct net_stream *stream);

#endif
