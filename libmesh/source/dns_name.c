/* SPDX-License-Identifier: Apache-2.0 */
/* The table of names and the refreshing of each. */
#include "source/dns_name.h"

#include <stdio.h>
#include <string.h>

#include "source/dns_data.h"
#include "source/dns_schedule.h"

/* Nobody tells when the hosts file changes. */
enum { HOSTS_FILE_TTL_S = 5 };

struct dns_names {
    struct loop *loop;
    struct observe *observe;
    struct net_resolver *resolver;
    uint64_t min_ttl_ms, max_ttl_ms;
    struct map map; /* by key */
};

struct dns_name {
    struct dns_names *names;
    char *key; /* "A name" or "S name" */
    enum dns_kind kind;
    struct list watches;
    unsigned n_active;
    struct net_lookup *lookup; /* under way */
    struct loop_timer timer;   /* the next one */
    uint64_t due_us;           /* when it is or was to be; 0: never asked */
    bool answered, failing, cut;
    bool untold;          /* somebody has to hear of the answer again */
    unsigned failures;    /* in a row */
    struct fault fault;   /* while failing */
    struct dns_data data; /* the last good answer */
};

static const char *text_of(const struct dns_name *name)
{
    return name->key + 2;
}

/* ---- telling ---- */

static void tell_watches(struct dns_name *name)
{
    LIST_EACH_SAFE(link, next, &name->watches) {
        struct dns_watch *watch = CONTAINER_OF(link, struct dns_watch, link);

        watch->on_change(watch);
    }
}

/* Only changes between good and failing are told: a name that fails for hours is one line. */
static void log_state(const struct dns_name *name)
{
    if (name->failing)
        OBSERVE(name->names->observe, MESH_LOG_WARN, "dns_refresh_failed", FIELD_TEXT("name", text_of(name)),
                FIELD_TEXT("type", name->kind == DNS_SRV ? "SRV" : "A, AAAA"), FIELD_TEXT("detail", name->fault.text),
                FIELD_NUMBER("last_good_records", name->data.n_addrs + name->data.n_srvs));
    else
        OBSERVE(name->names->observe, MESH_LOG_INFO, "dns_refresh_recovered", FIELD_TEXT("name", text_of(name)),
                FIELD_TEXT("type", name->kind == DNS_SRV ? "SRV" : "A, AAAA"),
                FIELD_NUMBER("records", name->data.n_addrs + name->data.n_srvs));
}

static void log_cut(struct dns_name *name)
{
    if (name->data.left_out > 0 && !name->cut)
        OBSERVE(name->names->observe, MESH_LOG_WARN, "dns_answer_cut", FIELD_TEXT("name", text_of(name)),
                FIELD_NUMBER("records_used", name->data.n_addrs + name->data.n_srvs),
                FIELD_NUMBER("records_left_out", name->data.left_out));
    name->cut = name->data.left_out > 0;
}

/* ---- looking up ---- */

static void look_up(struct dns_name *name);

static void plan(struct dns_name *name, uint64_t delay_us)
{
    name->due_us = loop_now_us(name->names->loop) + delay_us;
    if (name->n_active > 0)
        loop_timer_set(name->names->loop, &name->timer, name->due_us);
}

static void plan_retry(struct dns_name *name)
{
    name->failures++;
    plan(name, dns_retry_delay_us(name->failures, rand_u64(loop_rand(name->names->loop))));
}

static uint64_t refresh_delay(const struct dns_name *name, const struct net_answer *answer)
{
    const struct dns_names *names = name->names;
    uint32_t ttl = answer->ttl_s;

    if (strcmp(answer->from, "literal") == 0)
        ttl = UINT32_MAX;
    if (strcmp(answer->from, "hosts file") == 0)
        ttl = HOSTS_FILE_TTL_S;
    return dns_refresh_delay_us(ttl, names->min_ttl_ms, names->max_ttl_ms, rand_u64(loop_rand(names->loop)));
}

/* With half an answer the other half is asked for sooner than the TTL says. */
static void plan_refresh(struct dns_name *name, const struct net_answer *answer)
{
    uint64_t delay = refresh_delay(name, answer), retry;

    name->failures = answer->partial ? name->failures + 1 : 0;
    retry = dns_retry_delay_us(name->failures, rand_u64(loop_rand(name->names->loop)));
    plan(name, answer->partial && retry < delay ? retry : delay);
}

static void on_due(struct loop_timer *timer)
{
    look_up(CONTAINER_OF(timer, struct dns_name, timer));
}

static void on_failure(struct dns_name *name, const struct fault *fault)
{
    bool first = !name->failing;
    bool changed = first || strcmp(name->fault.text, fault->text) != 0;

    name->answered = name->failing = true;
    name->fault = *fault;
    plan_retry(name);
    if (first)
        log_state(name);
    if (changed)
        tell_watches(name);
}

static void on_success(struct dns_name *name, struct dns_data *data)
{
    bool changed = !name->answered || name->failing || name->untold || !dns_data_equal(&name->data, data);
    bool recovered = name->failing;

    dns_data_clear(&name->data);
    name->data = *data;
    name->answered = true;
    name->failing = name->untold = false;
    name->fault = (struct fault){ 0 };
    log_cut(name);
    if (recovered)
        log_state(name);
    if (changed)
        tell_watches(name);
}

