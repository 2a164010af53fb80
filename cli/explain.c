/* SPDX-License-Identifier: Apache-2.0 */
/* `mesh explain`: what would happen to a request and why, and what did. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mesh/mesh.h>

#include "cli/call.h"
#include "cli/output.h"
#include "cli/state.h"

struct explain_values {
    struct call_values call;
    bool json, send;
};

enum { STANDARD_TIMEOUT_MS = 3000 };

static const struct option_spec options[] = {
    { 'X', "method", "M", "request method; GET", OPTION_TEXT, offsetof(struct explain_values, call.method), 0, 0 },
    { 'H', "header", "'K: V'", "with --send: one header; may be repeated", OPTION_HEADER,
      offsetof(struct explain_values, call.headers), 0, 0 },
    { 'd', "data", "BODY", "with --send: request body; @FILE reads a file, @- standard input", OPTION_BODY,
      offsetof(struct explain_values, call.body), 0, 0 },
    { 0, "timeout", "TIME", "for resolving and connecting, 3s; and for the request", OPTION_DURATION,
      offsetof(struct explain_values, call.timeout_ms), 1, UINT64_C(600000) },
    { 0, "attempts", "N", "with --send: at most so many attempts; 1: never retry", OPTION_NUMBER,
      offsetof(struct explain_values, call.attempts), 1, 100 },
    { 0, "send", NULL, "then send it, and tell what happened", OPTION_FLAG, offsetof(struct explain_values, send), 0,
      0 },
    { 0, "json", NULL, "print one object", OPTION_FLAG, offsetof(struct explain_values, json), 0, 0 },
};

/* ---- what would happen ---- */

static void print_named(const char *name, const char *value)
{
    printf("  ");
    print_text(name, 10, COLOUR_FAINT);
    print_text(value, 0, COLOUR_NONE);
    putchar('\n');
}

static void print_route(const json_t *route)
{
    char line[512];

    if (!json_is_object(route))
        return;
    snprintf(line, sizeof line, "\"%s\" of virtual host \"%s\": %s", text_at(route, "name"),
             text_at(route, "virtual_host"), text_at(route, "action"));
    print_named("route", line);
}

static void print_title(const json_t *explained)
{
    const char *state = text_at(explained, "state");

    print_text(text_at(explained, "service"), 0, COLOUR_TITLE);
    printf("  %s ", text_at(explained, "method"));
    print_text(text_at(explained, "path"), 0, COLOUR_NONE);
    if (*state) {
        printf("  %s  ", text_at(explained, "protocol"));
        print_text(state, 0, state_colour(state));
    }
    putchar('\n');
}

static void print_limits(const json_t *budgets)
{
    static const char *const names[] = { "requests", "pending", "concurrency", "connections", "retries" };
    char line[256] = "";
    size_t used = 0;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const json_t *limit = json_object_get(budgets, names[i]);

        if (!limit)
            continue;
        used += (size_t) snprintf(line + used, sizeof line - used, "%s%s %llu of %llu", i ? ", " : "", names[i],
                                  (unsigned long long) number_at(limit, "used"),
                                  (unsigned long long) number_at(limit, "most"));
    }
    print_named("used", line);
}

static void percent_cell(struct table *table, uint64_t percent)
{
    char text[32];

    snprintf(text, sizeof text, "%llu %%", (unsigned long long) percent);
    table_cell(table, text, COLOUR_NONE);
}

/* One zone without a name says nothing. */
static void print_zones(const json_t *zones)
{
    struct table table = {
        .titles = { "ZONE", "OWN", "KEEPS", "PRIORITY", "GETS", "USABLE", "ENDPOINTS", "DISTANCE", "REASON" },
        .indent = 2,
    };
    const json_t *zone;
    size_t i;

    if (json_array_size(zones) < 2)
        return;
    json_array_foreach(zones, i, zone)
    {
        table_row(&table);
        table_cell(&table, text_at(zone, "zone"), COLOUR_NONE);
        table_cell(&table, json_is_true(json_object_get(zone, "own")) ? "own" : "", COLOUR_NONE);
        percent_cell(&table, number_at(zone, "kept_percent"));
        table_number(&table, number_at(zone, "priority"));
        percent_cell(&table, number_at(zone, "priority_percent"));
        table_number(&table, number_at(zone, "usable"));
        table_number(&table, number_at(zone, "endpoints"));
        ms_cell(&table, zone, "distance_ms");
        table_cell(&table, text_at(zone, "reason"), COLOUR_FAINT);
    }
    putchar('\n');
    table_print(&table);
}

static void score_cell(struct table *table, const json_t *endpoint)
{
    const json_t *score = json_object_get(endpoint, "score");

    if (json_is_integer(score))
        table_number(table, (uint64_t) json_integer_value(score));
    else
        table_cell(table, "", COLOUR_NONE);
}

