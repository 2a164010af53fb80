/* SPDX-License-Identifier: Apache-2.0 */
/* A second attempt beside the first: an idempotent request that waits longer than most do is also sent to another endpoint, and
 * the first usable answer counts.
 *
 * The hedge is a request of its own with one attempt, which borrows everything from the one it is sent for. Nobody else knows it:
 * it is in no list, is not counted by the breaker, and is written down as an attempt of that one. While it runs nothing is decided about the request's
 * own attempt: one that ends without a usable answer waits for the hedge (REQUEST_HEDGED), and is judged when that has failed too. */
#include <string.h>

#include "request/state.h"

/* ---- the hedge as a request ---- */

static void on_hedge_done(struct request *hedge);

static const struct request_ops hedge_ops = { .on_done = on_hedge_done };

static void inherit_tried(struct request *hedge, const struct request *request)
{
    hedge->made = request->made;
    memcpy(hedge->tried, request->tried, sizeof hedge->tried);
    for (uint32_t i = 0; i < hedge->made && i < CLUSTER_MOST_TRIED; i++)
        endpoint_hold(hedge->tried[i]);
}

static struct request *new_hedge(struct request *request)
{
    struct request *hedge = mem_zalloc(sizeof *hedge);

    if (!hedge)
        return NULL;
    hedge->response = response_new();
    if (!hedge->response) {
        mem_free(hedge);
        return NULL;
    }
    hedge->ops = &hedge_ops;
    hedge->hedged_for = request;
    hedge->env = request->env;
    hedge->ask = request->ask;
    hedge->body = request->body;
    hedge->admission = (struct admission){ request->admission.criticality, .cluster = request->cluster };
    hedge->trace = request->trace;
    hedge->cluster = request->cluster;
    cluster_ref(hedge->cluster);
    hedge->conf = model_cluster_ref(request->conf);
    hedge->rules = request->rules;
    hedge->way = request->way;
    model_routes_ref(hedge->way.routes);
    hedge->began_us = request->began_us;
    hedge->ends_us = request->ends_us;
    hedge->most = request->made + 1;
    inherit_tried(hedge, request);
    request_set_state(hedge, REQUEST_ROUTING);
    return hedge;
}

static void free_hedge(struct request *hedge)
{
    response_free(hedge->response);
    mem_free(hedge);
}

static void give_up(struct request *hedge, enum attempt_outcome outcome)
{
    attempt_end(hedge, outcome);
    request_abandon(hedge);
    free_hedge(hedge);
}

/* ---- the beginning ---- */

static bool is_fit(const struct request *request)
{
    bool runs = request->state == REQUEST_OPEN || request->state == REQUEST_READING;
    bool is_safe = request->ask.idempotent || request->rules.route->hedge_on_per_try_timeout;

    return runs && !request->attempt.given_up && !request->hedged && !request->hedged_for &&
           request->ops->on_head == NULL && is_safe && !request->ask.chained && request->made < request->most;
}

static bool is_worth_it(struct request *request)
{
    uint64_t now = loop_now_us(request->env->loop);

    return !request_has_less(request, REQUEST_LEAST_US) &&
           budget_mostly_succeeds(&request->cluster->shared->budget, now);
}

static void note(const struct request *request, enum trace_hedge hedge)
{
    if (request->attempt.traced)
        request->attempt.traced->hedge = hedge;
}

/* The budget pays when it is known that there is somebody to send it to. */
static enum trace_hedge choose_and_pay(struct request *request, struct request *hedge, struct cluster_choice *choice)
{
    if (attempt_choose(hedge, choice) != 0)
        return TRACE_NO_OTHER;
    if (again_spend(request))
        return TRACE_HEDGED;
    hedge->attempt.endpoint = NULL;
    return TRACE_HEDGE_UNPAID;
}

static int32_t send_it(struct request *hedge, const struct cluster_choice *choice)
{
    int32_t err = attempt_send(hedge, choice);

    if (err)
        trace_attempt_failed(hedge->trace, hedge->attempt.traced, err, hedge->response->fault.text);
    return err;
}

