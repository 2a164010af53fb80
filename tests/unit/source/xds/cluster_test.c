/* SPDX-License-Identifier: Apache-2.0 */
/* Clusters of a control plane: what becomes of each field, what is refused and where, what is listed as not honoured. */
#include "support/read_cluster.h"

/* ---- where endpoints come from ---- */

static void eds_is_asked_for_by_service_name(void **state)
{
    struct xds_cluster *cluster = accepted(EDS);

    (void) state;
    assert_int_equal(cluster->kind, XDS_CLUSTER_EDS);
    assert_string_equal(cluster->name, "users");
    assert_string_equal(cluster->conf->name, "xds:users");
    assert_string_equal(cluster->conf->label, "users");
    assert_string_equal(cluster->conf->authority, "users");
    assert_string_equal(cluster->eds_name, "users");
    assert_true(cluster->eds_wait_us == 15 * US_PER_S);
    assert_false(cluster->reports_load);
    xds_cluster_unref(cluster);

    cluster = accepted("name: \"users\" type: EDS lrs_server { self { } } eds_cluster_config { service_name: \"u-1\" "
                       "eds_config { self { } initial_fetch_timeout { seconds: 2 nanos: 500000000 } } }");
    assert_string_equal(cluster->eds_name, "u-1");
    assert_true(cluster->eds_wait_us == 2500 * US_PER_MS);
    assert_true(cluster->reports_load);
    xds_cluster_unref(cluster);
}

static void eds_comes_from_the_same_stream(void **state)
{
    (void) state;
    refuses("name: \"users\" type: EDS", "eds_cluster_config.eds_config: one of ads and self is allowed");
    refuses("name: \"users\" type: EDS eds_cluster_config { eds_config { 1: \"/etc/eds\" } }",
            "eds_cluster_config.eds_config: one of ads and self is allowed");
    refuses("name: \"xdstp://a/c/users\" type: EDS eds_cluster_config { eds_config { ads { } } }",
            "eds_cluster_config.service_name: is missing, as the name of the cluster begins with \"xdstp:\"");
    refuses(EDS "lrs_server { ads { } }", "lrs_server: only \"self\" is allowed");
}

static void a_static_cluster_has_its_endpoints(void **state)
{
    struct xds_cluster *cluster =
        accepted("name: \"users\" type: STATIC load_assignment { endpoints { lb_endpoints { endpoint { address { "
                 "socket_address { address: \"10.0.0.7\" port_value: 8080 } } } } } }");

    (void) state;
    assert_int_equal(cluster->kind, XDS_CLUSTER_STATIC);
    assert_non_null(cluster->endpoints);
    assert_int_equal(cluster->endpoints->n, 1);
    xds_cluster_unref(cluster);

    refuses("name: \"users\" type: STATIC load_assignment { endpoints { lb_endpoints { endpoint { } } } }",
            "load_assignment.endpoints[0].lb_endpoints[0].endpoint.address: there is neither socket_address nor pipe");
}

static void names_become_targets(void **state)
{
    struct xds_cluster *cluster = accepted(
        "name: \"users\" type: STRICT_DNS load_assignment { " NAMED("a.example", "80",
                                                                    "locality { region: \"eu\" zone: \"eu-1\" }")
            NAMED("10.0.0.7", "81",
                  "locality { region: \"eu\" } priority: 1") " policy { overprovisioning_factor { value: 200 } } }");

    (void) state;
    assert_int_equal(cluster->kind, XDS_CLUSTER_DNS);
    assert_false(cluster->is_logical);
    assert_int_equal(cluster->n_targets, 2);
    assert_int_equal(cluster->targets[0].target.kind, TARGET_HOST);
    assert_string_equal(cluster->targets[0].target.host, "a.example");
    assert_int_equal(cluster->targets[0].target.port, 80);
    assert_int_equal(cluster->targets[0].target.protocol, MODEL_H2C);
    assert_string_equal(cluster->targets[0].zone, "eu-1");
    assert_int_equal(cluster->targets[0].priority, 0);
    assert_int_equal(cluster->targets[1].target.kind, TARGET_ADDRESS);
    assert_int_equal(cluster->targets[1].target.addr.port, 81);
    assert_string_equal(cluster->targets[1].zone, "eu");
    assert_int_equal(cluster->targets[1].priority, 1);
    assert_int_equal(cluster->conf->policy.spill.overprovisioning_percent, 200);
    xds_cluster_unref(cluster);
}

