/* SPDX-License-Identifier: Apache-2.0 */
/* Services in one line: "users=h2c://10.0.0.1:80@a,10.0.0.2:80@b; pay=https://api.example.com". */
#include "source/conf.h"

#include <string.h>

enum { QUOTE = 64 };

static char *trim(char *text)
{
    char *end;

    text += strspn(text, " \t\r\n");
    end = text + strlen(text);
    while (end > text && strchr(" \t\r\n", end[-1]))
        end--;
    *end = '\0';
    return text;
}

static int32_t wrong(const struct reader *reader, const char *entry, const char *why)
{
    char quoted[QUOTE];

    text_printable(entry, strlen(entry), quoted, sizeof quoted);
    return fault_set(reader->fault, MESH_ERR_INVALID, "services: \"%s\" %s", quoted, why);
}

/* "h2c://10.0.0.1:80@a,10.0.0.2:80@b": the scheme holds for all. */
static int32_t add_endpoints(const struct reader *reader, const char *service, char *list)
{
    char *rest = strstr(list, "://");
    enum model_protocol protocol;
    int32_t err;

    if (!rest)
        return reader_add(reader, service, key_at(KEY_ENDPOINTS), list);
    *rest = '\0';
    if (!model_protocol_parse(list, &protocol))
        return wrong(reader, list, "is no scheme for a list of addresses; there are http, h2c, https, h2");
    err = reader_add(reader, service, key_at(KEY_PROTOCOL), model_protocol_name(protocol));
    return err ? err : reader_add(reader, service, key_at(KEY_ENDPOINTS), rest + 3);
}

static int32_t add_entry(const struct reader *reader, char *entry)
{
    char *equals = strchr(entry, '=');
    char *service, *place;

    if (!equals)
        return wrong(reader, entry, "is not name=target");
    *equals = '\0';
    service = trim(entry);
    place = trim(equals + 1);
    if (!conf_is_service_name(service, strlen(service)))
        return wrong(reader, service, "is no name of 1 to 128 letters, digits, '.', '_' and '-'");
    if (place[0] == '\0')
        return wrong(reader, service, "has no target");
    if (strpbrk(place, ",@"))
        return add_endpoints(reader, service, place);
    return reader_add(reader, service, key_at(KEY_TARGET), place);
}

static int32_t add_entries(const struct reader *reader, char *text)
{
    char *rest = NULL;
    int32_t err = 0;

    for (char *entry = strtok_r(text, ";\n", &rest); entry && !err; entry = strtok_r(NULL, ";\n", &rest)) {
        entry = trim(entry);
        if (entry[0] != '\0')
            err = add_entry(reader, entry);
    }
    return err;
}

static int32_t refuse_twice(const struct reader *reader, struct values *values)
{
    const struct value *twice;

    values_sort(values);
    twice = values_twice(values);
    return twice ? wrong(reader, twice->service, "stands twice") : 0;
}

int32_t reader_add_services(const struct reader *reader, const char *text)
{
    struct values values = { 0 };
    struct reader own = *reader;
    char *copy;
    int32_t err;

    if (text[strspn(text, " \t\r\n")] == '{')
        return reader_add_services_json(reader, text);
    own.out = &values;
    copy = mem_strdup(text);
    err = copy ? add_entries(&own, copy) : conf_no_memory(reader->fault);
    if (!err)
        err = refuse_twice(reader, &values);
    if (!err && !values_append(reader->out, &values))
        err = conf_no_memory(reader->fault);
    values_clear(&values);
    mem_free(copy);
    return err;
}
