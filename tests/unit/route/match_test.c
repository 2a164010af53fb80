/* SPDX-License-Identifier: Apache-2.0 */
/* From a request to a cluster: by name, or by the first route that matches and its weights. */
#include "route/route.h"

#include <stdlib.h>
#include <string.h>

#include "mesh_test.h"

/* ---- snapshots ---- */

static struct model_snapshot *snapshot_of(const char *const *names, size_t n)
{
    struct model_entry entries[8] = { 0 };
    struct model_snapshot *snapshot;

    for (size_t i = 0; i < n; i++) {
        entries[i].cluster = model_cluster_new(names[i]);
        entries[i].endpoints = model_endpoints_new(ENDPOINTS_READY, "static", 0);
    }
    snapshot = model_snapshot_new(1, "", entries, n);
    for (size_t i = 0; i < n; i++) {
        model_cluster_unref(entries[i].cluster);
        model_endpoints_unref(entries[i].endpoints);
    }
    return snapshot;
}

/* Clusters a, b and c of a control plane, and one service "users" with one virtual host of these routes. */
struct mesh {
    struct route_host host;
    const char *domain;
    struct model_snapshot *snapshot;
};

static void mesh_make(struct mesh *mesh, struct route *routes, size_t n)
{
    static const char *const clusters[] = { "own", "xds:a", "xds:b", "xds:c" };
    struct model_service services[] = {
        { .name = (char *) "users" }, { .name = (char *) "gone", .fault = { MESH_ERR_NO_ROUTE, "no such listener" } }
    };
    struct fault fault;

    *mesh = (struct mesh){ .domain = "users", .snapshot = snapshot_of(clusters, COUNT_OF(clusters)) };
    mesh->host =
        (struct route_host){ .name = "h", .n_domains = 1, .domains = &mesh->domain, .n_routes = n, .routes = routes };
    services[0].routes = model_routes_new();
    services[0].routes->hosts = &mesh->host;
    services[0].routes->n_hosts = 1;
    MESH_OK(model_routes_finish(services[0].routes, "users", &fault));
    assert_true(model_snapshot_add_services(mesh->snapshot, services, COUNT_OF(services)));
    model_routes_unref(services[0].routes);
}

static struct route_choice match(const struct mesh *mesh, const struct route_request *request)
{
    struct route_choice choice;
    struct fault fault = { 0 };

    if (route_match(mesh->snapshot, request, &choice, &fault))
        fail_msg("%s", fault.text);
    return choice;
}

static struct route_request get(const char *path)
{
    return (struct route_request){ .service = "users", .method = "GET", .path = path };
}

static struct match_text text_match(enum match_kind kind, const char *text)
{
    return (struct match_text){ .kind = kind, .text = text, .len = strlen(text) };
}

/* ---- services ---- */

static void leads_to(const struct model_snapshot *snapshot, const char *service, const char *cluster)
{
    struct route_request what = { .service = service, .method = "GET", .path = "/" };
    struct route_choice choice;
    struct fault fault;

    if (!cluster) {
        MESH_ERR(MESH_ERR_AGAIN, route_match(snapshot, &what, &choice, &fault));
        return;
    }
    MESH_OK(route_match(snapshot, &what, &choice, &fault));
    assert_null(choice.routes);
    assert_string_equal(choice.entry->cluster->name, cluster);
}

static void by_name(void **state)
{
    static const char *const names[] = { "users", "orders", "h2c://10.0.0.1:80", "user", "xds:users" };
    struct model_snapshot *snapshot = snapshot_of(names, 5), *none = snapshot_of(names, 0);

    (void) state;
    for (size_t i = 0; i < 4; i++)
        leads_to(snapshot, names[i], names[i]);
    leads_to(snapshot, "use", NULL);
    leads_to(snapshot, "Users", NULL);
    leads_to(snapshot, "", NULL);
    leads_to(snapshot, "xds:users", NULL); /* the key of a cluster is no service */
    leads_to(none, "users", NULL);
    model_snapshot_unref(snapshot);
    model_snapshot_unref(none);
}

