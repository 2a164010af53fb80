/* SPDX-License-Identifier: Apache-2.0 */
/* Names to addresses and services to targets, on the loop.
 *
 * Life of a lookup: waiting (so that one service with a thousand targets does not flood the servers) → running (c-ares has it) →
 * finished (its answer is told at the end of the turn). A cancelled one that is running stays until c-ares gives it back.
 *
 * A channel is left after CHANNEL_LOOKUPS, and when resolv.conf has changed: c-ares 1.18 asks from one port while it has
 * questions open, which makes answers easier to forge the longer it lasts, and it reads its configuration once. Lookups under way
 * end where they began. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "net/net.h"
#include "net/resolver_answer.h"
#include "net/resolver_channel.h"

enum { MOST_RUNNING = 100, CHANNEL_LOOKUPS = 50, DNS_PORT = 53, DEFAULT_TIMEOUT_MS = 2000, DEFAULT_TRIES = 2 };
#define CONF_CHECK_US US_PER_S

/* Which state of resolv.conf a channel has read. */
struct file_state {
    struct timespec changed;
    ino_t inode;
    off_t size;
};

/* A channel and how far it is used up. */
struct channel {
    struct list link; /* of the retired ones */
    struct net_resolver *resolver;
    struct resolver_channel *io;
    struct file_state conf;
    unsigned lookups, running;
};

struct net_resolver {
    struct loop *loop;
    struct resolver_channel_conf conf;
    char *servers, *resolv_conf; /* conf's */
    struct channel *channel;     /* for new lookups; NULL: none yet */
    struct list retired;
    struct list waiting, running, finished;
    unsigned n_running;
    struct loop_later work; /* never in a callback of c-ares: starts what waits, frees channels */
    uint64_t conf_checked_us;
};

struct net_lookup {
    struct list link;
    struct net_resolver *resolver;
    struct channel *channel; /* while running */
    struct loop_later tell;  /* while finished */
    net_answered_fn on_done; /* NULL: cancelled */
    void *user;
    char *name;
    bool srv;
    bool repeated; /* asked once more, without EDNS */
    struct resolver_notes notes;
    struct resolver_result result;
};

/* ---- lookups ---- */

static void free_lookup(struct net_lookup *lookup)
{
    list_remove(&lookup->link);
    loop_undefer(&lookup->tell);
    resolver_result_free(&lookup->result);
    mem_free(lookup->name);
    mem_free(lookup);
}

static void tell(struct loop_later *later)
{
    struct net_lookup *lookup = CONTAINER_OF(later, struct net_lookup, tell);
    struct resolver_result result = lookup->result;
    net_answered_fn on_done = lookup->on_done;
    void *user = lookup->user;

    lookup->result = (struct resolver_result){ 0 };
    free_lookup(lookup);
    on_done(user, &result.answer);
    resolver_result_free(&result);
}

/* The result is there. */
static void finish(struct net_lookup *lookup)
{
    if (!lookup->on_done) {
        free_lookup(lookup);
        return;
    }
    list_remove(&lookup->link);
    list_push_back(&lookup->resolver->finished, &lookup->link);
    loop_defer(lookup->resolver->loop, &lookup->tell);
}

static struct resolver_question question_of(const struct net_lookup *lookup)
{
    return (struct resolver_question){
        .name = lookup->name,
        .srv = lookup->srv,
        .servers = resolver_channel_servers(lookup->channel->io),
        .timeout_ms = lookup->resolver->conf.timeout_ms,
        .tries = lookup->resolver->conf.tries,
    };
}

static void leave_channel(struct net_lookup *lookup)
{
    struct net_resolver *resolver = lookup->resolver;

    lookup->channel->running--;
    lookup->channel = NULL;
    resolver->n_running--;
    loop_defer(resolver->loop, &resolver->work);
}

