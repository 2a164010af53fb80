/* SPDX-License-Identifier: Apache-2.0 */
/* Everything of xDS put together: authorities and their servers, the store, the graph. */
#include "source/xds/xds.h"

#include <string.h>

#include "source/conf.h"
#include "source/xds/names.h"
#include "source/xds/node.h"
#include "source/xds/xds_state.h"

/* The graph is walked at most a quarter of the time, however often something changes. */
enum { REST_FACTOR = 3 };

/* Until memory that was short is asked for again. */
#define AGAIN_US (100 * US_PER_MS)

/* ---- when the graph is walked ---- */

static bool is_busy(const struct xds *xds)
{
    for (size_t i = 0; i < xds->n_ads; i++)
        if (ads_is_busy(&xds->ads[i]))
            return true;
    return false;
}

/* Not in the middle of an answer, which may hold what is missing. */
static void walk_soon(struct xds *xds)
{
    if (!xds->is_dirty || is_busy(xds))
        return;
    if (loop_now_us(xds->conf.loop) < xds->rests_until_us) {
        loop_timer_set(xds->conf.loop, &xds->timer, xds->rests_until_us);
        return;
    }
    xds->conf.on_change(xds->conf.user);
}

static void on_timer(struct loop_timer *timer)
{
    walk_soon(CONTAINER_OF(timer, struct xds, timer));
}

static void note_change(void *user)
{
    struct xds *xds = user;

    xds->is_dirty = true;
    walk_soon(xds);
}

/* What is wanted is complete; or the walk goes on in the next turn of the loop. */
static void go_on(struct xds *xds, bool was_unfinished)
{
    uint64_t now = loop_now_us(xds->conf.loop);

    xds->is_dirty |= xds->graph.short_of_memory || xds->graph.is_unfinished;
    if (xds->graph.short_of_memory) {
        loop_timer_set(xds->conf.loop, &xds->timer, now + AGAIN_US);
    } else if (xds->graph.is_unfinished) {
        xds->rests_until_us = 0;
        loop_timer_set(xds->conf.loop, &xds->timer, now);
    }
    if (was_unfinished && !xds->graph.is_unfinished)
        for (size_t i = 0; i < xds->n_ads; i++)
            ads_ask(&xds->ads[i]);
}

bool xds_update(struct xds *xds)
{
    uint64_t began = clock_now_us();
    bool changed, was_unfinished;

    if (!xds || !xds->is_dirty || is_busy(xds) || loop_now_us(xds->conf.loop) < xds->rests_until_us)
        return false;
    xds->is_dirty = false;
    was_unfinished = xds->graph.is_unfinished;
    changed = graph_update(&xds->graph);
    loads_look(&xds->loads);
    xds->rests_until_us = loop_now_us(xds->conf.loop) + REST_FACTOR * (clock_now_us() - began);
    go_on(xds, was_unfinished);
    return changed;
}

/* ---- authorities ---- */

/* Authorities with the same servers share them. NULL: nobody has these. */
static struct ads *with_servers(struct xds *xds, const struct bootstrap_servers *servers)
{
    for (size_t i = 0; i < xds->n_ads; i++)
        if (xds->ads[i].conf.list == servers || bootstrap_servers_equal(xds->ads[i].conf.list, servers))
            return &xds->ads[i];
    return NULL;
}

/* NULL: nobody can be asked for it, and `fault` says why. */
static struct ads *find_ads(struct xds *xds, const struct resource *resource, struct fault *fault)
{
    const struct bootstrap_authority *authority;
    struct ads *ads;

    if (names_find_authority(xds->bootstrap, resource->type, resource->name, &authority, fault))
        return NULL;
    ads = with_servers(xds, names_servers(xds->bootstrap, authority));
    return ads ? ads : &xds->ads[0];
}

static struct ads *ads_of(struct xds *xds, const struct resource *resource)
{
    struct fault ignored;

    return find_ads(xds, resource, &ignored);
}

