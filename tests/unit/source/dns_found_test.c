/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses to endpoints: pairs, duplicates, priorities, weights; and what a service makes of what its targets say. */
#include "mesh_test.h"

#include <string.h>

#include "source/dns_data.h"
#include "source/dns_service.h"

static struct addr addr(const char *text)
{
    struct addr out;

    assert_true(addr_parse(&out, text, strlen(text), 0));
    return out;
}

static void assert_endpoint(const struct model_endpoints *set, size_t at, const char *address, const char *alternative)
{
    char text[ADDR_TEXT];

    assert_string_equal(addr_format(&set->endpoints[at].addr, text), address);
    assert_string_equal(addr_format(&model_endpoint_rare(set, &set->endpoints[at])->alternative, text), alternative);
}

/* ---- pairs ---- */

static void add_families(struct dns_founds *founds, enum addr_family prefers)
{
    struct addr addrs[] = { addr("10.0.0.1"), addr("10.0.0.2"), addr("10.0.0.3"), addr("fd00::1"), addr("fd00::2") };
    struct dns_host_of of = { .zone = "z", .hostname = "host", .port = 80, .weight = 7, .priority = 3 };

    dns_founds_add_host(founds, addrs, COUNT_OF(addrs), prefers, &of);
}

static void the_preferred_family_leads(void **state)
{
    struct dns_founds founds = { 0 };
    struct model_endpoints *set;

    (void) state;
    add_families(&founds, ADDR_IPV6);
    set = dns_founds_endpoints(&founds, NULL, "dns");
    assert_int_equal(set->n, 3);
    assert_endpoint(set, 0, "[fd00::1]:80", "10.0.0.1:80");
    assert_endpoint(set, 1, "[fd00::2]:80", "10.0.0.2:80");
    assert_endpoint(set, 2, "10.0.0.3:80", "");
    assert_string_equal(model_endpoint_locality(set, &set->endpoints[2])->label, "z");
    assert_string_equal(model_endpoint_rare(set, &set->endpoints[2])->hostname, "host");
    assert_int_equal(set->endpoints[2].weight, 7);
    assert_int_equal(model_endpoint_locality(set, &set->endpoints[2])->priority, 0); /* the best there is */
    model_endpoints_unref(set);
    dns_founds_clear(&founds);

    add_families(&founds, ADDR_IPV4);
    set = dns_founds_endpoints(&founds, NULL, "dns");
    assert_endpoint(set, 0, "10.0.0.1:80", "[fd00::1]:80");
    assert_endpoint(set, 2, "10.0.0.3:80", "");
    model_endpoints_unref(set);
    dns_founds_clear(&founds);
}

/* ---- duplicates, priorities ---- */

static void only_families_that_are_wanted(void **state)
{
    static const struct {
        enum service_families families;
        const char *with_both, *with_ipv6;
    } cases[] = {
        { FAMILIES_BOTH, "10.0.0.1:80", "[fd00::1]:80" },
        { FAMILIES_IPV4, "10.0.0.1:80", NULL },
        { FAMILIES_IPV6, "[fd00::1]:80", "[fd00::1]:80" },
        { FAMILIES_IPV4_FIRST, "10.0.0.1:80", "[fd00::1]:80" },
    };
    struct addr addrs[2];

    (void) state;
    addr_parse(&addrs[0], "10.0.0.1", 8, 0);
    addr_parse(&addrs[1], "fd00::1", 7, 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct dns_host_of of = { .zone = "", .hostname = "", .port = 80, .weight = 1, .families = cases[i].families };
        struct dns_founds both = { 0 }, ipv6 = { 0 };
        char text[ADDR_TEXT];

        dns_founds_add_host(&both, addrs, 2, ADDR_IPV4, &of);
        assert_int_equal(both.n, 1);
        assert_string_equal(addr_format(&both.items[0].addr, text), cases[i].with_both);
        assert_int_equal(both.items[0].alternative.family != ADDR_NONE, cases[i].families == FAMILIES_BOTH);
        dns_founds_add_host(&ipv6, &addrs[1], 1, ADDR_IPV4, &of);
        assert_int_equal(ipv6.n, cases[i].with_ipv6 != NULL);
        if (ipv6.n > 0)
            assert_string_equal(addr_format(&ipv6.items[0].addr, text), cases[i].with_ipv6);
        dns_founds_clear(&both);
        dns_founds_clear(&ipv6);
    }
}

static void add(struct dns_founds *founds, const char *text, uint32_t priority, uint32_t weight)
{
    struct dns_host_of of = { .zone = "", .hostname = "", .weight = weight, .priority = priority };
    struct addr one = addr(text);

    dns_founds_add(founds, &one, NULL, &of);
}

