/* SPDX-License-Identifier: Apache-2.0 */
/* A JSON document becomes values: the walk through its objects, and sentences that name file, line and key. */
#include "source/conf.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* "services", a service, and the parts of a key. */
enum { DEPTH_MAX = 8, QUOTE = 64, ALLOWED = 192 };

/* What an object of the document may hold. */
enum level { LEVEL_TOP, LEVEL_DEFAULTS, LEVEL_SERVICE };

struct walk {
    const struct reader *reader;
    const char *text;    /* of the document, for line numbers */
    const char *service; /* "" outside of services */
    enum level level;
    const char *path[DEPTH_MAX];
    size_t depth;
};

/* ---- sentences ---- */

/* Puts the place in front of a sentence. A conf_set() needs none: the caller knows it. */
static int32_t at_place(const struct walk *walk, int32_t err)
{
    unsigned line;

    if (err != MESH_ERR_INVALID || walk->reader->origin == ORIGIN_SET)
        return err;
    line = conf_line(walk->text, walk->path, walk->depth);
    if (line > 0)
        fault_prefix(walk->reader->fault, "%s, line %u: ", walk->reader->from, line);
    else
        fault_prefix(walk->reader->fault, "%s: ", walk->reader->from);
    return err;
}

static int32_t wrong_type(const struct walk *walk, const struct key *key, const json_t *value)
{
    char name[CONF_NAME_MAX], allowed[ALLOWED], shown[QUOTE];
    size_t len = json_dumpb(value, shown, sizeof shown - 1, JSON_ENCODE_ANY | JSON_COMPACT);

    shown[len < sizeof shown ? len : sizeof shown - 1] = '\0';
    return fault_set(walk->reader->fault, MESH_ERR_INVALID, "%s is %s%s, allowed is %s",
                     conf_full_name(walk->service, key, name), json_is_string(value) ? "the text " : "", shown,
                     key_allowed(key, allowed, sizeof allowed));
}

static int32_t unknown_at_top(const struct walk *walk, const char *quoted)
{
    const char *nearest = key_nearest(quoted, key_is_global)->name;

    if (text_distance(quoted, "defaults") < text_distance(quoted, nearest))
        nearest = "defaults";
    return fault_set(walk->reader->fault, MESH_ERR_INVALID, "unknown key \"%s\"; the nearest is \"%s\"", quoted,
                     nearest);
}

static int32_t unknown(const struct walk *walk, const char *name)
{
    struct fault *fault = walk->reader->fault;
    const struct key *key = key_find(name);
    char quoted[QUOTE];

    text_printable(name, strlen(name), quoted, sizeof quoted);
    if (key && key_is_global(key))
        return fault_set(fault, MESH_ERR_INVALID, "\"%s\" belongs to the whole process, not to a service", quoted);
    if (key && key_is_bare(key))
        return fault_set(fault, MESH_ERR_INVALID, "\"%s\" stands under \"defaults\" or in a service", quoted);
    if (key)
        return fault_set(fault, MESH_ERR_INVALID, "\"%s\" stands in one service, under \"services\"", quoted);
    if (key_is_group(name))
        return fault_set(fault, MESH_ERR_INVALID, "\"%s\" is an object of the keys that begin with \"%s.\"", quoted,
                         quoted);
    if (walk->level == LEVEL_TOP)
        return unknown_at_top(walk, quoted);
    return fault_set(fault, MESH_ERR_INVALID, "unknown key \"%s\"; the nearest is \"%s\"", quoted,
                     key_nearest(quoted, key_is_of_service)->name);
}

/* ---- values ---- */

static int32_t add(const struct walk *walk, const struct key *key, const char *text)
{
    return reader_add(walk->reader, walk->service, key, text);
}

static int32_t add_buf(const struct walk *walk, const struct key *key, struct buf *text, bool complete)
{
    int32_t err = complete ? add(walk, key, (const char *) buf_bytes(text)) : conf_no_memory(walk->reader->fault);

    buf_free(text);
    return err;
}

