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
    json_quoted(w, cluster->conf->label);
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

/* GET / is answered by its route. */
static void write_route_alone(struct json_writer *w, const char *service, const struct route_choice *choice)
{
    json_begin(w, '{');
    json_put_text(w, "service", service);
    json_put_text(w, "cluster", NULL);
    json_put_text(w, "route", choice->route->name);
    json_end(w, '}');
}

/* ---- describing ---- */

/* Of a service that a control plane knows: the cluster that GET / goes to, if there is one. */
static int32_t describe_known(struct knowing *knowing, const char *service, struct json_writer *w)
{
    struct lane *lane = knowing->lane;
    int32_t err = know_service(knowing);

    loop_enter(lane->loop);
    if (knowing->cluster)
        write_cluster(w, service, knowing->cluster);
    else if (!err)
        write_route_alone(w, service, &knowing->choice);
    know_forget(knowing);
    loop_leave(lane->loop);
    return err;
}

static int32_t describe_one(struct lane *lane, const char *service, bool connect, uint64_t until_us,
                            struct json_writer *w, struct fault *fault)
{
    struct knowing knowing = { .lane = lane,
                               .what = { .service = service, .method = "GET", .path = "/" },
                               .connect = connect,
                               .until_us = until_us };
    int32_t err = describe_known(&knowing, service, w);

    *fault = knowing.fault;
    return err;
}

static bool is_configured(const struct model_cluster *cluster)
{
    return cluster->label == cluster->name;
}

/* The keys of all configured clusters, and of those of a control plane that this loop has called, copied. */
static char **keys_of(struct lane *lane, size_t *n)
{
    const struct model_snapshot *snapshot;
    char **keys;

    *n = 0;
    loop_enter(lane->loop);
    snapshot = lane->snapshot;
    keys = mem_array(snapshot->n + 1, sizeof *keys);
    for (size_t i = 0; keys && i < snapshot->n; i++) {
        const struct model_cluster *cluster = snapshot->entries[i].cluster;

        if (is_configured(cluster) || map_get_text(&lane->clusters, cluster->name))
            keys[(*n)++] = mem_strdup(cluster->name);
    }
    loop_leave(lane->loop);
    return keys;
}

static void describe_key(struct lane *lane, const char *key, bool connect, uint64_t until_us, struct json_writer *w)
{
    bool is_given = text_starts_with(key, "xds:");
    const char *label = is_given ? key + strlen("xds:") : key;
    struct knowing knowing = { .lane = lane,
                               .what = { .service = key, .method = "GET", .path = "/" },
                               .is_cluster = is_given,
                               .connect = connect,
                               .until_us = until_us };

    describe_known(&knowing, label, w);
}

static void describe_all(struct lane *lane, bool connect, uint64_t until_us, struct json_writer *w)
{
    size_t n;
    char **keys = keys_of(lane, &n);

    json_begin(w, '{');
    json_key(w, "services");
    json_begin(w, '[');
    for (size_t i = 0; i < n; i++) {
        if (keys[i])
            describe_key(lane, keys[i], connect, until_us, w);
        mem_free(keys[i]);
    }
    json_end(w, ']');
    json_end(w, '}');
    w->failed = w->failed || !keys;
    mem_free(keys);
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
