/* SPDX-License-Identifier: Apache-2.0 */
/* The table of services: adding, changing, resting. */
#include <string.h>

#include "source/state.h"

static void on_dns_change(void *user)
{
    struct source_service *service = user;

    if (!list_linked(&service->dirty))
        list_push_back(&service->source->dirty, &service->dirty);
    source_touch(service->source);
}

/* *out stays NULL for static endpoints. */
static bool make_dns(struct source_service *service, const struct service *conf, struct model_endpoints *before,
                     struct dns_service **out)
{
    *out = NULL;
    if (conf->endpoints || conf->xds)
        return true;
    return 0 == dns_service_new(service->source->loop, service->source->names, conf->targets, conf->n_targets, before,
                                on_dns_change, service, out);
}

static void free_service(struct source_service *service)
{
    list_remove(&service->dirty);
    if (service->conf.xds)
        xds_rest(service->source->xds, service->name);
    dns_service_free(service->dns);
    service_clear(&service->conf);
    mem_free(service->name);
    mem_free(service);
}

struct source_service *services_add(struct source *source, const char *name, struct service *conf, bool dynamic)
{
    struct source_service *service = mem_zalloc(sizeof *service);

    if (!service) {
        service_clear(conf);
        return NULL;
    }
    service->source = source;
    service->dynamic = dynamic;
    service->seen = true;
    service->conf = *conf;
    *conf = (struct service){ 0 };
    tls_files_attach(source, service->conf.cluster);
    service->name = mem_strdup(name);
    if (!service->name || !make_dns(service, &service->conf, NULL, &service->dns) ||
        !map_put(&source->services, service->name, strlen(service->name), service)) {
        free_service(service);
        return NULL;
    }
    source->n_dynamic += dynamic;
    source->stale = true;
    return service;
}

void services_remove(struct source_service *service)
{
    struct source *source = service->source;

    map_remove(&source->services, service->name, strlen(service->name));
    source->n_dynamic -= service->dynamic;
    source->stale = true;
    free_service(service);
}

void services_free(struct source *source)
{
    struct source_service *service;
    size_t at = 0;

    while ((service = map_next(&source->services, &at)))
        free_service(service);
    map_free(&source->services);
}

void services_activate(struct source_service *service, bool active)
{
    service->active = active;
    if (service->dns)
        dns_service_activate(service->dns, active);
    if (service->conf.xds && !active)
        xds_rest(service->source->xds, service->name);
}

struct model_endpoints *services_endpoints(const struct source_service *service)
{
    return service->dns ? dns_service_endpoints(service->dns) : service->conf.endpoints;
}

bool services_update(struct source *source)
{
    struct list *link;
    bool changed = false;

    while ((link = list_pop_front(&source->dirty))) {
        struct source_service *service = CONTAINER_OF(link, struct source_service, dirty);

        if (service->dns)
            changed |= dns_service_update(service->dns, source->conf);
    }
    return changed;
}

/* ---- a new configuration of a service ---- */

enum { POLICY_TEXTS = 7 };

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool service_target_equal(const struct service_target *a, const struct service_target *b)
{
    return a->target.kind == b->target.kind && a->target.port == b->target.port && a->priority == b->priority &&
           a->families == b->families && a->is_one == b->is_one && same_text(a->target.host, b->target.host) &&
           same_text(a->zone, b->zone);
}

static bool same_targets(const struct service *a, const struct service *b)
{
    if (a->n_targets != b->n_targets || !a->endpoints != !b->endpoints || !same_text(a->xds, b->xds))
        return false;
    for (size_t i = 0; i < a->n_targets; i++)
        if (!service_target_equal(&a->targets[i], &b->targets[i]))
            return false;
    return true;
}

/* The texts of a policy; they are compared as such. */
static void take_texts(struct policy *policy, const char *texts[POLICY_TEXTS])
{
    const char **places[POLICY_TEXTS] = {
        &policy->balance,     &policy->hash.header, &policy->spill.zone,          &policy->spill.distances,
        &policy->health.path, &policy->health.host, &policy->health.grpc_service,
    };

    for (size_t i = 0; i < POLICY_TEXTS; i++) {
        texts[i] = *places[i];
        *places[i] = NULL;
    }
}

/* Padding may differ where nothing else does: then a cluster counts as changed that is not, which costs little. */
static bool same_policy(const struct policy *a, const struct policy *b)
{
    struct policy x = *a, y = *b;
    const char *xs[POLICY_TEXTS], *ys[POLICY_TEXTS];
    bool same = true;

    take_texts(&x, xs);
    take_texts(&y, ys);
    for (size_t i = 0; i < POLICY_TEXTS; i++)
        same = same && same_text(xs[i], ys[i]);
    return same && memcmp((const char *) &x, (const char *) &y, sizeof x) == 0;
}

static bool same_cluster(const struct model_cluster *a, const struct model_cluster *b)
{
    return a->identity == b->identity && a->protocol == b->protocol && same_text(a->name, b->name) &&
           same_text(a->authority, b->authority) && same_text(a->proxy, b->proxy) &&
           same_policy(&a->policy, &b->policy);
}

static void change_cluster(struct source_service *service, struct service *conf)
{
    struct model_cluster *old = service->conf.cluster;

    if (same_cluster(old, conf->cluster))
        return;
    service->conf.cluster = conf->cluster;
    conf->cluster = old;
    service->source->stale = true;
}

static void change_static(struct source_service *service, struct service *conf)
{
    struct model_endpoints *old = service->conf.endpoints;

    if (!old || model_endpoints_equal(old, conf->endpoints))
        return;
    service->conf.endpoints = conf->endpoints;
    conf->endpoints = old;
    service->source->stale = true;
}

/* Other targets: the old endpoints serve until these have answered, and names that both have are not asked again. */
static bool change_targets(struct source_service *service, struct service *conf)
{
    struct model_endpoints *before = services_endpoints(service);
    struct service old = service->conf;
    struct dns_service *dns;

    if (!make_dns(service, conf, before && before->state == ENDPOINTS_READY ? before : NULL, &dns))
        return false;
    if (old.xds)
        xds_rest(service->source->xds, service->name);
    if (dns)
        dns_service_activate(dns, service->active);
    dns_service_free(service->dns);
    service->dns = dns;
    service->conf = *conf;
    *conf = old;
    service->active = service->active && !service->conf.xds; /* the next request wants it from the control plane */
    service->source->stale = true;
    return true;
}

bool services_change(struct source_service *service, struct service *conf)
{
    bool done = true;

    service->seen = true;
    tls_files_attach(service->source, conf->cluster);
    if (same_targets(&service->conf, conf)) {
        change_cluster(service, conf);
        change_static(service, conf);
    } else {
        done = change_targets(service, conf);
    }
    on_dns_change(service); /* zones of addresses may be others now */
    service_clear(conf);
    return done;
}