static int32_t add_list(const struct walk *walk, const struct key *key, const json_t *array)
{
    struct buf text = { 0 };
    bool complete = true;
    size_t index;
    json_t *word;

    json_array_foreach(array, index, word)
    {
        if (!json_is_string(word) || strchr(json_string_value(word), ',')) {
            buf_free(&text);
            return wrong_type(walk, key, array);
        }
        complete = complete && buf_printf(&text, "%s%s", index ? "," : "", json_string_value(word));
    }
    return add_buf(walk, key, &text, complete && buf_append(&text, "", 1));
}

static int32_t add_json(const struct walk *walk, const struct key *key, const json_t *value)
{
    struct buf text = { 0 };
    size_t size = json_dumpb(value, NULL, 0, JSON_COMPACT);
    uint8_t *room = size > 0 ? buf_room(&text, size + 1) : NULL;

    if (room) {
        json_dumpb(value, (char *) room, size, JSON_COMPACT);
        room[size] = '\0';
        buf_added(&text, size + 1);
    }
    return add_buf(walk, key, &text, room != NULL);
}

static int32_t read_number(const struct walk *walk, const struct key *key, const json_t *value)
{
    char text[24];

    if (!json_is_integer(value))
        return wrong_type(walk, key, value);
    snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return add(walk, key, text);
}

static int32_t read_value(const struct walk *walk, const struct key *key, const json_t *value)
{
    if (key->type == TYPE_NUMBER)
        return read_number(walk, key, value);
    if (key->type == TYPE_SWITCH && json_is_boolean(value))
        return add(walk, key, json_is_true(value) ? "on" : "off");
    if (key->type == TYPE_ENDPOINTS && json_is_array(value))
        return add_json(walk, key, value);
    if ((key->type == TYPE_ZONES || key->type == TYPE_BOOTSTRAP) && json_is_object(value))
        return add_json(walk, key, value);
    if (key_is_list(key) && json_is_array(value))
        return add_list(walk, key, value);
    if (!json_is_string(value) || key->type == TYPE_ZONES)
        return wrong_type(walk, key, value);
    return add(walk, key, json_string_value(value));
}

/* ---- the walk ---- */

static int32_t read_object(struct walk *walk, const char *prefix, json_t *object);
static int32_t read_services(struct walk *walk, json_t *services);

static int32_t read_defaults(struct walk *walk, json_t *defaults)
{
    int32_t err;

    if (!json_is_object(defaults))
        return at_place(walk, fault_set(walk->reader->fault, MESH_ERR_INVALID, "\"defaults\" is an object of keys"));
    walk->level = LEVEL_DEFAULTS;
    err = read_object(walk, "", defaults);
    walk->level = LEVEL_TOP;
    return err;
}

static bool fits(const struct walk *walk, const struct key *key)
{
    if (walk->level == LEVEL_TOP)
        return key_is_global(key);
    return walk->level == LEVEL_DEFAULTS ? key->scope == SCOPE_POLICY : key_is_of_service(key);
}

static int32_t read_member(struct walk *walk, const char *name, json_t *value)
{
    const struct key *key = key_find(name);

    if (walk->level == LEVEL_TOP && strcmp(name, "defaults") == 0)
        return read_defaults(walk, value);
    if (walk->level == LEVEL_TOP && key == key_at(KEY_SERVICES))
        return read_services(walk, value);
    if (walk->level == LEVEL_TOP && key == key_at(KEY_CONFIG))
        return at_place(walk, fault_set(walk->reader->fault, MESH_ERR_INVALID,
                                        "\"config\" cannot stand in a document that it leads to"));
    if (json_is_object(value) && key_is_group(name))
        return read_object(walk, name, value);
    if (!key || !fits(walk, key))
        return at_place(walk, unknown(walk, name));
    return at_place(walk, read_value(walk, key, value));
}

