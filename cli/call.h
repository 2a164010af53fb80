/* SPDX-License-Identifier: Apache-2.0 */
/* What a request is made of on the command line; shared by `mesh request` and `mesh bench`. */
#ifndef CLI_CALL_H
#define CLI_CALL_H

#include <mesh/mesh.h>

#include "cli/cli.h"

struct header_list {
    struct mesh_header *items;
    size_t n;
};

struct body_text {
    char *bytes; /* NULL: none */
    size_t len;
};

struct call_values {
    const char *method;
    struct header_list headers;
    struct body_text body;
    uint64_t timeout_ms, attempts;
};

/* The rows of both commands' tables. `values` is the command's struct, `call` its member of type struct call_values. */
#define CALL_OPTIONS(values, call)                                                                                       \
    { 'X', "method", "M", "request method; GET, or POST with -d", OPTION_TEXT, offsetof(values, call.method), 0, 0 },    \
        { 'H', "header", "'K: V'", "one header; may be repeated", OPTION_HEADER, offsetof(values, call.headers), 0, 0 }, \
        { 'd',         "data",                                                                                           \
          "BODY",      "request body; @FILE reads a file, @- standard input",                                            \
          OPTION_BODY, offsetof(values, call.body),                                                                      \
          0,           0 },                                                                                              \
        { 0,                                                                                                             \
          "timeout",                                                                                                     \
          "TIME",                                                                                                        \
          "for the whole call, retries included: 250ms, 1s, 1m",                                                         \
          OPTION_DURATION,                                                                                               \
          offsetof(values, call.timeout_ms),                                                                             \
          1,                                                                                                             \
          UINT64_C(86400000) },                                                                                          \
    {                                                                                                                    \
        0, "attempts", "N", "at most so many attempts; 1: never retry", OPTION_NUMBER,                                   \
            offsetof(values, call.attempts), 1, 100                                                                      \
    }

/* Each returns NULL or, for the user, what is wrong with the text. */
const char *header_add(struct header_list *list, const char *text);
const char *body_read(struct body_text *body, const char *text);

/* Options that borrow from `values` and `arguments` (SERVICE, and PATH if there is one). */
struct mesh_request_opts call_options(const struct call_values *values, char **arguments, size_t n_arguments);
void call_free(struct call_values *values);

#endif
