/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptors that libcurl owns: opened by us, all of them known to the loop (a forked child closes what its loops know),
 * and watched while they are idle, because libcurl 7.88 uses an idle connection again although the peer has written to it
 * (an answer that nobody asked for) or, with TLS, ended it. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "http/h1.h"

/* An idle connection is looked at once a millisecond at most before it is used. */
enum { REFRESH_US = 1000, RETIRE_READS = 16 };

static struct h1_socket *find(struct h1_conn *conn, curl_socket_t fd)
{
    LIST_EACH(link, &conn->sockets) {
        struct h1_socket *socket = CONTAINER_OF(link, struct h1_socket, link);

        if (socket->io.fd != fd)
            continue;
        list_remove(&socket->link);
        list_push_front(&conn->sockets, &socket->link);
        return socket;
    }
    return NULL;
}

/* What the loop is to wait for. The same whether a plain socket is idle or waits for an answer, so that in the usual case
 * epoll is told nothing between two requests. */
static uint32_t events_of(const struct h1_socket *socket)
{
    uint32_t wanted = socket->user ? socket->wanted : EPOLLIN;

    return wanted & EPOLLIN ? wanted | EPOLLRDHUP : wanted;
}

static int32_t watch(struct h1_socket *socket, uint32_t events)
{
    struct loop *loop = socket->conn->base.loop;

    if (!socket->io.slot)
        return loop_io_add(loop, &socket->io, events);
    loop_io_want(loop, &socket->io, events);
    return 0;
}

/* Throws away what the peer has sent and ends both directions: now libcurl's check finds it dead. It stays open until then, but
 * epoll would go on reporting it. */
static void retire(struct h1_socket *socket)
{
    char garbage[4096];

    for (int i = 0; i < RETIRE_READS && recv(socket->io.fd, garbage, sizeof garbage, MSG_DONTWAIT) > 0; i++)
        continue;
    shutdown(socket->io.fd, SHUT_RDWR);
    loop_io_remove(socket->conn->base.loop, &socket->io);
}

/* TLS sockets may become readable while idle: session tickets. Only their end counts. */
static bool is_over(const struct h1_socket *socket, uint32_t events)
{
    return !socket->conn->fixed.tls || (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
}

static void on_idle(struct h1_socket *socket, uint32_t events)
{
    if (is_over(socket, events))
        retire(socket);
    else
        watch(socket, EPOLLRDHUP);
}

static void on_ready(struct loop_io *io, uint32_t events)
{
    struct h1_socket *socket = CONTAINER_OF(io, struct h1_socket, io);
    struct h1_conn *conn = socket->conn;
    int curl_events = 0;

    if (!socket->user) {
        on_idle(socket, events);
        return;
    }
    if (socket->wanted == 0) {
        /* Paused: libcurl does not want to know. epoll would tell errors again and again even so. */
        if (events & (EPOLLHUP | EPOLLERR))
            loop_io_remove(conn->base.loop, io);
        else
            watch(socket, 0);
        return;
    }
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP))
        curl_events |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        curl_events |= CURL_CSELECT_OUT;
    if (events & EPOLLERR)
        curl_events |= CURL_CSELECT_ERR | CURL_CSELECT_IN | CURL_CSELECT_OUT;
    h1_enter(conn);
    h1_drive(conn, io->fd, curl_events);
    h1_settle(conn);
    h1_leave(conn);
}

static struct h1_socket *add(struct h1_conn *conn, struct h1_exchange *user, curl_socket_t fd)
{
    struct h1_socket *socket = mem_zalloc(sizeof *socket);

    if (!socket)
        return NULL;
    socket->conn = conn;
    socket->user = user;
    socket->io.fd = fd;
    socket->io.on_ready = on_ready;
    if (loop_io_add(conn->base.loop, &socket->io, 0)) {
        mem_free(socket);
        return NULL;
    }
    list_push_front(&conn->sockets, &socket->link);
    return socket;
}

static void forget(struct h1_socket *socket)
{
    loop_io_remove(socket->conn->base.loop, &socket->io);
    list_remove(&socket->link);
    mem_free(socket);
}

