/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP/1.1 connection: what http/conn.c asks of it, what its owner is told, and its end. */
#include "http/h1.h"
#include "observe/observe.h"

static struct h1_conn *of(const struct http_conn *conn)
{
    return (struct h1_conn *) conn;
}

/* ---- the end ---- */

static void drop_all(struct list *list)
{
    while (!list_empty(list))
        h1_exchange_drop(CONTAINER_OF(list->next, struct h1_exchange, link));
}

static void drop_everything(struct h1_conn *conn)
{
    drop_all(&conn->queued);
    drop_all(&conn->running);
    drop_all(&conn->doomed);
    h1_multi_close(conn);
    loop_timer_cancel(conn->base.loop, &conn->idle_timer);
    loop_undefer(&conn->later);
}

void h1_conn_destroy(struct h1_conn *conn)
{
    struct list *link;

    drop_everything(conn);
    while ((link = list_pop_front(&conn->spare)))
        h1_exchange_free(CONTAINER_OF(link, struct h1_exchange, link));
    if (conn->share)
        curl_share_cleanup(conn->share);
    curl_slist_free_all(conn->resolve);
    curl_slist_free_all(conn->connect_to);
    mem_free(conn->fixed.unix_path);
    mem_free(conn->fixed.server_name);
    mem_free(conn->fixed.proxy);
    net_tls_unref(conn->fixed.identity);
    mem_free(conn->fixed.ca);
    mem_free(conn->fixed.ca_dir);
    mem_free(conn->fixed.cert);
    mem_free(conn->fixed.key);
    mem_free(conn->fixed.url);
    mem_free(conn);
}

void h1_enter(struct h1_conn *conn)
{
    conn->busy++;
}

void h1_leave(struct h1_conn *conn)
{
    if (--conn->busy == 0 && conn->freed)
        h1_conn_destroy(conn);
}

static enum http_reach reach_of(const struct http_stream *stream)
{
    return h1_exchange_reach(stream->impl);
}

static void report_end(const struct h1_conn *conn)
{
    const struct fault *why = &conn->end_why;

    if (!conn->base.conf.observe)
        return;
    OBSERVE(conn->base.conf.observe, why->code ? MESH_LOG_INFO : MESH_LOG_DEBUG, "connection_closed",
            FIELD_TEXT("cluster", conn->base.conf.cluster), FIELD_TEXT("address", conn->peer_text),
            FIELD_TEXT("error", error_name(why->code)), FIELD_TEXT("why", why->text),
            FIELD_NUMBER("streams", conn->base.n_streams));
}

/* An end in good order has code 0; streams hear of it only when the owner wants it although they run. */
static void end(struct h1_conn *conn)
{
    struct fault why = conn->end_why, streams_why = conn->end_why;

    report_end(conn);
    if (streams_why.code == 0)
        streams_why.code = MESH_ERR_RESET;
    /* While owners are told, exchanges whose stream has ended already stay in their lists: they are needed no more. */
    http_conn_end_all(&conn->base, &streams_why, reach_of);
    drop_everything(conn);
    if (!conn->freed)
        http_conn_tell_closed(&conn->base, &why);
}

static void end_with(struct h1_conn *conn, int32_t err, const char *why)
{
    if (conn->ending)
        return;
    conn->ending = true;
    fault_set(&conn->end_why, err, "connection to %s: %s", conn->peer_text, why);
}

void h1_conn_await_use(struct h1_conn *conn)
{
    if (conn->base.n_streams == 0 && conn->base.conf.idle_us > 0 && !conn->idle_timer.is_set)
        loop_timer_set(conn->base.loop, &conn->idle_timer, loop_now_us(conn->base.loop) + conn->base.conf.idle_us);
}

void h1_conn_tell(struct h1_conn *conn)
{
    bool room_grew = conn->room_grew;

    conn->room_grew = false;
    if (conn->freed || conn->base.closed)
        return;
    if (conn->base.draining && conn->base.n_streams == 0)
        end_with(conn, 0, "drained");
    if (conn->ending) {
        end(conn);
        return;
    }
    h1_conn_await_use(conn);
    if (room_grew)
        http_conn_tell_room(&conn->base);
}

