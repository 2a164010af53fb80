/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptors that libcurl owns: opened by us, all of them known to the loop (a forked child closes what its loops know).
 *
 * Two habits of libcurl 7.88 decide how this is done. It uses an idle connection again although the peer has written to it (an
 * answer that nobody asked for) or, with TLS, ended it: idle ones are watched here. And it closes a descriptor that is still
 * connecting without calling anybody: until it is connected, whether the descriptor is still the one that we opened is asked
 * after libcurl has run and before an owner is called, who might get the same number for something else. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/h1.h"

enum { REFRESH_BATCH = 16, RETIRE_READS = 16 };

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

/* TLS sockets may become readable while idle: session tickets. Only their end counts. And an event may be older than the turn in
 * which the answer that it announces was read: a caller and the keeper may both have been in the poll. */
static bool is_over(const struct h1_socket *socket, uint32_t events)
{
    char byte;

    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        return true;
    if (socket->conn->fixed.tls)
        return false;
    return recv(socket->io.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

static void on_idle(struct h1_socket *socket, uint32_t events)
{
    if (is_over(socket, events))
        retire(socket);
    else if (socket->conn->fixed.tls)
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

static ino_t inode_of(curl_socket_t fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

static void forget(struct h1_socket *socket)
{
    struct h1_conn *conn = socket->conn;

    if (!socket->is_sure)
        conn->n_unsure--;
    loop_io_remove(conn->base.loop, &socket->io);
    list_remove(&socket->link);
    mem_free(socket);
}

static struct h1_socket *add(struct h1_conn *conn, struct h1_exchange *user, curl_socket_t fd)
{
    struct h1_socket *socket = mem_zalloc(sizeof *socket);

    if (!socket)
        return NULL;
    socket->conn = conn;
    socket->user = user;
    socket->inode = inode_of(fd);
    socket->io.fd = fd;
    socket->io.on_ready = on_ready;
    if (loop_io_add(conn->base.loop, &socket->io, 0)) {
        mem_free(socket);
        return NULL;
    }
    list_push_front(&conn->sockets, &socket->link);
    conn->n_unsure++;
    return socket;
}

void h1_socket_check(struct h1_conn *conn)
{
    if (conn->n_unsure == 0)
        return;
    LIST_EACH_SAFE(link, following, &conn->sockets) {
        struct h1_socket *socket = CONTAINER_OF(link, struct h1_socket, link);

        if (!socket->is_sure && inode_of(socket->io.fd) != socket->inode)
            forget(socket);
    }
}

void h1_socket_connected(struct h1_exchange *exchange)
{
    struct h1_conn *conn = exchange->conn;

    h1_socket_check(conn);
    if (conn->n_unsure == 0)
        return;
    LIST_EACH(link, &conn->sockets) {
        struct h1_socket *socket = CONTAINER_OF(link, struct h1_socket, link);

        if (socket->user != exchange || socket->is_sure)
            continue;
        socket->is_sure = true;
        conn->n_unsure--;
    }
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
    h1_socket_check(exchange->conn);
    if (add(exchange->conn, exchange, fd))
        return fd;
    exchange->socket_errno = ENOMEM;
    close(fd);
    return CURL_SOCKET_BAD;
}

static void on_tls_end(struct net_tls_end *end)
{
    struct h1_socket *socket = CONTAINER_OF(end, struct h1_socket, tls_end);

    if (socket->user)
        socket->user->ended_properly = true;
}

/* Of the exchange's sockets the one that has connected is left. */
CURLcode h1_socket_secure(CURL *easy, void *ssl_ctx, void *user)
{
    struct h1_exchange *exchange = user;

    (void) easy;
    if (exchange->conn->fixed.identity && !net_tls_lend(exchange->conn->fixed.identity, ssl_ctx))
        return CURLE_OUT_OF_MEMORY;
    h1_socket_check(exchange->conn);
    LIST_EACH(link, &exchange->conn->sockets) {
        struct h1_socket *socket = CONTAINER_OF(link, struct h1_socket, link);

        if (socket->user != exchange || socket->is_sure)
            continue;
        socket->tls_end.on_end = on_tls_end;
        net_tls_watch_end(ssl_ctx, &socket->tls_end);
        return CURLE_OK;
    }
    return CURLE_SSL_CONNECT_ERROR;
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

static struct h1_exchange *exchange_of(CURL *easy)
{
    char *exchange = NULL;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &exchange);
    return (struct h1_exchange *) (void *) exchange;
}

/* Of its resolver thread, when a proxy's name is looked up. */
static int want_curls_own(struct h1_conn *conn, struct h1_socket *socket, struct h1_exchange *exchange,
                          curl_socket_t fd, int what)
{
    if (what == CURL_POLL_REMOVE) {
        if (socket)
            forget(socket);
        return 0;
    }
    if (!socket)
        socket = add(conn, exchange, fd);
    if (!socket)
        return -1;
    socket->is_curls_own = true;
    socket->wanted = wanted_by(what);
    return watch(socket, events_of(socket)) ? -1 : 0;
}

/* CURL_POLL_REMOVE comes when a transfer ends and when it pauses: who uses the socket says which, and h1_socket_release() is
 * called soon. The loop is not told yet. */
int h1_socket_want(CURL *easy, curl_socket_t fd, int what, void *user, void *unused)
{
    struct h1_conn *conn = user;
    struct h1_exchange *exchange = exchange_of(easy);
    struct h1_socket *socket;

    (void) unused;
    h1_socket_check(conn);
    socket = find(conn, fd);
    if (!socket || socket->is_curls_own)
        return want_curls_own(conn, socket, exchange, fd, what);
    socket->wanted = wanted_by(what);
    if (!(socket->wanted & EPOLLIN))
        h1_exchange_reads_no_more(exchange);
    if (socket->wanted == 0)
        return 0;
    socket->user = exchange;
    exchange->has_waited = exchange->attempts > 0;
    return watch(socket, events_of(socket)) ? -1 : 0;
}

void h1_socket_release(struct h1_exchange *exchange)
{
    h1_socket_check(exchange->conn);
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

struct idle_batch {
    struct pollfd fds[REFRESH_BATCH];
    struct h1_socket *sockets[REFRESH_BATCH];
    nfds_t n;
};

static void look_at(struct idle_batch *batch)
{
    if (batch->n == 0 || poll(batch->fds, batch->n, 0) <= 0)
        return;
    for (nfds_t i = 0; i < batch->n; i++)
        if (batch->fds[i].revents)
            on_idle(batch->sockets[i], (uint32_t) batch->fds[i].revents); /* poll's bits are epoll's on Linux */
}

void h1_socket_refresh(struct h1_conn *conn)
{
    struct idle_batch batch = { .n = 0 };

    LIST_EACH(link, &conn->sockets) {
        struct h1_socket *socket = CONTAINER_OF(link, struct h1_socket, link);

        if (socket->user || !socket->io.slot)
            continue;
        batch.fds[batch.n] = (struct pollfd){ .fd = socket->io.fd, .events = POLLIN | POLLRDHUP };
        batch.sockets[batch.n++] = socket;
        if (batch.n < REFRESH_BATCH)
            continue;
        look_at(&batch);
        batch.n = 0;
    }
    look_at(&batch);
}