static void one_logical_name(void **state)
{
    struct xds_cluster *cluster =
        accepted("name: \"users\" type: LOGICAL_DNS load_assignment { " NAMED("a.example", "80", "") " }");

    (void) state;
    assert_true(cluster->is_logical);
    assert_int_equal(cluster->n_targets, 1);
    assert_true(cluster->targets[0].is_one);
    assert_int_equal(cluster->targets[0].families, FAMILIES_BOTH);
    xds_cluster_unref(cluster);
    cluster = accepted("name: \"users\" type: STRICT_DNS dns_lookup_family: V4_PREFERRED load_assignment { " NAMED(
        "a.example", "80", "") " }");
    assert_false(cluster->targets[0].is_one);
    assert_int_equal(cluster->targets[0].families, FAMILIES_IPV4_FIRST);
    xds_cluster_unref(cluster);
    cluster = accepted("name: \"users\" cluster_type { name: \"envoy.cluster.dns\" typed_config { "
                       "[envoy.extensions.clusters.dns.v3.DnsCluster] { all_addresses_in_single_endpoint: true } } } "
                       "load_assignment { " NAMED("a.example", "80", "") " }");
    assert_true(cluster->is_logical);
    xds_cluster_unref(cluster);

    refuses("name: \"users\" type: LOGICAL_DNS load_assignment { " NAMED("a", "80", "") NAMED("b", "80", "") " }",
            "load_assignment.endpoints: LOGICAL_DNS has one locality with one endpoint");
}

static void wrong_names(void **state)
{
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        { "type: STRICT_DNS", "load_assignment: is missing" },
        { "type: STRICT_DNS load_assignment { }", "load_assignment.endpoints: there is none" },
        { "type: STRICT_DNS load_assignment { " NAMED("a", "0", "") " }",
          "load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address.port_value: 0 is not from 1 to "
          "65535" },
        { "type: STRICT_DNS load_assignment { " NAMED("a", "65536", "") " }",
          "load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address.port_value: 65536 is not from "
          "1 to "
          "65535" },
        { "type: STRICT_DNS load_assignment { " NAMED("a/b", "80", "") " }",
          "load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address.address: \"a/b\" is neither an "
          "address nor a name of a host" },
        { "type: STRICT_DNS load_assignment { " NAMED("a", "80", "priority: 129") " }",
          "load_assignment.endpoints[0].priority: 129 is more than 128" },
        { "type: STRICT_DNS load_assignment { endpoints { lb_endpoints { endpoint { address { pipe { path: \"/x\" } } "
          "} } } }",
          "load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address: is missing: clusters of this "
          "type "
          "have names to resolve" },
        { "type: STRICT_DNS load_assignment { endpoints { lb_endpoints { } } }",
          "load_assignment.endpoints[0].lb_endpoints[0].endpoint: is missing" },
        { "type: ORIGINAL_DST", "type: ORIGINAL_DST: a client knows no original destination" },
        { "type: 9", "type: 9 is none of EDS, STATIC, STRICT_DNS and LOGICAL_DNS" },
        { "cluster_type { name: \"envoy.clusters.redis\" }",
          "cluster_type.typed_config: \"envoy.clusters.redis\" is none of "
          "envoy.extensions.clusters.aggregate.v3.ClusterConfig and envoy.extensions.clusters.dns.v3.DnsCluster" },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[1024];

        snprintf(text, sizeof text, "name: \"users\" %s", cases[i].text);
        refuses(text, cases[i].sentence);
    }
    refuses("type: STATIC", "name: is missing");
}

#define MEMBERS(text)                                                                 \
    "name: \"all\" cluster_type { name: \"envoy.clusters.aggregate\" typed_config { " \
    "[envoy.extensions.clusters.aggregate.v3.ClusterConfig] { " text " } } } "

static void an_aggregate_has_members(void **state)
{
    struct xds_cluster *cluster = accepted(MEMBERS("clusters: \"a\" clusters: \"b\"") "lb_policy: CLUSTER_PROVIDED");

    (void) state;
    assert_int_equal(cluster->kind, XDS_CLUSTER_AGGREGATE);
    assert_int_equal(cluster->n_members, 2);
    assert_string_equal(cluster->members[0], "a");
    assert_string_equal(cluster->members[1], "b");
    xds_cluster_unref(cluster);

    xds_cluster_unref(accepted(MEMBERS("clusters: \"a\"")));
    refuses(MEMBERS(""), "cluster_type.typed_config.clusters: there is none");
    refuses(MEMBERS("clusters: \"\""), "cluster_type.typed_config.clusters: a name is empty");
}

