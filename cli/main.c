/* SPDX-License-Identifier: Apache-2.0 */
/* `mesh`: libmesh from the command line. Finds the command and hands over. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <mesh/mesh.h>

#include "cli/cli.h"
#include "cli/output.h"

static const struct command *const commands[] = { &request_command, &bench_command,   &endpoints_command,
                                                  &explain_command, &resolve_command, &config_command,
                                                  &xds_command };
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void print_help(void)
{
    puts("Usage: mesh COMMAND [OPTIONS] ...\n\n"
         "Calls services as a program does that links libmesh, and shows what it sees of them.\n");
    for (size_t i = 0; i < N_COMMANDS; i++)
        printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
    puts("\n"
         "  -h, --help     this text; 'mesh COMMAND -h' explains a command\n"
         "      --version  the version of the library\n\n"
         "A service is a configured name or a target: http://HOST:PORT, h2c://..., https://..., h2://..., "
         "srv+h2c://NAME.\n"
         "The configuration comes from the environment (MESH_CONFIG, MESH_SERVICES, ...); 'mesh config' shows it.\n"
         "Ends with 0 when all went well, 1 when the mesh failed, 2 when it was used wrongly.");
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static void tell_unknown(const char *word)
{
    const char *names[N_COMMANDS + 2], *nearest;

    for (size_t i = 0; i < N_COMMANDS; i++)
        names[i] = commands[i]->name;
    names[N_COMMANDS] = "--help";
    names[N_COMMANDS + 1] = "--version";
    nearest = nearest_name(word, names, sizeof names / sizeof *names);
    if (nearest)
        complain("there is no command \"%s\"; did you mean %s?", word, nearest);
    else
        complain("there is no command \"%s\"", word);
    fputs("'mesh -h' lists the commands.\n", stderr);
}

static int run(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    const struct command *command = find_command(word);

    if (command == &xds_command && argc > 2 && xds_find(argv[2]))
        return command_run(xds_find(argv[2]), argc - 2, argv + 2);
    if (command)
        return command_run(command, argc - 1, argv + 1);
    if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
        print_help();
        return EXIT_OK;
    }
    if (strcmp(word, "--version") == 0) {
        printf("mesh %s\n", mesh_version_string());
        return EXIT_OK;
    }
    if (argc > 1)
        tell_unknown(word);
    else
        fputs("mesh: a command is missing; 'mesh -h' lists them.\n", stderr);
    return EXIT_BAD_USAGE;
}

/* Who reads may have gone, as `head` does: no reason to complain. */
static int finish_output(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    if (errno != EPIPE)
        complain("cannot write to standard output: %s", strerror(errno));
    return code ? code : EXIT_MESH_FAILED;
}

int main(int argc, char **argv)
{
    return finish_output(run(argc, argv));
}
