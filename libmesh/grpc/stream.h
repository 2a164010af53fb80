/* SPDX-License-Identifier: Apache-2.0 */
/* A call of gRPC: one HTTP/2 stream that carries messages both ways.
 *
 * Everything is used inside a loop. Callbacks never come from within the functions below.
 *
 * Life:  grpc_stream_open() → [on_metadata …] → on_message, once for each grpc_stream_receive() → on_status, exactly once, unless
 *        grpc_stream_cancel() was called first. The struct may be freed from any callback, after cancelling.
 *
 * Receiving: a message is read, and the peer's window given back for it, when it has been asked for. What comes meanwhile waits in
 * at most one window (http_conn_conf.window). The status comes after the messages before it, so whoever wants it goes on
 * asking; a deadline that passes, an answer that breaks the rules, and a loss of memory do not wait for that.
 *
 * Sending: messages are taken while less than `send_ahead` bytes wait to be sent, whatever the size of the one that is
 * added; then MESH_ERR_AGAIN, and on_room() tells. */
#ifndef GRPC_STREAM_H
#define GRPC_STREAM_H

#include "grpc/answer.h"
#include "grpc/frame.h"
#include "grpc/metadata.h"
#include "grpc/status.h"
#include "http/http.h"

struct grpc_stream;

/* One const table an owner type. */
struct grpc_stream_ops {
    /* What the answer's head and trailers bring beside gRPC's own, "-bin" values as bytes. Trailers come as they arrive,
     * before messages that wait. May be NULL. */
    void (*on_metadata)(struct grpc_stream *stream, const char *name, size_t name_len, const void *value, size_t len,
                        bool is_trailer);
    /* The one that was asked for. Borrowed for the call. */
    void (*on_message)(struct grpc_stream *stream, const uint8_t *bytes, size_t len);
    /* grpc_stream_send() takes messages again, after it said MESH_ERR_AGAIN. May be NULL. */
    void (*on_room)(struct grpc_stream *stream);
    /* The stream is done with and may be opened anew or freed. `status` is borrowed for the call. */
    void (*on_status)(struct grpc_stream *stream, const struct grpc_status *status);
};

/* How to open one; borrowed for the call. */
struct grpc_call {
    const char *scheme;    /* "http", "https" */
    const char *authority; /* "control:18000" */
    const char *path;      /* "/package.Service/Method" */
    const char *user_agent;
    const struct grpc_metadata *metadata;
    size_t n_metadata;
    uint64_t timeout_us;   /* 0: none */
    uint32_t receive_most; /* bytes of a message; 0: GRPC_RECEIVE_MOST */
    uint32_t send_ahead;   /* bytes; 0: 64 KiB */
    bool one_answer;       /* the method answers with one message: OK without one, or with two, is INTERNAL */
};

enum grpc_stream_state {
    GRPC_STREAM_CLOSED,
    GRPC_STREAM_RUNNING,  /* on the connection */
    GRPC_STREAM_ANSWERED, /* the answer is whole, or cut off; messages of it may wait */
    GRPC_STREAM_DECIDED,  /* nothing is left but on_status() */
};

/* Embedded in its owner, zeroed, with ops set. Its members are its own. */
struct grpc_stream {
    const struct grpc_stream_ops *ops;
    enum grpc_stream_state state;
    struct loop *loop;
    struct http_stream http;
    struct loop_timer timer;
    uint64_t deadline_us; /* 0: none */
    struct loop_later later;
    uint32_t send_ahead;
    bool one_answer;
    bool sent_all;    /* half-closed */
    bool lacks_room;  /* on_room() is owed, as soon as there is some */
    bool has_room;    /* it is due */
    bool wants;       /* a message has been asked for */
    bool has_message; /* the reader has it */
    unsigned n_messages;
    struct buf out, in;
    struct grpc_reader reader;
    struct grpc_answer answer;
    struct grpc_status status;
    bool *gone; /* set by grpc_stream_cancel(), for callers of callbacks */
};

/* On a connection of HTTP/2 with room. A failure leaves it unopened: MESH_ERR_INVALID, _TOO_LARGE (metadata), _NOMEM, _AGAIN: no
 * room after all. */
int32_t grpc_stream_open(struct http_conn *conn, struct grpc_stream *stream, const struct grpc_call *call,
                         struct fault *fault);
/* Takes a copy of the message. MESH_ERR_AGAIN: see above; _RESET: the call is over, on_status() says or said why; _INVALID:
 * after grpc_stream_send_end(); _TOO_LARGE: more than four bytes of length can say; _NOMEM. */
int32_t grpc_stream_send(struct grpc_stream *stream, const void *bytes, size_t len);
/* Half-close: there are no more messages. */
void grpc_stream_send_end(struct grpc_stream *stream);
/* Asks for the next message. Asking again before it has come asks for one all the same. */
void grpc_stream_receive(struct grpc_stream *stream);
/* Ends it unheard: no callback comes any more. Fine for one that is not open. */
void grpc_stream_cancel(struct grpc_stream *stream);

#endif
