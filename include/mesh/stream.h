/* SPDX-License-Identifier: Apache-2.0 */
/** @file mesh/stream.h
 *  A request whose bodies, in either direction, are too large or too slow to hold: written and read in pieces, with
 *  back-pressure both ways.
 *
 *      mesh_stream_open(client, &opts, NULL, 0, &stream);          // no queue: the calls below wait
 *      mesh_stream_write(stream, part, part_len, NULL);
 *      mesh_stream_finish(stream);
 *      while ((err = mesh_stream_read(stream, buf, sizeof buf, &got)) == 0 && got > 0)
 *          fwrite(buf, 1, got, stdout);
 *      mesh_stream_free(stream);
 *
 *  With a queue nothing waits: MESH_ERR_AGAIN says not now, and MESH_EVENT_READABLE or _WRITABLE when again.
 *  A request is retried only as long as all that was written of its body still fits what libmesh keeps (64 KiB).
 */
#ifndef MESH_STREAM_H
#define MESH_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <mesh/error.h>
#include <mesh/export.h>

MESH_BEGIN_DECLS

struct mesh_client;
struct mesh_queue;
struct mesh_request_opts;
struct mesh_response;
struct mesh_stream;

/**
 * Begin a request as a stream. opts->body is sent first, if given; mesh_stream_finish() ends the request's body.
 *
 * @param client  borrowed; NULL: the process's own.
 * @param opts    copied; timeout_ms limits the time until the answer's head, stream.idle_ms the silence afterwards.
 * @param queue   where its events go; NULL: none, the calls below wait.
 * @param tag     any number; comes back in each event.
 * @param out     the stream, owned by the caller (mesh_stream_free()); NULL on failure.
 * @return 0, MESH_ERR_INVALID, MESH_ERR_TOO_NEW, MESH_ERR_CLOSING, MESH_ERR_NOMEM, MESH_ERR_IO. What fails later is told by
 *         the calls below and by MESH_EVENT_END.
 * Threads: any. Since 0.1.
 */
MESH_API int32_t mesh_stream_open(struct mesh_client *client, const struct mesh_request_opts *opts,
                                  struct mesh_queue *queue, uint64_t tag, struct mesh_stream **out);

/**
 * Write a piece of the request's body.
 *
 * @param stream  borrowed.
 * @param data    len bytes, copied.
 * @param len     bytes.
 * @param taken   how many were taken; less than len only with MESH_ERR_AGAIN or a failure. NULL without a queue is fine.
 * @return 0; MESH_ERR_AGAIN (with a queue: *taken may be above 0 all the same); MESH_ERR_INVALID after mesh_stream_finish();
 *         else the code with which the request ended.
 * Threads: any, one writer at a time; waits without a queue. Since 0.1.
 */
MESH_API int32_t mesh_stream_write(struct mesh_stream *stream, const void *data, size_t len, size_t *taken);

/**
 * No more request body.
 *
 * @param stream  borrowed.
 * @return 0, also when called again; MESH_ERR_INVALID; else the code with which the request ended.
 * Threads: any. Since 0.1.
 */
MESH_API int32_t mesh_stream_finish(struct mesh_stream *stream);

/**
 * Read a piece of the answer's body.
 *
 * @param stream  borrowed.
 * @param buf     room for cap bytes.
 * @param cap     bytes, at least 1.
 * @param got     how many were read; 0 with result 0 is the end of the body: the answer is whole, trailers are there.
 * @return 0; MESH_ERR_AGAIN (with a queue: nothing there now); else the code with which the request ended.
 * Threads: any, one reader at a time; waits without a queue. Since 0.1.
 */
MESH_API int32_t mesh_stream_read(struct mesh_stream *stream, void *buf, size_t cap, size_t *got);

/**
 * The answer's head as far as it has come: status and headers, at the end trailers; after a failure the detail.
 * Without a queue it waits for the head.
 *
 * @param stream  borrowed.
 * @return borrowed from the stream; NULL with a queue before the head has come.
 * Threads: the reader's; waits without a queue. Since 0.1.
 */
MESH_API const struct mesh_response *mesh_stream_response(struct mesh_stream *stream);

/**
 * Free a stream; what is unfinished is reset. With a queue no event of its tag comes after it.
 *
 * @param stream  consumed; NULL is fine.
 * Threads: any, while nobody else uses the stream. Since 0.1.
 */
MESH_API void mesh_stream_free(struct mesh_stream *stream);

MESH_END_DECLS

#endif
