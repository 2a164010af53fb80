/* SPDX-License-Identifier: Apache-2.0 */
/* What a control plane tells of a cluster's endpoints, and what the cluster makes of it: localities by weight, health, drops,
 * settings of other clusters, load by locality, very large sets. On a loop that the test drives; nothing is connected. */
#include <string.h>

#include "cluster/state.h"
#include "cluster/zone.h"
#include "test_loop.h"

enum { MOST_COUNTED = 16 };

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

static struct model_cluster *conf_new(const char *name, const char *balance)
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

static struct fixture begin(const char *balance)
{
    struct fixture f = { .loop = test_loop_new(), .conf = conf_new("users", balance) };

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

static struct model_endpoints *set_of(const struct told *told, size_t n)
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

#define SET(...)     set_of((const struct told[]) __VA_ARGS__, COUNT_OF(((const struct told[]) __VA_ARGS__)))
#define TAKE(f, ...) take(f, SET(__VA_ARGS__))

static struct endpoint *choose(struct fixture *f, uint64_t key)
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
static unsigned percent_of(struct fixture *f, const char *prefix)
{
    enum { CALLS = 10000 };
    unsigned n = 0;

    for (unsigned i = 0; i < CALLS; i++)
        n += text_starts_with(choose(f, i * UINT64_C(0x9e3779b97f4a7c15))->address, prefix);
    return (n + CALLS / 200) / (CALLS / 100);
}

static void assert_percent(struct fixture *f, const char *prefix, unsigned wanted)
{
    unsigned got = percent_of(f, prefix);

    if (got + 3 < wanted || got > wanted + 3)
        fail_msg("%u %% go to %s..., not %u", got, prefix, wanted);
}

static struct endpoint *find(struct fixture *f, const char *address)
{
    LIST_EACH(link, &f->cluster->endpoints) {
        struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, link);

        if (strcmp(endpoint->address, address) == 0)
            return endpoint;
    }
    return NULL;
}

/* ---- localities ---- */

static void localities_share_by_weight(void **state)
{
    struct fixture f = begin("round_robin");

    (void) state;
    f.conf->policy.spill.weighted = true;
    f.conf->policy.spill.zones = true;
    f.conf->policy.spill.zone = "a"; /* the own zone does not count */
    TAKE(&f, { { "10.0.1.1:80", "a", NULL, 0, 1, 0, 0 },
               { "10.0.2.1:80", "b", NULL, 0, 2, 0, 0 },
               { "10.0.2.2:80", "b", NULL, 0, 2, 0, 0 },
               { "10.0.3.1:80", "b", "rack-7", 0, 1, 0, 0 }, /* a place of its own */
               { "10.0.4.1:80", "c", NULL, 0, 0, 0, 0 } });  /* no weight: nothing */
    assert_percent(&f, "10.0.1.", 25);
    assert_percent(&f, "10.0.2.", 50);
    assert_percent(&f, "10.0.3.", 25);
    assert_int_equal(percent_of(&f, "10.0.4."), 0);
    end(&f);
}

static void without_weights_everybody_is_used(void **state)
{
    struct fixture f = begin("round_robin");

    (void) state;
    f.conf->policy.spill.weighted = true;
    TAKE(&f, { { "10.0.1.1:80", "a", NULL, 0, 0, 0, 0 }, { "10.0.2.1:80", "b", NULL, 0, 0, 0, 0 } });
    percent_of(&f, "10.0.1."); /* somebody is chosen each time */
    end(&f);
}

/* Half of b is not well: 2 * 1.4 / 2 = 1.4 to 1. */
static void a_locality_that_is_not_well_weighs_less(void **state)
{
    struct fixture f = begin("round_robin");

    (void) state;
    f.conf->policy.spill.weighted = true;
    TAKE(&f, { { "10.0.1.1:80", "a", NULL, 0, 1, 0, 0 },
               { "10.0.2.1:80", "b", NULL, 0, 2, 0, 0 },
               { "10.0.2.2:80", "b", NULL, 0, 2, ENDPOINT_UNHEALTHY, 0 } });
    assert_percent(&f, "10.0.2.1", 58);
    assert_int_equal(percent_of(&f, "10.0.2.2"), 0);
    end(&f);
}

