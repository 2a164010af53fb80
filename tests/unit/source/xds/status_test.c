/* SPDX-License-Identifier: Apache-2.0 */
/* What the status says of resources: their states, versions, refusals and contents, as CSDS and as JSON. */
#include "mesh_test.h"

#include <string.h>

#include "proto/cluster.pb-c.h"
#include "proto/csds.pb-c.h"
#include "proto/tls.pb-c.h"
#include "source/xds/contents.h"
#include "source/xds/status.h"
#include "source/xds/wire.h"
#include "support/xds_make.h"

struct fixture {
    struct loop *loop;
    struct store store;
};

static void ignore(void *user, struct resource *resource)
{
    (void) user;
    (void) resource;
}

static void begin(struct fixture *f)
{
    struct loop_conf loop = { .threadless = true };
    struct store_conf conf = { .on_want = ignore, .on_rest = ignore, .on_change = ignore };

    *f = (struct fixture){ 0 };
    MESH_OK(loop_new(&loop, &f->loop));
    conf.loop = f->loop;
    loop_enter(f->loop);
    store_init(&f->store, &conf);
}

static void end(struct fixture *f)
{
    store_clear(&f->store);
    loop_leave(f->loop);
    loop_free(f->loop);
    xds_make_clear();
}

static int32_t take(struct resource *resource, const ProtobufCMessage *message, const char *version)
{
    struct buf bytes = xds_make_bytes(message);
    struct resource_news news = { .bytes = buf_bytes(&bytes), .len = buf_len(&bytes), .version = version };
    struct fault fault = { 0 };
    int32_t err = store_take(resource, &news, &fault);

    if (err)
        store_refuse(resource, version, &fault);
    buf_free(&bytes);
    return err;
}

static Csds__ClientStatusResponse *ask(const struct fixture *f, bool with_contents)
{
    Core__Node *node = xds_make(&core__node__descriptor);
    struct buf bytes = { 0 };
    ProtobufCMessage *message;

    node->id = xds_make_text("me");
    MESH_OK(status_write_response(&f->store, node, with_contents, &bytes, NULL));
    MESH_OK(wire_unpack(&csds__client_status_response__descriptor, buf_bytes(&bytes), buf_len(&bytes),
                        &wire_limits_standard, &message, NULL));
    buf_free(&bytes);
    return (Csds__ClientStatusResponse *) message;
}

static void test_states_are_told(void **state)
{
    struct fixture f;
    Csds__ClientStatusResponse *response;
    Csds__ClientConfig__GenericXdsConfig **configs;
    struct resource *routes;
    Route__RouteConfiguration *wrong = xds_make_routes("users");

    (void) state;
    begin(&f);
    routes = store_want(&f.store, XDS_ROUTES, "routes");
    store_want(&f.store, XDS_LISTENER, "users");
    store_want(&f.store, XDS_LISTENER, "accounts");
    MESH_OK(take(routes, &xds_make_routes("users")->base, "7"));
    wrong->virtual_hosts[0]->n_domains = 0;
    MESH_ERR(MESH_ERR_INVALID, take(routes, &wrong->base, "8"));
    response = ask(&f, false);
    assert_int_equal(response->n_config, 1);
    assert_string_equal(response->config[0]->node->id, "me");
    assert_int_equal(response->config[0]->n_generic_xds_configs, 3);
    configs = response->config[0]->generic_xds_configs;
    assert_string_equal(configs[0]->name, "accounts");
    assert_string_equal(configs[0]->type_url, "type.googleapis.com/envoy.config.listener.v3.Listener");
    assert_int_equal(configs[0]->client_status, ADMIN__CLIENT_RESOURCE_STATUS__REQUESTED);
    assert_null(configs[0]->last_updated);
    assert_null(configs[0]->error_state);
    assert_string_equal(configs[1]->name, "users");
    assert_string_equal(configs[2]->name, "routes");
    assert_int_equal(configs[2]->client_status, ADMIN__CLIENT_RESOURCE_STATUS__NACKED);
    assert_string_equal(configs[2]->version_info, "7");
    assert_true(configs[2]->last_updated->seconds > 0);
    assert_null(configs[2]->xds_config);
    assert_string_equal(configs[2]->error_state->version_info, "8");
    assert_non_null(strstr(configs[2]->error_state->details, "virtual_hosts[0].domains: there is none"));
    wire_free(&response->base);
    end(&f);
}

