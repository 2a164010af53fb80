/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC's bootstrap as those write it who hand it out, and what is said of one that is wrong. */
#include "mesh_test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "source/xds/bootstrap.h"

/* As the agent of Istio writes it. */
static const char istio[] = "{\n"
                            "  \"xds_servers\": [\n"
                            "    {\n"
                            "      \"server_uri\": \"unix:///etc/istio/proxy/XDS\",\n"
                            "      \"channel_creds\": [\n"
                            "        {\n"
                            "          \"type\": \"insecure\"\n"
                            "        }\n"
                            "      ],\n"
                            "      \"server_features\": [\n"
                            "        \"xds_v3\"\n"
                            "      ]\n"
                            "    }\n"
                            "  ],\n"
                            "  \"node\": {\n"
                            "    \"id\": \"sidecar~10.244.0.7~echo-7b9~default~default.svc.cluster.local\",\n"
                            "    \"metadata\": {\n"
                            "      \"GENERATOR\": \"grpc\",\n"
                            "      \"LABELS\": { \"app\": \"echo\" },\n"
                            "      \"PILOT_SAN\": [ \"istiod.istio-system.svc\" ]\n"
                            "    },\n"
                            "    \"locality\": { \"region\": \"eu\", \"zone\": \"eu-1\", \"sub_zone\": \"rack-2\" },\n"
                            "    \"UserAgentVersionType\": null\n"
                            "  },\n"
                            "  \"certificate_providers\": {\n"
                            "    \"default\": {\n"
                            "      \"plugin_name\": \"file_watcher\",\n"
                            "      \"config\": {\n"
                            "        \"certificate_file\": \"/var/lib/istio/data/cert-chain.pem\",\n"
                            "        \"private_key_file\": \"/var/lib/istio/data/key.pem\",\n"
                            "        \"ca_certificate_file\": \"/var/lib/istio/data/root-cert.pem\",\n"
                            "        \"refresh_interval\": \"900s\"\n"
                            "      }\n"
                            "    }\n"
                            "  },\n"
                            "  \"server_listener_resource_name_template\": \"xds.istio.io/grpc/lds/inbound/%s\"\n"
                            "}\n";

/* As Traffic Director's generator writes it, but for its credentials. */
static const char director[] =
    "{ \"xds_servers\": [ { \"server_uri\": \"trafficdirector.googleapis.com:443\",\n"
    "    \"channel_creds\": [ { \"type\": \"google_default\" }, { \"type\": \"tls\", \"config\": {} } ],\n"
    "    \"server_features\": [ \"xds_v3\", \"ignore_resource_deletion\" ] } ],\n"
    "  \"authorities\": {\n"
    "    \"traffic-director-c2p.xds.googleapis.com\": {\n"
    "      \"xds_servers\": [ { \"server_uri\": \"dns:///directpath-pa.googleapis.com\",\n"
    "        \"channel_creds\": [ { \"type\": \"tls\" } ], \"server_features\": [ \"fail_on_data_errors\" ] } ],\n"
    "      \"client_listener_resource_name_template\":\n"
    "        \"xdstp://traffic-director-c2p.xds.googleapis.com/envoy.config.listener.v3.Listener/%s\" },\n"
    "    \"traffic-director-global.xds.googleapis.com\": { \"fallback_on_reachability_only\": true } },\n"
    "  \"node\": { \"id\": \"projects/1/networks/default/nodes/9566c74d\", \"cluster\": \"cluster\",\n"
    "    \"metadata\": { \"INSTANCE_IP\": \"10.9.8.7\", \"TRAFFICDIRECTOR_GRPC\": 1.5 },\n"
    "    \"locality\": { \"zone\": \"uscentral-5\" } },\n"
    "  \"certificate_providers\": { \"google_cloud_private_spiffe\": { \"plugin_name\": \"file_watcher\",\n"
    "    \"config\": { \"ca_certificate_file\": \"/ca.pem\", \"refresh_interval\": \"0.25s\" } },\n"
    "    \"other\": { \"plugin_name\": \"somebody_elses\", \"config\": 7 } },\n"
    "  \"client_default_listener_resource_name_template\": \"xdstp://x/envoy.config.listener.v3.Listener/%s\" }\n";

