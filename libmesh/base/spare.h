/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks that are used again by one owner: no lock, so all of it happens under the owner's.
 *
 * glibc keeps seven blocks of a size at hand for a thread. With 64 requests in flight most blocks come and go the slow way, at 300
 * instructions a block instead of the 30 here. What is kept is bounded, and given back with spare_clear(). */
#ifndef BASE_SPARE_H
#define BASE_SPARE_H

#include <stddef.h>
#include <stdint.h>

enum { SPARE_RANKS = 6, SPARE_MOST_BYTES = 64 << 10 }; /* of 32, 64, ... 1024 bytes, the head of each included */

/* Zeroed: none. */
struct spare {
    struct spare_block *blocks[SPARE_RANKS];
    size_t bytes;
};

/* As malloc() and so on; to be freed with spare_free() of the same one. */
void *spare_alloc(struct spare *spare, size_t size);
void *spare_array(struct spare *spare, size_t count, size_t size); /* zeroed */
void *spare_realloc(struct spare *spare, void *bytes, size_t size);
void spare_free(struct spare *spare, void *bytes);
/* Gives back what is kept. */
void spare_clear(struct spare *spare);

#endif
