/* SPDX-License-Identifier: Apache-2.0 */
/* lb_subset_config becomes sorted keys and labels; what contradicts itself is refused. */
#include "support/read_cluster.h"

static void selectors_and_defaults(void **state)
{
    struct xds_cluster *cluster = accepted(
        EDS
        "lb_subset_config { fallback_policy: DEFAULT_SUBSET panic_mode_any: true list_as_any: true default_subset { "
        "fields { key: \"version\" value { string_value: \"v1\" } } fields { key: \"stage\" value { number_value: 2 } "
        "} "
        "fields { key: \"version\" value { string_value: \"v2\" } } } "
        "subset_selectors { keys: \"version\" keys: \"stage\" keys: \"version\" fallback_policy: KEYS_SUBSET "
        "fallback_keys_subset: \"version\" } subset_selectors { keys: \"stage\" } }");
    const struct model_subsets *subsets = cluster->conf->subsets;

    (void) state;
    assert_non_null(subsets);
    assert_int_equal(subsets->fallback, SUBSET_FALLBACK_DEFAULT);
    assert_true(subsets->panic_any);
    assert_true(subsets->list_as_any);
    assert_int_equal(subsets->n_defaults, 2);
    assert_string_equal(subsets->defaults[0].key, "stage");
    assert_string_equal(subsets->defaults[0].value, "2");
    assert_string_equal(subsets->defaults[1].key, "version");
    assert_string_equal(subsets->defaults[1].value, "\"v2\"");
    assert_int_equal(subsets->n, 2);
    assert_int_equal(subsets->selectors[0].n_keys, 2);
    assert_string_equal(subsets->selectors[0].keys[0], "stage");
    assert_string_equal(subsets->selectors[0].keys[1], "version");
    assert_int_equal(subsets->selectors[0].fallback, SUBSET_FALLBACK_KEYS);
    assert_int_equal(subsets->selectors[0].n_fallback_keys, 1);
    assert_string_equal(subsets->selectors[0].fallback_keys[0], "version");
    assert_int_equal(subsets->selectors[1].fallback, SUBSET_FALLBACK_UNSAID);
    xds_cluster_unref(cluster);
}

static void fallbacks(void **state)
{
    static const struct {
        const char *cluster, *selector;
        enum subset_fallback of_cluster, of_selector;
    } cases[] = {
        { "NO_FALLBACK", "NOT_DEFINED", SUBSET_FALLBACK_NOBODY, SUBSET_FALLBACK_UNSAID },
        { "ANY_ENDPOINT", "NO_FALLBACK", SUBSET_FALLBACK_ANY, SUBSET_FALLBACK_NOBODY },
        { "DEFAULT_SUBSET", "ANY_ENDPOINT", SUBSET_FALLBACK_DEFAULT, SUBSET_FALLBACK_ANY },
        { "NO_FALLBACK", "DEFAULT_SUBSET", SUBSET_FALLBACK_NOBODY, SUBSET_FALLBACK_DEFAULT },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct xds_cluster *cluster;
        char text[512];

        snprintf(text, sizeof text,
                 EDS "lb_subset_config { fallback_policy: %s subset_selectors { keys: \"a\" fallback_policy: %s } }",
                 cases[i].cluster, cases[i].selector);
        cluster = accepted(text);
        assert_int_equal(cluster->conf->subsets->fallback, cases[i].of_cluster);
        assert_int_equal(cluster->conf->subsets->selectors[0].fallback, cases[i].of_selector);
        xds_cluster_unref(cluster);
    }
}

static void without_selectors_there_are_none(void **state)
{
    struct xds_cluster *cluster = accepted(EDS "lb_subset_config { fallback_policy: ANY_ENDPOINT }");

    (void) state;
    assert_null(cluster->conf->subsets);
    xds_cluster_unref(cluster);
}

#define SELECTOR(text) EDS "lb_subset_config { subset_selectors { " text " } }"

static void contradictions(void **state)
{
    (void) state;
    refuses(SELECTOR(""), "lb_subset_config.subset_selectors[0].keys: there is none");
    refuses(
        SELECTOR("keys: \"a\" fallback_policy: KEYS_SUBSET"),
        "lb_subset_config.subset_selectors[0].fallback_keys_subset: is missing, but KEYS_SUBSET says that it holds");
    refuses(SELECTOR("keys: \"a\" keys: \"c\" fallback_policy: KEYS_SUBSET fallback_keys_subset: \"b\""),
            "lb_subset_config.subset_selectors[0].fallback_keys_subset: \"b\" is none of the keys");
    refuses(SELECTOR("keys: \"a\" fallback_policy: KEYS_SUBSET fallback_keys_subset: \"a\""),
            "lb_subset_config.subset_selectors[0].fallback_keys_subset: has all of the keys: some are allowed");
    refuses(SELECTOR("keys: \"a\" fallback_keys_subset: \"a\""),
            "lb_subset_config.subset_selectors[0].fallback_keys_subset: is for KEYS_SUBSET alone");
    refuses(SELECTOR("keys: \"a\" fallback_policy: 5"),
            "lb_subset_config.subset_selectors[0].fallback_policy: 5 does not exist");
    refuses(EDS "lb_subset_config { fallback_policy: 3 subset_selectors { keys: \"a\" } }",
            "lb_subset_config.fallback_policy: 3 does not exist");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLUSTER_TEST(selectors_and_defaults),
        CLUSTER_TEST(fallbacks),
        CLUSTER_TEST(without_selectors_there_are_none),
        CLUSTER_TEST(contradictions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
