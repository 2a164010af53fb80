/* SPDX-License-Identifier: Apache-2.0 */
/* One command's options, read and explained from its table. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/call.h"
#include "cli/output.h"

/* -h and the end of the list are added to each table. */
enum { MOST_OPTIONS = 16 };

/* getopt_long() answers with FIRST + index for each option of the table, whatever way it was written. */
enum { FIRST = 1000, HELP = 'h' };

/* ---- help ---- */

static void help_option(char letter, const char *name, const char *argument, const char *help)
{
    char left[64];

    snprintf(left, sizeof left, "%c%c%s--%s%s%s", letter ? '-' : ' ', letter ? letter : ' ', letter ? ", " : "  ", name,
             argument ? " " : "", argument ? argument : "");
    printf("  %-26s %s\n", left, help);
}

void command_help(const struct command *command)
{
    printf("Usage: mesh %s [OPTIONS] %s\n\n%s\n", command->name, command->arguments, command->summary);
    if (command->notes)
        printf("%s\n", command->notes);
    putchar('\n');
    for (size_t i = 0; i < command->n_options; i++) {
        const struct option_spec *option = &command->options[i];

        help_option(option->letter, option->name, option->argument, option->help);
    }
    help_option('h', "help", NULL, "this text");
}

/* ---- reading ---- */

static int usage_error(const struct command *command)
{
    fprintf(stderr, "'mesh %s -h' explains the command.\n", command->name);
    return EXIT_BAD_USAGE;
}

static void wrong_value(const struct option_spec *option, const char *text, const char *allowed)
{
    complain("--%s: \"%s\" is not allowed: %s", option->name, text, allowed);
}

static bool set_number(const struct option_spec *option, uint64_t *value, const char *text)
{
    char allowed[96], *end;

    snprintf(allowed, sizeof allowed, "a number from %llu to %llu", (unsigned long long) option->least,
             (unsigned long long) option->most);
    *value = strtoull(text, &end, 10);
    if (strspn(text, "0123456789") == strlen(text) && *text && *value >= option->least && *value <= option->most)
        return true;
    wrong_value(option, text, allowed);
    return false;
}

static bool set_duration(const struct option_spec *option, uint64_t *value, const char *text)
{
    char allowed[96];

    snprintf(allowed, sizeof allowed, "a time such as 250ms, 1s or 1m, from %llums to %llus",
             (unsigned long long) option->least, (unsigned long long) option->most / 1000);
    if (parse_duration(text, value) && *value >= option->least && *value <= option->most)
        return true;
    wrong_value(option, text, allowed);
    return false;
}

static bool accepted(const struct option_spec *option, const char *text, const char *wrong)
{
    if (wrong)
        wrong_value(option, text, wrong);
    return !wrong;
}

static bool set_value(const struct option_spec *option, void *values, const char *text)
{
    void *value = (char *) values + option->offset;

    switch (option->type) {
    case OPTION_FLAG:
        *(bool *) value = true;
        return true;
    case OPTION_TEXT:
        *(const char **) value = text;
        return true;
    case OPTION_NUMBER:
        return set_number(option, value, text);
    case OPTION_DURATION:
        return set_duration(option, value, text);
    case OPTION_HEADER:
        return accepted(option, text, header_add(value, text));
    case OPTION_BODY:
        return accepted(option, text, body_read(value, text));
    }
    return false;
}

/* `letters` and `longs` as getopt_long() wants them. A colon in front: it tells a missing argument apart. */
static void fill_getopt(const struct command *command, char *letters, struct option *longs)
{
    size_t n = 0;

    *letters++ = ':';
    *letters++ = HELP;
    for (; n < command->n_options; n++) {
        const struct option_spec *option = &command->options[n];

        longs[n] = (struct option){ option->name, option->argument != NULL, NULL, (int) (FIRST + n) };
        if (!option->letter)
            continue;
        *letters++ = option->letter;
        if (option->argument)
            *letters++ = ':';
    }
    *letters = '\0';
    longs[n] = (struct option){ "help", no_argument, NULL, HELP };
    longs[n + 1] = (struct option){ 0 };
}

static const struct option_spec *find_option(const struct command *command, int answer)
{
    if (answer >= FIRST)
        return &command->options[answer - FIRST];
    for (size_t i = 0; i < command->n_options; i++)
        if (command->options[i].letter && command->options[i].letter == answer)
            return &command->options[i];
    return NULL;
}

static void tell_unknown(const struct command *command, const char *word)
{
    const char *names[MOST_OPTIONS + 1], *nearest = NULL;
    char typed[64] = "";

    for (size_t i = 0; i < command->n_options; i++)
        names[i] = command->options[i].name;
    names[command->n_options] = "help";
    if (strncmp(word, "--", 2) == 0) {
        snprintf(typed, sizeof typed, "%.*s", (int) strcspn(word + 2, "="), word + 2);
        nearest = nearest_name(typed, names, command->n_options + 1);
    }
    if (nearest)
        complain("mesh %s has no option \"%s\"; did you mean --%s?", command->name, word, nearest);
    else
        complain("mesh %s has no option \"%s\"", command->name, word);
}

static void tell_refused(const struct command *command, int answer, char **argv)
{
    const char *word = argv[optind - 1];
    char letter[] = { '-', (char) optopt, '\0' };

    if (answer == ':')
        complain("option %s needs a value", optopt < FIRST ? letter : word);
    else if (optopt >= FIRST)
        complain("option --%s takes no value", find_option(command, optopt)->name);
    else
        tell_unknown(command, optopt ? letter : word);
}

enum parsed { PARSED, PARSED_HELP, PARSED_WRONG };

static enum parsed parse(const struct command *command, int argc, char **argv, void *values)
{
    char letters[2 * MOST_OPTIONS + 3];
    struct option longs[MOST_OPTIONS + 2];
    int answer;

    fill_getopt(command, letters, longs);
    opterr = 0;
    while ((answer = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        const struct option_spec *option = find_option(command, answer);

        if (answer == HELP)
            return PARSED_HELP;
        if (!option) {
            tell_refused(command, answer, argv);
            return PARSED_WRONG;
        }
        if (!set_value(option, values, optarg))
            return PARSED_WRONG;
    }
    return PARSED;
}

static bool right_count(const struct command *command, size_t n)
{
    if (n < command->least_arguments)
        complain("mesh %s needs %s", command->name, command->arguments);
    else if (n > command->most_arguments)
        complain("mesh %s takes no further argument than %s", command->name,
                 command->most_arguments ? command->arguments : "its options");
    return n >= command->least_arguments && n <= command->most_arguments;
}

int command_run(const struct command *command, int argc, char **argv)
{
    void *values = must_have(calloc(1, command->values_size));
    enum parsed parsed = parse(command, argc, argv, values);
    int code = EXIT_OK;

    if (parsed == PARSED_HELP)
        command_help(command);
    else if (parsed == PARSED_WRONG || !right_count(command, (size_t) (argc - optind)))
        code = usage_error(command);
    else
        code = command->run(values, argv + optind, (size_t) (argc - optind));
    free(values);
    return code;
}
