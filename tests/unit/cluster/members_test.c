/* SPDX-License-Identifier: Apache-2.0 */
/* Which endpoints a cluster has and which of them it chooses: sets that change, weights, priorities, states of
 * knowledge. On a loop that the test drives; nothing is connected. */
#include <string.h>

#include "cluster/zone.h"
#include "test_loop.h"

struct fixture {
    struct loop *loop;
    struct cluster *cluster;
    struct cluster_shared *shared;
    struct model_cluster *conf;
};

static struct model_cluster *conf_new(const char *balance)
{
    struct model_cluster *conf = model_cluster_new("users");

    conf->protocol = MODEL_H2C;
    conf->policy.connect_timeout_ms = 1000;
    conf->policy.spill.overprovisioning_percent = 140;
    conf->policy.breaker.max_connections = 5;
    conf->policy.balance = balance;
    model_cluster_identify(conf);
    return conf;
}

struct member {
    const char *address, *zone;
    uint32_t weight, priority;
};

static struct model_endpoints *set_of(const struct member *members, size_t n)
{
    struct model_endpoints *set = model_endpoints_new(ENDPOINTS_READY, "static", n);

    for (size_t i = 0; i < n; i++) {
        assert_true(addr_parse(&set->endpoints[i].addr, members[i].address, strlen(members[i].address), 80));
        set->endpoints[i].weight = members[i].weight ? members[i].weight : 1;
        assert_true(model_endpoints_place(set, &set->endpoints[i], members[i].zone ? members[i].zone : "",
                                          members[i].priority));
    }
    return set;
}

static void take(struct fixture *f, struct model_endpoints *set)
{
    struct model_entry entry = { f->conf, set };

    loop_enter(f->loop);
    if (f->cluster)
        MESH_OK(cluster_update(f->cluster, &entry));
    else
        MESH_OK(cluster_new(&(struct cluster_env){ .loop = f->loop }, &entry, f->shared, &f->cluster));
    loop_leave(f->loop);
    model_endpoints_unref(set);
}

#define TAKE(f, ...) \
    take(f, set_of((const struct member[]) __VA_ARGS__, COUNT_OF(((const struct member[]) __VA_ARGS__))))

static struct fixture begin(const char *balance)
{
    struct fixture f = { .loop = test_loop_new(), .conf = conf_new(balance) };

    f.shared = cluster_shared_new("users");
    return f;
}

static void end(struct fixture *f)
{
    loop_enter(f->loop);
    cluster_unref(f->cluster);
    loop_leave(f->loop);
    cluster_shared_unref(f->shared);
    model_cluster_unref(f->conf);
    loop_free(f->loop);
}

static struct endpoint *choose(struct fixture *f, struct endpoint *const *tried, size_t n_tried)
{
    struct cluster_hint hint = { .tried = tried, .n_tried = n_tried };
    struct endpoint *endpoint;
    struct fault fault;

    loop_enter(f->loop);
    MESH_OK(cluster_choose(f->cluster, &hint, &endpoint, &fault));
    loop_leave(f->loop);
    return endpoint;
}

static unsigned count_of(struct fixture *f, const char *address, unsigned calls)
{
    unsigned n = 0;

    for (unsigned i = 0; i < calls; i++)
        n += strcmp(choose(f, NULL, 0)->address, address) == 0;
    return n;
}

/* ---- choosing ---- */

static void everybody_has_a_share(void **state)
{
    struct fixture f = begin("round_robin");

    (void) state;
    TAKE(&f, { { "10.0.0.1:80", "a", 0, 0 }, { "10.0.0.2:80", "b", 0, 0 }, { "10.0.0.3:80", NULL, 0, 0 } });
    assert_int_equal(count_of(&f, "10.0.0.1:80", 300), 100);
    assert_int_equal(count_of(&f, "10.0.0.3:80", 300), 100);
    end(&f);
}

