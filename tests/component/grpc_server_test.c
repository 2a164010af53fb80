/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of gRPC to a server of gRPC's own (Python's grpcio): all kinds of calls, large messages, gzip, deadlines, cancelling. */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/dialling.h"
#include "support/grpc_exchange.h"

enum { LARGE = 20 << 20, STORM = 200 };

/* ---- the server ---- */

static struct {
    pid_t pid;
    int in;
    struct addr addr;
} server;

static void run_server(int in, int out)
{
    dup2(in, 0);
    dup2(out, 1);
    execl("/usr/bin/python3", "python3", MESH_SOURCE_DIR "/tests/support/grpc_server.py", (char *) NULL);
    _exit(127);
}

/* It is there when it has told its port; without grpcio it ends, and the tests are skipped. */
static int set_up(void **state)
{
    int in[2], out[2];
    FILE *said;
    unsigned long port;
    char line[32];

    (void) state;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    fcntl(in[1], F_SETFD, FD_CLOEXEC);
    fcntl(out[0], F_SETFD, FD_CLOEXEC);
    server.pid = fork();
    if (server.pid == 0)
        run_server(in[0], out[1]);
    close(in[0]);
    close(out[1]);
    server.in = in[1];
    said = fdopen(out[0], "r");
    if (fgets(line, sizeof line, said)) {
        port = strtoul(line, NULL, 10);
        assert_true(addr_parse(&server.addr, "127.0.0.1", 9, (uint16_t) port));
    } else {
        waitpid(server.pid, NULL, 0);
        server.pid = 0;
    }
    fclose(said);
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    close(server.in);
    if (server.pid > 0)
        waitpid(server.pid, NULL, 0);
    return 0;
}

/* ---- the client ---- */

static struct client {
    struct loop *loop;
    struct http_conn *conn;
    bool is_ready;
    unsigned n_closed;
} client;

static struct grpc_exchange x;

static void on_room(struct http_conn *conn)
{
    (void) conn;
    client.is_ready = true;
}

static void on_draining(struct http_conn *conn, const struct fault *why)
{
    (void) conn, (void) why;
    client.n_closed++;
}

static const struct http_conn_ops conn_ops = { on_room, on_draining, on_draining };

static bool is_ready(void *user)
{
    (void) user;
    return client.is_ready;
}

static void connect_with(uint32_t window)
{
    struct http_conn_conf conf = { .cluster = "users", .window = window };
    struct dialled dialled;
    struct fault fault;

    if (server.pid == 0)
        skip();
    client = (struct client){ .loop = test_loop_new() };
    dialled = dial(client.loop, (struct net_dial_conf){ .addrs = &server.addr, .n_addrs = 1 });
    if (dialled.err)
        fail_msg("%s", dialled.fault.text);
    loop_enter(client.loop);
    MESH_OK(http_conn_h2(client.loop, &conf, dialled.stream, &conn_ops, NULL, &client.conn, &fault));
    loop_leave(client.loop);
    test_loop_until(client.loop, is_ready, NULL);
}

static void disconnect(void)
{
    loop_enter(client.loop);
    http_conn_free(client.conn);
    loop_leave(client.loop);
    loop_free(client.loop);
}

static void start(struct grpc_exchange *one, const char *path, const void *bytes, size_t len, struct grpc_call call)
{
    call.path = path;
    grpc_exchange_open(client.loop, client.conn, one, call);
    MESH_OK(grpc_exchange_send(client.loop, one, bytes, len));
    grpc_exchange_receive(client.loop, one);
}

/* With one request. */
static void call(const char *path, const void *bytes, size_t len, struct grpc_call how)
{
    x = (struct grpc_exchange){ .asks = true };
    start(&x, path, bytes, len, how);
    grpc_exchange_send_end(client.loop, &x);
}

static bool has_ended(void *user)
{
    return ((struct grpc_exchange *) user)->n_statuses > 0;
}

static bool has_message(void *user)
{
    return ((struct grpc_exchange *) user)->n_messages > 0 || has_ended(user);
}

static void ends(enum grpc_code code, const char *message)
{
    test_loop_until(client.loop, has_ended, &x);
    grpc_exchange_ended(&x, code, message);
}

/* ---- calls ---- */

