/* SPDX-License-Identifier: Apache-2.0 */
/* The environment: MESH_ variables become values, unknown ones warnings. */
#include "source/conf.h"
#include "source/xds/bootstrap.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "MESH_"

/* What one reading of the environment gathers before any of it is taken. */
struct gathering {
    struct conf *conf;
    struct fault *fault;
    struct values values, document;
    bool drop_document;
    char **warnings;
    size_t n_warnings, warnings_cap;
    char *service_name;
};

/* ---- variables that are not ours ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* "PORT_80_TCP", "PORT_80_TCP_ADDR", ... */
static bool is_kubernetes_port(const char *name)
{
    const char *port = strstr(name, "PORT_");
    size_t digits = port ? strspn(port + 5, "0123456789") : 0;

    return digits > 0 && (text_starts_with(port + 5 + digits, "_TCP") || text_starts_with(port + 5 + digits, "_UDP") ||
                          text_starts_with(port + 5 + digits, "_SCTP"));
}

/* For services called "mesh" and "mesh-..." Kubernetes gives every container such variables. */
static bool is_kubernetes(const char *name)
{
    return ends_with(name, "_PORT") || ends_with(name, "SERVICE_HOST") || strstr(name, "SERVICE_PORT") ||
           is_kubernetes_port(name);
}

static const char *nearest_variable(const char *name, char out[KEY_NAME_MAX])
{
    char variable[KEY_NAME_MAX];
    size_t least = SIZE_MAX;

    out[0] = '\0';
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key *key = key_at((enum key_id) i);
        size_t distance = key_is_bare(key) ? text_distance(name, key_environment(key, variable)) : SIZE_MAX;

        if (distance < least) {
            least = distance;
            memcpy(out, variable, KEY_NAME_MAX);
        }
    }
    return out;
}

/* Takes over `text`, which ends with a NUL. */
static int32_t add_warning(struct gathering *g, struct buf *text)
{
    char *warning = mem_strdup((const char *) buf_bytes(text)), **warnings = g->warnings;

    buf_free(text);
    if (warning && g->n_warnings == g->warnings_cap) {
        warnings = mem_realloc(g->warnings, (g->warnings_cap + 8) * sizeof *warnings);
        g->warnings = warnings ? warnings : g->warnings;
        g->warnings_cap += warnings ? 8 : 0;
    }
    if (!warning || !warnings) {
        mem_free(warning);
        return conf_no_memory(g->fault);
    }
    g->warnings[g->n_warnings++] = warning;
    return 0;
}

static int32_t warn(struct gathering *g, const char *name)
{
    char nearest[KEY_NAME_MAX];
    struct buf text = { 0 };

    if (!buf_printf(&text, "environment variable %.128s is no key of the configuration; the nearest is %s", name,
                    nearest_variable(name, nearest)))
        return conf_no_memory(g->fault);
    return add_warning(g, &text);
}

/* ---- variables that are ---- */

static int32_t read_key(struct gathering *g, const struct reader *reader, const struct key *key, const char *value)
{
    struct reader document = *reader;
    int32_t err;

    if (key == key_at(KEY_CONFIG)) {
        document.out = &g->document;
        return conf_read_document(g->conf, &document, value, &g->drop_document);
    }
    err = key == key_at(KEY_SERVICES) ? reader_add_services(reader, value) : reader_add(reader, "", key, value);
    if (err == MESH_ERR_INVALID && g->fault && !text_starts_with(g->fault->text, reader->from))
        fault_prefix(g->fault, "%s: ", reader->from);
    return err;
}

static int32_t read_variable(struct gathering *g, const char *name, const char *value)
{
    struct reader reader = { .out = &g->values, .origin = ORIGIN_ENVIRONMENT, .fault = g->fault };
    const struct key *key = key_of_environment(name);
    struct buf from = { 0 };
    int32_t err;

    if (value[0] == '\0' || (!key && is_kubernetes(name)))
        return 0;
    if (!key)
        return warn(g, name);
    if (!buf_printf(&from, "environment %s", name))
        return conf_no_memory(g->fault);
    reader.from = (const char *) buf_bytes(&from);
    err = read_key(g, &reader, key, value);
    buf_free(&from);
    return err;
}

