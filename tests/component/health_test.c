/* SPDX-License-Identifier: Apache-2.0 */
/* Active health checks against real servers: who gets requests, who does not, and that checks disturb nobody. */
#include <pthread.h>

#include "support/mesh_client.h"

/* Fast, or a test takes minutes; patient, or a busy machine is an unhealthy endpoint. */
#define CHECKS                                                                                                  \
    "health.check", "http", "health.path", "/health", "health.interval_ms", "20", "health.timeout_ms", "30000", \
        "balance.policy", "round_robin"

static unsigned checks(struct h2_server *server)
{
    return h2_server_record(server, "health").seen;
}

/* So many more checks have come. */
static void await_checks(struct h2_server *server, unsigned n)
{
    unsigned before = checks(server);

    UNTIL(checks(server) >= before + n);
}

static void describe(struct mesh_client *client, char *out, size_t size)
{
    char *text;

    MESH_OK(mesh_client_describe(client, "users", 0, 1000, &text));
    snprintf(out, size, "%s", text);
    mesh_string_free(text);
}

static bool described(struct mesh_client *client, const char *part)
{
    char text[4096];

    describe(client, text, sizeof text);
    return strstr(text, part) != NULL;
}

/* In how many of ten requests each of two servers was asked. */
static void share(struct mesh_client *client, struct h2_server *const *servers, unsigned out[2])
{
    static unsigned run;
    char id[32];

    snprintf(id, sizeof id, "share-%u", run++);
    for (int i = 0; i < 10; i++)
        ANSWER(get(client, "/ok", id), 0, 200, 1);
    for (int i = 0; i < 2; i++)
        out[i] = h2_server_record(servers[i], id).seen;
}

static void unhealthy_ones_get_no_requests(void **state)
{
    struct h2_server *servers[2] = { h2_server_start(NULL), h2_server_start(NULL) };
    struct mesh_client *client = client_of(at_servers(servers, 2), PAIRS(CHECKS));
    unsigned got[2];

    (void) state;
    share(client, servers, got);
    assert_int_equal(got[0], 5);
    UNTIL(described(client, "\"health\":\"healthy\",\"health_reason\":\"\""));
    h2_server_set_health(servers[0], 503);
    UNTIL(described(client, "\"health\":\"unhealthy\",\"health_reason\":\"GET /health was answered with 503\""));
    share(client, servers, got);
    assert_int_equal(got[0], 0);
    assert_int_equal(got[1], 10);
    h2_server_set_health(servers[0], 200);
    UNTIL(!described(client, "unhealthy"));
    share(client, servers, got);
    assert_int_equal(got[0], 5);
    assert_int_equal(got[1], 5);
    mesh_client_free(client);
    h2_server_stop(servers[0]);
    h2_server_stop(servers[1]);
}

/* Checks go on with nobody calling, and count neither as requests nor as attempts. */
static void checks_need_no_requests(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, PAIRS(CHECKS, "breaker.max_requests", "1"));

    (void) state;
    ANSWER(get(client, "/ok", NULL), 0, 200, 1);
    await_checks(server, 20);
    assert_true(described(client, "\"active\":0,\"attempts\":1,\"failures\":0"));
    assert_int_equal(h2_server_accepted(server), 1);
    ANSWER(get(client, "/ok", NULL), 0, 200, 1);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void silence_has_to_repeat(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client =
        client_of_server(server, PAIRS("health.check", "http", "health.path", "/health", "health.interval_ms", "20",
                                       "health.timeout_ms", "700", "health.unhealthy_threshold", "3"));
    unsigned before;

    (void) state;
    ANSWER(get(client, "/ok", NULL), 0, 200, 1);
    UNTIL(described(client, "\"health\":\"healthy\""));
    h2_server_set_health(server, 0);
    await_checks(server, 1);
    before = checks(server);
    UNTIL(described(client, "\"health\":\"unhealthy\",\"health_reason\":\"no answer within health.timeout_ms 700\""));
    assert_true(checks(server) - before >= 2);
    mesh_client_free(client);
    h2_server_stop(server);
}

/* Everybody is unhealthy: everybody gets requests. */
static void with_nobody_healthy_all_are_asked(void **state)
{
    struct h2_server *servers[2] = { h2_server_start(NULL), h2_server_start(NULL) };
    struct mesh_client *client = client_of(at_servers(servers, 2), PAIRS(CHECKS));
    unsigned got[2];

    (void) state;
    h2_server_set_health(servers[0], 500);
    h2_server_set_health(servers[1], 404);
    share(client, servers, got);
    UNTIL(described(client, "answered with 500") && described(client, "answered with 404"));
    share(client, servers, got);
    assert_int_equal(got[0], 5);
    assert_int_equal(got[1], 5);
    mesh_client_free(client);
    h2_server_stop(servers[0]);
    h2_server_stop(servers[1]);
}

/* Nobody listens at one of two: the check's own connecting tells it, before any request does. */
static void who_refuses_connections_is_unhealthy(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    uint16_t ports[2] = { h2_server_port(server), h2_refusing_port() };
    struct mesh_client *client = client_of(at_ports(ports, 2), PAIRS(CHECKS, "health.check", "tcp"));

    (void) state;
    UNTIL(described(client, "\"health\":\"unhealthy\",\"health_reason\":\"connect to 127.0.0.1:") &&
          described(client, "\"health\":\"healthy\""));
    for (int i = 0; i < 10; i++)
        ANSWER(get(client, "/ok", NULL), 0, 200, 1);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void connecting_is_a_check(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, PAIRS(CHECKS, "health.check", "tcp"));

    (void) state;
    ANSWER(get(client, "/ok", NULL), 0, 200, 1);
    UNTIL(h2_server_accepted(server) >= 10);
    UNTIL(h2_server_open(server) <= 2);
    assert_int_equal(checks(server), 0);
    mesh_client_free(client);
    UNTIL(h2_server_open(server) == 0);
    h2_server_stop(server);
}

