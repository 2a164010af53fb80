/* SPDX-License-Identifier: Apache-2.0 */
/* Dialling plain sockets: who wins the race, what failures say, what is left behind. */
#include "support/dialling.h"
#include "support/tls_peer.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/un.h>

static struct loop *loop;

static int set_up(void **state)
{
    (void) state;
    loop = dialling_loop();
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    loop_free(loop);
    return 0;
}

static struct dialled dial_addrs(const struct addr *addrs, size_t n, uint64_t timeout_us)
{
    return dial(loop, (struct net_dial_conf){ .addrs = addrs, .n_addrs = n, .timeout_us = timeout_us });
}

static unsigned open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static struct addr refusing_addr(int family)
{
    struct addr addr;

    close(peer_listen(family, 1, &addr));
    return addr;
}

/* A listener whose queue is full: the kernel drops what else wants to connect, as a black hole would. */
struct black_hole {
    struct addr addr;
    int listener, fillers[4];
};

static void black_hole_make(struct black_hole *hole, int family)
{
    struct sockaddr_storage to;
    socklen_t len;

    hole->listener = peer_listen(family, 0, &hole->addr);
    len = addr_to_sockaddr(&hole->addr, &to);
    for (size_t i = 0; i < COUNT_OF(hole->fillers); i++) {
        hole->fillers[i] = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
        assert_true(connect(hole->fillers[i], (struct sockaddr *) &to, len) == 0 || errno == EINPROGRESS);
    }
}

static void black_hole_close(struct black_hole *hole)
{
    for (size_t i = 0; i < COUNT_OF(hole->fillers); i++)
        close(hole->fillers[i]);
    close(hole->listener);
}

static void talk_and_close(struct net_stream *stream)
{
    char buf[8];

    assert_true(stream_write_all(stream, "hello", 5));
    assert_int_equal(stream_read(stream, buf, sizeof buf), 5);
    assert_memory_equal(buf, "hello", 5);
    net_stream_close(stream);
}

static void test_connects_and_talks(void **state)
{
    struct peer peer;
    struct dialled dialled;

    (void) state;
    peer_start(&peer, (struct peer_conf){ .manner = PEER_ECHO });
    dialled = dial_addrs(&peer.addr, 1, 0);
    assert_int_equal(dialled.err, 0);
    assert_true(addr_equal(net_stream_peer(dialled.stream), &peer.addr));
    assert_false(net_stream_is_tls(dialled.stream));
    assert_false(net_stream_resumed(dialled.stream));
    assert_false(net_stream_pending(dialled.stream));
    assert_string_equal(net_stream_alpn(dialled.stream), "");
    talk_and_close(dialled.stream);
    peer_stop(&peer);
}

static void test_sockets_are_close_on_exec_and_without_delay(void **state)
{
    struct peer peer;
    struct dialled dialled;
    int fd, value = 0;
    socklen_t len = sizeof value;

    (void) state;
    peer_start(&peer, (struct peer_conf){ .manner = PEER_ECHO });
    dialled = dial_addrs(&peer.addr, 1, 0);
    fd = net_stream_fd(dialled.stream);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
    assert_true(value);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len), 0);
    assert_true(value);
    net_stream_close(dialled.stream);
    peer_stop(&peer);
}

static void test_unix_socket(void **state)
{
    struct certificate_folder folder;
    struct sockaddr_storage name;
    struct dialled dialled;
    struct addr addr;
    char path[96], text[ADDR_TEXT];
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd;
    socklen_t len;

    (void) state;
    certificate_folder_make(&folder);
    snprintf(path, sizeof path, "%s", certificate_path(&folder, "socket"));
    assert_true(addr_unix(&addr, path));
    len = addr_to_sockaddr(&addr, &name);
    assert_int_equal(bind(listener, (struct sockaddr *) &name, len), 0);
    assert_int_equal(listen(listener, 4), 0);
    dialled = dial_addrs(&addr, 1, 0);
    assert_int_equal(dialled.err, 0);
    fd = accept(listener, NULL, NULL);
    memset(path, 'x', sizeof path - 1); /* the stream has its own copy */
    assert_non_null(strstr(addr_format(net_stream_peer(dialled.stream), text), "/socket"));
    assert_true(stream_write_all(dialled.stream, "hi", 2));
    assert_int_equal(recv(fd, text, sizeof text, 0), 2);
    close(fd);
    assert_int_equal(stream_read(dialled.stream, text, sizeof text), 0);
    net_stream_close(dialled.stream);
    close(listener);

    assert_true(addr_unix(&addr, folder.files[0]));
    dialled = dial_addrs(&addr, 1, 0);
    assert_int_equal(dialled.err, MESH_ERR_CONNECT);
    assert_says(&dialled.fault, "/socket: connection refused");
    certificate_folder_remove(&folder);
}