/* All of it at once: whoever waits for it waits for nothing else. */
static int32_t recall_endpoints(struct resource *resource, const struct resource_news *news, struct fault *fault)
{
    struct ignored ignored = { 0 };
    struct model_endpoints *set = NULL;
    struct endpoints_reader *reader = endpoints_reader_new(news->bytes, news->len, &ignored);
    int32_t err = reader ? MESH_ERR_AGAIN : MESH_ERR_NOMEM;

    while (err == MESH_ERR_AGAIN)
        err = endpoints_reader_step(reader, SIZE_MAX, &set, fault);
    endpoints_reader_free(reader);
    if (!err)
        store_take_endpoints(resource, news, set, &ignored);
    ignored_clear(&ignored);
    return err;
}

/* What the disk has of it serves until a control plane has spoken. */
static void recall(struct xds *xds, struct resource *resource)
{
    struct cache_record record;
    struct resource_news news;
    struct fault fault = { 0 };
    char *version;
    int32_t err;

    if (!cache_recall(xds->cache, resource->type, resource->name, &record))
        return;
    version = mem_strndup(record.version, record.version_len);
    if (!version)
        return;
    news = (struct resource_news){ record.bytes, record.len, version, 0, true };
    err = resource->type == XDS_ENDPOINTS ? recall_endpoints(resource, &news, &fault)
                                          : store_take(resource, &news, &fault);
    if (err)
        OBSERVE(xds->conf.observe, MESH_LOG_WARN, "xds_cache_not_used", FIELD_TEXT("name", resource->name),
                FIELD_TEXT("detail", fault.text));
    mem_free(version);
}

static void on_want(void *user, struct resource *resource)
{
    struct fault fault = { 0 };
    struct ads *ads = find_ads(user, resource, &fault);

    if (!ads) {
        store_error(resource, true, false, &fault);
        return;
    }
    recall(user, resource);
    ads_want(ads, resource);
}

static void on_rest(void *user, struct resource *resource)
{
    struct xds *xds = user;
    struct ads *ads = ads_of(xds, resource);

    cache_keep(xds->cache, resource);
    if (ads)
        ads_rest(ads, resource);
}

static void on_resource_change(void *user, struct resource *resource)
{
    struct xds *xds = user;

    (void) resource;
    cache_touch(xds->cache);
    note_change(xds);
}

static const struct fault *trouble(void *user, const struct resource *resource)
{
    struct ads *ads = ads_of(user, resource);

    return ads ? ads_fault(ads) : NULL;
}

static bool obeys_deletes(void *user)
{
    const struct xds *xds = user;

    return conf_value_on(xds->conf.conf, "", KEY_XDS_OBEY_DELETES);
}

static bool is_gathering(void *user)
{
    const struct xds *xds = user;

    return xds->graph.is_unfinished;
}

/* What the last answer changed, and whom nobody answers. */
static void on_settled(void *user)
{
    struct xds *xds = user;

    loads_follow(&xds->loads);
    note_change(xds);
}

static bool is_of(void *user, const struct ads *ads, const struct resource *resource)
{
    return ads_of(user, resource) == ads;
}

static bool make_ads(struct xds *xds)
{
    struct ads_conf conf = {
        .loop = xds->conf.loop,
        .observe = xds->conf.observe,
        .names = xds->conf.names,
        .store = &xds->store,
        .list = &xds->bootstrap->servers,
        .node = xds->node,
        .is_mine = is_of,
        .obeys_deletes = obeys_deletes,
        .is_gathering = is_gathering,
        .on_settled = on_settled,
        .user = xds,
    };

    xds->ads = mem_array(1 + xds->bootstrap->n_authorities, sizeof *xds->ads);
    if (!xds->ads)
        return false;
    ads_init(&xds->ads[xds->n_ads++], &conf);
    for (size_t i = 0; i < xds->bootstrap->n_authorities; i++) {
        const struct bootstrap_authority *authority = &xds->bootstrap->authorities[i];

        if (authority->servers.n == 0 || with_servers(xds, &authority->servers))
            continue;
        conf.list = &authority->servers;
        ads_init(&xds->ads[xds->n_ads++], &conf);
    }
    return true;
}

