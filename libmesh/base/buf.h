/* SPDX-License-Identifier: Apache-2.0 */
/* A growing run of bytes that is appended at the end and consumed at the front. Zeroed is empty. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    uint8_t *data; /* whole allocation */
    size_t start;  /* first byte not consumed */
    size_t end;    /* one past the last byte */
    size_t cap;
    bool is_lent; /* buf_lend() */
};

static inline size_t buf_len(const struct buf *b)
{
    return b->end - b->start;
}

/* NULL while nothing was ever put in. */
static inline const uint8_t *buf_bytes(const struct buf *b)
{
    return b->data ? b->data + b->start : NULL;
}

/* An empty one begins in its owner's memory; what outgrows that is copied into an allocation. */
static inline void buf_lend(struct buf *b, void *bytes, size_t len)
{
    *b = (struct buf){ .data = bytes, .cap = len, .is_lent = true };
}

/* Room for n more bytes at the end; NULL when out of memory. Tell buf_added() how many were written. */
uint8_t *buf_room(struct buf *b, size_t n);
void buf_added(struct buf *b, size_t n);
bool buf_append(struct buf *b, const void *bytes, size_t n);
bool buf_append_text(struct buf *b, const char *text);
bool buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* n at most buf_len(). Keeps the allocation. */
void buf_consume(struct buf *b, size_t n);
void buf_clear(struct buf *b);
void buf_free(struct buf *b);

#endif
