/* SPDX-License-Identifier: Apache-2.0 */
/* transport_socket: who we are to the endpoints, and whom we trust.
 *
 * Files are named, not read: tls_files_attach() does that, and notices when they change. What stands in the resource itself is kept
 * as it is. Nobody is trusted unverified, as Envoy would do it without roots: then the system's roots and a name are asked for. */
#include <string.h>

#include "net/net.h"
#include "proto/tls.pb-c.h"
#include "source/xds/cluster_reader.h"
#include "source/xds/cluster_tls.h"
#include "source/xds/values.h"

#define TLS_CONTEXT "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
#define RAW_BUFFER  "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"

enum { PEM_MOST = 1 << 20, SNI_MOST = 255 };

/* ---- what would make it less safe when passed over ---- */

struct forbidden {
    const ProtobufCMessageDescriptor *type;
    unsigned tag;
    const char *field;
};

static const struct forbidden forbidden[] = {
    { &tls__common_tls_context__descriptor, 6, "tls_certificate_sds_secret_configs" },
    { &tls__common_tls_context__descriptor, 7, "validation_context_sds_secret_config" },
    { &tls__common_tls_context__descriptor, 9, "tls_certificate_certificate_provider" },
    { &tls__common_tls_context__descriptor, 10, "validation_context_certificate_provider" },
    { &tls__common_tls_context__descriptor, 13, "custom_handshaker" },
    { &tls__common_tls_context__descriptor, 16, "custom_tls_certificate_selector" },
    { &tls__common_tls_context__combined_certificate_validation_context__descriptor, 2,
      "validation_context_sds_secret_config" },
    { &tls__common_tls_context__combined_certificate_validation_context__descriptor, 3,
      "validation_context_certificate_provider" },
    { &tls__certificate_validation_context__descriptor, 6, "require_signed_certificate_timestamp" },
    { &tls__certificate_validation_context__descriptor, 7, "crl" },
    { &tls__certificate_validation_context__descriptor, 12, "custom_validator_config" },
};

static int32_t refuse_forbidden(struct reading *reading, const ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->n_unknown_fields; i++)
        for (size_t k = 0; k < COUNT_OF(forbidden); k++)
            if (forbidden[k].type == message->descriptor && forbidden[k].tag == message->unknown_fields[i].tag)
                return reading_wrong_at(reading, forbidden[k].field,
                                        "libmesh takes certificates from files, from the resource itself, and from the "
                                        "bootstrap's certificate_providers, and has no checks of others");
    return 0;
}

/* ---- where certificates are ---- */

static bool has_pem(struct cluster_reader *reader)
{
    struct model_pem **pem = &reader->conf->tls.pem;

    if (!*pem)
        *pem = mem_zalloc(sizeof **pem);
    if (!*pem)
        return false;
    if ((*pem)->refs == 0)
        (*pem)->refs = 1;
    return true;
}

static int32_t take_inline(struct cluster_reader *reader, const Core__DataSource *source, char **out)
{
    struct buf bytes = { 0 };
    int32_t err = values_data(&reader->reading, source, PEM_MOST, &bytes);

    if (!err && (buf_len(&bytes) == 0 || memchr(buf_bytes(&bytes), '\0', buf_len(&bytes))))
        err = reading_wrong(&reader->reading, "is no PEM");
    if (!err)
        *out = mem_strndup((const char *) buf_bytes(&bytes), buf_len(&bytes));
    if (!err && !*out)
        err = reading_no_memory(&reader->reading);
    if (buf_len(&bytes) > 0)
        explicit_bzero((void *) (uintptr_t) buf_bytes(&bytes), buf_len(&bytes));
    buf_free(&bytes);
    return err;
}

enum tls_part { TLS_CA, TLS_CERT, TLS_KEY };

static int32_t take_source(struct cluster_reader *reader, const char *field, const Core__DataSource *source,
                           enum tls_part part)
{
    struct policy_tls *tls = &reader->conf->tls;
    const char **files[] = { &tls->ca, &tls->cert, &tls->key };
    int32_t err = 0;