static void test_refused_names_the_address(void **state)
{
    struct addr addr = refusing_addr(AF_INET);
    struct dialled dialled = dial_addrs(&addr, 1, 0);
    char peer[ADDR_TEXT], expected[FAULT_TEXT];

    (void) state;
    assert_int_equal(dialled.err, MESH_ERR_CONNECT);
    assert_int_equal(dialled.fault.code, MESH_ERR_CONNECT);
    assert_null(dialled.stream);
    snprintf(expected, sizeof expected, "connect to %s: connection refused", addr_format(&addr, peer));
    assert_string_equal(dialled.fault.text, expected);
}

static void test_each_refused_address_is_named(void **state)
{
    struct addr addrs[] = { refusing_addr(AF_INET6), refusing_addr(AF_INET) };
    struct dialled dialled = dial_addrs(addrs, 2, 0);
    char peer[ADDR_TEXT];

    (void) state;
    assert_int_equal(dialled.err, MESH_ERR_CONNECT);
    assert_says(&dialled.fault, addr_format(&addrs[0], peer));
    assert_says(&dialled.fault, addr_format(&addrs[1], peer));
}

static void test_many_refused_addresses_are_counted(void **state)
{
    struct addr addrs[20];
    struct dialled dialled;

    (void) state;
    for (size_t i = 0; i < COUNT_OF(addrs); i++)
        addrs[i] = refusing_addr(AF_INET);
    dialled = dial_addrs(addrs, COUNT_OF(addrs), 0);
    assert_int_equal(dialled.err, MESH_ERR_CONNECT);
    assert_says(&dialled.fault, "; and 1");
    assert_says(&dialled.fault, " more");
}

static void test_refused_address_gives_way_to_the_next(void **state)
{
    struct addr addrs[2] = { refusing_addr(AF_INET6) };
    struct dialled dialled;
    struct peer peer;

    (void) state;
    peer_start(&peer, (struct peer_conf){ .manner = PEER_ECHO });
    addrs[1] = peer.addr;
    dialled = dial_addrs(addrs, 2, 0);
    assert_int_equal(dialled.err, 0);
    assert_true(addr_equal(net_stream_peer(dialled.stream), &peer.addr));
    talk_and_close(dialled.stream);
    peer_stop(&peer);
}

static void test_silent_v6_gives_way_to_v4(void **state)
{
    struct black_hole hole;
    struct addr addrs[2];
    struct dialled dialled;
    struct peer peer;
    unsigned before;
    uint64_t start;

    (void) state;
    black_hole_make(&hole, AF_INET6);
    peer_start(&peer, (struct peer_conf){ .manner = PEER_ECHO });
    assert_int_equal(loop_open(loop, NULL), 0);
    before = open_descriptors();
    addrs[0] = hole.addr;
    addrs[1] = peer.addr;
    start = clock_now_us();
    dialled = dial_addrs(addrs, 2, 0);
    assert_int_equal(dialled.err, 0);
    assert_true(addr_equal(net_stream_peer(dialled.stream), &peer.addr));
    assert_true(clock_now_us() - start >= 240 * US_PER_MS);
    talk_and_close(dialled.stream);
    peer_stop(&peer);
    /* neither the loser nor the winner is left open; the peer has closed its listener */
    assert_int_equal(open_descriptors(), before - 1);
    black_hole_close(&hole);
}

static void test_first_address_wins_when_it_answers(void **state)
{
    struct peer first, second;
    struct addr addrs[2];
    struct dialled dialled;

    (void) state;
    peer_start(&first, (struct peer_conf){ .manner = PEER_ECHO });
    peer_start(&second, (struct peer_conf){ .manner = PEER_ECHO });
    addrs[0] = first.addr;
    addrs[1] = second.addr;
    dialled = dial_addrs(addrs, 2, 0);
    assert_int_equal(dialled.err, 0);
    assert_true(addr_equal(net_stream_peer(dialled.stream), &first.addr));
    talk_and_close(dialled.stream);
    peer_stop(&first);
    peer_stop(&second);
    assert_int_equal(second.accepted, 0);
}