static void retries_leave_a_locality_that_was_tried(void **state)
{
    struct fixture f = begin("round_robin");

    (void) state;
    f.conf->policy.spill.weighted = true;
    TAKE(&f, { { "10.0.1.1:80", "a", NULL, 0, 1000, 0, 0 }, { "10.0.2.1:80", "b", NULL, 0, 1, 0, 0 } });
    for (int i = 0; i < 100; i++) {
        struct endpoint *tried = find(&f, "10.0.1.1:80"), *endpoint;
        struct cluster_hint hint = { .tried = &tried, .n_tried = 1 };
        struct fault fault;

        loop_enter(f.loop);
        MESH_OK(cluster_choose(f.cluster, &hint, &endpoint, &fault));
        loop_leave(f.loop);
        assert_string_equal(endpoint->address, "10.0.2.1:80");
    }
    end(&f);
}

/* One table, in which a locality's part is its weight's, whatever the endpoints in it weigh. */
static void hashing_has_the_localities_weights(void **state)
{
    static const char *const policies[] = { "ring_hash", "maglev" };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(policies); i++) {
        struct fixture f = begin(policies[i]);

        f.conf->policy.spill.weighted = true;
        f.conf->policy.ring_min_size = 16384;
        TAKE(&f, { { "10.0.1.1:80", "a", NULL, 0, 1, 0, 7 },
                   { "10.0.2.1:80", "b", NULL, 0, 3, 0, 1 },
                   { "10.0.2.2:80", "b", NULL, 0, 3, 0, 2 },
                   { "10.0.3.1:80", "c", NULL, 0, 0, 0, 0 } });
        assert_percent(&f, "10.0.1.", 25);
        assert_percent(&f, "10.0.2.1", 25);
        assert_percent(&f, "10.0.2.2", 50);
        assert_int_equal(percent_of(&f, "10.0.3."), 0);
        end(&f);
    }
}

/* ---- health ---- */

static void who_is_not_to_be_used_is_not(void **state)
{
    struct fixture f = begin("round_robin");
    char why[FAULT_TEXT];

    (void) state;
    TAKE(&f, { { "10.0.0.1:80", NULL, NULL, 0, 0, ENDPOINT_UNHEALTHY, 0 },
               { "10.0.0.2:80", NULL, NULL, 0, 0, ENDPOINT_DRAINING, 0 },
               { "10.0.0.3:80", NULL, NULL, 0, 0, ENDPOINT_TIMED_OUT, 0 },
               { "10.0.0.4:80", NULL, NULL, 0, 0, ENDPOINT_HEALTHY, 0 } });
    assert_int_equal(percent_of(&f, "10.0.0.4"), 100);
    assert_string_equal(endpoint_state(find(&f, "10.0.0.2:80"), why), "draining");
    assert_string_equal(why, "the control plane says that it is not to be used");
    assert_string_equal(endpoint_state(find(&f, "10.0.0.1:80"), why), "unhealthy");
    assert_string_equal(endpoint_state(find(&f, "10.0.0.4:80"), why), "idle");
    end(&f);
}

static void panic_uses_all_but_those_in_peace(void **state)
{
    struct fixture f = begin("round_robin");

    (void) state;
    TAKE(&f, { { "10.0.0.1:80", NULL, NULL, 0, 0, ENDPOINT_UNHEALTHY, 0 },
               { "10.0.0.2:80", NULL, NULL, 0, 0, ENDPOINT_DRAINING, 0 },
               { "10.0.0.3:80", NULL, NULL, 0, 0, ENDPOINT_TIMED_OUT, 0 } });
    assert_percent(&f, "10.0.0.1", 50);
    assert_percent(&f, "10.0.0.3", 50);
    TAKE(&f, { { "10.0.0.2:80", NULL, NULL, 0, 0, ENDPOINT_DRAINING, 0 } });
    assert_int_equal(percent_of(&f, "10.0.0.2"), 100); /* better than nobody */
    end(&f);
}

/* 140 * 1/4 = 35 % can be carried by the healthy one. */
static void degraded_ones_take_the_rest(void **state)
{
    struct fixture f = begin("round_robin");
    char why[FAULT_TEXT];

    (void) state;
    TAKE(&f, { { "10.0.1.1:80", NULL, NULL, 0, 0, 0, 0 },
               { "10.0.2.1:80", NULL, NULL, 0, 0, ENDPOINT_DEGRADED, 0 },
               { "10.0.2.2:80", NULL, NULL, 0, 0, ENDPOINT_DEGRADED, 0 },
               { "10.0.2.3:80", NULL, NULL, 0, 0, ENDPOINT_DEGRADED, 0 } });
    assert_percent(&f, "10.0.1.", 35);
    assert_percent(&f, "10.0.2.", 65);
    assert_string_equal(endpoint_state(find(&f, "10.0.2.1:80"), why), "degraded");
    TAKE(&f, { { "10.0.1.1:80", NULL, NULL, 0, 0, 0, 0 },
               { "10.0.1.2:80", NULL, NULL, 0, 0, 0, 0 },
               { "10.0.1.3:80", NULL, NULL, 0, 0, 0, 0 },
               { "10.0.2.3:80", NULL, NULL, 0, 0, ENDPOINT_DEGRADED, 0 } });
    assert_int_equal(percent_of(&f, "10.0.2."), 0);
    TAKE(&f, { { "10.0.2.1:80", NULL, NULL, 0, 0, ENDPOINT_DEGRADED, 0 },
               { "10.0.2.2:80", NULL, NULL, 0, 0, ENDPOINT_UNHEALTHY, 0 } });
    assert_int_equal(percent_of(&f, "10.0.2.1"), 100);
    end(&f);
}

