/* SPDX-License-Identifier: Apache-2.0 */
/* What would happen to a request, and what happened to the last ones, as JSON for people and tools. */
#include <stdlib.h>

#include "client/client.h"
#include "client/know.h"

static int32_t finish(struct json_writer *w, char **out, struct fault *fault)
{
    *out = json_finish(w);
    return *out ? 0 : fault_set(fault, MESH_ERR_NOMEM, "out of memory");
}

/* ---- what would happen ---- */

static const char *what_is_retried(const struct request_ask *ask, const struct policy_retry *retry, bool is_obeyed)
{
    if (retry->attempts == 1 || retry->on == 0)
        return "nothing";
    if (is_obeyed)
        return "what the route's retry policy names, whatever the method";
    return ask->idempotent ? "what retry.on names, also what may have been executed: it is idempotent"
                           : "what was certainly not executed: it is not idempotent";
}

static void write_request(struct json_writer *w, const struct request_ask *ask)
{
    json_put_text(w, "service", ask->service);
    json_put_text(w, "method", ask->method);
    json_put_text(w, "path", ask->path);
    json_key(w, "idempotent");
    json_bool(w, ask->idempotent);
}

static void write_cluster(struct json_writer *w, const char *retried, const struct cluster *cluster)
{
    const struct model_cluster *conf = cluster->conf;

    json_put_text(w, "cluster", conf->label);
    json_put_text(w, "protocol", model_protocol_name(conf->protocol));
    json_put_text(w, "authority", conf->authority);
    json_put_text(w, "state", know_state_name(cluster->set->state));
    json_put_text(w, "source", cluster->set->source);
    know_write_error(w, &cluster->set->fault);
    cluster_write_decision(w, cluster);
    json_put_text(w, "retried", retried);
    json_key(w, "zones");
    cluster_write_zones(w, cluster);
    json_key(w, "endpoints");
    cluster_write_endpoints(w, cluster, true);
    json_key(w, "budgets");
    cluster_write_budgets(w, cluster);
}

/* ---- the route, of a service that a control plane knows ---- */

static const char *what_it_does(const struct route_choice *choice)
{
    switch (choice->route->action) {
    case ROUTE_FORWARD:
        return choice->entry ? "forwards" : "fails: the control plane does not give its cluster";
    case ROUTE_REDIRECT:
        return "redirects";
    case ROUTE_ANSWER:
        return "answers itself";
    case ROUTE_REFUSE:
        break;
    }
    return choice->route->refused ? choice->route->refused : "takes no requests";
}

static void write_route(struct json_writer *w, const struct route_choice *choice)
{
    const struct route_rules *rules = &choice->route->rules;

    json_key(w, "route");
    json_begin(w, '{');
    json_put_text(w, "configuration", choice->routes->name);
    json_put_text(w, "version", choice->routes->version);
    json_put_text(w, "virtual_host", choice->host->name);
    json_put_text(w, "name", choice->route->name);
    json_put_text(w, "action", what_it_does(choice));
    json_put_number(w, "weight", choice->target ? choice->target->weight : 0);
    json_put_number(w, "total_weight", choice->route->total_weight);
    json_put_number(w, "faults", rules->n_faults);
    json_put_number(w, "rate_limits", rules->n_limits);
    json_put_number(w, "mirrors", rules->n_mirrors);
    json_key(w, "retry_policy");
    json_bool(w, rules->retry != NULL);
    json_end(w, '}');
}

static const struct policy_retry *retry_of(const struct knowing *knowing)
{
    const struct policy_retry *retry = knowing->choice.routes ? knowing->choice.route->rules.retry : NULL;

    return retry ? retry : &knowing->cluster->conf->policy.retry;
}

static void write_found(struct json_writer *w, const struct request_ask *ask, const struct knowing *knowing)
{
    const struct policy_retry *retry;

    if (knowing->choice.routes)
        write_route(w, &knowing->choice);
    if (!knowing->cluster)
        return;
    retry = retry_of(knowing);
    write_cluster(w, what_is_retried(ask, retry, retry != &knowing->cluster->conf->policy.retry), knowing->cluster);
}

static void write_policy(struct json_writer *w, struct engine *engine, const char *service)
{
    json_key(w, "policy");
    loop_enter(engine->lanes[0].loop);
    source_describe(engine->source, service, w);
    loop_leave(engine->lanes[0].loop);
}

static int32_t explain(struct engine *engine, const struct request_ask *ask, uint64_t until_us, struct json_writer *w)
{
    struct lane *lane = engine_lane(engine);
    struct knowing knowing = {
        .lane = lane,
        .what = { .service = ask->service,
                  .method = ask->method,
                  .path = ask->path,
                  .authority = ask->authority,
                  .headers = ask->headers,
                  .n_headers = ask->n_headers },
        .until_us = until_us,
    };
    int32_t err = know_service(&knowing);

    write_request(w, ask);
    if (err) {
        knowing.fault.code = err;
        know_write_error(w, &knowing.fault);
    }
    loop_enter(lane->loop);
    if (!err)
        write_found(w, ask, &knowing);
    know_forget(&knowing);
    loop_leave(lane->loop);
    write_policy(w, engine, ask->service);
    return err;
}

int32_t client_explain(struct mesh_client *client, const struct request_ask *ask, uint64_t until_us, char **out,
                       struct fault *fault)
{
    struct json_writer w = { 0 };
    struct engine *engine;
    int32_t err = client_engine(client, &engine, fault);

    *out = NULL;
    if (err)
        return err;
    json_begin(&w, '{');
    err = explain(engine, ask, until_us, &w);
    json_end(&w, '}');
    return finish(&w, out, fault) ? fault->code : err;
}

int32_t client_explain_refused(const struct fault *fault, char **out)
{
    struct json_writer w = { 0 };

    json_begin(&w, '{');
    know_write_error(&w, fault);
    json_end(&w, '}');
    *out = json_finish(&w);
    return *out ? fault->code : MESH_ERR_NOMEM;
}

/* ---- what happened ---- */

static int by_end(const void *a, const void *b)
{
    uint64_t x = ((const struct trace *) a)->ended_us, y = ((const struct trace *) b)->ended_us;

    return (x < y) - (x > y);
}

/* Copies, so that the lane is not held up while they are written. */
static size_t copy_traces(struct lane *lane, struct trace *out)
{
    size_t n = 0;

    loop_enter(lane->loop);
    LIST_EACH(link, &lane->env.traces.recent) {
        out[n++] = *CONTAINER_OF(link, struct trace, link);
    }
    loop_leave(lane->loop);
    return n;
}

int32_t client_recent(struct mesh_client *client, char **out, struct fault *fault)
{
    struct json_writer w = { 0 };
    struct engine *engine;
    struct trace *traces;
    size_t n = 0;
    int32_t err = client_engine(client, &engine, fault);

    *out = NULL;
    if (err)
        return err;
    traces = mem_array(engine->n_lanes * TRACE_RECENT, sizeof *traces);
    if (!traces)
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < engine->n_lanes; i++)
        n += copy_traces(&engine->lanes[i], traces + n);
    qsort(traces, n, sizeof *traces, by_end);
    json_begin(&w, '[');
    for (size_t i = 0; i < n; i++)
        trace_write(&w, &traces[i], clock_now_us());
    json_end(&w, ']');
    mem_free(traces);
    return finish(&w, out, fault);
}