    reading_enter(&reader->reading, field);
    if (!source) {
        err = reading_wrong(&reader->reading, "is missing");
    } else if (source->specifier_case == CORE__DATA_SOURCE__SPECIFIER_FILENAME) {
        *files[part] = source->filename;
        err = source->filename[0] ? 0 : reading_wrong(&reader->reading, "filename is empty");
    } else if (has_pem(reader)) {
        char **pems[] = { &tls->pem->ca, &tls->pem->cert, &tls->pem->key };

        err = take_inline(reader, source, pems[part]);
    } else {
        err = reading_no_memory(&reader->reading);
    }
    reading_leave(&reader->reading);
    return err;
}

static const struct bootstrap_files *find_provider(struct cluster_reader *reader, const char *name)
{
    const struct bootstrap_provider *provider =
        reader->env->bootstrap ? bootstrap_provider(reader->env->bootstrap, name) : NULL;

    if (provider)
        return &provider->files;
    reading_wrong_at(&reader->reading, "instance_name", "\"%.100s\" is none of the bootstrap's certificate_providers",
                     name);
    return NULL;
}

/* ---- who we are ---- */

static int32_t take_own_provider(struct cluster_reader *reader, const char *field, const char *name)
{
    const struct bootstrap_files *files;
    int32_t err = 0;

    reading_enter(&reader->reading, field);
    files = find_provider(reader, name);
    if (!files)
        err = MESH_ERR_INVALID;
    else if (!files->cert)
        err = reading_wrong_at(&reader->reading, "instance_name", "\"%.100s\" has no certificate_file", name);
    reading_leave(&reader->reading);
    if (err)
        return err;
    reader->conf->tls.cert = files->cert;
    reader->conf->tls.key = files->key;
    return 0;
}

static int32_t take_own_data(struct cluster_reader *reader, const Tls__TlsCertificate *certificate)
{
    int32_t err;

    reading_enter_item(&reader->reading, "tls_certificates", 0);
    err = take_source(reader, "certificate_chain", certificate->certificate_chain, TLS_CERT);
    if (!err)
        err = take_source(reader, "private_key", certificate->private_key, TLS_KEY);
    reading_leave(&reader->reading);
    return err;
}

static int32_t read_identity(struct cluster_reader *reader, const Tls__CommonTlsContext *common)
{
    if (common->tls_certificate_provider_instance)
        return take_own_provider(reader, "tls_certificate_provider_instance",
                                 common->tls_certificate_provider_instance->instance_name);
    if (common->tls_certificate_certificate_provider_instance)
        return take_own_provider(reader, "tls_certificate_certificate_provider_instance",
                                 common->tls_certificate_certificate_provider_instance->instance_name);
    if (common->n_tls_certificates > 1)
        return reading_wrong_at(&reader->reading, "tls_certificates", "%zu of them; a client has one",
                                common->n_tls_certificates);
    return common->n_tls_certificates ? take_own_data(reader, common->tls_certificates[0]) : 0;
}

/* ---- whom we trust ---- */

static int32_t take_ca_provider(struct cluster_reader *reader, const char *field, const char *name)
{
    const struct bootstrap_files *files;
    int32_t err = 0;

    reading_enter(&reader->reading, field);
    files = find_provider(reader, name);
    if (!files)
        err = MESH_ERR_INVALID;
    else if (!files->ca)
        err = reading_wrong_at(&reader->reading, "instance_name", "\"%.100s\" has no ca_certificate_file", name);
    reading_leave(&reader->reading);
    if (!err)
        reader->conf->tls.ca = files->ca;
    return err;
}

