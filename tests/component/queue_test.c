/* SPDX-License-Identifier: Apache-2.0 */
/* The second way in, a completion queue, waited for or watched by its descriptor; and the third, the application's own loop. */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "support/mesh_client.h"

enum { MOST_EVENTS = 16 };

struct fixture {
    struct h2_server *server;
    struct mesh_client *client;
    struct mesh_queue *queue;
};

static struct fixture begin(const char *const *keys)
{
    struct fixture f = { .server = h2_server_start(NULL) };

    f.client = client_of_server(f.server, keys);
    MESH_OK(mesh_queue_new(f.client, &f.queue));
    return f;
}

static void end(struct fixture *f)
{
    mesh_queue_free(f->queue);
    mesh_client_free(f->client);
    h2_server_stop(f->server);
}

static void start(struct fixture *f, const char *path, uint64_t tag, struct mesh_call **out)
{
    struct ask ask = { 0 };

    MESH_OK(mesh_request_start(f->client, &ask_for(&ask, path, "a")->opts, f->queue, tag, out));
}

static struct mesh_event next_event(struct fixture *f)
{
    struct mesh_event event = { 0 };

    assert_int_equal(mesh_queue_next(f->queue, &event, 1, GUARD_MS), 1);
    return event;
}

static void is_answer(const struct mesh_event *event, uint64_t tag, int32_t err, int32_t status)
{
    assert_int_equal(event->kind, MESH_EVENT_RESPONSE);
    assert_int_equal(event->tag, tag);
    if (event->err != err)
        fail_msg("%s: %s", mesh_error_name(event->err), mesh_response_detail(event->response));
    assert_non_null(event->response);
    assert_int_equal(mesh_response_status(event->response), status);
    assert_int_equal(mesh_response_error(event->response), err);
    mesh_response_free(event->response);
}

static void one_call(void **state)
{
    struct fixture f = begin(NULL);
    struct mesh_event event;

    (void) state;
    start(&f, "/ok", 7, NULL);
    event = next_event(&f);
    is_answer(&event, 7, 0, 200);
    assert_int_equal(mesh_queue_next(f.queue, &event, 1, 0), 0);
    assert_int_equal(mesh_queue_next(f.queue, &event, 1, 10), 0);
    end(&f);
}

/* What the options point to may change after the call. */
static void options_are_copied(void **state)
{
    struct fixture f = begin(NULL);
    char service[] = "users", method[] = "POST", path[] = "/echo", name[] = "x-id", value[] = "copy", body[] = "hello";
    struct mesh_header header = { name, value };
    struct mesh_request_opts opts;
    struct mesh_event event;
    const void *data;
    size_t len;

    (void) state;
    mesh_request_opts_init(&opts, sizeof opts);
    opts = (struct mesh_request_opts){ .size = sizeof opts,
                                       .service = service,
                                       .method = method,
                                       .path = path,
                                       .headers = &header,
                                       .n_headers = 1,
                                       .body = body,
                                       .body_len = 5 };
    MESH_OK(mesh_request_start(f.client, &opts, f.queue, 1, NULL));
    memset(service, 'x', 5), memset(method, 'x', 4), memset(path, 'x', 5), memset(name, 'x', 4);
    memset(value, 'x', 4), memset(body, 'x', 5);
    event = next_event(&f);
    MESH_OK(mesh_response_body(event.response, &data, &len));
    assert_int_equal(len, 5);
    assert_memory_equal(data, "hello", 5);
    assert_int_equal(h2_server_record(f.server, "copy").executed, 1);
    mesh_response_free(event.response);
    end(&f);
}

static void many_calls_by_waiting(void **state)
{
    enum { ALL = 3000, AT_ONCE = 64 };
    struct fixture f = begin(NULL);
    struct mesh_event events[MOST_EVENTS];
    unsigned started = 0, ended = 0;
    static bool seen[ALL];

    (void) state;
    memset(seen, 0, sizeof seen);
    while (ended < ALL) {
        int32_t n;

        while (started < ALL && started - ended < AT_ONCE)
            start(&f, "/ok", started++, NULL);
        n = mesh_queue_next(f.queue, events, MOST_EVENTS, GUARD_MS);
        assert_true(n > 0);
        for (int32_t i = 0; i < n; i++) {
            assert_false(seen[events[i].tag]);
            seen[events[i].tag] = true;
            is_answer(&events[i], events[i].tag, 0, 200);
            ended++;
        }
    }
    assert_int_equal(h2_server_record(f.server, "a").executed, ALL);
    end(&f);
}

