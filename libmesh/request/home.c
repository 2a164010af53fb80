/* SPDX-License-Identifier: Apache-2.0 */
/* The beginning of a request: where it goes, and whether its cluster takes it. */
#include "request/request.h"

#include "request/state.h"

struct route_request request_what(const struct request *request)
{
    const struct request_ask *ask = &request->ask;

    return (struct route_request){
        .service = ask->service,
        .method = ask->method,
        .path = ask->path,
        .authority = ask->authority || !request->way.routes ? ask->authority : request->way.routes->authority,
        .headers = ask->headers,
        .n_headers = ask->n_headers,
        .dice = rand_u64(loop_rand(request->env->loop)),
        .channel = request->env->channel,
    };
}

/* By a route it says whom it is for, as it would to a proxy. */
const char *request_authority(const struct request *request)
{
    if (request->ask.authority)
        return request->ask.authority;
    if (request->way.routes)
        return request->way.routes->authority;
    return request->conf ? request->conf->authority : "";
}

/* ---- its cluster ---- */

/* The time of a route begins when what was injected is over. */
static uint64_t time_allowed(const struct request *request)
{
    if (request->ask.timeout_ms > 0)
        return request->ask.timeout_ms * US_PER_MS;
    return request->rules.timeout_us > 0 ? request->rules.timeout_us + request->dealt.delay_us : 0;
}

static void set_deadline(struct request *request)
{
    uint64_t us = time_allowed(request);
    uint64_t limit = deadline_limit_us(&request->ask.deadline, request->conf->policy.deadline_headers);

    if (us > 0 && us < limit)
        limit = us;
    if (limit == DEADLINE_NONE)
        return;
    request->ends_us = request->began_us + limit;
    loop_timer_set(request->env->loop, &request->deadline, request->ends_us);
}

static void on_admission(struct admission *admission, int32_t err, const struct fault *fault)
{
    struct request *request = CONTAINER_OF(admission, struct request, admission);

    if (!err) {
        request_begin_attempt(request);
        return;
    }
    request->response->fault = *fault;
    request_fail(request, err);
}

static enum policy_criticality criticality_of(const struct request *request)
{
    if (request->ask.has_criticality)
        return request->ask.criticality;
    return request->rules.route->is_critical ? CRITICALITY_CRITICAL_PLUS : request->conf->policy.criticality;
}

static void enter(struct request *request)
{
    int32_t err;

    request->admission.criticality = criticality_of(request);
    request->admission.ends_us = request->ends_us;
    request->admission.on_decided = on_admission;
    err = admission_enter(&request->admission, request->cluster, &request->response->fault);
    if (err == MESH_ERR_AGAIN)
        return;
    if (err)
        request_fail_later(request, err);
    else
        request_begin_attempt(request);
}

void home_settle(struct request *request)
{
    const struct policy *policy = &request->conf->policy;

    request->rules = rules_choose(policy, request->way.routes, request->way.route, &request->ask.deadline);
    request->most = request->ask.max_attempts ? request->ask.max_attempts : request->rules.retry->attempts;
    set_deadline(request);
    if (request->rules.route->n_mirrors > 0)
        mirror_send(request);
    enter(request);
}

/* Its policy is the request's from here on. */
static void take_cluster(struct request *request, struct cluster *cluster)
{
    request->cluster = cluster;
    request->conf = model_cluster_ref(cluster->conf);
}

static void find_home(struct request *request)
{
    struct route_request what = request_what(request);
    struct route_choice choice;
    struct cluster *cluster = NULL;
    int32_t err = request->env->find_home(request->env, &what, &choice, &cluster, &request->response->fault);

    if (err == MESH_ERR_AGAIN) {
        list_push_back(&request->env->homeless, &request->homeless);
        return;
    }
    if (err) {
        request_fail_later(request, err);
        return;
    }
    if (cluster)
        take_cluster(request, cluster);
    if (choice.routes)
        way_begin(request, &choice);
    else
        home_settle(request);
}

/* ---- the beginning ---- */

static void begin_trace(struct request *request)
{
    const struct request_ask *ask = &request->ask;
    struct trace_ask what = { ask->service, ask->method, ask->path, ask->idempotent, ask->chained, ask->explain };

    request->trace = trace_begin(&request->env->traces, &what, request->began_us);
}

static int32_t begin(struct request *request, struct request_env *env)
{
    request->response = response_new_in(&env->blocks);
    if (!request->response)
        return MESH_ERR_NOMEM;
    request->env = env;
    request->began_us = loop_now_us(env->loop);
    request->deadline.on_due = request_on_deadline;
    list_push_back(request->is_shadow ? &env->shadows : &env->running, &request->link);
    return 0;
}

int32_t request_start(struct request *request, struct request_env *env)
{
    int32_t err = begin(request, env);

    if (err)
        return err;
    begin_trace(request);
    request_set_state(request, REQUEST_ROUTING);
    if (request->ask.timeout_ms > 0) {
        request->ends_us = request->began_us + request->ask.timeout_ms * US_PER_MS;
        loop_timer_set(env->loop, &request->deadline, request->ends_us);
    }
    find_home(request);
    return 0;
}

int32_t request_start_at(struct request *request, struct request_env *env, struct cluster *cluster)
{
    int32_t err = begin(request, env);

    if (err) {
        cluster_unref(cluster);
        return err;
    }
    request_set_state(request, REQUEST_ROUTING);
    take_cluster(request, cluster);
    home_settle(request);
    return 0;
}

void request_found_home(struct request *request, int32_t err, const struct fault *fault)
{
    list_remove(&request->homeless);
    if (err) {
        request->response->fault = *fault;
        request_fail_later(request, err);
        return;
    }
    find_home(request);
}
