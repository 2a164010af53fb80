/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands of `mesh` share: their table, their options, and how they end. */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the program ends. */
enum { EXIT_OK = 0, EXIT_MESH_FAILED = 1, EXIT_BAD_USAGE = 2 };

enum option_type {
    OPTION_FLAG,     /* bool */
    OPTION_TEXT,     /* const char * */
    OPTION_NUMBER,   /* uint64_t, from `least` to `most` */
    OPTION_DURATION, /* uint64_t milliseconds, from `least` to `most` */
    OPTION_HEADER,   /* struct header_list, one more each time */
    OPTION_BODY      /* struct body_text: the text, or the file after "@" */
};

struct option_spec {
    char letter; /* 0: none */
    const char *name;
    const char *argument; /* NULL: takes none */
    const char *help;
    enum option_type type;
    size_t offset; /* of the value in the command's own struct */
    uint64_t least, most;
};

struct command {
    const char *name;
    const char *arguments; /* for the usage line: "SERVICE [PATH]" */
    const char *summary;   /* one line for the list of commands */
    const char *notes;     /* more for its own help; may be NULL */
    const struct option_spec *options;
    size_t n_options;
    size_t least_arguments, most_arguments;
    size_t values_size; /* of the command's own struct, zeroed before */
    int (*run)(void *values, char **arguments, size_t n_arguments);
};

extern const struct command request_command, bench_command, endpoints_command, explain_command, resolve_command,
    config_command, xds_command;

/* Of `mesh xds`; NULL: there is none of that name. */
const struct command *xds_find(const char *name);

/* Parses and runs. argv[0] is the command's name. Returns the exit code. */
int command_run(const struct command *command, int argc, char **argv);
void command_help(const struct command *command);

/* The name nearest to what was typed, or NULL when none is near. */
const char *nearest_name(const char *typed, const char *const *names, size_t n_names);

/* "250ms", "1s", "1.5m", "2h" as milliseconds. */
bool parse_duration(const char *text, uint64_t *ms);

#endif
