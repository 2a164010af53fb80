/* SPDX-License-Identifier: Apache-2.0 */
/* The state machine of a request: from one state to the next, and what each failure leads to. */
#include "request/request.h"

#include <assert.h>
#include <string.h>

#include "request/load.h"
#include "request/overload.h"
#include "request/state.h"

/* Which states may follow which; a bit per state. REQUEST_DONE may follow any. */
static const uint8_t may_follow[] = {
    [REQUEST_NEW] = 1 << REQUEST_ROUTING,
    [REQUEST_ROUTING] = 1 << REQUEST_LEASING | 1 << REQUEST_OPEN | 1 << REQUEST_BACKOFF,
    [REQUEST_LEASING] = 1 << REQUEST_OPEN | 1 << REQUEST_BACKOFF,
    [REQUEST_OPEN] = 1 << REQUEST_LEASING | 1 << REQUEST_READING | 1 << REQUEST_HEDGED | 1 << REQUEST_BACKOFF,
    [REQUEST_READING] = 1 << REQUEST_HEDGED | 1 << REQUEST_BACKOFF,
    [REQUEST_HEDGED] = 1 << REQUEST_BACKOFF,
    [REQUEST_BACKOFF] = 1 << REQUEST_ROUTING,
    [REQUEST_DONE] = 0,
};

void request_set_state(struct request *request, enum request_state next)
{
    bool legal = next == REQUEST_DONE || may_follow[request->state] & 1 << next;

    assert(legal);
    (void) legal;
    request->state = next;
}

bool request_is_collected(const struct request *request)
{
    return request->ops->on_head == NULL;
}

void request_pause(struct request *request, void (*on_due)(struct loop_timer *timer), uint64_t due_us)
{
    request->pause.on_due = on_due;
    loop_timer_set(request->env->loop, &request->pause, due_us);
}

bool request_has_less(const struct request *request, uint64_t us)
{
    return request->ends_us && loop_now_us(request->env->loop) + us > request->ends_us;
}

/* ---- the end ---- */

static void let_go(struct request *request)
{
    struct loop *loop = request->env->loop;

    request_set_state(request, REQUEST_DONE);
    loop_timer_cancel(loop, &request->deadline);
    loop_timer_cancel(loop, &request->pause);
    loop_undefer(&request->retry);
    cluster_forget(&request->waiter);
    list_remove(&request->homeless);
    list_remove(&request->link);
    if (request->hedged_for)
        return;
    admission_leave(&request->admission);
    if (list_empty(&request->env->running) && request->env->on_empty)
        request->env->on_empty(request->env);
}

/* A hedge is an attempt of another one; of a shadow nobody hears. */
static bool is_told(const struct request *request)
{
    return !request->hedged_for && !request->is_shadow;
}

static void forget_cluster(struct request *request)
{
    attempt_forget_tried(request);
    way_forget(request);
    model_cluster_unref(request->conf);
    cluster_unref(request->cluster);
    request->cluster = NULL;
    request->conf = NULL;
}

/* Before the response is given away. */
static void end_trace(struct request *request)
{
    struct mesh_response *response = request->response;
    struct json_writer w = { 0 };
    uint64_t now = loop_now_us(request->env->loop);

    if (!request->trace)
        return;
    request->trace->status = response->status;
    trace_treated(request->trace, request->dealt.delay_us, request->answered_by);
    request->trace->made = request->made;
    request->trace->most = request->most;
    trace_end(&request->env->traces, request->trace, request->err, request->err ? response->fault.text : "", now);
    if (!request->ask.explain)
        return;
    trace_write(&w, request->trace, now);
    response->explanation = json_finish(&w);
}

