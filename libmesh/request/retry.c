/* SPDX-License-Identifier: Apache-2.0 */
/* The retry decision. The rules, and why they are so: docs/architecture.md, "What is retried". */
#include "request/retry.h"

#include <string.h>
#include <time.h>

bool retry_status(uint32_t on, int status)
{
    if (on & RETRY_5XX && status >= 500)
        return true;
    if (on & RETRY_GATEWAY_ERROR && status >= 502 && status <= 504)
        return true;
    return on & RETRY_RETRIABLE_4XX && status == 409;
}

static bool is_connect_failure(int32_t err)
{
    return err == MESH_ERR_CONNECT || err == MESH_ERR_RESET || err == MESH_ERR_TIMEOUT;
}

/* No byte left: sending again is the first sending, whatever the method. A certificate that was refused stays refused. */
static enum retry_answer after_not_sent(const struct retry_case *c)
{
    if (!(c->policy->on & RETRY_CONNECT_FAILURE) || !is_connect_failure(c->err))
        return RETRY_NO;
    return c->made == 1 ? RETRY_FREE : RETRY_PAID;
}

/* The peer says that it did nothing. A proxy may say so of what it has passed on (HAProxy does), so a request that must not be
 * executed twice takes this chance once. */
static enum retry_answer after_refusal(const struct retry_case *c)
{
    if (!(c->policy->on & RETRY_REFUSED_STREAM))
        return RETRY_NO;
    if (c->refused_before)
        return c->idempotent ? RETRY_PAID : RETRY_NO;
    return RETRY_FREE;
}

static enum retry_answer after_maybe(const struct retry_case *c)
{
    uint32_t condition = c->per_try_timeout ? RETRY_TIMEOUT : RETRY_RESET;

    if (!c->idempotent || !(c->policy->on & condition))
        return RETRY_NO;
    if (c->err != MESH_ERR_RESET && c->err != MESH_ERR_CONNECT && !c->per_try_timeout)
        return RETRY_NO;
    return RETRY_PAID;
}

enum retry_answer retry_may(const struct retry_case *c)
{
    if (c->made >= c->most || c->chained || !c->replayable)
        return RETRY_NO;
    if (c->err == 0)
        return c->idempotent && retry_status(c->policy->on, c->status) ? RETRY_PAID : RETRY_NO;
    if (c->reach == HTTP_NOT_SENT)
        return after_not_sent(c);
    if (c->reach == HTTP_REFUSED && c->policy->refused)
        return after_refusal(c);
    return after_maybe(c);
}

uint64_t retry_backoff_us(const struct policy_retry *policy, uint32_t retry, struct rand *dice)
{
    uint64_t most = policy->backoff_max_ms * US_PER_MS;
    uint64_t window = policy->backoff_base_ms * US_PER_MS;

    for (uint32_t i = 1; i < retry && window < most; i++)
        window *= 2;
    return rand_below(dice, (window < most ? window : most) + 1);
}

uint64_t retry_after_us(const char *value, uint64_t now_s)
{
    struct tm date = { 0 };
    uint64_t seconds;
    const char *end;
    time_t at;

    if (text_to_u64(value, strlen(value), &seconds))
        return seconds < UINT64_MAX / US_PER_S ? seconds * US_PER_S : 0;
    end = strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &date);
    if (!end || *end != '\0')
        return 0;
    at = timegm(&date);
    return at > 0 && (uint64_t) at > now_s ? ((uint64_t) at - now_s) * US_PER_S : 0;
}
