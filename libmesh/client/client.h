/* SPDX-License-Identifier: Apache-2.0 */
/* The door of client/: where the two ways meet - requests going down, snapshots coming in.
 *
 * Vocabulary
 *   client   configuration and everything made from it; reference-counted: calls that run, queues, calls and streams hold it
 *   engine   loops, connections, the source: made at the first request, left behind as it is in a forked child
 *   lane     one loop of the engine with the requests and clusters that live in it; a thread sticks to one
 * Functions marked [inside] are called inside the lane's loop; the others from any thread. */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <pthread.h>

#include "request/request.h"
#include "source/source.h"

#include <mesh/queue.h>

struct engine;
struct mesh_client;

/* On the stack of a thread that drains. */
struct drainer {
    struct list link;
    struct loop_waiter waiter;
};

struct lane {
    struct request_env env; /* first */
    struct engine *engine;
    struct loop *loop;
    struct model_snapshot *snapshot;
    struct map clusters; /* struct cluster by name: those that were called */
    struct list in_use;  /* the same, to walk over */
    struct list retired; /* struct cluster, gone from the configuration, until their last stream has ended */
    struct loop_task swap;
    _Atomic bool swap_queued;
    _Atomic(struct model_snapshot *) next; /* what the swap brings */
    struct list drainers;                  /* struct drainer: who waits until nothing runs */
    bool closing;
};

struct engine {
    struct mesh_client *client;
    struct source *source; /* in lanes[0] */
    pthread_mutex_t lock;
    struct map shared;  /* struct cluster_shared by name, with the lock */
    size_t shared_most; /* when it has so many, those that nobody uses are forgotten */
    struct limits limits;
    struct list forgotten; /* inside lanes[0]: lookups of describe.c that nobody waits for any more */
    bool abandoned;        /* in a forked child: belongs to the parent */
    struct engine *next_abandoned;
    size_t n_lanes;
    struct lane lanes[];
};

struct mesh_client {
    _Atomic uint32_t refs;
    struct conf *conf;
    struct observe *observe;
    bool threadless;
    pthread_mutex_t lock;            /* making the engine */
    _Atomic(struct engine *) engine; /* NULL: not made yet */
    _Atomic bool closing;
    struct list link;   /* in the list of all clients, for fork */
    struct list queues; /* struct mesh_queue, with the lock: for fork */
};

/* ---- client.c ---- */

int32_t client_new(const struct conf *conf, struct mesh_client **out, struct fault *fault);
void client_ref(struct mesh_client *client);
void client_unref(struct mesh_client *client);
/* Fails what runs (MESH_ERR_CLOSING) and gives up the owner's reference. */
void client_close(struct mesh_client *client);
int32_t client_drain(struct mesh_client *client, uint64_t until_us);
/* The process's own client, made from the environment. */
int32_t client_default(struct mesh_client **out, struct fault *fault);
/* Around fork(): nobody is in the middle of making it. */
void client_default_hold(void);
void client_default_release(void);
/* A reference for as long as the caller uses it: `given`, or the default client. MESH_ERR_CLOSING, ... with a sentence. */
int32_t client_take(struct mesh_client *given, struct mesh_client **out, struct fault *fault);

/* ---- engine.c ---- */

/* The engine, made now if there is none. MESH_ERR_IO, MESH_ERR_NOMEM, ... with a sentence. */
int32_t client_engine(struct mesh_client *client, struct engine **out, struct fault *fault);
void engine_free(struct engine *engine);
struct lane *engine_lane(struct engine *engine);
/* CPUs that this process (its first thread) may run on: a cpuset, as containers have, or an affinity may leave it a few of the
 * machine's. */
size_t engine_cpus(void);
/* How many lanes that makes, when the configuration does not say. */
size_t engine_lanes_for(size_t cpus);

/* ---- fork.c ---- */

/* From now on the client survives fork(). */
void fork_watch(struct mesh_client *client);
void fork_unwatch(struct mesh_client *client);

/* ---- shared.c ---- */

/* With a reference. NULL: out of memory. */
struct cluster_shared *engine_shared(struct engine *engine, const char *name);
/* The same of one that is there already; else NULL. */
struct cluster_shared *engine_shared_known(struct engine *engine, const char *name);
void engine_shared_free(struct engine *engine);

/* ---- swap.c ---- */

/* [inside lane 0] A new snapshot for all lanes of the engine, `user`; the reference is taken over. */
void engine_on_snapshot(void *user, struct model_snapshot *snapshot);
int32_t lane_find_home(struct request_env *env, const struct route_request *what, struct route_choice *choice,
                       struct cluster **out, struct fault *fault);
int32_t lane_find_cluster(struct request_env *env, const char *key, struct cluster **out);
void lane_begin(struct lane *lane, struct model_snapshot *snapshot);
void lane_end(struct lane *lane);

/* ---- load.c ---- */

/* [inside lane 0] Tells the load of a cluster, in all lanes of the engine, `user`, since it was last told. */
void engine_take_load(void *user, const char *cluster, const struct source_load_listener *listener);

/* ---- call.c ---- */

struct mesh_call;