static void test_contents_are_the_bytes_that_are_used(void **state)
{
    struct fixture f;
    Csds__ClientStatusResponse *response;
    Pb__Any *contents;
    struct buf bytes;

    (void) state;
    begin(&f);
    bytes = xds_make_bytes(&xds_make_routes("users")->base);
    MESH_OK(take(store_want(&f.store, XDS_ROUTES, "routes"), &xds_make_routes("users")->base, "7"));
    response = ask(&f, true);
    contents = response->config[0]->generic_xds_configs[0]->xds_config;
    assert_string_equal(contents->type_url, "type.googleapis.com/envoy.config.route.v3.RouteConfiguration");
    assert_int_equal(contents->value.len, buf_len(&bytes));
    assert_memory_equal(contents->value.data, buf_bytes(&bytes), buf_len(&bytes));
    wire_free(&response->base);
    buf_free(&bytes);
    end(&f);
}

/* ---- keys ---- */

static Cluster__Cluster *make_tls_cluster(const char *key)
{
    Cluster__Cluster *cluster = xds_make(&cluster__cluster__descriptor);
    Tls__UpstreamTlsContext *context = xds_make(&tls__upstream_tls_context__descriptor);
    Tls__TlsCertificate *certificate = xds_make(&tls__tls_certificate__descriptor);

    certificate->private_key = xds_make(&core__data_source__descriptor);
    certificate->private_key->specifier_case =
        key ? CORE__DATA_SOURCE__SPECIFIER_INLINE_STRING : CORE__DATA_SOURCE__SPECIFIER_FILENAME;
    certificate->private_key->inline_string = xds_make_text("%s", key ? key : "/run/me.key");
    context->common_tls_context = xds_make(&tls__common_tls_context__descriptor);
    context->common_tls_context->tls_certificates =
        xds_make_list(&context->common_tls_context->n_tls_certificates, certificate, NULL);
    cluster->name = xds_make_text("users");
    cluster->transport_socket = xds_make(&core__transport_socket__descriptor);
    cluster->transport_socket->config_type_case = CORE__TRANSPORT_SOCKET__CONFIG_TYPE_TYPED_CONFIG;
    cluster->transport_socket->typed_config = xds_make_any(&context->base);
    return cluster;
}

/* A value as the store would have it, without what a real certificate needs. */
static void put_bytes(struct fixture *f, const char *name, const Cluster__Cluster *cluster)
{
    struct resource *resource = store_want(&f->store, XDS_CLUSTER, name);
    struct buf bytes = xds_make_bytes(&cluster->base);

    resource->bytes = resource_bytes_new(buf_bytes(&bytes), buf_len(&bytes));
    assert_non_null(resource->bytes);
    buf_free(&bytes);
}

static void write_contents(struct json_writer *w, const struct store *store)
{
    struct xds_contents *contents;

    w->failed |= !contents_copy(store, &contents);
    if (!w->failed)
        contents_write(contents, w);
    contents_free(contents);
}

static void test_private_keys_are_not_told(void **state)
{
    struct fixture f;
    Csds__ClientStatusResponse *response;
    struct json_writer w = { 0 };
    char *json;

    (void) state;
    begin(&f);
    put_bytes(&f, "by-file", make_tls_cluster(NULL));
    put_bytes(&f, "by-value", make_tls_cluster("SECRET"));
    response = ask(&f, true);
    assert_non_null(response->config[0]->generic_xds_configs[0]->xds_config);
    assert_null(response->config[0]->generic_xds_configs[1]->xds_config);
    wire_free(&response->base);
    write_contents(&w, &f.store);
    json = json_finish(&w);
    assert_null(strstr(json, "SECRET"));
    assert_non_null(strstr(json, "\"private_key\":\"[redacted]\""));
    mem_free(json);
    end(&f);
}

/* ---- JSON ---- */

