/* SPDX-License-Identifier: Apache-2.0 */
/* A client whose services "shop" and others are known to a control plane that is not there: the test makes the routes, and the snapshot
 * that has them. Clusters "xds:..." are copies of configured services, by which their policies are said. */
#ifndef SUPPORT_ROUTED_H
#define SUPPORT_ROUTED_H

#include "client/client.h"
#include "support/mesh_client.h"

enum { ROUTED_MOST = 8 };

/* A client of services of these names, each with one endpoint. */
static inline struct mesh_client *routed_client(const char *const *names, const uint16_t *ports,
                                                const char *const *keys)
{
    struct mesh_conf *conf = mesh_conf_new();
    struct mesh_client *client;
    char why[256], key[128];

    assert_non_null(conf);
    conf_put(conf, "log.level", "error");
    conf_put(conf, "connection.silence_ms", "0");
    conf_put(conf, "timeout_ms", "60000");
    conf_put(conf, "loops", "1");
    for (size_t i = 0; names[i]; i++) {
        snprintf(key, sizeof key, "services.%s.protocol", names[i]);
        conf_put(conf, key, "h2c");
        snprintf(key, sizeof key, "services.%s.endpoints", names[i]);
        conf_put(conf, key, at_port(ports[i]));
    }
    for (; keys && keys[0]; keys += 2)
        conf_put(conf, keys[0], keys[1]);
    if (mesh_client_new(conf, &client, why, sizeof why) != 0)
        fail_msg("%s", why);
    mesh_conf_free(conf);
    return client;
}

/* ---- routes ---- */

static inline struct model_routes *routed_new(size_t n_routes)
{
    struct model_routes *routes = model_routes_new();
    struct route *all;

    assert_non_null(routes);
    routes->name = "routes";
    routes->version = "1";
    routes->n_hosts = 1;
    routes->hosts = model_routes_alloc(routes, 1, sizeof *routes->hosts);
    routes->hosts[0].name = "host";
    routes->hosts[0].n_domains = 1;
    routes->hosts[0].domains = model_routes_alloc(routes, 1, sizeof *routes->hosts[0].domains);
    routes->hosts[0].domains[0] = "*";
    routes->hosts[0].n_routes = n_routes;
    all = routes->hosts[0].routes = model_routes_alloc(routes, n_routes, sizeof *all);
    for (size_t i = 0; i < n_routes; i++) {
        all[i].name = "the-route";
        all[i].path = (struct match_text){ .kind = MATCH_PREFIX, .text = "/", .len = 1 };
        all[i].missing_status = 503;
    }
    return routes;
}

static inline struct route *routed_at(struct model_routes *routes, size_t i)
{
    return &routes->hosts[0].routes[i];
}

/* Only paths with this prefix. */
static inline void routed_prefix(struct route *route, const char *prefix)
{
    route->path = (struct match_text){ .kind = MATCH_PREFIX, .text = prefix, .len = strlen(prefix) };
}

/* Forwards to clusters of these keys, all with weight 1. */
static inline void routed_to(struct model_routes *routes, struct route *route, const char *const *keys)
{
    size_t n = 0;

    while (keys[n])
        n++;
    route->action = ROUTE_FORWARD;
    route->n_targets = n;
    route->targets = model_routes_alloc(routes, n, sizeof *route->targets);
    for (size_t i = 0; i < n; i++) {
        route->targets[i].cluster = keys[i];
        route->targets[i].weight = 1;
    }
    route->total_weight = n > 1 ? n : 0;
}

/* One route for all paths, to one cluster. */
static inline struct model_routes *routed_all_to(const char *key)
{
    struct model_routes *routes = routed_new(1);

    routed_to(routes, routed_at(routes, 0), PAIRS(key));
    return routes;
}

/* ---- the snapshot ---- */

static inline void copy_cluster(const struct model_entry *from, struct model_entry *to)
{
    char name[128];

    snprintf(name, sizeof name, "xds:%s", from->cluster->name);
    to->cluster = model_cluster_new(name);
    assert_non_null(to->cluster);
    to->cluster->label = to->cluster->name + strlen("xds:");
    to->cluster->protocol = from->cluster->protocol;
    to->cluster->authority = mem_strdup(from->cluster->authority);
    to->cluster->policy = from->cluster->policy; /* texts live as long as the source's snapshot, which stays */
    model_cluster_identify(to->cluster);
    to->endpoints = model_endpoints_ref(from->endpoints);
}

static inline bool routed_has(struct lane *lane, const struct model_snapshot *snapshot)
{
    bool has;

    loop_enter(lane->loop);
    has = lane->snapshot == snapshot;
    loop_leave(lane->loop);
    return has;
}