static void on_idle_due(struct loop_timer *timer)
{
    struct h1_conn *conn = CONTAINER_OF(timer, struct h1_conn, idle_timer);
    struct fault why;

    fault_set(&why, 0, "connection to %s: was not needed for %llu ms", conn->peer_text,
              (unsigned long long) (conn->base.conf.idle_us / US_PER_MS));
    h1_enter(conn);
    conn->ending = true;
    conn->end_why = why;
    http_conn_tell_draining(&conn->base, &why);
    h1_settle(conn);
    h1_leave(conn);
}

static void run_later(struct loop_later *later)
{
    struct h1_conn *conn = CONTAINER_OF(later, struct h1_conn, later);

    h1_enter(conn);
    h1_settle(conn);
    h1_leave(conn);
}

/* ---- what http/conn.c asks ---- */

static uint32_t limit(const struct http_conn *conn)
{
    return of(conn)->fixed.max_connections;
}

static uint32_t room(const struct http_conn *conn)
{
    uint32_t most = of(conn)->fixed.max_connections;

    return conn->n_streams < most ? most - conn->n_streams : 0;
}

static void drain(struct http_conn *conn)
{
    loop_defer(conn->loop, &of(conn)->later);
}

static void close_conn(struct http_conn *conn, int32_t err, const char *why)
{
    end_with(of(conn), err, why);
    loop_defer(conn->loop, &of(conn)->later);
}

static void free_conn(struct http_conn *conn)
{
    if (of(conn)->busy > 0)
        of(conn)->freed = true;
    else
        h1_conn_destroy(of(conn));
}

static int32_t stream_open(struct http_conn *base, struct http_stream *stream, const struct http_request *request)
{
    struct h1_conn *conn = of(base);
    struct h1_exchange *exchange = h1_exchange_take(conn);
    int32_t err;

    if (!exchange)
        return MESH_ERR_NOMEM;
    err = h1_request_set(exchange, request);
    if (!err)
        err = h1_multi_open(conn);
    if (err) {
        h1_exchange_put(exchange);
        return err;
    }
    h1_socket_refresh(conn);
    exchange->stream = stream;
    stream->impl = exchange;
    loop_timer_cancel(base->loop, &conn->idle_timer);
    h1_exchange_start(exchange);
    return 0;
}

static void stream_resume(struct http_conn *conn, struct http_stream *stream)
{
    struct h1_exchange *exchange = stream->impl;

    (void) conn;
    exchange->has_more = true;
    if (exchange->send_paused)
        h1_exchange_touch(exchange);
}

static void stream_consume(struct http_conn *conn, struct http_stream *stream, size_t n)
{
    struct h1_exchange *exchange = stream->impl;

    exchange->unconsumed -= n < exchange->unconsumed ? n : exchange->unconsumed;
    if (exchange->recv_paused && exchange->unconsumed < conn->conf.window)
        h1_exchange_touch(exchange);
}

static void stream_cancel(struct http_conn *base, struct http_stream *stream)
{
    struct h1_conn *conn = of(base);

    conn->room_grew = true;
    loop_defer(base->loop, &conn->later);
    h1_exchange_drop(stream->impl);
}

const struct http_conn_kind http_h1_kind = {
    .protocol = HTTP_1_1,
    .room = room,
    .limit = limit,
    .drain = drain,
    .close = close_conn,
    .free = free_conn,
    .stream_open = stream_open,
    .stream_resume = stream_resume,
    .stream_consume = stream_consume,
    .stream_cancel = stream_cancel,
};

void h1_conn_init(struct h1_conn *conn)
{
    list_init(&conn->sockets);
    list_init(&conn->running);
    list_init(&conn->queued);
    list_init(&conn->doomed);
    list_init(&conn->spare);
    list_init(&conn->touched);
    conn->curl_timer.on_due = h1_on_curl_timer;
    conn->idle_timer.on_due = on_idle_due;
    conn->later.run = run_later;
}
