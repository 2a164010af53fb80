/* SPDX-License-Identifier: Apache-2.0 */
/* One stream to one control plane: what is asked for, what is answered, what is acknowledged. Pure: no sockets, no clock.
 *
 * Words: a *subscription* is everything about one type of resources; a *name* is subscribed or not; an *answer* is what came for
 * a type, and is *concluded* by whoever looked at its resources; that makes a *reply*, an ACK or a NACK. State of the world
 * and incremental ("delta") differ in protocol_sotw.c and protocol_delta.c alone.
 *
 * Rules:
 * - Changes of names and the reply of a type travel in one request. While an answer is in somebody's hands nothing is sent
 *   for its type and for the type that it leads to, so that what the answer changes is said once.
 * - There is no wildcard: nothing is ever asked for by an empty list. After names, an empty list means none any more.
 * - A name that is given up and wanted again is given up first, in a request of its own: else nothing would be sent for it.
 * - Each answer gets one reply on the stream it came on; a reply that was not sent yet when the next answer of its type is
 *   concluded is not sent, since a nonce counts for those before it.
 * - An answer like the one just refused is refused again after 1 s, 2 s, ... 30 s; with state of the world sooner if names have
 *   changed, as a server reads names only beside its latest nonce. Any other answer of the type ends that. */
#ifndef SOURCE_XDS_PROTOCOL_H
#define SOURCE_XDS_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "proto/core.pb-c.h"
#include "source/xds/types.h"
#include "source/xds/wire.h"

struct protocol;

struct protocol_limits {
    struct wire_limits wire;
    size_t names;     /* subscribed, of one type */
    size_t resources; /* in one answer, and as many that it removes */
    size_t text;      /* bytes of a name, a version or a nonce */
};
extern const struct protocol_limits protocol_limits_standard;

/* `node` (node.h) stays borrowed. MESH_ERR_NOMEM. */
int32_t protocol_new(bool is_delta, const Core__Node *node, const struct protocol_limits *limits,
                     struct protocol **out);
void protocol_free(struct protocol *protocol); /* NULL is fine; no answer is in anybody's hands */

/* ---- names ---- */

/* Again: nothing happens. MESH_ERR_INVALID: no name that can be asked for ("", "*", not UTF-8). MESH_ERR_TOO_LARGE: the name, or the
 * number of names. MESH_ERR_NOMEM. */
int32_t protocol_subscribe(struct protocol *protocol, enum xds_type type, const char *name, struct fault *fault);
/* Not subscribed: nothing happens. */
void protocol_unsubscribe(struct protocol *protocol, enum xds_type type, const char *name);

/* What version of a subscribed name is held, NULL: none any more. The next stream is told, if it is delta. */
void protocol_hold(struct protocol *protocol, enum xds_type type, const char *name, const char *version);

/* ---- the stream ---- */

void protocol_stream_opened(struct protocol *protocol);
void protocol_stream_closed(struct protocol *protocol);

/* Appends the next request that is due to `out`; nothing if none is. To be called until then. MESH_ERR_NOMEM: nothing happened. */
int32_t protocol_next_request(struct protocol *protocol, uint64_t now_us, struct buf *out);
/* When the next request is due: 0 at once, UINT64_MAX not before something happens. */
uint64_t protocol_due_us(const struct protocol *protocol);

/* ---- answers ---- */

#define XDS_NO_TTL UINT64_MAX

struct xds_answer_resource {
    const char *name;     /* NULL: what is in it says it */
    const char *version;  /* of this resource; "" is none */
    const uint8_t *bytes; /* a message of the answer's type */
    size_t len;
    uint64_t ttl_us;   /* XDS_NO_TTL: for ever */
    bool is_heartbeat; /* no bytes: what is held lives on for another ttl_us */
    char *error; /* not NULL: the resource is refused, for this reason; nothing else in here counts but the name */
};

/* A name that the server does not give, and why: a code of google.rpc.Code. */
struct xds_answer_error {
    const char *name;
    int32_t code;
    const char *message;
};

struct xds_answer {
    enum xds_type type;
    const char *version; /* of the answer as a whole; delta: shown only */
    const char *nonce;
    struct xds_answer_resource *resources;
    size_t n_resources;
    const char *const *removed; /* delta: deleted, or asked for and not there */
    size_t n_removed;
    struct xds_answer_error *errors;
    size_t n_errors;
    /* Not NULL: the whole of it is refused. To be concluded with this sentence, nothing of it may be used. */
    const char *refusal;
    /* It is what was refused just before, and `refusal` what was said then: nobody has subscribed to another name since, and nothing
     * in it has a time to live. */
    bool is_repeated;
};

/* Reads a message of the server; `bytes` may go afterwards. *out is to be concluded or dropped.
 * 0 and NULL: it is of a type that was not asked for on this stream and gets no reply; `fault` has the sentence.
 * MESH_ERR_PROTOCOL, MESH_ERR_TOO_LARGE, MESH_ERR_NOMEM: no reply is possible, the stream should end. */
int32_t protocol_receive(struct protocol *protocol, const uint8_t *bytes, size_t len, struct xds_answer **out,
                         struct fault *fault);

/* Everything of the answer was taken (`error` NULL), or something was not: why, resource by resource, for the people who run
 * the control plane; cut at 4096 bytes. The answer is given back. */
void protocol_conclude(struct protocol *protocol, struct xds_answer *answer, const char *error, uint64_t now_us);
/* What is refused now may be taken another time, if memory permits: it is looked at when it comes again. */
void protocol_look_again(struct protocol *protocol, enum xds_type type);
/* Gives it back without a reply: the stream is about to end. */
void protocol_drop(struct protocol *protocol, struct xds_answer *answer);

/* ---- for status ---- */

struct protocol_status {
    size_t names;
    uint64_t accepted, refused; /* answers */
    const char *version;        /* of the last one that was accepted, "" before */
    uint64_t accepted_us;       /* when that was, 0 before */
    const char *error;          /* of the last one that was refused, NULL before */
    uint64_t refused_us;
};

/* Texts stay valid until the next call that changes something. */
struct protocol_status protocol_status(const struct protocol *protocol, enum xds_type type);
/* What the server calls itself; "" until it did. */
const char *protocol_server(const struct protocol *protocol);

#endif
