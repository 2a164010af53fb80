/* SPDX-License-Identifier: Apache-2.0 */
/* `mesh resolve`: the way from a name to addresses, step by step. */
#include <stdio.h>
#include <string.h>

#include <mesh/mesh.h>

#include "cli/cli.h"
#include "cli/output.h"
#include "cli/state.h"

struct resolve_values {
    uint64_t timeout_ms;
    bool json;
};

enum { STANDARD_TIMEOUT_MS = 5000 };

static const struct option_spec options[] = {
    { 0, "timeout", "TIME", "for all lookups together; 5s", OPTION_DURATION,
      offsetof(struct resolve_values, timeout_ms), 1, UINT64_C(600000) },
    { 0, "json", NULL, "print one object", OPTION_FLAG, offsetof(struct resolve_values, json), 0, 0 },
};

static void print_field(const char *name, const char *text)
{
    if (*text == '\0')
        return;
    printf("  %s ", name);
    print_text(text, 0, COLOUR_NONE);
}

static void print_step(size_t number, const json_t *step)
{
    const char *result = text_at(step, "result"), *detail = text_at(step, "detail");
    json_t *record;
    char took[32];
    size_t i;

    printf("%zu. ", number);
    print_text(text_at(step, "query"), 0, COLOUR_TITLE);
    printf("  ");
    print_text(result, 0, strcmp(result, "ok") == 0 ? COLOUR_GOOD : COLOUR_BAD);
    if (number_at(step, "ttl_s") > 0)
        printf("  ttl %llu s", (unsigned long long) number_at(step, "ttl_s"));
    print_field("from", text_at(step, "from"));
    print_field("version", text_at(step, "version"));
    if (json_object_get(step, "took_us"))
        printf("  %s", show_us((double) number_at(step, "took_us"), took));
    putchar('\n');
    json_array_foreach(json_object_get(step, "records"), i, record)
    {
        printf("     ");
        print_text(json_string_value(record) ? json_string_value(record) : "", 0, COLOUR_NONE);
        putchar('\n');
    }
    if (*detail == '\0')
        return;
    printf("     ");
    print_text(detail, 0, COLOUR_BAD);
    putchar('\n');
}

static void print_endpoints(const json_t *endpoints)
{
    struct table table = {
        .titles = { "CLUSTER", "ADDRESS", "OR", "ZONE", "WEIGHT", "PRIORITY", "TOLD", "HOST" },
    };
    const json_t *endpoint;
    size_t i;

    json_array_foreach(endpoints, i, endpoint)
    {
        table_row(&table);
        table_cell(&table, text_at(endpoint, "cluster"), COLOUR_NONE);
        table_cell(&table, text_at(endpoint, "address"), COLOUR_NONE);
        table_cell(&table, text_at(endpoint, "alternative"), COLOUR_NONE);
        table_cell(&table, text_at(endpoint, "zone"), COLOUR_NONE);
        table_number(&table, number_at(endpoint, "weight"));
        table_number(&table, number_at(endpoint, "priority"));
        told_cell(&table, endpoint);
        table_cell(&table, text_at(endpoint, "hostname"), COLOUR_NONE);
    }
    if (table.n_rows > 0)
        table_print(&table);
}

static void print_steps(const json_t *described)
{
    const json_t *step;
    size_t i;

    json_array_foreach(json_object_get(described, "steps"), i, step) print_step(i + 1, step);
    if (i > 0 && json_array_size(json_object_get(described, "endpoints")) > 0)
        putchar('\n');
    print_endpoints(json_object_get(described, "endpoints"));
}

static int show(const struct resolve_values *values, json_t *described, int32_t err)
{
    if (values->json) {
        print_json(described);
        return error_exit_code(err);
    }
    print_steps(described);
    if (err)
        complain_error(err, text_at(described, "detail"));
    json_decref(described);
    return error_exit_code(err);
}

static int resolve(struct mesh_client *client, const struct resolve_values *values, const char *target)
{
    uint32_t timeout_ms = values->timeout_ms ? (uint32_t) values->timeout_ms : STANDARD_TIMEOUT_MS;
    char *text = NULL;
    int32_t err = mesh_client_resolve(client, target, timeout_ms, &text);
    json_t *described;

    if (!text)
        return complain_error(err, NULL);
    described = parse_described(text);
    return described ? show(values, described, err) : EXIT_MESH_FAILED;
}

static int run(void *user, char **arguments, size_t n_arguments)
{
    struct mesh_client *client;
    char why[512] = "";
    int32_t err = mesh_client_new(NULL, &client, why, sizeof why);
    int code;

    (void) n_arguments;
    if (err)
        return complain_error(err, why);
    code = resolve(client, user, arguments[0]);
    mesh_client_free(client);
    return code;
}

const struct command resolve_command = {
    .name = "resolve",
    .arguments = "TARGET",
    .summary = "look a target up in the DNS or at the control plane, step by step",
    .notes = "TARGET: a configured name, a host name, or a target URI such as srv+h2c://_grpc._tcp.users.example\nor "
             "xds:///users.",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .least_arguments = 1,
    .most_arguments = 1,
    .values_size = sizeof(struct resolve_values),
    .run = run,
};