/* As the examples of go-control-plane have it, with a second server and our own feature. */
static const char control_plane[] =
    "{\"xds_servers\": [{\"server_uri\": \"localhost:18000\", \"channel_creds\": [{\"type\": \"insecure\"}],\n"
    "                  \"server_features\": [\"xds_v3\", \"mesh.delta\", 7]},\n"
    "                 {\"server_uri\": \"ipv4:127.0.0.1:18001\", \"channel_creds\": [{\"type\": \"tls\", \"config\":\n"
    "                  {\"ca_certificate_file\": \"ca.pem\", \"certificate_file\": \"/me.pem\",\n"
    "                   \"private_key_file\": \"/me.key\"}}],\n"
    "                  \"server_features\": [\"trusted_xds_server\", \"resource_timer_is_transient_error\"]}],\n"
    " \"node\": {\"id\": \"test-id\", \"cluster\": \"test-cluster\"}}\n";

static struct bootstrap *parsed(const char *text)
{
    struct bootstrap *bootstrap;
    struct fault fault = { 0 };

    if (bootstrap_parse(text, "file b.json", &bootstrap, &fault))
        fail_msg("%s", fault.text);
    return bootstrap;
}

static void as_istio_writes_it(void **state)
{
    struct bootstrap *b = parsed(istio);
    const struct bootstrap_server *server = &b->servers.items[0];
    const struct bootstrap_provider *provider = bootstrap_provider(b, "default");

    (void) state;
    assert_int_equal(b->servers.n, 1);
    assert_string_equal(server->uri, "unix:///etc/istio/proxy/XDS");
    assert_int_equal(server->target.kind, TARGET_UNIX);
    assert_string_equal(server->target.host, "/etc/istio/proxy/XDS");
    assert_int_equal(server->target.protocol, MODEL_H2C);
    assert_int_equal(server->features, 0);
    assert_string_equal(b->node.id, "sidecar~10.244.0.7~echo-7b9~default~default.svc.cluster.local");
    assert_string_equal(b->node.cluster, "");
    assert_string_equal(b->node.region, "eu");
    assert_string_equal(b->node.zone, "eu-1");
    assert_string_equal(b->node.sub_zone, "rack-2");
    assert_string_equal(b->node.metadata, "{\"GENERATOR\":\"grpc\",\"LABELS\":{\"app\":\"echo\"},"
                                          "\"PILOT_SAN\":[\"istiod.istio-system.svc\"]}");
    assert_non_null(provider);
    assert_string_equal(provider->files.cert, "/var/lib/istio/data/cert-chain.pem");
    assert_string_equal(provider->files.key, "/var/lib/istio/data/key.pem");
    assert_string_equal(provider->files.ca, "/var/lib/istio/data/root-cert.pem");
    assert_int_equal(provider->files.refresh_ms, 900000);
    assert_null(bootstrap_provider(b, "other"));
    assert_string_equal(b->listener_template, "%s");
    bootstrap_free(b);
}

static void as_traffic_director_writes_it(void **state)
{
    struct bootstrap *b = parsed(director);
    const struct bootstrap_authority *c2p = bootstrap_authority(b, "traffic-director-c2p.xds.googleapis.com");
    const struct bootstrap_authority *global = bootstrap_authority(b, "traffic-director-global.xds.googleapis.com");

    (void) state;
    assert_int_equal(b->servers.items[0].target.protocol, MODEL_H2);
    assert_null(b->servers.items[0].tls.ca);
    assert_int_equal(b->servers.items[0].features, BOOTSTRAP_IGNORE_DELETION);
    assert_int_equal(b->n_authorities, 2);
    assert_int_equal(c2p->servers.n, 1);
    assert_int_equal(c2p->servers.items[0].target.port, 443);
    assert_int_equal(c2p->servers.items[0].features, BOOTSTRAP_FAIL_ON_DATA_ERRORS);
    assert_false(c2p->fallback_on_reachability_only);
    assert_int_equal(global->servers.n, 0);
    assert_true(global->fallback_on_reachability_only);
    assert_string_equal(global->listener_template,
                        "xdstp://traffic-director-global.xds.googleapis.com/envoy.config.listener.v3.Listener/%s");
    assert_null(bootstrap_authority(b, ""));
    assert_int_equal(b->n_providers, 1);
    assert_int_equal(b->providers[0].files.refresh_ms, 250);
    assert_null(b->providers[0].files.cert);
    assert_string_equal(b->listener_template, "xdstp://x/envoy.config.listener.v3.Listener/%s");
    bootstrap_free(b);
}

