/* SPDX-License-Identifier: Apache-2.0 */
/* The connection of a control plane: when it is made, with whom, what happens when it ends. */
#include "source/xds/channel.h"

#include <stdio.h>
#include <string.h>

#include <mesh/version.h>

#include "source/xds/channel_address.h"
#include "source/xds/channel_state.h"

#define CONNECT_US (5 * US_PER_S)
/* Streams of a control plane are silent for hours; PINGs that come more often than this make servers of gRPC hang up
 * ("too_many_pings"). A host that is gone is noticed by TCP within a minute (net/socket.c). */
#define SILENCE_US (300 * US_PER_S)
#define ANSWER_US  (20 * US_PER_S)

static void step(struct channel *channel);

/* ---- states ---- */

const char *channel_state_name(enum channel_state state)
{
    static const char *const names[] = {
        [CHANNEL_IDLE] = "idle",           [CHANNEL_RESOLVING] = "resolving", [CHANNEL_CONNECTING] = "connecting",
        [CHANNEL_CONNECTED] = "connected", [CHANNEL_BACKOFF] = "backoff",
    };

    return names[state];
}

static void become(struct channel *channel, enum channel_state state)
{
    channel->state = state;
    channel->since_us = loop_now_us(channel->loop);
}

void channel_note_fault(struct channel *channel, const struct fault *fault)
{
    channel->fault = *fault;
    channel->fault_us = loop_now_us(channel->loop);
}

bool channel_is_news(uint64_t *told, const struct fault *fault)
{
    uint64_t hash = hash_bytes(fault->text, strlen(fault->text)) | 1;
    bool is_news = *told != hash;

    *told = hash;
    return is_news;
}

void channel_step_later(struct channel *channel)
{
    loop_defer(channel->loop, &channel->step);
}

static void on_step(struct loop_later *later)
{
    step(CONTAINER_OF(later, struct channel, step));
}

/* ---- connections ---- */

static void free_connection(struct channel_connection *connection)
{
    if (connection->channel->current == connection)
        connection->channel->current = NULL;
    list_remove(&connection->link);
    http_connect_cancel(connection->connect);
    http_conn_free(connection->http);
    mem_free(connection);
}

/* Every stream that waits hears of it. */
static void fail(struct channel *channel, const struct fault *why)
{
    uint64_t delay_us = backoff_after_failure(&channel->backoff, rand_u64(loop_rand(channel->loop)));

    channel_note_fault(channel, why);
    fault_prefix(&channel->fault, "control plane %.100s: ", channel->server->uri);
    if (channel_is_news(&channel->told, &channel->fault))
        OBSERVE(channel->observe, MESH_LOG_WARN, "xds_connect_failed", FIELD_TEXT("server", channel->server->uri),
                FIELD_TEXT("detail", why->text), FIELD_NUMBER("retry_ms", delay_us / US_PER_MS));
    become(channel, CHANNEL_BACKOFF);
    loop_timer_set(channel->loop, &channel->timer, loop_now_us(channel->loop) + delay_us);
    LIST_EACH(link, &channel->streams) {
        channel_stream_disappoint(CONTAINER_OF(link, struct channel_stream, link));
    }
}

/* The current connection takes no streams any more; those on it end by themselves. A server that greets and hangs up has failed: else it
 * would be connected to without pause, since no stream has ended. */
static void leave_connection(struct channel *channel, const struct fault *why)
{
    bool used = channel->current->used;
    struct fault fault = { .code = why->code ? why->code : MESH_ERR_RESET };

    channel->current = NULL;
    become(channel, CHANNEL_IDLE);
    channel_step_later(channel);
    if (used)
        return;
    fault_set(&fault, fault.code, "the connection ended before a stream could be opened: %s", why->text);
    fail(channel, &fault);
}

static void on_backoff_over(struct loop_timer *timer)
{
    struct channel *channel = CONTAINER_OF(timer, struct channel, timer);

    become(channel, CHANNEL_IDLE);
    channel_step_later(channel);
}

/* ---- what the connection tells ---- */

static void on_room(struct http_conn *http)
{
    const struct channel_connection *connection = http->owner;

    channel_step_later(connection->channel);
}

static void on_draining(struct http_conn *http, const struct fault *why)
{
    struct channel_connection *connection = http->owner;

    if (connection->channel->current == connection)
        leave_connection(connection->channel, why);
}

