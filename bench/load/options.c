/* SPDX-License-Identifier: Apache-2.0 */
/* The command line that all client programs understand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/load.h"

static const char *const usage =
    "usage: %s --port N [--mode M] [--callers N] [--body BYTES] [--seconds S] [--warm-up S] [--ca FILE]\n"
    "       [--server PID] [--proxy PID]\n";

static void misused(const char *program, const char *argument)
{
    fprintf(stderr, "%s: what is \"%s\"?\n", program, argument);
    fprintf(stderr, usage, program);
    exit(2);
}

static double number(const char *program, const char *text, double most)
{
    char *end;
    double value = strtod(text, &end);

    if (*text == '\0' || *end != '\0' || !(value >= 0) || value > most)
        misused(program, text);
    return value;
}

static void take(const char *program, const char *name, const char *value, struct load_options *out)
{
    if (strcmp(name, "--mode") == 0)
        out->mode = value;
    else if (strcmp(name, "--ca") == 0)
        out->ca = value;
    else if (strcmp(name, "--port") == 0)
        out->port = (uint16_t) number(program, value, UINT16_MAX);
    else if (strcmp(name, "--callers") == 0)
        out->callers = (uint32_t) number(program, value, 1000);
    else if (strcmp(name, "--body") == 0)
        out->body = (uint32_t) number(program, value, 16000);
    else if (strcmp(name, "--seconds") == 0)
        out->seconds = number(program, value, 3600);
    else if (strcmp(name, "--warm-up") == 0)
        out->warm_up = number(program, value, 3600);
    else if (strcmp(name, "--server") == 0)
        out->server = (long) number(program, value, INT32_MAX);
    else if (strcmp(name, "--proxy") == 0)
        out->proxy = (long) number(program, value, INT32_MAX);
    else
        misused(program, name);
}

int load_mode(const struct load_options *options, const char *const *modes)
{
    for (int i = 0; modes[i]; i++)
        if (strcmp(modes[i], options->mode) == 0)
            return i;
    return -1;
}

void load_parse(int argc, char **argv, const char *const *modes, struct load_options *out)
{
    *out = (struct load_options){ .mode = modes[0], .callers = 1, .body = 16, .seconds = 2, .warm_up = 0.2 };
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc)
            misused(argv[0], argv[i]);
        take(argv[0], argv[i], argv[i + 1], out);
    }
    if (load_mode(out, modes) < 0)
        misused(argv[0], out->mode);
    if (out->port == 0 || out->callers == 0)
        misused(argv[0], out->port == 0 ? "--port 0" : "--callers 0");
}
