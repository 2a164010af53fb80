/* SPDX-License-Identifier: Apache-2.0 */
/* TLS of a control plane's clusters: who we are, whom we trust, and what is refused rather than trusted unseen. */
#include "support/read_cluster.h"

/* As Istio writes it for proxyless clients. */
static const char istio[] = EDS TLS(
    "common_tls_context { tls_certificate_provider_instance { instance_name: \"default\" certificate_name: "
    "\"default\" } tls_certificate_certificate_provider_instance { instance_name: \"default\" } "
    "combined_validation_context { default_validation_context { match_subject_alt_names { exact: "
    "\"spiffe://cluster.local/ns/default/sa/echo\" } ca_certificate_provider_instance { instance_name: \"default\" "
    "certificate_name: \"ROOTCA\" } } validation_context_certificate_provider_instance { instance_name: \"default\" } "
    "} }");

static void certificates_of_providers(void **state)
{
    struct xds_cluster *cluster = lists(istio, "");
    const struct policy_tls *tls = &cluster->conf->tls;

    (void) state;
    assert_string_equal(tls->ca, "/run/root.pem");
    assert_string_equal(tls->cert, "/run/cert.pem");
    assert_string_equal(tls->key, "/run/key.pem");
    assert_null(tls->server_name);
    assert_true(tls->any_name);
    assert_false(tls->insecure);
    assert_non_null(tls->names);
    assert_true(peer_names_match(tls->names, PEER_NAME_URI, "spiffe://cluster.local/ns/default/sa/echo", 41));
    assert_false(peer_names_match(tls->names, PEER_NAME_URI, "spiffe://cluster.local/ns/default/sa/echi", 41));
    xds_cluster_unref(cluster);
}

static void names_are_part_of_the_identity(void **state)
{
    static const char format[] = EDS TLS(
        "common_tls_context { validation_context { trusted_ca { filename: \"/ca\" } match_typed_subject_alt_names { "
        "san_type: %s matcher { %s: \"a.example\" } } } }");
    uint64_t seen[4];
    static const char *const types[] = { "DNS", "URI", "DNS", "DNS" }, *const hows[] = { "exact", "exact", "prefix",
                                                                                         "exact" };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(seen); i++) {
        struct xds_cluster *cluster;
        char text[1024];

        snprintf(text, sizeof text, format, types[i], hows[i]);
        cluster = accepted(text);
        seen[i] = cluster->conf->identity;
        xds_cluster_unref(cluster);
    }
    assert_true(seen[0] != seen[1] && seen[0] != seen[2] && seen[1] != seen[2]);
    assert_true(seen[0] == seen[3]);
}

static void whom_it_trusts(void **state)
{
    static const struct {
        const char *text, *listed, *server_name;
        bool any_name;
    } cases[] = {
        { TLS("sni: \"u\" common_tls_context { validation_context { system_root_certs { } } }"), "", "u", false },
        { TLS("sni: \"u\""), "transport_socket: no trusted_ca: the peer is verified by the system's roots and its name",
          "u", false },
        { TLS("sni: \"u\" common_tls_context { validation_context { trusted_ca { filename: \"/ca\" } } }"),
          "transport_socket: no subjectAltName is wanted: any certificate by the trusted_ca will do", "u", true },
        { TLS("sni: \"u\" auto_sni_san_validation: true common_tls_context { validation_context { trusted_ca { "
              "filename: "
              "\"/ca\" } } }"),
          "", "u", false },
        { TLS("sni: \"u\" auto_host_sni: true auto_sni_san_validation: true common_tls_context { validation_context { "
              "trusted_ca { filename: \"/ca\" } } }"),
          "", NULL, false },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct xds_cluster *cluster;
        char text[1024];

        snprintf(text, sizeof text, EDS "%s", cases[i].text);
        cluster = lists(text, cases[i].listed);
        assert_false(cluster->conf->tls.insecure);
        assert_int_equal(cluster->conf->tls.any_name, cases[i].any_name);
        assert_int_equal(cluster->conf->tls.by_endpoint, strstr(cases[i].text, "auto_host_sni") != NULL);
        if (cases[i].server_name)
            assert_string_equal(cluster->conf->tls.server_name, cases[i].server_name);
        else
            assert_null(cluster->conf->tls.server_name);
        xds_cluster_unref(cluster);
    }
}

