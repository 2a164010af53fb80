/* SPDX-License-Identifier: Apache-2.0 */
/* A cluster as it stands, for people and tools: its endpoints, its zones, its budgets. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cluster/state.h"

/* Milliseconds with three digits behind the point, whatever the locale; null: not known. */
static void milliseconds(struct json_writer *w, const char *key, float us)
{
    unsigned long long whole = us > 0 ? (unsigned long long) llroundf(us) : 0;
    char digits[32];

    json_key(w, key);
    snprintf(digits, sizeof digits, "%llu.%03llu", whole / 1000, whole % 1000);
    json_raw(w, us > 0 ? digits : "null");
}

/* ---- one endpoint ---- */

static const char *isolated(const struct endpoint *endpoint, uint64_t now_us, char why[FAULT_TEXT])
{
    const struct outlier *outlier = endpoint->outlier;
    const char *reason = isolation_reason(endpoint);

    if (outlier->state == OUTLIER_ISOLATED && outlier->until_us > now_us) {
        snprintf(why, FAULT_TEXT, "%s: left out for another %llu ms", reason,
                 (unsigned long long) ((outlier->until_us - now_us) / US_PER_MS));
        return "isolated";
    }
    if (outlier->state == OUTLIER_PROBED) {
        snprintf(why, FAULT_TEXT, "%s: one attempt finds out whether it is well", reason);
        return "probed";
    }
    if (outlier->state == OUTLIER_RECOVERING) {
        snprintf(why, FAULT_TEXT, "%s: %u %% now", reason, outlier_share(outlier, now_us));
        return "recovering";
    }
    snprintf(why, FAULT_TEXT, "%s: the next attempt finds out whether it is well", reason);
    return "due";
}

/* Envoy's outlier detection: it comes back with the first end of an interval after that time. */
static uint64_t ejected_for_us(const struct endpoint *endpoint, uint64_t now_us)
{
    const struct outlier_envoy_host *host = endpoint->envoy;
    uint64_t until = 0;

    if (host && host->ejected)
        until = host->ejected_us + outlier_envoy_ejection_us(host, &endpoint->cluster->conf->policy.outlier.envoy);
    return until > now_us ? until - now_us : 0;
}

static const char *ejected(const struct endpoint *endpoint, uint64_t now_us, char why[FAULT_TEXT])
{
    snprintf(why, FAULT_TEXT, "%s: ejected for another %llu ms, to the end of an interval", isolation_reason(endpoint),
             (unsigned long long) (ejected_for_us(endpoint, now_us) / US_PER_MS));
    return "isolated";
}

const char *endpoint_state(const struct endpoint *endpoint, char why[FAULT_TEXT])
{
    struct pool_state state = { .health = POOL_IDLE };

    why[0] = '\0';
    if (endpoint->told_health != ENDPOINT_HEALTHY && endpoint->told_health != ENDPOINT_DEGRADED) {
        snprintf(why, FAULT_TEXT, "the control plane says that it is not to be used");
        return model_health_name(endpoint->told_health);
    }
    if (endpoint->is_gone) {
        snprintf(why, FAULT_TEXT, "the control plane names it no more, and it has failed");
        return "gone";
    }
    if (endpoint->pool)
        state = pool_state(endpoint->pool);
    if (endpoint_health(endpoint, why) == HEALTH_UNHEALTHY)
        return health_state_name(HEALTH_UNHEALTHY);
    if (state.health == POOL_FAILED)
        text_copy(why, FAULT_TEXT, state.fault->text);
    else if (state.health == POOL_SILENT)
        snprintf(why, FAULT_TEXT, "its connections are silent: not a byte for longer than connection.silence_ms");
    else if (endpoint->envoy && endpoint->envoy->ejected)
        return ejected(endpoint, loop_now_us(endpoint->cluster->env.loop), why);
    else if (endpoint->outlier && endpoint->outlier->state != OUTLIER_WELL)
        return isolated(endpoint, loop_now_us(endpoint->cluster->env.loop), why);
    else if (endpoint->told_health == ENDPOINT_DEGRADED) {
        snprintf(why, FAULT_TEXT, "the control plane says so: it is used for what the healthy ones cannot carry");
        return model_health_name(ENDPOINT_DEGRADED);
    }
    return pool_health_name(state.health);
}

