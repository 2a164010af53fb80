/* SPDX-License-Identifier: Apache-2.0 */
/* One log line while it is being made: on the stack, without printf, never longer than its room. */
#ifndef OBSERVE_LINE_H
#define OBSERVE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Longest values in a line, escapes and the mark of a cut included. */
enum { LINE_TEXT_MOST = 256, LINE_PATH_MOST = 1024 };
enum { LINE_ROOM = 8192 };

struct line {
    size_t len;
    char text[LINE_ROOM]; /* the last byte is kept for what ends the line */
};

static inline size_t line_room(const struct line *line)
{
    return LINE_ROOM - 1 - line->len;
}

/* What does not fit is left out whole. */
static inline void line_bytes(struct line *line, const char *bytes, size_t n)
{
    if (n > line_room(line))
        return;
    memcpy(line->text + line->len, bytes, n);
    line->len += n;
}

static inline void line_put(struct line *line, const char *text)
{
    line_bytes(line, text, strlen(text));
}

void line_number(struct line *line, int64_t number);
/* Microseconds as milliseconds with three decimals. */
void line_millis(struct line *line, uint64_t us);
/* Microseconds since 1970 as RFC 3339 in UTC, with milliseconds. */
void line_time(struct line *line, uint64_t wall_us);
/* Between double quotes, escaped, cut at `most` bytes. NULL is empty. */
void line_quoted(struct line *line, const char *text, size_t len, size_t most);
/* As logfmt has it: bare when a reader can tell where it ends, else quoted. */
void line_logfmt(struct line *line, const char *text);

#endif
