/* SPDX-License-Identifier: Apache-2.0 */
/* fork() while calls run: both processes go on, and neither disturbs the other. */
#include <dirent.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/mesh_client.h"

enum { CALLERS = 6, CHILDREN = 12 };

/* Sanitizers of this age keep their allocator locked for ever in the child if another thread was in it when the process forked:
 * there the children of busy parents do nothing, and other parents rest before they fork. ThreadSanitizer does not follow
 * threads that start in a child either: there no child does anything. The other builds test all of it. */
#if MESH_TEST_TSAN
#define THREADS               "none"
#define CHILDREN_HAVE_THREADS false
#else
#define THREADS               "auto"
#define CHILDREN_HAVE_THREADS true
#endif
#if MESH_TEST_TSAN || defined(__SANITIZE_ADDRESS__)
#define CHILDREN_OF_BUSY_PARENTS_CALL false
#else
#define CHILDREN_OF_BUSY_PARENTS_CALL true
#endif

static pid_t fork_at_rest(void)
{
    poll(NULL, 0, 50);
    return fork();
}

static void left_out(void **state)
{
    (void) state;
    skip();
}
#define NEEDS_THREADS(test)                                              \
    {                                                                    \
#test, CHILDREN_HAVE_THREADS ? test : left_out, NULL, NULL, NULL \
    }

/* ---- in the child: no assertions, the exit status tells ---- */

#define CHECK(condition)                                                           \
    do {                                                                           \
        if (!(condition)) {                                                        \
            fprintf(stderr, "child: %s:%d: %s\n", __FILE__, __LINE__, #condition); \
            _exit(1);                                                              \
        }                                                                          \
    } while (0)

static void child_leaves_unless(bool it_can_call)
{
    if (!it_can_call)
        _exit(0);
}

static void child_calls(struct mesh_client *client, const char *id)
{
    struct answer answer = get(client, "/ok", id);

    if (answer.err != 0)
        fprintf(stderr, "child: %s: %s\n", mesh_error_name(answer.err), answer.detail);
    CHECK(answer.err == 0 && answer.status == 200 && answer.attempts == 1);
}

struct descriptors {
    unsigned connections; /* client ends of connections to the server's port */
    unsigned epolls;      /* only libmesh has any here */
    unsigned eventfds;    /* of libmesh and of the server, one each */
    unsigned others;      /* inotify, timers, UDP sockets: only libmesh could have any */
};

static void count_one(struct descriptors *all, int fd, const char *what, uint16_t port)
{
    struct sockaddr_in name = { 0 };
    socklen_t len = sizeof name;
    int type = 0;

    all->epolls += strstr(what, "[eventpoll]") != NULL;
    all->eventfds += strstr(what, "[eventfd]") != NULL;
    all->others += strstr(what, "inotify") || strstr(what, "[timerfd]");
    if (getpeername(fd, (struct sockaddr *) &name, &len) == 0 && name.sin_family == AF_INET)
        all->connections += ntohs(name.sin_port) == port;
    len = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0)
        all->others += type == SOCK_DGRAM;
}

static struct descriptors count_descriptors(uint16_t port)
{
    DIR *dir = opendir("/proc/self/fd");
    struct descriptors all = { 0 };
    struct dirent *entry;

    while ((entry = readdir(dir))) {
        char path[300], what[64] = "";

        snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        if (readlink(path, what, sizeof what - 1) > 0)
            count_one(&all, (int) strtol(entry->d_name, NULL, 10), what, port);
    }
    closedir(dir);
    return all;
}

static void child_has_nothing_of_the_parent(uint16_t port)
{
    struct descriptors all = count_descriptors(port);

    CHECK(all.connections == 0);
    CHECK(all.epolls == 0);
    CHECK(all.eventfds == 1);
    CHECK(all.others == 0);
}

static void child_waits_in_queue(struct mesh_client *client, struct mesh_queue *queue, bool by_descriptor)
{
    struct pollfd fd = { .fd = by_descriptor ? mesh_queue_fd(queue) : -1, .events = POLLIN };
    struct ask ask = { 0 };

    for (uint64_t tag = 1; tag < 20; tag++) {
        struct mesh_event event;

        CHECK(mesh_request_start(client, &ask_for(&ask, "/ok", "child")->opts, queue, tag, NULL) == 0);
        if (by_descriptor)
            CHECK(poll(&fd, 1, GUARD_MS) == 1);
        CHECK(mesh_queue_next(queue, &event, 1, by_descriptor ? 0 : GUARD_MS) == 1);
        CHECK(event.tag == tag && event.err == 0);
        mesh_response_free(event.response);
    }
}

