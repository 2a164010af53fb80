/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and connecting sockets, and words for what the kernel says about it. */
#include "net/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* A peer that vanished without a word is noticed after 30 + 3 x 10 s when idle, after 60 s when it owes an acknowledgement.
 * HTTP/2 connections find out earlier by PING; this is for all others. */
enum {
    KEEPALIVE_IDLE_S = 30,
    KEEPALIVE_INTERVAL_S = 10,
    KEEPALIVE_PROBES = 3,
    UNACKNOWLEDGED_MS = 60000,
};

/* Options only improve a connection: one that the kernel does not know is no reason to have none. */
static void set_option(int fd, int level, int name, int value)
{
    (void) setsockopt(fd, level, name, &value, sizeof value);
}

static void set_tcp_options(int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS);
}

int net_socket_connect(const struct addr *addr, int *error)
{
    struct sockaddr_storage to;
    socklen_t to_len = addr_to_sockaddr(addr, &to);
    int fd;

    *error = EAFNOSUPPORT;
    if (to_len == 0)
        return -1;
    fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        *error = errno;
        return -1;
    }
    if (addr->family != ADDR_UNIX)
        set_tcp_options(fd);
    *error = connect(fd, (const struct sockaddr *) &to, to_len) == 0 ? 0 : errno;
    if (*error == EINTR)
        *error = EINPROGRESS;
    if (*error == 0 || *error == EINPROGRESS)
        return fd;
    close(fd);
    return -1;
}

/* Where nobody listens on a local port of the ephemeral range, the kernel may choose that very port for our end and connect
 * the socket to itself (RFC 9293 section 3.5, simultaneous open): an echo that is no server. */
static bool is_connected_to_itself(int fd, const struct addr *peer)
{
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    struct addr own;

    if (getsockname(fd, (struct sockaddr *) &name, &len) != 0)
        return false;
    return addr_from_sockaddr(&own, (struct sockaddr *) &name) && addr_equal(&own, peer);
}

int net_socket_outcome(int fd, const struct addr *addr)
{
    int error = 0;
    socklen_t len = sizeof error;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        return errno;
    if (error == 0 && is_connected_to_itself(fd, addr))
        return ECONNREFUSED;
    return error;
}

bool net_socket_error_is_ours(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM || error == ENOSPC;
}

static const char *advice(int error)
{
    if (error == ENFILE)
        return " (fs.file-max of this machine is reached)";
    if (error == ENOSPC)
        return " (fs.epoll.max_user_watches is reached)";
    if (error == EADDRNOTAVAIL)
        return " (no free local port: see net.ipv4.ip_local_port_range, and keep connections longer)";
    if (error == EAGAIN)
        return " (the listener's queue is full)";
    return "";
}

const char *net_socket_error_text(int error, char out[FAULT_TEXT])
{
    char text[FAULT_TEXT];
    struct rlimit limit;

    fault_errno(error, text);
    if (text[0] >= 'A' && text[0] <= 'Z')
        text[0] = (char) (text[0] + ('a' - 'A'));
    if (error == EMFILE && getrlimit(RLIMIT_NOFILE, &limit) == 0)
        snprintf(out, FAULT_TEXT, "%.128s (this process may have %llu descriptors: raise ulimit -n)", text,
                 (unsigned long long) limit.rlim_cur);
    else
        snprintf(out, FAULT_TEXT, "%.128s%s", text, advice(error));
    return out;
}