static void the_set_says_how_much_is_enough(void **state)
{
    struct fixture f = begin("round_robin");
    struct model_endpoints *set;

    (void) state;
    for (uint32_t percent = 100; percent <= 200; percent += 100) {
        set = SET({ { "10.0.1.1:80", NULL, NULL, 0, 0, 0, 0 },
                    { "10.0.1.2:80", NULL, NULL, 0, 0, ENDPOINT_UNHEALTHY, 0 },
                    { "10.0.2.1:80", NULL, NULL, 1, 0, 0, 0 } });
        set->overprovisioning_percent = percent;
        take(&f, set);
        assert_percent(&f, "10.0.1.", percent / 2);
    }
    set = SET({ { "10.0.1.1:80", NULL, NULL, 0, 0, 0, 1 },
                { "10.0.1.2:80", NULL, NULL, 0, 0, ENDPOINT_UNHEALTHY, 3 },
                { "10.0.2.1:80", NULL, NULL, 1, 0, 0, 0 } });
    set->overprovisioning_percent = 100;
    set->health_by_weight = true;
    take(&f, set);
    assert_percent(&f, "10.0.1.", 25);
    end(&f);
}

/* ---- drops ---- */

static int32_t admitted(struct fixture *f, struct fault *fault)
{
    struct admission admission = { .criticality = CRITICALITY_CRITICAL };
    int32_t err;

    loop_enter(f->loop);
    err = admission_enter(&admission, f->cluster, fault);
    admission_leave(&admission);
    loop_leave(f->loop);
    return err;
}

static void drop(struct model_endpoints *set, const struct model_drop *drops, size_t n)
{
    struct model_drop *copy = model_endpoints_alloc(set, n * sizeof *copy);

    memcpy(copy, drops, n * sizeof *copy);
    set->drops = copy;
    set->n_drops = n;
}

struct heard {
    struct {
        char what[64];
        struct load_figures figures;
    } items[MOST_COUNTED];
    size_t n;
};

static struct load_figures *hear(struct heard *heard, const char *what)
{
    assert_true(heard->n < MOST_COUNTED);
    snprintf(heard->items[heard->n].what, sizeof heard->items[0].what, "%s", what);
    return &heard->items[heard->n++].figures;
}

static void on_endpoint(void *user, const struct load_place *place, const char *address,
                        const struct load_figures *figures)
{
    (void) place;
    *hear(user, address) = *figures;
}

static void on_place(void *user, const struct load_place *place, const struct load_figures *figures)
{
    char what[64];

    snprintf(what, sizeof what, "%s|%s|%s|%s|%u", place->cluster, place->region, place->zone, place->sub_zone,
             place->priority);
    *hear(user, what) = *figures;
}

static void on_drop(void *user, const char *category, uint64_t n)
{
    hear(user, category ? category : "(breaker)")->issued = n;
}

static struct heard reported(struct fixture *f)
{
    struct heard heard = { .n = 0 };
    struct load_listener listener = { on_endpoint, on_place, on_drop, &heard };

    load_take(f->shared, &listener);
    return heard;
}

static const struct load_figures *figures_of(const struct heard *heard, const char *what)
{
    for (size_t i = 0; i < heard->n; i++)
        if (strcmp(heard->items[i].what, what) == 0)
            return &heard->items[i].figures;
    fail_msg("nothing was told of \"%s\"", what);
    return NULL;
}

