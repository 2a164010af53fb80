/* SPDX-License-Identifier: Apache-2.0 */
/* The naive client: what a careful programmer writes in an afternoon. One HTTP/2 connection an endpoint, round robin, up to
 * three tries each with a timeout of its own, the next one at once. No budget, no backoff, no memory of failures. */
#ifndef FAULTS_NAIVE_H
#define FAULTS_NAIVE_H

#include <nghttp2/nghttp2.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "faults/schedule.h"

enum { MOST_ENDPOINTS = 64 };

struct call {
    TAILQ_ENTRY(call) by_deadline; /* of its try: all tries have the same timeout, so the first is the next to end */
    LIST_ENTRY(call) of_peer;
    uint64_t number, deadline_us;
    struct peer *peer;
    int32_t stream;
    uint32_t tries;
    int status;
    char server[32]; /* x-server of the answer */
};

/* One endpoint, and the connection to it. */
struct peer {
    struct naive *naive;
    struct sockaddr_in address;
    int fd; /* -1: none */
    bool is_connecting, is_dead;
    nghttp2_session *session;
    const uint8_t *out;
    size_t out_len;
    LIST_HEAD(, call) calls;
};

struct naive {
    struct schedule schedule;
    struct peer peers[MOST_ENDPOINTS];
    uint32_t n_peers, cursor;
    uint64_t n_running;
    TAILQ_HEAD(, call) running; /* the next to time out first */
};

/* ---- naive_peer.c ---- */
void peer_init(struct naive *naive, const char *host_port);
/* Sends a try; false: not even a connection could be begun. */
bool peer_send(struct peer *peer, struct call *call);
/* Gives a try up; what comes of it is not heard. */
void peer_cancel(struct call *call);
/* Reads and writes; every call of a connection that ended is told. */
void peer_serve(struct peer *peer, short revents);
/* What poll() is to wait for. */
short peer_wants(const struct peer *peer);

/* ---- naive_client.c ---- */
/* The try has ended, well or not; the call belongs to no peer any more. */
void naive_ended(struct naive *naive, struct call *call, bool answered);

#endif
