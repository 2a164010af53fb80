/* SPDX-License-Identifier: Apache-2.0 */
/* What is behind struct protocol, and the table of what the two variants do differently. Private to source/xds/protocol*.c. */
#ifndef SOURCE_XDS_PROTOCOL_STATE_H
#define SOURCE_XDS_PROTOCOL_STATE_H

#include "proto/discovery.pb-c.h"
#include "proto/rpc.pb-c.h"
#include "source/xds/protocol.h"

enum name_state {
    NAME_NEW,   /* wanted, the server has not been told */
    NAME_TOLD,  /* wanted, the server knows */
    NAME_GONE,  /* not wanted, the server does not know that */
    NAME_AGAIN, /* wanted, but was not in between, which the server is told first */
};

struct name {
    struct list link; /* in `told` if NAME_TOLD, else in `changed` */
    enum name_state state;
    char *version; /* what is held of it; NULL: nothing, or nobody asks (state of the world) */
    size_t len;
    char text[];
};

/* What is still to be said about the last answer. */
struct reply {
    bool is_owed, is_refusal;
    uint64_t due_us;
    char *nonce;
};

struct subscription {
    enum xds_type type;
    struct map names; /* text to struct name */
    struct list told, changed;
    size_t n_wanted;
    bool is_asked;    /* on this stream */
    uint32_t in_hand; /* answers that are neither concluded nor dropped */
    struct reply reply;
    char *version;   /* of the last answer that was accepted; NULL before */
    char *error;     /* of the last one that was refused, valid UTF-8; NULL before */
    bool is_refused; /* the last answer was; this was its hash, and so long the reply waited */
    uint64_t refused_hash, delay_us;
    bool is_known;    /* ... and whoever looks at the same again finds nothing else */
    bool looks_again; /* said of the answer in hand: it will not be known */
    uint64_t accepted, refused, accepted_us, refused_us;
};

struct protocol {
    const struct protocol_variant *variant;
    const Core__Node *node;
    struct protocol_limits limits;
    bool is_open, is_node_sent;
    uint64_t stream; /* number of the stream */
    char *server;
    struct subscription subscriptions[XDS_TYPES];
};

/* A request that is being made: what both messages have. */
struct request {
    const struct subscription *subscription;
    Core__Node *node; /* NULL: the server has it */
    char *nonce;      /* "" if it answers nothing */
    Rpc__Status *error;
};

/* An answer with what it borrows from, and what is needed to conclude it. */
struct answer {
    struct xds_answer shown;       /* first */
    ProtobufCMessage *message;     /* the variant's response */
    Discovery__Resource **wrapped; /* state of the world: what the resources came in; NULLs for those that came bare */
    char *refusal, *version, *nonce; /* shown too */
    uint64_t hash, stream;
};

/* What a response says besides its resources. */
struct response {
    const char *type_url, *version, *nonce;
    size_t n_resources;
    Core__ControlPlane *server;
    Discovery__ResourceError **errors;
    size_t n_errors;
    char **removed;
    size_t n_removed;
};

struct protocol_variant {
    const ProtobufCMessageDescriptor *response;
    bool are_names_beside_nonce; /* names count only beside the latest nonce */
    bool are_versions_told;      /* of each name, on a new stream */
    /* Appends the request. MESH_ERR_NOMEM: nothing is appended. */
    int32_t (*pack)(const struct request *request, struct buf *out);
    struct response (*look)(const ProtobufCMessage *message);
    uint64_t (*hash_sum)(const ProtobufCMessage *message); /* of all resources, each hashed by itself */
    /* Fills shown.resources; may refuse the whole. MESH_ERR_NOMEM. */
    int32_t (*read)(struct answer *answer, const struct protocol_limits *limits);
};

extern const struct protocol_variant protocol_sotw, protocol_delta;

/* ---- protocol.c ---- */

/* Nobody wants it and the server knows. */
void subscription_forget(struct subscription *subscription, struct name *name);

/* ---- protocol_request.c ---- */

/* Names that are in one of `states` (bits 1 << enum name_state), in the order in which they were subscribed. Given back with
 * mem_free(). */
int32_t request_names(const struct subscription *subscription, unsigned states, char ***out, size_t *n);
int32_t request_append(const ProtobufCMessage *message, struct buf *out);

/* ---- protocol_answer.c ---- */

/* Reads what came, as far as `protocol` has asked for it; the contract is that of protocol_receive(). */
int32_t answer_read(const struct protocol *protocol, const uint8_t *bytes, size_t len, struct answer **out,
                    struct fault *fault);
void answer_free(struct answer *answer); /* NULL is fine */

/* The whole of it, or one resource. MESH_ERR_NOMEM. */
int32_t answer_refuse(struct answer *answer, const char *format, ...) __attribute__((format(printf, 2, 3)));
int32_t answer_complain(struct xds_answer_resource *resource, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int32_t answer_body(struct xds_answer_resource *resource, const Pb__Any *body, enum xds_type type);
/* What a Resource has: name, version, time to live, and the body or none. */
int32_t answer_resource(struct xds_answer_resource *resource, const Discovery__Resource *from, enum xds_type type);

/* Adds a part to a hash, so that no two lists of parts look alike. */
void hash_add(uint64_t *hash, const void *bytes, size_t len);
void hash_add_text(uint64_t *hash, const char *text);

#endif