/* As an event loop does it: never waiting in the queue. */
static void many_calls_by_the_descriptor(void **state)
{
    enum { ALL = 2000, AT_ONCE = 32 };
    struct fixture f = begin(NULL);
    struct pollfd fd = { .fd = mesh_queue_fd(f.queue), .events = POLLIN };
    struct mesh_event events[MOST_EVENTS];
    unsigned started = 0, ended = 0;

    (void) state;
    assert_true(fd.fd >= 0);
    while (ended < ALL) {
        int32_t n;

        while (started < ALL && started - ended < AT_ONCE)
            start(&f, "/ok", started++, NULL);
        assert_int_equal(poll(&fd, 1, GUARD_MS), 1);
        while ((n = mesh_queue_next(f.queue, events, 3, 0)) > 0) {
            for (int32_t i = 0; i < n; i++)
                is_answer(&events[i], events[i].tag, 0, 200);
            ended += (unsigned) n;
        }
        assert_int_equal(n, 0);
    }
    assert_int_equal(poll(&fd, 1, 0), 0);
    end(&f);
}

/* Who takes events, starts more and then only watches the descriptor has them sent all the same, also while others hang. */
static void calls_are_not_held_back_for_who_watches_the_descriptor(void **state)
{
    struct fixture f = begin(PAIRS("timeout_ms", "0", "connection.silence_ms", "0"));
    struct pollfd fd = { .fd = mesh_queue_fd(f.queue), .events = POLLIN };
    struct mesh_event event;
    struct mesh_call *calls[8];

    (void) state;
    for (unsigned i = 0; i < 8; i++)
        start(&f, "/never", i, &calls[i]);
    start(&f, "/ok", 100, NULL);
    assert_int_equal(poll(&fd, 1, GUARD_MS), 1);
    assert_int_equal(mesh_queue_next(f.queue, &event, 1, 0), 1);
    is_answer(&event, 100, 0, 200);
    start(&f, "/ok", 101, NULL);
    assert_int_equal(poll(&fd, 1, GUARD_MS), 1);
    event = next_event(&f);
    is_answer(&event, 101, 0, 200);
    for (unsigned i = 0; i < 8; i++) {
        MESH_OK(mesh_call_cancel(calls[i]));
        mesh_call_free(calls[i]);
    }
    end(&f);
}

/* The same without a descriptor: who has taken events and stays away. */
static void calls_are_not_held_back_for_who_stays_away(void **state)
{
    struct fixture f = begin(PAIRS("timeout_ms", "0", "connection.silence_ms", "0"));
    struct mesh_event event;

    (void) state;
    for (unsigned i = 0; i < 8; i++)
        start(&f, "/never", i, NULL);
    start(&f, "/ok", 100, NULL);
    event = next_event(&f);
    is_answer(&event, 100, 0, 200);
    start(&f, "/ok", 101, NULL);
    UNTIL(h2_server_record(f.server, "a").executed == 10);
    end(&f);
}

/* A deadline is all that happens: the keeper drives for who watches the descriptor. */
static void a_deadline_by_the_descriptor(void **state)
{
    struct fixture f = begin(PAIRS("timeout_ms", "100"));
    struct pollfd fd = { .fd = mesh_queue_fd(f.queue), .events = POLLIN };
    struct mesh_event event;

    (void) state;
    for (int i = 0; i < 5; i++) {
        ANSWER(get(f.client, "/ok", NULL), 0, 200, 1); /* a caller takes the driving away in between */
        start(&f, "/never", 1, NULL);
        ANSWER(get(f.client, "/ok", NULL), 0, 200, 1);
        assert_int_equal(poll(&fd, 1, GUARD_MS), 1);
        event = next_event(&f);
        is_answer(&event, 1, MESH_ERR_TIMEOUT, 0);
    }
    end(&f);
}

/* ---- cancelling ---- */

