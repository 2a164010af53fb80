/* SPDX-License-Identifier: Apache-2.0 */
/* Storing lines, writing them out, and counting those that nobody can take. */
#include "observe/sink.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

static bool half_is_empty(const struct sink_half *half)
{
    return half->start == half->end;
}

bool sink_is_empty(const struct sink *sink)
{
    return half_is_empty(&sink->front) && half_is_empty(&sink->back);
}

static void lose(struct sink *sink, uint64_t lines, int cause)
{
    atomic_store_explicit(&sink->cause, cause, memory_order_relaxed);
    atomic_fetch_add_explicit(&sink->dropped, lines, memory_order_relaxed);
}

void sink_add(struct sink *sink, const char *line, size_t len)
{
    struct sink_half *front = &sink->front;

    if (!front->bytes)
        front->bytes = mem_alloc(SINK_HALF);
    if (!front->bytes) {
        lose(sink, 1, ENOMEM);
        return;
    }
    if (len > SINK_HALF - front->end) {
        lose(sink, 1, ENOBUFS);
        return;
    }
    memcpy(front->bytes + front->end, line, len);
    front->end += len;
}

void sink_turn(struct sink *sink)
{
    struct sink_half empty = { .bytes = sink->back.bytes };

    if (!half_is_empty(&sink->back))
        return;
    sink->back = sink->front;
    sink->front = empty;
}

static uint64_t count_lines(const char *bytes, size_t len)
{
    uint64_t lines = 0;

    for (size_t i = 0; i < len; i++)
        lines += bytes[i] == '\n';
    return lines;
}

static void drop_back(struct sink *sink, int cause)
{
    struct sink_half *back = &sink->back;

    lose(sink, count_lines(back->bytes + back->start, back->end - back->start), cause);
    back->start = back->end = 0;
    sink->torn = sink->mid_line;
    sink->failing = true;
}

/* 0, or the errno that ended it. */
static int write_bytes(struct sink *sink, const char *bytes, size_t len, size_t *written)
{
    ssize_t n = target_write(&sink->target, bytes, len);

    *written = 0;
    if (n == -EINTR)
        return 0;
    if (n <= 0)
        return n == 0 ? EIO : (int) -n;
    *written = (size_t) n;
    sink->mid_line = bytes[n - 1] != '\n';
    return 0;
}

/* A line of which a part was written and the rest dropped gets its end, so that the next one stands alone. */
static int end_torn_line(struct sink *sink)
{
    size_t written;
    int error = 0;

    while (sink->torn && !error) {
        error = write_bytes(sink, "\n", 1, &written);
        sink->torn = written == 0;
    }
    return error;
}

/* Not in the middle of a line: its rest belongs where its beginning is. */
static void follow(struct sink *sink, uint64_t now_us)
{
    if (sink->mid_line && !sink->torn)
        return;
    if (target_follow(&sink->target, now_us))
        sink->mid_line = sink->torn = false;
}

bool sink_write(struct sink *sink, uint64_t now_us)
{
    struct sink_half *back = &sink->back;
    int error;

    if (half_is_empty(back))
        return true;
    follow(sink, now_us);
    error = end_torn_line(sink);
    while (!error && !half_is_empty(back)) {
        size_t written;

        error = write_bytes(sink, back->bytes + back->start, back->end - back->start, &written);
        back->start += written;
    }
    if (error == EAGAIN)
        return false;
    if (error)
        drop_back(sink, error);
    else
        sink->failing = false;
    back->start = back->end = 0;
    return true;
}

void sink_forget(struct sink *sink)
{
    sink->front.start = sink->front.end = 0;
    sink->back.start = sink->back.end = 0;
    sink->mid_line = sink->torn = false;
}

void sink_close(struct sink *sink)
{
    mem_free(sink->front.bytes);
    mem_free(sink->back.bytes);
    target_close(&sink->target);
}