static void child_ended_well(pid_t child)
{
    int status;

    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the child ended with status %#x", (unsigned) status);
}

/* ---- callers that never stop ---- */

struct caller {
    struct mesh_client *client;
    _Atomic bool *stop;
    pthread_t thread;
    unsigned calls, failed;
    struct answer bad;
};

static void *call_on_and_on(void *user)
{
    struct caller *caller = user;

    while (!*caller->stop) {
        struct answer answer = get(caller->client, "/ok", "parent");

        caller->calls++;
        if (answer.err == 0 && answer.attempts == 1)
            continue;
        caller->failed++;
        caller->bad = answer;
    }
    return NULL;
}

static void callers_begin(struct caller *callers, unsigned n, struct mesh_client *client, _Atomic bool *stop)
{
    *stop = false;
    for (unsigned i = 0; i < n; i++) {
        callers[i] = (struct caller){ .client = client, .stop = stop };
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_on_and_on, &callers[i]), 0);
    }
}

static void callers_end(struct caller *callers, unsigned n)
{
    *callers[0].stop = true;
    for (unsigned i = 0; i < n; i++)
        pthread_join(callers[i].thread, NULL);
    for (unsigned i = 0; i < n; i++)
        if (callers[i].failed)
            fail_msg("%u of %u calls failed: %s: %s", callers[i].failed, callers[i].calls,
                     mesh_error_name(callers[i].bad.err), callers[i].bad.detail);
}

/* ---- tests ---- */

static void forks_under_load(const char *loops, unsigned n_callers)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, PAIRS("loops", loops, "threads", THREADS));
    struct caller callers[CALLERS];
    unsigned before, at_least;
    _Atomic bool stop;

    callers_begin(callers, n_callers, client, &stop);
    UNTIL(h2_server_record(server, "parent").executed > 20);
    before = h2_server_accepted(server);
    for (int i = 0; i < CHILDREN; i++) {
        pid_t child;

        at_least = h2_server_record(server, "parent").executed + 20;
        child = fork();
        if (child == 0) {
            child_leaves_unless(CHILDREN_OF_BUSY_PARENTS_CALL);
            child_has_nothing_of_the_parent(h2_server_port(server));
            for (int k = 0; k < 10; k++)
                child_calls(client, "child");
            if (i % 2)
                mesh_client_free(client);
            _exit(0);
        }
        child_ended_well(child);
        UNTIL(h2_server_record(server, "parent").executed > at_least);
    }
    callers_end(callers, n_callers);
    assert_int_equal(h2_server_record(server, "child").executed, CHILDREN_OF_BUSY_PARENTS_CALL ? 10 * CHILDREN : 0);
    /* Each child had its own, the parent kept what it had. */
    assert_in_range(h2_server_accepted(server), before, before + CHILDREN + (loops[0] == '1' ? 0 : CALLERS));
    mesh_client_free(client);
    h2_server_stop(server);
}

static void one_caller(void **state)
{
    (void) state;
    forks_under_load("1", 1);
}

static void several_callers(void **state)
{
    (void) state;
    forks_under_load("1", CALLERS);
}

static void several_callers_of_three_loops(void **state)
{
    (void) state;
    forks_under_load("3", CALLERS);
}

/* Also from several threads at once, each call the other's hindrance. */
static void *fork_often(void *user)
{
    struct caller *caller = user;

    for (int i = 0; i < 5; i++) {
        pid_t child = fork();
        int status = 1;

        if (child == 0) {
            child_leaves_unless(CHILDREN_OF_BUSY_PARENTS_CALL);
            child_calls(caller->client, "child");
            _exit(0);
        }
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
            caller->failed++;
    }
    return NULL;
}

