/* SPDX-License-Identifier: Apache-2.0 */
/* A request whose bodies are written and read in pieces: with a queue by events, without one by waiting. */
#include <string.h>

#include "client/client.h"

/* A bit per MESH_EVENT_* in queue_item.pending. */
#define PENDING(kind) (UINT32_C(1) << (kind))

struct mesh_stream {
    _Atomic uint32_t refs;      /* the application, and the loop until the request is done */
    struct mesh_client *client; /* a reference, the application's */
    struct lane *lane;
    struct mesh_queue *queue; /* a reference; NULL: the calls wait */
    uint64_t tag;
    struct request request;
    struct loop_task start;
    struct queue_item item;
    struct loop_waiter *reader, *writer; /* inside: threads that wait */
    bool begun, headed, done, freed;
    int32_t err; /* with done */
};

static void unref(struct mesh_stream *stream)
{
    struct mesh_queue *queue = stream->queue;

    if (atomic_fetch_sub(&stream->refs, 1) != 1)
        return;
    response_free(stream->request.response);
    body_free(&stream->request.body);
    mem_free(stream);
    if (queue)
        queue_unref(queue);
}

/* ---- telling the application ---- */

static void tell(struct mesh_stream *stream, uint32_t kind)
{
    if (!stream->queue || stream->freed)
        return;
    stream->item.pending |= PENDING(kind);
    queue_push(stream->queue, &stream->item);
}

static void wake(struct mesh_stream *stream, struct loop_waiter **waiter)
{
    if (!*waiter)
        return;
    loop_waiter_done(stream->lane->loop, *waiter);
    *waiter = NULL;
}

static void on_head(struct request *request)
{
    struct mesh_stream *stream = CONTAINER_OF(request, struct mesh_stream, request);

    stream->headed = true;
    wake(stream, &stream->reader);
    tell(stream, MESH_EVENT_HEAD);
}

static void on_readable(struct request *request)
{
    struct mesh_stream *stream = CONTAINER_OF(request, struct mesh_stream, request);

    wake(stream, &stream->reader);
    tell(stream, MESH_EVENT_READABLE);
}

static void on_writable(struct request *request)
{
    struct mesh_stream *stream = CONTAINER_OF(request, struct mesh_stream, request);

    wake(stream, &stream->writer);
    tell(stream, MESH_EVENT_WRITABLE);
}

static void end(struct mesh_stream *stream, int32_t err)
{
    stream->done = true;
    stream->err = err;
    wake(stream, &stream->reader);
    wake(stream, &stream->writer);
    tell(stream, MESH_EVENT_END);
    unref(stream);
}

static void on_done(struct request *request)
{
    struct mesh_stream *stream = CONTAINER_OF(request, struct mesh_stream, request);

    end(stream, request->err);
}

static const struct request_ops ops = { on_done, on_head, on_readable, on_writable };

/* The events of one stream come in this order; what is readable is told before the end. */
bool stream_event(struct queue_item *item, struct mesh_event *event)
{
    static const uint32_t order[] = { MESH_EVENT_HEAD, MESH_EVENT_WRITABLE, MESH_EVENT_READABLE, MESH_EVENT_END };
    struct mesh_stream *stream = CONTAINER_OF(item, struct mesh_stream, item);

    *event = (struct mesh_event){ .tag = stream->tag };
    for (size_t i = 0; i < COUNT_OF(order) && event->kind == 0; i++)
        if (item->pending & PENDING(order[i]))
            event->kind = order[i];
    item->pending &= ~PENDING(event->kind);
    if (event->kind == MESH_EVENT_END)
        event->err = stream->err;
    return item->pending != 0;
}

void stream_unheard(struct queue_item *item)
{
    item->pending = 0;
}

/* ---- opening ---- */

static void start(struct loop_task *task)
{
    struct mesh_stream *stream = CONTAINER_OF(task, struct mesh_stream, start);
    int32_t err = stream->lane->closing ? MESH_ERR_CLOSING : 0;

    stream->begun = true;
    if (stream->freed) {
        unref(stream);
        return;
    }
    if (!err)
        err = request_start(&stream->request, &stream->lane->env);
    if (err)
        end(stream, err);
}

static int32_t put_first_bytes(struct body *body, const uint8_t *bytes, size_t len)
{
    /* What the options bring is kept whole, whatever its length: it was handed over as one piece. */
    return buf_append(&body->written, bytes, len) ? 0 : MESH_ERR_NOMEM;
}

int32_t stream_open(struct mesh_client *client, struct mesh_queue *queue, const struct request_ask *ask,
                    const struct body *body, uint64_t tag, struct mesh_stream **out)
{
    struct request_ask kept_ask = *ask;
    struct body none = { 0 };
    struct engine *engine;
    struct mesh_stream *stream;
    int32_t err = queue ? queue_settle(queue, NULL) : client_engine(client, &engine, NULL);

    *out = NULL;
    if (err)
        return err;
    stream = request_keep(sizeof *stream, 0, &kept_ask, &none);
    if (!stream)
        return MESH_ERR_NOMEM;
    stream->request.body.is_stream = true;
    if (put_first_bytes(&stream->request.body, body->bytes, body->len) != 0) {
        mem_free(stream);
        return MESH_ERR_NOMEM;
    }
    stream->refs = 2;
    stream->request.ops = &ops;
    stream->request.ask = kept_ask;
    stream->start.run = start;
    stream->item.kind = QUEUE_STREAM;
    stream->tag = tag;
    stream->client = client;
    client_ref(client);
    stream->queue = queue;
    if (queue)
        atomic_fetch_add(&queue->refs, 1);
    stream->lane = queue ? queue->lane : engine_lane(engine);
    *out = stream;
    loop_submit(stream->lane->loop, &stream->start);
    loop_attend(stream->lane->loop);
    return 0;
}

