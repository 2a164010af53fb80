/* SPDX-License-Identifier: Apache-2.0 */
/* Reading DNS messages. */
#include "net/resolver_wire.h"

#include <string.h>

/* A name has at most 127 labels, each of which may be behind a compression pointer. */
enum { MOST_POINTERS = 128, MOST_NAME = 253 };

struct wire wire_begin(const uint8_t *packet, size_t len)
{
    return (struct wire){ .packet = packet, .len = len };
}

static bool has(struct wire *w, size_t n)
{
    if (w->bad || n > w->len - w->at)
        w->bad = true;
    return !w->bad;
}

uint8_t wire_u8(struct wire *w)
{
    return has(w, 1) ? w->packet[w->at++] : 0;
}

uint16_t wire_u16(struct wire *w)
{
    uint16_t high = wire_u8(w);

    return (uint16_t) (high << 8 | wire_u8(w));
}

uint32_t wire_u32(struct wire *w)
{
    uint32_t high = wire_u16(w);

    return high << 16 | wire_u16(w);
}

struct wire_head wire_read_head(struct wire *w)
{
    struct wire_head head;

    head.id = wire_u16(w);
    head.flags = wire_u16(w);
    head.questions = wire_u16(w);
    head.answers = wire_u16(w);
    wire_u32(w); /* counts of the sections that nobody reads */
    return head;
}

/* ---- names ---- */

static bool is_plain(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

struct name_text {
    char *out;
    size_t len;
    bool odd;
};

static void add_label(struct wire *w, struct name_text *text, size_t n)
{
    if (!has(w, n))
        return;
    if (text->len + (text->len > 0) + n > MOST_NAME) {
        w->bad = true;
        return;
    }
    if (text->len > 0)
        text->out[text->len++] = '.';
    for (size_t i = 0; i < n; i++) {
        uint8_t c = w->packet[w->at++];

        if (c >= 'A' && c <= 'Z')
            c |= 0x20;
        text->odd |= !is_plain(c);
        text->out[text->len++] = (char) c;
    }
}

/* Pointers lead strictly back (RFC 1035: to a prior occurrence), so that no loop is possible; their number is limited so that
 * a message of nothing but pointers costs nothing either. */
void wire_name(struct wire *w, char out[WIRE_NAME])
{
    struct name_text text = { .out = out };
    size_t behind = 0, lowest = w->at;
    unsigned pointers = 0;

    for (;;) {
        uint8_t n = wire_u8(w);

        if (w->bad || n == 0)
            break;
        if (n < 64) {
            add_label(w, &text, n);
            continue;
        }
        size_t to = (size_t) (n & 63) << 8 | wire_u8(w);

        if (n < 192 || to >= lowest || ++pointers > MOST_POINTERS) {
            w->bad = true;
            break;
        }
        if (behind == 0)
            behind = w->at;
        lowest = w->at = to;
    }
    if (behind > 0)
        w->at = behind;
    text.out[w->bad ? 0 : text.len] = '\0';
    if (text.odd)
        memcpy(out, "?", 2);
}

void wire_question(struct wire *w, char name[WIRE_NAME], uint16_t *type)
{
    wire_name(w, name);
    *type = wire_u16(w);
    wire_u16(w);
}

bool wire_record(struct wire *w, struct wire_record *out)
{
    wire_name(w, out->owner);
    out->type = wire_u16(w);
    out->class = wire_u16(w);
    out->ttl = wire_u32(w);
    out->data_len = wire_u16(w);
    out->data = w->at;
    if (!has(w, out->data_len))
        return false;
    w->at += out->data_len;
    if (out->ttl > INT32_MAX)
        out->ttl = 0; /* RFC 2181 section 8 */
    return true;
}
