/* SPDX-License-Identifier: Apache-2.0 */
/* Whose word counts: the route's, else the cluster's. */
#include "mesh_test.h"
#include "request/rules.h"

static const struct policy policy = { .timeout_ms = 15000,
                                      .stream_idle_ms = 300,
                                      .retry = { .attempts = 3, .on = RETRY_ON_DEFAULT } };
static const struct deadline_asked nothing_asked;

static void a_configured_service_goes_by_its_policy(void **state)
{
    struct rules rules = rules_choose(&policy, NULL, NULL, &nothing_asked);

    (void) state;
    assert_ptr_equal(rules.retry, &policy.retry);
    assert_false(rules.is_obeyed);
    assert_false(rules.hedges_late);
    assert_int_equal(rules.timeout_us, 15000 * US_PER_MS);
    assert_int_equal(rules.idle_us, 300 * US_PER_MS);
    assert_int_equal(rules.route->n_hash, 0);
}

static void a_route_without_rules_leaves_the_policy_alone(void **state)
{
    struct model_routes routes = { .idle_us = UINT64_MAX };
    struct route route = { 0 };
    struct rules rules = rules_choose(&policy, &routes, &route, &nothing_asked);

    (void) state;
    assert_ptr_equal(rules.retry, &policy.retry);
    assert_false(rules.is_obeyed);
    assert_int_equal(rules.timeout_us, 15000 * US_PER_MS);
    assert_int_equal(rules.idle_us, 300 * US_PER_MS);
}

static void a_route_says_otherwise(void **state)
{
    struct policy_retry retry = { .attempts = 1 };
    struct model_routes routes = { .idle_us = 7 };
    struct route route = { .rules = { .retry = &retry, .has_timeout = true, .hedge_on_per_try_timeout = true } };
    struct rules rules = rules_choose(&policy, &routes, &route, &nothing_asked);

    (void) state;
    assert_ptr_equal(rules.retry, &retry);
    assert_true(rules.is_obeyed);
    assert_true(rules.hedges_late);
    assert_int_equal(rules.timeout_us, 0); /* none, and not the policy's */
    assert_int_equal(rules.idle_us, 7);    /* of the listener */
    route.rules.has_idle = true;
    rules = rules_choose(&policy, &routes, &route, &nothing_asked);
    assert_int_equal(rules.idle_us, 0);
}

static struct deadline_asked asks(const char *type, const char *timeout)
{
    struct deadline_asked asked = { 0 };

    deadline_read(&asked, &(struct mesh_header){ "content-type", type });
    deadline_read(&asked, &(struct mesh_header){ "grpc-timeout", timeout });
    return asked;
}

static uint64_t timeout_of(const struct route *route, struct deadline_asked asked)
{
    return rules_choose(&policy, NULL, route, &asked).timeout_us;
}

static void a_call_of_grpc_says_its_own_time_up_to_the_most(void **state)
{
    struct route route = { .rules = { .has_timeout = true, .timeout_us = 5, .has_grpc_max = true } };
    struct deadline_asked asked;

    (void) state;
    assert_int_equal(timeout_of(&route, asks("application/grpc", "2S")), 2 * US_PER_S);
    assert_int_equal(timeout_of(&route, asks("application/grpc", "soon")), 5);
    assert_int_equal(timeout_of(&route, asks("application/json", "2S")), 5);
    assert_int_equal(timeout_of(&route, asks("application/grpc+proto", "0S")), 1); /* 0 would be any time */
    route.rules.grpc_max_us = US_PER_S;
    assert_int_equal(timeout_of(&route, asks("application/grpc", "2S")), US_PER_S);
    assert_int_equal(timeout_of(&route, asks("application/grpc", "20m")), 20 * US_PER_MS);
    assert_int_equal(rules_choose(&policy, NULL, &route, &nothing_asked).stream_us, 0);
    route.rules.stream_us = 7;
    assert_int_equal(rules_choose(&policy, NULL, &route, &nothing_asked).stream_us, 7);
    asked = asks("application/grpc", "20m");
    assert_int_equal(rules_choose(&policy, NULL, &route, &asked).stream_us, 20 * US_PER_MS);
    route.rules.has_grpc_max = false;
    assert_int_equal(timeout_of(&route, asks("application/grpc", "2S")), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_configured_service_goes_by_its_policy),
        cmocka_unit_test(a_route_without_rules_leaves_the_policy_alone),
        cmocka_unit_test(a_route_says_otherwise),
        cmocka_unit_test(a_call_of_grpc_says_its_own_time_up_to_the_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
