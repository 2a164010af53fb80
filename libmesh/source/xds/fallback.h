/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the control planes that stand in order are asked (gRFC A71). Pure. Private to source/xds/.
 *
 * The first is always asked. The next one is added when the last of those that are asked has failed - nobody to connect to, or a stream that
 * ended before its first answer - and something that is wanted has never come. All that were begun are tried again for ever; the first
 * answer of one ends those after it. */
#ifndef SOURCE_XDS_FALLBACK_H
#define SOURCE_XDS_FALLBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FALLBACK_MOST = 64 };

struct fallback {
    size_t n;        /* servers, at most FALLBACK_MOST */
    size_t n_asked;  /* the first so many */
    uint64_t failed; /* a bit each: it has, and has not answered since */
    bool lacks;      /* something that is wanted has never come */
};

void fallback_failed(struct fallback *fallback, size_t server);
/* True: the servers after this one are not asked any more. */
bool fallback_answered(struct fallback *fallback, size_t server);
/* One more is to be asked: n_asked is for the caller to raise when it is. */
bool fallback_wants_next(const struct fallback *fallback);
/* Nobody answers, and there is nobody else: what those who wait are to be told. */
bool fallback_is_lost(const struct fallback *fallback);

#endif
