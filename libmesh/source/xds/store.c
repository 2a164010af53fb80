/* SPDX-License-Identifier: Apache-2.0 */
/* The table of resources, and what becomes of what a control plane says about one. */
#include "source/xds/store.h"

#include <string.h>

const char *resource_state_name(enum resource_state state)
{
    static const char *const names[] = {
        [RESOURCE_REQUESTED] = "REQUESTED",
        [RESOURCE_DOES_NOT_EXIST] = "DOES_NOT_EXIST",
        [RESOURCE_ACKED] = "ACKED",
        [RESOURCE_NACKED] = "NACKED",
        [RESOURCE_RECEIVED_ERROR] = "RECEIVED_ERROR",
        [RESOURCE_TIMEOUT] = "TIMEOUT",
    };

    return names[state];
}

/* ---- bytes ---- */

struct resource_bytes *resource_bytes_new(const uint8_t *data, size_t len)
{
    struct resource_bytes *bytes = mem_alloc(sizeof *bytes + len);

    if (!bytes)
        return NULL;
    bytes->refs = 1;
    bytes->len = len;
    memcpy(bytes->data, data, len);
    return bytes;
}

struct resource_bytes *resource_bytes_ref(struct resource_bytes *bytes)
{
    if (bytes)
        bytes->refs++;
    return bytes;
}

void resource_bytes_unref(struct resource_bytes *bytes)
{
    if (bytes && --bytes->refs == 0)
        mem_free(bytes);
}

/* ---- the table ---- */

static void on_timer(struct loop_timer *timer);

void store_init(struct store *store, const struct store_conf *conf)
{
    *store = (struct store){ .conf = *conf };
}

static void changed(struct resource *resource)
{
    resource->store->conf.on_change(resource->store->conf.user, resource);
}

static void drop_value(struct resource *resource)
{
    xds_listener_unref(resource->listener);
    xds_cluster_unref(resource->cluster);
    model_endpoints_unref(resource->endpoints);
    resource_bytes_unref(resource->bytes);
    mem_free(resource->version);
    ignored_clear(&resource->ignored);
    resource->listener = NULL;
    resource->cluster = NULL;
    resource->endpoints = NULL;
    resource->bytes = NULL;
    resource->version = NULL;
    resource->is_deleted = resource->is_stale = false;
    resource->revision++;
}

static void free_resource(struct resource *resource)
{
    loop_timer_cancel(resource->store->conf.loop, &resource->timer);
    drop_value(resource);
    mem_free(resource->refused_version);
    mem_free(resource->configured_as);
    mem_free(resource);
}

void store_clear(struct store *store)
{
    for (int type = 0; type < XDS_TYPES; type++) {
        struct resource *resource;
        size_t at = 0;

        while ((resource = map_next(&store->types[type], &at)))
            free_resource(resource);
        map_free(&store->types[type]);
    }
}

struct resource *store_find(const struct store *store, enum xds_type type, const char *name, size_t len)
{
    return map_get(&store->types[type], name, len);
}

static struct resource *add(struct store *store, enum xds_type type, const char *name)
{
    size_t len = strlen(name);
    struct resource *resource = mem_zalloc(sizeof *resource + len + 1);

    if (!resource)
        return NULL;
    resource->store = store;
    resource->type = type;
    resource->timer.on_due = on_timer;
    memcpy(resource->name, name, len);
    if (!map_put(&store->types[type], resource->name, len, resource)) {
        mem_free(resource);
        return NULL;
    }
    return resource;
}

struct resource *store_want(struct store *store, enum xds_type type, const char *name)
{
    struct resource *resource = store_find(store, type, name, strlen(name));

    if (!resource) {
        resource = add(store, type, name);
        if (resource)
            store->conf.on_want(store->conf.user, resource);
    }
    if (resource)
        resource->refs++;
    return resource;
}

void store_rest(struct resource *resource)
{
    struct store *store = resource->store;

    if (--resource->refs > 0)
        return;
    store->conf.on_rest(store->conf.user, resource);
    map_remove(&store->types[resource->type], resource->name, strlen(resource->name));
    free_resource(resource);
}

bool resource_has_value(const struct resource *resource)
{
    switch (resource->type) {
    case XDS_LISTENER:
        return resource->listener != NULL;
    case XDS_ROUTES:
        return resource->bytes != NULL;
    case XDS_CLUSTER:
        return resource->cluster != NULL;
    default:
        return resource->endpoints != NULL;
    }
}

