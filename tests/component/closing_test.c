/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a client: with calls in flight in other threads, drained, and its objects freed in any order. */
#include <pthread.h>

#include "support/mesh_client.h"

enum { CALLERS = 20 };

struct caller {
    struct mesh_client *client;
    const char *path;
    pthread_t thread;
    struct answer answer;
};

static void *one_call(void *user)
{
    struct caller *caller = user;

    caller->answer = get(caller->client, caller->path, "a");
    return NULL;
}

static void begin_calls(struct caller *callers, unsigned n, struct mesh_client *client, const char *path)
{
    for (unsigned i = 0; i < n; i++) {
        callers[i] = (struct caller){ .client = client, .path = path };
        assert_int_equal(pthread_create(&callers[i].thread, NULL, one_call, &callers[i]), 0);
    }
}

static void end_calls(struct caller *callers, unsigned n, int32_t err)
{
    for (unsigned i = 0; i < n; i++) {
        pthread_join(callers[i].thread, NULL);
        if (callers[i].answer.err != err)
            fail_msg("%s: %s", mesh_error_name(callers[i].answer.err), callers[i].answer.detail);
    }
}

static void freeing_fails_calls_in_flight(const char *loops)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, PAIRS("loops", loops, "timeout_ms", "0"));
    struct caller callers[CALLERS];

    begin_calls(callers, CALLERS, client, "/never");
    UNTIL(h2_server_streams(server) == CALLERS);
    mesh_client_free(client);
    end_calls(callers, CALLERS, MESH_ERR_CLOSING);
    says(callers[0].answer.detail, "the client was freed");
    UNTIL(h2_server_open(server) == 0);
    h2_server_stop(server);
}

static void freeing_fails_calls_in_flight_of_one_loop(void **state)
{
    (void) state;
    freeing_fails_calls_in_flight("1");
}

static void freeing_fails_calls_in_flight_of_three_loops(void **state)
{
    (void) state;
    freeing_fails_calls_in_flight("3");
}

/* The queue keeps the client's memory for threads that come too late to begin: they are told so. */
static void freeing_fails_calls_that_wait_for_a_connection(void **state)
{
    struct h2_server *server = h2_server_start(&(struct h2_server_conf){ .mute = true });
    struct mesh_client *client = client_of_server(server, PAIRS("timeout_ms", "0", "connect_timeout_ms", "60000"));
    struct caller callers[CALLERS];
    struct mesh_queue *queue;

    (void) state;
    MESH_OK(mesh_queue_new(client, &queue));
    begin_calls(callers, CALLERS, client, "/ok");
    UNTIL(h2_server_accepted(server) == 1);
    mesh_client_free(client);
    end_calls(callers, CALLERS, MESH_ERR_CLOSING);
    mesh_queue_free(queue);
    h2_server_stop(server);
}

static void free_at_a_moment(struct mesh_client *client, struct mesh_queue *queue, int ms)
{
    struct caller callers[4];
    struct mesh_event event;
    struct ask ask = { 0 };

    for (unsigned k = 0; k < 3; k++)
        MESH_OK(mesh_request_start(client, &ask_for(&ask, "/ok", NULL)->opts, queue, k, NULL));
    begin_calls(callers, 4, client, "/ok");
    poll(NULL, 0, ms);
    mesh_client_free(client);
    for (unsigned k = 0; k < 4; k++) {
        pthread_join(callers[k].thread, NULL);
        assert_true(callers[k].answer.err == 0 || callers[k].answer.err == MESH_ERR_CLOSING);
    }
    for (unsigned k = 0; k < 3; k++) {
        assert_int_equal(mesh_queue_next(queue, &event, 1, GUARD_MS), 1);
        assert_true(event.err == 0 || event.err == MESH_ERR_CLOSING);
        mesh_response_free(event.response);
    }
    mesh_queue_free(queue);
}

static void freeing_at_any_moment(void **state)
{
    struct h2_server *server = h2_server_start(NULL);

    (void) state;
    for (int i = 0; i < 150; i++) {
        struct mesh_client *client = client_of_server(server, PAIRS("loops", i % 2 ? "1" : "3"));
        struct mesh_queue *queue;

        MESH_OK(mesh_queue_new(client, &queue));
        free_at_a_moment(client, queue, i % 4);
    }
    h2_server_stop(server);
}

