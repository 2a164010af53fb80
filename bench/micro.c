/* SPDX-License-Identifier: Apache-2.0 */
/* What has no connection in it: how long a pick and the whole choice of an endpoint take, what passing the limits and recording a request cost, how long a cluster
 * takes up a new set of endpoints, and how much memory an endpoint needs. Prints one object of JSON. */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "balance/balance.h"
#include "bench/micro.h"
#include "cluster/cluster.h"
#include "loop/loop.h"
#include "model/model.h"
#include "request/trace.h"

enum { FEW = 3, MANY = 100000, PICKS = 20000, ROUNDS = 50, SWAPS = 9, CHANGED = MANY / 100 };

void need(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "micro: %s\n", what);
    exit(1);
}

/* ---- picks ---- */

/* What a pick costs depends on these. */
struct crowd_conf {
    size_t n;
    bool weighted, half_slow; /* slow ones make `adaptive` look at as many candidates as it ever does */
};

struct crowd {
    struct balance_endpoint *endpoints;
    struct balance_endpoint **pointers;
    char (*names)[ADDR_TEXT];
    struct balance_view view;
};

static void crowd_make(struct crowd *crowd, const struct crowd_conf *conf)
{
    size_t n = conf->n;

    *crowd = (struct crowd){
        .endpoints = mem_array(n, sizeof *crowd->endpoints),
        .pointers = mem_array(n, sizeof *crowd->pointers),
        .names = mem_array(n, sizeof *crowd->names),
    };
    need(crowd->endpoints && crowd->pointers && crowd->names, "no memory");
    for (size_t i = 0; i < n; i++) {
        struct balance_endpoint *endpoint = &crowd->endpoints[i];

        endpoint->weight = conf->weighted ? 1 + (uint32_t) (i % 7) : 1;
        endpoint->active = (uint32_t) (i % 5);
        endpoint->hash_key = crowd->names[i];
        snprintf(crowd->names[i], sizeof crowd->names[i], "10.0.0.0:%zu", i);
        for (int k = 0; k < BALANCE_INTRODUCTION; k++)
            balance_answered(endpoint, conf->half_slow && i % 2 ? 9000 : 1000 + i % 500, US_PER_S);
        crowd->pointers[i] = endpoint;
    }
    need(balance_view_build(&crowd->view, crowd->pointers, n), "no memory");
}

static void crowd_free(struct crowd *crowd)
{
    balance_view_free(&crowd->view);
    mem_free(crowd->pointers);
    mem_free(crowd->names);
    mem_free(crowd->endpoints);
}

/* Picks as requests do them, a hundred thousand a second: who is picked has one more in flight until a few later ones have
 * been picked. */
static uint64_t pick_round_us(struct balancer *balancer, struct crowd *crowd, struct balance_hint *hint,
                              struct rand *dice)
{
    enum { IN_FLIGHT = 64, EVERY_US = 10 };
    size_t in_flight[IN_FLIGHT] = { 0 };
    uint64_t began = clock_now_us();

    for (size_t i = 0; i < PICKS; i++) {
        size_t *slot = &in_flight[i % IN_FLIGHT];

        if (i >= IN_FLIGHT)
            balance_ended(&crowd->endpoints[*slot]);
        hint->key = rand_u64(dice);
        hint->now_us += EVERY_US;
        *slot = (size_t) balance_pick(balancer, &crowd->view, hint, dice);
        balance_began(&crowd->endpoints[*slot], hint->now_us);
    }
    return clock_now_us() - began;
}

/* The least of several rounds: what a pick costs while nobody else has the processor and its caches. */
static double pick_ns(const struct balance_ops *policy, struct crowd *crowd)
{
    struct balance_hint hint = { .now_us = US_PER_S, .idempotent = true };
    struct balancer *balancer = policy->make(&(struct balance_conf){ 0 });
    uint64_t least = UINT64_MAX;
    struct rand dice;

    need(balancer && balance_prepare(balancer, &crowd->view), "no memory");
    rand_seed_with(&dice, 1);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t took = pick_round_us(balancer, crowd, &hint, &dice);

        least = took < least ? took : least;
    }
    policy->free(balancer);
    return (double) least * 1e3 / PICKS;
}

