/* SPDX-License-Identifier: Apache-2.0 */
/** @file mesh/log.h
 *  Where libmesh's own lines go when not to stderr or a file: to a function of the program.
 */
#ifndef MESH_LOG_H
#define MESH_LOG_H

#include <stddef.h>
#include <stdint.h>
#include <mesh/error.h>
#include <mesh/export.h>

MESH_BEGIN_DECLS

struct mesh_conf;

/** Levels of mesh_log_fn, as OpenTelemetry numbers severities. */
#define MESH_LOG_DEBUG 5
#define MESH_LOG_INFO  9
#define MESH_LOG_WARN  13
#define MESH_LOG_ERROR 17

/**
 * Receives one finished line. Called on whatever thread does I/O; must not wait and must not call libmesh.
 *
 * @param level  MESH_LOG_*.
 * @param event  stable name, for example "connection_closed"; "access" for the access log.
 * @param line   the whole line without a newline, borrowed for the call.
 * @param user   what mesh_conf_set_log() was given.
 */
typedef void (*mesh_log_fn)(int32_t level, const char *event, const char *line, void *user);

/**
 * Send the lines of clients made from this configuration to a function.
 *
 * @param conf  borrowed.
 * @param fn    NULL: back to where the configuration says.
 * @param user  handed to fn; must outlive the clients.
 * @return 0, MESH_ERR_INVALID.
 * Threads: one at a time for one conf. Since 0.1.
 */
MESH_API int32_t mesh_conf_set_log(struct mesh_conf *conf, mesh_log_fn fn, void *user);

MESH_END_DECLS

#endif
