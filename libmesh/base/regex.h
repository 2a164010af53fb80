/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions as RE2 has them, which is what control planes write: nothing looks around or back. A pattern may come
 * from anybody: time and memory are bounded whatever it is, and whatever the text. */
#ifndef BASE_REGEX_H
#define BASE_REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fault.h"

struct regex; /* immutable, any thread */

enum { REGEX_MOST = 16 << 10 }; /* bytes of a pattern */

enum regex_use { REGEX_TO_MATCH, REGEX_TO_REPLACE };

/* MESH_ERR_INVALID: the sentence says what RE2 does not allow, and where; MESH_ERR_NOMEM. */
int32_t regex_new(const char *pattern, enum regex_use use, struct regex **out, struct fault *fault);
void regex_free(struct regex *regex); /* NULL is fine */

/* The whole text, as it is. Nothing matches a text that is not UTF-8, nor one that would need more than is allowed (only
 * patterns do that whose alternatives go on side by side, on long texts). */
bool regex_matches(const struct regex *regex, const char *text, size_t len);

/* \0 to \9 are groups of the pattern, "\\" is a backslash. MESH_ERR_INVALID: other escapes, or there is no such group. */
int32_t regex_check_substitution(const struct regex *regex, const char *substitution, struct fault *fault);
/* Appends the text with every match replaced. Of REGEX_TO_REPLACE, with a substitution that was checked. MESH_ERR_NOMEM;
 * MESH_ERR_TOO_LARGE: that would need too many steps. What was appended is then of no use. */
int32_t regex_replace(const struct regex *regex, const char *text, size_t len, const char *substitution,
                      struct buf *out);

#endif
