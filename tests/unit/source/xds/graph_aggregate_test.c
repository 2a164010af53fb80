/* SPDX-License-Identifier: Apache-2.0 */
/* Aggregate clusters, however they lead to each other: what they are made of, in order, each once. */
#include "mesh_test.h"

#include <stdlib.h>
#include <string.h>

#include "source/conf.h"
#include "source/xds/graph.h"
#include "support/assignment.h"
#include "test_loop.h"

struct fixture {
    struct loop *loop;
    struct conf *conf;
    struct bootstrap *bootstrap;
    struct store store;
    struct graph graph;
};

static void on_resource(void *user, struct resource *resource)
{
    (void) user;
    (void) resource;
}

static void on_change(void *user)
{
    (void) user;
}

static const struct fault *no_trouble(void *user, const struct resource *resource)
{
    (void) user;
    (void) resource;
    return NULL;
}

static void begin(struct fixture *f)
{
    static const char bootstrap[] = "{\"xds_servers\": [{\"server_uri\": \"127.0.0.1:1\","
                                    " \"channel_creds\": [{\"type\": \"insecure\"}]}]}";
    struct fault fault = { 0 };

    memset(f, 0, sizeof *f);
    f->loop = test_loop_new();
    f->conf = conf_new();
    assert_non_null(f->conf);
    MESH_OK(bootstrap_parse(bootstrap, "here", &f->bootstrap, &fault));
    loop_enter(f->loop);
    store_init(&f->store, &(struct store_conf){ .loop = f->loop,
                                                .conf = f->conf,
                                                .bootstrap = f->bootstrap,
                                                .on_want = on_resource,
                                                .on_rest = on_resource,
                                                .on_change = on_resource });
    graph_init(&f->graph,
               &(struct graph_conf){ .loop = f->loop, .conf = f->conf, .on_change = on_change, .trouble = no_trouble },
               &f->store);
}

static void end(struct fixture *f)
{
    graph_clear(&f->graph);
    store_clear(&f->store);
    loop_leave(f->loop);
    loop_free(f->loop);
    bootstrap_free(f->bootstrap);
    conf_free(f->conf);
}

/* ---- resources ---- */

