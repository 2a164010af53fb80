/* SPDX-License-Identifier: Apache-2.0 */
/* `mesh config`: each value of the configuration and where it came from. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mesh/mesh.h>

#include "cli/cli.h"
#include "cli/output.h"

struct config_values {
    bool given, keys, json;
};

static const struct option_spec options[] = {
    { 0, "given", NULL, "leave out what stands at its default", OPTION_FLAG, offsetof(struct config_values, given), 0,
      0 },
    { 0, "keys", NULL, "list all keys with what they allow and mean", OPTION_FLAG, offsetof(struct config_values, keys),
      0, 0 },
    { 0, "json", NULL, "print JSON", OPTION_FLAG, offsetof(struct config_values, json), 0, 0 },
};

static void value_cell(struct table *table, const json_t *value)
{
    char *text = text_of_value(value);

    table_cell(table, text, COLOUR_NONE);
    free(text);
}

static void print_values(json_t *described)
{
    struct table table = { .titles = { "KEY", "FROM", "VALUE" } };
    const char *name;
    json_t *entry;

    json_object_foreach(described, name, entry)
    {
        const char *from = text_at(entry, "origin");

        table_row(&table);
        table_cell(&table, name, COLOUR_NONE);
        table_cell(&table, from, strcmp(from, "default") == 0 ? COLOUR_FAINT : COLOUR_GOOD);
        value_cell(&table, json_object_get(entry, "value"));
    }
    if (table.n_rows > 0)
        table_print(&table);
}

static void print_line(const char *before, const char *text)
{
    printf("%s", before);
    print_text(text, 0, COLOUR_NONE);
    putchar('\n');
}

/* A key that belongs to one service alone has no variable and no default. */
static void print_key(const json_t *key)
{
    const char *environment = text_at(key, "environment");
    char *standard = text_of_value(json_object_get(key, "default"));

    print_text(text_at(key, "name"), 0, COLOUR_TITLE);
    print_line(*environment ? "  " : "", environment);
    print_line("    ", text_at(key, "help"));
    print_line("    Allowed: ", text_at(key, "allowed"));
    if (*standard)
        print_line("    Default: ", standard);
    free(standard);
}

static void print_keys(json_t *keys)
{
    const json_t *key;
    size_t i;

    json_array_foreach(keys, i, key) print_key(key);
}

static int show(const struct config_values *values, char *text, void (*print)(json_t *))
{
    json_t *described = parse_described(text);

    if (!described)
        return EXIT_MESH_FAILED;
    if (values->json) {
        print_json(described);
        return EXIT_OK;
    }
    print(described);
    json_decref(described);
    return EXIT_OK;
}

static int show_keys(const struct config_values *values)
{
    char *text = NULL;
    int32_t err = mesh_conf_keys(&text);

    return err ? complain_error(err, NULL) : show(values, text, print_keys);
}

static int show_values(const struct config_values *values)
{
    struct mesh_conf *conf = must_have(mesh_conf_new());
    char *text = NULL, why[512] = "";
    int32_t err = mesh_conf_read_env(conf, why, sizeof why);
    int code;

    if (!err)
        err = mesh_conf_describe(conf, !values->given, &text);
    code = err ? complain_error(err, why) : show(values, text, print_values);
    mesh_conf_free(conf);
    return code;
}

static int run(void *user, char **arguments, size_t n_arguments)
{
    const struct config_values *values = user;

    (void) arguments, (void) n_arguments;
    return values->keys ? show_keys(values) : show_values(values);
}

const struct command config_command = {
    .name = "config",
    .arguments = "",
    .summary = "show each value of the configuration and where it came from",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .values_size = sizeof(struct config_values),
    .run = run,
};
