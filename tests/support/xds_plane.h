/* SPDX-License-Identifier: Apache-2.0 */
/* A control plane in the test's own thread: it accepts, collects the messages of each stream, and answers what the test says. It does
 * something when its turn comes, so a virtual clock may stand still meanwhile. */
#ifndef SUPPORT_XDS_PLANE_H
#define SUPPORT_XDS_PLANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

struct plane;

enum { PLANE_TEXT = 128, PLANE_STREAMS = 256 };

/* One call of gRPC, from its head on. It is kept after its end. */
struct plane_stream {
    struct plane *plane;
    void *conn; /* NULL: it has ended */
    int32_t id;
    char path[PLANE_TEXT], authority[PLANE_TEXT], scheme[PLANE_TEXT], user_agent[PLANE_TEXT];
    unsigned n_messages;
    char last[PLANE_TEXT]; /* of the last message, its beginning */
    size_t last_len, received;
    bool was_reset; /* by the client */

    uint8_t *in, *out;
    size_t in_len, out_len;
    bool answered, ends;
    char status[8], message[PLANE_TEXT];
};

struct plane_conf {
    const char *unix_path; /* listens there instead of on 127.0.0.1 */
    SSL_CTX *tls;          /* borrowed; NULL: plain */
    uint32_t max_streams;  /* of a connection; 0: any number */
    bool deaf;             /* does not listen before plane_listen() */
    bool mute;             /* accepts, and sends not even SETTINGS */
    bool says_good_bye;    /* GOAWAY right behind its SETTINGS */
};

struct plane *plane_start(struct plane_conf conf);
void plane_stop(struct plane *plane); /* closes everything; NULL is fine */
uint16_t plane_port(const struct plane *plane);
/* Accepts, reads and writes what can be. */
void plane_turn(struct plane *plane);

/* Nobody listens any more; plane_listen() listens on the same port again. */
void plane_deafen(struct plane *plane);
void plane_listen(struct plane *plane);
void plane_set_mute(struct plane *plane, bool mute);
void plane_hang_up(struct plane *plane); /* all connections, without a word */
void plane_goaway(struct plane *plane, uint32_t code);

unsigned plane_accepted(const struct plane *plane);
unsigned plane_open(const struct plane *plane); /* connections now */
unsigned plane_pings(const struct plane *plane);
unsigned plane_streams(const struct plane *plane); /* so far */
/* The nth of them, from 0. */
struct plane_stream *plane_stream(struct plane *plane, unsigned nth);
/* The last one of them. */
struct plane_stream *plane_last(struct plane *plane);

void plane_send(struct plane_stream *stream, const void *bytes, size_t len);
void plane_end(struct plane_stream *stream, const char *status, const char *message);
void plane_reset(struct plane_stream *stream, uint32_t code);

#endif