static void print_endpoints(const json_t *endpoints)
{
    struct table table = {
        .titles = { "ADDRESS", "ZONE", "WEIGHT", "STATE", "CANDIDATE", "SCORE", "ACTIVE", "LATENCY", "PEAK", "PENALTY",
                    "REASON" },
        .indent = 2,
    };
    const json_t *endpoint;
    size_t i;

    json_array_foreach(endpoints, i, endpoint)
    {
        bool candidate = json_is_true(json_object_get(endpoint, "candidate"));

        table_row(&table);
        table_cell(&table, text_at(endpoint, "address"), COLOUR_NONE);
        table_cell(&table, text_at(endpoint, "zone"), COLOUR_NONE);
        table_number(&table, number_at(endpoint, "weight"));
        table_cell(&table, text_at(endpoint, "state"), state_colour(text_at(endpoint, "state")));
        table_cell(&table, candidate ? "yes" : "no", candidate ? COLOUR_GOOD : COLOUR_BAD);
        score_cell(&table, endpoint);
        table_number(&table, number_at(endpoint, "active"));
        ms_cell(&table, endpoint, "latency_ms");
        ms_cell(&table, endpoint, "peak_ms");
        ms_cell(&table, endpoint, "penalty_ms");
        table_cell(&table, text_at(endpoint, "reason"), COLOUR_FAINT);
    }
    if (table.n_rows == 0)
        return;
    putchar('\n');
    table_print(&table);
}

static void print_policy(json_t *policy)
{
    struct table table = { .titles = { "KEY", "VALUE", "FROM" }, .indent = 2 };
    const char *name;
    json_t *entry;

    json_object_foreach(policy, name, entry)
    {
        const char *from = text_at(entry, "origin");
        char *value = text_of_value(json_object_get(entry, "value"));

        table_row(&table);
        table_cell(&table, name, COLOUR_NONE);
        table_cell(&table, value, COLOUR_NONE);
        table_cell(&table, from, strcmp(from, "default") == 0 ? COLOUR_FAINT : COLOUR_GOOD);
        free(value);
    }
    if (table.n_rows == 0)
        return;
    putchar('\n');
    table_print(&table);
}

static void print_explained(json_t *explained)
{
    print_title(explained);
    print_route(json_object_get(explained, "route"));
    print_named("would be", text_at(explained, "decision"));
    print_named("retried", text_at(explained, "retried"));
    print_limits(json_object_get(explained, "budgets"));
    print_zones(json_object_get(explained, "zones"));
    print_endpoints(json_object_get(explained, "endpoints"));
    print_policy(json_object_get(explained, "policy"));
}

/* ---- what happened ---- */

static void print_outcome(const json_t *object)
{
    const char *error = text_at(object, "error"), *detail = text_at(object, "detail");
    char took[32];

    if (*error)
        print_text(error, 0, COLOUR_BAD);
    else
        printf("%llu", (unsigned long long) number_at(object, "status"));
    printf(" after %s", show_us((double) number_at(object, "duration_us"), took));
    if (*detail) {
        printf(": ");
        print_text(detail, 0, COLOUR_NONE);
    }
    putchar('\n');
}

static void print_candidates(const json_t *candidates)
{
    const json_t *candidate;
    size_t i;

    json_array_foreach(candidates, i, candidate)
    {
        const json_t *score = json_object_get(candidate, "score");

        printf("%s", i ? ", " : ": ");
        print_text(text_at(candidate, "endpoint"), 0, COLOUR_NONE);
        if (json_is_integer(score))
            printf(" %lld", (long long) json_integer_value(score));
        else
            printf(" tried before");
    }
}

static void print_if_any(const char *text)
{
    if (!*text)
        return;
    printf("     ");
    print_text(text, 0, COLOUR_NONE);
    putchar('\n');
}

static void print_attempt(const json_t *attempt)
{
    const char *zone = text_at(attempt, "zone");

    printf("  %llu. ", (unsigned long long) number_at(attempt, "number"));
    print_text(text_at(attempt, "endpoint"), 0, COLOUR_TITLE);
    printf("  ");
    print_outcome(attempt);
    printf("     zone %s%s", *zone ? zone : "none", ": ");
    print_text(text_at(attempt, "zone_reason"), 0, COLOUR_NONE);
    printf("\n     ");
    print_text(text_at(attempt, "choice"), 0, COLOUR_NONE);
    print_candidates(json_object_get(attempt, "candidates"));
    putchar('\n');
    print_if_any(text_at(attempt, "hedging"));
    print_if_any(text_at(attempt, "retry"));
}

