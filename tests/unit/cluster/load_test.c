/* SPDX-License-Identifier: Apache-2.0 */
/* What is dropped, what is told of the load, and endpoints that come from other clusters. */
#include "told.h"

enum { MOST_COUNTED = 16 };

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(what_is_to_be_dropped_is_not_sent),
        LEAK_TEST(load_is_told_by_locality),
        LEAK_TEST(members_keep_their_settings),
        LEAK_TEST(a_members_drops_are_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
