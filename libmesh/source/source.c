/* SPDX-License-Identifier: Apache-2.0 */
/* The source of a client: from configuration and names to snapshots.
 *
 * Whatever changes in one turn of the loop is one snapshot, made at the turn's end; what has not changed is shared with the one
 * before. */
#include <string.h>

#include "source/state.h"

#define SWEEP_US (60 * US_PER_S)
#define AGAIN_US (100 * US_PER_MS)

/* ---- snapshots ---- */

void source_touch(struct source *source)
{
    if (source->started)
        loop_defer(source->loop, &source->publish);
}

static size_t fill_entries(const struct source *source, struct model_entry *entries)
{
    struct source_service *service;
    size_t at = 0, n = 0;

    while ((service = map_next(&source->services, &at)))
        if (!service->conf.xds)
            entries[n++] = (struct model_entry){ service->conf.cluster, services_endpoints(service) };
    return n + xds_entries(source->xds, entries + n);
}

static struct model_snapshot *make_snapshot(const struct source *source)
{
    size_t most = source->services.count + xds_most_entries(source->xds);
    struct model_entry *entries = mem_array(most + 1, sizeof *entries);
    struct model_snapshot *snapshot = NULL;

    if (!entries)
        return NULL;
    snapshot = model_snapshot_new(source->snapshot ? source->snapshot->version + 1 : 1, conf_text(source->conf, "zone"),
                                  entries, fill_entries(source, entries));
    mem_free(entries);
    if (!snapshot || xds_add_services(source->xds, snapshot))
        return snapshot;
    model_snapshot_unref(snapshot);
    return NULL;
}

static void publish(struct loop_later *later)
{
    struct source *source = CONTAINER_OF(later, struct source, publish);
    struct model_snapshot *snapshot;

    source->stale |= services_update(source);
    source->stale |= xds_update(source->xds);
    if (!source->stale)
        return;
    snapshot = make_snapshot(source);
    if (!snapshot) {
        loop_timer_set(source->loop, &source->sweep, loop_now_us(source->loop) + AGAIN_US);
        return;
    }
    source->stale = false;
    model_snapshot_unref(source->snapshot);
    source->snapshot = snapshot;
    source->on_snapshot(source->user, model_snapshot_ref(snapshot));
}

struct model_snapshot *source_snapshot(struct source *source)
{
    return source->snapshot;
}

/* ---- resting ---- */

static uint64_t last_wanted(const struct source_service *service)
{
    uint64_t used = service->conf.xds ? xds_last_used(service->source->xds, service->name) : 0;

    return used > service->wanted_us ? used : service->wanted_us;
}

/* Those that nobody has wanted for long; the table may not change while it is walked. */
static void find_unused(struct source *source, struct list *out)
{
    uint64_t now = loop_now_us(source->loop);
    struct source_service *service;
    size_t at = 0;

    list_init(out);
    while ((service = map_next(&source->services, &at))) {
        if (!service->active || last_wanted(service) + SOURCE_UNUSED_S * US_PER_S > now)
            continue;
        list_remove(&service->dirty);
        list_push_back(out, &service->dirty);
    }
}

static void on_sweep(struct loop_timer *timer)
{
    struct source *source = CONTAINER_OF(timer, struct source, sweep);
    struct list *link, unused;

    find_unused(source, &unused);
    while ((link = list_pop_front(&unused))) {
        struct source_service *service = CONTAINER_OF(link, struct source_service, dirty);

        services_activate(service, false);
        if (service->dynamic)
            services_remove(service);
    }
    loop_timer_set(source->loop, timer, loop_now_us(source->loop) + SWEEP_US);
    if (source->stale)
        source_touch(source);
}

/* ---- wanting ---- */

static void on_xds_change(void *user)
{
    source_touch(user);
}

/* Where no control plane is configured there is nothing of it. */
static int32_t make_xds(struct source *source, const struct source_conf *of, struct fault *fault)
{
    struct xds_conf conf = {
        .loop = source->loop,
        .observe = source->observe,
        .names = source->names,
        .conf = source->conf,
        .source = source,
        .on_change = on_xds_change,
        .user = source,
        .take_load = of->take_load,
        .take_user = of->user,
    };

    return xds_new(&conf, &source->xds, fault);
}

static void start(struct source *source)
{
    source->started = true;
    reload_start(source);
    tls_files_watch(source);
    loop_timer_set(source->loop, &source->sweep, loop_now_us(source->loop) + SWEEP_US);
}

static int32_t add_dynamic(struct source *source, const char *name, struct fault *fault)
{
    struct service conf = { 0 };
    int32_t err;

    if (source->n_dynamic >= SOURCE_MOST_DYNAMIC)
        return fault_set(fault, MESH_ERR_NO_ROUTE,
                         "\"%.100s\" is no configured service, and the %d names that may be used besides are in use",
                         name, SOURCE_MOST_DYNAMIC);
    err = conf_service_of(source->conf, name, &conf, fault);
    if (err)
        return err;
    if (!services_add(source, name, &conf, true))
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory for the service \"%.100s\"", name);
    return 0;
}

