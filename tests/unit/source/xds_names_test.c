/* SPDX-License-Identifier: Apache-2.0 */
/* What services and resources are called: gRFC A47's examples, and names that are not what they should be. */
#include <string.h>

#include "mesh_test.h"
#include "source/xds/names.h"

#define SERVER(uri) "{\"server_uri\": \"" uri "\", \"channel_creds\": [{\"type\": \"insecure\"}]}"
#define LISTENER    "/envoy.config.listener.v3.Listener/"

static struct bootstrap *bootstrap;

/* `more`: members of the JSON. */
static void begin(const char *more)
{
    char text[2048];
    struct fault fault = { 0 };

    snprintf(text, sizeof text, "{\"xds_servers\": [" SERVER("10.0.0.1:1") "], \"node\": {\"id\": \"x\"}%s}", more);
    if (bootstrap_parse(text, "test", &bootstrap, &fault))
        fail_msg("%s", fault.text);
}

static void end(void)
{
    bootstrap_free(bootstrap);
    bootstrap = NULL;
}

/* authority NULL: none. */
static void is_asked_as(const char *service, const char *authority, const char *listener, const char *host)
{
    struct fault fault = { 0 };
    struct names_service names;

    if (names_of_service(bootstrap, service, &names, &fault))
        fail_msg("%s: %s", service, fault.text);
    assert_string_equal(names.listener, listener);
    assert_string_equal(names.host, host);
    if (authority)
        assert_string_equal(names.authority->name, authority);
    else
        assert_null(names.authority);
    names_service_clear(&names);
}

static void is_refused(const char *service, int32_t err, const char *why)
{
    struct fault fault = { 0 };
    struct names_service names;

    MESH_ERR(err, names_of_service(bootstrap, service, &names, &fault));
    assert_non_null(strstr(fault.text, why));
    assert_null(names.listener);
    assert_null(names.host);
}

static void names_as_they_are(void **state)
{
    (void) state;
    begin("");
    is_asked_as("users", NULL, "users", "users");
    is_asked_as("xds:users", NULL, "users", "users");
    is_asked_as("xds:/users", NULL, "users", "users");
    is_asked_as("xds:///users", NULL, "users", "users");
    is_asked_as("xds:///users.shop:8080", NULL, "users.shop:8080", "users.shop:8080");
    is_asked_as("users:8080", NULL, "users:8080", "users:8080");
    is_asked_as("xds:///team/users", NULL, "team/users", "users");
    is_asked_as("outbound|80||users 1", NULL, "outbound|80||users 1", "outbound|80||users 1");
    is_refused("xds:///", MESH_ERR_INVALID, "has no name of a service");
    is_refused("xds:", MESH_ERR_INVALID, "\"xds:\"");
    is_refused("", MESH_ERR_INVALID, "has no name of a service");
    is_refused("xds:///team/", MESH_ERR_INVALID, "has no name of a service");
    is_refused("xds://else/users", MESH_ERR_NO_ROUTE, "the bootstrap has no authority \"else\"");
    is_refused("xdstp://else" LISTENER "users", MESH_ERR_NO_ROUTE, "no authority \"else\"");
    end();
}

static void templates(void **state)
{
    (void) state;
    begin(", \"client_default_listener_resource_name_template\": \"grpc/client/%s/of/%s\"");
    is_asked_as("users 1", NULL, "grpc/client/users 1/of/users 1", "users 1");
    end();
    begin(", \"client_default_listener_resource_name_template\": \"everything\"");
    is_asked_as("users", NULL, "everything", "users");
    end();
}

static void authorities(void **state)
{
    (void) state;
    begin(", \"client_default_listener_resource_name_template\": "
          "\"xdstp://a.test" LISTENER "grpc/client/%s?project=1&env=prod\", \"authorities\": {"
          "\"a.test\": {\"client_listener_resource_name_template\": \"xdstp://a.test" LISTENER "%s?z=1&b=%s\"},"
          "\"b.test\": {\"xds_servers\": [" SERVER("10.0.0.2:2") "]}}");
    is_asked_as("users:80", "a.test", "xdstp://a.test" LISTENER "grpc/client/users:80?env=prod&project=1", "users:80");
    is_asked_as("xds:///users 1%|/x", "a.test",
                "xdstp://a.test" LISTENER "grpc/client/users%201%25%7C/x?env=prod&project=1", "x");
    is_asked_as("xds://a.test/users", "a.test", "xdstp://a.test" LISTENER "users?b=users&z=1", "users");
    is_asked_as("xds://b.test/a/users[1]?x", "b.test", "xdstp://b.test" LISTENER "a/users%5B1%5D%3Fx", "users[1]?x");
    is_refused("xds://c.test/users", MESH_ERR_NO_ROUTE, "\"c.test\"");
    is_refused("xds://b.test/", MESH_ERR_INVALID, "has no name of a service");
    is_refused("xds://b.test", MESH_ERR_INVALID, "has no name of a service");
    assert_ptr_equal(names_servers(bootstrap, NULL), &bootstrap->servers);
    assert_ptr_equal(names_servers(bootstrap, bootstrap_authority(bootstrap, "a.test")), &bootstrap->servers);
    assert_string_equal(names_servers(bootstrap, bootstrap_authority(bootstrap, "b.test"))->items[0].uri, "10.0.0.2:2");
    end();
}

