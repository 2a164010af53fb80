/* SPDX-License-Identifier: Apache-2.0 */
/* What connections of an endpoint are made by: the cluster's settings, or those of the cluster that it comes from. */
#include <string.h>

#include "cluster/state.h"

const struct model_cluster *endpoint_settings(const struct endpoint *endpoint)
{
    return endpoint->origin ? endpoint->origin : endpoint->cluster->conf;
}

bool cluster_same_transport(const struct model_cluster *a, const struct model_cluster *b)
{
    const struct policy *p = &a->policy, *q = &b->policy;

    return a == b ||
           (a->identity == b->identity && p->connect_timeout_ms == q->connect_timeout_ms &&
            p->window_bytes == q->window_bytes && p->max_header_bytes == q->max_header_bytes &&
            p->connection_idle_ms == q->connection_idle_ms && p->connection_age_ms == q->connection_age_ms &&
            p->silence_ms == q->silence_ms && p->max_streams == q->max_streams && p->alive_ms == q->alive_ms &&
            p->alive_answer_ms == q->alive_answer_ms && p->connection_requests == q->connection_requests);
}

/* ---- TLS ---- */

/* One for each identity that is in use. */
struct cluster_tls {
    struct list link; /* in cluster.tls */
    uint64_t identity;
    struct net_tls *tls;
};

static struct net_tls_conf tls_conf_of(const struct model_cluster *conf)
{
    return (struct net_tls_conf){
        .ca = conf->tls.ca,
        .cert = conf->tls.cert,
        .key = conf->tls.key,
        .ca_pem = conf->tls.pem ? conf->tls.pem->ca : NULL,
        .cert_pem = conf->tls.pem ? conf->tls.pem->cert : NULL,
        .key_pem = conf->tls.pem ? conf->tls.pem->key : NULL,
        .insecure = conf->tls.insecure,
        .any_name = conf->tls.any_name,
        .names = conf->tls.names,
        .min_version = conf->tls.min_version,
    };
}

static struct cluster_tls *find_tls(const struct cluster *cluster, uint64_t identity)
{
    LIST_EACH(link, &cluster->tls) {
        struct cluster_tls *tls = CONTAINER_OF(link, struct cluster_tls, link);

        if (tls->identity == identity)
            return tls;
    }
    return NULL;
}

static int32_t make_tls(struct cluster *cluster, const struct model_cluster *settings, struct net_tls **out,
                        struct fault *fault)
{
    struct net_tls_conf conf = tls_conf_of(settings);
    struct cluster_tls *made = mem_zalloc(sizeof *made);
    int32_t err;

    if (!made)
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    err = net_tls_new(&conf, &made->tls, fault);
    if (err) {
        mem_free(made);
        return err;
    }
    made->identity = settings->identity;
    list_push_back(&cluster->tls, &made->link);
    *out = made->tls;
    return 0;
}

int32_t endpoint_need_tls(struct endpoint *endpoint, struct net_tls **out, struct fault *fault)
{
    const struct model_cluster *settings = endpoint_settings(endpoint);
    struct cluster_tls *known;

    *out = NULL;
    if (!model_protocol_tls(settings->protocol))
        return 0;
    known = find_tls(endpoint->cluster, settings->identity);
    if (!known)
        return make_tls(endpoint->cluster, settings, out, fault);
    *out = known->tls;
    return 0;
}

static bool is_in_use(const struct cluster *cluster, uint64_t identity)
{
    bool in_use = cluster->conf->identity == identity;

    for (size_t i = 0; i < cluster->set->n_origins && !in_use; i++)
        in_use = cluster->set->origins[i]->identity == identity;
    return in_use;
}

void cluster_forget_tls(struct cluster *cluster, bool all)
{
    LIST_EACH_SAFE(link, next, &cluster->tls) {
        struct cluster_tls *tls = CONTAINER_OF(link, struct cluster_tls, link);

        if (!all && is_in_use(cluster, tls->identity))
            continue;
        list_remove(link);
        net_tls_unref(tls->tls);
        mem_free(tls);
    }
}

const char *endpoint_server_name(struct endpoint *endpoint)
{
    const struct policy_tls *tls = &endpoint_settings(endpoint)->tls;
    char ip[ADDR_TEXT];

    if (tls->server_name)
        return tls->server_name;
    if (tls->by_endpoint && endpoint->hostname[0])
        return endpoint->hostname;
    if (!endpoint->greeted)
        endpoint->greeted = endpoint->addrs[0].family == ADDR_UNIX
                                ? mem_strdup("localhost")
                                : mem_strdup(addr_format_ip(&endpoint->addrs[0], ip));
    return endpoint->greeted;
}

/* ---- the pool ---- */

static void on_pool_change(void *user)
{
    struct endpoint *endpoint = user;

    if (endpoint->removed)
        cluster_sweep_later(endpoint->cluster);
    else
        cluster_health_changed(endpoint->cluster);
}

static enum pool_speaks speaks_of(const struct model_cluster *conf)
{
    if (conf->proxy || conf->protocol == MODEL_HTTP)
        return POOL_HTTP1;
    return conf->protocol == MODEL_HTTPS ? POOL_ALPN : POOL_HTTP2;
}

static int32_t make_pool(struct endpoint *endpoint, struct fault *fault)
{
    struct cluster *cluster = endpoint->cluster;
    const struct model_cluster *settings = endpoint_settings(endpoint);
    const struct policy *policy = &settings->policy;
    struct pool_conf conf = {
        .addrs = { endpoint->addrs[0], endpoint->addrs[1] },
        .n_addrs = endpoint->n_addrs,
        .speaks = speaks_of(settings),
        .tls_conf = tls_conf_of(settings),
        .proxy = settings->proxy,
        .http = {
            .window = policy->window_bytes,
            .max_header_bytes = policy->max_header_bytes,
            .idle_us = policy->connection_idle_ms * US_PER_MS,
            .age_us = policy->connection_age_ms * US_PER_MS,
            .silence_us = policy->silence_ms * US_PER_MS,
            .alive_us = policy->alive_ms * US_PER_MS,
            .alive_answer_us = policy->alive_answer_ms * US_PER_MS,
            .max_streams = policy->max_streams,
            .max_requests = policy->connection_requests,
            .observe = cluster->env.observe,
            .cluster = settings->label,
        },
        .connect_timeout_us = policy->connect_timeout_ms * US_PER_MS,
        .limits = &cluster->shared->limits,
        .on_change = on_pool_change,
        .user = endpoint,
    };
    int32_t err = endpoint_need_tls(endpoint, &conf.tls, fault);

    if (err)
        return err;
    conf.server_name = conf.tls ? endpoint_server_name(endpoint) : NULL;
    if (conf.tls && !conf.server_name)
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    err = pool_new(cluster->env.loop, &conf, &endpoint->pool);
    if (err)
        return fault_set(fault, err, "no pool for %s: %s", endpoint->address, error_text(err));
    endpoint->conf = model_cluster_ref((struct model_cluster *) settings);
    return 0;
}

/* Asked for by each attempt. */
int32_t endpoint_open_pool(struct endpoint *endpoint, struct fault *fault)
{
    return endpoint->pool ? 0 : make_pool(endpoint, fault);
}
