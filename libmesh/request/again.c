/* SPDX-License-Identifier: Apache-2.0 */
/* Another attempt: decided by retry.c, paid from the cluster's budget, begun after a pause. */
#include "request/state.h"

/* ---- the next one begins ---- */

static void on_backoff_over(struct loop_timer *timer)
{
    struct request *request = CONTAINER_OF(timer, struct request, pause);

    request_set_state(request, REQUEST_ROUTING);
    request_begin_attempt(request);
}

/* The end of the turn in which an attempt failed: out of the connection's callbacks. */
static void on_retry(struct loop_later *later)
{
    struct request *request = CONTAINER_OF(later, struct request, retry);
    uint64_t now = loop_now_us(request->env->loop);

    attempt_end(request, request->attempt.verdict);
    loop_timer_cancel(request->env->loop, &request->pause);
    request_set_state(request, REQUEST_BACKOFF);
    if (request->retry_after_us == 0)
        on_backoff_over(&request->pause);
    else
        request_pause(request, on_backoff_over, now + request->retry_after_us);
}

/* ---- whether it does ---- */

/* Without memory for it the answer has none. */
static bool has_listed_header(const struct request *request, const struct mesh_response *response)
{
    const struct route_rules *rules = request->rules.route;
    struct mesh_header *headers;
    bool found = false;
    size_t n;

    if (rules->n_retry_headers == 0)
        return false;
    headers = response_headers(response, &n);
    for (size_t i = 0; headers && i < rules->n_retry_headers && !found; i++)
        found = route_header_matches(&rules->retry_headers[i], NULL, headers, n);
    mem_free(headers);
    return found;
}

static bool is_barred(const struct request *request)
{
    const struct route_rules *rules = request->rules.route;
    struct route_request what;

    if (rules->n_retry_request_headers == 0)
        return false;
    what = request_what(request);
    for (size_t i = 0; i < rules->n_retry_request_headers; i++)
        if (route_header_matches(&rules->retry_request_headers[i], &what, what.headers, what.n_headers))
            return false;
    return true;
}

static struct retry_case case_of(const struct request *request)
{
    return (struct retry_case){
        .policy = request->rules.retry,
        .made = request->made,
        .most = request->most,
        .idempotent = request->ask.idempotent || request->rules.is_obeyed,
        .barred = is_barred(request),
        .chained = request->ask.chained,
        .replayable = body_is_replayable(&request->body),
        .refused_before = request->refused_before,
        .told.grpc_status = GRPC_STATUS_NONE,
    };
}

static void note(struct request *request, enum retry_verdict verdict)
{
    if (request->attempt.traced)
        request->attempt.traced->verdict = verdict;
}

bool again_spend(struct request *request)
{
    const struct policy_retry *policy = &request->conf->policy.retry;
    struct budget_limits limits = { policy->budget_percent, policy->budget_per_second, policy->budget_min };

    return budget_spend(&request->cluster->shared->budget, &limits, loop_now_us(request->env->loop));
}

static bool is_covered(struct request *request, enum retry_answer answer)
{
    uint64_t now = loop_now_us(request->env->loop);

    if (answer == RETRY_FREE && !request->free_used && budget_mostly_succeeds(&request->cluster->shared->budget, now)) {
        request->free_used = true;
        return true;
    }
    note(request, VERDICT_PAID);
    if (again_spend(request))
        return true;
    request->flags |= FLAG_RETRY_BUDGET;
    note(request, VERDICT_BUDGET_SPENT);
    return false;
}

/* How long to wait: as the peer asks; not at all where nothing was done and it is likely to be done now: on another endpoint,
 * or on the connection that follows one whose peer said GOAWAY; else jittered. */
static uint64_t pause_before(struct request *request, enum retry_answer answer, const struct retry_case *c)
{
    struct rand *dice = loop_rand(request->env->loop);
    uint64_t reset_us = told_reset_us(request->response, request->rules.route, clock_wall_us() / US_PER_S);

    if (c->told.has_wait)
        return c->told.wait_us;
    if (c->err == 0 && reset_us > 0)
        return reset_us + rand_below(dice, reset_us / 2);
    if (answer == RETRY_FREE && (c->reach == HTTP_REFUSED || request->cluster->n_usable > request->made))
        return 0;
    return retry_backoff_us(request->rules.retry, ++request->retries, dice);
}

