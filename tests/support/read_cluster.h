/* SPDX-License-Identifier: Apache-2.0 */
/* Reading clusters from text: accepted, refused with a sentence, accepted with a list of what is not honoured. */
#ifndef TESTS_SUPPORT_READ_CLUSTER_H
#define TESTS_SUPPORT_READ_CLUSTER_H

#include "mesh_test.h"

#include <stdlib.h>
#include <string.h>

#include "proto/cluster.pb-c.h"
#include "source/conf.h"
#include "source/xds/cluster.h"
#include "support/proto_text.h"

#define EDS "name: \"users\" type: EDS eds_cluster_config { eds_config { ads { } } } "

#define HTTP_OPTIONS(text)                                   \
    "typed_extension_protocol_options { key: \"o\" value { " \
    "[envoy.extensions.upstreams.http.v3.HttpProtocolOptions] { " text " } } } "

#define TLS(text)                                      \
    "transport_socket { name: \"tls\" typed_config { " \
    "[envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext] { " text " } } } "

#define PROVIDERS                                                                                                    \
    "\"certificate_providers\": { \"default\": { \"plugin_name\": \"file_watcher\", \"config\": { "                  \
    "\"certificate_file\": \"/run/cert.pem\", \"private_key_file\": \"/run/key.pem\", "                              \
    "\"ca_certificate_file\": \"/run/root.pem\" } }, "                                                               \
    "\"roots\": { \"plugin_name\": \"file_watcher\", \"config\": { \"ca_certificate_file\": \"/run/root.pem\" } }, " \
    "\"me\": { \"plugin_name\": \"file_watcher\", \"config\": { "                                                    \
    "\"certificate_file\": \"/run/cert.pem\", \"private_key_file\": \"/run/key.pem\" } } }"

static const char bootstrap_text[] =
    "{ \"xds_servers\": [ { \"server_uri\": \"127.0.0.1:1\", \"channel_creds\": [ { \"type\": \"insecure\" } ] } ], "
    "\"node\": { \"id\": \"n\" }, " PROVIDERS " }";

static struct conf *conf;
static struct bootstrap *bootstrap;
static struct ignored ignored;
static struct fault fault;

static inline struct xds_cluster_env env_of(const char *service)
{
    return (struct xds_cluster_env){ .conf = conf, .service = service, .bootstrap = bootstrap };
}

static inline int32_t try_read(const char *text, const char *service, struct xds_cluster **out)
{
    struct xds_cluster_env env = env_of(service);
    struct buf bytes = { 0 };
    int32_t err;

    ignored_clear(&ignored);
    fault = (struct fault){ 0 };
    proto_text(&cluster__cluster__descriptor, text, &bytes);
    err = xds_cluster_read(buf_len(&bytes) ? buf_bytes(&bytes) : (const uint8_t *) "", buf_len(&bytes), &env, out,
                           &ignored, &fault);
    buf_free(&bytes);
    return err;
}

/* Of a resource that is accepted; for xds_cluster_unref(). */
static inline struct xds_cluster *accepted_for(const char *text, const char *service)
{
    struct xds_cluster *cluster;
    int32_t err = try_read(text, service, &cluster);

    if (err)
        fail_msg("%s: %s", text, fault.text);
    assert_non_null(cluster);
    return cluster;
}

static inline struct xds_cluster *accepted(const char *text)
{
    return accepted_for(text, NULL);
}

static inline void refuses(const char *text, const char *sentence)
{
    struct xds_cluster *cluster;
    int32_t err = try_read(text, NULL, &cluster);

    if (err != MESH_ERR_INVALID)
        fail_msg("%s: %s %s", text, error_name(err), fault.text);
    assert_null(cluster);
    assert_string_equal(fault.text, sentence);
}

/* Accepted, with exactly these sentences (joined by newlines) as what is not honoured. */
static inline struct xds_cluster *lists(const char *text, const char *sentences)
{
    struct xds_cluster *cluster = accepted(text);
    struct buf all = { 0 };

    for (size_t i = 0; i < ignored.n; i++)
        assert_true(buf_printf(&all, "%s%s", i ? "\n" : "", ignored.items[i]));
    assert_true(buf_append(&all, "", 1));
    assert_string_equal((const char *) buf_bytes(&all), sentences);
    buf_free(&all);
    return cluster;
}

static inline void honours_all(const char *text)
{
    xds_cluster_unref(lists(text, ""));
}

static inline int make_all(void **state)
{
    (void) state;
    conf = conf_new();
    bootstrap = NULL;
    return conf && bootstrap_parse(bootstrap_text, "test", &bootstrap, &fault) == 0 ? 0 : -1;
}

static inline int free_all(void **state)
{
    (void) state;
    ignored_clear(&ignored);
    bootstrap_free(bootstrap);
    conf_free(conf);
    return 0;
}

static inline void set(const char *key, const char *value)
{
    if (conf_set(conf, key, value, &fault))
        fail_msg("%s", fault.text);
}

#define NAMED(host, port, more)                                                                  \
    "endpoints { " more " lb_endpoints { endpoint { address { socket_address { address: \"" host \
    "\" port_value: " port " } } } } } "

/* Around each test. */
#define CLUSTER_TEST(function) cmocka_unit_test_setup_teardown(function, make_all, free_all)

#endif
