/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 connections: used again, refused, lost at the worst moment, drained, idle, freed in callbacks, forked, without memory. */
#include "support/h1_server.h"
#include "support/h1_call.h"

#include <fcntl.h>
#include <sys/wait.h>

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static struct loop *loop;
static struct server server;
static struct h1_owner owner;

static int setup(void **state)
{
    mesh_test_watch(state);
    loop = test_loop_new();
    return 0;
}

static int teardown(void **state)
{
    h1_owner_free(loop, &owner);
    server_stop(&server);
    loop_free(loop);
    return mesh_test_unwatch(state);
}

static void start(void (*serve)(struct server_conn *), const void *user)
{
    server_start(&server, serve, user);
    h1_owner_open(loop, &owner, &server.addr);
}

/* ---- use ---- */

static void a_connection_is_used_again(void **state)
{
    (void) state;
    start(server_answer, OK_EMPTY);
    for (int i = 0; i < 10; i++) {
        struct h1_call call = { .method = i % 2 ? "POST" : "GET", .upload = i % 2 ? "abc" : NULL };

        h1_call_do(loop, &owner, &call);
        assert_int_equal(call.err, 0);
        assert_true(call.stream.sent && call.stream.had_head);
        assert_int_equal(owner.rooms, i + 1);
    }
    assert_int_equal(server.accepted, 1);
    assert_int_equal(server.requests, 10);
    assert_int_equal(owner.conn->n_streams, 0);
    assert_int_equal(http_conn_protocol(owner.conn), HTTP_1_1);
    assert_false(http_conn_silent(owner.conn));
}

static void hold_until_all(struct server_conn *conn)
{
    while (server_read(conn)) {
        while (conn->server->requests < 4 && !conn->server->stop)
            sched_yield();
        server_send(conn, conn->server->user);
    }
}

static void there_is_room_for_as_many_streams_as_connections(void **state)
{
    struct h1_call calls[5] = { 0 };

    (void) state;
    start(hold_until_all, OK_EMPTY);
    loop_enter(loop);
    assert_int_equal(http_conn_limit(owner.conn), 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(http_conn_room(owner.conn), 4 - i);
        MESH_OK(h1_call_open(&owner, &calls[i]));
    }
    assert_int_equal(http_conn_room(owner.conn), 0);
    MESH_ERR(MESH_ERR_AGAIN, h1_call_open(&owner, &calls[4]));
    loop_leave(loop);
    for (size_t i = 0; i < 4; i++)
        h1_call_wait(loop, &calls[i]);
    assert_int_equal(http_conn_room(owner.conn), 4);
    assert_int_equal(server.accepted, 4);
    assert_int_equal(calls[4].ends, 0);
}

static void open_next(struct h1_call *call)
{
    int *left = call->user;

    assert_int_equal(call->err, 0);
    if (--*left == 0)
        return;
    call->ends = 0;
    MESH_OK(h1_call_open(call->owner, call));
}

static void the_end_of_a_stream_may_open_the_next(void **state)
{
    int left = 50;
    struct h1_call call = { .on_end = open_next, .user = &left };

    (void) state;
    start(server_answer, OK_EMPTY);
    h1_call_do(loop, &owner, &call);
    assert_int_equal(left, 0);
    assert_int_equal(server.accepted, 1);
}

