/* SPDX-License-Identifier: Apache-2.0 */
/* The completion queue: a list of what has something to tell, and threads that wait for it.
 *
 * All of it is used inside the lane's loop. What waits to be sent when a thread comes for events is sent with one system
 * call, together with taking them. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client/client.h"

/* Calls are held back for the taking thread only while it has others running, or took events of some that it is still looking at,
 * and at most so many; not while somebody else polls, since then it may wait for the descriptor instead of coming back. If it stays
 * away the keeper sends them. */
enum { BUSY = 4, MOST_HELD_BACK = 256 };

struct queue_waiter {
    struct list link;
    struct loop_waiter waiter;
};

static void on_wake(struct loop_task *task);

int32_t queue_new(struct mesh_client *client, struct mesh_queue **out, struct fault *fault)
{
    struct mesh_queue *queue = mem_zalloc(sizeof *queue);
    struct engine *engine;
    int32_t err;

    *out = NULL;
    if (!queue)
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    err = client_engine(client, &engine, fault);
    if (err) {
        mem_free(queue);
        return err;
    }
    client_ref(client);
    queue->client = client;
    queue->engine = engine;
    queue->lane = engine_lane(engine);
    queue->refs = 1;
    queue->fd = -1;
    queue->wake.run = on_wake;
    list_init(&queue->items);
    list_init(&queue->waiters);
    pthread_mutex_lock(&client->lock);
    list_push_back(&client->queues, &queue->link);
    pthread_mutex_unlock(&client->lock);
    *out = queue;
    return 0;
}

void queue_unref(struct mesh_queue *queue)
{
    if (atomic_fetch_sub(&queue->refs, 1) == 1)
        mem_free(queue);
}

/* ---- the descriptor ---- */

static void set_fd(struct mesh_queue *queue)
{
    uint64_t one = 1;

    if (queue->fd < 0 || queue->fd_is_set)
        return;
    queue->fd_is_set = write(queue->fd, &one, sizeof one) == (ssize_t) sizeof one;
}

static void clear_fd_when_empty(struct mesh_queue *queue)
{
    uint64_t count;

    if (!queue->fd_is_set || !list_empty(&queue->items) || atomic_load(&queue->woken))
        return;
    queue->fd_is_set = read(queue->fd, &count, sizeof count) < 0 && errno != EAGAIN;
}

/* The calls of a parent process may keep the queue's memory, so the descriptor does not wait for them. */
static void close_fd(struct mesh_queue *queue)
{
    if (queue->fd >= 0)
        close(queue->fd);
    queue->fd = -1;
}

/* The owner of a threadless loop does not wait while there are events. */
static void count_for_owner(struct mesh_queue *queue)
{
    bool unserved = !queue->closed && (!list_empty(&queue->items) || atomic_load(&queue->woken));

    if (unserved == queue->is_counted)
        return;
    queue->is_counted = unserved;
    loop_unserved(queue->lane->loop, unserved ? 1 : -1);
}

/* ---- pushing ---- */

static void wake_one(struct mesh_queue *queue)
{
    struct list *link = list_pop_front(&queue->waiters);

    if (link)
        loop_waiter_done(queue->lane->loop, &CONTAINER_OF(link, struct queue_waiter, link)->waiter);
}

static void drop(struct queue_item *item)
{
    if (item->kind == QUEUE_CALL)
        call_unheard(item);
    else
        stream_unheard(item);
}

void queue_push(struct mesh_queue *queue, struct queue_item *item)
{
    if (item->kind == QUEUE_CALL)
        atomic_fetch_sub(&queue->in_flight, 1);
    if (queue->closed) {
        drop(item);
        return;
    }
    if (list_linked(&item->link))
        return;
    list_push_back(&queue->items, &item->link);
    set_fd(queue);
    count_for_owner(queue);
    wake_one(queue);
}

void queue_withdraw(struct queue_item *item)
{
    list_remove(&item->link);
}

void queue_began(struct mesh_queue *queue, struct loop_task *task)
{
    struct loop *loop = queue->lane->loop;
    bool ours = atomic_load(&queue->taker) == (uintptr_t) pthread_self() && !loop_is_driven(loop);
    bool busy = atomic_load(&queue->in_flight) + atomic_load(&queue->taken) >= BUSY;

    if (ours && busy && atomic_fetch_add(&queue->held_back, 1) < MOST_HELD_BACK) {
        loop_submit_quietly(loop, task);
        return;
    }
    atomic_store(&queue->held_back, 0);
    loop_submit(loop, task);
    loop_attend(loop);
}

/* ---- taking ---- */

static bool to_event(struct queue_item *item, struct mesh_event *event)
{
    return item->kind == QUEUE_CALL ? call_event(item, event) : stream_event(item, event);
}

static uint32_t take(struct mesh_queue *queue, struct mesh_event *events, uint32_t max)
{
    uint32_t n = 0;

    if (atomic_exchange(&queue->woken, false))
        events[n++] = (struct mesh_event){ .kind = MESH_EVENT_WAKE };
    while (n < max && !list_empty(&queue->items)) {
        struct queue_item *item = CONTAINER_OF(queue->items.next, struct queue_item, link);

        list_remove(&item->link);
        if (to_event(item, &events[n++]))
            list_push_back(&queue->items, &item->link);
    }
    if (!list_empty(&queue->items))
        wake_one(queue);
    clear_fd_when_empty(queue);
    count_for_owner(queue);
    return n;
}

/* One entry into the loop: what was held back goes out, and events are taken, or the waiter is left to be told. */
static uint32_t take_or_register(struct mesh_queue *queue, struct mesh_event *events, uint32_t max,
                                 struct queue_waiter *waiter)
{
    uint32_t n;

