/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a key becomes a value: checked, made canonical, or refused with a sentence. A reader a type. */
#include "source/conf.h"
#include "source/xds/bootstrap.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { QUOTE = 64, NAME_LEN_MAX = 128, ALLOWED = 256 };

/* What a type's reader works on: *out gets the canonical text, from mem_alloc(). */
struct reading {
    const struct reader *reader;
    const struct key *key;
    const char *name; /* "services.users.retry.attempts" */
    const char *text;
    char *out;
};

/* ---- helpers that others use too ---- */

const char *conf_full_name(const char *service, const struct key *key, char out[CONF_NAME_MAX])
{
    if (service[0] == '\0')
        snprintf(out, CONF_NAME_MAX, "%s", key->name);
    else
        snprintf(out, CONF_NAME_MAX, "services.%s.%s", service, key->name);
    return out;
}

char *conf_absolute(const char *folder, const char *path)
{
    char current[PATH_MAX];
    char *absolute;
    size_t size;

    if (path[0] == '/')
        return mem_strdup(path);
    if (!folder)
        folder = getcwd(current, sizeof current);
    if (!folder)
        return mem_strdup(path);
    size = strlen(folder) + strlen(path) + 2;
    absolute = mem_alloc(size);
    if (absolute)
        snprintf(absolute, size, "%s%s%s", folder, strcmp(folder, "/") == 0 ? "" : "/", path);
    return absolute;
}

static bool is_name(const char *name, size_t len, const char *signs)
{
    if (len == 0 || len > NAME_LEN_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!plain && (c == '\0' || !strchr(signs, c)))
            return false;
    }
    return true;
}

bool conf_is_zone_name(const char *name, size_t len)
{
    return is_name(name, len, "._-/");
}

bool conf_is_service_name(const char *name, size_t len)
{
    return is_name(name, len, "._-");
}

/* ---- outcomes ---- */

static int32_t bad_part(const struct reading *r, const char *verb, const char *part, size_t len)
{
    char quoted[QUOTE], allowed[ALLOWED];

    text_printable(part, len, quoted, sizeof quoted);
    return fault_set(r->reader->fault, MESH_ERR_INVALID, "%s %s \"%s\", allowed is %s", r->name, verb, quoted,
                     key_allowed(r->key, allowed, sizeof allowed));
}

static int32_t bad(const struct reading *r)
{
    return bad_part(r, "is", r->text, strlen(r->text));
}

static int32_t keep(struct reading *r, const char *text)
{
    r->out = mem_strdup(text);
    return r->out ? 0 : conf_no_memory(r->reader->fault);
}

/* ---- a reader for each type ---- */

static int32_t read_number(struct reading *r)
{
    char canonical[24];
    uint64_t number;

    if (!text_to_u64(r->text, strlen(r->text), &number) || number < r->key->min || number > r->key->max)
        return bad(r);
    snprintf(canonical, sizeof canonical, "%llu", (unsigned long long) number);
    return keep(r, canonical);
}

static int32_t read_switch(struct reading *r)
{
    const char *on[] = { "on", "true", "yes", "1" }, *off[] = { "off", "false", "no", "0" };

    for (size_t i = 0; i < COUNT_OF(on); i++) {
        if (text_equal_nocase(r->text, on[i]))
            return keep(r, "on");
        if (text_equal_nocase(r->text, off[i]))
            return keep(r, "off");
    }
    return bad(r);
}

static int32_t read_word(struct reading *r)
{
    return key_has_word(r->key->words, r->text, strlen(r->text)) ? keep(r, r->text) : bad(r);
}

static int32_t read_list(struct reading *r, bool (*allowed)(const struct key *key, const char *word, size_t len))
{
    char *out = mem_alloc(strlen(r->text) + 1);
    const char *at = r->text, *word;
    size_t len, used = 0;

    r->out = out;
    if (!out)
        return conf_no_memory(r->reader->fault);
    while ((word = key_word(&at, &len))) {
        if (!allowed(r->key, word, len))
            return bad_part(r, "has", word, len);
        if (used > 0)
            out[used++] = ',';
        memcpy(out + used, word, len);
        used += len;
    }
    out[used] = '\0';
    return 0;
}

static bool allowed_word(const struct key *key, const char *word, size_t len)
{
    return key_has_word(key->words, word, len);
}

static int32_t read_words(struct reading *r)
{
    return read_list(r, allowed_word);
}

