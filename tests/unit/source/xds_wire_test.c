/* SPDX-License-Identifier: Apache-2.0 */
/* The scan before protobuf-c: whole messages pass, everything that could hurt is refused with the place where it stands. */
#include "mesh_test.h"

#include <pthread.h>
#include <string.h>

#include "proto/cluster.pb-c.h"
#include "proto/core.pb-c.h"
#include "proto/discovery.pb-c.h"
#include "proto/endpoint.pb-c.h"
#include "proto/http_connection_manager.pb-c.h"
#include "proto/http_protocol_options.pb-c.h"
#include "proto/load_stats.pb-c.h"
#include "proto/route.pb-c.h"
#include "proto/tls.pb-c.h"
#include "source/xds/wire.h"

#define NODE       (&core__node__descriptor)
#define ASSIGNMENT (&endpoint__cluster_load_assignment__descriptor)
#define ROUTES     (&route__route_configuration__descriptor)

static int32_t scan(const ProtobufCMessageDescriptor *type, const void *bytes, size_t len, struct fault *fault)
{
    return wire_scan(type, bytes, len, &wire_limits_standard, NULL, fault);
}

/* The bytes are refused with this sentence, and unpacking refuses them likewise. */
static void refused(const ProtobufCMessageDescriptor *type, const char *bytes, size_t len, int32_t err,
                    const char *sentence)
{
    ProtobufCMessage *message;
    struct fault fault = { 0 };

    MESH_ERR(err, scan(type, bytes, len, &fault));
    assert_string_equal(fault.text, sentence);
    MESH_ERR(err, wire_unpack(type, (const uint8_t *) bytes, len, &wire_limits_standard, &message, NULL));
    assert_null(message);
}

#define REFUSED(type, bytes, sentence) refused(type, bytes, sizeof bytes - 1, MESH_ERR_PROTOCOL, sentence)

/* ---- building ---- */

static void put_varint(struct buf *out, uint64_t value)
{
    uint8_t byte;

    for (; value >= 0x80; value >>= 7) {
        byte = (uint8_t) (value | 0x80);
        assert_true(buf_append(out, &byte, 1));
    }
    byte = (uint8_t) value;
    assert_true(buf_append(out, &byte, 1));
}

static void put_bytes(struct buf *out, uint32_t field, const void *bytes, size_t len)
{
    put_varint(out, field << 3 | 2);
    put_varint(out, len);
    assert_true(buf_append(out, bytes, len));
}

/* What `inner` holds becomes a field of it. */
static void wrap(struct buf *inner, uint32_t field)
{
    struct buf outer = { 0 };

    put_bytes(&outer, field, buf_bytes(inner), buf_len(inner));
    buf_free(inner);
    *inner = outer;
}

/* Metadata of a node as `levels` lists in lists: messages are node, struct, map entry, and two a list. */
static struct buf nested_node(size_t levels)
{
    struct buf bytes = { 0 };

    for (size_t i = 0; i < levels; i++) {
        wrap(&bytes, 1); /* ListValue.values */
        wrap(&bytes, 6); /* Value.list_value */
    }
    wrap(&bytes, 2); /* FieldsEntry.value */
    wrap(&bytes, 1); /* Struct.fields */
    wrap(&bytes, 3); /* Node.metadata */
    return bytes;
}

/* A cluster's endpoints, packed as a control plane does it. */
static struct buf packed_assignment(size_t n_endpoints)
{
    Core__SocketAddress socket_address = CORE__SOCKET_ADDRESS__INIT;
    Core__Address address = CORE__ADDRESS__INIT;
    Endpoint__Endpoint endpoint = ENDPOINT__ENDPOINT__INIT;
    Endpoint__LbEndpoint lb_endpoint = ENDPOINT__LB_ENDPOINT__INIT;
    Endpoint__LocalityLbEndpoints locality = ENDPOINT__LOCALITY_LB_ENDPOINTS__INIT;
    Endpoint__LocalityLbEndpoints *localities[] = { &locality };
    Endpoint__ClusterLoadAssignment assignment = ENDPOINT__CLUSTER_LOAD_ASSIGNMENT__INIT;
    Endpoint__LbEndpoint **endpoints = mem_array(n_endpoints, sizeof(Endpoint__LbEndpoint *));
    struct buf bytes = { 0 };
    uint8_t *room;

