/* SPDX-License-Identifier: Apache-2.0 */
/* mesh_client_xds() and mesh_client_csds(): what a client has of a control plane, which lives in the test's thread. */
#include <poll.h>
#include <string.h>

#include "proto/csds.pb-c.h"
#include "proto/discovery.pb-c.h"
#include "source/xds/types.h"
#include "source/xds/wire.h"
#include "support/mesh_client.h"
#include "support/xds_make.h"
#include "support/xds_plane.h"

static struct plane *plane;
static struct mesh_client *client;

/* The listener "users" with a route that answers itself: one resource is all there is. */
static struct buf make_answer(void)
{
    Discovery__DiscoveryResponse *response = xds_make(&discovery__discovery_response__descriptor);
    Route__DirectResponseAction *direct = xds_make(&route__direct_response_action__descriptor);
    Route__RouteConfiguration *routes = xds_make_routes("nobody");
    Hcm__HttpConnectionManager *manager = xds_make_manager("users");
    Route__Route *route = routes->virtual_hosts[0]->routes[0];

    direct->status = 204;
    route->action_case = ROUTE__ROUTE__ACTION_DIRECT_RESPONSE;
    route->direct_response = direct;
    manager->route_specifier_case = HCM__HTTP_CONNECTION_MANAGER__ROUTE_SPECIFIER_ROUTE_CONFIG;
    manager->route_config = routes;
    xds_make_unknown(&manager->base, 99);
    response->version_info = xds_make_text("7");
    response->nonce = xds_make_text("n");
    response->type_url = xds_make_text("%s", xds_type_url(XDS_LISTENER));
    response->resources =
        xds_make_list(&response->n_resources, xds_make_any(&xds_make_listener("users", manager)->base), NULL);
    return xds_make_bytes(&response->base);
}

static struct mesh_client *client_with(const char *const *pairs)
{
    struct mesh_conf *conf = mesh_conf_new();
    struct mesh_client *made;
    char why[256];

    for (; *pairs; pairs += 2)
        conf_put(conf, pairs[0], pairs[1]);
    if (mesh_client_new(conf, &made, why, sizeof why) != 0)
        fail_msg("%s", why);
    mesh_conf_free(conf);
    return made;
}

static void start(void)
{
    char bootstrap[200];

    plane = plane_start((struct plane_conf){ .deaf = false });
    snprintf(bootstrap, sizeof bootstrap,
             "{\"xds_servers\": [{\"server_uri\": \"127.0.0.1:%u\", \"channel_creds\": [{\"type\": \"insecure\"}]}], "
             "\"node\": {\"id\": \"me\"}}",
             plane_port(plane));
    client = client_with(PAIRS("xds.bootstrap", bootstrap, "log", "off", "loops", "1"));
}

static void finish(void)
{
    mesh_client_free(client);
    plane_stop(plane);
    xds_make_clear();
}

static char *described(uint32_t flags)
{
    char *text;

    MESH_OK(mesh_client_xds(client, flags, 0, &text));
    return text;
}

/* Until the description has this; the last one. */
static char *until(uint32_t flags, const char *part)
{
    for (int turn = 0; turn < GUARD_MS; turn++) {
        char *text = described(flags);

        if (strstr(text, part))
            return text;
        mesh_string_free(text);
        plane_turn(plane);
        poll(NULL, 0, 1);
    }
    fail_msg("does not come: %s", part);
    return NULL;
}

static void want_users(void)
{
    char *text;

    MESH_ERR(MESH_ERR_TIMEOUT, mesh_client_explain(client, "users", NULL, NULL, 0, &text));
    mesh_string_free(text);
}

static void serve_users(void)
{
    struct buf answer = make_answer();

    want_users();
    mesh_string_free(until(0, "\"streams\":1"));
    for (int turn = 0; plane_streams(plane) == 0 || plane_last(plane)->n_messages == 0; turn++) {
        assert_true(turn < GUARD_MS);
        plane_turn(plane);
        poll(NULL, 0, 1);
    }
    plane_send(plane_last(plane), buf_bytes(&answer), buf_len(&answer));
    buf_free(&answer);
    mesh_string_free(until(0, "\"is_published\":true"));
}