static void what_is_to_be_dropped_is_not_sent(void **state)
{
    static const struct model_drop drops[] = { { "lb", 250000, 0 }, { "throttle", 500000, 0 } };
    struct fixture f = begin("round_robin");
    struct model_endpoints *set = SET({ { "10.0.0.1:80", NULL, NULL, 0, 0, 0, 0 } });
    unsigned dropped = 0;
    struct heard heard;
    struct fault fault;

    (void) state;
    drop(set, drops, COUNT_OF(drops));
    take(&f, set);
    for (int i = 0; i < 10000; i++) {
        int32_t err = admitted(&f, &fault);

        assert_true(err == 0 || err == MESH_ERR_THROTTLED);
        dropped += err != 0;
    }
    assert_in_range(dropped, 6050, 6450); /* 1 - 0.75 * 0.5 */
    assert_non_null(strstr(fault.text, "the control plane wants"));
    heard = reported(&f);
    assert_in_range(figures_of(&heard, "lb")->issued, 2300, 2700);
    assert_int_equal(figures_of(&heard, "lb")->issued + figures_of(&heard, "throttle")->issued, dropped);
    heard = reported(&f);
    assert_int_equal(heard.n, 0); /* each is told once */
    TAKE(&f, { { "10.0.0.1:80", NULL, NULL, 0, 0, 0, 0 } });
    for (int i = 0; i < 100; i++)
        MESH_OK(admitted(&f, &fault));
    end(&f);
}

/* ---- load ---- */

static void attempt(struct fixture *f, struct endpoint *endpoint, enum attempt_outcome outcome)
{
    loop_enter(f->loop);
    endpoint_begin(endpoint);
    endpoint_end(endpoint, outcome, 1000);
    loop_leave(f->loop);
}

static void load_is_told_by_locality(void **state)
{
    struct fixture f = begin("round_robin");
    struct endpoint *running;
    struct heard heard;

    (void) state;
    TAKE(&f, { { "10.0.1.1:80", "a", NULL, 0, 0, 0, 0 },
               { "10.0.1.2:80", "a", NULL, 0, 0, 0, 0 },
               { "10.0.2.1:80", "b", "rack-7", 1, 0, 0, 0 } });
    heard = reported(&f);
    assert_int_equal(heard.n, 0);
    attempt(&f, find(&f, "10.0.1.1:80"), ATTEMPT_ANSWERED);
    attempt(&f, find(&f, "10.0.1.2:80"), ATTEMPT_FAILED);
    attempt(&f, find(&f, "10.0.1.2:80"), ATTEMPT_ANSWERED);
    running = find(&f, "10.0.2.1:80");
    loop_enter(f.loop);
    endpoint_begin(running);
    loop_leave(f.loop);
    heard = reported(&f);
    assert_int_equal(heard.n, 5);
    assert_int_equal(figures_of(&heard, "|eu|a||0")->issued, 3);
    assert_int_equal(figures_of(&heard, "|eu|a||0")->succeeded, 2);
    assert_int_equal(figures_of(&heard, "|eu|a||0")->failed, 1);
    assert_int_equal(figures_of(&heard, "10.0.1.2:80")->issued, 2);
    assert_int_equal(figures_of(&heard, "|eu|b|rack-7|1")->active, 1);

    /* An endpoint that moves, and one that leaves: nothing is lost. */
    attempt(&f, find(&f, "10.0.1.1:80"), ATTEMPT_ANSWERED);
    attempt(&f, find(&f, "10.0.1.2:80"), ATTEMPT_ANSWERED);
    TAKE(&f, { { "10.0.1.1:80", "a", "rack-1", 0, 0, 0, 0 }, { "10.0.2.1:80", "b", "rack-7", 1, 0, 0, 0 } });
    attempt(&f, find(&f, "10.0.1.1:80"), ATTEMPT_ANSWERED);
    heard = reported(&f);
    assert_int_equal(figures_of(&heard, "|eu|a||0")->issued, 2);
    assert_int_equal(figures_of(&heard, "|eu|a|rack-1|0")->issued, 1);
    loop_enter(f.loop);
    endpoint_end(running, ATTEMPT_ANSWERED, 1000);
    loop_leave(f.loop);
    heard = reported(&f);
    assert_int_equal(figures_of(&heard, "|eu|b|rack-7|1")->succeeded, 1);
    assert_int_equal(figures_of(&heard, "|eu|b|rack-7|1")->active, 0);
    end(&f);
}

/* ---- endpoints of other clusters ---- */

static struct model_endpoints *joined(struct model_cluster *first, struct model_cluster *second)
{
    struct model_entry members[] = {
        { first, SET({ { "10.0.1.1:80", "a", NULL, 0, 0, ENDPOINT_UNHEALTHY, 0 },
                       { "10.0.1.2:80", "a", NULL, 1, 0, 0, 0 } }) },
        { second, SET({ { "10.0.1.2:80", "a", NULL, 0, 0, 0, 0 } }) },
    };
    static const struct model_drop of_second = { "second", 1000000, 0 };
    struct model_endpoints *set;

