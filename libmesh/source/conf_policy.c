/* SPDX-License-Identifier: Apache-2.0 */
/* From values to a cluster: the texts of its policy and TLS, authority and proxy; and what contradicts itself. */
#include "source/conf.h"

#include <stdio.h>
#include <string.h>

/* "services.users.tls.cert (file /etc/mesh.json)", for sentences. Returns out. */
static const char *name_of(const struct building *b, enum key_id id, char out[CONF_NAME_MAX])
{
    const struct value *value = conf_value(b->conf, b->service, id);
    char full[CONF_NAME_MAX];

    conf_full_name(value ? value->service : "", key_at(id), full);
    snprintf(out, CONF_NAME_MAX, "%.150s (%.90s)", full, value ? value->from : "default");
    return out;
}

/* ---- numbers that contradict each other ---- */

static int32_t check_backoff(const struct building *b, const struct policy_retry *retry)
{
    char base[CONF_NAME_MAX], most[CONF_NAME_MAX];

    if (retry->backoff_base_ms <= retry->backoff_max_ms)
        return 0;
    return fault_set(b->fault, MESH_ERR_INVALID, "%.100s is %u, more than %.100s, which is %u",
                     name_of(b, KEY_RETRY_BACKOFF_BASE_MS, base), retry->backoff_base_ms,
                     name_of(b, KEY_RETRY_BACKOFF_MAX_MS, most), retry->backoff_max_ms);
}

static int32_t check_ring(const struct building *b, const struct policy *policy)
{
    char least[CONF_NAME_MAX], most[CONF_NAME_MAX];

    if (policy->ring_min_size <= policy->ring_max_size)
        return 0;
    return fault_set(b->fault, MESH_ERR_INVALID, "%.100s is %llu, more than %.100s, which is %llu",
                     name_of(b, KEY_BALANCE_RING_MIN_SIZE, least), (unsigned long long) policy->ring_min_size,
                     name_of(b, KEY_BALANCE_RING_MAX_SIZE, most), (unsigned long long) policy->ring_max_size);
}

/* ---- who they are: authority and server name ---- */

/* Host of a target as others know it: the SRV name without its _service._proto labels, no final dot. The length of what
 * begins at the result. */
static const char *known_host(const struct model_target *target, size_t *len)
{
    const char *host = target->host;

    while (target->kind == TARGET_SRV && host[0] == '_' && strchr(host, '.'))
        host = strchr(host, '.') + 1;
    *len = strlen(host);
    if (*len > 0 && host[*len - 1] == '.')
        (*len)--;
    return host;
}

static bool has_host(const struct model_target *target)
{
    return target && target->kind != TARGET_UNIX;
}

/* All zones have the same host: it is the cluster's. */
static bool one_host(const struct building *b)
{
    for (size_t i = 1; i < b->out->n_targets; i++)
        if (strcmp(b->out->targets[i].target.host, b->out->targets[0].target.host) != 0)
            return false;
    return true;
}

static bool write_authority(const struct building *b, const struct model_target *first, struct buf *out)
{
    const char *own = conf_value_text(b->conf, b->service, KEY_AUTHORITY);
    bool ipv6 = first && first->kind == TARGET_ADDRESS && first->addr.family == ADDR_IPV6;
    const char *host;
    size_t len;

    if (own[0] != '\0')
        return buf_append_text(out, own);
    if (!has_host(first) || !one_host(b))
        return buf_append_text(out, b->service[0] ? b->service : "localhost");
    host = known_host(first, &len);
    if (!buf_printf(out, ipv6 ? "[%.*s]" : "%.*s", (int) len, host))
        return false;
    if (first->port == 0 || first->port == model_protocol_port(first->protocol))
        return true;
    return buf_printf(out, ":%u", first->port);
}

static int32_t add_authority(const struct building *b, const struct model_target *first)
{
    struct buf text = { 0 };
    bool ok = write_authority(b, first, &text) && buf_append(&text, "", 1);

    if (ok)
        b->out->cluster->authority = mem_strdup((const char *) buf_bytes(&text));
    buf_free(&text);
    return b->out->cluster->authority ? 0 : conf_no_memory(b->fault);
}

