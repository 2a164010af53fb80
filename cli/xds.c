/* SPDX-License-Identifier: Apache-2.0 */
/* `mesh xds status|dump|lint`: what a control plane says, and what libmesh makes of it. */
#include "cli/xds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mesh/mesh.h>

struct xds_values {
    uint64_t timeout_ms;
    bool json;
};

enum { STANDARD_TIMEOUT_MS = 5000, MOST_SERVICES = 1000 };

static const struct option_spec options[] = {
    { 0, "timeout", "TIME", "for all answers together; 5s", OPTION_DURATION, offsetof(struct xds_values, timeout_ms), 1,
      UINT64_C(600000) },
    { 0, "json", NULL, "print one object", OPTION_FLAG, offsetof(struct xds_values, json), 0, 0 },
};

/* ---- which services ---- */

/* Services that the configuration gives to a control plane. */
struct names {
    char *items[MOST_SERVICES];
    size_t n;
};

static void add_name(struct names *names, const char *name, size_t len)
{
    if (names->n < MOST_SERVICES)
        names->items[names->n++] = must_have(strndup(name, len));
}

static void add_configured(struct names *names)
{
    static const char before[] = "services.", behind[] = ".target";
    struct mesh_conf *conf = must_have(mesh_conf_new());
    char *text = NULL;
    const char *key;
    json_t *described, *entry;

    if (mesh_conf_read_env(conf, NULL, 0) == 0)
        mesh_conf_describe(conf, 0, &text);
    mesh_conf_free(conf);
    described = text ? parse_described(text) : NULL;
    json_object_foreach(described, key, entry)
    {
        size_t len = strlen(key);

        if (len > sizeof before + sizeof behind && strncmp(key, before, sizeof before - 1) == 0 &&
            strcmp(key + len - (sizeof behind - 1), behind) == 0 && strncmp(text_at(entry, "value"), "xds:", 4) == 0)
            add_name(names, key + sizeof before - 1, len - (sizeof before - 1) - (sizeof behind - 1));
    }
    json_decref(described);
}

static void choose_names(struct names *names, char **arguments, size_t n)
{
    for (size_t i = 0; i < n; i++)
        add_name(names, arguments[i], strlen(arguments[i]));
    if (n == 0)
        add_configured(names);
}

static void free_names(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->items[i]);
}

/* ---- asking ---- */

/* Asks the control planes for everything that a service leads to. */
static int32_t want(struct mesh_client *client, const char *service)
{
    char *text = NULL;
    int32_t err = mesh_client_explain(client, service, NULL, NULL, 1, &text);
    json_t *explained = text ? parse_described(text) : NULL;

    if (err == MESH_ERR_INVALID)
        complain_error(err, text_at(json_object_get(explained, "error"), "detail"));
    json_decref(explained);
    return err == MESH_ERR_INVALID ? err : 0;
}

static int tell_no_bootstrap(void)
{
    complain(
        "no control plane is configured: GRPC_XDS_BOOTSTRAP (a file) or GRPC_XDS_BOOTSTRAP_CONFIG (the JSON itself) "
        "say where it is, as for gRPC; or xds.bootstrap in MESH_CONFIG. docs/xds.md has examples.");
    return EXIT_MESH_FAILED;
}

/* NULL: told already, and *code is the program's. */
static json_t *ask(struct mesh_client *client, const struct names *names, uint32_t flags, uint32_t timeout_ms,
                   int *code)
{
    char *text = NULL;
    json_t *described;
    int32_t err = 0;

    for (size_t i = 0; i < names->n && !err; i++)
        err = want(client, names->items[i]);
    *code = EXIT_BAD_USAGE;
    if (err)
        return NULL;
    err = mesh_client_xds(client, flags | MESH_XDS_CONNECT, timeout_ms, &text);
    described = text ? parse_described(text) : NULL;
    *code = described ? EXIT_OK : EXIT_MESH_FAILED;
    if (!text)
        complain_error(err, NULL);
    if (!described || json_is_true(json_object_get(described, "is_configured")))
        return described;
    json_decref(described);
    *code = tell_no_bootstrap();
    return NULL;
}

/* The log tells what is shown anyway, but for the configuration. */
static void on_log(int32_t level, const char *event, const char *line, void *user)
{
    (void) level, (void) user;
    if (strcmp(event, "configuration_warning") == 0)
        tell("%s", line);
}

/* One loop, so that what is asked for by one call is known to the next. */
static int32_t make_client(struct mesh_client **out, char *why, size_t why_len)
{
    struct mesh_conf *conf = must_have(mesh_conf_new());
    int32_t err = mesh_conf_read_env(conf, why, why_len);

    *out = NULL;
    if (!err)
        err = mesh_conf_set(conf, "loops", "1", why, why_len);
    if (!err)
        err = mesh_conf_set_log(conf, on_log, NULL);
    if (!err)
        err = mesh_client_new(conf, out, why, why_len);
    mesh_conf_free(conf);
    return err;
}

static int with_answers(void *user, char **arguments, size_t n_arguments, uint32_t flags,
                        int (*show)(const struct xds_values *values, json_t *described, const struct names *names))
{
    const struct xds_values *values = user;
    struct names names = { .n = 0 };
    struct mesh_client *client;
    char why[512] = "";
    json_t *described;
    int32_t err = make_client(&client, why, sizeof why);
    int code;

    if (err)
        return complain_error(err, why);
    choose_names(&names, arguments, n_arguments);
    described =
        ask(client, &names, flags, values->timeout_ms ? (uint32_t) values->timeout_ms : STANDARD_TIMEOUT_MS, &code);
    if (described)
        code = show(values, described, &names);
    mesh_client_free(client);
    free_names(&names);
    return code;
}

