/* SPDX-License-Identifier: Apache-2.0 */
/* Base64: six bits a character. */
#include "grpc/base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool grpc_base64_write(struct buf *out, const void *bytes, size_t len)
{
    const uint8_t *from = bytes;
    uint32_t bits = 0;
    unsigned n_bits = 0;
    uint8_t *to = buf_room(out, len / 3 * 4 + 4);
    size_t n = 0;

    if (!to)
        return false;
    for (size_t i = 0; i < len; i++) {
        bits = (bits << 8 | from[i]) & 0xffff;
        for (n_bits += 8; n_bits >= 6; n_bits -= 6)
            to[n++] = (uint8_t) alphabet[bits >> (n_bits - 6) & 63];
    }
    if (n_bits > 0)
        to[n++] = (uint8_t) alphabet[bits << (6 - n_bits) & 63];
    buf_added(out, n);
    return true;
}

static size_t without_padding(const char *text, size_t len)
{
    if (len % 4 != 0 || len == 0 || text[len - 1] != '=')
        return len;
    return text[len - 2] == '=' ? len - 2 : len - 1;
}

/* -1: not of the alphabet. */
static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

size_t grpc_base64_size(const char *text, size_t len)
{
    len = without_padding(text, len);
    if (len % 4 == 1)
        return SIZE_MAX;
    for (size_t i = 0; i < len; i++)
        if (value_of(text[i]) < 0)
            return SIZE_MAX;
    return len / 4 * 3 + len % 4 * 3 / 4;
}

void grpc_base64_read(const char *text, size_t len, uint8_t *out)
{
    uint32_t bits = 0;
    unsigned n_bits = 0;

    len = without_padding(text, len);
    for (size_t i = 0; i < len; i++) {
        bits = (bits << 6 | (uint32_t) value_of(text[i])) & 0xffff;
        n_bits += 6;
        if (n_bits < 8)
            continue;
        n_bits -= 8;
        *out++ = (uint8_t) (bits >> n_bits);
    }
}
