/* SPDX-License-Identifier: Apache-2.0 */
/* Watching what one target leads to. */
#include "source/dns_target.h"

#include <stdio.h>
#include <string.h>

/* A host that SRV records lead to; several records may. */
struct host {
    struct dns_watch watch;
    struct dns_target *target;
};

struct record {
    struct host *host;
    const char *hostname;
    uint16_t port;
    uint32_t weight, priority;
};

/* The hosts and records of one SRV answer. */
struct dns_hosts {
    struct host *hosts;
    size_t n_hosts;
    struct record *records;
    size_t n_records;
    char *names;
};

/* ---- where SRV records lead ---- */

static void on_host_change(struct dns_watch *watch)
{
    struct dns_target *target = CONTAINER_OF(watch, struct host, watch)->target;

    target->on_change(target->user);
}

static void free_hosts(struct dns_hosts *hosts)
{
    if (!hosts)
        return;
    for (size_t i = 0; i < hosts->n_hosts; i++)
        dns_watch_end(&hosts->hosts[i].watch);
    mem_free(hosts->hosts);
    mem_free(hosts->records);
    mem_free(hosts->names);
    mem_free(hosts);
}

static struct dns_hosts *new_hosts(const struct net_srv *srvs, size_t n)
{
    struct dns_hosts *hosts = mem_zalloc(sizeof *hosts);
    size_t bytes = 0;

    if (!hosts)
        return NULL;
    for (size_t i = 0; i < n; i++)
        bytes += strlen(srvs[i].target) + 2;
    hosts->hosts = mem_array(n + 1, sizeof *hosts->hosts);
    hosts->records = mem_array(n + 1, sizeof *hosts->records);
    hosts->names = mem_alloc(bytes + 1);
    if (hosts->hosts && hosts->records && hosts->names)
        return hosts;
    free_hosts(hosts);
    return NULL;
}

/* The host of that name, which is absolute: search rules are for names that people write. */
static struct host *host_of(struct dns_target *target, struct dns_hosts *hosts, struct map *known, const char *name)
{
    struct host *host = map_get_text(known, name);
    char absolute[256];

    if (host)
        return host;
    host = &hosts->hosts[hosts->n_hosts];
    host->target = target;
    host->watch.on_change = on_host_change;
    snprintf(absolute, sizeof absolute, "%s.", name);
    if (dns_watch_begin(target->names, DNS_HOST, absolute, &host->watch))
        return NULL;
    hosts->n_hosts++;
    return map_put(known, name, strlen(name), host) ? host : NULL;
}

/* Records are sorted by priority. Only their ranks count: 10 and 20 in one zone are no worse than 0 and 1 in another. */
static bool add_records(struct dns_target *target, struct dns_hosts *hosts, const struct net_srv *srvs, size_t n)
{
    struct map known = { 0 };
    bool mixed = dns_srv_mixed(srvs, n), done = true;
    char *text = hosts->names;
    uint32_t rank = 0;
    size_t last = n;

    for (size_t i = 0; done && i < n; i++) {
        struct record *record = &hosts->records[hosts->n_records];
        size_t len = strlen(srvs[i].target);

        if (!dns_srv_usable(&srvs[i]))
            continue;
        record->hostname = memcpy(text, srvs[i].target, len + 1);
        text += len + 1;
        record->host = host_of(target, hosts, &known, record->hostname);
        record->port = srvs[i].port;
        record->weight = dns_srv_weight(srvs[i].weight, mixed);
        rank += last < n && srvs[i].priority != srvs[last].priority;
        record->priority = rank;
        last = i;
        hosts->n_records++;
        done = record->host != NULL;
    }
    map_free(&known);
    return done;
}

/* The new hosts are watched before the old ones are left, so that what is known of those in both stays known. */
static void take_hosts(struct dns_target *target, struct dns_hosts *hosts)
{
    for (size_t i = 0; i < hosts->n_hosts; i++)
        dns_watch_activate(&hosts->hosts[i].watch, target->active);
    free_hosts(target->hosts);
    target->hosts = hosts;
}

/* Out of memory, the old ones stay. */
static void on_srv_change(struct dns_watch *watch)
{
    struct dns_target *target = CONTAINER_OF(watch, struct dns_target, watch);
    size_t n;
    const struct net_srv *srvs = dns_name_srvs(watch->name, &n);
    struct dns_hosts *hosts = new_hosts(srvs, n);

    if (hosts && add_records(target, hosts, srvs, n)) {
        take_hosts(target, hosts);
    } else {
        free_hosts(hosts);
        dns_watch_again(watch);
    }
    target->on_change(target->user);
}

static void on_name_change(struct dns_watch *watch)
{
    struct dns_target *target = CONTAINER_OF(watch, struct dns_target, watch);

    target->on_change(target->user);
}

