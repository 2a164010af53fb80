/* SPDX-License-Identifier: Apache-2.0 */
/* The connections of the fault server: bytes in, bytes out, and how they end. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "faults/server.h"

static void adopt(struct server *server, int fd)
{
    struct conn *conn = calloc(1, sizeof *conn);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = conn };

    if (!conn)
        give_up("no memory");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    conn->server = server;
    conn->fd = fd;
    conn->number = ++server->n_accepted;
    conn->events = EPOLLIN;
    conn->session = session_new(conn);
    LIST_INIT(&conn->requests);
    LIST_INSERT_HEAD(&server->conns, conn, of_server);
    epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event);
    ledger_note_conn(server, conn);
}

void conn_accept_all(struct server *server)
{
    int fd;

    while ((fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        adopt(server, fd);
}

static void receive(struct conn *conn)
{
    uint8_t bytes[16384];
    ssize_t n;

    while ((n = recv(conn->fd, bytes, sizeof bytes, 0)) > 0)
        if (!conn->is_shut && nghttp2_session_mem_recv(conn->session, bytes, (size_t) n) < 0)
            conn->is_dead = true;
    if (n == 0 || errno != EAGAIN)
        conn->is_dead = true;
}

void conn_serve(struct conn *conn, uint32_t events)
{
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        receive(conn);
}

static void watch(struct conn *conn, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = conn };

    if (events == conn->events)
        return;
    conn->events = events;
    epoll_ctl(conn->server->epoll, EPOLL_CTL_MOD, conn->fd, &event);
}

static void transmit(struct conn *conn)
{
    if (conn->server->settings.mute || conn->is_shut)
        return;
    for (;;) {
        ssize_t n;

        if (conn->out_len == 0)
            n = nghttp2_session_mem_send(conn->session, &conn->out);
        else
            n = (ssize_t) conn->out_len;
        if (n <= 0)
            break;
        conn->out_len = (size_t) n;
        n = send(conn->fd, conn->out, conn->out_len, MSG_NOSIGNAL);
        if (n < 0) {
            conn->is_dead = errno != EAGAIN;
            break;
        }
        conn->out += n;
        conn->out_len -= (size_t) n;
    }
    watch(conn, conn->out_len > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* A close with unread bytes would be a reset, and take the last answers and the GOAWAY with it: the client closes first. */
static void say_goodbye(struct conn *conn)
{
    if (conn->is_shut || conn->out_len > 0 || nghttp2_session_want_read(conn->session) ||
        nghttp2_session_want_write(conn->session))
        return;
    conn->is_shut = true;
    shutdown(conn->fd, SHUT_WR);
}

void conn_flush_all(struct server *server)
{
    struct conn *conn, *next;

    for (conn = LIST_FIRST(&server->conns); conn; conn = next) {
        next = LIST_NEXT(conn, of_server);
        if (!conn->is_dead)
            transmit(conn);
        if (!conn->is_dead)
            say_goodbye(conn);
        if (conn->is_dead)
            conn_free(conn);
    }
}

void conn_free(struct conn *conn)
{
    LIST_REMOVE(conn, of_server);
    while (!LIST_EMPTY(&conn->requests))
        work_abandoned(conn->server, LIST_FIRST(&conn->requests));
    nghttp2_session_del(conn->session);
    close(conn->fd);
    free(conn);
}
