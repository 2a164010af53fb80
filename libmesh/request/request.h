/* SPDX-License-Identifier: Apache-2.0 */
/* The door of request/: one request with all its attempts, from the service's name to the outcome. Used inside a loop.
 *
 * Life:    NEW → ROUTING → LEASING → OPEN → READING → DONE, with BACKOFF between attempts and HEDGED when a second attempt was sent
 *          beside the first, which failed (request.c has the table)
 * Rules
 *   on_done() comes exactly once, unless request_abandon() was called; the request may be freed in it, nobody touches it after.
 *   What the application handed in (struct request_ask) is borrowed until then.
 *   A retry is decided when an attempt ends; it begins in another turn, or at the end of this one, never within a callback of
 *   the connection. */
#ifndef REQUEST_REQUEST_H
#define REQUEST_REQUEST_H

#include "cluster/cluster.h"
#include "http/http.h"
#include "loop/loop.h"
#include "observe/observe.h"
#include "request/body.h"
#include "request/deadline.h"
#include "request/faults.h"
#include "request/limits.h"
#include "request/response.h"
#include "request/rules.h"
#include "request/trace.h"
#include "route/route.h"

struct request;

/* What requests of one loop need of the client. */
struct request_env {
    struct loop *loop;
    struct observe *observe;
    struct list running;  /* struct request, all that are not done, ... */
    struct list shadows;  /* ... and those that nobody waits for */
    struct list homeless; /* struct request, in ROUTING: their service is not known yet (request_found_home()) */
    struct traces traces;
    struct response_blocks blocks;
    struct limits *limits; /* all loops' */
    uint64_t channel;      /* the client's number, for hashing by it */
    /* Where the request goes: `choice`, with a reference to its routes if it has some, and the cluster, with a reference; NULL: the
     * route answers itself, or there is no such cluster. MESH_ERR_AGAIN: not known yet, request_found_home() will come. Else
     * MESH_ERR_NO_ROUTE, ... with a sentence. */
    int32_t (*find_home)(struct request_env *env, const struct route_request *what, struct route_choice *choice,
                         struct cluster **out, struct fault *fault);
    /* The cluster of a key, with a reference. MESH_ERR_NO_ROUTE: there is none; MESH_ERR_NOMEM, ... */
    int32_t (*find_cluster)(struct request_env *env, const char *key, struct cluster **out);
    /* The last running request has ended. May be NULL. */
    void (*on_empty)(struct request_env *env);
};

/* What is asked for; everything is validated. Borrowed until on_done(). */
struct request_ask {
    const char *service, *method, *path;
    const char *authority;             /* NULL: the cluster's */
    const struct mesh_header *headers; /* without "host" */
    size_t n_headers;
    uint64_t hash_key;                 /* with has_hash_key */
    uint32_t timeout_ms, max_attempts; /* 0: the policy's */
    bool has_hash_key;
    bool idempotent;
    bool explain;                   /* the response gets an explanation */
    bool chained;                   /* it carries an attempt number above 1: somebody above retries already */
    struct deadline_asked deadline; /* what its headers say about time */
    bool has_criticality;           /* in a header; else the policy's */
    enum policy_criticality criticality;
};

struct request_ops {
    void (*on_done)(struct request *request);
    /* Streams only; NULL otherwise: the answer is collected. */
    void (*on_head)(struct request *request);
    void (*on_readable)(struct request *request); /* request.response->body has more */
    void (*on_writable)(struct request *request); /* request.body has room again */
};

/* The route that it goes by. All NULL: it is one to a configured service. */
struct request_way {
    struct model_routes *routes; /* a reference; the following are borrowed from it */
    const struct route_host *host;
    const struct route *route;
    const struct route_target *target; /* NULL: the route answers itself */
};

enum request_state {
    REQUEST_NEW,
    REQUEST_ROUTING, /* no cluster, or no endpoints yet */
    REQUEST_LEASING, /* waits for a connection */
    REQUEST_OPEN,    /* its stream is open; the head has not come */
    REQUEST_READING, /* the head has come, and is not going to be taken back */
    REQUEST_HEDGED,  /* its attempt has ended without a usable answer; its hedge goes on */
    REQUEST_BACKOFF,
    REQUEST_DONE,
};

