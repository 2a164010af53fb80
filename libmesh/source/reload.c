/* SPDX-License-Identifier: Apache-2.0 */
/* Taking over a configuration: the first one, and the one that a changed file makes. A file that cannot be used is told and
 * otherwise ignored: the last good configuration stays. */
#include <string.h>

#include "source/state.h"

struct dns_names_conf reload_dns_conf(const struct conf *conf)
{
    const char *servers = conf_text(conf, "dns.servers");

    return (struct dns_names_conf){
        .resolver.servers = servers[0] ? servers : NULL,
        .resolver.timeout_ms = (uint32_t) conf_number(conf, "dns.timeout_ms"),
        .resolver.tries = (uint32_t) conf_number(conf, "dns.tries"),
        .min_ttl_ms = conf_number(conf, "dns.min_ttl_ms"),
        .max_ttl_ms = conf_number(conf, "dns.max_ttl_ms"),
    };
}

static bool same_dns(const struct conf *a, const struct conf *b)
{
    static const char *const numbers[] = { "dns.timeout_ms", "dns.tries", "dns.min_ttl_ms", "dns.max_ttl_ms" };

    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        if (conf_number(a, numbers[i]) != conf_number(b, numbers[i]))
            return false;
    return strcmp(conf_text(a, "dns.servers"), conf_text(b, "dns.servers")) == 0;
}

/* ---- services ---- */

static bool take_over(struct source *source, struct service *conf)
{
    const char *name = conf->cluster->name;
    struct source_service *known = map_get_text(&source->services, name);

    if (!known)
        return services_add(source, name, conf, false) != NULL;
    source->n_dynamic -= known->dynamic;
    known->dynamic = false;
    return services_change(known, conf);
}

/* What no configuration knows depends on its defaults. */
static void renew_dynamic(struct source *source, struct source_service *service)
{
    struct service conf = { 0 };
    struct fault fault = { 0 };

    if (conf_service_of(source->conf, service->name, &conf, &fault) == 0) {
        services_change(service, &conf);
        return;
    }
    OBSERVE(source->observe, MESH_LOG_WARN, "service_removed", FIELD_TEXT("service", service->name),
            FIELD_TEXT("detail", fault.text));
    services_remove(service);
}

static void gather(struct source *source, struct list *out, bool dynamic)
{
    struct source_service *service;
    size_t at = 0;

    list_init(out);
    while ((service = map_next(&source->services, &at))) {
        if (service->dynamic != dynamic || service->seen)
            continue;
        list_remove(&service->dirty);
        list_push_back(out, &service->dirty);
    }
}

/* The map may not change while it is walked, so those that are to go are gathered first. */
static void finish_others(struct source *source)
{
    struct list *link, unseen;

    gather(source, &unseen, false);
    while ((link = list_pop_front(&unseen)))
        services_remove(CONTAINER_OF(link, struct source_service, dirty));
    gather(source, &unseen, true);
    while ((link = list_pop_front(&unseen)))
        renew_dynamic(source, CONTAINER_OF(link, struct source_service, dirty));
}

static void forget_seen(struct source *source)
{
    struct source_service *service;
    size_t at = 0;

    while ((service = map_next(&source->services, &at)))
        service->seen = false;
}

/* All services of the list, which is used up. False: memory was short for some; the others are taken over all the same. */
static bool take_over_all(struct source *source, struct service *services, size_t n)
{
    bool done = true;

    for (size_t i = 0; i < n; i++)
        done &= take_over(source, &services[i]);
    mem_free(services);
    return done;
}

int32_t reload_first(struct source *source, struct fault *fault)
{
    struct service *services;
    size_t n;
    int32_t err = conf_services(source->conf, &services, &n, fault);

    if (err)
        return err;
    if (take_over_all(source, services, n))
        return 0;
    return fault_set(fault, MESH_ERR_NOMEM, "out of memory for %zu services", n);
}

/* ---- a changed file ---- */

static void reject(struct source *source, const struct fault *fault)
{
    OBSERVE(source->observe, MESH_LOG_ERROR, "config_rejected", FIELD_TEXT("file", conf_file(source->conf)),
            FIELD_TEXT("detail", fault->text));
}

/* Streams, resources and who we are hang on it: another one is another program. */
static void tell_bootstrap(struct source *source, const struct conf *conf)
{
    if (strcmp(conf_text(source->conf, "xds.bootstrap"), conf_text(conf, "xds.bootstrap")) != 0)
        OBSERVE(source->observe, MESH_LOG_WARN, "xds_bootstrap_changed", FIELD_TEXT("file", conf_file(conf)),
                FIELD_TEXT("detail", "xds.bootstrap is another one: that counts from the next start of the program"));
}

static void replace_conf(struct source *source, struct conf *conf)
{
    struct fault fault = { 0 };
    struct dns_names_conf dns = reload_dns_conf(conf);

    tell_bootstrap(source, conf);
    if (!same_dns(source->conf, conf) && dns_names_reconfigure(source->names, &dns, &fault))
        reject(source, &fault);
    conf_free(source->conf);
    source->conf = conf;
    xds_reconfigure(source->xds, conf);
}

/* Whatever happens they are used up. */
static int32_t renew(struct source *source, struct service *services, size_t n, struct fault *fault)
{
    bool done;

    forget_seen(source);
    done = take_over_all(source, services, n);
    finish_others(source);
    source_touch(source);
    return done ? 0 : fault_set(fault, MESH_ERR_NOMEM, "out of memory: some of %zu services stay as they were", n);
}

int32_t reload_services(struct source *source, struct fault *fault)
{
    struct service *services = NULL;
    size_t n = 0;
    int32_t err = conf_services(source->conf, &services, &n, fault);

    return err ? err : renew(source, services, n, fault);
}

static void on_file_change(void *user)
{
    struct source *source = user;
    struct fault fault = { 0 };
    struct conf *conf = conf_reread(source->conf, &fault);
    struct service *services = NULL;
    size_t n = 0;

    if (!conf || conf_check(conf, &fault) || conf_services(conf, &services, &n, &fault)) {
        reject(source, &fault);
        conf_free(conf);
        return;
    }
    replace_conf(source, conf);
    if (renew(source, services, n, &fault))
        reject(source, &fault);
    tls_files_sweep(source);
    source->stale = true; /* the zone may be another */
    OBSERVE(source->observe, MESH_LOG_INFO, "config_loaded", FIELD_TEXT("file", conf_file(source->conf)),
            FIELD_NUMBER("services", n));
}

void reload_start(struct source *source)
{
    const char *file = conf_file(source->conf);

    if (file && file_watch_new(source->loop, file, &source->file, on_file_change, source, &source->watch))
        OBSERVE(source->observe, MESH_LOG_WARN, "config_not_watched", FIELD_TEXT("file", file),
                FIELD_TEXT("detail", "out of memory"));
}
