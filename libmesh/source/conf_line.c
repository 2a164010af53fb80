/* SPDX-License-Identifier: Apache-2.0 */
/* On which line of a JSON text a member stands: jansson does not remember. Only for text that jansson has accepted. */
#include "source/conf.h"

#include <string.h>

static const char *skip_space(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

/* From an opening quote to behind the closing one. */
static const char *skip_string(const char *at)
{
    for (at++; *at && *at != '"'; at++)
        if (*at == '\\' && at[1])
            at++;
    return *at ? at + 1 : at;
}

/* To behind a value: to the comma or bracket at its own depth. */
static const char *skip_value(const char *at)
{
    unsigned depth = 0;

    while (*at) {
        if (*at == '"') {
            at = skip_string(at);
            continue;
        }
        if (depth == 0 && strchr(",}]", *at))
            return at;
        depth += *at == '{' || *at == '[';
        depth -= *at == '}' || *at == ']';
        at++;
    }
    return at;
}

/* The quote that begins the member's name; NULL: `object` is none, or has no such member. Names with escapes are not found. */
static const char *find_member(const char *object, const char *name)
{
    size_t len = strlen(name);
    const char *at = skip_space(object);

    if (*at != '{')
        return NULL;
    for (at = skip_space(at + 1); *at == '"'; at = skip_space(at + (*at == ','))) {
        const char *end = skip_string(at);

        if ((size_t) (end - at) == len + 2 && memcmp(at + 1, name, len) == 0)
            return at;
        at = skip_value(skip_space(end) + 1);
    }
    return NULL;
}

/* The element of a list that "[3]" means; NULL: `list` is none, or is shorter. */
static const char *find_element(const char *list, const char *index)
{
    const char *at = skip_space(list);
    uint64_t left;

    if (*at != '[' || !text_to_u64(index + 1, strspn(index + 1, "0123456789"), &left))
        return NULL;
    for (at = skip_space(at + 1); left > 0 && *at && *at != ']'; left--) {
        at = skip_value(at);
        at = skip_space(at + (*at == ','));
    }
    return *at && *at != ']' ? at : NULL;
}

unsigned conf_line(const char *text, const char *const *path, size_t depth)
{
    const char *at = text, *member = NULL;
    unsigned line = 1;

    for (size_t i = 0; i < depth; i++) {
        bool element = path[i][0] == '[' && *skip_space(at) == '[';

        member = element ? find_element(at, path[i]) : find_member(at, path[i]);
        if (!member)
            return 0;
        at = element ? member : skip_space(skip_string(member)) + 1;
    }
    for (const char *c = text; member && c < member; c++)
        line += *c == '\n';
    return member ? line : 0;
}