/* One try: an endpoint, a lease, a stream. Embedded; used again for the next. */
struct attempt {
    struct endpoint *endpoint; /* NULL: none runs */
    struct pool_lease lease;
    struct http_stream stream;
    bool waits;                   /* counted as pending by the cluster */
    bool given_up;                /* its answer is not wanted: a retry has been decided, and ... */
    enum attempt_outcome verdict; /* ... this is what it says about the endpoint */
    bool outgrown;                /* its body exceeds response.max_bytes */
    struct trace_attempt *traced; /* its record, also when it has ended; NULL: none */
    uint64_t opened_us; /* its stream, 0: not yet; connecting and waiting for a connection are no part of the latency */
    struct loop_timer late; /* from then on it may be hedged */
    bool is_late;           /* its own time is over, and it goes on beside a hedge */
    bool unjudged;          /* its head came while a hedge ran: whether it is retried is decided at its end */
};

/* Zeroed, then `ops`, `ask` and `body` set, by whoever makes it; freed by them too. */
struct request {
    const struct request_ops *ops;
    struct request_env *env;
    struct request_ask ask;
    struct body body;
    struct list link;     /* in env.running */
    struct list homeless; /* in env.homeless */

    enum request_state state;
    struct cluster *cluster;    /* a reference */
    struct model_cluster *conf; /* a reference: the policy it began with */
    struct rules rules;         /* once the cluster is known */
    struct request_way way;
    struct faults_dealt dealt;
    const char *answered_by; /* constant: what answered instead of an endpoint; NULL: nothing did */
    bool is_shadow;          /* of another request: nobody hears of it */
    struct cluster_waiter waiter;
    struct admission admission;
    struct attempt attempt;
    struct trace *trace; /* NULL: it is not recorded */
    struct endpoint *tried[CLUSTER_MOST_TRIED];
    uint32_t made, most;   /* attempts, the hedge among them */
    struct endpoint *last; /* of the attempt that answered or was the last, held by `tried`; NULL: none */
    uint32_t last_number;  /* that attempt's, from 1 */
    uint32_t retries;      /* backoffs taken */
    bool refused_before, free_used;
    bool forbidden;                    /* the peer wants no retry */
    struct loop_timer deadline, pause; /* whole request; backoff, or the attempt's own time, or a stream's silence */
    struct loop_later retry;
    uint64_t retry_after_us; /* the pause that was decided */

    struct request *hedged_for; /* this is a hedge: of that request. It ends first, and is freed by it */
    struct request *hedge;      /* beside the attempt; NULL: none runs */
    bool hedged, hedge_won;     /* one was sent, there is no second; its answer counts */
    uint64_t hedged_after_us;
    int32_t held_err; /* in HEDGED: how the attempt ended */
    enum http_reach held_reach;

    uint64_t began_us, ends_us; /* ends 0: no limit */
    uint64_t heard_us;          /* the last byte of the answer */
    uint64_t try_ends_us;       /* of the attempt; 0: no limit of its own */

    int32_t err;    /* the outcome */
    uint32_t flags; /* FLAG_* of the access log */
    uint64_t bytes_sent, bytes_received;
    struct mesh_response *response; /* the maker's to give away in on_done(); made here. Holds the last fault */
};

/* Begins. MESH_ERR_NOMEM: nothing has begun, on_done() will not come; anything else is told by on_done(), which never comes
 * from within this call. */
int32_t request_start(struct request *request, struct request_env *env);
/* Ends it with err (MESH_ERR_CANCELLED, _TIMEOUT, _CLOSING, ...): on_done() comes from within this call. Nothing if it is done. */
void request_end(struct request *request, int32_t err, const char *why);
/* As request_end(), without on_done(). */
void request_abandon(struct request *request);
/* The same to a cluster that is known, a reference to which is taken over; whatever its service is. */
int32_t request_start_at(struct request *request, struct request_env *env, struct cluster *cluster);
/* A zeroed block of `size` bytes, followed by copies of all that the request borrows: ask and body point to them then. With them
 * it has at least `least` bytes. NULL: out of memory, both are as they were. */
void *request_keep(size_t size, size_t least, struct request_ask *ask, struct body *body);
/* Its service is known now, or known not to exist (err and the fault). */
void request_found_home(struct request *request, int32_t err, const struct fault *fault);
/* Stream: more body was written, or it is finished. */
void request_body_grew(struct request *request);
/* Stream: n bytes of the answer were read. */
void request_consumed(struct request *request, size_t n);

#endif