static const char *truth(bool value)
{
    return value ? "true" : "false";
}

static void measure_policy(const struct balance_ops *policy, const struct crowd_conf *conf, const char **comma)
{
    struct crowd crowd;

    need(policy != NULL, "a policy is missing");
    crowd_make(&crowd, conf);
    printf("%s{\"policy\": \"%s\", \"endpoints\": %zu, \"weighted\": %s, \"half_slow\": %s, \"ns\": %.1f}", *comma,
           policy->name, conf->n, truth(conf->weighted), truth(conf->half_slow), pick_ns(policy, &crowd));
    crowd_free(&crowd);
    *comma = ", ";
}

static void measure_picks(void)
{
    static const char *const names[] = { "adaptive", "least_request", "round_robin", "random", "ring_hash", "maglev" };
    static const struct crowd_conf confs[] = {
        { FEW, false, false }, { FEW, true, false }, { MANY, false, false }, { MANY, true, false }
    };
    const char *comma = "";

    printf("\"picks\": [");
    for (size_t i = 0; i < COUNT_OF(names) * COUNT_OF(confs); i++)
        measure_policy(balance_find(names[i / COUNT_OF(confs)]), &confs[i % COUNT_OF(confs)], &comma);
    measure_policy(&balance_adaptive, &(struct crowd_conf){ MANY, false, true }, &comma);
    printf("], ");
}

/* ---- sets ---- */

/* Endpoint i of generation g; a later generation has other addresses for the first CHANGED of them. */
static struct model_endpoints *make_set(uint32_t n, uint32_t n_zones, unsigned generation)
{
    static const char *const zones[] = { "zone-a", "zone-b", "zone-c" };
    struct model_endpoints *set = model_endpoints_new(ENDPOINTS_READY, "static", n);

    need(set != NULL, "no memory");
    for (uint32_t i = 0; i < n; i++) {
        struct model_endpoint *endpoint = &set->endpoints[i];
        uint32_t number = i < CHANGED ? MANY + generation * CHANGED + i : i;

        endpoint->addr = (struct addr){ .family = ADDR_IPV4, .port = 8080 };
        endpoint->addr.ip[0] = 10;
        endpoint->addr.ip[1] = (uint8_t) (number >> 16);
        endpoint->addr.ip[2] = (uint8_t) (number >> 8);
        endpoint->addr.ip[3] = (uint8_t) number;
        need(model_endpoints_place(set, endpoint, zones[i % n_zones], 0), "no memory");
    }
    return set;
}

static size_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

/* Of this thread: what takes milliseconds is interrupted where others work too. */
static double cpu_ms(void)
{
    struct timespec used;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (double) used.tv_sec * 1e3 + (double) used.tv_nsec / 1e6;
}

/* A new state of the cluster, as the client brings it in: until the loop's turn is over. */
static double swap_ms(struct loop *loop, struct cluster *cluster, struct model_cluster *conf, unsigned generation)
{
    struct model_endpoints *set = make_set(MANY, 1, generation);
    struct model_entry entry = { conf, set };
    double began = cpu_ms();

    loop_enter(loop);
    need(cluster_update(cluster, &entry) == 0, "the cluster does not take the set");
    loop_leave(loop);
    began = cpu_ms() - began;
    model_endpoints_unref(set);
    return began;
}

/* Takes the set over. */
static struct cluster *make_cluster(struct loop *loop, struct model_cluster *conf, struct model_endpoints *set)
{
    struct cluster_env env = { .loop = loop };
    struct model_entry entry = { conf, set };
    struct cluster_shared *shared = cluster_shared_new("micro");
    struct cluster *cluster;

    need(shared != NULL, "no memory");
    loop_enter(loop);
    need(cluster_new(&env, &entry, shared, &cluster) == 0, "the cluster cannot be made");
    loop_leave(loop);
    model_endpoints_unref(set);
    cluster_shared_unref(shared);
    return cluster;
}

