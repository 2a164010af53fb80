/* SPDX-License-Identifier: Apache-2.0 */
/* The circuit breaker's limits answer at once, and connections are as many as are needed. */
#include <pthread.h>

#include "support/mesh_client.h"

enum { MOST_CALLS = 64 };

/* Calls that hang in their own threads until the server goes. */
struct crowd {
    struct mesh_client *client;
    const char *path;
    pthread_t threads[MOST_CALLS];
    struct answer answers[MOST_CALLS];
    unsigned n;
    _Atomic unsigned next;
};

static void *hang(void *user)
{
    struct crowd *crowd = user;
    unsigned i = crowd->next++;

    crowd->answers[i] = get(crowd->client, crowd->path, NULL);
    return NULL;
}

static void crowd_begin(struct crowd *crowd, struct mesh_client *client, const char *path, unsigned n)
{
    crowd->client = client;
    crowd->path = path;
    crowd->n = n;
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(pthread_create(&crowd->threads[i], NULL, hang, crowd), 0);
}

static void crowd_end(struct crowd *crowd)
{
    for (unsigned i = 0; i < crowd->n; i++)
        pthread_join(crowd->threads[i], NULL);
}

static void overflows(struct mesh_client *client, const char *what)
{
    struct answer answer = get(client, "/ok", "late");

    assert_int_equal(answer.err, MESH_ERR_OVERFLOW);
    assert_int_equal(answer.status, 0);
    says(answer.detail, what);
}

static void running_requests_are_limited(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, PAIRS("breaker.max_requests", "4", "timeout_ms", "0"));
    struct crowd crowd = { 0 };

    (void) state;
    crowd_begin(&crowd, client, "/slow?ms=1500", 4);
    UNTIL(h2_server_streams(server) == 4);
    overflows(client, "breaker.max_requests 4");
    assert_int_equal(h2_server_record(server, "late").seen, 0);
    crowd_end(&crowd);
    for (int i = 0; i < 4; i++)
        ANSWER(crowd.answers[i], 0, 200, 1);
    ANSWER(get(client, "/ok", NULL), 0, 200, 1);
    mesh_client_free(client);
    h2_server_stop(server);
}

/* Nobody can connect, so whoever comes waits. */
static void waiting_requests_are_limited(void **state)
{
    struct h2_server *server = h2_server_start(&(struct h2_server_conf){ .mute = true });
    struct mesh_client *client = client_of_server(
        server, PAIRS("breaker.max_pending", "3", "connect_timeout_ms", "1500", "retry.attempts", "1"));
    struct crowd crowd = { 0 };
    unsigned refused = 0;

    (void) state;
    crowd_begin(&crowd, client, "/ok", 10);
    crowd_end(&crowd);
    for (int i = 0; i < 10; i++) {
        refused += crowd.answers[i].err == MESH_ERR_OVERFLOW;
        if (crowd.answers[i].err == MESH_ERR_OVERFLOW)
            says(crowd.answers[i].detail, "breaker.max_pending 3");
        else
            assert_int_equal(crowd.answers[i].err, MESH_ERR_CONNECT);
    }
    assert_int_equal(refused, 7);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void connections_are_limited(void **state)
{
    struct h2_server *servers[2] = { h2_server_start(NULL), h2_server_start(NULL) };
    struct mesh_client *client =
        client_of(at_servers(servers, 2), PAIRS("breaker.max_connections", "1", "balance.policy", "round_robin"));
    unsigned overflown = 0;

    (void) state;
    for (int i = 0; i < 10; i++) {
        struct answer answer = get(client, "/ok", NULL);

        if (answer.err == 0)
            continue;
        assert_int_equal(answer.err, MESH_ERR_OVERFLOW);
        says(answer.detail, "breaker.max_connections 1");
        overflown++;
    }
    assert_int_equal(overflown, 5);
    assert_int_equal(h2_server_accepted(servers[0]) + h2_server_accepted(servers[1]), 1);
    mesh_client_free(client);
    h2_server_stop(servers[0]);
    h2_server_stop(servers[1]);
}

/* The one connection that is allowed has no place just now: who comes waits for one instead of failing. */
static void a_place_on_a_full_connection_is_waited_for(void **state)
{
    struct h2_server *server = h2_server_start(&(struct h2_server_conf){ .max_streams = 2 });
    struct mesh_client *client = client_of_server(server, PAIRS("breaker.max_connections", "1"));
    struct crowd crowd = { 0 };

    (void) state;
    ANSWER(get(client, "/ok", NULL), 0, 200, 1);
    crowd_begin(&crowd, client, "/slow?ms=20", 40);
    crowd_end(&crowd);
    for (int i = 0; i < 40; i++)
        ANSWER(crowd.answers[i], 0, 200, 1);
    assert_int_equal(h2_server_accepted(server), 1);
    mesh_client_free(client);
    h2_server_stop(server);
}

/* ---- as many connections as are needed ---- */

static void one_after_the_other_needs_one_connection(void **state)
{
    static const uint32_t limits[] = { 1, 2, 5, 9, 100 };

    (void) state;
    for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
        struct h2_server *server = h2_server_start(&(struct h2_server_conf){ .max_streams = limits[k] });
        struct mesh_client *client = client_of_server(server, NULL);

        for (int i = 0; i < 20; i++)
            ANSWER(get(client, "/ok", NULL), 0, 200, 1);
        assert_int_equal(h2_server_accepted(server), 1);
        mesh_client_free(client);
        h2_server_stop(server);
    }
}

static void a_second_connection_comes_before_the_limit(void **state)
{
    struct h2_server *server = h2_server_start(&(struct h2_server_conf){ .max_streams = 10 });
    struct mesh_client *client = client_of_server(server, NULL);
    struct crowd crowd = { 0 };

    (void) state;
    ANSWER(get(client, "/ok", NULL), 0, 200, 1);
    crowd_begin(&crowd, client, "/slow?ms=1500", 8);
    UNTIL(h2_server_streams(server) == 8);
    UNTIL(h2_server_accepted(server) == 2);
    crowd_end(&crowd);
    for (int i = 0; i < 8; i++)
        ANSWER(crowd.answers[i], 0, 200, 1);
    mesh_client_free(client);
    h2_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(running_requests_are_limited),
        cmocka_unit_test(waiting_requests_are_limited),
        cmocka_unit_test(connections_are_limited),
        cmocka_unit_test(a_place_on_a_full_connection_is_waited_for),
        cmocka_unit_test(one_after_the_other_needs_one_connection),
        cmocka_unit_test(a_second_connection_comes_before_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