static void services_that_cannot_be_routed(void **state)
{
    struct route_target a = { .cluster = "xds:a" };
    struct route route = { .path = text_match(MATCH_PREFIX, "/api"), .n_targets = 1, .targets = &a };
    struct mesh mesh;
    struct route_request what = get("/other");
    struct route_choice choice;
    struct fault fault = { 0 };

    (void) state;
    mesh_make(&mesh, &route, 1);
    MESH_ERR(MESH_ERR_NO_ROUTE, route_match(mesh.snapshot, &what, &choice, &fault));
    assert_string_equal(fault.text,
                        "service \"users\": none of the control plane's routes matches (authority \"users\", path "
                        "\"/other\")");
    what = get("/api");
    what.authority = "orders";
    MESH_ERR(MESH_ERR_NO_ROUTE, route_match(mesh.snapshot, &what, &choice, &fault));
    assert_non_null(strstr(fault.text, "no virtual host for it (authority \"orders\""));
    what.service = "gone";
    MESH_ERR(MESH_ERR_NO_ROUTE, route_match(mesh.snapshot, &what, &choice, &fault));
    assert_string_equal(fault.text, "no such listener");
    what.service = "unknown";
    MESH_ERR(MESH_ERR_AGAIN, route_match(mesh.snapshot, &what, &choice, &fault));
    leads_to(mesh.snapshot, "own", "own");
    model_snapshot_unref(mesh.snapshot);
}

/* ---- routes ---- */

static void the_first_that_matches_counts(void **state)
{
    struct route_target a = { .cluster = "xds:a" }, b = { .cluster = "xds:b" }, c = { .cluster = "xds:c" },
                        missing = { .cluster = "xds:missing" };
    struct match_header put = { .name = ":method", .value = text_match(MATCH_EXACT, "PUT") };
    struct route routes[] = {
        { .name = "exact", .path = text_match(MATCH_EXACT, "/api/v1"), .n_targets = 1, .targets = &a },
        { .name = "put",
          .path = text_match(MATCH_PREFIX, "/"),
          .n_headers = 1,
          .headers = &put,
          .n_targets = 1,
          .targets = &b },
        { .name = "gone", .path = text_match(MATCH_EXACT, "/gone"), .action = ROUTE_ANSWER, .answer_status = 410 },
        { .name = "lost", .path = text_match(MATCH_EXACT, "/lost"), .n_targets = 1, .targets = &missing },
        { .name = "all", .path = text_match(MATCH_PREFIX, ""), .n_targets = 1, .targets = &c },
    };
    static const struct {
        const char *method, *path, *authority, *route, *cluster;
    } cases[] = {
        { "GET", "/api/v1?x", NULL, "exact", "xds:a" }, { "PUT", "/api/v1", "USERS", "exact", "xds:a" },
        { "PUT", "/api/v2", NULL, "put", "xds:b" },     { "GET", "/gone", NULL, "gone", NULL },
        { "PUT", "/gone", NULL, "put", "xds:b" },       { "GET", "/lost", NULL, "lost", NULL },
        { "OPTIONS", "*", NULL, "all", "xds:c" },
    };
    struct mesh mesh;

    (void) state;
    mesh_make(&mesh, routes, COUNT_OF(routes));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct route_request what = get(cases[i].path);
        struct route_choice choice;

        what.method = cases[i].method;
        what.authority = cases[i].authority;
        choice = match(&mesh, &what);
        assert_string_equal(choice.route->name, cases[i].route);
        assert_ptr_equal(choice.host, &mesh.host);
        if (cases[i].cluster)
            assert_string_equal(choice.entry->cluster->name, cases[i].cluster);
        else
            assert_null(choice.entry);
    }
    model_snapshot_unref(mesh.snapshot);
}

