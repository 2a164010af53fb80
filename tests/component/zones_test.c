/* SPDX-License-Identifier: Apache-2.0 */
/* Own zone first, the next one when it is not well; endpoints that fail are left out, tried once, and come back. */
#include <pthread.h>
#include <unistd.h>

#include "support/mesh_client.h"

enum { MOST = 6 };

struct servers {
    struct h2_server *all[MOST];
    size_t n;
    char endpoints[1024];
};

/* One server a letter: its zone. */
static struct servers servers_in(const char *zones)
{
    struct servers servers = { .n = strlen(zones) };
    size_t used = 0;

    for (size_t i = 0; i < servers.n; i++) {
        servers.all[i] = h2_server_start(NULL);
        used += (size_t) snprintf(servers.endpoints + used, sizeof servers.endpoints - used,
                                  "%s{\"address\":\"127.0.0.1:%u\",\"zone\":\"%c\"}", i ? "," : "[",
                                  h2_server_port(servers.all[i]), zones[i]);
    }
    snprintf(servers.endpoints + used, sizeof servers.endpoints - used, "]");
    return servers;
}

static void servers_stop(struct servers *servers)
{
    for (size_t i = 0; i < servers->n; i++)
        h2_server_stop(servers->all[i]);
}

static unsigned seen(const struct servers *servers, size_t i)
{
    return h2_server_seen(servers->all[i]);
}

static void call_ok(struct mesh_client *client, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct answer answer = get(client, "/ok", NULL);

        assert_int_equal(answer.err, 0);
        assert_int_equal(answer.status, 200);
    }
}

/* ---- zones ---- */

static void the_own_zone_serves(void **state)
{
    struct servers servers = servers_in("abba");
    struct mesh_client *client = client_of(servers.endpoints, PAIRS("zone", "a"));

    (void) state;
    call_ok(client, 200);
    assert_int_equal(seen(&servers, 0) + seen(&servers, 3), 200);
    assert_int_equal(seen(&servers, 1) + seen(&servers, 2), 0);
    UNTIL(h2_server_accepted(servers.all[1]) + h2_server_accepted(servers.all[2]) == 1); /* the warm connection */
    mesh_client_free(client);
    servers_stop(&servers);
}

static void zones_that_say_nothing_to_us_share(void **state)
{
    static const char *const keys[][2] = { { "zone", "nowhere" }, { "zone", "" }, { "spill.zones", "off" } };

    (void) state;
    for (size_t i = 0; i < 3; i++) {
        struct servers servers = servers_in("ab");
        struct mesh_client *client =
            client_of(servers.endpoints, PAIRS(keys[i][0], keys[i][1], "balance.policy", "random"));

        call_ok(client, 200);
        assert_in_range(seen(&servers, 0), 60, 140);
        mesh_client_free(client);
        servers_stop(&servers);
    }
}

static void the_nearest_other_zone_takes_over(void **state)
{
    struct servers servers = servers_in("acb");
    struct mesh_client *client =
        client_of(servers.endpoints, PAIRS("zone", "a", "zone_distances", "c=12000,b=500", "spill.warm", "off"));

    (void) state;
    call_ok(client, 20);
    assert_int_equal(seen(&servers, 0), 20);
    h2_server_stop(servers.all[0]);
    call_ok(client, 100);
    assert_int_equal(seen(&servers, 2), 100);
    assert_int_equal(seen(&servers, 1), 0);
    mesh_client_free(client);
    servers.all[0] = NULL;
    servers_stop(&servers);
}

/* One of two in the own zone is left: it keeps 70 % (overprovisioning 1.4), the rest goes next door. */
static void half_of_a_zone_keeps_seven_tenths(void **state)
{
    struct servers servers = servers_in("aabb");
    struct mesh_client *client = client_of(servers.endpoints, PAIRS("zone", "a", "balance.policy", "round_robin"));

    (void) state;
    call_ok(client, 20);
    h2_server_stop(servers.all[0]);
    servers.all[0] = NULL;
    call_ok(client, 20); /* finds out */
    assert_in_range(seen(&servers, 2) + seen(&servers, 3), 0, 20);
    {
        unsigned before = seen(&servers, 1);

        call_ok(client, 1000);
        assert_in_range(seen(&servers, 1) - before, 620, 780);
    }
    mesh_client_free(client);
    servers_stop(&servers);
}

