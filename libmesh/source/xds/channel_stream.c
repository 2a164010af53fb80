/* SPDX-License-Identifier: Apache-2.0 */
/* A stream of a control plane: opened on the channel's connection, and again whenever it has ended. */
#include <string.h>

#include "source/xds/channel.h"
#include "source/xds/channel_state.h"
#include "source/xds/wire.h"

enum { QUOTE = 160 };

static struct channel_stream *of(struct grpc_stream *grpc)
{
    return CONTAINER_OF(grpc, struct channel_stream, grpc);
}

static void later(struct channel_stream *stream)
{
    loop_defer(stream->channel->loop, &stream->later);
}

/* ---- the end of one ---- */

/* "StreamAggregatedResources" */
static const char *method_of(const struct channel_stream *stream)
{
    const char *slash = strrchr(stream->path, '/');

    return slash ? slash + 1 : stream->path;
}

/* gRFC A54: a control plane's status must not be taken for what the called service says. */
static enum grpc_code shown(enum grpc_code code)
{
    switch (code) {
    case GRPC_OK:
    case GRPC_INVALID_ARGUMENT:
    case GRPC_NOT_FOUND:
    case GRPC_ALREADY_EXISTS:
    case GRPC_FAILED_PRECONDITION:
    case GRPC_ABORTED:
    case GRPC_OUT_OF_RANGE:
    case GRPC_DATA_LOSS:
        return GRPC_INTERNAL;
    default:
        return code;
    }
}

static int32_t error_of(const struct grpc_status *status)
{
    return status->code == GRPC_INTERNAL && !status->from_peer ? MESH_ERR_PROTOCOL : MESH_ERR_RESET;
}

/* A server may end a stream in peace; one that has never answered has failed whatever it says. */
static void explain(const struct channel_stream *stream, const struct grpc_status *status, struct fault *fault)
{
    char words[QUOTE];

    text_printable(status->message, strlen(status->message), words, sizeof words);
    fault_set(fault, error_of(status), "control plane %.80s: %.60s ended %s: %s%s%s", stream->channel->server->uri,
              method_of(stream), stream->had_answer ? "after answers" : "before any answer",
              grpc_code_name(status->code), words[0] ? ": " : "", words);
}

/* It has ended, or could not be opened: until the next attempt. Returns the wait. */
static uint64_t wait_again(struct channel_stream *stream)
{
    struct loop *loop = stream->channel->loop;
    uint64_t now = loop_now_us(loop), dice = rand_u64(loop_rand(loop));
    uint64_t delay_us = stream->had_answer ? backoff_after_answers(&stream->backoff, now - stream->up_us, dice)
                                           : backoff_after_failure(&stream->backoff, dice);

    stream->state = CHANNEL_STREAM_WAITING;
    stream->tells_up = false;
    loop_timer_set(loop, &stream->timer, now + delay_us);
    return delay_us;
}

static void log_end(struct channel_stream *stream, const struct fault *fault, enum grpc_code code, uint64_t delay_us)
{
    bool failed = !stream->had_answer || fault->code == MESH_ERR_PROTOCOL;
    int32_t level = failed ? MESH_LOG_WARN : MESH_LOG_INFO;

    if (failed && !channel_is_news(&stream->told, fault))
        return;
    if (!failed)
        stream->told = 0;
    OBSERVE(stream->channel->observe, level, "xds_stream_ended", FIELD_TEXT("server", stream->channel->server->uri),
            FIELD_TEXT("method", method_of(stream)), FIELD_TEXT("status", grpc_code_name(code)),
            FIELD_TEXT("detail", fault->text), FIELD_NUMBER("retry_ms", delay_us / US_PER_MS));
}

static void on_due(struct loop_timer *timer)
{
    struct channel_stream *stream = CONTAINER_OF(timer, struct channel_stream, timer);

    stream->state = CHANNEL_STREAM_DUE;
    channel_step_later(stream->channel);
}

/* ---- what gRPC tells ---- */

static void on_message(struct grpc_stream *grpc, const uint8_t *bytes, size_t len)
{
    struct channel_stream *stream = of(grpc);

    stream->had_answer = true;
    stream->channel->received++;
    backoff_answered(&stream->backoff);
    stream->ops->on_message(stream, bytes, len);
}

static void on_room(struct grpc_stream *grpc)
{
    struct channel_stream *stream = of(grpc);

    if (stream->ops->on_room)
        stream->ops->on_room(stream);
}

