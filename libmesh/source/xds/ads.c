/* SPDX-License-Identifier: Apache-2.0 */
/* Between the store and the servers: what is asked for, when the streams come and go. */
#include "source/xds/ads.h"

#include <string.h>

/* What a client waits for a resource before it takes it that there is none (gRFC A57, A88). */
#define WAIT_US            (15 * US_PER_S)
#define WAIT_IN_TROUBLE_US (30 * US_PER_S)

const struct bootstrap_server *ads_server_conf(const struct ads_server *server)
{
    return &server->ads->conf.list->items[server->index];
}

/* Those of the list that are ever asked. */
static size_t n_servers(const struct ads *ads)
{
    size_t n = ads->conf.list->n;

    return n < FALLBACK_MOST ? n : FALLBACK_MOST;
}

/* ---- requests ---- */

/* True: it is out of our hands, or the stream is not up: the next one is told anew. */
static bool send_unsent(struct ads_server *server)
{
    struct buf *out = &server->unsent;

    if (buf_len(out) > 0 &&
        servers_send(server->ads->servers, server->index, buf_bytes(out), buf_len(out)) == MESH_ERR_AGAIN)
        return false;
    buf_clear(out);
    return true;
}

static void set_due(struct ads_server *server)
{
    uint64_t due = protocol_due_us(server->protocol);

    if (due == UINT64_MAX)
        loop_timer_cancel(server->ads->conf.loop, &server->due);
    else
        loop_timer_set(server->ads->conf.loop, &server->due, due);
}

static void flush(struct ads_server *server)
{
    const struct ads_conf *conf = &server->ads->conf;
    uint64_t now = loop_now_us(conf->loop);

    if (!server->is_up || conf->is_gathering(conf->user))
        return;
    while (send_unsent(server)) {
        if (protocol_next_request(server->protocol, now, &server->unsent))
            break; /* memory is short: `due` asks again */
        if (buf_len(&server->unsent) == 0)
            break;
    }
    set_due(server);
}

static void on_due(struct loop_timer *timer)
{
    flush(CONTAINER_OF(timer, struct ads_server, due));
}

void ads_answered(struct ads_server *server)
{
    struct ads *ads = server->ads;

    ads->n_answers++;
    flush(server);
    servers_receive(ads->servers, server->index);
    ads->conf.on_settled(ads->conf.user);
}

/* ---- names ---- */

static void subscribe(struct ads_server *server, const struct resource *resource)
{
    struct fault fault = { 0 };

    if (!server->protocol || protocol_subscribe(server->protocol, resource->type, resource->name, &fault) == 0)
        return;
    OBSERVE(server->ads->conf.observe, MESH_LOG_ERROR, "xds_not_asked", FIELD_TEXT("name", resource->name),
            FIELD_TEXT("detail", fault.text));
}

/* Nothing comes from a server that is not up; there need not be one of each index. */
static void await(struct ads_server *server, struct resource *resource)
{
    bool is_trouble;

    if (!server->is_up)
        return;
    is_trouble = ads_server_conf(server)->features & BOOTSTRAP_TIMER_IS_TRANSIENT;
    store_await(resource, is_trouble ? WAIT_IN_TROUBLE_US : WAIT_US, is_trouble);
}

/* All resources that are asked for here. */
static void for_each(struct ads *ads, void (*each)(struct ads_server *server, struct resource *resource),
                     struct ads_server *server)
{
    for (int type = 0; type < XDS_TYPES; type++) {
        struct resource *resource;
        size_t at = 0;

        while ((resource = map_next(&ads->conf.store->types[type], &at)))
            if (ads->conf.is_mine(ads->conf.user, ads, resource))
                each(server, resource);
    }
}

static void subscribe_one(struct ads_server *server, struct resource *resource)
{
    subscribe(server, resource);
}

static void await_one_no_more(struct ads_server *server, struct resource *resource)
{
    (void) server;
    store_await_no_more(resource);
}

static bool has_server_up(const struct ads *ads)
{
    for (size_t i = 0; i < FALLBACK_MOST; i++)
        if (ads->items[i].is_up)
            return true;
    return false;
}

static bool lacks_something(const struct ads *ads)
{
    for (int type = 0; type < XDS_TYPES; type++) {
        struct resource *resource;
        size_t at = 0;

        while ((resource = map_next(&ads->conf.store->types[type], &at)))
            if (!resource_has_value(resource) && ads->conf.is_mine(ads->conf.user, ads, resource))
                return true;
    }
    return false;
}

/* ---- what the servers tell ---- */

static bool make_protocol(struct ads_server *server)
{
    bool is_delta = servers_is_delta(server->ads->servers, server->index);

    if (server->protocol)
        return true;
    if (protocol_new(is_delta, server->ads->conf.node, &protocol_limits_standard, &server->protocol))
        return false;
    for_each(server->ads, subscribe_one, server);
    return true;
}

static void on_up(void *user, size_t index)
{
    struct ads *ads = user;
    struct ads_server *server = &ads->items[index];

    if (!make_protocol(server))
        return; /* without memory for that nothing is asked until the next stream */
    server->is_up = true;
    protocol_stream_opened(server->protocol);
    for_each(ads, await, server);
    flush(server);
    servers_receive(ads->servers, index);
}