static int32_t read_validation(struct cluster_reader *reader, const Tls__CertificateValidationContext *context)
{
    struct reading *reading = &reader->reading;
    int32_t err = refuse_forbidden(reading, &context->base);

    if (err)
        return err;
    if (context->trust_chain_verification !=
        TLS__CERTIFICATE_VALIDATION_CONTEXT__TRUST_CHAIN_VERIFICATION__VERIFY_TRUST_CHAIN)
        return reading_wrong_at(reading, "trust_chain_verification", "only VERIFY_TRUST_CHAIN is allowed");
    if (context->n_verify_certificate_hash > 0)
        return reading_wrong_at(reading, "verify_certificate_hash", "libmesh verifies by roots and names");
    if (context->n_verify_certificate_spki > 0)
        return reading_wrong_at(reading, "verify_certificate_spki", "libmesh verifies by roots and names");
    if (context->ca_certificate_provider_instance)
        err = take_ca_provider(reader, "ca_certificate_provider_instance",
                               context->ca_certificate_provider_instance->instance_name);
    else if (context->trusted_ca)
        err = take_source(reader, "trusted_ca", context->trusted_ca, TLS_CA);
    else
        reader->has_system_roots = context->system_root_certs != NULL;
    return err ? err : cluster_read_peer_names(reading, context, &reader->conf->tls.names);
}

static int32_t read_combined(struct cluster_reader *reader,
                             const Tls__CommonTlsContext__CombinedCertificateValidationContext *combined)
{
    const Tls__CommonTlsContext__CertificateProviderInstance *older =
        combined->validation_context_certificate_provider_instance;
    int32_t err = refuse_forbidden(&reader->reading, &combined->base);

    if (!err && combined->default_validation_context) {
        reading_enter(&reader->reading, "default_validation_context");
        err = read_validation(reader, combined->default_validation_context);
        reading_leave(&reader->reading);
    }
    if (err || !older || reader->conf->tls.ca)
        return err;
    return take_ca_provider(reader, "validation_context_certificate_provider_instance", older->instance_name);
}

static int32_t read_trust(struct cluster_reader *reader, const Tls__CommonTlsContext *common)
{
    int32_t err = 0;

    switch (common->validation_context_type_case) {
    case TLS__COMMON_TLS_CONTEXT__VALIDATION_CONTEXT_TYPE_VALIDATION_CONTEXT:
        reading_enter(&reader->reading, "validation_context");
        err = read_validation(reader, common->validation_context);
        reading_leave(&reader->reading);
        break;
    case TLS__COMMON_TLS_CONTEXT__VALIDATION_CONTEXT_TYPE_COMBINED_VALIDATION_CONTEXT:
        reading_enter(&reader->reading, "combined_validation_context");
        err = read_combined(reader, common->combined_validation_context);
        reading_leave(&reader->reading);
        break;
    case TLS__COMMON_TLS_CONTEXT__VALIDATION_CONTEXT_TYPE_VALIDATION_CONTEXT_CERTIFICATE_PROVIDER_INSTANCE:
        err = take_ca_provider(reader, "validation_context_certificate_provider_instance",
                               common->validation_context_certificate_provider_instance->instance_name);
        break;
    default:
        break;
    }
    return err;
}

/* ---- versions and protocols ---- */

static int32_t read_versions(struct cluster_reader *reader, const Tls__TlsParameters *params)
{
    Tls__TlsParameters__TlsProtocol least = params->tls_minimum_protocol_version;
    Tls__TlsParameters__TlsProtocol most = params->tls_maximum_protocol_version;

    if (least > TLS__TLS_PARAMETERS__TLS_PROTOCOL__TLSv1_3 || most > TLS__TLS_PARAMETERS__TLS_PROTOCOL__TLSv1_3)
        return reading_wrong_at(&reader->reading, "tls_params", "a version that does not exist");
    if (most != TLS__TLS_PARAMETERS__TLS_PROTOCOL__TLS_AUTO &&
        (most < least || most < TLS__TLS_PARAMETERS__TLS_PROTOCOL__TLSv1_2))
        return reading_wrong_at(&reader->reading, "tls_params.tls_maximum_protocol_version",
                                "leaves no version: libmesh speaks TLS 1.2 and 1.3");
    if (most == TLS__TLS_PARAMETERS__TLS_PROTOCOL__TLSv1_2)
        reading_ignored_at(&reader->reading, "tls_params.tls_maximum_protocol_version",
                           "TLS 1.3 is spoken with whoever can");
    if (least == TLS__TLS_PARAMETERS__TLS_PROTOCOL__TLSv1_0 || least == TLS__TLS_PARAMETERS__TLS_PROTOCOL__TLSv1_1)
        reading_ignored_at(&reader->reading, "tls_params.tls_minimum_protocol_version", "is TLS 1.2");
    if (least == TLS__TLS_PARAMETERS__TLS_PROTOCOL__TLSv1_3)
        reader->conf->tls.min_version = 13;
    return 0;
}