static void print_sent(const json_t *sent)
{
    const json_t *attempt;
    size_t i;

    printf("\nsent: ");
    print_outcome(sent);
    json_array_foreach(json_object_get(sent, "attempts"), i, attempt) print_attempt(attempt);
}

/* ---- the command ---- */

/* The request itself; its explanation goes into the object as "sent". */
static int send_it(struct mesh_client *client, const struct explain_values *values, struct mesh_request_opts *opts,
                   json_t *explained)
{
    struct mesh_response *response = NULL;
    const char *text;
    json_t *sent;
    int32_t err;

    opts->flags |= MESH_REQ_EXPLAIN;
    opts->timeout_ms = (uint32_t) values->call.timeout_ms;
    err = mesh_request(client, opts, &response);
    text = mesh_response_explanation(response);
    sent = text ? json_loads(text, 0, NULL) : NULL;
    if (sent)
        json_object_set_new(explained, "sent", sent);
    else
        complain_error(err, mesh_response_detail(response));
    mesh_response_free(response);
    return error_exit_code(err);
}

static void show(const struct explain_values *values, json_t *explained)
{
    if (values->json) {
        print_json(explained);
        return;
    }
    print_explained(explained);
    if (json_object_get(explained, "sent"))
        print_sent(json_object_get(explained, "sent"));
    json_decref(explained);
}

static bool has_candidate(const json_t *explained)
{
    const json_t *endpoint;
    size_t i;

    json_array_foreach(json_object_get(explained, "endpoints"), i, endpoint)
    {
        if (json_is_true(json_object_get(endpoint, "candidate")))
            return true;
    }
    return false;
}

static int tell_error(const struct explain_values *values, int32_t err, json_t *explained)
{
    const char *detail = text_at(json_object_get(explained, "error"), "detail");

    if (!values->json)
        complain_error(err, detail);
    else if (explained)
        print_json(json_incref(explained));
    json_decref(explained);
    return error_exit_code(err);
}

static int32_t ask(struct mesh_client *client, const struct mesh_request_opts *opts, uint32_t timeout_ms, json_t **out)
{
    char *text = NULL;
    int32_t err = mesh_client_explain(client, opts->service, opts->method, opts->path, timeout_ms, &text);

    *out = text ? parse_described(text) : NULL;
    return err;
}

/* Asks twice: connects in between, so that states are known. */
static int explain(struct mesh_client *client, const struct explain_values *values, struct mesh_request_opts *opts)
{
    uint32_t timeout_ms = values->call.timeout_ms ? (uint32_t) values->call.timeout_ms : STANDARD_TIMEOUT_MS;
    json_t *explained;
    char *text = NULL;
    int32_t err = ask(client, opts, timeout_ms, &explained);
    int code;

    if (err || !explained)
        return tell_error(values, err, explained);
    json_decref(explained);
    mesh_client_describe(client, opts->service, 1, timeout_ms, &text);
    mesh_string_free(text);
    err = ask(client, opts, timeout_ms, &explained);
    if (err || !explained)
        return tell_error(values, err, explained);
    code = has_candidate(explained) ? EXIT_OK : EXIT_MESH_FAILED;
    if (values->send)
        code = send_it(client, values, opts, explained);
    show(values, explained);
    return code;
}

/* One loop, so that what is connected is what is explained and used. */
static int32_t make_client(struct mesh_client **out, char *why, size_t why_len)
{
    struct mesh_conf *conf = must_have(mesh_conf_new());
    int32_t err = mesh_conf_read_env(conf, why, why_len);

    *out = NULL;
    if (!err)
        err = mesh_conf_set(conf, "loops", "1", why, why_len);
    if (!err)
        err = mesh_client_new(conf, out, why, why_len);
    mesh_conf_free(conf);
    return err;
}

static int run(void *user, char **arguments, size_t n_arguments)
{
    struct explain_values *values = user;
    struct mesh_request_opts opts = call_options(&values->call, arguments, n_arguments);
    struct mesh_client *client;
    char why[512] = "";
    int32_t err = make_client(&client, why, sizeof why);
    int code;

    if (err) {
        code = complain_error(err, why);
    } else {
        code = explain(client, values, &opts);
        mesh_client_free(client);
    }
    call_free(&values->call);
    return code;
}

const struct command explain_command = {
    .name = "explain",
    .arguments = "SERVICE [PATH]",
    .summary = "show what would happen to a request, and where each value comes from",
    .notes =
        "Resolves and connects, and sends nothing unless told to. The least SCORE wins; docs/explain.md tells what it "
        "is.\nExit code 1 when there is no endpoint to send to, or the request failed.",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .least_arguments = 1,
    .most_arguments = 2,
    .values_size = sizeof(struct explain_values),
    .run = run,
};
