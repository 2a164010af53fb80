/* SPDX-License-Identifier: Apache-2.0 */
/* From addresses to one connected, trusted stream: a race of TCP (RFC 8305), then TLS with the winner.
 *
 *   RACING     attempts begin one after the other: the next after 250 ms, or at once when the last one failed
 *   SECURING   the first to connect has won, all others are closed; its TLS handshake runs. A failure here is final:
 *              another address must not hide that this one is not trusted
 *   ENDED      the result waits for the end of the turn, so that on_done never comes from within net_dial_start() */
#include "net/dial.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "net/socket.h"

/* RFC 8305 section 5, "Connection Attempt Delay". */
#define NEXT_ATTEMPT_US (250 * US_PER_MS)

/* ---- life ---- */

static void dial_free(struct net_dial *dial)
{
    for (size_t i = 0; i < dial->n_attempts; i++)
        mem_free(dial->attempts[i].path);
    net_tls_unref(dial->tls);
    mem_free(dial->server_name);
    mem_free(dial->alpn);
    mem_free(dial);
}

static bool copy_text(char **to, const char *from)
{
    if (!from)
        return true;
    *to = mem_strdup(from);
    return *to != NULL;
}

static bool copy_address(struct dial_attempt *attempt, const struct addr *addr)
{
    attempt->addr = *addr;
    if (addr->family != ADDR_UNIX)
        return true;
    if (!copy_text(&attempt->path, addr->path))
        return false;
    attempt->addr.path = attempt->path;
    return true;
}

static struct net_dial *dial_new(const struct net_dial_conf *conf)
{
    struct net_dial *dial = mem_zalloc(sizeof *dial + conf->n_addrs * sizeof *dial->attempts);
    bool is_copied;

    if (!dial)
        return NULL;
    dial->n_attempts = conf->n_addrs;
    dial->timeout_us = conf->timeout_us;
    dial->tls = conf->tls ? net_tls_ref(conf->tls) : NULL;
    is_copied = copy_text(&dial->server_name, conf->server_name) && copy_text(&dial->alpn, conf->alpn);
    for (size_t i = 0; i < conf->n_addrs; i++) {
        dial->attempts[i].dial = dial;
        is_copied = is_copied && copy_address(&dial->attempts[i], &conf->addrs[i]);
    }
    if (is_copied)
        return dial;
    dial_free(dial);
    return NULL;
}

/* ---- the end ---- */

static void attempt_close(struct dial_attempt *attempt)
{
    if (attempt->state != ATTEMPT_PENDING)
        return;
    loop_io_remove(attempt->dial->loop, &attempt->io);
    close(attempt->io.fd);
}

/* Nothing of the dial is heard of any more; the winning stream stays. */
static void silence(struct net_dial *dial)
{
    loop_timer_cancel(dial->loop, &dial->deadline);
    loop_timer_cancel(dial->loop, &dial->next_due);
    for (size_t i = 0; i < dial->n_begun; i++) {
        attempt_close(&dial->attempts[i]);
        dial->attempts[i].state = ATTEMPT_CLOSED;
    }
    if (dial->state == DIAL_SECURING)
        loop_io_remove(dial->loop, &dial->stream_io);
}

static void on_told(struct loop_later *later)
{
    struct net_dial *dial = CONTAINER_OF(later, struct net_dial, told);
    struct net_stream *stream = dial->stream;
    net_dialled_fn on_done = dial->on_done;
    struct fault fault = dial->fault;
    void *user = dial->user;

    dial_free(dial);
    on_done(user, fault.code, stream, &fault);
}

/* With or without a fault in place. */
static void end(struct net_dial *dial)
{
    silence(dial);
    dial->state = DIAL_ENDED;
    if (dial->fault.code) {
        net_stream_close(dial->stream);
        dial->stream = NULL;
    }
    loop_defer(dial->loop, &dial->told);
}

static void end_with_fault(struct net_dial *dial, const struct fault *fault)
{
    dial->fault = *fault;
    end(dial);
}

static void end_without_memory(struct net_dial *dial)
{
    fault_set(&dial->fault, MESH_ERR_NOMEM, "out of memory");
    end(dial);
}

void net_dial_cancel(struct net_dial *dial)
{
    silence(dial);
    loop_undefer(&dial->told);
    net_stream_close(dial->stream);
    dial_free(dial);
}

/* ---- TLS ---- */

static void handshake_step(struct net_dial *dial)
{
    int result = net_stream_handshake(dial->stream);

    if (result == NET_AGAIN)
        loop_io_want(dial->loop, &dial->stream_io, net_stream_wants(dial->stream, false));
    else if (result == NET_FAILED)
        end_with_fault(dial, net_stream_fault(dial->stream));
    else
        end(dial);
}

static void on_stream_ready(struct loop_io *io, uint32_t events)
{
    (void) events;
    handshake_step(CONTAINER_OF(io, struct net_dial, stream_io));
}

static void secure(struct net_dial *dial)
{
    int32_t err;

    if (net_stream_secure(dial->stream, dial->tls, dial->server_name, dial->alpn) != 0) {
        end_with_fault(dial, net_stream_fault(dial->stream));
        return;
    }
    dial->state = DIAL_SECURING;
    dial->stream_io = (struct loop_io){ .fd = net_stream_fd(dial->stream), .on_ready = on_stream_ready };
    err = loop_io_add(dial->loop, &dial->stream_io, EPOLLIN);
    if (err) {
        fault_set(&dial->fault, err, "the kernel does not watch another descriptor (epoll)");
        end(dial);
        return;
    }
    handshake_step(dial);
}