static void read_protocols(struct cluster_reader *reader, const Tls__CommonTlsContext *common)
{
    for (size_t i = 0; i < common->n_alpn_protocols; i++) {
        const char *name = common->alpn_protocols[i];

        if (strcmp(name, "h2") == 0)
            reader->names_h2 = true;
        else if (strcmp(name, "http/1.1") == 0)
            reader->names_h1 = true;
        else
            reading_ignored_at(&reader->reading, "alpn_protocols", "\"%.100s\" is not offered", name);
    }
}

/* ---- the context ---- */

static int32_t read_common(struct cluster_reader *reader, const Tls__CommonTlsContext *common)
{
    int32_t err = refuse_forbidden(&reader->reading, &common->base);

    if (!err && common->tls_params)
        err = read_versions(reader, common->tls_params);
    if (!err)
        err = read_identity(reader, common);
    if (!err)
        err = read_trust(reader, common);
    read_protocols(reader, common);
    return err;
}

static int32_t read_context(struct cluster_reader *reader, const Tls__UpstreamTlsContext *context)
{
    int32_t err = 0;

    if (strlen(context->sni) > SNI_MOST)
        return reading_wrong_at(&reader->reading, "sni", "is longer than 255 bytes");
    reader->secure = true;
    reader->conf->tls.min_version = 12;
    reader->conf->tls.server_name = context->sni[0] && !context->auto_host_sni ? context->sni : NULL;
    reader->names_endpoint = context->auto_host_sni;
    reader->checks_sni = context->auto_sni_san_validation;
    if (context->common_tls_context) {
        reading_enter(&reader->reading, "common_tls_context");
        err = read_common(reader, context->common_tls_context);
        reading_leave(&reader->reading);
    }
    return err;
}

static int32_t read_socket(struct cluster_reader *reader, const Core__TransportSocket *socket)
{
    const Pb__Any *any =
        socket->config_type_case == CORE__TRANSPORT_SOCKET__CONFIG_TYPE_TYPED_CONFIG ? socket->typed_config : NULL;
    ProtobufCMessage *context;
    int32_t err;

    if (scalar_any_is(any, RAW_BUFFER) || (!any && strcmp(socket->name, "envoy.transport_sockets.raw_buffer") == 0))
        return 0;
    if (!scalar_any_is(any, TLS_CONTEXT))
        return reading_wrong(&reader->reading, "\"%.100s\" is none of " TLS_CONTEXT " and " RAW_BUFFER,
                             any ? any->type_url : socket->name);
    err = cluster_open(reader, any, &tls__upstream_tls_context__descriptor, &context);
    return err ? err : read_context(reader, (const Tls__UpstreamTlsContext *) context);
}

/* The first that wants nothing of an endpoint is for all whose metadata fits none before it: libmesh takes it for all. Its index, or
 * n_transport_socket_matches. */
static size_t find_match(struct cluster_reader *reader)
{
    const Cluster__Cluster *message = reader->message;
    size_t i = 0;

    while (i < message->n_transport_socket_matches && message->transport_socket_matches[i]->match &&
           message->transport_socket_matches[i]->match->n_fields > 0) {
        reading_enter_item(&reader->reading, "transport_socket_matches", i++);
        reading_ignored(&reader->reading, "endpoints are not told apart by their metadata");
        reading_leave(&reader->reading);
    }
    return i;
}

