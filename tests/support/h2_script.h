/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the scripted HTTP/2 server share. */
#ifndef SUPPORT_H2_SCRIPT_H
#define SUPPORT_H2_SCRIPT_H

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/h2_server.h"

enum { MOST_CONNS = 2048, MOST_IDS = 1024, ID_TEXT = 48, PIECE = 16384 };

struct stream {
    struct stream *next;
    struct conn *conn;
    int32_t id;
    char path[160], request_id[ID_TEXT], attempt[16], behaviour[32], head[1024];
    uint64_t due_ms; /* 0: not waiting */
    bool answered, body_ended, executed;
    uint64_t received, sum;
    uint64_t given, to_give; /* generated answer */
    bool generates, with_sum, with_trailer, endless;
    uint8_t *held; /* echo: received and not sent back yet */
    size_t held_start, held_len, held_cap;
};

struct conn {
    struct h2_server *server;
    int fd;
    nghttp2_session *session;
    struct stream *streams;
    uint8_t *out;
    size_t out_start, out_len, out_cap;
    uint64_t sent, next_drip_ms;
    bool dead;
};

struct h2_server {
    struct h2_server_conf conf;
    char name[32], path[108];
    uint16_t port;
    int listener, wake;
    pthread_t thread;
    struct conn *conns[MOST_CONNS];
    size_t n_conns;

    pthread_mutex_t lock; /* what follows */
    bool stop;
    unsigned seen, accepted, open, n_streams, health;
    struct {
        char id[ID_TEXT];
        struct h2_record record;
    } ids[MOST_IDS];
    size_t n_ids;
};

/* The server is no test: what goes wrong in it ends the program. */
static inline void need(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "h2_server: %s: %s\n", what, strerror(errno));
    abort();
}

static inline uint64_t h2_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

/* h2_script.c */

/* A new session of a connection that is being served, with all that the server does in it. */
void h2_script_open(struct conn *conn);
/* Does what streams were waiting to do until now. */
void h2_script_run_due(struct conn *conn, uint64_t now);
void h2_script_free_stream(struct conn *conn, struct stream *stream);
struct h2_record *h2_script_record(struct h2_server *server, const char *id);

#endif
