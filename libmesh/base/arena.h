/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of many small things that live and end together. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena;

/* Empty. NULL: out of memory. */
struct arena *arena_new(void);
/* `count` zeroed elements, aligned for anything. NULL: out of memory, or count * size does not fit. */
void *arena_array(struct arena *arena, size_t count, size_t size);
/* A copy with a NUL behind it. NULL: out of memory. */
char *arena_text(struct arena *arena, const char *text, size_t len);
void arena_free(struct arena *arena); /* NULL is fine */

#endif
