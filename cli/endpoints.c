/* SPDX-License-Identifier: Apache-2.0 */
/* `mesh endpoints`: who stands behind a service, and who of them answers. */
#include <stdio.h>
#include <string.h>

#include <mesh/mesh.h>

#include "cli/cli.h"
#include "cli/output.h"
#include "cli/state.h"

struct endpoints_values {
    uint64_t timeout_ms;
    bool json;
};

enum { STANDARD_TIMEOUT_MS = 3000 };

static const struct option_spec options[] = {
    { 0, "timeout", "TIME", "for resolving and connecting; 3s", OPTION_DURATION,
      offsetof(struct endpoints_values, timeout_ms), 1, UINT64_C(600000) },
    { 0, "json", NULL, "print one object", OPTION_FLAG, offsetof(struct endpoints_values, json), 0, 0 },
};

static void add_endpoint(struct table *table, const json_t *endpoint, const char *source)
{
    const char *state = text_at(endpoint, "state");

    table_row(table);
    table_cell(table, text_at(endpoint, "address"), COLOUR_NONE);
    table_cell(table, text_at(endpoint, "zone"), COLOUR_NONE);
    table_cell(table, state, state_colour(state));
    table_cell(table, source, COLOUR_NONE);
    table_number(table, number_at(endpoint, "weight"));
    table_number(table, number_at(endpoint, "priority"));
    table_number(table, number_at(endpoint, "connections"));
    table_number(table, number_at(endpoint, "active"));
    ms_cell(table, endpoint, "latency_ms");
    told_cell(table, endpoint);
    table_cell(table, text_at(endpoint, "hostname"), COLOUR_NONE);
    table_cell(table, text_at(endpoint, "reason"), COLOUR_FAINT);
}

/* Those of the configuration have the service's name; one of a control plane has its own. */
static void print_cluster_name(const json_t *service)
{
    const char *cluster = text_at(service, "cluster"), *route = text_at(service, "route");

    if (*cluster && strcmp(cluster, text_at(service, "service")) != 0) {
        printf("cluster ");
        print_text(cluster, 0, COLOUR_NONE);
        printf("  ");
    }
    if (*route) {
        printf("route ");
        print_text(route, 0, COLOUR_NONE);
        printf("  ");
    }
}

static void print_head(const json_t *service)
{
    const json_t *error = json_object_get(service, "error");
    const char *state = text_at(service, "state");

    print_text(text_at(service, "service"), 0, COLOUR_TITLE);
    printf("  ");
    print_cluster_name(service);
    print_text(text_at(service, "protocol"), 0, COLOUR_NONE);
    printf("  ");
    print_text(state, 0, state_colour(state));
    putchar('\n');
    if (!json_is_object(error))
        return;
    printf("  ");
    print_text(text_at(error, "code"), 0, COLOUR_BAD);
    printf(": ");
    print_text(text_at(error, "detail"), 0, COLOUR_NONE);
    putchar('\n');
}

static void print_cluster(const json_t *service)
{
    struct table table = {
        .titles = { "ADDRESS", "ZONE", "STATE", "SOURCE", "WEIGHT", "PRIORITY", "CONNECTIONS", "ACTIVE", "LATENCY",
                    "TOLD", "HOST", "REASON" },
        .indent = 2,
    };
    json_t *endpoint;
    size_t i;

    print_head(service);
    json_array_foreach(json_object_get(service, "endpoints"), i, endpoint)
        add_endpoint(&table, endpoint, text_at(service, "source"));
    if (table.n_rows > 0)
        table_print(&table);
}

/* A service of a control plane may lead to several clusters. */
static void print_service(const json_t *service)
{
    const json_t *other;
    size_t i;

    print_cluster(service);
    json_array_foreach(json_object_get(service, "other_clusters"), i, other) print_cluster(other);
}

/* Somebody can be called. */
static bool has_usable(const json_t *service)
{
    json_t *endpoint;
    size_t i;

    json_array_foreach(json_object_get(service, "endpoints"), i,
                       endpoint) if (strcmp(text_at(endpoint, "connection"), "connected") == 0) return true;
    return false;
}

static bool is_usable(const json_t *service)
{
    const json_t *other;
    size_t i;

    json_array_foreach(json_object_get(service, "other_clusters"), i, other)
    {
        if (has_usable(other))
            return true;
    }
    return has_usable(service);
}

static int show(const struct endpoints_values *values, json_t *described)
{
    json_t *services = json_object_get(described, "services"), *service;
    int code = EXIT_OK;
    size_t i;

    services = services ? json_incref(services) : json_pack("[O]", described);
    json_array_foreach(must_have(services), i, service)
    {
        if (!is_usable(service))
            code = EXIT_MESH_FAILED;
        if (i > 0 && !values->json)
            putchar('\n');
        if (!values->json)
            print_service(service);
    }
    if (json_array_size(services) == 0 && !values->json)
        complain("no service is configured; name a target, or set MESH_SERVICES or MESH_CONFIG");
    json_decref(services);
    if (values->json)
        print_json(described);
    else
        json_decref(described);
    return code;
}

/* The sentence comes with an explanation. */
static int tell_failure(struct mesh_client *client, const char *service, int32_t err)
{
    char *text = NULL;
    json_t *explained;
    int code;

    if (service)
        mesh_client_explain(client, service, NULL, NULL, 1, &text);
    explained = text ? parse_described(text) : NULL;
    code = complain_error(err, text_at(json_object_get(explained, "error"), "detail"));
    json_decref(explained);
    return code;
}

static int describe(struct mesh_client *client, const struct endpoints_values *values, const char *service)
{
    uint32_t timeout_ms = values->timeout_ms ? (uint32_t) values->timeout_ms : STANDARD_TIMEOUT_MS;
    char *text = NULL;
    int32_t err = mesh_client_describe(client, service, 1, timeout_ms, &text);
    json_t *described;

    if (!text)
        return tell_failure(client, service, err);
    described = parse_described(text);
    return described ? show(values, described) : EXIT_MESH_FAILED;
}

static int run(void *user, char **arguments, size_t n_arguments)
{
    struct mesh_client *client;
    char why[512] = "";
    int32_t err = mesh_client_new(NULL, &client, why, sizeof why);
    int code;

    if (err)
        return complain_error(err, why);
    code = describe(client, user, n_arguments > 0 ? arguments[0] : NULL);
    mesh_client_free(client);
    return code;
}

const struct command endpoints_command = {
    .name = "endpoints",
    .arguments = "[SERVICE]",
    .summary = "resolve and connect, and show each endpoint with zone and state",
    .notes = "Without SERVICE: all that are configured. Exit code 1 when a service has no endpoint that accepts.",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .most_arguments = 1,
    .values_size = sizeof(struct endpoints_values),
    .run = run,
};
