/* SPDX-License-Identifier: Apache-2.0 */
/** @file mesh/loop.h
 *  The threadless way in: the application's own event loop drives libmesh, which never starts a thread (configuration
 *  "threads" = "none").
 *
 *      poll(&(struct pollfd) { mesh_loop_fd(client), POLLIN, 0 }, 1, mesh_loop_timeout_ms(client));
 *      mesh_loop_process(client);
 *      n = mesh_queue_next(queue, events, 64, 0);
 */
#ifndef MESH_LOOP_H
#define MESH_LOOP_H

#include <stdint.h>
#include <mesh/error.h>
#include <mesh/export.h>

MESH_BEGIN_DECLS

struct mesh_client;

/**
 * The descriptor to watch for reading. It stays the same for the client's life, in one process.
 *
 * @param client  with "threads" = "none"; borrowed.
 * @return a descriptor that belongs to the client; MESH_ERR_INVALID (threads are on), MESH_ERR_IO, MESH_ERR_NOMEM.
 * Threads: any. Since 0.1.
 */
MESH_API int32_t mesh_loop_fd(struct mesh_client *client);

/**
 * How long the application's loop may wait at most before it calls mesh_loop_process(). Ask before each wait: it is 0 while a
 * queue of the client has events that were not taken.
 *
 * @param client  with "threads" = "none"; borrowed.
 * @return milliseconds; -1: no limit; below -1: MESH_ERR_INVALID.
 * Threads: any. Since 0.1.
 */
MESH_API int32_t mesh_loop_timeout_ms(struct mesh_client *client);

/**
 * Do what is due: read, write, timers. Does not wait.
 *
 * @param client  with "threads" = "none"; borrowed.
 * @return 0, MESH_ERR_INVALID.
 * Threads: any, one at a time. Since 0.1.
 */
MESH_API int32_t mesh_loop_process(struct mesh_client *client);

MESH_END_DECLS

#endif
