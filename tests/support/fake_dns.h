/* SPDX-License-Identifier: Apache-2.0 */
/* A DNS server on a thread of the test, UDP and TCP on one loopback port, that answers what the test says: right, wrong, late or
 * never. Unknown names do not exist. */
#ifndef FAKE_DNS_H
#define FAKE_DNS_H

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FAKE_A = 1, FAKE_CNAME = 5, FAKE_AAAA = 28, FAKE_SRV = 33 };
enum { FAKE_NOERROR = 0, FAKE_FORMERR = 1, FAKE_SERVFAIL = 2, FAKE_NXDOMAIN = 3, FAKE_REFUSED = 5 };
enum {
    FAKE_DROP = 1 << 0,     /* no answer */
    FAKE_TRUNCATE = 1 << 1, /* over UDP only the TC bit */
    FAKE_GARBAGE = 1 << 2,  /* the right question, then an answer section that makes no sense */
    FAKE_WRONG_ID = 1 << 3, /* a wrong answer with another id before the right one */
    FAKE_LATE = 1 << 4,     /* held back until fake_dns_release() */
};
enum { FAKE_RULES = 64, FAKE_HELD = 16, FAKE_MESSAGE = 65535 };

struct fake_rule {
    char name[256];
    unsigned type, rcode, behaviour, asked;
    uint32_t ttl;
    char *records; /* "10.0.0.1 10.0.0.2", "::1", "10 5 80 host.example; 10 5 81 ." */
};

struct fake_held {
    struct sockaddr_in to;
    uint8_t bytes[512];
    size_t len;
};

struct fake_out {
    uint8_t bytes[FAKE_MESSAGE];
    size_t len;
};

struct fake_dns {
    pthread_t thread;
    pthread_mutex_t lock;
    int udp, tcp, stop[2];
    uint16_t port;
    char servers[32]; /* as the configuration wants it */
    unsigned n_rules, n_held, asked_tcp;
    bool no_edns; /* questions with an OPT record are malformed to it */
    struct fake_rule rules[FAKE_RULES];
    struct fake_held held[FAKE_HELD];
    struct fake_out out; /* the answer in the making */
};

/* ---- answers ---- */

static inline void fake_put(struct fake_out *out, const void *bytes, size_t n)
{
    if (out->len + n > sizeof out->bytes)
        abort();
    memcpy(out->bytes + out->len, bytes, n);
    out->len += n;
}

static inline void fake_put16(struct fake_out *out, unsigned value)
{
    uint16_t network = htons((uint16_t) value);

    fake_put(out, &network, 2);
}

static inline void fake_put32(struct fake_out *out, uint32_t value)
{
    uint32_t network = htonl(value);

    fake_put(out, &network, 4);
}

static inline void fake_put_name(struct fake_out *out, const char *name)
{
    while (*name && strcmp(name, ".") != 0) {
        uint8_t n = (uint8_t) strcspn(name, ".");

        fake_put(out, &n, 1);
        fake_put(out, name, n);
        name += n + (name[n] == '.');
    }
    fake_put(out, "", 1);
}

static inline void fake_put_data(struct fake_out *out, unsigned type, const char *text)
{
    unsigned priority, weight, port;
    uint8_t ip[16];
    char target[256];

    if (type == FAKE_A && inet_pton(AF_INET, text, ip) == 1) {
        fake_put(out, ip, 4);
    } else if (type == FAKE_AAAA && inet_pton(AF_INET6, text, ip) == 1) {
        fake_put(out, ip, 16);
    } else if (type == FAKE_CNAME) {
        fake_put_name(out, text);
    } else {
        char *end;

        priority = (unsigned) strtoul(text, &end, 10);
        weight = (unsigned) strtoul(end, &end, 10);
        port = (unsigned) strtoul(end, &end, 10);
        snprintf(target, sizeof target, "%s", end + strspn(end, " "));
        fake_put16(out, priority);
        fake_put16(out, weight);
        fake_put16(out, port);
        fake_put_name(out, target);
    }
}

