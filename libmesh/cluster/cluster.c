/* SPDX-License-Identifier: Apache-2.0 */
/* One cluster in one loop: making it, changing it, ending it. */
#include "cluster/cluster.h"

#include <string.h>

#include "cluster/checker.h"
#include "cluster/state.h"
#include "cluster/zone.h"

static const struct balance_ops *balance_of(const struct model_cluster *conf)
{
    const struct balance_ops *ops = balance_find(conf->policy.balance);

    return ops ? ops : &balance_adaptive;
}

struct balancer *cluster_make_balancer(const struct model_cluster *conf)
{
    const struct policy *policy = &conf->policy;
    const struct balance_conf balance = {
        .ring_min_size = policy->ring_min_size,
        .ring_max_size = policy->ring_max_size,
        .hash_balance_percent = policy->hash_balance_percent,
        .load_blackout_ms = policy->load.blackout_ms,
        .load_expiration_ms = policy->load.expiration_ms,
        .load_update_ms = policy->load.update_ms,
        .shuffle = policy->shuffle,
    };

    return balance_of(conf)->make(&balance);
}

int32_t cluster_new(const struct cluster_env *env, const struct model_entry *entry, struct cluster_shared *shared,
                    struct cluster **out)
{
    struct cluster *cluster = mem_zalloc(sizeof *cluster);

    *out = NULL;
    if (!cluster)
        return MESH_ERR_NOMEM;
    cluster->env = *env;
    cluster->refs = 1;
    cluster->shared = cluster_shared_ref(shared);
    cluster->conf = model_cluster_ref(entry->cluster);
    cluster->set = model_endpoints_ref(entry->endpoints);
    list_init(&cluster->endpoints);
    list_init(&cluster->leaving);
    list_init(&cluster->troubled);
    outlier_envoy_init(&cluster->envoy);
    part_init(&cluster->all, cluster);
    list_init(&cluster->parts);
    list_init(&cluster->tls);
    list_init(&cluster->waiters);
    admission_open(cluster);
    cluster->by_key = balance_of(entry->cluster)->by_key;
    cluster->by_load = balance_of(entry->cluster)->by_load;
    cluster->by_hostname = entry->cluster->policy.hash.by_hostname;
    cluster->rebuild.run = cluster_on_rebuild;
    cluster->sweep.run = cluster_on_sweep;
    shared->limits.max_connections = entry->cluster->policy.breaker.max_connections;
    if (admission_prepare(shared, &entry->cluster->policy) != 0 ||
        cluster_take_set(cluster, entry->endpoints, false) != 0 || !cluster_build_view(cluster)) {
        cluster_unref(cluster);
        return MESH_ERR_NOMEM;
    }
    checker_attend(cluster);
    *out = cluster;
    return 0;
}

void cluster_ref(struct cluster *cluster)
{
    cluster->refs++;
}

static void free_endpoints(struct list *endpoints)
{
    LIST_EACH_SAFE(link, next, endpoints) {
        endpoint_free(CONTAINER_OF(link, struct endpoint, link));
    }
}

void cluster_unref(struct cluster *cluster)
{
    if (!cluster || --cluster->refs > 0)
        return;
    checker_end(cluster);
    free_endpoints(&cluster->endpoints);
    free_endpoints(&cluster->leaving);
    admission_close(cluster);
    loop_undefer(&cluster->rebuild);
    loop_undefer(&cluster->sweep);
    parts_free(cluster);
    zones_free(&cluster->all);
    mem_free(cluster->recent);
    mem_free(cluster->absent);
    cluster_forget_tls(cluster, true);
    model_endpoints_unref(cluster->set);
    model_cluster_unref(cluster->conf);
    cluster_shared_unref(cluster->shared);
    mem_free(cluster);
}

static void tell_waiters(struct cluster *cluster)
{
    struct list waiters;

    list_init(&waiters);
    list_take_all(&waiters, &cluster->waiters);
    while (!list_empty(&waiters)) {
        struct cluster_waiter *waiter = CONTAINER_OF(waiters.next, struct cluster_waiter, link);

        list_remove(&waiter->link);
        waiter->on_changed(waiter);
    }
}

static void adopt_conf(struct cluster *cluster, struct model_cluster *conf)
{
    enum policy_outlier_kind kind = cluster->conf->policy.outlier.kind;

    model_cluster_ref(conf);
    model_cluster_unref(cluster->conf);
    cluster->conf = conf;
    if (kind != conf->policy.outlier.kind)
        cluster_forget_isolation(cluster);
    admission_adopt(cluster);
    cluster->shared->limits.max_connections = conf->policy.breaker.max_connections;
    cluster->by_key = balance_of(conf)->by_key;
    cluster->by_load = balance_of(conf)->by_load;
    zones_outdate(&cluster->all);
    parts_free(cluster);
}

int32_t cluster_update(struct cluster *cluster, const struct model_entry *entry)
{
    bool new_conf = entry->cluster != cluster->conf;
    bool replace = new_conf && !cluster_same_transport(entry->cluster, cluster->conf);
    bool renames = entry->cluster->policy.hash.by_hostname != cluster->by_hostname;
    int32_t err = 0;

    if (new_conf)
        err = admission_prepare(cluster->shared, &entry->cluster->policy);
    if (err)
        return err;
    cluster->by_hostname = entry->cluster->policy.hash.by_hostname;
    if (replace || renames || entry->endpoints != cluster->set)
        err = cluster_take_set(cluster, entry->endpoints, replace);
    if (err)
        return err;
    model_endpoints_ref(entry->endpoints);
    model_endpoints_unref(cluster->set);
    cluster->set = entry->endpoints;
    if (new_conf)
        adopt_conf(cluster, entry->cluster);
    cluster_forget_tls(cluster, false);
    checker_attend(cluster);
    if (!cluster_build_view(cluster))
        cluster_health_changed(cluster); /* tried again at the end of the turn */
    if (cluster->set->state != ENDPOINTS_PENDING)
        tell_waiters(cluster);
    return 0;
}

void cluster_drain(struct cluster *cluster)
{
    cluster->draining = true;
    checker_end(cluster);
    LIST_EACH(link, &cluster->endpoints) {
        struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, link);

        if (endpoint->pool)
            pool_drain(endpoint->pool);
    }
}

static void close_endpoints(struct list *endpoints, int32_t err, const char *why)
{
    LIST_EACH(link, endpoints) {
        struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, link);

        if (endpoint->pool)
            pool_close(endpoint->pool, err, why);
    }
}

void cluster_close(struct cluster *cluster, int32_t err, const char *why)
{
    cluster->draining = true;
    checker_end(cluster);
    close_endpoints(&cluster->endpoints, err, why);
    close_endpoints(&cluster->leaving, err, why);
}

bool cluster_is_idle(const struct cluster *cluster)
{
    LIST_EACH(link, &cluster->endpoints) {
        if (!endpoint_is_idle(CONTAINER_OF(link, struct endpoint, link)))
            return false;
    }
    return list_empty(&cluster->leaving);
}

void cluster_wait(struct cluster *cluster, struct cluster_waiter *waiter)
{
    list_push_back(&cluster->waiters, &waiter->link);
}

void cluster_forget(struct cluster_waiter *waiter)
{
    list_remove(&waiter->link);
}
