/* SPDX-License-Identifier: Apache-2.0 */
/* A client's life: made from a configuration, used by many, drained, closed, freed by its last user. */
#include "client/client.h"

#include <string.h>

int32_t client_new(const struct conf *conf, struct mesh_client **out, struct fault *fault)
{
    struct mesh_client *client = mem_zalloc(sizeof *client);
    struct observe_conf observe = { 0 };
    int32_t err = MESH_ERR_NOMEM;

    *out = NULL;
    fault_set(fault, err, "out of memory");
    if (!client)
        return err;
    client->refs = 1;
    list_init(&client->queues);
    pthread_mutex_init(&client->lock, NULL);
    client->conf = conf_copy(conf);
    if (!client->conf)
        goto fail;
    err = conf_check(client->conf, fault);
    if (!err)
        err = conf_take_locality(client->conf, fault);
    if (err)
        goto fail;
    client->threadless = strcmp(conf_text(client->conf, "threads"), "none") == 0;
    conf_fill_observe(client->conf, &observe);
    observe.threadless = client->threadless;
    err = observe_new(&observe, &client->observe, fault);
    if (err)
        goto fail;
    conf_log_warnings(client->conf, client->observe);
    fork_watch(client);
    *out = client;
    return 0;
fail:
    conf_free(client->conf);
    pthread_mutex_destroy(&client->lock);
    mem_free(client);
    return err;
}

void client_ref(struct mesh_client *client)
{
    atomic_fetch_add(&client->refs, 1);
}

void client_unref(struct mesh_client *client)
{
    if (!client || atomic_fetch_sub(&client->refs, 1) != 1)
        return;
    fork_unwatch(client);
    engine_free(atomic_load(&client->engine));
    observe_free(client->observe);
    conf_free(client->conf);
    pthread_mutex_destroy(&client->lock);
    mem_free(client);
}

/* ---- the end ---- */

static void end_all(struct list *requests)
{
    while (!list_empty(requests))
        request_end(CONTAINER_OF(requests->next, struct request, link), MESH_ERR_CLOSING, "the client was freed");
}

static void fail_all(struct lane *lane)
{
    loop_enter(lane->loop);
    lane->closing = true;
    end_all(&lane->env.running);
    end_all(&lane->env.shadows);
    loop_leave(lane->loop);
}

void client_close(struct mesh_client *client)
{
    struct engine *engine;

    pthread_mutex_lock(&client->lock);
    atomic_store(&client->closing, true);
    engine = atomic_load(&client->engine);
    pthread_mutex_unlock(&client->lock);
    for (size_t i = 0; engine && i < engine->n_lanes; i++)
        fail_all(&engine->lanes[i]);
    client_unref(client);
}

/* Time is over; the end that crossed it is waited for. */
static int32_t stop_draining(struct lane *lane, struct drainer *drainer, int32_t err)
{
    bool told;

    loop_enter(lane->loop);
    told = drainer->waiter.is_done;
    list_remove(&drainer->link);
    loop_leave(lane->loop);
    return told ? loop_wait(lane->loop, &drainer->waiter, LOOP_FOREVER, false) : err;
}

static int32_t drain_lane(struct lane *lane, uint64_t until_us)
{
    struct drainer drainer = { .link = { 0 } };
    int32_t err;
    bool idle;

    loop_waiter_init(&drainer.waiter);
    loop_enter(lane->loop);
    LIST_EACH(link, &lane->in_use) {
        cluster_drain(CONTAINER_OF(link, struct cluster, link));
    }
    idle = list_empty(&lane->env.running);
    if (!idle)
        list_push_back(&lane->drainers, &drainer.link);
    loop_leave(lane->loop);
    if (idle)
        return 0;
    err = loop_wait(lane->loop, &drainer.waiter, until_us, false);
    return err ? stop_draining(lane, &drainer, err) : 0;
}

int32_t client_drain(struct mesh_client *client, uint64_t until_us)
{
    struct engine *engine;
    int32_t result = 0;

    pthread_mutex_lock(&client->lock);
    atomic_store(&client->closing, true);
    engine = atomic_load(&client->engine);
    pthread_mutex_unlock(&client->lock);
    for (size_t i = 0; engine && i < engine->n_lanes; i++) {
        int32_t err = drain_lane(&engine->lanes[i], until_us);

        if (err)
            result = err;
    }
    return result;
}

/* ---- the process's own ---- */

static pthread_mutex_t default_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(struct mesh_client *) default_client;

static int32_t new_from_environment(struct mesh_client **out, struct fault *fault)
{
    struct conf *conf = conf_new();
    int32_t err = conf ? conf_read_env(conf, fault) : fault_set(fault, MESH_ERR_NOMEM, "out of memory");

    if (!err)
        err = client_new(conf, out, fault);
    conf_free(conf);
    return err;
}

int32_t client_default(struct mesh_client **out, struct fault *fault)
{
    struct mesh_client *client = atomic_load(&default_client);
    int32_t err = 0;

    *out = client;
    if (client)
        return 0;
    pthread_mutex_lock(&default_lock);
    client = atomic_load(&default_client);
    if (!client) {
        err = new_from_environment(&client, fault);
        atomic_store(&default_client, client);
    }
    pthread_mutex_unlock(&default_lock);
    *out = client;
    return err;
}

void client_default_hold(void)
{
    pthread_mutex_lock(&default_lock);
}

void client_default_release(void)
{
    pthread_mutex_unlock(&default_lock);
}

int32_t client_take(struct mesh_client *given, struct mesh_client **out, struct fault *fault)
{
    int32_t err = 0;

    *out = given;
    if (!given)
        err = client_default(out, fault);
    if (err)
        return err;
    if (atomic_load(&(*out)->closing))
        return fault_set(fault, MESH_ERR_CLOSING, "the client is being drained or freed");
    client_ref(*out);
    return 0;
}

int32_t client_threadless_loop(struct mesh_client *client, struct loop **out)
{
    struct engine *engine;
    int32_t err;

    if (!client || !client->threadless)
        return MESH_ERR_INVALID;
    err = client_engine(client, &engine, NULL);
    if (!err)
        *out = engine->lanes[0].loop;
    return err;
}
