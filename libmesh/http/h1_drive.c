/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's multi interface on our loop: its timer, its results, and what has to wait until it is off the stack. */
#include "http/h1.h"

static int on_timeout_wanted(CURLM *multi, long timeout_ms, void *user)
{
    struct h1_conn *conn = user;
    struct loop *loop = conn->base.loop;

    (void) multi;
    if (timeout_ms == 0 && conn->busy == 0) {
        conn->kick = true;
        loop_defer(loop, &conn->later);
    } else if (timeout_ms >= 0) {
        loop_timer_set(loop, &conn->curl_timer, loop_now_us(loop) + (uint64_t) timeout_ms * US_PER_MS);
    } else {
        loop_timer_cancel(loop, &conn->curl_timer);
    }
    return 0;
}

void h1_on_curl_timer(struct loop_timer *timer)
{
    struct h1_conn *conn = CONTAINER_OF(timer, struct h1_conn, curl_timer);

    h1_enter(conn);
    h1_drive(conn, CURL_SOCKET_TIMEOUT, 0);
    h1_settle(conn);
    h1_leave(conn);
}

int32_t h1_multi_open(struct h1_conn *conn)
{
    long most = (long) conn->fixed.max_connections;

    if (conn->multi)
        return 0;
    conn->multi = h1_multi_new();
    if (!conn->multi)
        return MESH_ERR_NOMEM;
    curl_multi_setopt(conn->multi, CURLMOPT_SOCKETFUNCTION, h1_socket_want);
    curl_multi_setopt(conn->multi, CURLMOPT_SOCKETDATA, conn);
    curl_multi_setopt(conn->multi, CURLMOPT_TIMERFUNCTION, on_timeout_wanted);
    curl_multi_setopt(conn->multi, CURLMOPT_TIMERDATA, conn);
    curl_multi_setopt(conn->multi, CURLMOPT_PIPELINING, (long) CURLPIPE_NOTHING);
    curl_multi_setopt(conn->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, most);
    curl_multi_setopt(conn->multi, CURLMOPT_MAXCONNECTS, most);
    return 0;
}

/* curl_multi_cleanup() would change the process's SIGPIPE handler for a moment, had no handle with CURLOPT_NOSIGNAL been added. The
 * multi handle is made for the first stream only, which adds one. */
void h1_multi_close(struct h1_conn *conn)
{
    if (conn->multi)
        curl_multi_cleanup(conn->multi);
    conn->multi = NULL;
    h1_socket_check(conn);
    conn->kick = false;
    loop_timer_cancel(conn->base.loop, &conn->curl_timer);
}

static void collect(struct h1_conn *conn)
{
    CURLMsg *message;
    int left;

    while (conn->multi && (message = curl_multi_info_read(conn->multi, &left))) {
        CURLcode code = message->data.result;
        char *exchange = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
        h1_exchange_done((struct h1_exchange *) (void *) exchange, code);
    }
}

void h1_drive(struct h1_conn *conn, curl_socket_t fd, int curl_events)
{
    CURLMcode code;
    int running;

    if (!conn->multi)
        return;
    conn->kick = false;
    conn->in_curl = true;
    code = curl_multi_socket_action(conn->multi, fd, curl_events, &running);
    conn->in_curl = false;
    h1_socket_check(conn);
    collect(conn);
    if (code == CURLM_OK || conn->ending)
        return;
    /* One of our callbacks could not watch a socket: libcurl gives all transfers up, but does not say so by itself. */
    conn->ending = true;
    fault_set(&conn->end_why, MESH_ERR_NOMEM, "connection to %s: %s", conn->peer_text, curl_multi_strerror(code));
}

static void start_queued(struct h1_conn *conn)
{
    struct list *link;

    while ((link = list_pop_front(&conn->queued)))
        h1_exchange_start(CONTAINER_OF(link, struct h1_exchange, link));
}

static void drop_doomed(struct h1_conn *conn)
{
    struct list *link;

    while ((link = list_pop_front(&conn->doomed)))
        h1_exchange_drop(CONTAINER_OF(link, struct h1_exchange, link));
}

static void unpause_touched(struct h1_conn *conn)
{
    struct list *link;

    while ((link = list_pop_front(&conn->touched)))
        h1_exchange_unpause(CONTAINER_OF(link, struct h1_exchange, touched));
}

/* What owners asked for while libcurl was on the stack. Unpausing calls owners again. */
static void catch_up(struct h1_conn *conn)
{
    while (!list_empty(&conn->doomed) || !list_empty(&conn->queued) || !list_empty(&conn->touched)) {
        drop_doomed(conn);
        start_queued(conn);
        unpause_touched(conn);
    }
}

void h1_settle(struct h1_conn *conn)
{
    catch_up(conn);
    if (conn->kick && !conn->ending) {
        h1_drive(conn, CURL_SOCKET_TIMEOUT, 0);
        catch_up(conn);
    }
    h1_conn_tell(conn);
}