/* ---- the race ---- */

static void win(struct net_dial *dial, struct dial_attempt *attempt, int fd)
{
    loop_timer_cancel(dial->loop, &dial->next_due);
    for (size_t i = 0; i < dial->n_begun; i++) {
        if (&dial->attempts[i] != attempt)
            attempt_close(&dial->attempts[i]);
        dial->attempts[i].state = ATTEMPT_CLOSED;
    }
    dial->stream = net_stream_new(fd, &attempt->addr);
    if (!dial->stream) {
        close(fd);
        end_without_memory(dial);
        return;
    }
    if (dial->tls)
        secure(dial);
    else
        end(dial);
}

static void race(struct net_dial *dial);

static void attempt_failed(struct dial_attempt *attempt, int error)
{
    attempt->state = ATTEMPT_FAILED;
    attempt->error = error;
    if (net_socket_error_is_ours(error))
        attempt->dial->n_attempts_wanted = attempt->dial->n_begun; /* no other address would help */
}

static void on_attempt_ready(struct loop_io *io, uint32_t events)
{
    struct dial_attempt *attempt = CONTAINER_OF(io, struct dial_attempt, io);
    struct net_dial *dial = attempt->dial;
    int error = net_socket_outcome(io->fd, &attempt->addr);

    (void) events;
    if (error == 0) {
        loop_io_remove(dial->loop, io);
        win(dial, attempt, io->fd);
        return;
    }
    attempt_close(attempt);
    attempt_failed(attempt, error);
    race(dial);
}

static void attempt_begin(struct dial_attempt *attempt)
{
    struct net_dial *dial = attempt->dial;
    int32_t err;
    int error;
    int fd = net_socket_connect(&attempt->addr, &error);

    if (fd < 0) {
        attempt_failed(attempt, error);
        return;
    }
    if (error == 0) {
        win(dial, attempt, fd);
        return;
    }
    attempt->io = (struct loop_io){ .fd = fd, .on_ready = on_attempt_ready };
    err = loop_io_add(dial->loop, &attempt->io, EPOLLOUT);
    if (!err) {
        attempt->state = ATTEMPT_PENDING;
        return;
    }
    close(fd);
    attempt_failed(attempt, err == MESH_ERR_NOMEM ? ENOMEM : ENOSPC);
}

static bool has_pending_attempt(const struct net_dial *dial)
{
    for (size_t i = 0; i < dial->n_begun; i++)
        if (dial->attempts[i].state == ATTEMPT_PENDING)
            return true;
    return false;
}

/* Begins attempts until one is under way. The last one's failure ends the race unless earlier ones still run. */
static void race(struct net_dial *dial)
{
    struct dial_attempt *attempt;

    while (dial->n_begun < dial->n_attempts_wanted) {
        attempt = &dial->attempts[dial->n_begun++];
        attempt_begin(attempt);
        if (dial->state != DIAL_RACING)
            return;
        if (attempt->state == ATTEMPT_PENDING) {
            loop_timer_set(dial->loop, &dial->next_due, loop_now_us(dial->loop) + NEXT_ATTEMPT_US);
            return;
        }
    }
    loop_timer_cancel(dial->loop, &dial->next_due);
    if (has_pending_attempt(dial))
        return;
    dial_fault_connect(dial);
    end(dial);
}

static void on_next_due(struct loop_timer *timer)
{
    race(CONTAINER_OF(timer, struct net_dial, next_due));
}

static void on_deadline(struct loop_timer *timer)
{
    struct net_dial *dial = CONTAINER_OF(timer, struct net_dial, deadline);

    if (dial->state == DIAL_SECURING)
        dial_fault_handshake_time(dial);
    else
        dial_fault_connect(dial);
    end(dial);
}

/* ---- the beginning ---- */

/* An empty name would switch the check of names off, and one with a dot in front would accept every name below it. */
static bool is_verifiable(const char *name)
{
    return name && name[0] != '\0' && name[0] != '.';
}

static bool is_sound(const struct net_dial_conf *conf)
{
    uint8_t wire[TLS_ALPN_MOST];
    size_t len;

    if (conf->n_addrs == 0)
        return false;
    if (!conf->tls)
        return true;
    return is_verifiable(conf->server_name) && (!conf->alpn || tls_alpn_wire(conf->alpn, wire, &len));
}

int32_t net_dial_start(struct loop *loop, const struct net_dial_conf *conf, net_dialled_fn on_done, void *user,
                       struct net_dial **out)
{
    struct net_dial *dial;

    *out = NULL;
    if (!is_sound(conf))
        return MESH_ERR_INVALID;
    dial = dial_new(conf);
    if (!dial)
        return MESH_ERR_NOMEM;
    dial->loop = loop;
    dial->on_done = on_done;
    dial->user = user;
    dial->n_attempts_wanted = dial->n_attempts;
    dial->told.run = on_told;
    dial->next_due.on_due = on_next_due;
    dial->deadline.on_due = on_deadline;
    loop_timer_set(loop, &dial->deadline, loop_now_us(loop) + dial->timeout_us);
    *out = dial;
    race(dial);
    return 0;
}