int32_t cluster_read_tls(struct cluster_reader *reader)
{
    const Core__TransportSocket *socket = reader->message->transport_socket;
    size_t i = find_match(reader);
    int32_t err;

    if (i < reader->message->n_transport_socket_matches) {
        socket = reader->message->transport_socket_matches[i]->transport_socket;
        reading_enter_item(&reader->reading, "transport_socket_matches", i);
        reading_enter(&reader->reading, "transport_socket");
        err = socket ? read_socket(reader, socket) : 0;
        reading_leave(&reader->reading);
        reading_leave(&reader->reading);
        return err;
    }
    if (!socket)
        return 0;
    reading_enter(&reader->reading, "transport_socket");
    err = read_socket(reader, socket);
    reading_leave(&reader->reading);
    return err;
}

/* ---- whose name it is ---- */

/* All names that are resolved are one: it is the peer's. */
static const char *only_host(const struct xds_cluster *cluster)
{
    for (size_t i = 1; i < cluster->n_targets; i++)
        if (strcmp(cluster->targets[i].target.host, cluster->targets[0].target.host) != 0)
            return NULL;
    return cluster->n_targets > 0 ? cluster->targets[0].target.host : NULL;
}

static void read_auto_sni(struct cluster_reader *reader)
{
    const Core__UpstreamHttpProtocolOptions *options =
        reader->http ? reader->http->upstream_http_protocol_options : NULL;

    if (!options)
        return;
    if (options->auto_sni)
        reading_ignored_at(&reader->reading, "typed_extension_protocol_options.auto_sni",
                           "connections are shared by requests to any host: sni holds, else the endpoint's host name");
    reader->checks_sni |= options->auto_san_validation;
}

/* What Envoy would not verify at all, or by any name that some public authority has signed. */
static int32_t judge_trust(struct cluster_reader *reader, bool has_roots)
{
    struct policy_tls *tls = &reader->conf->tls;

    if (reader->checks_sni) {
        peer_names_unref(tls->names);
        tls->names = NULL;
        return 0;
    }
    tls->any_name = has_roots || tls->names;
    if (tls->names && !has_roots && !reader->has_system_roots)
        return reading_wrong(&reader->reading, "names of certificates are wanted without a trusted_ca");
    if (has_roots && !tls->names)
        reading_ignored(&reader->reading, "no subjectAltName is wanted: any certificate by the trusted_ca will do");
    if (has_roots || tls->names)
        return 0;
    if (!tls->server_name && !reader->names_endpoint && reader->out->kind != XDS_CLUSTER_DNS)
        return reading_wrong(&reader->reading, "nobody is trusted: a trusted_ca, or an sni to verify, is needed");
    if (!reader->has_system_roots)
        reading_ignored(&reader->reading, "no trusted_ca: the peer is verified by the system's roots and its name");
    return 0;
}

/* What came with the resource can be tried at once; files may yet change. */
static int32_t try_inline(struct cluster_reader *reader)
{
    const struct policy_tls *tls = &reader->conf->tls;
    const struct net_tls_conf conf = { .ca_pem = tls->pem ? tls->pem->ca : NULL,
                                       .cert_pem = tls->pem ? tls->pem->cert : NULL,
                                       .key_pem = tls->pem ? tls->pem->key : NULL };
    struct fault fault = { 0 };
    struct net_tls *made;
    int32_t err;

    if (!tls->pem || tls->ca || tls->cert || tls->key)
        return 0;
    err = net_tls_new(&conf, &made, &fault);
    net_tls_unref(made);
    if (err == MESH_ERR_NOMEM)
        return reading_no_memory(&reader->reading);
    return err ? reading_wrong(&reader->reading, "%s", fault.text) : 0;
}

int32_t cluster_judge_tls(struct cluster_reader *reader)
{
    struct policy_tls *tls = &reader->conf->tls;
    int32_t err;

    if (!reader->secure)
        return 0;
    tls->by_endpoint = reader->names_endpoint || reader->out->kind == XDS_CLUSTER_DNS;
    if (!tls->server_name && !reader->names_endpoint)
        tls->server_name = only_host(reader->out);
    read_auto_sni(reader);
    reading_enter(&reader->reading, "transport_socket");
    err = judge_trust(reader, tls->ca || (tls->pem && tls->pem->ca));
    if (!err)
        err = try_inline(reader);
    reading_leave(&reader->reading);
    return err;
}