static void as_go_control_plane_shows_it(void **state)
{
    struct bootstrap *b = parsed(control_plane);
    const struct bootstrap_server *first = &b->servers.items[0], *second = &b->servers.items[1];

    (void) state;
    assert_int_equal(b->servers.n, 2);
    assert_int_equal(first->target.kind, TARGET_HOST);
    assert_string_equal(first->target.host, "localhost");
    assert_int_equal(first->target.port, 18000);
    assert_int_equal(first->features, BOOTSTRAP_DELTA);
    assert_int_equal(second->target.kind, TARGET_ADDRESS);
    assert_int_equal(second->target.addr.port, 18001);
    assert_int_equal(second->target.protocol, MODEL_H2);
    assert_int_equal(second->tls.ca[0], '/');
    assert_non_null(strstr(second->tls.ca, "/ca.pem"));
    assert_string_equal(second->tls.key, "/me.key");
    assert_int_equal(second->tls.refresh_ms, 600000);
    assert_int_equal(second->features, BOOTSTRAP_TRUSTED | BOOTSTRAP_TIMER_IS_TRANSIENT);
    assert_string_equal(b->node.metadata, "{}");
    assert_string_equal(b->node.zone, "");
    bootstrap_free(b);
}

#define INSECURE "\"channel_creds\": [{\"type\": \"insecure\"}]"
#define SERVER   "\"xds_servers\": [{\"server_uri\": \"a:1\", " INSECURE "}]"

static void servers_are_targets_of_grpc(void **state)
{
    static const struct {
        const char *uri;
        enum model_target_kind kind;
        uint16_t port;
    } cases[] = {
        { "xds.example.com:15010", TARGET_HOST, 15010 },     { "xds.example.com", TARGET_HOST, 443 },
        { "dns:xds.example.com:15010", TARGET_HOST, 15010 }, { "dns:///xds.example.com", TARGET_HOST, 443 },
        { "127.0.0.1:15010", TARGET_ADDRESS, 15010 },        { "[::1]:15010", TARGET_ADDRESS, 15010 },
        { "ipv6:[::1]:15010", TARGET_ADDRESS, 15010 },       { "unix:/run/xds", TARGET_UNIX, 0 },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[256];
        struct bootstrap *b;

        snprintf(text, sizeof text, "{\"xds_servers\": [{\"server_uri\": \"%s\", " INSECURE "}]}", cases[i].uri);
        b = parsed(text);
        assert_int_equal(b->servers.items[0].target.kind, cases[i].kind);
        assert_int_equal(b->servers.items[0].target.port, cases[i].port);
        assert_int_equal(b->servers.items[0].target.protocol, MODEL_H2C);
        bootstrap_free(b);
    }
}