static void who_knows(enum xds_type type, const char *name, int32_t err, const char *authority)
{
    const struct bootstrap_authority *found = NULL;
    struct fault fault = { 0 };

    MESH_ERR(err, names_find_authority(bootstrap, type, name, &found, &fault));
    if (authority)
        assert_string_equal(found->name, authority);
    else
        assert_null(found);
}

static void resources_of_authorities(void **state)
{
    static const char cluster[] = "xdstp://a.test/envoy.config.cluster.v3.Cluster/users?x=y";

    (void) state;
    begin(", \"authorities\": {\"a.test\": {}, \"\": {}}");
    who_knows(XDS_CLUSTER, "users", 0, NULL);
    who_knows(XDS_CLUSTER, cluster, 0, "a.test");
    who_knows(XDS_CLUSTER, "xdstp:///envoy.config.cluster.v3.Cluster/users", 0, "");
    who_knows(XDS_ENDPOINTS, cluster, MESH_ERR_INVALID, NULL);
    who_knows(XDS_CLUSTER, "xdstp://a.test/envoy.config.cluster.v3.ClusterX/users", MESH_ERR_INVALID, NULL);
    who_knows(XDS_CLUSTER, "xdstp://a.test", MESH_ERR_INVALID, NULL);
    who_knows(XDS_CLUSTER, "xdstp://a.test?x", MESH_ERR_INVALID, NULL);
    who_knows(XDS_CLUSTER, "xdstp://b.test/envoy.config.cluster.v3.Cluster/users", MESH_ERR_NO_ROUTE, NULL);
    who_knows(XDS_CLUSTER, "xdstp://a.tes/envoy.config.cluster.v3.Cluster/users", MESH_ERR_NO_ROUTE, NULL);
    end();
}

static void is_canonical(const char *name, const char *expected)
{
    char *text = names_canonical(name);

    assert_string_equal(text, expected);
    mem_free(text);
}

static void one_spelling(void **state)
{
    (void) state;
    is_canonical("users?b=1&a=2", "users?b=1&a=2");
    is_canonical("", "");
    is_canonical("xdstp://", "xdstp://");
    is_canonical("xdstp://a/t/x", "xdstp://a/t/x");
    is_canonical("xdstp://a/t/x?", "xdstp://a/t/x");
    is_canonical("xdstp://a/t/x?b=1&a=2", "xdstp://a/t/x?a=2&b=1");
    is_canonical("xdstp://a/t/x?ab=1&a=2&b&a-=3", "xdstp://a/t/x?a=2&a-=3&ab=1&b");
    is_canonical("xdstp://a/t/x?a=1&b=2&a=3&&b", "xdstp://a/t/x?a=3&b");
    is_canonical("xdstp://a/t/x?b=1&a=2#alt=y", "xdstp://a/t/x?a=2&b=1");
    is_canonical("xdstp://a/t/%7ex%2f%2F?%62=1&a=%5b", "xdstp://a/t/~x%2F%2F?a=%5B&b=1");
    is_canonical("xdstp://a/t/%zz%4", "xdstp://a/t/%zz%4");
    is_canonical("xdstp://a/t/%41%4", "xdstp://a/t/A%4");
}

static int32_t out_of_memory(void)
{
    struct names_service names;
    struct fault fault = { 0 };
    int32_t err = names_of_service(bootstrap, "xds://a.test/a b", &names, &fault);

    if (err)
        return err;
    names_service_clear(&names);
    return 0;
}

static void memory(void **state)
{
    (void) state;
    begin(", \"authorities\": {\"a.test\": {\"client_listener_resource_name_template\": "
          "\"xdstp://a.test" LISTENER "%s?b=1&a=2\"}}");
    mesh_test_each_allocation_fails(out_of_memory);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(names_as_they_are),        LEAK_TEST(templates),    LEAK_TEST(authorities),
        LEAK_TEST(resources_of_authorities), LEAK_TEST(one_spelling), cmocka_unit_test(memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