/* Service "shop" has these routes from now on (NULL: the fault), and clusters are as configured. Takes the routes over. */
static inline void routed_publish(struct mesh_client *client, struct model_routes *routes, const char *fault)
{
    struct model_entry entries[2 * ROUTED_MOST];
    struct model_service service = { .name = (char *) "shop", .routes = routes };
    struct model_snapshot *snapshot;
    struct engine *engine;
    struct fault why;
    size_t n;

    MESH_OK(client_engine(client, &engine, &why));
    if (routes)
        MESH_OK(model_routes_finish(routes, "shop", &why));
    else
        fault_set(&service.fault, MESH_ERR_NO_ROUTE, "%s", fault ? fault : "");
    loop_enter(engine->lanes[0].loop);
    snapshot = source_snapshot(engine->source);
    n = snapshot->n;
    assert_true(n <= ROUTED_MOST);
    for (size_t i = 0; i < n; i++) {
        entries[i] = snapshot->entries[i];
        copy_cluster(&snapshot->entries[i], &entries[n + i]);
    }
    snapshot = model_snapshot_new(2, "", entries, 2 * n);
    assert_true(model_snapshot_add_services(snapshot, &service, 1));
    for (size_t i = n; i < 2 * n; i++) {
        model_cluster_unref(entries[i].cluster);
        model_endpoints_unref(entries[i].endpoints);
    }
    model_routes_unref(routes);
    engine_on_snapshot(engine, snapshot);
    loop_leave(engine->lanes[0].loop);
    for (size_t i = 0; i < engine->n_lanes; i++)
        UNTIL(routed_has(&engine->lanes[i], snapshot));
}

/* ---- changes of headers ---- */

/* The header gets this value, in place of another. */
static inline void routed_change(struct model_routes *routes, struct header_changes *changes, const char *name,
                                 const struct value_part *parts, size_t n_parts)
{
    struct header_change *items = model_routes_alloc(routes, changes->n + 1, sizeof *items);
    struct header_change change = { .action = HEADER_OVERWRITE, .name = name, .n_parts = n_parts };

    change.parts = model_routes_alloc(routes, n_parts, sizeof *change.parts);
    memcpy(change.parts, parts, n_parts * sizeof *parts);
    for (size_t i = 0; i < changes->n; i++)
        items[i] = changes->items[i];
    items[changes->n++] = change;
    changes->items = items;
}

static inline void routed_set(struct model_routes *routes, struct header_changes *changes, const char *name,
                              const char *value)
{
    routed_change(routes, changes, name,
                  &(struct value_part){ .kind = VALUE_TEXT, .text = value, .len = strlen(value) }, 1);
}

/* ---- requests ---- */

/* Servers "red" and "blue", and a client that has them as clusters. */
struct shop {
    struct h2_server *red, *blue;
    struct mesh_client *client;
};

static inline struct shop shop_open(const char *const *keys)
{
    struct shop shop = { .red = h2_server_start(&(struct h2_server_conf){ .name = "red" }),
                         .blue = h2_server_start(&(struct h2_server_conf){ .name = "blue", .number = 1 }) };
    uint16_t ports[] = { h2_server_port(shop.red), h2_server_port(shop.blue) };

    shop.client = routed_client(PAIRS("red", "blue"), ports, keys);
    return shop;
}

static inline void shop_close(struct shop *shop)
{
    mesh_client_free(shop->client);
    h2_server_stop(shop->red);
    h2_server_stop(shop->blue);
}

static inline void answered_by(struct answer answer, const char *server)
{
    ANSWER(answer, 0, 200, 1);
    assert_string_equal(answer.body, server);
}

static inline struct ask *shop_ask(struct ask *ask, const char *path, const char *id)
{
    ask_for(ask, path, id);
    ask->opts.service = "shop";
    return ask;
}

static inline struct answer shop_get(struct mesh_client *client, const char *path, const char *id)
{
    struct ask ask = { 0 };

    return call(client, shop_ask(&ask, path, id));
}

static inline struct answer shop_post(struct mesh_client *client, const char *path, const char *id)
{
    struct ask ask = { 0 };

    shop_ask(&ask, path, id);
    ask.opts.method = "POST";
    ask.opts.body = "body";
    ask.opts.body_len = 4;
    return call(client, &ask);
}

/* What the server was sent for the last request of this id. */
static inline void head_says(struct h2_server *server, const char *id, const char *line)
{
    struct h2_record record = h2_server_record(server, id);

    says(record.head, line);
}

static inline void head_lacks(struct h2_server *server, const char *id, const char *part)
{
    struct h2_record record = h2_server_record(server, id);

    if (strstr(record.head, part))
        fail_msg("\"%s\" says \"%s\"", record.head, part);
}

#endif
