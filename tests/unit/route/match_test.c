/* SPDX-License-Identifier: Apache-2.0 */
/* A service's name leads to the cluster of the same name. */
#include "route/route.h"

#include "mesh_test.h"

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
    static const char *const names[] = { "users", "orders", "h2c://10.0.0.1:80", "user" };
    struct model_snapshot *snapshot = snapshot_of(names, 4), *none = snapshot_of(names, 0);

    (void) state;
    for (size_t i = 0; i < 4; i++)
        leads_to(snapshot, names[i], names[i]);
    leads_to(snapshot, "use", NULL);
    leads_to(snapshot, "Users", NULL);
    leads_to(snapshot, "", NULL);
    leads_to(none, "users", NULL);
    model_snapshot_unref(snapshot);
    model_snapshot_unref(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = { LEAK_TEST(by_name) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
