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

static struct fixture scarce;

static int32_t begin_scarce(void)
{
    struct cluster_shared *shared = cluster_shared_new("users");
    struct model_entry entry = { scarce.conf, scarce.cluster->set };
    struct cluster *cluster;
    int32_t err =
        shared ? cluster_new(&(struct cluster_env){ .loop = scarce.loop }, &entry, shared, &cluster) : MESH_ERR_NOMEM;

    if (!err)
        cluster_unref(cluster);
    cluster_shared_unref(shared);
    return err;
}

static void throttling_without_memory(void **state)
{
    struct model_entry entry;
    int64_t live;

    (void) state;
    scarce.conf = conf_new();
    begin(&scarce);
    entry = (struct model_entry){ conf_new(), scarce.cluster->set };
    entry.cluster->policy.throttle.adaptive = true;
    mem_watch(1, false);
    MESH_ERR(MESH_ERR_NOMEM, cluster_update(scarce.cluster, &entry));
    assert_true(mem_unwatch(&live));
    assert_ptr_equal(scarce.cluster->conf, scarce.conf);
    model_cluster_unref(entry.cluster);
    scarce.conf->policy.throttle.adaptive = true;
    mesh_test_each_allocation_fails(begin_scarce);
    end(&scarce);
}

/* ---- concurrency ---- */

/* A request that waits, and what it came to. */
struct caller {
    struct admission admission;
    bool decided;
    int32_t err;
    unsigned turn; /* the how-manieth decision it was */
    char why[FAULT_TEXT];
};

static unsigned decisions;

static void on_decided(struct admission *admission, int32_t err, const struct fault *fault)
{
    struct caller *caller = CONTAINER_OF(admission, struct caller, admission);

    assert_false(caller->decided);
    caller->decided = true;
    caller->err = err;
    caller->turn = ++decisions;
    if (err)
        snprintf(caller->why, sizeof caller->why, "%s", fault->text);
}

static int32_t come(struct fixture *f, struct caller *caller, uint64_t left_us)
{
    struct fault fault;

    *caller = (struct caller){ .admission = { .criticality = CRITICALITY_CRITICAL, .on_decided = on_decided } };
    if (left_us > 0)
        caller->admission.ends_us = loop_now_us(f->loop) + left_us;
    return admission_enter(&caller->admission, f->cluster, &fault);
}

/* The end of a turn, and another begins. */
static void next_turn(struct fixture *f)
{
    loop_leave(f->loop);
    loop_enter(f->loop);
}

static struct model_cluster *limited_to(uint32_t most, uint32_t queue_ms)
{
    struct model_cluster *conf = conf_new();

    conf->policy.breaker.max_requests = 100;
    conf->policy.concurrency = (struct policy_concurrency){
        .adaptive = true, .initial = most, .min = most, .max = most, .queue_ms = queue_ms
    };
    return conf;
}

static void come_and_run(struct fixture *f, struct caller *callers, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        MESH_OK(come(f, &callers[i], 0));
}

static void come_and_wait(struct fixture *f, struct caller *callers, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        MESH_ERR(MESH_ERR_AGAIN, come(f, &callers[i], 0));
}

static void all_leave(struct caller *callers, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        admission_leave(&callers[i].admission);
}

static void who_waits_is_served_in_order(void **state)
{
    struct fixture f = { .conf = limited_to(8, 60000) };
    struct caller running[8], waiting[3], late;

    (void) state;
    begin(&f);
    come_and_run(&f, running, 8);
    come_and_wait(&f, waiting, 3);
    next_turn(&f);
    for (unsigned i = 0; i < 3; i++) {
        assert_false(waiting[i].decided);
        admission_leave(&running[i].admission);
        assert_false(waiting[i].decided); /* not from within another's call */
        next_turn(&f);
        assert_true(waiting[i].decided);
        MESH_OK(waiting[i].err);
    }
    admission_leave(&running[3].admission);
    MESH_OK(come(&f, &late, 0));
    assert_int_equal(refused(&f, REFUSED_BY_CONCURRENCY), 0);
    admission_leave(&late.admission);
    all_leave(running, 8);
    all_leave(waiting, 3);
    end(&f);
}

static void a_full_queue_serves_the_last_first(void **state)
{
    struct fixture f = { .conf = limited_to(6, 60000) };
    struct caller running[6], waiting[3], late;

    (void) state;
    begin(&f);
    come_and_run(&f, running, 6);
    come_and_wait(&f, waiting, 3);
    is_refused(&f, CRITICALITY_CRITICAL_PLUS, MESH_ERR_OVERFLOW, "concurrency.adaptive");
    admission_leave(&running[0].admission);
    next_turn(&f);
    assert_true(waiting[2].decided);
    MESH_ERR(MESH_ERR_AGAIN, come(&f, &late, 0));
    all_leave(&running[1], 2);
    next_turn(&f);
    assert_true(late.decided); /* the queue was full again */
    assert_true(waiting[0].decided && late.turn < waiting[0].turn);
    assert_false(waiting[1].decided);
    all_leave(running, 6);
    next_turn(&f);
    assert_true(waiting[1].decided);
    assert_int_equal(refused(&f, REFUSED_BY_CONCURRENCY), 1);
    all_leave(waiting, 3);
    admission_leave(&late.admission);
    end(&f);
}

/* Whoever comes in the turn in which somebody has left does not pass those who wait. */
static void nobody_passes_the_queue(void **state)
{
    struct fixture f = { .conf = limited_to(8, 60000) };
    struct caller running[8], waiting, late;

    (void) state;
    begin(&f);
    come_and_run(&f, running, 8);
    come_and_wait(&f, &waiting, 1);
    admission_leave(&running[0].admission);
    MESH_ERR(MESH_ERR_AGAIN, come(&f, &late, 0));
    next_turn(&f);
    assert_true(waiting.decided);
    assert_false(late.decided);
    admission_leave(&late.admission);
    admission_leave(&waiting.admission);
    all_leave(running, 8);
    end(&f);
}

