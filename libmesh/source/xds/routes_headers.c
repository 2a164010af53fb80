/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of headers: one level's, and those of several levels in the order in which they are done. */
#include "source/xds/routes_reader.h"

#include <string.h>

enum { LIST_MOST = 1000, SHOWN = 64 };

/* ---- names and values ---- */

static bool is_token_byte(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

int32_t routes_header_name(struct routes_reader *reader, const char *name, const char **out)
{
    const char *token = name + (name[0] == ':');
    char text[SHOWN];
    size_t n = 0;

    while (is_token_byte((unsigned char) token[n]))
        n++;
    if (n == 0 || token[n] != '\0')
        return reading_wrong(reader->reading, "\"%s\" is no name of a header",
                             text_printable(name, strlen(name), text, sizeof text));
    return routes_lower(reader, text_equal_nocase(name, "host") ? ":authority" : name, out);
}

/* Bytes that no value may have: control bytes but tab. */
static bool has_control(const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((unsigned char) value[i] < ' ' && value[i] != '\t') || value[i] == 0x7f)
            return true;
    return false;
}

static int32_t control_refused(struct routes_reader *reader)
{
    return reading_wrong(reader->reading, "it has a control byte (CR, LF or another), which no header may have");
}

int32_t routes_header_value(struct routes_reader *reader, const char *value, const char **out)
{
    return has_control(value, strlen(value)) ? control_refused(reader) : routes_text(reader, value, out);
}

/* ---- one change ---- */

/* Refused: pseudo-headers and "host", which rewriting is there for. *out NULL: the library looks after it, and it is listed. */
static int32_t changed_name(struct routes_reader *reader, const char *name, const char **out)
{
    static const char *const own[] = { "connection", "keep-alive",     "proxy-connection", "transfer-encoding",
                                       "upgrade",    "content-length", "http2-settings" };
    const char *lower = "";
    int32_t err = routes_header_name(reader, name, &lower);

    *out = NULL;
    if (err)
        return err;
    if (lower[0] == ':')
        return reading_wrong(reader->reading, "\"%.60s\" cannot be changed here", name);
    for (size_t i = 0; i < COUNT_OF(own); i++) {
        if (strcmp(lower, own[i]) != 0)
            continue;
        reading_ignored(reader->reading, "\"%s\" belongs to the connection or the body, which libmesh looks after",
                        lower);
        return 0;
    }
    *out = lower;
    return 0;
}

/* The older `append` may stand in place of append_action. */
static int32_t read_action(struct routes_reader *reader, const Core__HeaderValueOption *option,
                           struct header_change *out)
{
    static const enum header_action actions[] = { HEADER_APPEND, HEADER_ADD_IF_ABSENT, HEADER_OVERWRITE,
                                                  HEADER_OVERWRITE_IF_EXISTS };
    uint32_t action = (uint32_t) option->append_action;

    if (action >= COUNT_OF(actions))
        return reading_wrong_at(reader->reading, "append_action", "%u does not exist", action);
    if (option->append && action != 0)
        return reading_wrong_at(reader->reading, "append", "it must not stand beside append_action");
    out->action = option->append && !option->append->value ? HEADER_OVERWRITE : actions[action];
    return 0;
}

/* Blanks around a value are not part of it (RFC 9110 5.5). */
static void trim(const char **value, size_t *len)
{
    while (*len > 0 && ((*value)[0] == ' ' || (*value)[0] == '\t')) {
        (*value)++;
        (*len)--;
    }
    while (*len > 0 && ((*value)[*len - 1] == ' ' || (*value)[*len - 1] == '\t'))
        (*len)--;
}

static int32_t read_value(struct routes_reader *reader, const Core__HeaderValue *header, bool of_answer,
                          struct header_change *out)
{
    const char *value = header->value;
    size_t len = strlen(value);

    if (len > 0 && header->raw_value.len > 0)
        return reading_wrong(reader->reading, "it has both value and raw_value");
    if (header->raw_value.data && header->raw_value.len > 0) {
        value = (const char *) header->raw_value.data;
        len = header->raw_value.len;
    }
    if (len > ROUTES_TEXT_MOST)
        return reading_wrong(reader->reading, "the value has %zu bytes; allowed are %d", len, (int) ROUTES_TEXT_MOST);
    if (has_control(value, len))
        return control_refused(reader);
    trim(&value, &len);
    return routes_value(reader, value, len, of_answer, out);
}

/* A change without a name is left out. */
static int32_t read_option(struct routes_reader *reader, const Core__HeaderValueOption *option, bool of_answer,
                           struct header_change *out)
{
    int32_t err;

    if (!option->header)
        return reading_wrong(reader->reading, "header is missing");
    err = read_action(reader, option, out);
    if (err)
        return err;
    out->keep_empty = option->keep_empty_value;
    reading_enter(reader->reading, "header");
    err = changed_name(reader, option->header->key, &out->name);
    if (!err)
        err = read_value(reader, option->header, of_answer, out);
    reading_leave(reader->reading);
    return err;
}

/* ---- one level ---- */

