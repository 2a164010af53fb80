/* SPDX-License-Identifier: Apache-2.0 */
/* One request at the door of its cluster: who is asked, in which order, and what each says when it refuses. */
#include "cluster/admission.h"

#include "cluster/cluster.h"

const char *admission_refusal_name(enum admission_refusal refusal)
{
    static const char *const names[] = {
        "max_requests", "max_pending", "throttle", "rate_limit", "concurrency", "drop"
    };

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

static void give_token_back(const struct admission *admission)
{
    rate_limit_give_back(&shared_of(admission)->rate_limit, &policy_of(admission)->rate_limit);
}

/* ---- adaptive concurrency ---- */

static struct admission_gate *gate_of(const struct admission *admission)
{
    return &admission->cluster->gate;
}

static uint32_t most_queued(const struct cluster *cluster)
{
    return concurrency_limit(&cluster->gate.concurrency, &cluster->conf->policy.concurrency) / 2;
}

/* Counts it if there is room, or no limit any more. */
static bool run_now(struct admission *admission)
{
    const struct policy_concurrency *policy = &policy_of(admission)->concurrency;

    admission->is_concurrent = policy->adaptive && concurrency_enter(&gate_of(admission)->concurrency, policy);
    return admission->is_concurrent || !policy->adaptive;
}

static void leave_queue(struct admission *admission)
{
    list_remove(&admission->link);
    gate_of(admission)->n_queued--;
    loop_timer_cancel(admission->cluster->env.loop, &admission->patience);
}

static void leave_concurrency(struct admission *admission)
{
    struct admission_gate *gate = gate_of(admission);

    if (!admission->is_concurrent)
        return;
    admission->is_concurrent = false;
    concurrency_leave(&gate->concurrency);
    if (gate->n_queued > 0)
        loop_defer(admission->cluster->env.loop, &gate->serve);
}

static int32_t refuse_concurrency(const struct admission *admission, struct fault *fault)
{
    const struct policy_concurrency *policy = &policy_of(admission)->concurrency;
    const struct admission_gate *gate = gate_of(admission);

    fault_set(fault, MESH_ERR_OVERFLOW,
              "as many requests run as concurrency.adaptive has found to be good, %u, and %u wait; nothing was sent",
              concurrency_limit(&gate->concurrency, policy), gate->n_queued);
    return refused(admission, REFUSED_BY_CONCURRENCY, MESH_ERR_OVERFLOW);
}

static void on_patience_over(struct loop_timer *timer)
{
    struct admission *admission = CONTAINER_OF(timer, struct admission, patience);
    struct fault fault;
    int32_t err = refuse_concurrency(admission, &fault);

    admission_leave(admission);
    admission->on_decided(admission, err, &fault);
}

/* How long it may wait: a quarter of what its time leaves, at most. */
static uint64_t patience_us(const struct admission *admission, uint64_t now)
{
    uint64_t wait = policy_of(admission)->concurrency.queue_ms * US_PER_MS, left;

    if (admission->ends_us == 0)
        return wait;
    left = admission->ends_us > now ? admission->ends_us - now : 0;
    return wait < left / 4 ? wait : left / 4;
}

static int32_t enter_concurrency(struct admission *admission, struct fault *fault)
{
    struct admission_gate *gate = gate_of(admission);
    struct loop *loop = admission->cluster->env.loop;
    uint64_t wait;

    if ((gate->n_queued == 0 || !policy_of(admission)->concurrency.adaptive) && run_now(admission))
        return 0;
    wait = patience_us(admission, loop_now_us(loop));
    if (wait == 0 || gate->n_queued >= most_queued(admission->cluster))
        return refuse_concurrency(admission, fault);
    gate->n_queued++;
    list_push_back(&gate->queue, &admission->link);
    admission->patience.on_due = on_patience_over;
    loop_timer_set(loop, &admission->patience, loop_now_us(loop) + wait);
    return MESH_ERR_AGAIN;
}

/* While the queue is full who came last is first: who came first will have given up before its turn, and served in order all
 * would wait as long as they can. */
static struct admission *next_in_queue(const struct cluster *cluster)
{
    const struct admission_gate *gate = &cluster->gate;
    bool full = gate->n_queued >= most_queued(cluster);

    return CONTAINER_OF(full ? gate->queue.prev : gate->queue.next, struct admission, link);
}

static void on_serve(struct loop_later *later)
{
    struct cluster *cluster = CONTAINER_OF(later, struct cluster, gate.serve);

    while (cluster->gate.n_queued > 0) {
        struct admission *next = next_in_queue(cluster);

        if (!run_now(next))
            return;
        leave_queue(next);
        next->on_decided(next, 0, NULL);
    }
}

/* ---- what the control plane wants not to be sent ---- */

int32_t admission_pass_drops(struct cluster *cluster, uint16_t origin, struct fault *fault)
{
    const struct model_drop *drop = cluster->set->n_drops > 0 ? load_drop(cluster, origin) : NULL;

    if (!drop)
        return 0;
    atomic_fetch_add_explicit(&cluster->shared->admission.refused[REFUSED_BY_DROP], 1, memory_order_relaxed);
    return fault_set(fault, MESH_ERR_THROTTLED,
                     "the control plane wants %u.%04u %% to be dropped (category \"%.80s\"); nothing was sent",
                     drop->per_million / 10000, drop->per_million % 10000, drop->category);
}

/* ---- what attempts tell ---- */

bool admission_listens(const struct admission *admission)
{
    return admission->cluster &&
           (policy_of(admission)->throttle.adaptive || policy_of(admission)->concurrency.adaptive);
}

void admission_turned_away(const struct admission *admission)
{
    tell_throttle(admission, throttle_turned_away);
    if (policy_of(admission)->concurrency.adaptive)
        concurrency_turned_away(&gate_of(admission)->concurrency, &policy_of(admission)->concurrency,
                                loop_now_us(admission->cluster->env.loop));
}

void admission_answered(const struct admission *admission, uint64_t latency_us)
{
    if (policy_of(admission)->concurrency.adaptive)
        concurrency_answered(&gate_of(admission)->concurrency, &policy_of(admission)->concurrency, latency_us,
                             loop_now_us(admission->cluster->env.loop));
}

void admission_streams(struct admission *admission)
{
    if (admission->cluster)
        leave_concurrency(admission);
}

/* ---- the door ---- */

int32_t admission_enter(struct admission *admission, struct cluster *cluster, struct fault *fault)
{
    int32_t err;

    admission->cluster = cluster;
    err = admission_pass_drops(cluster, 0, fault);
    if (!err)
        err = enter_breaker(admission, fault);
    if (err) {
        admission->cluster = NULL;
        return err;
    }
    err = pass_throttle(admission, fault);
    if (!err)
        err = take_token(admission, fault);
    if (!err) {
        err = enter_concurrency(admission, fault);
        if (err == MESH_ERR_OVERFLOW)
            give_token_back(admission);
    }
    if (err && err != MESH_ERR_AGAIN)
        admission_leave(admission);
    return err;
}

void admission_leave(struct admission *admission)
{
    if (!admission->cluster)
        return;
    if (list_linked(&admission->link)) {
        leave_queue(admission);
        give_token_back(admission);
    }
    leave_concurrency(admission);
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

void admission_open(struct cluster *cluster)
{
    list_init(&cluster->gate.queue);
    cluster->gate.serve.run = on_serve;
}

void admission_close(struct cluster *cluster)
{
    loop_undefer(&cluster->gate.serve);
}

void admission_adopt(struct cluster *cluster)
{
    loop_defer(cluster->env.loop, &cluster->gate.serve);
    rate_limit_adopt(&cluster->shared->admission.rate_limit, &cluster->conf->policy.rate_limit,
                     loop_now_us(cluster->env.loop));
}