static int32_t read_object(struct walk *walk, const char *prefix, json_t *object)
{
    char full[KEY_NAME_MAX * 2];
    const char *name;
    json_t *value;
    int32_t err = 0;

    json_object_foreach(object, name, value)
    {
        snprintf(full, sizeof full, "%s%s%s", prefix, prefix[0] ? "." : "", name);
        walk->path[walk->depth++] = name;
        err = read_member(walk, full, value);
        walk->depth--;
        if (err)
            break;
    }
    return err;
}

static int32_t read_service(struct walk *walk, const char *name, json_t *service)
{
    struct fault *fault = walk->reader->fault;
    char quoted[QUOTE];
    int32_t err;

    text_printable(name, strlen(name), quoted, sizeof quoted);
    if (!conf_is_service_name(name, strlen(name)))
        return at_place(walk,
                        fault_set(fault, MESH_ERR_INVALID,
                                  "service \"%s\": a name has 1 to 128 letters, digits, '.', '_' and '-'", quoted));
    if (!json_is_object(service))
        return at_place(walk,
                        fault_set(fault, MESH_ERR_INVALID,
                                  "service \"%s\" is an object such as {\"target\": \"h2c://users:80\"}", quoted));
    walk->service = name;
    walk->level = LEVEL_SERVICE;
    err = read_object(walk, "", service);
    walk->service = "";
    walk->level = LEVEL_TOP;
    return err;
}

static int32_t read_services(struct walk *walk, json_t *services)
{
    const char *name;
    json_t *service;
    int32_t err = 0;

    if (json_is_string(services) && walk->depth > 0)
        return at_place(walk, reader_add_services(walk->reader, json_string_value(services)));
    if (!json_is_object(services))
        return at_place(
            walk, fault_set(walk->reader->fault, MESH_ERR_INVALID, "\"services\" is an object of services by name"));
    json_object_foreach(services, name, service)
    {
        walk->path[walk->depth++] = name;
        err = read_service(walk, name, service);
        walk->depth--;
        if (err)
            break;
    }
    return err;
}

/* ---- doors ---- */

static int32_t load(const struct reader *reader, const char *text, json_t **out)
{
    json_error_t error;

    *out = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (*out)
        return 0;
    if (json_error_code(&error) == json_error_out_of_memory)
        return conf_no_memory(reader->fault);
    if (reader->origin == ORIGIN_SET)
        return fault_set(reader->fault, MESH_ERR_INVALID, "no valid JSON: %.160s", error.text);
    return fault_set(reader->fault, MESH_ERR_INVALID, "%s, line %d: no valid JSON: %.160s", reader->from, error.line,
                     error.text);
}

static int32_t refuse_twice(const struct reader *reader, struct values *values)
{
    const struct value *twice;
    char name[CONF_NAME_MAX];

    values_sort(values);
    twice = values_twice(values);
    if (!twice)
        return 0;
    return fault_set(reader->fault, MESH_ERR_INVALID, "%s: %s stands twice", reader->from,
                     conf_full_name(twice->service, twice->key, name));
}

typedef int32_t (*walk_fn)(struct walk *walk, json_t *root);

/* Its own list first: the same key may stand in the reader's with another origin. */
static int32_t walk_text(const struct reader *reader, const char *text, walk_fn start)
{
    struct values values = { 0 };
    struct reader own = *reader;
    struct walk walk = { .reader = &own, .text = text, .service = "" };
    json_t *root;
    int32_t err = load(reader, text, &root);

    own.out = &values;
    if (!err)
        err = start(&walk, root);
    if (!err)
        err = refuse_twice(reader, &values);
    if (!err && !values_append(reader->out, &values))
        err = conf_no_memory(reader->fault);
    values_clear(&values);
    json_decref(root);
    return err;
}

static int32_t start_document(struct walk *walk, json_t *root)
{
    if (!json_is_object(root))
        return fault_set(walk->reader->fault, MESH_ERR_INVALID, "%s: the configuration is one JSON object",
                         walk->reader->from);
    return read_object(walk, "", root);
}

int32_t reader_add_document(const struct reader *reader, const char *text)
{
    return walk_text(reader, text, start_document);
}

int32_t reader_add_services_json(const struct reader *reader, const char *text)
{
    return walk_text(reader, text, read_services);
}
