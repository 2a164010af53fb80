/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in text, comparing without case, nearest names, making bytes printable. */
#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

bool text_to_u64(const char *text, size_t len, uint64_t *out)
{
    uint64_t value = 0;

    if (len == 0)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t) (text[i] - '0'), &value))
            return false;
    }
    *out = value;
    return true;
}

size_t text_from_u64(uint64_t value, char out[TEXT_U64])
{
    char digits[TEXT_U64];
    size_t at = sizeof digits - 1, len;

    digits[at] = '\0';
    do {
        digits[--at] = (char) ('0' + value % 10);
        value /= 10;
    } while (value > 0);
    len = sizeof digits - 1 - at;
    memcpy(out, digits + at, len + 1);
    return len;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char) (c + ('a' - 'A')) : c;
}

/* Most that are the same are it to the letter. */
static bool is_same(char a, char b)
{
    return a == b || lower(a) == lower(b);
}

bool text_equal_nocase_n(const char *a, size_t a_len, const char *b, size_t b_len)
{
    if (a_len != b_len)
        return false;
    if (memcmp(a, b, a_len) == 0) /* nearly always in the same case: 15 instructions instead of 12 a byte */
        return true;
    for (size_t i = 0; i < a_len; i++)
        if (!is_same(a[i], b[i]))
            return false;
    return true;
}

bool text_equal_nocase(const char *a, const char *b)
{
    while (*a != '\0' && is_same(*a, *b)) {
        a++;
        b++;
    }
    return *a == *b;
}

void text_lower(const char *text, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++)
        out[i] = lower(text[i]);
}

bool text_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Wagner-Fischer with one row; names longer than a row count as far apart. */
size_t text_distance(const char *a, const char *b)
{
    size_t row[128];
    size_t b_len = strlen(b);

    if (b_len >= sizeof row / sizeof *row)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            size_t best = diagonal + (lower(a[i - 1]) != lower(b[j - 1]));

            if (above + 1 < best)
                best = above + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[b_len];
}

static bool is_continuation(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

size_t text_utf8_length(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 2;
    if ((lead & 0xf0) == 0xe0)
        return 3;
    if (lead >= 0xf0 && lead <= 0xf4)
        return 4;
    return 0;
}

static bool allowed_code_point(uint32_t code, size_t len)
{
    if (len == 3)
        return code >= 0x800 && (code < 0xd800 || code > 0xdfff);
    if (len == 4)
        return code >= 0x10000 && code <= 0x10ffff;
    return true;
}

size_t text_decode(const unsigned char *at, size_t left, uint32_t *code)
{
    static const uint8_t lead_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    size_t len = text_utf8_length(at[0]);

    if (len == 0 || len > left)
        return 0;
    *code = at[0] & lead_bits[len];
    for (size_t i = 1; i < len; i++) {
        if (!is_continuation(at[i]))
            return 0;
        *code = *code << 6 | (at[i] & 0x3fU);
    }
    return allowed_code_point(*code, len) ? len : 0;
}

bool text_is_utf8(const char *text, size_t len)
{
    const unsigned char *at = (const unsigned char *) text, *end = at + len;
    uint32_t code;

    while (at < end) {
        size_t size = *at < 0x80 ? 1 : text_decode(at, (size_t) (end - at), &code);

        if (size == 0)
            return false;
        at += size;
    }
    return true;
}

const char *text_printable(const char *text, size_t len, char *out, size_t out_len)
{
    size_t used = 0;

    if (out_len == 0)
        return out;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char) text[i];
        char escaped[5];

        if (c == '"' || c == '\\')
            snprintf(escaped, sizeof escaped, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            snprintf(escaped, sizeof escaped, "\\x%02x", c);
        else
            snprintf(escaped, sizeof escaped, "%c", c);
        if (used + strlen(escaped) >= out_len)
            break;
        memcpy(out + used, escaped, strlen(escaped));
        used += strlen(escaped);
    }
    out[used] = '\0';
    return out;
}

void text_copy(char *out, size_t out_len, const char *text)
{
    size_t len = strnlen(text, out_len - 1);

    memcpy(out, text, len);
    out[len] = '\0';
}
