/* SPDX-License-Identifier: Apache-2.0 */
/* Leases and connections of one endpoint: who gets a place, when to dial, when an endpoint is in doubt. */
#include "pool/pool.h"

#include "pool/connection.h"
#include "pool/state.h"

/* How long a doubted endpoint is left alone before it is dialled again, unless a lease demands it: doubling, ±half. */
#define RETRY_FIRST_US   (100 * US_PER_MS)
#define RETRY_LONGEST_US (10 * US_PER_S)

static void on_retry(struct loop_timer *timer);
static void on_change(struct loop_later *later);
static void on_window_moved(struct loop_later *later);

int32_t pool_new(struct loop *loop, const struct pool_conf *conf, struct pool **out)
{
    struct pool *pool = mem_zalloc(sizeof *pool);

    *out = pool;
    if (!pool)
        return MESH_ERR_NOMEM;
    pool->loop = loop;
    pool->conf = *conf;
    pool->by_alpn = conf->speaks == POOL_ALPN;
    if (conf->tls)
        net_tls_ref(conf->tls);
    list_init(&pool->connections);
    list_init(&pool->waiting);
    pool->retry.on_due = on_retry;
    pool->change.run = on_change;
    pool->answer.run = on_window_moved;
    return 0;
}

static void count_connection(struct pool *pool, int by)
{
    atomic_fetch_add(&pool->conf.limits->connections, (uint32_t) by);
}

static void free_connections(struct pool *pool)
{
    LIST_EACH_SAFE(link, next, &pool->connections) {
        connection_free(CONTAINER_OF(link, struct connection, link));
        count_connection(pool, -1);
    }
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    free_connections(pool);
    loop_timer_cancel(pool->loop, &pool->retry);
    loop_undefer(&pool->change);
    loop_undefer(&pool->answer);
    net_tls_unref(pool->conf.tls);
    mem_free(pool);
}

static void on_change(struct loop_later *later)
{
    struct pool *pool = CONTAINER_OF(later, struct pool, change);

    pool->conf.on_change(pool->conf.user);
}

static void changed(struct pool *pool)
{
    loop_defer(pool->loop, &pool->change);
}

/* ---- growing ---- */

static bool is_connecting(const struct pool *pool)
{
    LIST_EACH(link, &pool->connections) {
        if (CONTAINER_OF(link, struct connection, link)->state < CONNECTION_OPEN)
            return true;
    }
    return false;
}

static bool has_hope(const struct pool *pool)
{
    LIST_EACH(link, &pool->connections) {
        if (CONTAINER_OF(link, struct connection, link)->state != CONNECTION_DRAINING)
            return true;
    }
    return false;
}

/* One more connection, if the cluster's limit allows. One to HTTP/1.1 peers stands for as many sockets as are allowed. */
static int32_t grow(struct pool *pool)
{
    struct pool_limits *limits = pool->conf.limits;
    int32_t err;

    if (pool->conf.speaks == POOL_HTTP1 && has_hope(pool))
        return MESH_ERR_OVERFLOW;
    if (atomic_fetch_add(&limits->connections, 1) >= limits->max_connections) {
        count_connection(pool, -1);
        return MESH_ERR_OVERFLOW;
    }
    err = connection_start(pool, &pool->conf, pool->loop);
    if (err)
        count_connection(pool, -1);
    changed(pool);
    return err;
}

static void grow_unless_connecting(struct pool *pool)
{
    if (!pool->draining && !is_connecting(pool))
        grow(pool);
}

/* ---- leases ---- */

static uint32_t count_streams(const struct pool *pool)
{
    uint32_t n = 0;

    LIST_EACH(link, &pool->connections) {
        const struct connection *connection = CONTAINER_OF(link, struct connection, link);

        n += connection->http ? connection->http->n_streams : 0;
    }
    return n;
}

static bool window_is_full(struct pool *pool)
{
    return pool->window.limit > 0 && !window_admits(&pool->window, count_streams(pool), loop_now_us(pool->loop));
}

/* There is a connection, and leases wait for the window alone. */
static bool is_held_back(struct pool *pool)
{
    return has_hope(pool) && window_is_full(pool);
}

/* The oldest connection that is not crowded, else the one with most room, in which case another is dialled meanwhile. */
struct http_conn *pool_take(struct pool *pool)
{
    struct connection *roomiest = NULL;

    if (window_is_full(pool))
        return NULL;
    LIST_EACH(link, &pool->connections) {
        struct connection *connection = CONTAINER_OF(link, struct connection, link);

        if (connection->state == CONNECTION_OPEN)
            http_conn_refresh(connection->http);
        if (!connection_usable(connection))
            continue;
        if (!connection_crowded(connection))
            return connection->http;
        if (!roomiest || http_conn_room(connection->http) > http_conn_room(roomiest->http))
            roomiest = connection;
    }
    if (!roomiest)
        return NULL;
    grow_unless_connecting(pool);
    return roomiest->http;
}

