/* SPDX-License-Identifier: Apache-2.0 */
/* The life of an HTTP/2 connection.
 *
 *   OPEN ──(protocol error, socket, silence, idle, drained, http_conn_close)──→ ENDING ──→ [LINGERING] ──→ CLOSED
 *
 * ENDING lasts until the end of the turn: then streams are ended and a GOAWAY is sent. LINGERING is for peers that broke
 * the protocol: they shall get the GOAWAY that says so. */
#include "http/h2.h"

#include "observe/observe.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

enum { REFRESH_US = 1000 };

/* ---- the end ---- */

__attribute__((format(printf, 4, 0))) static int32_t fault_of_peer(const struct h2_conn *conn, struct fault *fault,
                                                                   int32_t err, const char *format, va_list args)
{
    char peer[ADDR_TEXT], text[FAULT_TEXT];

    vsnprintf(text, sizeof text, format, args);
    return fault_set(fault, err, "%s %s", addr_format(&conn->base.peer, peer), text);
}

int32_t h2_fault(const struct h2_conn *conn, struct fault *fault, int32_t err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fault_of_peer(conn, fault, err, format, args);
    va_end(args);
    return err;
}

void h2_settle_later(struct h2_conn *conn)
{
    loop_defer(conn->base.loop, &conn->settle);
}

void h2_end(struct h2_conn *conn, int32_t err, uint32_t goaway_code, const char *format, ...)
{
    va_list args;

    if (conn->state != H2_OPEN)
        return;
    conn->state = H2_ENDING;
    conn->goaway_code = goaway_code;
    va_start(args, format);
    fault_of_peer(conn, &conn->why, err, format, args);
    va_end(args);
    h2_settle_later(conn);
}

static void cancel_timers(struct h2_conn *conn)
{
    loop_timer_cancel(conn->base.loop, &conn->silence_timer);
    loop_timer_cancel(conn->base.loop, &conn->idle_timer);
    loop_timer_cancel(conn->base.loop, &conn->age_timer);
    loop_timer_cancel(conn->base.loop, &conn->linger_timer);
    loop_timer_cancel(conn->base.loop, &conn->alive_timer);
}

static void close_socket(struct h2_conn *conn)
{
    if (!conn->net)
        return;
    loop_io_remove(conn->base.loop, &conn->io);
    net_stream_close(conn->net);
    conn->net = NULL;
}

static void become_closed(struct h2_conn *conn)
{
    conn->state = H2_CLOSED;
    cancel_timers(conn);
    close_socket(conn);
    http_conn_tell_closed(&conn->base, &conn->why);
}

static void report_end(const struct h2_conn *conn)
{
    int32_t level = conn->why.code == 0                   ? MESH_LOG_DEBUG
                    : conn->why.code == MESH_ERR_PROTOCOL ? MESH_LOG_WARN
                                                          : MESH_LOG_INFO;
    char peer[ADDR_TEXT];

    if (!conn->base.conf.observe)
        return;
    OBSERVE(conn->base.conf.observe, level, "connection_closed", FIELD_TEXT("cluster", conn->base.conf.cluster),
            FIELD_TEXT("address", addr_format(&conn->base.peer, peer)), FIELD_TEXT("error", error_name(conn->why.code)),
            FIELD_TEXT("why", conn->why.text), FIELD_NUMBER("streams", conn->base.n_streams));
}

static void on_linger_over(struct loop_timer *timer)
{
    struct h2_conn *conn = CONTAINER_OF(timer, struct h2_conn, linger_timer);

    conn->goaway_code = H2_NO_GOAWAY;
    h2_settle_later(conn);
}

/* Streams hear of an orderly end only when it comes with work in flight (http_conn_close with code 0). */
static void end_streams(struct h2_conn *conn)
{
    struct fault why = conn->why;

    if (why.code == 0)
        why.code = MESH_ERR_RESET;
    http_conn_end_all(&conn->base, &why, h2_stream_reach);
}

static void wind_up(struct h2_conn *conn)
{
    bool lingers;

    report_end(conn);
    http_conn_tell_draining(&conn->base, &conn->why);
    if (conn->goaway_code != H2_NO_GOAWAY && nghttp2_session_terminate_session(conn->session, conn->goaway_code) == 0)
        h2_flush(conn);
    end_streams(conn);
    if (conn->is_freed)
        return;
    lingers = conn->goaway_code != H2_NO_GOAWAY && conn->goaway_code != NGHTTP2_NO_ERROR;
    conn->state = H2_LINGERING;
    if (lingers && !h2_linger(conn)) {
        loop_timer_set(conn->base.loop, &conn->linger_timer, loop_now_us(conn->base.loop) + H2_LINGER_US);
        h2_update_interest(conn);
        return;
    }
    if (conn->goaway_code != H2_NO_GOAWAY && !conn->is_shut)
        net_stream_shutdown(conn->net);
    become_closed(conn);
}

