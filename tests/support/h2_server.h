/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP/2 server (nghttp2, h2c) in a thread of the test: what it does with a request is said by the request's path, what
 * it did is counted by the request's "x-id" header.
 *
 * Paths: "/BEHAVIOUR?key=number&key=number"
 *   ok          200 and the server's name as body
 *   echo        200, the request's body as it comes, and trailers "x-bytes" and "x-sum" of it
 *   take        reads the whole body, then 200 with those trailers
 *   early       200 with END_STREAM at once, whatever the body
 *   hang        200 and half of an answer, then nothing more
 *   give        200 and `bytes` bytes of the pattern (h2_pattern()); `trailers=1`: "x-sum" at the end
 *   never       no answer
 *   slow        200 after `ms`
 *   status      `code` (and Retry-After: `after`, if given), after that 200
 *   reset       RST_STREAM with `code`, after that 200
 *   refuse      RST_STREAM(REFUSED_STREAM), not executed; after that 200
 *   goaway      GOAWAY that does not cover the stream, not executed; after that 200
 *   kill        closes the connection; after that 200
 *   health      what h2_server_set_health() says; counted as "health" if it has no x-id. The same without a
 *               body for grpc.health.v1.Health/Check, which is no gRPC then
 * "status" takes `h=name:value` and `t=name:value`, a header and a trailer of that answer.
 * `at`: only the server of that number does it, others do what their configuration says.
 * `first`: how many requests of one x-id get what is named before "after that"; 0: all of them. `delay`: ms before any of it. */
#ifndef SUPPORT_H2_SERVER_H
#define SUPPORT_H2_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct h2_server;

struct h2_server_conf {
    const char *name;      /* body of "ok", header "x-server"; NULL: "server" */
    const char *unix_path; /* listens there instead of on 127.0.0.1 */
    uint16_t port;         /* 0: any */
    uint32_t max_streams;  /* SETTINGS_MAX_CONCURRENT_STREAMS; 0: 1000 */
    bool mute;             /* accepts, and sends not even SETTINGS */
    uint32_t drip_ms;      /* one byte each so many ms, and everything before it at once: after `drip_after` bytes */
    uint32_t drip_after;
    uint32_t accepts;      /* connections it accepts in all; 0: any number */
    unsigned number;       /* for `at` */
    const char *else_path; /* what is done instead of what is `at` another server; NULL: "/ok" */
};

/* Starts listening and serving; a failure ends the test. */
struct h2_server *h2_server_start(const struct h2_server_conf *conf);
/* Closes everything; NULL is fine. */
void h2_server_stop(struct h2_server *server);
uint16_t h2_server_port(const struct h2_server *server);

/* What happened to the requests of one x-id. */
struct h2_record {
    unsigned seen;      /* requests that arrived */
    unsigned executed;  /* of them, those that the server did not refuse */
    char attempts[64];  /* their x-mesh-attempt headers, "-" for none: "-,2,3" */
    uint64_t bytes;     /* of bodies received */
    unsigned cancelled; /* streams that the client reset with CANCEL */
    char head
        [1024]; /* the last one's headers, a line each: "name: value\n", with "!" after those that HPACK never indexes */
};
struct h2_record h2_server_record(struct h2_server *server, const char *id);
/* The status of "/health", 200 at first; 0: no answer. */
void h2_server_set_health(struct h2_server *server, unsigned status);
unsigned h2_server_seen(struct h2_server *server);     /* requests in all */
unsigned h2_server_accepted(struct h2_server *server); /* connections in all */
unsigned h2_server_open(struct h2_server *server);     /* connections now */
unsigned h2_server_streams(struct h2_server *server);  /* streams now */

/* The byte at a position of a generated body. */
static inline uint8_t h2_pattern(uint64_t at)
{
    return (uint8_t) (at * 31 + (at >> 11));
}

static inline uint64_t h2_sum(uint64_t sum, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        sum = sum * 1099511628211u + bytes[i];
    return sum;
}

/* A port of 127.0.0.1 on which nobody listens: connecting is refused. */
uint16_t h2_refusing_port(void);
/* A listener on 127.0.0.1 whose backlog is full, so that connecting hangs. Closed with close(); *filler too. */
int h2_black_hole(uint16_t *port, int *filler);

#endif
