/* SPDX-License-Identifier: Apache-2.0 */
/* The life of one connection: dial, find out what the peer speaks, wait for its greeting, serve, drain. */
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
    struct connection *connection = of(http);

    if (connection->state == CONNECTION_GREETING) {
        connection->state = CONNECTION_OPEN;
        loop_timer_cancel(http->loop, &connection->greeting);
        pool_connection_opened(connection);
    }
    pool_connection_has_room(connection);
}

static void on_draining(struct http_conn *http, const struct fault *why)
{
    struct connection *connection = of(http);

    connection->was_silent = http_conn_silent(http);
    if (connection->state != CONNECTION_OPEN)
        return; /* a peer that says good-bye first: on_closed follows */
    connection->state = CONNECTION_DRAINING;
    pool_connection_draining(connection, why);
}

static void on_closed(struct http_conn *http, const struct fault *why)
{
    end(of(http), why);
}

static const struct http_conn_ops http_ops = { on_room, on_draining, on_closed };

static void on_no_greeting(struct loop_timer *timer)
{
    struct connection *connection = CONTAINER_OF(timer, struct connection, greeting);
    struct pool *pool = connection->pool;
    struct fault fault;
    char text[ADDR_TEXT];

    fault_set(&fault, MESH_ERR_CONNECT, "connect to %s: connected, but no HTTP/2 settings came within %llu ms",
              addr_format(&pool->conf.addrs[0], text),
              (unsigned long long) (pool->conf.connect_timeout_us / US_PER_MS));
    end(connection, &fault);
}

/* ---- what dialling tells ---- */

static int32_t become_h2(struct connection *connection, struct net_stream *stream, struct fault *fault)
{
    struct pool *pool = connection->pool;
    uint64_t now = loop_now_us(pool->loop);

    connection->state = CONNECTION_GREETING;
    connection->greeting.on_due = on_no_greeting;
    loop_timer_set(pool->loop, &connection->greeting, now + pool->conf.connect_timeout_us);
    return http_conn_h2(pool->loop, &pool->conf.http, stream, &http_ops, connection, &connection->http, fault);
}

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

/* What a TLS peer speaks was agreed in the handshake; an HTTP/1.1 peer is left to libcurl, which dials for itself. */
static int32_t settle_protocol(struct connection *connection, struct net_stream *stream, struct fault *fault)
{
    struct pool *pool = connection->pool;
    char text[ADDR_TEXT];

    if (!pool->conf.tls || strcmp(net_stream_alpn(stream), "h2") == 0) {
        pool->conf.speaks = POOL_HTTP2;
        return become_h2(connection, stream, fault);
    }
    net_stream_close(stream);
    if (pool->conf.speaks == POOL_HTTP2)
        return fault_set(
            fault, MESH_ERR_PROTOCOL,
            "connect to %s: the peer does not offer HTTP/2 by ALPN, which this target demands (use https://)",
            addr_format(&pool->conf.addrs[0], text));
    pool->conf.speaks = POOL_HTTP1;
    return become_h1(connection, fault);
}

static void on_dialled(void *user, int32_t err, struct net_stream *stream, const struct fault *why)
{
    struct connection *connection = user;
    struct fault fault = { 0 };

    connection->dial = NULL;
    if (err) {
        end(connection, why);
        return;
    }
    err = settle_protocol(connection, stream, &fault);
    if (err) {
        if (fault.code == 0)
            fault_set(&fault, err, "a connection could not be set up: %s", error_text(err));
        end(connection, &fault);
        return;
    }
    if (connection->state == CONNECTION_OPEN) {
        pool_connection_opened(connection);
        pool_connection_has_room(connection);
    }
}

static void on_h1_ready(struct loop_timer *timer)
{
    struct connection *connection = CONTAINER_OF(timer, struct connection, greeting);

    pool_connection_opened(connection);
    pool_connection_has_room(connection);
}

static int32_t dial(struct connection *connection, struct loop *loop)
{
    const struct pool_conf *conf = &connection->pool->conf;
    struct net_dial_conf dial = {
        .addrs = conf->addrs,
        .n_addrs = conf->n_addrs,
        .timeout_us = conf->connect_timeout_us,
        .tls = conf->tls,
        .server_name = conf->server_name,
        .alpn = !conf->tls                   ? NULL
                : conf->speaks == POOL_HTTP2 ? "h2"
                                             : "h2,http/1.1",
    };

    return net_dial_start(loop, &dial, on_dialled, connection, &connection->dial);
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
    connection->state = CONNECTION_DIALLING;
    list_push_back(&pool->connections, &connection->link);
    if (conf->speaks == POOL_HTTP1) {
        err = become_h1(connection, &fault);
        connection->greeting.on_due = on_h1_ready;
        if (!err)
            loop_timer_set(loop, &connection->greeting, 0); /* told in the next turn, as all news */
    } else {
        err = dial(connection, loop);
    }
    if (err)
        connection_free(connection);
    return err;
}

void connection_free(struct connection *connection)
{
    loop_timer_cancel(connection->pool->loop, &connection->greeting);
    list_remove(&connection->link);
    if (connection->dial)
        net_dial_cancel(connection->dial);
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
