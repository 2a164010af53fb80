/* SPDX-License-Identifier: Apache-2.0 */
/* What hashing knows an endpoint by: its address, a hash_key of its own, or its host name where the control plane says so. */
#include "told.h"

static struct model_endpoints *named_set(void)
{
    struct model_endpoints *set = SET({ { "10.0.1.1:80", "a", NULL, 0, 1, 0, 0 },
                                        { "10.0.1.2:80", "a", NULL, 0, 1, 0, 0 },
                                        { "10.0.1.3:80", "a", NULL, 0, 1, 0, 0 } });
    struct model_rare rare = { .hostname = "", .hash_key = "" };

    assert_true(model_endpoints_name(set, &set->endpoints[0], "first.test", &(struct addr){ 0 }));
    rare.hostname = model_endpoints_text(set, "second.test", strlen("second.test"));
    rare.hash_key = model_endpoints_text(set, "own", strlen("own"));
    set->endpoints[1].rare = model_endpoints_rare(set, &rare);
    return set;
}

static void assert_keys(struct fixture *f, const char *first, const char *second, const char *third)
{
    assert_string_equal(find(f, "10.0.1.1:80")->stats->balance.hash_key, first);
    assert_string_equal(find(f, "10.0.1.2:80")->stats->balance.hash_key, second);
    assert_string_equal(find(f, "10.0.1.3:80")->stats->balance.hash_key, third);
}

static void host_names_where_they_are_wanted(void **state)
{
    struct fixture f = begin("ring_hash");

    (void) state;
    f.conf->policy.hash.by_hostname = true;
    take(&f, named_set());
    assert_keys(&f, "first.test", "own", "10.0.1.3:80");
    end(&f);
}

/* Another configuration holds at once, though the endpoints are the same. */
static void another_configuration_holds_at_once(void **state)
{
    struct fixture f = begin("ring_hash");
    struct model_endpoints *set = named_set();
    struct model_cluster *before = f.conf;

    (void) state;
    take(&f, model_endpoints_ref(set));
    assert_keys(&f, "10.0.1.1:80", "own", "10.0.1.3:80");
    f.conf = conf_new("users", "ring_hash");
    f.conf->policy.hash.by_hostname = true;
    take(&f, model_endpoints_ref(set));
    assert_keys(&f, "first.test", "own", "10.0.1.3:80");
    model_endpoints_unref(set);
    model_cluster_unref(before);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(host_names_where_they_are_wanted),
        LEAK_TEST(another_configuration_holds_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
