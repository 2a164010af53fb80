/* SPDX-License-Identifier: Apache-2.0 */
/* Places in the bootstrap, and its members with their types. */
#include "source/xds/walk.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "source/conf.h"

enum { WHY = 256, PATH = 160 };

void walk_enter(struct walk *walk, const char *name)
{
    walk->path[walk->depth++] = name;
}

void walk_enter_index(struct walk *walk, size_t index)
{
    snprintf(walk->indexes[walk->depth], WALK_INDEX, "[%zu]", index);
    walk_enter(walk, walk->indexes[walk->depth]);
}

void walk_leave(struct walk *walk)
{
    walk->depth--;
}

static const char *dotted(const struct walk *walk, char out[PATH])
{
    char shown[PATH];
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < walk->depth && used < PATH; i++) {
        const char *name = walk->path[i], *dot = i > 0 && name[0] != '[' ? "." : "";

        text_printable(name, strlen(name), shown, sizeof shown);
        used += (size_t) snprintf(out + used, PATH - used, "%s%s", dot, shown);
    }
    return out;
}

int32_t walk_wrong(const struct walk *walk, const char *format, ...)
{
    unsigned line = conf_line(walk->text, walk->path, walk->depth);
    char why[WHY], place[PATH], at[32] = "";
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    if (line > 0)
        snprintf(at, sizeof at, ", line %u", line);
    if (walk->depth == 0)
        return fault_set(walk->fault, MESH_ERR_INVALID, "%s: %s", walk->from, why);
    return fault_set(walk->fault, MESH_ERR_INVALID, "%s%s: %s: %s", walk->from, at, dotted(walk, place), why);
}

int32_t walk_no_memory(const struct walk *walk)
{
    return conf_no_memory(walk->fault);
}

static const char *type_name(json_type type)
{
    switch (type) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a text";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_NULL:
        return "null";
    }
    return "something else";
}

int32_t walk_member(struct walk *walk, const json_t *object, const char *name, json_type type, json_t **out)
{
    json_t *member = json_object_get(object, name);
    int32_t err = 0;

    *out = json_is_null(member) ? NULL : member;
    if (!*out || json_typeof(*out) == type)
        return 0;
    if (type == JSON_TRUE && json_is_boolean(*out))
        return 0;
    walk_enter(walk, name);
    err = walk_wrong(walk, "it is %s, allowed is %s", type_name(json_typeof(*out)), type_name(type));
    walk_leave(walk);
    return err;
}

int32_t walk_text(struct walk *walk, const json_t *object, const char *name, const char *standard, char **out)
{
    json_t *member;
    int32_t err = walk_member(walk, object, name, JSON_STRING, &member);
    const char *text = err || !member ? standard : json_string_value(member);

    *out = NULL;
    if (err || !text)
        return err;
    *out = mem_strdup(text);
    return *out ? 0 : walk_no_memory(walk);
}