static void unary(void **state)
{
    const struct grpc_metadata metadata[] = { { "x-a", "some text", 9 }, { "x-b-bin", "f\0o", 3 }, { "x-a", "2", 1 } };

    (void) state;
    connect_with(0);
    call("/test.Echo/Unary", "hello", 5,
         (struct grpc_call){ .metadata = metadata, .n_metadata = 3, .one_answer = true });
    ends(GRPC_OK, "");
    assert_int_equal(x.n_messages, 1);
    assert_string_equal(x.last, "hello");
    assert_non_null(strstr(x.metadata, "x-a=some text;"));
    assert_non_null(strstr(x.metadata, "x-a=2;"));
    assert_non_null(strstr(x.metadata, "x-b-bin=f"));
    assert_non_null(strstr(x.trailers, "t-x-a=some text;"));
    call("/test.Echo/Unary", "", 0, (struct grpc_call){ .one_answer = true });
    ends(GRPC_OK, "");
    assert_int_equal(x.n_messages, 1);
    disconnect();
}

static void statuses_of_all_codes(void **state)
{
    (void) state;
    connect_with(0);
    for (int code = 1; code < GRPC_CODES; code++) {
        char request[64];

        snprintf(request, sizeof request, "%d 100%% \xe2\x82\xac\n<%d>", code, code);
        call("/test.Echo/Fail", request, strlen(request), (struct grpc_call){ .one_answer = true });
        ends((enum grpc_code) code, strchr(request, ' ') + 1);
        assert_true(x.status.from_peer);
        assert_int_equal(x.status.n_details, 2);
        assert_memory_equal(x.details, "\x08\x05", 2);
    }
    call("/test.Echo/Nothing", "", 0, (struct grpc_call){ 0 });
    ends(GRPC_UNIMPLEMENTED, "Method not found!");
    disconnect();
}

static void server_streaming(void **state)
{
    (void) state;
    connect_with(0);
    call("/test.Echo/Count", "1000 100", 8, (struct grpc_call){ 0 });
    ends(GRPC_OK, "");
    assert_int_equal(x.n_messages, 1000);
    assert_int_equal(x.bytes, 100000);
    call("/test.Echo/Count", "1 0", 3, (struct grpc_call){ 0 });
    ends(GRPC_OK, "");
    assert_int_equal(x.n_messages, 1);
    disconnect();
}

/* A message goes when the one before has come back. */
static void both_ways(void **state)
{
    (void) state;
    connect_with(0);
    x = (struct grpc_exchange){ 0 };
    start(&x, "/test.Echo/Bidi", "0", 1, (struct grpc_call){ 0 });
    for (unsigned i = 1; i <= 100; i++) {
        char text[16];

        test_loop_until(client.loop, has_message, &x);
        assert_int_equal(x.n_messages, 1);
        x.n_messages = 0;
        snprintf(text, sizeof text, "%u", i);
        MESH_OK(grpc_exchange_send(client.loop, &x, text, strlen(text)));
        grpc_exchange_receive(client.loop, &x);
    }
    test_loop_until(client.loop, has_message, &x);
    assert_string_equal(x.last, "100");
    assert_int_equal(x.n_statuses, 0);
    grpc_exchange_send_end(client.loop, &x);
    ends(GRPC_OK, "");
    disconnect();
}

/* ---- large ones ---- */

static void large_messages(void **state)
{
    uint8_t *bytes = malloc(LARGE);

    (void) state;
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (uint8_t) (i * 2654435761u >> 13);
    connect_with(64 << 10);
    call("/test.Echo/Unary", bytes, LARGE, (struct grpc_call){ .receive_most = LARGE, .one_answer = true });
    ends(GRPC_OK, "");
    assert_int_equal(x.last_len, LARGE);
    assert_int_equal(x.sum, xxh64(bytes, LARGE, 0));
    call("/test.Echo/Unary", bytes, LARGE, (struct grpc_call){ 0 });
    ends(GRPC_RESOURCE_EXHAUSTED, "a message has 20971520 bytes; at most 4194304 are taken");
    disconnect();
    free(bytes);
}

static void gzip_is_inflated(void **state)
{
    uint8_t *zeros = calloc(1, LARGE);

    (void) state;
    connect_with(0);
    call("/test.Echo/Gzip", zeros, 1 << 20, (struct grpc_call){ .one_answer = true });
    ends(GRPC_OK, "");
    assert_int_equal(x.last_len, 1 << 20);
    assert_int_equal(x.sum, xxh64(zeros, 1 << 20, 0));
    assert_true(x.stream.http.bytes_received < 10000); /* it was small on the way */
    call("/test.Echo/Gzip", zeros, LARGE, (struct grpc_call){ .one_answer = true });
    ends(GRPC_RESOURCE_EXHAUSTED, "a message has more than 4194304 bytes; at most 4194304 are taken");
    disconnect();
    free(zeros);
}

