/* SPDX-License-Identifier: Apache-2.0 */
/* One control plane: a connection that is kept, and the streams of gRPC on it. Private to source/xds/.
 *
 * Everything is used inside the loop. Callbacks never come from within the functions below; each is the last thing that is done with
 * its stream in that moment, so that anything may be closed or freed from it.
 *
 * The channel connects while at least one stream is open, and opens each stream again by itself whenever it has ended:
 *
 *   channel_stream_open() → [on_down …] → on_up → on_message, once for each channel_stream_receive() → on_down → on_up …
 *
 * on_down() comes for each attempt that has failed, too: once the name is not resolved, nobody can be connected to, or the server refuses the
 * stream. How long the next attempt waits: backoff.h. */
#ifndef SOURCE_XDS_CHANNEL_H
#define SOURCE_XDS_CHANNEL_H

#include "grpc/grpc.h"
#include "loop/loop.h"
#include "observe/observe.h"
#include "source/dns_name.h"
#include "source/xds/backoff.h"
#include "source/xds/bootstrap.h"

struct channel;
struct channel_stream;

struct channel_conf {
    struct loop *loop;
    struct dns_names *names;
    struct observe *observe;               /* may be NULL */
    const struct bootstrap_server *server; /* borrowed for the channel's life */
};

/* Connects to nothing yet. MESH_ERR_NOMEM. */
int32_t channel_new(const struct channel_conf *conf, struct channel **out);
/* Streams that are open end unheard. NULL is fine. */
void channel_free(struct channel *channel);

/* ---- streams ---- */

struct channel_end {
    const struct fault *fault; /* borrowed for the call; a sentence also for an orderly end */
    bool had_answer;           /* at least one message had come: no failure */
    enum grpc_code code;       /* what may be shown as the status of a request (gRFC A54) */
};

/* One const table an owner type. on_room may be NULL. */
struct channel_stream_ops {
    void (*on_up)(
        struct channel_stream *stream); /* messages may be sent; nothing of streams before is known to the server */
    void (*on_message)(struct channel_stream *stream, const uint8_t *bytes, size_t len); /* borrowed for the call */
    void (*on_room)(struct channel_stream *stream);                                      /* after MESH_ERR_AGAIN */
    void (*on_down)(struct channel_stream *stream, const struct channel_end *end);
};

enum channel_stream_state {
    CHANNEL_STREAM_CLOSED,
    CHANNEL_STREAM_WAITING, /* backoff */
    CHANNEL_STREAM_DUE,     /* as soon as there is a connection */
    CHANNEL_STREAM_UP,
};

/* Embedded in its owner, zeroed. Its members are its own. */
struct channel_stream {
    const struct channel_stream_ops *ops;
    struct channel *channel;
    struct list link;
    const char *path;
    enum channel_stream_state state;
    struct grpc_stream grpc;
    struct backoff backoff;
    struct loop_timer timer;
    struct loop_later later; /* something is to be told: */
    bool tells_up, tells_down;
    enum grpc_code down_code;
    bool had_answer;
    uint64_t up_us;
    uint64_t told; /* as the channel's */
};

/* `path`, which is borrowed as long as the stream is open: "/package.Service/Method". */
void channel_stream_open(struct channel *channel, struct channel_stream *stream, const struct channel_stream_ops *ops,
                         const char *path);
/* Fine for one that is not open. */
void channel_stream_close(struct channel_stream *stream);
/* 0; MESH_ERR_AGAIN: on_room() tells; _RESET: the stream is not up; _TOO_LARGE; _NOMEM. Copies the bytes. */
int32_t channel_stream_send(struct channel_stream *stream, const void *bytes, size_t len);
/* Asks for the next message. What is not asked for holds the server up. */
void channel_stream_receive(struct channel_stream *stream);
/* What came breaks the protocol, as `why` says: this stream is ended, on_down() follows, the next one begins when it is time. */
void channel_stream_give_up(struct channel_stream *stream, const struct fault *why);

#define CHANNEL_ADS_PATH   "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
#define CHANNEL_DELTA_PATH "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"

/* ---- for people ---- */

enum channel_state { CHANNEL_IDLE, CHANNEL_RESOLVING, CHANNEL_CONNECTING, CHANNEL_CONNECTED, CHANNEL_BACKOFF };
const char *channel_state_name(enum channel_state state); /* "connecting" */

/* Everything is borrowed until the next turn. */
struct channel_status {
    const char *uri;
    enum channel_state state;
    uint64_t since_us; /* loop's time at which it became that */
    const struct fault
        *fault;        /* the last one; code 0: none since the channel was made. It stays when all is well again: */
    uint64_t fault_us; /* when it was */
    const struct addr *address; /* CHANNEL_CONNECTED; else NULL */
    uint64_t received, sent;    /* messages */
    unsigned streams;           /* that are up */
    unsigned connections;       /* made so far */
};
void channel_tell(const struct channel *channel, struct channel_status *out);

#endif