static void answer_and_close(struct server_conn *conn)
{
    if (server_read(conn))
        server_send(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}

static void a_peer_may_close_after_each_answer(void **state)
{
    (void) state;
    start(answer_and_close, NULL);
    for (int i = 0; i < 5; i++) {
        struct h1_call call = { 0 };

        h1_call_do(loop, &owner, &call);
        assert_int_equal(call.err, 0);
    }
    assert_int_equal(server.accepted, 5);
}

/* ---- losses ---- */

static void answer_once_then_read_and_close(struct server_conn *conn)
{
    if (conn->number == 1 && server_read(conn))
        server_send(conn, conn->server->user);
    server_read(conn);
}

/* libcurl by itself would send it again: as many as six times. */
static void a_request_is_never_sent_twice(void **state)
{
    struct h1_call first = { 0 };

    (void) state;
    start(answer_once_then_read_and_close, OK_EMPTY);
    h1_call_do(loop, &owner, &first);
    assert_int_equal(first.err, 0);
    for (int i = 0; i < 4; i++) {
        struct h1_call call = { .method = i % 2 ? "GET" : "POST", .upload = i % 2 ? NULL : "abc" };

        h1_call_do(loop, &owner, &call);
        assert_int_equal(call.err, MESH_ERR_RESET);
        assert_int_equal(call.reach, HTTP_MAYBE);
        assert_int_equal(server.requests, 2 + i);
    }
    assert_int_equal(server.accepted, 4); /* the second request went where the first did */
}

static void answer_then_end_idle(struct server_conn *conn)
{
    if (!server_read(conn))
        return;
    server_send(conn, conn->server->user);
    if (conn->number % 2)
        server_reset(conn);
}

static bool is_over(void *user)
{
    int i = *(int *) user;
    bool over;

    if (server.accepted <= i)
        return false;
    pthread_mutex_lock(&server.lock);
    over = server.conns[i].fd < 0;
    pthread_mutex_unlock(&server.lock);
    return over;
}

static void an_idle_connection_that_has_ended_is_not_used(void **state)
{
    (void) state;
    start(answer_then_end_idle, OK_EMPTY);
    for (int i = 0; i < 6; i++) {
        struct h1_call call = { .method = "POST", .upload = "abc" };

        h1_call_do(loop, &owner, &call);
        assert_int_equal(call.err, 0);
        for (int spins = 0; !is_over(&i) && spins < TEST_GUARD_MS * 1000; spins++)
            sched_yield(); /* without a turn of the loop, */
        if (i % 3 == 0)
            test_loop_turns(loop, 3); /* or with some */
    }
    assert_int_equal(server.accepted, 6);
    assert_int_equal(server.requests, 6);
}

static void read_and_reset(struct server_conn *conn)
{
    server_read(conn);
    server_reset(conn);
}

static void a_reset_is_told_with_the_address(void **state)
{
    struct h1_call call = { 0 };
    char address[ADDR_TEXT];

    (void) state;
    start(read_and_reset, NULL);
    h1_call_do(loop, &owner, &call);
    assert_int_equal(call.err, MESH_ERR_RESET);
    assert_int_equal(call.reach, HTTP_MAYBE);
    assert_non_null(strstr(call.fault.text, addr_format(&server.addr, address)));
}

static void say_nothing(struct server_conn *conn)
{
    server_wait_end(conn);
}

static void a_deadline_ends_what_nobody_answers(void **state)
{
    struct h1_call call = { 0 };

    (void) state;
    start(say_nothing, NULL);
    call.deadline_us = clock_now_us() + 50 * US_PER_MS;
    h1_call_do(loop, &owner, &call);
    assert_int_equal(call.err, MESH_ERR_TIMEOUT);
    assert_int_equal(call.reach, HTTP_MAYBE);
}

/* ---- connecting ---- */

static void a_refused_connection_has_sent_nothing(void **state)
{
    struct addr nobody;
    int fd = peer_listen(AF_INET, 1, &nobody);

    (void) state;
    close(fd);
    start(server_answer, OK_EMPTY);
    h1_owner_free(loop, &owner);
    h1_owner_open(loop, &owner, &nobody);
    for (int i = 0; i < 3; i++) {
        struct h1_call call = { 0 };

        h1_call_do(loop, &owner, &call);
        assert_int_equal(call.err, MESH_ERR_CONNECT);
        assert_int_equal(call.reach, HTTP_NOT_SENT);
        assert_false(call.stream.sent);
        assert_non_null(strstr(call.fault.text, "Connection refused"));
        assert_non_null(strstr(call.fault.text, "127.0.0.1:"));
    }
    assert_int_equal(owner.closings + owner.drainings, 0);
    assert_int_equal(http_conn_room(owner.conn), 4);
}

/* Fills a listener's queue, so that the kernel drops further attempts. */
static int overfull_listener(struct addr *addr, int *fillers, int n)
{
    int listener = peer_listen(AF_INET, 0, addr);
    struct sockaddr_storage to;
    socklen_t len = addr_to_sockaddr(addr, &to);

    for (int i = 0; i < n; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void) !connect(fillers[i], (struct sockaddr *) &to, len);
    }
    return listener;
}

static void cancel_while_connecting(const struct addr *full)
{
    struct h1_call call = { 0 };

    h1_owner_open(loop, &owner, full);
    h1_call_start(loop, &owner, &call);
    test_loop_turns(loop, 2);
    loop_enter(loop);
    http_stream_cancel(&call.stream);
    loop_leave(loop);
    test_loop_turns(loop, 2);
    assert_int_equal(call.ends, 0);
    h1_owner_free(loop, &owner);
}

