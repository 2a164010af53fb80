/* SPDX-License-Identifier: Apache-2.0 */
/* A channel to a control plane of the test, and the owner of its stream: everything that it is told is counted. */
#ifndef SUPPORT_XDS_CHANNEL_H
#define SUPPORT_XDS_CHANNEL_H

#include "source/xds/channel.h"
#include "support/xds_scene.h"

/* ---- the owner of a stream ---- */

enum act { ACT_NOTHING, ACT_CLOSE, ACT_FREE_CHANNEL, ACT_GIVE_UP };

struct owner {
    struct channel_stream stream;
    unsigned n_up, n_messages, n_room, n_down;
    char last[64];
    size_t last_len;
    struct fault fault;
    bool had_answer;
    enum grpc_code code;
    bool asks; /* for the next message at once */
    enum act at_up, at_message, at_down;
};

static struct channel *channel;
static struct owner owner;
static bool inside; /* a function of the channel is on the stack: nothing may be called */

static inline struct owner *of(struct channel_stream *stream)
{
    assert_false(inside);
    return CONTAINER_OF(stream, struct owner, stream);
}

static inline void act(struct owner *who, enum act what)
{
    if (what == ACT_CLOSE)
        channel_stream_close(&who->stream);
    if (what == ACT_GIVE_UP)
        channel_stream_give_up(&who->stream, &(struct fault){ .code = MESH_ERR_PROTOCOL, .text = "it is nonsense" });
    if (what != ACT_FREE_CHANNEL)
        return;
    channel_free(channel);
    channel = NULL;
    memset(&who->stream, 0xee, sizeof who->stream);
}

static inline void on_up(struct channel_stream *stream)
{
    struct owner *who = of(stream);

    who->n_up++;
    if (who->asks)
        channel_stream_receive(stream);
    act(who, who->at_up);
}

static inline void on_message(struct channel_stream *stream, const uint8_t *bytes, size_t len)
{
    struct owner *who = of(stream);

    who->n_messages++;
    who->last_len = len;
    snprintf(who->last, sizeof who->last, "%.*s", (int) (len < 60 ? len : 60), (const char *) bytes);
    if (who->asks)
        channel_stream_receive(stream);
    act(who, who->at_message);
}

static inline void on_room(struct channel_stream *stream)
{
    of(stream)->n_room++;
}

static inline void on_down(struct channel_stream *stream, const struct channel_end *end)
{
    struct owner *who = of(stream);

    who->n_down++;
    who->fault = *end->fault;
    who->had_answer = end->had_answer;
    who->code = end->code;
    act(who, who->at_down);
}

static const struct channel_stream_ops ops = { on_up, on_message, on_room, on_down };

/* ---- the scene ---- */

static inline void open_stream(struct owner *who, const char *path)
{
    loop_enter(scene.loop);
    inside = true;
    channel_stream_open(channel, &who->stream, &ops, path);
    inside = false;
    loop_leave(scene.loop);
}

static inline void make_channel(const char *list)
{
    const struct bootstrap_servers *servers = scene_servers(list);

    loop_enter(scene.loop);
    MESH_OK(
        channel_new(&(struct channel_conf){ scene.loop, scene.names, scene.observe, &servers->items[0] }, &channel));
    loop_leave(scene.loop);
    owner = (struct owner){ .asks = true };
}

static inline void start_with(struct plane_conf conf)
{
    char list[256];

    scene_begin(NULL);
    scene.planes[0] = plane_start(conf);
    snprintf(list, sizeof list, "{\"server_uri\": \"127.0.0.1:%u\", " INSECURE "}", plane_port(scene.planes[0]));
    make_channel(list);
    open_stream(&owner, CHANNEL_ADS_PATH);
}

static inline void stop(void)
{
    loop_enter(scene.loop);
    channel_free(channel);
    loop_leave(scene.loop);
    channel = NULL;
    scene_end();
}

static inline void start(void)
{
    start_with((struct plane_conf){ 0 });
    SCENE_UNTIL(owner.n_up == 1);
    SCENE_UNTIL(plane_streams(scene.planes[0]) == 1);
}

static inline struct plane_stream *theirs(void)
{
    return plane_last(scene.planes[0]);
}

static inline int32_t send_text(const char *text)
{
    int32_t err;

    loop_enter(scene.loop);
    inside = true;
    err = channel_stream_send(&owner.stream, text, strlen(text));
    inside = false;
    loop_leave(scene.loop);
    return err;
}

static inline void says(const char *text)
{
    unsigned before = owner.n_messages;

    plane_send(theirs(), text, strlen(text));
    SCENE_UNTIL(owner.n_messages > before);
    assert_string_equal(owner.last, text);
}

static inline struct channel_status status(void)
{
    struct channel_status now;

    loop_enter(scene.loop);
    channel_tell(channel, &now);
    loop_leave(scene.loop);
    return now;
}

static inline void is_within(const char *sentence, const char *part)
{
    if (!strstr(sentence, part))
        fail_msg("\"%s\" does not have \"%s\"", sentence, part);
}

#endif