/* ---- balancing ---- */

#define POLICY(name, text)                                                                                           \
    "policies { typed_extension_config { typed_config { [envoy.extensions.load_balancing_policies." name "] { " text \
    " } } } } "

static void the_balancing_policy(void **state)
{
    static const struct {
        const char *text, *policy;
        bool weighted;
    } cases[] = {
        { "", "round_robin", false },
        { "lb_policy: LEAST_REQUEST", "least_request", false },
        { "lb_policy: RANDOM", "random", false },
        { "lb_policy: RING_HASH", "ring_hash", false },
        { "lb_policy: MAGLEV", "maglev", false },
        { "lb_policy: RANDOM common_lb_config { locality_weighted_lb_config { } }", "random", true },
        { "lb_policy: RANDOM load_balancing_policy { " POLICY("least_request.v3.LeastRequest", "") " }",
          "least_request", false },
        { "load_balancing_policy { policies { typed_extension_config { typed_config { type_url: \"x/unknown\" } } "
          "} " POLICY("maglev.v3.Maglev", "locality_weighted_lb_config { }") " }",
          "maglev", true },
        { "load_balancing_policy { " POLICY("wrr_locality.v3.WrrLocality",
                                            "endpoint_picking_policy { " POLICY("random.v3.Random", "") " }") " }",
          "random", true },
        { "load_balancing_policy { " POLICY("round_robin.v3.RoundRobin",
                                            "locality_lb_config { locality_weighted_lb_config { } }") " } ",
          "round_robin", true },
        { "load_balancing_policy { " POLICY("pick_first.v3.PickFirst", "shuffle_address_list: true") " }", "pick_first",
          false },
        { "load_balancing_policy { " POLICY("client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin",
                                            "") " }",
          "weighted_round_robin", false },
        /* the locality settings of the list hold */
        { "common_lb_config { locality_weighted_lb_config { } } load_balancing_policy { " POLICY(
              "round_robin.v3.RoundRobin", "") " } ",
          "round_robin", false },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct xds_cluster *cluster;
        char text[2048];

        snprintf(text, sizeof text, EDS "%s", cases[i].text);
        cluster = accepted(text);
        assert_string_equal(cluster->conf->policy.balance, cases[i].policy);
        assert_int_equal(cluster->conf->policy.spill.weighted, cases[i].weighted);
        xds_cluster_unref(cluster);
    }
}

static void who_runs_the_client_has_the_last_word(void **state)
{
    struct xds_cluster *cluster;

    (void) state;
    set("services.users.balance.policy", "adaptive");
    cluster = accepted_for(EDS "lb_policy: RANDOM", "users");
    assert_string_equal(cluster->conf->policy.balance, "adaptive");
    xds_cluster_unref(cluster);
    cluster = accepted_for(EDS "lb_policy: RANDOM", "others");
    assert_string_equal(cluster->conf->policy.balance, "random");
    xds_cluster_unref(cluster);

    set("balance.policy", "maglev");
    cluster = accepted_for(EDS "lb_policy: RANDOM", "others");
    assert_string_equal(cluster->conf->policy.balance, "maglev");
    xds_cluster_unref(cluster);
}