/* libcurl cannot be told the scope of a link-local address together with others. */
static void set_scope(const struct h1_conn *conn, struct curl_sockaddr *address)
{
    struct sockaddr_in6 in6;

    if (address->family != AF_INET6 || address->addrlen < sizeof in6)
        return;
    memcpy(&in6, &address->addr, sizeof in6);
    for (size_t i = 0; i < conn->fixed.n_addrs; i++)
        if (conn->fixed.addrs[i].family == ADDR_IPV6 &&
            memcmp(&in6.sin6_addr, conn->fixed.addrs[i].ip, sizeof in6.sin6_addr) == 0)
            in6.sin6_scope_id = conn->fixed.addrs[i].scope;
    memcpy(&address->addr, &in6, sizeof in6);
}

curl_socket_t h1_socket_open(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct h1_exchange *exchange = user;
    curl_socket_t fd;

    (void) purpose;
    if (exchange->attempts > 0)
        return CURL_SOCKET_BAD; /* libcurl wants to send the request again */
    set_scope(exchange->conn, address);
    fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);
    if (fd < 0) {
        exchange->socket_errno = errno;
        return CURL_SOCKET_BAD;
    }
    if (add(exchange->conn, exchange, fd))
        return fd;
    exchange->socket_errno = ENOMEM;
    close(fd);
    return CURL_SOCKET_BAD;
}

int h1_socket_close(void *user, curl_socket_t fd)
{
    struct h1_socket *socket = find(user, fd);

    if (socket)
        forget(socket);
    return close(fd);
}

static uint32_t wanted_by(int what)
{
    switch (what) {
    case CURL_POLL_IN:
        return EPOLLIN;
    case CURL_POLL_OUT:
        return EPOLLOUT;
    case CURL_POLL_INOUT:
        return EPOLLIN | EPOLLOUT;
    default:
        return 0;
    }
}

/* CURL_POLL_REMOVE comes when a transfer ends and when it pauses: who uses the socket says which; h1_socket_release() comes later. */
int h1_socket_want(CURL *easy, curl_socket_t fd, int what, void *user, void *unused)
{
    struct h1_conn *conn = user;
    struct h1_socket *socket = find(conn, fd);
    char *exchange = NULL;

    (void) unused;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &exchange);
    if (!socket && what != CURL_POLL_REMOVE) {
        socket = add(conn, (struct h1_exchange *) (void *) exchange, fd);
        if (!socket)
            return -1;
        socket->is_curls_own = true;
    }
    if (!socket)
        return 0;
    if (socket->is_curls_own && what == CURL_POLL_REMOVE) {
        forget(socket);
        return 0;
    }
    socket->wanted = wanted_by(what);
    if (socket->wanted == 0)
        return 0;
    socket->user = (struct h1_exchange *) (void *) exchange;
    return watch(socket, events_of(socket)) ? -1 : 0;
}

void h1_socket_release(struct h1_exchange *exchange)
{
    LIST_EACH(link, &exchange->conn->sockets) {
        struct h1_socket *socket = CONTAINER_OF(link, struct h1_socket, link);

        if (socket->user != exchange)
            continue;
        socket->user = NULL;
        socket->wanted = 0;
        watch(socket, events_of(socket));
    }
}

void h1_socket_retire(struct h1_conn *conn, curl_socket_t fd)
{
    struct h1_socket *socket = find(conn, fd);

    if (socket)
        retire(socket);
}

static void refresh_one(struct h1_socket *socket)
{
    struct pollfd poll_fd = { .fd = socket->io.fd, .events = POLLIN | POLLRDHUP };

    if (poll(&poll_fd, 1, 0) > 0)
        on_idle(socket, (uint32_t) poll_fd.revents); /* the bits of poll are those of epoll on Linux */
}

void h1_socket_refresh(struct h1_conn *conn)
{
    if (loop_now_us(conn->base.loop) < conn->next_refresh_us)
        return;
    conn->next_refresh_us = loop_now_us(conn->base.loop) + REFRESH_US;
    LIST_EACH(link, &conn->sockets) {
        struct h1_socket *socket = CONTAINER_OF(link, struct h1_socket, link);

        if (!socket->user && socket->io.slot)
            refresh_one(socket);
    }
}
