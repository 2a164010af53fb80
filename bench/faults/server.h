/* SPDX-License-Identifier: Apache-2.0 */
/* The server of the fault rigs: one process, one endpoint, HTTP/2 without TLS, plain requests and unary gRPC alike.
 *
 * A request waits in one queue for one of `slots` workers, is worked on for a while, may be delayed after that, and is answered.
 * What it does can be changed while it runs (control.c); what came of every request is written down (ledger.c) before any
 * answer leaves, so that it is known even of a server that is killed. */
#ifndef FAULTS_SERVER_H
#define FAULTS_SERVER_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/queue.h>

/* What the control commands set; the commands have the names of the fields. */
struct settings {
    uint64_t slots;             /* workers */
    uint64_t service_us;        /* how long one works on a request */
    uint64_t exponential;       /* 1: that is the mean of an exponential distribution */
    uint64_t slow_percent;      /* of service_us; 100: as it is */
    uint64_t delay_us;          /* after the work, without a worker */
    uint64_t fail_permille;     /* are answered 503 (gRPC: UNAVAILABLE) at once, not executed */
    uint64_t queue_max;         /* more that wait are answered in the same way; 0: any number may wait */
    uint64_t refuse;            /* 1: RST_STREAM(REFUSED_STREAM) for every request */
    uint64_t mute;              /* 1: reads and works, but not a byte leaves */
    uint64_t execute_abandoned; /* 1: work of clients that have left is done all the same; 0: it is dropped */
    uint64_t listen;            /* 0: nobody listens, and every connection is reset */
};

enum request_state { ARRIVING, WAITING, WORKING, DELAYED };

struct request {
    TAILQ_ENTRY(request) in_queue;
    LIST_ENTRY(request) of_conn;
    struct conn *conn; /* NULL: its client has left */
    int32_t stream;
    enum request_state state;
    uint64_t due_us; /* WORKING, DELAYED */
    size_t heap_at;  /* WORKING, DELAYED */
    bool is_grpc;
    char id[24];     /* x-request-id */
    char attempt[8]; /* as the client numbers it; "-": not at all */
    char method[8];
};

struct work {
    TAILQ_HEAD(, request) queue;
    size_t n_waiting, n_working;
    struct request **heap; /* WORKING and DELAYED, by due_us */
    size_t heap_len, heap_cap;
    uint64_t dice;
};

struct conn {
    LIST_ENTRY(conn) of_server;
    LIST_HEAD(, request) requests;
    struct server *server;
    nghttp2_session *session;
    const uint8_t *out; /* what nghttp2 gave and the socket did not take yet */
    size_t out_len;
    int fd;
    uint32_t number;
    uint32_t events; /* epoll's */
    bool is_dead;
    bool is_shut; /* everything is said, the client has not closed yet */
};

struct server {
    struct settings settings;
    struct work work;
    LIST_HEAD(, conn) conns;
    FILE *ledger;
    char name[32]; /* "127.0.0.1:9001" */
    uint16_t port;
    int epoll, listener, timer, signals;
    uint32_t n_accepted;
    uint64_t drained_by_us; /* 0: not draining */
    bool is_over;
};

uint64_t now_us(void);
/* Says why on stderr and ends the process. */
__attribute__((noreturn)) void give_up(const char *what);

/* ---- server.c ---- */
void server_listen(struct server *server);
void server_stop_listening(struct server *server);
void server_reset_connections(struct server *server);

/* ---- conn.c ---- */
void conn_accept_all(struct server *server);
/* Something happened to its socket. */
void conn_serve(struct conn *conn, uint32_t events);
/* Writes what can be written, closes what is over; of all connections. */
void conn_flush_all(struct server *server);
void conn_free(struct conn *conn);

/* ---- session.c ---- */
nghttp2_session *session_new(struct conn *conn);
void session_answer(struct request *request, bool ok);
void session_refuse(struct request *request);

/* ---- work.c ---- */
void work_init(struct work *work, uint64_t seed);
/* No connection has any of it any more. */
void work_free(struct work *work);
/* The whole request is here. */
void work_arrived(struct server *server, struct request *request);
/* Its client has left; frees it now or later. */
void work_abandoned(struct server *server, struct request *request);
/* Does what is due; returns when to come again, 0: when something arrives. */
uint64_t work_run(struct server *server, uint64_t now);

/* ---- control.c ---- */
/* Reads commands from stdin; false at its end. */
bool control_read(struct server *server);
void control_set(struct server *server, const char *name, const char *value);

/* ---- ledger.c ---- */
/* One event: 'a'rrived, e'x'ecuted, 'd'ropped, 'f'ailed on purpose, 'r'efused. */
void ledger_note(struct server *server, char event, const struct request *request);
void ledger_note_conn(struct server *server, const struct conn *conn);

#endif
