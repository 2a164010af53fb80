/* SPDX-License-Identifier: Apache-2.0 */
/* Who checks, when, and what becomes of what a check has found. */
#include "cluster/checker.h"

static const struct check_ops *const kinds[] = {
    [HEALTH_HTTP] = &check_http,
    [HEALTH_GRPC] = &check_http,
    [HEALTH_TCP] = &check_tcp,
};

static void on_due(struct loop_timer *timer);
static void on_too_late(struct loop_timer *timer);

/* ---- what all loops read ---- */

static void publish(struct endpoint *endpoint, enum health_state state, const char *why)
{
    struct cluster_shared *shared = endpoint->cluster->shared;
    struct endpoint_stats *stats = endpoint->stats;
    char *text = why ? mem_strdup(why) : NULL, *text_before;
    uint32_t before;

    pthread_mutex_lock(&shared->lock);
    text_before = stats->health_why;
    stats->health_why = text;
    pthread_mutex_unlock(&shared->lock);
    mem_free(text_before);
    before = atomic_exchange(&stats->health, state);
    if ((before == HEALTH_UNHEALTHY) == (state == HEALTH_UNHEALTHY))
        return; /* usable as before */
    atomic_fetch_add(&shared->health_version, 1);
    cluster_health_changed(endpoint->cluster);
}

enum health_state endpoint_health(const struct endpoint *endpoint, char why[FAULT_TEXT])
{
    pthread_mutex_lock(&endpoint->cluster->shared->lock);
    text_copy(why, FAULT_TEXT, endpoint->stats->health_why ? endpoint->stats->health_why : "");
    pthread_mutex_unlock(&endpoint->cluster->shared->lock);
    return atomic_load(&endpoint->stats->health);
}

bool checker_has_news(const struct cluster *cluster)
{
    return atomic_load_explicit(&cluster->shared->health_version, memory_order_relaxed) != cluster->health_seen;
}

/* ---- one check after the other ---- */

static void wait_for_next(struct check *check, uint64_t wait_us)
{
    check->timer.on_due = on_due;
    loop_timer_set(check_loop(check), &check->timer, loop_now_us(check_loop(check)) + wait_us);
}

static void stop(struct check *check)
{
    loop_timer_cancel(check_loop(check), &check->timer);
    if (!check->ops)
        return;
    check->ops->end(check);
    check->ops = NULL;
    model_cluster_unref(check->conf);
    check->conf = NULL;
}

static void on_due(struct loop_timer *timer)
{
    struct check *check = CONTAINER_OF(timer, struct check, timer);
    struct cluster *cluster = check->endpoint->cluster;
    const struct policy_health *conf = &cluster->conf->policy.health;
    struct fault fault = { 0 };

    if (check->endpoint->spare || check->endpoint->unchecked) {
        wait_for_next(check, health_wait_us(conf, loop_rand(cluster->env.loop)));
        return;
    }
    check->conf = model_cluster_ref(cluster->conf);
    check->ops = kinds[conf->kind];
    check->timer.on_due = on_too_late;
    loop_timer_set(cluster->env.loop, &check->timer, loop_now_us(cluster->env.loop) + conf->timeout_ms * US_PER_MS);
    if (check->ops->begin(check, &fault) != 0)
        check_ended(check, HEALTH_UNTOLD, &fault);
}

/* The endpoint's connections are well, and too few for what our side asks of it. */
static bool waits_for_a_place(const struct check *check)
{
    return check->lease.pool && pool_state(check->lease.pool).health == POOL_CONNECTED;
}

static void on_too_late(struct loop_timer *timer)
{
    struct check *check = CONTAINER_OF(timer, struct check, timer);
    enum health_verdict verdict = waits_for_a_place(check) ? HEALTH_UNTOLD : HEALTH_FAILED;
    struct fault fault;

    fault_set(&fault, MESH_ERR_TIMEOUT, "no answer within health.timeout_ms %u", check->conf->policy.health.timeout_ms);
    check_ended(check, verdict, &fault);
}

static void tell(const struct check *check, const char *event, int32_t level, const char *why)
{
    const struct cluster *cluster = check->endpoint->cluster;

    OBSERVE(cluster->env.observe, level, event, FIELD_TEXT("cluster", cluster->conf->label),
            FIELD_TEXT("endpoint", check->endpoint->address), FIELD_TEXT("detail", why));
}