static void test_json_shows_state_error_and_what_is_ignored(void **state)
{
    struct fixture f;
    struct resource *routes;
    Route__RouteConfiguration *conf = xds_make_routes("users");
    struct json_writer w = { 0 };
    char *json;

    (void) state;
    begin(&f);
    routes = store_want(&f.store, XDS_ROUTES, "routes");
    xds_make_unknown(&conf->base, 9);
    MESH_OK(take(routes, &conf->base, "7"));
    routes->updated_wall_ms = 1000;
    conf->virtual_hosts[0]->n_domains = 0;
    MESH_ERR(MESH_ERR_INVALID, take(routes, &conf->base, "8"));
    routes->refused_wall_ms = 0;
    store_want(&f.store, XDS_LISTENER, "users");
    status_json(&w, &f.store);
    json = json_finish(&w);
    assert_string_equal(json,
                        "[{\"type\":\"listener\",\"name\":\"users\",\"state\":\"REQUESTED\"},"
                        "{\"type\":\"route configuration\",\"name\":\"routes\",\"state\":\"NACKED\",\"version\":\"7\","
                        "\"updated\":\"1970-01-01T00:00:01.000Z\",\"error\":{\"detail\":\"virtual_hosts[0].domains: "
                        "there is none, so that nothing would come here\",\"version\":\"8\"},\"ignored\":[\"field 9 of "
                        "envoy.config.route.v3.RouteConfiguration is not known to libmesh\"]}]");
    mem_free(json);
    end(&f);
}

static void test_contents_as_json(void **state)
{
    struct fixture f;
    struct model_endpoints *set = model_endpoints_new(ENDPOINTS_READY, "eds", 1);
    struct resource_news news = { .bytes = (const uint8_t *) "x", .len = 1, .version = "3" };
    struct ignored ignored = { 0 };
    struct json_writer w = { 0 };
    struct resource *endpoints;
    char *json;

    (void) state;
    begin(&f);
    assert_true(addr_parse(&set->endpoints[0].addr, "10.0.0.1:80", 11, 0));
    assert_true(model_endpoints_place(set, &set->endpoints[0], "a", 2));
    endpoints = store_want(&f.store, XDS_ENDPOINTS, "users");
    store_take_endpoints(endpoints, &news, set, &ignored);
    endpoints->updated_wall_ms = 0;
    write_contents(&w, &f.store);
    json = json_finish(&w);
    assert_string_equal(json, "[{\"type\":\"endpoints\",\"name\":\"users\",\"version\":\"3\",\"endpoints\":[{"
                              "\"address\":\"10.0.0.1:80\",\"zone\":\"a\",\"priority\":2,"
                              "\"weight\":1,\"health\":\"healthy\"}]}]");
    mem_free(json);
    end(&f);
}

/* ---- asking ---- */

static void test_requests_are_read(void **state)
{
    Csds__ClientStatusRequest *request = xds_make(&csds__client_status_request__descriptor);
    struct fault fault = { 0 };
    bool with_contents = false;
    struct buf bytes;

    (void) state;
    MESH_OK(status_read_request(NULL, 0, &with_contents, &fault));
    assert_true(with_contents);
    request->exclude_resource_contents = true;
    bytes = xds_make_bytes(&request->base);
    MESH_OK(status_read_request(buf_bytes(&bytes), buf_len(&bytes), &with_contents, &fault));
    assert_false(with_contents);
    buf_free(&bytes);
    xds_make_unknown(&request->base, 1);
    bytes = xds_make_bytes(&request->base);
    MESH_ERR(MESH_ERR_INVALID, status_read_request(buf_bytes(&bytes), buf_len(&bytes), &with_contents, &fault));
    assert_string_equal(fault.text, "node_matchers: a client knows of no other nodes");
    buf_free(&bytes);
    xds_make_clear();
}

/* ---- memory ---- */

static struct fixture stored;

static int32_t write_both(void)
{
    static const Core__Node node = CORE__NODE__INIT;
    struct json_writer w = { 0 };
    struct buf bytes = { 0 };
    int32_t err = status_write_response(&stored.store, &node, true, &bytes, NULL);
    char *json;

    buf_free(&bytes);
    status_json(&w, &stored.store);
    write_contents(&w, &stored.store);
    json = json_finish(&w);
    if (!err && !json)
        err = MESH_ERR_NOMEM;
    mem_free(json);
    return err;
}

static void test_every_allocation_may_fail(void **state)
{
    (void) state;
    begin(&stored);
    MESH_OK(take(store_want(&stored.store, XDS_ROUTES, "routes"), &xds_make_routes("users")->base, "7"));
    put_bytes(&stored, "users", make_tls_cluster(NULL));
    mesh_test_each_allocation_fails(write_both);
    end(&stored);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(test_states_are_told),
        LEAK_TEST(test_contents_are_the_bytes_that_are_used),
        LEAK_TEST(test_private_keys_are_not_told),
        LEAK_TEST(test_json_shows_state_error_and_what_is_ignored),
        LEAK_TEST(test_contents_as_json),
        LEAK_TEST(test_requests_are_read),
        cmocka_unit_test(test_every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