/* The host in "host:port" and "[::1]:80". */
static const char *host_of(const char *authority, size_t *len)
{
    const char *colon = strrchr(authority, ':');

    if (authority[0] == '[') {
        *len = strcspn(authority + 1, "]");
        return authority + 1;
    }
    *len = colon ? (size_t) (colon - authority) : strlen(authority);
    return authority;
}

/* What TLS verifies when the configuration names nothing: the target's host, of a list the authority's. */
static const char *default_server_name(const struct building *b, const struct model_target *first, size_t *len)
{
    return has_host(first) ? known_host(first, len) : host_of(b->out->cluster->authority, len);
}

/* ---- the texts of policy and TLS ---- */

struct text {
    const char *text;
    size_t len;
    const char **to; /* stays NULL for the empty text */
};

static struct text text_of(const struct building *b, enum key_id id, const char **to)
{
    const char *text = conf_value_text(b->conf, b->service, id);

    return (struct text){ .text = text, .len = strlen(text), .to = to };
}

static struct text global_of(const struct building *b, enum key_id id, const char **to)
{
    const char *text = conf_value_text(b->conf, "", id);

    return (struct text){ .text = text, .len = strlen(text), .to = to };
}

/* The name in "header:NAME"; else the empty text. */
static struct text header_of(const struct building *b, const char **to)
{
    struct text text = text_of(b, KEY_BALANCE_HASH_ON, to);
    const char *colon = strchr(text.text, ':');

    text.text = colon ? colon + 1 : "";
    text.len = strlen(text.text);
    return text;
}

static int32_t keep_texts(const struct building *b, const struct text *texts, size_t n)
{
    size_t size = 0;
    char *at;

    for (size_t i = 0; i < n; i++)
        size += texts[i].len + 1;
    at = mem_alloc(size);
    if (!at)
        return conf_no_memory(b->fault);
    b->out->cluster->strings = at;
    for (size_t i = 0; i < n; i++) {
        if (texts[i].len == 0)
            continue;
        *texts[i].to = memcpy(at, texts[i].text, texts[i].len);
        at += texts[i].len;
        *at++ = '\0';
    }
    return 0;
}

static int32_t add_texts(const struct building *b, const struct model_target *first)
{
    enum { OF_PLAIN = 7, SERVER_NAME = 10 };
    struct model_cluster *cluster = b->out->cluster;
    struct policy_tls *tls = &cluster->tls;
    struct text texts[] = {
        text_of(b, KEY_BALANCE_POLICY, &cluster->policy.balance),
        header_of(b, &cluster->policy.hash.header),
        global_of(b, KEY_ZONE, &cluster->policy.spill.zone),
        global_of(b, KEY_ZONE_DISTANCES, &cluster->policy.spill.distances),
        text_of(b, KEY_HEALTH_PATH, &cluster->policy.health.path),
        text_of(b, KEY_HEALTH_HOST, &cluster->policy.health.host),
        text_of(b, KEY_HEALTH_GRPC_SERVICE, &cluster->policy.health.grpc_service),
        text_of(b, KEY_TLS_CA, &tls->ca),
        text_of(b, KEY_TLS_CERT, &tls->cert),
        text_of(b, KEY_TLS_KEY, &tls->key),
        text_of(b, KEY_TLS_SERVER_NAME, &tls->server_name),
    };

    if (!model_protocol_tls(cluster->protocol))
        return keep_texts(b, texts, OF_PLAIN);
    if (texts[SERVER_NAME].len == 0)
        texts[SERVER_NAME].text = default_server_name(b, first, &texts[SERVER_NAME].len);
    tls->insecure = !conf_value_on(b->conf, b->service, KEY_TLS_VERIFY);
    tls->min_version = strcmp(conf_value_text(b->conf, b->service, KEY_TLS_MIN_VERSION), "1.3") == 0 ? 13 : 12;
    return keep_texts(b, texts, COUNT_OF(texts));
}

/* ---- TLS that contradicts itself ---- */

static int32_t check_pair(const struct building *b, enum key_id there, enum key_id missing)
{
    char name[CONF_NAME_MAX];

    if (conf_value_text(b->conf, b->service, there)[0] == '\0' ||
        conf_value_text(b->conf, b->service, missing)[0] != '\0')
        return 0;
    return fault_set(b->fault, MESH_ERR_INVALID, "%s is given without %s; both or neither is allowed",
                     name_of(b, there, name), key_at(missing)->name);
}