static void numbers_of_balancing(void **state)
{
    struct xds_cluster *cluster = accepted(
        EDS
        "lb_policy: RING_HASH ring_hash_lb_config { minimum_ring_size { value: 10 } maximum_ring_size { value: 20 } } "
        "common_lb_config { healthy_panic_threshold { value: 49.6 } "
        "zone_aware_lb_config { routing_enabled { value: 0 } } }");

    (void) state;
    assert_int_equal(cluster->conf->policy.ring_min_size, 10);
    assert_int_equal(cluster->conf->policy.ring_max_size, 20);
    assert_int_equal(cluster->conf->policy.spill.panic_percent, 50);
    assert_false(cluster->conf->policy.spill.zones);
    xds_cluster_unref(cluster);

    cluster = accepted(EDS "load_balancing_policy { " POLICY(
        "maglev.v3.Maglev",
        "consistent_hashing_lb_config { use_hostname_for_hashing: true hash_balance_factor { value: 150 } }") " }");
    assert_int_equal(ignored.n, 0);
    assert_int_equal(cluster->conf->policy.hash_balance_percent, 150);
    assert_true(cluster->conf->policy.hash.by_hostname);
    xds_cluster_unref(cluster);
    cluster =
        accepted(EDS "lb_policy: RING_HASH common_lb_config { consistent_hashing_lb_config { hash_balance_factor { "
                     "value: 100 } } }");
    assert_int_equal(cluster->conf->policy.hash_balance_percent, 100);
    xds_cluster_unref(cluster);
    refuses(
        EDS
        "lb_policy: RING_HASH common_lb_config { consistent_hashing_lb_config { hash_balance_factor { value: 99 } } }",
        "common_lb_config.consistent_hashing_lb_config.hash_balance_factor: 99 is not from 100 to 4294967295");

    cluster =
        lists(EDS "lb_policy: LEAST_REQUEST least_request_lb_config { choice_count { value: 5 } slow_start_config { "
                  "slow_start_window { seconds: 30 } aggression { default_value: 2.0 } } }",
              "least_request_lb_config.choice_count: is 2\n"
              "least_request_lb_config.slow_start_config.aggression: shares grow evenly, as with 1.0");
    assert_int_equal(cluster->conf->policy.slow_start_ms, 30000);
    xds_cluster_unref(cluster);
}

static void numbers_of_load_reports(void **state)
{
    struct xds_cluster *cluster = lists(
        EDS
        "load_balancing_policy { " POLICY("client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin",
                                          "enable_oob_load_report { value: true } blackout_period { seconds: 1 } "
                                          "weight_expiration_period { seconds: 2 } "
                                          "weight_update_period { nanos: 1 } error_utilization_penalty { value: 2.5 } "
                                          "metric_names_for_computing_utilization: \"named_metrics.a\" "
                                          "metric_names_for_computing_utilization: \"utilization.b\"") " }",
        "load_balancing_policy.policies[0].enable_oob_load_report: reports are taken from answers");
    const struct policy_load *load = &cluster->conf->policy.load;

    (void) state;
    assert_int_equal(load->blackout_ms, 1000);
    assert_int_equal(load->expiration_ms, 2000);
    assert_int_equal(load->update_ms, 100);
    assert_int_equal(load->penalty_percent, 250);
    assert_string_equal(load->metrics, "named_metrics.a,utilization.b");
    xds_cluster_unref(cluster);

    cluster = accepted(EDS "load_balancing_policy { " POLICY(
        "client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin", "") " }");
    load = &cluster->conf->policy.load;
    assert_int_equal(load->blackout_ms, 10000);
    assert_int_equal(load->expiration_ms, 180000);
    assert_int_equal(load->update_ms, 1000);
    assert_int_equal(load->penalty_percent, 100);
    assert_null(load->metrics);
    xds_cluster_unref(cluster);
    refuses(EDS "load_balancing_policy { " POLICY("client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin",
                                                  "error_utilization_penalty { value: -1 }") " }",
            "load_balancing_policy.policies[0].error_utilization_penalty: -1 is not from 0 to 10000");
}

static void wrong_balancing(void **state)
{
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        { "lb_policy: LOAD_BALANCING_POLICY_CONFIG",
          "load_balancing_policy: is missing, but lb_policy says that it holds" },
        { "lb_policy: CLUSTER_PROVIDED", "lb_policy: CLUSTER_PROVIDED: this type of cluster provides none" },
        { "lb_policy: 77", "lb_policy: 77 is no policy that libmesh knows" },
        { "load_balancing_policy { policies { typed_extension_config { typed_config { type_url: \"x/y\" } } } }",
          "load_balancing_policy: has no policy that libmesh knows" },
        { "load_balancing_policy { " POLICY("wrr_locality.v3.WrrLocality", "") " }",
          "load_balancing_policy.policies[0].endpoint_picking_policy: is missing" },
        { "load_balancing_policy { " POLICY("ring_hash.v3.RingHash", "minimum_ring_size { value: 8388609 }") " }",
          "load_balancing_policy.policies[0].minimum_ring_size: 8388609 is not from 0 to 8388608" },
        { "lb_policy: RING_HASH ring_hash_lb_config { minimum_ring_size { value: 9 } maximum_ring_size { value: 8 } }",
          "ring_hash_lb_config.maximum_ring_size: 8 is less than minimum_ring_size, which is 9" },
        { "lb_policy: LEAST_REQUEST least_request_lb_config { choice_count { value: 1 } }",
          "least_request_lb_config.choice_count: 1 is not from 2 to 4294967295" },
        { "common_lb_config { healthy_panic_threshold { value: 101 } }",
          "common_lb_config.healthy_panic_threshold: 101 is no percentage from 0 to 100" },
        { "common_lb_config { healthy_panic_threshold { value: nan } }",
          "common_lb_config.healthy_panic_threshold: nan is no percentage from 0 to 100" },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[2048];

        snprintf(text, sizeof text, EDS "%s", cases[i].text);
        refuses(text, cases[i].sentence);
    }
}

