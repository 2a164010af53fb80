/* SPDX-License-Identifier: Apache-2.0 */
/* Health checks that ask, over a connection of the endpoint's own: GET of a path, or the standard gRPC health service. */
#include "cluster/checker.h"

#include <string.h>

#define GRPC_PATH "/grpc.health.v1.Health/Check"

static struct check *of_stream(struct http_stream *stream)
{
    return CONTAINER_OF(stream, struct check, stream);
}

static struct check *of_lease(struct pool_lease *lease)
{
    return CONTAINER_OF(lease, struct check, lease);
}

static bool is_grpc(const struct check *check)
{
    return check->conf->policy.health.kind == HEALTH_GRPC;
}

/* ---- the stream, in the order of its life ---- */

/* Made anew for each piece, which nearly always is the whole. */
static ssize_t read_body(struct http_stream *stream, uint8_t *buf, size_t cap, bool *eof)
{
    struct check *check = of_stream(stream);
    uint8_t message[GRPC_HEALTH_REQUEST_MOST];
    size_t n = grpc_health_request(check->conf->policy.health.grpc_service, message) - check->n_sent;

    *eof = n <= cap;
    n = n < cap ? n : cap;
    memcpy(buf, message + check->n_sent, n);
    check->n_sent += n;
    return (ssize_t) n;
}

/* grpc-status stands in the trailers, or in the head of an answer without a body. */
static int32_t on_header(struct http_stream *stream, const char *name, size_t name_len, const char *value,
                         size_t value_len, bool is_trailer)
{
    struct check *check = of_stream(stream);
    uint64_t number;

    (void) is_trailer;
    if (text_equal_nocase_n(name, name_len, "grpc-status", strlen("grpc-status")) &&
        text_to_u64(value, value_len, &number) && number <= INT32_MAX)
        check->grpc_status = (int64_t) number;
    return 0;
}

static void on_head(struct http_stream *stream, int status, bool end)
{
    (void) end;
    of_stream(stream)->status = status;
}

/* As much as is worth looking at: an answer that fills it up is none. */
static int32_t on_data(struct http_stream *stream, const uint8_t *bytes, size_t len)
{
    struct check *check = of_stream(stream);
    size_t room = sizeof check->received - check->n_received;

    len = len < room ? len : room;
    memcpy(check->received + check->n_received, bytes, len);
    check->n_received += len;
    return 0;
}

static bool is_expected(const struct policy_health *conf, int status)
{
    for (uint32_t i = 0; i < conf->n_ranges; i++)
        if (status >= conf->ranges[i].from && status < conf->ranges[i].to)
            return true;
    return policy_has_status(&conf->statuses, status);
}

static void judge_http(struct check *check)
{
    const struct policy_health *conf = &check->conf->policy.health;
    struct fault why = { 0 };

    if (is_expected(conf, check->status)) {
        check_ended(check, HEALTH_PASSED, NULL);
        return;
    }
    fault_set(&why, MESH_ERR_PROTOCOL, "GET %.200s was answered with %d", conf->path, check->status);
    check_ended(check, HEALTH_REFUSED, &why);
}

static void judge_grpc(struct check *check)
{
    int status = grpc_health_status(check->received, check->n_received);
    struct fault why = { 0 };

    if (check->status == 200 && check->grpc_status == 0 && status == GRPC_HEALTH_SERVING) {
        check_ended(check, HEALTH_PASSED, NULL);
        return;
    }
    if (check->status != 200)
        fault_set(&why, MESH_ERR_PROTOCOL, GRPC_PATH " was answered with %d", check->status);
    else if (check->grpc_status != 0)
        fault_set(&why, MESH_ERR_PROTOCOL, GRPC_PATH " was answered with grpc-status %lld",
                  (long long) check->grpc_status);
    else
        fault_set(&why, MESH_ERR_PROTOCOL, GRPC_PATH " was answered with %s", grpc_health_status_name(status));
    check_ended(check, HEALTH_REFUSED, &why);
}