/* What is resolved has a name: it is verified when nothing else is said. */
static void a_resolved_name_is_the_peers(void **state)
{
    struct xds_cluster *cluster =
        accepted("name: \"users\" type: STRICT_DNS load_assignment { " NAMED("a.example", "443", "") " } " TLS(""));

    (void) state;
    assert_string_equal(cluster->conf->tls.server_name, "a.example");
    assert_false(cluster->conf->tls.any_name);
    assert_int_equal(cluster->targets[0].target.protocol, MODEL_HTTPS);
    xds_cluster_unref(cluster);
}

#define VALIDATION(text) TLS("sni: \"u\" common_tls_context { validation_context { " text " } }")
#define TYPED(text)      VALIDATION("trusted_ca { filename: \"/ca\" } match_typed_subject_alt_names { " text " }")

static void wrong_tls(void **state)
{
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        { "transport_socket { name: \"x\" typed_config { type_url: \"a/b.C\" } }",
          "transport_socket: \"a/b.C\" is none of envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext and "
          "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer" },
        { TLS(""), "transport_socket: nobody is trusted: a trusted_ca, or an sni to verify, is needed" },
        { VALIDATION("match_subject_alt_names { exact: \"a\" }"),
          "transport_socket: names of certificates are wanted without a trusted_ca" },
        { VALIDATION("trusted_ca { inline_string: \"no pem\" }"),
          "transport_socket: tls.ca (inline): no usable certificates in PEM form: no reason given" },
        { VALIDATION("trusted_ca { }"),
          "transport_socket.common_tls_context.validation_context.trusted_ca: it has none of filename, inline_bytes, "
          "inline_string and environment_variable" },
        { VALIDATION("ca_certificate_provider_instance { instance_name: \"other\" }"),
          "transport_socket.common_tls_context.validation_context.ca_certificate_provider_instance.instance_name: "
          "\"other\" is none of the bootstrap's certificate_providers" },
        { VALIDATION("ca_certificate_provider_instance { instance_name: \"me\" }"),
          "transport_socket.common_tls_context.validation_context.ca_certificate_provider_instance.instance_name: "
          "\"me\" has no ca_certificate_file" },
        { TLS("sni: \"u\" common_tls_context { tls_certificate_provider_instance { instance_name: \"roots\" } }"),
          "transport_socket.common_tls_context.tls_certificate_provider_instance.instance_name: \"roots\" has no "
          "certificate_file" },
        { TLS("sni: \"u\" common_tls_context { tls_certificates { certificate_chain { filename: \"/c\" } } }"),
          "transport_socket.common_tls_context.tls_certificates[0].private_key: is missing" },
        { TLS("sni: \"u\" common_tls_context { tls_certificates { } tls_certificates { } }"),
          "transport_socket.common_tls_context.tls_certificates: 2 of them; a client has one" },
        { TLS("sni: \"u\" common_tls_context { 7: \"\" }"),
          "transport_socket.common_tls_context.validation_context_sds_secret_config: libmesh takes certificates from "
          "files, from the resource itself, and from the bootstrap's certificate_providers, and has no checks of "
          "others" },
        { VALIDATION("7: \"\""),
          "transport_socket.common_tls_context.validation_context.crl: libmesh takes certificates from files, from the "
          "resource itself, and from the bootstrap's certificate_providers, and has no checks of others" },
        { VALIDATION("trust_chain_verification: ACCEPT_UNTRUSTED"),
          "transport_socket.common_tls_context.validation_context.trust_chain_verification: only VERIFY_TRUST_CHAIN is "
          "allowed" },
        { VALIDATION("verify_certificate_hash: \"aa\""), "transport_socket.common_tls_context.validation_context."
                                                         "verify_certificate_hash: libmesh verifies by roots and "
                                                         "names" },
        { TYPED("san_type: OTHER_NAME matcher { exact: \"a\" }"),
          "transport_socket.common_tls_context.validation_context.match_typed_subject_alt_names[0].san_type: 5 is none "
          "of "
          "EMAIL, DNS, URI and IP_ADDRESS" },
        { TYPED("san_type: DNS"), "transport_socket.common_tls_context.validation_context.match_typed_subject_alt_"
                                  "names[0].matcher: is missing" },
        { TYPED("san_type: DNS matcher { prefix: \"\" }"),
          "transport_socket.common_tls_context.validation_context.match_typed_subject_alt_names[0].matcher.prefix: is "
          "empty" },
        { TYPED("san_type: DNS matcher { }"), "transport_socket.common_tls_context.validation_context.match_typed_"
                                              "subject_alt_names[0].matcher: none of exact, "
                                              "prefix, suffix, contains and safe_regex" },
        { VALIDATION("trusted_ca { filename: \"/ca\" } match_subject_alt_names { exact: \"a\" } "
                     "match_typed_subject_alt_names { san_type: DNS matcher { exact: \"a\" } }"),
          "transport_socket.common_tls_context.validation_context.match_subject_alt_names: stands beside "
          "match_typed_subject_alt_names; one of the two is allowed" },
        { TLS("sni: \"u\" common_tls_context { tls_params { tls_maximum_protocol_version: TLSv1_1 } }"),
          "transport_socket.common_tls_context.tls_params.tls_maximum_protocol_version: leaves no version: libmesh "
          "speaks "
          "TLS 1.2 and 1.3" },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[1024];

        snprintf(text, sizeof text, EDS "%s", cases[i].text);
        refuses(text, cases[i].sentence);
    }
}

