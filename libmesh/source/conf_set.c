/* SPDX-License-Identifier: Apache-2.0 */
/* conf_set(): from a key's full name to the service and key that it means. */
#include "source/conf.h"

#include <stdio.h>
#include <string.h>

#define SERVICES "services."

enum { QUOTE = 96, SERVICE_MAX = 129 };

/* ---- names ---- */

static int32_t unknown(struct fault *fault, const char *name, const char *service, const struct key *nearest)
{
    char quoted[QUOTE], full[CONF_NAME_MAX];

    text_printable(name, strlen(name), quoted, sizeof quoted);
    return fault_set(fault, MESH_ERR_INVALID, "unknown key \"%s\"; the nearest is \"%.*s\"", quoted, QUOTE,
                     conf_full_name(service, nearest, full));
}

static void copy_service(char service[SERVICE_MAX], const char *start, const char *end)
{
    snprintf(service, SERVICE_MAX, "%.*s", (int) (end - start), start);
}

/* A service's name may have dots as keys have: the longest key at the end wins. */
static const struct key *split(const char *rest, char service[SERVICE_MAX])
{
    for (const char *dot = strchr(rest, '.'); dot; dot = strchr(dot + 1, '.')) {
        const struct key *key = key_find(dot + 1);

        if (key && key_is_of_service(key) && conf_is_service_name(rest, (size_t) (dot - rest))) {
            copy_service(service, rest, dot);
            return key;
        }
    }
    return NULL;
}

/* The cut at which what follows is nearest to a key. */
static int32_t unknown_of_service(const char *name, struct fault *fault)
{
    const char *rest = name + strlen(SERVICES);
    const struct key *nearest = NULL;
    char service[SERVICE_MAX] = "NAME";
    size_t least = SIZE_MAX;

    for (const char *dot = strchr(rest, '.'); dot; dot = strchr(dot + 1, '.')) {
        const struct key *key = key_nearest(dot + 1, key_is_of_service);
        size_t distance = key ? text_distance(dot + 1, key->name) : SIZE_MAX;

        if (dot > rest && distance < least) {
            least = distance;
            nearest = key;
            copy_service(service, rest, dot);
        }
    }
    return unknown(fault, name, service, nearest ? nearest : key_at(KEY_TARGET));
}

static int32_t find(const char *name, char service[SERVICE_MAX], const struct key **out, struct fault *fault)
{
    const char *bare = text_starts_with(name, "defaults.") ? name + strlen("defaults.") : name;
    const struct key *nearest;

    service[0] = '\0';
    if (text_starts_with(name, SERVICES)) {
        *out = split(name + strlen(SERVICES), service);
        return *out ? 0 : unknown_of_service(name, fault);
    }
    *out = key_find(name);
    if (*out && key_is_bare(*out))
        return 0;
    if (*out)
        return fault_set(fault, MESH_ERR_INVALID, "%s belongs to one service: services.NAME.%s", name, name);
    nearest = key_nearest(bare, key_is_bare);
    return unknown(fault, name, "", nearest ? nearest : key_at(KEY_ZONE));
}

/* ---- values ---- */

static int32_t read_value(struct conf *conf, const struct reader *reader, const char *service, const struct key *key,
                          const char *value, bool *drop_document)
{
    *drop_document = false;
    if (key == key_at(KEY_CONFIG))
        return conf_read_document(conf, reader, value, drop_document);
    if (key == key_at(KEY_SERVICES))
        return reader_add_services(reader, value);
    return reader_add(reader, service, key, value);
}

int32_t conf_set(struct conf *conf, const char *key, const char *value, struct fault *fault)
{
    struct values values = { 0 };
    struct reader reader = { .out = &values, .origin = ORIGIN_SET, .from = "set", .fault = fault };
    char service[SERVICE_MAX];
    const struct key *known;
    bool drop_document;
    int32_t err = find(key, service, &known, fault);

    if (!err)
        err = read_value(conf, &reader, service, known, value, &drop_document);
    if (!err)
        err = conf_take(conf, &values, drop_document, fault);
    values_clear(&values);
    return err;
}