static void on_end(struct http_stream *stream, const struct http_result *result)
{
    struct check *check = of_stream(stream);

    if (result->err == 0) {
        is_grpc(check) ? judge_grpc(check) : judge_http(check);
        return;
    }
    if (result->wants_http1)
        pool_speak_http1(check->endpoint->pool);
    if (result->reach == HTTP_MAYBE || check->repeated) {
        check_got_nothing(check, result->fault);
        return;
    }
    /* A connection that ended in the same moment, in good order or not: a new one tells how the endpoint is. */
    check->repeated = true;
    loop_defer(check_loop(check), &check->again);
}

static const struct http_stream_ops stream_ops = { read_body, on_header, on_head, on_data, on_end };

/* ---- the connection ---- */

static int32_t open_stream(struct check *check, struct http_conn *conn)
{
    static const struct mesh_header headers[] = {
        { "user-agent", "libmesh/health" },
        { "content-type", "application/grpc" }, /* the rest: gRPC only */
        { "te", "trailers" },
    };
    const struct model_cluster *conf = check->conf;
    const struct policy_health *health = &conf->policy.health;
    struct http_request wanted = {
        .method = is_grpc(check) ? "POST" : "GET",
        .scheme = model_protocol_tls(conf->protocol) ? "https" : "http",
        .authority = health->host ? health->host : conf->authority,
        .path = is_grpc(check) ? GRPC_PATH : health->path,
        .headers = headers,
        .n_headers = is_grpc(check) ? COUNT_OF(headers) : 1,
        .has_body = is_grpc(check),
        .body_len = -1,
        .deadline_us = check->timer.due_us,
    };

    check->stream = (struct http_stream){ .ops = &stream_ops };
    check->status = 0;
    check->grpc_status = -1;
    check->n_sent = check->n_received = 0;
    return http_stream_open(conn, &check->stream, &wanted);
}

static void on_leased(struct pool_lease *lease, struct http_conn *conn)
{
    struct check *check = of_lease(lease);
    int32_t err = open_stream(check, conn);
    struct fault fault;

    if (err == MESH_ERR_AGAIN)
        pool_wait(check->endpoint->pool, lease);
    if (err == 0 || err == MESH_ERR_AGAIN)
        return;
    fault_set(&fault, err, "no stream could be opened: %s", error_text(err));
    check_ended(check, HEALTH_UNTOLD, &fault);
}

static void on_lease_failed(struct pool_lease *lease, const struct fault *fault)
{
    check_got_nothing(of_lease(lease), fault);
}

static int32_t ask(struct check *check, struct fault *fault)
{
    int32_t err = endpoint_open_pool(check->endpoint, fault);
    struct http_conn *conn;

    if (err)
        return err;
    conn = pool_take(check->endpoint->pool);
    err = conn ? open_stream(check, conn) : MESH_ERR_AGAIN;
    if (err == MESH_ERR_AGAIN) {
        pool_wait(check->endpoint->pool, &check->lease);
        return 0;
    }
    return err ? fault_set(fault, err, "no stream could be opened: %s", error_text(err)) : 0;
}

static void on_again(struct loop_later *later)
{
    struct check *check = CONTAINER_OF(later, struct check, again);
    struct fault fault = { 0 };

    if (ask(check, &fault) != 0)
        check_ended(check, HEALTH_UNTOLD, &fault);
}

static int32_t begin(struct check *check, struct fault *fault)
{
    check->lease.on_leased = on_leased;
    check->lease.on_failed = on_lease_failed;
    check->again.run = on_again;
    check->repeated = false;
    return ask(check, fault);
}

static void end(struct check *check)
{
    loop_undefer(&check->again);
    pool_forget(&check->lease);
    http_stream_cancel(&check->stream);
}

const struct check_ops check_http = { begin, end };
