/* SPDX-License-Identifier: Apache-2.0 */
/* What of a pattern RE2 would not know, or would read in another way than PCRE2. Private to base/. */
#ifndef BASE_REGEX_SYNTAX_H
#define BASE_REGEX_SYNTAX_H

#include <stddef.h>

#include "base/buf.h"

enum { REGEX_NESTED_MOST = 100, REGEX_REPEATED_MOST = 1000 };

/* Half a sentence that says what is wrong, *at the byte where; NULL: nothing. What both refuse may be left to PCRE2.
 *
 * `plain` gets the pattern as it is best for pcre2_dfa_match(): "aa*" for "a+" and "a+?", which match the same texts as a whole.
 * (It counts how often "+" has matched, so that one state becomes as many as the text has characters.) */
const char *regex_syntax_check(const char *pattern, struct buf *plain, size_t *at);
extern const char regex_no_memory[]; /* what is wrong when there is no memory for `plain` */

#endif
