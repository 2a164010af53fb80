/* SPDX-License-Identifier: Apache-2.0 */
/* From the bytes of a Cluster to xds_cluster: the order in which its parts are read, and what belongs to none of them. */
#include <stdio.h>
#include <string.h>

#include "source/conf.h"
#include "source/xds/cluster_reader.h"
#include "source/xds/values.h"
#include "source/xds/wire.h"

#define HTTP_OPTIONS "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

enum { CONNECT_TIMEOUT_MS = 5000 }; /* Envoy's, where nobody says another */

int32_t cluster_open(struct cluster_reader *reader, const Pb__Any *any, const ProtobufCMessageDescriptor *type,
                     ProtobufCMessage **out)
{
    ProtobufCMessage **more = mem_realloc(reader->opened, (reader->n_opened + 1) * sizeof *more);
    int32_t err;

    *out = NULL;
    if (!more)
        return reading_no_memory(&reader->reading);
    reader->opened = more;
    err = values_unpack(&reader->reading, any, type, out);
    if (!err)
        reader->opened[reader->n_opened++] = *out;
    return err;
}

/* ---- what it begins with ---- */

static int32_t check_name(struct cluster_reader *reader)
{
    return reader->message->name[0] ? 0 : reading_wrong_at(&reader->reading, "name", "is missing");
}

static struct model_cluster *new_conf(const char *name)
{
    size_t size = strlen(XDS_CLUSTER_PREFIX) + strlen(name) + 1;
    struct model_cluster *conf;
    char *key = mem_alloc(size);

    if (!key)
        return NULL;
    snprintf(key, size, XDS_CLUSTER_PREFIX "%s", name);
    conf = model_cluster_new(key);
    mem_free(key);
    if (conf)
        conf->label = conf->name + strlen(XDS_CLUSTER_PREFIX);
    return conf;
}

static int32_t begin(struct cluster_reader *reader)
{
    struct xds_cluster *out = reader->out;

    out->name = mem_strdup(reader->message->name);
    out->conf = new_conf(reader->message->name);
    if (!out->name || !out->conf)
        return reading_no_memory(&reader->reading);
    reader->conf = out->conf;
    reader->policy = &out->conf->policy;
    return conf_cluster_base(reader->env->conf, reader->env->service, out->conf, reader->reading.fault);
}

static int32_t open_http_options(struct cluster_reader *reader)
{
    const Cluster__Cluster *message = reader->message;
    int32_t err = 0;

    for (size_t i = 0; i < message->n_typed_extension_protocol_options && !err; i++) {
        const Cluster__Cluster__TypedExtensionProtocolOptionsEntry *entry =
            message->typed_extension_protocol_options[i];
        ProtobufCMessage *options = NULL;

        reading_enter_item(&reader->reading, "typed_extension_protocol_options", i);
        if (!entry->value)
            reading_ignored(&reader->reading, "is empty");
        else if (!scalar_any_is(entry->value, HTTP_OPTIONS))
            reading_ignored(&reader->reading, "libmesh has no extension \"%.100s\"", entry->value->type_url);
        else
            err = cluster_open(reader, entry->value, &upstream_http__http_protocol_options__descriptor, &options);
        reading_leave(&reader->reading);
        if (options)
            reader->http = (const UpstreamHttp__HttpProtocolOptions *) options;
    }
    return err;
}

/* ---- what belongs to nobody else ---- */

static int32_t read_connect_timeout(struct cluster_reader *reader)
{
    const Pb__Duration *timeout = reader->message->connect_timeout;

    if (!timeout &&
        !conf_value(reader->env->conf, reader->env->service ? reader->env->service : "", KEY_CONNECT_TIMEOUT_MS))
        reader->policy->connect_timeout_ms = CONNECT_TIMEOUT_MS;
    return scalar_ms(&reader->reading, "connect_timeout", timeout, 1, &reader->policy->connect_timeout_ms);
}

static int32_t read_lrs_server(struct cluster_reader *reader)
{
    const Core__ConfigSource *server = reader->message->lrs_server;

    if (!server)
        return 0;
    if (server->config_source_specifier_case != CORE__CONFIG_SOURCE__CONFIG_SOURCE_SPECIFIER_SELF)
        return reading_wrong_at(&reader->reading, "lrs_server", "only \"self\" is allowed");
    reader->out->reports_load = true;
    return 0;
}