static void test_nothing_is_opened_unless_asked_for(void **state)
{
    char *text;

    (void) state;
    start();
    text = described(0);
    assert_non_null(strstr(text, "\"is_configured\":true"));
    assert_non_null(strstr(text, "\"is_asked\":false"));
    mesh_string_free(text);
    plane_turn(plane);
    assert_int_equal(plane_accepted(plane), 0);
    mesh_string_free(until(MESH_XDS_CONNECT, "\"streams\":1"));
    assert_int_equal(plane_accepted(plane), 1);
    finish();
}

static void test_a_service_and_its_resources(void **state)
{
    char *text;

    (void) state;
    start();
    serve_users();
    MESH_OK(mesh_client_xds(client, MESH_XDS_CONTENTS, 0, &text));
    assert_non_null(strstr(text, "\"service\":\"users\""));
    assert_non_null(strstr(text, "\"has_inline_routes\":true"));
    assert_non_null(strstr(text, "\"state\":\"ACKED\",\"version\":\"7\""));
    assert_non_null(strstr(text, "\"ignored\":[\"api_listener.api_listener: field 99 of "));
    assert_non_null(strstr(text, "\"direct_response\":{\"status\":204}"));
    assert_non_null(strstr(text, "\"@unknown\":[99]"));
    mesh_string_free(text);
    text = described(0);
    assert_null(strstr(text, "direct_response"));
    mesh_string_free(text);
    finish();
}

static void test_who_waits_is_told_when_time_is_over(void **state)
{
    char *text;

    (void) state;
    start();
    want_users();
    MESH_ERR(MESH_ERR_TIMEOUT, mesh_client_xds(client, 0, 1, &text));
    assert_non_null(strstr(text, "\"state\":\"REQUESTED\""));
    mesh_string_free(text);
    finish();
}

static void test_csds(void **state)
{
    Csds__ClientStatusResponse *response;
    Csds__ClientConfig__GenericXdsConfig *config;
    ProtobufCMessage *message;
    void *bytes;
    size_t len;

    (void) state;
    start();
    serve_users();
    MESH_OK(mesh_client_csds(client, NULL, 0, &bytes, &len));
    MESH_OK(wire_unpack(&csds__client_status_response__descriptor, bytes, len, &wire_limits_standard, &message, NULL));
    response = (Csds__ClientStatusResponse *) message;
    assert_int_equal(response->n_config, 1);
    assert_string_equal(response->config[0]->node->id, "me");
    assert_int_equal(response->config[0]->n_generic_xds_configs, 1);
    config = response->config[0]->generic_xds_configs[0];
    assert_string_equal(config->name, "users");
    assert_string_equal(config->version_info, "7");
    assert_int_equal(config->client_status, ADMIN__CLIENT_RESOURCE_STATUS__ACKED);
    assert_string_equal(config->xds_config->type_url, xds_type_url(XDS_LISTENER));
    wire_free(message);
    mesh_string_free(bytes);
    finish();
}

static void test_csds_refuses_what_it_cannot_do(void **state)
{
    static const uint8_t matchers[] = { 0x0a, 0x00 };
    void *bytes;
    size_t len;

    (void) state;
    start();
    MESH_ERR(MESH_ERR_INVALID, mesh_client_csds(client, matchers, sizeof matchers, &bytes, &len));
    assert_null(bytes);
    MESH_ERR(MESH_ERR_PROTOCOL, mesh_client_csds(client, "\xff", 1, &bytes, &len));
    MESH_ERR(MESH_ERR_INVALID, mesh_client_csds(client, NULL, 1, &bytes, &len));
    MESH_ERR(MESH_ERR_INVALID, mesh_client_csds(client, NULL, 0, NULL, &len));
    MESH_ERR(MESH_ERR_INVALID, mesh_client_csds(client, NULL, 0, &bytes, NULL));
    finish();
}