/* ---- limits, ejection, health ---- */

static void limits_by_priority(void **state)
{
    struct xds_cluster *cluster = accepted(
        EDS
        "circuit_breakers { thresholds { max_connections { value: 1 } max_pending_requests { value: 2 } max_requests { "
        "value: 3 } max_retries { value: 4294967295 } } thresholds { priority: HIGH max_pending_requests { value: 5 } "
        "max_requests { value: 4294967295 } } thresholds { max_requests { value: 99 } } }");
    const struct policy *policy = &cluster->conf->policy;

    (void) state;
    assert_int_equal(policy->breaker.max_connections, 1);
    assert_int_equal(policy->breaker.max_pending, 2);
    assert_int_equal(policy->breaker.max_requests, 3);
    assert_int_equal(policy->breaker.high_max_pending, 5);
    assert_int_equal(policy->breaker.high_max_requests, 1000000);
    assert_int_equal(policy->retry.budget_percent, 100);
    assert_int_equal(policy->retry.budget_min, 1000000);
    assert_int_equal(ignored.n, 1);
    assert_string_equal(ignored.items[0], "circuit_breakers.thresholds[2]: the first entry of the priority holds");
    xds_cluster_unref(cluster);
}

static void retries_at_once(void **state)
{
    struct xds_cluster *cluster = accepted(EDS "circuit_breakers { thresholds { max_retries { value: 0 } } }");

    (void) state;
    assert_int_equal(cluster->conf->policy.retry.budget_percent, 0);
    assert_int_equal(cluster->conf->policy.retry.budget_per_second, 0);
    assert_int_equal(cluster->conf->policy.retry.budget_min, 0);
    xds_cluster_unref(cluster);

    cluster =
        lists(EDS "circuit_breakers { thresholds { retry_budget { budget_percent { value: 30 } } } }",
              "circuit_breakers.thresholds[0].retry_budget: retries are counted over ten seconds, not by how many "
              "run at once: 30% of the requests of that time");
    assert_int_equal(cluster->conf->policy.retry.budget_percent, 30);
    assert_int_equal(cluster->conf->policy.retry.budget_min, 3);
    xds_cluster_unref(cluster);
    refuses(EDS "circuit_breakers { thresholds { priority: 7 } }",
            "circuit_breakers.thresholds[0].priority: 7 is none of DEFAULT and HIGH");
}

static void ejection_is_libmeshs_own_unless_it_is_named(void **state)
{
    struct xds_cluster *cluster = accepted(EDS);

    (void) state;
    assert_int_equal(cluster->conf->policy.outlier.kind, OUTLIER_ADAPTIVE);
    xds_cluster_unref(cluster);

    cluster = accepted(EDS "outlier_detection { }");
    assert_int_equal(cluster->conf->policy.outlier.kind, OUTLIER_ENVOY);
    assert_int_equal(cluster->conf->policy.outlier.envoy.consecutive_5xx, 5);
    assert_int_equal(cluster->conf->policy.outlier.envoy.consecutive_gateway_failure, 0);
    assert_int_equal(cluster->conf->policy.outlier.envoy.success_rate_stdev_factor, 1900);
    assert_int_equal(cluster->conf->policy.outlier.envoy.failure_percentage_threshold, 0);
    assert_int_equal(cluster->conf->policy.outlier.envoy.max_ejection_percent, 10);
    assert_int_equal(cluster->conf->policy.outlier.envoy.max_ejection_ms, 300000);
    xds_cluster_unref(cluster);
}