static void begin(struct request *request)
{
    struct request *hedge = new_hedge(request);
    struct cluster_choice choice;
    enum trace_hedge chosen;

    if (!hedge)
        return;
    chosen = choose_and_pay(request, hedge, &choice);
    note(request, chosen);
    if (chosen != TRACE_HEDGED || send_it(hedge, &choice) != 0) {
        give_up(hedge, ATTEMPT_UNJUDGED);
        return;
    }
    attempt_remember(request, hedge->last);
    request->hedge = hedge;
    request->hedged = true;
    request->hedged_after_us = loop_now_us(request->env->loop) - request->attempt.opened_us;
}

static void consider(struct request *request)
{
    if (!is_fit(request))
        return;
    if (is_worth_it(request))
        begin(request);
    else
        note(request, TRACE_NOT_WORTH);
}

static void on_late(struct loop_timer *timer)
{
    struct request *request = CONTAINER_OF(timer, struct request, attempt.late);

    if (request->state == REQUEST_OPEN)
        consider(request);
}

void hedge_later(struct request *request)
{
    const struct policy_hedge *policy = &request->conf->policy.hedge;
    uint64_t least = policy->min_delay_ms * US_PER_MS, late;

    if (!is_fit(request))
        return;
    late = cluster_latency_us(request->cluster, policy->percentile);
    if (late == 0)
        return;
    request->attempt.late.on_due = on_late;
    loop_timer_set(request->env->loop, &request->attempt.late,
                   loop_now_us(request->env->loop) + (late > least ? late : least));
}

void hedge_now(struct request *request)
{
    request->attempt.is_late = true;
    endpoint_failed(request->attempt.endpoint, true);
    consider(request);
}

/* ---- the end ---- */

void hedge_hold(struct request *request, int32_t err, enum http_reach reach, enum attempt_outcome outcome)
{
    attempt_end(request, outcome);
    loop_timer_cancel(request->env->loop, &request->pause);
    request->held_err = err;
    request->held_reach = reach;
    request_set_state(request, REQUEST_HEDGED);
}

static void take_bytes(struct request *request, struct request *hedge)
{
    request->bytes_sent += hedge->bytes_sent;
    request->bytes_received += hedge->bytes_received;
    request->forbidden = request->forbidden || hedge->forbidden;
}

void hedge_drop(struct request *request)
{
    struct request *hedge = request->hedge;

    if (!hedge)
        return;
    request->hedge = NULL;
    attempt_end(hedge, ATTEMPT_OUTRUN);
    take_bytes(request, hedge);
    give_up(hedge, ATTEMPT_UNJUDGED);
}

/* The hedge's answer becomes the request's; what went wrong before stays to be told. */
static void adopt(struct request *request, struct request *hedge)
{
    struct mesh_response *theirs = hedge->response;

    if (request->response->fault.text[0])
        theirs->fault = request->response->fault;
    hedge->response = request->response;
    request->response = theirs;
    request->last = hedge->last;
    request->last_number = hedge->last_number;
    request->hedge_won = true;
}

static void win(struct request *request, struct request *hedge)
{
    attempt_end(request, request->attempt.is_late ? ATTEMPT_LATE : ATTEMPT_OUTRUN);
    adopt(request, hedge);
    free_hedge(hedge);
    request_finish(request, 0);
}

/* Both have ended, and neither well: another attempt, else the better of the two ends. */
static void settle(struct request *request, struct request *hedge)
{
    int32_t err = request->held_err;
    bool again = err ? again_after_failure(request, err, request->held_reach) : again_after_whole(request);

    if (!again && err && hedge->err == 0) {
        adopt(request, hedge);
        err = 0;
    }
    free_hedge(hedge);
    if (!again && err)
        request_fail(request, err);
    else if (!again)
        request_finish(request, 0);
}

static void on_hedge_done(struct request *hedge)
{
    struct request *request = hedge->hedged_for;

    request->hedge = NULL;
    take_bytes(request, hedge);
    if (hedge->err == 0 && again_is_usable(request, hedge->response))
        win(request, hedge);
    else if (request->state == REQUEST_HEDGED)
        settle(request, hedge);
    else
        free_hedge(hedge);
}