static void test_arguments(void **state)
{
    char *text = NULL;

    (void) state;
    start();
    MESH_ERR(MESH_ERR_INVALID, mesh_client_xds(client, 4, 0, &text));
    assert_null(text);
    MESH_ERR(MESH_ERR_INVALID, mesh_client_xds(client, 0, 0, NULL));
    finish();
}

static void test_without_a_control_plane(void **state)
{
    void *bytes;
    size_t len;
    char *text;

    (void) state;
    client = client_with(PAIRS("log", "off"));
    MESH_OK(mesh_client_xds(client, MESH_XDS_CONNECT | MESH_XDS_CONTENTS, GUARD_MS, &text));
    assert_string_equal(text, "{\"is_configured\":false,\"contents\":[]}");
    mesh_string_free(text);
    MESH_OK(mesh_client_csds(client, NULL, 0, &bytes, &len));
    assert_int_equal(len, 0);
    mesh_string_free(bytes);
    mesh_client_free(client);
}

static void test_the_way_of_a_service(void **state)
{
    char *text;

    (void) state;
    start();
    MESH_ERR(MESH_ERR_TIMEOUT, mesh_client_resolve(client, "users", 0, &text));
    assert_non_null(strstr(text, "\"query\":\"listener users\",\"result\":\"REQUESTED\""));
    mesh_string_free(text);
    serve_users();
    MESH_OK(mesh_client_resolve(client, "users", 0, &text));
    assert_non_null(strstr(text, "\"query\":\"listener users\",\"result\":\"ok\",\"version\":\"7\""));
    assert_non_null(strstr(text, "\"records\":[\"routes of its own\"]"));
    assert_non_null(strstr(text, "\"endpoints\":[],\"error\":null"));
    mesh_string_free(text);
    MESH_OK(mesh_client_describe(client, "users", 0, 0, &text));
    assert_string_equal(text, "{\"service\":\"users\",\"cluster\":null,\"route\":\"\",\"other_clusters\":[]}");
    mesh_string_free(text);
    finish();
}

static int32_t describe_all(void)
{
    char *status = NULL, *way = NULL, *service = NULL, *services = NULL;
    void *bytes = NULL;
    size_t len;
    int32_t err = mesh_client_xds(client, MESH_XDS_CONTENTS, 0, &status);

    if (!err)
        err = mesh_client_csds(client, NULL, 0, &bytes, &len);
    if (!err)
        err = mesh_client_resolve(client, "users", 0, &way);
    if (!err)
        err = mesh_client_describe(client, "users", 0, 0, &service);
    if (!err)
        err = mesh_client_describe(client, NULL, 0, 0, &services);
    mesh_string_free(status);
    mesh_string_free(bytes);
    mesh_string_free(way);
    mesh_string_free(service);
    mesh_string_free(services);
    return err;
}

/* Lack of memory is an error or nothing, never a leak; and what is described is whole. */
static void test_memory_runs_out(void **state)
{
    bool reached = true;

    (void) state;
    start();
    serve_users();
    for (uint64_t nth = 1; reached; nth++) {
        int64_t live;
        int32_t err;

        mem_watch(nth, false);
        err = describe_all();
        reached = mem_unwatch(&live);
        assert_true(err == 0 || (reached && err == MESH_ERR_NOMEM));
    }
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_opened_unless_asked_for),
        cmocka_unit_test(test_a_service_and_its_resources),
        cmocka_unit_test(test_who_waits_is_told_when_time_is_over),
        cmocka_unit_test(test_the_way_of_a_service),
        cmocka_unit_test(test_csds),
        cmocka_unit_test(test_csds_refuses_what_it_cannot_do),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_without_a_control_plane),
        cmocka_unit_test(test_memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