static void several_threads_fork(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, PAIRS("threads", THREADS));
    struct caller callers[CALLERS], forkers[3];
    _Atomic bool stop;

    (void) state;
    callers_begin(callers, CALLERS, client, &stop);
    for (int i = 0; i < 3; i++) {
        forkers[i] = (struct caller){ .client = client };
        assert_int_equal(pthread_create(&forkers[i].thread, NULL, fork_often, &forkers[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(forkers[i].thread, NULL);
        assert_int_equal(forkers[i].failed, 0);
    }
    callers_end(callers, CALLERS);
    assert_int_equal(h2_server_record(server, "child").executed, CHILDREN_OF_BUSY_PARENTS_CALL ? 15 : 0);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void threads_of_the_child(struct mesh_client *client)
{
    struct caller callers[CALLERS];
    _Atomic bool stop = false;

    for (unsigned i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){ .client = client, .stop = &stop };
        CHECK(pthread_create(&callers[i].thread, NULL, call_on_and_on, &callers[i]) == 0);
    }
    for (int i = 0; i < 50; i++)
        child_calls(client, "child");
    stop = true;
    for (unsigned i = 0; i < CALLERS; i++)
        CHECK(pthread_join(callers[i].thread, NULL) == 0 && callers[i].failed == 0);
}

static void the_child_has_threads_and_children_of_its_own(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, NULL);
    pid_t child;

    (void) state;
    ANSWER(get(client, "/ok", NULL), 0, 200, 1);
    child = fork_at_rest();
    if (child == 0) {
        pid_t grandchild;
        int status;

        threads_of_the_child(client);
        grandchild = fork_at_rest();
        if (grandchild == 0) {
            child_has_nothing_of_the_parent(h2_server_port(server));
            child_calls(client, "grandchild");
            _exit(0);
        }
        CHECK(waitpid(grandchild, &status, 0) == grandchild && status == 0);
        child_calls(client, "child");
        mesh_client_free(client);
        _exit(0);
    }
    child_ended_well(child);
    ANSWER(get(client, "/ok", NULL), 0, 200, 1);
    assert_int_equal(h2_server_record(server, "grandchild").executed, 1);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void take_answers(struct mesh_queue *queue, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct mesh_event event;

        assert_int_equal(mesh_queue_next(queue, &event, 1, GUARD_MS), 1);
        assert_int_equal(event.err, 0);
        mesh_response_free(event.response);
    }
}

/* With events waiting in it, calls running for it, and its descriptor readable or not. */
static void queue_in_child(bool by_descriptor, bool readable)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, NULL);
    struct mesh_queue *queue;
    struct ask ask = { 0 };
    struct mesh_event event;
    pid_t child;

    MESH_OK(mesh_queue_new(client, &queue));
    if (by_descriptor)
        assert_true(mesh_queue_fd(queue) >= 0);
    MESH_OK(mesh_request_start(client, &ask_for(&ask, "/slow?ms=500", NULL)->opts, queue, 90, NULL));
    MESH_OK(mesh_request_start(client, &ask_for(&ask, "/ok", "parent")->opts, queue, 91, NULL));
    UNTIL(h2_server_seen(server) == 2);
    if (readable) {
        struct pollfd fd = { .fd = mesh_queue_fd(queue), .events = POLLIN };

        assert_int_equal(poll(&fd, 1, GUARD_MS), 1);
    } else {
        take_answers(queue, 1);
    }
    child = fork_at_rest();
    if (child == 0) {
        child_waits_in_queue(client, queue, by_descriptor);
        CHECK(mesh_queue_wake(queue) == 0);
        CHECK(mesh_queue_next(queue, &event, 1, GUARD_MS) == 1 && event.kind == MESH_EVENT_WAKE);
        CHECK(mesh_queue_next(queue, &event, 1, 0) == 0);
        mesh_queue_free(queue);
        mesh_client_free(client);
        _exit(0);
    }
    child_ended_well(child);
    take_answers(queue, readable ? 2 : 1);
    assert_int_equal(mesh_queue_next(queue, &event, 1, 0), 0);
    mesh_queue_free(queue);
    mesh_client_free(client);
    h2_server_stop(server);
}

static void a_queue_in_the_child(void **state)
{
    (void) state;
    queue_in_child(false, false);
    queue_in_child(true, false);
    queue_in_child(true, true);
}

/* A wake before anything else in the child. */
static void a_wake_in_the_child(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, NULL);
    struct mesh_queue *queue;
    struct mesh_event event;
    struct pollfd fd = { .events = POLLIN };
    pid_t child;

    (void) state;
    MESH_OK(mesh_queue_new(client, &queue));
    fd.fd = mesh_queue_fd(queue);
    child = fork_at_rest();
    if (child == 0) {
        CHECK(mesh_queue_wake(queue) == 0);
        CHECK(mesh_queue_fd(queue) == fd.fd);
        CHECK(poll(&fd, 1, GUARD_MS) == 1);
        CHECK(mesh_queue_next(queue, &event, 1, 0) == 1 && event.kind == MESH_EVENT_WAKE);
        CHECK(poll(&fd, 1, 0) == 0);
        _exit(0);
    }
    child_ended_well(child);
    assert_int_equal(poll(&fd, 1, 0), 0);
    mesh_queue_free(queue);
    mesh_client_free(client);
    h2_server_stop(server);
}