static void a_cancelled_call_ends_once(void **state)
{
    struct fixture f = begin(NULL);
    struct mesh_call *call;
    struct mesh_event event;

    (void) state;
    start(&f, "/never", 3, &call);
    UNTIL(h2_server_streams(f.server) == 1);
    MESH_OK(mesh_call_cancel(call));
    MESH_OK(mesh_call_cancel(call));
    event = next_event(&f);
    is_answer(&event, 3, MESH_ERR_CANCELLED, 0);
    MESH_OK(mesh_call_cancel(call));
    mesh_call_free(call);
    assert_int_equal(mesh_queue_next(f.queue, &event, 1, 0), 0);
    UNTIL(h2_server_streams(f.server) == 0); /* RST_STREAM */
    start(&f, "/ok", 4, &call);
    event = next_event(&f);
    is_answer(&event, 4, 0, 200);
    MESH_OK(mesh_call_cancel(call));
    mesh_call_free(call);
    mesh_call_free(NULL);
    assert_int_equal(mesh_call_cancel(NULL), MESH_ERR_INVALID);
    end(&f);
}

/* Between two attempts the sentence says both: who ended it, and what the first attempt met. */
static void a_call_that_backs_off_is_cancelled(void **state)
{
    struct mesh_client *client =
        client_of(at_port(h2_refusing_port()),
                  PAIRS("retry.backoff_base_ms", "60000", "retry.backoff_max_ms", "60000", "timeout_ms", "0"));
    struct mesh_queue *queue;
    struct mesh_event event;
    struct mesh_call *call;
    struct ask ask = { 0 };

    (void) state;
    MESH_OK(mesh_queue_new(client, &queue));
    MESH_OK(mesh_request_start(client, &ask_for(&ask, "/ok", NULL)->opts, queue, 1, &call));
    assert_int_equal(mesh_queue_next(queue, &event, 1, 100), 0);
    MESH_OK(mesh_call_cancel(call));
    assert_int_equal(mesh_queue_next(queue, &event, 1, GUARD_MS), 1);
    assert_int_equal(event.err, MESH_ERR_CANCELLED);
    says(mesh_response_detail(event.response), "cancelled it, after: ");
    says(mesh_response_detail(event.response), "refused");
    mesh_response_free(event.response);
    mesh_call_free(call);
    mesh_queue_free(queue);
    mesh_client_free(client);
}

static void calls_are_cancelled_while_they_end(void **state)
{
    struct fixture f = begin(NULL);
    struct mesh_event event;

    (void) state;
    for (unsigned i = 0; i < 500; i++) {
        struct mesh_call *call;

        start(&f, "/ok", i, &call);
        if (i % 3 == 0)
            poll(NULL, 0, 1);
        MESH_OK(mesh_call_cancel(call));
        if (i % 2 == 0)
            mesh_call_free(call);
        event = next_event(&f);
        assert_int_equal(event.tag, i);
        assert_true(event.err == 0 || event.err == MESH_ERR_CANCELLED);
        mesh_response_free(event.response);
        if (i % 2 != 0)
            mesh_call_free(call);
    }
    end(&f);
}

/* ---- waking ---- */

static void *wake_soon(void *queue)
{
    poll(NULL, 0, 20);
    mesh_queue_wake(queue);
    return NULL;
}

static void another_thread_wakes(void **state)
{
    struct fixture f = begin(NULL);

    (void) state;
    for (int i = 0; i < 10; i++) {
        pthread_t thread;
        struct mesh_event event;

        assert_int_equal(pthread_create(&thread, NULL, wake_soon, f.queue), 0);
        event = next_event(&f);
        assert_int_equal(event.kind, MESH_EVENT_WAKE);
        assert_int_equal(event.tag, 0);
        assert_null(event.response);
        pthread_join(thread, NULL);
        assert_int_equal(mesh_queue_next(f.queue, &event, 1, 0), 0);
    }
    end(&f);
}

static void several_wakes_are_one(void **state)
{
    struct fixture f = begin(NULL);
    struct mesh_event events[4];

    (void) state;
    for (int i = 0; i < 5; i++)
        MESH_OK(mesh_queue_wake(f.queue));
    assert_int_equal(mesh_queue_next(f.queue, events, 4, GUARD_MS), 1);
    assert_int_equal(mesh_queue_next(f.queue, events, 4, 0), 0);
    assert_int_equal(mesh_queue_wake(NULL), MESH_ERR_INVALID);
    end(&f);
}