bool resource_is_known(const struct resource *resource)
{
    return resource_has_value(resource) || resource->state != RESOURCE_REQUESTED;
}

/* ---- time ---- */

static void say_nothing_came(struct resource *resource)
{
    uint64_t seconds = resource->wait_us / US_PER_S;

    resource->state = resource->silence_is_trouble ? RESOURCE_TIMEOUT : RESOURCE_DOES_NOT_EXIST;
    fault_set(&resource->error, MESH_ERR_NO_ROUTE, "the control plane has sent no %s \"%.100s\" in %llu s",
              xds_type_name(resource->type), resource->name, (unsigned long long) seconds);
    OBSERVE(resource->store->conf.observe, MESH_LOG_WARN, "xds_resource_missing",
            FIELD_TEXT("type", xds_type_name(resource->type)), FIELD_TEXT("name", resource->name),
            FIELD_TEXT("detail", resource->error.text));
}

/* A resource that outlives its time is removed, not rolled back to an older one. */
static void end_of_life(struct resource *resource)
{
    drop_value(resource);
    resource->state = RESOURCE_DOES_NOT_EXIST;
    fault_set(&resource->error, MESH_ERR_NO_ROUTE,
              "the time to live of %s \"%.100s\" is over, and nothing has renewed it", xds_type_name(resource->type),
              resource->name);
    OBSERVE(resource->store->conf.observe, MESH_LOG_WARN, "xds_resource_expired",
            FIELD_TEXT("type", xds_type_name(resource->type)), FIELD_TEXT("name", resource->name));
}

static void on_timer(struct loop_timer *timer)
{
    struct resource *resource = CONTAINER_OF(timer, struct resource, timer);

    if (resource_has_value(resource))
        end_of_life(resource);
    else
        say_nothing_came(resource);
    changed(resource);
}

void store_await(struct resource *resource, uint64_t wait_us, bool silence_is_trouble)
{
    struct loop *loop = resource->store->conf.loop;

    if (!resource->has_own_wait)
        resource->wait_us = wait_us;
    resource->silence_is_trouble = silence_is_trouble;
    resource->is_awaited = true;
    if (resource_is_known(resource) || resource->wait_us == 0)
        return;
    loop_timer_set(loop, &resource->timer, loop_now_us(loop) + resource->wait_us);
}

void store_set_wait(struct resource *resource, uint64_t wait_us)
{
    if (resource->has_own_wait && resource->wait_us == wait_us)
        return;
    resource->has_own_wait = true;
    resource->wait_us = wait_us;
    if (!resource->is_awaited || resource_is_known(resource))
        return;
    loop_timer_cancel(resource->store->conf.loop, &resource->timer);
    store_await(resource, wait_us, resource->silence_is_trouble);
}

void store_await_no_more(struct resource *resource)
{
    resource->is_awaited = false;
    if (!resource_has_value(resource))
        loop_timer_cancel(resource->store->conf.loop, &resource->timer);
}

/* Endpoints may say themselves how long they are good for (endpoint_stale_after). */
static uint64_t shortest_life(const struct resource *resource, uint64_t ttl_us)
{
    uint64_t stale_us = resource->endpoints ? resource->endpoints->stale_after_us : 0;

    if (ttl_us == 0 || (stale_us > 0 && stale_us < ttl_us))
        return stale_us;
    return ttl_us;
}

static void live(struct resource *resource, uint64_t ttl_us)
{
    struct loop *loop = resource->store->conf.loop;

    ttl_us = shortest_life(resource, ttl_us);
    resource->ttl_us = ttl_us;
    loop_timer_cancel(loop, &resource->timer);
    if (ttl_us > 0)
        loop_timer_set(loop, &resource->timer, loop_now_us(loop) + ttl_us);
}

/* ---- values ---- */

static int32_t no_memory(struct fault *fault)
{
    return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
}

/* What the bytes become; only one of them. */
struct value {
    struct xds_listener *listener;
    struct xds_cluster *cluster;
};

static int32_t read_routes(const struct resource_news *news, struct ignored *ignored, struct fault *fault)
{
    struct xds_routes_env env = { .version = news->version };
    struct model_routes *routes;
    int32_t err = xds_routes_read(news->bytes, news->len, &env, &routes, ignored, fault);

    if (!err)
        model_routes_unref(routes);
    return err;
}

