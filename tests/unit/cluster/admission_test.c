/* SPDX-License-Identifier: Apache-2.0 */
/* The door of a cluster: who may enter, what is said to who may not, and what is counted. On a loop that the test drives;
 * nothing is connected. */
#include <string.h>

#include "cluster/cluster.h"
#include "test_loop.h"

struct fixture {
    struct loop *loop;
    struct cluster *cluster;
    struct model_cluster *conf;
};

static struct model_cluster *conf_new(void)
{
    struct model_cluster *conf = model_cluster_new("users");

    conf->protocol = MODEL_H2C;
    conf->policy.breaker = (struct policy_breaker){
        .max_connections = 5, .max_pending = 2, .max_requests = 3, .high_max_pending = 1, .high_max_requests = 2
    };
    conf->policy.balance = "random";
    return conf;
}

/* With what the policy says by then. The loop is entered. */
static void begin(struct fixture *f)
{
    struct model_endpoints *set = model_endpoints_new(ENDPOINTS_READY, "static", 0);
    struct model_entry entry = { f->conf, set };
    struct cluster_shared *shared = cluster_shared_new("users");

    f->loop = test_loop_new();
    loop_enter(f->loop);
    MESH_OK(cluster_new(&(struct cluster_env){ .loop = f->loop }, &entry, shared, &f->cluster));
    cluster_shared_unref(shared);
    model_endpoints_unref(set);
}

static void end(struct fixture *f)
{
    for (int i = 0; i < ADMISSION_PRIORITIES; i++) {
        assert_int_equal(f->cluster->shared->admission.active[i], 0);
        assert_int_equal(f->cluster->shared->admission.pending[i], 0);
    }
    cluster_unref(f->cluster);
    loop_leave(f->loop);
    model_cluster_unref(f->conf);
    loop_free(f->loop);
}

static void is_refused(struct fixture *f, enum policy_criticality criticality, int32_t err, const char *why)
{
    struct admission admission = { .criticality = criticality };
    struct fault fault;

    MESH_ERR(err, admission_enter(&admission, f->cluster, &fault));
    assert_int_equal(fault.code, err);
    if (!strstr(fault.text, why))
        fail_msg("\"%s\" does not say \"%s\"", fault.text, why);
    assert_null(admission.cluster);
    admission_leave(&admission);
}

static uint64_t refused(const struct fixture *f, enum admission_refusal by)
{
    return f->cluster->shared->admission.refused[by];
}

/* ---- the breaker ---- */

static void running_requests_are_counted_by_priority(void **state)
{
    struct fixture f = { .conf = conf_new() };
    struct admission normal[3] = { { .criticality = CRITICALITY_CRITICAL },
                                   { .criticality = CRITICALITY_SHEDDABLE_PLUS },
                                   { .criticality = CRITICALITY_SHEDDABLE } };
    struct admission high[2] = { { .criticality = CRITICALITY_CRITICAL_PLUS },
                                 { .criticality = CRITICALITY_CRITICAL_PLUS } };
    struct fault fault;

    (void) state;
    begin(&f);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++)
            MESH_OK(admission_enter(&normal[i], f.cluster, &fault));
        is_refused(&f, CRITICALITY_CRITICAL, MESH_ERR_OVERFLOW, "its breaker.max_requests 3 is reached");
        is_refused(&f, CRITICALITY_SHEDDABLE, MESH_ERR_OVERFLOW, "breaker.max_requests 3");
        for (int i = 0; i < 2; i++)
            MESH_OK(admission_enter(&high[i], f.cluster, &fault));
        is_refused(&f, CRITICALITY_CRITICAL_PLUS, MESH_ERR_OVERFLOW, "breaker.high_max_requests 2");
        for (int i = 0; i < 3; i++)
            admission_leave(&normal[i]);
        admission_leave(&normal[0]);
        is_refused(&f, CRITICALITY_CRITICAL_PLUS, MESH_ERR_OVERFLOW, "breaker.high_max_requests 2");
        for (int i = 0; i < 2; i++)
            admission_leave(&high[i]);
    }
    assert_int_equal(refused(&f, REFUSED_BY_REQUESTS), 8);
    assert_int_equal(refused(&f, REFUSED_BY_PENDING), 0);
    end(&f);
}

static void waiting_attempts_are_counted_by_priority(void **state)
{
    struct fixture f = { .conf = conf_new() };
    struct admission normal = { .criticality = CRITICALITY_CRITICAL };
    struct admission high = { .criticality = CRITICALITY_CRITICAL_PLUS };
    struct fault fault;

    (void) state;
    begin(&f);
    MESH_OK(admission_enter(&normal, f.cluster, &fault));
    MESH_OK(admission_enter(&high, f.cluster, &fault));
    for (int round = 0; round < 2; round++) {
        MESH_OK(admission_enter_waiting(&normal, &fault));
        MESH_OK(admission_enter_waiting(&normal, &fault));
        MESH_ERR(MESH_ERR_OVERFLOW, admission_enter_waiting(&normal, &fault));
        assert_non_null(strstr(fault.text, "its breaker.max_pending 2 is reached"));
        MESH_OK(admission_enter_waiting(&high, &fault));
        MESH_ERR(MESH_ERR_OVERFLOW, admission_enter_waiting(&high, &fault));
        assert_non_null(strstr(fault.text, "its breaker.high_max_pending 1 is reached"));
        admission_leave_waiting(&high);
        admission_leave_waiting(&normal);
        admission_leave_waiting(&normal);
    }
    admission_leave(&normal);
    admission_leave(&high);
    assert_int_equal(refused(&f, REFUSED_BY_REQUESTS), 0);
    assert_int_equal(refused(&f, REFUSED_BY_PENDING), 4);
    end(&f);
}