/* LOGICAL_DNS: no connection is given up because the answer has another order. */
static void one_stays_as_long_as_it_is_there(void **state)
{
    static const char *const answers[][3] = { { "10.0.0.1:80", "10.0.0.2:80" },
                                              { "10.0.0.2:80", "10.0.0.1:80" },
                                              { "10.0.0.2:80", "10.0.0.3:80" } };
    static const char *const kept[] = { "10.0.0.1:80", "10.0.0.1:80", "10.0.0.2:80" };
    struct model_endpoints *now = model_endpoints_new(ENDPOINTS_PENDING, "dns", 0);

    (void) state;
    for (size_t i = 0; i < COUNT_OF(kept); i++) {
        struct dns_founds founds = { 0 };
        char text[ADDR_TEXT];

        add(&founds, answers[i][0], 0, 1);
        add(&founds, answers[i][1], 0, 1);
        dns_founds_keep_one(&founds, now);
        model_endpoints_unref(now);
        now = dns_founds_endpoints(&founds, NULL, "dns");
        assert_int_equal(now->n, 1);
        assert_string_equal(addr_format(&now->endpoints[0].addr, text), kept[i]);
        dns_founds_clear(&founds);
    }
    model_endpoints_unref(now);
}

static void priorities_have_no_gaps_and_the_best_wins(void **state)
{
    struct dns_founds founds = { 0 };
    struct model_endpoints *set;

    (void) state;
    add(&founds, "10.0.0.1:80", 40, 1);
    add(&founds, "10.0.0.2:80", 7, 2);
    add(&founds, "10.0.0.3:80", 40, 3);
    add(&founds, "10.0.0.1:81", 7, 4);
    add(&founds, "10.0.0.3:80", 9, 5);
    add(&founds, "10.0.0.3:80", 9, 6);
    set = dns_founds_endpoints(&founds, NULL, "srv");
    assert_int_equal(set->n, 4);
    assert_endpoint(set, 0, "10.0.0.2:80", "");
    assert_endpoint(set, 1, "10.0.0.1:81", "");
    assert_endpoint(set, 2, "10.0.0.3:80", "");
    assert_int_equal(model_endpoint_locality(set, &set->endpoints[2])->priority, 1);
    assert_int_equal(set->endpoints[2].weight, 5);
    assert_endpoint(set, 3, "10.0.0.1:80", "");
    assert_int_equal(model_endpoint_locality(set, &set->endpoints[3])->priority, 2);
    model_endpoints_unref(set);
    dns_founds_clear(&founds);
}

static void an_alternative_counts_as_the_same_place(void **state)
{
    struct dns_founds founds = { 0 };
    struct model_endpoints *set;

    (void) state;
    add_families(&founds, ADDR_IPV6);
    add(&founds, "10.0.0.1:80", 3, 1);
    add(&founds, "10.0.0.1:81", 3, 1);
    set = dns_founds_endpoints(&founds, NULL, "dns");
    assert_int_equal(set->n, 4);
    assert_endpoint(set, 3, "10.0.0.1:81", "");
    model_endpoints_unref(set);
    dns_founds_clear(&founds);
}

static void nothing_is_an_empty_set(void **state)
{
    struct dns_founds founds = { 0 };
    struct model_endpoints *set = dns_founds_endpoints(&founds, NULL, "dns");

    (void) state;
    assert_int_equal(set->n, 0);
    model_endpoints_unref(set);
}

static void unix_paths_are_copied(void **state)
{
    struct dns_founds founds = { 0 };
    struct dns_host_of of = { .zone = "z", .hostname = "" };
    char path[] = "/run/x.sock";
    struct model_endpoints *set;
    struct addr one;

    (void) state;
    assert_true(addr_unix(&one, path));
    dns_founds_add(&founds, &one, NULL, &of);
    set = dns_founds_endpoints(&founds, NULL, "static");
    dns_founds_clear(&founds);
    path[1] = '?';
    assert_endpoint(set, 0, "unix:/run/x.sock", "");
    model_endpoints_unref(set);
}

static int32_t make_a_set(void)
{
    struct dns_founds founds = { 0 };
    struct model_endpoints *set;

    add_families(&founds, ADDR_IPV6);
    for (int i = 0; i < 40; i++)
        add(&founds, "10.9.0.1:80", 1, 1);
    set = dns_founds_endpoints(&founds, NULL, "dns");
    dns_founds_clear(&founds);
    model_endpoints_unref(set);
    return set ? 0 : MESH_ERR_NOMEM;
}

static void running_out_of_memory_leaves_nothing(void **state)
{
    (void) state;
    mesh_test_each_allocation_fails(make_a_set);
}

/* ---- SRV records ---- */

static void a_weight_of_nothing_is_seldom_not_never(void **state)
{
    struct net_srv plain[] = { { 1, 5, 80, "a" }, { 1, 1, 80, "b" } };
    struct net_srv none[] = { { 1, 0, 80, "a" }, { 1, 0, 80, "b" } };
    struct net_srv mixed[] = { { 1, 5, 80, "a" }, { 1, 0, 80, "b" } };

    (void) state;
    assert_false(dns_srv_mixed(plain, 2));
    assert_false(dns_srv_mixed(none, 2));
    assert_true(dns_srv_mixed(mixed, 2));
    assert_int_equal(dns_srv_weight(5, false), 5);
    assert_int_equal(dns_srv_weight(0, false), 1);
    assert_int_equal(dns_srv_weight(5, true), 500);
    assert_int_equal(dns_srv_weight(0, true), 1);
    assert_int_equal(dns_srv_weight(65535, true), 6553500);
}