/* In turn; after doubt the newest first. */
static struct pool_lease *next_waiting(const struct pool *pool)
{
    struct list *link = pool->window.limit > 0 ? pool->waiting.prev : pool->waiting.next;

    return CONTAINER_OF(link, struct pool_lease, link);
}

static void answer_waiting(struct pool *pool)
{
    struct http_conn *http;

    while (!list_empty(&pool->waiting) && (http = pool_take(pool))) {
        struct pool_lease *lease = next_waiting(pool);

        pool_forget(lease);
        lease->on_leased(lease, http);
    }
}

static void fail_waiting(struct pool *pool, const struct fault *why)
{
    struct fault copy = *why;
    struct list failed;

    list_init(&failed);
    list_take_all(&failed, &pool->waiting);
    while (!list_empty(&failed)) {
        struct pool_lease *lease = CONTAINER_OF(failed.next, struct pool_lease, link);

        pool_forget(lease);
        lease->on_failed(lease, &copy);
    }
}

/* Leases wait and nothing is on its way that could serve them: dial, or tell them that it is hopeless. */
static void help_waiting(struct pool *pool)
{
    struct fault fault;
    int32_t err;

    if (list_empty(&pool->waiting) || is_connecting(pool) || is_held_back(pool))
        return;
    err = grow(pool);
    if (!err || has_hope(pool))
        return;
    if (err == MESH_ERR_OVERFLOW)
        fault_set(&fault, err, "no connection: the cluster has its breaker.max_connections %u already",
                  pool->conf.limits->max_connections);
    else
        fault_set(&fault, err, "no connection: %s", error_text(err));
    fail_waiting(pool, &fault);
}

static void on_retry(struct loop_timer *timer)
{
    struct pool *pool = CONTAINER_OF(timer, struct pool, retry);

    answer_waiting(pool); /* who began to wait while there was room, for another kind of connection */
    help_waiting(pool);
    grow_unless_connecting(pool);
}

void pool_wait(struct pool *pool, struct pool_lease *lease)
{
    lease->pool = pool;
    list_push_back(&pool->waiting, &lease->link);
    pool->n_waiting++;
    if (is_connecting(pool) || is_held_back(pool))
        return;
    if (grow(pool) != 0)
        loop_timer_set(pool->loop, &pool->retry, 0); /* the answer comes in the next turn */
}

void pool_forget(struct pool_lease *lease)
{
    if (!lease->pool)
        return;
    list_remove(&lease->link);
    lease->pool->n_waiting--;
    lease->pool = NULL;
}

static void on_window_moved(struct loop_later *later)
{
    struct pool *pool = CONTAINER_OF(later, struct pool, answer);

    answer_waiting(pool);
    help_waiting(pool);
}

void pool_attempt_ended(struct pool *pool, bool answered)
{
    if (pool->window.limit == 0)
        return;
    if (answered)
        window_answered(&pool->window, loop_now_us(pool->loop));
    else
        window_failed(&pool->window, loop_now_us(pool->loop));
    if (!list_empty(&pool->waiting))
        loop_defer(pool->loop, &pool->answer);
}

void pool_warm(struct pool *pool)
{
    if (!has_hope(pool))
        grow_unless_connecting(pool);
}

/* ---- what connections tell ---- */

/* What this process could not do says nothing about the endpoint. */
static bool is_ours(const struct fault *why)
{
    return why->code == MESH_ERR_NOMEM || why->code == MESH_ERR_IO;
}

static void doubt(struct pool *pool, const struct fault *why)
{
    uint64_t wait = RETRY_LONGEST_US;

    pool->doubted = true;
    pool->fault = *why;
    if (pool->retry.is_set)
        return; /* a lease demanded this dial: many of them would soon make the wait the longest */
    if (pool->failures < 16 && RETRY_FIRST_US << pool->failures < RETRY_LONGEST_US)
        wait = RETRY_FIRST_US << pool->failures;
    pool->failures++;
    wait = wait / 2 + rand_below(loop_rand(pool->loop), wait);
    if (!pool->draining)
        loop_timer_set(pool->loop, &pool->retry, loop_now_us(pool->loop) + wait);
}

void pool_connection_opened(struct connection *connection)
{
    struct pool *pool = connection->pool;
    uint64_t took = loop_now_us(pool->loop) - connection->began_us;

    if (pool->conf.speaks == POOL_HTTP2 && (pool->connect_us == 0 || took < pool->connect_us))
        pool->connect_us = took > 0 ? took : 1;
    if (pool->doubted)
        window_begin(&pool->window, loop_now_us(pool->loop));
    pool->doubted = false;
    pool->failures = 0;
    loop_timer_cancel(pool->loop, &pool->retry);
    changed(pool);
}

