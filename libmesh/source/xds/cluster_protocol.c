/* SPDX-License-Identifier: Apache-2.0 */
/* What a cluster speaks and how: HttpProtocolOptions, or the older fields of the cluster itself. */
#include <inttypes.h>

#include "source/conf.h"
#include "source/xds/cluster_reader.h"

enum {
    STREAMS_MOST = INT32_MAX,
    WINDOW_LEAST = 65535,
    WINDOW_MOST = INT32_MAX,
    HEADERS_KB_MOST = 8192,
    BYTES_PER_KB = 1024,
};

/* What the resource asks for. */
enum speaks {
    SPEAKS_UNSAID,
    SPEAKS_HTTP1,
    SPEAKS_HTTP2,
    SPEAKS_DOWNSTREAM, /* as the caller asks */
    SPEAKS_ALPN,
};

struct options {
    enum speaks speaks;
    const Core__HttpProtocolOptions *common;      /* NULL: none */
    const Core__Http2ProtocolOptions *http2;      /* NULL: none */
    const Core__UpstreamHttpProtocolOptions *tls; /* NULL: none */
    const Pb__UInt32Value *connection_requests;   /* the older place of it; NULL: none */
};

/* ---- what there is ---- */

static int32_t of_explicit(struct cluster_reader *reader, struct options *options)
{
    const UpstreamHttp__HttpProtocolOptions__ExplicitHttpConfig *config = reader->http->explicit_http_config;

    switch (config->protocol_config_case) {
    case UPSTREAM_HTTP__HTTP_PROTOCOL_OPTIONS__EXPLICIT_HTTP_CONFIG__PROTOCOL_CONFIG_HTTP_PROTOCOL_OPTIONS:
        options->speaks = SPEAKS_HTTP1;
        return 0;
    case UPSTREAM_HTTP__HTTP_PROTOCOL_OPTIONS__EXPLICIT_HTTP_CONFIG__PROTOCOL_CONFIG_HTTP2_PROTOCOL_OPTIONS:
        options->speaks = SPEAKS_HTTP2;
        options->http2 = config->http2_protocol_options;
        return 0;
    default:
        return reading_wrong_at(&reader->reading, "explicit_http_config",
                                "none of http_protocol_options and http2_protocol_options, which libmesh speaks");
    }
}

static int32_t of_message(struct cluster_reader *reader, struct options *options)
{
    const UpstreamHttp__HttpProtocolOptions *http = reader->http;

    options->common = http->common_http_protocol_options;
    options->tls = http->upstream_http_protocol_options;
    switch (http->upstream_protocol_options_case) {
    case UPSTREAM_HTTP__HTTP_PROTOCOL_OPTIONS__UPSTREAM_PROTOCOL_OPTIONS_EXPLICIT_HTTP_CONFIG:
        return of_explicit(reader, options);
    case UPSTREAM_HTTP__HTTP_PROTOCOL_OPTIONS__UPSTREAM_PROTOCOL_OPTIONS_USE_DOWNSTREAM_PROTOCOL_CONFIG:
        options->speaks = SPEAKS_DOWNSTREAM;
        options->http2 = http->use_downstream_protocol_config->http2_protocol_options;
        return 0;
    case UPSTREAM_HTTP__HTTP_PROTOCOL_OPTIONS__UPSTREAM_PROTOCOL_OPTIONS_AUTO_CONFIG:
        options->speaks = SPEAKS_ALPN;
        options->http2 = http->auto_config->http2_protocol_options;
        return 0;
    default:
        return reading_wrong(&reader->reading,
                             "none of explicit_http_config, use_downstream_protocol_config and auto_config");
    }
}

static int32_t of_cluster(struct cluster_reader *reader, struct options *options)
{
    const Cluster__Cluster *message = reader->message;

    options->common = message->common_http_protocol_options;
    options->connection_requests = message->max_requests_per_connection;
    options->http2 = message->http2_protocol_options;
    if (message->http2_protocol_options)
        options->speaks = SPEAKS_HTTP2;
    else if (message->http_protocol_options)
        options->speaks = SPEAKS_HTTP1;
    return 0;
}

static void list_overrides(struct cluster_reader *reader)
{
    const UpstreamHttp__HttpProtocolOptions *http = reader->http;

    if (http->n_request_mirror_policies > 0)
        reading_ignored_at(&reader->reading, "request_mirror_policies", "those of the route hold");
    if (http->n_hash_policy > 0)
        reading_ignored_at(&reader->reading, "hash_policy", "that of the route holds");
    if (http->retry_policy)
        reading_ignored_at(&reader->reading, "retry_policy", "that of the route holds");
}

/* ---- numbers ---- */

static int32_t read_keepalive(struct reading *reading, const Core__KeepaliveSettings *keepalive, struct policy *policy)
{
    int32_t err = 0;

    reading_enter(reading, "connection_keepalive");
    if (!keepalive->timeout)
        err = reading_wrong_at(reading, "timeout", "is missing");
    if (!err)
        err = scalar_ms(reading, "interval", keepalive->interval, 1, &policy->alive_ms);
    if (!err)
        err = scalar_ms(reading, "timeout", keepalive->timeout, 1, &policy->alive_answer_ms);
    reading_leave(reading);
    return err;
}

