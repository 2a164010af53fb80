/* SPDX-License-Identifier: Apache-2.0 */
/* May a failed attempt be followed by another, at whose expense, and after how long? Pure. */
#ifndef REQUEST_RETRY_H
#define REQUEST_RETRY_H

#include "http/http.h"
#include "model/model.h"
#include "request/told.h"

/* How an attempt ended, and what the request is. */
struct retry_case {
    const struct policy_retry *policy;
    uint32_t made;         /* attempts so far, this one included */
    uint32_t most;         /* in all */
    bool idempotent;       /* by its method, or the caller says so */
    bool barred;           /* its route retries requests with certain headers only, and it has none of them */
    bool has_header;       /* the answer has one that its route retries */
    bool chained;          /* it is itself the retry of somebody above: never multiplied */
    bool replayable;       /* its body can be sent again from the first byte */
    bool refused_before;   /* an earlier attempt was retried after a refusal */
    int status;            /* of an HTTP answer; 0: it does not count, or none came */
    struct told told;      /* by that answer */
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

/* The same with the rule that decided; and what only a request knows (again.c). */
enum retry_verdict {
    VERDICT_NONE, /* nothing was asked: it was answered, or ended by our own side */
    VERDICT_FREE,
    VERDICT_PAID,
    VERDICT_ATTEMPTS_USED,
    VERDICT_CHAINED,
    VERDICT_BARRED,
    VERDICT_BODY_GONE,
    VERDICT_NOT_LISTED,
    VERDICT_NOT_IDEMPOTENT,
    VERDICT_FORBIDDEN,
    VERDICT_NO_USE, /* a refused certificate, a broken protocol, ... would be the same again */
    VERDICT_NO_TIME,
    VERDICT_BUDGET_SPENT,
};
enum retry_verdict retry_judge(const struct retry_case *c);
/* As a sentence: "retried: free, since the peer did nothing with it". "" of VERDICT_NONE. */
const char *retry_verdict_text(enum retry_verdict verdict);
/* Whether an answer is one that the policy retries; other things may speak against it. */
bool retry_wants(const struct retry_case *c);
/* Whether an answer with such a head may be one that the policy retries: worth reading what it says. */
bool retry_looks_at(const struct policy_retry *policy, int status);
/* The same for the trailers of an answer. */
bool retry_looks_at_trailers(const struct policy_retry *policy);
/* Full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter", 2015): 0 to base * 2^(retry - 1), at most max. */
uint64_t retry_backoff_us(const struct policy_retry *policy, uint32_t retry, struct rand *dice);

#endif