    drop(members[1].endpoints, &of_second, 1);
    set = model_endpoints_join(members, COUNT_OF(members));
    model_endpoints_unref(members[0].endpoints);
    model_endpoints_unref(members[1].endpoints);
    return set;
}

static void members_keep_their_settings(void **state)
{
    struct fixture f = begin("round_robin");
    struct model_cluster *first = conf_new("first", ""), *second = conf_new("second", "");
    struct model_endpoints *set;
    struct endpoint *by_first, *by_second;
    struct heard heard;

    (void) state;
    first->protocol = MODEL_HTTP;
    model_cluster_identify(first);
    set = joined(first, second);
    assert_int_equal(set->n, 3);
    take(&f, model_endpoints_ref(set));
    by_first = find(&f, "10.0.1.2:80");
    assert_int_equal(endpoint_settings(by_first)->protocol, MODEL_HTTP);
    by_second = CONTAINER_OF(f.cluster->endpoints.prev, struct endpoint, link);
    assert_string_equal(by_second->address, "10.0.1.2:80");
    assert_int_equal(endpoint_settings(by_second)->protocol, MODEL_H2C);
    assert_ptr_not_equal(by_first->stats, by_second->stats); /* the same address twice, in two clusters */
    assert_int_equal(by_first->priority, 1);
    assert_int_equal(by_second->priority, 2);
    for (int i = 0; i < 100; i++)
        assert_ptr_equal(choose(&f, 0), by_first);
    attempt(&f, by_first, ATTEMPT_ANSWERED);
    heard = reported(&f);
    assert_int_equal(figures_of(&heard, "first|eu|a||1")->issued, 1);

    /* The same again keeps them; another protocol of one member replaces its endpoints alone. */
    take(&f, set);
    assert_ptr_equal(find(&f, "10.0.1.2:80"), by_first);
    model_cluster_unref(first);
    first = conf_new("first", "");
    take(&f, joined(first, second));
    assert_ptr_not_equal(find(&f, "10.0.1.2:80"), by_first);
    assert_ptr_equal(CONTAINER_OF(f.cluster->endpoints.prev, struct endpoint, link), by_second);
    end(&f);
    model_cluster_unref(first);
    model_cluster_unref(second);
}

static void a_members_drops_are_its_own(void **state)
{
    struct fixture f = begin("round_robin");
    struct model_cluster *first = conf_new("first", ""), *second = conf_new("second", "");
    struct cluster_hint hint = { .key = 0 };
    struct endpoint *endpoint;
    struct fault fault;

    (void) state;
    take(&f, joined(first, second));
    MESH_OK(admitted(&f, &fault));
    choose(&f, 0);
    find(&f, "10.0.1.2:80")->told_health = ENDPOINT_UNHEALTHY; /* so that the second is next */
    loop_enter(f.loop);
    assert_true(zones_build(&f.cluster->all));
    MESH_ERR(MESH_ERR_THROTTLED, cluster_choose(f.cluster, &hint, &endpoint, &fault));
    loop_leave(f.loop);
    assert_non_null(strstr(fault.text, "category \"second\""));
    end(&f);
    model_cluster_unref(first);
    model_cluster_unref(second);
}

/* What nobody names any more serves until it fails. */
static void held_ones_go_when_they_fail(void **state)
{
    struct fixture f = begin("round_robin");
    struct model_endpoints *before =
        SET({ { "10.0.0.1:80", NULL, NULL, 0, 0, 0, 0 }, { "10.0.0.2:80", NULL, NULL, 0, 0, 0, 0 } });
    struct model_endpoints *now = model_endpoints_new(ENDPOINTS_READY, "eds", 0);
    char why[FAULT_TEXT];

    (void) state;
    take(&f, model_endpoints_ref(before));
    take(&f, model_endpoints_hold(now, before));
    assert_percent(&f, "10.0.0.1", 50);
    attempt(&f, find(&f, "10.0.0.1:80"), ATTEMPT_FAILED);
    assert_int_equal(percent_of(&f, "10.0.0.2"), 100);
    assert_string_equal(endpoint_state(find(&f, "10.0.0.1:80"), why), "gone");
    model_endpoints_unref(before);
    model_endpoints_unref(now);
    end(&f);
}

/* ---- parts by labels ---- */

struct labelled {
    const char *address, *version, *stage; /* JSON; NULL: it has no such label */
};

