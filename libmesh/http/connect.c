/* SPDX-License-Identifier: Apache-2.0 */
/* From addresses to an HTTP/2 connection whose peer has shown its SETTINGS: dialling, ALPN, the peer's greeting. */
#include "http/http.h"

#include <string.h>

struct http_connect {
    struct loop *loop;
    struct http_conn_conf conf;
    const struct http_conn_ops *ops;
    http_connected_fn on_done;
    void *user;
    uint64_t timeout_us;
    struct net_dial *dial;      /* until it has connected */
    struct http_conn *conn;     /* from then on */
    struct loop_timer greeting; /* the timeout covers the peer's first words */
    char peer[ADDR_TEXT];
};

static void release(struct http_connect *connect)
{
    loop_timer_cancel(connect->loop, &connect->greeting);
    mem_free(connect);
}

static void succeed(struct http_connect *connect)
{
    struct http_connected result = { .conn = connect->conn };
    http_connected_fn on_done = connect->on_done;
    void *user = connect->user;

    result.conn->ops = connect->ops;
    result.conn->owner = user;
    release(connect);
    on_done(user, &result);
}

static void fail(struct http_connect *connect, const struct fault *why, bool speaks_http1)
{
    struct fault fault = *why; /* it may be the connection's own */
    struct http_connected result = { .fault = &fault, .speaks_http1 = speaks_http1 };
    http_connected_fn on_done = connect->on_done;
    void *user = connect->user;

    http_conn_free(connect->conn);
    release(connect);
    on_done(user, &result);
}

/* ---- what the connection tells before its peer has greeted ---- */

static void on_room(struct http_conn *conn)
{
    succeed(conn->owner);
}

/* A peer that says good-bye first: on_closed() follows. */
static void on_draining(struct http_conn *conn, const struct fault *why)
{
    (void) conn, (void) why;
}

static void on_closed(struct http_conn *conn, const struct fault *why)
{
    fail(conn->owner, why, false);
}

static const struct http_conn_ops greeting_ops = { on_room, on_draining, on_closed };

static void on_no_greeting(struct loop_timer *timer)
{
    struct http_connect *connect = CONTAINER_OF(timer, struct http_connect, greeting);
    struct fault fault;

    fault_set(&fault, MESH_ERR_CONNECT, "connect to %s: connected, but no HTTP/2 settings came within %llu ms",
              connect->peer, (unsigned long long) (connect->timeout_us / US_PER_MS));
    fail(connect, &fault, false);
}

/* ---- what dialling tells ---- */

static void refuse_http1(struct http_connect *connect, struct net_stream *stream)
{
    struct fault fault;

    net_stream_close(stream);
    fault_set(&fault, MESH_ERR_PROTOCOL,
              "connect to %s: the peer does not offer HTTP/2 by ALPN, which this target demands (use https://)",
              connect->peer);
    fail(connect, &fault, true);
}

static void on_dialled(void *user, int32_t err, struct net_stream *stream, const struct fault *why)
{
    struct http_connect *connect = user;
    struct fault fault = { 0 };

    connect->dial = NULL;
    if (err) {
        fail(connect, why, false);
        return;
    }
    addr_format(net_stream_peer(stream), connect->peer);
    if (net_stream_is_tls(stream) && strcmp(net_stream_alpn(stream), "h2") != 0) {
        refuse_http1(connect, stream);
        return;
    }
    if (http_conn_h2(connect->loop, &connect->conf, stream, &greeting_ops, connect, &connect->conn, &fault)) {
        fail(connect, &fault, false);
        return;
    }
    connect->greeting.on_due = on_no_greeting;
    loop_timer_set(connect->loop, &connect->greeting, loop_now_us(connect->loop) + connect->timeout_us);
}

/* ---- the door ---- */

int32_t http_connect_start(struct loop *loop, const struct http_connect_conf *conf, http_connected_fn on_done,
                           void *user, struct http_connect **out)
{
    struct http_connect *connect = mem_zalloc(sizeof *connect);
    int32_t err;

    *out = NULL;
    if (!connect)
        return MESH_ERR_NOMEM;
    connect->loop = loop;
    connect->conf = conf->conn;
    connect->ops = conf->ops;
    connect->on_done = on_done;
    connect->user = user;
    connect->timeout_us = conf->dial.timeout_us;
    err = net_dial_start(loop, &conf->dial, on_dialled, connect, &connect->dial);
    if (err) {
        mem_free(connect);
        return err;
    }
    *out = connect;
    return 0;
}

void http_connect_cancel(struct http_connect *connect)
{
    if (!connect)
        return;
    if (connect->dial)
        net_dial_cancel(connect->dial);
    http_conn_free(connect->conn);
    release(connect);
}
