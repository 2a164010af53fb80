/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets: what connecting gives, and words for what the kernel says. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "net/socket.h"

static void test_words(void **state)
{
    char text[FAULT_TEXT];

    (void) state;
    assert_string_equal(net_socket_error_text(ECONNREFUSED, text), "connection refused");
    assert_string_equal(net_socket_error_text(ETIMEDOUT, text), "connection timed out");
    assert_non_null(strstr(net_socket_error_text(EMFILE, text), "raise ulimit -n"));
    assert_non_null(strstr(net_socket_error_text(ENFILE, text), "fs.file-max"));
    assert_non_null(strstr(net_socket_error_text(ENOSPC, text), "max_user_watches"));
    assert_non_null(strstr(net_socket_error_text(EADDRNOTAVAIL, text), "ip_local_port_range"));
    assert_non_null(strstr(net_socket_error_text(EAGAIN, text), "queue is full"));
}

static void test_whose_fault(void **state)
{
    (void) state;
    assert_true(net_socket_error_is_ours(EMFILE));
    assert_true(net_socket_error_is_ours(ENFILE));
    assert_true(net_socket_error_is_ours(ENOMEM));
    assert_false(net_socket_error_is_ours(ECONNREFUSED));
    assert_false(net_socket_error_is_ours(ENETUNREACH));
}

static void test_no_address(void **state)
{
    struct addr none = { .family = ADDR_NONE };
    int error;

    (void) state;
    assert_int_equal(net_socket_connect(&none, &error), -1);
    assert_int_equal(error, EAFNOSUPPORT);
}

static void test_unix_path_that_is_not_there(void **state)
{
    struct addr addr;
    int error;

    (void) state;
    assert_true(addr_unix(&addr, "/nonexistent/mesh-test"));
    assert_int_equal(net_socket_connect(&addr, &error), -1);
    assert_int_equal(error, ENOENT);
}

/* What the kernel does on its own now and then is made here on purpose: both ends are one socket. */
static void test_connected_to_itself_is_refused(void **state)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct addr addr;

    (void) state;
    assert_int_equal(bind(fd, (struct sockaddr *) &name, sizeof name), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *) &name, &len), 0);
    assert_int_equal(connect(fd, (struct sockaddr *) &name, sizeof name), 0);
    assert_true(addr_from_sockaddr(&addr, (struct sockaddr *) &name));
    assert_int_equal(net_socket_outcome(fd, &addr), ECONNREFUSED);
    close(fd);
}

static void test_outcome(void **state)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof name;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), error, fd;
    struct pollfd ready = { .events = POLLOUT };
    struct addr addr;

    (void) state;
    assert_int_equal(bind(listener, (struct sockaddr *) &name, sizeof name), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *) &name, &len), 0);
    assert_true(addr_from_sockaddr(&addr, (struct sockaddr *) &name));
    fd = net_socket_connect(&addr, &error);
    assert_true(fd >= 0);
    assert_true(error == 0 || error == EINPROGRESS);
    ready.fd = fd;
    assert_int_equal(poll(&ready, 1, 20000), 1);
    assert_int_equal(net_socket_outcome(fd, &addr), 0);
    close(fd);
    close(listener);
    assert_int_equal(net_socket_outcome(-1, &addr), EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_whose_fault),
        cmocka_unit_test(test_no_address),
        cmocka_unit_test(test_unix_path_that_is_not_there),
        cmocka_unit_test(test_connected_to_itself_is_refused),
        cmocka_unit_test(test_outcome),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
