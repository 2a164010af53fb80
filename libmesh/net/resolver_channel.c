/* SPDX-License-Identifier: Apache-2.0 */
/* c-ares on the loop.
 *
 * The sockets are made here (ares_set_socket_functions), so that they are close-on-exec from the start, are known to the loop for
 * as long as they are open (a forked child closes what its loop knows), and so that replies pass through our hands. */
#include "net/resolver_channel.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "net/resolver_wire.h"

enum { EDNS_SIZE = 1232 /* never fragmented on any usual path */, SERVERS_TEXT = 128 };

struct resolver_channel {
    ares_channel ares;
    struct loop *loop;
    struct loop_timer timer;
    struct list sockets;
    resolver_reply_fn on_reply;
    void *user;
    char servers[SERVERS_TEXT];
};

struct socket {
    struct list link;
    struct loop_io io; /* watched only while c-ares has queries on the socket */
    struct resolver_channel *channel;
    bool watched, is_tcp;
    /* TCP: c-ares reads a length word, then that many bytes. */
    unsigned word_bytes;
    size_t word, body_left;
    bool body_begins;
};

static struct socket *find_socket(struct resolver_channel *channel, int fd)
{
    LIST_EACH(link, &channel->sockets) {
        struct socket *s = CONTAINER_OF(link, struct socket, link);

        if (s->io.fd == fd)
            return s;
    }
    return NULL;
}

/* ---- what the loop calls ---- */

void resolver_channel_wait(struct resolver_channel *channel)
{
    struct timeval until;

    if (!ares_timeout(channel->ares, NULL, &until)) {
        loop_timer_cancel(channel->loop, &channel->timer);
        return;
    }
    /* c-ares rounds down to milliseconds: without one more it would be woken before anything is due. */
    loop_timer_set(channel->loop, &channel->timer,
                   clock_now_us() + (uint64_t) until.tv_sec * US_PER_S + (uint64_t) until.tv_usec + US_PER_MS);
}

static void on_due(struct loop_timer *timer)
{
    struct resolver_channel *channel = CONTAINER_OF(timer, struct resolver_channel, timer);

    ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    resolver_channel_wait(channel);
}

