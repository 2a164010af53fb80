/* SPDX-License-Identifier: Apache-2.0 */
/* What a client knows about services, and what the DNS says, as JSON for people and tools. */
#include <string.h>

#include "client/client.h"

/* ---- writing ---- */

static void write_error(struct json_writer *w, const struct fault *fault)
{
    json_key(w, "error");
    if (fault->code == 0) {
        json_quoted(w, NULL);
        return;
    }
    json_begin(w, '{');
    json_key(w, "code");
    json_quoted(w, error_name(fault->code));
    json_key(w, "detail");
    json_quoted(w, fault->text);
    json_end(w, '}');
}

static void write_health(struct json_writer *w, const struct endpoint *endpoint)
{
    bool off = endpoint->cluster->conf->policy.health.kind == HEALTH_OFF;
    char why[FAULT_TEXT];
    enum health_state state = endpoint_health(endpoint, why);

    json_key(w, "health");
    json_quoted(w, off ? "off" : health_state_name(state));
    json_key(w, "health_reason");
    json_quoted(w, why);
}

static void write_endpoint(struct json_writer *w, const struct endpoint *endpoint)
{
    struct pool_state state = { .health = POOL_IDLE, .protocol = "" };

    if (endpoint->pool)
        state = pool_state(endpoint->pool);
    json_begin(w, '{');
    json_key(w, "address");
    json_quoted(w, endpoint->address);
    json_key(w, "zone");
    json_quoted(w, endpoint->zone);
    json_key(w, "hostname");
    json_quoted(w, endpoint->hostname);
    json_key(w, "weight");
    json_number(w, endpoint->weight);
    json_key(w, "priority");
    json_number(w, endpoint->priority);
    json_key(w, "state");
    json_quoted(w, pool_health_name(state.health));
    json_key(w, "reason");
    json_quoted(w, state.health == POOL_FAILED ? state.fault->text : "");
    json_key(w, "protocol");
    json_quoted(w, state.protocol);
    write_health(w, endpoint);
    json_key(w, "connections");
    json_number(w, state.connections);
    json_key(w, "active");
    json_number(w, atomic_load(&endpoint->stats->balance.active));
    json_key(w, "attempts");
    json_number(w, (int64_t) atomic_load(&endpoint->stats->attempts));
    json_key(w, "failures");
    json_number(w, (int64_t) atomic_load(&endpoint->stats->failures));
    json_end(w, '}');
}

static const char *state_name(enum model_endpoints_state state)
{
    static const char *const names[] = { "pending", "ready", "failed", "withdrawn" };

    return names[state];
}

/* Requests that were not sent, by whose word. */
static void write_refused(struct json_writer *w, const struct admission_shared *admission)
{
    json_key(w, "refused");
    json_begin(w, '{');
    for (int by = 0; by < ADMISSION_REFUSALS; by++) {
        json_key(w, admission_refusal_name((enum admission_refusal) by));
        json_number(w, (int64_t) atomic_load(&admission->refused[by]));
    }
    json_end(w, '}');
}

static void write_cluster(struct json_writer *w, const char *service, const struct cluster *cluster)
{
    json_begin(w, '{');
    json_key(w, "service");
    json_quoted(w, service);
    json_key(w, "cluster");
    json_quoted(w, cluster->shared->name);
    json_key(w, "protocol");
    json_quoted(w, model_protocol_name(cluster->conf->protocol));
    json_key(w, "state");
    json_quoted(w, state_name(cluster->set->state));
    json_key(w, "source");
    json_quoted(w, cluster->set->source);
    write_error(w, &cluster->set->fault);
    write_refused(w, &cluster->shared->admission);
    json_key(w, "endpoints");
    json_begin(w, '[');
    LIST_EACH(link, &cluster->endpoints) {
        write_endpoint(w, CONTAINER_OF(link, struct endpoint, link));
    }
    json_end(w, ']');
    json_end(w, '}');
}

