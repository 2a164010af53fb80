/* SPDX-License-Identifier: Apache-2.0 */
/* Strangers' bytes made safe to stand in one line: the inside of a JSON string, which logfmt shares. */
#ifndef OBSERVE_ESCAPE_H
#define OBSERVE_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

/* One input byte never becomes more output bytes than this. */
enum { ESCAPE_GROWTH = 6 };

/* Stands at the end of what was cut. */
#define ESCAPE_CUT "\xe2\x80\xa6" /* U+2026, an ellipsis */

/* Writes `text` for use between double quotes: valid UTF-8 whatever came in, no control character, nothing that breaks
 * or reorders a line. Stops before a character that does not fit in `room`, and sets *cut. No NUL is added.
 * Returns the bytes written. */
size_t escape(char *out, size_t room, const char *text, size_t len, bool *cut);
/* At most `len`, and not in the middle of a character. */
size_t escape_boundary(const char *text, size_t len);

#endif
