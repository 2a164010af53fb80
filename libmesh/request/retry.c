/* SPDX-License-Identifier: Apache-2.0 */
/* The retry decision. The rules, and why they are so: docs/architecture.md, "What is retried". */
#include "request/retry.h"

/* Envoy takes every reset, failed connection and per-try timeout for a gateway's error. */
enum {
    ON_ANY_FAILURE = RETRY_5XX | RETRY_GATEWAY_ERROR,
    ON_GRPC = RETRY_GRPC_CANCELLED | RETRY_GRPC_DEADLINE_EXCEEDED | RETRY_GRPC_INTERNAL |
              RETRY_GRPC_RESOURCE_EXHAUSTED | RETRY_GRPC_UNAVAILABLE,
};

/* ---- answers ---- */

static bool has_retriable_status(const struct policy_retry *policy, int status)
{
    if (policy->on & RETRY_5XX && status >= 500 && status <= 599)
        return true;
    if (policy->on & RETRY_GATEWAY_ERROR && status >= 502 && status <= 504)
        return true;
    if (policy->on & RETRY_RETRIABLE_4XX && status == 409)
        return true;
    return policy->on & RETRY_STATUS_CODES && policy_has_status(&policy->statuses, status);
}

static bool has_retriable_grpc_status(uint32_t on, int status)
{
    static const struct {
        int status;
        uint32_t bit;
    } conditions[] = {
        { 1, RETRY_GRPC_CANCELLED }, { 4, RETRY_GRPC_DEADLINE_EXCEEDED }, { 8, RETRY_GRPC_RESOURCE_EXHAUSTED },
        { 13, RETRY_GRPC_INTERNAL }, { 14, RETRY_GRPC_UNAVAILABLE },
    };

    for (size_t i = 0; i < COUNT_OF(conditions); i++)
        if (conditions[i].status == status)
            return on & conditions[i].bit;
    return false;
}

bool retry_looks_at(const struct policy_retry *policy, int status)
{
    return policy->on & (ON_GRPC | RETRY_RATELIMITED) || has_retriable_status(policy, status);
}

bool retry_looks_at_trailers(const struct policy_retry *policy)
{
    return policy->on & ON_GRPC;
}

bool retry_wants(const struct retry_case *c)
{
    if (c->told.rate_limited)
        return c->policy->on & RETRY_RATELIMITED; /* nothing else is asked */
    return c->has_header || has_retriable_status(c->policy, c->status) ||
           has_retriable_grpc_status(c->policy->on, c->told.grpc_status);
}

static enum retry_verdict after_answer(const struct retry_case *c)
{
    if (!retry_wants(c))
        return VERDICT_NOT_LISTED;
    if (!c->idempotent)
        return VERDICT_NOT_IDEMPOTENT;
    return c->told.forbids ? VERDICT_FORBIDDEN : VERDICT_PAID;
}

/* ---- no answer ---- */

static bool is_connect_failure(int32_t err)
{
    return err == MESH_ERR_CONNECT || err == MESH_ERR_RESET || err == MESH_ERR_TIMEOUT;
}

/* No byte left: sending again is the first sending, whatever the method. A certificate that was refused stays refused. */
static enum retry_verdict after_not_sent(const struct retry_case *c)
{
    uint32_t conditions = RETRY_CONNECT_FAILURE | RETRY_RESET_BEFORE_REQUEST | ON_ANY_FAILURE;

    if (!is_connect_failure(c->err))
        return VERDICT_NO_USE;
    if (!(c->policy->on & conditions))
        return VERDICT_NOT_LISTED;
    return c->made == 1 ? VERDICT_FREE : VERDICT_PAID;
}

/* The peer says that it did nothing. A proxy may say so of what it has passed on (HAProxy does), so a request that must not be
 * executed twice takes this chance once. */
static enum retry_verdict after_refusal(const struct retry_case *c)
{
    if (!(c->policy->on & (RETRY_REFUSED_STREAM | ON_ANY_FAILURE)))
        return VERDICT_NOT_LISTED;
    if (c->refused_before)
        return c->idempotent ? VERDICT_PAID : VERDICT_NOT_IDEMPOTENT;
    return VERDICT_FREE;
}

static enum retry_verdict after_maybe(const struct retry_case *c)
{
    uint32_t conditions = ON_ANY_FAILURE | (c->per_try_timeout ? RETRY_TIMEOUT : RETRY_RESET);

    if (c->err != MESH_ERR_RESET && c->err != MESH_ERR_CONNECT && !c->per_try_timeout)
        return VERDICT_NO_USE;
    if (!(c->policy->on & conditions))
        return VERDICT_NOT_LISTED;
    return c->idempotent ? VERDICT_PAID : VERDICT_NOT_IDEMPOTENT;
}

enum retry_verdict retry_judge(const struct retry_case *c)
{
    if (c->chained)
        return VERDICT_CHAINED;
    if (c->barred)
        return VERDICT_BARRED;
    if (c->made >= c->most)
        return VERDICT_ATTEMPTS_USED;
    if (!c->replayable)
        return VERDICT_BODY_GONE;
    if (c->err == 0)
        return after_answer(c);
    if (c->reach == HTTP_NOT_SENT)
        return after_not_sent(c);
    if (c->reach == HTTP_REFUSED && c->policy->refused)
        return after_refusal(c);
    return after_maybe(c);
}

enum retry_answer retry_may(const struct retry_case *c)
{
    enum retry_verdict verdict = retry_judge(c);

    if (verdict == VERDICT_FREE)
        return RETRY_FREE;
    return verdict == VERDICT_PAID ? RETRY_PAID : RETRY_NO;
}

const char *retry_verdict_text(enum retry_verdict verdict)
{
    static const char *const texts[] = {
        [VERDICT_NONE] = "",
        [VERDICT_FREE] = "retried: free, since the peer did nothing with it",
        [VERDICT_PAID] = "retried: paid from the retry budget",
        [VERDICT_ATTEMPTS_USED] = "not retried: its attempts are used up",
        [VERDICT_CHAINED] = "not retried: it is itself the retry of somebody above",
        [VERDICT_BARRED] = "not retried: its route retries only requests with certain headers",
        [VERDICT_BODY_GONE] = "not retried: its body can no longer be sent from the first byte",
        [VERDICT_NOT_LISTED] = "not retried: retry.on does not name this",
        [VERDICT_NOT_IDEMPOTENT] = "not retried: it may have been executed, and is not idempotent",
        [VERDICT_FORBIDDEN] = "not retried: the peer forbids it",
        [VERDICT_NO_USE] = "not retried: another attempt would end the same way",
        [VERDICT_NO_TIME] = "not retried: too little of the request's time is left",
        [VERDICT_BUDGET_SPENT] = "not retried: the retry budget is spent",
    };

    return texts[verdict];
}

uint64_t retry_backoff_us(const struct policy_retry *policy, uint32_t retry, struct rand *dice)
{
    uint64_t most = policy->backoff_max_ms * US_PER_MS;
    uint64_t window = policy->backoff_base_ms * US_PER_MS;

    for (uint32_t i = 1; i < retry && window < most; i++)
        window *= 2;
    return rand_below(dice, (window < most ? window : most) + 1);
}
