/* SPDX-License-Identifier: Apache-2.0 */
/* `mesh resolve`: a target looked up step by step, past what is known already, as JSON for people to read.
 *
 * Life of an explanation: its first lookups are started → an SRV answer adds a step for each host it leads to → when no lookup is
 * open any more, the text is made at the end of that turn. */
#include <stdio.h>
#include <string.h>

#include "source/dns_data.h"
#include "source/state.h"

enum { MOST_STEPS = DNS_MOST_RECORDS + 16 };

/* One lookup. */
struct step {
    struct list link;
    struct explain *explain;
    const struct service_target *target;
    struct net_lookup *lookup; /* under way */
    bool srv;
    char *name;
    uint64_t began_us, took_us;
    enum net_answer_kind kind;
    struct fault fault;
    uint32_t ttl_s;
    const char *from;
    struct dns_data data;
};

struct explain {
    struct list link;
    struct source *source;
    char *text;                    /* the target as it was given */
    struct service service;        /* what it stands for */
    struct net_resolver *resolver; /* its own: a new configuration may take the source's away */
    struct list steps;
    size_t n_steps;
    unsigned open; /* lookups under way */
    bool failed;   /* memory was short */
    struct loop_later finish;
    source_explained_fn on_done;
    void *user;
};

static void free_step(struct step *step)
{
    net_lookup_cancel(step->lookup);
    list_remove(&step->link);
    dns_data_clear(&step->data);
    mem_free(step->name);
    mem_free(step);
}

static void free_explain(struct explain *explain)
{
    while (!list_empty(&explain->steps))
        free_step(CONTAINER_OF(explain->steps.next, struct step, link));
    list_remove(&explain->link);
    net_resolver_free(explain->resolver);
    loop_undefer(&explain->finish);
    service_clear(&explain->service);
    mem_free(explain->text);
    mem_free(explain);
}

void explain_free_all(struct source *source)
{
    while (!list_empty(&source->explains))
        free_explain(CONTAINER_OF(source->explains.next, struct explain, link));
}

/* ---- lookups ---- */

static struct step *find_step(struct explain *explain, const char *name, bool srv)
{
    LIST_EACH(link, &explain->steps) {
        struct step *step = CONTAINER_OF(link, struct step, link);

        if (step->srv == srv && strcmp(step->name, name) == 0)
            return step;
    }
    return NULL;
}

static void on_answer(void *user, const struct net_answer *answer);

static struct step *new_step(struct explain *explain, const struct service_target *target, const char *name, bool srv)
{
    struct step *step = mem_zalloc(sizeof *step);

    if (!step)
        return NULL;
    step->explain = explain;
    step->target = target;
    step->srv = srv;
    step->name = mem_strdup(name);
    list_push_back(&explain->steps, &step->link);
    if (step->name)
        return step;
    free_step(step);
    return NULL;
}

/* The same name is looked up once. */
static void add_step(struct explain *explain, const struct service_target *target, const char *name, bool srv)
{
    struct step *step;

    if (find_step(explain, name, srv) || explain->n_steps >= MOST_STEPS)
        return;
    step = new_step(explain, target, name, srv);
    if (!step || (srv ? net_lookup_srv : net_lookup_host)(explain->resolver, name, on_answer, step, &step->lookup)) {
        explain->failed = true;
        return;
    }
    step->began_us = loop_now_us(explain->source->loop);
    explain->n_steps++;
    explain->open++;
}

static void add_hosts(struct explain *explain, const struct service_target *target, const struct dns_data *data)
{
    char absolute[256];

    for (size_t i = 0; i < data->n_srvs; i++) {
        if (!dns_srv_usable(&data->srvs[i]))
            continue;
        snprintf(absolute, sizeof absolute, "%s.", data->srvs[i].target);
        add_step(explain, target, absolute, false);
    }
}

static void on_answer(void *user, const struct net_answer *answer)
{
    static const struct dns_data nothing;
    struct step *step = user;
    struct explain *explain = step->explain;

    step->lookup = NULL;
    step->took_us = loop_now_us(explain->source->loop) - step->began_us;
    step->kind = answer->kind;
    step->fault = answer->fault;
    step->ttl_s = answer->ttl_s;
    step->from = answer->from;
    if (answer->kind == NET_ANSWER_OK && !dns_data_take(&step->data, answer, &nothing))
        explain->failed = true;
    add_hosts(explain, step->target, &step->data);
    if (--explain->open == 0)
        loop_defer(explain->source->loop, &explain->finish);
}

/* ---- endpoints ---- */

static bool add_found(struct explain *explain, struct dns_founds *founds, const char *name,
                      const struct dns_host_of *of)
{
    const struct step *step = find_step(explain, name, false);

    if (!step || step->data.n_addrs == 0)
        return false;
    dns_founds_add_host(founds, step->data.addrs, step->data.n_addrs, step->data.prefers, of);
    return true;
}

