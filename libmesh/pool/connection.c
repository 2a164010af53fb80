/* SPDX-License-Identifier: Apache-2.0 */
/* The life of one connection: connect, find out what the peer speaks, serve, drain. */
#include "pool/connection.h"

#include <string.h>

#include "pool/state.h"

static struct connection *of(struct http_conn *http)
{
    return http->owner;
}

static void end(struct connection *connection, const struct fault *why)
{
    bool was_open = connection->state >= CONNECTION_OPEN;
    struct fault copy = *why; /* it may be the connection's own, freed on the way */

    pool_connection_ended(connection, was_open, &copy);
}

/* ---- what HTTP tells, in the order of a life ---- */

static void on_room(struct http_conn *http)
{
    pool_connection_has_room(of(http));
}

static void on_draining(struct http_conn *http, const struct fault *why)
{
    struct connection *connection = of(http);

    connection->was_silent = http_conn_silent(http);
    if (connection->state != CONNECTION_OPEN)
        return;
    connection->state = CONNECTION_DRAINING;
    pool_connection_draining(connection, why);
}

static void on_closed(struct http_conn *http, const struct fault *why)
{
    end(of(http), why);
}

static const struct http_conn_ops http_ops = { on_room, on_draining, on_closed };

static void become_open(struct connection *connection)
{
    connection->state = CONNECTION_OPEN;
    pool_connection_opened(connection);
    pool_connection_has_room(connection);
}

/* ---- what connecting tells ---- */

static int32_t become_h1(struct connection *connection, struct fault *fault)
{
    struct pool *pool = connection->pool;
    struct http_h1_conf h1 = {
        .n_addrs = pool->conf.n_addrs,
        .tls = pool->conf.tls != NULL,
        .tls_conf = pool->conf.tls_conf,
        .identity = pool->conf.tls,
        .server_name = pool->conf.server_name,
        .proxy = pool->conf.proxy,
        .max_connections = pool->conf.limits->max_connections,
        .connect_timeout_us = pool->conf.connect_timeout_us,
    };

    memcpy(h1.addrs, pool->conf.addrs, sizeof h1.addrs);
    connection->state = CONNECTION_OPEN;
    return http_conn_h1(pool->loop, &pool->conf.http, &h1, &http_ops, connection, &connection->http, fault);
}

static void become_h2(struct connection *connection, struct http_conn *http)
{
    struct pool *pool = connection->pool;

    connection->http = http;
    pool->conf.speaks = POOL_HTTP2;
    http_conn_set_silence(http, pool->conf.http.silence_us); /* it may have changed meanwhile */
    become_open(connection);
}

/* What a TLS peer speaks was agreed in the handshake; an HTTP/1.1 peer is left to libcurl, which dials for itself. */
static void on_connected(void *user, const struct http_connected *result)
{
    struct connection *connection = user;
    struct pool *pool = connection->pool;
    struct fault fault = { 0 };

    connection->connect = NULL;
    if (result->conn) {
        become_h2(connection, result->conn);
        return;
    }
    if (!result->speaks_http1 || pool->conf.speaks == POOL_HTTP2) {
        end(connection, result->fault);
        return;
    }
    pool->conf.speaks = POOL_HTTP1;
    if (become_h1(connection, &fault) == 0)
        become_open(connection);
    else
        end(connection, &fault);
}

static void on_h1_ready(struct loop_timer *timer)
{
    become_open(CONTAINER_OF(timer, struct connection, ready));
}

static int32_t connect_h2(struct connection *connection, struct loop *loop)
{
    const struct pool_conf *conf = &connection->pool->conf;
    const struct http_connect_conf connect = {
        .dial = { .addrs = conf->addrs,
                  .n_addrs = conf->n_addrs,
                  .timeout_us = conf->connect_timeout_us,
                  .tls = conf->tls,
                  .server_name = conf->server_name,
                  .alpn = !conf->tls                   ? NULL
                          : conf->speaks == POOL_HTTP2 ? "h2"
                                                       : "h2,http/1.1" },
        .conn = conf->http,
        .ops = &http_ops,
    };

    return http_connect_start(loop, &connect, on_connected, connection, &connection->connect);
}

int32_t connection_start(struct pool *pool, const struct pool_conf *conf, struct loop *loop)
{
    struct connection *connection = mem_zalloc(sizeof *connection);
    struct fault fault;
    int32_t err;

    if (!connection)
        return MESH_ERR_NOMEM;
    connection->pool = pool;
    connection->began_us = loop_now_us(loop);
    connection->state = CONNECTION_CONNECTING;
    list_push_back(&pool->connections, &connection->link);
    if (conf->speaks == POOL_HTTP1) {
        err = become_h1(connection, &fault);
        connection->ready.on_due = on_h1_ready;
        if (!err)
            loop_timer_set(loop, &connection->ready, 0); /* told in the next turn, as all news */
    } else {
        err = connect_h2(connection, loop);
    }
    if (err)
        connection_free(connection);
    return err;
}

void connection_free(struct connection *connection)
{
    loop_timer_cancel(connection->pool->loop, &connection->ready);
    list_remove(&connection->link);
    http_connect_cancel(connection->connect);
    http_conn_free(connection->http);
    mem_free(connection);
}

bool connection_usable(const struct connection *connection)
{
    return connection->state == CONNECTION_OPEN && !http_conn_silent(connection->http) &&
           http_conn_room(connection->http) > 0;
}

bool connection_crowded(const struct connection *connection)
{
    return (uint64_t) connection->http->n_streams * 10 >= (uint64_t) http_conn_limit(connection->http) * 7;
}