static void a_connection_that_takes_too_long_is_given_up(void **state)
{
    struct h1_call call = { 0 };
    struct http_h1_conf h1;
    struct addr full;
    int fillers[4], listener = overfull_listener(&full, fillers, 4);

    (void) state;
    start(server_answer, OK_EMPTY);
    h1_owner_free(loop, &owner);
    cancel_while_connecting(&full);
    h1 = h1_conf_for(&full);
    h1.connect_timeout_us = 100 * US_PER_MS;
    h1_owner_open_with(loop, &owner, &h1, NULL);
    h1_call_do(loop, &owner, &call);
    assert_int_equal(call.err, MESH_ERR_CONNECT);
    assert_int_equal(call.reach, HTTP_NOT_SENT);
    assert_non_null(strstr(call.fault.text, "100 ms"));
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(listener);
}

/* The first address does not answer, the second of the other family does. */
static void both_addresses_are_tried(void **state)
{
    struct addr full, good = { .family = ADDR_IPV6 };
    int fillers[4], listener = overfull_listener(&full, fillers, 4);
    struct http_h1_conf h1;
    struct sockaddr_in6 name = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };

    (void) state;
    server = (struct server){ 0 };
    server.listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    name.sin6_port = htons(full.port);
    assert_int_equal(bind(server.listener, (struct sockaddr *) &name, sizeof name), 0);
    assert_int_equal(listen(server.listener, 8), 0);
    server_run(&server, server_answer, OK_EMPTY);
    memcpy(good.ip, &in6addr_loopback, sizeof good.ip);
    good.port = full.port;
    h1 = h1_conf_for(&full);
    h1.addrs[1] = good;
    h1.n_addrs = 2;
    h1_owner_open_with(loop, &owner, &h1, NULL);
    for (int i = 0; i < 3; i++) {
        struct h1_call call = { 0 };

        h1_call_do(loop, &owner, &call);
        assert_int_equal(call.err, 0);
    }
    assert_int_equal(server.accepted, 1);
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(listener);
}

static void a_unix_socket_will_do(void **state)
{
    struct certificate_folder folder;
    struct h1_call calls[2] = { 0 };

    (void) state;
    certificate_folder_make(&folder);
    server_start_unix(&server, server_answer, OK_EMPTY, certificate_path(&folder, "socket"));
    h1_owner_open(loop, &owner, &server.addr);
    h1_call_do(loop, &owner, &calls[0]);
    h1_call_do(loop, &owner, &calls[1]);
    assert_int_equal(calls[0].err + calls[1].err, 0);
    assert_int_equal(server.accepted, 1);
    assert_string_equal(server.head, "GET / HTTP/1.1\r\nHost: users\r\n\r\n");
    certificate_folder_remove(&folder);
}

static void wrong_configurations_are_refused(void **state)
{
    struct addr addr;
    struct http_conn_conf conf = { 0 };
    struct http_h1_conf h1;
    struct fault fault;

    (void) state;
    start(server_answer, OK_EMPTY);
    assert_true(addr_parse(&addr, "127.0.0.1:1", 11, 0));
    loop_enter(loop);
    for (int i = 0; i < 3; i++) {
        struct http_conn *conn;

        h1 = h1_conf_for(&addr);
        if (i == 0)
            h1.n_addrs = 0;
        if (i == 1)
            h1.tls = true;
        if (i == 2)
            h1.max_connections = 0;
        MESH_ERR(MESH_ERR_INVALID, http_conn_h1(loop, &conf, &h1, &h1_owner_ops, &owner, &conn, &fault));
        assert_null(conn);
        assert_true(strlen(fault.text) > 0);
    }
    loop_leave(loop);
}

/* ---- the end ---- */

static bool is_closed(void *user)
{
    return ((struct h1_owner *) user)->closings > 0;
}

static void draining_waits_for_the_last_stream(void **state)
{
    struct h1_call call = { 0 }, refused = { 0 };

    (void) state;
    start(server_answer, OK_EMPTY);
    h1_call_start(loop, &owner, &call);
    loop_enter(loop);
    http_conn_drain(owner.conn);
    assert_int_equal(owner.closings, 0);
    assert_int_equal(http_conn_room(owner.conn), 0);
    MESH_ERR(MESH_ERR_AGAIN, h1_call_open(&owner, &refused));
    loop_leave(loop);
    test_loop_until(loop, is_closed, &owner);
    assert_int_equal(call.ends, 1);
    assert_int_equal(call.err, 0);
    assert_int_equal(owner.closings, 1);
    assert_int_equal(owner.drainings, 0);
}

