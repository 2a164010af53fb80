/* SPDX-License-Identifier: Apache-2.0 */
/* The engine: as many loops as are configured, the source in the first of them. */
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "client/client.h"

enum {
    MOST_LANES = 64,
    LANES_BY_CPUS = 8, /* at most, unless `loops` says otherwise */
    ONE_LANE_CPUS = 2, /* up to so many CPUs there is one lane */
};

static void on_empty(struct request_env *env)
{
    struct lane *lane = CONTAINER_OF(env, struct lane, env);
    struct list *link;

    while ((link = list_pop_front(&lane->drainers)))
        loop_waiter_done(lane->loop, &CONTAINER_OF(link, struct drainer, link)->waiter);
}

static int32_t make_lane(struct engine *engine, struct lane *lane, uint64_t channel, struct fault *fault)
{
    struct loop_conf conf = { .threadless = engine->client->threadless };
    int32_t err;

    err = loop_new(&conf, &lane->loop);
    if (err)
        return fault_set(fault, err, "no event loop: %s", error_text(err));
    lane->engine = engine;
    lane->env.loop = lane->loop;
    lane->env.observe = engine->client->observe;
    lane->env.find_home = lane_find_home;
    lane->env.find_cluster = lane_find_cluster;
    lane->env.limits = &engine->limits;
    lane->env.channel = channel;
    lane->env.on_empty = on_empty;
    list_init(&lane->env.running);
    list_init(&lane->env.shadows);
    list_init(&lane->env.homeless);
    traces_init(&lane->env.traces);
    list_init(&lane->in_use);
    list_init(&lane->retired);
    list_init(&lane->drainers);
    return loop_open(lane->loop, fault);
}

static int32_t make_source(struct engine *engine, struct fault *fault)
{
    struct source_conf conf = {
        .loop = engine->lanes[0].loop,
        .conf = engine->client->conf,
        .observe = engine->client->observe,
        .on_snapshot = engine_on_snapshot,
        .take_load = engine_take_load,
        .user = engine,
    };

    return source_new(&conf, &engine->source, fault);
}

size_t engine_cpus(void)
{
    cpu_set_t allowed;
    long online;

    if (sched_getaffinity(getpid(), sizeof allowed, &allowed) == 0)
        return (size_t) CPU_COUNT(&allowed);
    online = sysconf(_SC_NPROCESSORS_ONLN); /* more CPUs than the set has room for */
    return online > 0 ? (size_t) online : 1;
}

size_t engine_lanes_for(size_t cpus)
{
    if (cpus <= ONE_LANE_CPUS)
        return 1;
    return cpus / 2 < LANES_BY_CPUS ? cpus / 2 : LANES_BY_CPUS;
}

static size_t lanes_wanted(const struct mesh_client *client)
{
    uint64_t n = conf_number(client->conf, "loops");

    if (client->threadless)
        return 1;
    if (n == 0)
        return engine_lanes_for(engine_cpus());
    return n < MOST_LANES ? (size_t) n : MOST_LANES;
}

static int32_t engine_new(struct mesh_client *client, struct engine **out, struct fault *fault)
{
    size_t n = lanes_wanted(client);
    struct engine *engine = mem_zalloc(sizeof *engine + n * sizeof engine->lanes[0]);
    struct rand dice;
    uint64_t channel;
    int32_t err = 0;

    *out = NULL;
    if (!engine)
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    engine->client = client;
    engine->n_lanes = n;
    list_init(&engine->forgotten);
    pthread_mutex_init(&engine->lock, NULL);
    limits_init(&engine->limits);
    rand_seed(&dice);
    channel = rand_u64(&dice);
    for (size_t i = 0; i < n && !err; i++)
        err = make_lane(engine, &engine->lanes[i], channel, fault);
    if (!err)
        err = make_source(engine, fault);
    if (err) {
        engine_free(engine);
        return err;
    }
    loop_enter(engine->lanes[0].loop);
    for (size_t i = 0; i < n; i++)
        lane_begin(&engine->lanes[i], source_snapshot(engine->source));
    loop_leave(engine->lanes[0].loop);
    *out = engine;
    return 0;
}

int32_t client_engine(struct mesh_client *client, struct engine **out, struct fault *fault)
{
    struct engine *engine = atomic_load(&client->engine);
    int32_t err = 0;

    *out = engine;
    if (engine)
        return 0;
    pthread_mutex_lock(&client->lock);
    engine = atomic_load(&client->engine);
    if (!engine && atomic_load(&client->closing)) {
        err = fault_set(fault, MESH_ERR_CLOSING, "the client is being drained or freed");
    } else if (!engine) {
        err = engine_new(client, &engine, fault);
        atomic_store(&client->engine, engine);
    }
    pthread_mutex_unlock(&client->lock);
    *out = engine;
    return err;
}

/* Requests are gone: whoever holds the last reference to the client has none running. */
void engine_free(struct engine *engine)
{
    if (!engine)
        return;
    for (size_t i = 0; i < engine->n_lanes; i++)
        loop_stop(engine->lanes[i].loop);
    if (engine->source) {
        loop_enter(engine->lanes[0].loop);
        loop_leave(engine->lanes[0].loop); /* what other lanes still want of the source, before it goes */
        loop_enter(engine->lanes[0].loop);
        source_free(engine->source);
        describe_end(engine);
        loop_leave(engine->lanes[0].loop);
    }
    for (size_t i = 0; i < engine->n_lanes; i++)
        lane_end(&engine->lanes[i]);
    engine_shared_free(engine);
    limits_free(&engine->limits);
    pthread_mutex_destroy(&engine->lock);
    mem_free(engine);
}

/* A thread keeps to one lane, so that its calls find the same connections and no other thread's lock. */
struct lane *engine_lane(struct engine *engine)
{
    static _Atomic uint32_t threads;
    static _Thread_local uint32_t number;

    if (engine->n_lanes == 1)
        return &engine->lanes[0];
    if (number == 0)
        number = atomic_fetch_add(&threads, 1) + 1;
    return &engine->lanes[number % engine->n_lanes];
}
