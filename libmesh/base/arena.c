/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks that are filled from the front; what is large gets a block of its own behind the one being filled. */
#include "base/arena.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"

enum { BLOCK = 8 << 10, ALIGNMENT = 16 };

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    _Alignas(ALIGNMENT) unsigned char bytes[];
};

struct arena {
    struct arena_block *blocks; /* the first one is being filled */
};

struct arena *arena_new(void)
{
    return mem_zalloc(sizeof(struct arena));
}

static struct arena_block *block_new(size_t size)
{
    struct arena_block *block = size <= SIZE_MAX - sizeof *block ? mem_alloc(sizeof *block + size) : NULL;

    if (block)
        *block = (struct arena_block){ .size = size };
    return block;
}

static void *alloc_large(struct arena *arena, size_t size)
{
    struct arena_block *block = block_new(size);

    if (!block)
        return NULL;
    block->used = size;
    if (!arena->blocks) {
        arena->blocks = block;
        return block->bytes;
    }
    block->next = arena->blocks->next;
    arena->blocks->next = block;
    return block->bytes;
}

static void *alloc_small(struct arena *arena, size_t size)
{
    struct arena_block *block = arena->blocks;

    if (!block || block->size - block->used < size) {
        block = block_new(BLOCK);
        if (!block)
            return NULL;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    block->used += size;
    return block->bytes + block->used - size;
}

static void *take(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX - ALIGNMENT)
        return NULL;
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return size > BLOCK / 4 ? alloc_large(arena, size) : alloc_small(arena, size);
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    size_t whole;
    void *elements;

    if (__builtin_mul_overflow(count, size, &whole))
        return NULL;
    elements = take(arena, whole ? whole : 1);
    return elements ? memset(elements, 0, whole) : NULL;
}

char *arena_text(struct arena *arena, const char *text, size_t len)
{
    char *copy = len < SIZE_MAX ? take(arena, len + 1) : NULL;

    if (!copy)
        return NULL;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

void arena_free(struct arena *arena)
{
    struct arena_block *next;

    if (!arena)
        return;
    for (struct arena_block *block = arena->blocks; block; block = next) {
        next = block->next;
        mem_free(block);
    }
    mem_free(arena);
}