/* ---- draining ---- */

struct draining {
    struct mesh_client *client;
    uint32_t timeout_ms;
    int32_t err;
};

static void *drain(void *user)
{
    struct draining *draining = user;

    draining->err = mesh_client_drain(draining->client, draining->timeout_ms);
    return NULL;
}

static void draining_lets_calls_end_and_refuses_new_ones(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, NULL);
    struct caller callers[CALLERS];
    struct answer answer;

    (void) state;
    begin_calls(callers, CALLERS, client, "/slow?ms=300");
    UNTIL(h2_server_streams(server) == CALLERS);
    MESH_OK(mesh_client_drain(client, GUARD_MS));
    end_calls(callers, CALLERS, 0);
    answer = get(client, "/ok", NULL);
    assert_int_equal(answer.err, MESH_ERR_CLOSING);
    UNTIL(h2_server_open(server) == 0);
    MESH_OK(mesh_client_drain(client, 0));
    mesh_client_free(client);
    h2_server_stop(server);
}

static void draining_has_a_limit(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, PAIRS("timeout_ms", "0"));
    struct caller callers[3];

    (void) state;
    begin_calls(callers, 3, client, "/never");
    UNTIL(h2_server_streams(server) == 3);
    assert_int_equal(mesh_client_drain(client, 0), MESH_ERR_TIMEOUT);
    assert_int_equal(mesh_client_drain(client, 100), MESH_ERR_TIMEOUT);
    mesh_client_free(client);
    end_calls(callers, 3, MESH_ERR_CLOSING);
    h2_server_stop(server);
}

static void several_threads_drain(void **state)
{
    enum { N = 5 };
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, PAIRS("loops", "2"));
    struct draining drainings[N];
    pthread_t threads[N];
    struct caller callers[CALLERS];

    (void) state;
    begin_calls(callers, CALLERS, client, "/slow?ms=400");
    UNTIL(h2_server_streams(server) == CALLERS);
    for (int i = 0; i < N; i++) {
        drainings[i] = (struct draining){ client, i % 2 ? MESH_FOREVER : GUARD_MS, 1 };
        assert_int_equal(pthread_create(&threads[i], NULL, drain, &drainings[i]), 0);
    }
    for (int i = 0; i < N; i++) {
        pthread_join(threads[i], NULL);
        MESH_OK(drainings[i].err);
    }
    end_calls(callers, CALLERS, 0);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void a_client_that_was_never_used(void **state)
{
    struct mesh_client *client = client_of(at_port(1), NULL);

    (void) state;
    MESH_OK(mesh_client_drain(client, 0));
    mesh_client_free(client);
    mesh_client_free(NULL);
    assert_int_equal(mesh_client_drain(NULL, 0), MESH_ERR_INVALID);
}

/* ---- orders ---- */

enum { CLIENT, QUEUE, CALL, STREAM, WAITING_STREAM, OBJECTS };

struct objects {
    struct mesh_client *client;
    struct mesh_queue *queue;
    struct mesh_call *call;
    struct mesh_stream *stream, *waiting_stream;
};

static void drop(struct objects *objects, int which)
{
    switch (which) {
    case CLIENT:
        mesh_client_free(objects->client);
        break;
    case QUEUE:
        mesh_queue_free(objects->queue);
        break;
    case CALL:
        mesh_call_cancel(objects->call);
        mesh_call_free(objects->call);
        break;
    case STREAM:
        mesh_stream_free(objects->stream);
        break;
    default:
        mesh_stream_free(objects->waiting_stream);
        break;
    }
}

/* The rank-th order of five things. */
static void order_of(unsigned rank, int order[OBJECTS])
{
    int left[OBJECTS] = { CLIENT, QUEUE, CALL, STREAM, WAITING_STREAM };

    for (unsigned n = OBJECTS; n > 0; n--) {
        unsigned at = rank % n;

        rank /= n;
        order[OBJECTS - n] = left[at];
        for (unsigned i = at; i + 1 < n; i++)
            left[i] = left[i + 1];
    }
}

static struct objects make_objects(struct h2_server *server, bool touch)
{
    struct objects objects = { .client = client_of_server(server, PAIRS("timeout_ms", "0")) };
    struct ask ask = { 0 };

