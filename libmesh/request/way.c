/* SPDX-License-Identifier: Apache-2.0 */
/* What the route of a request has happen to it before it is sent: https demanded, injected faults, rate limits, answers that the
 * route gives itself. What comes from a peer in Envoy's place - aborts, redirects, direct responses - is an answer with a status;
 * what the library refuses - no cluster, a rate limit - is an error. */
#include "request/request.h"

#include <string.h>

#include "request/state.h"

static const char *route_name(const struct request *request)
{
    return request->way.route->name;
}

/* "xds:users" is called "users". */
static const char *label_of(const char *key)
{
    return text_starts_with(key, "xds:") ? key + strlen("xds:") : key;
}

struct route_facts way_facts(const struct request *request, const struct route_request *what)
{
    const struct endpoint *endpoint = request->attempt.endpoint;
    const char *spoken = endpoint && endpoint->pool ? pool_state(endpoint->pool).protocol : "";

    return (struct route_facts){
        .request = what,
        .cluster = request->conf ? request->conf->label : NULL,
        .endpoint = endpoint ? endpoint->address : NULL,
        .protocol = strcmp(spoken, "h2") == 0 ? "HTTP/2" : (*spoken ? "HTTP/1.1" : NULL),
        .route = request->way.route->name,
        .wall_ms = clock_wall_us() / US_PER_MS,
    };
}

void way_forget(struct request *request)
{
    if (!request->way.routes)
        return;
    faults_end(&request->way.route->rules, request->dealt.counted);
    model_routes_unref(request->way.routes);
    request->way = (struct request_way){ 0 };
}

/* ---- what it ends with ---- */

static void fail_without_cluster(struct request *request, const struct route_choice *choice)
{
    const struct route_target *target = choice->target;
    struct fault *fault = &request->response->fault;
    const char *key = target->cluster ? target->cluster : choice->by_header;

    if (*key)
        fault_set(fault, MESH_ERR_NO_ROUTE,
                  "route \"%.80s\" goes to cluster \"%.80s\", which the control plane does not give",
                  route_name(request), label_of(key));
    else
        fault_set(fault, MESH_ERR_NO_ROUTE,
                  "route \"%.80s\" goes to the cluster that the header \"%.60s\" names: it names none",
                  route_name(request), target->cluster_header);
    request->flags |= FLAG_NO_CLUSTER;
    request_fail_later(request, MESH_ERR_NO_ROUTE);
}

static void refuse(struct request *request)
{
    const struct route *route = request->way.route;

    fault_set(&request->response->fault, MESH_ERR_NO_ROUTE, "route \"%.80s\" takes no requests: %.160s", route->name,
              route->refused ? route->refused : "the control plane wants it so");
    request_fail_later(request, MESH_ERR_NO_ROUTE);
}

static void redirect(struct request *request)
{
    const struct route *route = request->way.route;
    struct route_request what = request_what(request);
    struct answer answer = { "a redirect", route->redirect.status, GRPC_STATUS_NONE, NULL, 0, NULL };
    char *location = NULL;
    int32_t err = route_redirect_location(route, &what, "http", &location);

    if (err) {
        fault_set(&request->response->fault, err, "route \"%.80s\": no location to redirect to: %s", route->name,
                  error_text(err));
        request_fail_later(request, err);
        return;
    }
    answer.location = location;
    answer_locally(request, &answer);
    mem_free(location);
}

static void answer_directly(struct request *request)
{
    const struct route *route = request->way.route;
    struct answer answer = { "a direct response", route->answer_status, GRPC_STATUS_NONE,
                             route->answer_body,  route->answer_len,    NULL };

    answer_locally(request, &answer);
}

/* What a proxy does with a plain request: here it is one that would leave on plain connections. */
static void redirect_to_https(struct request *request)
{
    struct answer answer = {
        "a redirect to https, which its virtual host demands", 301, GRPC_STATUS_NONE, NULL, 0, NULL
    };
    struct buf location = { 0 };

    buf_printf(&location, "https://%s%s", request_authority(request), request->ask.path);
    if (!buf_append(&location, "", 1)) {
        buf_free(&location);
        request_fail_later(request, fault_set(&request->response->fault, MESH_ERR_NOMEM, "out of memory"));
        return;
    }
    answer.location = (const char *) buf_bytes(&location);
    answer_locally(request, &answer);
    buf_free(&location);
}