/* The outcome stands; nothing of the request is used any more after on_done(). */
void request_finish(struct request *request, int32_t err)
{
    struct mesh_response *response = request->response;

    hedge_drop(request);
    if (!err && is_told(request) && request_is_collected(request))
        err = answer_change(request);
    request->err = err;
    response->err = err;
    response->attempts = request->made;
    response->duration_us = loop_now_us(request->env->loop) - request->began_us;
    if (err && request_is_collected(request))
        response_reset(response);
    if (is_told(request)) {
        report_detail(request);
        report_access(request);
        end_trace(request);
    }
    let_go(request);
    forget_cluster(request);
    request->ops->on_done(request);
}

/* What our own side ended says nothing about the endpoint. */
static enum attempt_outcome outcome_of(int32_t err)
{
    bool ours = err == MESH_ERR_CANCELLED || err == MESH_ERR_INTERRUPTED || err == MESH_ERR_CLOSING ||
                err == MESH_ERR_NOMEM || err == MESH_ERR_TOO_LARGE || err == MESH_ERR_OVERFLOW ||
                err == MESH_ERR_INVALID;

    if (err == MESH_ERR_TIMEOUT)
        return ATTEMPT_LATE;
    return ours ? ATTEMPT_UNJUDGED : ATTEMPT_FAILED;
}

void request_fail(struct request *request, int32_t err)
{
    if (!(request->flags & FLAG_NO_CLUSTER))
        request->flags |= report_flags(err, false);
    request_finish(request, err);
}

/* Between attempts: what the last one met is half of the story. */
static void tell_end(struct fault *fault, int32_t err, const char *why)
{
    if (fault->text[0])
        fault_prefix(fault, "%s, after: ", why);
    else
        fault_set(fault, err, "%s", why);
}

void request_end(struct request *request, int32_t err, const char *why)
{
    if (request->state == REQUEST_DONE)
        return;
    overload_hear_timeout(request, err);
    if (err == MESH_ERR_TIMEOUT && request->state == REQUEST_OPEN)
        endpoint_failed(request->attempt.endpoint, true);
    if (request->attempt.endpoint) {
        fault_set(&request->response->fault, err, "%s", why);
        trace_attempt_failed(request->trace, request->attempt.traced, err, why);
    } else {
        tell_end(&request->response->fault, err, why);
    }
    attempt_end(request, outcome_of(err));
    request_fail(request, err);
}

void request_abandon(struct request *request)
{
    if (request->state == REQUEST_DONE)
        return;
    hedge_drop(request);
    attempt_end(request, ATTEMPT_UNJUDGED);
    request->flags |= FLAG_DOWNSTREAM_END;
    request->err = MESH_ERR_CANCELLED;
    if (is_told(request)) {
        report_access(request);
        end_trace(request);
    }
    let_go(request);
    forget_cluster(request);
}

void request_on_deadline(struct loop_timer *timer)
{
    static const char *const why[] = {
        [REQUEST_NEW] = "the request's time was over",
        [REQUEST_ROUTING] = "the service's endpoints were not known within the request's time",
        [REQUEST_LEASING] = "no connection within the request's time",
        [REQUEST_OPEN] = "no answer within the request's time",
        [REQUEST_READING] = "the answer did not end within the request's time",
        [REQUEST_HEDGED] = "the hedge had no answer within the request's time",
        [REQUEST_BACKOFF] = "the request's time was over before the next attempt",
        [REQUEST_DONE] = "",
    };
    struct request *request = CONTAINER_OF(timer, struct request, deadline);
    bool is_held = request->dealt.delay_us > 0 && !request->rules.retry;

    request_end(request, MESH_ERR_TIMEOUT,
                is_held ? "an injected fault held it back for all of the request's time" : why[request->state]);
}

void request_attempt_failed(struct request *request, int32_t err, enum http_reach reach, const struct fault *why)
{
    overload_hear_timeout(request, err);
    if (outcome_of(err) != ATTEMPT_UNJUDGED)
        endpoint_failed(request->attempt.endpoint, err == MESH_ERR_TIMEOUT);
    request->response->fault = *why;
    request->response->fault.code = err;
    trace_attempt_failed(request->trace, request->attempt.traced, err, why->text);
    if (request->hedge) {
        hedge_hold(request, err, reach, outcome_of(err));
        return;
    }
    /* A stream whose head the application has seen cannot begin anew. */
    if ((request_is_collected(request) || request->state != REQUEST_READING) &&
        again_after_failure(request, err, reach))
        return;
    attempt_end(request, outcome_of(err));
    request_fail(request, err);
}