static bool allowed_server(const struct key *key, const char *word, size_t len)
{
    struct addr addr;

    (void) key;
    return addr_parse(&addr, word, len, 53) && addr.port != 0;
}

static int32_t read_servers(struct reading *r)
{
    return read_list(r, allowed_server);
}

/* RFC 9110, 5.6.2: a token. */
static bool allowed_header(const struct key *key, const char *word, size_t len)
{
    (void) key;
    return is_name(word, len, "!#$%&'*+-.^_`|~");
}

static int32_t read_headers(struct reading *r)
{
    return read_list(r, allowed_header);
}

static int32_t read_hash_on(struct reading *r)
{
    static const char header[] = "header:";
    const char *name = r->text + strlen(header);

    if (strcmp(r->text, "key") == 0 || strcmp(r->text, "path") == 0)
        return keep(r, r->text);
    if (!text_starts_with(r->text, header) || !allowed_header(r->key, name, strlen(name)))
        return bad(r);
    return keep(r, r->text);
}

static bool allowed_cidr(const struct key *key, const char *word, size_t len)
{
    const char *equals = memchr(word, '=', len);
    struct cidr cidr;

    (void) key;
    return equals && conf_is_zone_name(word, (size_t) (equals - word)) &&
           cidr_parse(equals + 1, (size_t) (word + len - equals - 1), &cidr);
}

static int32_t read_cidrs(struct reading *r)
{
    return read_list(r, allowed_cidr);
}

static bool allowed_distance(const struct key *key, const char *word, size_t len)
{
    const char *equals = memchr(word, '=', len);
    uint64_t us;

    (void) key;
    return equals && conf_is_zone_name(word, (size_t) (equals - word)) &&
           text_to_u64(equals + 1, (size_t) (word + len - equals - 1), &us) && us < UINT32_MAX;
}

static int32_t read_distances(struct reading *r)
{
    return read_list(r, allowed_distance);
}

static bool allowed_status(const struct key *key, const char *word, size_t len)
{
    uint64_t status;

    (void) key;
    return text_to_u64(word, len, &status) && status >= 100 && status <= 599;
}

static int32_t read_statuses(struct reading *r)
{
    const char *list = r->text;
    size_t n = 0, len;

    while (key_word(&list, &len))
        n++;
    return n > POLICY_MOST_STATUSES ? bad(r) : read_list(r, allowed_status);
}

static bool is_visible(const char *text, size_t most)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return len <= most;
}

static int32_t read_path(struct reading *r)
{
    return r->text[0] == '/' && is_visible(r->text, 1024) ? keep(r, r->text) : bad(r);
}

static int32_t read_name(struct reading *r)
{
    return is_visible(r->text, 256) ? keep(r, r->text) : bad(r);
}

static int32_t read_file(struct reading *r)
{
    if (r->text[0] == '\0')
        return keep(r, "");
    r->out = conf_absolute(r->reader->folder, r->text);
    return r->out ? 0 : conf_no_memory(r->reader->fault);
}

static int32_t read_sink(struct reading *r)
{
    uint64_t fd;

    if (strcmp(r->text, "off") == 0 || strcmp(r->text, "stderr") == 0)
        return keep(r, r->text);
    if (!text_starts_with(r->text, "fd:"))
        return r->text[0] ? read_file(r) : bad(r);
    if (!text_to_u64(r->text + 3, strlen(r->text + 3), &fd) || fd > INT_MAX)
        return bad(r);
    return keep(r, r->text);
}

static int32_t read_zone(struct reading *r)
{
    if (r->text[0] != '\0' && !conf_is_zone_name(r->text, strlen(r->text)))
        return bad(r);
    return keep(r, r->text);
}

/* Both are what may stand in a target behind its scheme. */
static int32_t read_place(struct reading *r, bool port_allowed)
{
    struct model_target target;
    char uri[NAME_LEN_MAX * 2 + 16];
    bool bare_ipv6 = strchr(r->text, ':') && strchr(r->text, ':') != strrchr(r->text, ':') && r->text[0] != '[';
    bool ok;
    int32_t err;

    if (r->text[0] == '\0')
        return keep(r, "");
    if ((size_t) snprintf(uri, sizeof uri, bare_ipv6 ? "http://[%s]" : "http://%s", r->text) >= sizeof uri)
        return bad(r);
    err = model_target_parse(uri, MODEL_HTTP, &target, NULL);
    if (err == MESH_ERR_NOMEM)
        return conf_no_memory(r->reader->fault);
    if (err)
        return bad(r);
    ok = (port_allowed && !bare_ipv6) || (!target.port_written && !strchr(r->text, '/'));
    err = ok ? keep(r, port_allowed ? r->text : target.host) : bad(r);
    model_target_free(&target);
    return err;
}