static void on_closed(struct http_conn *http, const struct fault *why)
{
    struct channel_connection *connection = http->owner;
    struct channel *channel = connection->channel;
    char address[ADDR_TEXT];

    if (why->code)
        channel_note_fault(channel, why);
    OBSERVE(channel->observe, why->code ? MESH_LOG_WARN : MESH_LOG_INFO, "xds_disconnected",
            FIELD_TEXT("server", channel->server->uri), FIELD_TEXT("address", addr_format(&http->peer, address)),
            FIELD_TEXT("detail", why->text));
    if (channel->current == connection)
        leave_connection(channel, why);
    free_connection(connection);
}

static const struct http_conn_ops http_ops = { on_room, on_draining, on_closed };

static void on_connected(void *user, const struct http_connected *result)
{
    struct channel_connection *connection = user;
    struct channel *channel = connection->channel;
    char address[ADDR_TEXT];

    connection->connect = NULL;
    if (!result->conn) {
        free_connection(connection);
        fail(channel, result->fault);
        return;
    }
    connection->http = result->conn;
    channel->n_connections++;
    become(channel, CHANNEL_CONNECTED);
    OBSERVE(channel->observe, MESH_LOG_INFO, "xds_connected", FIELD_TEXT("server", channel->server->uri),
            FIELD_TEXT("address", addr_format(&result->conn->peer, address)));
    channel_step_later(channel);
}

/* ---- connecting ---- */

static int32_t dial(struct channel *channel, const struct addr *addrs, size_t n, struct net_tls *tls)
{
    const struct http_connect_conf conf = {
        .dial = { .addrs = addrs,
                  .n_addrs = n,
                  .timeout_us = CONNECT_US,
                  .tls = tls,
                  .server_name = tls ? channel_server_name(&channel->server->target) : NULL,
                  .alpn = tls ? "h2" : NULL },
        .conn = { .silence_us = SILENCE_US, .answer_us = ANSWER_US },
        .ops = &http_ops,
    };
    struct channel_connection *connection = mem_zalloc(sizeof *connection);
    int32_t err;

    if (!connection)
        return MESH_ERR_NOMEM;
    connection->channel = channel;
    list_push_back(&channel->connections, &connection->link);
    err = http_connect_start(channel->loop, &conf, on_connected, connection, &connection->connect);
    if (err) {
        free_connection(connection);
        return err;
    }
    channel->current = connection;
    become(channel, CHANNEL_CONNECTING);
    return 0;
}

static size_t addrs_of(const struct channel *channel, struct addr out[CHANNEL_ADDRS_MOST], struct fault *fault)
{
    const struct model_target *target = &channel->server->target;
    const struct dns_name *name = channel->watch.name;
    const struct addr *addrs;
    size_t n;

    if (target->kind != TARGET_HOST) {
        out[0] = target->addr;
        return 1;
    }
    addrs = dns_name_addrs(name, &n);
    n = channel_order_addrs(addrs, n, dns_name_prefers(name), target->port, rand_u64(loop_rand(channel->loop)), out);
    if (n == 0 && dns_name_fault(name))
        *fault = *dns_name_fault(name);
    else if (n == 0)
        fault_set(fault, MESH_ERR_DNS, "DNS: \"%.100s\" has no address", target->host);
    return n;
}

static void begin(struct channel *channel)
{
    bool is_host = channel->server->target.kind == TARGET_HOST;
    struct addr addrs[CHANNEL_ADDRS_MOST];
    struct net_tls *tls = NULL;
    struct fault fault = { 0 };
    size_t n;
    int32_t err;

    if (is_host && dns_name_pending(channel->watch.name)) {
        become(channel, CHANNEL_RESOLVING);
        return;
    }
    n = addrs_of(channel, addrs, &fault);
    if (n > 0 && model_protocol_tls(channel->server->target.protocol))
        tls = channel_tls_current(&channel->tls, loop_now_us(channel->loop), channel->observe, &fault);
    if (n == 0 || (!tls && fault.code)) {
        fail(channel, &fault);
        return;
    }
    err = dial(channel, addrs, n, tls);
    if (err) {
        fault_set(&fault, err, "it could not be dialled: %s", error_text(err));
        fail(channel, &fault);
    }
}

/* A name that gave no address was what was waited for. */
static void on_name_change(struct dns_watch *watch)
{
    struct channel *channel = CONTAINER_OF(watch, struct channel, watch);
    size_t n;

    dns_name_addrs(watch->name, &n);
    if (channel->state == CHANNEL_BACKOFF && channel->fault.code == MESH_ERR_DNS && n > 0)
        loop_timer_cancel(channel->loop, &channel->timer);
    else if (channel->state != CHANNEL_RESOLVING)
        return;
    become(channel, CHANNEL_IDLE);
    channel_step_later(channel);
}