static void add_found_srv(struct explain *explain, struct dns_founds *founds, const struct service_target *target)
{
    const struct step *srv = find_step(explain, target->target.host, true);
    bool mixed = srv && dns_srv_mixed(srv->data.srvs, srv->data.n_srvs);
    uint32_t rank = 0;
    char absolute[256];

    for (size_t i = 0; srv && i < srv->data.n_srvs; i++) {
        const struct net_srv *record = &srv->data.srvs[i];
        struct dns_host_of of = { .zone = target->zone, .hostname = record->target, .port = record->port };

        rank += i > 0 && record->priority != srv->data.srvs[i - 1].priority;
        of.priority = target->priority + rank;
        of.weight = dns_srv_weight(record->weight, mixed);
        snprintf(absolute, sizeof absolute, "%s.", record->target);
        if (dns_srv_usable(record))
            add_found(explain, founds, absolute, &of);
    }
}

static struct model_endpoints *make_endpoints(struct explain *explain)
{
    const struct service *service = &explain->service;
    struct dns_founds founds = { 0 };
    struct model_endpoints *set;

    if (service->endpoints)
        return model_endpoints_ref(service->endpoints);
    for (size_t i = 0; i < service->n_targets; i++) {
        const struct service_target *target = &service->targets[i];
        struct dns_host_of of = {
            .zone = target->zone, .hostname = "", .port = target->target.port, .weight = 1, .priority = target->priority
        };

        if (target->target.kind == TARGET_SRV)
            add_found_srv(explain, &founds, target);
        if (target->target.kind == TARGET_ADDRESS || target->target.kind == TARGET_UNIX)
            dns_founds_add(&founds, &target->target.addr, NULL, &of);
        of.hostname = target->target.host;
        if (target->target.kind == TARGET_HOST)
            add_found(explain, &founds, target->target.host, &of);
    }
    set = dns_founds_endpoints(&founds, explain->source->conf, "dns");
    dns_founds_clear(&founds);
    return set;
}

/* ---- the text ---- */

static void write_records(struct json_writer *w, const struct dns_data *data)
{
    char text[ADDR_TEXT + 300];

    json_key(w, "records");
    json_begin(w, '[');
    for (size_t i = 0; i < data->n_addrs; i++)
        json_quoted(w, addr_format_ip(&data->addrs[i], text));
    for (size_t i = 0; i < data->n_srvs; i++) {
        const struct net_srv *srv = &data->srvs[i];

        snprintf(text, sizeof text, "%u %u %u %s", srv->priority, srv->weight, srv->port,
                 srv->target[0] ? srv->target : ".");
        json_quoted(w, text);
    }
    json_end(w, ']');
}

static void write_step(struct json_writer *w, const struct step *step)
{
    static const char *const results[] = {
        [NET_ANSWER_OK] = "ok",
        [NET_ANSWER_NODATA] = "nodata",
        [NET_ANSWER_NXDOMAIN] = "nxdomain",
        [NET_ANSWER_FAILED] = "failed",
    };
    char query[300];

    snprintf(query, sizeof query, "%.270s %s", step->name, step->srv ? "SRV" : "A, AAAA");
    json_begin(w, '{');
    json_key(w, "query");
    json_quoted(w, query);
    json_key(w, "result");
    json_quoted(w, results[step->kind]);
    json_key(w, "ttl_s");
    json_number(w, step->ttl_s);
    write_records(w, &step->data);
    json_key(w, "took_us");
    json_number(w, (int64_t) step->took_us);
    json_key(w, "from");
    json_quoted(w, step->from);
    json_key(w, "detail");
    json_quoted(w, step->fault.code ? step->fault.text : NULL);
    json_end(w, '}');
}

static void write_endpoint(struct json_writer *w, const struct model_endpoints *set,
                           const struct model_endpoint *endpoint)
{
    const struct model_locality *place = model_endpoint_locality(set, endpoint);
    const struct model_rare *rare = model_endpoint_rare(set, endpoint);
    char text[ADDR_TEXT];

    json_begin(w, '{');
    json_key(w, "address");
    json_quoted(w, addr_format(&endpoint->addr, text));
    json_key(w, "alternative");
    json_quoted(w, rare->alternative.family != ADDR_NONE ? addr_format(&rare->alternative, text) : NULL);
    json_key(w, "zone");
    json_quoted(w, place->label);
    json_key(w, "weight");
    json_number(w, endpoint->weight);
    json_key(w, "priority");
    json_number(w, place->priority);
    json_key(w, "hostname");
    json_quoted(w, rare->hostname);
    json_end(w, '}');
}

