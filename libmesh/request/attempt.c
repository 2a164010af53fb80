/* SPDX-License-Identifier: Apache-2.0 */
/* One attempt: endpoint, connection, stream; and what the stream tells on its way. */
#include <string.h>

#include "request/hash.h"
#include "request/state.h"

static struct request *of_stream(struct http_stream *stream)
{
    return CONTAINER_OF(stream, struct request, attempt.stream);
}

static void on_end(struct http_stream *stream, const struct http_result *result);

static struct request *of_lease(struct pool_lease *lease)
{
    return CONTAINER_OF(lease, struct request, attempt.lease);
}

/* ---- the stream, in the order of its life ---- */

static ssize_t read_body(struct http_stream *stream, uint8_t *buf, size_t cap, bool *eof)
{
    struct request *request = of_stream(stream);
    bool was_full = request->body.is_stream && !body_has_room(&request->body);
    size_t n = body_read(&request->body, buf, cap, eof);

    if (was_full && n > 0 && request->ops->on_writable)
        request->ops->on_writable(request);
    return (ssize_t) n;
}

static int32_t on_header(struct http_stream *stream, const char *name, size_t name_len, const char *value,
                         size_t value_len, bool is_trailer)
{
    struct request *request = of_stream(stream);

    if (request->attempt.given_up)
        return 0;
    return response_add_field(request->response, name, name_len, value, value_len, is_trailer);
}

static void on_head(struct http_stream *stream, int status, bool end)
{
    struct request *request = of_stream(stream);

    request->response->status = status;
    request_attempt_head(request, end);
}

static int32_t on_data(struct http_stream *stream, const uint8_t *bytes, size_t len)
{
    struct request *request = of_stream(stream);
    struct buf *body = &request->response->body;

    if (request->attempt.given_up || request->is_shadow)
        return 0;
    request->attempt.outgrown =
        request_is_collected(request) && buf_len(body) + len > request->conf->policy.response_max_bytes;
    if (request->attempt.outgrown)
        return MESH_ERR_TOO_LARGE;
    if (!buf_append(body, bytes, len))
        return MESH_ERR_NOMEM;
    request_attempt_data(request);
    return 0;
}

static void on_outgrown(struct request *request)
{
    struct fault fault;

    fault_set(&fault, MESH_ERR_TOO_LARGE,
              "the answer's body is longer than response.max_bytes %llu; a stream may read it",
              (unsigned long long) request->conf->policy.response_max_bytes);
    request_attempt_failed(request, MESH_ERR_TOO_LARGE, HTTP_MAYBE, &fault);
}

static const struct http_stream_ops stream_ops = { read_body, on_header, on_head, on_data, on_end };

/* ---- the connection ---- */

static void stop_waiting(struct request *request)
{
    if (!request->attempt.waits)
        return;
    request->attempt.waits = false;
    admission_leave_waiting(&request->admission);
}

static void note_opened(struct request *request)
{
    struct attempt *attempt = &request->attempt;

    attempt->opened_us = loop_now_us(request->env->loop);
    if (attempt->traced)
        attempt->traced->opened_us = attempt->opened_us;
}

static int32_t open_stream(struct request *request, struct http_conn *conn)
{
    struct head head;
    int32_t err = head_make(&head, request);

    if (err)
        goto done;
    body_rewind(&request->body);
    response_reset(request->response);
    request->attempt.stream = (struct http_stream){ .ops = &stream_ops, .hold = !request_is_collected(request) };
    err = http_stream_open(conn, &request->attempt.stream, &head.wanted);
    if (!err)
        note_opened(request);
done:
    head_clear(&head);
    return err;
}

static int32_t tell_not_opened(const struct request *request, int32_t err, struct fault *fault)
{
    if (err == MESH_ERR_INVALID && request->way.route)
        return fault_set(fault, err, "what route \"%.80s\" makes of its path or host cannot be sent",
                         request->way.route->name);
    return fault_set(fault, err, "no stream could be opened: %s", error_text(err));
}

