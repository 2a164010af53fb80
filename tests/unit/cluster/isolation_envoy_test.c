/* SPDX-License-Identifier: Apache-2.0 */
/* Envoy's outlier detection in a cluster: who is ejected gets no attempts, and nothing of it stays behind when endpoints or
 * policies change. On a loop that the test drives, in virtual time; nothing is connected. */
#include <string.h>

#include "cluster/cluster.h"
#include "test_loop.h"

enum { HOSTS = 4 };

struct fixture {
    struct loop *loop;
    struct cluster *cluster;
    struct cluster_shared *shared;
    struct model_cluster *conf;
};

static struct model_cluster *conf_new(enum policy_outlier_kind kind)
{
    struct model_cluster *conf = model_cluster_new("users");

    conf->protocol = MODEL_H2C;
    conf->policy.breaker.max_connections = conf->policy.breaker.max_pending = conf->policy.breaker.max_requests = 5;
    conf->policy.balance = "round_robin";
    conf->policy.outlier.kind = kind;
    conf->policy.outlier.envoy = (struct policy_outlier_envoy){
        .interval_ms = 10000,
        .base_ejection_ms = 30000,
        .max_ejection_ms = 300000,
        .max_ejection_percent = 50,
        .consecutive_5xx = 5,
    };
    model_cluster_identify(conf);
    return conf;
}

/* The first n of four. */
static void take(struct fixture *f, size_t n)
{
    struct model_endpoints *set = model_endpoints_new(ENDPOINTS_READY, "static", n);
    struct model_entry entry = { f->conf, set };
    char address[] = "10.0.0.0";

    for (size_t i = 0; i < n; i++) {
        address[7] = (char) ('1' + i);
        assert_true(addr_parse(&set->endpoints[i].addr, address, strlen(address), 80));
    }
    loop_enter(f->loop);
    if (f->cluster)
        MESH_OK(cluster_update(f->cluster, &entry));
    else
        MESH_OK(cluster_new(&(struct cluster_env){ .loop = f->loop }, &entry, f->shared, &f->cluster));
    loop_leave(f->loop);
    model_endpoints_unref(set);
}

static struct fixture begin(void)
{
    struct fixture f = { .conf = conf_new(OUTLIER_ENVOY) };

    mesh_test_clock_start(1000 * US_PER_S);
    f.loop = test_loop_new();
    f.shared = cluster_shared_new("users");
    take(&f, HOSTS);
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
    clock_replace(NULL);
}

/* The i-th of the set. */
static struct endpoint *endpoint_at(struct fixture *f, size_t i)
{
    struct list *link = f->cluster->endpoints.next;

    while (i-- > 0)
        link = link->next;
    return CONTAINER_OF(link, struct endpoint, link);
}

static void answer(struct fixture *f, size_t i, unsigned n, int status)
{
    loop_enter(f->loop);
    while (n-- > 0)
        endpoint_answered(endpoint_at(f, i), status);
    loop_leave(f->loop);
}

/* How many of a hundred attempts it gets. */
static unsigned share(struct fixture *f, size_t i)
{
    struct cluster_hint hint = { .idempotent = true };
    unsigned n = 0;

    for (int call = 0; call < 100; call++) {
        struct endpoint *endpoint;
        struct fault fault;

        loop_enter(f->loop);
        MESH_OK(cluster_choose(f->cluster, &hint, &endpoint, &fault));
        n += endpoint == endpoint_at(f, i);
        loop_leave(f->loop);
    }
    return n;
}

static void pass_s(struct fixture *f, unsigned s)
{
    mesh_test_clock_advance_ms(s * 1000);
    loop_turn(f->loop);
}

static void who_is_ejected_gets_no_attempts(void **state)
{
    struct fixture f = begin();
    char why[FAULT_TEXT];

    (void) state;
    answer(&f, 1, 4, 503);
    assert_int_equal(share(&f, 1), 25);
    answer(&f, 1, 1, 503);
    assert_int_equal(share(&f, 1), 0);
    assert_string_equal(endpoint_state(endpoint_at(&f, 1), why), "isolated");
    assert_string_equal(why, "consecutive_5xx: ejected for another 30000 ms, to the end of an interval");
    pass_s(&f, 29);
    assert_int_equal(share(&f, 1), 0);
    pass_s(&f, 1);
    assert_in_range(share(&f, 1), 24, 25); /* the first attempt notices it */
    assert_string_equal(isolation_reason(endpoint_at(&f, 1)), "");
    end(&f);
}

/* Nobody asks for a while: the next attempt finds out that it is back. */
static void nobody_has_to_look(void **state)
{
    struct fixture f = begin();

    (void) state;
    answer(&f, 0, 5, 500);
    assert_int_equal(share(&f, 0), 0);
    pass_s(&f, 3600);
    assert_in_range(share(&f, 0), 24, 25);
    end(&f);
}

static void half_of_them_at_most(void **state)
{
    struct fixture f = begin();

    (void) state;
    for (size_t i = 0; i < HOSTS; i++)
        answer(&f, i, 5, 500);
    assert_int_equal(share(&f, 0) + share(&f, 1), 0);
    assert_int_equal(share(&f, 2), 50);
    assert_int_equal(f.cluster->n_usable, 2);
    end(&f);
}

static void failures_without_an_answer_count(void **state)
{
    struct fixture f = begin();

    (void) state;
    loop_enter(f.loop);
    for (int i = 0; i < 5; i++) {
        endpoint_connected(endpoint_at(&f, 2));
        endpoint_failed(endpoint_at(&f, 2), i % 2);
    }
    loop_leave(f.loop);
    assert_int_equal(share(&f, 2), 0);
    end(&f);
}

/* An ejected endpoint that leaves makes room, and is a stranger when it comes again. */
static void leaving_ends_it(void **state)
{
    struct fixture f = begin();

    (void) state;
    answer(&f, 2, 5, 500);
    answer(&f, 3, 5, 500);
    take(&f, 2);
    assert_int_equal(f.cluster->envoy.n_ejected, 0);
    take(&f, 4);
    assert_int_equal(share(&f, 3), 25);
    answer(&f, 0, 5, 500);
    assert_int_equal(share(&f, 0), 0);
    end(&f);
}

static void another_policy_forgets(void **state)
{
    static const enum policy_outlier_kind kinds[] = { OUTLIER_OFF, OUTLIER_ADAPTIVE, OUTLIER_ENVOY };
    struct fixture f = begin();

    (void) state;
    answer(&f, 0, 5, 500);
    assert_int_equal(share(&f, 0), 0);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        model_cluster_unref(f.conf);
        f.conf = conf_new(kinds[i]);
        take(&f, 4);
        assert_int_equal(share(&f, 0), 25);
    }
    answer(&f, 0, 5, 500);
    assert_int_equal(share(&f, 0), 0);
    end(&f);
}

/* Out of memory: the attempt counts for nothing. */
static void no_memory_no_verdict(void **state)
{
    struct fixture f = begin();
    int64_t live;

    (void) state;
    mem_watch(1, true);
    answer(&f, 0, 5, 500);
    mem_unwatch(&live);
    assert_int_equal(live, 0);
    assert_int_equal(share(&f, 0), 25);
    answer(&f, 0, 5, 500);
    assert_int_equal(share(&f, 0), 0);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_ejected_gets_no_attempts),
        cmocka_unit_test(nobody_has_to_look),
        cmocka_unit_test(half_of_them_at_most),
        cmocka_unit_test(failures_without_an_answer_count),
        cmocka_unit_test(leaving_ends_it),
        cmocka_unit_test(another_policy_forgets),
        cmocka_unit_test(no_memory_no_verdict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
