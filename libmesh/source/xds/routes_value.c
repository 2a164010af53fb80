/* SPDX-License-Identifier: Apache-2.0 */
/* Values of headers with Envoy's variables in them: "%REQ(x-user?x-account):8%" becomes a piece that requests fill in. */
#include "source/xds/routes_reader.h"

#include <string.h>

enum { PARTS_MOST = 64, SHOWN = 64 };

/* "%NAME(argument):most%", taken apart; lengths of what is not there are 0. */
struct command {
    const char *name, *argument, *most;
    size_t name_len, argument_len, most_len;
    bool has_argument;
};

static const struct {
    const char *name;
    enum value_part_kind kind;
    bool has_header;
} commands[] = {
    { "REQ", VALUE_REQUEST_HEADER, true },
    { "RESP", VALUE_RESPONSE_HEADER, true },
    { "UPSTREAM_CLUSTER", VALUE_CLUSTER, false },
    { "HOSTNAME", VALUE_HOSTNAME, false },
    { "UPSTREAM_REMOTE_ADDRESS", VALUE_ENDPOINT, false },
    { "UPSTREAM_HOST", VALUE_ENDPOINT, false },
    { "PROTOCOL", VALUE_PROTOCOL, false },
    { "START_TIME", VALUE_START_TIME, false },
    { "ROUTE_NAME", VALUE_ROUTE, false },
};

static int32_t wrong(struct routes_reader *reader, const char *at, size_t len, const char *why)
{
    char text[SHOWN];

    return reading_wrong(reader->reading, "\"%s\": %s", text_printable(at, len, text, sizeof text), why);
}

/* ---- taking apart ---- */

