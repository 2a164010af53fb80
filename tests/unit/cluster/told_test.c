/* SPDX-License-Identifier: Apache-2.0 */
/* What a control plane tells of endpoints, and what the cluster makes of it: localities by weight, health, very large sets. */
#include "told.h"

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

static struct model_endpoints *named_for_hashing(const char *name)
{
    struct model_endpoints *set = SET({ { "10.0.0.1:80", "a", NULL, 0, 0, 0, 0 } });
    struct model_rare rare = { .hostname = "", .hash_key = name };

    set->endpoints[0].rare = model_endpoints_rare(set, &rare);
    return set;
}

/* "hash_key" of the metadata stands in for the address on rings. */
static void hashing_has_the_name_that_is_told(void **state)
{
    struct fixture f = begin("ring_hash");

    (void) state;
    take(&f, named_for_hashing("shard-1"));
    assert_string_equal(find(&f, "10.0.0.1:80")->stats->balance.hash_key, "shard-1");
    take(&f, named_for_hashing("shard-2"));
    assert_string_equal(find(&f, "10.0.0.1:80")->stats->balance.hash_key, "shard-2");
    take(&f, named_for_hashing(""));
    assert_string_equal(find(&f, "10.0.0.1:80")->stats->balance.hash_key, "10.0.0.1:80");
    end(&f);
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

/* ---- endpoints that nobody names any more ---- */

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
        LEAK_TEST(hashing_has_the_name_that_is_told),
        LEAK_TEST(who_is_not_to_be_used_is_not),
        LEAK_TEST(panic_uses_all_but_those_in_peace),
        LEAK_TEST(degraded_ones_take_the_rest),
        LEAK_TEST(the_set_says_how_much_is_enough),
        LEAK_TEST(held_ones_go_when_they_fail),
        LEAK_TEST(of_a_very_large_set_few_are_made),
        LEAK_TEST(others_take_the_place_of_the_unwell),
        LEAK_TEST(hashing_needs_all),
        cmocka_unit_test(memory_may_run_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