/* One request whose outcome the calling thread waits for. *out is set unless there is no memory. */
int32_t client_request(struct mesh_client *client, const struct request_ask *ask, const struct body *body,
                       bool interruptible, struct mesh_response **out);
int32_t call_start(struct mesh_queue *queue, const struct request_ask *ask, const struct body *body, uint64_t tag,
                   struct mesh_call **out);
void call_cancel(struct mesh_call *call);
void call_free(struct mesh_call *call);
/* A response for a request that never began. NULL: out of memory. */
struct mesh_response *call_refused(const struct fault *fault);

/* ---- queue.c ---- */

enum queue_item_kind { QUEUE_CALL, QUEUE_STREAM };

/* Embedded in what can have events. */
struct queue_item {
    struct list link;
    enum queue_item_kind kind;
    uint32_t pending; /* streams: a bit per MESH_EVENT_* */
};

struct mesh_queue {
    struct mesh_client *client; /* a reference */
    _Atomic(struct engine *) engine;
    struct lane *lane;
    _Atomic uint32_t refs;      /* the owner, and each item that may still be pushed */
    struct list link;           /* in client.queues */
    struct list items;          /* inside: those with events */
    struct list waiters;        /* inside: struct queue_waiter */
    _Atomic uint32_t in_flight; /* calls that run */
    _Atomic uint32_t taken;     /* events by its taker, the last time */
    _Atomic uint32_t held_back; /* calls started and not sent yet: the thread that takes the events will come */
    _Atomic uintptr_t taker;    /* the thread that took events last */
    struct loop_task wake;
    _Atomic bool woken, wake_queued;
    int fd; /* -1: nobody asked for it */
    bool fd_is_set, closed;
    bool is_counted; /* inside: by loop_unserved() */
};

int32_t queue_new(struct mesh_client *client, struct mesh_queue **out, struct fault *fault);
int32_t queue_next(struct mesh_queue *queue, struct mesh_event *events, uint32_t max, uint64_t until_us);
int32_t queue_fd(struct mesh_queue *queue);
void queue_wake(struct mesh_queue *queue);
void queue_free(struct mesh_queue *queue);
void queue_unref(struct mesh_queue *queue);
/* In a forked child the queue moves to the child's own engine, once. */
int32_t queue_settle(struct mesh_queue *queue, struct fault *fault);
/* [inside] The item has something to tell. */
void queue_push(struct mesh_queue *queue, struct queue_item *item);
void queue_after_fork(struct mesh_queue *queue);
/* [inside] The item will not tell anything any more. */
void queue_withdraw(struct queue_item *item);
/* A call was begun: has it sent now, or together with others when the thread that takes the events comes back. */
void queue_began(struct mesh_queue *queue, struct loop_task *task);
/* [inside] An item becomes an event: call.c and stream.c. True: it has more. */
bool call_event(struct queue_item *item, struct mesh_event *event);
bool stream_event(struct queue_item *item, struct mesh_event *event);
/* [inside] The queue is freed: nobody will take the item's events. */
void call_unheard(struct queue_item *item);
void stream_unheard(struct queue_item *item);

/* ---- stream.c ---- */

struct mesh_stream;

/* queue NULL: reading and writing wait. */
int32_t stream_open(struct mesh_client *client, struct mesh_queue *queue, const struct request_ask *ask,
                    const struct body *body, uint64_t tag, struct mesh_stream **out);
bool stream_has_queue(const struct mesh_stream *stream);
int32_t stream_write(struct mesh_stream *stream, const void *data, size_t len, size_t *taken);
int32_t stream_finish(struct mesh_stream *stream);
int32_t stream_read(struct mesh_stream *stream, void *buf, size_t cap, size_t *got);
const struct mesh_response *stream_response(struct mesh_stream *stream);
void stream_free(struct mesh_stream *stream);

/* ---- describe.c ---- */

int32_t client_describe(struct mesh_client *client, const char *service, bool connect, uint64_t until_us, char **out,
                        struct fault *fault);
int32_t client_resolve(struct mesh_client *client, const char *target, uint64_t until_us, char **out,
                       struct fault *fault);
/* explain.c. Also of a service that cannot be *out is set, with the error; and of a request that cannot be by the second one,
 * which returns the fault's code. */
int32_t client_explain(struct mesh_client *client, const struct request_ask *ask, uint64_t until_us, char **out,
                       struct fault *fault);
int32_t client_explain_refused(const struct fault *fault, char **out);
int32_t client_recent(struct mesh_client *client, char **out, struct fault *fault);
/* xds.c */
/* Of a service that is a control plane's (client_is_xds()): client_resolve(). */
bool client_is_xds(struct engine *engine, const char *target);
int32_t client_resolve_xds(struct engine *engine, const char *target, uint64_t until_us, char **out,
                           struct fault *fault);
int32_t client_csds(struct mesh_client *client, const void *request, size_t request_len, void **out, size_t *out_len,
                    struct fault *fault);
int32_t client_xds(struct mesh_client *client, uint32_t flags, uint64_t until_us, char **out, struct fault *fault);
/* The source is gone: frees what waited for it. */
void describe_end(struct engine *engine);

/* ---- loop access for the threadless way in ---- */

int32_t client_threadless_loop(struct mesh_client *client, struct loop **out);

#endif