/* One loop asks; the others, whose threads make the requests, know. */
static void *call_in_thread(void *user)
{
    for (int i = 0; i < 20; i++)
        ANSWER(get(user, "/ok", "threads"), 0, 200, 1);
    return NULL;
}

static void call_in_threads(struct mesh_client *client)
{
    pthread_t threads[8];

    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_in_thread, client), 0);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
}

static void all_loops_know(void **state)
{
    struct h2_server *servers[2] = { h2_server_start(NULL), h2_server_start(NULL) };
    struct mesh_client *client = client_of(at_servers(servers, 2), PAIRS(CHECKS, "loops", "4"));
    unsigned before;

    (void) state;
    call_in_threads(client);
    h2_server_set_health(servers[0], 503);
    UNTIL(described(client, "\"health\":\"unhealthy\""));
    before = h2_server_record(servers[0], "threads").seen;
    call_in_threads(client);
    assert_int_equal(h2_server_record(servers[0], "threads").seen, before);
    h2_server_set_health(servers[0], 200);
    UNTIL(!described(client, "unhealthy"));
    call_in_threads(client);
    assert_true(h2_server_record(servers[0], "threads").seen > before);
    mesh_client_free(client);
    h2_server_stop(servers[0]);
    h2_server_stop(servers[1]);
}

/* In the middle of a check, and of connecting for one. */
static void a_client_is_freed_at_any_time(void **state)
{
    struct h2_server *servers[2] = { h2_server_start(NULL), h2_server_start(&(struct h2_server_conf){ .mute = true }) };
    static const char *const kinds[] = { "http", "grpc", "tcp" };

    (void) state;
    for (int i = 0; i < 30; i++) {
        struct mesh_client *client =
            client_of(at_servers(servers, 2), PAIRS(CHECKS, "health.interval_ms", "10", "health.check", kinds[i % 3]));

        h2_server_set_health(servers[0], i % 2 ? 200 : 0);
        described(client, "");
        if (kinds[i % 3][0] == 'h')
            await_checks(servers[0], 1);
        else
            poll(NULL, 0, i);
        mesh_client_free(client);
    }
    h2_server_stop(servers[0]);
    h2_server_stop(servers[1]);
}

/* Envoy's outlier detection: who passes a check is back at once, an hour early. */
static void a_passed_check_ends_an_ejection(void **state)
{
    struct h2_server *servers[2] = { h2_server_start(NULL), h2_server_start(NULL) };
    struct mesh_client *client =
        client_of(at_servers(servers, 2),
                  PAIRS(CHECKS, "outlier.policy", "envoy", "outlier.max_ejection_percent", "100", "retry.attempts", "1",
                        "outlier.interval_ms", "3600000", "outlier.base_ejection_ms", "3600000"));
    unsigned got[2];

    (void) state;
    UNTIL(described(client, "\"health\":\"healthy\""));
    h2_server_set_health(servers[0], 0);
    h2_server_set_health(servers[1], 0);
    await_checks(servers[0], 1); /* the next checks are asked and not answered: nobody comes back meanwhile */
    await_checks(servers[1], 1);
    for (int i = 0; i < 10; i++)
        assert_int_equal(get(client, "/status?code=503", NULL).status, 503);
    UNTIL(described(client, "consecutive_5xx: ejected for another "));
    h2_server_set_health(servers[0], 200);
    h2_server_set_health(servers[1], 200);
    mesh_client_free(client);
    client =
        client_of(at_servers(servers, 2), PAIRS(CHECKS, "outlier.policy", "envoy", "outlier.max_ejection_percent",
                                                "100", "retry.attempts", "1", "outlier.base_ejection_ms", "3600000"));
    for (int i = 0; i < 10; i++)
        assert_int_equal(get(client, "/status?code=503", NULL).status, 503);
    UNTIL(described(client, "\"health\":\"healthy\"") && !described(client, "consecutive_5xx"));
    share(client, servers, got);
    assert_int_equal(got[0], 5);
    mesh_client_free(client);
    h2_server_stop(servers[0]);
    h2_server_stop(servers[1]);
}

static void draining_ends_the_checks(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, PAIRS(CHECKS));

    (void) state;
    ANSWER(get(client, "/ok", NULL), 0, 200, 1);
    await_checks(server, 1);
    MESH_OK(mesh_client_drain(client, 10000));
    UNTIL(h2_server_open(server) == 0);
    mesh_client_free(client);
    h2_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unhealthy_ones_get_no_requests),
        cmocka_unit_test(checks_need_no_requests),
        cmocka_unit_test(silence_has_to_repeat),
        cmocka_unit_test(with_nobody_healthy_all_are_asked),
        cmocka_unit_test(who_refuses_connections_is_unhealthy),
        cmocka_unit_test(connecting_is_a_check),
        cmocka_unit_test(all_loops_know),
        cmocka_unit_test(a_client_is_freed_at_any_time),
        cmocka_unit_test(a_passed_check_ends_an_ejection),
        cmocka_unit_test(draining_ends_the_checks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