/* ---- the end of each turn ---- */

/* Waiting requests are opened first, so that one write takes all; writing may free more places. */
static void serve(struct h2_conn *conn)
{
    do {
        if (conn->room_grew) {
            conn->room_grew = false;
            http_conn_tell_room(&conn->base);
        }
        h2_flush(conn);
    } while (conn->room_grew && conn->state == H2_OPEN);
}

static void begin_draining(struct h2_conn *conn)
{
    if (conn->made_id >= conn->last_id && !conn->drains) {
        conn->drains = true;
        h2_fault(conn, &conn->why, 0, "has had as many requests as one HTTP/2 connection may carry");
    }
    if (conn->drains)
        http_conn_tell_draining(&conn->base, &conn->why);
}

static void end_when_drained(struct h2_conn *conn)
{
    struct fault why;

    if (conn->state != H2_OPEN || !conn->base.draining || conn->base.n_streams > 0)
        return;
    why = conn->why;
    h2_end(conn, 0, NGHTTP2_NO_ERROR, "was not needed any more");
    if (why.text[0])
        conn->why = why;
}

static void note_idleness(struct h2_conn *conn)
{
    if (conn->base.n_streams > 0)
        conn->idle_since_us = 0;
    else if (conn->idle_since_us == 0)
        conn->idle_since_us = loop_now_us(conn->base.loop);
}

static void on_settle(struct loop_later *later)
{
    struct h2_conn *conn = CONTAINER_OF(later, struct h2_conn, settle);

    conn->busy++;
    if (conn->state == H2_OPEN && net_stream_pending(conn->net))
        h2_read(conn);
    if (conn->state == H2_OPEN) {
        begin_draining(conn);
        serve(conn);
        end_when_drained(conn);
        note_idleness(conn);
    }
    if (conn->state == H2_ENDING)
        wind_up(conn);
    else if (conn->state == H2_LINGERING && h2_linger(conn))
        become_closed(conn);
    if (conn->state != H2_CLOSED && !conn->is_freed)
        h2_update_interest(conn);
    h2_leave(conn);
}

static void on_ready(struct loop_io *io, uint32_t events)
{
    struct h2_conn *conn = CONTAINER_OF(io, struct h2_conn, io);

    (void) events; /* reading and writing find out by themselves */
    conn->busy++;
    conn->blocked = false;
    h2_read(conn);
    h2_settle_later(conn);
    h2_leave(conn);
}

/* ---- timers ---- */

static void on_idle(struct loop_timer *timer)
{
    struct h2_conn *conn = CONTAINER_OF(timer, struct h2_conn, idle_timer);
    uint64_t now = loop_now_us(conn->base.loop), idle_us = conn->base.conf.idle_us;
    uint64_t since = conn->base.n_streams > 0 || conn->idle_since_us == 0 ? now : conn->idle_since_us;

    if (conn->state != H2_OPEN)
        return;
    if (now - since < idle_us)
        loop_timer_set(conn->base.loop, timer, since + idle_us);
    else
        h2_end(conn, 0, NGHTTP2_NO_ERROR, "was not needed for %llu ms", (unsigned long long) (idle_us / US_PER_MS));
}

static void on_age(struct loop_timer *timer)
{
    struct h2_conn *conn = CONTAINER_OF(timer, struct h2_conn, age_timer);

    if (conn->state != H2_OPEN || conn->drains)
        return;
    conn->drains = true;
    h2_fault(conn, &conn->why, 0, "has been connected for the longest time allowed, %llu ms",
             (unsigned long long) (conn->base.conf.age_us / US_PER_MS));
    h2_settle_later(conn);
}