static uint64_t isolated_for_us(const struct endpoint *endpoint, uint64_t now_us)
{
    const struct outlier *outlier = endpoint->outlier;

    if (endpoint->envoy)
        return ejected_for_us(endpoint, now_us);
    return outlier && outlier->state == OUTLIER_ISOLATED && outlier->until_us > now_us ? outlier->until_us - now_us : 0;
}

static void write_state(struct json_writer *w, const struct endpoint *endpoint, uint64_t now_us)
{
    bool off = endpoint->cluster->conf->policy.health.kind == HEALTH_OFF;
    struct pool_state pool = { .health = POOL_IDLE, .protocol = "" };
    enum health_state health;
    char why[FAULT_TEXT];

    json_put_text(w, "state", endpoint_state(endpoint, why));
    json_put_text(w, "reason", why);
    if (endpoint->pool)
        pool = pool_state(endpoint->pool);
    json_put_text(w, "connection", pool_health_name(pool.health));
    json_put_text(w, "protocol", pool.protocol);
    health = endpoint_health(endpoint, why);
    json_put_text(w, "health", off ? "off" : health_state_name(health));
    json_put_text(w, "health_reason", why);
    json_put_text(w, "told_health", model_health_name(endpoint->told_health));
    json_put_number(w, "isolated_for_ms", isolated_for_us(endpoint, now_us) / US_PER_MS);
    json_put_number(w, "share_percent", endpoint->outlier ? outlier_share(endpoint->outlier, now_us) : 100);
    json_put_number(w, "connections", pool.connections);
}

static void write_figures(struct json_writer *w, const struct endpoint *endpoint, uint64_t now_us)
{
    const struct balance_endpoint *balance = &endpoint->stats->balance;

    json_put_number(w, "active", atomic_load(&balance->active));
    json_put_number(w, "attempts", atomic_load(&endpoint->stats->attempts));
    json_put_number(w, "failures", atomic_load(&endpoint->stats->failures));
    milliseconds(w, "latency_ms", balance_mean_us(balance, now_us));
    milliseconds(w, "peak_ms", balance_peak_us(balance, now_us));
    milliseconds(w, "penalty_ms", balance_penalty_us(balance, now_us));
}

static void write_who(struct json_writer *w, const struct endpoint *endpoint)
{
    const struct model_locality *place = &endpoint->cluster->set->localities[endpoint->locality];

    json_put_text(w, "address", endpoint->address);
    json_put_text(w, "zone", endpoint->zone);
    json_put_text(w, "region", place->region);
    json_put_text(w, "sub_zone", place->sub_zone);
    json_put_text(w, "hostname", endpoint->hostname);
    json_put_number(w, "weight", endpoint->weight);
    json_put_number(w, "priority", endpoint->priority);
    json_put_text(w, "told_health", model_health_name((enum model_health) endpoint->told_health));
    json_key(w, "held");
    json_bool(w, endpoint->is_held);
}

/* In the view of its zone, which may have only a part of a very large one. */
static bool is_candidate(const struct endpoint *endpoint)
{
    const struct zone *zone = endpoint->home;

    for (size_t i = 0; zone && i < zone->view.n; i++)
        if (zone->members[i] == endpoint)
            return true;
    return false;
}

static void write_score(struct json_writer *w, const struct endpoint *endpoint, uint64_t now_us)
{
    const struct balancer *balancer = endpoint->home ? endpoint->home->balancer : NULL;

    json_key(w, "candidate");
    json_bool(w, is_candidate(endpoint));
    json_key(w, "score");
    if (balancer && balancer->ops->score)
        json_number(w, llroundf(balancer->ops->score(balancer, &endpoint->stats->balance, now_us)));
    else
        json_quoted(w, NULL);
}

void cluster_write_endpoints(struct json_writer *w, const struct cluster *cluster, bool with_scores)
{
    uint64_t now = loop_now_us(cluster->env.loop);

    json_begin(w, '[');
    LIST_EACH(link, &cluster->endpoints) {
        const struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, link);

        json_begin(w, '{');
        write_who(w, endpoint);
        write_state(w, endpoint, now);
        write_figures(w, endpoint, now);
        if (with_scores)
            write_score(w, endpoint, now);
        json_end(w, '}');
    }
    json_end(w, ']');
}