static void weights_count(void **state)
{
    struct fixture f = begin("round_robin");

    (void) state;
    TAKE(&f, { { "10.0.0.1:80", NULL, 1, 0 }, { "10.0.0.2:80", NULL, 9, 0 } });
    assert_in_range(count_of(&f, "10.0.0.1:80", 1000), 95, 105);
    TAKE(&f, { { "10.0.0.1:80", NULL, 3, 0 }, { "10.0.0.2:80", NULL, 1, 0 } });
    assert_in_range(count_of(&f, "10.0.0.1:80", 1000), 745, 755);
    end(&f);
}

/* The same set is in the same order for every client, whatever it was before: clients that hash agree. */
static void the_order_is_the_sets(void **state)
{
    static const char *const order[] = { "10.0.0.3:80", "10.0.0.1:80", "10.0.0.4:80", "10.0.0.2:80" };
    struct fixture f = begin("round_robin");
    size_t i = 0;

    (void) state;
    TAKE(&f, { { "10.0.0.1:80", NULL, 0, 0 }, { "10.0.0.2:80", NULL, 0, 0 }, { "10.0.0.3:80", NULL, 0, 0 } });
    TAKE(&f,
         { { order[0], NULL, 0, 0 }, { order[1], NULL, 0, 0 }, { order[2], NULL, 0, 0 }, { order[3], NULL, 0, 0 } });
    LIST_EACH(link, &f.cluster->endpoints) {
        assert_string_equal(CONTAINER_OF(link, struct endpoint, link)->address, order[i++]);
    }
    assert_int_equal(i, 4);
    end(&f);
}

static void the_same_key_goes_to_the_same_endpoint(void **state)
{
    static const char *const policies[] = { "ring_hash", "maglev" };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(policies); i++) {
        struct fixture f = begin(policies[i]);
        struct endpoint *first;

        TAKE(&f, { { "10.0.0.1:80", NULL, 0, 0 }, { "10.0.0.2:80", NULL, 0, 0 }, { "10.0.0.3:80", NULL, 0, 0 } });
        first = choose(&f, NULL, 0);
        assert_int_equal(count_of(&f, first->address, 100), 100);
        assert_ptr_not_equal(choose(&f, &first, 1), first);
        end(&f);
    }
}

/* One client uses a part of a large cluster, always the same, and all of it when it hashes. */
static size_t view_size(const struct fixture *f)
{
    return CONTAINER_OF(f->cluster->all.zones.next, struct zone, link)->view.n;
}

static size_t count_spares(const struct fixture *f)
{
    size_t n = 0;

    LIST_EACH(link, &f->cluster->endpoints) {
        n += CONTAINER_OF(link, struct endpoint, link)->spare;
    }
    return n;
}

static void a_large_cluster_has_a_subset(void **state)
{
    enum { N = 400, USED = 160 };
    static const struct {
        const char *policy;
        size_t used;
    } cases[] = { { "random", USED }, { "adaptive", USED }, { "ring_hash", N } };
    struct member members[N] = { { 0 } };
    char names[N][32];

    (void) state;
    for (unsigned i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "10.0.%u.%u:80", i / 250, i % 250);
        members[i].address = names[i];
    }
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f = begin(cases[i].policy);

        take(&f, set_of(members, N));
        assert_int_equal(view_size(&f), cases[i].used);
        assert_int_equal(f.cluster->n_endpoints, N);
        assert_int_equal(count_spares(&f), N - cases[i].used);
        take(&f, set_of(members, N - 1));
        assert_in_range(view_size(&f), cases[i].used - 1, cases[i].used);
        end(&f);
    }
}

/* A tenth of its share at first. */
static void who_joins_a_cluster_in_use_starts_slowly(void **state)
{
    struct fixture f = begin("random");
    unsigned n;

    (void) state;
    f.conf->policy.slow_start_ms = 3600000;
    TAKE(&f, { { "10.0.0.1:80", NULL, 0, 0 }, { "10.0.0.2:80", NULL, 0, 0 } });
    assert_in_range(count_of(&f, "10.0.0.2:80", 1000), 400, 600); /* the first ones have nobody to learn from */
    TAKE(&f, { { "10.0.0.1:80", NULL, 0, 0 }, { "10.0.0.2:80", NULL, 0, 0 }, { "10.0.0.3:80", NULL, 0, 0 } });
    n = count_of(&f, "10.0.0.3:80", 2000);
    assert_in_range(n, 40, 180); /* 95 of 2000; its whole share would be 667 */
    end(&f);
}