/* ---- getting to know a service: resolved, and connected if wanted ---- */

struct getting {
    struct lane *lane;
    const char *service;
    bool connect;
    struct request_env *env;
    struct cluster *cluster;
    struct loop_timer look;
    struct loop_waiter waiter;
    uint64_t until_us;
    int32_t err;
    struct fault fault;
};

/* How often the state is looked at while somebody waits to read it. */
#define LOOK_EVERY_US (5 * US_PER_MS)

static bool is_checked(const struct endpoint *endpoint)
{
    char why[FAULT_TEXT];

    return endpoint->cluster->conf->policy.health.kind == HEALTH_OFF ||
           endpoint_health(endpoint, why) != HEALTH_UNKNOWN;
}

static bool is_settled(struct endpoint *endpoint)
{
    enum pool_health health;

    if (endpoint_open_pool(endpoint, NULL) != 0)
        return true;
    health = pool_state(endpoint->pool).health;
    if (health == POOL_IDLE)
        pool_warm(endpoint->pool);
    return health != POOL_IDLE && health != POOL_CONNECTING && is_checked(endpoint);
}

static bool all_settled(struct cluster *cluster)
{
    bool settled = true;

    LIST_EACH(link, &cluster->endpoints) {
        settled = is_settled(CONTAINER_OF(link, struct endpoint, link)) && settled;
    }
    return settled;
}

static bool look(struct getting *getting)
{
    struct route_request what = { getting->service, "GET", "/" };

    if (!getting->cluster) {
        getting->err = lane_find_cluster(getting->env, &what, &getting->cluster, &getting->fault);
        if (getting->err == MESH_ERR_AGAIN)
            return false;
        if (getting->err)
            return true;
    }
    if (getting->cluster->set->state == ENDPOINTS_PENDING)
        return false;
    return !getting->connect || all_settled(getting->cluster);
}

static void on_look(struct loop_timer *timer)
{
    struct getting *getting = CONTAINER_OF(timer, struct getting, look);
    uint64_t now = loop_now_us(getting->lane->loop);

    if (look(getting) || now >= getting->until_us)
        loop_waiter_done(getting->lane->loop, &getting->waiter);
    else
        loop_timer_set(getting->lane->loop, &getting->look, now + LOOK_EVERY_US);
}

static int32_t get_to_know(struct getting *getting)
{
    struct loop *loop = getting->lane->loop;

    getting->env = &getting->lane->env;
    getting->look.on_due = on_look;
    loop_waiter_init(&getting->waiter);
    loop_enter(loop);
    loop_timer_set(loop, &getting->look, 0);
    loop_leave(loop);
    loop_wait(loop, &getting->waiter, LOOP_FOREVER, false);
    if (getting->err == MESH_ERR_AGAIN)
        return fault_set(&getting->fault, MESH_ERR_TIMEOUT, "service \"%.200s\" was not known in time",
                         getting->service);
    return getting->err;
}

static int32_t describe_one(struct lane *lane, const char *service, bool connect, uint64_t until_us,
                            struct json_writer *w, struct fault *fault)
{
    struct getting getting = { .lane = lane, .service = service, .connect = connect, .until_us = until_us };
    int32_t err = get_to_know(&getting);

    *fault = getting.fault;
    loop_enter(lane->loop);
    if (getting.cluster) {
        write_cluster(w, service, getting.cluster);
        cluster_unref(getting.cluster);
    }
    loop_leave(lane->loop);
    return err;
}

/* The names of all clusters of the snapshot, copied. */
static char **names_of(struct lane *lane, size_t *n)
{
    char **names;

    loop_enter(lane->loop);
    *n = lane->snapshot->n;
    names = mem_array(*n, sizeof *names);
    for (size_t i = 0; names && i < *n; i++)
        names[i] = mem_strdup(lane->snapshot->entries[i].cluster->name);
    loop_leave(lane->loop);
    return names;
}