/* A server that knows no EDNS says FORMERR. c-ares asks it again without, but of several questions under way only the first; the
 * others come back to us, and are asked again now that c-ares knows. */
static bool repeat(struct net_lookup *lookup)
{
    if (!lookup->on_done || lookup->repeated || lookup->notes.refusal != 1 /* FORMERR */)
        return false;
    lookup->repeated = true;
    lookup->notes = (struct resolver_notes){ 0 };
    leave_channel(lookup);
    list_remove(&lookup->link);
    list_push_front(&lookup->resolver->waiting, &lookup->link);
    return true;
}

static void on_hosts(void *user, int status, int timeouts, struct ares_addrinfo *info)
{
    struct net_lookup *lookup = user;
    struct resolver_question question = question_of(lookup);

    (void) timeouts;
    if (!repeat(lookup)) {
        if (lookup->on_done)
            resolver_result_hosts(&lookup->result, &question, &lookup->notes, status, info);
        leave_channel(lookup);
        finish(lookup);
    }
    ares_freeaddrinfo(info);
}

static void on_srv(void *user, int status, int timeouts, unsigned char *packet, int len)
{
    struct net_lookup *lookup = user;
    struct resolver_question question = question_of(lookup);

    (void) timeouts;
    if (repeat(lookup))
        return;
    if (lookup->on_done)
        resolver_result_srv(&lookup->result, &question, &lookup->notes, status, packet, (size_t) len);
    leave_channel(lookup);
    finish(lookup);
}

/* ---- channels ---- */

static struct file_state conf_state(const struct net_resolver *resolver)
{
    struct stat st;

    if (stat(resolver->resolv_conf ? resolver->resolv_conf : "/etc/resolv.conf", &st) < 0)
        return (struct file_state){ 0 };
    return (struct file_state){ .changed = st.st_mtim, .inode = st.st_ino, .size = st.st_size };
}

static bool same_state(const struct file_state *a, const struct file_state *b)
{
    return a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec && a->inode == b->inode &&
           a->size == b->size;
}

static void on_reply(void *user, const uint8_t *packet, size_t len)
{
    struct channel *channel = user;

    LIST_EACH(link, &channel->resolver->running) {
        struct net_lookup *lookup = CONTAINER_OF(link, struct net_lookup, link);

        if (lookup->channel == channel)
            resolver_note_reply(&lookup->notes, lookup->name, lookup->srv, packet, len);
    }
}

static void free_channel(struct channel *channel)
{
    if (!channel)
        return;
    list_remove(&channel->link);
    resolver_channel_free(channel->io);
    mem_free(channel);
}

static void retire_channel(struct net_resolver *resolver)
{
    list_push_back(&resolver->retired, &resolver->channel->link);
    resolver->channel = NULL;
    loop_defer(resolver->loop, &resolver->work);
}

/* Also asks, now and then, whether resolv.conf is still what the channel has read. */
static bool used_up(struct net_resolver *resolver)
{
    struct file_state now;

    if (resolver->channel->lookups >= CHANNEL_LOOKUPS)
        return true;
    if (loop_now_us(resolver->loop) - resolver->conf_checked_us < CONF_CHECK_US)
        return false;
    resolver->conf_checked_us = loop_now_us(resolver->loop);
    now = conf_state(resolver);
    return !same_state(&now, &resolver->channel->conf);
}

static struct channel *fresh_channel(struct net_resolver *resolver, struct fault *fault)
{
    struct channel *channel;

    if (resolver->channel && used_up(resolver))
        retire_channel(resolver);
    if (resolver->channel)
        return resolver->channel;
    channel = mem_zalloc(sizeof *channel);
    if (!channel) {
        fault_set(fault, MESH_ERR_NOMEM, "out of memory for a DNS resolver");
        return NULL;
    }
    channel->resolver = resolver;
    channel->conf = conf_state(resolver);
    if (resolver_channel_new(resolver->loop, &resolver->conf, on_reply, channel, &channel->io, fault)) {
        mem_free(channel);
        return NULL;
    }
    resolver->conf_checked_us = loop_now_us(resolver->loop);
    resolver->channel = channel;
    return channel;
}