static struct model_endpoints *labelled_set(const struct labelled *from, size_t n)
{
    struct model_endpoints *set = model_endpoints_new(ENDPOINTS_READY, "eds", n);

    for (size_t i = 0; i < n; i++) {
        struct model_labels *labels = model_endpoints_alloc(set, sizeof *labels + 2 * sizeof labels->items[0]);
        struct model_rare rare = { .hostname = "", .hash_key = "", .labels = labels };

        assert_true(addr_parse(&set->endpoints[i].addr, from[i].address, strlen(from[i].address), 80));
        if (from[i].stage)
            labels->items[labels->n++] = (struct model_label){ "stage", from[i].stage };
        if (from[i].version)
            labels->items[labels->n++] = (struct model_label){ "version", from[i].version };
        set->endpoints[i].rare = model_endpoints_rare(set, &rare);
    }
    return set;
}

static struct model_endpoints *stages(void)
{
    static const struct labelled endpoints[] = {
        { "10.0.1.1:80", "\"v1\"", "\"prod\"" },
        { "10.0.1.2:80", "\"v1\"", "\"dev\"" },
        { "10.0.2.1:80", "\"v2\"", "\"prod\"" },
        { "10.0.3.1:80", NULL, NULL },
        { "10.0.4.1:80", "[\"v3\",\"v,4\",[\"v5\"]]", NULL },
    };

    return labelled_set(endpoints, COUNT_OF(endpoints));
}

static const char *version_key[] = { "version" };
static const char *both_keys[] = { "stage", "version" };

/* Takes selectors over by value; they live as long as the test. */
static void divide(struct fixture *f, enum subset_fallback fallback, struct subset_selector *selectors, size_t n)
{
    struct model_subsets *subsets = model_subsets_new();

    subsets->fallback = fallback;
    subsets->selectors = selectors;
    subsets->n = n;
    model_subsets_unref(f->conf->subsets);
    f->conf->subsets = subsets;
}

/* Addresses that are chosen, sorted; "" nobody. */
static const char *chosen(struct fixture *f, struct route_subset_entry *entries, size_t n)
{
    static char text[128];
    struct route_subset subset = { n, entries };
    struct cluster_hint hint = { .subset = &subset };
    bool seen[MOST_COUNTED] = { 0 };
    struct fault fault;

    loop_enter(f->loop);
    for (int i = 0; i < 64; i++) {
        struct endpoint *endpoint;
        int32_t err = cluster_choose(f->cluster, &hint, &endpoint, &fault);

        assert_true(err == 0 || err == MESH_ERR_NO_HEALTHY);
        if (!err)
            seen[endpoint->addrs[0].ip[2] * 2 + endpoint->addrs[0].ip[3]] = true;
    }
    loop_leave(f->loop);
    text[0] = '\0';
    for (int i = 0; i < MOST_COUNTED; i++)
        if (seen[i])
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d.%d", text[0] ? " " : "", (i - 1) / 2,
                     2 - i % 2);
    return text;
}

#define CHOSEN(f, wanted, ...)                                                                                       \
    assert_string_equal(                                                                                             \
        chosen(f, (struct route_subset_entry[]) __VA_ARGS__, COUNT_OF(((struct route_subset_entry[]) __VA_ARGS__))), \
        wanted)

static void requests_go_to_those_with_their_labels(void **state)
{
    struct subset_selector selectors[] = { { .n_keys = 1, .keys = version_key }, { .n_keys = 2, .keys = both_keys } };
    struct fixture f = begin("round_robin");
    struct fault fault;
    struct endpoint *endpoint;
    struct cluster_hint hint = { .subset = NULL };

    (void) state;
    divide(&f, SUBSET_FALLBACK_NOBODY, selectors, COUNT_OF(selectors));
    take(&f, stages());
    CHOSEN(&f, "1.1 1.2", { { "version", "\"v1\"" } });
    CHOSEN(&f, "2.1", { { "version", "\"v2\"" } });
    CHOSEN(&f, "1.1", { { "stage", "\"prod\"" }, { "version", "\"v1\"" } });
    CHOSEN(&f, "", { { "version", "\"v7\"" } });
    CHOSEN(&f, "", { { "stage", "\"prod\"" } }); /* no selector has these keys */
    loop_enter(f.loop);
    MESH_ERR(MESH_ERR_NO_HEALTHY, cluster_choose(f.cluster, &hint, &endpoint, &fault));
    loop_leave(f.loop);
    assert_non_null(strstr(fault.text, "divided by labels"));
    take(&f, labelled_set((const struct labelled[]){ { "10.0.1.1:80", "\"v2\"", NULL } }, 1));
    CHOSEN(&f, "1.1", { { "version", "\"v2\"" } }); /* labels may change */
    CHOSEN(&f, "", { { "version", "\"v1\"" } });
    end(&f);
}

