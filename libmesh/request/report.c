/* SPDX-License-Identifier: Apache-2.0 */
/* Telling how a request went: the response's detail, and the access log. */
#include <stdio.h>
#include <string.h>

#include "request/state.h"

static const struct {
    int32_t err;
    uint32_t flags;
} flags_of[] = {
    { MESH_ERR_NO_ROUTE, FLAG_NO_ROUTE },         { MESH_ERR_NO_HEALTHY, FLAG_NO_HEALTHY_UPSTREAM },
    { MESH_ERR_DNS, FLAG_DNS_FAILURE },           { MESH_ERR_CONNECT, FLAG_CONNECT_FAILURE },
    { MESH_ERR_TLS, FLAG_CONNECT_FAILURE },       { MESH_ERR_RESET, FLAG_CONNECTION_TERMINATED },
    { MESH_ERR_PROTOCOL, FLAG_PROTOCOL_ERROR },   { MESH_ERR_TIMEOUT, FLAG_UPSTREAM_TIMEOUT },
    { MESH_ERR_TOO_LARGE, FLAG_LOCAL_RESET },     { MESH_ERR_OVERFLOW, FLAG_UPSTREAM_OVERFLOW },
    { MESH_ERR_RATE_LIMITED, FLAG_RATE_LIMITED }, { MESH_ERR_THROTTLED, FLAG_DROP_OVERLOAD },
    { MESH_ERR_CANCELLED, FLAG_DOWNSTREAM_END },  { MESH_ERR_INTERRUPTED, FLAG_DOWNSTREAM_END },
    { MESH_ERR_CLOSING, FLAG_LOCAL_RESET },
};

uint32_t report_flags(int32_t err, bool timed_out_try)
{
    if (timed_out_try)
        return FLAG_UPSTREAM_TIMEOUT;
    for (size_t i = 0; i < COUNT_OF(flags_of); i++)
        if (flags_of[i].err == err)
            return flags_of[i].flags;
    return 0;
}

static void print_where(struct buf *out, const struct request *request)
{
    const struct mesh_response *response = request->response;

    buf_printf(out, "service \"%.200s\"", request->ask.service);
    if (request->answered_by)
        buf_printf(out, ": answered by %s of route \"%.80s\"", request->answered_by, request->way.route->name);
    if (!request->last)
        return;
    buf_printf(out, ": attempt %u of %u on %s", request->last_number, request->most, response->endpoint);
    if (response->zone[0])
        buf_printf(out, " (zone %s)", response->zone);
}

static const char *who_said_no(const struct request *request)
{
    if (request->forbidden)
        return "; not retried: the peer forbids it";
    return request->flags & FLAG_RETRY_BUDGET ? "; not retried: the retry budget is spent" : "";
}

static void print_hedge(struct buf *out, const struct request *request)
{
    const char *end = request->err         ? "neither attempt was answered"
                      : request->hedge_won ? "the hedge was answered"
                                           : "the attempt that it was sent beside was answered";

    buf_printf(out, "; hedged after %llu ms: %s", (unsigned long long) (request->hedged_after_us / US_PER_MS), end);
}

/* Without memory for it the detail stays empty: the code tells. */
static void write_detail(struct request *request)
{
    struct buf out = { 0 };

    print_where(&out, request);
    if (request->response->fault.text[0])
        buf_printf(&out, "%s%s%s", request->err ? ": " : "; before: ", request->response->fault.text,
                   who_said_no(request));
    if (request->hedged)
        print_hedge(&out, request);
    if (out.data)
        request->response->detail = mem_strndup((const char *) buf_bytes(&out), buf_len(&out));
    buf_free(&out);
}

void report_detail(struct request *request)
{
    const struct endpoint *endpoint = request->last;
    struct mesh_response *response = request->response;

    if (endpoint) {
        text_copy(response->endpoint, sizeof response->endpoint, endpoint->address);
        text_copy(response->zone, sizeof response->zone, endpoint->zone);
    }
    if (request->err || request->hedged || request->answered_by || request->response->fault.text[0])
        write_detail(request);
}

/* The trace id of a W3C traceparent: "00-<32 hex digits>-…". */
static const char *trace_id(const struct request_ask *ask, char out[33])
{
    out[0] = '\0';
    for (size_t i = 0; i < ask->n_headers; i++)
        if (text_equal_nocase(ask->headers[i].name, "traceparent") && strlen(ask->headers[i].value) >= 35)
            snprintf(out, 33, "%.32s", ask->headers[i].value + 3);
    return out;
}

static void write_access(const struct request *request)
{
    const struct mesh_response *response = request->response;
    const struct endpoint *endpoint = request->last;
    uint64_t took = loop_now_us(request->env->loop) - request->began_us;
    char trace[33];
    struct observe_access record = {
        .started_wall_us = clock_wall_us() - took,
        .service = request->ask.service,
        .cluster = request->conf ? request->conf->label : "",
        .route = request->way.route ? request->way.route->name : "",
        .host = endpoint ? endpoint->address : "",
        .zone = endpoint ? endpoint->zone : "",
        .method = request->ask.method,
        .path = request->ask.path,
        .authority = request_authority(request),
        .protocol = endpoint && endpoint->pool ? pool_state(endpoint->pool).protocol : "",
        .trace_id = trace_id(&request->ask, trace),
        .detail = response->detail ? response->detail : "",
        .status = response->status,
        .err = request->err,
        .flags = request->flags,
        .attempts = request->made,
        .hedged = request->hedged,
        .duration_us = took,
        .bytes_sent = request->bytes_sent,
        .bytes_received = request->bytes_received,
    };

    observe_access(request->env->observe, &record);
}

void report_access(const struct request *request)
{
    if (observe_wants_access(request->env->observe))
        write_access(request);
}
