/* SPDX-License-Identifier: Apache-2.0 */
/* A walk through gRPC's bootstrap JSON that knows where it is, so that every complaint names line and path. Private to
 * source/xds/bootstrap*.c. */
#ifndef SOURCE_XDS_WALK_H
#define SOURCE_XDS_WALK_H

#include <jansson.h>

#include "base/base.h"

enum { WALK_DEPTH = 12, WALK_INDEX = 16 };

struct walk {
    const char *text, *from;
    struct fault *fault;
    const char *path[WALK_DEPTH]; /* names, and "[3]" */
    char indexes[WALK_DEPTH][WALK_INDEX];
    size_t depth;
};

void walk_enter(struct walk *walk, const char *name);
void walk_enter_index(struct walk *walk, size_t index);
void walk_leave(struct walk *walk);

/* MESH_ERR_INVALID: "file F, line 7: xds_servers[0].server_uri: " and the words. */
int32_t walk_wrong(const struct walk *walk, const char *format, ...) __attribute__((format(printf, 2, 3)));
int32_t walk_no_memory(const struct walk *walk);

/* A member of `object`; absent or null: NULL. It is of another type: refused. */
int32_t walk_member(struct walk *walk, const json_t *object, const char *name, json_type type, json_t **out);
/* The member's text from mem_alloc(), or a copy of `standard`, or NULL if that is. */
int32_t walk_text(struct walk *walk, const json_t *object, const char *name, const char *standard, char **out);

#endif
