/* SPDX-License-Identifier: Apache-2.0 */
/* Updates in any order: services are wanted and forgotten while listeners, routes, clusters and endpoints come, change, are refused,
 * deleted, outlive their time. After each walk of the graph the snapshot is complete, and nothing that served is gone unless the
 * control plane had to be obeyed. */
#include "fuzz.h"

#include "route/route.h"
#include "source/conf.h"
#include "source/xds/graph.h"
#include "source/xds/wire.h"
#include "support/assignment.h"
#include "test_loop.h"

enum { NAMES = 5, ENTRIES = 64 };

struct world {
    const uint8_t *at;
    size_t left;
    struct loop *loop;
    struct store store;
    struct graph graph;
    size_t wanted;          /* resources */
    bool has_served[NAMES]; /* routes of the service were published, and nothing may take them away */
    bool obeys;             /* something was deleted, or its time was over */
};

static struct conf *conf;
static struct bootstrap *bootstrap;

static unsigned draw(struct world *world, unsigned below)
{
    if (world->left == 0)
        return 0;
    world->left--;
    return *world->at++ % below;
}

/* ---- resources ---- */

static const char *name_of(char kind, unsigned number)
{
    static char names[8][8];
    static unsigned next;
    char *name = names[next++ % 8];

    snprintf(name, sizeof names[0], "%c%u", kind, number);
    return name;
}

static struct buf any_of(const char *type, struct buf value)
{
    struct buf any = { 0 };
    char url[128];

    snprintf(url, sizeof url, "type.googleapis.com/%s", type);
    put_text(&any, 1, url);
    put_message(&any, 2, value);
    return any;
}

static struct buf config_source(void)
{
    struct buf source = { 0 };

    put_bytes(&source, 3, "", 0);
    return source;
}

/* One host with one route to some of the clusters. */
static struct buf make_routes(struct world *world, const char *name)
{
    struct buf out = { 0 }, host = { 0 }, route = { 0 }, match = { 0 }, action = { 0 }, weighted = { 0 };

    for (unsigned n = draw(world, 4) + 1; n > 0; n--) {
        struct buf cluster = { 0 };

        put_text(&cluster, 1, name_of('c', draw(world, NAMES)));
        put_message(&cluster, 2, wrapped_number(draw(world, 3)));
        put_message(&weighted, 1, cluster);
    }
    put_message(&action, 3, weighted);
    put_text(&match, 1, "/");
    put_message(&route, 1, match);
    put_message(&route, 2, action);
    put_text(&host, 1, "v");
    if (draw(world, 8) != 1)
        put_text(&host, 2, "*");
    put_message(&host, 3, route);
    put_text(&out, 1, name);
    put_message(&out, 2, host);
    return out;
}

static struct buf make_listener(struct world *world, const char *name)
{
    struct buf out = { 0 }, manager = { 0 }, rds = { 0 }, filter = { 0 }, api = { 0 };
    unsigned routes = draw(world, NAMES + 1);

    if (routes < NAMES) {
        put_message(&rds, 1, config_source());
        put_text(&rds, 2, name_of('r', routes));
        put_message(&manager, 3, rds);
    } else {
        put_message(&manager, 4, make_routes(world, "inline"));
    }
    put_text(&filter, 1, "router");
    put_message(&filter, 4, any_of("envoy.extensions.filters.http.router.v3.Router", (struct buf){ 0 }));
    put_message(&manager, 5, filter);
    put_message(&api, 1,
                any_of("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", manager));
    put_text(&out, 1, name);
    put_message(&out, 19, api);
    return out;
}

static struct buf make_endpoints(struct world *world, const char *name)
{
    struct buf out = { 0 };

    put_text(&out, 1, name);
    for (unsigned priority = 0, n = draw(world, 3); priority < n; priority++) {
        struct buf locality = { 0 };
        char address[32];

        put_place(&locality, "eu", "eu-1", NULL, priority, 0);
        for (unsigned i = 0, hosts = draw(world, 6); i < hosts; i++) {
            snprintf(address, sizeof address, "10.0.%u.%u:80", priority, i + draw(world, 3) * 10);
            put_endpoint(&locality, &(struct said_endpoint){ .address = address });
        }
        put_message(&out, 2, locality);
    }
    return out;
}

static struct buf make_aggregate(struct world *world)
{
    struct buf type = { 0 }, members = { 0 };

    for (unsigned n = draw(world, 4) + 1; n > 0; n--)
        put_text(&members, 1, name_of('c', draw(world, NAMES)));
    put_text(&type, 1, "envoy.clusters.aggregate");
    put_message(&type, 2, any_of("envoy.extensions.clusters.aggregate.v3.ClusterConfig", members));
    return type;
}

static struct buf make_eds(struct world *world)
{
    struct buf eds = { 0 };

