/* SPDX-License-Identifier: Apache-2.0 */
/* A dial from the inside, for the race (dial.c) and for the sentences about its failures (dial_fault.c). */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include "net/net.h"
#include "net/stream.h"

enum attempt_state { ATTEMPT_CLOSED = 0, ATTEMPT_PENDING, ATTEMPT_FAILED };

struct dial_attempt {
    struct net_dial *dial;
    struct loop_io io;
    struct addr addr;
    char *path; /* of a unix socket, for addr.path */
    enum attempt_state state;
    int error; /* errno of ATTEMPT_FAILED */
};

enum dial_state { DIAL_RACING = 0, DIAL_SECURING, DIAL_ENDED };

struct net_dial {
    struct loop *loop;
    net_dialled_fn on_done;
    void *user;
    enum dial_state state;
    uint64_t timeout_us;
    struct loop_timer deadline, next_due;
    struct loop_later told;
    struct net_tls *tls;
    char *server_name, *alpn;
    struct net_stream *stream; /* of the attempt that won */
    struct loop_io stream_io;
    struct fault fault;
    size_t n_attempts, n_attempts_wanted, n_begun;
    struct dial_attempt attempts[]; /* in order of preference */
};

/* Each sets dial->fault. */
void dial_fault_connect(struct net_dial *dial);
void dial_fault_handshake_time(struct net_dial *dial);

#endif
