/* SPDX-License-Identifier: Apache-2.0 */
/* When a connection counts as silent, and what to do about it. Pure: time is an argument.
 *
 *   heard ──(work in flight, nothing heard for limit_us)──→ PING sent ──(nothing for limit_us again)──→ close
 *     ↑                                                        │
 *     └──────────────────────── any byte ──────────────────────┘
 *
 * gRPC servers close a connection at the third PING between two of their HEADERS or DATA frames that comes within five minutes of
 * the one before, so after two there is no PING until the peer has sent one, unless they are so rare anyway. Then only a request that was opened since the last byte makes the connection silent,
 * and only the kernel (bytes that the peer's host never acknowledged) makes it close: a long-lived idle stream does neither. */
#ifndef HTTP_H2_SILENCE_H
#define HTTP_H2_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

enum { H2_SILENCE_PINGS = 2 };
/* PINGs that are at least so far apart no gRPC server minds. */
#define H2_SILENCE_HARMLESS_US UINT64_C(300000000)

enum h2_silence_step {
    H2_SILENCE_REST,       /* nothing in flight, or no limit: no timer */
    H2_SILENCE_WAIT,       /* look again at *next_us */
    H2_SILENCE_PING,       /* read what has come; if there is nothing, send a PING and say h2_silence_pinged() */
    H2_SILENCE_ASK_KERNEL, /* the same without PING: close if the peer's host is gone; look again at *next_us */
    H2_SILENCE_CLOSE,      /* read what has come; if there is nothing, close */
};

struct h2_silence {
    uint64_t limit_us;  /* 0: never silent */
    uint64_t answer_us; /* for the answer to a PING; 0: limit_us */
    uint64_t since_us;  /* last byte, or the moment when work began after none was in flight */
    uint64_t asked_us;  /* first request opened since the last byte; 0: none */
    uint64_t pinged_us; /* when the PING was sent that nothing has answered yet; 0: none */
    uint64_t useful;    /* HEADERS and DATA frames of the peer, when PINGs were last counted from 0 */
    uint8_t pings;
};

/* A request is opened; `first`: none was in flight. */
void h2_silence_asked(struct h2_silence *silence, uint64_t now_us, bool first);
void h2_silence_heard(struct h2_silence *silence, uint64_t now_us);
/* `useful`: HEADERS and DATA frames of the peer so far. */
enum h2_silence_step h2_silence_check(struct h2_silence *silence, uint64_t now_us, bool busy, uint64_t useful,
                                      uint64_t *next_us);
void h2_silence_pinged(struct h2_silence *silence, uint64_t now_us);
bool h2_silence_is(const struct h2_silence *silence, uint64_t now_us, bool busy, uint64_t useful);

#endif
