/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that allocates: out of memory is an answer (NULL), never an abort, and tests can make any allocation fail. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *mem_alloc(size_t size);
void *mem_zalloc(size_t size);
void *mem_realloc(void *block, size_t size);
/* `count` zeroed elements; NULL also when count * size does not fit. */
void *mem_array(size_t count, size_t size);
char *mem_strdup(const char *text);
char *mem_strndup(const char *text, size_t len);
void mem_free(void *block);

/* For tests. From this call on blocks are counted, and the nth allocation fails (0: none does).
 * Counting is process-wide; with `then_all` every later allocation fails too. */
void mem_watch(uint64_t fail_nth, bool then_all);
/* Whoever keeps blocks to use them again does not, so that all are seen. */
bool mem_is_watched(void);
/* Ends the watch. Returns whether the nth allocation was reached; *live gets allocated minus freed blocks since it began. */
bool mem_unwatch(int64_t *live);

#endif