/* ---- zones ---- */

static uint32_t percent_of_priority(const struct cluster *cluster, const struct zone *zone)
{
    for (size_t i = 0; i < cluster->all.n_priorities; i++) {
        const struct priority *priority = &cluster->all.priorities[i];

        if (priority->level == zone->priority)
            return zone->is_degraded ? priority->degraded_load : priority->load;
    }
    return 0;
}

static const char *why_so_much(const struct cluster *cluster, const struct zone *zone, char out[FAULT_TEXT])
{
    bool loaded = cluster->conf->policy.spill.load && spill_keep(&zone->spill) < SPILL_WHOLE;

    if (cluster->n_usable == 0)
        return "panic: nobody is usable, so everybody gets requests";
    if (zone->view.n == 0)
        return "nobody in it is usable";
    if (zone->lenient)
        return "few are left: those whose success rate is low get requests, too";
    if (cluster->conf->policy.spill.weighted && !cluster->by_key)
        return "localities share by weight";
    if (zone_kept_percent(cluster, zone) >= 100)
        return "";
    snprintf(out, FAULT_TEXT, "%s%s%s", zone->n_usable < zone->n ? "not all of its endpoints are usable" : "",
             zone->n_usable < zone->n && loaded ? "; " : "", loaded ? "it has more to do than it can" : "");
    return out;
}

static void write_zone(struct json_writer *w, const struct cluster *cluster, const struct zone *zone)
{
    char why[FAULT_TEXT];

    json_begin(w, '{');
    json_put_text(w, "zone", zone->name);
    json_key(w, "own");
    json_bool(w, zone->is_own);
    json_put_number(w, "priority", zone->priority);
    json_put_number(w, "priority_percent", percent_of_priority(cluster, zone));
    json_key(w, "degraded");
    json_bool(w, zone->is_degraded);
    json_put_number(w, "weight", zone->weight);
    json_put_number(w, "weight_percent", zone->weight > 0 ? zone_weight_percent(cluster, zone) : 0);
    json_put_number(w, "endpoints", zone->n);
    json_put_number(w, "usable", zone->n_usable);
    json_put_number(w, "candidates", zone->view.n);
    json_put_number(w, "kept_percent", zone->view.n ? zone_kept_percent(cluster, zone) : 0);
    milliseconds(w, "distance_ms", zone->distance_us == UINT64_MAX ? 0 : (float) zone->distance_us);
    json_put_text(w, "reason", why_so_much(cluster, zone, why));
    json_end(w, '}');
}

void cluster_write_zones(struct json_writer *w, const struct cluster *cluster)
{
    json_begin(w, '[');
    LIST_EACH(link, &cluster->all.zones) {
        write_zone(w, cluster, CONTAINER_OF(link, struct zone, link));
    }
    json_end(w, ']');
}

/* ---- where a request would go ---- */

static const struct zone *first_with_anybody(const struct cluster *cluster)
{
    LIST_EACH(link, &cluster->all.zones) {
        const struct zone *zone = CONTAINER_OF(link, struct zone, link);

        if (zone->view.n > 0)
            return zone;
    }
    return NULL;
}

static const struct endpoint *due(const struct cluster *cluster, uint64_t now_us)
{
    LIST_EACH(link, &cluster->troubled) {
        const struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, trouble);
        const struct outlier *outlier = endpoint->outlier;

        if (outlier->state == OUTLIER_DUE || (outlier->state == OUTLIER_ISOLATED && outlier->until_us <= now_us))
            return endpoint;
    }
    return NULL;
}

static void say_zone(const struct cluster *cluster, const struct zone *zone, char out[FAULT_TEXT])
{
    uint32_t kept = zone_kept_percent(cluster, zone);
    int used;

    if (zone->view.n == 1)
        used = snprintf(out, FAULT_TEXT, "sent to %.128s, the only candidate", zone->members[0]->address);
    else
        used = snprintf(out, FAULT_TEXT, "sent to the one of %zu that balance.policy %s picks", zone->view.n,
                        zone->balancer->ops->name);
    if (cluster->all.n_zones > 1)
        used += snprintf(out + used, FAULT_TEXT - (size_t) used, ", in zone %.80s%s",
                         zone->name[0] ? zone->name : "\"\"", zone->is_own ? ", the own one" : "");
    if (cluster->all.n_zones > 1 && kept < 100)
        used += snprintf(out + used, FAULT_TEXT - (size_t) used, "; it keeps %u %%, the rest is passed on", kept);
    if (cluster->n_usable == 0)
        snprintf(out + used, FAULT_TEXT - (size_t) used, ", though it is not usable: nobody is");
}