    put_message(&eds, 1, config_source());
    put_text(&eds, 2, name_of('e', draw(world, NAMES)));
    return eds;
}

static struct buf make_cluster(struct world *world, const char *name)
{
    struct buf out = { 0 }, timeout = { 0 };

    put_text(&out, 1, name);
    switch (draw(world, 4)) {
    case 0:
    case 1:
        put_number(&out, 2, 3);
        put_message(&out, 3, make_eds(world));
        break;
    case 2:
        put_message(&out, 38, make_aggregate(world));
        break;
    default:
        put_number(&out, 2, 0);
        put_message(&out, 33, make_endpoints(world, name));
    }
    put_number(&timeout, 1, draw(world, 4)); /* 0 is refused */
    put_message(&out, 4, timeout);
    return out;
}

/* ---- what a control plane says ---- */

static struct resource *pick(struct world *world)
{
    static const char kinds[XDS_TYPES] = { 'l', 'r', 'c', 'e' };
    enum xds_type type = draw(world, XDS_TYPES);
    const char *name = name_of(kinds[type], draw(world, NAMES));

    return store_find(&world->store, type, name, strlen(name));
}

static int32_t take_endpoints(struct resource *resource, const struct resource_news *news, struct fault *fault)
{
    struct ignored ignored = { 0 };
    struct model_endpoints *set = NULL;
    struct endpoints_reader *reader = endpoints_reader_new(news->bytes, news->len, &ignored);
    int32_t err;

    do
        err = endpoints_reader_step(reader, 1, &set, fault);
    while (err == MESH_ERR_AGAIN);
    endpoints_reader_free(reader);
    if (!err)
        store_take_endpoints(resource, news, set, &ignored);
    ignored_clear(&ignored);
    return err;
}

static void take(struct world *world)
{
    static struct buf (*const make[XDS_TYPES])(struct world *, const char *) = { make_listener, make_routes,
                                                                                 make_cluster, make_endpoints };
    struct resource *resource = pick(world);
    struct resource_news news = { .version = "1", .ttl_us = draw(world, 16) == 1 ? 5 * US_PER_S : 0 };
    struct fault fault = { 0 };
    struct buf bytes;
    int32_t err;

    if (!resource)
        return;
    world->obeys |= news.ttl_us > 0;
    bytes = make[resource->type](world, resource->name);
    news.bytes = buf_bytes(&bytes);
    news.len = buf_len(&bytes);
    if (resource_is_same(resource, news.bytes, news.len)) {
        store_refresh(resource, &news);
    } else {
        err = resource->type == XDS_ENDPOINTS ? take_endpoints(resource, &news, &fault)
                                              : store_take(resource, &news, &fault);
        FUZZ_CHECK(err != MESH_ERR_NOMEM);
        if (err)
            store_refuse(resource, news.version, &fault);
    }
    buf_free(&bytes);
}

static void delete (struct world *world)
{
    struct resource *resource = pick(world);
    bool obey = draw(world, 8) == 1;

    world->obeys |= obey;
    if (resource)
        store_delete(resource, obey, "");
}

static void send_error(struct world *world)
{
    struct resource *resource = pick(world);
    struct fault fault = { 0 };

    fault_set(&fault, MESH_ERR_NO_ROUTE, "not for you");
    if (resource)
        store_error(resource, draw(world, 2), false, &fault);
}

static void await(struct world *world)
{
    struct resource *resource = pick(world);

    if (resource && draw(world, 4) > 0)
        store_await(resource, 15 * US_PER_S, draw(world, 2));
    else if (resource)
        store_await_no_more(resource);
}

static void pass_time(struct world *world)
{
    mesh_test_clock_advance_ms(draw(world, 20) * 1000);
    loop_leave(world->loop);
    loop_turn(world->loop);
    loop_enter(world->loop);
}

/* ---- what is called ---- */

static void want(struct world *world)
{
    unsigned service = draw(world, NAMES);

    graph_want(&world->graph, name_of('s', service), name_of('l', service), name_of('s', service));
}

static void forget(struct world *world)
{
    unsigned number = draw(world, NAMES);
    struct graph_service *service = graph_find(&world->graph, name_of('s', number));

    world->has_served[number] = false;
    if (service)
        graph_forget(&world->graph, service);
}

/* ---- what is published ---- */

/* Clusters that routes lead to are there, or it is known why not. */
static void check_clusters(struct world *world, const struct model_snapshot *snapshot,
                           const struct model_routes *routes)
{
    for (size_t i = 0; i < routes->n_clusters; i++) {
        const struct model_entry *entry = model_snapshot_find(snapshot, routes->clusters[i]);
        const struct graph_cluster *known =
            map_get_text(&world->graph.clusters, routes->clusters[i] + strlen(XDS_CLUSTER_PREFIX));

        FUZZ_CHECK(known && graph_cluster_is_known(known));
        FUZZ_CHECK((entry != NULL) == (known->conf != NULL));
        FUZZ_CHECK(!entry || (entry->cluster && entry->endpoints));
        FUZZ_CHECK(!entry || entry->endpoints->n <= 2 * 5 * NAMES); /* of an aggregate: each of the others once */
    }
}

