/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a configuration as a whole makes sense, and what observe/ takes from it. */
#include "source/conf.h"
#include "source/xds/bootstrap.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* ---- checks ---- */

static int32_t check_ttls(const struct conf *conf, struct fault *fault)
{
    uint64_t least = conf_number(conf, "dns.min_ttl_ms"), most = conf_number(conf, "dns.max_ttl_ms");

    if (least <= most)
        return 0;
    return fault_set(fault, MESH_ERR_INVALID, "dns.min_ttl_ms is %llu, more than dns.max_ttl_ms, which is %llu",
                     (unsigned long long) least, (unsigned long long) most);
}

/* A file that is missing is told at the start, not by the first request. */
static int32_t check_files(const struct conf *conf, struct fault *fault)
{
    char name[CONF_NAME_MAX], why[FAULT_TEXT];

    for (size_t i = 0; i < conf->values.n; i++) {
        const struct value *value = conf->values.items[i];

        if (value->key->type != TYPE_FILE || value->text[0] == '\0' || access(value->text, R_OK) == 0)
            continue;
        if (value->key == key_at(KEY_XDS_CACHE_DIR) && errno == ENOENT)
            continue; /* it is made */
        return fault_set(fault, MESH_ERR_INVALID, "%s (%.60s) is %.90s: %.60s",
                         conf_full_name(value->service, value->key, name), value->from, value->text,
                         fault_errno(errno, why));
    }
    return 0;
}

/* What holds for a service that no configuration knows. */
static int32_t check_defaults(const struct conf *conf, struct fault *fault)
{
    struct service service;
    int32_t err = conf_service_of(conf, "localhost", &service, fault);

    if (!err)
        service_clear(&service);
    return err;
}

static int32_t check_services(const struct conf *conf, struct fault *fault)
{
    struct service *services;
    size_t n;
    int32_t err = conf_services(conf, &services, &n, fault);

    if (err)
        return err == MESH_ERR_NO_ROUTE ? MESH_ERR_INVALID : err;
    for (size_t i = 0; i < n; i++)
        service_clear(&services[i]);
    mem_free(services);
    return 0;
}

int32_t conf_bootstrap(const struct conf *conf, struct bootstrap **out, struct fault *fault)
{
    const struct value *value = conf_value(conf, "", KEY_XDS_BOOTSTRAP);

    *out = NULL;
    return value && value->text[0] ? bootstrap_load(value->text, value->from, out, fault) : 0;
}

static int32_t check_bootstrap(const struct conf *conf, struct fault *fault)
{
    struct bootstrap *bootstrap;
    int32_t err = conf_bootstrap(conf, &bootstrap, fault);

    bootstrap_free(bootstrap);
    return err;
}

/* Where the configuration says nothing. */
static bool take_place(struct values *out, const struct conf *conf, enum key_id id, const char *place)
{
    const struct key *key = key_at(id);

    if (values_find(&conf->values, "", key) || !conf_is_zone_name(place, strlen(place)))
        return true;
    return values_add(out, key, "", place, ORIGIN_DEFAULT, "locality of xds.bootstrap");
}

int32_t conf_take_locality(struct conf *conf, struct fault *fault)
{
    struct values places = { 0 };
    struct bootstrap *bootstrap;
    int32_t err = conf_bootstrap(conf, &bootstrap, fault);
    bool done;

    if (err || !bootstrap)
        return err;
    done = take_place(&places, conf, KEY_ZONE, bootstrap->node.zone) &&
           take_place(&places, conf, KEY_REGION, bootstrap->node.region);
    values_sort(&places);
    done = done && values_merge(&conf->values, &places, false);
    values_clear(&places);
    bootstrap_free(bootstrap);
    return done ? 0 : conf_no_memory(fault);
}

int32_t conf_check(const struct conf *conf, struct fault *fault)
{
    int32_t err = check_ttls(conf, fault);

    if (!err)
        err = check_files(conf, fault);
    if (!err)
        err = check_defaults(conf, fault);
    if (!err)
        err = check_bootstrap(conf, fault);
    return err ? err : check_services(conf, fault);
}

/* ---- for observe/ ---- */

static int32_t log_level(const char *word)
{
    static const struct {
        const char *word;
        int32_t level;
    } levels[] = { { "debug", MESH_LOG_DEBUG }, { "info", MESH_LOG_INFO }, { "error", MESH_LOG_ERROR } };

    for (size_t i = 0; i < COUNT_OF(levels); i++)
        if (strcmp(word, levels[i].word) == 0)
            return levels[i].level;
    return MESH_LOG_WARN;
}

void conf_fill_observe(const struct conf *conf, struct observe_conf *out)
{
    *out = (struct observe_conf){
        .level = log_level(conf_text(conf, "log.level")),
        .format = strcmp(conf_text(conf, "log.format"), "json") == 0 ? OBSERVE_JSON : OBSERVE_TEXT,
        .log = conf_text(conf, "log"),
        .access_log = conf_text(conf, "access_log"),
        .redact = conf_text(conf, "log.redact"),
        .service_name = conf->service_name ? conf->service_name : "",
        .zone = conf_text(conf, "zone"),
        .hook = conf->log,
        .hook_user = conf->log_user,
        .threadless = strcmp(conf_text(conf, "threads"), "none") == 0,
    };
}
