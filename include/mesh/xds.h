/* SPDX-License-Identifier: Apache-2.0 */
/** @file mesh/xds.h
 *  What a client has of its control planes: for status pages, health endpoints, and tools.
 *
 *      char *text;
 *      if (mesh_client_xds(NULL, 0, 0, &text) == 0)
 *          puts(text);
 *      mesh_string_free(text);
 *
 *  docs/xds.md tells the fields, and how services come from a control plane. `mesh xds` prints the same.
 */
#ifndef MESH_XDS_H
#define MESH_XDS_H

#include <stddef.h>
#include <stdint.h>
#include <mesh/export.h>

MESH_BEGIN_DECLS

struct mesh_client;

/** For mesh_client_xds(). */
enum mesh_xds_flags {
    MESH_XDS_CONNECT = 1,  /**< connect to the control planes first, though no service was called yet */
    MESH_XDS_CONTENTS = 2, /**< with "contents": what stands in the resources; private keys are not shown */
};

/**
 * What the client has of its control planes, as one JSON object: node, control planes with their state and what was
 * accepted and refused of each type, resources with state, version, error and what of them is not honoured, services and
 * the clusters that they lead to. Without a control plane in the configuration its "is_configured" is false.
 *
 * @param client      borrowed; NULL: the process's own.
 * @param flags       of enum mesh_xds_flags.
 * @param timeout_ms  how long to wait until all that is wanted has been answered, or nobody answers; 0: as it stands.
 * @param out         JSON text, owned by the caller (mesh_string_free()), also when time is over; NULL on failure.
 * @return 0, MESH_ERR_TIMEOUT (something was not answered in time; *out is set), MESH_ERR_INVALID, MESH_ERR_CLOSING,
 *         MESH_ERR_NOMEM, MESH_ERR_IO.
 * Threads: any; waits. Since 0.1.
 */
MESH_API int32_t mesh_client_xds(struct mesh_client *client, uint32_t flags, uint32_t timeout_ms, char **out);

/**
 * The same for machines: envoy.service.status.v3.ClientStatusResponse, for a program that offers the Client Status Discovery
 * Service on a gRPC server of its own. Resources whose bytes hold a private key, and endpoints, are without contents.
 *
 * @param client       borrowed; NULL: the process's own.
 * @param request      a ClientStatusRequest as it came, borrowed; NULL with 0 bytes: an empty one.
 * @param request_len  bytes at request.
 * @param out          the response's bytes, owned by the caller (mesh_string_free()); NULL on failure.
 * @param out_len      how many.
 * @return 0, MESH_ERR_INVALID (also of node_matchers), MESH_ERR_PROTOCOL (no such message), MESH_ERR_CLOSING, MESH_ERR_NOMEM,
 *         MESH_ERR_IO.
 * Threads: any. Since 0.1.
 */
MESH_API int32_t mesh_client_csds(struct mesh_client *client, const void *request, size_t request_len, void **out,
                                  size_t *out_len);

MESH_END_DECLS

#endif