static void a_wake_makes_the_descriptor_readable(void **state)
{
    struct fixture f = begin(NULL);
    struct pollfd fd = { .fd = mesh_queue_fd(f.queue), .events = POLLIN };
    struct mesh_event event;

    (void) state;
    for (int i = 0; i < 10; i++) {
        MESH_OK(mesh_queue_wake(f.queue));
        assert_int_equal(poll(&fd, 1, GUARD_MS), 1);
        assert_int_equal(mesh_queue_next(f.queue, &event, 1, 0), 1);
        assert_int_equal(event.kind, MESH_EVENT_WAKE);
        assert_int_equal(poll(&fd, 1, 0), 0);
    }
    end(&f);
}

static struct mesh_queue *woken_by_signal;

static void on_signal(int signal)
{
    (void) signal;
    mesh_queue_wake(woken_by_signal);
}

static void *signal_soon(void *thread)
{
    poll(NULL, 0, 20);
    pthread_kill(*(pthread_t *) thread, SIGUSR1);
    return NULL;
}

static void a_signal_handler_wakes(void **state)
{
    struct fixture f = begin(NULL);
    struct sigaction action = { .sa_handler = on_signal }, before;
    pthread_t self = pthread_self();

    (void) state;
    woken_by_signal = f.queue;
    sigaction(SIGUSR1, &action, &before);
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        struct mesh_event event;

        assert_int_equal(pthread_create(&thread, NULL, signal_soon, &self), 0);
        event = next_event(&f);
        assert_int_equal(event.kind, MESH_EVENT_WAKE);
        pthread_join(thread, NULL);
    }
    sigaction(SIGUSR1, &before, NULL);
    end(&f);
}

static void on_signal_do_nothing(int signal)
{
    (void) signal;
}

struct pestered {
    pthread_t thread;
    _Atomic bool over;
};

/* A signal that comes just before the wait does not end it, so it comes again. */
static void *pester(void *user)
{
    struct pestered *pestered = user;

    while (!pestered->over) {
        poll(NULL, 0, 10);
        pthread_kill(pestered->thread, SIGUSR1);
    }
    return NULL;
}

static void a_signal_ends_the_wait(void **state)
{
    struct fixture f = begin(NULL);
    struct sigaction action = { .sa_handler = on_signal_do_nothing, .sa_flags = SA_RESTART }, before;
    struct pestered self = { .thread = pthread_self() };
    pthread_t thread;
    struct mesh_event event;

    (void) state;
    sigaction(SIGUSR1, &action, &before);
    assert_int_equal(pthread_create(&thread, NULL, pester, &self), 0);
    assert_int_equal(mesh_queue_next(f.queue, &event, 1, GUARD_MS), MESH_ERR_INTERRUPTED);
    self.over = true;
    pthread_join(thread, NULL);
    sigaction(SIGUSR1, &before, NULL);
    end(&f);
}

/* ---- several threads in one queue ---- */

struct taker {
    struct fixture *f;
    pthread_t thread;
    unsigned taken;
    bool failed;
};

/* Until the event that says so. */
static void *take_all(void *user)
{
    struct taker *taker = user;
    struct mesh_event event;

    while (mesh_queue_next(taker->f->queue, &event, 1, GUARD_MS) == 1) {
        bool last = event.tag == UINT64_MAX;

        taker->failed |= event.err != 0;
        mesh_response_free(event.response);
        if (last)
            return NULL;
        taker->taken++;
    }
    taker->failed = true;
    return NULL;
}

static void each_event_goes_to_one_thread(void **state)
{
    enum { TAKERS = 6, ALL = 2000 };
    struct fixture f = begin(PAIRS("breaker.max_requests", "5000", "breaker.max_pending", "5000"));
    struct taker takers[TAKERS] = { 0 };
    unsigned taken = 0;

    (void) state;
    for (int i = 0; i < TAKERS; i++) {
        takers[i].f = &f;
        assert_int_equal(pthread_create(&takers[i].thread, NULL, take_all, &takers[i]), 0);
    }
    for (unsigned i = 0; i < ALL; i++)
        start(&f, "/ok", i, NULL);
    UNTIL(h2_server_record(f.server, "a").executed == ALL);
    for (int i = 0; i < TAKERS; i++)
        start(&f, "/slow?ms=100", UINT64_MAX, NULL);
    for (int i = 0; i < TAKERS; i++) {
        pthread_join(takers[i].thread, NULL);
        assert_false(takers[i].failed);
        taken += takers[i].taken;
    }
    assert_int_equal(taken, ALL);
    end(&f);
}