static int32_t read_host(struct reading *r)
{
    return read_place(r, false);
}

static int32_t read_authority(struct reading *r)
{
    return strchr(r->text, '/') ? bad(r) : read_place(r, true);
}

static int32_t read_proxy(struct reading *r)
{
    return proxy_is_valid(r->text) ? keep(r, r->text) : bad(r);
}

static int32_t read_target(struct reading *r)
{
    struct model_target target;
    int32_t err = model_target_parse(r->text, MODEL_HTTP, &target, r->reader->fault);

    if (err) {
        fault_prefix(r->reader->fault, "%s: ", r->name);
        return err;
    }
    model_target_free(&target);
    return keep(r, r->text);
}

static int32_t read_endpoints(struct reading *r)
{
    struct model_endpoints *set;
    int32_t err = endpoints_parse(r->text, MODEL_HTTP, NULL, &set, r->reader->fault);

    if (err) {
        fault_prefix(r->reader->fault, "%s: ", r->name);
        return err;
    }
    model_endpoints_unref(set);
    return keep(r, r->text);
}

static int32_t check_zone_target(const struct reading *r, const char *zone, const json_t *target)
{
    struct fault *fault = r->reader->fault;
    struct model_target parsed;
    int32_t err;

    if (!conf_is_zone_name(zone, strlen(zone)))
        return bad_part(r, "has the zone", zone, strlen(zone));
    if (!json_is_string(target))
        return fault_set(fault, MESH_ERR_INVALID, "%s: zone \"%s\": a target such as \"h2c://users-a:80\" is expected",
                         r->name, zone);
    err = model_target_parse(json_string_value(target), MODEL_HTTP, &parsed, fault);
    if (err)
        fault_prefix(fault, "%s: zone \"%s\": ", r->name, zone);
    else
        model_target_free(&parsed);
    return err;
}

static int32_t read_zones(struct reading *r)
{
    json_error_t error;
    json_t *object = json_loads(r->text, JSON_REJECT_DUPLICATES, &error);
    const char *zone;
    json_t *target;
    int32_t err = 0;

    if (!json_is_object(object) || json_object_size(object) == 0)
        err = bad(r);
    json_object_foreach(object, zone, target)
    {
        if (!err)
            err = check_zone_target(r, zone, target);
    }
    json_decref(object);
    return err ? err : keep(r, r->text);
}

static int32_t read_bootstrap(struct reading *r)
{
    struct bootstrap *bootstrap;
    int32_t err;

    if (!conf_is_json(r->text))
        return read_file(r);
    err = bootstrap_parse(r->text, r->name, &bootstrap, r->reader->fault);
    bootstrap_free(bootstrap);
    return err ? err : keep(r, r->text);
}

static int32_t (*const readers[])(struct reading *r) = {
    [TYPE_NUMBER] = read_number,       [TYPE_SWITCH] = read_switch,   [TYPE_WORD] = read_word,
    [TYPE_WORDS] = read_words,         [TYPE_FILE] = read_file,       [TYPE_SINK] = read_sink,
    [TYPE_ZONE] = read_zone,           [TYPE_CIDRS] = read_cidrs,     [TYPE_SERVERS] = read_servers,
    [TYPE_HEADERS] = read_headers,     [TYPE_HOST] = read_host,       [TYPE_AUTHORITY] = read_authority,
    [TYPE_PROXY] = read_proxy,         [TYPE_TARGET] = read_target,   [TYPE_ENDPOINTS] = read_endpoints,
    [TYPE_ZONES] = read_zones,         [TYPE_HASH_ON] = read_hash_on, [TYPE_DISTANCES] = read_distances,
    [TYPE_STATUSES] = read_statuses,   [TYPE_PATH] = read_path,       [TYPE_NAME] = read_name,
    [TYPE_BOOTSTRAP] = read_bootstrap,
};

int32_t reader_add(const struct reader *reader, const char *service, const struct key *key, const char *text)
{
    char name[CONF_NAME_MAX];
    struct reading r = { .reader = reader, .key = key, .name = conf_full_name(service, key, name), .text = text };
    int32_t err = readers[key->type](&r);

    if (!err && !values_add(reader->out, key, service, r.out, reader->origin, reader->from))
        err = conf_no_memory(reader->fault);
    mem_free(r.out);
    return err;
}