static int32_t read_cluster(const struct resource *resource, const uint8_t *bytes, size_t len, struct xds_cluster **out,
                            struct ignored *ignored, struct fault *fault)
{
    const struct store_conf *conf = &resource->store->conf;
    const char *service = resource->configured_as ? resource->configured_as : resource->name;
    struct xds_cluster_env env = { .conf = conf->conf, .service = service, .bootstrap = conf->bootstrap };
    int32_t err = xds_cluster_read(bytes, len, &env, out, ignored, fault);

    if (!err && conf->on_cluster)
        conf->on_cluster(conf->user, (*out)->conf);
    return err;
}

static int32_t read_value(const struct resource *resource, const struct resource_news *news, struct value *out,
                          struct ignored *ignored, struct fault *fault)
{
    switch (resource->type) {
    case XDS_LISTENER:
        return xds_listener_read(news->bytes, news->len, &out->listener, ignored, fault);
    case XDS_ROUTES:
        return read_routes(news, ignored, fault);
    default:
        return read_cluster(resource, news->bytes, news->len, &out->cluster, ignored, fault);
    }
}

static void tell_ignored(const struct resource *resource, const struct ignored *before)
{
    if (ignored_equal(&resource->ignored, before))
        return;
    for (size_t i = 0; i < resource->ignored.n; i++)
        OBSERVE(resource->store->conf.observe, MESH_LOG_WARN, "xds_ignored",
                FIELD_TEXT("type", xds_type_name(resource->type)), FIELD_TEXT("name", resource->name),
                FIELD_TEXT("detail", resource->ignored.items[i]));
}

static void tell_back(const struct resource *resource)
{
    if (resource->is_deleted)
        OBSERVE(resource->store->conf.observe, MESH_LOG_INFO, "xds_resource_back",
                FIELD_TEXT("type", xds_type_name(resource->type)), FIELD_TEXT("name", resource->name));
}

static bool copy_version(struct resource *resource, const char *version)
{
    char *copy = mem_strdup(version ? version : "");

    if (!copy)
        return false;
    mem_free(resource->version);
    resource->version = copy;
    return true;
}

/* The old value has gone, the new one is in its place: `ignored` is taken over. */
static void settle(struct resource *resource, const struct resource_news *news, struct ignored *ignored,
                   struct ignored *before)
{
    resource->ignored = *ignored;
    *ignored = (struct ignored){ 0 };
    resource->hash = hash_bytes(news->bytes, news->len);
    resource->is_stale = news->is_stale;
    resource->state = RESOURCE_ACKED;
    resource->error = (struct fault){ 0 };
    resource->updated_wall_ms = clock_wall_us() / 1000;
    copy_version(resource, news->version);
    live(resource, news->ttl_us);
    tell_ignored(resource, before);
    ignored_clear(before);
    changed(resource);
}

/* Takes the list of what was ignored out of a value that goes. */
static struct ignored leave_value(struct resource *resource)
{
    struct ignored before = resource->ignored;

    resource->ignored = (struct ignored){ 0 };
    tell_back(resource);
    drop_value(resource);
    return before;
}

int32_t store_take(struct resource *resource, const struct resource_news *news, struct fault *fault)
{
    struct ignored ignored = { 0 }, before;
    struct value value = { 0 };
    struct resource_bytes *bytes = resource_bytes_new(news->bytes, news->len);
    int32_t err = bytes ? read_value(resource, news, &value, &ignored, fault) : no_memory(fault);

    if (err) {
        resource_bytes_unref(bytes);
        ignored_clear(&ignored);
        return err;
    }
    before = leave_value(resource);
    resource->bytes = bytes;
    resource->listener = value.listener;
    resource->cluster = value.cluster;
    settle(resource, news, &ignored, &before);
    return 0;
}

void store_take_endpoints(struct resource *resource, const struct resource_news *news, struct model_endpoints *set,
                          struct ignored *ignored)
{
    struct ignored before = leave_value(resource);

    resource->endpoints = set;
    if (resource->store->conf.keeps_endpoints)
        resource->bytes = resource_bytes_new(news->bytes, news->len);
    settle(resource, news, ignored, &before);
}

bool resource_is_same(const struct resource *resource, const uint8_t *bytes, size_t len)
{
    return resource_has_value(resource) && resource->hash == hash_bytes(bytes, len);
}