    socket_address.address = (char *) "10.0.0.1";
    socket_address.port_specifier_case = CORE__SOCKET_ADDRESS__PORT_SPECIFIER_PORT_VALUE;
    socket_address.port_value = 8080;
    address.address_case = CORE__ADDRESS__ADDRESS_SOCKET_ADDRESS;
    address.socket_address = &socket_address;
    endpoint.address = &address;
    lb_endpoint.host_identifier_case = ENDPOINT__LB_ENDPOINT__HOST_IDENTIFIER_ENDPOINT;
    lb_endpoint.endpoint = &endpoint;
    for (size_t i = 0; i < n_endpoints; i++)
        endpoints[i] = &lb_endpoint;
    locality.n_lb_endpoints = n_endpoints;
    locality.lb_endpoints = endpoints;
    assignment.cluster_name = (char *) "users";
    assignment.n_endpoints = 1;
    assignment.endpoints = localities;
    room = buf_room(&bytes, protobuf_c_message_get_packed_size(&assignment.base));
    buf_added(&bytes, protobuf_c_message_pack(&assignment.base, room));
    mem_free(endpoints);
    return bytes;
}

/* ---- what passes ---- */

static void whole_messages_are_unpacked(void **state)
{
    struct buf bytes = packed_assignment(3);
    ProtobufCMessage *message;
    struct fault fault = { 0 };
    const Endpoint__ClusterLoadAssignment *assignment;

    (void) state;
    MESH_OK(wire_unpack(ASSIGNMENT, buf_bytes(&bytes), buf_len(&bytes), &wire_limits_standard, &message, &fault));
    assignment = (const Endpoint__ClusterLoadAssignment *) message;
    assert_string_equal(assignment->cluster_name, "users");
    assert_int_equal(assignment->endpoints[0]->n_lb_endpoints, 3);
    assert_int_equal(assignment->endpoints[0]->lb_endpoints[2]->endpoint->address->socket_address->port_value, 8080);
    wire_free(message);
    buf_free(&bytes);
}

static void nothing_is_an_empty_message(void **state)
{
    ProtobufCMessage *message;
    struct wire_cost cost;

    (void) state;
    MESH_OK(wire_unpack(NODE, NULL, 0, &wire_limits_standard, &message, NULL));
    assert_string_equal(((const Core__Node *) message)->id, "");
    wire_free(message);
    wire_free(NULL);
    MESH_OK(wire_scan(NODE, NULL, 0, &wire_limits_standard, &cost, NULL));
    assert_int_equal(cost.fields, 0);
    assert_int_equal(cost.depth, 1);
}

static void unknown_fields_are_kept(void **state)
{
    static const char bytes[] = "\x0a\x01m"      /* id "m" */
                                "\x98\x06\x07"   /* 99: 7 */
                                "\xa2\x06\x02xy" /* 100: bytes */
                                "\xa5\x06wxyz"   /* 100: four bytes */
                                "\xa1\x06stuvwxyz";
    ProtobufCMessage *message;

    (void) state;
    MESH_OK(wire_unpack(NODE, (const uint8_t *) bytes, sizeof bytes - 1, &wire_limits_standard, &message, NULL));
    assert_int_equal(message->n_unknown_fields, 4);
    assert_int_equal(message->unknown_fields[0].tag, 99);
    wire_free(message);
}

static void a_later_value_replaces_an_earlier_one(void **state)
{
    static const char bytes[] = "\x0a\x01"
                                "a"
                                "\x0a\x01"
                                "b";
    ProtobufCMessage *message;

    (void) state;
    MESH_OK(wire_unpack(NODE, (const uint8_t *) bytes, sizeof bytes - 1, &wire_limits_standard, &message, NULL));
    assert_string_equal(((const Core__Node *) message)->id, "b");
    wire_free(message);
}

static void packed_and_single_numbers_are_the_same(void **state)
{
    static const char bytes[] = "\x3a\x04\xf4\x03\xf7\x03" /* 500 503 */
                                "\x38\xf6\x03";
    const Route__RetryPolicy *policy;
    ProtobufCMessage *message;
    struct wire_cost cost;

    (void) state;
    MESH_OK(wire_scan(&route__retry_policy__descriptor, (const uint8_t *) bytes, sizeof bytes - 1,
                      &wire_limits_standard, &cost, NULL));
    assert_int_equal(cost.fields, 4);
    MESH_OK(wire_unpack(&route__retry_policy__descriptor, (const uint8_t *) bytes, sizeof bytes - 1,
                        &wire_limits_standard, &message, NULL));
    policy = (const Route__RetryPolicy *) message;
    assert_int_equal(policy->n_retriable_status_codes, 3);
    assert_int_equal(policy->retriable_status_codes[2], 502);
    wire_free(message);
}