/* ---- the end of a queue ---- */

static void a_queue_is_freed_with_calls_running(void **state)
{
    struct fixture f = begin(NULL);
    struct mesh_call *call;

    (void) state;
    start(&f, "/never", 1, &call);
    start(&f, "/ok", 2, NULL);
    UNTIL(h2_server_record(f.server, "a").executed == 2);
    mesh_queue_free(f.queue);
    MESH_OK(mesh_call_cancel(call));
    mesh_call_free(call);
    ANSWER(get(f.client, "/ok", NULL), 0, 200, 1);
    mesh_client_free(f.client);
    h2_server_stop(f.server);
    mesh_queue_free(NULL);
}

static void wrong_arguments_are_refused(void **state)
{
    struct fixture f = begin(NULL);
    struct mesh_client *other = client_of(at_port(1), NULL);
    struct mesh_event event;
    struct ask ask = { 0 };

    (void) state;
    ask_for(&ask, "/ok", NULL);
    assert_int_equal(mesh_request_start(f.client, &ask.opts, NULL, 1, NULL), MESH_ERR_INVALID);
    assert_int_equal(mesh_request_start(f.client, NULL, f.queue, 1, NULL), MESH_ERR_INVALID);
    assert_int_equal(mesh_request_start(other, &ask.opts, f.queue, 1, NULL), MESH_ERR_INVALID);
    ask.opts.flags = MESH_REQ_INTERRUPTIBLE; /* is for who waits */
    assert_int_equal(mesh_request_start(f.client, &ask.opts, f.queue, 1, NULL), MESH_ERR_INVALID);
    assert_int_equal(mesh_queue_next(f.queue, NULL, 1, 0), MESH_ERR_INVALID);
    assert_int_equal(mesh_queue_next(f.queue, &event, 0, 0), MESH_ERR_INVALID);
    assert_int_equal(mesh_queue_next(NULL, &event, 1, 0), MESH_ERR_INVALID);
    assert_int_equal(mesh_queue_fd(NULL), MESH_ERR_INVALID);
    assert_int_equal(mesh_queue_next(f.queue, &event, 1, 0), 0);
    mesh_client_free(other);
    end(&f);
}

/* ---- the application's own loop ---- */

static int32_t turn(struct fixture *f, struct mesh_event *events, uint32_t max)
{
    struct pollfd fd = { .fd = mesh_loop_fd(f->client), .events = POLLIN };

    poll(&fd, 1, mesh_loop_timeout_ms(f->client));
    MESH_OK(mesh_loop_process(f->client));
    return mesh_queue_next(f->queue, events, max, 0);
}

static void without_threads(void **state)
{
    enum { ALL = 300, AT_ONCE = 20 };
    struct fixture f = begin(PAIRS("threads", "none"));
    struct mesh_event events[MOST_EVENTS];
    unsigned long long before = process_status("Threads");
    unsigned started = 0, ended = 0;

    (void) state;
    assert_true(mesh_loop_fd(f.client) >= 0);
    while (ended < ALL) {
        int32_t n;

        while (started < ALL && started - ended < AT_ONCE)
            start(&f, "/ok", started++, NULL);
        n = turn(&f, events, MOST_EVENTS);
        assert_true(n >= 0);
        for (int32_t i = 0; i < n; i++)
            is_answer(&events[i], events[i].tag, 0, 200);
        ended += (unsigned) n;
    }
    assert_int_equal(process_status("Threads"), before);
    end(&f);
}

static void without_threads_deadlines_and_waiting_calls(void **state)
{
    struct fixture f = begin(PAIRS("threads", "none", "timeout_ms", "100"));
    struct mesh_event event = { 0 };

    (void) state;
    start(&f, "/never", 1, NULL);
    while (turn(&f, &event, 1) == 0)
        ;
    is_answer(&event, 1, MESH_ERR_TIMEOUT, 0);
    ANSWER(get(f.client, "/ok", NULL), 0, 200, 1); /* the caller drives, as ever */
    start(&f, "/ok", 2, NULL);
    event = next_event(&f);
    is_answer(&event, 2, 0, 200);
    end(&f);
}

static void *start_from_elsewhere(void *user)
{
    struct fixture *f = user;
    struct ask ask = { 0 };

    poll(NULL, 0, 30);
    mesh_request_start(f->client, &ask_for(&ask, "/never", NULL)->opts, f->queue, 9, NULL);
    return NULL;
}