static inline void fake_put_record(struct fake_out *out, const char *owner, unsigned type, uint32_t ttl,
                                   const char *text)
{
    size_t at, n;

    fake_put_name(out, owner);
    fake_put16(out, type);
    fake_put16(out, 1);
    fake_put32(out, ttl);
    at = out->len;
    fake_put16(out, 0);
    fake_put_data(out, type, text);
    n = out->len - at - 2;
    out->bytes[at] = (uint8_t) (n >> 8);
    out->bytes[at + 1] = (uint8_t) n;
}

static inline unsigned fake_put_records(struct fake_out *out, const struct fake_rule *rule, const char *owner)
{
    const char *between = rule->type == FAKE_SRV ? ";" : " ";
    char *copy = strdup(rule->records), *rest = NULL;
    unsigned n = 0;

    for (char *one = strtok_r(copy, between, &rest); one; one = strtok_r(NULL, between, &rest), n++)
        fake_put_record(out, owner, rule->type, rule->ttl, one + strspn(one, " "));
    free(copy);
    return n;
}

/* ---- the server ---- */

static inline struct fake_rule *fake_find(struct fake_dns *dns, const char *name, unsigned type)
{
    for (unsigned i = 0; i < dns->n_rules; i++)
        if (strcasecmp(dns->rules[i].name, name) == 0 && dns->rules[i].type == type)
            return &dns->rules[i];
    return NULL;
}

static inline bool fake_name_exists(const struct fake_dns *dns, const char *name)
{
    for (unsigned i = 0; i < dns->n_rules; i++)
        if (strcasecmp(dns->rules[i].name, name) == 0 && dns->rules[i].rcode == FAKE_NOERROR)
            return true;
    return false;
}

/* The name of the question; returns where its type stands. */
static inline size_t fake_question(const uint8_t *query, size_t len, char name[256])
{
    size_t at = 12, used = 0;

    while (at < len && query[at] != 0) {
        size_t n = query[at];

        if (at + n + 1 >= len || used + n + 2 > 256)
            return 0;
        if (used > 0)
            name[used++] = '.';
        memcpy(name + used, query + at + 1, n);
        used += n;
        at += n + 1;
    }
    name[used] = '\0';
    return at + 5 <= len ? at + 1 : 0;
}

/* Makes the answer; returns what else is to be done (FAKE_*). */
static inline unsigned fake_answer(struct fake_dns *dns, const uint8_t *query, size_t len, bool tcp,
                                   struct fake_out *out)
{
    char name[256];
    size_t at = fake_question(query, len, name);
    unsigned type, n = 0, rcode, behaviour;
    struct fake_rule *rule, *alias;

    if (at == 0)
        return FAKE_DROP;
    out->len = 0;
    if (dns->no_edns && query[11] > 0) {
        fake_put(out, query, at + 4);
        out->bytes[2] |= 0x80;
        out->bytes[3] = FAKE_FORMERR;
        out->bytes[11] = 0;
        return 0;
    }
    type = (unsigned) query[at] << 8 | query[at + 1];
    rule = fake_find(dns, name, type);
    alias = fake_find(dns, name, FAKE_CNAME);
    behaviour = rule ? rule->behaviour : 0;
    rcode = rule ? rule->rcode : fake_name_exists(dns, name) ? FAKE_NOERROR : FAKE_NXDOMAIN;
    if (rule)
        rule->asked++;
    fake_put(out, query, 2);
    fake_put16(out, 0x8180 | rcode | (behaviour & FAKE_TRUNCATE && !tcp ? 0x0200 : 0));
    fake_put16(out, 1);
    fake_put16(out, 0);
    fake_put32(out, 0);
    fake_put(out, query + 12, at + 4 - 12);
    if (behaviour & FAKE_TRUNCATE && !tcp)
        return behaviour;
    if (behaviour & FAKE_GARBAGE) {
        fake_put(out, "\xff\xff\xff\xff", 4);
        n = 3;
    } else if (alias && !rule) {
        const struct fake_rule *target = fake_find(dns, alias->records, type);

        fake_put_record(out, name, FAKE_CNAME, alias->ttl, alias->records);
        n = 1 + (target ? fake_put_records(out, target, alias->records) : 0);
    } else if (rule && rcode == FAKE_NOERROR) {
        n = fake_put_records(out, rule, name);
    }
    out->bytes[6] = (uint8_t) (n >> 8);
    out->bytes[7] = (uint8_t) n;
    return behaviour;
}