static void ejection_in_numbers(void **state)
{
    struct xds_cluster *cluster =
        lists(EDS "outlier_detection { consecutive_5xx { value: 3 } enforcing_consecutive_5xx { value: 50 } "
                  "enforcing_success_rate { value: 0 } consecutive_gateway_failure { value: 7 } "
                  "enforcing_consecutive_gateway_failure { value: 100 } interval { seconds: 1 } "
                  "base_ejection_time { seconds: 400 } max_ejection_percent { value: 60 } }",
              "outlier_detection.enforcing_consecutive_5xx: is 100: whoever fails the rule is ejected, without a draw");
    const struct policy_outlier_envoy *envoy = &cluster->conf->policy.outlier.envoy;

    (void) state;
    assert_int_equal(envoy->consecutive_5xx, 3);
    assert_int_equal(envoy->success_rate_stdev_factor, 0);
    assert_int_equal(envoy->consecutive_gateway_failure, 7);
    assert_int_equal(envoy->interval_ms, 1000);
    assert_int_equal(envoy->max_ejection_ms, 400000); /* Envoy's 300 s, but no less than the base */
    assert_int_equal(envoy->max_ejection_percent, 60);
    xds_cluster_unref(cluster);

    refuses(EDS "outlier_detection { interval { } }", "outlier_detection.interval: 0 us is less than 1 ms");
    refuses(EDS "outlier_detection { max_ejection_percent { value: 101 } }",
            "outlier_detection.max_ejection_percent: 101 is not from 0 to 100");
    refuses(EDS "outlier_detection { enforcing_success_rate { value: 101 } }",
            "outlier_detection.enforcing_success_rate: 101 is not from 0 to 100");
    refuses(EDS "outlier_detection { base_ejection_time { seconds: 9 } max_ejection_time { seconds: 8 } }",
            "outlier_detection.max_ejection_time: is less than base_ejection_time");
    refuses(EDS "outlier_detection { interval { seconds: -1 } }",
            "outlier_detection.interval: -1 s and 0 ns is no duration from 0 to 10,000 years");
}

#define CHECK(text)                                                                                    \
    "health_checks { timeout { seconds: 1 } interval { seconds: 5 } unhealthy_threshold { value: 3 } " \
    "healthy_threshold { value: 2 } " text " } "

static void health_checks(void **state)
{
    struct xds_cluster *cluster = lists(
        EDS CHECK("99: 1") CHECK("http_health_check { path: \"/ok\" host: \"h\" expected_statuses { start: 200 end: "
                                 "400 } }") CHECK("tcp_health_check { }"),
        "health_checks[0]: field 99 of envoy.config.core.v3.HealthCheck is not known to libmesh\n"
        "health_checks[0]: libmesh has no such check; http, grpc and tcp are known\n"
        "health_checks[2]: the first check alone decides");
    const struct policy_health *health = &cluster->conf->policy.health;

    (void) state;
    assert_int_equal(health->kind, HEALTH_HTTP);
    assert_string_equal(health->path, "/ok");
    assert_string_equal(health->host, "h");
    assert_int_equal(health->timeout_ms, 1000);
    assert_int_equal(health->interval_ms, 5000);
    assert_int_equal(health->unhealthy_threshold, 3);
    assert_int_equal(health->healthy_threshold, 2);
    assert_int_equal(health->n_ranges, 1);
    assert_int_equal(health->ranges[0].from, 200);
    assert_int_equal(health->ranges[0].to, 400);
    assert_int_equal(health->statuses.n, 0);
    xds_cluster_unref(cluster);

    cluster = accepted(EDS CHECK("grpc_health_check { service_name: \"s.S\" authority: \"a\" }"));
    assert_int_equal(cluster->conf->policy.health.kind, HEALTH_GRPC);
    assert_string_equal(cluster->conf->policy.health.grpc_service, "s.S");
    assert_string_equal(cluster->conf->policy.health.host, "a");
    xds_cluster_unref(cluster);
}