/* ---- running them ---- */

static void start(struct net_resolver *resolver, struct net_lookup *lookup)
{
    static const struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct fault fault = { 0 };
    struct channel *channel = fresh_channel(resolver, &fault);

    if (!channel) {
        resolver_result_failed(&lookup->result, &fault);
        finish(lookup);
        return;
    }
    list_remove(&lookup->link);
    list_push_back(&resolver->running, &lookup->link);
    lookup->channel = channel;
    channel->running++;
    channel->lookups++;
    resolver->n_running++;
    /* The callback may come from within these calls. */
    if (lookup->srv)
        ares_search(resolver_channel_ares(channel->io), lookup->name, 1 /* IN */, 33 /* SRV */, on_srv, lookup);
    else
        ares_getaddrinfo(resolver_channel_ares(channel->io), lookup->name, NULL, &hints, on_hosts, lookup);
    resolver_channel_wait(channel->io);
}

static void work(struct loop_later *later)
{
    struct net_resolver *resolver = CONTAINER_OF(later, struct net_resolver, work);

    LIST_EACH_SAFE(link, next, &resolver->retired) {
        struct channel *channel = CONTAINER_OF(link, struct channel, link);

        if (channel->running == 0)
            free_channel(channel);
    }
    while (resolver->n_running < MOST_RUNNING && !list_empty(&resolver->waiting))
        start(resolver, CONTAINER_OF(resolver->waiting.next, struct net_lookup, link));
}

static int32_t new_lookup(struct net_resolver *resolver, const char *name, bool srv, net_answered_fn on_done,
                          void *user, struct net_lookup **out)
{
    struct net_lookup *lookup = mem_zalloc(sizeof *lookup);

    *out = NULL;
    if (!lookup)
        return MESH_ERR_NOMEM;
    /* The hosts file, which says where that is, knows no final dots. */
    lookup->name = mem_strdup(text_equal_nocase(name, "localhost.") ? "localhost" : name);
    if (!lookup->name) {
        mem_free(lookup);
        return MESH_ERR_NOMEM;
    }
    lookup->resolver = resolver;
    lookup->srv = srv;
    lookup->on_done = on_done;
    lookup->user = user;
    lookup->tell.run = tell;
    list_push_back(&resolver->waiting, &lookup->link);
    *out = lookup;
    return 0;
}

/* A name that needs no question: an address, also with the final dot that makes names absolute. */
static bool answer_at_once(struct net_lookup *lookup)
{
    size_t n = strlen(lookup->name);
    struct addr addr;

    if (n > 0 && lookup->name[n - 1] == '.')
        n--;
    if (n == 0) {
        struct fault fault;

        fault_set(&fault, MESH_ERR_DNS, "DNS: a name is empty");
        resolver_result_failed(&lookup->result, &fault);
        return true;
    }
    if (lookup->srv || !addr_parse(&addr, lookup->name, n, 0) || addr.port != 0)
        return false;
    resolver_result_literal(&lookup->result, &addr);
    return true;
}

static int32_t begin(struct net_resolver *resolver, const char *name, bool srv, net_answered_fn on_done, void *user,
                     struct net_lookup **out)
{
    int32_t err = new_lookup(resolver, name, srv, on_done, user, out);

    if (err)
        return err;
    if (answer_at_once(*out))
        finish(*out);
    else
        loop_defer(resolver->loop, &resolver->work);
    return 0;
}

int32_t net_lookup_host(struct net_resolver *resolver, const char *name, net_answered_fn on_done, void *user,
                        struct net_lookup **out)
{
    return begin(resolver, name, false, on_done, user, out);
}

