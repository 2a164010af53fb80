/* SPDX-License-Identifier: Apache-2.0 */
/* A signal whose handler runs during a wait ends it, if the call asks for that: while driving, while parked, in a crowd. */
#include <pthread.h>
#include <signal.h>

#include "support/mesh_client.h"

static void on_signal(int signal)
{
    (void) signal;
}

static int catch_signal(void **state)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

    (void) state;
    return sigaction(SIGUSR1, &action, NULL);
}

struct caller {
    struct mesh_client *client;
    const char *path;
    uint32_t flags;
    pthread_t thread;
    _Atomic bool over;
    struct answer answer;
};

static void *one_call(void *user)
{
    struct caller *caller = user;
    struct ask ask = { 0 };

    ask_for(&ask, caller->path, NULL);
    ask.opts.flags = caller->flags;
    caller->answer = call(caller->client, &ask);
    caller->over = true;
    return NULL;
}

static void start(struct caller *caller, struct mesh_client *client, const char *path, uint32_t flags)
{
    *caller = (struct caller){ .client = client, .path = path, .flags = flags };
    assert_int_equal(pthread_create(&caller->thread, NULL, one_call, caller), 0);
}

/* A signal that comes just before the thread waits does not end the wait: it is sent until it does. */
static void interrupt(struct caller *caller)
{
    while (!caller->over) {
        pthread_kill(caller->thread, SIGUSR1);
        poll(NULL, 0, 5);
    }
    pthread_join(caller->thread, NULL);
    assert_int_equal(caller->answer.err, MESH_ERR_INTERRUPTED);
    says(caller->answer.detail, "signal");
}

static void who_drives_is_interrupted(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, PAIRS("timeout_ms", "0"));
    struct caller caller;

    (void) state;
    start(&caller, client, "/never", MESH_REQ_INTERRUPTIBLE);
    UNTIL(h2_server_streams(server) == 1);
    interrupt(&caller);
    UNTIL(h2_server_streams(server) == 0);
    ANSWER(get(client, "/ok", NULL), 0, 200, 1);
    mesh_client_free(client);
    h2_server_stop(server);
}

/* Of several that wait, one drives and the others are parked; the last one is the keeper's guest in a crowd. */
static void whoever_waits_is_interrupted(unsigned n)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, PAIRS("timeout_ms", "0"));
    struct caller *callers = calloc(n, sizeof *callers);

    for (unsigned i = 0; i < n; i++)
        start(&callers[i], client, "/never", MESH_REQ_INTERRUPTIBLE);
    UNTIL(h2_server_streams(server) == n);
    for (unsigned i = 0; i < n; i++) {
        interrupt(&callers[i]);
        UNTIL(h2_server_streams(server) == n - 1 - i);
        ANSWER(get(client, "/ok", NULL), 0, 200, 1); /* somebody drives */
    }
    free(callers);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void two_and_five_and_twelve(void **state)
{
    (void) state;
    whoever_waits_is_interrupted(2);
    whoever_waits_is_interrupted(5);
    whoever_waits_is_interrupted(12);
}

/* Nobody is interrupted who has not asked for it. */
static void others_are_not_interrupted(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, NULL);
    struct caller callers[4];

    (void) state;
    for (int i = 0; i < 4; i++)
        start(&callers[i], client, "/slow?ms=400", 0);
    for (int k = 0; k < 20; k++) {
        for (int i = 0; i < 4; i++)
            pthread_kill(callers[i].thread, SIGUSR1);
        poll(NULL, 0, 5);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(callers[i].thread, NULL);
        ANSWER(callers[i].answer, 0, 200, 1);
    }
    mesh_client_free(client);
    h2_server_stop(server);
}

/* Answers and signals race: each call ends one way or the other. */
static void signals_while_answers_come(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, NULL);

    (void) state;
    for (int i = 0; i < 300; i++) {
        struct caller callers[3];

        for (int k = 0; k < 3; k++)
            start(&callers[k], client, "/ok", MESH_REQ_INTERRUPTIBLE);
        while (!callers[0].over || !callers[1].over || !callers[2].over)
            for (int k = 0; k < 3; k++)
                pthread_kill(callers[k].thread, SIGUSR1);
        for (int k = 0; k < 3; k++) {
            pthread_join(callers[k].thread, NULL);
            assert_true(callers[k].answer.err == 0 || callers[k].answer.err == MESH_ERR_INTERRUPTED);
        }
    }
    ANSWER(get(client, "/ok", NULL), 0, 200, 1);
    mesh_client_free(client);
    h2_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_drives_is_interrupted),
        cmocka_unit_test(two_and_five_and_twelve),
        cmocka_unit_test(others_are_not_interrupted),
        cmocka_unit_test(signals_while_answers_come),
    };

    return cmocka_run_group_tests(tests, catch_signal, NULL);
}