/* Bytes of ours that the peer's host has not acknowledged for two silences: it is gone. A stopped process acknowledges. */
static bool host_is_gone(const struct h2_conn *conn)
{
    struct tcp_info info;
    socklen_t len = sizeof info;

    if (getsockopt(net_stream_fd(conn->net), IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return false;
    return info.tcpi_unacked > 0 && info.tcpi_last_ack_recv > 2 * conn->silence.limit_us / US_PER_MS;
}

static void end_silent(struct h2_conn *conn, uint64_t now)
{
    h2_end(conn, MESH_ERR_RESET, H2_NO_GOAWAY, "was silent for %llu ms",
           (unsigned long long) ((now - conn->silence.since_us) / US_PER_MS));
}

static void ping(struct h2_conn *conn, uint64_t now)
{
    char peer[ADDR_TEXT];

    if (nghttp2_submit_ping(conn->session, NGHTTP2_FLAG_NONE, NULL) != 0)
        return;
    h2_silence_pinged(&conn->silence, now);
    if (observe_wants(conn->base.conf.observe, MESH_LOG_DEBUG))
        OBSERVE(conn->base.conf.observe, MESH_LOG_DEBUG, "connection_silent",
                FIELD_TEXT("cluster", conn->base.conf.cluster),
                FIELD_TEXT("address", addr_format(&conn->base.peer, peer)),
                FIELD_NUMBER("silent_us", now - conn->silence.since_us));
}

static enum h2_silence_step check_silence(struct h2_conn *conn, uint64_t *next_us)
{
    return h2_silence_check(&conn->silence, loop_now_us(conn->base.loop), conn->base.n_streams > 0,
                            conn->guard.frames_useful, next_us);
}

/* This process may have been the one that slept: nobody is called silent before all that has come is read. */
static void on_silence(struct loop_timer *timer)
{
    struct h2_conn *conn = CONTAINER_OF(timer, struct h2_conn, silence_timer);
    uint64_t next_us = 0, now = loop_now_us(conn->base.loop);
    enum h2_silence_step step;

    if (conn->state != H2_OPEN)
        return;
    conn->busy++;
    step = check_silence(conn, &next_us);
    if (step != H2_SILENCE_REST && step != H2_SILENCE_WAIT) {
        h2_read(conn);
        step = check_silence(conn, &next_us);
    }
    if (step == H2_SILENCE_PING)
        ping(conn, now);
    else if (step == H2_SILENCE_CLOSE || (step == H2_SILENCE_ASK_KERNEL && host_is_gone(conn)))
        end_silent(conn, now);
    if (step != H2_SILENCE_REST && conn->state == H2_OPEN)
        loop_timer_set(conn->base.loop, timer, next_us);
    h2_settle_later(conn);
    h2_leave(conn);
}

static void set_timers(struct h2_conn *conn)
{
    const struct http_conn_conf *conf = &conn->base.conf;
    struct loop *loop = conn->base.loop;
    uint64_t now = loop_now_us(loop);

    conn->silence_timer.on_due = on_silence;
    conn->idle_timer.on_due = on_idle;
    conn->age_timer.on_due = on_age;
    conn->linger_timer.on_due = on_linger_over;
    if (conf->idle_us)
        loop_timer_set(loop, &conn->idle_timer, now + conf->idle_us);
    if (conf->age_us) /* 90 to 110 %: connections made together are not replaced together */
        loop_timer_set(loop, &conn->age_timer,
                       now + conf->age_us - conf->age_us / 10 + rand_below(loop_rand(loop), conf->age_us / 5 + 1));
}

/* ---- operations ---- */

static uint32_t room(const struct http_conn *base)
{
    const struct h2_conn *conn = h2_of(base);
    uint32_t left;

    if (conn->state != H2_OPEN || conn->drains || conn->made_id >= conn->last_id || conn->n_active >= conn->limit)
        return 0;
    if (base->conf.max_requests == 0)
        return conn->limit - conn->n_active;
    left = (uint32_t) (conn->last_id - conn->made_id + 1) / 2;
    return left < conn->limit - conn->n_active ? left : conn->limit - conn->n_active;
}

static uint32_t limit(const struct http_conn *base)
{
    return h2_of(base)->limit;
}

static bool silent(const struct http_conn *base)
{
    const struct h2_conn *conn = h2_of(base);

    return h2_silence_is(&conn->silence, loop_now_us(base->loop), base->n_streams > 0, conn->guard.frames_useful);
}

static void silence_changed(struct http_conn *base)
{
    struct h2_conn *conn = h2_of(base);
    uint64_t due = loop_now_us(base->loop) + base->conf.silence_us;

    conn->silence.limit_us = base->conf.silence_us;
    if (conn->state != H2_OPEN || base->conf.silence_us == 0 || base->n_streams == 0)
        return;
    if (!conn->silence_timer.is_set || conn->silence_timer.due_us > due)
        loop_timer_set(base->loop, &conn->silence_timer, due);
}

static void refresh(struct http_conn *base)
{
    struct h2_conn *conn = h2_of(base);

    if (conn->state != H2_OPEN || loop_now_us(base->loop) - conn->read_us < REFRESH_US)
        return;
    conn->busy++;
    if (h2_read(conn))
        h2_read(conn);
    h2_settle_later(conn);
    h2_leave(conn);
}

static void drain(struct http_conn *base)
{
    h2_settle_later(h2_of(base));
}

static void close_conn(struct http_conn *base, int32_t err, const char *why)
{
    struct h2_conn *conn = h2_of(base);

    if (conn->state != H2_OPEN)
        return;
    h2_end(conn, err, NGHTTP2_NO_ERROR, "%s", why);
    fault_set(&conn->why, err, "%s", why);
}

static void destroy(struct h2_conn *conn)
{
    loop_undefer(&conn->settle);
    cancel_timers(conn);
    close_socket(conn);
    nghttp2_session_del(conn->session);
    spare_clear(&conn->spare);
    buf_free(&conn->out);
    mem_free(conn->in);
    mem_free(conn->peer_path);
    mem_free(conn);
}

void h2_leave(struct h2_conn *conn)
{
    conn->busy--;
    if (conn->busy == 0 && conn->is_freed)
        destroy(conn);
}

static void free_conn(struct http_conn *base)
{
    struct h2_conn *conn = h2_of(base);

    conn->is_freed = true;
    conn->state = H2_CLOSED;
    base->draining = base->closed = true;
    if (conn->busy == 0)
        destroy(conn);
}

const struct http_conn_kind http_h2_kind = {
    .protocol = HTTP_2,
    .room = room,
    .limit = limit,
    .silent = silent,
    .silence_changed = silence_changed,
    .refresh = refresh,
    .drain = drain,
    .close = close_conn,
    .free = free_conn,
    .stream_open = h2_stream_open,
    .stream_resume = h2_stream_resume,
    .stream_consume = h2_stream_consume,
    .stream_cancel = h2_stream_cancel,
};

/* ---- making one ---- */

static int32_t copy_peer(struct h2_conn *conn)
{
    conn->base.peer = *net_stream_peer(conn->net);
    if (conn->base.peer.family != ADDR_UNIX)
        return 0;
    conn->peer_path = mem_strdup(conn->base.peer.path);
    conn->base.peer.path = conn->peer_path;
    return conn->peer_path ? 0 : MESH_ERR_NOMEM;
}

/* The n-th stream of a client has the id 2n - 1. */
static int32_t last_id(uint32_t max_requests)
{
    if (max_requests == 0 || max_requests > H2_LAST_ID / 2)
        return H2_LAST_ID;
    return (int32_t) max_requests * 2 - 1;
}

static void init(struct h2_conn *conn, struct loop *loop)
{
    uint64_t now = loop_now_us(loop);

    h2_set_limit(conn, H2_FIRST_LIMIT);
    conn->last_id = last_id(conn->base.conf.max_requests);
    conn->goaway_code = H2_NO_GOAWAY;
    conn->idle_since_us = now;
    conn->silence.limit_us = conn->base.conf.silence_us;
    conn->silence.answer_us = conn->base.conf.answer_us;
    h2_silence_heard(&conn->silence, now);
    h2_guard_init(&conn->guard, now);
    conn->guard.arrival = h2_ended_arrival;
    h2_stream_init_cancels(conn, now);
    conn->settle.run = on_settle;
    conn->io.fd = net_stream_fd(conn->net);
    conn->io.on_ready = on_ready;
}

int32_t http_conn_h2(struct loop *loop, const struct http_conn_conf *conf, struct net_stream *stream,
                     const struct http_conn_ops *ops, void *owner, struct http_conn **out, struct fault *fault)
{
    struct h2_conn *conn = mem_zalloc(sizeof *conn);
    int32_t err = MESH_ERR_NOMEM;

    *out = NULL;
    if (!conn) {
        net_stream_close(stream);
        return fault_set(fault, err, "no memory for a connection");
    }
    http_conn_init(&conn->base, &http_h2_kind, loop, conf, ops, owner);
    conn->net = stream;
    init(conn, loop);
    conn->in = mem_alloc(H2_IN);
    if (!conn->in || copy_peer(conn) != 0)
        goto fail;
    err = h2_session_new(conn);
    if (err)
        goto fail;
    err = loop_io_add(loop, &conn->io, net_stream_wants(stream, false));
    if (err)
        goto fail;
    set_timers(conn);
    h2_alive_begin(conn);
    h2_settle_later(conn);
    *out = &conn->base;
    return 0;
fail:
    destroy(conn);
    return fault_set(fault, err, "a connection could not be set up: %s", h2_error_text(err));
}