/* ---- what is refused ---- */

static void broken_bytes_are_refused_with_their_place(void **state)
{
    (void) state;
    REFUSED(NODE, "\x80", "envoy.config.core.v3.Node: it ends in the middle of a number");
    REFUSED(NODE, "\x80\x80\x80\x80\x80\x01", "envoy.config.core.v3.Node: a number has too many bytes");
    REFUSED(NODE, "\xff\xff\xff\xff\x7f", "envoy.config.core.v3.Node: a field number above 536870911");
    REFUSED(NODE, "\x02\x00", "envoy.config.core.v3.Node: a field with the number 0");
    REFUSED(NODE, "\x0a", "envoy.config.core.v3.Node, field 1: it ends in the middle of a number");
    REFUSED(NODE, "\x0a\x02x", "envoy.config.core.v3.Node, field 1: it is longer than what holds it");
    REFUSED(NODE, "\x0a\xff\xff\xff\xff\x0f", "envoy.config.core.v3.Node, field 1: it is longer than what holds it");
    REFUSED(NODE, "\x0a\x81\x80\x80\x80\x80\x00x", "envoy.config.core.v3.Node, field 1: a number has too many bytes");
    REFUSED(NODE, "\x98\x06\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
            "envoy.config.core.v3.Node, field 99: a number has too many bytes");
    REFUSED(NODE, "\xa5\x06wxy", "envoy.config.core.v3.Node, field 100: it ends in the middle of a value");
    REFUSED(NODE, "\xa1\x06stuvwxy", "envoy.config.core.v3.Node, field 100: it ends in the middle of a value");
    REFUSED(NODE, "\x08\x01", "envoy.config.core.v3.Node, field 1: it is of another type than it should be");
    REFUSED(NODE, "\x0b\x0c", "envoy.config.core.v3.Node, field 1: a group, which this protocol does not have");
    REFUSED(NODE, "\x9b\x06\x9c\x06",
            "envoy.config.core.v3.Node, field 99: a group, which this protocol does not have");
    REFUSED(NODE, "\x0c", "envoy.config.core.v3.Node, field 1: a group, which this protocol does not have");
    REFUSED(NODE, "\x0e", "envoy.config.core.v3.Node, field 1: a wire type that does not exist");
    REFUSED(NODE, "\x22\x03\x0a\x01\xff", "envoy.config.core.v3.Node, field 4.1: a text is not UTF-8");
    REFUSED(NODE, "\x22\x05\x12\x03x\0y", "envoy.config.core.v3.Node, field 4.2: a text has a NUL byte");
}

static void an_inner_message_does_not_reach_beyond_its_end(void **state)
{
    (void) state;
    REFUSED(NODE, "\x22\x02\x0a\x01z", "envoy.config.core.v3.Node, field 4.1: it is longer than what holds it");
    REFUSED(NODE, "\x22\x01\x8a\x01z", "envoy.config.core.v3.Node, field 4: it ends in the middle of a number");
}

static void a_place_is_of_the_message_that_is_looked_at(void **state)
{
    (void) state;
    REFUSED(NODE, "\x22\x03\x0a\x01z\x12\x05x", "envoy.config.core.v3.Node, field 2: it is longer than what holds it");
    REFUSED(NODE, "\x22\x00\x80", "envoy.config.core.v3.Node: it ends in the middle of a number");
    REFUSED(ROUTES, "\x12\x05\x1a\x03\x0a\x01\x80",
            "envoy.config.route.v3.RouteConfiguration, field 2.3.1: it ends in the middle of a number");
}

static void packed_numbers_are_looked_into(void **state)
{
    const ProtobufCMessageDescriptor *type = &route__retry_policy__descriptor;

    (void) state;
    REFUSED(type, "\x3a\x02\x01\x80", "envoy.config.route.v3.RetryPolicy, field 7: it ends in the middle of a number");
    REFUSED(type, "\x3a\x0b\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
            "envoy.config.route.v3.RetryPolicy, field 7: a number has too many bytes");
}

/* protobuf-c would merge them, each time copying what it has. */
static void a_message_stands_once(void **state)
{
    (void) state;
    REFUSED(NODE, "\x22\x00\x22\x00", "envoy.config.core.v3.Node, field 4: it stands twice in its message");
}