/* The own zone answers 503 to everything: a retry goes next door at once, not to its other endpoint. */
static void a_retry_leaves_a_zone_that_fails(void **state)
{
    struct servers servers = servers_in("aabb");
    struct mesh_client *client =
        client_of(servers.endpoints, PAIRS("zone", "a", "outlier.policy", "off", "retry.budget_min", "1000"));

    (void) state;
    h2_server_set_health(servers.all[0], 503);
    h2_server_set_health(servers.all[1], 503);
    get(client, "/health", NULL); /* it finds out */
    for (int i = 0; i < 50; i++)
        ANSWER(get(client, "/health", NULL), 0, 200, 2);
    mesh_client_free(client);
    servers_stop(&servers);
}

/* ---- isolation ---- */

static unsigned failed_of(struct mesh_client *client, unsigned n)
{
    unsigned failed = 0;

    for (unsigned i = 0; i < n; i++)
        failed += get(client, "/health", NULL).status != 200;
    return failed;
}

static void who_fails_is_left_out_and_comes_back(void **state)
{
    struct servers servers = servers_in("aaa");
    struct mesh_client *client =
        client_of(servers.endpoints, PAIRS("balance.policy", "round_robin", "retry.attempts", "1", "outlier.base_ms",
                                           "20", "outlier.max_ms", "20"));
    uint64_t guard = test_now_ms() + GUARD_MS;
    unsigned before;

    (void) state;
    assert_int_equal(failed_of(client, 30), 0);
    h2_server_set_health(servers.all[0], 503);
    failed_of(client, 15); /* five in a row, and it is out */
    before = seen(&servers, 0);
    assert_int_equal(before, 15);
    assert_in_range(failed_of(client, 300), 0,
                    1 + (test_now_ms() - guard + GUARD_MS) / 10); /* one try each 10 to 20 ms */
    h2_server_set_health(servers.all[0], 200);
    for (before = seen(&servers, 0); seen(&servers, 0) < before + 50;) {
        assert_true(test_now_ms() < guard);
        failed_of(client, 1);
    }
    assert_int_equal(failed_of(client, 300), 0);
    mesh_client_free(client);
    servers_stop(&servers);
}

struct caller {
    struct mesh_client *client;
    unsigned n, failed;
};

static void *call_somewhere_else(void *user)
{
    struct caller *caller = user;

    caller->failed = failed_of(caller->client, caller->n);
    return NULL;
}

static unsigned failed_in_another_loop(struct mesh_client *client, unsigned n)
{
    struct caller caller = { client, n, 0 };
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, call_somewhere_else, &caller), 0);
    pthread_join(thread, NULL);
    return caller.failed;
}

/* Two loops, each of which alone has seen too little. */
static void loops_tell_each_other(void **state)
{
    struct servers servers = servers_in("aaa");
    struct mesh_client *client = client_of(servers.endpoints, PAIRS("balance.policy", "round_robin", "retry.attempts",
                                                                    "1", "outlier.base_ms", "30000", "loops", "2"));

    (void) state;
    assert_int_equal(failed_of(client, 3) + failed_in_another_loop(client, 3), 0);
    h2_server_set_health(servers.all[0], 503);
    assert_int_equal(failed_of(client, 6), 2);
    assert_int_equal(failed_in_another_loop(client, 9), 3);
    assert_int_equal(failed_of(client, 30) + failed_in_another_loop(client, 30), 0);
    mesh_client_free(client);
    servers_stop(&servers);
}