struct change_list {
    const char *add_field, *remove_field;
    size_t n_add, n_remove;
    Core__HeaderValueOption *const *add;
    char *const *remove;
    bool of_answer;
};

static int32_t read_removals(struct routes_reader *reader, const struct change_list *list, struct header_changes *out)
{
    int32_t err = 0;

    for (size_t i = 0; i < list->n_remove && !err; i++) {
        struct header_change *change = &out->items[out->n];

        reading_enter_item(reader->reading, list->remove_field, i);
        change->action = HEADER_REMOVE;
        err = changed_name(reader, list->remove[i], &change->name);
        out->n += !err && change->name;
        reading_leave(reader->reading);
    }
    return err;
}

static int32_t read_additions(struct routes_reader *reader, const struct change_list *list, struct header_changes *out)
{
    int32_t err = 0;

    for (size_t i = 0; i < list->n_add && !err; i++) {
        struct header_change *change = &out->items[out->n];

        *change = (struct header_change){ .action = HEADER_APPEND };
        reading_enter_item(reader->reading, list->add_field, i);
        err = read_option(reader, list->add[i], list->of_answer, change);
        out->n += !err && change->name;
        reading_leave(reader->reading);
    }
    return err;
}

/* As Envoy does them: what is overwritten, then what is added. */
static void overwrites_first(struct header_change *changes, size_t n)
{
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        struct header_change one = changes[i];

        if (one.action != HEADER_OVERWRITE && one.action != HEADER_OVERWRITE_IF_EXISTS)
            continue;
        memmove(&changes[at + 1], &changes[at], (i - at) * sizeof *changes);
        changes[at++] = one;
    }
}

static int32_t check_length(struct routes_reader *reader, const char *field, size_t n)
{
    if (n > LIST_MOST)
        return reading_wrong_at(reader->reading, field, "%zu headers; allowed are %d", n, (int) LIST_MOST);
    return routes_take(reader, ROUTES_CHANGE, n);
}

/* Removals first. */
static int32_t read_list(struct routes_reader *reader, const struct change_list *list, struct header_changes *out)
{
    int32_t err = check_length(reader, list->add_field, list->n_add);
    size_t n_removals;

    if (!err)
        err = check_length(reader, list->remove_field, list->n_remove);
    if (err || list->n_add + list->n_remove == 0)
        return err;
    out->items = routes_alloc(reader, list->n_add + list->n_remove, sizeof *out->items);
    if (!out->items)
        return MESH_ERR_NOMEM;
    err = read_removals(reader, list, out);
    n_removals = out->n;
    if (!err)
        err = read_additions(reader, list, out);
    overwrites_first(out->items + n_removals, out->n - n_removals);
    return err;
}

int32_t routes_changes(struct routes_reader *reader, const struct routes_change_lists *lists,
                       struct routes_changes *out)
{
    struct change_list request = {
        .add_field = "request_headers_to_add",
        .remove_field = "request_headers_to_remove",
        .n_add = lists->n_request_add,
        .n_remove = lists->n_request_remove,
        .add = lists->request_add,
        .remove = lists->request_remove,
    };
    struct change_list response = {
        .add_field = "response_headers_to_add",
        .remove_field = "response_headers_to_remove",
        .n_add = lists->n_response_add,
        .n_remove = lists->n_response_remove,
        .add = lists->response_add,
        .remove = lists->response_remove,
        .of_answer = true,
    };
    int32_t err;

    *out = (struct routes_changes){ 0 };
    err = read_list(reader, &request, &out->request);
    return err ? err : read_list(reader, &response, &out->response);
}

/* ---- several levels ---- */

static int32_t join(struct routes_reader *reader, const struct header_changes *first,
                    const struct header_changes *second, struct header_changes *out)
{
    int32_t err;

    *out = first->n > 0 ? *first : *second;
    if (first->n == 0 || second->n == 0)
        return 0;
    err = routes_take(reader, ROUTES_CHANGE, first->n + second->n);
    if (err)
        return err;
    out->n = first->n + second->n;
    out->items = routes_alloc(reader, out->n, sizeof *out->items);
    if (!out->items)
        return MESH_ERR_NOMEM;
    memcpy(out->items, first->items, first->n * sizeof *out->items);
    memcpy(out->items + first->n, second->items, second->n * sizeof *out->items);
    return 0;
}

int32_t routes_append_changes(struct routes_reader *reader, const struct routes_changes *first,
                              const struct routes_changes *second, struct routes_changes *out)
{
    struct routes_changes joined;
    int32_t err = join(reader, &first->request, &second->request, &joined.request);

    if (!err)
        err = join(reader, &first->response, &second->response, &joined.response);
    if (!err)
        *out = joined;
    return err;
}

/* The last word is the outer level's, unless the most specific one is to have it. */
int32_t routes_join_changes(struct routes_reader *reader, const struct routes_changes *inner,
                            const struct routes_changes *outer, struct routes_changes *out)
{
    return reader->most_specific_wins ? routes_append_changes(reader, outer, inner, out)
                                      : routes_append_changes(reader, inner, outer, out);
}
