/* SPDX-License-Identifier: Apache-2.0 */
/* The Node message: what the bootstrap says arrives as it stands there, and what libmesh can do is told. */
#include "mesh_test.h"

#include <string.h>

#include "source/xds/node.h"
#include "source/xds/wire.h"

static const struct bootstrap_node plain = { .id = (char *) "me",
                                             .cluster = (char *) "mine",
                                             .region = (char *) "",
                                             .zone = (char *) "",
                                             .sub_zone = (char *) "",
                                             .metadata = (char *) "{}" };

/* The message as a server reads it. */
static Core__Node *sent(const struct bootstrap_node *node, const char *region, const char *zone)
{
    struct fault fault = { 0 };
    struct buf bytes = { 0 };
    Core__Node *message;
    ProtobufCMessage *out;
    size_t size;

    MESH_OK(node_message(node, region, zone, &message, &fault));
    size = protobuf_c_message_get_packed_size(&message->base);
    protobuf_c_message_pack(&message->base, buf_room(&bytes, size));
    buf_added(&bytes, size);
    wire_free(&message->base);
    MESH_OK(wire_unpack(&core__node__descriptor, buf_bytes(&bytes), size, &wire_limits_standard, &out, &fault));
    buf_free(&bytes);
    return (Core__Node *) out;
}

static const Pb__Value *field(const Pb__Struct *of, const char *key)
{
    for (size_t i = 0; of && i < of->n_fields; i++)
        if (strcmp(of->fields[i]->key, key) == 0)
            return of->fields[i]->value;
    return NULL;
}

static void test_who_we_are(void **state)
{
    static const char *const expected[] = { "xds.config.resource-in-sotw", "xds.config.supports-resource-in-sotw",
                                            "xds.config.supports-resource-ttl",
                                            "envoy.lrs.supports_send_all_clusters" };
    Core__Node *node = sent(&plain, NULL, NULL);

    (void) state;
    assert_string_equal(node->id, "me");
    assert_string_equal(node->cluster, "mine");
    assert_string_equal(node->user_agent_name, "libmesh");
    assert_int_equal(node->user_agent_version_type_case, CORE__NODE__USER_AGENT_VERSION_TYPE_USER_AGENT_VERSION);
    assert_true(node->user_agent_version[0] >= '0' && node->user_agent_version[0] <= '9');
    assert_int_equal(node->n_client_features, COUNT_OF(expected));
    for (size_t i = 0; i < COUNT_OF(expected); i++)
        assert_string_equal(node->client_features[i], expected[i]);
    assert_null(node->locality);
    assert_null(node->metadata);
    wire_free(&node->base);
}

static void test_metadata(void **state)
{
    struct bootstrap_node from = plain;
    const Pb__Struct *metadata, *labels;
    const Pb__ListValue *list;
    Core__Node *node;

    (void) state;
    from.metadata =
        (char *) "{\"GENERATOR\": \"grpc\", \"n\": 1.5, \"whole\": 7, \"yes\": true, \"no\": false, \"nil\": null,"
                 " \"LABELS\": {\"app\": \"echo\", \"\": \"\"}, \"list\": [\"a\", [], {}], \"uml\": \"\xc3\xa4\"}";
    node = sent(&from, NULL, NULL);
    metadata = node->metadata;
    assert_int_equal(metadata->n_fields, 9);
    assert_string_equal(field(metadata, "GENERATOR")->string_value, "grpc");
    assert_true(field(metadata, "n")->number_value == 1.5);
    assert_true(field(metadata, "whole")->number_value == 7);
    assert_int_equal(field(metadata, "yes")->kind_case, PB__VALUE__KIND_BOOL_VALUE);
    assert_true(field(metadata, "yes")->bool_value);
    assert_int_equal(field(metadata, "no")->kind_case, PB__VALUE__KIND_BOOL_VALUE);
    assert_false(field(metadata, "no")->bool_value);
    assert_int_equal(field(metadata, "nil")->kind_case, PB__VALUE__KIND_NULL_VALUE);
    assert_string_equal(field(metadata, "uml")->string_value, "\xc3\xa4");
    labels = field(metadata, "LABELS")->struct_value;
    assert_int_equal(labels->n_fields, 2);
    assert_string_equal(field(labels, "app")->string_value, "echo");
    assert_int_equal(field(labels, "")->kind_case, PB__VALUE__KIND_STRING_VALUE);
    assert_string_equal(field(labels, "")->string_value, "");
    list = field(metadata, "list")->list_value;
    assert_int_equal(list->n_values, 3);
    assert_string_equal(list->values[0]->string_value, "a");
    assert_int_equal(list->values[1]->kind_case, PB__VALUE__KIND_LIST_VALUE);
    assert_int_equal(list->values[2]->kind_case, PB__VALUE__KIND_STRUCT_VALUE);
    wire_free(&node->base);
}

static void locality_is(const struct bootstrap_node *from, const char *region, const char *zone, const char *expected)
{
    Core__Node *node = sent(from, region, zone);
    char text[64];

    assert_non_null(node->locality);
    snprintf(text, sizeof text, "%s/%s/%s", node->locality->region, node->locality->zone, node->locality->sub_zone);
    assert_string_equal(text, expected);
    wire_free(&node->base);
}

static void test_locality(void **state)
{
    struct bootstrap_node from = plain;

    (void) state;
    locality_is(&from, "eu", NULL, "eu//");
    locality_is(&from, "", "eu-1", "/eu-1/");
    from.region = (char *) "us";
    from.zone = (char *) "us-1";
    from.sub_zone = (char *) "rack";
    locality_is(&from, NULL, NULL, "us/us-1/rack");
    locality_is(&from, "", "", "us/us-1/rack");
    locality_is(&from, "eu", "", "eu/us-1/rack");
    locality_is(&from, "", "us-1", "us/us-1/rack");
    locality_is(&from, "", "us-2", "us/us-2/");
}

static void test_metadata_that_is_too_deep(void **state)
{
    struct bootstrap_node from = plain;
    char text[512];
    struct fault fault = { 0 };
    Core__Node *node;
    size_t at = 0;

    (void) state;
    /* The object is one level, 31 lists are the others. */
    at += (size_t) snprintf(text, sizeof text, "{\"a\":");
    memset(text + at, '[', 31);
    memset(text + at + 31, ']', 31);
    memcpy(text + at + 62, "}", 2);
    from.metadata = text;
    node = sent(&from, NULL, NULL);
    wire_free(&node->base);
    memset(text + at, '[', 33);
    memset(text + at + 33, ']', 33);
    memcpy(text + at + 66, "}", 2);
    MESH_ERR(MESH_ERR_INVALID, node_message(&from, NULL, NULL, &node, &fault));
    assert_null(node);
    assert_string_equal(fault.text, "node.metadata: allowed is a JSON object of at most 32 levels");
    from.metadata = (char *) "[]";
    MESH_ERR(MESH_ERR_INVALID, node_message(&from, NULL, NULL, &node, &fault));
    from.metadata = (char *) "{";
    MESH_ERR(MESH_ERR_INVALID, node_message(&from, NULL, NULL, &node, &fault));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(test_who_we_are),
        LEAK_TEST(test_metadata),
        LEAK_TEST(test_locality),
        LEAK_TEST(test_metadata_that_is_too_deep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