static void versions(void **state)
{
    struct xds_cluster *cluster =
        accepted(EDS TLS("sni: \"u\" common_tls_context { tls_params { tls_minimum_protocol_version: TLSv1_3 } }"));

    (void) state;
    assert_int_equal(cluster->conf->tls.min_version, 13);
    xds_cluster_unref(cluster);
    cluster = accepted(EDS TLS("sni: \"u\""));
    assert_int_equal(cluster->conf->tls.min_version, 12);
    xds_cluster_unref(cluster);
}

static void the_socket_of_endpoints_without_metadata(void **state)
{
    struct xds_cluster *cluster = lists(
        EDS "transport_socket_matches { name: \"m\" match { fields { key: \"tlsMode\" value { string_value: \"istio\" "
            "} } } " TLS("sni: \"m\"") "} transport_socket_matches { name: \"all\" match { } transport_socket { name: "
                                       "\"envoy.transport_sockets.raw_buffer\" } } " TLS("sni: \"u\""),
        "transport_socket_matches[0]: endpoints are not told apart by their metadata");

    (void) state;
    assert_int_equal(cluster->conf->protocol, MODEL_H2C);
    xds_cluster_unref(cluster);
    cluster = accepted(EDS "transport_socket_matches { name: \"all\" " TLS("sni: \"u\"") "}");
    assert_int_equal(cluster->conf->protocol, MODEL_HTTPS);
    assert_string_equal(cluster->conf->tls.server_name, "u");
    xds_cluster_unref(cluster);
}

static void plain_by_name(void **state)
{
    (void) state;
    honours_all(EDS "transport_socket { name: \"envoy.transport_sockets.raw_buffer\" }");
}

/* ---- memory ---- */

static const char large[] = "name: \"users\" type: STRICT_DNS load_assignment { " NAMED(
    "a.example", "80",
    "locality { zone: \"z\" }") " } "
                                "health_checks { timeout { seconds: 1 } interval { seconds: 1 } unhealthy_threshold { "
                                "value: 1 } "
                                "healthy_threshold { value: 1 } http_health_check { path: \"/ok\" } } " HTTP_OPTIONS(
                                    "explicit_http_config { http2_protocol_options { } }")
                                    TLS("sni: \"u\" common_tls_context { tls_certificate_provider_instance { "
                                        "instance_name: \"default\" } "
                                        "validation_context { trusted_ca { filename: \"/ca\" } "
                                        "match_typed_subject_alt_names { san_type: DNS matcher { "
                                        "safe_regex { regex: \"a.*\" } } } } }");

static int32_t read_large(void)
{
    struct xds_cluster_env env = env_of("users");
    static uint8_t room[4096];
    static size_t len;
    struct xds_cluster *cluster;
    int32_t err;

    if (len == 0) {
        struct buf bytes = { 0 };

        mem_unwatch(&(int64_t){ 0 });
        proto_text(&cluster__cluster__descriptor, large, &bytes);
        len = buf_len(&bytes);
        assert_true(len <= sizeof room);
        memcpy(room, buf_bytes(&bytes), len);
        buf_free(&bytes);
        mem_watch(1, false);
    }
    err = xds_cluster_read(room, len, &env, &cluster, NULL, &fault);
    assert_true((err == 0) == (cluster != NULL));
    xds_cluster_unref(cluster);
    return err;
}

static void no_memory(void **state)
{
    (void) state;
    mesh_test_each_allocation_fails(read_large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLUSTER_TEST(certificates_of_providers),
        CLUSTER_TEST(names_are_part_of_the_identity),
        CLUSTER_TEST(whom_it_trusts),
        CLUSTER_TEST(a_resolved_name_is_the_peers),
        CLUSTER_TEST(wrong_tls),
        CLUSTER_TEST(versions),
        CLUSTER_TEST(the_socket_of_endpoints_without_metadata),
        CLUSTER_TEST(plain_by_name),
        CLUSTER_TEST(no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