static void draining_without_streams_ends_at_once(void **state)
{
    (void) state;
    start(server_answer, OK_EMPTY);
    loop_enter(loop);
    http_conn_drain(owner.conn);
    assert_int_equal(owner.closings, 0);
    loop_leave(loop);
    test_loop_until(loop, is_closed, &owner);
}

static void closing_ends_all_streams(void **state)
{
    struct h1_call sent = { 0 }, unsent = { 0 };

    (void) state;
    start(say_nothing, NULL);
    h1_call_start(loop, &owner, &sent);
    test_loop_until(loop, h1_call_is_sent, &sent);
    loop_enter(loop);
    MESH_OK(h1_call_open(&owner, &unsent));
    http_conn_close(owner.conn, MESH_ERR_CLOSING, "the test is over");
    http_conn_close(owner.conn, MESH_ERR_RESET, "again");
    assert_int_equal(sent.ends + unsent.ends + owner.closings, 0);
    loop_leave(loop);
    test_loop_until(loop, is_closed, &owner);
    assert_int_equal(sent.err, MESH_ERR_CLOSING);
    assert_int_equal(sent.reach, HTTP_MAYBE);
    assert_int_equal(unsent.err, MESH_ERR_CLOSING);
    assert_int_equal(unsent.reach, HTTP_NOT_SENT);
    assert_non_null(strstr(owner.why.text, "the test is over"));
    assert_int_equal(owner.closings, 1);
}

static void an_unused_connection_closes_itself(void **state)
{
    struct http_conn_conf conf = { .idle_us = 20 * US_PER_MS };
    struct http_h1_conf h1;
    struct h1_call call = { 0 };

    (void) state;
    start(server_answer, OK_EMPTY);
    h1_owner_free(loop, &owner);
    h1 = h1_conf_for(&server.addr);
    h1_owner_open_with(loop, &owner, &h1, &conf);
    h1_call_do(loop, &owner, &call);
    assert_int_equal(owner.closings, 0);
    test_loop_until(loop, is_closed, &owner);
    assert_int_equal(owner.drainings, 1);
    assert_int_equal(owner.closings, 1);
    assert_int_equal(owner.why.code, 0);
    assert_non_null(strstr(owner.why.text, "not needed for 20 ms"));
    test_loop_until(loop, is_over, &(int){ 0 }); /* the peer sees the end */
}

static void free_owner(struct h1_owner *self)
{
    http_conn_free(self->conn);
    self->conn = NULL;
}

static void free_owner_of(struct h1_call *call)
{
    free_owner(call->owner);
}

static int32_t cancel_and_free(struct h1_call *call, size_t len)
{
    (void) len;
    http_stream_cancel(&call->stream);
    free_owner(call->owner);
    call->ends = 1;
    return 0;
}

static bool is_freed(void *user)
{
    return ((struct h1_owner *) user)->conn == NULL;
}

static void owners_may_free_in_any_callback(void **state)
{
    struct h1_call in_end = { .on_end = free_owner_of }, in_data = { .on_data = cancel_and_free }, in_room = { 0 };

    (void) state;
    start(server_answer, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
    h1_call_do(loop, &owner, &in_end);
    assert_null(owner.conn);

    h1_owner_open(loop, &owner, &server.addr);
    h1_call_do(loop, &owner, &in_data);
    assert_null(owner.conn);

    h1_owner_open(loop, &owner, &server.addr);
    owner.on_room = free_owner;
    h1_call_do(loop, &owner, &in_room);
    test_loop_until(loop, is_freed, &owner);

    h1_owner_open(loop, &owner, &server.addr);
    owner.on_closed = free_owner;
    loop_enter(loop);
    http_conn_drain(owner.conn);
    loop_leave(loop);
    test_loop_until(loop, is_freed, &owner);
}

/* ---- fork ---- */

static int open_sockets(void)
{
    int n = 0;

    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_storage name;
        socklen_t len = sizeof name;

        if (getpeername(fd, (struct sockaddr *) &name, &len) == 0 && name.ss_family == AF_INET)
            n++;
    }
    return n;
}

