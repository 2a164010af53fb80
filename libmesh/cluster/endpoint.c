/* SPDX-License-Identifier: Apache-2.0 */
/* One endpoint in one loop: its pool, the attempts on it, and what they tell about it. */
#include <string.h>

#include "cluster/checker.h"
#include "cluster/orca.h"
#include "cluster/state.h"

/* How often the silence limit follows the latencies. */
#define SILENCE_EVERY_US US_PER_S

static char *put_text(char *at, const char *text, const char **where)
{
    size_t size = strlen(text) + 1;

    *where = memcpy(at, text, size);
    return at + size;
}

static char *put_path(char *at, struct addr *addr)
{
    return addr->family == ADDR_UNIX ? put_text(at, addr->path, &addr->path) : at;
}

static size_t path_size(const struct addr *addr)
{
    return addr->family == ADDR_UNIX ? strlen(addr->path) + 1 : 0;
}

struct endpoint *endpoint_new(struct cluster *cluster, const struct model_endpoints *set,
                              const struct model_endpoint *model, const char *address)
{
    const char *zone = model_endpoint_locality(set, model)->label;
    const struct model_rare *rare = model_endpoint_rare(set, model);
    size_t texts = strlen(zone) + strlen(rare->hostname) + 2 + path_size(&model->addr);
    struct endpoint *endpoint = mem_zalloc(sizeof *endpoint + texts);
    char *at;

    if (!endpoint)
        return NULL;
    endpoint->stats = cluster_stats_get(cluster->shared, address);
    if (!endpoint->stats) {
        mem_free(endpoint);
        return NULL;
    }
    endpoint->cluster = cluster;
    endpoint->address = endpoint->stats->address;
    at = put_text(endpoint->texts, zone, &endpoint->zone);
    at = put_text(at, rare->hostname, &endpoint->hostname);
    endpoint->addrs[0] = model->addr;
    put_path(at, &endpoint->addrs[0]);
    endpoint->addrs[1] = rare->alternative;
    endpoint->n_addrs = rare->alternative.family == ADDR_NONE ? 1 : 2;
    endpoint_adopt(endpoint, set, model);
    return endpoint;
}

void endpoint_free(struct endpoint *endpoint)
{
    list_remove(&endpoint->link);
    check_free(endpoint->check);
    endpoint_leave_troubled(endpoint);
    endpoint_leave_envoy(endpoint);
    mem_free(endpoint->outlier);
    mem_free(endpoint->latency);
    pool_free(endpoint->pool);
    mem_free(endpoint->greeted);
    model_cluster_unref(endpoint->conf);
    cluster_stats_put(endpoint->cluster->shared, endpoint->stats);
    mem_free(endpoint);
}

bool endpoint_is(const struct endpoint *endpoint, const struct model_endpoints *set, const struct model_endpoint *model)
{
    const struct model_rare *rare = model_endpoint_rare(set, model);

    return addr_equal(&endpoint->addrs[0], &model->addr) &&
           (endpoint->n_addrs == 1 ? rare->alternative.family == ADDR_NONE
                                   : addr_equal(&endpoint->addrs[1], &rare->alternative)) &&
           strcmp(endpoint->zone, model_endpoint_locality(set, model)->label) == 0 &&
           strcmp(endpoint->hostname, rare->hostname) == 0;
}

