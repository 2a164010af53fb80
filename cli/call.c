/* SPDX-License-Identifier: Apache-2.0 */
/* From the words of the command line to the options of a request. */
#include "cli/call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"

/* An empty value is fine: "K:". */
const char *header_add(struct header_list *list, const char *text)
{
    char *name = must_have(strdup(text));
    char *colon = strchr(name + (*name == ':'), ':'); /* ":authority: x" has its colon in front */
    char *value;

    if (!colon || colon == name || *name == ' ') {
        free(name);
        return "a header is written 'name: value'";
    }
    *colon = '\0';
    value = colon + 1 + strspn(colon + 1, " \t");
    list->items = must_have(realloc(list->items, (list->n + 1) * sizeof *list->items));
    list->items[list->n++] = (struct mesh_header){ name, value };
    return NULL;
}

static const char *read_all(struct body_text *body, FILE *file)
{
    size_t room = 0, got;

    do {
        if (body->len == room)
            body->bytes = must_have(realloc(body->bytes, room = room * 2 + 65536));
        got = fread(body->bytes + body->len, 1, room - body->len, file);
        body->len += got;
    } while (got > 0);
    return ferror(file) ? strerror(errno) : NULL;
}

static const char *read_file(struct body_text *body, const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    const char *wrong;

    if (!file)
        return strerror(errno);
    wrong = read_all(body, file);
    if (file != stdin)
        fclose(file);
    return wrong;
}

const char *body_read(struct body_text *body, const char *text)
{
    free(body->bytes);
    *body = (struct body_text){ 0 };
    if (*text == '@')
        return read_file(body, text + 1);
    body->bytes = must_have(strdup(text));
    body->len = strlen(text);
    return NULL;
}

struct mesh_request_opts call_options(const struct call_values *values, char **arguments, size_t n_arguments)
{
    struct mesh_request_opts opts;

    mesh_request_opts_init(&opts, sizeof opts);
    opts.service = arguments[0];
    opts.path = n_arguments > 1 ? arguments[1] : NULL;
    opts.method = values->method;
    if (!opts.method && values->body.bytes)
        opts.method = "POST";
    opts.headers = values->headers.items;
    opts.n_headers = values->headers.n;
    opts.body = values->body.bytes;
    opts.body_len = values->body.len;
    opts.timeout_ms = (uint32_t) values->timeout_ms;
    opts.max_attempts = (uint32_t) values->attempts;
    return opts;
}

void call_free(struct call_values *values)
{
    for (size_t i = 0; i < values->headers.n; i++)
        free((char *) (uintptr_t) values->headers.items[i].name);
    free(values->headers.items);
    free(values->body.bytes);
}
