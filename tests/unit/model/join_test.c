/* SPDX-License-Identifier: Apache-2.0 */
/* Sets made of sets: aggregate clusters, and what is held when a control plane names it no more. Tables of one set. */
#include "mesh_test.h"

#include <string.h>

#include "model/model.h"

static void put(struct model_endpoints *set, const char *address, const char *zone, uint32_t priority)
{
    struct model_endpoint *endpoint = model_endpoints_add(set);

    assert_non_null(endpoint);
    assert_true(addr_parse(&endpoint->addr, address, strlen(address), 80));
    assert_true(model_endpoints_place(set, endpoint, zone, priority));
}

static struct model_endpoints *set_of(const char *first, const char *second, uint32_t priority)
{
    struct model_endpoints *set = model_endpoints_new(ENDPOINTS_READY, "eds", 0);

    put(set, first, "a", 0);
    put(set, second, "b", priority);
    model_endpoints_finish(set);
    return set;
}

static uint32_t priority_of(const struct model_endpoints *set, size_t at)
{
    return model_endpoint_locality(set, &set->endpoints[at])->priority;
}

static void assert_address(const struct model_endpoints *set, size_t at, const char *address)
{
    char text[ADDR_TEXT];

    assert_string_equal(addr_format(&set->endpoints[at].addr, text), address);
}

/* ---- tables ---- */

static void what_repeats_is_kept_once(void **state)
{
    struct model_endpoints *set = model_endpoints_new(ENDPOINTS_READY, "static", 0);
    struct addr none = { 0 };
    size_t rares;

    (void) state;
    for (int i = 0; i < 1000; i++) {
        char address[32], zone[8];

        snprintf(address, sizeof address, "10.0.%d.%d:80", i / 250, i % 250);
        snprintf(zone, sizeof zone, "zone-%d", i % 20);
        put(set, address, zone, (uint32_t) i % 2);
        if (i % 2)
            assert_true(model_endpoints_name(set, &set->endpoints[i], "host", &none));
    }
    model_endpoints_finish(set);
    rares = set->n_rares;
    assert_int_equal(set->n, 1000);
    assert_int_equal(set->n_localities, 21); /* and that of nowhere */
    assert_int_equal(rares, 2);
    assert_string_equal(model_endpoint_locality(set, &set->endpoints[999])->label, "zone-19");
    assert_string_equal(model_endpoint_rare(set, &set->endpoints[999])->hostname, "host");
    assert_string_equal(model_endpoint_rare(set, &set->endpoints[998])->hostname, "");
    model_endpoints_unref(set);
}

static void places_differ_by_all_they_have(void **state)
{
    struct model_endpoints *set = model_endpoints_new(ENDPOINTS_READY, "eds", 0);
    struct model_locality place = { .region = "eu", .zone = "eu-1", .sub_zone = "rack" };
    uint32_t first = model_endpoints_locality(set, &place);

    (void) state;
    assert_int_equal(model_endpoints_locality(set, &place), first);
    place.sub_zone = "";
    assert_int_not_equal(model_endpoints_locality(set, &place), first);
    place = (struct model_locality){ .region = "eu", .zone = "", .sub_zone = "rack" };
    assert_string_equal(set->localities[model_endpoints_locality(set, &place)].label, "eu");
    place = set->localities[first];
    place.weight = 1;
    assert_int_not_equal(model_endpoints_locality(set, &place), first);
    first = (uint32_t) set->n_localities;
    assert_int_equal(model_endpoints_add_locality(set, &place), first); /* made again */
    model_endpoints_unref(set);
}

/* ---- joined ---- */

