/* SPDX-License-Identifier: Apache-2.0 */
/* JSON text for log lines and for describing things: a writer that sets the commas. */
#include "observe/observe.h"

#include <stdio.h>
#include <string.h>

#include "observe/escape.h"

/* A bit of has_items for each level. */
enum { DEEPEST = 63 };

bool json_text(struct buf *out, const char *text, size_t len, size_t most)
{
    bool cut = most > 0 && len > most;
    bool never;
    char *room;
    size_t n = 0;

    if (cut)
        len = escape_boundary(text, most);
    if (len > (SIZE_MAX - 8) / ESCAPE_GROWTH)
        return false;
    room = (char *) buf_room(out, len * ESCAPE_GROWTH + sizeof "\"\"" + sizeof ESCAPE_CUT);
    if (!room)
        return false;
    room[n++] = '"';
    n += escape(room + n, len * ESCAPE_GROWTH, text, len, &never);
    if (cut) {
        memcpy(room + n, ESCAPE_CUT, sizeof ESCAPE_CUT - 1);
        n += sizeof ESCAPE_CUT - 1;
    }
    room[n++] = '"';
    buf_added(out, n);
    return true;
}

static void put(struct json_writer *w, const char *text)
{
    if (!w->failed && !buf_append_text(&w->out, text))
        w->failed = true;
}

/* The comma before a key or an element, unless it is the first or belongs to a key. */
static void begin_item(struct json_writer *w)
{
    uint64_t level = UINT64_C(1) << w->depth;

    if (w->after_key) {
        w->after_key = false;
        return;
    }
    if (w->has_items & level)
        put(w, ",");
    w->has_items |= level;
}

void json_begin(struct json_writer *w, char bracket)
{
    begin_item(w);
    put(w, bracket == '{' ? "{" : "[");
    if (w->depth == DEEPEST) {
        w->failed = true;
        return;
    }
    w->depth++;
    w->has_items &= ~(UINT64_C(1) << w->depth);
}

void json_end(struct json_writer *w, char bracket)
{
    put(w, bracket == '}' ? "}" : "]");
    if (w->depth > 0)
        w->depth--;
}

void json_key(struct json_writer *w, const char *key)
{
    begin_item(w);
    if (!w->failed && !json_text(&w->out, key, strlen(key), 0))
        w->failed = true;
    put(w, ":");
    w->after_key = true;
}

void json_quoted(struct json_writer *w, const char *text)
{
    begin_item(w);
    if (!text) {
        put(w, "null");
        return;
    }
    if (!w->failed && !json_text(&w->out, text, strlen(text), 0))
        w->failed = true;
}

void json_number(struct json_writer *w, int64_t number)
{
    begin_item(w);
    if (!w->failed && !buf_printf(&w->out, "%lld", (long long) number))
        w->failed = true;
}

void json_put_text(struct json_writer *w, const char *key, const char *text)
{
    json_key(w, key);
    json_quoted(w, text);
}

void json_put_number(struct json_writer *w, const char *key, uint64_t number)
{
    json_key(w, key);
    json_number(w, (int64_t) number);
}

void json_bool(struct json_writer *w, bool value)
{
    begin_item(w);
    put(w, value ? "true" : "false");
}

void json_raw(struct json_writer *w, const char *json)
{
    begin_item(w);
    put(w, json);
}

char *json_finish(struct json_writer *w)
{
    char *text = NULL;

    if (!w->failed && buf_len(&w->out) > 0)
        text = mem_strndup((const char *) buf_bytes(&w->out), buf_len(&w->out));
    buf_free(&w->out);
    *w = (struct json_writer){ 0 };
    return text;
}