/* With an error no reply is possible; without, it is of a type that nobody has asked for. */
static void tell_unreadable(struct ads_server *server, int32_t err, const struct fault *fault)
{
    OBSERVE(server->ads->conf.observe, err ? MESH_LOG_ERROR : MESH_LOG_WARN, "xds_answer_unreadable",
            FIELD_TEXT("control_plane", ads_server_conf(server)->uri), FIELD_TEXT("detail", fault->text));
}

static void on_message(void *user, size_t index, const uint8_t *bytes, size_t len)
{
    struct ads *ads = user;
    struct ads_server *server = &ads->items[index];
    struct xds_answer *answer = NULL;
    struct fault fault = { 0 };
    int32_t err = protocol_receive(server->protocol, bytes, len, &answer, &fault);

    if (answer) {
        ads_work_begin(server, answer);
        return;
    }
    tell_unreadable(server, err, &fault);
    if (err)
        servers_give_up(ads->servers, index, &fault);
    else
        servers_receive(ads->servers, index);
}

static void on_room(void *user, size_t index)
{
    struct ads *ads = user;

    flush(&ads->items[index]);
}

static void lose_stream(struct ads_server *server)
{
    struct loop *loop = server->ads->conf.loop;

    ads_work_drop(server);
    loop_timer_cancel(loop, &server->due);
    buf_clear(&server->unsent);
    if (server->is_up)
        protocol_stream_closed(server->protocol);
    server->is_up = false;
}

static void on_down(void *user, size_t index, const struct channel_end *end)
{
    struct ads *ads = user;
    struct ads_server *server = &ads->items[index];

    (void) end; /* the channel has told */
    lose_stream(server);
    if (!has_server_up(ads))
        for_each(ads, await_one_no_more, server);
    servers_set_lacks(ads->servers, lacks_something(ads));
    ads->conf.on_settled(ads->conf.user);
}

static void forget_server(struct ads_server *server)
{
    lose_stream(server);
    protocol_free(server->protocol);
    server->protocol = NULL;
}

/* What the lower ones gave is overwritten by what this one gives. */
static void on_switch(void *user, size_t index)
{
    struct ads *ads = user;

    for (size_t i = index + 1; i < FALLBACK_MOST; i++)
        forget_server(&ads->items[i]);
}

static const struct servers_ops servers_ops = { on_up, on_message, on_room, on_down, on_switch };

/* ---- the ads ---- */

void ads_init(struct ads *ads, const struct ads_conf *conf)
{
    *ads = (struct ads){ .conf = *conf };
    for (size_t i = 0; i < FALLBACK_MOST; i++) {
        ads->items[i] = (struct ads_server){ .ads = ads, .index = i };
        ads->items[i].slice.on_due = ads_work_on_slice;
        ads->items[i].due.on_due = on_due;
    }
}

void ads_clear(struct ads *ads)
{
    for (size_t i = 0; i < FALLBACK_MOST; i++) {
        forget_server(&ads->items[i]);
        buf_free(&ads->items[i].unsent);
        buf_free(&ads->items[i].work.errors);
    }
    servers_free(ads->servers);
    ads->servers = NULL;
}

/* The first one that is asked for opens the connection. Out of memory: the next one tries again. */
static bool start(struct ads *ads)
{
    struct servers_conf conf = {
        .loop = ads->conf.loop,
        .names = ads->conf.names,
        .observe = ads->conf.observe,
        .list = ads->conf.list,
        .ops = &servers_ops,
        .user = ads,
    };

    return ads->servers || servers_new(&conf, &ads->servers) == 0;
}

void ads_connect(struct ads *ads)
{
    start(ads);
}

void ads_want(struct ads *ads, struct resource *resource)
{
    if (!start(ads))
        return;
    servers_set_lacks(ads->servers, true);
    for (size_t i = 0; i < n_servers(ads); i++) {
        struct ads_server *server = &ads->items[i];

        subscribe(server, resource);
        await(server, resource);
        if (server->is_up)
            set_due(server);
    }
}

void ads_rest(struct ads *ads, const struct resource *resource)
{
    for (size_t i = 0; i < n_servers(ads); i++) {
        struct ads_server *server = &ads->items[i];

        if (!server->protocol)
            continue;
        protocol_unsubscribe(server->protocol, resource->type, resource->name);
        if (server->is_up)
            set_due(server);
    }
}

void ads_ask(struct ads *ads)
{
    for (size_t i = 0; i < n_servers(ads); i++)
        if (ads->items[i].is_up)
            set_due(&ads->items[i]);
}

bool ads_is_busy(const struct ads *ads)
{
    for (size_t i = 0; i < n_servers(ads); i++)
        if (ads->items[i].work.answer)
            return true;
    return false;
}

struct channel *ads_channel(const struct ads *ads)
{
    for (size_t i = 0; i < n_servers(ads); i++)
        if (ads->items[i].is_up)
            return servers_channel(ads->servers, i);
    return NULL;
}

const struct fault *ads_fault(const struct ads *ads)
{
    return ads->servers ? servers_fault(ads->servers) : NULL;
}
