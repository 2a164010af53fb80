/* SPDX-License-Identifier: Apache-2.0 */
/* Whom injected faults meet, with what, and how many at once. */
#include "request/faults.h"

#include "mesh_test.h"

static const struct route_fraction always = { 100, 100 }, never = { 0, 100 }, half = { 5000, 10000 };

static struct faults_dealt deal(struct route_rules *rules, const struct mesh_header *headers, size_t n,
                                const char *cluster)
{
    struct route_request request = { .service = "shop", .method = "GET", .path = "/", .headers = headers };
    struct faults_dealt dealt;
    struct rand dice;

    request.n_headers = n;
    rand_seed_with(&dice, 7);
    faults_deal(rules, &request, cluster, &dice, &dealt);
    return dealt;
}

static struct route_rules rules_of(struct route_fault *faults, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (faults[i].most_active == 0)
            faults[i].most_active = UINT32_MAX;
    return (struct route_rules){ .n_faults = n, .faults = faults };
}

static void delays_add_up_and_the_first_abort_counts(void **state)
{
    struct route_fault faults[] = {
        { .has_delay = true, .delay_us = 5, .delay_fraction = always },
        { .has_delay = true, .delay_us = 50, .delay_fraction = never },
        { .has_delay = true,
          .delay_us = 7,
          .delay_fraction = always,
          .has_abort = true,
          .abort_status = 503,
          .abort_fraction = always },
        { .has_abort = true, .abort_status = 404, .abort_fraction = always },
    };
    struct route_rules rules = rules_of(faults, 4);
    struct faults_dealt dealt = deal(&rules, NULL, 0, NULL);

    (void) state;
    assert_int_equal(dealt.delay_us, 12);
    assert_true(dealt.aborts);
    assert_int_equal(dealt.status, 503);
    assert_int_equal(faults[0].active, 1);
    assert_int_equal(faults[1].active, 0);
    assert_int_equal(faults[2].active, 1);
    assert_int_equal(faults[3].active, 0);
    faults_end(&rules, dealt.counted);
    assert_int_equal(faults[0].active + faults[2].active, 0);
}

static void some_of_the_requests(void **state)
{
    struct route_fault fault = { .has_abort = true, .abort_status = 500, .abort_fraction = half };
    struct route_rules rules = rules_of(&fault, 1);
    struct route_request request = { .service = "shop", .method = "GET", .path = "/" };
    struct rand dice;
    unsigned n = 0;

    (void) state;
    rand_seed_with(&dice, 1);
    for (int i = 0; i < 1000; i++) {
        struct faults_dealt dealt;

        faults_deal(&rules, &request, NULL, &dice, &dealt);
        n += dealt.aborts;
        faults_end(&rules, dealt.counted);
    }
    assert_in_range(n, 400, 600);
    assert_int_equal(fault.active, 0);
}

static void only_requests_of_a_cluster_and_with_headers(void **state)
{
    struct match_header wanted = { .name = "x-test", .value = { .kind = MATCH_PRESENT } };
    struct route_fault fault = { .has_abort = true, .abort_status = 500, .abort_fraction = always, .cluster = "xds:a" };
    struct route_rules rules = rules_of(&fault, 1);
    struct mesh_header header = { "X-Test", "1" };

    (void) state;
    assert_true(deal(&rules, NULL, 0, "xds:a").aborts);
    assert_false(deal(&rules, NULL, 0, "xds:b").aborts);
    assert_false(deal(&rules, NULL, 0, NULL).aborts);
    fault.n_headers = 1;
    fault.headers = &wanted;
    assert_false(deal(&rules, NULL, 0, "xds:a").aborts);
    assert_true(deal(&rules, &header, 1, "xds:a").aborts);
}

static void no_more_at_once_than_are_allowed(void **state)
{
    struct route_fault fault = { .has_delay = true, .delay_us = 5, .delay_fraction = always, .most_active = 2 };
    struct route_rules rules = rules_of(&fault, 1);
    struct faults_dealt first = deal(&rules, NULL, 0, NULL);

    (void) state;
    assert_int_equal(first.delay_us, 5);
    assert_int_equal(deal(&rules, NULL, 0, NULL).delay_us, 5);
    assert_int_equal(deal(&rules, NULL, 0, NULL).delay_us, 0);
    faults_end(&rules, first.counted);
    assert_int_equal(deal(&rules, NULL, 0, NULL).delay_us, 5);
}

static void headers_say_what_and_how_often_at_most(void **state)
{
    struct route_fault fault = { .has_delay = true,
                                 .delay_by_header = true,
                                 .delay_fraction = always,
                                 .has_abort = true,
                                 .abort_by_header = true,
                                 .abort_fraction = always };
    struct route_rules rules = rules_of(&fault, 1);
    struct mesh_header headers[] = { { "x-envoy-fault-delay-request", "20" },
                                     { "x-envoy-fault-abort-grpc-request", "5" },
                                     { "x-envoy-fault-delay-request-percentage", "0" } };
    struct faults_dealt dealt;

    (void) state;
    assert_int_equal(deal(&rules, NULL, 0, NULL).counted, 0);
    dealt = deal(&rules, headers, 2, NULL);
    assert_int_equal(dealt.delay_us, 20 * US_PER_MS);
    assert_true(dealt.aborts);
    assert_int_equal(dealt.status, 0);
    assert_int_equal(dealt.grpc_status, 5);
    dealt = deal(&rules, headers, 3, NULL);
    assert_int_equal(dealt.delay_us, 0);
    headers[2].value = "1000"; /* never more often than the fault itself */
    fault.delay_fraction = never;
    assert_int_equal(deal(&rules, headers, 3, NULL).delay_us, 0);
    headers[1] = (struct mesh_header){ "x-envoy-fault-abort-request", "199" };
    assert_false(deal(&rules, headers, 2, NULL).aborts);
    headers[1].value = "200";
    assert_int_equal(deal(&rules, headers, 2, NULL).status, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_add_up_and_the_first_abort_counts),
        cmocka_unit_test(some_of_the_requests),
        cmocka_unit_test(only_requests_of_a_cluster_and_with_headers),
        cmocka_unit_test(no_more_at_once_than_are_allowed),
        cmocka_unit_test(headers_say_what_and_how_often_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
