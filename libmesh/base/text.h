/* SPDX-License-Identifier: Apache-2.0 */
/* Small questions about text that libc has no safe answer for. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Decimal digits only, all of them, no sign or space. False: not a number, or too large. */
bool text_to_u64(const char *text, size_t len, uint64_t *out);
enum { TEXT_U64 = 21 };
/* In decimal digits; returns how many. */
size_t text_from_u64(uint64_t value, char out[TEXT_U64]);
/* ASCII only, whatever the locale. */
bool text_equal_nocase(const char *a, const char *b);
bool text_equal_nocase_n(const char *a, size_t a_len, const char *b, size_t b_len);
/* The same for a literal: its length, which the compiler knows, says no in two instructions. */
static inline bool text_is(const char *text, size_t len, const char *literal)
{
    return len == strlen(literal) && text_equal_nocase_n(text, len, literal, len);
}
/* The ASCII letters of `len` bytes made small; out may be text, and gets no NUL. */
void text_lower(const char *text, size_t len, char *out);
bool text_starts_with(const char *text, const char *prefix);
/* Edits (insert, delete, replace) from one text to the other: for "did you mean". */
size_t text_distance(const char *a, const char *b);
/* Bytes of the UTF-8 character that its first one announces; 0: it cannot lead (RFC 3629 section 4). */
size_t text_utf8_length(unsigned char lead);
/* Bytes of the UTF-8 character at `at`, its number in *code; 0: no valid one begins there. `left` is not 0. */
size_t text_decode(const unsigned char *at, size_t left, uint32_t *code);
bool text_is_utf8(const char *text, size_t len);
/* Copies with quotes and control bytes escaped as in C, so that a stranger's bytes can stand in one line.
 * Cuts at out_len - 1. Returns out. */
const char *text_printable(const char *text, size_t len, char *out, size_t out_len);
/* Copies, cutting at out_len - 1; out_len is not 0. */
void text_copy(char *out, size_t out_len, const char *text);

#endif
