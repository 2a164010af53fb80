/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of endpoints: objects in JSON, or "10.0.0.1:80@a,10.0.0.2:80@b". */
#include "source/conf.h"

#include <jansson.h>
#include <string.h>

enum { QUOTE = 64, WEIGHT_MAX = 1000000, PRIORITY_MAX = 128 };

struct parsing {
    struct model_endpoints *set;
    const char *zone; /* of the endpoint that is read, "" not said; in the set */
    uint32_t priority;
    enum model_protocol protocol;
    const struct cidrs *zones;
    struct fault *fault;
};

/* ---- parts of one endpoint, in either form ---- */

static int32_t wrong_address(const struct parsing *p, const char *text, size_t len, const char *why)
{
    char quoted[QUOTE];

    text_printable(text, len, quoted, sizeof quoted);
    return fault_set(p->fault, MESH_ERR_INVALID, "address \"%s\" %s", quoted, why);
}

static int32_t read_unix(const struct parsing *p, struct addr *addr, const char *text, size_t len)
{
    const char *path = model_endpoints_text(p->set, text + 5, len - 5);

    if (!path)
        return conf_no_memory(p->fault);
    return addr_unix(addr, path) ? 0 : wrong_address(p, text, len, "needs a path of 1 to 107 bytes");
}

static int32_t read_address(const struct parsing *p, struct addr *addr, const char *text, size_t len)
{
    if (len >= 5 && memcmp(text, "unix:", 5) == 0)
        return read_unix(p, addr, text, len);
    if (addr_parse(addr, text, len, model_protocol_port(p->protocol)))
        return addr->port ? 0 : wrong_address(p, text, len, "needs a port from 1 to 65535");
    return wrong_address(p, text, len,
                         "is no literal address such as 10.0.0.1:80, [::1]:80 or unix:/path; names stand in target");
}

static int32_t read_zone(struct parsing *p, const char *zone, size_t len)
{
    char quoted[QUOTE];

    if (!conf_is_zone_name(zone, len)) {
        text_printable(zone, len, quoted, sizeof quoted);
        return fault_set(p->fault, MESH_ERR_INVALID,
                         "zone \"%s\" is not made of 1 to 128 letters, digits, '.', '_', '-' and '/'", quoted);
    }
    p->zone = model_endpoints_text(p->set, zone, len);
    return p->zone ? 0 : conf_no_memory(p->fault);
}

static void begin(struct parsing *p)
{
    p->zone = "";
    p->priority = 0;
}

static int32_t place(const struct parsing *p, struct model_endpoint *endpoint)
{
    const char *zone = p->zone;

    if (zone[0] == '\0' && p->zones)
        zone = cidrs_zone_of(p->zones, &endpoint->addr);
    return model_endpoints_place(p->set, endpoint, zone, p->priority) ? 0 : conf_no_memory(p->fault);
}

/* ---- objects ---- */

static int32_t read_count(const struct parsing *p, const char *name, const json_t *value, uint32_t min, uint32_t max,
                          uint32_t *out)
{
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < (json_int_t) min || number > (json_int_t) max)
        return fault_set(p->fault, MESH_ERR_INVALID, "%s is a whole number from %u to %u", name, min, max);
    *out = (uint32_t) number;
    return 0;
}

static int32_t unknown_member(const struct parsing *p, const char *name)
{
    char quoted[QUOTE];

    text_printable(name, strlen(name), quoted, sizeof quoted);
    return fault_set(p->fault, MESH_ERR_INVALID, "unknown \"%s\"; there are address, zone, weight, priority", quoted);
}

static int32_t read_member(struct parsing *p, struct model_endpoint *endpoint, const char *name, const json_t *value)
{
    if (strcmp(name, "weight") == 0)
        return read_count(p, name, value, 1, WEIGHT_MAX, &endpoint->weight);
    if (strcmp(name, "priority") == 0)
        return read_count(p, name, value, 0, PRIORITY_MAX, &p->priority);
    if (strcmp(name, "address") != 0 && strcmp(name, "zone") != 0)
        return unknown_member(p, name);
    if (!json_is_string(value))
        return fault_set(p->fault, MESH_ERR_INVALID, "%s is a text", name);
    if (name[0] == 'a')
        return read_address(p, &endpoint->addr, json_string_value(value), json_string_length(value));
    return read_zone(p, json_string_value(value), json_string_length(value));
}

