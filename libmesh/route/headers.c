/* SPDX-License-Identifier: Apache-2.0 */
/* Headers that a control plane adds, replaces and takes away; what the variables in their values stand for. */
#include <string.h>
#include <unistd.h>

#include "route/conditions.h"

/* ---- the list ---- */

struct value_made {
    struct value_made *next;
    char text[];
};

static bool grow(struct header_list *list, size_t cap)
{
    struct mesh_header *items = cap <= SIZE_MAX / sizeof *items ? mem_realloc(list->items, cap * sizeof *items) : NULL;

    if (!items)
        return false;
    list->items = items;
    list->cap = cap;
    return true;
}

/* Room for a few that are added later. */
enum { MORE = 8 };

bool header_list_copy(struct header_list *list, const struct mesh_header *headers, size_t n)
{
    if (!grow(list, n + MORE))
        return false;
    if (n > 0)
        memcpy(list->items, headers, n * sizeof *headers);
    list->n = n;
    return true;
}

void header_list_clear(struct header_list *list)
{
    struct value_made *next;

    for (struct value_made *made = list->made; made; made = next) {
        next = made->next;
        mem_free(made);
    }
    mem_free(list->items);
    *list = (struct header_list){ .cap = 0 };
}

static size_t find(const struct header_list *list, const char *name)
{
    size_t i = 0;

    while (i < list->n && !text_equal_nocase(list->items[i].name, name))
        i++;
    return i;
}

static bool add(struct header_list *list, const char *name, const char *value)
{
    if (list->n == list->cap && !grow(list, list->cap * 2 + MORE))
        return false;
    list->items[list->n++] = (struct mesh_header){ name, value };
    return true;
}

static void remove_all(struct header_list *list, const char *name)
{
    size_t kept = find(list, name);

    for (size_t i = kept; i < list->n; i++)
        if (!text_equal_nocase(list->items[i].name, name))
            list->items[kept++] = list->items[i];
    list->n = kept;
}

/* ---- values ---- */

static const char *first_of(const struct mesh_header *headers, size_t n, const char *name)
{
    size_t at = 0;

    return route_header_next(headers, n, name, &at);
}

static const char *of_request(const struct route_facts *facts, const struct header_list *list, const char *name)
{
    const char *value = facts->request ? route_header_pseudo(facts->request, name) : NULL;

    if (value)
        return value;
    if (!facts->answer)
        return first_of(list->items, list->n, name);
    return facts->request ? first_of(facts->request->headers, facts->request->n_headers, name) : NULL;
}

static const char *of_answer(const struct route_facts *facts, const struct header_list *list, const char *name)
{
    return facts->answer ? first_of(list->items, list->n, name) : NULL;
}

/* One of two names. */
static const char *of_header(const struct value_part *part, const struct route_facts *facts,
                             const struct header_list *list)
{
    const char *(*read)(const struct route_facts *, const struct header_list *, const char *) =
        part->kind == VALUE_REQUEST_HEADER ? of_request : of_answer;
    const char *value = part->text ? read(facts, list, part->text) : NULL;

    return value || !part->alternative ? value : read(facts, list, part->alternative);
}

/* Room for what is nowhere yet: a time, the name of this machine. */
enum { MOST_COMPUTED = 256 };

static const char *host_name(char room[MOST_COMPUTED])
{
    if (gethostname(room, MOST_COMPUTED - 1) != 0)
        return NULL;
    room[MOST_COMPUTED - 1] = '\0';
    return room;
}

static const char *start_time(const struct route_facts *facts, char room[MOST_COMPUTED])
{
    clock_text(facts->wall_ms * US_PER_MS, room);
    return room;
}

static const char *value_of(const struct value_part *part, const struct route_facts *facts,
                            const struct header_list *list, char room[MOST_COMPUTED])
{
    switch (part->kind) {
    case VALUE_TEXT:
        return part->text;
    case VALUE_REQUEST_HEADER:
    case VALUE_RESPONSE_HEADER:
        return of_header(part, facts, list);
    case VALUE_CLUSTER:
        return facts->cluster;
    case VALUE_HOSTNAME:
        return host_name(room);
    case VALUE_ENDPOINT:
        return facts->endpoint;
    case VALUE_PROTOCOL:
        return facts->protocol;
    case VALUE_START_TIME:
        return start_time(facts, room);
    case VALUE_ROUTE:
        return facts->route;
    }
    return NULL;
}

static const char *keep(struct header_list *list, const struct buf *text)
{
    size_t len = buf_len(text);
    struct value_made *made = mem_alloc(sizeof *made + len + 1);

    if (!made)
        return NULL;
    if (len > 0)
        memcpy(made->text, buf_bytes(text), len);
    made->text[len] = '\0';
    made->next = list->made;
    list->made = made;
    return made->text;
}

/* NULL: out of memory. A text alone is borrowed. */
static const char *make_value(const struct header_change *change, const struct route_facts *facts,
                              struct header_list *list)
{
    char room[512], computed[MOST_COMPUTED];
    struct buf text;
    bool done = true;
    const char *value;

    if (change->n_parts == 0)
        return "";
    if (change->n_parts == 1 && change->parts[0].kind == VALUE_TEXT)
        return change->parts[0].text;
    buf_lend(&text, room, sizeof room);
    for (size_t i = 0; i < change->n_parts && done; i++) {
        const struct value_part *part = &change->parts[i];

        value = value_of(part, facts, list, computed);
        if (value)
            done = buf_append(&text, value, part->most ? strnlen(value, part->most) : strlen(value));
    }
    value = done ? keep(list, &text) : NULL;
    buf_free(&text);
    return value;
}

/* ---- changes ---- */

static bool change_header(const struct header_change *change, const struct route_facts *facts, struct header_list *list)
{
    bool exists = find(list, change->name) < list->n;
    const char *value;

    if (change->action == HEADER_REMOVE) {
        remove_all(list, change->name);
        return true;
    }
    if ((change->action == HEADER_ADD_IF_ABSENT && exists) || (change->action == HEADER_OVERWRITE_IF_EXISTS && !exists))
        return true;
    value = make_value(change, facts, list);
    if (!value)
        return false;
    if (*value == '\0' && !change->keep_empty)
        return true;
    if (change->action != HEADER_APPEND)
        remove_all(list, change->name);
    return add(list, change->name, value);
}

bool route_change_headers(const struct header_changes *changes, const struct route_facts *facts,
                          struct header_list *list)
{
    for (size_t i = 0; i < changes->n; i++)
        if (!change_header(&changes->items[i], facts, list))
            return false;
    return true;
}