    MESH_OK(mesh_queue_new(objects.client, &objects.queue));
    if (touch)
        assert_true(mesh_queue_fd(objects.queue) >= 0);
    ask_for(&ask, "/never", NULL);
    MESH_OK(mesh_request_start(objects.client, &ask.opts, objects.queue, 1, &objects.call));
    MESH_OK(mesh_stream_open(objects.client, &ask.opts, objects.queue, 2, &objects.stream));
    MESH_OK(mesh_stream_open(objects.client, &ask.opts, NULL, 3, &objects.waiting_stream));
    return objects;
}

static void objects_are_freed_in_any_order(void **state)
{
    struct h2_server *server = h2_server_start(NULL);

    (void) state;
    for (unsigned rank = 0; rank < 120; rank++) {
        struct objects objects = make_objects(server, rank % 2);
        int order[OBJECTS];

        if (rank % 3)
            poll(NULL, 0, 1);
        order_of(rank, order);
        for (int i = 0; i < OBJECTS; i++)
            drop(&objects, order[i]);
    }
    UNTIL(h2_server_open(server) == 0);
    h2_server_stop(server);
}

/* What is left tells that the client has gone, and nothing worse. */
static void objects_outlive_their_client(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct objects objects = make_objects(server, true);
    struct mesh_event events[8];
    unsigned ends = 0;
    uint8_t buf[8];
    int32_t n;
    size_t got;

    (void) state;
    UNTIL(h2_server_streams(server) == 3);
    mesh_client_free(objects.client);
    while ((n = mesh_queue_next(objects.queue, events, 8, 0)) > 0)
        for (int32_t i = 0; i < n; i++) {
            assert_int_equal(events[i].err, MESH_ERR_CLOSING);
            mesh_response_free(events[i].response);
            ends++;
        }
    assert_int_equal(ends, 2);
    assert_int_equal(mesh_stream_read(objects.waiting_stream, buf, 8, &got), MESH_ERR_CLOSING);
    assert_int_equal(mesh_stream_write(objects.stream, "x", 1, &got), MESH_ERR_CLOSING);
    assert_int_equal(mesh_stream_read(objects.stream, buf, 8, &got), MESH_ERR_CLOSING);
    MESH_OK(mesh_call_cancel(objects.call));
    MESH_OK(mesh_queue_wake(objects.queue));
    assert_int_equal(mesh_queue_next(objects.queue, events, 8, 0), 1);
    for (int i = QUEUE; i < OBJECTS; i++)
        drop(&objects, i);
    h2_server_stop(server);
}

/* A stream's reader waits in another thread while the client goes. */
static void *read_one(void *user)
{
    static int32_t err;
    uint8_t buf[8];
    size_t got;

    err = mesh_stream_read(user, buf, sizeof buf, &got);
    return &err;
}

static void a_reader_is_told_of_the_end(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct objects objects = make_objects(server, false);
    pthread_t thread;
    void *err;

    (void) state;
    assert_int_equal(pthread_create(&thread, NULL, read_one, objects.waiting_stream), 0);
    UNTIL(h2_server_streams(server) == 3);
    poll(NULL, 0, 20);
    mesh_client_free(objects.client);
    pthread_join(thread, &err);
    assert_int_equal(*(int32_t *) err, MESH_ERR_CLOSING);
    for (int i = QUEUE; i < OBJECTS; i++)
        drop(&objects, i);
    h2_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freeing_fails_calls_in_flight_of_one_loop),
        cmocka_unit_test(freeing_fails_calls_in_flight_of_three_loops),
        cmocka_unit_test(freeing_fails_calls_that_wait_for_a_connection),
        cmocka_unit_test(freeing_at_any_moment),
        cmocka_unit_test(draining_lets_calls_end_and_refuses_new_ones),
        cmocka_unit_test(draining_has_a_limit),
        cmocka_unit_test(several_threads_drain),
        cmocka_unit_test(a_client_that_was_never_used),
        cmocka_unit_test(objects_are_freed_in_any_order),
        cmocka_unit_test(objects_outlive_their_client),
        cmocka_unit_test(a_reader_is_told_of_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
