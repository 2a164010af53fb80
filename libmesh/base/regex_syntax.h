/* SPDX-License-Identifier: Apache-2.0 */
/* What of a pattern RE2 would not know, or would read in another way than PCRE2. Private to base/. */
#ifndef BASE_REGEX_SYNTAX_H
#define BASE_REGEX_SYNTAX_H

#include <stddef.h>

enum { REGEX_NESTED_MOST = 100, REGEX_REPEATED_MOST = 1000 };

/* Half a sentence that says what is wrong, *at the byte where; NULL: nothing. What both refuse may be left to PCRE2. */
const char *regex_syntax_check(const char *pattern, size_t *at);

#endif
