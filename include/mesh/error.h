/* SPDX-License-Identifier: Apache-2.0 */
/** @file mesh/error.h
 *  What can go wrong, as numbers that never change, names for logs, classes to branch on and texts to read.
 *
 *  Every function that can fail returns 0 or a negative number of this list. An HTTP answer, also one with status 503, is not a failure.
 *
 *      if (err == MESH_ERR_TIMEOUT) ...                           // one case
 *      if (mesh_error_class(err) == MESH_CLASS_LOCAL) ...         // a family: nothing was sent
 *      fprintf(stderr, "%s: %s\n", mesh_error_name(err), mesh_strerror(err));
 */
#ifndef MESH_ERROR_H
#define MESH_ERROR_H

#include <stdint.h>
#include <mesh/export.h>

MESH_BEGIN_DECLS

/** Error codes. Numbers are never reused. */
enum mesh_err {
    MESH_OK = 0,
    /* the caller */
    MESH_ERR_INVALID = -101,     /**< an argument, option or configuration value is wrong; the detail names it */
    MESH_ERR_TOO_NEW = -102,     /**< a struct from a newer header has a field set that this library does not know */
    MESH_ERR_NOMEM = -103,       /**< out of memory; nothing was changed */
    MESH_ERR_AGAIN = -104,       /**< not possible now without waiting; an event will tell */
    MESH_ERR_INTERRUPTED = -105, /**< a signal ended the wait (MESH_REQ_INTERRUPTIBLE) */
    MESH_ERR_CANCELLED = -106,   /**< mesh_call_cancel() or mesh_stream_free() ended it */
    MESH_ERR_CLOSING = -107,     /**< the client is being drained or freed */
    MESH_ERR_INTERNAL = -108,    /**< a defect of the library; please report it with the log */
    MESH_ERR_IO = -109, /**< the operating system refused a file, descriptor or thread; the detail says which */
    /* configuration */
    MESH_ERR_NO_ROUTE = -201,   /**< no service, route or cluster for the name */
    MESH_ERR_NO_HEALTHY = -202, /**< the cluster has no endpoint to send to */
    /* the way to the peer */
    MESH_ERR_DNS = -301,      /**< the name was not resolved */
    MESH_ERR_CONNECT = -302,  /**< no connection: refused, unreachable, or no answer in time */
    MESH_ERR_TLS = -303,      /**< no trust: certificate, name or handshake */
    MESH_ERR_RESET = -304,    /**< the connection or the stream ended before the answer did */
    MESH_ERR_PROTOCOL = -305, /**< the peer broke the protocol */
    /* time and size */
    MESH_ERR_TIMEOUT = -401,   /**< the deadline passed, attempts and waits included */
    MESH_ERR_TOO_LARGE = -402, /**< the answer exceeds a limit of size */
    /* made by the library itself: nothing was sent */
    MESH_ERR_OVERFLOW = -501,     /**< a limit of the cluster's circuit breaker is reached */
    MESH_ERR_RATE_LIMITED = -502, /**< the service's own rate limit */
    MESH_ERR_THROTTLED = -503 /**< "overloaded" was the answer too often lately, or its control plane drops requests */
};

/** Families of errors: what a program does about them. */
enum mesh_class {
    MESH_CLASS_NONE = 0,    /**< no error */
    MESH_CLASS_CALLER = 1,  /**< the program must change something */
    MESH_CLASS_CONFIG = 2,  /**< the configuration must change */
    MESH_CLASS_NETWORK = 3, /**< the peer or the way to it; may work later */
    MESH_CLASS_TIME = 4,    /**< took too long or grew too large */
    MESH_CLASS_LOCAL = 5    /**< refused by the library itself to protect a service; nothing was sent */
};

/**
 * One sentence that says what an error means.
 *
 * @param err  0 or a number of enum mesh_err.
 * @return a constant string; for unknown numbers one that says so. Never NULL.
 * Threads: any. Since 0.1.
 */
MESH_API const char *mesh_strerror(int32_t err);

/**
 * The name of an error as the header writes it, for example "MESH_ERR_TIMEOUT".
 *
 * @param err  0 ("MESH_OK") or a number of enum mesh_err.
 * @return a constant string; "MESH_ERR_UNKNOWN" for unknown numbers. Never NULL.
 * Threads: any. Since 0.1.
 */
MESH_API const char *mesh_error_name(int32_t err);

/**
 * The family of an error.
 *
 * @param err  0 or a number of enum mesh_err.
 * @return a number of enum mesh_class; MESH_CLASS_CALLER for unknown numbers.
 * Threads: any. Since 0.1.
 */
MESH_API int32_t mesh_error_class(int32_t err);

MESH_END_DECLS

#endif