static inline void fake_send(const struct fake_dns *dns, const struct fake_out *out, const struct sockaddr_in *to)
{
    if (sendto(dns->udp, out->bytes, out->len, 0, (const struct sockaddr *) to, sizeof *to) < 0)
        perror("fake_dns: sendto");
}

static inline void fake_serve_udp(struct fake_dns *dns)
{
    uint8_t query[1500];
    struct sockaddr_in from;
    socklen_t from_len = sizeof from;
    ssize_t n = recvfrom(dns->udp, query, sizeof query, 0, (struct sockaddr *) &from, &from_len);
    unsigned behaviour;

    if (n < 12)
        return;
    behaviour = fake_answer(dns, query, (size_t) n, false, &dns->out);
    if (behaviour & FAKE_DROP)
        return;
    if (behaviour & FAKE_LATE && dns->n_held < FAKE_HELD && dns->out.len <= sizeof dns->held[0].bytes) {
        struct fake_held *held = &dns->held[dns->n_held++];

        held->to = from;
        held->len = dns->out.len;
        memcpy(held->bytes, dns->out.bytes, dns->out.len);
        return;
    }
    if (behaviour & FAKE_WRONG_ID) {
        dns->out.bytes[0] ^= 0x55;
        dns->out.bytes[3] = (uint8_t) ((dns->out.bytes[3] & 0xf0) | FAKE_NXDOMAIN);
        fake_send(dns, &dns->out, &from);
        dns->out.bytes[0] ^= 0x55;
        dns->out.bytes[3] &= 0xf0;
    }
    fake_send(dns, &dns->out, &from);
}

static inline void fake_serve_tcp(struct fake_dns *dns)
{
    int fd = accept(dns->tcp, NULL, NULL);
    uint8_t query[1500], head[2];
    struct timeval limit = { .tv_sec = 5 };
    size_t len;

    if (fd < 0)
        return;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    while (recv(fd, head, 2, MSG_WAITALL) == 2) {
        len = (size_t) head[0] << 8 | head[1];
        if (len > sizeof query || recv(fd, query, len, MSG_WAITALL) != (ssize_t) len)
            break;
        dns->asked_tcp++;
        if (fake_answer(dns, query, len, true, &dns->out) & FAKE_DROP)
            break;
        head[0] = (uint8_t) (dns->out.len >> 8);
        head[1] = (uint8_t) dns->out.len;
        if (send(fd, head, 2, MSG_NOSIGNAL) != 2 ||
            send(fd, dns->out.bytes, dns->out.len, MSG_NOSIGNAL) != (ssize_t) dns->out.len)
            break;
        /* More questions on this connection come soon, or on another one. */
        struct pollfd more = { .fd = fd, .events = POLLIN };

        if (poll(&more, 1, 50) <= 0)
            break;
    }
    close(fd);
}

static inline void *fake_run(void *user)
{
    struct fake_dns *dns = user;
    struct pollfd fds[] = {
        { .fd = dns->udp, .events = POLLIN },
        { .fd = dns->tcp, .events = POLLIN },
        { .fd = dns->stop[0], .events = POLLIN },
    };

    while (poll(fds, 3, -1) >= 0 && !fds[2].revents) {
        pthread_mutex_lock(&dns->lock);
        if (fds[0].revents)
            fake_serve_udp(dns);
        if (fds[1].revents)
            fake_serve_tcp(dns);
        pthread_mutex_unlock(&dns->lock);
    }
    return NULL;
}

/* ---- for tests ---- */