static void fallbacks_are_obeyed(void **state)
{
    struct subset_selector selectors[] = {
        { .n_keys = 1, .keys = version_key, .fallback = SUBSET_FALLBACK_NOBODY },
        { .n_keys = 2,
          .keys = both_keys,
          .fallback = SUBSET_FALLBACK_KEYS,
          .n_fallback_keys = 1,
          .fallback_keys = version_key },
    };
    struct model_label defaults[] = { { "stage", "\"dev\"" } };
    struct fixture f = begin("round_robin");

    (void) state;
    divide(&f, SUBSET_FALLBACK_ANY, selectors, COUNT_OF(selectors));
    take(&f, stages());
    CHOSEN(&f, "1.1 1.2 2.1 3.1 4.1", { { "stage", "\"prod\"" } });
    CHOSEN(&f, "", { { "version", "\"v7\"" } }); /* the selector's own word */
    CHOSEN(&f, "2.1", { { "stage", "\"dev\"" }, { "version", "\"v2\"" } });
    CHOSEN(&f, "", { { "stage", "\"dev\"" }, { "version", "\"v7\"" } });
    divide(&f, SUBSET_FALLBACK_DEFAULT, selectors, COUNT_OF(selectors));
    f.conf->subsets->defaults = defaults;
    f.conf->subsets->n_defaults = 1;
    CHOSEN(&f, "1.2", { { "stage", "\"prod\"" } });
    f.conf->subsets->panic_any = true;
    CHOSEN(&f, "1.1 1.2 2.1 3.1 4.1", { { "version", "\"v7\"" } });
    end(&f);
}

static void a_list_may_stand_for_its_values(void **state)
{
    struct subset_selector selectors[] = { { .n_keys = 1, .keys = version_key } };
    struct fixture f = begin("round_robin");

    (void) state;
    divide(&f, SUBSET_FALLBACK_NOBODY, selectors, 1);
    take(&f, stages());
    CHOSEN(&f, "", { { "version", "\"v3\"" } });
    divide(&f, SUBSET_FALLBACK_NOBODY, selectors, 1);
    f.conf->subsets->list_as_any = true;
    take(&f, stages());
    CHOSEN(&f, "4.1", { { "version", "\"v3\"" } });
    CHOSEN(&f, "4.1", { { "version", "\"v,4\"" } });
    CHOSEN(&f, "4.1", { { "version", "[\"v5\"]" } });
    CHOSEN(&f, "", { { "version", "\"v5\"" } });
    end(&f);
}

/* Those that are not well in a part are passed over in it, and many parts are not all kept. */
static void parts_follow_what_happens(void **state)
{
    struct subset_selector selectors[] = { { .n_keys = 1, .keys = version_key, .fallback = SUBSET_FALLBACK_ANY } };
    struct fixture f = begin("round_robin");

    (void) state;
    divide(&f, SUBSET_FALLBACK_NOBODY, selectors, 1);
    take(&f, stages());
    CHOSEN(&f, "1.1 1.2", { { "version", "\"v1\"" } });
    loop_enter(f.loop);
    atomic_store(&find(&f, "10.0.1.1:80")->stats->health, HEALTH_UNHEALTHY);
    assert_true(cluster_build_view(f.cluster));
    loop_leave(f.loop);
    CHOSEN(&f, "1.2", { { "version", "\"v1\"" } });
    for (int i = 0; i < 1000; i++) {
        char value[16];

        snprintf(value, sizeof value, "%d", i);
        CHOSEN(&f, "1.2 2.1 3.1 4.1", { { "version", value } });
    }
    assert_in_range(f.cluster->n_parts, 1, 300);
    CHOSEN(&f, "1.2", { { "version", "\"v1\"" } });
    end(&f);
}

/* ---- very large sets ---- */

enum { MANY = 20000 };

/* The first `changed` ones are others in each generation. */
static struct model_endpoints *large_set(size_t changed, unsigned generation)
{
    struct model_endpoints *set = model_endpoints_new(ENDPOINTS_READY, "eds", MANY);

    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t number = i < changed ? MANY * (generation + 1) + i : i;
        struct addr *addr = &set->endpoints[i].addr;