static void what_is_wrong_is_said_with_its_place(void **state)
{
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        { "[]", "file b.json: the bootstrap is one JSON object" },
        { "{", "file b.json, line 1: no valid JSON: string or '}' expected near end of file" },
        { "{\"node\": {}, \"node\": {}}", "file b.json, line 1: no valid JSON: duplicate object key near '\"node\"'" },
        { "{}", "file b.json: xds_servers is missing, a list of at least one server" },
        { "{\"xds_servers\": []}", "file b.json: xds_servers is missing, a list of at least one server" },
        { "{\n\"xds_servers\": {}}", "file b.json, line 2: xds_servers: it is an object, allowed is a list" },
        { "{\"xds_servers\": [\n7]}",
          "file b.json, line 2: xds_servers[0]: allowed is an object with server_uri and channel_creds" },
        { "{\"xds_servers\": [\n{\"server_uri\": \"a:1\"}]}",
          "file b.json, line 2: xds_servers[0]: channel_creds is missing, a list such as [{\"type\": \"insecure\"}]" },
        { "{\"xds_servers\": [\n{" INSECURE "}]}",
          "file b.json, line 2: xds_servers[0]: server_uri is missing, a target such as "
          "\"istiod.istio-system.svc:15010\"" },
        { "{" SERVER ",\n\"node\": {\"locality\":\n{\"zone\": 7}}}",
          "file b.json, line 3: node.locality.zone: it is a number, allowed is a text" },
        { "{\"xds_servers\": [{\"server_uri\": \"a:1\", " INSECURE "},\n {\"server_uri\": \"b:1\",\n"
          "\"channel_creds\": [{\"type\": \"google_default\"}]}]}",
          "file b.json, line 3: xds_servers[1].channel_creds: google_default wants tokens of Google, which libmesh "
          "does "
          "not fetch; allowed are the types insecure and tls" },
        { "{\"xds_servers\": [{\"server_uri\": \"a:1\", \"channel_creds\": [{\"type\": \"alts\"}]}]}",
          "file b.json, line 1: xds_servers[0].channel_creds: the type \"alts\" is not known, allowed are insecure and "
          "tls" },
        { "{\"xds_servers\": [{\"server_uri\": \"a:1\", \"channel_creds\": []}]}",
          "file b.json, line 1: xds_servers[0].channel_creds: it is empty, allowed are the types insecure and tls" },
        { "{\"xds_servers\": [{\"server_uri\": \"a:1\", \"channel_creds\": [{}]}]}",
          "file b.json, line 1: xds_servers[0].channel_creds[0]: type is missing, allowed are insecure and tls" },
        { "{\"xds_servers\": [{\"server_uri\": \"https://a\", " INSECURE "}]}",
          "file b.json, line 1: xds_servers[0].server_uri: \"https://a\" is no server; allowed are host:port, "
          "dns:///host:port, ipv4:, ipv6: and unix:" },
        { "{\"xds_servers\": [{\"server_uri\": \"\", " INSECURE "}]}",
          "file b.json, line 1: xds_servers[0].server_uri: \"\" is no server; allowed are host:port, dns:///host:port, "
          "ipv4:, ipv6: and unix:" },
        { "{\"xds_servers\": [{\"server_uri\": \"a:1\", \"channel_creds\": [{\"type\": \"tls\",\n\"config\":\n"
          "{\"certificate_file\": \"x\"}}]}]}",
          "file b.json, line 2: xds_servers[0].channel_creds[0].config: certificate_file and private_key_file stand "
          "together or not at all" },
        { "{" SERVER ", \"certificate_providers\": {\"p\": {\"plugin_name\": \"file_watcher\"}}}",
          "file b.json: certificate_providers.p.config: it names no file; ca_certificate_file, or certificate_file and "
          "private_key_file, or all" },
        { "{" SERVER ", \"certificate_providers\": {\"p\": {}}}",
          "file b.json, line 1: certificate_providers.p: plugin_name is missing; \"file_watcher\" is the one that "
          "libmesh knows" },
        { "{" SERVER ",\n\"certificate_providers\": {\"p\": {\"plugin_name\": \"file_watcher\", \"config\": "
          "{\"ca_certificate_file\": \"x\",\n\"refresh_interval\": \"soon\"}}}}",
          "file b.json, line 3: certificate_providers.p.config.refresh_interval: allowed are seconds such as "
          "\"600s\"" },
        { "{" SERVER ",\n\"authorities\": {\"a\": {\"client_listener_resource_name_template\": \"xdstp://b/x\"}}}",
          "file b.json, line 2: authorities.a.client_listener_resource_name_template: it has to begin with "
          "\"xdstp://a/\"" },
        { "{" SERVER ",\n\"authorities\": {\"a\": {\"xds_servers\": [{}]}}}",
          "file b.json, line 2: authorities.a.xds_servers[0]: channel_creds is missing, a list such as "
          "[{\"type\": \"insecure\"}]" },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bootstrap *b;
        struct fault fault = { 0 };

        MESH_ERR(MESH_ERR_INVALID, bootstrap_parse(cases[i].text, "file b.json", &b, &fault));
        assert_null(b);
        assert_string_equal(fault.text, cases[i].sentence);
    }
}

