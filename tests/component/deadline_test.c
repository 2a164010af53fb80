/* SPDX-License-Identifier: Apache-2.0 */
/* A deadline is kept whatever the peer does. On a machine that has nothing else to do within 50 ms; what these tests demand is
 * that it is never early, and not later than a machine under load and sanitizers may be. */
#include <pthread.h>
#include <unistd.h>

#include "support/mesh_client.h"

enum { DEADLINE_MS = 300, LATEST_MS = 2000 };

static uint64_t latest_ms(void)
{
    const char *strict = getenv("MESH_TEST_STRICT"); /* on a quiet machine, without sanitizers */

    return strict ? DEADLINE_MS + 50 : LATEST_MS;
}

static void in_time(const struct answer *answer)
{
    if (answer->err != MESH_ERR_TIMEOUT)
        fail_msg("%s: %s", mesh_error_name(answer->err), answer->detail);
    assert_in_range(answer->took_ms, DEADLINE_MS, latest_ms());
}

static struct answer get_with_deadline(struct mesh_client *client, const char *path)
{
    struct ask ask = { 0 };

    ask_for(&ask, path, NULL);
    ask.opts.timeout_ms = DEADLINE_MS;
    return call(client, &ask);
}

static void a_server_that_never_answers(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, NULL);
    struct answer answer = get_with_deadline(client, "/never");

    (void) state;
    in_time(&answer);
    says(answer.detail, "no answer within the request's time");
    ANSWER(answer, MESH_ERR_TIMEOUT, 0, 1);
    answer = get_with_deadline(client, "/hang");
    in_time(&answer);
    says(answer.detail, "did not end within the request's time");
    answer = get(client, "/ok", NULL);
    ANSWER(answer, 0, 200, 1);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void the_policys_deadline(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, PAIRS("services.users.timeout_ms", "300"));
    struct answer answer = get(client, "/never", NULL);

    (void) state;
    in_time(&answer);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void a_server_that_never_says_what_it_speaks(void **state)
{
    struct h2_server *server = h2_server_start(&(struct h2_server_conf){ .mute = true });
    struct mesh_client *client = client_of_server(server, NULL);
    struct answer answer = get_with_deadline(client, "/ok");

    (void) state;
    in_time(&answer);
    says(answer.detail, "no connection within the request's time");
    assert_int_equal(h2_server_seen(server), 0);
    mesh_client_free(client);
    h2_server_stop(server);
}

/* The connect timeout covers the peer's first words too. */
static void a_mute_server_is_no_connection(void **state)
{
    struct h2_server *server = h2_server_start(&(struct h2_server_conf){ .mute = true });
    struct mesh_client *client = client_of_server(server, PAIRS("connect_timeout_ms", "100", "retry.attempts", "2"));
    struct answer answer = get(client, "/ok", NULL);

    (void) state;
    ANSWER(answer, MESH_ERR_CONNECT, 0, 2);
    says(answer.detail, "no HTTP/2 settings came within 100 ms");
    assert_in_range(answer.took_ms, 200, LATEST_MS);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void one_byte_at_a_time(void **state)
{
    struct h2_server *server = h2_server_start(&(struct h2_server_conf){ .drip_ms = 10, .drip_after = 64 });
    struct mesh_client *client = client_of_server(server, NULL);
    struct answer answer = get_with_deadline(client, "/give?bytes=1000");

    (void) state;
    in_time(&answer);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void a_black_hole(void **state)
{
    uint16_t port;
    int filler, listener = h2_black_hole(&port, &filler);
    struct mesh_client *client = client_of(at_port(port), NULL);
    struct answer answer = get_with_deadline(client, "/ok");

    (void) state;
    in_time(&answer);
    mesh_client_free(client);
    close(listener);
    close(filler);
}

static void connecting_into_a_black_hole_has_its_own_limit(void **state)
{
    uint16_t port;
    int filler, listener = h2_black_hole(&port, &filler);
    struct mesh_client *client = client_of(at_port(port), PAIRS("connect_timeout_ms", "150", "retry.attempts", "1"));
    struct answer answer = get(client, "/ok", NULL);

    (void) state;
    ANSWER(answer, MESH_ERR_CONNECT, 0, 1);
    assert_in_range(answer.took_ms, 150, LATEST_MS);
    mesh_client_free(client);
    close(listener);
    close(filler);
}

/* The first endpoint is a black hole, the second answers. */
static void a_black_hole_beside_a_server(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    uint16_t ports[2] = { 0, h2_server_port(server) };
    int filler, listener = h2_black_hole(&ports[0], &filler);
    struct mesh_client *client = client_of(at_ports(ports, 2), PAIRS("connect_timeout_ms", "150"));

    (void) state;
    for (int i = 0; i < 20; i++) {
        struct answer answer = post(client, "/ok", NULL);

        assert_int_equal(answer.err, 0);
        assert_in_range(answer.took_ms, 0, LATEST_MS);
    }
    mesh_client_free(client);
    h2_server_stop(server);
    close(listener);
    close(filler);
}

/* The deadlines of parked threads are kept by whoever drives, whose own is far away. */
static void *one_deadline(void *client)
{
    static _Thread_local struct answer answer;
    struct answer *copy = malloc(sizeof *copy);

    answer = get_with_deadline(client, "/never");
    *copy = answer;
    return copy;
}

static void many_deadlines_at_once(void **state)
{
    enum { N = 30 };
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, NULL);
    pthread_t threads[N];

    (void) state;
    for (int i = 0; i < N; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, one_deadline, client), 0);
    for (int i = 0; i < N; i++) {
        void *answer;

        pthread_join(threads[i], &answer);
        in_time(answer);
        free(answer);
    }
    mesh_client_free(client);
    h2_server_stop(server);
}

/* A peer that stops reading: the request's body cannot be sent. */
static void an_upload_that_is_not_read(void **state)
{
    static char body[4 << 20];
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, NULL);
    struct ask ask = { 0 };
    struct answer answer;

    (void) state;
    ask_for(&ask, "/never", NULL);
    ask.opts.method = "PUT";
    ask.opts.body = body;
    ask.opts.body_len = sizeof body;
    ask.opts.timeout_ms = DEADLINE_MS;
    answer = call(client, &ask);
    in_time(&answer);
    mesh_client_free(client);
    h2_server_stop(server);
}

/* Backing off is part of the request's time: no attempt that could not end in time is waited for. */
static void backing_off_ends_with_the_deadline(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client =
        client_of_server(server, PAIRS("retry.backoff_base_ms", "60000", "retry.backoff_max_ms", "60000"));
    struct answer answer = get_with_deadline(client, "/status?code=503");

    (void) state;
    assert_int_equal(answer.status, 503);
    assert_in_range(answer.took_ms, 0, LATEST_MS);
    mesh_client_free(client);
    h2_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_never_answers),
        cmocka_unit_test(the_policys_deadline),
        cmocka_unit_test(a_server_that_never_says_what_it_speaks),
        cmocka_unit_test(a_mute_server_is_no_connection),
        cmocka_unit_test(one_byte_at_a_time),
        cmocka_unit_test(a_black_hole),
        cmocka_unit_test(connecting_into_a_black_hole_has_its_own_limit),
        cmocka_unit_test(a_black_hole_beside_a_server),
        cmocka_unit_test(many_deadlines_at_once),
        cmocka_unit_test(an_upload_that_is_not_read),
        cmocka_unit_test(backing_off_ends_with_the_deadline),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