static void check_services(struct world *world, const struct model_snapshot *snapshot)
{
    for (unsigned i = 0; i < NAMES; i++) {
        const char *name = name_of('s', i);
        const struct model_service *service = model_snapshot_service(snapshot, name);
        struct route_request request = { .service = name, .method = "GET", .path = "/" };
        struct route_choice choice;
        struct fault fault = { 0 };

        FUZZ_CHECK(!service || (service->routes != NULL) != (service->fault.code != 0));
        FUZZ_CHECK(!service || graph_find(&world->graph, name));
        FUZZ_CHECK(world->obeys || !world->has_served[i] || (service && service->routes));
        if (!service || !service->routes)
            continue;
        world->has_served[i] = true;
        check_clusters(world, snapshot, service->routes);
        FUZZ_CHECK(route_match(snapshot, &request, &choice, &fault) != MESH_ERR_AGAIN);
    }
}

static void update(struct world *world)
{
    struct model_entry entries[ENTRIES];
    struct model_service services[NAMES];
    struct model_snapshot *snapshot;
    size_t n;

    graph_update(&world->graph);
    FUZZ_CHECK(!world->graph.short_of_memory);
    FUZZ_CHECK(!graph_update(&world->graph)); /* nothing has happened */
    FUZZ_CHECK(graph_most_entries(&world->graph) <= ENTRIES);
    n = graph_entries(&world->graph, entries);
    snapshot = model_snapshot_new(1, "", entries, n);
    FUZZ_CHECK(snapshot != NULL);
    n = graph_services(&world->graph, services);
    FUZZ_CHECK(model_snapshot_add_services(snapshot, services, n));
    check_services(world, snapshot);
    model_snapshot_unref(snapshot);
}

/* ---- all of it ---- */

static void on_want(void *user, struct resource *resource)
{
    (void) resource;
    ((struct world *) user)->wanted++;
}

static void on_rest(void *user, struct resource *resource)
{
    struct world *world = user;

    (void) resource;
    FUZZ_CHECK(world->wanted-- > 0);
}

static void on_resource_change(void *user, struct resource *resource)
{
    (void) user;
    (void) resource;
}

static void on_graph_change(void *user)
{
    (void) user;
}

static const struct fault *no_trouble(void *user, const struct resource *resource)
{
    (void) user;
    (void) resource;
    return NULL;
}

static void begin(struct world *world)
{
    struct policy_retry retry = { .attempts = 3, .on = RETRY_ON_DEFAULT, .backoff_base_ms = 25 };

    mesh_test_clock_start(1000 * US_PER_S);
    world->loop = test_loop_new();
    loop_enter(world->loop);
    store_init(&world->store, &(struct store_conf){ .loop = world->loop,
                                                    .conf = conf,
                                                    .bootstrap = bootstrap,
                                                    .on_want = on_want,
                                                    .on_rest = on_rest,
                                                    .on_change = on_resource_change,
                                                    .user = world });
    graph_init(&world->graph,
               &(struct graph_conf){ .loop = world->loop,
                                     .conf = conf,
                                     .on_change = on_graph_change,
                                     .trouble = no_trouble,
                                     .user = world,
                                     .hold_us = 30 * US_PER_S },
               &world->store);
    world->graph.retry = retry;
}

static void end(struct world *world)
{
    update(world);
    for (unsigned i = 0; i < NAMES; i++) {
        struct graph_service *service = graph_find(&world->graph, name_of('s', i));

        if (service)
            graph_forget(&world->graph, service);
    }
    graph_update(&world->graph);
    FUZZ_CHECK(world->wanted == 0 && world->graph.clusters.count == 0);
    graph_clear(&world->graph);
    store_clear(&world->store);
    loop_leave(world->loop);
    loop_free(world->loop);
}

static void prepare(void)
{
    struct fault fault = { 0 };

    if (conf)
        return;
    conf = conf_new();
    FUZZ_CHECK(conf && bootstrap_parse("{\"xds_servers\": [{\"server_uri\": \"127.0.0.1:1\","
                                       " \"channel_creds\": [{\"type\": \"insecure\"}]}]}",
                                       "here", &bootstrap, &fault) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const steps[])(struct world *) = {
        update, want, want, take,  take,       take,   take,      take, take, take, take,   take,
        delete, take, take, await, send_error, update, pass_time, take, take, take, update, forget
    };
    struct world world = { .at = data, .left = size };

    prepare();
    begin(&world);
    while (world.left > 0)
        steps[draw(&world, COUNT_OF(steps))](&world);
    end(&world);
    return 0;
}