static void measure_sets(void)
{
    struct loop_conf threadless = { .threadless = true };
    struct model_cluster *conf = model_cluster_new("micro");
    struct cluster *cluster;
    struct loop *loop = NULL;
    double times[SWAPS], first_ms;
    size_t before;

    need(conf && loop_new(&threadless, &loop) == 0, "no memory");
    before = allocated();
    first_ms = cpu_ms();
    cluster = make_cluster(loop, conf, make_set(MANY, 1, 0));
    first_ms = cpu_ms() - first_ms;
    printf("\"swaps\": [{\"endpoints\": %d, \"first_ms\": %.2f, \"bytes_per_endpoint\": %.1f, ", MANY, first_ms,
           (double) (allocated() - before) / MANY);
    for (unsigned i = 0; i < SWAPS; i++)
        times[i] = swap_ms(loop, cluster, conf, i + 1);
    qsort(times, SWAPS, sizeof times[0], by_value);
    printf("\"swap_ms\": %.2f}]", times[SWAPS / 2]);
    loop_enter(loop);
    cluster_unref(cluster);
    loop_leave(loop);
    loop_free(loop);
    model_cluster_unref(conf);
}

/* ---- the whole choice ---- */

/* Zone, isolation, balancer, and the record of it, as the first attempt of a request asks for. */
static void choose(struct cluster *cluster, struct rand *dice)
{
    struct cluster_choice choice = { .passed_by = NULL };
    struct cluster_hint hint = { .key = rand_u64(dice), .idempotent = true, .choice = &choice };
    struct endpoint *endpoint;
    struct fault fault;

    need(cluster_choose(cluster, &hint, &endpoint, &fault) == 0, "nobody is chosen");
}

static double choice_ns(struct loop *loop, struct cluster *cluster)
{
    uint64_t least = UINT64_MAX;
    struct rand dice;

    rand_seed_with(&dice, 1);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t began;

        loop_enter(loop);
        began = clock_now_us();
        for (int k = 0; k < PICKS; k++)
            choose(cluster, &dice);
        began = clock_now_us() - began;
        loop_leave(loop);
        least = began < least ? began : least;
    }
    return (double) least * 1e3 / PICKS;
}

static void introduce(struct cluster *cluster)
{
    uint64_t us = 1000;

    LIST_EACH(link, &cluster->endpoints) {
        struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, link);

        for (int k = 0; k < BALANCE_INTRODUCTION; k++)
            balance_answered(&endpoint->stats->balance, us++ % 2000, US_PER_S);
    }
}

static void measure_choice(struct loop *loop, uint32_t n, uint32_t n_zones, const char **comma)
{
    struct model_cluster *conf = model_cluster_new("micro");
    struct cluster *cluster;

    need(conf != NULL, "no memory");
    conf->protocol = MODEL_H2C;
    conf->policy.spill.zone = "zone-a";
    cluster = make_cluster(loop, conf, make_set(n, n_zones, 0));
    introduce(cluster);
    printf("%s{\"endpoints\": %u, \"zones\": %u, \"ns\": %.1f}", *comma, n, n_zones, choice_ns(loop, cluster));
    *comma = ", ";
    loop_enter(loop);
    cluster_unref(cluster);
    loop_leave(loop);
    conf->policy.spill.zone = NULL;
    model_cluster_unref(conf);
}

static void measure_choices(void)
{
    struct loop_conf threadless = { .threadless = true };
    struct loop *loop = NULL;
    const char *comma = "";

    need(loop_new(&threadless, &loop) == 0, "no memory");
    printf(", \"choices\": [");
    measure_choice(loop, FEW, 1, &comma);
    measure_choice(loop, FEW, 3, &comma);
    measure_choice(loop, MANY, 1, &comma);
    measure_choice(loop, MANY, 3, &comma);
    printf("]");
    loop_free(loop);
}

/* ---- limits ---- */

static const struct limits {
    const char *name;
    uint32_t max_requests, per_second;
    bool throttle, concurrency;
} limits[] = {
    { "off", 1024, 0, false, false },       { "rate_limit", 1024, 100000000, false, false },
    { "throttle", 1024, 0, true, false },   { "concurrency", 1024, 0, false, true },
    { "all", 1024, 100000000, true, true }, { "refused", 0, 0, false, false },
};