static void one_that_refuses_gets_nothing(void **state)
{
    struct h2_server *well[2] = { h2_server_start(NULL), h2_server_start(NULL) };
    uint16_t ports[3] = { h2_refusing_port(), h2_server_port(well[0]), h2_server_port(well[1]) };
    struct mesh_client *client = client_of(at_ports(ports, 3), PAIRS("balance.policy", "round_robin"));

    (void) state;
    call_ok(client, 300); /* refused connections are retried for nothing */
    assert_int_equal(h2_server_seen(well[0]) + h2_server_seen(well[1]), 300);
    mesh_client_free(client);
    h2_server_stop(well[0]);
    h2_server_stop(well[1]);
}

static void isolation_can_be_switched_off(void **state)
{
    struct servers servers = servers_in("aa");
    struct mesh_client *client = client_of(
        servers.endpoints, PAIRS("balance.policy", "round_robin", "retry.attempts", "1", "outlier.policy", "off"));

    (void) state;
    for (int i = 0; i < 40; i++)
        ANSWER(get(client, "/status?code=503", NULL), 0, 503, 1);
    assert_int_equal(seen(&servers, 0), 20);
    mesh_client_free(client);
    servers_stop(&servers);
}

/* All fail: nobody is left out, since nobody else could do it, and it is never the client that makes the outage. */
static void all_fail_and_stay_in(void **state)
{
    struct servers servers = servers_in("aaaa");
    struct mesh_client *client = client_of(
        servers.endpoints, PAIRS("balance.policy", "random", "retry.attempts", "1", "outlier.base_ms", "30000"));
    unsigned left = 0;

    (void) state;
    for (int i = 0; i < 100; i++)
        ANSWER(get(client, "/status?code=503", NULL), 0, 503, 1);
    call_ok(client, 100);
    for (size_t i = 0; i < 4; i++)
        left += seen(&servers, i) > 10;
    assert_int_equal(left, 4);
    mesh_client_free(client);
    servers_stop(&servers);
}

/* ---- after an outage ---- */

static void requests_are_let_through_as_endpoints_come_back(void **state)
{
    struct servers servers = servers_in("aaaaaa");
    struct mesh_client *client;
    uint16_t ports[MOST];
    unsigned refused = 0, i;

    (void) state;
    for (i = 0; i < MOST; i++)
        ports[i] = i == 0 ? h2_server_port(servers.all[0]) : h2_refusing_port();
    client = client_of(at_ports(ports, MOST),
                       PAIRS("outlier.ramp", "on", "retry.attempts", "1", "connect_timeout_ms", "1000"));
    /* Five of six refuse, and the sixth is gone, too, for a moment: nobody is left. */
    h2_server_stop(servers.all[0]);
    for (i = 0; i < 60; i++)
        assert_int_equal(get(client, "/ok", NULL).err, MESH_ERR_CONNECT);
    servers.all[0] = h2_server_start(&(struct h2_server_conf){ .port = ports[0] });
    for (uint64_t guard = test_now_ms() + GUARD_MS; refused == 0 && test_now_ms() < guard;) {
        struct answer answer = get(client, "/ok", NULL);

        if (answer.err != MESH_ERR_NO_HEALTHY)
            continue;
        refused++;
        says(answer.detail, "1 of 6 endpoints are back after an outage");
    }
    assert_int_equal(refused, 1);
    mesh_client_free(client);
    servers_stop(&servers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_own_zone_serves),
        cmocka_unit_test(zones_that_say_nothing_to_us_share),
        cmocka_unit_test(the_nearest_other_zone_takes_over),
        cmocka_unit_test(half_of_a_zone_keeps_seven_tenths),
        cmocka_unit_test(a_retry_leaves_a_zone_that_fails),
        cmocka_unit_test(who_fails_is_left_out_and_comes_back),
        cmocka_unit_test(loops_tell_each_other),
        cmocka_unit_test(one_that_refuses_gets_nothing),
        cmocka_unit_test(isolation_can_be_switched_off),
        cmocka_unit_test(all_fail_and_stay_in),
        cmocka_unit_test(requests_are_let_through_as_endpoints_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
