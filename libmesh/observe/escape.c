/* SPDX-License-Identifier: Apache-2.0 */
/* Escaping for JSON strings, with a fast way for plain ASCII, which nearly everything is. */
#include "observe/escape.h"

#include <stdint.h>
#include <string.h>

#include "base/text.h"

/* Written instead of bytes that are no UTF-8. */
static const char replacement[] = "\xef\xbf\xbd";

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static bool is_continuation(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* Controls (also the C1 ones, which terminals obey), what counts as a line end, and what turns the direction of text. */
static bool must_be_named(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069);
}

static size_t name_code_point(char *out, uint32_t code)
{
    static const char digits[] = "0123456789abcdef";

    memcpy(out, "\\u", 2);
    for (int i = 0; i < 4; i++)
        out[2 + i] = digits[code >> (12 - 4 * i) & 0xf];
    return 6;
}

static size_t escape_special(char *out, uint32_t code)
{
    static const char letters[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\'
    };

    if (code >= sizeof letters || letters[code] == 0)
        return name_code_point(out, code);
    out[0] = '\\';
    out[1] = letters[code];
    return 2;
}

/* The character at `at` as it is written; *used gets how much of the input it was. */
static size_t translate(char out[ESCAPE_GROWTH], const unsigned char *at, size_t left, size_t *used)
{
    uint32_t code;

    *used = text_decode(at, left, &code);
    if (*used == 0) {
        *used = 1;
        memcpy(out, replacement, sizeof replacement - 1);
        return sizeof replacement - 1;
    }
    if (code == '"' || code == '\\' || must_be_named(code))
        return escape_special(out, code);
    memcpy(out, at, *used);
    return *used;
}

size_t escape(char *out, size_t room, const char *text, size_t len, bool *cut)
{
    const unsigned char *in = (const unsigned char *) text;
    size_t at = 0, written = 0;

    *cut = false;
    while (at < len) {
        char one[ESCAPE_GROWTH];
        size_t used, n;

        if (is_plain(in[at]) && written < room) {
            out[written++] = text[at++];
            continue;
        }
        n = translate(one, in + at, len - at, &used);
        if (n > room - written) {
            *cut = true;
            break;
        }
        memcpy(out + written, one, n);
        written += n;
        at += used;
    }
    return written;
}

size_t escape_boundary(const char *text, size_t len)
{
    size_t start = len;

    while (start > 0 && len - start < 3 && is_continuation((unsigned char) text[start - 1]))
        start--;
    if (start == 0)
        return len;
    /* text[start - 1] leads the last character, which is whole or not. */
    if (text_utf8_length((unsigned char) text[start - 1]) > len - start + 1)
        return start - 1;
    return len;
}