static void only_the_root_alone_withdraws(void **state)
{
    struct net_srv records[] = { { 0, 0, 0, "" }, { 1, 5, 80, "a" } };

    (void) state;
    assert_true(dns_srv_withdrawn(records, 1));
    assert_false(dns_srv_withdrawn(records, 2));
    assert_false(dns_srv_withdrawn(records, 0));
    assert_false(dns_srv_usable(&records[0]));
    assert_true(dns_srv_usable(&records[1]));
    records[1].port = 0;
    assert_false(dns_srv_usable(&records[1]));
}

/* ---- answers ---- */

static void sorted_and_cut_whatever_their_order(void **state)
{
    static struct addr up[1500], down[1500];
    static const struct dns_data nothing;
    struct net_answer answer = { .n_addrs = COUNT_OF(up) };
    struct dns_data a, b;

    (void) state;
    for (uint32_t i = 0; i < COUNT_OF(up); i++) {
        up[i] = (struct addr){ .family = ADDR_IPV4, .ip = { 10, 0, (uint8_t) (i >> 8), (uint8_t) i } };
        down[COUNT_OF(up) - 1 - i] = up[i];
    }
    answer.addrs = up;
    assert_true(dns_data_take(&a, &answer, &nothing));
    answer.addrs = down;
    assert_true(dns_data_take(&b, &answer, &nothing));
    assert_int_equal(a.n_addrs, DNS_MOST_RECORDS);
    assert_int_equal(a.left_out, 500);
    assert_true(dns_data_equal(&a, &b));
    dns_data_clear(&a);
    dns_data_clear(&b);
}

static void half_an_answer_keeps_the_other_half(void **state)
{
    static const struct dns_data nothing;
    struct addr both[] = { addr("fd00::1"), addr("10.0.0.1") }, one[] = { addr("10.0.0.2") };
    struct net_answer answer = { .addrs = both, .n_addrs = 2 };
    struct dns_data before, after;

    (void) state;
    assert_true(dns_data_take(&before, &answer, &nothing));
    answer = (struct net_answer){ .addrs = one, .n_addrs = 1, .partial = true };
    assert_true(dns_data_take(&after, &answer, &before));
    assert_int_equal(after.n_addrs, 2);
    assert_int_equal(after.prefers, ADDR_IPV6);
    dns_data_clear(&after);
    answer.partial = false;
    assert_true(dns_data_take(&after, &answer, &before));
    assert_int_equal(after.n_addrs, 1);
    dns_data_clear(&before);
    dns_data_clear(&after);
}

/* ---- the decision ---- */

static void what_a_service_makes_of_it(void **state)
{
    static const struct {
        struct dns_tally tally;
        size_t n_found;
        bool had_good, waited;
        enum dns_verdict verdict;
    } cases[] = {
        { { .pending = 1 }, 0, false, false, DNS_HOLD },   /* nothing yet */
        { { .pending = 1 }, 2, false, false, DNS_HOLD },   /* the others are about to come */
        { { .pending = 1 }, 2, false, true, DNS_PUBLISH }, /* they take too long */
        { { .pending = 1 }, 0, true, true, DNS_HOLD },     /* never from something to nothing while more may come */
        { { .pending = 0 }, 2, false, false, DNS_PUBLISH },
        { { .failed = 1 }, 2, true, false, DNS_PUBLISH }, /* one zone fails, the others serve */
        { { .failed = 1 }, 0, true, false, DNS_KEEP },
        { { .failed = 1 }, 0, false, false, DNS_FAIL },
        { { .withdrawn = 1 }, 0, true, false, DNS_WITHDRAW },
        { { .withdrawn = 1, .failed = 1 }, 0, true, false, DNS_FAIL }, /* what was withdrawn is not kept */
        { { .withdrawn = 1 }, 2, true, false, DNS_PUBLISH },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (dns_service_judge(&cases[i].tally, cases[i].n_found, cases[i].had_good, cases[i].waited) !=
            cases[i].verdict)
            fail_msg("case %zu", i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(the_preferred_family_leads),
        LEAK_TEST(only_families_that_are_wanted),
        LEAK_TEST(one_stays_as_long_as_it_is_there),
        LEAK_TEST(priorities_have_no_gaps_and_the_best_wins),
        LEAK_TEST(an_alternative_counts_as_the_same_place),
        LEAK_TEST(nothing_is_an_empty_set),
        LEAK_TEST(unix_paths_are_copied),
        cmocka_unit_test(running_out_of_memory_leaves_nothing),
        LEAK_TEST(a_weight_of_nothing_is_seldom_not_never),
        LEAK_TEST(only_the_root_alone_withdraws),
        LEAK_TEST(sorted_and_cut_whatever_their_order),
        LEAK_TEST(half_an_answer_keeps_the_other_half),
        LEAK_TEST(what_a_service_makes_of_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