static int32_t read_object(struct parsing *p, struct model_endpoint *endpoint, json_t *object)
{
    const char *name;
    json_t *value;
    int32_t err;

    if (!json_is_object(object))
        return fault_set(p->fault, MESH_ERR_INVALID, "an object such as {\"address\": \"10.0.0.1:80\"} is expected");
    begin(p);
    json_object_foreach(object, name, value)
    {
        err = read_member(p, endpoint, name, value);
        if (err)
            return err;
    }
    if (endpoint->addr.family == ADDR_NONE)
        return fault_set(p->fault, MESH_ERR_INVALID, "its address is missing");
    return place(p, endpoint);
}

static int32_t read_array(struct parsing *p, const json_t *array)
{
    size_t index;
    json_t *object;
    int32_t err;

    p->set = model_endpoints_new(ENDPOINTS_READY, "static", json_array_size(array));
    if (!p->set)
        return conf_no_memory(p->fault);
    json_array_foreach(array, index, object)
    {
        err = read_object(p, &p->set->endpoints[index], object);
        if (err) {
            fault_prefix(p->fault, "endpoint %zu: ", index + 1);
            return err;
        }
    }
    return 0;
}

static int32_t read_json(struct parsing *p, const char *text)
{
    json_error_t error;
    json_t *array = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    int32_t err;

    if (!array && json_error_code(&error) == json_error_out_of_memory)
        return conf_no_memory(p->fault);
    if (!array)
        return fault_set(p->fault, MESH_ERR_INVALID, "no valid JSON: %.120s", error.text);
    err = read_array(p, array);
    json_decref(array);
    return err;
}

/* ---- the short form ---- */

static int32_t read_word(struct parsing *p, struct model_endpoint *endpoint, const char *word, size_t len)
{
    const char *at = memrchr(word, '@', len);
    size_t address_len = at ? (size_t) (at - word) : len;
    int32_t err = read_address(p, &endpoint->addr, word, address_len);

    begin(p);
    if (!err && at)
        err = read_zone(p, at + 1, len - address_len - 1);
    return err ? err : place(p, endpoint);
}

static size_t count_words(const char *list)
{
    size_t n = 0, len;

    while (key_word(&list, &len))
        n++;
    return n;
}

static int32_t read_words(struct parsing *p, const char *text)
{
    const char *word;
    size_t len;
    int32_t err;

    p->set = model_endpoints_new(ENDPOINTS_READY, "static", count_words(text));
    if (!p->set)
        return conf_no_memory(p->fault);
    for (size_t i = 0; (word = key_word(&text, &len)); i++) {
        err = read_word(p, &p->set->endpoints[i], word, len);
        if (err) {
            fault_prefix(p->fault, "endpoint %zu: ", i + 1);
            return err;
        }
    }
    return 0;
}

/* '[' also begins an IPv6 address. */
bool endpoints_is_json(const char *text)
{
    text += strspn(text, " \t\r\n");
    if (*text != '[')
        return false;
    text++;
    text += strspn(text, " \t\r\n");
    return *text != '\0' && strchr("{]\"[", *text) != NULL;
}

int32_t endpoints_parse(const char *text, enum model_protocol protocol, const struct cidrs *zones,
                        struct model_endpoints **out, struct fault *fault)
{
    struct parsing p = { .protocol = protocol, .zones = zones, .fault = fault };
    int32_t err = endpoints_is_json(text) ? read_json(&p, text) : read_words(&p, text);

    *out = NULL;
    if (err) {
        model_endpoints_unref(p.set);
        return err;
    }
    *out = p.set;
    return 0;
}