static void a_worse_priority_waits(void **state)
{
    struct fixture f = begin("round_robin");

    (void) state;
    TAKE(&f, { { "10.0.0.1:80", NULL, 0, 3 }, { "10.0.0.2:80", NULL, 0, 1 }, { "10.0.0.3:80", NULL, 0, 1 } });
    assert_int_equal(count_of(&f, "10.0.0.1:80", 100), 0);
    TAKE(&f, { { "10.0.0.1:80", NULL, 0, 3 } });
    assert_int_equal(count_of(&f, "10.0.0.1:80", 100), 100);
    end(&f);
}

static void what_was_tried_is_left_out_while_another_is_there(void **state)
{
    static const char *const policies[] = {
        "adaptive", "round_robin", "random", "least_request", "ring_hash", "maglev"
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(policies); i++) {
        struct fixture f = begin(policies[i]);
        struct endpoint *tried[3];

        TAKE(&f, { { "10.0.0.1:80", NULL, 0, 0 }, { "10.0.0.2:80", NULL, 0, 0 }, { "10.0.0.3:80", NULL, 0, 0 } });
        for (int k = 0; k < 100; k++) {
            for (size_t n = 0; n < 3; n++) {
                tried[n] = choose(&f, tried, n);
                for (size_t before = 0; before < n; before++)
                    assert_ptr_not_equal(tried[n], tried[before]);
            }
            assert_non_null(choose(&f, tried, 3));
        }
        end(&f);
    }
}

/* ---- what is known of the endpoints ---- */

static void cannot_choose(struct fixture *f, int32_t err, const char *says)
{
    struct endpoint *endpoint;
    struct fault fault = { 0 };

    loop_enter(f->loop);
    MESH_ERR(err, cluster_choose(f->cluster, &(struct cluster_hint){ 0 }, &endpoint, &fault));
    loop_leave(f->loop);
    assert_null(endpoint);
    if (says && !strstr(fault.text, says))
        fail_msg("\"%s\" does not say %s", fault.text, says);
}

static void states_of_knowledge(void **state)
{
    struct fixture f = begin("random");
    struct model_endpoints *set;

    (void) state;
    take(&f, model_endpoints_new(ENDPOINTS_PENDING, "dns", 0));
    cannot_choose(&f, MESH_ERR_AGAIN, NULL);
    set = model_endpoints_new(ENDPOINTS_FAILED, "dns", 0);
    fault_set(&set->fault, MESH_ERR_DNS, "users.internal: NXDOMAIN");
    take(&f, set);
    cannot_choose(&f, MESH_ERR_DNS, "NXDOMAIN");
    take(&f, model_endpoints_new(ENDPOINTS_WITHDRAWN, "srv", 0));
    cannot_choose(&f, MESH_ERR_NO_HEALTHY, "withdrawn");
    take(&f, model_endpoints_new(ENDPOINTS_READY, "static", 0));
    cannot_choose(&f, MESH_ERR_NO_HEALTHY, "no endpoints");
    TAKE(&f, { { "10.0.0.1:80", NULL, 0, 0 } });
    assert_string_equal(choose(&f, NULL, 0)->address, "10.0.0.1:80");
    end(&f);
}

struct waiting {
    struct cluster_waiter waiter;
    unsigned told;
};

static void on_changed(struct cluster_waiter *waiter)
{
    CONTAINER_OF(waiter, struct waiting, waiter)->told++;
}