/* The kernel asks in any case; other numbers are not taken. */
static void list_keepalive(struct reading *reading, const Core__TcpKeepalive *keepalive)
{
    if (keepalive && (keepalive->keepalive_time || keepalive->keepalive_interval || keepalive->keepalive_probes))
        reading_ignored_at(reading, "upstream_connection_options.tcp_keepalive",
                           "is after 30 s, every 10 s, three times");
}

static void list_connections(struct cluster_reader *reader)
{
    const Cluster__Cluster *message = reader->message;
    struct reading *reading = &reader->reading;

    if (message->upstream_connection_options)
        list_keepalive(reading, message->upstream_connection_options->tcp_keepalive);
    if (message->close_connections_on_host_health_failure)
        reading_ignored_at(reading, "close_connections_on_host_health_failure",
                           "connections of an unhealthy endpoint end by themselves");
    if (message->ignore_health_on_host_removal)
        reading_ignored_at(reading, "ignore_health_on_host_removal", "endpoints that are removed always go");
}

static int32_t read_rest(struct cluster_reader *reader)
{
    int32_t err = read_connect_timeout(reader);

    list_connections(reader);
    return err ? err : read_lrs_server(reader);
}

static int32_t finish(struct cluster_reader *reader)
{
    if (!model_cluster_own_texts(reader->conf))
        return reading_no_memory(&reader->reading);
    model_cluster_identify(reader->conf);
    return 0;
}

/* ---- the whole ---- */

static int32_t read_all(struct cluster_reader *reader)
{
    static int32_t (*const steps[])(struct cluster_reader * reader) = {
        check_name,
        begin,
        open_http_options,
        cluster_read_balance,
        cluster_read_subsets,
        cluster_read_limits,
        cluster_read_outlier,
        cluster_read_health,
        cluster_read_tls,
        cluster_read_protocol,
        cluster_read_kind,
        cluster_judge_tls,
        read_rest,
        finish,
    };
    int32_t err = 0;

    reading_unknown_within(&reader->reading, &reader->message->base);
    for (size_t i = 0; i < COUNT_OF(steps) && !err; i++)
        err = steps[i](reader);
    return err;
}

static void close_all(struct cluster_reader *reader)
{
    for (size_t i = 0; i < reader->n_opened; i++)
        wire_free(reader->opened[i]);
    mem_free(reader->opened);
    buf_free(&reader->metrics);
}

int32_t xds_cluster_read(const uint8_t *bytes, size_t len, const struct xds_cluster_env *env, struct xds_cluster **out,
                         struct ignored *ignored, struct fault *fault)
{
    struct cluster_reader reader = { .reading = { .fault = fault, .ignored = ignored }, .env = env };
    ProtobufCMessage *message = NULL;
    int32_t err;

    *out = NULL;
    err = wire_unpack(&cluster__cluster__descriptor, bytes, len, &wire_limits_standard, &message, fault);
    if (err)
        return err;
    reader.message = (const Cluster__Cluster *) message;
    reader.out = mem_zalloc(sizeof *reader.out);
    err = reader.out ? 0 : reading_no_memory(&reader.reading);
    if (!err) {
        reader.out->refs = 1;
        err = read_all(&reader);
    }
    close_all(&reader);
    wire_free(message);
    if (err) {
        xds_cluster_unref(reader.out);
        return err;
    }
    *out = reader.out;
    return 0;
}

struct xds_cluster *xds_cluster_ref(struct xds_cluster *cluster)
{
    cluster->refs++;
    return cluster;
}

static void free_targets(struct xds_cluster *cluster)
{
    for (size_t i = 0; i < cluster->n_targets; i++) {
        model_target_free(&cluster->targets[i].target);
        mem_free(cluster->targets[i].zone);
    }
    mem_free(cluster->targets);
}

void xds_cluster_unref(struct xds_cluster *cluster)
{
    if (!cluster || --cluster->refs > 0)
        return;
    for (size_t i = 0; i < cluster->n_members; i++)
        mem_free(cluster->members[i]);
    mem_free(cluster->members);
    free_targets(cluster);
    model_endpoints_unref(cluster->endpoints);
    model_cluster_unref(cluster->conf);
    mem_free(cluster->eds_name);
    mem_free(cluster->name);
    mem_free(cluster);
}
