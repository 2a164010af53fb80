/* SPDX-License-Identifier: Apache-2.0 */
/** @file mesh/request.h
 *  Send a request to a service by name. libmesh finds the service, picks the endpoint and the connection, and retries
 *  what is safe to retry.
 *
 *      struct mesh_request_opts opts = { .size = sizeof opts, .service = "users", .path = "/v1/users/42" };
 *      struct mesh_response *response;
 *      int32_t err = mesh_request(NULL, &opts, &response);
 *      if (err == 0)
 *          printf("%d\n", mesh_response_status(response));
 *      else
 *          fprintf(stderr, "%s\n", response ? mesh_response_detail(response) : mesh_strerror(err));
 *      mesh_response_free(response);
 *
 *  Three ways in: mesh_request() waits; mesh_request_start() hands the outcome to a completion queue (mesh/queue.h);
 *  mesh_stream_open() is for bodies too large to hold (mesh/stream.h).
 */
#ifndef MESH_REQUEST_H
#define MESH_REQUEST_H

#include <stddef.h>
#include <stdint.h>
#include <mesh/error.h>
#include <mesh/export.h>

MESH_BEGIN_DECLS

struct mesh_client;
struct mesh_response;
struct mesh_queue;
struct mesh_call;

/** One header. Frozen: arrays of it cross the border. Both are C strings without CR or LF; the name is compared without case. */
struct mesh_header {
    const char *name;
    const char *value;
};

/** Bits of mesh_request_opts.flags. Unknown bits are refused with MESH_ERR_INVALID. */
#define MESH_REQ_HAS_HASH_KEY  UINT32_C(0x1) /**< hash_key is set; a hashing policy goes by it */
#define MESH_REQ_IDEMPOTENT    UINT32_C(0x2) /**< may be executed twice, whatever its method */
#define MESH_REQ_INTERRUPTIBLE UINT32_C(0x4) /**< a signal handler ends the wait: MESH_ERR_INTERRUPTED */
#define MESH_REQ_EXPLAIN       UINT32_C(0x8) /**< the response gets an explanation: mesh_response_explanation() */

/** What one request asks for. Zero every field that you do not set: zero always means "the mesh decides". */
struct mesh_request_opts {
    uint32_t size;                     /**< sizeof this struct, as the caller's header knows it. Required. */
    uint32_t flags;                    /**< MESH_REQ_* bits. */
    const char *service;               /**< a configured name, or a target URI such as "h2c://10.0.0.1:80". Required. */
    const char *method;                /**< NULL: "GET". */
    const char *path;                  /**< with the query, begins with "/". NULL: "/". */
    const struct mesh_header *headers; /**< n_headers of them. "host" (or ":authority") sets the authority. */
    size_t n_headers;                  /**< how many. */
    const void *body;                  /**< body_len bytes. NULL: none. */
    size_t body_len;                   /**< bytes. */
    uint32_t timeout_ms;               /**< whole request, all attempts and waits. 0: the policy's. */
    uint32_t max_attempts;             /**< 0: the policy's. 1: never retry. */
    uint64_t hash_key;                 /**< read with MESH_REQ_HAS_HASH_KEY only. */
    /* since 0.1 ends here; new fields below, with the version that added them */
};

/**
 * Zero a request's options and set their size.
 *
 * @param opts  struct to fill; borrowed.
 * @param size  sizeof(struct mesh_request_opts) as the caller knows it, bytes.
 * Threads: any. Since 0.1.
 */
MESH_API void mesh_request_opts_init(struct mesh_request_opts *opts, size_t size);

/**
 * Send one request and wait for its outcome. The calling thread does the I/O itself while few wait.
 *
 * An HTTP answer with any status is success. A failure has a response too, whose detail says why; *out is NULL only for
 * wrong arguments, a client that is closing, or no memory.
 *
 * @param client  a client, borrowed; NULL: the process's own one, made from environment variables at first use.
 * @param opts    every pointer in it is borrowed for this call only.
 * @param out     the response, owned by the caller (mesh_response_free()).
 * @return 0, or: MESH_ERR_INVALID     an option is wrong: missing service, CR or LF in a header, unknown flag, ...
 *                MESH_ERR_TOO_NEW     a field beyond this library's knowledge is set
 *                MESH_ERR_NO_ROUTE    the name is no service and no target
 *                MESH_ERR_NO_HEALTHY  the cluster has no endpoint
 *                MESH_ERR_DNS         its name was not resolved
 *                MESH_ERR_CONNECT, MESH_ERR_TLS, MESH_ERR_RESET, MESH_ERR_PROTOCOL  of the last attempt
 *                MESH_ERR_TIMEOUT     the deadline passed
 *                MESH_ERR_TOO_LARGE   the body exceeds response.max_bytes
 *                MESH_ERR_OVERFLOW    a limit of the circuit breaker, or of adaptive concurrency
 *                MESH_ERR_RATE_LIMITED the service's rate limit
 *                MESH_ERR_THROTTLED   the service has turned many requests away lately
 *                MESH_ERR_INTERRUPTED a signal came (MESH_REQ_INTERRUPTIBLE only)
 *                MESH_ERR_CLOSING     the client is being freed
 *                MESH_ERR_NOMEM, MESH_ERR_IO
 * Threads: any number at once; waits. Not from a signal handler. Since 0.1.
 */
MESH_API int32_t mesh_request(struct mesh_client *client, const struct mesh_request_opts *opts,
                              struct mesh_response **out);

/**
 * Start a request whose outcome arrives on a queue as one MESH_EVENT_RESPONSE carrying the tag. Does not wait.
 *
 * @param client  a client, borrowed; NULL: the process's own.
 * @param opts    copied, the body included; nothing is borrowed after the call.
 * @param queue   where the outcome goes; must be of the same client, and outlives the call by itself.
 * @param tag     any number; comes back in the event.
 * @param out     a handle for mesh_call_cancel(), owned by the caller (mesh_call_free()); NULL: none is wanted.
 * @return 0: exactly one event will come; else none will: MESH_ERR_INVALID, MESH_ERR_TOO_NEW, MESH_ERR_CLOSING,
 *         MESH_ERR_NOMEM, MESH_ERR_IO.
 * Threads: any. Since 0.1.
 */
MESH_API int32_t mesh_request_start(struct mesh_client *client, const struct mesh_request_opts *opts,
                                    struct mesh_queue *queue, uint64_t tag, struct mesh_call **out);

/**
 * End a started request early. Its event comes with MESH_ERR_CANCELLED, unless it had finished already.
 *
 * @param call  handle, borrowed.
 * @return 0, also when it had finished; MESH_ERR_INVALID for NULL.
 * Threads: any. Since 0.1.
 */
MESH_API int32_t mesh_call_cancel(struct mesh_call *call);

/**
 * Give a handle back. The request goes on.
 *
 * @param call  handle, consumed; NULL is fine.
 * Threads: any. Since 0.1.
 */
MESH_API void mesh_call_free(struct mesh_call *call);

MESH_END_DECLS

#endif
