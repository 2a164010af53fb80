/* SPDX-License-Identifier: Apache-2.0 */
/* What libmesh's regular expressions make of a pattern and a text: {"pattern": , "text": } in each line of stdin,
 * {"refused": why} or {"matches": , "replaced": the text with each match in "<>", null: too many steps} in a line of stdout. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

enum { MOST_LINE = 1 << 20 };

static void die(const char *what)
{
    fprintf(stderr, "regex: %s\n", what);
    exit(2);
}

static json_t *replaced(const char *pattern, const char *text)
{
    struct regex *regex;
    struct fault fault;
    struct buf out = { 0 };
    json_t *result = json_null();

    if (regex_new(pattern, REGEX_TO_REPLACE, &regex, &fault))
        die(fault.text);
    if (regex_replace(regex, text, strlen(text), "<\\0>", &out) == 0)
        result = json_stringn(buf_len(&out) > 0 ? (const char *) buf_bytes(&out) : "", buf_len(&out));
    buf_free(&out);
    regex_free(regex);
    return result;
}

static json_t *answer(const char *pattern, const char *text)
{
    struct regex *regex;
    struct fault fault;
    json_t *result;

    if (regex_new(pattern, REGEX_TO_MATCH, &regex, &fault))
        return json_pack("{ss}", "refused", fault.text);
    result =
        json_pack("{sb so}", "matches", regex_matches(regex, text, strlen(text)), "replaced", replaced(pattern, text));
    regex_free(regex);
    return result;
}

int main(void)
{
    static char line[MOST_LINE];

    while (fgets(line, sizeof line, stdin)) {
        json_error_t why;
        json_t *asked = json_loads(line, 0, &why), *told;

        if (!asked)
            die(why.text);
        told = answer(json_string_value(json_object_get(asked, "pattern")),
                      json_string_value(json_object_get(asked, "text")));
        if (!told || json_dumpf(told, stdout, JSON_COMPACT))
            die("no answer");
        putchar('\n');
        json_decref(told);
        json_decref(asked);
    }
    return 0;
}