        *addr = (struct addr){ .family = ADDR_IPV4, .port = 80 };
        addr->ip[0] = 10;
        addr->ip[1] = (uint8_t) (number >> 16);
        addr->ip[2] = (uint8_t) (number >> 8);
        addr->ip[3] = (uint8_t) number;
        assert_true(model_endpoints_place(set, &set->endpoints[i], i % 2 ? "a" : "b", 0));
    }
    return set;
}

static size_t mark(struct fixture *f)
{
    size_t n = 0;

    LIST_EACH(link, &f->cluster->endpoints) {
        CONTAINER_OF(link, struct endpoint, link)->attempts = 1;
        n++;
    }
    return n;
}

static size_t count_marked(struct fixture *f)
{
    size_t n = 0;

    LIST_EACH(link, &f->cluster->endpoints) {
        n += CONTAINER_OF(link, struct endpoint, link)->attempts;
        CONTAINER_OF(link, struct endpoint, link)->attempts = 0;
    }
    return n;
}

static void of_a_very_large_set_few_are_made(void **state)
{
    struct fixture f = begin("round_robin");
    size_t made;

    (void) state;
    take(&f, large_set(0, 0));
    made = mark(&f);
    assert_in_range(made, 200, 1000);
    assert_int_equal(f.cluster->n_endpoints, MANY);
    assert_int_equal(f.cluster->n_usable, MANY);
    take(&f, large_set(MANY / 100, 0)); /* 1 % are others: nearly all stay */
    assert_int_equal(f.cluster->n_made, made);
    assert_in_range(count_marked(&f), made - made / 20, made);
    end(&f);
}

/* When many of those that are used are not well, others take their place. */
static void others_take_the_place_of_the_unwell(void **state)
{
    struct fixture f = begin("round_robin");
    size_t made;

    (void) state;
    take(&f, large_set(0, 0));
    made = f.cluster->n_made;
    loop_enter(f.loop);
    LIST_EACH(link, &f.cluster->endpoints) {
        atomic_store(&CONTAINER_OF(link, struct endpoint, link)->stats->health, HEALTH_UNHEALTHY);
    }
    assert_true(cluster_build_view(f.cluster));
    loop_leave(f.loop);
    assert_true(f.cluster->n_made >= 2 * made);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(atomic_load(&choose(&f, 0)->stats->health), HEALTH_UNKNOWN);
    end(&f);
}

static void hashing_needs_all(void **state)
{
    struct fixture f = begin("maglev");

    (void) state;
    take(&f, large_set(0, 0));
    assert_int_equal(f.cluster->n_made, MANY);
    end(&f);
}

static void memory_may_run_out(void **state)
{
    struct fixture f = begin("round_robin");
    struct model_endpoints *set = large_set(10, 1);
    bool reached = true;

    (void) state;
    f.conf->policy.spill.weighted = true;
    take(&f, large_set(0, 0));
    for (uint64_t nth = 1; reached; nth++) {
        struct model_entry entry = { f.conf, set };
        int64_t live;
        int32_t err;

        mem_watch(nth, false);
        loop_enter(f.loop);
        err = cluster_update(f.cluster, &entry);
        loop_leave(f.loop);
        reached = mem_unwatch(&live);
        assert_true(err == 0 || (reached && err == MESH_ERR_NOMEM));
        choose(&f, 0);
        take(&f, large_set(0, 0));
    }
    model_endpoints_unref(set);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(localities_share_by_weight),
        LEAK_TEST(without_weights_everybody_is_used),
        LEAK_TEST(a_locality_that_is_not_well_weighs_less),
        LEAK_TEST(retries_leave_a_locality_that_was_tried),
        LEAK_TEST(hashing_has_the_localities_weights),
        LEAK_TEST(who_is_not_to_be_used_is_not),
        LEAK_TEST(panic_uses_all_but_those_in_peace),
        LEAK_TEST(degraded_ones_take_the_rest),
        LEAK_TEST(the_set_says_how_much_is_enough),
        LEAK_TEST(what_is_to_be_dropped_is_not_sent),
        LEAK_TEST(load_is_told_by_locality),
        LEAK_TEST(members_keep_their_settings),
        LEAK_TEST(a_members_drops_are_its_own),
        LEAK_TEST(held_ones_go_when_they_fail),
        LEAK_TEST(requests_go_to_those_with_their_labels),
        LEAK_TEST(fallbacks_are_obeyed),
        LEAK_TEST(a_list_may_stand_for_its_values),
        LEAK_TEST(parts_follow_what_happens),
        LEAK_TEST(of_a_very_large_set_few_are_made),
        LEAK_TEST(others_take_the_place_of_the_unwell),
        LEAK_TEST(hashing_needs_all),
        cmocka_unit_test(memory_may_run_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