static void wrong_health_checks(void **state)
{
    (void) state;
    refuses(EDS "health_checks { tcp_health_check { } }", "health_checks[0].timeout: is missing");
    refuses(EDS CHECK("http_health_check { path: \"ok\" }"),
            "health_checks[0].http_health_check.path: path \"ok\" must begin with \"/\" (or be \"*\", which OPTIONS "
            "may ask "
            "for)");
    refuses(EDS CHECK("http_health_check { path: \"/\" expected_statuses { start: 99 end: 200 } }"),
            "health_checks[0].http_health_check.expected_statuses: from 99 to before 200 is no range from 100 to "
            "before 600");
    refuses(EDS CHECK("http_health_check { path: \"/\" method: CONNECT }"),
            "health_checks[0].http_health_check.method: CONNECT is not allowed");
}

/* ---- protocols ---- */

static void protocols(void **state)
{
    static const struct {
        const char *text;
        enum model_protocol protocol;
    } cases[] = {
        { "", MODEL_H2C },
        { "http2_protocol_options { }", MODEL_H2C },
        { "http_protocol_options { }", MODEL_HTTP },
        { HTTP_OPTIONS("explicit_http_config { http_protocol_options { } }"), MODEL_HTTP },
        { HTTP_OPTIONS("explicit_http_config { http2_protocol_options { } }"), MODEL_H2C },
        { HTTP_OPTIONS("use_downstream_protocol_config { }"), MODEL_H2C },
        { TLS("sni: \"users\""), MODEL_HTTPS },
        { TLS("sni: \"users\"") HTTP_OPTIONS("auto_config { }"), MODEL_HTTPS },
        { TLS("sni: \"users\"") HTTP_OPTIONS("explicit_http_config { http2_protocol_options { } }"), MODEL_H2 },
        { TLS("sni: \"users\" common_tls_context { alpn_protocols: \"h2\" }"), MODEL_H2 },
        { TLS("sni: \"users\" common_tls_context { alpn_protocols: \"h2\" alpn_protocols: \"http/1.1\" }"),
          MODEL_HTTPS },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct xds_cluster *cluster;
        char text[2048];

        snprintf(text, sizeof text, EDS "%s", cases[i].text);
        cluster = accepted(text);
        assert_int_equal(cluster->conf->protocol, cases[i].protocol);
        xds_cluster_unref(cluster);
    }
    refuses(EDS HTTP_OPTIONS("auto_config { }"),
            "typed_extension_protocol_options.auto_config: needs a transport_socket with TLS, whose ALPN decides");
    refuses(EDS HTTP_OPTIONS("explicit_http_config { }"),
            "typed_extension_protocol_options.explicit_http_config: none of http_protocol_options and "
            "http2_protocol_options, which libmesh speaks");
    refuses(EDS HTTP_OPTIONS(""), "typed_extension_protocol_options: none of explicit_http_config, "
                                  "use_downstream_protocol_config and auto_config");
}

/* Where the control plane never says, the service's own configuration may. */
static void the_service_says_what_it_speaks(void **state)
{
    struct xds_cluster *cluster;

    (void) state;
    set("services.users.protocol", "http");
    cluster = accepted_for(EDS, "users");
    assert_int_equal(cluster->conf->protocol, MODEL_HTTP);
    xds_cluster_unref(cluster);
    cluster = accepted_for(EDS "http2_protocol_options { }", "users");
    assert_int_equal(cluster->conf->protocol, MODEL_H2C);
    xds_cluster_unref(cluster);
}

static void numbers_of_connections(void **state)
{
    struct xds_cluster *cluster = accepted(EDS HTTP_OPTIONS(
        "explicit_http_config { http2_protocol_options { max_concurrent_streams { value: 7 } "
        "initial_stream_window_size { "
        "value: 65536 } } } common_http_protocol_options { idle_timeout { } max_connection_duration { seconds: 60 } "
        "max_requests_per_connection { value: 100 } max_response_headers_kb { value: 96 } max_stream_duration { "
        "seconds: 3 } "
        "}"));
    const struct policy *policy = &cluster->conf->policy;

    (void) state;
    assert_int_equal(ignored.n, 0);
    assert_int_equal(policy->max_streams, 7);
    assert_int_equal(policy->window_bytes, 65536);
    assert_int_equal(policy->connection_idle_ms, 0);
    assert_int_equal(policy->connection_age_ms, 60000);
    assert_int_equal(policy->connection_requests, 100);
    assert_int_equal(policy->max_header_bytes, 96 << 10);
    assert_int_equal(policy->timeout_ms, 3000);
    assert_int_equal(policy->connect_timeout_ms, 5000);
    xds_cluster_unref(cluster);

    cluster = accepted(
        EDS "http2_protocol_options { connection_keepalive { interval { seconds: 30 } timeout { seconds: 5 } } }");
    assert_int_equal(ignored.n, 0);
    assert_int_equal(cluster->conf->policy.alive_ms, 30000);
    assert_int_equal(cluster->conf->policy.alive_answer_ms, 5000);
    xds_cluster_unref(cluster);
    refuses(EDS "http2_protocol_options { connection_keepalive { interval { seconds: 30 } } }",
            "http2_protocol_options.connection_keepalive.timeout: is missing");

    cluster = accepted(EDS "connect_timeout { nanos: 250000001 }");
    assert_int_equal(cluster->conf->policy.connect_timeout_ms, 251);
    xds_cluster_unref(cluster);
    refuses(EDS "connect_timeout { }", "connect_timeout: 0 us is less than 1 ms");
    refuses(EDS "http2_protocol_options { initial_stream_window_size { value: 65534 } }",
            "http2_protocol_options.initial_stream_window_size: 65534 is not from 65535 to 2147483647");
}