/* The socket may be gone after ares_process_fd(). */
static void on_ready(struct loop_io *io, uint32_t events)
{
    struct resolver_channel *channel = CONTAINER_OF(io, struct socket, io)->channel;
    bool failed = events & (EPOLLERR | EPOLLHUP);
    int fd = io->fd;

    ares_process_fd(channel->ares, failed || events & EPOLLIN ? fd : ARES_SOCKET_BAD,
                    events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
    resolver_channel_wait(channel);
}

/* ---- what c-ares calls ---- */

static void on_socket_state(void *user, ares_socket_t fd, int readable, int writable)
{
    struct resolver_channel *channel = user;
    struct socket *s = find_socket(channel, fd);
    uint32_t events = (readable ? (uint32_t) EPOLLIN : 0) | (writable ? (uint32_t) EPOLLOUT : 0);

    if (!s)
        return;
    if (s->watched && events) {
        loop_io_want(channel->loop, &s->io, events);
        return;
    }
    loop_io_remove(channel->loop, &s->io);
    /* If the loop cannot watch it, the query ends by its timeout. */
    s->watched = events && loop_io_add(channel->loop, &s->io, events) == 0;
}

static ares_socket_t open_socket(int family, int type, int protocol, void *user)
{
    struct resolver_channel *channel = user;
    struct socket *s = mem_zalloc(sizeof *s);
    int one = 1;

    if (!s) {
        errno = ENOMEM;
        return ARES_SOCKET_BAD;
    }
    s->channel = channel;
    s->is_tcp = type == SOCK_STREAM;
    s->io.on_ready = on_ready;
    s->io.fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (s->io.fd < 0) {
        mem_free(s);
        return ARES_SOCKET_BAD;
    }
    if (s->is_tcp)
        setsockopt(s->io.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    list_push_back(&channel->sockets, &s->link);
    return s->io.fd;
}

static int close_socket(ares_socket_t fd, void *user)
{
    struct resolver_channel *channel = user;
    struct socket *s = find_socket(channel, fd);

    if (!s)
        return -1;
    list_remove(&s->link);
    loop_io_remove(channel->loop, &s->io);
    mem_free(s);
    return close(fd);
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *addr, ares_socklen_t len, void *user)
{
    (void) user;
    return connect(fd, addr, len);
}

static void look_at_tcp(struct socket *s, const uint8_t *bytes, size_t n)
{
    if (s->body_left == 0) {
        for (size_t i = 0; i < n; i++)
            s->word = (s->word << 8 | bytes[i]) & 0xffff;
        s->word_bytes += (unsigned) n;
        if (s->word_bytes < 2)
            return;
        s->body_left = s->word;
        s->body_begins = true;
        s->word_bytes = 0;
        return;
    }
    if (s->body_begins)
        s->channel->on_reply(s->channel->user, bytes, n);
    s->body_begins = false;
    s->body_left -= n < s->body_left ? n : s->body_left;
}

static ares_ssize_t receive(ares_socket_t fd, void *buf, size_t cap, int flags, struct sockaddr *from,
                            ares_socklen_t *from_len, void *user)
{
    struct resolver_channel *channel = user;
    struct socket *s = find_socket(channel, fd);
    ssize_t n = recvfrom(fd, buf, cap, flags, from, from_len);

    if (n <= 0 || !s)
        return n;
    if (s->is_tcp)
        look_at_tcp(s, buf, (size_t) n);
    else
        channel->on_reply(channel->user, buf, (size_t) n);
    return n;
}

static ares_ssize_t send_bytes(ares_socket_t fd, const struct iovec *parts, int n, void *user)
{
    struct msghdr message = { .msg_iov = (struct iovec *) parts, .msg_iovlen = (size_t) n };

    (void) user;
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static const struct ares_socket_functions socket_functions = {
    .asocket = open_socket,
    .aclose = close_socket,
    .aconnect = connect_socket,
    .arecvfrom = receive,
    .asendv = send_bytes,
};

/* ---- making one ---- */

static void describe_server(const struct ares_addr_port_node *node, char out[ADDR_TEXT])
{
    struct addr addr = { .family = ADDR_IPV4, .port = node->udp_port ? (uint16_t) node->udp_port : 53 };

    if (node->family == AF_INET6)
        addr.family = ADDR_IPV6;
    memcpy(addr.ip, &node->addr, node->family == AF_INET6 ? 16 : 4);
    addr_format(&addr, out);
}

static void describe_servers(struct resolver_channel *channel)
{
    struct ares_addr_port_node *nodes = NULL;
    char text[ADDR_TEXT];
    size_t len = 0;

    if (ares_get_servers_ports(channel->ares, &nodes) != ARES_SUCCESS)
        return;
    for (struct ares_addr_port_node *node = nodes; node; node = node->next) {
        describe_server(node, text);
        if (len + strlen(text) + 3 > sizeof channel->servers)
            break;
        len += (size_t) snprintf(channel->servers + len, sizeof channel->servers - len, "%s%s", len ? ", " : "", text);
    }
    ares_free_data(nodes);
}

static int init_ares(struct resolver_channel *channel, const struct resolver_channel_conf *conf)
{
    struct ares_options options = {
        .flags = ARES_FLAG_EDNS,
        .ednspsz = EDNS_SIZE,
        .timeout = (int) conf->timeout_ms,
        .tries = (int) conf->tries,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = channel,
        .resolvconf_path = (char *) conf->resolv_conf,
    };
    int mask = ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
    int status = ares_init_options(&channel->ares, &options, conf->resolv_conf ? mask | ARES_OPT_RESOLVCONF : mask);

    if (status != ARES_SUCCESS)
        return status;
    ares_set_socket_functions(channel->ares, &socket_functions, channel);
    return conf->servers ? ares_set_servers_ports_csv(channel->ares, conf->servers) : ARES_SUCCESS;
}

int32_t resolver_channel_new(struct loop *loop, const struct resolver_channel_conf *conf, resolver_reply_fn on_reply,
                             void *user, struct resolver_channel **out, struct fault *fault)
{
    struct resolver_channel *channel = mem_zalloc(sizeof *channel);
    int status;

    *out = NULL;
    if (!channel)
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory for a DNS resolver");
    channel->loop = loop;
    channel->timer.on_due = on_due;
    channel->on_reply = on_reply;
    channel->user = user;
    list_init(&channel->sockets);
    status = init_ares(channel, conf);
    if (status != ARES_SUCCESS) {
        resolver_channel_free(channel);
        return fault_set(fault, status == ARES_ENOMEM ? MESH_ERR_NOMEM : MESH_ERR_DNS, "DNS servers %.100s: %s",
                         conf->servers ? conf->servers : "of the system", ares_strerror(status));
    }
    describe_servers(channel);
    *out = channel;
    return 0;
}

void resolver_channel_free(struct resolver_channel *channel)
{
    if (!channel)
        return;
    ares_destroy(channel->ares);
    loop_timer_cancel(channel->loop, &channel->timer);
    mem_free(channel);
}

ares_channel resolver_channel_ares(struct resolver_channel *channel)
{
    return channel->ares;
}

const char *resolver_channel_servers(const struct resolver_channel *channel)
{
    return channel->servers;
}
