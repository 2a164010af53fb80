/* SPDX-License-Identifier: Apache-2.0 */
/* A list of free blocks for each power of two. */
#include "base/spare.h"

#include <stdalign.h>
#include <string.h>

#include "base/mem.h"

enum { SMALLEST_LOG2 = 5, LARGE = SPARE_RANKS };

/* Stands before the bytes that the user has. */
struct spare_block {
    alignas(max_align_t) struct spare_block *next; /* while it is kept */
    uint32_t rank;
};

static uint32_t rank_of(size_t whole)
{
    if (whole <= (size_t) 1 << SMALLEST_LOG2)
        return 0;
    if (whole > (size_t) 1 << (SMALLEST_LOG2 + SPARE_RANKS - 1))
        return LARGE;
    return (uint32_t) (64 - __builtin_clzll(whole - 1)) - SMALLEST_LOG2;
}

static size_t rank_size(uint32_t rank)
{
    return (size_t) 1 << (SMALLEST_LOG2 + rank);
}

static struct spare_block *take(struct spare *spare, uint32_t rank)
{
    struct spare_block *block = spare->blocks[rank];

    if (!block || mem_is_watched())
        return mem_alloc(rank_size(rank));
    spare->blocks[rank] = block->next;
    spare->bytes -= rank_size(rank);
    return block;
}

void *spare_alloc(struct spare *spare, size_t size)
{
    size_t whole;
    struct spare_block *block;
    uint32_t rank;

    if (__builtin_add_overflow(size, sizeof *block, &whole))
        return NULL;
    rank = rank_of(whole);
    block = rank == LARGE ? mem_alloc(whole) : take(spare, rank);
    if (!block)
        return NULL;
    block->rank = rank;
    return block + 1;
}

void *spare_array(struct spare *spare, size_t count, size_t size)
{
    size_t whole;
    void *bytes;

    if (__builtin_mul_overflow(count, size, &whole))
        return NULL;
    bytes = spare_alloc(spare, whole);
    return bytes ? memset(bytes, 0, whole) : NULL;
}

void spare_free(struct spare *spare, void *bytes)
{
    struct spare_block *block = bytes;
    uint32_t rank;

    if (!bytes)
        return;
    block--;
    rank = block->rank;
    if (rank == LARGE || mem_is_watched() || spare->bytes + rank_size(rank) > SPARE_MOST_BYTES) {
        mem_free(block);
        return;
    }
    block->next = spare->blocks[rank];
    spare->blocks[rank] = block;
    spare->bytes += rank_size(rank);
}

void *spare_realloc(struct spare *spare, void *bytes, size_t size)
{
    struct spare_block *block = bytes;
    size_t whole, room;
    void *bigger;

    if (!bytes)
        return spare_alloc(spare, size);
    block--;
    if (__builtin_add_overflow(size, sizeof *block, &whole))
        return NULL;
    if (block->rank == LARGE) {
        block = mem_realloc(block, whole);
        return block ? block + 1 : NULL;
    }
    room = rank_size(block->rank) - sizeof *block;
    if (size <= room)
        return bytes;
    bigger = spare_alloc(spare, size);
    if (!bigger)
        return NULL;
    memcpy(bigger, bytes, room);
    spare_free(spare, bytes);
    return bigger;
}

void spare_clear(struct spare *spare)
{
    for (uint32_t rank = 0; rank < SPARE_RANKS; rank++) {
        struct spare_block *block = spare->blocks[rank];

        while (block) {
            struct spare_block *next = block->next;

            mem_free(block);
            block = next;
        }
    }
    *spare = (struct spare){ 0 };
}
