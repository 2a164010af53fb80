/* SPDX-License-Identifier: Apache-2.0 */
/* Channels for the servers that are asked. */
#include "source/xds/servers.h"

#include "source/xds/fallback.h"

struct server {
    struct servers *servers;
    struct channel *channel; /* NULL: not asked */
    struct channel_stream stream;
};

struct servers {
    struct servers_conf conf;
    struct fallback fallback;
    struct fault fault; /* the last one of those that are asked */
    struct server items[];
};

static size_t index_of(const struct server *server)
{
    return (size_t) (server - server->servers->items);
}

static const char *uri_of(const struct servers *servers, size_t server)
{
    return servers->conf.list->items[server].uri;
}

static struct server *of(struct channel_stream *stream)
{
    return CONTAINER_OF(stream, struct server, stream);
}

static void ask_next(struct servers *servers);

/* ---- what streams tell ---- */

static void on_up(struct channel_stream *stream)
{
    struct server *server = of(stream);

    server->servers->conf.ops->on_up(server->servers->conf.user, index_of(server));
}

static void leave_others(struct servers *servers, size_t server)
{
    for (size_t i = server + 1; i < servers->fallback.n; i++) {
        channel_free(servers->items[i].channel);
        servers->items[i].channel = NULL;
    }
    OBSERVE(servers->conf.observe, MESH_LOG_INFO, "xds_fallback_ends", FIELD_TEXT("server", uri_of(servers, server)));
    servers->conf.ops->on_switch(servers->conf.user, server);
}

static void on_message(struct channel_stream *stream, const uint8_t *bytes, size_t len)
{
    struct server *server = of(stream);
    struct servers *servers = server->servers;

    if (fallback_answered(&servers->fallback, index_of(server)))
        leave_others(servers, index_of(server));
    servers->conf.ops->on_message(servers->conf.user, index_of(server), bytes, len);
}

static void on_room(struct channel_stream *stream)
{
    struct server *server = of(stream);

    server->servers->conf.ops->on_room(server->servers->conf.user, index_of(server));
}

static void on_down(struct channel_stream *stream, const struct channel_end *end)
{
    struct server *server = of(stream);
    struct servers *servers = server->servers;

    if (!end->had_answer) {
        fallback_failed(&servers->fallback, index_of(server));
        servers->fault = *end->fault;
        ask_next(servers);
    }
    servers->conf.ops->on_down(servers->conf.user, index_of(server), end);
}

static const struct channel_stream_ops stream_ops = { on_up, on_message, on_room, on_down };

/* ---- who is asked ---- */

static int32_t ask(struct servers *servers, size_t i)
{
    const struct bootstrap_server *entry = &servers->conf.list->items[i];
    const struct channel_conf conf = { servers->conf.loop, servers->conf.names, servers->conf.observe, entry };
    struct server *server = &servers->items[i];
    int32_t err = channel_new(&conf, &server->channel);

    if (err)
        return err;
    server->servers = servers;
    servers->fallback.n_asked = i + 1;
    channel_stream_open(server->channel, &server->stream, &stream_ops,
                        entry->features & BOOTSTRAP_DELTA ? CHANNEL_DELTA_PATH : CHANNEL_ADS_PATH);
    return 0;
}

/* Out of memory: the next failure, which comes soon, tries again. */
static void ask_next(struct servers *servers)
{
    size_t next = servers->fallback.n_asked;

    if (!fallback_wants_next(&servers->fallback) || ask(servers, next))
        return;
    OBSERVE(servers->conf.observe, MESH_LOG_WARN, "xds_fallback_begins", FIELD_TEXT("server", uri_of(servers, next)),
            FIELD_TEXT("instead_of", uri_of(servers, next - 1)), FIELD_TEXT("detail", servers->fault.text));
}

void servers_set_lacks(struct servers *servers, bool lacks)
{
    servers->fallback.lacks = lacks;
    ask_next(servers);
}

const struct fault *servers_fault(const struct servers *servers)
{
    return fallback_is_lost(&servers->fallback) ? &servers->fault : NULL;
}

size_t servers_asked(const struct servers *servers)
{
    return servers->fallback.n_asked;
}

bool servers_is_delta(const struct servers *servers, size_t server)
{
    return servers->conf.list->items[server].features & BOOTSTRAP_DELTA;
}

/* ---- streams ---- */

int32_t servers_send(struct servers *servers, size_t server, const void *bytes, size_t len)
{
    return channel_stream_send(&servers->items[server].stream, bytes, len);
}

void servers_receive(struct servers *servers, size_t server)
{
    channel_stream_receive(&servers->items[server].stream);
}

void servers_give_up(struct servers *servers, size_t server, const struct fault *why)
{
    channel_stream_give_up(&servers->items[server].stream, why);
}

struct channel *servers_channel(const struct servers *servers, size_t server)
{
    return servers->items[server].channel;
}

/* ---- life ---- */

int32_t servers_new(const struct servers_conf *conf, struct servers **out)
{
    size_t n = conf->list->n < FALLBACK_MOST ? conf->list->n : FALLBACK_MOST;
    struct servers *servers = mem_zalloc(sizeof *servers + n * sizeof *servers->items);
    int32_t err = 0;

    *out = NULL;
    if (!servers)
        return MESH_ERR_NOMEM;
    servers->conf = *conf;
    servers->fallback.n = n;
    if (n > 0)
        err = ask(servers, 0);
    if (err) {
        mem_free(servers);
        return err;
    }
    *out = servers;
    return 0;
}

void servers_free(struct servers *servers)
{
    if (!servers)
        return;
    for (size_t i = 0; i < servers->fallback.n; i++)
        channel_free(servers->items[i].channel);
    mem_free(servers);
}