/* ---- services ---- */

/* Who this is to whom: another node, or the same one elsewhere, has another file. */
static uint64_t cache_key(const struct bootstrap *bootstrap)
{
    uint64_t key = xxh64(bootstrap->node.id, strlen(bootstrap->node.id), 0);

    key = xxh64(bootstrap->node.cluster, strlen(bootstrap->node.cluster), key);
    for (size_t i = 0; i < bootstrap->servers.n; i++)
        key = xxh64(bootstrap->servers.items[i].uri, strlen(bootstrap->servers.items[i].uri), key);
    return key;
}

static int32_t open_cache(struct xds *xds, struct fault *fault)
{
    struct cache_conf conf = {
        .loop = xds->conf.loop,
        .observe = xds->conf.observe,
        .folder = conf_text(xds->conf.conf, "xds.cache_dir"),
        .key = cache_key(xds->bootstrap),
        .threadless = strcmp(conf_text(xds->conf.conf, "threads"), "none") == 0,
        .store = &xds->store,
    };

    if (xds->cache || conf.folder[0] == '\0' || cache_new(&conf, &xds->cache) == 0)
        return 0;
    return fault_set(fault, MESH_ERR_NOMEM, "out of memory for the cache in xds.cache_dir");
}

static int32_t no_memory_for(const char *service, struct fault *fault)
{
    return fault_set(fault, MESH_ERR_NOMEM, "out of memory for the service \"%.100s\"", service);
}

int32_t xds_want(struct xds *xds, const char *service, const char *target, struct fault *fault)
{
    struct names_service names = { 0 };
    struct buf text = { 0 };
    int32_t err = open_cache(xds, fault);

    if (!err && !buf_printf(&text, "%s%s", target[0] == '/' ? "xds:" : "xds:///", target))
        err = no_memory_for(service, fault);
    if (!err)
        err = names_of_service(xds->bootstrap, (const char *) buf_bytes(&text), &names, fault);
    if (!err && !graph_want(&xds->graph, service, names.listener, names.host))
        err = no_memory_for(service, fault);
    names_service_clear(&names);
    buf_free(&text);
    if (!err)
        note_change(xds);
    return err;
}

void xds_rest(struct xds *xds, const char *service)
{
    struct graph_service *known = xds ? graph_find(&xds->graph, service) : NULL;

    if (!known)
        return;
    graph_forget(&xds->graph, known);
    note_change(xds);
}

uint64_t xds_last_used(const struct xds *xds, const char *service)
{
    const struct graph_service *known = xds ? graph_find(&xds->graph, service) : NULL;

    return known ? graph_last_used(known) : 0;
}

/* ---- snapshots ---- */

size_t xds_most_entries(const struct xds *xds)
{
    return xds ? graph_most_entries(&xds->graph) : 0;
}

size_t xds_entries(const struct xds *xds, struct model_entry *out)
{
    return xds ? graph_entries(&xds->graph, out) : 0;
}

bool xds_add_services(const struct xds *xds, struct model_snapshot *snapshot)
{
    size_t most = xds ? graph_most_services(&xds->graph) : 0;
    struct model_service *services;
    bool done;

    if (most == 0)
        return true;
    services = mem_array(most, sizeof *services);
    done = services && model_snapshot_add_services(snapshot, services, graph_services(&xds->graph, services));
    mem_free(services);
    return done;
}

/* ---- the whole ---- */

/* Of any service that the configuration says nothing of. */
static int32_t read_defaults(const struct conf *conf, struct policy_retry *out, struct fault *fault)
{
    struct service service;
    int32_t err = conf_service_of(conf, "http://localhost", &service, fault);

    if (err)
        return err;
    *out = service.cluster->policy.retry;
    service_clear(&service);
    return 0;
}