static bool is_name_byte(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* How long the command at `at`, which begins with "%", is; 0: it is none. */
static size_t split(const char *at, size_t len, struct command *out)
{
    const char *end = at + len, *next = at + 1, *close;

    *out = (struct command){ .name = next };
    while (next < end && is_name_byte(*next))
        next++;
    out->name_len = (size_t) (next - out->name);
    if (next < end && *next == '(') {
        close = memchr(next, ')', (size_t) (end - next));
        if (!close)
            return 0;
        out->has_argument = true;
        out->argument = next + 1;
        out->argument_len = (size_t) (close - out->argument);
        next = close + 1;
    }
    if (next < end && *next == ':') {
        out->most = ++next;
        while (next < end && *next >= '0' && *next <= '9')
            next++;
        out->most_len = (size_t) (next - out->most);
    }
    if (out->name_len == 0 || next == end || *next != '%' || (out->most && out->most_len == 0))
        return 0;
    return (size_t) (next + 1 - at);
}

/* ---- pieces ---- */

static int32_t name_of(struct routes_reader *reader, const char *name, size_t len, const char **out)
{
    const char *text = model_routes_text(reader->routes, name, len);

    return text ? routes_header_name(reader, text, out) : reading_no_memory(reader->reading);
}

/* "name?alternative" */
static int32_t read_argument(struct routes_reader *reader, const struct command *command, struct value_part *part)
{
    const char *mark = command->argument_len ? memchr(command->argument, '?', command->argument_len) : NULL;
    size_t name_len = mark ? (size_t) (mark - command->argument) : command->argument_len;
    int32_t err;

    err = name_of(reader, command->argument, name_len, &part->text);
    if (err || !mark)
        return err;
    return name_of(reader, mark + 1, command->argument_len - name_len - 1, &part->alternative);
}

static int32_t read_most(struct routes_reader *reader, const char *at, size_t len, const struct command *command,
                         struct value_part *part)
{
    uint64_t most;

    if (!command->most)
        return 0;
    if (!text_to_u64(command->most, command->most_len, &most) || most == 0 || most > ROUTES_TEXT_MOST)
        return wrong(reader, at, len, "a length is from 1 to 16384");
    part->most = (uint32_t) most;
    return 0;
}

static int32_t read_command(struct routes_reader *reader, const char *at, size_t len, const struct command *command,
                            bool of_answer, struct value_part *part)
{
    size_t i = 0;
    int32_t err;

    while (i < COUNT_OF(commands) && (strlen(commands[i].name) != command->name_len ||
                                      memcmp(commands[i].name, command->name, command->name_len) != 0))
        i++;
    if (i == COUNT_OF(commands))
        return wrong(reader, at, len, "a client does not know this variable; \"%%\" is a percent sign");
    part->kind = commands[i].kind;
    if (part->kind == VALUE_RESPONSE_HEADER && !of_answer)
        return wrong(reader, at, len, "a request is sent before there is an answer");
    if (commands[i].has_header != command->has_argument || (command->most && !commands[i].has_header))
        return wrong(reader, at, len,
                     commands[i].has_header ? "it needs the name of a header in parentheses"
                                            : "it takes nothing in parentheses, and no length");
    err = commands[i].has_header ? read_argument(reader, command, part) : 0;
    return err ? err : read_most(reader, at, len, command, part);
}

/* ---- the whole value ---- */

/* The pieces so far, the last one maybe text that grows. */
struct pieces {
    struct value_part parts[PARTS_MOST];
    size_t n;
    struct buf text;
};

static int32_t end_text(struct routes_reader *reader, struct pieces *pieces)
{
    size_t len = buf_len(&pieces->text);
    struct value_part *part;

    if (len == 0)
        return 0;
    if (pieces->n == PARTS_MOST)
        return reading_wrong(reader->reading, "more than %d variables and texts between them", (int) PARTS_MOST);
    part = &pieces->parts[pieces->n++];
    part->kind = VALUE_TEXT;
    part->text = model_routes_text(reader->routes, (const char *) buf_bytes(&pieces->text), len);
    part->len = len;
    buf_clear(&pieces->text);
    return part->text ? 0 : reading_no_memory(reader->reading);
}

static int32_t add_command(struct routes_reader *reader, struct pieces *pieces, const char *at, size_t left,
                           bool of_answer, size_t *used)
{
    struct command command;
    int32_t err;

    *used = split(at, left, &command);
    if (*used == 0)
        return wrong(reader, at, left, "\"%\" begins a variable that does not end; \"%%\" is a percent sign");
    err = end_text(reader, pieces);
    if (err)
        return err;
    if (pieces->n == PARTS_MOST)
        return reading_wrong(reader->reading, "more than %d variables and texts between them", (int) PARTS_MOST);
    return read_command(reader, at, *used, &command, of_answer, &pieces->parts[pieces->n++]);
}

static int32_t read_pieces(struct routes_reader *reader, const char *value, size_t len, bool of_answer,
                           struct pieces *pieces)
{
    int32_t err = 0;

    for (size_t at = 0, used; at < len && !err; at += used) {
        const char *percent = memchr(value + at, '%', len - at);

        used = percent ? (size_t) (percent - value) - at : len - at;
        if (used > 0) {
            err = buf_append(&pieces->text, value + at, used) ? 0 : reading_no_memory(reader->reading);
        } else if (at + 1 < len && value[at + 1] == '%') {
            used = 2;
            err = buf_append(&pieces->text, "%", 1) ? 0 : reading_no_memory(reader->reading);
        } else {
            err = add_command(reader, pieces, value + at, len - at, of_answer, &used);
        }
    }
    return err ? err : end_text(reader, pieces);
}

int32_t routes_value(struct routes_reader *reader, const char *value, size_t len, bool of_answer,
                     struct header_change *out)
{
    struct pieces pieces = { .n = 0 };
    int32_t err = read_pieces(reader, value, len, of_answer, &pieces);

    if (!err && pieces.n > 0) {
        out->parts = routes_alloc(reader, pieces.n, sizeof *out->parts);
        err = out->parts ? 0 : MESH_ERR_NOMEM;
    }
    if (!err && pieces.n > 0) {
        memcpy(out->parts, pieces.parts, pieces.n * sizeof *out->parts);
        out->n_parts = pieces.n;
    }
    buf_free(&pieces.text);
    return err;
}
