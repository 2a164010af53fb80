/* SPDX-License-Identifier: Apache-2.0 */
/* A channel from the inside, for its files.
 *
 *   IDLE → [RESOLVING →] CONNECTING → CONNECTED → (the connection drains or ends) → IDLE
 *            └──────────────┴─ failed → BACKOFF → IDLE
 *
 * It leaves IDLE when a stream is due. Two timers count: this one's, after connecting has failed; and each stream's, after it has ended. */
#ifndef SOURCE_XDS_CHANNEL_STATE_H
#define SOURCE_XDS_CHANNEL_STATE_H

#include "http/http.h"
#include "source/xds/channel.h"
#include "source/xds/channel_tls.h"

/* From dialling to its end; those that drain live on beside the one that is used. */
struct channel_connection {
    struct list link;
    struct channel *channel;
    struct http_connect *connect; /* CHANNEL_CONNECTING */
    struct http_conn *http;       /* from CHANNEL_CONNECTED on */
    bool used;                    /* a stream was opened on it */
};

struct channel {
    struct loop *loop;
    struct observe *observe;
    const struct bootstrap_server *server;
    char *authority;
    char user_agent[32];
    struct dns_watch watch; /* of a host */
    struct channel_tls tls;
    enum channel_state state;
    uint64_t since_us;
    struct list streams;
    struct list connections;
    struct channel_connection *current; /* CHANNEL_CONNECTING, CHANNEL_CONNECTED */
    struct backoff backoff;             /* of connecting */
    struct loop_timer timer;            /* CHANNEL_BACKOFF */
    struct loop_later step;
    struct fault fault; /* the last one */
    uint64_t fault_us;
    uint64_t told; /* hash of the failure to connect that was logged last; 0: none since the last connection */
    uint64_t received, sent;
    unsigned n_connections;
};

/* ---- channel.c ---- */

/* Whatever is possible now is done at the end of this turn. */
void channel_step_later(struct channel *channel);
void channel_note_fault(struct channel *channel, const struct fault *fault);
/* Whether a failure with this sentence is worth a line: the first of several that are the same. */
bool channel_is_news(uint64_t *told, const struct fault *fault);

/* ---- channel_stream.c ---- */

/* Opens the stream, which is due, on the channel's connection. False: the connection has no room for one. */
bool channel_stream_begin(struct channel_stream *stream);
/* No connection: channel->fault says why. */
void channel_stream_disappoint(struct channel_stream *stream);

#endif