/* ---- an attempt's way ---- */

static void on_try_due(struct loop_timer *timer);

/* A stream's silence after its head is on_idle()'s. */
static void watch_try(struct request *request)
{
    uint64_t idle_us = request->rules.route->per_try_idle_us;
    uint64_t due_us = request->try_ends_us;

    if (idle_us > 0 && (due_us == 0 || request->heard_us + idle_us < due_us))
        due_us = request->heard_us + idle_us;
    if (due_us > 0)
        request_pause(request, on_try_due, due_us);
}

static void end_try(struct request *request, const struct fault *fault)
{
    enum http_reach reach = request->attempt.stream.sent ? HTTP_MAYBE : HTTP_NOT_SENT;

    request_attempt_failed(request, MESH_ERR_TIMEOUT, reach, fault);
}

static void on_try_over(struct request *request)
{
    struct fault fault;

    request->try_ends_us = 0;
    if (request->rules.hedges_late) {
        hedge_now(request);
        watch_try(request);
        return;
    }
    fault_set(&fault, MESH_ERR_TIMEOUT, "no answer within retry.per_try_timeout_ms %u",
              request->rules.retry->per_try_timeout_ms);
    end_try(request, &fault);
}

static void on_try_due(struct loop_timer *timer)
{
    struct request *request = CONTAINER_OF(timer, struct request, pause);
    uint64_t now = loop_now_us(request->env->loop), idle_us = request->rules.route->per_try_idle_us;
    struct fault fault;

    if (request->try_ends_us > 0 && now >= request->try_ends_us) {
        on_try_over(request);
    } else if (idle_us > 0 && now >= request->heard_us + idle_us) {
        fault_set(&fault, MESH_ERR_TIMEOUT, "silent for the route's per_try_idle_timeout of %llu ms",
                  (unsigned long long) (idle_us / US_PER_MS));
        end_try(request, &fault);
    } else {
        watch_try(request);
    }
}

/* Of a stream after its head; 0: none. */
static uint64_t idle_limit(const struct request *request)
{
    uint64_t stream_us = request->rules.idle_us, try_us = request->rules.route->per_try_idle_us;

    return stream_us == 0 || (try_us > 0 && try_us < stream_us) ? try_us : stream_us;
}

static void on_idle(struct loop_timer *timer)
{
    struct request *request = CONTAINER_OF(timer, struct request, pause);
    uint64_t limit = idle_limit(request);
    uint64_t now = loop_now_us(request->env->loop);

    if (now - request->heard_us < limit) {
        request_pause(request, on_idle, request->heard_us + limit);
        return;
    }
    request_end(request, MESH_ERR_TIMEOUT, "the stream was silent for longer than stream.idle_ms");
}

void request_attempt_opened(struct request *request)
{
    uint64_t try_us = request->rules.retry->per_try_timeout_ms * US_PER_MS;

    request_set_state(request, REQUEST_OPEN);
    endpoint_connected(request->attempt.endpoint);
    admission_sent(&request->admission);
    request->heard_us = loop_now_us(request->env->loop);
    request->try_ends_us = try_us > 0 ? request->heard_us + try_us : 0;
    watch_try(request);
    if (request->conf->policy.hedge.percentile > 0)
        hedge_later(request);
}

/* In a turn of its own: not within a callback of the connection. */
static void on_no_memory(struct loop_timer *timer)
{
    request_end(CONTAINER_OF(timer, struct request, pause), MESH_ERR_NOMEM, "out of memory for the answer's headers");
}

