/* SPDX-License-Identifier: Apache-2.0 */
/* A load report as protobuf's JSON: numbers, and objects of numbers, with either spelling of the names. */
#include <string.h>

#include "base/base.h"
#include "cluster/orca_reader.h"

struct json {
    const char *at, *end;
};

static void pass_space(struct json *json)
{
    while (json->at < json->end && strchr(" \t\r\n", *json->at) && *json->at)
        json->at++;
}

static bool take(struct json *json, char wanted)
{
    pass_space(json);
    if (json->at >= json->end || *json->at != wanted)
        return false;
    json->at++;
    return true;
}

/* Names of fields and metrics have no escapes. */
static bool take_name(struct json *json, const char **name, size_t *len)
{
    const char *quote;

    if (!take(json, '"'))
        return false;
    quote = memchr(json->at, '"', (size_t) (json->end - json->at));
    if (!quote || memchr(json->at, '\\', (size_t) (quote - json->at)))
        return false;
    *name = json->at;
    *len = (size_t) (quote - json->at);
    json->at = quote + 1;
    return take(json, ':');
}

static bool take_number(struct json *json, double *out)
{
    bool quoted = take(json, '"'); /* as 64-bit integers are */

    pass_space(json);
    return orca_number(json->at, json->end, &json->at, out) && (!quoted || take(json, '"'));
}

/* The name that the field has in the .proto file; other names are their own. */
static const char *field_name(const char *name, size_t *len)
{
    static const struct {
        const char *json, *field;
    } fields[] = {
        { "applicationUtilization", "application_utilization" },
        { "cpuUtilization", "cpu_utilization" },
        { "memUtilization", "mem_utilization" },
        { "rpsFractional", "rps_fractional" },
    };

    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        if (strlen(fields[i].json) != *len || memcmp(fields[i].json, name, *len) != 0)
            continue;
        *len = strlen(fields[i].field);
        return fields[i].field;
    }
    return name;
}

static const char *map_name(const char *name, size_t len)
{
    static const char *const names[][2] = {
        { "namedMetrics", "named_metrics" },
        { "requestCost", "request_cost" },
        { "utilization", "utilization" },
    };

    for (size_t i = 0; i < COUNT_OF(names); i++)
        for (size_t k = 0; k < 2; k++)
            if (strlen(names[i][k]) == len && memcmp(names[i][k], name, len) == 0)
                return names[i][1];
    return NULL;
}

/* What stands in an object, its brace already taken. */
static bool read_map(struct orca_reader *reader, struct json *json, const char *map)
{
    const char *name;
    double value;
    size_t len;

    if (take(json, '}'))
        return true;
    do {
        if (!take_name(json, &name, &len) || !take_number(json, &value) || !orca_take(reader, map, name, len, value))
            return false;
    } while (take(json, ','));
    return take(json, '}');
}

static bool read_member(struct orca_reader *reader, struct json *json)
{
    const char *name, *map;
    double value;
    size_t len;

    if (!take_name(json, &name, &len))
        return false;
    map = map_name(name, len);
    if (take(json, '{'))
        return map && read_map(reader, json, map);
    name = field_name(name, &len);
    return !map && take_number(json, &value) && orca_take(reader, NULL, name, len, value);
}

bool orca_read_json(struct orca_reader *reader, const char *text, size_t len)
{
    struct json json = { text, text + len };

    if (!take(&json, '{'))
        return false;
    if (!take(&json, '}')) {
        do {
            if (!read_member(reader, &json))
                return false;
        } while (take(&json, ','));
        if (!take(&json, '}'))
            return false;
    }
    pass_space(&json);
    return json.at == json.end;
}