static void describe_all(struct lane *lane, bool connect, uint64_t until_us, struct json_writer *w)
{
    struct fault ignored;
    size_t n;
    char **names = names_of(lane, &n);

    json_begin(w, '{');
    json_key(w, "services");
    json_begin(w, '[');
    for (size_t i = 0; names && i < n; i++) {
        if (names[i])
            describe_one(lane, names[i], connect, until_us, w, &ignored);
        mem_free(names[i]);
    }
    json_end(w, ']');
    json_end(w, '}');
    w->failed = w->failed || !names;
    mem_free(names);
}

int32_t client_describe(struct mesh_client *client, const char *service, bool connect, uint64_t until_us, char **out,
                        struct fault *fault)
{
    struct json_writer w = { 0 };
    struct engine *engine;
    int32_t err = client_engine(client, &engine, fault);

    *out = NULL;
    if (err)
        return err;
    if (service)
        err = describe_one(&engine->lanes[0], service, connect, until_us, &w, fault);
    else
        describe_all(&engine->lanes[0], connect, until_us, &w);
    *out = json_finish(&w);
    if (err) {
        mem_free(*out);
        *out = NULL;
        return err;
    }
    return *out ? 0 : fault_set(fault, MESH_ERR_NOMEM, "out of memory");
}

/* ---- the DNS ---- */

/* A lookup. When its time is over nobody waits for it any more; it ends by itself then, or with the engine. */
struct explaining {
    struct list link; /* in engine.forgotten */
    struct loop *loop;
    struct loop_waiter waiter;
    int32_t err;
    char *json;
};

static void on_explained(void *user, int32_t err, char *json)
{
    struct explaining *explaining = user;

    if (list_linked(&explaining->link)) {
        list_remove(&explaining->link);
        mem_free(json);
        mem_free(explaining);
        return;
    }
    explaining->err = err;
    explaining->json = json;
    loop_waiter_done(explaining->loop, &explaining->waiter);
}

void describe_end(struct engine *engine)
{
    struct list *link;

    while ((link = list_pop_front(&engine->forgotten)))
        mem_free(CONTAINER_OF(link, struct explaining, link));
}

static int32_t begin_explaining(struct engine *engine, const char *target, struct explaining **out, struct fault *fault)
{
    struct explaining *explaining = mem_zalloc(sizeof *explaining);
    int32_t err;

    *out = explaining;
    if (!explaining)
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    explaining->loop = engine->lanes[0].loop;
    loop_waiter_init(&explaining->waiter);
    loop_enter(explaining->loop);
    err = source_explain(engine->source, target, on_explained, explaining, fault);
    loop_leave(explaining->loop);
    if (err)
        mem_free(explaining);
    return err;
}

/* False: it had ended in this very moment. */
static bool forget(struct engine *engine, struct explaining *explaining)
{
    bool ended;

    loop_enter(explaining->loop);
    ended = explaining->waiter.is_done;
    if (!ended)
        list_push_back(&engine->forgotten, &explaining->link);
    loop_leave(explaining->loop);
    if (ended)
        loop_wait(explaining->loop, &explaining->waiter, LOOP_FOREVER, false);
    return !ended;
}

int32_t client_resolve(struct mesh_client *client, const char *target, uint64_t until_us, char **out,
                       struct fault *fault)
{
    struct explaining *explaining;
    struct engine *engine;
    int32_t err = client_engine(client, &engine, fault);

    *out = NULL;
    if (!err)
        err = begin_explaining(engine, target, &explaining, fault);
    if (err)
        return err;
    if (loop_wait(explaining->loop, &explaining->waiter, until_us, false) != 0 && forget(engine, explaining))
        return fault_set(fault, MESH_ERR_TIMEOUT, "\"%.200s\" was not looked up in time", target);
    *out = explaining->json;
    err = explaining->json ? explaining->err : fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    mem_free(explaining);
    return err;
}