void store_refresh(struct resource *resource, const struct resource_news *news)
{
    bool was_told = resource->error.code != 0 || resource->is_deleted || resource->is_stale;

    tell_back(resource);
    resource->is_deleted = resource->is_stale = false;
    resource->state = RESOURCE_ACKED;
    resource->error = (struct fault){ 0 };
    copy_version(resource, news->version);
    live(resource, news->ttl_us);
    if (was_told)
        changed(resource);
}

/* ---- what was not good ---- */

void store_refuse(struct resource *resource, const char *version, const struct fault *why)
{
    bool is_new = resource->error.code != why->code || strcmp(resource->error.text, why->text) != 0;

    resource->state = RESOURCE_NACKED;
    resource->error = *why;
    mem_free(resource->refused_version);
    resource->refused_version = mem_strdup(version ? version : "");
    resource->refused_wall_ms = clock_wall_us() / 1000;
    store_await_no_more(resource);
    if (!is_new)
        return;
    OBSERVE(resource->store->conf.observe, MESH_LOG_ERROR, "xds_rejected",
            FIELD_TEXT("type", xds_type_name(resource->type)), FIELD_TEXT("name", resource->name),
            FIELD_TEXT("version", version ? version : ""), FIELD_TEXT("detail", why->text));
    changed(resource);
}

void store_delete(struct resource *resource, bool obey, const char *detail)
{
    bool had_value = resource_has_value(resource);

    if (resource->is_deleted || resource->state == RESOURCE_DOES_NOT_EXIST)
        return;
    store_await_no_more(resource);
    if (had_value)
        OBSERVE(resource->store->conf.observe, MESH_LOG_WARN, "xds_resource_deleted",
                FIELD_TEXT("type", xds_type_name(resource->type)), FIELD_TEXT("name", resource->name),
                FIELD_TEXT("detail", obey ? "it is given up" : "it is kept while it works (xds.obey_deletes)"));
    if (had_value && !obey) {
        resource->is_deleted = true;
        changed(resource);
        return;
    }
    drop_value(resource);
    resource->state = RESOURCE_DOES_NOT_EXIST;
    fault_set(&resource->error, MESH_ERR_NO_ROUTE, "the control plane has no %s \"%.100s\"%s%s",
              xds_type_name(resource->type), resource->name, detail[0] ? ": " : "", detail);
    changed(resource);
}

void store_error(struct resource *resource, bool is_data, bool obey, const struct fault *why)
{
    if (is_data && obey)
        drop_value(resource);
    if (!resource_has_value(resource) && !is_data)
        return; /* it may come yet: the time for that runs */
    store_await_no_more(resource);
    resource->state = RESOURCE_RECEIVED_ERROR;
    resource->error = *why;
    OBSERVE(resource->store->conf.observe, MESH_LOG_WARN, "xds_resource_error",
            FIELD_TEXT("type", xds_type_name(resource->type)), FIELD_TEXT("name", resource->name),
            FIELD_TEXT("detail", why->text));
    changed(resource);
}

/* ---- another configuration ---- */

void store_read_again(struct resource *resource)
{
    struct ignored ignored = { 0 };
    struct xds_cluster *cluster = NULL;
    struct fault ignored_fault = { 0 };

    resource->is_outdated = false;
    if (!resource->cluster ||
        read_cluster(resource, resource->bytes->data, resource->bytes->len, &cluster, &ignored, &ignored_fault)) {
        ignored_clear(&ignored);
        return;
    }
    xds_cluster_unref(resource->cluster);
    ignored_clear(&resource->ignored);
    resource->cluster = cluster;
    resource->ignored = ignored;
    resource->revision++;
    changed(resource);
}

void store_reconfigure(struct store *store, const struct conf *conf)
{
    struct resource *resource;
    size_t at = 0;

    store->conf.conf = conf;
    while ((resource = map_next(&store->types[XDS_CLUSTER], &at)))
        store_read_again(resource);
}

void store_configure(struct resource *resource, const char *service)
{
    const char *now = resource->configured_as ? resource->configured_as : "";
    char *copy;

    if (strcmp(now, service ? service : "") == 0)
        return;
    copy = service ? mem_strdup(service) : NULL;
    if (service && !copy)
        return;
    mem_free(resource->configured_as);
    resource->configured_as = copy;
    store_read_again(resource);
}