static void on_status(struct grpc_stream *grpc, const struct grpc_status *status)
{
    struct channel_stream *stream = of(grpc);
    struct fault fault = { 0 };
    struct channel_end end = { .fault = &fault, .had_answer = stream->had_answer, .code = shown(status->code) };
    uint64_t delay_us;

    explain(stream, status, &fault);
    delay_us = wait_again(stream);
    log_end(stream, &fault, status->code, delay_us);
    if (status->code != GRPC_OK || !stream->had_answer)
        channel_note_fault(stream->channel, &fault);
    stream->ops->on_down(stream, &end);
}

static const struct grpc_stream_ops grpc_ops = {
    .on_message = on_message,
    .on_room = on_room,
    .on_status = on_status,
};

/* ---- what the channel tells ---- */

static void on_later(struct loop_later *deferred)
{
    struct channel_stream *stream = CONTAINER_OF(deferred, struct channel_stream, later);
    struct fault fault = stream->channel->fault;
    struct channel_end end = { .fault = &fault, .had_answer = stream->had_answer, .code = stream->down_code };
    bool up = stream->tells_up, down = stream->tells_down;

    stream->tells_up = stream->tells_down = false;
    if (down)
        stream->ops->on_down(stream, &end);
    else if (up)
        stream->ops->on_up(stream);
}

static void tell_down(struct channel_stream *stream, enum grpc_code code)
{
    stream->tells_down = true;
    stream->down_code = code;
    later(stream);
}

void channel_stream_disappoint(struct channel_stream *stream)
{
    if (stream->state != CHANNEL_STREAM_DUE)
        return;
    stream->had_answer = false;
    tell_down(stream, GRPC_UNAVAILABLE);
}

static int32_t open_grpc(struct channel_stream *stream, struct fault *fault)
{
    const struct channel *channel = stream->channel;
    const struct grpc_call call = {
        .scheme = model_protocol_tls(channel->server->target.protocol) ? "https" : "http",
        .authority = channel->authority,
        .path = stream->path,
        .user_agent = channel->user_agent,
        .receive_most = (uint32_t) wire_limits_standard.bytes,
    };

    stream->grpc = (struct grpc_stream){ .ops = &grpc_ops };
    return grpc_stream_open(channel->current->http, &stream->grpc, &call, fault);
}

bool channel_stream_begin(struct channel_stream *stream)
{
    struct fault fault = { 0 };
    int32_t err = http_conn_room(stream->channel->current->http) > 0 ? open_grpc(stream, &fault) : MESH_ERR_AGAIN;

    if (err == MESH_ERR_AGAIN)
        return false;
    stream->had_answer = false;
    if (err) {
        channel_note_fault(stream->channel, &fault);
        wait_again(stream);
        tell_down(stream, GRPC_UNAVAILABLE);
        return true;
    }
    stream->state = CHANNEL_STREAM_UP;
    stream->up_us = loop_now_us(stream->channel->loop);
    stream->tells_up = true;
    later(stream);
    return true;
}

/* ---- the door ---- */

void channel_stream_open(struct channel *channel, struct channel_stream *stream, const struct channel_stream_ops *ops,
                         const char *path)
{
    *stream = (struct channel_stream){
        .ops = ops,
        .channel = channel,
        .path = path,
        .state = CHANNEL_STREAM_DUE,
        .timer.on_due = on_due,
        .later.run = on_later,
    };
    list_push_back(&channel->streams, &stream->link);
    channel_step_later(channel);
}

void channel_stream_close(struct channel_stream *stream)
{
    if (stream->state == CHANNEL_STREAM_CLOSED)
        return;
    grpc_stream_cancel(&stream->grpc);
    loop_timer_cancel(stream->channel->loop, &stream->timer);
    loop_undefer(&stream->later);
    list_remove(&stream->link);
    channel_step_later(stream->channel);
    stream->state = CHANNEL_STREAM_CLOSED;
}

void channel_stream_give_up(struct channel_stream *stream, const struct fault *why)
{
    struct fault fault = *why;

    if (stream->state != CHANNEL_STREAM_UP)
        return;
    fault_prefix(&fault, "control plane %.100s: ", stream->channel->server->uri);
    grpc_stream_cancel(&stream->grpc);
    log_end(stream, &fault, GRPC_INTERNAL, wait_again(stream));
    channel_note_fault(stream->channel, &fault);
    tell_down(stream, GRPC_INTERNAL);
}

int32_t channel_stream_send(struct channel_stream *stream, const void *bytes, size_t len)
{
    int32_t err;

    if (stream->state != CHANNEL_STREAM_UP)
        return MESH_ERR_RESET;
    err = grpc_stream_send(&stream->grpc, bytes, len);
    stream->channel->sent += err == 0;
    return err;
}

void channel_stream_receive(struct channel_stream *stream)
{
    if (stream->state == CHANNEL_STREAM_UP)
        grpc_stream_receive(&stream->grpc);
}