/* ---- what is possible now ---- */

static bool is_due(const struct channel *channel)
{
    LIST_EACH(link, &channel->streams) {
        if (CONTAINER_OF(link, struct channel_stream, link)->state == CHANNEL_STREAM_DUE)
            return true;
    }
    return false;
}

/* As many as the connection has room for. */
static void begin_streams(struct channel *channel)
{
    LIST_EACH(link, &channel->streams) {
        struct channel_stream *stream = CONTAINER_OF(link, struct channel_stream, link);

        if (stream->state != CHANNEL_STREAM_DUE)
            continue;
        if (!channel_stream_begin(stream))
            return;
        channel->current->used = true;
        channel->backoff.failures = 0;
        channel->told = 0;
    }
}

/* Nobody wants anything. */
static void rest(struct channel *channel)
{
    struct channel_connection *connection = channel->current;

    dns_watch_activate(&channel->watch, false);
    loop_timer_cancel(channel->loop, &channel->timer);
    channel->current = NULL;
    become(channel, CHANNEL_IDLE);
    if (connection && connection->http)
        http_conn_drain(connection->http);
    else if (connection)
        free_connection(connection);
}

static void step(struct channel *channel)
{
    if (list_empty(&channel->streams)) {
        rest(channel);
        return;
    }
    dns_watch_activate(&channel->watch, true);
    if (channel->state == CHANNEL_CONNECTED)
        begin_streams(channel);
    else if (channel->state == CHANNEL_IDLE && is_due(channel))
        begin(channel);
}

/* ---- the door ---- */

int32_t channel_new(const struct channel_conf *conf, struct channel **out)
{
    struct channel *channel = mem_zalloc(sizeof *channel);
    int32_t err = 0;

    *out = NULL;
    if (!channel)
        return MESH_ERR_NOMEM;
    channel->loop = conf->loop;
    channel->observe = conf->observe;
    channel->server = conf->server;
    channel->tls.files = &conf->server->tls;
    channel->since_us = loop_now_us(conf->loop);
    channel->timer.on_due = on_backoff_over;
    channel->step.run = on_step;
    channel->watch.on_change = on_name_change;
    list_init(&channel->streams);
    list_init(&channel->connections);
    snprintf(channel->user_agent, sizeof channel->user_agent, "libmesh/%d.%d.%d", MESH_VERSION_MAJOR,
             MESH_VERSION_MINOR, MESH_VERSION_PATCH);
    channel->authority = channel_authority(&conf->server->target);
    if (!channel->authority)
        err = MESH_ERR_NOMEM;
    else if (conf->server->target.kind == TARGET_HOST)
        err = dns_watch_begin(conf->names, DNS_HOST, conf->server->target.host, &channel->watch);
    if (err) {
        channel_free(channel);
        return err;
    }
    *out = channel;
    return 0;
}

void channel_free(struct channel *channel)
{
    if (!channel)
        return;
    LIST_EACH_SAFE(link, next, &channel->streams) {
        channel_stream_close(CONTAINER_OF(link, struct channel_stream, link));
    }
    LIST_EACH_SAFE(link, next, &channel->connections) {
        free_connection(CONTAINER_OF(link, struct channel_connection, link));
    }
    loop_timer_cancel(channel->loop, &channel->timer);
    loop_undefer(&channel->step);
    dns_watch_end(&channel->watch);
    channel_tls_clear(&channel->tls);
    mem_free(channel->authority);
    mem_free(channel);
}

void channel_tell(const struct channel *channel, struct channel_status *out)
{
    const struct channel_connection *current = channel->state == CHANNEL_CONNECTED ? channel->current : NULL;

    *out = (struct channel_status){
        .uri = channel->server->uri,
        .state = channel->state,
        .since_us = channel->since_us,
        .fault = &channel->fault,
        .fault_us = channel->fault_us,
        .address = current ? &current->http->peer : NULL,
        .received = channel->received,
        .sent = channel->sent,
        .connections = channel->n_connections,
    };
    LIST_EACH(link, &channel->streams) {
        out->streams += CONTAINER_OF(link, struct channel_stream, link)->state == CHANNEL_STREAM_UP;
    }
}