static void abort_it(struct request *request)
{
    static const char text[] = "fault filter abort";
    const struct faults_dealt *dealt = &request->dealt;
    struct answer answer = { "an injected fault", dealt->status, GRPC_STATUS_NONE, text, strlen(text), NULL };

    if (dealt->status == 0) {
        answer.status = told_http_status((int) dealt->grpc_status);
        answer.grpc_status = (int) dealt->grpc_status;
    }
    request->flags |= FLAG_FAULT_INJECTED;
    answer_locally(request, &answer);
}

/* ---- its course ---- */

/* False: it is refused. A limit that is not enforced takes its token all the same. */
static bool pass_limit(struct request *request, const struct route_limit *limit)
{
    const struct route_bucket *bucket = &request->way.routes->buckets[limit->bucket];
    struct rand *dice = loop_rand(request->env->loop);

    if (!route_fraction_hits(&limit->enabled, rand_u64(dice)) ||
        limits_take(request->env->limits, bucket, loop_now_us(request->env->loop)) ||
        !route_fraction_hits(&limit->enforced, rand_u64(dice)))
        return true;
    fault_set(&request->response->fault, MESH_ERR_RATE_LIMITED,
              "the local rate limit of route \"%.80s\": %u at once, %u more each %llu ms; nothing was sent",
              route_name(request), bucket->most, bucket->per_fill, (unsigned long long) (bucket->fill_us / US_PER_MS));
    return false;
}

static bool pass_limits(struct request *request)
{
    const struct route_rules *rules = &request->way.route->rules;

    for (size_t i = 0; i < rules->n_limits; i++)
        if (!pass_limit(request, &rules->limits[i]))
            return false;
    return true;
}

static void go_on(struct request *request)
{
    if (request->dealt.aborts) {
        abort_it(request);
        return;
    }
    if (!pass_limits(request)) {
        request_fail_later(request, MESH_ERR_RATE_LIMITED);
        return;
    }
    switch (request->way.route->action) {
    case ROUTE_FORWARD:
        home_settle(request);
        return;
    case ROUTE_REDIRECT:
        redirect(request);
        return;
    case ROUTE_ANSWER:
        answer_directly(request);
        return;
    case ROUTE_REFUSE:
        break;
    }
    refuse(request);
}

static void on_delay_over(struct loop_timer *timer)
{
    go_on(CONTAINER_OF(timer, struct request, pause));
}

static void deal_faults(struct request *request)
{
    struct route_request what = request_what(request);

    faults_deal(&request->way.route->rules, &what, request->conf ? request->conf->name : NULL,
                loop_rand(request->env->loop), &request->dealt);
}

static bool must_be_https(const struct request *request)
{
    return request->way.host->https_only && request->conf && !model_protocol_tls(request->conf->protocol);
}

static void note(const struct request *request)
{
    const struct request_way *way = &request->way;
    struct trace_way traced = { way->host->name, way->route->name, request->conf ? request->conf->label : "", 0, 0 };

    if (way->target && way->route->n_targets > 1) {
        traced.weight = way->target->weight;
        traced.total_weight = way->route->total_weight;
    }
    trace_routed(request->trace, &traced);
}

void way_begin(struct request *request, const struct route_choice *choice)
{
    request->way = (struct request_way){ choice->routes, choice->host, choice->route, choice->target };
    note(request);
    if (choice->target && !request->cluster) {
        fail_without_cluster(request, choice);
        return;
    }
    if (must_be_https(request)) {
        redirect_to_https(request);
        return;
    }
    if (choice->route->rules.n_faults > 0)
        deal_faults(request);
    if (request->dealt.delay_us == 0) {
        go_on(request);
        return;
    }
    request->flags |= FLAG_DELAY_INJECTED;
    request_pause(request, on_delay_over, loop_now_us(request->env->loop) + request->dealt.delay_us);
}
