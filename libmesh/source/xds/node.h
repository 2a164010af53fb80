/* SPDX-License-Identifier: Apache-2.0 */
/* Who we are to a control plane: the Node message that requests and load reports begin with. Pure. */
#ifndef SOURCE_XDS_NODE_H
#define SOURCE_XDS_NODE_H

#include "proto/core.pb-c.h"
#include "source/xds/bootstrap.h"

/* Metadata of more levels, or larger, is refused: servers do not read it either. */
enum { NODE_DEPTH = 32 };

/* `region` and `zone` win over the bootstrap's where they are not "" or NULL; a zone that is not the bootstrap's has no sub-zone
 * of it. *out: given back with wire_free(&out->base). MESH_ERR_INVALID (metadata), MESH_ERR_NOMEM. */
int32_t node_message(const struct bootstrap_node *node, const char *region, const char *zone, Core__Node **out,
                     struct fault *fault);

#endif