static int32_t begin_wanting(struct source *source, struct source_service *service, struct fault *fault)
{
    int32_t err = service->conf.xds ? xds_want(source->xds, service->name, service->conf.xds, fault) : 0;

    if (err)
        return err;
    services_activate(service, true);
    if (!list_linked(&service->dirty))
        list_push_back(&source->dirty, &service->dirty);
    source_touch(source);
    return 0;
}

int32_t source_want(struct source *source, const char *service, struct fault *fault)
{
    struct source_service *known = map_get_text(&source->services, service);
    int32_t err = 0;

    if (!source->started)
        start(source);
    if (!known) {
        err = add_dynamic(source, service, fault);
        known = map_get_text(&source->services, service);
    }
    if (!known)
        return err;
    known->wanted_us = loop_now_us(source->loop);
    return known->active ? 0 : begin_wanting(source, known, fault);
}

void source_describe(const struct source *source, const char *service, struct json_writer *w)
{
    conf_describe_service(source->conf, service, w);
}

/* ---- control planes ---- */

char **source_xds_names(const struct source *source, size_t *n)
{
    char **names = mem_array(source->services.count + 1, sizeof *names);
    const struct source_service *service;
    size_t at = 0;

    *n = 0;
    while (names && (service = map_next(&source->services, &at)))
        if (service->conf.xds)
            names[(*n)++] = mem_strdup(service->name);
    return names;
}

bool source_is_xds(const struct source *source, const char *name)
{
    const struct source_service *known = map_get_text(&source->services, name);
    struct service service;
    struct fault ignored;
    bool is_xds;

    if (!source->xds)
        return false;
    if (known)
        return known->conf.xds != NULL;
    if (conf_service_of(source->conf, name, &service, &ignored))
        return false;
    is_xds = service.xds != NULL;
    service_clear(&service);
    return is_xds;
}

void source_describe_way(const struct source *source, const char *service, struct json_writer *w, struct fault *fault)
{
    xds_describe_way(source->xds, service, w, fault);
}

void source_connect_xds(struct source *source)
{
    if (!source->started)
        start(source);
    xds_connect(source->xds);
}

bool source_is_xds_settled(const struct source *source)
{
    return xds_is_settled(source->xds);
}

void source_describe_xds(const struct source *source, struct json_writer *w)
{
    xds_describe(source->xds, w);
}

int32_t source_write_csds(const struct source *source, const void *request, size_t len, struct buf *out,
                          struct fault *fault)
{
    return xds_write_csds(source->xds, request, len, out, fault);
}

bool source_copy_xds(const struct source *source, struct xds_contents **out)
{
    return xds_copy_contents(source->xds, out);
}

void source_write_xds(const struct xds_contents *contents, struct json_writer *w)
{
    xds_write_contents(contents, w);
}

void source_free_xds(struct xds_contents *contents)
{
    xds_contents_free(contents);
}

/* ---- the source ---- */

int32_t source_new(const struct source_conf *conf, struct source **out, struct fault *fault)
{
    struct source *source = mem_zalloc(sizeof *source);
    struct dns_names_conf dns;
    int32_t err = MESH_ERR_NOMEM;

    *out = NULL;
    if (!source)
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory for the source of the configuration");
    source->loop = conf->loop;
    source->observe = conf->observe;
    source->on_snapshot = conf->on_snapshot;
    source->user = conf->user;
    source->publish.run = publish;
    source->sweep.on_due = on_sweep;
    list_init(&source->dirty);
    list_init(&source->explains);
    list_init(&source->tls_files);
    list_init(&source->tls_users);
    if (conf_file(conf->conf))
        source->file = file_look(conf_file(conf->conf));
    source->conf = conf_copy(conf->conf);
    if (!source->conf)
        goto nomem;
    dns = reload_dns_conf(source->conf);
    err = dns_names_new(source->loop, &dns, source->observe, &source->names, fault);
    if (!err)
        err = make_xds(source, conf, fault);
    if (!err)
        err = reload_first(source, fault);
    if (err)
        goto fail;
    source->snapshot = make_snapshot(source);
    if (!source->snapshot)
        goto nomem;
    source->stale = false;
    *out = source;
    return 0;
nomem:
    err = fault_set(fault, MESH_ERR_NOMEM, "out of memory for the source of the configuration");
fail:
    source_free(source);
    return err;
}

void source_free(struct source *source)
{
    if (!source)
        return;
    loop_timer_cancel(source->loop, &source->sweep);
    file_watch_free(source->watch);
    explain_free_all(source);
    services_free(source);
    xds_free(source->xds);
    tls_files_free(source);
    loop_undefer(&source->publish);
    dns_names_free(source->names);
    model_snapshot_unref(source->snapshot);
    conf_free(source->conf);
    mem_free(source);
}