static void test_black_holes_end_with_the_time(void **state)
{
    struct black_hole holes[2];
    struct addr addrs[2];
    struct dialled dialled;
    char expected[FAULT_TEXT], first[ADDR_TEXT], second[ADDR_TEXT];
    unsigned before;

    (void) state;
    black_hole_make(&holes[0], AF_INET);
    black_hole_make(&holes[1], AF_INET6);
    assert_int_equal(loop_open(loop, NULL), 0);
    before = open_descriptors();
    addrs[0] = holes[0].addr;
    addrs[1] = holes[1].addr;
    dialled = dial_addrs(addrs, 2, 400 * US_PER_MS);
    assert_int_equal(dialled.err, MESH_ERR_CONNECT);
    snprintf(expected, sizeof expected, "connect to %s: no answer within 400 ms; %s: no answer within 400 ms",
             addr_format(&addrs[0], first), addr_format(&addrs[1], second));
    assert_string_equal(dialled.fault.text, expected);
    assert_int_equal(open_descriptors(), before);
    black_hole_close(&holes[0]);
    black_hole_close(&holes[1]);
}

/* The first one may still answer when all others have failed. */
static void test_refusals_do_not_end_the_wait_for_the_first(void **state)
{
    struct black_hole hole;
    struct addr addrs[3];
    struct dialled dialled;

    (void) state;
    black_hole_make(&hole, AF_INET);
    addrs[0] = hole.addr;
    addrs[1] = refusing_addr(AF_INET);
    addrs[2] = refusing_addr(AF_INET6);
    dialled = dial_addrs(addrs, 3, 600 * US_PER_MS);
    assert_int_equal(dialled.err, MESH_ERR_CONNECT);
    assert_says(&dialled.fault, ": no answer within 600 ms; 127.0.0.1:");
    assert_says(&dialled.fault, ": connection refused; [::1]:");
    black_hole_close(&hole);
}

static void test_cancel_is_silent(void **state)
{
    struct dialled dialled = { .is_done = false };
    struct black_hole hole;
    struct net_dial *started;
    struct net_dial_conf conf = { .n_addrs = 1, .timeout_us = 10 * US_PER_MS };
    unsigned before;

    (void) state;
    black_hole_make(&hole, AF_INET);
    conf.addrs = &hole.addr;
    assert_int_equal(loop_open(loop, NULL), 0);
    before = open_descriptors();
    loop_enter(loop);
    assert_int_equal(net_dial_start(loop, &conf, dialled_on_done, &dialled, &started), 0);
    loop_leave(loop);
    loop_enter(loop);
    net_dial_cancel(started);
    loop_leave(loop);
    assert_int_equal(open_descriptors(), before);
    /* a second dial, of the same time, ends: the first would have ended before it */
    assert_int_equal(dial_addrs(&hole.addr, 1, 20 * US_PER_MS).err, MESH_ERR_CONNECT);
    assert_false(dialled.is_done);
    black_hole_close(&hole);
}

static void test_cancel_before_it_is_told(void **state)
{
    struct addr addr = refusing_addr(AF_INET);
    struct addr unix_addr;
    struct dialled dialled = { .is_done = false };
    struct net_dial *started;
    struct net_dial_conf conf = { .addrs = &unix_addr, .n_addrs = 1, .timeout_us = US_PER_S };

    (void) state;
    assert_true(addr_unix(&unix_addr, "/nonexistent/mesh-test"));
    assert_int_equal(loop_open(loop, NULL), 0);
    loop_enter(loop);
    /* fails at once, and is told at the end of the turn */
    assert_int_equal(net_dial_start(loop, &conf, dialled_on_done, &dialled, &started), 0);
    net_dial_cancel(started);
    loop_leave(loop);
    assert_int_equal(dial_addrs(&addr, 1, 0).err, MESH_ERR_CONNECT);
    assert_false(dialled.is_done);
}