/* The way of a request past them, with what its attempt tells. */
static void pass_limits(struct cluster *cluster)
{
    struct admission admission = { .criticality = CRITICALITY_CRITICAL };
    struct fault fault;

    if (admission_enter(&admission, cluster, &fault) != 0)
        return;
    admission_sent(&admission);
    if (admission_listens(&admission))
        admission_answered(&admission, 1000);
    admission_leave(&admission);
}

static double limits_ns(struct cluster *cluster)
{
    uint64_t least = UINT64_MAX;

    for (int i = 0; i < ROUNDS; i++) {
        uint64_t began = clock_now_us();

        for (int k = 0; k < PICKS; k++)
            pass_limits(cluster);
        began = clock_now_us() - began;
        least = began < least ? began : least;
    }
    return (double) least * 1e3 / PICKS;
}

static void measure_limit(struct loop *loop, const struct limits *what)
{
    struct model_cluster *conf = model_cluster_new("micro");
    struct model_endpoints *nobody = model_endpoints_new(ENDPOINTS_READY, "static", 0);
    struct cluster *cluster;

    need(conf && nobody, "no memory");
    conf->policy.breaker.max_requests = what->max_requests;
    conf->policy.rate_limit.per_second = what->per_second;
    conf->policy.throttle = (struct policy_throttle){ what->throttle, 90 };
    conf->policy.concurrency = (struct policy_concurrency){ what->concurrency, 20, 4, 1000, 10 };
    cluster = make_cluster(loop, conf, nobody);
    loop_enter(loop);
    printf("%s{\"limits\": \"%s\", \"ns\": %.1f}", what == limits ? "" : ", ", what->name, limits_ns(cluster));
    cluster_unref(cluster);
    loop_leave(loop);
    model_cluster_unref(conf);
}

static void *do_nothing(void *nothing)
{
    return nothing;
}

/* glibc's locks are cheaper in a program that never had a second thread. */
static void measure_limits(void)
{
    struct loop_conf threadless = { .threadless = true };
    struct loop *loop = NULL;
    pthread_t second;

    need(pthread_create(&second, NULL, do_nothing, NULL) == 0, "no thread");
    pthread_join(second, NULL);
    need(loop_new(&threadless, &loop) == 0, "no memory");
    printf(", \"limits\": [");
    for (size_t i = 0; i < COUNT_OF(limits); i++)
        measure_limit(loop, &limits[i]);
    printf("]");
    loop_free(loop);
}

/* ---- records ---- */

/* One request with one attempt, and two candidates for it. */
static void record(struct traces *traces, const struct endpoint *endpoint, uint64_t now_us)
{
    static const struct trace_ask ask = { "users", "GET", "/v1/users/42/orders?page=1", .idempotent = true };
    struct trace *trace = trace_begin(traces, &ask, now_us);
    struct cluster_choice choice, *filled = trace_choice(trace, &choice);
    struct trace_attempt *attempt;

    filled->facts.policy = "adaptive";
    balance_note(&filled->balance, &endpoint->stats->balance, 1);
    balance_note(&filled->balance, &endpoint->stats->balance, 2);
    attempt = trace_attempt_begin(trace, endpoint, filled, now_us);
    trace_attempt_end(attempt, 200, now_us + 100);
    trace_end(traces, trace, 0, "", now_us + 100);
}

static void measure_records(void)
{
    struct endpoint_stats *stats = mem_zalloc(sizeof *stats);
    struct endpoint endpoint = { .stats = stats, .address = "10.0.0.7:8080", .zone = "zone-a" };
    uint64_t least = UINT64_MAX;
    struct traces traces;

    need(stats != NULL, "no memory");
    stats->balance.hash_key = endpoint.address;
    traces_init(&traces);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t began = clock_now_us(), took;

        for (uint64_t k = 0; k < PICKS; k++)
            record(&traces, &endpoint, US_PER_S + k);
        took = clock_now_us() - began;
        least = took < least ? took : least;
    }
    printf(", \"record_ns\": %.1f", (double) least * 1e3 / PICKS);
    traces_free(&traces);
    mem_free(stats);
}

int main(void)
{
    printf("{");
    measure_picks();
    measure_sets();
    measure_choices();
    measure_limits();
    measure_records();
    measure_routes();
    measure_assignments();
    printf("}\n");
    return 0;
}