void endpoint_adopt(struct endpoint *endpoint, const struct model_endpoints *set, const struct model_endpoint *model)
{
    endpoint->weight = model->weight;
    endpoint->priority = model_endpoint_locality(set, model)->priority;
    endpoint->stats->balance.weight = model->weight;
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

int32_t cluster_need_tls(struct cluster *cluster, struct fault *fault)
{
    struct net_tls_conf tls = tls_conf_of(cluster->conf);

    if (!model_protocol_tls(cluster->conf->protocol) || cluster->tls)
        return 0;
    return net_tls_new(&tls, &cluster->tls, fault);
}

const char *endpoint_server_name(struct endpoint *endpoint)
{
    const char *name = endpoint->cluster->conf->tls.server_name;
    char ip[ADDR_TEXT];

    if (name)
        return name;
    if (endpoint->hostname[0])
        return endpoint->hostname;
    if (!endpoint->greeted)
        endpoint->greeted = endpoint->addrs[0].family == ADDR_UNIX
                                ? mem_strdup("localhost")
                                : mem_strdup(addr_format_ip(&endpoint->addrs[0], ip));
    return endpoint->greeted;
}

int32_t endpoint_open_pool(struct endpoint *endpoint, struct fault *fault)
{
    struct cluster *cluster = endpoint->cluster;
    const struct policy *policy = &cluster->conf->policy;
    struct pool_conf conf = {
        .addrs = { endpoint->addrs[0], endpoint->addrs[1] },
        .n_addrs = endpoint->n_addrs,
        .speaks = speaks_of(cluster->conf),
        .tls_conf = tls_conf_of(cluster->conf),
        .proxy = cluster->conf->proxy,
        .http = {
            .window = policy->window_bytes,
            .max_header_bytes = policy->max_header_bytes,
            .idle_us = policy->connection_idle_ms * US_PER_MS,
            .age_us = policy->connection_age_ms * US_PER_MS,
            .silence_us = policy->silence_ms * US_PER_MS,
            .max_streams = policy->max_streams,
            .max_requests = policy->connection_requests,
            .observe = cluster->env.observe,
            .cluster = cluster->conf->name,
        },
        .connect_timeout_us = policy->connect_timeout_ms * US_PER_MS,
        .limits = &cluster->shared->limits,
        .on_change = on_pool_change,
        .user = endpoint,
    };
    int32_t err;

    if (endpoint->pool)
        return 0;
    err = cluster_need_tls(cluster, fault);
    if (err)
        return err;
    conf.tls = cluster->tls;
    conf.server_name = conf.tls ? endpoint_server_name(endpoint) : NULL;
    if (conf.tls && !conf.server_name)
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    err = pool_new(cluster->env.loop, &conf, &endpoint->pool);
    if (err)
        return fault_set(fault, err, "no pool for %s: %s", endpoint->address, error_text(err));
    endpoint->conf = model_cluster_ref(cluster->conf);
    return 0;
}

void endpoint_reported(struct endpoint *endpoint, const struct orca_report *report)
{
    double penalty = endpoint->cluster->conf->policy.load.penalty_percent / 100.0;
    float weight = balance_load_weight(report->rps, report->eps, orca_utilization(report), penalty);

    balance_reported(&endpoint->stats->balance, weight, loop_now_us(endpoint->cluster->env.loop));
}

bool endpoint_in_doubt(const struct endpoint *endpoint)
{
    enum pool_health health;

    if (atomic_load_explicit(&endpoint->stats->health, memory_order_relaxed) == HEALTH_UNHEALTHY)
        return true;
    if (!endpoint->pool)
        return false;
    health = pool_state(endpoint->pool).health;
    return health == POOL_FAILED || health == POOL_SILENT;
}

static bool is_ejected(const struct endpoint *endpoint)
{
    return endpoint->envoy && endpoint->envoy->ejected;
}

bool endpoint_usable(const struct endpoint *endpoint)
{
    return !is_ejected(endpoint) && (!endpoint->outlier || outlier_is_in(endpoint->outlier)) &&
           !endpoint_in_doubt(endpoint);
}

bool endpoint_usable_but_for_rate(const struct endpoint *endpoint)
{
    const struct outlier *outlier = endpoint->outlier;

    return !is_ejected(endpoint) && (!outlier || outlier_is_in(outlier) || outlier->by_rate) &&
           !endpoint_in_doubt(endpoint);
}

bool endpoint_is_idle(const struct endpoint *endpoint)
{
    return endpoint->attempts == 0 && endpoint->holds == 0 && (!endpoint->pool || pool_is_empty(endpoint->pool));
}

void endpoint_remove(struct endpoint *endpoint)
{
    endpoint->removed = true;
    endpoint->home = NULL;
    check_free(endpoint->check);
    endpoint_leave_troubled(endpoint);
    endpoint_leave_envoy(endpoint);
    if (endpoint->pool)
        pool_drain(endpoint->pool);
    cluster_sweep_later(endpoint->cluster);
}

/* ---- attempts ---- */

void endpoint_begin(struct endpoint *endpoint)
{
    endpoint->attempts++;
    balance_began(&endpoint->stats->balance, loop_now_us(endpoint->cluster->env.loop));
    atomic_fetch_add_explicit(&endpoint->stats->attempts, 1, memory_order_relaxed);
}

/* A peer that is at work for long without a word is given longer before it is asked whether it lives. */
static void follow_latency(struct endpoint *endpoint, uint64_t now)
{
    uint64_t least = endpoint->cluster->conf->policy.silence_ms * US_PER_MS;
    uint64_t silence;

    if (least == 0 || now - endpoint->silence_set_us < SILENCE_EVERY_US)
        return;
    silence = 4 * latency_quantile_us(endpoint->latency, 99);
    endpoint->silence_set_us = now;
    pool_set_silence(endpoint->pool, silence > least ? silence : least);
}

static void tell_balance(struct balance_endpoint *balance, enum attempt_outcome outcome, uint64_t latency_us,
                         uint64_t now)
{
    balance_ended(balance);
    if (outcome == ATTEMPT_ANSWERED)
        balance_answered(balance, latency_us, now);
    if (outcome == ATTEMPT_FAILED || outcome == ATTEMPT_TURNED_AWAY)
        balance_failed(balance, now);
    if (outcome == ATTEMPT_LATE)
        balance_late(balance, latency_us, now);
}

/* Where it is longer than what is known. One that was begun late and ended early tells nothing. */
static void take_least(struct endpoint *endpoint, uint64_t elapsed_us, uint64_t now)
{
    balance_outrun(&endpoint->stats->balance, elapsed_us, now);
    if (endpoint->cluster->recent)
        recent_add_least(endpoint->cluster->recent, elapsed_us, now);
}

static void take_latency(struct endpoint *endpoint, uint64_t latency_us, uint64_t now)
{
    if (!endpoint->latency)
        endpoint->latency = mem_zalloc(sizeof *endpoint->latency);
    if (endpoint->latency) { /* else no memory: it is not followed yet */
        latency_add(endpoint->latency, latency_us);
        follow_latency(endpoint, now);
    }
    if (endpoint->cluster->recent)
        recent_add(endpoint->cluster->recent, latency_us, now);
}

void endpoint_end(struct endpoint *endpoint, enum attempt_outcome outcome, uint64_t latency_us)
{
    uint64_t now = loop_now_us(endpoint->cluster->env.loop);
    bool failed = outcome == ATTEMPT_FAILED || outcome == ATTEMPT_LATE;

    if (outcome == ATTEMPT_OUTRUN) {
        take_least(endpoint, latency_us, now);
        outcome = ATTEMPT_UNJUDGED;
    }
    endpoint->attempts--;
    tell_balance(&endpoint->stats->balance, outcome, latency_us, now);
    if (failed)
        atomic_fetch_add_explicit(&endpoint->stats->failures, 1, memory_order_relaxed);
    endpoint_judge(endpoint, outcome, now);
    if (endpoint->pool)
        pool_attempt_ended(endpoint->pool, !failed);
    if (endpoint->home && outcome != ATTEMPT_UNJUDGED)
        spill_ended(&endpoint->home->spill, failed, outcome == ATTEMPT_FAILED ? 0 : latency_us);
    if (outcome != ATTEMPT_UNJUDGED)
        budget_attempt_ended(&endpoint->cluster->shared->budget, !failed, now);
    if (outcome == ATTEMPT_ANSWERED && latency_us > 0)
        take_latency(endpoint, latency_us, now);
    if (endpoint->removed)
        cluster_sweep_later(endpoint->cluster);
}

uint64_t cluster_latency_us(struct cluster *cluster, uint32_t percent)
{
    if (!cluster->recent)
        cluster->recent = mem_zalloc(sizeof *cluster->recent);
    return cluster->recent ? recent_quantile_us(cluster->recent, percent, loop_now_us(cluster->env.loop)) : 0;
}

void endpoint_heard(struct endpoint *endpoint, uint64_t latency_us)
{
    balance_answered(&endpoint->stats->balance, latency_us, loop_now_us(endpoint->cluster->env.loop));
}

void endpoint_hold(struct endpoint *endpoint)
{
    endpoint->holds++;
}

void endpoint_let_go(struct endpoint *endpoint)
{
    endpoint->holds--;
    if (endpoint->removed)
        cluster_sweep_later(endpoint->cluster);
}
