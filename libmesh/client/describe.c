/* SPDX-License-Identifier: Apache-2.0 */
/* What a client knows about services, and what the DNS says, as JSON for people and tools. */
#include <string.h>

#include "client/client.h"
#include "client/know.h"

/* ---- writing ---- */

static void write_cluster(struct json_writer *w, const char *service, const struct cluster *cluster)
{
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
}

/* GET / is answered by its route. */
static void write_route_alone(struct json_writer *w, const char *service, const struct route_choice *choice)
{
    json_put_text(w, "service", service);
    json_put_text(w, "cluster", NULL);
    json_put_text(w, "route", choice->route->name);
}

static void write_failure(struct json_writer *w, const char *service, const struct fault *fault)
{
    json_put_text(w, "service", service);
    json_put_text(w, "cluster", NULL);
    know_write_error(w, fault);
}

/* ---- describing ---- */

/* Members of an object: of a service that a control plane knows, the cluster that GET / goes to, if there is one.
 * Its key goes to *used, copied, unless that is NULL. */
static int32_t describe_known(struct knowing *knowing, const char *service, struct json_writer *w, char **used)
{
    struct lane *lane = knowing->lane;
    int32_t err = know_service(knowing);

    knowing->fault.code = err;
    loop_enter(lane->loop);
    if (knowing->cluster && used)
        *used = mem_strdup(knowing->cluster->conf->name);
    if (knowing->cluster)
        write_cluster(w, service, knowing->cluster);
    else if (err)
        write_failure(w, service, &knowing->fault);
    else
        write_route_alone(w, service, &knowing->choice);
    know_forget(knowing);
    loop_leave(lane->loop);
    return err;
}

/* Of a cluster by its key. */
static void describe_key(struct lane *lane, const char *service, const char *key, bool connect, uint64_t until_us,
                         struct json_writer *w)
{
    struct knowing knowing = { .lane = lane,
                               .what = { .service = key, .method = "GET", .path = "/" },
                               .is_cluster = text_starts_with(key, "xds:"),
                               .connect = connect,
                               .until_us = until_us };

    json_begin(w, '{');
    describe_known(&knowing, service, w, NULL);
    json_end(w, '}');
}

static void free_keys(char **keys, size_t n)
{
    for (size_t i = 0; keys && i < n; i++)
        mem_free(keys[i]);
    mem_free(keys);
}

/* The keys of all clusters that a control plane's routes of the service lead to, copied. NULL: there are none, or no memory. */
static char **keys_behind(struct lane *lane, const char *service, size_t *n)
{
    const struct model_service *known;
    char **keys = NULL;

    *n = 0;
    loop_enter(lane->loop);
    known = model_snapshot_service(lane->snapshot, service);
    if (known && known->routes)
        keys = mem_array(known->routes->n_clusters + 1, sizeof *keys);
    for (size_t i = 0; keys && i < known->routes->n_clusters; i++)
        keys[(*n)++] = mem_strdup(known->routes->clusters[i]);
    loop_leave(lane->loop);
    return keys;
}

/* Those besides the one that GET / goes to. True: there are some. */
static bool describe_others(struct lane *lane, const char *service, const char *used, bool connect, uint64_t until_us,
                            struct json_writer *w)
{
    size_t n;
    char **keys = keys_behind(lane, service, &n);
    bool some = false;

    json_key(w, "other_clusters");
    json_begin(w, '[');
    for (size_t i = 0; i < n; i++) {
        if (!keys[i] || strcmp(keys[i], used) == 0)
            continue;
        describe_key(lane, service, keys[i], connect, until_us, w);
        some = true;
    }
    json_end(w, ']');
    free_keys(keys, n);
    return some;
}

static int32_t describe_one(struct lane *lane, const char *service, bool connect, uint64_t until_us,
                            struct json_writer *w, struct fault *fault)
{
    struct knowing knowing = { .lane = lane,
                               .what = { .service = service, .method = "GET", .path = "/" },
                               .connect = connect,
                               .until_us = until_us };
    char *used = NULL;
    bool others;
    int32_t err;

    json_begin(w, '{');
    err = describe_known(&knowing, service, w, &used);
    others = describe_others(lane, service, used ? used : "", connect, until_us, w);
    json_end(w, '}');
    mem_free(used);
    *fault = knowing.fault;
    return others ? 0 : err;
}

/* The keys of all configured clusters, copied; those of a control plane come with their services. */
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

        if (cluster->label == cluster->name)
            keys[(*n)++] = mem_strdup(cluster->name);
    }
    loop_leave(lane->loop);
    return keys;
}

static void describe_configured(struct lane *lane, bool connect, uint64_t until_us, struct json_writer *w)
{
    size_t n;
    char **keys = keys_of(lane, &n);

    for (size_t i = 0; i < n; i++)
        if (keys[i])
            describe_key(lane, keys[i], keys[i], connect, until_us, w);
    w->failed |= !keys;
    free_keys(keys, n);
}

/* Services that control planes know, configured or called. */
static void describe_given(struct lane *lane, bool connect, uint64_t until_us, struct json_writer *w)
{
    struct fault ignored;
    char **names;
    size_t n;

    loop_enter(lane->loop);
    names = source_xds_names(lane->engine->source, &n);
    loop_leave(lane->loop);
    for (size_t i = 0; i < n; i++)
        if (names[i])
            describe_one(lane, names[i], connect, until_us, w, &ignored);
    w->failed |= !names;
    free_keys(names, n);
}

static void describe_all(struct lane *lane, bool connect, uint64_t until_us, struct json_writer *w)
{
    json_begin(w, '{');
    json_key(w, "services");
    json_begin(w, '[');
    describe_configured(lane, connect, until_us, w);
    describe_given(lane, connect, until_us, w);
    json_end(w, ']');
    json_end(w, '}');
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
    if (!err && client_is_xds(engine, target))
        return client_resolve_xds(engine, target, until_us, out, fault);
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