/* Many routes are found by an index: the same one as by looking at each in turn. */
static void an_index_changes_nothing(void **state)
{
    enum { N = 400, REQUESTS = 4000, PATHS = 60 };
    static char texts[PATHS][16];
    static struct route routes[N];
    static const enum match_kind kinds[] = { MATCH_EXACT, MATCH_EXACT, MATCH_EXACT, MATCH_PREFIX, MATCH_PATH_PREFIX };
    struct route_target target = { .cluster = "xds:a" };
    struct match_header header = { .name = "x", .value = text_match(MATCH_EXACT, "1") };
    struct mesh_header sent = { "x", "1" };
    struct rand dice;
    struct mesh mesh;

    (void) state;
    rand_seed_with(&dice, 7);
    for (size_t i = 0; i < PATHS; i++)
        snprintf(texts[i], sizeof texts[i], "/%zu/%zu/%zu", i % 3, i % 7, i % 10);
    for (size_t i = 0; i < N; i++) {
        const char *text = texts[rand_below(&dice, PATHS)];

        routes[i] = (struct route){ .path = text_match(kinds[rand_below(&dice, COUNT_OF(kinds))], text),
                                    .n_targets = 1,
                                    .targets = &target };
        routes[i].path.ignore_case = rand_below(&dice, 5) == 0;
        routes[i].n_headers = rand_below(&dice, 2);
        routes[i].headers = &header;
        if (routes[i].path.kind == MATCH_PREFIX && rand_below(&dice, 2))
            routes[i].path.len = 4;
    }
    mesh_make(&mesh, routes, N);
    assert_non_null(mesh.host.others);
    for (size_t i = 0; i < REQUESTS; i++) {
        struct route_request what = get(texts[rand_below(&dice, PATHS)]);
        struct route_choice choice;
        struct fault fault;
        size_t first = 0;
        int32_t err;

        what.headers = &sent;
        what.n_headers = rand_below(&dice, 2);
        err = route_match(mesh.snapshot, &what, &choice, &fault);
        while (first < N && !(route_path_matches(&routes[first].path, what.path, false) &&
                              (routes[first].n_headers == 0 || what.n_headers == 1)))
            first++;
        if (first == N)
            assert_int_equal(err, MESH_ERR_NO_ROUTE);
        else
            assert_ptr_equal(choice.route, &routes[first]);
    }
    model_snapshot_unref(mesh.snapshot);
}

/* ---- clusters ---- */

static void weights_share(void **state)
{
    struct route_target targets[] = { { .cluster = "xds:a", .weight = 20 },
                                      { .cluster = "xds:none", .weight = 0 },
                                      { .cluster = "xds:b", .weight = 70 },
                                      { .cluster = "xds:c", .weight = 10 } };
    struct route route = {
        .path = text_match(MATCH_PREFIX, "/"), .n_targets = 4, .targets = targets, .total_weight = 100
    };
    unsigned counts[4] = { 0 };
    struct mesh mesh;
    struct rand dice;

    (void) state;
    mesh_make(&mesh, &route, 1);
    rand_seed_with(&dice, 3);
    for (int i = 0; i < 20000; i++) {
        struct route_request what = get("/");

        what.dice = rand_u64(&dice);
        counts[match(&mesh, &what).target - targets]++;
    }
    assert_int_equal(counts[1], 0);
    assert_in_range(counts[0], 3700, 4300); /* more than five standard deviations */
    assert_in_range(counts[2], 13600, 14400);
    assert_in_range(counts[3], 1750, 2250);
    for (uint64_t at = 0; at < 300; at++) { /* each number of the cumulated weights, thrice */
        struct route_request what = get("/");

        what.dice = at;
        assert_ptr_equal(match(&mesh, &what).target, &targets[at % 100 < 20 ? 0 : at % 100 < 90 ? 2 : 3]);
    }
    model_snapshot_unref(mesh.snapshot);
}