static int32_t read_entry(struct gathering *g, const char *entry)
{
    const char *equals = strchr(entry, '=');
    char *name;
    int32_t err;

    if (!equals || !text_starts_with(entry, PREFIX))
        return 0;
    name = mem_strndup(entry, (size_t) (equals - entry));
    err = name ? read_variable(g, name, equals + 1) : conf_no_memory(g->fault);
    mem_free(name);
    return err;
}

static int32_t read_service_name(struct gathering *g)
{
    const char *name = getenv("OTEL_SERVICE_NAME");

    if (!name)
        return 0;
    g->service_name = mem_strdup(name);
    return g->service_name ? 0 : conf_no_memory(g->fault);
}

/* ---- gRPC's variables ---- */

static bool has_bootstrap(const struct values *values)
{
    for (size_t i = 0; i < values->n; i++)
        if (values->items[i]->key == key_at(KEY_XDS_BOOTSTRAP))
            return true;
    return false;
}

/* A program that has no use for xDS may run where gRPC's variables are set: a bootstrap that is wrong stops nobody. */
static int32_t warn_of_bootstrap(struct gathering *g, const struct fault *why)
{
    struct buf text = { 0 };

    if (why->code == MESH_ERR_NOMEM || !buf_printf(&text, "there is no xDS: %s", why->text))
        return conf_no_memory(g->fault);
    return add_warning(g, &text);
}

static int32_t read_bootstrap(struct gathering *g, const char *from, const char *path_or_json)
{
    struct fault why = { 0 };
    struct bootstrap *bootstrap;
    char *text;
    int32_t err = bootstrap_load(path_or_json, from, &bootstrap, &why);

    bootstrap_free(bootstrap);
    if (err)
        return warn_of_bootstrap(g, &why);
    text = conf_is_json(path_or_json) ? mem_strdup(path_or_json) : conf_absolute(NULL, path_or_json);
    /* Our own key wins wherever it stands, also in the document. */
    if (!text || !values_add(&g->values, key_at(KEY_XDS_BOOTSTRAP), "", text, ORIGIN_DEFAULT, from))
        err = conf_no_memory(g->fault);
    mem_free(text);
    return err;
}

static int32_t read_grpc(struct gathering *g)
{
    const char *path = getenv("GRPC_XDS_BOOTSTRAP"), *json = getenv("GRPC_XDS_BOOTSTRAP_CONFIG");

    if (has_bootstrap(&g->values) || has_bootstrap(&g->document))
        return 0;
    if (path && path[0])
        return read_bootstrap(g, "environment GRPC_XDS_BOOTSTRAP", path);
    if (json && json[0])
        return read_bootstrap(g, "environment GRPC_XDS_BOOTSTRAP_CONFIG", json);
    return 0;
}

/* ---- all ---- */

/* The document's values and the variables' go in together: either alone would be half. */
static int32_t take(struct gathering *g)
{
    values_sort(&g->document);
    values_sort(&g->values);
    if (!values_merge(&g->document, &g->values, false))
        return conf_no_memory(g->fault);
    return conf_take(g->conf, &g->document, g->drop_document, g->fault);
}

static void swap_rest(struct gathering *g)
{
    struct conf *conf = g->conf;
    char **warnings = conf->warnings;
    char *service_name = conf->service_name;
    size_t n_warnings = conf->n_warnings;

    conf->warnings = g->warnings;
    conf->n_warnings = g->n_warnings;
    conf->service_name = g->service_name;
    g->warnings = warnings;
    g->n_warnings = n_warnings;
    g->service_name = service_name;
}

static void clear(struct gathering *g)
{
    values_clear(&g->values);
    values_clear(&g->document);
    for (size_t i = 0; i < g->n_warnings; i++)
        mem_free(g->warnings[i]);
    mem_free(g->warnings);
    mem_free(g->service_name);
}

int32_t conf_read_env(struct conf *conf, struct fault *fault)
{
    struct gathering g = { .conf = conf, .fault = fault };
    int32_t err = read_service_name(&g);

    for (char **entry = environ; entry && *entry && !err; entry++)
        err = read_entry(&g, *entry);
    if (!err)
        err = read_grpc(&g);
    if (!err)
        err = take(&g);
    if (!err)
        swap_rest(&g);
    clear(&g);
    return err;
}

void conf_log_warnings(const struct conf *conf, struct observe *observe)
{
    for (size_t i = 0; i < conf->n_warnings; i++)
        OBSERVE(observe, MESH_LOG_WARN, "configuration_warning", FIELD_TEXT("detail", conf->warnings[i]));
}
