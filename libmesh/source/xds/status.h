/* SPDX-License-Identifier: Apache-2.0 */
/* What there is of the control planes, for people (`mesh xds status`, `mesh xds dump`) and for machines (CSDS). Pure: a store in, bytes
 * or JSON out; whoever calls is inside the source's loop. Private to source/xds/. */
#ifndef SOURCE_XDS_STATUS_H
#define SOURCE_XDS_STATUS_H

#include "observe/observe.h"
#include "proto/core.pb-c.h"
#include "source/xds/store.h"

/* A ClientStatusRequest. MESH_ERR_INVALID: node_matchers, which are for servers that know several clients; MESH_ERR_PROTOCOL. */
int32_t status_read_request(const uint8_t *bytes, size_t len, bool *with_contents, struct fault *fault);
/* Appends a ClientStatusResponse. Contents are left out where they are not kept (endpoints), or hold a private key. MESH_ERR_NOMEM. */
int32_t status_write_response(const struct store *store, const Core__Node *node, bool with_contents, struct buf *out,
                              struct fault *fault);
/* An array of objects, one a resource: by type, then by name. */
void status_json(struct json_writer *w, const struct store *store);

/* In that order; from mem_alloc(). NULL: out of memory. */
const struct resource **status_sorted(const struct store *store, size_t *n);

#endif
