/* SPDX-License-Identifier: Apache-2.0 */
/* fork(): the child drops the parent's sockets without a word and starts afresh; the parent notices nothing.
 *
 * All locks are held while the process is copied, so the child finds every loop between two turns. It closes the
 * descriptors, and leaves the memory of the engine as it is: other threads' stacks that point into it exist no more. */
#include "client/client.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list clients = { &clients, &clients };
static struct engine *abandoned; /* kept reachable */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void each_loop(struct mesh_client *client, void (*action)(struct loop *loop))
{
    struct engine *engine = atomic_load(&client->engine);

    for (size_t i = 0; engine && i < engine->n_lanes; i++)
        action(engine->lanes[i].loop);
}

static void before_fork(void)
{
    client_default_hold();
    pthread_mutex_lock(&lock);
    LIST_EACH(link, &clients) {
        struct mesh_client *client = CONTAINER_OF(link, struct mesh_client, link);

        pthread_mutex_lock(&client->lock);
        each_loop(client, loop_before_fork);
    }
}

static void in_parent(void)
{
    LIST_EACH(link, &clients) {
        struct mesh_client *client = CONTAINER_OF(link, struct mesh_client, link);

        each_loop(client, loop_after_fork_in_parent);
        pthread_mutex_unlock(&client->lock);
    }
    pthread_mutex_unlock(&lock);
    client_default_release();
}

static void leave_engine_behind(struct mesh_client *client)
{
    struct engine *engine = atomic_load(&client->engine);

    if (!engine)
        return;
    each_loop(client, loop_abandon);
    engine->abandoned = true;
    engine->next_abandoned = abandoned;
    abandoned = engine;
    atomic_store(&client->engine, NULL);
}

static void in_child(void)
{
    LIST_EACH(link, &clients) {
        struct mesh_client *client = CONTAINER_OF(link, struct mesh_client, link);

        leave_engine_behind(client);
        LIST_EACH(queue, &client->queues) {
            queue_after_fork(CONTAINER_OF(queue, struct mesh_queue, link));
        }
        observe_after_fork(client->observe);
        pthread_mutex_unlock(&client->lock);
    }
    pthread_mutex_unlock(&lock);
    client_default_release();
}

static void install(void)
{
    pthread_atfork(before_fork, in_parent, in_child);
}

void fork_watch(struct mesh_client *client)
{
    pthread_once(&once, install);
    pthread_mutex_lock(&lock);
    list_push_back(&clients, &client->link);
    pthread_mutex_unlock(&lock);
}

void fork_unwatch(struct mesh_client *client)
{
    pthread_mutex_lock(&lock);
    list_remove(&client->link);
    pthread_mutex_unlock(&lock);
}