static void say_nobody(const struct cluster *cluster, char out[FAULT_TEXT])
{
    struct fault fault;
    int32_t err = cluster_nobody(cluster, &fault);

    if (err == MESH_ERR_AGAIN)
        snprintf(out, FAULT_TEXT, "held until its endpoints are known (source: %s)", cluster->set->source);
    else
        snprintf(out, FAULT_TEXT, "refused: %s: %.250s", error_name(err), fault.text);
}

void cluster_write_decision(struct json_writer *w, const struct cluster *cluster)
{
    const struct zone *zone = first_with_anybody(cluster);
    const struct endpoint *tried_out = due(cluster, loop_now_us(cluster->env.loop));
    char sentence[FAULT_TEXT];

    if (!zone)
        say_nobody(cluster, sentence);
    else if (tried_out)
        snprintf(sentence, sizeof sentence,
                 "sent to %s: its isolation is over, and one attempt finds out whether it is well", tried_out->address);
    else
        say_zone(cluster, zone, sentence);
    json_put_text(w, "decision", sentence);
}

/* ---- budgets ---- */

static void write_limit(struct json_writer *w, const char *name, uint64_t used, uint64_t most)
{
    json_key(w, name);
    json_begin(w, '{');
    json_put_number(w, "used", used);
    json_put_number(w, "most", most);
    json_end(w, '}');
}

void cluster_write_refused(struct json_writer *w, const struct cluster *cluster)
{
    const struct admission_shared *admission = &cluster->shared->admission;

    json_key(w, "refused");
    json_begin(w, '{');
    for (int i = 0; i < ADMISSION_REFUSALS; i++)
        json_put_number(w, admission_refusal_name((enum admission_refusal) i), atomic_load(&admission->refused[i]));
    json_end(w, '}');
}

/* What the control plane wants to be dropped, and what was. */
static void write_drops(struct json_writer *w, const struct cluster *cluster)
{
    const struct model_endpoints *set = cluster->set;

    json_key(w, "drops");
    json_begin(w, '[');
    for (size_t i = 0; i < set->n_drops; i++) {
        json_begin(w, '{');
        json_put_text(w, "category", set->drops[i].category);
        json_put_number(w, "per_million", set->drops[i].per_million);
        json_put_number(w, "dropped", load_dropped(cluster->shared, set->drops[i].category));
        json_end(w, '}');
    }
    json_end(w, ']');
}

void cluster_write_budgets(struct json_writer *w, const struct cluster *cluster)
{
    const struct policy *policy = &cluster->conf->policy;
    const struct admission_shared *admission = &cluster->shared->admission;
    struct budget_limits limits = { policy->retry.budget_percent, policy->retry.budget_per_second,
                                    policy->retry.budget_min };
    uint64_t now = loop_now_us(cluster->env.loop), allowed;
    uint64_t spent = budget_look(&cluster->shared->budget, &limits, now, &allowed);

    json_begin(w, '{');
    write_limit(w, "requests", atomic_load(&admission->active[ADMISSION_DEFAULT]), policy->breaker.max_requests);
    write_limit(w, "pending", atomic_load(&admission->pending[ADMISSION_DEFAULT]), policy->breaker.max_pending);
    write_limit(w, "connections", atomic_load(&cluster->shared->limits.connections), policy->breaker.max_connections);
    write_limit(w, "retries", spent, allowed);
    if (policy->concurrency.adaptive)
        write_limit(w, "concurrency", cluster->gate.concurrency.active,
                    concurrency_limit(&cluster->gate.concurrency, &policy->concurrency));
    json_key(w, "mostly_succeeds");
    json_bool(w, budget_mostly_succeeds(&cluster->shared->budget, now));
    cluster_write_refused(w, cluster);
    write_drops(w, cluster);
    json_end(w, '}');
}