static void on_answer(void *user, const struct net_answer *answer)
{
    struct dns_name *name = user;
    struct fault nomem = { .code = MESH_ERR_NOMEM, .text = "DNS: out of memory for an answer" };
    struct dns_data data;

    name->lookup = NULL;
    if (answer->kind != NET_ANSWER_OK) {
        on_failure(name, &answer->fault);
        return;
    }
    if (!dns_data_take(&data, answer, &name->data)) {
        on_failure(name, &nomem);
        return;
    }
    plan_refresh(name, answer);
    on_success(name, &data);
}

static void look_up(struct dns_name *name)
{
    struct net_resolver *resolver = name->names->resolver;
    int32_t err;

    if (name->lookup)
        return;
    loop_timer_cancel(name->names->loop, &name->timer);
    err = (name->kind == DNS_SRV ? net_lookup_srv : net_lookup_host)(resolver, text_of(name), on_answer, name,
                                                                     &name->lookup);
    if (err)
        plan_retry(name);
}

static void resume(struct dns_name *name)
{
    if (name->lookup)
        return;
    if (name->due_us <= loop_now_us(name->names->loop))
        look_up(name);
    else
        loop_timer_set(name->names->loop, &name->timer, name->due_us);
}

/* ---- watches ---- */

static void free_name(struct dns_name *name)
{
    if (!name)
        return;
    net_lookup_cancel(name->lookup);
    loop_timer_cancel(name->names->loop, &name->timer);
    dns_data_clear(&name->data);
    mem_free(name->key);
    mem_free(name);
}

static struct dns_name *new_name(struct dns_names *names, enum dns_kind kind, const char *text)
{
    struct dns_name *name = mem_zalloc(sizeof *name);
    size_t len = strlen(text);

    if (!name)
        return NULL;
    name->names = names;
    name->kind = kind;
    name->timer.on_due = on_due;
    list_init(&name->watches);
    name->key = mem_alloc(len + 3);
    if (!name->key) {
        mem_free(name);
        return NULL;
    }
    name->key[0] = kind == DNS_SRV ? 'S' : 'A';
    name->key[1] = ' ';
    memcpy(name->key + 2, text, len + 1);
    return name;
}

int32_t dns_watch_begin(struct dns_names *names, enum dns_kind kind, const char *text, struct dns_watch *watch)
{
    struct dns_name *name = new_name(names, kind, text), *known;

    if (!name)
        return MESH_ERR_NOMEM;
    known = map_get_text(&names->map, name->key);
    if (!known && !map_put(&names->map, name->key, strlen(name->key), name)) {
        free_name(name);
        return MESH_ERR_NOMEM;
    }
    if (known)
        free_name(name);
    watch->name = known ? known : name;
    watch->active = false;
    list_push_back(&watch->name->watches, &watch->link);
    return 0;
}

void dns_watch_activate(struct dns_watch *watch, bool active)
{
    struct dns_name *name = watch->name;

    if (!name || watch->active == active)
        return;
    watch->active = active;
    if (!active) {
        if (--name->n_active == 0)
            loop_timer_cancel(name->names->loop, &name->timer);
        return;
    }
    if (name->n_active++ == 0)
        resume(name);
}

void dns_watch_again(struct dns_watch *watch)
{
    watch->name->untold = true;
    plan_retry(watch->name);
}

void dns_watch_end(struct dns_watch *watch)
{
    struct dns_name *name = watch->name;

    if (!name)
        return;
    dns_watch_activate(watch, false);
    list_remove(&watch->link);
    watch->name = NULL;
    if (!list_empty(&name->watches))
        return;
    map_remove(&name->names->map, name->key, strlen(name->key));
    free_name(name);
}

/* ---- what is known ---- */

bool dns_name_pending(const struct dns_name *name)
{
    return !name->answered;
}

const struct fault *dns_name_fault(const struct dns_name *name)
{
    return name->failing ? &name->fault : NULL;
}

const struct addr *dns_name_addrs(const struct dns_name *name, size_t *n)
{
    *n = name->data.n_addrs;
    return name->data.addrs;
}

const struct net_srv *dns_name_srvs(const struct dns_name *name, size_t *n)
{
    *n = name->data.n_srvs;
    return name->data.srvs;
}

enum addr_family dns_name_prefers(const struct dns_name *name)
{
    return name->data.prefers;
}

/* ---- the table ---- */

int32_t dns_names_new(struct loop *loop, const struct dns_names_conf *conf, struct observe *observe,
                      struct dns_names **out, struct fault *fault)
{
    struct dns_names *names = mem_zalloc(sizeof *names);
    int32_t err;

    *out = NULL;
    if (!names)
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory for the table of names");
    names->loop = loop;
    names->observe = observe;
    err = dns_names_reconfigure(names, conf, fault);
    if (err) {
        mem_free(names);
        return err;
    }
    *out = names;
    return 0;
}

void dns_names_free(struct dns_names *names)
{
    if (!names)
        return;
    net_resolver_free(names->resolver);
    map_free(&names->map);
    mem_free(names);
}

/* Lookups under way begin again, with the new resolver. */
int32_t dns_names_reconfigure(struct dns_names *names, const struct dns_names_conf *conf, struct fault *fault)
{
    struct net_resolver *resolver, *old = names->resolver;
    struct dns_name *name;
    size_t at = 0;
    int32_t err = net_resolver_new(names->loop, &conf->resolver, &resolver, fault);

    if (err)
        return err;
    names->resolver = resolver;
    names->min_ttl_ms = conf->min_ttl_ms;
    names->max_ttl_ms = conf->max_ttl_ms;
    while ((name = map_next(&names->map, &at))) {
        if (!name->lookup)
            continue;
        net_lookup_cancel(name->lookup);
        name->lookup = NULL;
        look_up(name);
    }
    net_resolver_free(old);
    return 0;
}