static void who_waits_for_endpoints_is_told_once(void **state)
{
    struct fixture f = begin("random");
    struct waiting a = { .waiter.on_changed = on_changed }, b = a;

    (void) state;
    take(&f, model_endpoints_new(ENDPOINTS_PENDING, "dns", 0));
    loop_enter(f.loop);
    cluster_wait(f.cluster, &a.waiter);
    cluster_wait(f.cluster, &b.waiter);
    cluster_forget(&b.waiter);
    cluster_forget(&b.waiter);
    loop_leave(f.loop);
    take(&f, model_endpoints_new(ENDPOINTS_PENDING, "dns", 0));
    assert_int_equal(a.told, 0);
    TAKE(&f, { { "10.0.0.1:80", NULL, 0, 0 } });
    TAKE(&f, { { "10.0.0.2:80", NULL, 0, 0 } });
    assert_int_equal(a.told, 1);
    assert_int_equal(b.told, 0);
    end(&f);
}

/* ---- sets that change ---- */

static struct endpoint *member(struct fixture *f, const char *address)
{
    LIST_EACH(link, &f->cluster->endpoints) {
        struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, link);

        if (strcmp(endpoint->address, address) == 0)
            return endpoint;
    }
    return NULL;
}

static void who_stays_stays_the_same(void **state)
{
    struct fixture f = begin("random");
    struct endpoint *stays;

    (void) state;
    TAKE(&f, { { "10.0.0.1:80", "a", 1, 0 }, { "10.0.0.2:80", "a", 1, 0 } });
    stays = member(&f, "10.0.0.2:80");
    TAKE(&f, { { "10.0.0.2:80", "a", 5, 1 }, { "10.0.0.3:80", "a", 1, 0 } });
    assert_ptr_equal(member(&f, "10.0.0.2:80"), stays);
    assert_int_equal(stays->weight, 5);
    assert_int_equal(stays->priority, 1);
    assert_null(member(&f, "10.0.0.1:80"));
    assert_non_null(member(&f, "10.0.0.3:80"));
    assert_true(list_empty(&f.cluster->leaving));
    assert_int_equal(f.cluster->n_endpoints, 2);
    end(&f);
}

/* Another zone makes it another endpoint: its figures belong to the place. */
static void who_moves_is_another(void **state)
{
    struct fixture f = begin("random");
    struct endpoint *moves;

    (void) state;
    TAKE(&f, { { "10.0.0.1:80", "a", 0, 0 } });
    moves = member(&f, "10.0.0.1:80");
    loop_enter(f.loop);
    endpoint_hold(moves);
    loop_leave(f.loop);
    TAKE(&f, { { "10.0.0.1:80", "b", 0, 0 } });
    assert_ptr_not_equal(member(&f, "10.0.0.1:80"), moves);
    assert_string_equal(member(&f, "10.0.0.1:80")->zone, "b");
    loop_enter(f.loop);
    endpoint_let_go(moves);
    loop_leave(f.loop);
    assert_true(list_empty(&f.cluster->leaving));
    end(&f);
}

/* Its attempts end in peace, and get no company. */
static void who_leaves_is_kept_until_its_attempts_have_ended(void **state)
{
    struct fixture f = begin("random");
    struct endpoint *leaves;

    (void) state;
    TAKE(&f, { { "10.0.0.1:80", NULL, 0, 0 } });
    leaves = choose(&f, NULL, 0);
    loop_enter(f.loop);
    endpoint_begin(leaves);
    endpoint_hold(leaves);
    loop_leave(f.loop);
    assert_false(cluster_is_idle(f.cluster));
    TAKE(&f, { { "10.0.0.2:80", NULL, 0, 0 } });
    assert_true(leaves->removed);
    assert_int_equal(count_of(&f, "10.0.0.2:80", 50), 50);
    loop_enter(f.loop);
    endpoint_end(leaves, ATTEMPT_ANSWERED, 100);
    loop_leave(f.loop);
    assert_false(list_empty(&f.cluster->leaving)); /* somebody remembers having tried it */
    loop_enter(f.loop);
    endpoint_let_go(leaves);
    loop_leave(f.loop);
    assert_true(list_empty(&f.cluster->leaving));
    assert_true(cluster_is_idle(f.cluster));
    end(&f);
}