/* Takes the bytes over. */
static void come(struct fixture *f, enum xds_type type, const char *name, struct buf bytes)
{
    struct resource *resource = store_find(&f->store, type, name, strlen(name));
    struct resource_news news = { .bytes = buf_bytes(&bytes), .len = buf_len(&bytes), .version = "1" };
    struct fault fault = { 0 };

    assert_non_null(resource);
    MESH_OK(store_take(resource, &news, &fault));
    buf_free(&bytes);
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

/* A listener whose routes lead to one cluster. */
static void come_listener(struct fixture *f, const char *cluster)
{
    struct buf out = { 0 }, manager = { 0 }, routes = { 0 }, host = { 0 }, route = { 0 }, match = { 0 }, action = { 0 },
               filter = { 0 }, api = { 0 };

    put_text(&action, 1, cluster);
    put_text(&match, 1, "/");
    put_message(&route, 1, match);
    put_message(&route, 2, action);
    put_text(&host, 2, "*");
    put_message(&host, 3, route);
    put_message(&routes, 2, host);
    put_message(&manager, 4, routes);
    put_text(&filter, 1, "router");
    put_message(&filter, 4, any_of("envoy.extensions.filters.http.router.v3.Router", (struct buf){ 0 }));
    put_message(&manager, 5, filter);
    put_message(&api, 1,
                any_of("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", manager));
    put_text(&out, 1, "users");
    put_message(&out, 19, api);
    come(f, XDS_LISTENER, "users", out);
}

static void come_static(struct fixture *f, const char *name, const char *address)
{
    struct buf out = { 0 }, assignment = { 0 }, locality = { 0 };

    put_endpoint(&locality, &(struct said_endpoint){ .address = address });
    put_message(&assignment, 2, locality);
    put_text(&out, 1, name);
    put_message(&out, 33, assignment);
    come(f, XDS_CLUSTER, name, out);
}

static void come_aggregate(struct fixture *f, const char *name, const char *first, const char *second)
{
    struct buf out = { 0 }, type = { 0 }, members = { 0 };

    put_text(&members, 1, first);
    put_text(&members, 1, second);
    put_text(&type, 1, "envoy.clusters.aggregate");
    put_message(&type, 2, any_of("envoy.extensions.clusters.aggregate.v3.ClusterConfig", members));
    put_text(&out, 1, name);
    put_message(&out, 38, type);
    come(f, XDS_CLUSTER, name, out);
}

/* ---- what is published ---- */

static const struct model_endpoints *published(struct fixture *f, const char *name)
{
    const struct graph_cluster *cluster = map_get_text(&f->graph.clusters, name);

    assert_non_null(cluster);
    return cluster->endpoints;
}

static void endpoint_is(const struct model_endpoints *set, size_t at, const char *address, uint32_t priority)
{
    char text[ADDR_TEXT];

    assert_string_equal(addr_format(&set->endpoints[at].addr, text), address);
    assert_int_equal(model_endpoint_locality(set, &set->endpoints[at])->priority, priority);
}

static void test_members_of_members_count_once(void **state)
{
    struct fixture f;
    const struct model_endpoints *set;

    (void) state;
    begin(&f);
    graph_want(&f.graph, "users", "users", "users");
    come_listener(&f, "top");
    graph_update(&f.graph);
    come_aggregate(&f, "top", "left", "right");
    graph_update(&f.graph);
    come_aggregate(&f, "left", "b", "a");
    come_aggregate(&f, "right", "a", "c");
    graph_update(&f.graph);
    come_static(&f, "a", "10.0.0.1:80");
    come_static(&f, "b", "10.0.0.2:80");
    come_static(&f, "c", "10.0.0.3:80");
    assert_true(graph_update(&f.graph));
    set = published(&f, "top");
    assert_int_equal(set->n, 3);
    endpoint_is(set, 0, "10.0.0.2:80", 0);
    endpoint_is(set, 1, "10.0.0.1:80", 1);
    endpoint_is(set, 2, "10.0.0.3:80", 2);
    assert_int_equal(published(&f, "right")->n, 2);
    assert_false(graph_update(&f.graph));
    end(&f);
}

/* Each level has two clusters that lead to both of the next one: 65,536 ways down to two endpoints. */
static void test_many_ways_to_the_same(void **state)
{
    enum { LEVELS = GRAPH_DEEPEST - 1 };
    struct fixture f;
    char name[2][16], next[2][16];

    (void) state;
    begin(&f);
    graph_want(&f.graph, "users", "users", "users");
    come_listener(&f, "c0-0");
    graph_update(&f.graph);
    for (unsigned level = 0; level < LEVELS; level++) {
        for (unsigned i = 0; i < 2; i++) {
            snprintf(name[i], sizeof name[i], "c%u-%u", level, i);
            snprintf(next[i], sizeof next[i], "c%u-%u", level + 1, i);
        }
        for (unsigned i = 0; i < (level > 0 ? 2U : 1U); i++)
            come_aggregate(&f, name[i], next[0], next[1]);
        graph_update(&f.graph);
    }
    come_static(&f, next[0], "10.0.0.1:80");
    come_static(&f, next[1], "10.0.0.2:80");
    graph_update(&f.graph);
    assert_int_equal(published(&f, "c0-0")->state, ENDPOINTS_READY);
    assert_int_equal(published(&f, "c0-0")->n, 2);
    end(&f);
}

/* A member that cannot go on for now keeps what it had, inside others too, whatever it was made of. */
static void test_member_that_waits_goes_on_as_it_was(void **state)
{
    struct fixture f;

    (void) state;
    begin(&f);
    graph_want(&f.graph, "users", "users", "users");
    come_listener(&f, "top");
    graph_update(&f.graph);
    come_aggregate(&f, "top", "left", "a");
    graph_update(&f.graph);
    come_static(&f, "a", "10.0.0.1:80");
    come_aggregate(&f, "left", "b", "b");
    graph_update(&f.graph);
    come_static(&f, "b", "10.0.0.2:80");
    graph_update(&f.graph);
    assert_int_equal(published(&f, "top")->n, 2);
    /* "b" is led to no more, "d" is not known. */
    come_aggregate(&f, "left", "d", "d");
    graph_update(&f.graph);
    assert_null(map_get_text(&f.graph.clusters, "b"));
    come_static(&f, "a", "10.0.0.9:80");
    graph_update(&f.graph);
    assert_int_equal(published(&f, "top")->n, 2);
    endpoint_is(published(&f, "top"), 0, "10.0.0.2:80", 0);
    endpoint_is(published(&f, "top"), 1, "10.0.0.9:80", 1);
    come_static(&f, "d", "10.0.0.4:80");
    graph_update(&f.graph);
    endpoint_is(published(&f, "top"), 0, "10.0.0.4:80", 0);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(test_members_of_members_count_once),
        LEAK_TEST(test_many_ways_to_the_same),
        LEAK_TEST(test_member_that_waits_goes_on_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
