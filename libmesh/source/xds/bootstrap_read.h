/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the bootstrap, each from the object that holds it. Private to source/xds/bootstrap*.c. */
#ifndef SOURCE_XDS_BOOTSTRAP_READ_H
#define SOURCE_XDS_BOOTSTRAP_READ_H

#include "source/xds/bootstrap.h"
#include "source/xds/walk.h"

/* What was read when one fails is in the parts, to be given back with them. */
int32_t bootstrap_read_servers(struct walk *walk, const json_t *holder, struct bootstrap_servers *out);
int32_t bootstrap_read_node(struct walk *walk, const json_t *root, struct bootstrap_node *out);
int32_t bootstrap_read_authorities(struct walk *walk, const json_t *root, struct bootstrap *out);
int32_t bootstrap_read_providers(struct walk *walk, const json_t *root, struct bootstrap *out);
/* Members of `config`, which may be NULL. */
int32_t bootstrap_read_files(struct walk *walk, const json_t *config, struct bootstrap_files *out);

#endif