/* What connections depend on has changed, so nobody stays. */
static void another_transport_replaces_everybody(void **state)
{
    struct fixture f = begin("random");
    struct endpoint *before;
    struct model_cluster *old = f.conf;

    (void) state;
    TAKE(&f, { { "10.0.0.1:80", NULL, 0, 0 } });
    before = member(&f, "10.0.0.1:80");
    loop_enter(f.loop);
    endpoint_hold(before);
    loop_leave(f.loop);
    f.conf = conf_new("round_robin"); /* another policy alone changes nothing of this */
    model_cluster_unref(old);
    TAKE(&f, { { "10.0.0.1:80", NULL, 0, 0 } });
    assert_ptr_equal(member(&f, "10.0.0.1:80"), before);
    old = f.conf;
    f.conf = conf_new("round_robin");
    f.conf->policy.connect_timeout_ms = 77;
    model_cluster_unref(old);
    TAKE(&f, { { "10.0.0.1:80", NULL, 0, 0 } });
    assert_ptr_not_equal(member(&f, "10.0.0.1:80"), before);
    loop_enter(f.loop);
    endpoint_let_go(before);
    loop_leave(f.loop);
    end(&f);
}

static void the_same_address_twice(void **state)
{
    struct fixture f = begin("round_robin");

    (void) state;
    TAKE(&f, { { "10.0.0.1:80", NULL, 0, 0 }, { "10.0.0.1:80", NULL, 0, 0 }, { "10.0.0.2:80", NULL, 0, 0 } });
    assert_true(count_of(&f, "10.0.0.1:80", 300) > 0);
    TAKE(&f, { { "10.0.0.1:80", NULL, 0, 0 }, { "10.0.0.1:80", NULL, 0, 0 }, { "10.0.0.3:80", NULL, 0, 0 } });
    assert_int_equal(count_of(&f, "10.0.0.2:80", 300), 0);
    TAKE(&f, { { "10.0.0.3:80", NULL, 0, 0 } });
    assert_int_equal(count_of(&f, "10.0.0.3:80", 300), 300);
    end(&f);
}

/* ---- out of memory ---- */

/* Whatever fails, the cluster goes on with the old set or with the new one. */
static void out_of_memory(void **state)
{
    bool reached = true;

    (void) state;
    for (uint64_t nth = 1; reached; nth++) {
        struct fixture f = begin("round_robin");
        struct model_endpoints *two;
        struct model_entry entry = { f.conf, NULL };
        int64_t live;
        int32_t err;

        TAKE(&f, { { "10.0.0.1:80", "a", 1, 0 } });
        two = set_of((const struct member[]){ { "10.0.0.1:80", "a", 2, 0 }, { "10.0.0.2:80", "b", 1, 0 } }, 2);
        entry.endpoints = two;
        loop_enter(f.loop);
        mem_watch(nth, false);
        err = cluster_update(f.cluster, &entry);
        reached = mem_unwatch(&live);
        loop_leave(f.loop);
        model_endpoints_unref(two);
        assert_true(err == 0 || err == MESH_ERR_NOMEM);
        assert_true(reached || err == 0);
        assert_int_equal(f.cluster->n_endpoints, err ? 1 : 2);
        for (int i = 0; i < 10; i++)
            assert_non_null(choose(&f, NULL, 0));
        if (err == 0)
            assert_true(count_of(&f, "10.0.0.2:80", 100) > 0);
        end(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(everybody_has_a_share),
        LEAK_TEST(weights_count),
        LEAK_TEST(the_order_is_the_sets),
        LEAK_TEST(the_same_key_goes_to_the_same_endpoint),
        LEAK_TEST(a_large_cluster_has_a_subset),
        LEAK_TEST(who_joins_a_cluster_in_use_starts_slowly),
        LEAK_TEST(a_worse_priority_waits),
        LEAK_TEST(what_was_tried_is_left_out_while_another_is_there),
        LEAK_TEST(states_of_knowledge),
        LEAK_TEST(who_waits_for_endpoints_is_told_once),
        LEAK_TEST(who_stays_stays_the_same),
        LEAK_TEST(who_moves_is_another),
        LEAK_TEST(who_leaves_is_kept_until_its_attempts_have_ended),
        LEAK_TEST(another_transport_replaces_everybody),
        LEAK_TEST(the_same_address_twice),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
