/* SPDX-License-Identifier: Apache-2.0 */
/* Clusters and snapshots: finding, sharing, identity; retry conditions by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "model/model.h"

static void clusters_are_found_by_name(void **state)
{
    const char *names[] = { "users", "orders", "a", "users.default" };
    struct model_entry entries[COUNT_OF(names)];
    struct model_endpoints *none = model_endpoints_new(ENDPOINTS_PENDING, "dns", 0);
    struct model_snapshot *snapshot;

    (void) state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        entries[i] = (struct model_entry){ .cluster = model_cluster_new(names[i]), .endpoints = none };
    snapshot = model_snapshot_new(7, "zone-a", entries, COUNT_OF(names));
    for (size_t i = 0; i < COUNT_OF(names); i++)
        model_cluster_unref(entries[i].cluster);
    model_endpoints_unref(none);

    assert_int_equal(snapshot->version, 7);
    assert_string_equal(snapshot->zone, "zone-a");
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_string_equal(model_snapshot_find(snapshot, names[i])->cluster->name, names[i]);
    assert_null(model_snapshot_find(snapshot, "user"));
    assert_int_equal(snapshot->entries[0].endpoints->state, ENDPOINTS_PENDING);
    model_snapshot_unref(model_snapshot_ref(snapshot));
    model_snapshot_unref(snapshot);
}

static void an_empty_snapshot_finds_nothing(void **state)
{
    struct model_snapshot *snapshot = model_snapshot_new(1, "", NULL, 0);

    (void) state;
    assert_null(model_snapshot_find(snapshot, "users"));
    model_snapshot_unref(snapshot);
    model_snapshot_unref(NULL);
}

static uint64_t identity_of(struct model_cluster *cluster)
{
    model_cluster_identify(cluster);
    return cluster->identity;
}

static void identity_is_what_connections_depend_on(void **state)
{
    struct model_cluster *cluster = model_cluster_new("users");
    uint64_t first = identity_of(cluster);

    (void) state;
    cluster->policy.timeout_ms = 1;
    cluster->policy.retry.attempts = 9;
    assert_true(identity_of(cluster) == first);
    cluster->protocol = MODEL_H2;
    assert_false(identity_of(cluster) == first);
    first = identity_of(cluster);
    cluster->tls.cert = "x";
    assert_false(identity_of(cluster) == first);
    first = identity_of(cluster);
    cluster->tls.cert = NULL;
    cluster->tls.key = "x";
    assert_false(identity_of(cluster) == first);
    first = identity_of(cluster);
    cluster->tls.server_name = "";
    assert_false(identity_of(cluster) == first);
    first = identity_of(cluster);
    cluster->tls.insecure = true;
    assert_false(identity_of(cluster) == first);
    first = identity_of(cluster);
    cluster->tls.min_version = 13;
    assert_false(identity_of(cluster) == first);
    first = identity_of(cluster);
    cluster->proxy = mem_strdup("http://proxy:3128");
    assert_false(identity_of(cluster) == first);
    model_cluster_unref(cluster);
}

static bool build(void)
{
    struct model_entry entry = { .cluster = model_cluster_new("users") };
    struct model_snapshot *snapshot = NULL;

    entry.endpoints = model_endpoints_new(ENDPOINTS_READY, "static", 1);
    if (entry.cluster && entry.endpoints)
        snapshot = model_snapshot_new(1, "zone", &entry, 1);
    model_cluster_unref(entry.cluster);
    model_endpoints_unref(entry.endpoints);
    model_snapshot_unref(snapshot);
    return snapshot != NULL;
}

static void every_failing_allocation_is_survived(void **state)
{
    bool fired = true;

    (void) state;
    for (uint64_t nth = 1; fired; nth++) {
        int64_t live;
        bool ok;

        mem_watch(nth, false);
        ok = build();
        fired = mem_unwatch(&live);
        assert_int_equal(ok, !fired);
        assert_int_equal(live, 0);
    }
}

static void retry_conditions_have_names(void **state)
{
    uint32_t bit = 0;

    (void) state;
    for (uint32_t i = 0; i < 15; i++) {
        const char *name = policy_retry_name(1u << i);

        assert_non_null(name);
        assert_true(policy_retry_parse(name, strlen(name), &bit));
        assert_int_equal(bit, 1u << i);
    }
    assert_null(policy_retry_name(1u << 15));
    assert_false(policy_retry_parse("gateway", 7, &bit));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clusters_are_found_by_name),
        cmocka_unit_test(an_empty_snapshot_finds_nothing),
        cmocka_unit_test(identity_is_what_connections_depend_on),
        cmocka_unit_test(every_failing_allocation_is_survived),
        cmocka_unit_test(retry_conditions_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
