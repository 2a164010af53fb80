/* SPDX-License-Identifier: Apache-2.0 */
/* A request that a thread waits for, and one whose outcome goes to a queue. */
#include "client/client.h"

struct mesh_response *call_refused(const struct fault *fault)
{
    struct mesh_response *response = response_new();

    if (!response)
        return NULL;
    response->err = fault->code;
    response->detail = mem_strdup(fault->text);
    return response;
}

/* ---- the calling thread waits ---- */

/* Lives on the waiting thread's stack. */
struct sync_call {
    struct request request;
    struct loop_task start;
    struct loop_waiter waiter;
    struct lane *lane;
    bool begun;
    int32_t err; /* when it could not begin, or must not any more */
};

static void on_sync_done(struct request *request)
{
    struct sync_call *call = CONTAINER_OF(request, struct sync_call, request);

    loop_waiter_done(call->lane->loop, &call->waiter);
}

static const struct request_ops sync_ops = { .on_done = on_sync_done };

static void start_sync(struct loop_task *task)
{
    struct sync_call *call = CONTAINER_OF(task, struct sync_call, start);

    call->begun = true;
    if (!call->err && call->lane->closing)
        call->err = MESH_ERR_CLOSING;
    if (!call->err)
        call->err = request_start(&call->request, &call->lane->env);
    if (call->err)
        loop_waiter_done(call->lane->loop, &call->waiter);
}

/* A signal came: the request ends, unless its end has come already. */
static void interrupt(struct sync_call *call)
{
    loop_enter(call->lane->loop);
    if (call->begun && !call->err)
        request_end(&call->request, MESH_ERR_INTERRUPTED, "a signal ended the wait");
    if (!call->begun)
        call->err = MESH_ERR_INTERRUPTED;
    loop_leave(call->lane->loop);
    loop_wait(call->lane->loop, &call->waiter, LOOP_FOREVER, false);
}

static int32_t outcome(struct sync_call *call, struct mesh_response **out)
{
    struct fault fault;

    *out = call->request.response;
    if (!call->err)
        return call->request.err;
    fault_set(&fault, call->err, "service \"%.200s\": %s", call->request.ask.service, error_text(call->err));
    if (call->err != MESH_ERR_NOMEM)
        *out = call_refused(&fault);
    return call->err;
}

int32_t client_request(struct mesh_client *client, const struct request_ask *ask, const struct body *body,
                       bool interruptible, struct mesh_response **out)
{
    struct sync_call call = { .request = { .ops = &sync_ops, .ask = *ask, .body = *body }, .start.run = start_sync };
    struct engine *engine;
    struct fault fault;
    int32_t err = client_engine(client, &engine, &fault);

    if (err) {
        *out = call_refused(&fault);
        return err;
    }
    call.lane = engine_lane(engine);
    loop_waiter_init(&call.waiter);
    loop_submit(call.lane->loop, &call.start);
    if (loop_wait(call.lane->loop, &call.waiter, LOOP_FOREVER, interruptible) == MESH_ERR_INTERRUPTED)
        interrupt(&call);
    return outcome(&call, out);
}

/* ---- the outcome goes to a queue ---- */

/* One reference while the request runs or its event waits, one for the application's handle. */
struct mesh_call {
    _Atomic uint32_t refs;
    struct request request;
    struct loop_task start;
    struct queue_item item;
    struct mesh_queue *queue;   /* a reference */
    struct mesh_client *client; /* a reference, the handle's; NULL: nobody wanted one */
    struct lane *lane;
    uint64_t tag;
    bool begun, cancelled;
    int32_t err; /* when it could not begin */
};

static void unref(struct mesh_call *call)
{
    struct mesh_queue *queue = call->queue;

    if (atomic_fetch_sub(&call->refs, 1) != 1)
        return;
    mem_free(call);
    queue_unref(queue);
}

/* [inside] The same; what was the call may become the response of another. */
static void unref_inside(struct mesh_call *call)
{
    struct mesh_queue *queue = call->queue;

    if (atomic_fetch_sub(&call->refs, 1) != 1)
        return;
    response_blocks_add(&call->lane->env.blocks, call);
    queue_unref(queue);
}

static void on_done(struct request *request)
{
    struct mesh_call *call = CONTAINER_OF(request, struct mesh_call, request);

    queue_push(call->queue, &call->item);
}

static const struct request_ops queued_ops = { .on_done = on_done };

static void start_queued(struct loop_task *task)
{
    struct mesh_call *call = CONTAINER_OF(task, struct mesh_call, start);
    struct lane *lane = call->lane;

    call->begun = true;
    atomic_fetch_add(&call->queue->in_flight, 1);
    if (call->cancelled)
        call->err = MESH_ERR_CANCELLED;
    else if (lane->closing)
        call->err = MESH_ERR_CLOSING;
    else
        call->err = request_start(&call->request, &lane->env);
    if (call->err)
        queue_push(call->queue, &call->item);
}

bool call_event(struct queue_item *item, struct mesh_event *event)
{
    struct mesh_call *call = CONTAINER_OF(item, struct mesh_call, item);
    struct fault fault;

    *event = (struct mesh_event){
        .tag = call->tag,
        .err = call->err ? call->err : call->request.err,
        .kind = MESH_EVENT_RESPONSE,
        .response = call->request.response,
    };
    if (call->err) {
        fault_set(&fault, call->err, "%s", error_text(call->err));
        event->response = call_refused(&fault);
    }
    unref_inside(call);
    return false;
}

void call_unheard(struct queue_item *item)
{
    struct mesh_call *call = CONTAINER_OF(item, struct mesh_call, item);

    response_free(call->request.response);
    unref(call);
}

int32_t call_start(struct mesh_queue *queue, const struct request_ask *ask, const struct body *body, uint64_t tag,
                   struct mesh_call **out)
{
    struct request_ask kept_ask = *ask;
    struct body kept_body = *body;
    struct mesh_call *call;
    int32_t err = queue_settle(queue, NULL);

    if (err)
        return err;
    call = request_keep(sizeof *call, sizeof(struct mesh_response), &kept_ask, &kept_body);
    if (!call)
        return MESH_ERR_NOMEM;
    call->refs = out ? 2 : 1;
    call->request.ops = &queued_ops;
    call->request.ask = kept_ask;
    call->request.body = kept_body;
    call->start.run = start_queued;
    call->item.kind = QUEUE_CALL;
    call->tag = tag;
    call->queue = queue;
    call->lane = queue->lane;
    atomic_fetch_add(&queue->refs, 1);
    if (out) {
        client_ref(queue->client);
        call->client = queue->client;
        *out = call;
    }
    queue_began(queue, &call->start);
    return 0;
}

void call_cancel(struct mesh_call *call)
{
    struct loop *loop = call->lane->loop;

    if (call->lane->engine->abandoned)
        return; /* made before a fork: the parent has it */
    loop_enter(loop);
    if (!call->begun)
        call->cancelled = true;
    else if (!call->err)
        request_end(&call->request, MESH_ERR_CANCELLED, "the application cancelled it");
    loop_leave(loop);
}

void call_free(struct mesh_call *call)
{
    struct mesh_client *client;

    if (!call)
        return;
    client = call->client;
    unref(call);
    client_unref(client);
}