static void weights_by_a_header_or_a_hash(void **state)
{
    struct route_target targets[] = { { .cluster = "xds:a", .weight = 1 }, { .cluster = "xds:b", .weight = 1 } };
    struct route_hash hash = { .kind = ROUTE_HASH_HEADER, .name = "x-user" };
    struct route route = {
        .path = text_match(MATCH_PREFIX, "/"), .n_targets = 2, .targets = targets, .total_weight = 2
    };
    struct mesh_header header = { "x-weight", "3" };
    struct route_request what = get("/");
    struct mesh mesh;

    (void) state;
    mesh_make(&mesh, &route, 1);
    route.weight_header = "x-weight";
    what.headers = &header;
    what.n_headers = 1;
    assert_ptr_equal(match(&mesh, &what).target, &targets[1]);
    header.value = "18446744073709551614";
    assert_ptr_equal(match(&mesh, &what).target, &targets[0]);
    header.value = "x";
    what.dice = 1; /* no number: drawn as ever */
    assert_ptr_equal(match(&mesh, &what).target, &targets[1]);

    route.weight_header = NULL;
    route.weight_by_hash = true;
    route.rules = (struct route_rules){ .n_hash = 1, .hash = &hash };
    header = (struct mesh_header){ "x-user", "ann" };
    for (what.dice = 0; what.dice < 10; what.dice++)
        assert_ptr_equal(match(&mesh, &what).target, &targets[xxh64("ann", 3, 0) % 2]);
    model_snapshot_unref(mesh.snapshot);
}

static void a_header_may_name_the_cluster(void **state)
{
    struct route_target target = { .cluster_header = "x-cluster" };
    struct route route = { .path = text_match(MATCH_PREFIX, "/"), .n_targets = 1, .targets = &target };
    static const struct {
        const char *value, *cluster, *key;
    } cases[] = { { "b", "xds:b", "xds:b" }, { "own", NULL, "xds:own" }, { "", NULL, "" }, { NULL, NULL, "" } };
    static char enormous[5000];
    struct mesh mesh;

    (void) state;
    mesh_make(&mesh, &route, 1);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mesh_header headers[] = { { "X-Cluster", cases[i].value }, { "x-cluster", "a" } };
        struct route_request what = get("/");
        struct route_choice choice;

        what.headers = headers;
        what.n_headers = cases[i].value ? 2 : 0;
        choice = match(&mesh, &what);
        assert_string_equal(choice.by_header, cases[i].key);
        assert_true(!choice.entry == !cases[i].cluster);
        if (choice.entry)
            assert_string_equal(choice.entry->cluster->name, cases[i].cluster);
    }
    memset(enormous, 'a', sizeof enormous - 1);
    struct mesh_header header = { "x-cluster", enormous };
    struct route_request what = get("/");

    what.headers = &header;
    what.n_headers = 1;
    assert_null(match(&mesh, &what).entry);
    model_snapshot_unref(mesh.snapshot);
}

static void matching_allocates_nothing(void **state)
{
    struct route_target targets[] = { { .cluster = "xds:a", .weight = 1 }, { .cluster = "xds:b", .weight = 1 } };
    struct match_header header = { .name = "x-one", .value = text_match(MATCH_EXACT, "1") };
    struct route route = { .path = text_match(MATCH_PREFIX, "/"),
                           .n_headers = 1,
                           .headers = &header,
                           .n_targets = 2,
                           .targets = targets,
                           .total_weight = 2 };
    struct mesh_header sent[] = { { "a", "b" }, { "x-one", "1" } };
    struct route_request what = get("/");
    struct mesh mesh;
    int64_t live;

    (void) state;
    mesh_make(&mesh, &route, 1);
    what.headers = sent;
    what.n_headers = 2;
    mem_watch(1, true);
    assert_non_null(match(&mesh, &what).entry);
    assert_false(mem_unwatch(&live));
    model_snapshot_unref(mesh.snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(by_name),
        LEAK_TEST(services_that_cannot_be_routed),
        LEAK_TEST(the_first_that_matches_counts),
        LEAK_TEST(an_index_changes_nothing),
        LEAK_TEST(weights_share),
        LEAK_TEST(weights_by_a_header_or_a_hash),
        LEAK_TEST(a_header_may_name_the_cluster),
        cmocka_unit_test(matching_allocates_nothing),
    };

    return cmocka_run_group_tests_name("route/match", tests, NULL, NULL);
}
