/* SPDX-License-Identifier: Apache-2.0 */
/* One request at the door of its cluster: who is asked, in which order, and what each says when it refuses. */
#include "cluster/admission.h"

#include "cluster/cluster.h"

const char *admission_refusal_name(enum admission_refusal refusal)
{
    static const char *const names[] = { "max_requests", "max_pending", "rate_limit" };

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

void admission_adopt(struct cluster *cluster)
{
    rate_limit_adopt(&cluster->shared->admission.rate_limit, &cluster->conf->policy.rate_limit,
                     loop_now_us(cluster->env.loop));
}
