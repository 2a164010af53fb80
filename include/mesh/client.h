/* SPDX-License-Identifier: Apache-2.0 */
/** @file mesh/client.h
 *  A client: configuration, connections and policies of one process (or of one part of it), shared by all its threads.
 *
 *      struct mesh_client *client;
 *      char why[256];
 *      if (mesh_client_new(NULL, &client, why, sizeof why) != 0)
 *          errx(1, "%s", why);
 *      ...
 *      mesh_client_free(client);
 *
 *  Nothing is opened, started or resolved before the first request. After fork() both processes go on using it; the
 *  child starts with fresh connections. Most programs need none of this: mesh_request(NULL, ...) uses the process's own.
 */
#ifndef MESH_CLIENT_H
#define MESH_CLIENT_H

#include <stddef.h>
#include <stdint.h>
#include <mesh/error.h>
#include <mesh/export.h>

MESH_BEGIN_DECLS

struct mesh_client;
struct mesh_conf;

/**
 * Make a client.
 *
 * @param conf     configuration, copied; NULL: what the environment says (mesh_conf_read_env()).
 * @param out      the client, owned by the caller (mesh_client_free()); NULL on failure.
 * @param err      where a sentence about a failure goes; NULL when err_len is 0.
 * @param err_len  bytes at err, the final NUL included.
 * @return 0; MESH_ERR_INVALID (the sentence names key, value and what is allowed), MESH_ERR_NOMEM, MESH_ERR_IO.
 * Threads: any. Since 0.1.
 */
MESH_API int32_t mesh_client_new(const struct mesh_conf *conf, struct mesh_client **out, char *err, size_t err_len);

/**
 * Let running requests end and refuse new ones (MESH_ERR_CLOSING). Connections close when their last stream has ended.
 *
 * @param client      borrowed.
 * @param timeout_ms  how long to wait, milliseconds; 0: do not wait.
 * @return 0: nothing runs any more; MESH_ERR_TIMEOUT: some still do (mesh_client_free() fails them); MESH_ERR_INVALID.
 * Threads: any; waits. Since 0.1.
 */
MESH_API int32_t mesh_client_drain(struct mesh_client *client, uint32_t timeout_ms);

/**
 * Free a client. What still runs fails with MESH_ERR_CLOSING; queues, calls and streams of it stay valid until they are
 * freed themselves, in any order.
 *
 * @param client  consumed; NULL is fine.
 * Threads: any; also while other threads wait in requests of it. Does not wait for the network. Since 0.1.
 */
MESH_API void mesh_client_free(struct mesh_client *client);

/**
 * What the client knows about a service, as one JSON object: the service resolved, its cluster's endpoints with zone,
 * state and reason, health, source, connections, requests in flight and latency (docs/explain.md). Of a control plane's
 * service it is the cluster that GET / goes to; others that its routes lead to are in "other_clusters".
 *
 * @param client   borrowed; NULL: the process's own.
 * @param service  name or target URI, borrowed; NULL: all services that are configured or were used.
 * @param connect  1: resolve names and open a connection to each endpoint first, so that states are known; 0: as it stands.
 * @param timeout_ms  how long connect may take.
 * @param out      JSON text, owned by the caller (mesh_string_free()); NULL on failure.
 * @return 0, MESH_ERR_INVALID, MESH_ERR_NO_ROUTE, MESH_ERR_DNS, MESH_ERR_CLOSING, MESH_ERR_NOMEM, MESH_ERR_IO.
 * Threads: any; waits. Since 0.1.
 */
MESH_API int32_t mesh_client_describe(struct mesh_client *client, const char *service, int32_t connect,
                                      uint32_t timeout_ms, char **out);

/**
 * Look a target up in the DNS, or a control plane's service by all that it leads to, and tell each step, as one JSON object.
 *
 * @param client   borrowed; NULL: the process's own.
 * @param target   a target URI or a name, borrowed.
 * @param timeout_ms  how long to wait, milliseconds.
 * @param out      JSON text, owned by the caller (mesh_string_free()); also set when the name was not resolved.
 * @return 0, MESH_ERR_INVALID, MESH_ERR_DNS, MESH_ERR_TIMEOUT, MESH_ERR_CLOSING, MESH_ERR_NOMEM, MESH_ERR_IO; of a control
 *         plane's service also MESH_ERR_NO_ROUTE, MESH_ERR_NO_HEALTHY, MESH_ERR_CONNECT and what else keeps it away.
 * Threads: any; waits. Since 0.1.
 */
MESH_API int32_t mesh_client_resolve(struct mesh_client *client, const char *target, uint32_t timeout_ms, char **out);

/**
 * The last requests that ended, at least 32 if there were so many, as a JSON array with the newest first. Each is an
 * object such as mesh_response_explanation() returns. Always recorded, at a price of some 50 ns a request.
 *
 * @param client   borrowed; NULL: the process's own.
 * @param out      JSON text, owned by the caller (mesh_string_free()); NULL on failure.
 * @return 0, MESH_ERR_INVALID, MESH_ERR_CLOSING, MESH_ERR_NOMEM, MESH_ERR_IO.
 * Threads: any. Since 0.1.
 */
MESH_API int32_t mesh_client_recent(struct mesh_client *client, char **out);

/**
 * What would happen to a request now, without sending it, as one JSON object: the service's cluster, the policy's values
 * with their origins, zones in order with the share that each keeps, and endpoints with state, reason, requests in
 * flight, latency, and whether they would be candidates. docs/explain.md tells the fields.
 *
 * @param client   borrowed; NULL: the process's own.
 * @param service  name or target URI, borrowed.
 * @param method   borrowed; NULL: "GET".
 * @param path     borrowed; NULL: "/".
 * @param timeout_ms  how long resolving the service's name may take, milliseconds.
 * @param out      JSON text, owned by the caller (mesh_string_free()). Also set when service, method or path cannot be:
 *                 its "error" tells what is wrong. NULL on other failures.
 * @return 0, MESH_ERR_INVALID, MESH_ERR_NO_ROUTE, MESH_ERR_TIMEOUT, MESH_ERR_CLOSING, MESH_ERR_NOMEM, MESH_ERR_IO.
 * Threads: any; waits for the name. Since 0.1.
 */
MESH_API int32_t mesh_client_explain(struct mesh_client *client, const char *service, const char *method,
                                     const char *path, uint32_t timeout_ms, char **out);

/**
 * Free a text that a function of this library handed out.
 *
 * @param text  consumed; NULL is fine.
 * Threads: any. Since 0.1.
 */
MESH_API void mesh_string_free(char *text);

MESH_END_DECLS

#endif
