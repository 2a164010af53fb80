/* SPDX-License-Identifier: Apache-2.0 */
/* The growing byte buffer. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { SMALLEST = 256 };

static bool grow(struct buf *b, size_t wanted)
{
    size_t cap = b->cap ? b->cap : SMALLEST;
    uint8_t *data;

    while (cap < wanted) {
        if (cap > SIZE_MAX / 2)
            return false;
        cap *= 2;
    }
    data = mem_realloc(b->is_lent ? NULL : b->data, cap);
    if (!data)
        return false;
    if (b->is_lent && b->data)
        memcpy(data, b->data, b->end);
    b->is_lent = false;
    b->data = data;
    b->cap = cap;
    return true;
}

uint8_t *buf_room(struct buf *b, size_t n)
{
    if (!b->data)
        return grow(b, n) ? b->data : NULL;
    if (b->cap - b->end < n && b->start > 0) {
        memmove(b->data, b->data + b->start, buf_len(b));
        b->end -= b->start;
        b->start = 0;
    }
    if (n > SIZE_MAX - b->end)
        return NULL;
    if (b->cap - b->end < n && !grow(b, b->end + n))
        return NULL;
    return b->data + b->end;
}

void buf_added(struct buf *b, size_t n)
{
    b->end += n;
}

bool buf_append(struct buf *b, const void *bytes, size_t n)
{
    uint8_t *room = buf_room(b, n);

    if (!room)
        return false;
    if (n > 0)
        memcpy(room, bytes, n);
    b->end += n;
    return true;
}

bool buf_append_text(struct buf *b, const char *text)
{
    return buf_append(b, text, strlen(text));
}

bool buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    uint8_t *room;
    int n;

    va_start(args, format);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        return false;
    room = buf_room(b, (size_t) n + 1);
    if (!room)
        return false;
    va_start(args, format);
    vsnprintf((char *) room, (size_t) n + 1, format, args);
    va_end(args);
    b->end += (size_t) n;
    return true;
}

void buf_consume(struct buf *b, size_t n)
{
    b->start += n;
    if (b->start == b->end)
        b->start = b->end = 0;
}

void buf_clear(struct buf *b)
{
    b->start = b->end = 0;
}

void buf_free(struct buf *b)
{
    if (!b->is_lent)
        mem_free(b->data);
    *b = (struct buf){ 0 };
}
