/* SPDX-License-Identifier: Apache-2.0 */
/* PINGs on a connection whether anything is in flight or not, where the configuration wants them: what is on the way keeps the
 * connection in its tables, and a peer that is gone is found before a request is. Any byte answers. */
#include "http/h2.h"

/* Envoy's: connections made together do not ask together. */
enum { JITTER_PERCENT = 15 };

static void wait(struct h2_conn *conn)
{
    uint64_t each_us = conn->base.conf.alive_us, more_us = each_us * JITTER_PERCENT / 100;

    conn->is_asked = false;
    loop_timer_set(conn->base.loop, &conn->alive_timer,
                   loop_now_us(conn->base.loop) + each_us + rand_below(loop_rand(conn->base.loop), more_us + 1));
}

static void ask(struct h2_conn *conn)
{
    if (nghttp2_submit_ping(conn->session, NGHTTP2_FLAG_NONE, NULL) != 0) { /* no memory: the next one may go */
        wait(conn);
        return;
    }
    conn->is_asked = true;
    conn->has_heard = false;
    loop_timer_set(conn->base.loop, &conn->alive_timer, loop_now_us(conn->base.loop) + conn->base.conf.alive_answer_us);
}

static bool is_silent(const struct h2_conn *conn)
{
    return conn->is_asked && !conn->has_heard;
}

/* What has come is read first: this process may have been the one that slept. */
static void on_due(struct loop_timer *timer)
{
    struct h2_conn *conn = CONTAINER_OF(timer, struct h2_conn, alive_timer);

    if (conn->state != H2_OPEN)
        return;
    conn->busy++;
    if (is_silent(conn))
        h2_read(conn);
    if (conn->state == H2_OPEN && is_silent(conn))
        h2_end(conn, MESH_ERR_RESET, H2_NO_GOAWAY, "did not answer a PING within %llu ms",
               (unsigned long long) (conn->base.conf.alive_answer_us / US_PER_MS));
    else if (conn->state == H2_OPEN)
        conn->is_asked ? wait(conn) : ask(conn);
    h2_settle_later(conn);
    h2_leave(conn);
}

void h2_alive_begin(struct h2_conn *conn)
{
    conn->alive_timer.on_due = on_due;
    if (conn->base.conf.alive_us)
        wait(conn);
}
