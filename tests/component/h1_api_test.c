/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 endpoints through the public interface: calls, the limit of connections, retries. */
#include "support/h1_server.h"
#include "support/mesh_client.h"

static struct server server;

static struct mesh_client *h1_client(const char *const *keys)
{
    const char *all[32] = { "services.users.protocol", "http" };
    size_t n = 2;

    for (; keys && keys[0]; keys += 2) {
        all[n++] = keys[0];
        all[n++] = keys[1];
    }
    return client_of(at_port(server.addr.port), all);
}

static void serve_ok(struct server_conn *conn)
{
    while (server_read(conn))
        server_send(conn, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-server: h1\r\n\r\nhello");
}

/* The first request of each connection meets a closed one; the second connection answers. */
static void serve_after_first_connection(struct server_conn *conn)
{
    if (!server_read(conn) || conn->number % 2 == 1)
        return;
    do
        server_send(conn, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
    while (server_read(conn));
}

static void serve_slowly(struct server_conn *conn)
{
    while (server_read(conn)) {
        poll(NULL, 0, 30);
        server_send(conn, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
    }
}

static void calls(void **state)
{
    struct mesh_client *client;

    (void) state;
    server_start(&server, serve_ok, NULL);
    client = h1_client(NULL);
    for (int i = 0; i < 5; i++) {
        struct answer answer = i % 2 ? post(client, "/ok", "a") : get(client, "/ok", "a");

        ANSWER(answer, 0, 200, 1);
        assert_string_equal(answer.body, "hello");
    }
    assert_int_equal(server.accepted, 1);
    mesh_client_free(client);
    server_stop(&server);
}

struct caller {
    struct mesh_client *client;
    pthread_t thread;
    struct answer answer;
};

static void *one_call(void *user)
{
    struct caller *caller = user;

    caller->answer = get(caller->client, "/ok", NULL);
    return NULL;
}

static void connections_are_limited(void **state)
{
    enum { N = 12 };
    struct caller callers[N];
    struct mesh_client *client;

    (void) state;
    server_start(&server, serve_slowly, NULL);
    client = h1_client(PAIRS("breaker.max_connections", "2"));
    for (int i = 0; i < N; i++) {
        callers[i] = (struct caller){ .client = client };
        assert_int_equal(pthread_create(&callers[i].thread, NULL, one_call, &callers[i]), 0);
    }
    for (int i = 0; i < N; i++) {
        pthread_join(callers[i].thread, NULL);
        ANSWER(callers[i].answer, 0, 200, 1);
    }
    assert_in_range(server.accepted, 1, 2);
    mesh_client_free(client);
    server_stop(&server);
}

static void a_lost_get_is_sent_again_and_a_post_is_not(void **state)
{
    struct mesh_client *client;

    (void) state;
    server_start(&server, serve_after_first_connection, NULL);
    client = h1_client(NULL);
    ANSWER(get(client, "/ok", NULL), 0, 200, 2);
    mesh_client_free(client);
    client = h1_client(NULL);
    ANSWER(post(client, "/ok", NULL), MESH_ERR_RESET, 0, 1);
    assert_int_equal(server.requests, 3);
    mesh_client_free(client);
    server_stop(&server);
}

static void nobody_there(void **state)
{
    struct mesh_client *client;

    (void) state;
    server.addr.port = h2_refusing_port();
    client = h1_client(NULL);
    ANSWER(post(client, "/ok", NULL), MESH_ERR_CONNECT, 0, 3);
    mesh_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls),
        cmocka_unit_test(connections_are_limited),
        cmocka_unit_test(a_lost_get_is_sent_again_and_a_post_is_not),
        cmocka_unit_test(nobody_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