/* The loop's owner waits already, for as long as it was told: for ever. */
static void without_threads_another_threads_deadline_ends_the_poll(void **state)
{
    struct fixture f = begin(PAIRS("threads", "none", "timeout_ms", "100", "connection.idle_ms", "0"));
    struct mesh_event event = { 0 };
    pthread_t thread;

    (void) state;
    ANSWER(get(f.client, "/ok", NULL), 0, 200, 1);
    assert_int_equal(pthread_create(&thread, NULL, start_from_elsewhere, &f), 0);
    while (turn(&f, &event, 1) == 0)
        ;
    is_answer(&event, 9, MESH_ERR_TIMEOUT, 0);
    pthread_join(thread, NULL);
    end(&f);
}

/* What came while the owner itself waited in a call is not waited for again; nor what came in another thread's call. */
static void without_threads_events_that_are_there_are_not_waited_for(void **state)
{
    struct fixture f = begin(PAIRS("threads", "none"));
    struct mesh_event event = { 0 };

    (void) state;
    for (int i = 0; i < 5; i++) {
        start(&f, "/ok", 3, NULL);
        ANSWER(get(f.client, "/slow?ms=50", NULL), 0, 200, 1);
        assert_int_equal(mesh_loop_timeout_ms(f.client), 0);
        assert_int_equal(turn(&f, &event, 1), 1);
        is_answer(&event, 3, 0, 200);
        assert_true(mesh_loop_timeout_ms(f.client) != 0);
    }
    end(&f);
}

static void *call_from_elsewhere(void *client)
{
    for (int i = 0; i < 50; i++)
        get(client, "/ok", NULL);
    return NULL;
}

static void without_threads_other_threads_may_call_too(void **state)
{
    enum { ALL = 200 };
    struct fixture f = begin(PAIRS("threads", "none"));
    struct mesh_event event = { 0 };
    pthread_t thread;

    (void) state;
    assert_int_equal(pthread_create(&thread, NULL, call_from_elsewhere, f.client), 0);
    for (uint64_t i = 0; i < ALL; i++) {
        start(&f, "/ok", i, NULL);
        while (turn(&f, &event, 1) == 0)
            ;
        is_answer(&event, i, 0, 200);
    }
    pthread_join(thread, NULL);
    end(&f);
}

static void the_loop_is_for_threads_none_only(void **state)
{
    struct fixture f = begin(NULL);

    (void) state;
    assert_int_equal(mesh_loop_fd(f.client), MESH_ERR_INVALID);
    assert_int_equal(mesh_loop_timeout_ms(f.client), MESH_ERR_INVALID);
    assert_int_equal(mesh_loop_process(f.client), MESH_ERR_INVALID);
    assert_int_equal(mesh_loop_fd(NULL), MESH_ERR_INVALID);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_call),
        cmocka_unit_test(options_are_copied),
        cmocka_unit_test(many_calls_by_waiting),
        cmocka_unit_test(many_calls_by_the_descriptor),
        cmocka_unit_test(calls_are_not_held_back_for_who_watches_the_descriptor),
        cmocka_unit_test(calls_are_not_held_back_for_who_stays_away),
        cmocka_unit_test(a_deadline_by_the_descriptor),
        cmocka_unit_test(a_cancelled_call_ends_once),
        cmocka_unit_test(a_call_that_backs_off_is_cancelled),
        cmocka_unit_test(calls_are_cancelled_while_they_end),
        cmocka_unit_test(another_thread_wakes),
        cmocka_unit_test(several_wakes_are_one),
        cmocka_unit_test(a_wake_makes_the_descriptor_readable),
        cmocka_unit_test(a_signal_handler_wakes),
        cmocka_unit_test(a_signal_ends_the_wait),
        cmocka_unit_test(each_event_goes_to_one_thread),
        cmocka_unit_test(a_queue_is_freed_with_calls_running),
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(without_threads),
        cmocka_unit_test(without_threads_deadlines_and_waiting_calls),
        cmocka_unit_test(without_threads_another_threads_deadline_ends_the_poll),
        cmocka_unit_test(without_threads_events_that_are_there_are_not_waited_for),
        cmocka_unit_test(without_threads_other_threads_may_call_too),
        cmocka_unit_test(the_loop_is_for_threads_none_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