/* ---- nothing is ignored silently ---- */

static void what_is_not_known_is_listed(void **state)
{
    struct xds_cluster *cluster =
        lists(EDS "99: 1 circuit_breakers { thresholds { 77: 1 } } alt_stat_name: \"u;\" "
                  "typed_extension_protocol_options { key: \"x\" value { type_url: \"t/x.Y\" } } " HTTP_OPTIONS(
                      "explicit_http_config { http2_protocol_options { 55: 1 } }"),
              "field 99 of envoy.config.cluster.v3.Cluster is not known to libmesh\n"
              "circuit_breakers.thresholds[0]: field 77 of envoy.config.cluster.v3.CircuitBreakers.Thresholds is not "
              "known to "
              "libmesh\n"
              "typed_extension_protocol_options[0]: libmesh has no extension \"t/x.Y\"\n"
              "typed_extension_protocol_options[1].explicit_http_config.http2_protocol_options: field 55 of "
              "envoy.config.core.v3.Http2ProtocolOptions is not known to libmesh");

    (void) state;
    xds_cluster_unref(cluster);
    honours_all(EDS);
    honours_all(EDS "upstream_connection_options { tcp_keepalive { } }");
    xds_cluster_unref(lists(EDS "upstream_connection_options { tcp_keepalive { keepalive_time { value: 5 } } }",
                            "upstream_connection_options.tcp_keepalive: is after 30 s, every 10 s, three times"));
    honours_all(EDS "circuit_breakers { thresholds { max_requests { value: 5 } } }");
}

static void bytes_that_are_no_cluster(void **state)
{
    struct xds_cluster_env env = env_of(NULL);
    struct xds_cluster *cluster;

    (void) state;
    MESH_ERR(MESH_ERR_PROTOCOL, xds_cluster_read((const uint8_t *) "\x0a\xff", 2, &env, &cluster, &ignored, &fault));
    assert_null(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLUSTER_TEST(eds_is_asked_for_by_service_name),
        CLUSTER_TEST(eds_comes_from_the_same_stream),
        CLUSTER_TEST(a_static_cluster_has_its_endpoints),
        CLUSTER_TEST(names_become_targets),
        CLUSTER_TEST(one_logical_name),
        CLUSTER_TEST(wrong_names),
        CLUSTER_TEST(an_aggregate_has_members),
        CLUSTER_TEST(the_balancing_policy),
        CLUSTER_TEST(who_runs_the_client_has_the_last_word),
        CLUSTER_TEST(numbers_of_balancing),
        CLUSTER_TEST(numbers_of_load_reports),
        CLUSTER_TEST(wrong_balancing),
        CLUSTER_TEST(limits_by_priority),
        CLUSTER_TEST(retries_at_once),
        CLUSTER_TEST(ejection_is_libmeshs_own_unless_it_is_named),
        CLUSTER_TEST(ejection_in_numbers),
        CLUSTER_TEST(health_checks),
        CLUSTER_TEST(wrong_health_checks),
        CLUSTER_TEST(protocols),
        CLUSTER_TEST(the_service_says_what_it_speaks),
        CLUSTER_TEST(numbers_of_connections),
        CLUSTER_TEST(what_is_not_known_is_listed),
        CLUSTER_TEST(bytes_that_are_no_cluster),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