static void on_leased(struct pool_lease *lease, struct http_conn *conn)
{
    struct request *request = of_lease(lease);
    struct fault fault;
    int32_t err;

    if (request_has_less(request, REQUEST_LEAST_US)) {
        stop_waiting(request);
        request_end(request, MESH_ERR_TIMEOUT, "a connection came when less than 1 ms of the request's time was left");
        return;
    }
    err = open_stream(request, conn);
    if (err == MESH_ERR_AGAIN) {
        pool_wait(request->attempt.endpoint->pool, lease);
        return;
    }
    stop_waiting(request);
    if (err) {
        tell_not_opened(request, err, &fault);
        request_attempt_failed(request, err, HTTP_NOT_SENT, &fault);
        return;
    }
    request_attempt_opened(request);
}

static void on_lease_failed(struct pool_lease *lease, const struct fault *fault)
{
    struct request *request = of_lease(lease);

    stop_waiting(request);
    request_attempt_failed(request, fault->code, HTTP_NOT_SENT, fault);
}

static int32_t wait_for_connection(struct request *request)
{
    int32_t err = admission_enter_waiting(&request->admission, &request->response->fault);

    if (err)
        return err;
    request->attempt.waits = true;
    request_set_state(request, REQUEST_LEASING);
    pool_wait(request->attempt.endpoint->pool, &request->attempt.lease);
    return 0;
}

/* ---- the end of the stream ---- */

static void count_bytes(struct request *request)
{
    request->bytes_sent += request->attempt.stream.bytes_sent;
    request->bytes_received += request->attempt.stream.bytes_received;
    request->attempt.stream.bytes_sent = request->attempt.stream.bytes_received = 0;
}

/* Who wants HTTP/1.1 has done nothing with it: the attempt goes on over that, whatever the method. */
static bool go_on_over_http1(struct request *request, const struct http_result *result)
{
    struct attempt *attempt = &request->attempt;
    struct fault fault;
    int32_t err;

    if (result->reach == HTTP_MAYBE || request->state != REQUEST_OPEN || !body_is_replayable(&request->body))
        return false;
    count_bytes(request);
    attempt->stream = (struct http_stream){ 0 };
    loop_timer_cancel(request->env->loop, &request->pause);
    err = wait_for_connection(request);
    if (!err)
        return true;
    fault = request->response->fault;
    request_attempt_failed(request, err, HTTP_NOT_SENT, &fault);
    return true;
}

static void on_http1_wanted(struct request *request, const struct http_result *result)
{
    struct fault fault;

    if (!pool_speak_http1(request->attempt.endpoint->pool)) {
        fault_set(&fault, MESH_ERR_PROTOCOL,
                  "%s answers this only over HTTP/1.1 (HTTP_1_1_REQUIRED), but the target demands HTTP/2 (use https:// "
                  "or http://)",
                  request->attempt.endpoint->address);
        request_attempt_failed(request, fault.code, HTTP_MAYBE, &fault);
        return;
    }
    if (!go_on_over_http1(request, result))
        request_attempt_failed(request, result->err, result->reach, result->fault);
}

static void on_end(struct http_stream *stream, const struct http_result *result)
{
    struct request *request = of_stream(stream);

    if (request->attempt.given_up)
        return; /* a retry is on its way */
    if (result->err == MESH_ERR_TOO_LARGE && request->attempt.outgrown)
        on_outgrown(request);
    else if (result->wants_http1)
        on_http1_wanted(request, result);
    else if (result->err)
        request_attempt_failed(request, result->err, result->reach, result->fault);
    else
        request_attempt_done(request);
}

/* ---- which endpoint ---- */

void attempt_remember(struct request *request, struct endpoint *endpoint)
{
    struct endpoint **slot = &request->tried[request->made % CLUSTER_MOST_TRIED];

    if (request->made >= CLUSTER_MOST_TRIED)
        endpoint_let_go(*slot);
    *slot = endpoint;
    endpoint_hold(*slot);
    request->made++;
}