/* The child has none of the parent's connections, idle or not, and the parent does not notice. */
static void a_forked_child_closes_every_socket(void **state)
{
    struct h1_call idle = { 0 }, busy = { 0 }, after = { 0 };
    int status, servers = 0;
    pid_t child;

    (void) state;
    start(server_answer, OK_EMPTY);
    h1_call_start(loop, &owner, &busy);
    h1_call_do(loop, &owner, &idle);
    h1_call_wait(loop, &busy);
    assert_int_equal(server.accepted, 2);
    child = fork();
    if (child == 0) {
        for (int i = 0; i < server.accepted; i++)
            servers += server.conns[i].fd >= 0;
        loop_abandon(loop);
        _exit(open_sockets() - servers);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(open_sockets(), 4);
    h1_call_do(loop, &owner, &after);
    assert_int_equal(after.err, 0);
    assert_int_equal(server.accepted, 2);
}

static int inheritable_descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 256; fd++) {
        int flags = fcntl(fd, F_GETFD);

        n += flags >= 0 && !(flags & FD_CLOEXEC);
    }
    return n;
}

static void programs_inherit_no_descriptor(void **state)
{
    int before = inheritable_descriptors();
    struct h1_call call = { 0 };

    (void) state;
    start(server_answer, OK_EMPTY);
    h1_call_do(loop, &owner, &call);
    assert_int_equal(call.err, 0);
    assert_int_equal(inheritable_descriptors(), before);
}

/* ---- no memory ---- */

static int32_t one_call(void)
{
    struct http_conn_conf conf = { .window = 64 << 10 };
    struct http_h1_conf h1 = h1_conf_for(&server.addr);
    struct mesh_header headers[] = { { "x-a", "b" } };
    struct h1_call call = { .method = "POST", .upload = "abc", .headers = headers, .n_headers = 1 };
    struct fault fault;
    int32_t err;

    owner = (struct h1_owner){ 0 };
    loop = NULL;
    err = loop_new(&(struct loop_conf){ .threadless = true }, &loop);
    if (err)
        return err;
    err = loop_open(loop, &fault);
    loop_enter(loop);
    if (!err)
        err = http_conn_h1(loop, &conf, &h1, &h1_owner_ops, &owner, &owner.conn, &fault);
    if (!err)
        err = h1_call_open(&owner, &call);
    loop_leave(loop);
    if (!err) {
        h1_call_wait(loop, &call);
        err = call.err == MESH_ERR_CONNECT ? MESH_ERR_NOMEM : call.err; /* no memory for a socket */
    }
    h1_owner_free(loop, &owner);
    loop_free(loop);
    return err;
}

static void every_allocation_may_fail(void **state)
{
    (void) state;
    server_start(&server, server_answer,
                 "HTTP/1.1 200 OK\r\nx-a: b\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "1\r\na\r\n0\r\nx-b: c\r\n\r\n");
    mesh_test_each_allocation_fails(one_call);
    server_stop(&server);
}

int main(void)
{
#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_connection_is_used_again),
        WITH_SERVER(there_is_room_for_as_many_streams_as_connections),
        WITH_SERVER(the_end_of_a_stream_may_open_the_next),
        WITH_SERVER(a_peer_may_close_after_each_answer),
        WITH_SERVER(a_request_is_never_sent_twice),
        WITH_SERVER(an_idle_connection_that_has_ended_is_not_used),
        WITH_SERVER(a_reset_is_told_with_the_address),
        WITH_SERVER(a_deadline_ends_what_nobody_answers),
        WITH_SERVER(a_refused_connection_has_sent_nothing),
        WITH_SERVER(a_connection_that_takes_too_long_is_given_up),
        WITH_SERVER(both_addresses_are_tried),
        WITH_SERVER(a_unix_socket_will_do),
        WITH_SERVER(wrong_configurations_are_refused),
        WITH_SERVER(draining_waits_for_the_last_stream),
        WITH_SERVER(draining_without_streams_ends_at_once),
        WITH_SERVER(closing_ends_all_streams),
        WITH_SERVER(an_unused_connection_closes_itself),
        WITH_SERVER(owners_may_free_in_any_callback),
        WITH_SERVER(a_forked_child_closes_every_socket),
        WITH_SERVER(programs_inherit_no_descriptor),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
