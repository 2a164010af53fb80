/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation through one door, with a failure switch for tests. */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static _Atomic bool watching;
static _Atomic bool fail_all_after;
static _Atomic uint64_t fail_at;
static _Atomic uint64_t asked;
static _Atomic int64_t live_blocks;

static bool must_fail(void)
{
    uint64_t nth = atomic_fetch_add(&asked, 1) + 1;
    uint64_t at = atomic_load(&fail_at);

    return at != 0 && (nth == at || (nth > at && atomic_load(&fail_all_after)));
}

static bool refused(void)
{
    return atomic_load_explicit(&watching, memory_order_relaxed) && must_fail();
}

static void *counted(void *block)
{
    if (block && atomic_load_explicit(&watching, memory_order_relaxed))
        atomic_fetch_add(&live_blocks, 1);
    return block;
}

void *mem_alloc(size_t size)
{
    if (refused())
        return NULL;
    return counted(malloc(size ? size : 1));
}

void *mem_zalloc(size_t size)
{
    return mem_array(1, size ? size : 1);
}

/* glibc's calloc() passes by the per-thread cache that makes small blocks cheap. */
enum { SMALL = 1024 };

void *mem_array(size_t count, size_t size)
{
    size_t whole;
    void *block;

    if (refused() || __builtin_mul_overflow(count, size, &whole))
        return NULL;
    if (whole > SMALL)
        return counted(calloc(1, whole));
    block = malloc(whole ? whole : 1);
    if (block)
        memset(block, 0, whole);
    return counted(block);
}

void *mem_realloc(void *block, size_t size)
{
    if (!block)
        return mem_alloc(size);
    if (refused())
        return NULL;
    return realloc(block, size ? size : 1);
}

char *mem_strndup(const char *text, size_t len)
{
    char *copy = mem_alloc(len + 1);

    if (!copy)
        return NULL;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *mem_strdup(const char *text)
{
    return mem_strndup(text, strlen(text));
}

void mem_free(void *block)
{
    if (!block) /* twelve times a request */
        return;
    if (atomic_load_explicit(&watching, memory_order_relaxed))
        atomic_fetch_sub(&live_blocks, 1);
    free(block);
}

void mem_watch(uint64_t fail_nth, bool then_all)
{
    atomic_store(&asked, 0);
    atomic_store(&live_blocks, 0);
    atomic_store(&fail_at, fail_nth);
    atomic_store(&fail_all_after, then_all);
    atomic_store(&watching, true);
}

bool mem_is_watched(void)
{
    return atomic_load_explicit(&watching, memory_order_relaxed);
}

bool mem_unwatch(int64_t *live)
{
    atomic_store(&watching, false);
    if (live)
        *live = atomic_load(&live_blocks);
    return atomic_load(&fail_at) != 0 && atomic_load(&asked) >= atomic_load(&fail_at);
}