static void patience_has_an_end(void **state)
{
    struct fixture f = { .conf = limited_to(4, 5) };
    struct caller running[4], waiting[2];

    (void) state;
    f.conf->policy.rate_limit = (struct policy_rate_limit){ .per_second = 1, .burst = 5 };
    begin(&f);
    come_and_run(&f, running, 4);
    come_and_wait(&f, waiting, 1);
    is_refused(&f, CRITICALITY_CRITICAL, MESH_ERR_RATE_LIMITED, "rate_limit");
    while (!waiting[0].decided) {
        loop_leave(f.loop);
        test_loop_turn(f.loop);
        loop_enter(f.loop);
    }
    MESH_ERR(MESH_ERR_OVERFLOW, waiting[0].err);
    assert_non_null(strstr(waiting[0].why, "concurrency.adaptive has found to be good, 4, and 1 wait"));
    assert_null(waiting[0].admission.cluster);
    come_and_wait(&f, &waiting[1], 1); /* with the token that was given back */
    admission_leave(&waiting[1].admission);
    all_leave(running, 4);
    next_turn(&f);
    assert_false(waiting[1].decided);
    assert_int_equal(refused(&f, REFUSED_BY_CONCURRENCY), 1);
    end(&f);
}

static void nobody_waits_longer_than_a_quarter_of_its_time(void **state)
{
    struct fixture f = { .conf = limited_to(4, 60000) };
    struct caller running[4], waiting[2];
    uint64_t now;

    (void) state;
    begin(&f);
    now = loop_now_us(f.loop);
    come_and_run(&f, running, 4);
    MESH_ERR(MESH_ERR_AGAIN, come(&f, &waiting[0], 400000));
    assert_int_equal(waiting[0].admission.patience.due_us, now + 100000);
    MESH_ERR(MESH_ERR_OVERFLOW, come(&f, &waiting[1], 3));
    admission_leave(&waiting[0].admission);
    all_leave(running, 4);
    end(&f);
}

static void without_a_queue_who_is_too_much_is_refused_at_once(void **state)
{
    struct fixture f = { .conf = limited_to(4, 0) };
    struct caller running[4];

    (void) state;
    begin(&f);
    come_and_run(&f, running, 4);
    is_refused(&f, CRITICALITY_CRITICAL, MESH_ERR_OVERFLOW, "concurrency.adaptive");
    all_leave(running, 4);
    end(&f);
}

static void a_stream_is_counted_until_its_head(void **state)
{
    struct fixture f = { .conf = limited_to(4, 60000) };
    struct caller running[4], waiting;

    (void) state;
    begin(&f);
    come_and_run(&f, running, 4);
    come_and_wait(&f, &waiting, 1);
    admission_streams(&running[0].admission);
    admission_streams(&running[0].admission);
    next_turn(&f);
    assert_true(waiting.decided);
    assert_int_equal(f.cluster->gate.concurrency.active, 4);
    all_leave(running, 4);
    admission_leave(&waiting.admission);
    assert_int_equal(f.cluster->gate.concurrency.active, 0);
    end(&f);
}

static void switched_off_it_lets_all_run(void **state)
{
    struct fixture f = { .conf = limited_to(4, 60000) };
    struct model_cluster *without = conf_new();
    struct model_entry entry = { without, NULL };
    struct caller running[4], waiting[2], late;

    (void) state;
    without->policy.breaker.max_requests = 100;
    begin(&f);
    entry.endpoints = f.cluster->set;
    come_and_run(&f, running, 4);
    come_and_wait(&f, waiting, 2);
    MESH_OK(cluster_update(f.cluster, &entry));
    MESH_OK(come(&f, &late, 0));
    next_turn(&f);
    assert_true(waiting[0].decided && waiting[1].decided);
    all_leave(running, 4);
    all_leave(waiting, 2);
    admission_leave(&late.admission);
    assert_int_equal(f.cluster->gate.concurrency.active, 0);
    model_cluster_unref(without);
    end(&f);
}

static void what_attempts_tell_moves_the_limit(void **state)
{
    struct fixture f = { .conf = limited_to(4, 0) };
    struct caller running[4];

    (void) state;
    f.conf->policy.concurrency.max = 100;
    begin(&f);
    come_and_run(&f, running, 4);
    assert_true(admission_listens(&running[0].admission));
    for (int i = 0; i < 400; i++)
        admission_answered(&running[0].admission, 1000);
    assert_true(f.cluster->gate.concurrency.limit > 7);
    for (int i = 0; i < 10000; i++)
        admission_turned_away(&running[0].admission);
    assert_int_equal(f.cluster->gate.concurrency.limit, 4);
    all_leave(running, 4);
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
        cmocka_unit_test(throttling_without_memory),
        LEAK_TEST(who_waits_is_served_in_order),
        LEAK_TEST(a_full_queue_serves_the_last_first),
        LEAK_TEST(nobody_passes_the_queue),
        LEAK_TEST(patience_has_an_end),
        LEAK_TEST(nobody_waits_longer_than_a_quarter_of_its_time),
        LEAK_TEST(without_a_queue_who_is_too_much_is_refused_at_once),
        LEAK_TEST(a_stream_is_counted_until_its_head),
        LEAK_TEST(switched_off_it_lets_all_run),
        LEAK_TEST(what_attempts_tell_moves_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