static bool try_again(struct request *request, const struct retry_case *c, enum attempt_outcome verdict)
{
    enum retry_answer answer;
    uint64_t wait;

    request->forbidden = request->forbidden || c->told.forbids;
    answer = request->forbidden ? RETRY_NO : retry_may(c);
    note(request, request->forbidden ? VERDICT_FORBIDDEN : retry_judge(c));
    if (answer == RETRY_NO) {
        if (c->made >= c->most && c->most > 1)
            request->flags |= FLAG_RETRY_LIMIT;
        return false;
    }
    wait = pause_before(request, answer, c);
    if (request_has_less(request, wait + REQUEST_LEAST_US)) {
        note(request, VERDICT_NO_TIME);
        return false;
    }
    if (!is_covered(request, answer))
        return false;
    if (request->attempt.traced)
        request->attempt.traced->wait_us = wait;
    request->retry_after_us = wait;
    request->refused_before = request->refused_before || c->reach == HTTP_REFUSED;
    request->attempt.given_up = true;
    request->attempt.verdict = verdict;
    request->retry.run = on_retry;
    loop_defer(request->env->loop, &request->retry);
    return true;
}

bool again_after_failure(struct request *request, int32_t err, enum http_reach reach)
{
    struct retry_case c = case_of(request);

    c.err = err;
    c.reach = reach;
    c.per_try_timeout = err == MESH_ERR_TIMEOUT;
    return try_again(request, &c, c.per_try_timeout ? ATTEMPT_LATE : ATTEMPT_FAILED);
}

/* ---- answers ---- */

static enum attempt_outcome outcome_of_status(int status)
{
    if (status >= 500)
        return ATTEMPT_FAILED;
    return status == 408 || status == 429 ? ATTEMPT_TURNED_AWAY : ATTEMPT_ANSWERED;
}

int again_status(const struct request *request)
{
    const struct mesh_response *response = request->response;
    int grpc_status;

    if (!request->ask.deadline.is_grpc || response->status != 200)
        return response->status;
    grpc_status = told_grpc_status(response);
    return grpc_status == GRPC_STATUS_NONE ? response->status : told_http_status(grpc_status);
}

enum attempt_outcome again_outcome(const struct request *request)
{
    return outcome_of_status(again_status(request));
}

/* `status`: 0 when the head has been judged already. */
static bool again_after_answer(struct request *request, int status)
{
    struct mesh_response *response = request->response;
    struct retry_case c = case_of(request);

    c.status = status;
    c.has_header = status > 0 && has_listed_header(request, response);
    c.reach = HTTP_MAYBE;
    c.told = told_read(response, clock_wall_us() / US_PER_S);
    if (!retry_wants(&c))
        return false;
    if (c.told.grpc_status > 0)
        fault_set(&response->fault, 0, "answered %d, grpc-status %d", response->status, c.told.grpc_status);
    else
        fault_set(&response->fault, 0, "answered %d", response->status);
    return try_again(request, &c, again_outcome(request));
}

bool again_after_head(struct request *request)
{
    if (!retry_looks_at(request->rules.retry, request->response->status) && request->rules.route->n_retry_headers == 0)
        return false;
    return again_after_answer(request, request->response->status);
}

bool again_after_trailers(struct request *request)
{
    if (request->response->n_trailers == 0 || !retry_looks_at_trailers(request->rules.retry))
        return false;
    return again_after_answer(request, 0);
}

bool again_after_whole(struct request *request)
{
    return again_after_answer(request, request->response->status);
}

bool again_is_usable(const struct request *request, const struct mesh_response *response)
{
    struct retry_case c = { .policy = request->rules.retry, .status = response->status };

    c.told = told_read(response, 0);
    c.has_header = has_listed_header(request, response);
    return !retry_wants(&c);
}
