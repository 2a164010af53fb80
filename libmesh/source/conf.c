/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration as a whole: making, copying, asking. */
#include "source/conf.h"

#include <string.h>

struct conf *conf_new(void)
{
    return mem_zalloc(sizeof(struct conf));
}

static void free_warnings(struct conf *conf)
{
    for (size_t i = 0; i < conf->n_warnings; i++)
        mem_free(conf->warnings[i]);
    mem_free(conf->warnings);
}

void conf_free(struct conf *conf)
{
    if (!conf)
        return;
    values_clear(&conf->values);
    cidrs_free(&conf->cidrs);
    proxies_clear(&conf->proxies);
    free_warnings(conf);
    mem_free(conf->service_name);
    mem_free(conf);
}

static bool copy_warnings(const struct conf *from, struct conf *to)
{
    if (from->n_warnings == 0)
        return true;
    to->warnings = mem_array(from->n_warnings, sizeof *to->warnings);
    if (!to->warnings)
        return false;
    for (size_t i = 0; i < from->n_warnings; i++) {
        to->warnings[i] = mem_strdup(from->warnings[i]);
        if (!to->warnings[i])
            return false;
        to->n_warnings++;
    }
    return true;
}

static bool copy_into(const struct conf *from, struct conf *to)
{
    if (!values_copy(&from->values, &to->values) || !proxies_copy(&from->proxies, &to->proxies))
        return false;
    if (!copy_warnings(from, to))
        return false;
    if (cidrs_parse(conf_text(from, "zone_cidrs"), &to->cidrs, NULL) != 0)
        return false;
    to->log = from->log;
    to->log_user = from->log_user;
    if (!from->service_name)
        return true;
    to->service_name = mem_strdup(from->service_name);
    return to->service_name != NULL;
}

struct conf *conf_copy(const struct conf *conf)
{
    struct conf *copy = conf_new();

    if (copy && copy_into(conf, copy))
        return copy;
    conf_free(copy);
    return NULL;
}

void conf_set_log(struct conf *conf, mesh_log_fn fn, void *user)
{
    conf->log = fn;
    conf->log_user = user;
}

int32_t conf_no_memory(struct fault *fault)
{
    return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
}

/* ---- taking values in ---- */

static bool wants_proxy_variables(const struct values *values)
{
    for (size_t i = 0; i < values->n; i++)
        if (values->items[i]->key == key_at(KEY_PROXY) && strcmp(values->items[i]->text, "env") == 0)
            return true;
    return false;
}

/* What will hold for a global key once `values` (sorted) are taken. */
static const char *text_after(const struct conf *conf, const struct values *values, bool drop_document, enum key_id id)
{
    const struct value *old = values_find(&conf->values, "", key_at(id));
    const struct value *newer = values_find(values, "", key_at(id));

    if (old && drop_document && old->origin == ORIGIN_DOCUMENT)
        old = NULL;
    if (newer && (!old || newer->origin >= old->origin))
        return newer->text;
    return old ? old->text : key_at(id)->standard;
}

/* What is derived from values is made first: once they are taken nothing can fail. */
int32_t conf_take(struct conf *conf, struct values *values, bool drop_document, struct fault *fault)
{
    struct cidrs cidrs;
    int32_t err;

    values_sort(values);
    if (wants_proxy_variables(values) && !proxies_take(&conf->proxies))
        return conf_no_memory(fault);
    err = cidrs_parse(text_after(conf, values, drop_document, KEY_ZONE_CIDRS), &cidrs, fault);
    if (err)
        return err;
    if (!values_merge(&conf->values, values, drop_document)) {
        cidrs_free(&cidrs);
        return conf_no_memory(fault);
    }
    cidrs_free(&conf->cidrs);
    conf->cidrs = cidrs;
    return 0;
}

/* ---- asking ---- */

const struct value *conf_value(const struct conf *conf, const char *service, enum key_id id)
{
    const struct value *own = values_find(&conf->values, service, key_at(id));

    if (own || service[0] == '\0')
        return own;
    return values_find(&conf->values, "", key_at(id));
}

const char *conf_value_text(const struct conf *conf, const char *service, enum key_id id)
{
    const struct value *value = conf_value(conf, service, id);

    return value ? value->text : key_at(id)->standard;
}

uint64_t conf_value_number(const struct conf *conf, const char *service, enum key_id id)
{
    const char *text = conf_value_text(conf, service, id);
    uint64_t number = 0;

    text_to_u64(text, strlen(text), &number);
    return number;
}

bool conf_value_on(const struct conf *conf, const char *service, enum key_id id)
{
    return strcmp(conf_value_text(conf, service, id), "on") == 0;
}

const char *conf_text(const struct conf *conf, const char *key)
{
    const struct key *known = key_find(key);

    return known ? conf_value_text(conf, "", key_id(known)) : "";
}

uint64_t conf_number(const struct conf *conf, const char *key)
{
    const struct key *known = key_find(key);

    return known ? conf_value_number(conf, "", key_id(known)) : 0;
}

bool conf_bool(const struct conf *conf, const char *key)
{
    return strcmp(conf_text(conf, key), "on") == 0;
}