static void servers_are_the_same_or_not(void **state)
{
#define AT(uri, type, more) "{\"server_uri\": \"" uri "\", \"channel_creds\": [{\"type\": \"" type "\"" more "}]}"
#define CA(path)            ", \"config\": {\"ca_certificate_file\": \"" path "\"}"
    struct bootstrap *b = parsed("{\"node\": {\"id\": \"x\"}, \"xds_servers\": [" AT(
        "a:1", "tls", CA("/a")) "], \"authorities\": {"
                                "\"same\": {\"xds_servers\": [" AT(
                                    "a:1", "tls",
                                    CA("/a")) "]}, "
                                              "\"more\": {\"xds_servers\": [" AT("a:1", "tls", CA("/a")) ", " AT(
                                                  "b:1", "insecure",
                                                  "") "]}, "
                                                      "\"other\": {\"xds_servers\": [" AT(
                                                          "a:2", "tls",
                                                          CA("/a")) "]}, "
                                                                    "\"plain\": {\"xds_servers\": [" AT(
                                                                        "a:1", "insecure",
                                                                        "") "]}, "
                                                                            "\"roots\": {\"xds_servers\": [" AT(
                                                                                "a:1", "tls",
                                                                                "") "]}, "
                                                                                    "\"file\": {\"xds_servers\": [" AT(
                                                                                        "a:1", "tls",
                                                                                        CA("/b")) "]}, \"none\": {}}}");

    (void) state;
    assert_int_equal(b->n_authorities, 7);
    for (size_t i = 0; i < b->n_authorities; i++)
        assert_int_equal(bootstrap_servers_equal(&b->servers, &b->authorities[i].servers),
                         strcmp(b->authorities[i].name, "same") == 0);
    bootstrap_free(b);
}

static void it_is_a_file_or_a_text(void **state)
{
    char path[] = "/tmp/mesh-bootstrap-XXXXXX", sentence[128];
    int fd = mkstemp(path);
    struct bootstrap *b;
    struct fault fault = { 0 };

    (void) state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, istio, sizeof istio - 1), sizeof istio - 1);
    MESH_OK(bootstrap_load(path, "", &b, &fault));
    assert_string_equal(b->node.zone, "eu-1");
    bootstrap_free(b);
    MESH_OK(bootstrap_load(control_plane, "environment", &b, &fault));
    assert_string_equal(b->node.id, "test-id");
    bootstrap_free(b);

    assert_int_equal(ftruncate(fd, 1), 0);
    MESH_ERR(MESH_ERR_INVALID, bootstrap_load(path, "", &b, &fault));
    snprintf(sentence, sizeof sentence, "file %s, line 1: no valid JSON", path);
    assert_memory_equal(fault.text, sentence, strlen(sentence));
    close(fd);
    unlink(path);
    MESH_ERR(MESH_ERR_IO, bootstrap_load(path, "", &b, &fault));
    assert_non_null(strstr(fault.text, path));
    assert_null(b);
    MESH_ERR(MESH_ERR_INVALID, bootstrap_load(" {", "environment X", &b, &fault));
    assert_memory_equal(fault.text, "environment X, line 1", 21);
    bootstrap_free(NULL);
}

static void every_failing_allocation_is_told(void **state)
{
    static const char *const texts[] = { istio, director, control_plane };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        bool reached = true;

        for (uint64_t nth = 1; reached; nth++) {
            struct bootstrap *b;
            int64_t live;
            int32_t err;

            mem_watch(nth, false);
            err = bootstrap_parse(texts[i], "x", &b, NULL);
            bootstrap_free(b);
            reached = mem_unwatch(&live);
            assert_int_equal(live, 0);
            MESH_ERR(reached ? MESH_ERR_NOMEM : 0, err);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_istio_writes_it),
        cmocka_unit_test(as_traffic_director_writes_it),
        cmocka_unit_test(as_go_control_plane_shows_it),
        cmocka_unit_test(servers_are_targets_of_grpc),
        cmocka_unit_test(what_is_wrong_is_said_with_its_place),
        cmocka_unit_test(servers_are_the_same_or_not),
        cmocka_unit_test(it_is_a_file_or_a_text),
        cmocka_unit_test(every_failing_allocation_is_told),
    };

    return cmocka_run_group_tests_name("source/xds_bootstrap", tests, NULL, NULL);
}