/* Somebody who gives one service a certificate believes that it speaks TLS. */
static int32_t check_plain(const struct building *b)
{
    const enum model_protocol protocol = b->out->cluster->protocol;
    char name[CONF_NAME_MAX];

    for (enum key_id id = KEY_TLS_CA; id <= KEY_TLS_MIN_VERSION; id++) {
        const struct value *value = values_find(&b->conf->values, b->service, key_at(id));

        if (!value || b->service[0] == '\0' || (b->place && value->origin < b->place->origin))
            continue;
        return fault_set(b->fault, MESH_ERR_INVALID,
                         "%s is given, but service \"%.64s\" speaks %s, which has no TLS; https and h2 have",
                         name_of(b, id, name), b->name, model_protocol_name(protocol));
    }
    return 0;
}

/* One cluster, one name: which of several hosts it is nobody but the user can say. */
static int32_t check_server_name(const struct building *b)
{
    if (one_host(b) || conf_value_text(b->conf, b->service, KEY_TLS_SERVER_NAME)[0] != '\0')
        return 0;
    return fault_set(b->fault, MESH_ERR_INVALID,
                     "service \"%.64s\": its zones have several hosts; tls.server_name says which name all their "
                     "certificates carry",
                     b->name);
}

static int32_t check_tls(const struct building *b)
{
    int32_t err;

    if (!model_protocol_tls(b->out->cluster->protocol))
        return check_plain(b);
    err = check_server_name(b);
    if (err)
        return err;
    err = check_pair(b, KEY_TLS_CERT, KEY_TLS_KEY);
    return err ? err : check_pair(b, KEY_TLS_KEY, KEY_TLS_CERT);
}

/* ---- the proxy ---- */

static int32_t add_proxy(const struct building *b, const struct model_target *first)
{
    const char *proxy = conf_value_text(b->conf, b->service, KEY_PROXY);
    struct model_cluster *cluster = b->out->cluster;
    bool http_1 = cluster->protocol == MODEL_HTTP || cluster->protocol == MODEL_HTTPS;
    bool zones = b->place && b->place->key == key_at(KEY_ZONES);
    char name[CONF_NAME_MAX];

    if (strcmp(proxy, "off") == 0)
        return 0;
    if (strcmp(proxy, "env") == 0) {
        if (!first || zones || proxies_of(&b->conf->proxies, first, &cluster->proxy))
            return 0;
        return conf_no_memory(b->fault);
    }
    if (!http_1)
        return fault_set(b->fault, MESH_ERR_INVALID,
                         "%s: service \"%.64s\" speaks %s; a proxy is for http and https, for others it is off",
                         name_of(b, KEY_PROXY, name), b->name, model_protocol_name(cluster->protocol));
    cluster->proxy = mem_strdup(proxy);
    return cluster->proxy ? 0 : conf_no_memory(b->fault);
}

int32_t building_add_policy(const struct building *b, const struct model_target *first)
{
    int32_t err;

    building_fill_numbers(b, &b->out->cluster->policy);
    err = check_backoff(b, &b->out->cluster->policy.retry);
    if (!err)
        err = check_ring(b, &b->out->cluster->policy);
    if (!err)
        err = check_tls(b);
    if (!err)
        err = add_authority(b, first);
    if (!err)
        err = add_texts(b, first);
    if (!err)
        err = add_proxy(b, first);
    if (!err)
        model_cluster_identify(b->out->cluster);
    return err;
}

int32_t conf_cluster_base(const struct conf *conf, const char *service, struct model_cluster *cluster,
                          struct fault *fault)
{
    const char *of = service ? service : "", *authority = conf_value_text(conf, of, KEY_AUTHORITY);
    struct service out = { .cluster = cluster };
    struct building b = { .conf = conf, .name = cluster->label, .service = of, .out = &out, .fault = fault };
    int32_t err;

    cluster->protocol = MODEL_H2C;
    building_fill_numbers(&b, &cluster->policy);
    err = check_backoff(&b, &cluster->policy.retry);
    if (!err)
        err = check_ring(&b, &cluster->policy);
    if (!err)
        err = add_texts(&b, NULL);
    if (err)
        return err;
    cluster->authority = mem_strdup(authority[0] ? authority : cluster->label);
    return cluster->authority ? 0 : conf_no_memory(fault);
}