/* ---- the target ---- */

int32_t dns_target_begin(struct dns_target *target, struct dns_names *names, const struct service_target *conf,
                         void (*on_change)(void *user), void *user)
{
    bool is_srv = conf->target.kind == TARGET_SRV;
    int32_t err;

    target->conf = conf;
    target->names = names;
    target->on_change = on_change;
    target->user = user;
    target->watch.on_change = is_srv ? on_srv_change : on_name_change;
    if (!is_srv && conf->target.kind != TARGET_HOST)
        return 0;
    err = dns_watch_begin(names, is_srv ? DNS_SRV : DNS_HOST, conf->target.host, &target->watch);
    if (err == 0 && is_srv && !dns_name_pending(target->watch.name))
        on_srv_change(&target->watch); /* another service has asked already */
    return err;
}

void dns_target_end(struct dns_target *target)
{
    free_hosts(target->hosts);
    target->hosts = NULL;
    dns_watch_end(&target->watch);
}

void dns_target_activate(struct dns_target *target, bool active)
{
    target->active = active;
    dns_watch_activate(&target->watch, active);
    for (size_t i = 0; target->hosts && i < target->hosts->n_hosts; i++)
        dns_watch_activate(&target->hosts->hosts[i].watch, active);
}

/* ---- what is known ---- */

static void note_fault(struct dns_tally *tally, const struct fault *fault)
{
    if (fault && tally->fault.code == 0)
        tally->fault = *fault;
}

static bool add_name(const struct dns_name *name, struct dns_founds *founds, struct dns_tally *tally,
                     const struct dns_host_of *of)
{
    size_t n, before = founds->n;
    const struct addr *addrs = dns_name_addrs(name, &n);

    tally->pending += dns_name_pending(name);
    note_fault(tally, dns_name_fault(name));
    dns_founds_add_host(founds, addrs, n, dns_name_prefers(name), of);
    if (n > 0 && founds->n == before && !founds->failed && tally->fault.code == 0)
        fault_set(&tally->fault, MESH_ERR_DNS, "DNS: \"%.100s\" has no address of the family that is wanted",
                  of->hostname);
    return n > 0 && (founds->n > before || founds->failed);
}

static bool add_srv(const struct dns_target *target, struct dns_founds *founds, struct dns_tally *tally)
{
    const struct service_target *conf = target->conf;
    const struct dns_hosts *hosts = target->hosts;
    bool found = false;

    for (size_t i = 0; hosts && i < hosts->n_records; i++) {
        const struct record *record = &hosts->records[i];
        struct dns_host_of of = {
            .zone = conf->zone,
            .hostname = record->hostname,
            .port = record->port,
            .weight = record->weight,
            .priority = conf->priority + record->priority,
            .families = conf->families,
        };

        found |= add_name(record->host->watch.name, founds, tally, &of);
    }
    return found;
}

static void collect_srv(const struct dns_target *target, struct dns_founds *founds, struct dns_tally *tally)
{
    size_t n;
    const struct net_srv *srvs = dns_name_srvs(target->watch.name, &n);

    tally->pending += dns_name_pending(target->watch.name) || !target->hosts;
    note_fault(tally, dns_name_fault(target->watch.name));
    if (dns_srv_withdrawn(srvs, n)) {
        tally->withdrawn++;
        return;
    }
    if (add_srv(target, founds, tally))
        return;
    tally->failed++;
    if (n > 0 && tally->fault.code == 0 && tally->pending == 0)
        fault_set(&tally->fault, MESH_ERR_DNS, "DNS: no SRV record of \"%.100s\" has a target and a port",
                  target->conf->target.host);
}

void dns_target_collect(const struct dns_target *target, struct dns_founds *founds, struct dns_tally *tally)
{
    const struct service_target *conf = target->conf;
    struct dns_host_of of = {
        .zone = conf->zone,
        .hostname = conf->target.kind == TARGET_HOST ? conf->target.host : "",
        .port = conf->target.port,
        .weight = 1,
        .priority = conf->priority,
        .families = conf->families,
    };

    switch (conf->target.kind) {
    case TARGET_SRV:
        collect_srv(target, founds, tally);
        break;
    case TARGET_HOST:
        tally->failed += !add_name(target->watch.name, founds, tally, &of);
        break;
    case TARGET_ADDRESS:
    case TARGET_UNIX:
        dns_founds_add(founds, &conf->target.addr, NULL, &of);
        break;
    case TARGET_XDS:
        tally->failed++;
        fault_set(&tally->fault, MESH_ERR_NO_ROUTE, "xds:///%.100s: no control plane is configured", conf->target.host);
        break;
    }
}