static inline struct fake_dns *fake_dns_start(void)
{
    struct fake_dns *dns = calloc(1, sizeof *dns);
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;

    /* The same port for both: another one when somebody has it over TCP. */
    for (int i = 0; i < 20; i++) {
        at.sin_port = 0;
        dns->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        dns->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(dns->udp, (struct sockaddr *) &at, sizeof at) == 0 &&
            getsockname(dns->udp, (struct sockaddr *) &at, &len) == 0 &&
            bind(dns->tcp, (struct sockaddr *) &at, sizeof at) == 0 && listen(dns->tcp, 64) == 0)
            break;
        close(dns->udp);
        close(dns->tcp);
    }
    dns->port = ntohs(at.sin_port);
    snprintf(dns->servers, sizeof dns->servers, "127.0.0.1:%u", dns->port);
    pthread_mutex_init(&dns->lock, NULL);
    if (pipe(dns->stop) < 0 || pthread_create(&dns->thread, NULL, fake_run, dns) != 0)
        abort();
    return dns;
}

static inline void fake_dns_stop(struct fake_dns *dns)
{
    if (write(dns->stop[1], "", 1) != 1)
        abort();
    pthread_join(dns->thread, NULL);
    for (unsigned i = 0; i < dns->n_rules; i++)
        free(dns->rules[i].records);
    close(dns->udp);
    close(dns->tcp);
    close(dns->stop[0]);
    close(dns->stop[1]);
    free(dns);
}

/* From now on this question gets this answer. */
static inline void fake_dns_set_all(struct fake_dns *dns, const char *name, unsigned type, unsigned rcode, uint32_t ttl,
                                    const char *records, unsigned behaviour)
{
    struct fake_rule *rule;

    pthread_mutex_lock(&dns->lock);
    rule = fake_find(dns, name, type);
    if (!rule && dns->n_rules == FAKE_RULES)
        abort();
    if (!rule) {
        rule = &dns->rules[dns->n_rules++];
        snprintf(rule->name, sizeof rule->name, "%s", name);
        rule->type = type;
    }
    free(rule->records);
    rule->records = strdup(records);
    rule->rcode = rcode;
    rule->ttl = ttl;
    rule->behaviour = behaviour;
    pthread_mutex_unlock(&dns->lock);
}

static inline void fake_dns_set(struct fake_dns *dns, const char *name, unsigned type, uint32_t ttl,
                                const char *records)
{
    fake_dns_set_all(dns, name, type, FAKE_NOERROR, ttl, records, 0);
}

static inline void fake_dns_fail(struct fake_dns *dns, const char *name, unsigned type, unsigned rcode)
{
    fake_dns_set_all(dns, name, type, rcode, 0, "", 0);
}

static inline void fake_dns_behave(struct fake_dns *dns, const char *name, unsigned type, unsigned behaviour)
{
    fake_dns_set_all(dns, name, type, FAKE_NOERROR, 60, "", behaviour);
}

static inline unsigned fake_dns_asked(struct fake_dns *dns, const char *name, unsigned type)
{
    struct fake_rule *rule;
    unsigned n;

    pthread_mutex_lock(&dns->lock);
    rule = fake_find(dns, name, type);
    n = rule ? rule->asked : 0;
    pthread_mutex_unlock(&dns->lock);
    return n;
}

static inline unsigned fake_dns_asked_tcp(struct fake_dns *dns)
{
    unsigned n;

    pthread_mutex_lock(&dns->lock);
    n = dns->asked_tcp;
    pthread_mutex_unlock(&dns->lock);
    return n;
}

/* Sends what was held back. */
static inline void fake_dns_release(struct fake_dns *dns)
{
    pthread_mutex_lock(&dns->lock);
    for (unsigned i = 0; i < dns->n_held; i++)
        if (sendto(dns->udp, dns->held[i].bytes, dns->held[i].len, 0, (struct sockaddr *) &dns->held[i].to,
                   sizeof dns->held[i].to) < 0)
            perror("fake_dns: sendto");
    dns->n_held = 0;
    pthread_mutex_unlock(&dns->lock);
}

#endif