/* ---- the rate limit ---- */

static void the_rate_limit_says_its_key(void **state)
{
    struct fixture f = { .conf = conf_new() };
    struct admission admission = { .criticality = CRITICALITY_CRITICAL_PLUS };
    struct fault fault;

    (void) state;
    f.conf->policy.rate_limit = (struct policy_rate_limit){ .per_second = 1, .burst = 4 };
    begin(&f);
    for (int i = 0; i < 4; i++) {
        MESH_OK(admission_enter(&admission, f.cluster, &fault));
        admission_leave(&admission);
    }
    is_refused(&f, CRITICALITY_CRITICAL_PLUS, MESH_ERR_RATE_LIMITED,
               "its rate_limit.per_second 1 (burst 4) is used up");
    is_refused(&f, CRITICALITY_SHEDDABLE, MESH_ERR_RATE_LIMITED, "rate_limit.per_second");
    assert_int_equal(refused(&f, REFUSED_BY_RATE_LIMIT), 2);
    assert_int_equal(refused(&f, REFUSED_BY_REQUESTS), 0);
    end(&f);
}

/* Whom the breaker refuses takes nothing from those who come after. */
static void no_token_is_taken_for_who_is_refused(void **state)
{
    struct fixture f = { .conf = conf_new() };
    struct admission running[3] = { 0 };
    struct fault fault;

    (void) state;
    f.conf->policy.breaker.high_max_requests = 3;
    f.conf->policy.rate_limit = (struct policy_rate_limit){ .per_second = 1, .burst = 4 };
    begin(&f);
    for (int i = 0; i < 3; i++)
        MESH_OK(admission_enter(&running[i], f.cluster, &fault));
    for (int i = 0; i < 10; i++)
        is_refused(&f, CRITICALITY_CRITICAL_PLUS, MESH_ERR_OVERFLOW, "high_max_requests");
    admission_leave(&running[0]);
    MESH_OK(admission_enter(&running[0], f.cluster, &fault));
    for (int i = 0; i < 3; i++)
        admission_leave(&running[i]);
    is_refused(&f, CRITICALITY_CRITICAL_PLUS, MESH_ERR_RATE_LIMITED, "rate_limit.per_second");
    end(&f);
}

/* ---- throttling ---- */

/* The whole way of requests that are all turned away, all in one second of the loop's time. */
static unsigned pass_of(struct fixture *f, enum policy_criticality criticality, unsigned n)
{
    unsigned passed = 0;

    for (unsigned i = 0; i < n; i++) {
        struct admission admission = { .criticality = criticality };
        struct fault fault;
        int32_t err = admission_enter(&admission, f->cluster, &fault);

        if (err) {
            MESH_ERR(MESH_ERR_THROTTLED, err);
            assert_non_null(strstr(fault.text, "throttle.adaptive"));
            assert_non_null(strstr(fault.text, policy_criticality_name(criticality)));
            continue;
        }
        passed++;
        assert_true(admission_listens(&admission));
        admission_sent(&admission);
        admission_turned_away(&admission);
        admission_leave(&admission);
    }
    return passed;
}

static void throttling_is_per_criticality(void **state)
{
    struct fixture f = { .conf = conf_new() };

    (void) state;
    f.conf->policy.throttle = (struct policy_throttle){ .adaptive = true, .max_percent = 90 };
    begin(&f);
    assert_in_range(pass_of(&f, CRITICALITY_SHEDDABLE, 1000), 50, 160);
    assert_true(refused(&f, REFUSED_BY_THROTTLE) >= 840);
    assert_int_equal(pass_of(&f, CRITICALITY_CRITICAL_PLUS, 5), 5);
    end(&f);
}

static void throttling_that_is_off_hears_nothing(void **state)
{
    struct fixture f = { .conf = conf_new() };
    struct admission admission = { .criticality = CRITICALITY_CRITICAL };
    struct fault fault;

    (void) state;
    begin(&f);
    assert_false(admission_listens(&admission));
    MESH_OK(admission_enter(&admission, f.cluster, &fault));
    assert_false(admission_listens(&admission));
    admission_sent(&admission);
    admission_turned_away(&admission);
    assert_null(f.cluster->shared->admission.throttles);
    admission_leave(&admission);
    end(&f);
}

static void throttling_may_be_switched_at_any_time(void **state)
{
    struct fixture f = { .conf = conf_new() };
    struct model_cluster *with = conf_new();
    struct model_entry entry = { with, NULL };

    (void) state;
    with->policy.throttle = (struct policy_throttle){ .adaptive = true, .max_percent = 100 };
    begin(&f);
    entry.endpoints = f.cluster->set;
    MESH_OK(cluster_update(f.cluster, &entry));
    assert_true(pass_of(&f, CRITICALITY_CRITICAL, 100) < 100);
    entry.cluster = f.conf;
    MESH_OK(cluster_update(f.cluster, &entry));
    for (int i = 0; i < 100; i++) {
        struct admission admission = { .criticality = CRITICALITY_CRITICAL };
        struct fault fault;

        MESH_OK(admission_enter(&admission, f.cluster, &fault));
        admission_leave(&admission);
    }
    model_cluster_unref(with);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(running_requests_are_counted_by_priority),
        LEAK_TEST(waiting_attempts_are_counted_by_priority),
        LEAK_TEST(the_rate_limit_says_its_key),
        LEAK_TEST(no_token_is_taken_for_who_is_refused),
        LEAK_TEST(throttling_is_per_criticality),
        LEAK_TEST(throttling_that_is_off_hears_nothing),
        LEAK_TEST(throttling_may_be_switched_at_any_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
