/* SPDX-License-Identifier: Apache-2.0 */
/** @file mesh/queue.h
 *  A completion queue: what finished or became possible, to be taken by whoever waits for it, or by an event loop that
 *  watches one descriptor.
 *
 *      mesh_queue_new(client, &queue);
 *      mesh_request_start(client, &opts, queue, 7, NULL);
 *      struct mesh_event events[64];
 *      int32_t n = mesh_queue_next(queue, events, 64, 1000);
 *      for (int32_t i = 0; i < n; i++)
 *          mesh_response_free(events[i].response);          // events[i].tag is 7
 *
 *  The thread that waits in mesh_queue_next() does the I/O itself. Who watches mesh_queue_fd() instead leaves it to
 *  libmesh's own thread.
 */
#ifndef MESH_QUEUE_H
#define MESH_QUEUE_H

#include <stddef.h>
#include <stdint.h>
#include <mesh/error.h>
#include <mesh/export.h>

MESH_BEGIN_DECLS

struct mesh_client;
struct mesh_queue;
struct mesh_response;

/** mesh_event.kind. Ignore unknown ones. */
#define MESH_EVENT_RESPONSE UINT32_C(1) /**< a started request ended; response is yours */
#define MESH_EVENT_HEAD     UINT32_C(2) /**< a stream's status and headers came: mesh_stream_response() */
#define MESH_EVENT_READABLE UINT32_C(3) /**< mesh_stream_read() has something again, the end included */
#define MESH_EVENT_WRITABLE UINT32_C(4) /**< mesh_stream_write() takes something again */
#define MESH_EVENT_END      UINT32_C(5) /**< a stream ended, err says how; no further event has its tag */
#define MESH_EVENT_WAKE     UINT32_C(6) /**< mesh_queue_wake() was called; tag is 0 */

/** Wait for ever: mesh_queue_next()'s timeout. */
#define MESH_FOREVER UINT32_MAX

/** What finished or became possible. Frozen, plain data: copy it freely. */
struct mesh_event {
    uint64_t tag;                   /**< what the call that started it was given */
    int32_t err;                    /**< 0 or a number of enum mesh_err */
    uint32_t kind;                  /**< MESH_EVENT_* */
    struct mesh_response *response; /**< with MESH_EVENT_RESPONSE: owned by who takes the event; else NULL */
    uint64_t reserved;              /**< 0 */
};

/**
 * Make a queue.
 *
 * @param client  borrowed; NULL: the process's own. The queue keeps what it needs of it.
 * @param out     the queue, owned by the caller (mesh_queue_free()); NULL on failure.
 * @return 0, MESH_ERR_INVALID, MESH_ERR_CLOSING, MESH_ERR_NOMEM, MESH_ERR_IO.
 * Threads: any. Since 0.1.
 */
MESH_API int32_t mesh_queue_new(struct mesh_client *client, struct mesh_queue **out);

/**
 * Take events, waiting for the first.
 *
 * @param queue       borrowed.
 * @param events      room for max of them.
 * @param max         at least 1.
 * @param timeout_ms  0: do not wait; MESH_FOREVER: no limit; else milliseconds.
 * @return how many were taken, 0 when the time passed; or MESH_ERR_INVALID, MESH_ERR_INTERRUPTED (a signal handler ran).
 * Threads: any, several at once; each event goes to one. Since 0.1.
 */
MESH_API int32_t mesh_queue_next(struct mesh_queue *queue, struct mesh_event *events, uint32_t max,
                                 uint32_t timeout_ms);

/**
 * A descriptor that is readable whenever mesh_queue_next() would return something. Do not read it, only wait for it.
 *
 * @param queue  borrowed.
 * @return a descriptor that belongs to the queue, or MESH_ERR_INVALID, MESH_ERR_IO.
 * Threads: any. Since 0.1.
 */
MESH_API int32_t mesh_queue_fd(struct mesh_queue *queue);

/**
 * Make mesh_queue_next() return at once, with one MESH_EVENT_WAKE. Several wakes before it is taken are one.
 *
 * @param queue  borrowed.
 * @return 0, MESH_ERR_INVALID.
 * Threads: any; also from a signal handler. Since 0.1.
 */
MESH_API int32_t mesh_queue_wake(struct mesh_queue *queue);

/**
 * Free a queue. Responses in it are freed; what still runs for it goes on unheard.
 *
 * @param queue  consumed; NULL is fine.
 * Threads: any, while nobody waits in it. Since 0.1.
 */
MESH_API void mesh_queue_free(struct mesh_queue *queue);

MESH_END_DECLS

#endif