static void priorities_follow_each_other(void **state)
{
    struct model_entry members[] = {
        { model_cluster_new("first"), set_of("10.0.0.1:80", "10.0.0.2:80", 1) },
        { model_cluster_new("pending"), model_endpoints_new(ENDPOINTS_PENDING, "eds", 0) },
        { model_cluster_new("second"), set_of("10.0.0.1:80", "10.0.0.3:80", 0) },
    };
    struct model_endpoints *set;

    (void) state;
    members[0].endpoints->overprovisioning_percent = 170;
    set = model_endpoints_join(members, COUNT_OF(members));
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        model_endpoints_unref(members[i].endpoints); /* texts live on */
        model_cluster_unref(members[i].cluster);
    }
    assert_int_equal(set->state, ENDPOINTS_READY);
    assert_int_equal(set->n, 4);
    assert_address(set, 2, "10.0.0.1:80");
    assert_int_equal(priority_of(set, 0), 0);
    assert_int_equal(priority_of(set, 1), 1);
    assert_int_equal(priority_of(set, 2), 2);
    assert_int_equal(priority_of(set, 3), 2);
    assert_string_equal(model_endpoint_locality(set, &set->endpoints[3])->label, "b");
    assert_string_equal(model_endpoint_origin(set, &set->endpoints[1])->name, "first");
    assert_string_equal(model_endpoint_origin(set, &set->endpoints[2])->name, "second");
    assert_int_equal(set->overprovisioning_percent, 170);
    model_endpoints_unref(set);
}

static void while_all_are_pending_so_is_the_whole(void **state)
{
    struct model_entry member = { model_cluster_new("first"), model_endpoints_new(ENDPOINTS_PENDING, "eds", 0) };
    struct model_endpoints *set = model_endpoints_join(&member, 1);

    (void) state;
    assert_int_equal(set->state, ENDPOINTS_PENDING);
    model_endpoints_unref(set);
    model_endpoints_unref(member.endpoints);
    model_cluster_unref(member.cluster);
}

/* ---- held ---- */

static void what_was_there_has_the_last_rank(void **state)
{
    struct model_endpoints *before = set_of("10.0.0.1:80", "10.0.0.2:80", 3);
    struct model_endpoints *now = set_of("10.0.0.2:80", "10.0.0.9:80", 1);
    struct model_endpoints *set = model_endpoints_hold(now, before);

    (void) state;
    model_endpoints_unref(before);
    model_endpoints_unref(now);
    assert_int_equal(set->n, 3);
    assert_address(set, 2, "10.0.0.1:80");
    assert_true(set->endpoints[2].is_held);
    assert_false(set->endpoints[0].is_held);
    assert_int_equal(priority_of(set, 1), 1);
    assert_int_equal(priority_of(set, 2), 2);
    assert_string_equal(model_endpoint_locality(set, &set->endpoints[2])->label, "a");
    model_endpoints_unref(set);
}

/* ---- memory ---- */

static int32_t join_and_hold(void)
{
    struct model_endpoints *a = model_endpoints_new(ENDPOINTS_READY, "eds", 1), *set = NULL, *held = NULL;
    struct model_cluster *cluster = model_cluster_new("first");
    struct addr addr = { .family = ADDR_IPV4, .port = 80 };
    bool made = a && cluster && model_endpoints_place(a, &a->endpoints[0], "a", 1) &&
                model_endpoints_name(a, &a->endpoints[0], "host", &addr);

    if (made)
        set = model_endpoints_join(&(struct model_entry){ cluster, a }, 1);
    if (set)
        held = model_endpoints_hold(set, a);
    model_endpoints_unref(a);
    model_endpoints_unref(set);
    model_endpoints_unref(held);
    model_cluster_unref(cluster);
    return held ? 0 : MESH_ERR_NOMEM;
}

/* That a set is not made shorter in the end is survived. */
static void memory_may_run_out(void **state)
{
    bool reached = true, was_told = false;

    (void) state;
    for (uint64_t nth = 1; reached; nth++) {
        int64_t live;
        int32_t err;

        mem_watch(nth, false);
        err = join_and_hold();
        reached = mem_unwatch(&live);
        assert_int_equal(live, 0);
        assert_true(err == 0 || reached);
        was_told = was_told || err;
    }
    assert_true(was_told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(what_repeats_is_kept_once),        LEAK_TEST(places_differ_by_all_they_have),
        LEAK_TEST(priorities_follow_each_other),     LEAK_TEST(while_all_are_pending_so_is_the_whole),
        LEAK_TEST(what_was_there_has_the_last_rank), cmocka_unit_test(memory_may_run_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