static void a_nesting_bomb_is_refused(void **state)
{
    struct buf bomb = nested_node(4350);

    (void) state;
    assert_in_range(buf_len(&bomb), 20000, 32768);
    refused(NODE, (const char *) buf_bytes(&bomb), buf_len(&bomb), MESH_ERR_TOO_LARGE,
            "envoy.config.core.v3.Node, field 3.1.2.6.1.6.1.6.1.6.1.6.1.6.1.6...: more than 100 messages inside each "
            "other");
    buf_free(&bomb);
}

static void *unpack_deepest(void *user)
{
    struct buf bytes = nested_node(48); /* 100 messages */
    ProtobufCMessage *message;
    int32_t *err = user;

    *err = wire_unpack(NODE, buf_bytes(&bytes), buf_len(&bytes), &wire_limits_standard, &message, NULL);
    wire_free(message);
    buf_free(&bytes);
    return NULL;
}

static void what_passes_fits_a_stack_of_256_kib(void **state)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int32_t err = -1;

    (void) state;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, 256 * 1024), 0);
    assert_int_equal(pthread_create(&thread, &attributes, unpack_deepest, &err), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    MESH_OK(err);
}

/* ---- limits ---- */

static void each_limit_is_exact(void **state)
{
    struct buf bytes = packed_assignment(10);
    struct wire_limits limits = wire_limits_standard;
    struct wire_cost cost;
    struct fault fault = { 0 };
    const uint8_t *at = buf_bytes(&bytes);
    size_t len = buf_len(&bytes);

    (void) state;
    MESH_OK(wire_scan(ASSIGNMENT, at, len, &limits, &cost, NULL));
    assert_int_equal(cost.fields, 2 + 10 * 6);
    assert_int_equal(cost.depth, 6);
    limits = (struct wire_limits){ len, cost.fields, cost.memory, cost.depth };
    MESH_OK(wire_scan(ASSIGNMENT, at, len, &limits, NULL, NULL));
    limits.bytes--;
    MESH_ERR(MESH_ERR_TOO_LARGE, wire_scan(ASSIGNMENT, at, len, &limits, NULL, &fault));
    assert_non_null(strstr(fault.text, " bytes"));
    limits.bytes++, limits.fields--;
    MESH_ERR(MESH_ERR_TOO_LARGE, wire_scan(ASSIGNMENT, at, len, &limits, NULL, &fault));
    assert_non_null(strstr(fault.text, "field 2.2.1.1.1.3: more than 61 fields"));
    limits.fields++, limits.memory--;
    MESH_ERR(MESH_ERR_TOO_LARGE, wire_scan(ASSIGNMENT, at, len, &limits, NULL, &fault));
    assert_non_null(strstr(fault.text, "bytes of memory"));
    limits.memory++, limits.depth--;
    MESH_ERR(MESH_ERR_TOO_LARGE, wire_scan(ASSIGNMENT, at, len, &limits, NULL, &fault));
    assert_non_null(strstr(fault.text, "field 2.2.1.1.1: more than 5 messages inside each other"));
    buf_free(&bytes);
}

/* Two bytes each on the wire, hundreds in memory. */
static void empty_messages_cost_what_they_take(void **state)
{
    struct buf bytes = { 0 };
    struct wire_cost cost;
    size_t n = 200000;

    (void) state;
    for (size_t i = 0; i < n; i++)
        assert_true(buf_append(&bytes, "\x12\x00", 2));
    MESH_OK(wire_scan(ROUTES, buf_bytes(&bytes), buf_len(&bytes), &wire_limits_standard, &cost, NULL));
    assert_true(cost.memory > n * sizeof(Route__VirtualHost));
    buf_free(&bytes);
}

/* ---- protobuf-c and the scan agree ---- */

static const ProtobufCMessageDescriptor *const roots[] = {
    &discovery__discovery_response__descriptor, &discovery__delta_discovery_response__descriptor,
    &route__route_configuration__descriptor,    &cluster__cluster__descriptor,
    &hcm__http_connection_manager__descriptor,  &endpoint__cluster_load_assignment__descriptor,
    &tls__upstream_tls_context__descriptor,     &upstream_http__http_protocol_options__descriptor,
    &load_stats__load_stats_request__descriptor
};

/* The scan has a bit a field. */
static void check_fields(const ProtobufCMessageDescriptor *type, size_t depth)
{
    if (type->n_fields > 64)
        fail_msg("%s has %u fields", type->name, type->n_fields);
    for (unsigned i = 0; i < type->n_fields && depth < 12; i++)
        if (type->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
            check_fields(type->fields[i].descriptor, depth + 1);
}

static void no_message_has_more_fields_than_the_scan_can_tell(void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT_OF(roots); i++)
        check_fields(roots[i], 0);
}

