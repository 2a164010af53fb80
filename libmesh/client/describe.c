/* SPDX-License-Identifier: Apache-2.0 */
/* What a client knows about services, and what the DNS says, as JSON for people and tools. */
#include <string.h>

#include "client/client.h"
#include "client/know.h"

/* ---- writing ---- */

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
    json_quoted(w, know_state_name(cluster->set->state));
    json_key(w, "source");
    json_quoted(w, cluster->set->source);
    know_write_error(w, &cluster->set->fault);
    cluster_write_refused(w, cluster);
    json_key(w, "endpoints");
    cluster_write_endpoints(w, cluster, false);
    json_end(w, '}');
}

/* ---- describing ---- */

static int32_t describe_one(struct lane *lane, const char *service, bool connect, uint64_t until_us,
                            struct json_writer *w, struct fault *fault)
{
    struct knowing knowing = { .lane = lane,
                               .what = { .service = service, .method = "GET", .path = "/" },
                               .connect = connect,
                               .until_us = until_us };
    int32_t err = know_service(&knowing);

    *fault = knowing.fault;
    loop_enter(lane->loop);
    if (knowing.cluster) {
        write_cluster(w, service, knowing.cluster);
        cluster_unref(knowing.cluster);
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