void xds_reconfigure(struct xds *xds, const struct conf *conf)
{
    struct policy_retry retry;
    struct fault ignored;

    if (!xds)
        return;
    xds->conf.conf = conf;
    store_reconfigure(&xds->store, conf);
    if (read_defaults(conf, &retry, &ignored) == 0)
        graph_reconfigure(&xds->graph, conf, &retry);
    note_change(xds);
}

static void on_cluster(void *user, struct model_cluster *cluster)
{
    identities_attach(&((struct xds *) user)->identities, cluster);
}

static void init_parts(struct xds *xds)
{
    struct store_conf store = {
        .loop = xds->conf.loop,
        .observe = xds->conf.observe,
        .conf = xds->conf.conf,
        .bootstrap = xds->bootstrap,
        .keeps_endpoints = conf_text(xds->conf.conf, "xds.cache_dir")[0] != '\0',
        .on_want = on_want,
        .on_rest = on_rest,
        .on_cluster = on_cluster,
        .on_change = on_resource_change,
        .user = xds,
    };
    struct graph_conf graph = {
        .loop = xds->conf.loop,
        .observe = xds->conf.observe,
        .names = xds->conf.names,
        .conf = xds->conf.conf,
        .on_change = note_change,
        .trouble = trouble,
        .user = xds,
        .hold_us = conf_number(xds->conf.conf, "xds.hold_ms") * US_PER_MS,
    };

    store_init(&xds->store, &store);
    identities_begin(&xds->identities, xds->conf.source, &xds->store, xds->conf.loop);
    graph_init(&xds->graph, &graph, &xds->store);
    xds->timer.on_due = on_timer;
}

static struct ads *ads_of_resource(void *user, const struct resource *resource)
{
    return ads_of(user, resource);
}

static bool make_loads(struct xds *xds)
{
    struct loads_conf conf = {
        .loop = xds->conf.loop,
        .observe = xds->conf.observe,
        .node = xds->node,
        .graph = &xds->graph,
        .ads = xds->ads,
        .n_ads = xds->n_ads,
        .ads_of = ads_of_resource,
        .user = xds,
        .take_load = xds->conf.take_load,
        .take_user = xds->conf.take_user,
    };

    return loads_init(&xds->loads, &conf);
}

int32_t xds_new(const struct xds_conf *conf, struct xds **out, struct fault *fault)
{
    struct bootstrap *bootstrap;
    struct xds *xds;
    int32_t err = conf_bootstrap(conf->conf, &bootstrap, fault);

    *out = NULL;
    if (err || !bootstrap)
        return err;
    xds = mem_zalloc(sizeof *xds);
    if (!xds) {
        bootstrap_free(bootstrap);
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory for xDS");
    }
    xds->conf = *conf;
    xds->bootstrap = bootstrap;
    init_parts(xds);
    err = node_message(&bootstrap->node, conf_text(conf->conf, "region"), conf_text(conf->conf, "zone"), &xds->node,
                       fault);
    if (!err)
        err = read_defaults(conf->conf, &xds->graph.retry, fault);
    if (!err && (!make_ads(xds) || !make_loads(xds)))
        err = fault_set(fault, MESH_ERR_NOMEM, "out of memory for xDS");
    if (err) {
        xds_free(xds);
        return err;
    }
    *out = xds;
    return 0;
}

void xds_free(struct xds *xds)
{
    if (!xds)
        return;
    loop_timer_cancel(xds->conf.loop, &xds->timer);
    cache_free(xds->cache);
    xds->cache = NULL;
    loads_clear(&xds->loads);
    for (size_t i = 0; i < xds->n_ads; i++)
        ads_clear(&xds->ads[i]);
    graph_clear(&xds->graph);
    identities_end(&xds->identities);
    store_clear(&xds->store);
    mem_free(xds->ads);
    wire_free(xds->node ? &xds->node->base : NULL);
    bootstrap_free(xds->bootstrap);
    mem_free(xds);
}
