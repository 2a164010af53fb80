/* SPDX-License-Identifier: Apache-2.0 */
/* The scripted HTTP/2 server: one thread, poll(), a session a connection. */
#include "support/h2_script.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- connections ---- */

static void count_open(struct h2_server *server, int by)
{
    pthread_mutex_lock(&server->lock);
    server->open += (unsigned) by;
    server->accepted += by > 0;
    pthread_mutex_unlock(&server->lock);
}

static void accept_all(struct h2_server *server)
{
    int fd;

    while ((server->conf.accepts == 0 || server->accepted < server->conf.accepts) &&
           (fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct conn *conn = calloc(1, sizeof *conn);

        need(conn != NULL && server->n_conns < MOST_CONNS, "too many connections");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        conn->server = server;
        conn->fd = fd;
        h2_script_open(conn);
        server->conns[server->n_conns++] = conn;
        count_open(server, 1);
    }
}

static void close_conn(struct conn *conn)
{
    while (conn->streams)
        h2_script_free_stream(conn, conn->streams);
    nghttp2_session_del(conn->session);
    free(conn->out);
    close(conn->fd);
    count_open(conn->server, -1);
    free(conn);
}

static void receive(struct conn *conn)
{
    uint8_t bytes[PIECE];
    ssize_t n;

    while (!conn->dead && (n = recv(conn->fd, bytes, sizeof bytes, 0)) != 0) {
        if (n < 0) {
            conn->dead = errno != EAGAIN;
            return;
        }
        if (!conn->server->conf.mute && nghttp2_session_mem_recv(conn->session, bytes, (size_t) n) < 0)
            conn->dead = true;
        if (n < (ssize_t) sizeof bytes)
            return;
    }
    conn->dead = true;
}

static void put_out(struct conn *conn, const uint8_t *bytes, size_t len)
{
    if (conn->out_start > 0 && conn->out_start == conn->out_len)
        conn->out_start = conn->out_len = 0;
    if (conn->out_len + len > conn->out_cap) {
        conn->out_cap = (conn->out_len + len) * 2;
        conn->out = realloc(conn->out, conn->out_cap);
        need(conn->out != NULL, "memory");
    }
    memcpy(conn->out + conn->out_len, bytes, len);
    conn->out_len += len;
}

static void collect(struct conn *conn)
{
    const uint8_t *bytes;
    ssize_t n;

    while (conn->out_len - conn->out_start < 4 * PIECE && (n = nghttp2_session_mem_send(conn->session, &bytes)) > 0)
        put_out(conn, bytes, (size_t) n);
}

/* How many bytes may go out now. */
static size_t allowance(struct conn *conn, uint64_t now)
{
    const struct h2_server_conf *conf = &conn->server->conf;

    if (conf->drip_ms == 0)
        return SIZE_MAX;
    if (conn->sent < conf->drip_after)
        return (size_t) (conf->drip_after - conn->sent);
    if (now < conn->next_drip_ms)
        return 0;
    conn->next_drip_ms = now + conf->drip_ms;
    return 1;
}

static void send_out(struct conn *conn)
{
    for (;;) {
        size_t len, most;
        ssize_t n;

        collect(conn);
        len = conn->out_len - conn->out_start;
        most = len > 0 ? allowance(conn, h2_now_ms()) : 0;
        if (len == 0 || most == 0 || conn->dead)
            return;
        n = send(conn->fd, conn->out + conn->out_start, len < most ? len : most, MSG_NOSIGNAL);
        if (n < 0) {
            conn->dead = errno != EAGAIN;
            return;
        }
        conn->out_start += (size_t) n;
        conn->sent += (uint64_t) n;
    }
}

/* Also after a GOAWAY, when the client has nothing more on it. */
static bool is_over(const struct conn *conn)
{
    return conn->dead || (!nghttp2_session_want_read(conn->session) && !nghttp2_session_want_write(conn->session) &&
                          conn->out_len == conn->out_start);
}

/* ---- the thread ---- */

static int timeout_of(const struct h2_server *server, uint64_t now)
{
    uint64_t next = now + 1000;

    for (size_t i = 0; i < server->n_conns; i++) {
        const struct conn *conn = server->conns[i];

        if (server->conf.drip_ms && conn->out_len > conn->out_start && conn->next_drip_ms < next)
            next = conn->next_drip_ms;
        for (const struct stream *stream = conn->streams; stream; stream = stream->next)
            if (stream->due_ms > 0 && stream->due_ms < next)
                next = stream->due_ms;
    }
    return next > now ? (int) (next - now) : 0;
}

static void serve(struct h2_server *server, const struct pollfd *fds)
{
    size_t n = server->n_conns, kept = 0;
    uint64_t now = h2_now_ms();

    for (size_t i = 0; i < n; i++) {
        struct conn *conn = server->conns[i];

        if (fds[i].revents)
            receive(conn);
        h2_script_run_due(conn, now);
        if (!conn->dead)
            send_out(conn);
        if (is_over(conn))
            close_conn(conn);
        else
            server->conns[kept++] = conn;
    }
    server->n_conns = kept;
}

static bool is_stopped(struct h2_server *server)
{
    bool stop;

    pthread_mutex_lock(&server->lock);
    stop = server->stop;
    pthread_mutex_unlock(&server->lock);
    return stop;
}

static void *run(void *user)
{
    struct h2_server *server = user;
    struct pollfd *fds = calloc(MOST_CONNS + 2, sizeof *fds);

    need(fds != NULL, "memory");
    while (!is_stopped(server)) {
        size_t n = server->n_conns;

        for (size_t i = 0; i < n; i++) {
            const struct conn *conn = server->conns[i];
            bool waits = conn->out_len > conn->out_start && server->conf.drip_ms == 0;

            fds[i] = (struct pollfd){ conn->fd, (short) (POLLIN | (waits ? POLLOUT : 0)), 0 };
        }
        fds[n] = (struct pollfd){ server->listener, POLLIN, 0 };
        fds[n + 1] = (struct pollfd){ server->wake, POLLIN, 0 };
        poll(fds, n + 2, timeout_of(server, h2_now_ms()));
        serve(server, fds);
        accept_all(server);
    }
    for (size_t i = 0; i < server->n_conns; i++)
        close_conn(server->conns[i]);
    free(fds);
    return NULL;
}

/* ---- the door ---- */

static void listen_tcp(struct h2_server *server)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(server->conf.port) };
    socklen_t len = sizeof name;

    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
    need(bind(server->listener, (struct sockaddr *) &name, len) == 0, "bind");
    need(listen(server->listener, 1024) == 0, "listen");
    need(getsockname(server->listener, (struct sockaddr *) &name, &len) == 0, "getsockname");
    server->port = ntohs(name.sin_port);
}