/* Bytes that often are something: heads with small field numbers, short lengths, a nest now and then. */
static size_t random_bytes(struct rand *dice, uint8_t *out, size_t cap)
{
    size_t len = rand_below(dice, cap + 1);

    for (size_t i = 0; i < len; i++) {
        uint64_t kind = rand_below(dice, 4);

        if (kind == 0)
            out[i] = (uint8_t) rand_u64(dice);
        else if (kind == 1)
            out[i] = (uint8_t) (rand_below(dice, 16) << 3 | 2);
        else
            out[i] = (uint8_t) rand_below(dice, 24);
    }
    return len;
}

static void random_bytes_are_refused_or_unpacked(void **state)
{
    struct rand dice;
    size_t unpacked = 0;

    (void) state;
    rand_seed_with(&dice, 5);
    for (size_t i = 0; i < 60000; i++) {
        const ProtobufCMessageDescriptor *type = roots[i % COUNT_OF(roots)];
        uint8_t bytes[64];
        size_t len = random_bytes(&dice, bytes, sizeof bytes);
        ProtobufCMessage *message;
        struct fault fault = { 0 };
        int32_t passed = scan(type, bytes, len, &fault);

        /* What passes protobuf-c reads. */
        MESH_ERR(passed, wire_unpack(type, bytes, len, &wire_limits_standard, &message, &fault));
        unpacked += message != NULL;
        wire_free(message);
    }
    assert_true(unpacked > 1000);
}

/* A good message with a byte changed, or cut. */
static void damaged_messages_are_refused_or_unpacked(void **state)
{
    struct buf bytes = packed_assignment(8);
    struct rand dice;

    (void) state;
    rand_seed_with(&dice, 7);
    for (size_t i = 0; i < 20000; i++) {
        size_t len = buf_len(&bytes), at = rand_below(&dice, len);
        uint8_t before = bytes.data[bytes.start + at];
        ProtobufCMessage *message;
        struct fault fault = { 0 };

        bytes.data[bytes.start + at] = (uint8_t) rand_u64(&dice);
        if (rand_below(&dice, 2))
            len = rand_below(&dice, len);
        if (wire_unpack(ASSIGNMENT, buf_bytes(&bytes), len, &wire_limits_standard, &message, &fault))
            assert_true(text_starts_with(fault.text, "envoy.config.endpoint.v3.ClusterLoadAssignment"));
        wire_free(message);
        bytes.data[bytes.start + at] = before;
    }
    buf_free(&bytes);
}

static void no_memory_is_told_and_nothing_leaks(void **state)
{
    struct buf bytes = packed_assignment(2);
    int64_t live = 0;

    (void) state;
    for (uint64_t nth = 1;; nth++) {
        ProtobufCMessage *message;
        int32_t err;
        bool reached;

        mem_watch(nth, false);
        err = wire_unpack(ASSIGNMENT, buf_bytes(&bytes), buf_len(&bytes), &wire_limits_standard, &message, NULL);
        wire_free(message);
        reached = mem_unwatch(&live);
        assert_int_equal(live, 0);
        MESH_ERR(reached ? MESH_ERR_NOMEM : 0, err);
        if (!reached)
            break;
    }
    buf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_messages_are_unpacked),
        cmocka_unit_test(nothing_is_an_empty_message),
        cmocka_unit_test(unknown_fields_are_kept),
        cmocka_unit_test(a_later_value_replaces_an_earlier_one),
        cmocka_unit_test(packed_and_single_numbers_are_the_same),
        cmocka_unit_test(broken_bytes_are_refused_with_their_place),
        cmocka_unit_test(an_inner_message_does_not_reach_beyond_its_end),
        cmocka_unit_test(a_place_is_of_the_message_that_is_looked_at),
        cmocka_unit_test(packed_numbers_are_looked_into),
        cmocka_unit_test(a_message_stands_once),
        cmocka_unit_test(a_nesting_bomb_is_refused),
        cmocka_unit_test(what_passes_fits_a_stack_of_256_kib),
        cmocka_unit_test(each_limit_is_exact),
        cmocka_unit_test(empty_messages_cost_what_they_take),
        cmocka_unit_test(no_message_has_more_fields_than_the_scan_can_tell),
        cmocka_unit_test(random_bytes_are_refused_or_unpacked),
        cmocka_unit_test(damaged_messages_are_refused_or_unpacked),
        cmocka_unit_test(no_memory_is_told_and_nothing_leaks),
    };

    return cmocka_run_group_tests_name("source/xds_wire", tests, NULL, NULL);
}
