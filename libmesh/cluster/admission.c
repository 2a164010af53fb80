/* SPDX-License-Identifier: Apache-2.0 */
/* One request at the door of its cluster: who is asked, in which order, and what each says when it refuses. */
#include "cluster/admission.h"

#include "cluster/cluster.h"

const char *admission_refusal_name(enum admission_refusal refusal)
{
    static const char *const names[] = { "max_requests", "max_pending", "throttle", "rate_limit" };

    return names[refusal];
}

static struct admission_shared *shared_of(const struct admission *admission)
{
    return &admission->cluster->shared->admission;
}

static const struct policy *policy_of(const struct admission *admission)
{
    return &admission->cluster->conf->policy;
}

static int32_t refused(const struct admission *admission, enum admission_refusal by, int32_t err)
{
    atomic_fetch_add_explicit(&shared_of(admission)->refused[by], 1, memory_order_relaxed);
    return err;
}

/* ---- the circuit breaker ---- */

static unsigned priority_of(const struct admission *admission)
{
    return admission->criticality == CRITICALITY_CRITICAL_PLUS ? ADMISSION_HIGH : ADMISSION_DEFAULT;
}

static bool count(_Atomic uint32_t *counter, uint32_t most)
{
    if (atomic_fetch_add_explicit(counter, 1, memory_order_relaxed) < most)
        return true;
    atomic_fetch_sub_explicit(counter, 1, memory_order_relaxed);
    return false;
}

static int32_t enter_breaker(const struct admission *admission, struct fault *fault)
{
    const struct policy_breaker *policy = &policy_of(admission)->breaker;
    bool high = priority_of(admission) == ADMISSION_HIGH;
    uint32_t most = high ? policy->high_max_requests : policy->max_requests;

    if (count(&shared_of(admission)->active[priority_of(admission)], most))
        return 0;
    fault_set(fault, MESH_ERR_OVERFLOW, "its breaker.%smax_requests %u is reached; nothing was sent",
              high ? "high_" : "", most);
    return refused(admission, REFUSED_BY_REQUESTS, MESH_ERR_OVERFLOW);
}

static void leave_breaker(const struct admission *admission)
{
    atomic_fetch_sub_explicit(&shared_of(admission)->active[priority_of(admission)], 1, memory_order_relaxed);
}

int32_t admission_enter_waiting(const struct admission *admission, struct fault *fault)
{
    const struct policy_breaker *policy = &policy_of(admission)->breaker;
    bool high = priority_of(admission) == ADMISSION_HIGH;
    uint32_t most = high ? policy->high_max_pending : policy->max_pending;

    if (count(&shared_of(admission)->pending[priority_of(admission)], most))
        return 0;
    fault_set(fault, MESH_ERR_OVERFLOW, "its breaker.%smax_pending %u is reached; nothing was sent",
              high ? "high_" : "", most);
    return refused(admission, REFUSED_BY_PENDING, MESH_ERR_OVERFLOW);
}

void admission_leave_waiting(const struct admission *admission)
{
    atomic_fetch_sub_explicit(&shared_of(admission)->pending[priority_of(admission)], 1, memory_order_relaxed);
}

/* ---- throttling ---- */

static struct admission_throttles *throttles_new(void)
{
    struct admission_throttles *throttles = mem_zalloc(sizeof *throttles);

    if (throttles)
        pthread_mutex_init(&throttles->lock, NULL);
    return throttles;
}

static void throttles_free(struct admission_throttles *throttles)
{
    if (!throttles)
        return;
    pthread_mutex_destroy(&throttles->lock);
    mem_free(throttles);
}

static bool is_held_back(const struct admission *admission)
{
    const struct policy_throttle *policy = &policy_of(admission)->throttle;
    struct admission_throttles *throttles = shared_of(admission)->throttles;
    struct loop *loop = admission->cluster->env.loop;
    bool held_back;

    pthread_mutex_lock(&throttles->lock);
    held_back = throttle_holds_back(&throttles->by_criticality[admission->criticality], policy, admission->criticality,
                                    loop_now_us(loop), loop_rand(loop));
    pthread_mutex_unlock(&throttles->lock);
    return held_back;
}

static int32_t pass_throttle(const struct admission *admission, struct fault *fault)
{
    if (!policy_of(admission)->throttle.adaptive || !is_held_back(admission))
        return 0;
    fault_set(fault, MESH_ERR_THROTTLED,
              "throttle.adaptive spares it some of the %s requests, since it turned many away lately; nothing was sent",
              policy_criticality_name(admission->criticality));
    return refused(admission, REFUSED_BY_THROTTLE, MESH_ERR_THROTTLED);
}

bool admission_listens(const struct admission *admission)
{
    return admission->cluster && policy_of(admission)->throttle.adaptive;
}

static void tell_throttle(const struct admission *admission, void (*tell)(struct throttle *throttle, uint64_t now_us))
{
    struct admission_throttles *throttles = shared_of(admission)->throttles;

    if (!policy_of(admission)->throttle.adaptive)
        return;
    pthread_mutex_lock(&throttles->lock);
    tell(&throttles->by_criticality[admission->criticality], loop_now_us(admission->cluster->env.loop));
    pthread_mutex_unlock(&throttles->lock);
}

void admission_sent(const struct admission *admission)
{
    tell_throttle(admission, throttle_sent);
}

void admission_turned_away(const struct admission *admission)
{
    tell_throttle(admission, throttle_turned_away);
}

/* ---- the rate limit ---- */

static int32_t take_token(const struct admission *admission, struct fault *fault)
{
    const struct policy_rate_limit *policy = &policy_of(admission)->rate_limit;
    uint64_t now = loop_now_us(admission->cluster->env.loop);

    if (rate_limit_take(&shared_of(admission)->rate_limit, policy, now))
        return 0;
    fault_set(fault, MESH_ERR_RATE_LIMITED, "its rate_limit.per_second %u (burst %u) is used up; nothing was sent",
              policy->per_second, rate_limit_burst(policy));
    return refused(admission, REFUSED_BY_RATE_LIMIT, MESH_ERR_RATE_LIMITED);
}

/* ---- the door ---- */

int32_t admission_enter(struct admission *admission, struct cluster *cluster, struct fault *fault)
{
    int32_t err;

    admission->cluster = cluster;
    err = enter_breaker(admission, fault);
    if (err) {
        admission->cluster = NULL;
        return err;
    }
    err = pass_throttle(admission, fault);
    if (!err)
        err = take_token(admission, fault);
    if (err)
        admission_leave(admission);
    return err;
}

void admission_leave(struct admission *admission)
{
    if (!admission->cluster)
        return;
    leave_breaker(admission);
    admission->cluster = NULL;
}

int32_t admission_prepare(struct cluster_shared *shared, const struct policy *policy)
{
    struct admission_throttles *none = NULL, *throttles;

    if (!policy->throttle.adaptive || shared->admission.throttles)
        return 0;
    throttles = throttles_new();
    if (!throttles)
        return MESH_ERR_NOMEM;
    if (!atomic_compare_exchange_strong(&shared->admission.throttles, &none, throttles))
        throttles_free(throttles); /* another loop was first */
    return 0;
}

void admission_shared_free(struct admission_shared *shared)
{
    throttles_free(shared->throttles);
}

void admission_adopt(struct cluster *cluster)
{
    rate_limit_adopt(&cluster->shared->admission.rate_limit, &cluster->conf->policy.rate_limit,
                     loop_now_us(cluster->env.loop));
}