bool stream_has_queue(const struct mesh_stream *stream)
{
    return stream->queue != NULL;
}

/* ---- waiting ---- */

/* Inside, and inside again afterwards. */
static void wait_inside(struct mesh_stream *stream, struct loop_waiter **place)
{
    struct loop_waiter waiter;

    loop_waiter_init(&waiter);
    *place = &waiter;
    loop_leave(stream->lane->loop);
    loop_wait(stream->lane->loop, &waiter, LOOP_FOREVER, false);
    loop_enter(stream->lane->loop);
}

static bool left_behind(const struct mesh_stream *stream)
{
    return stream->lane->engine->abandoned;
}

/* ---- writing ---- */

static int32_t write_some(struct mesh_stream *stream, const uint8_t *bytes, size_t len, size_t *taken)
{
    struct body *body = &stream->request.body;

    *taken = 0;
    if (stream->done)
        return stream->err ? stream->err : MESH_ERR_RESET; /* the answer is whole: nobody reads the rest */
    if (body->finished)
        return MESH_ERR_INVALID;
    if (!body_has_room(body))
        return len > 0 ? MESH_ERR_AGAIN : 0;
    if (!body_write(body, bytes, len, taken))
        return MESH_ERR_NOMEM;
    if (stream->begun)
        request_body_grew(&stream->request);
    return *taken == len ? 0 : MESH_ERR_AGAIN;
}

int32_t stream_write(struct mesh_stream *stream, const void *data, size_t len, size_t *taken)
{
    const uint8_t *bytes = data;
    size_t ignored, n;
    int32_t err;

    taken = taken ? taken : &ignored;
    *taken = 0;
    if (left_behind(stream))
        return MESH_ERR_RESET;
    loop_enter(stream->lane->loop);
    for (;;) {
        err = write_some(stream, bytes + *taken, len - *taken, &n);
        *taken += n;
        if (err != MESH_ERR_AGAIN || stream->queue)
            break;
        wait_inside(stream, &stream->writer);
    }
    loop_leave(stream->lane->loop);
    return err;
}

int32_t stream_finish(struct mesh_stream *stream)
{
    int32_t err = 0;

    if (left_behind(stream))
        return MESH_ERR_RESET;
    loop_enter(stream->lane->loop);
    if (stream->done)
        err = stream->err;
    stream->request.body.finished = true;
    if (!stream->done && stream->begun)
        request_body_grew(&stream->request);
    loop_leave(stream->lane->loop);
    return err;
}

/* ---- reading ---- */

static int32_t read_some(struct mesh_stream *stream, void *out, size_t cap, size_t *got)
{
    struct mesh_response *response = stream->request.response;
    size_t there = response ? buf_len(&response->body) : 0;

    *got = there < cap ? there : cap;
    if (*got > 0) {
        memcpy(out, buf_bytes(&response->body), *got);
        request_consumed(&stream->request, *got);
        return 0;
    }
    return stream->done ? stream->err : MESH_ERR_AGAIN;
}

int32_t stream_read(struct mesh_stream *stream, void *buf, size_t cap, size_t *got)
{
    int32_t err;

    *got = 0;
    if (left_behind(stream))
        return MESH_ERR_RESET;
    loop_enter(stream->lane->loop);
    while ((err = read_some(stream, buf, cap, got)) == MESH_ERR_AGAIN && !stream->queue)
        wait_inside(stream, &stream->reader);
    loop_leave(stream->lane->loop);
    return err;
}

const struct mesh_response *stream_response(struct mesh_stream *stream)
{
    const struct mesh_response *response;

    if (left_behind(stream))
        return NULL;
    loop_enter(stream->lane->loop);
    while (!stream->headed && !stream->done && !stream->queue)
        wait_inside(stream, &stream->reader);
    response = stream->headed || stream->done ? stream->request.response : NULL;
    loop_leave(stream->lane->loop);
    return response;
}

/* ---- the end ---- */

void stream_free(struct mesh_stream *stream)
{
    struct mesh_client *client = stream->client;
    bool ours;

    if (left_behind(stream)) {
        unref(stream);
        client_unref(client);
        return;
    }
    loop_enter(stream->lane->loop);
    stream->freed = true;
    if (stream->queue)
        queue_withdraw(&stream->item);
    ours = stream->begun && !stream->done;
    if (ours)
        request_abandon(&stream->request);
    loop_leave(stream->lane->loop);
    if (ours)
        unref(stream);
    unref(stream);
    client_unref(client);
}