void pool_connection_has_room(struct connection *connection)
{
    struct pool *pool = connection->pool;

    if (!list_empty(&pool->waiting))
        answer_waiting(pool);
    if (pool->draining && list_empty(&pool->waiting))
        http_conn_drain(connection->http);
}

/* The replacement is dialled while the last streams still run, so that nobody waits for it. A peer that broke the protocol,
 * or says that we did, sees us again when somebody has a request for it. */
void pool_connection_draining(struct connection *connection, const struct fault *why)
{
    struct pool *pool = connection->pool;
    bool needed = !list_empty(&pool->waiting) || (why->code == 0 && connection->http->n_streams > 0);

    if (needed && !has_hope(pool))
        grow_unless_connecting(pool);
    changed(pool);
}

void pool_connection_ended(struct connection *connection, bool was_open, const struct fault *why)
{
    struct pool *pool = connection->pool;

    if ((!was_open && !is_ours(why)) || connection->was_silent)
        doubt(pool, why);
    connection_free(connection);
    count_connection(pool, -1);
    if (!was_open && !has_hope(pool))
        fail_waiting(pool, why);
    help_waiting(pool);
    changed(pool);
}

/* ---- a peer that wants HTTP/1.1 ---- */

static void leave_http2(struct connection *connection)
{
    if (connection->state < CONNECTION_OPEN) {
        connection_free(connection);
        return;
    }
    connection->state = CONNECTION_DRAINING;
    http_conn_drain(connection->http);
}

bool pool_speak_http1(struct pool *pool)
{
    if (!pool->by_alpn || pool->conf.speaks == POOL_HTTP1)
        return pool->conf.speaks == POOL_HTTP1;
    pool->conf.speaks = POOL_HTTP1;
    LIST_EACH_SAFE(link, next, &pool->connections) {
        struct connection *connection = CONTAINER_OF(link, struct connection, link);

        if (connection->state < CONNECTION_OPEN)
            count_connection(pool, -1);
        leave_http2(connection);
    }
    if (!list_empty(&pool->waiting))
        loop_timer_set(pool->loop, &pool->retry, 0); /* dials for them in the next turn */
    changed(pool);
    return true;
}

/* ---- the end ---- */

void pool_drain(struct pool *pool)
{
    pool->draining = true;
    loop_timer_cancel(pool->loop, &pool->retry);
    LIST_EACH_SAFE(link, next, &pool->connections) {
        struct connection *connection = CONTAINER_OF(link, struct connection, link);

        if (connection->state == CONNECTION_OPEN)
            http_conn_drain(connection->http);
    }
    changed(pool);
}

void pool_close(struct pool *pool, int32_t err, const char *why)
{
    struct fault fault;

    pool->draining = true;
    loop_timer_cancel(pool->loop, &pool->retry);
    fault_set(&fault, err, "%s", why);
    fail_waiting(pool, &fault);
    LIST_EACH_SAFE(link, next, &pool->connections) {
        struct connection *connection = CONTAINER_OF(link, struct connection, link);

        if (connection->http)
            http_conn_close(connection->http, err, why);
    }
}

bool pool_is_empty(const struct pool *pool)
{
    return list_empty(&pool->connections) && list_empty(&pool->waiting);
}

/* ---- describing ---- */

const char *pool_health_name(enum pool_health health)
{
    static const char *const names[] = { "idle", "connecting", "connected", "silent", "failed" };

    return names[health];
}

static enum pool_health health_of(const struct pool *pool, const struct pool_state *state, bool any_heard)
{
    if (state->connections > 0 && any_heard)
        return POOL_CONNECTED;
    if (state->connections > 0)
        return POOL_SILENT;
    if (pool->doubted)
        return POOL_FAILED;
    return is_connecting(pool) ? POOL_CONNECTING : POOL_IDLE;
}

struct pool_state pool_state(const struct pool *pool)
{
    struct pool_state state = {
        .waiting = pool->n_waiting, .fault = &pool->fault, .protocol = "", .connect_us = pool->connect_us
    };
    bool any_heard = false;

    if (pool->conf.speaks != POOL_ALPN)
        state.protocol = pool->conf.speaks == POOL_HTTP2 ? "h2" : "http/1.1";
    LIST_EACH(link, &pool->connections) {
        const struct connection *connection = CONTAINER_OF(link, struct connection, link);

        if (connection->state < CONNECTION_OPEN)
            continue;
        state.connections++;
        state.streams += connection->http->n_streams;
        any_heard = any_heard || !http_conn_silent(connection->http);
    }
    state.health = health_of(pool, &state, any_heard);
    return state;
}

void pool_set_silence(struct pool *pool, uint64_t silence_us)
{
    pool->conf.http.silence_us = silence_us;
    LIST_EACH(link, &pool->connections) {
        struct connection *connection = CONTAINER_OF(link, struct connection, link);

        if (connection->http)
            http_conn_set_silence(connection->http, silence_us);
    }
}