    atomic_store(&queue->held_back, 0);
    loop_enter(queue->lane->loop);
    n = take(queue, events, max);
    atomic_store(&queue->taken, n);
    if (n == 0 && waiter) {
        loop_waiter_init(&waiter->waiter);
        list_push_back(&queue->waiters, &waiter->link);
    }
    loop_leave(queue->lane->loop);
    return n;
}

/* The wait ended without being told: takes the waiter back, or lets the telling that crossed it arrive. */
static void unregister(struct mesh_queue *queue, struct queue_waiter *waiter)
{
    bool told;

    loop_enter(queue->lane->loop);
    told = waiter->waiter.is_done;
    if (!told)
        list_remove(&waiter->link);
    loop_leave(queue->lane->loop);
    if (told)
        loop_wait(queue->lane->loop, &waiter->waiter, LOOP_FOREVER, false);
}

int32_t queue_next(struct mesh_queue *queue, struct mesh_event *events, uint32_t max, uint64_t until_us)
{
    struct queue_waiter waiter = { .link = { 0 } };
    int32_t err = queue_settle(queue, NULL);
    uint32_t n;

    if (err)
        return err;
    atomic_store(&queue->taker, (uintptr_t) pthread_self());
    while (!err) {
        n = take_or_register(queue, events, max, until_us == 0 ? NULL : &waiter);
        if (n > 0 || until_us == 0)
            return (int32_t) n;
        err = loop_wait(queue->lane->loop, &waiter.waiter, until_us, true);
        if (err)
            unregister(queue, &waiter);
    }
    /* What came in the last moment may have been told to this thread only. */
    n = take_or_register(queue, events, max, NULL);
    return n > 0 || err == MESH_ERR_TIMEOUT ? (int32_t) n : err;
}

int32_t queue_fd(struct mesh_queue *queue)
{
    int32_t err = queue_settle(queue, NULL);
    struct loop *loop = queue->lane->loop;
    bool fresh;

    if (err)
        return err;
    loop_enter(loop);
    fresh = queue->fd < 0;
    if (fresh)
        queue->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (queue->fd >= 0 && (!list_empty(&queue->items) || atomic_load(&queue->woken)))
        set_fd(queue);
    loop_leave(loop);
    if (queue->fd < 0)
        return MESH_ERR_IO;
    if (fresh)
        loop_expect(loop, 1);
    return queue->fd;
}

/* ---- waking, also from signal handlers: atomics and write() only ---- */

static void on_wake(struct loop_task *task)
{
    struct mesh_queue *queue = CONTAINER_OF(task, struct mesh_queue, wake);

    atomic_store(&queue->wake_queued, false);
    if (atomic_load(&queue->woken)) {
        set_fd(queue);
        count_for_owner(queue);
        wake_one(queue);
    }
    queue_unref(queue);
}

void queue_wake(struct mesh_queue *queue)
{
    struct engine *engine = atomic_load(&queue->engine);

    atomic_store(&queue->woken, true);
    if (engine->abandoned || atomic_exchange(&queue->wake_queued, true))
        return; /* in a forked child: told when the queue settles */
    atomic_fetch_add(&queue->refs, 1);
    loop_submit_quietly(queue->lane->loop, &queue->wake);
    loop_nudge(queue->lane->loop);
}

/* ---- the end ---- */

void queue_free(struct mesh_queue *queue)
{
    struct mesh_client *client = queue->client;

    pthread_mutex_lock(&client->lock);
    list_remove(&queue->link);
    pthread_mutex_unlock(&client->lock);
    if (atomic_load(&queue->engine)->abandoned) {
        close_fd(queue);
        goto done;
    }
    if (queue->fd >= 0)
        loop_expect(queue->lane->loop, -1);
    loop_enter(queue->lane->loop);
    queue->closed = true;
    while (!list_empty(&queue->items)) {
        struct queue_item *item = CONTAINER_OF(queue->items.next, struct queue_item, link);

        list_remove(&item->link);
        drop(item);
    }
    close_fd(queue);
    count_for_owner(queue);
    loop_leave(queue->lane->loop);
done:
    queue_unref(queue);
    client_unref(client);
}

/* ---- fork ---- */

/* The descriptor must not be shared with the parent. Whatever was in it is not in the new one. */
void queue_after_fork(struct mesh_queue *queue)
{
    int fresh;

    queue->fd_is_set = false;
    if (queue->fd < 0)
        return;
    fresh = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fresh < 0)
        return;
    dup3(fresh, queue->fd, O_CLOEXEC);
    close(fresh);
}

/* What the parent had in it never ends here and is left behind. */
static void move(struct mesh_queue *queue, struct engine *engine)
{
    list_init(&queue->items);
    list_init(&queue->waiters);
    atomic_store(&queue->in_flight, 0);
    atomic_store(&queue->held_back, 0);
    atomic_store(&queue->wake_queued, false);
    queue->is_counted = false;
    if (atomic_load(&queue->woken))
        set_fd(queue);
    queue->lane = engine_lane(engine);
    if (queue->fd >= 0)
        loop_expect(queue->lane->loop, 1);
    atomic_store(&queue->engine, engine);
}

int32_t queue_settle(struct mesh_queue *queue, struct fault *fault)
{
    struct engine *engine;
    int32_t err;

    if (!atomic_load(&queue->engine)->abandoned)
        return 0;
    err = client_engine(queue->client, &engine, fault);
    if (err)
        return err;
    pthread_mutex_lock(&queue->client->lock);
    if (atomic_load(&queue->engine)->abandoned)
        move(queue, engine);
    pthread_mutex_unlock(&queue->client->lock);
    return 0;
}