static void on_change(struct check *check, enum health_state before, const char *why)
{
    if (check->health.state == HEALTH_UNHEALTHY)
        tell(check, "endpoint_unhealthy", MESH_LOG_WARN, why);
    else if (before == HEALTH_UNHEALTHY)
        tell(check, "endpoint_healthy", MESH_LOG_INFO, why);
}

void check_ended(struct check *check, enum health_verdict verdict, const struct fault *why)
{
    const char *text = verdict == HEALTH_PASSED ? "the check passed" : why->text;
    enum health_state before = check->health.state;
    bool changed = health_judge(&check->health, &check->conf->policy.health, verdict);

    if (verdict != HEALTH_PASSED)
        tell(check, "health_check_failed", MESH_LOG_DEBUG, text);
    if (changed)
        on_change(check, before, text);
    if (verdict != HEALTH_UNTOLD && (changed || check->health.state == HEALTH_UNHEALTHY))
        publish(check->endpoint, check->health.state, verdict == HEALTH_PASSED ? NULL : text);
    if (verdict == HEALTH_PASSED && check->health.state == HEALTH_HEALTHY)
        endpoint_check_passed(check->endpoint);
    stop(check); /* only now: `why` may belong to what ends here */
    wait_for_next(check, health_wait_us(&check->endpoint->cluster->conf->policy.health, loop_rand(check_loop(check))));
}

static bool is_ours(int32_t err)
{
    return err == MESH_ERR_NOMEM || err == MESH_ERR_IO || err == MESH_ERR_OVERFLOW || err == MESH_ERR_CLOSING;
}

void check_got_nothing(struct check *check, const struct fault *why)
{
    check_ended(check, is_ours(why->code) ? HEALTH_UNTOLD : HEALTH_FAILED, why);
}

void check_free(struct check *check)
{
    if (!check)
        return;
    stop(check);
    check->endpoint->check = NULL;
    mem_free(check);
}

/* ---- which loop checks ---- */

/* Out of memory: with the next configuration, or the next news. */
static void begin(struct endpoint *endpoint)
{
    struct check *check = mem_zalloc(sizeof *check);

    if (!check)
        return;
    check->endpoint = endpoint;
    check->health.state = atomic_load(&endpoint->stats->health); /* of who checked before */
    endpoint->check = check;
    wait_for_next(check, health_first_wait_us(&endpoint->cluster->conf->policy.health, loop_rand(check_loop(check))));
}

/* An interval that was shortened is not waited for once more. */
static void follow_conf(struct check *check)
{
    const struct policy_health *conf = &check->endpoint->cluster->conf->policy.health;
    uint64_t wait = health_wait_us(conf, loop_rand(check_loop(check)));

    if (!check->ops && check->timer.due_us > loop_now_us(check_loop(check)) + wait)
        wait_for_next(check, wait);
}

static bool claim(struct cluster *cluster)
{
    struct cluster *nobody = NULL;

    return atomic_compare_exchange_strong(&cluster->shared->checker, &nobody, cluster) || nobody == cluster;
}

void checker_end(struct cluster *cluster)
{
    struct cluster *self = cluster;

    if (atomic_load(&cluster->shared->checker) != cluster)
        return;
    LIST_EACH(link, &cluster->endpoints) {
        check_free(CONTAINER_OF(link, struct endpoint, link)->check);
    }
    if (atomic_compare_exchange_strong(&cluster->shared->checker, &self, NULL))
        atomic_fetch_add(&cluster->shared->health_version, 1);
}

/* What was found while there were checks holds no longer. */
static void forget_findings(struct cluster *cluster)
{
    LIST_EACH(link, &cluster->endpoints) {
        publish(CONTAINER_OF(link, struct endpoint, link), HEALTH_UNKNOWN, NULL);
    }
}

void checker_attend(struct cluster *cluster)
{
    bool on = cluster->conf->policy.health.kind != HEALTH_OFF;

    cluster->health_seen = atomic_load(&cluster->shared->health_version);
    if (!on && atomic_load(&cluster->shared->checker) == cluster) {
        forget_findings(cluster);
        checker_end(cluster);
    }
    if (!on || cluster->draining || !claim(cluster))
        return;
    LIST_EACH(link, &cluster->endpoints) {
        struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, link);

        if (endpoint->check)
            follow_conf(endpoint->check);
        else
            begin(endpoint);
    }
    loop_attend(cluster->env.loop); /* also when nobody calls */
}