int32_t net_lookup_srv(struct net_resolver *resolver, const char *name, net_answered_fn on_done, void *user,
                       struct net_lookup **out)
{
    return begin(resolver, name, true, on_done, user, out);
}

void net_lookup_cancel(struct net_lookup *lookup)
{
    if (!lookup)
        return;
    lookup->on_done = NULL;
    if (!lookup->channel)
        free_lookup(lookup);
}

/* ---- the resolver ---- */

/* "10.0.0.2, [::1]:5353" as c-ares reads it: without spaces, IPv6 in brackets, each with its port. */
static int32_t read_servers(const char *text, char **out, struct fault *fault)
{
    struct buf csv = { 0 };
    char one[ADDR_TEXT];
    struct addr addr;

    *out = NULL;
    while (*text) {
        size_t n = strcspn(text, ", ");

        if (n > 0 && !addr_parse(&addr, text, n, DNS_PORT)) {
            buf_free(&csv);
            return fault_set(
                fault, MESH_ERR_INVALID,
                "DNS server \"%.*s\" is no address: wanted are addresses with an optional port, separated by commas",
                n > 60 ? 60 : (int) n, text);
        }
        if (n > 0 && !buf_printf(&csv, "%s%s", buf_len(&csv) ? "," : "", addr_format(&addr, one)))
            goto nomem;
        text += n + (text[n] != '\0');
    }
    if (buf_len(&csv) == 0)
        return 0;
    if (!buf_append(&csv, "", 1))
        goto nomem;
    *out = (char *) csv.data;
    return 0;
nomem:
    buf_free(&csv);
    return fault_set(fault, MESH_ERR_NOMEM, "out of memory for a list of DNS servers");
}

int32_t net_resolver_new(struct loop *loop, const struct net_resolver_conf *conf, struct net_resolver **out,
                         struct fault *fault)
{
    struct net_resolver *resolver = mem_zalloc(sizeof *resolver);
    int32_t err;

    *out = NULL;
    if (!resolver)
        goto nomem;
    resolver->loop = loop;
    resolver->work.run = work;
    list_init(&resolver->retired);
    list_init(&resolver->waiting);
    list_init(&resolver->running);
    list_init(&resolver->finished);
    err = read_servers(conf->servers ? conf->servers : "", &resolver->servers, fault);
    if (err) {
        mem_free(resolver);
        return err;
    }
    resolver->resolv_conf = conf->resolv_conf ? mem_strdup(conf->resolv_conf) : NULL;
    if (conf->resolv_conf && !resolver->resolv_conf)
        goto nomem;
    resolver->conf.servers = resolver->servers;
    resolver->conf.resolv_conf = resolver->resolv_conf;
    resolver->conf.timeout_ms = conf->timeout_ms ? conf->timeout_ms : DEFAULT_TIMEOUT_MS;
    resolver->conf.tries = conf->tries ? conf->tries : DEFAULT_TRIES;
    *out = resolver;
    return 0;
nomem:
    if (resolver)
        mem_free(resolver->servers);
    mem_free(resolver);
    return fault_set(fault, MESH_ERR_NOMEM, "out of memory for a DNS resolver");
}

static void drop(struct list *lookups)
{
    struct list *link;

    while ((link = list_pop_front(lookups)))
        free_lookup(CONTAINER_OF(link, struct net_lookup, link));
}

void net_resolver_free(struct net_resolver *resolver)
{
    if (!resolver)
        return;
    drop(&resolver->waiting);
    drop(&resolver->finished);
    LIST_EACH(link, &resolver->running)
        CONTAINER_OF(link, struct net_lookup, link)->on_done = NULL;
    while (!list_empty(&resolver->retired))
        free_channel(CONTAINER_OF(resolver->retired.next, struct channel, link));
    free_channel(resolver->channel);
    loop_undefer(&resolver->work);
    mem_free(resolver->servers);
    mem_free(resolver->resolv_conf);
    mem_free(resolver);
}