/* ---- the commands ---- */

static bool has_failure(const json_t *findings)
{
    const json_t *finding;
    size_t i;

    json_array_foreach(findings, i, finding)
    {
        if (json_is_true(json_object_get(finding, "is_failure")))
            return true;
    }
    return false;
}

static int show_status(const struct xds_values *values, json_t *described, const struct names *names)
{
    json_t *findings = xds_findings(described, names->items, names->n);
    int code = has_failure(findings) ? EXIT_MESH_FAILED : EXIT_OK;

    json_decref(findings);
    if (values->json) {
        print_json(described);
        return code;
    }
    xds_print_status(described);
    json_decref(described);
    return code;
}

static int run_status(void *user, char **arguments, size_t n_arguments)
{
    return with_answers(user, arguments, n_arguments, 0, show_status);
}

static int show_dump(const struct xds_values *values, json_t *described, const struct names *names)
{
    json_t *findings = xds_findings(described, names->items, names->n);
    json_t *contents = json_incref(json_object_get(described, "contents"));
    int code = has_failure(findings) ? EXIT_MESH_FAILED : EXIT_OK;

    (void) values;
    json_decref(findings);
    json_decref(described);
    print_json(contents);
    return code;
}

static int run_dump(void *user, char **arguments, size_t n_arguments)
{
    return with_answers(user, arguments, n_arguments, MESH_XDS_CONTENTS, show_dump);
}

static int show_lint(const struct xds_values *values, json_t *described, const struct names *names)
{
    json_t *findings = xds_findings(described, names->items, names->n);
    int code = json_array_size(findings) > 0 ? EXIT_MESH_FAILED : EXIT_OK;

    json_decref(described);
    if (values->json) {
        print_json(json_pack("{s:o}", "findings", findings));
        return code;
    }
    xds_print_findings(findings);
    json_decref(findings);
    return code;
}

static int run_lint(void *user, char **arguments, size_t n_arguments)
{
    return with_answers(user, arguments, n_arguments, 0, show_lint);
}

#define SERVICES                                                                                                       \
    "SERVICE: a name, or xds:///NAME; asked for is all that it leads to. Without: the services of the configuration\n" \
    "whose target is xds:. The control plane is the one of GRPC_XDS_BOOTSTRAP, GRPC_XDS_BOOTSTRAP_CONFIG or "          \
    "xds.bootstrap."

static const struct command commands[] = {
    {
        .name = "xds status",
        .arguments = "[SERVICE...]",
        .summary = "show control planes, services, clusters and resources",
        .notes = SERVICES "\nExit code 1 when something is missing, refused, or not answered in time.",
        .options = options,
        .n_options = sizeof options / sizeof *options,
        .most_arguments = MOST_SERVICES,
        .values_size = sizeof(struct xds_values),
        .run = run_status,
    },
    {
        .name = "xds dump",
        .arguments = "[SERVICE...]",
        .summary = "print the content of all resources as a JSON array",
        .notes = SERVICES
        "\nWhat libmesh reads is shown by the names of protobuf's fields, what it does not read by numbers "
        "(\"@unread\").\nPrivate keys are not shown. Exit codes as of status.",
        .options = options,
        .n_options = sizeof options / sizeof *options,
        .most_arguments = MOST_SERVICES,
        .values_size = sizeof(struct xds_values),
        .run = run_dump,
    },
    {
        .name = "xds lint",
        .arguments = "[SERVICE...]",
        .summary = "tell what is refused, missing, or received and not honoured",
        .notes = SERVICES "\nExit code 0 when there is nothing to tell, 1 when there is.",
        .options = options,
        .n_options = sizeof options / sizeof *options,
        .most_arguments = MOST_SERVICES,
        .values_size = sizeof(struct xds_values),
        .run = run_lint,
    },
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static const char *short_name(const struct command *command)
{
    return strchr(command->name, ' ') + 1;
}

const struct command *xds_find(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(short_name(&commands[i]), name) == 0)
            return &commands[i];
    return NULL;
}

/* Only when none of the commands stands where it belongs. */
static int run_none(void *user, char **arguments, size_t n_arguments)
{
    const char *names[N_COMMANDS], *nearest;

    (void) user, (void) n_arguments;
    for (size_t i = 0; i < N_COMMANDS; i++)
        names[i] = short_name(&commands[i]);
    nearest = nearest_name(arguments[0], names, N_COMMANDS);
    if (xds_find(arguments[0]))
        complain("options stand behind the command: mesh xds %s [OPTIONS]", arguments[0]);
    else if (nearest)
        complain("there is no command \"xds %s\"; did you mean %s?", arguments[0], nearest);
    else
        complain("there is no command \"xds %s\"", arguments[0]);
    fputs("'mesh xds -h' explains the commands.\n", stderr);
    return EXIT_BAD_USAGE;
}

const struct command xds_command = {
    .name = "xds",
    .arguments = "status|dump|lint [SERVICE...]",
    .summary = "show what a control plane says, and what is wrong with it",
    .notes = "  status  control planes, services, clusters and resources\n"
             "  dump    the content of all resources as JSON\n"
             "  lint    what is refused, missing, or received and not honoured\n" SERVICES,
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .least_arguments = 1,
    .most_arguments = MOST_SERVICES,
    .values_size = sizeof(struct xds_values),
    .run = run_none,
};