/* What went wrong first, if nothing can be called. */
static void judge(struct explain *explain, size_t n_endpoints, struct fault *fault)
{
    *fault = (struct fault){ 0 };
    if (n_endpoints > 0)
        return;
    fault_set(fault, MESH_ERR_DNS, "no address was found for \"%.100s\"", explain->text);
    LIST_EACH(link, &explain->steps) {
        const struct step *step = CONTAINER_OF(link, struct step, link);

        if (dns_srv_withdrawn(step->data.srvs, step->data.n_srvs))
            fault_set(fault, MESH_ERR_DNS, "\"%.100s\" says that the service is not there (its SRV target is \".\")",
                      step->name);
        if (step->fault.code == 0)
            continue;
        *fault = step->fault;
        return;
    }
}

static char *write_all(struct explain *explain, const struct model_endpoints *set, const struct fault *fault)
{
    struct json_writer w = { 0 };

    json_begin(&w, '{');
    json_key(&w, "target");
    json_quoted(&w, explain->text);
    json_key(&w, "steps");
    json_begin(&w, '[');
    LIST_EACH(link, &explain->steps)
        write_step(&w, CONTAINER_OF(link, struct step, link));
    json_end(&w, ']');
    json_key(&w, "endpoints");
    json_begin(&w, '[');
    for (size_t i = 0; i < set->n; i++)
        write_endpoint(&w, set, &set->endpoints[i]);
    json_end(&w, ']');
    json_key(&w, "error");
    json_quoted(&w, fault->code ? error_name(fault->code) : NULL);
    json_key(&w, "detail");
    json_quoted(&w, fault->code ? fault->text : NULL);
    json_end(&w, '}');
    return json_finish(&w);
}

static void finish(struct loop_later *later)
{
    struct explain *explain = CONTAINER_OF(later, struct explain, finish);
    source_explained_fn on_done = explain->on_done;
    void *user = explain->user;
    struct model_endpoints *set = explain->failed ? NULL : make_endpoints(explain);
    struct fault fault = { .code = MESH_ERR_NOMEM };
    char *json = NULL;

    if (set) {
        judge(explain, set->n, &fault);
        json = write_all(explain, set, &fault);
    }
    model_endpoints_unref(set);
    free_explain(explain);
    on_done(user, json ? fault.code : MESH_ERR_NOMEM, json);
}

/* ---- beginning ---- */

static bool is_literal(const struct service_target *target)
{
    return target->target.kind != TARGET_SRV && target->target.kind != TARGET_HOST;
}

/* A configured name stands for what the configuration says of it; its targets live longer than the explanation only as a copy. */
static int32_t find_service(struct explain *explain, struct fault *fault)
{
    struct source *source = explain->source;
    struct service *all = NULL;
    size_t n = 0;
    int32_t err;

    if (!map_get_text(&source->services, explain->text))
        return conf_service_of(source->conf, explain->text, &explain->service, fault);
    err = conf_services(source->conf, &all, &n, fault);
    for (size_t i = 0; !err && i < n; i++) {
        if (!explain->service.cluster && strcmp(all[i].cluster->name, explain->text) == 0) {
            explain->service = all[i];
            all[i] = (struct service){ 0 };
        }
        service_clear(&all[i]);
    }
    mem_free(all);
    if (err || explain->service.cluster)
        return err;
    return conf_service_of(source->conf, explain->text, &explain->service, fault);
}

static void ask_for_targets(struct explain *explain)
{
    for (size_t i = 0; i < explain->service.n_targets; i++) {
        const struct service_target *one = &explain->service.targets[i];

        if (!is_literal(one) && !explain->service.endpoints)
            add_step(explain, one, one->target.host, one->target.kind == TARGET_SRV);
    }
    if (explain->open == 0)
        loop_defer(explain->source->loop, &explain->finish);
}

int32_t source_explain(struct source *source, const char *target, source_explained_fn on_done, void *user,
                       struct fault *fault)
{
    struct explain *explain = mem_zalloc(sizeof *explain);
    struct dns_names_conf dns = reload_dns_conf(source->conf);
    int32_t err;

    if (!explain)
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory for a lookup");
    explain->source = source;
    explain->on_done = on_done;
    explain->user = user;
    explain->finish.run = finish;
    list_init(&explain->steps);
    list_push_back(&source->explains, &explain->link);
    explain->text = mem_strdup(target);
    err = explain->text ? find_service(explain, fault) : fault_set(fault, MESH_ERR_NOMEM, "out of memory for a lookup");
    if (!err)
        err = net_resolver_new(source->loop, &dns.resolver, &explain->resolver, fault);
    if (err) {
        free_explain(explain);
        return err;
    }
    ask_for_targets(explain);
    return 0;
}
