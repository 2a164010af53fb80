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

/* "": its address. */
static const char *hash_key_of(const struct cluster *cluster, const struct model_rare *rare)
{
    return rare->hash_key[0] || !cluster->by_hostname ? rare->hash_key : rare->hostname;
}

/* What its figures are found by: its address; where it has another name for hashing, or comes from another cluster, with that. */
static bool write_key(const struct cluster *cluster, struct buf *key, const struct model_endpoints *set,
                      const struct model_endpoint *model)
{
    const char *hash_key = hash_key_of(cluster, model_endpoint_rare(set, model));
    const struct model_cluster *origin = model_endpoint_origin(set, model);
    char address[ADDR_TEXT];
    bool written = buf_append_text(key, addr_format(&model->addr, address)) && buf_append(key, "", 1);

    if (hash_key[0] || origin)
        written = written && buf_append(key, hash_key, strlen(hash_key) + 1);
    if (origin)
        written = written && buf_append(key, origin->name, strlen(origin->name) + 1);
    return written;
}

static struct endpoint_stats *stats_of(struct cluster *cluster, const struct model_endpoints *set,
                                       const struct model_endpoint *model)
{
    struct endpoint_stats *stats = NULL;
    struct buf key = { 0 };
    uint8_t room[512];

    buf_lend(&key, room, sizeof room);
    if (write_key(cluster, &key, set, model))
        stats = cluster_stats_get(cluster->shared, (const char *) buf_bytes(&key), buf_len(&key));
    buf_free(&key);
    return stats;
}

static void put_texts(struct endpoint *endpoint, const char *zone, const char *hostname)
{
    char *at = put_text(endpoint->texts, zone, &endpoint->zone);

    at = put_text(at, hostname, &endpoint->hostname);
    put_path(at, &endpoint->addrs[0]);
}

struct endpoint *endpoint_new(struct cluster *cluster, const struct model_endpoints *set,
                              const struct model_endpoint *model)
{
    const char *zone = model_endpoint_locality(set, model)->label;
    const struct model_rare *rare = model_endpoint_rare(set, model);
    size_t texts = strlen(zone) + strlen(rare->hostname) + 2 + path_size(&model->addr);
    struct endpoint *endpoint = mem_zalloc(sizeof *endpoint + texts);

    if (!endpoint)
        return NULL;
    endpoint->stats = stats_of(cluster, set, model);
    if (!endpoint->stats) {
        mem_free(endpoint);
        return NULL;
    }
    endpoint->cluster = cluster;
    endpoint->address = endpoint->stats->address;
    endpoint->addrs[0] = model->addr;
    put_texts(endpoint, zone, rare->hostname);
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
    model_cluster_unref(endpoint->origin);
    cluster_stats_put(endpoint->cluster->shared, endpoint->stats);
    mem_free(endpoint);
}

static bool is_of_origin(const struct endpoint *endpoint, const struct model_cluster *origin)
{
    if (!origin || !endpoint->origin)
        return !origin && !endpoint->origin;
    return strcmp(endpoint->origin->name, origin->name) == 0 && cluster_same_transport(endpoint->origin, origin);
}

bool endpoint_is(const struct endpoint *endpoint, const struct model_endpoints *set, const struct model_endpoint *model)
{
    const struct model_rare *rare = model_endpoint_rare(set, model);
    const char *hash_key = hash_key_of(endpoint->cluster, rare);

    return addr_equal(&endpoint->addrs[0], &model->addr) &&
           (endpoint->n_addrs == 1 ? rare->alternative.family == ADDR_NONE
                                   : addr_equal(&endpoint->addrs[1], &rare->alternative)) &&
           is_of_origin(endpoint, model_endpoint_origin(set, model)) &&
           strcmp(endpoint->zone, model_endpoint_locality(set, model)->label) == 0 &&
           strcmp(endpoint->hostname, rare->hostname) == 0 &&
           strcmp(endpoint->stats->balance.hash_key, hash_key[0] ? hash_key : endpoint->address) == 0;
}

void endpoint_adopt(struct endpoint *endpoint, const struct model_endpoints *set, const struct model_endpoint *model)
{
    struct model_cluster *origin = model_endpoint_origin(set, model);

    endpoint->weight = model->weight;
    endpoint->priority = model_endpoint_locality(set, model)->priority;
    endpoint->locality = model->locality;
    endpoint->labels = model_endpoint_rare(set, model)->labels;
    endpoint->told_health = model->health;
    endpoint->unchecked = model->unchecked;
    endpoint->origin_number = model->origin;
    endpoint->is_held = model->is_held;
    endpoint->is_gone = endpoint->is_gone && model->is_held;
    load_place_endpoint(endpoint->cluster->shared, endpoint->stats, model_endpoint_locality(set, model),
                        origin ? origin->name : "");
    if (origin == endpoint->origin)
        return;
    model_cluster_unref(endpoint->origin);
    endpoint->origin = model_cluster_ref(origin);
}

/* ---- how it is ---- */

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

bool endpoint_is_to_be_used(const struct endpoint *endpoint)
{
    bool is_told = endpoint->told_health == ENDPOINT_HEALTHY || endpoint->told_health == ENDPOINT_DEGRADED;

    return is_told && !endpoint->is_gone;
}

bool endpoint_usable(const struct endpoint *endpoint)
{
    return endpoint_is_to_be_used(endpoint) && !is_ejected(endpoint) &&
           (!endpoint->outlier || outlier_is_in(endpoint->outlier)) && !endpoint_in_doubt(endpoint);
}

bool endpoint_usable_but_for_rate(const struct endpoint *endpoint)
{
    const struct outlier *outlier = endpoint->outlier;

    return endpoint_is_to_be_used(endpoint) && !is_ejected(endpoint) &&
           (!outlier || outlier_is_in(outlier) || outlier->by_rate) && !endpoint_in_doubt(endpoint);
}

bool endpoint_is_idle(const struct endpoint *endpoint)
{
    return endpoint->attempts == 0 && endpoint->holds == 0 && (!endpoint->pool || pool_is_empty(endpoint->pool));
}

void endpoint_remove(struct endpoint *endpoint)
{
    endpoint->removed = true;
    endpoint->cluster->has_ghosts = true;
    endpoint->home = NULL;
    endpoint->labels = NULL;
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

/* Nobody says that it is there, and it is not: it was a last resort while it answered. */
static void part_with_held(struct endpoint *endpoint)
{
    if (endpoint->is_gone)
        return;
    endpoint->is_gone = true;
    cluster_health_changed(endpoint->cluster);
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
    if (failed && endpoint->is_held)
        part_with_held(endpoint);
    if (outcome == ATTEMPT_ANSWERED || outcome == ATTEMPT_TURNED_AWAY)
        atomic_fetch_add_explicit(&endpoint->stats->successes, 1, memory_order_relaxed);
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