/* The time that the call or the policy allows is over with the head; what a route allows a stream is not. */
static void limit_stream(struct request *request)
{
    uint64_t limit_us = request->rules.stream_us;

    if (limit_us == 0)
        loop_timer_cancel(request->env->loop, &request->deadline);
    else
        loop_timer_set(request->env->loop, &request->deadline, request->began_us + request->dealt.delay_us + limit_us);
}

void request_attempt_head(struct request *request, bool end)
{
    uint64_t idle_us;
    enum attempt_outcome outcome;

    (void) end;
    if (request->attempt.given_up)
        return;
    endpoint_answered(request->attempt.endpoint, again_status(request));
    overload_hear_head(request);
    request->heard_us = loop_now_us(request->env->loop);
    request->attempt.unjudged = request->hedge != NULL;
    if (!request->hedge && again_after_head(request))
        return;
    request_set_state(request, REQUEST_READING);
    if (request_is_collected(request))
        return;
    outcome = again_outcome(request);
    overload_hear_answer(request, outcome);
    if (outcome == ATTEMPT_ANSWERED)
        endpoint_heard(request->attempt.endpoint, request->heard_us - request->attempt.opened_us);
    limit_stream(request);
    loop_timer_cancel(request->env->loop, &request->pause);
    if (answer_change(request) != 0) {
        request_pause(request, on_no_memory, 0);
        return;
    }
    idle_us = idle_limit(request);
    if (idle_us > 0)
        request_pause(request, on_idle, request->heard_us + idle_us);
    request->ops->on_head(request);
}

void request_attempt_data(struct request *request)
{
    request->heard_us = loop_now_us(request->env->loop);
    if (request->ops->on_readable)
        request->ops->on_readable(request);
}

static bool is_followed_by_another(struct request *request)
{
    if (!request_is_collected(request))
        return false;
    return request->attempt.unjudged ? again_after_whole(request) : again_after_trailers(request);
}

void request_attempt_done(struct request *request)
{
    enum attempt_outcome outcome = again_outcome(request);

    overload_hear_trailers(request);
    load_hear(request);
    if (request->hedge && !again_is_usable(request, request->response)) {
        hedge_hold(request, 0, HTTP_MAYBE, outcome);
        return;
    }
    if (!request->hedge && is_followed_by_another(request))
        return;
    if (request_is_collected(request))
        overload_hear_answer(request, outcome);
    attempt_end(request, outcome);
    request_finish(request, 0);
}

/* ---- the beginning ---- */

static void on_endpoints_known(struct cluster_waiter *waiter)
{
    request_begin_attempt(CONTAINER_OF(waiter, struct request, waiter));
}

static void on_refused_locally(struct loop_timer *timer)
{
    struct request *request = CONTAINER_OF(timer, struct request, pause);

    attempt_end(request, ATTEMPT_UNJUDGED);
    request_fail(request, request->response->fault.code);
}

void request_fail_later(struct request *request, int32_t err)
{
    request->response->fault.code = err;
    request_pause(request, on_refused_locally, 0);
}

void request_begin_attempt(struct request *request)
{
    int32_t err;

    if (request_has_less(request, REQUEST_LEAST_US)) {
        tell_end(&request->response->fault, MESH_ERR_TIMEOUT, "less than 1 ms of the request's time was left");
        request_fail_later(request, MESH_ERR_TIMEOUT);
        return;
    }
    err = attempt_start(request);
    if (err == MESH_ERR_AGAIN) {
        request->waiter.on_changed = on_endpoints_known;
        cluster_wait(request->cluster, &request->waiter);
        return;
    }
    if (err)
        request_fail_later(request, err);
    else if (request->made == 1)
        budget_deposit(&request->cluster->shared->budget, loop_now_us(request->env->loop));
}

/* ---- streams ---- */

void request_body_grew(struct request *request)
{
    if (request->attempt.stream.conn)
        http_stream_resume(&request->attempt.stream);
}

void request_consumed(struct request *request, size_t n)
{
    buf_consume(&request->response->body, n);
    if (request->attempt.stream.conn)
        http_stream_consume(&request->attempt.stream, n);
}
