/* SPDX-License-Identifier: Apache-2.0 */
/* The fault server's process: server PORT LEDGER [NAME NUMBER]...   (PORT 0: any; NAMEs as in struct settings)
 * Prints its port, then obeys stdin (control.c) and ends with it. SIGTERM: a GOAWAY to everybody, what runs is finished. */
#include "faults/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { DRAIN_US = 5000000 };

uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000000U + (uint64_t) now.tv_nsec / 1000U;
}

void give_up(const char *what)
{
    fprintf(stderr, "fault server: %s\n", what);
    exit(2);
}

static void watch(struct server *server, int fd, void *who)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = who };

    if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        give_up("epoll_ctl");
}

/* ---- the listener ---- */

void server_listen(struct server *server)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(server->port) };
    socklen_t len = sizeof name;

    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
    if (bind(server->listener, (struct sockaddr *) &name, len) != 0 || listen(server->listener, 4096) != 0 ||
        getsockname(server->listener, (struct sockaddr *) &name, &len) != 0)
        give_up("the port cannot be had");
    server->port = ntohs(name.sin_port);
    watch(server, server->listener, &server->listener);
}

void server_stop_listening(struct server *server)
{
    if (server->listener >= 0)
        close(server->listener);
    server->listener = -1;
}

void server_reset_connections(struct server *server)
{
    const struct linger at_once = { 1, 0 };

    while (!LIST_EMPTY(&server->conns)) {
        struct conn *conn = LIST_FIRST(&server->conns);

        setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        conn_free(conn);
    }
}

/* ---- draining ---- */

static void drain(struct server *server)
{
    struct conn *conn;

    server_stop_listening(server);
    LIST_FOREACH(conn, &server->conns, of_server)
    nghttp2_submit_goaway(conn->session, 0, nghttp2_session_get_last_proc_stream_id(conn->session), NGHTTP2_NO_ERROR,
                          NULL, 0);
    server->drained_by_us = now_us() + DRAIN_US;
}

static bool is_drained(const struct server *server)
{
    return server->drained_by_us > 0 && (LIST_EMPTY(&server->conns) || now_us() >= server->drained_by_us);
}

/* ---- the loop ---- */

static void handle(struct server *server, const struct epoll_event *event)
{
    struct signalfd_siginfo signal;
    uint64_t times;

    if (event->data.ptr == &server->listener)
        conn_accept_all(server);
    else if (event->data.ptr == &server->timer)
        (void) !read(server->timer, &times, sizeof times);
    else if (event->data.ptr == &server->signals && read(server->signals, &signal, sizeof signal) > 0)
        drain(server);
    else if (event->data.ptr == server)
        server->is_over = !control_read(server);
    else
        conn_serve(event->data.ptr, event->events);
}

static void set_timer(struct server *server, uint64_t due_us)
{
    struct itimerspec when = { .it_value = { (time_t) (due_us / 1000000), (long) (due_us % 1000000) * 1000 } };

    timerfd_settime(server->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void turn(struct server *server)
{
    struct epoll_event event;
    uint64_t due;
    int n;

    /* One event a turn: handling one may free the connection of another. */
    n = epoll_wait(server->epoll, &event, 1, server->drained_by_us > 0 ? 50 : -1);
    if (n > 0)
        handle(server, &event);
    due = work_run(server, now_us());
    fflush(server->ledger);
    conn_flush_all(server);
    set_timer(server, due);
}

static void open_everything(struct server *server, const char *ledger)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    server->ledger = fopen(ledger, "ae");
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    server->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    server->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (!server->ledger || server->epoll < 0 || server->timer < 0 || server->signals < 0)
        give_up("files cannot be opened");
    watch(server, server->timer, &server->timer);
    watch(server, server->signals, &server->signals);
    watch(server, STDIN_FILENO, server);
}

int main(int argc, char **argv)
{
    struct server server = {
        .settings = { .slots = 4, .service_us = 1000, .slow_percent = 100, .listen = 1 },
        .listener = -1,
    };

    if (argc < 3 || argc % 2 == 0)
        give_up("PORT LEDGER [NAME NUMBER]...");
    server.port = (uint16_t) strtoul(argv[1], NULL, 10);
    for (int i = 3; i < argc; i += 2)
        control_set(&server, argv[i], argv[i + 1]);
    open_everything(&server, argv[2]);
    server_listen(&server);
    snprintf(server.name, sizeof server.name, "127.0.0.1:%u", server.port);
    work_init(&server.work, server.port);
    printf("%u\n", server.port);
    fflush(stdout);
    while (!server.is_over && !is_drained(&server))
        turn(&server);
    server_reset_connections(&server);
    work_free(&server.work);
    fclose(server.ledger);
    return 0;
}