/* The server may send a window and no more, for ever: another call on the connection is not held up by it. */
static void slow_readers(void **state)
{
    struct grpc_exchange slow = { 0 };

    (void) state;
    connect_with(64 << 10);
    start(&slow, "/test.Echo/Count", "0 1000", 6, (struct grpc_call){ 0 });
    grpc_exchange_send_end(client.loop, &slow);
    for (int i = 0; i < 50; i++) {
        call("/test.Echo/Unary", "hello", 5, (struct grpc_call){ .one_answer = true });
        ends(GRPC_OK, "");
        test_loop_until(client.loop, has_message, &slow);
        assert_int_equal(slow.n_messages, 1);
        assert_true(buf_len(&slow.stream.in) <= 64 << 10);
        slow.n_messages = 0;
        grpc_exchange_receive(client.loop, &slow);
    }
    grpc_exchange_cancel(client.loop, &slow);
    disconnect();
}

/* ---- ends of our own ---- */

static void deadlines(void **state)
{
    const char *left;

    (void) state;
    connect_with(0);
    call("/test.Echo/Sleep", "", 0, (struct grpc_call){ .timeout_us = 300 * US_PER_MS });
    test_loop_until(client.loop, has_ended, &x);
    assert_int_equal(x.status.code, GRPC_DEADLINE_EXCEEDED);
    assert_int_equal(x.n_statuses, 1);
    left = strstr(x.metadata, "left-ms=");
    if (left) /* else the server was too late to say so */
        assert_true(strtoul(left + 8, NULL, 10) <= 300);
    call("/test.Echo/Unary", "hello", 5, (struct grpc_call){ .timeout_us = 3600 * US_PER_S, .one_answer = true });
    ends(GRPC_OK, "");
    assert_int_equal(client.n_closed, 0);
    disconnect();
}

/* Cancelled anywhere between the first byte and the end; the connection works on. */
static void cancelling_storm(void **state)
{
    struct rand dice;

    (void) state;
    rand_seed_with(&dice, 17);
    connect_with(64 << 10);
    for (int i = 0; i < STORM; i++) {
        struct grpc_exchange some[3] = { { .asks = true }, { .asks = true }, { .asks = false } };

        start(&some[0], "/test.Echo/Bidi", "hello", 5, (struct grpc_call){ 0 });
        start(&some[1], "/test.Echo/Count", "0 5000", 6, (struct grpc_call){ 0 });
        start(&some[2], "/test.Echo/Count", "50 5000", 7, (struct grpc_call){ 0 });
        grpc_exchange_send_end(client.loop, &some[1]);
        test_loop_turns(client.loop, rand_below(&dice, 6));
        for (size_t k = 0; k < COUNT_OF(some); k++)
            grpc_exchange_cancel(client.loop, &some[k]);
    }
    call("/test.Echo/Count", "100 5000", 8, (struct grpc_call){ 0 });
    ends(GRPC_OK, "");
    assert_int_equal(x.bytes, 500000);
    assert_int_equal(client.n_closed, 0);
    disconnect();
}

/* The last test: the server dies. */
static void the_server_dies(void **state)
{
    (void) state;
    connect_with(0);
    call("/test.Echo/Sleep", "", 0, (struct grpc_call){ 0 });
    test_loop_turns(client.loop, 3);
    kill(server.pid, SIGKILL);
    test_loop_until(client.loop, has_ended, &x);
    assert_int_equal(x.status.code, GRPC_UNAVAILABLE);
    assert_int_equal(x.n_statuses, 1);
    disconnect();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(unary),
        LEAK_TEST(statuses_of_all_codes),
        LEAK_TEST(server_streaming),
        LEAK_TEST(both_ways),
        LEAK_TEST(large_messages),
        LEAK_TEST(gzip_is_inflated),
        LEAK_TEST(slow_readers),
        LEAK_TEST(deadlines),
        LEAK_TEST(cancelling_storm),
        LEAK_TEST(the_server_dies),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