static int32_t read_http2(struct reading *reading, const Core__Http2ProtocolOptions *http2, struct policy *policy)
{
    uint32_t window = policy->window_bytes;
    int32_t err = scalar_u32(reading, "max_concurrent_streams", http2->max_concurrent_streams, 1, STREAMS_MOST,
                             &policy->max_streams);

    if (!err)
        err = scalar_u32(reading, "initial_stream_window_size", http2->initial_stream_window_size, WINDOW_LEAST,
                         WINDOW_MOST, &window);
    policy->window_bytes = window;
    return err || !http2->connection_keepalive ? err : read_keepalive(reading, http2->connection_keepalive, policy);
}

/* A whole request may last no longer than one attempt. */
static int32_t read_stream_duration(struct reading *reading, const Pb__Duration *most, struct policy *policy)
{
    uint32_t ms = 0;
    int32_t err = scalar_ms(reading, "max_stream_duration", most, 0, &ms);

    if (!err && ms > 0 && (policy->timeout_ms == 0 || ms < policy->timeout_ms))
        policy->timeout_ms = ms;
    return err;
}

static int32_t read_common(struct reading *reading, const Core__HttpProtocolOptions *common, struct policy *policy)
{
    uint32_t headers_kb = 0;
    int32_t err = scalar_ms(reading, "idle_timeout", common->idle_timeout, 0, &policy->connection_idle_ms);

    if (!err)
        err = scalar_ms(reading, "max_connection_duration", common->max_connection_duration, 1,
                        &policy->connection_age_ms);
    if (!err)
        err = read_stream_duration(reading, common->max_stream_duration, policy);
    if (!err)
        err = scalar_u32(reading, "max_requests_per_connection", common->max_requests_per_connection, 0, UINT32_MAX,
                         &policy->connection_requests);
    if (!err)
        err = scalar_u32(reading, "max_response_headers_kb", common->max_response_headers_kb, 1, HEADERS_KB_MOST,
                         &headers_kb);
    if (!err && headers_kb > 0)
        policy->max_header_bytes = headers_kb * BYTES_PER_KB;
    return err;
}

static int32_t read_numbers(struct cluster_reader *reader, const struct options *options)
{
    struct reading *reading = &reader->reading;
    int32_t err = scalar_u32(reading, "max_requests_per_connection", options->connection_requests, 0, UINT32_MAX,
                             &reader->policy->connection_requests);

    if (!err && options->http2) {
        reading_enter(reading, "http2_protocol_options");
        err = read_http2(reading, options->http2, reader->policy);
        reading_leave(reading);
    }
    if (!err && options->common) {
        reading_enter(reading, "common_http_protocol_options");
        err = read_common(reading, options->common, reader->policy);
        reading_leave(reading);
    }
    return err;
}

/* ---- the protocol ---- */

/* The service's own `protocol`, where the resource says nothing: HTTP/1.1 behind a control plane that never says. */
static bool wants_http1(const struct cluster_reader *reader)
{
    const char *service = reader->env->service;
    const struct value *own = service ? values_find(&reader->env->conf->values, service, key_at(KEY_PROTOCOL)) : NULL;
    enum model_protocol protocol = MODEL_H2C;

    return own && model_protocol_parse(own->text, &protocol) && (protocol == MODEL_HTTP || protocol == MODEL_HTTPS);
}

static enum model_protocol secure_protocol(struct cluster_reader *reader, const struct options *options)
{
    if (options->speaks == SPEAKS_HTTP1)
        reading_ignored(&reader->reading, "HTTP/1.1 over TLS: ALPN decides, HTTP/2 is offered as well");
    if (options->speaks == SPEAKS_HTTP2 || (reader->names_h2 && !reader->names_h1))
        return MODEL_H2;
    return MODEL_HTTPS;
}

/* What came by a listener for clients (api_listener) speaks HTTP/2 unless somebody says otherwise. */
static int32_t choose(struct cluster_reader *reader, const struct options *options)
{
    if (reader->secure) {
        reader->conf->protocol = secure_protocol(reader, options);
        return 0;
    }
    if (options->speaks == SPEAKS_ALPN)
        return reading_wrong_at(&reader->reading, "auto_config",
                                "needs a transport_socket with TLS, whose ALPN decides");
    reader->conf->protocol = MODEL_H2C;
    if (options->speaks == SPEAKS_HTTP1 || (options->speaks == SPEAKS_UNSAID && wants_http1(reader)))
        reader->conf->protocol = MODEL_HTTP;
    if (reader->conf->protocol == MODEL_HTTP && reader->policy->connection_requests > 0)
        reading_ignored_at(&reader->reading, "max_requests_per_connection",
                           "HTTP/1.1 connections are used for any number");
    return 0;
}

int32_t cluster_read_protocol(struct cluster_reader *reader)
{
    struct options options = { .speaks = SPEAKS_UNSAID };
    int32_t err;

    if (reader->http)
        reading_enter(&reader->reading, "typed_extension_protocol_options");
    err = reader->http ? of_message(reader, &options) : of_cluster(reader, &options);
    if (!err)
        err = read_numbers(reader, &options);
    if (!err && reader->http)
        list_overrides(reader);
    if (!err)
        err = choose(reader, &options);
    if (reader->http)
        reading_leave(&reader->reading);
    return err;
}
