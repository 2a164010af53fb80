/* SPDX-License-Identifier: Apache-2.0 */
/* How long to wait before a control plane is tried again. Pure: time and dice are arguments. Private to source/xds/.
 *
 * Failures double the wait from BACKOFF_FIRST_MS to BACKOFF_LONGEST_MS; what is waited lies evenly between a tenth of that and all of it,
 * so that hundreds of clients do not come back together. A stream that ends after an answer is no failure (gRFC A57): the next one begins
 * at once, spread over BACKOFF_SPREAD_MS. One that did not even last BACKOFF_LASTING_MS may do so once; then its wait doubles as well, or a
 * server that ends every stream would be asked without pause. */
#ifndef SOURCE_XDS_BACKOFF_H
#define SOURCE_XDS_BACKOFF_H

#include <stdint.h>

enum {
    BACKOFF_FIRST_MS = 500,
    BACKOFF_LONGEST_MS = 30000,
    BACKOFF_SPREAD_MS = 200,
    BACKOFF_LASTING_MS = 1000,
};

/* Zeroed is fresh. */
struct backoff {
    uint32_t failures;    /* in a row, without an answer */
    uint32_t short_lived; /* streams in a row that had an answer and did not last */
};

/* An answer has come: failures are forgotten. */
void backoff_answered(struct backoff *backoff);
/* Both return microseconds. */
uint64_t backoff_after_failure(struct backoff *backoff, uint64_t dice);
uint64_t backoff_after_answers(struct backoff *backoff, uint64_t lasted_us, uint64_t dice);

#endif
