/* SPDX-License-Identifier: Apache-2.0 */
/* A cluster of endpoints of which a control plane tells, on a loop that the test drives; nothing is connected. */
#ifndef TESTS_UNIT_CLUSTER_TOLD_H
#define TESTS_UNIT_CLUSTER_TOLD_H

#include <string.h>

#include "cluster/state.h"
#include "cluster/zone.h"
#include "test_loop.h"

struct fixture {
    struct loop *loop;
    struct cluster *cluster;
    struct cluster_shared *shared;
    struct model_cluster *conf;
};

/* One endpoint: address, place, weights, and what is told of it. */
struct told {
    const char *address, *zone, *sub_zone;
    uint32_t priority, locality_weight;
    enum model_health health;
    uint32_t weight; /* 0: 1 */
};

static inline struct model_cluster *conf_new(const char *name, const char *balance)
{
    struct model_cluster *conf = model_cluster_new(name);

    conf->protocol = MODEL_H2C;
    conf->policy.connect_timeout_ms = 1000;
    conf->policy.spill.overprovisioning_percent = 140;
    conf->policy.breaker = (struct policy_breaker){ .max_connections = 5, .max_pending = 5, .max_requests = 100000 };
    conf->policy.balance = balance;
    model_cluster_identify(conf);
    return conf;
}

static inline struct fixture begin(const char *balance)
{
    struct fixture f = { .loop = test_loop_new(), .conf = conf_new("users", balance) };

    f.shared = cluster_shared_new("users");
    return f;
}

static inline void end(struct fixture *f)
{
    loop_enter(f->loop);
    cluster_unref(f->cluster);
    loop_leave(f->loop);
    cluster_shared_unref(f->shared);
    model_cluster_unref(f->conf);
    loop_free(f->loop);
}

static inline struct model_endpoints *set_of(const struct told *told, size_t n)
{
    struct model_endpoints *set = model_endpoints_new(ENDPOINTS_READY, "eds", n);

    for (size_t i = 0; i < n; i++) {
        struct model_locality place = { .region = "eu",
                                        .zone = told[i].zone ? told[i].zone : "",
                                        .sub_zone = told[i].sub_zone ? told[i].sub_zone : "",
                                        .priority = told[i].priority,
                                        .weight = told[i].locality_weight };

        assert_true(addr_parse(&set->endpoints[i].addr, told[i].address, strlen(told[i].address), 80));
        set->endpoints[i].locality = model_endpoints_locality(set, &place);
        set->endpoints[i].health = (uint8_t) told[i].health;
        set->endpoints[i].weight = told[i].weight ? told[i].weight : 1;
    }
    return set;
}

/* Takes the set over. */
static inline void take(struct fixture *f, struct model_endpoints *set)
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

#define SET(...)     set_of((const struct told[]) __VA_ARGS__, COUNT_OF(((const struct told[]) __VA_ARGS__)))
#define TAKE(f, ...) take(f, SET(__VA_ARGS__))

static inline struct endpoint *choose(struct fixture *f, uint64_t key)
{
    struct cluster_hint hint = { .key = key };
    struct endpoint *endpoint;
    struct fault fault;

    loop_enter(f->loop);
    MESH_OK(cluster_choose(f->cluster, &hint, &endpoint, &fault));
    loop_leave(f->loop);
    return endpoint;
}

/* Percents of the attempts that go to addresses which begin so. */
static inline unsigned percent_of(struct fixture *f, const char *prefix)
{
    enum { CALLS = 10000 };
    unsigned n = 0;

    for (unsigned i = 0; i < CALLS; i++)
        n += text_starts_with(choose(f, i * UINT64_C(0x9e3779b97f4a7c15))->address, prefix);
    return (n + CALLS / 200) / (CALLS / 100);
}

static inline void assert_percent(struct fixture *f, const char *prefix, unsigned wanted)
{
    unsigned got = percent_of(f, prefix);

    if (got + 3 < wanted || got > wanted + 3)
        fail_msg("%u %% go to %s..., not %u", got, prefix, wanted);
}

static inline struct endpoint *find(struct fixture *f, const char *address)
{
    LIST_EACH(link, &f->cluster->endpoints) {
        struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, link);

        if (strcmp(endpoint->address, address) == 0)
            return endpoint;
    }
    return NULL;
}

static inline void attempt(struct fixture *f, struct endpoint *endpoint, enum attempt_outcome outcome)
{
    loop_enter(f->loop);
    endpoint_begin(endpoint);
    endpoint_end(endpoint, outcome, 1000);
    loop_leave(f->loop);
}

#endif