static void test_out_of_descriptors(void **state)
{
    struct rlimit before, none;
    struct dialled dialled;
    struct peer peer;
    struct addr addrs[2];

    (void) state;
    peer_start(&peer, (struct peer_conf){ .manner = PEER_ECHO });
    addrs[0] = addrs[1] = peer.addr;
    assert_int_equal(loop_open(loop, NULL), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    dialled = dial_addrs(addrs, 2, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(dialled.err, MESH_ERR_IO);
    assert_says(&dialled.fault, "too many open files (this process may have 3 descriptors: raise ulimit -n)");
    assert_null(strchr(dialled.fault.text, ';')); /* the second address was not tried */
    dialled = dial_addrs(addrs, 2, 0);
    assert_int_equal(dialled.err, 0);
    talk_and_close(dialled.stream);
    peer_stop(&peer);
}

static void test_peer_that_resets(void **state)
{
    struct linger at_once = { .l_onoff = 1 };
    struct dialled dialled;
    struct addr addr;
    char buf[8];
    int listener = peer_listen(AF_INET, 4, &addr), fd;

    (void) state;
    dialled = dial_addrs(&addr, 1, 0);
    assert_int_equal(dialled.err, 0);
    fd = accept(listener, NULL, NULL);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
    assert_int_equal(stream_read(dialled.stream, buf, sizeof buf), NET_FAILED);
    assert_int_equal(net_stream_fault(dialled.stream)->code, MESH_ERR_RESET);
    assert_says(net_stream_fault(dialled.stream), "connection reset by peer");
    /* no SIGPIPE: the test would end here */
    while (net_stream_write(dialled.stream, "x", 1) > 0)
        continue;
    assert_says(net_stream_fault(dialled.stream), "broken pipe");
    net_stream_close(dialled.stream);
    close(listener);
}

static void test_shutdown_ends_one_direction(void **state)
{
    struct dialled dialled;
    struct addr addr;
    char buf[8];
    int listener = peer_listen(AF_INET, 4, &addr), fd;

    (void) state;
    dialled = dial_addrs(&addr, 1, 0);
    fd = accept(listener, NULL, NULL);
    net_stream_shutdown(dialled.stream);
    assert_int_equal(recv(fd, buf, sizeof buf, 0), 0);
    assert_int_equal(send(fd, "late", 4, 0), 4);
    assert_int_equal(stream_read(dialled.stream, buf, sizeof buf), 4);
    close(fd);
    assert_int_equal(stream_read(dialled.stream, buf, sizeof buf), 0);
    net_stream_close(dialled.stream);
    close(listener);
}

static void test_write_says_again_when_the_peer_does_not_read(void **state)
{
    static char block[65536];
    struct dialled dialled;
    struct addr addr;
    int listener = peer_listen(AF_INET, 4, &addr);
    ssize_t n;

    (void) state;
    dialled = dial_addrs(&addr, 1, 0);
    while ((n = net_stream_write(dialled.stream, block, sizeof block)) > 0)
        continue;
    assert_int_equal(n, NET_AGAIN);
    assert_int_equal(net_stream_wants(dialled.stream, true), EPOLLIN | EPOLLOUT);
    assert_int_equal(net_stream_wants(dialled.stream, false), EPOLLIN);
    net_stream_close(dialled.stream);
    close(listener);
}

static void test_senseless_arguments(void **state)
{
    struct addr addr = refusing_addr(AF_INET);

    (void) state;
    assert_int_equal(dial_addrs(&addr, 0, 0).err, MESH_ERR_INVALID);
}

/* Each allocation fails once, alone and with all after it. */
static void test_every_allocation_may_fail(void **state)
{
    struct addr addrs[3];
    struct peer peer;
    int64_t live;

    (void) state;
    peer_start(&peer, (struct peer_conf){ .manner = PEER_ECHO });
    addrs[0] = refusing_addr(AF_INET);
    assert_true(addr_unix(&addrs[1], "/nonexistent/mesh-test"));
    addrs[2] = peer.addr;
    for (int then_all = 0; then_all < 2; then_all++) {
        bool was_reached = true;

        for (uint64_t nth = 1; was_reached; nth++) {
            struct loop_conf conf = { .threadless = true };
            struct dialled dialled = { .err = MESH_ERR_NOMEM };
            struct loop *own = NULL;

            mem_watch(nth, then_all);
            if (loop_new(&conf, &own) == 0)
                dialled = dial(own, (struct net_dial_conf){ .addrs = addrs, .n_addrs = 3 });
            net_stream_close(dialled.stream);
            if (own)
                loop_free(own);
            was_reached = mem_unwatch(&live);
            assert_int_equal(live, 0);
            assert_true(dialled.err == 0 || dialled.err == MESH_ERR_NOMEM);
            assert_true(was_reached || dialled.err == 0);
        }
    }
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_connects_and_talks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sockets_are_close_on_exec_and_without_delay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unix_socket, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused_names_the_address, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_refused_address_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_refused_addresses_are_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused_address_gives_way_to_the_next, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_silent_v6_gives_way_to_v4, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_first_address_wins_when_it_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_black_holes_end_with_the_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals_do_not_end_the_wait_for_the_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancel_is_silent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancel_before_it_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_out_of_descriptors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_peer_that_resets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shutdown_ends_one_direction, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_write_says_again_when_the_peer_does_not_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_senseless_arguments, set_up, tear_down),
        cmocka_unit_test(test_every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