static void listen_unix(struct h2_server *server)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };

    snprintf(server->path, sizeof server->path, "%s", server->conf.unix_path);
    snprintf(name.sun_path, sizeof name.sun_path, "%s", server->conf.unix_path);
    server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    need(bind(server->listener, (struct sockaddr *) &name, sizeof name) == 0, "bind");
    need(listen(server->listener, 1024) == 0, "listen");
}

struct h2_server *h2_server_start(const struct h2_server_conf *conf)
{
    struct h2_server *server = calloc(1, sizeof *server);

    need(server != NULL, "memory");
    if (conf)
        server->conf = *conf;
    snprintf(server->name, sizeof server->name, "%s", server->conf.name ? server->conf.name : "server");
    pthread_mutex_init(&server->lock, NULL);
    server->health = 200;
    if (server->conf.unix_path)
        listen_unix(server);
    else
        listen_tcp(server);
    server->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    need(pthread_create(&server->thread, NULL, run, server) == 0, "thread");
    return server;
}

void h2_server_stop(struct h2_server *server)
{
    uint64_t one = 1;

    if (!server)
        return;
    pthread_mutex_lock(&server->lock);
    server->stop = true;
    pthread_mutex_unlock(&server->lock);
    need(write(server->wake, &one, sizeof one) == (ssize_t) sizeof one, "wake");
    pthread_join(server->thread, NULL);
    close(server->listener);
    close(server->wake);
    if (server->path[0])
        unlink(server->path);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

uint16_t h2_server_port(const struct h2_server *server)
{
    return server->port;
}

static unsigned read_count(struct h2_server *server, const unsigned *count)
{
    unsigned n;

    pthread_mutex_lock(&server->lock);
    n = *count;
    pthread_mutex_unlock(&server->lock);
    return n;
}

struct h2_record h2_server_record(struct h2_server *server, const char *id)
{
    struct h2_record record;

    pthread_mutex_lock(&server->lock);
    record = *h2_script_record(server, id);
    pthread_mutex_unlock(&server->lock);
    return record;
}

void h2_server_set_health(struct h2_server *server, unsigned status)
{
    pthread_mutex_lock(&server->lock);
    server->health = status;
    pthread_mutex_unlock(&server->lock);
}

unsigned h2_server_seen(struct h2_server *server)
{
    return read_count(server, &server->seen);
}

unsigned h2_server_accepted(struct h2_server *server)
{
    return read_count(server, &server->accepted);
}

unsigned h2_server_open(struct h2_server *server)
{
    return read_count(server, &server->open);
}

unsigned h2_server_streams(struct h2_server *server)
{
    return read_count(server, &server->n_streams);
}

/* ---- places without a server ---- */

static int bound_socket(struct sockaddr_in *name)
{
    socklen_t len = sizeof *name;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *name = (struct sockaddr_in){ .sin_family = AF_INET };
    name->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    need(bind(fd, (struct sockaddr *) name, len) == 0, "bind");
    need(getsockname(fd, (struct sockaddr *) name, &len) == 0, "getsockname");
    return fd;
}

/* The socket stays bound and unlistening for the life of the program, so that nobody else gets the port. */
uint16_t h2_refusing_port(void)
{
    struct sockaddr_in name;

    bound_socket(&name);
    return ntohs(name.sin_port);
}

int h2_black_hole(uint16_t *port, int *filler)
{
    struct sockaddr_in name;
    int fd = bound_socket(&name);

    need(listen(fd, 0) == 0, "listen");
    *filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(connect(*filler, (struct sockaddr *) &name, sizeof name) == 0, "connect");
    *port = ntohs(name.sin_port);
    return fd;
}
