/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that want labels choose among the endpoints that have them: Envoy's subsets. */
#include "told.h"

enum { MOST_COUNTED = 16 };

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
    model_subsets_free(f->conf->subsets);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(requests_go_to_those_with_their_labels),
        LEAK_TEST(fallbacks_are_obeyed),
        LEAK_TEST(a_list_may_stand_for_its_values),
        LEAK_TEST(parts_follow_what_happens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