void attempt_forget_tried(struct request *request)
{
    for (uint32_t i = 0; i < request->made && i < CLUSTER_MOST_TRIED; i++)
        endpoint_let_go(request->tried[i]);
}

/* The call's own key wins over a route. */
static bool has_hash(const struct request *request, uint64_t *key)
{
    struct route_request what;

    if (request->rules.route->n_hash == 0 || request->ask.has_hash_key)
        return hash_request(&request->conf->policy.hash, &request->ask, key);
    what = request_what(request);
    return route_hash(request->rules.route, &what, key);
}

/* The same for each attempt, if there is something to go by. */
static uint64_t hash_key(struct request *request)
{
    uint64_t key;

    if (!request->cluster->by_key)
        return 0;
    if (has_hash(request, &key))
        return key;
    return rand_u64(loop_rand(request->env->loop));
}

int32_t attempt_choose(struct request *request, struct cluster_choice *choice)
{
    struct cluster_hint hint = {
        .key = hash_key(request),
        .subset = request->way.target ? &request->way.target->subset : NULL,
        .tried = request->tried,
        .n_tried = request->made < CLUSTER_MOST_TRIED ? request->made : CLUSTER_MOST_TRIED,
        .idempotent = request->ask.idempotent,
        .choice = trace_choice(request->trace, choice),
        .beside = request->hedged_for ? request->hedged_for->last : NULL,
    };
    int32_t err = cluster_choose(request->cluster, &hint, &request->attempt.endpoint, &request->response->fault);

    if (err)
        request->attempt.endpoint = NULL;
    return err;
}

static void begin(struct request *request, const struct cluster_choice *choice)
{
    struct attempt *attempt = &request->attempt;

    attempt->traced = trace_attempt_begin(request->trace, attempt->endpoint, choice, loop_now_us(request->env->loop));
    if (attempt->traced)
        attempt->traced->is_hedge = request->hedged_for != NULL;
    attempt_remember(request, attempt->endpoint);
    request->last = attempt->endpoint;
    request->last_number = request->made;
    attempt->given_up = attempt->outgrown = attempt->is_late = attempt->unjudged = false;
    attempt->opened_us = 0;
    attempt->lease.on_leased = on_leased;
    attempt->lease.on_failed = on_lease_failed;
    endpoint_begin(attempt->endpoint);
}

int32_t attempt_send(struct request *request, const struct cluster_choice *choice)
{
    struct http_conn *conn;
    int32_t err;

    begin(request, choice);
    conn = pool_take(request->attempt.endpoint->pool);
    err = conn ? open_stream(request, conn) : MESH_ERR_AGAIN;
    if (err == MESH_ERR_AGAIN)
        return wait_for_connection(request);
    if (err)
        return tell_not_opened(request, err, &request->response->fault);
    request_attempt_opened(request);
    return 0;
}

int32_t attempt_start(struct request *request)
{
    struct cluster_choice choice;
    int32_t err = attempt_choose(request, &choice);

    return err ? err : attempt_send(request, &choice);
}

/* 0: not measured. A stream may last, and an attempt without a connection has not begun to take time. */
static uint64_t latency_of(const struct request *request)
{
    if (!request_is_collected(request) || !request->attempt.opened_us)
        return 0;
    return loop_now_us(request->env->loop) - request->attempt.opened_us;
}

void attempt_end(struct request *request, enum attempt_outcome outcome)
{
    struct attempt *attempt = &request->attempt;

    if (!attempt->endpoint)
        return;
    count_bytes(request);
    pool_forget(&attempt->lease);
    stop_waiting(request);
    http_stream_cancel(&attempt->stream);
    loop_timer_cancel(request->env->loop, &attempt->late);
    endpoint_end(attempt->endpoint, outcome, latency_of(request));
    attempt->endpoint = NULL;
    trace_attempt_end(attempt->traced, request->response->status, loop_now_us(request->env->loop));
    if (attempt->traced)
        attempt->traced->is_outrun = outcome == ATTEMPT_OUTRUN;
}
