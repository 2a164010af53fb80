/* SPDX-License-Identifier: Apache-2.0 */
/* May a failed attempt be followed by another, at whose expense, and after how long? Pure. */
#ifndef REQUEST_RETRY_H
#define REQUEST_RETRY_H

#include "http/http.h"
#include "model/model.h"

/* How an attempt ended, and what the request is. */
struct retry_case {
    const struct policy_retry *policy;
    uint32_t made;         /* attempts so far, this one included */
    uint32_t most;         /* in all */
    bool idempotent;       /* by its method, or the caller says so */
    bool chained;          /* it is itself the retry of somebody above: never multiplied */
    bool replayable;       /* its body can be sent again from the first byte */
    bool refused_before;   /* an earlier attempt was retried after a refusal */
    int status;            /* of an HTTP answer; 0: none came */
    int32_t err;           /* of an attempt without a whole answer */
    enum http_reach reach; /* with err */
    bool per_try_timeout;  /* with err: its own time was over, not the request's */
};

enum retry_answer {
    RETRY_NO,
    RETRY_FREE, /* the peer did nothing with it: free while the service is mostly well, else from the budget */
    RETRY_PAID, /* from the budget */
};

enum retry_answer retry_may(const struct retry_case *c);
/* Whether an HTTP status is one that the policy retries. */
bool retry_status(uint32_t on, int status);
/* Full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter", 2015): 0 to base * 2^(retry - 1), at most max. */
uint64_t retry_backoff_us(const struct policy_retry *policy, uint32_t retry, struct rand *dice);
/* Seconds of a Retry-After header (RFC 9110 10.2.3: a number, or an HTTP date), as microseconds; 0: none or unreadable.
 * now_s is the wall clock, seconds since 1970. */
uint64_t retry_after_us(const char *value, uint64_t now_s);

#endif