/* What the parent began is the parent's: the child may let go of it, and no more. */
static void calls_and_streams_of_the_parent(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, NULL);
    struct mesh_queue *queue;
    struct mesh_stream *stream;
    struct mesh_call *call;
    struct ask ask = { 0 };
    uint8_t buf[16];
    size_t got;
    pid_t child;

    (void) state;
    MESH_OK(mesh_queue_new(client, &queue));
    MESH_OK(mesh_request_start(client, &ask_for(&ask, "/slow?ms=600", NULL)->opts, queue, 1, &call));
    ask_for(&ask, "/echo", NULL);
    ask.opts.method = "POST";
    MESH_OK(mesh_stream_open(client, &ask.opts, NULL, 0, &stream));
    UNTIL(h2_server_streams(server) == 2);
    child = fork_at_rest();
    if (child == 0) {
        CHECK(mesh_call_cancel(call) == 0);
        mesh_call_free(call);
        CHECK(mesh_stream_read(stream, buf, sizeof buf, &got) == MESH_ERR_RESET);
        CHECK(mesh_stream_write(stream, "x", 1, NULL) == MESH_ERR_RESET);
        CHECK(mesh_stream_response(stream) == NULL);
        mesh_stream_free(stream);
        child_calls(client, "child");
        mesh_queue_free(queue);
        mesh_client_free(client);
        _exit(0);
    }
    child_ended_well(child);
    MESH_OK(mesh_stream_write(stream, "hello", 5, NULL));
    MESH_OK(mesh_stream_read(stream, buf, sizeof buf, &got));
    assert_int_equal(got, 5);
    mesh_stream_free(stream);
    take_answers(queue, 1);
    mesh_call_free(call);
    mesh_queue_free(queue);
    mesh_client_free(client);
    h2_server_stop(server);
}

/* The process's own client, made before the fork or after it. */
static void the_default_client(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    char services[64];
    pid_t child;

    (void) state;
    snprintf(services, sizeof services, "users=h2c://127.0.0.1:%u", h2_server_port(server));
    setenv("MESH_SERVICES", services, 1);
    setenv("MESH_THREADS", THREADS, 1);
    setenv("MESH_CONNECTION_SILENCE_MS", "0", 1);
    child = fork_at_rest();
    if (child == 0) {
        child_leaves_unless(CHILDREN_HAVE_THREADS);
        child_calls(NULL, "child");
        _exit(0);
    }
    child_ended_well(child);
    ANSWER(get(NULL, "/ok", "parent"), 0, 200, 1);
    child = fork_at_rest();
    if (child == 0) {
        child_leaves_unless(CHILDREN_HAVE_THREADS);
        child_calls(NULL, "child");
        _exit(0);
    }
    child_ended_well(child);
    ANSWER(get(NULL, "/ok", "parent"), 0, 200, 1);
    assert_int_equal(h2_server_record(server, "child").executed, CHILDREN_HAVE_THREADS ? 2 : 0);
    assert_int_equal(h2_server_accepted(server), CHILDREN_HAVE_THREADS ? 3 : 1);
    h2_server_stop(server);
}

/* The application's own loop: the descriptor of the child is another one. */
static void without_threads(void **state)
{
    struct h2_server *server = h2_server_start(NULL);
    struct mesh_client *client = client_of_server(server, PAIRS("threads", "none"));
    pid_t child;

    (void) state;
    ANSWER(get(client, "/ok", NULL), 0, 200, 1);
    assert_true(mesh_loop_fd(client) >= 0);
    child = fork_at_rest();
    if (child == 0) {
        child_leaves_unless(CHILDREN_HAVE_THREADS);
        child_has_nothing_of_the_parent(h2_server_port(server));
        CHECK(mesh_loop_fd(client) >= 0);
        child_calls(client, "child");
        _exit(0);
    }
    child_ended_well(child);
    ANSWER(get(client, "/ok", NULL), 0, 200, 1);
    mesh_client_free(client);
    h2_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_caller),
        cmocka_unit_test(several_callers),
        cmocka_unit_test(several_callers_of_three_loops),
        cmocka_unit_test(several_threads_fork),
        NEEDS_THREADS(the_child_has_threads_and_children_of_its_own),
        NEEDS_THREADS(a_queue_in_the_child),
        NEEDS_THREADS(a_wake_in_the_child),
        NEEDS_THREADS(calls_and_streams_of_the_parent),
        cmocka_unit_test(without_threads),
        cmocka_unit_test(the_default_client),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
