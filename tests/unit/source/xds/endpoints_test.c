/* SPDX-License-Identifier: Apache-2.0 */
/* ClusterLoadAssignments become sets of endpoints, in steps or at once; what gRPC refuses is refused with its place. */
#include "mesh_test.h"

#include <stdlib.h>
#include <string.h>

#include "source/xds/endpoints.h"
#include "source/xds/wire.h"
#include "support/assignment.h"

#define ONE(text)             \
    (&(struct said_endpoint){ \
        .address = (text),    \
    })

static struct ignored ignored;

static int32_t read_in_steps(const struct buf *bytes, size_t most, struct model_endpoints **out, struct fault *fault)
{
    struct endpoints_reader *reader = endpoints_reader_new(buf_bytes(bytes), buf_len(bytes), &ignored);
    int32_t err;

    assert_non_null(reader);
    do
        err = endpoints_reader_step(reader, most, out, fault);
    while (err == MESH_ERR_AGAIN);
    endpoints_reader_free(reader);
    return err;
}

/* Whichever way it is read, it says the same. */
static int32_t read_whole(const struct buf *bytes, struct model_endpoints **out, struct fault *fault)
{
    struct reading reading = { .fault = fault };
    struct model_endpoints *by_message = NULL;
    ProtobufCMessage *message;
    struct fault other = { 0 };
    int32_t err = read_in_steps(bytes, 1, out, fault), by_unpacking;

    reading.fault = &other;
    by_unpacking = wire_unpack(&endpoint__cluster_load_assignment__descriptor, buf_bytes(bytes), buf_len(bytes),
                               &wire_limits_standard, &message, &other);
    if (!by_unpacking)
        by_unpacking = endpoints_of_message(&reading, (const Endpoint__ClusterLoadAssignment *) message, &by_message);
    wire_free(message);
    assert_int_equal(by_unpacking != 0, err != 0);
    if (err == MESH_ERR_INVALID && by_unpacking == MESH_ERR_INVALID)
        assert_string_equal(other.text, fault->text);
    if (*out) {
        by_message->source = (*out)->source;
        assert_true(model_endpoints_equal(*out, by_message));
    }
    model_endpoints_unref(by_message);
    return err;
}

/* Frees the bytes. */
static struct model_endpoints *accepted(struct buf *bytes)
{
    struct model_endpoints *set;
    struct fault fault = { 0 };

    ignored_clear(&ignored);
    if (read_whole(bytes, &set, &fault) != 0)
        fail_msg("%s", fault.text);
    assert_non_null(set);
    buf_free(bytes);
    return set;
}

static void refused(struct buf *bytes, int32_t wanted, const char *sentence)
{
    struct model_endpoints *set;
    struct fault fault = { 0 };

    MESH_ERR(wanted, read_whole(bytes, &set, &fault));
    assert_null(set);
    assert_string_equal(fault.text, sentence);
    buf_free(bytes);
}

static const struct model_locality *place(const struct model_endpoints *set, size_t at)
{
    return model_endpoint_locality(set, &set->endpoints[at]);
}

static const struct model_rare *rare(const struct model_endpoints *set, size_t at)
{
    return model_endpoint_rare(set, &set->endpoints[at]);
}

static void assert_address(const struct model_endpoints *set, size_t at, const char *address)
{
    char text[ADDR_TEXT];

    assert_string_equal(addr_format(&set->endpoints[at].addr, text), address);
}

/* One locality with these endpoints. */
static struct buf assignment(const struct said_endpoint *said, size_t n)
{
    struct buf locality = { 0 }, out = { 0 };

    put_place(&locality, "eu", "eu-1", NULL, 0, 0);
    for (size_t i = 0; i < n; i++)
        put_endpoint(&locality, &said[i]);
    put_text(&out, 1, "users");
    put_message(&out, 2, locality);
    return out;
}

/* ---- what is taken ---- */

static void endpoints_have_place_weight_and_health(void **state)
{
    struct said_endpoint first[] = { { .address = "10.0.0.1:80", .weight = 7 },
                                     { .address = "[2001:db8::1]:81", .health = 3 },
                                     { .address = "/run/users.sock", .health = 5, .hostname = "a.test" } };
    struct buf a = { 0 }, b = { 0 }, c = { 0 }, bytes = { 0 };
    struct model_endpoints *set;

    (void) state;
    for (size_t i = 0; i < COUNT_OF(first); i++)
        put_endpoint(&a, &first[i]);
    put_place(&a, "eu", "eu-1", "rack-7", 0, 3);
    put_place(&b, "us", NULL, NULL, 1, 4);
    put_endpoint(&b, ONE("10.0.1.1:80"));
    put_place(&c, "eu", "eu-1", "rack-7", 1, 5); /* the same in another priority */
    put_message(&bytes, 2, a);
    put_message(&bytes, 2, b);
    put_message(&bytes, 2, c);
    put_text(&bytes, 1, "users");
    set = accepted(&bytes);
    assert_int_equal(set->state, ENDPOINTS_READY);
    assert_int_equal(set->n, 4);
    assert_address(set, 0, "10.0.0.1:80");
    assert_address(set, 1, "[2001:db8::1]:81");
    assert_address(set, 2, "unix:/run/users.sock");
    assert_int_equal(set->endpoints[0].weight, 7);
    assert_int_equal(set->endpoints[1].weight, 1);
    assert_int_equal(set->endpoints[0].health, ENDPOINT_HEALTHY);
    assert_int_equal(set->endpoints[1].health, ENDPOINT_DRAINING);
    assert_int_equal(set->endpoints[2].health, ENDPOINT_DEGRADED);
    assert_string_equal(rare(set, 2)->hostname, "a.test");
    assert_string_equal(place(set, 0)->label, "eu-1");
    assert_string_equal(place(set, 0)->region, "eu");
    assert_string_equal(place(set, 0)->sub_zone, "rack-7");
    assert_int_equal(place(set, 0)->weight, 3);
    assert_int_equal(place(set, 0)->priority, 0);
    assert_string_equal(place(set, 3)->label, "us"); /* it has no zone */
    assert_int_equal(place(set, 3)->priority, 1);
    assert_int_equal(place(set, 3)->weight, 4);
    assert_int_equal(ignored.n, 0);
    model_endpoints_unref(set);
}

static void the_name_is_known_early(void **state)
{
    struct buf bytes = assignment(ONE("10.0.0.1:80"), 1);
    struct endpoints_reader *reader = endpoints_reader_new(buf_bytes(&bytes), buf_len(&bytes), NULL);
    struct model_endpoints *set;
    struct fault fault;
    const char *name;
    size_t len;

    (void) state;
    assert_true(endpoints_peek_name(buf_bytes(&bytes), buf_len(&bytes), &name, &len));
    assert_int_equal(len, 5);
    assert_memory_equal(name, "users", 5);
    assert_string_equal(endpoints_reader_name(reader), "");
    MESH_ERR(MESH_ERR_AGAIN, endpoints_reader_step(reader, 1, &set, &fault));
    assert_null(set);
    assert_string_equal(endpoints_reader_name(reader), "users");
    endpoints_reader_free(reader); /* before its end: nothing leaks */
    buf_free(&bytes);
    assert_false(endpoints_peek_name(NULL, 0, &name, &len));
}

static void an_empty_set_is_a_set(void **state)
{
    struct buf bytes = { 0 };
    struct model_endpoints *set = accepted(&bytes);

    (void) state;
    assert_int_equal(set->state, ENDPOINTS_READY);
    assert_int_equal(set->n, 0);
    model_endpoints_unref(set);
    put_text(&bytes, 1, "users");
    put_message(&bytes, 2, (struct buf){ 0 }); /* a locality without an id and without endpoints */
    set = accepted(&bytes);
    assert_int_equal(set->n, 0);
    model_endpoints_unref(set);
}

static void labels_that_repeat_are_kept_once(void **state)
{
    struct said_endpoint said[] = {
        { .address = "10.0.0.1:80", .label = "v1" },
        { .address = "10.0.0.2:80", .label = "v2" },
        { .address = "10.0.0.3:80", .label = "v1" },
        { .address = "10.0.0.4:80", .label = "v1", .alternative = "[::1]:80" }, /* read by its message */
        { .address = "10.0.0.5:80" },
    };
    struct buf bytes = assignment(said, COUNT_OF(said));
    struct model_endpoints *set = accepted(&bytes);
    const struct model_labels *labels = rare(set, 0)->labels;

    (void) state;
    assert_int_equal(labels->n, 1);
    assert_string_equal(labels->items[0].key, "version");
    assert_string_equal(labels->items[0].value, "\"v1\"");
    assert_string_equal(rare(set, 1)->labels->items[0].value, "\"v2\"");
    assert_int_equal(set->endpoints[2].rare, set->endpoints[0].rare);
    assert_ptr_equal(rare(set, 3)->labels, labels);
    assert_int_equal(rare(set, 3)->alternative.family, ADDR_IPV6);
    assert_null(rare(set, 4)->labels);
    model_endpoints_unref(set);
}

static void the_hash_key_is_in_the_metadata(void **state)
{
    struct buf locality = { 0 }, endpoint = { 0 }, one = { 0 }, bytes = { 0 };
    struct model_endpoints *set;

    (void) state;
    put_message(&endpoint, 1, address_of("10.0.0.1:80"));
    put_message(&one, 1, endpoint);
    put_message(&one, 3, metadata_of("envoy.lb", "hash_key", "shard-7"));
    put_message(&locality, 2, one);
    put_message(&bytes, 2, locality);
    set = accepted(&bytes);
    assert_string_equal(rare(set, 0)->hash_key, "shard-7");
    model_endpoints_unref(set);
}

static void put_drop(struct buf *policy, const char *category, uint32_t numerator, uint32_t denominator)
{
    struct buf fraction = { 0 }, drop = { 0 };

    put_number(&fraction, 1, numerator);
    put_number(&fraction, 2, denominator);
    put_text(&drop, 1, category);
    put_message(&drop, 2, fraction);
    put_message(policy, 2, drop);
}

static void the_policy_is_read(void **state)
{
    struct buf policy = { 0 }, seconds = { 0 }, bytes = { 0 };
    struct model_endpoints *set;

    (void) state;
    put_drop(&policy, "lb", 25, 0);
    put_drop(&policy, "throttle", 12, 1);
    put_drop(&policy, "all", 2000000, 2); /* more than all is all */
    put_message(&policy, 3, wrapped_number(170));
    put_number(&seconds, 1, 90);
    put_message(&policy, 4, seconds);
    put_number(&policy, 6, 1);
    put_message(&bytes, 4, policy);
    set = accepted(&bytes);
    assert_int_equal(set->n_drops, 3);
    assert_string_equal(set->drops[0].category, "lb");
    assert_int_equal(set->drops[0].per_million, 250000);
    assert_int_equal(set->drops[1].per_million, 1200);
    assert_int_equal(set->drops[2].per_million, 1000000);
    assert_int_equal(set->overprovisioning_percent, 170);
    assert_true(set->health_by_weight);
    assert_int_equal(set->stale_after_us, 90 * US_PER_S);
    model_endpoints_unref(set);
}

static void assert_ignored(size_t at, const char *sentence)
{
    assert_true(at < ignored.n);
    assert_string_equal(ignored.items[at], sentence);
}

static void what_is_not_honoured_is_listed_once(void **state)
{
    struct buf locality = { 0 }, bytes = { 0 };

    (void) state;
    for (int i = 0; i < 3; i++) {
        struct buf endpoint = { 0 }, one = { 0 }, check = { 0 };
        char address[32];

        snprintf(address, sizeof address, "10.0.0.%d:80", i);
        put_message(&endpoint, 1, address_of(address));
        put_number(&check, 1, 8081);
        put_message(&endpoint, 2, check);
        put_message(&one, 1, endpoint);
        put_message(&one, 3, metadata_of("envoy.transport_socket_match", "tls", "yes"));
        put_message(&locality, 2, one);
    }
    put_number(&locality, 6, 1);
    put_message(&bytes, 2, locality);
    put_text(&bytes, 5, "");
    model_endpoints_unref(accepted(&bytes));
    assert_int_equal(ignored.n, 4);
    assert_ignored(0,
                   "endpoints[0].lb_endpoints[0].endpoint.health_check_config: checks go to the endpoint's own port, "
                   "with the host of the cluster's health check");
    assert_ignored(1, "endpoints[0].lb_endpoints[0]: metadata \"envoy.transport_socket_match\" is not gone by");
    assert_ignored(2, "endpoints[0]: field 6 of envoy.config.endpoint.v3.LocalityLbEndpoints is not known to libmesh");
    assert_ignored(3, "field 5 of envoy.config.endpoint.v3.ClusterLoadAssignment is not known to libmesh");
    ignored_clear(&ignored);
}

/* ---- what is refused ---- */

static void addresses_are_literal(void **state)
{
    struct said_endpoint name = { .address = "users.test:80" }, no_port = { .address = "10.0.0.1:0" },
                         large = { .address = "10.0.0.1:65536" }, path = { .address = "" };
    struct buf bytes = assignment(&name, 1), locality = { 0 }, endpoint = { 0 };

    (void) state;
    refused(&bytes, MESH_ERR_INVALID,
            "endpoints[0].lb_endpoints[0].endpoint.address.socket_address.address: \"users.test\" is no literal IP "
            "address");
    bytes = assignment(&no_port, 1);
    refused(&bytes, MESH_ERR_INVALID,
            "endpoints[0].lb_endpoints[0].endpoint.address.socket_address.port_value: 0, allowed is 1 to 65535");
    bytes = assignment(&large, 1);
    refused(&bytes, MESH_ERR_INVALID,
            "endpoints[0].lb_endpoints[0].endpoint.address.socket_address.port_value: 65536, allowed is 1 to 65535");
    bytes = assignment(&path, 1);
    refused(&bytes, MESH_ERR_INVALID,
            "endpoints[0].lb_endpoints[0].endpoint.address.pipe.path: \"\" is no path of 1 to 107 bytes");
    bytes = (struct buf){ 0 };
    put_text(&endpoint, 5, "by-name");
    put_message(&locality, 2, endpoint);
    put_message(&bytes, 2, locality);
    refused(&bytes, MESH_ERR_INVALID, "endpoints[0].lb_endpoints[0]: there is no endpoint");
}

static void put_socket(struct buf *locality, uint32_t protocol, bool named)
{
    struct buf socket = { 0 }, address = { 0 }, endpoint = { 0 }, one = { 0 };

    put_number(&socket, 1, protocol);
    put_text(&socket, 2, "10.0.0.1");
    if (named)
        put_text(&socket, 4, "http");
    else
        put_number(&socket, 3, 80);
    put_message(&address, 1, socket);
    put_message(&endpoint, 1, address);
    put_message(&one, 1, endpoint);
    put_message(locality, 2, one);
}

static void udp_and_named_ports_are_refused(void **state)
{
    struct buf locality = { 0 }, bytes = { 0 };

    (void) state;
    put_socket(&locality, 1, false);
    put_message(&bytes, 2, locality);
    refused(&bytes, MESH_ERR_INVALID,
            "endpoints[0].lb_endpoints[0].endpoint.address.socket_address.protocol: 1, allowed is TCP");
    locality = bytes = (struct buf){ 0 };
    put_socket(&locality, 0, true);
    put_message(&bytes, 2, locality);
    refused(&bytes, MESH_ERR_INVALID,
            "endpoints[0].lb_endpoints[0].endpoint.address.socket_address.port_value: it is missing");
}

static void an_address_stands_once(void **state)
{
    struct said_endpoint twice[] = { { .address = "10.0.0.1:80" },
                                     { .address = "10.0.0.2:80" },
                                     { .address = "10.0.0.1:80" } };
    struct said_endpoint second[] = { { .address = "10.0.0.1:80", .alternative = "[::1]:80" },
                                      { .address = "[::1]:80" } };
    struct buf bytes = assignment(twice, COUNT_OF(twice));

    (void) state;
    refused(&bytes, MESH_ERR_INVALID,
            "endpoints[0].lb_endpoints[2].endpoint.address: 10.0.0.1:80 stands twice in the resource");
    bytes = assignment(second, COUNT_OF(second));
    refused(&bytes, MESH_ERR_INVALID,
            "endpoints[0].lb_endpoints[1].endpoint.address: [::1]:80 stands twice in the resource");
    twice[2].address = "10.0.0.1:81";
    bytes = assignment(twice, COUNT_OF(twice));
    model_endpoints_unref(accepted(&bytes));
}

static void weights_are_checked(void **state)
{
    struct said_endpoint said[] = { { .address = "10.0.0.1:80", .weight = UINT32_MAX },
                                    { .address = "10.0.0.2:80", .weight = 1 } };
    struct buf endpoint = { 0 }, one = { 0 }, locality = { 0 }, bytes = { 0 };

    (void) state;
    put_message(&endpoint, 1, address_of("10.0.0.1:80"));
    put_message(&one, 1, endpoint);
    put_message(&one, 4, (struct buf){ 0 }); /* a weight that is 0 */
    put_message(&locality, 2, one);
    put_message(&bytes, 2, locality);
    refused(&bytes, MESH_ERR_INVALID,
            "endpoints[0].lb_endpoints[0].load_balancing_weight: 0 is not from 1 to 4294967295");
    bytes = assignment(said, 1);
    model_endpoints_unref(accepted(&bytes));
    bytes = assignment(said, 2);
    refused(&bytes, MESH_ERR_INVALID,
            "endpoints[0].lb_endpoints[1].load_balancing_weight: the weights of the locality sum up to more than "
            "4294967295");
}

/* Localities of these priorities, each of another zone. */
static struct buf localities(const uint32_t *priorities, size_t n, uint32_t weight)
{
    struct buf out = { 0 };

    for (size_t i = 0; i < n; i++) {
        struct buf locality = { 0 };
        char zone[24];

        snprintf(zone, sizeof zone, "z%zu", i);
        put_place(&locality, NULL, zone, NULL, priorities[i], weight);
        put_message(&out, 2, locality);
    }
    return out;
}

static void localities_and_priorities_are_checked(void **state)
{
    struct buf bytes = localities((uint32_t[]){ 0, 0 }, 2, UINT32_MAX), a = { 0 }, b = { 0 };

    (void) state;
    refused(&bytes, MESH_ERR_INVALID,
            "endpoints[1].load_balancing_weight: the weights of the localities of priority 0 sum up to more than "
            "4294967295");
    bytes = localities((uint32_t[]){ 0, 1 }, 2, UINT32_MAX);
    model_endpoints_unref(accepted(&bytes));
    bytes = localities((uint32_t[]){ 3, 0, 1 }, 3, 1);
    refused(&bytes, MESH_ERR_INVALID, "endpoints: there is priority 3, but no priority 2");
    bytes = localities((uint32_t[]){ 129 }, 1, 1);
    refused(&bytes, MESH_ERR_INVALID, "endpoints[0].priority: 129, allowed is 0 to 128");
    put_place(&a, "eu", "eu-1", NULL, 0, 1);
    put_place(&b, "eu", "eu-1", NULL, 0, 2);
    put_message(&bytes, 2, a);
    put_message(&bytes, 2, b);
    refused(&bytes, MESH_ERR_INVALID,
            "endpoints[1].locality: region \"eu\", zone \"eu-1\", sub_zone \"\" stands twice in "
            "priority 0");
}

static void what_is_no_message_is_refused(void **state)
{
    struct said_endpoint said = { .address = "10.0.0.1:80", .weight = 3, .hostname = "h", .label = "v1" };
    struct buf whole = assignment(&said, 1);
    size_t len = buf_len(&whole);

    (void) state;
    for (size_t i = 0; i < len; i++) {
        struct buf part = { 0 };
        struct model_endpoints *set;
        struct fault fault = { 0 };

        assert_true(buf_append(&part, buf_bytes(&whole), i + 1));
        if (read_whole(&part, &set, &fault) != 0) {
            assert_null(set);
            assert_true(fault.text[0] != '\0');
        }
        model_endpoints_unref(set);
        buf_free(&part);
    }
    buf_free(&whole);
}

static int32_t one_read(const struct buf *bytes)
{
    struct endpoints_reader *reader = endpoints_reader_new(buf_bytes(bytes), buf_len(bytes), NULL);
    struct model_endpoints *set = NULL;
    struct fault fault = { 0 };
    int32_t err = reader ? MESH_ERR_AGAIN : MESH_ERR_NOMEM;

    while (err == MESH_ERR_AGAIN)
        err = endpoints_reader_step(reader, 1, &set, &fault);
    model_endpoints_unref(set);
    endpoints_reader_free(reader);
    return err;
}

/* What is read the quick way and fails is read again, so that one lack of memory may be survived. */
static void memory_may_run_out(void **state)
{
    struct said_endpoint said[] = { { .address = "10.0.0.1:80", .label = "v1", .hostname = "host" },
                                    { .address = "/run/x", .label = "v2" },
                                    { .address = "10.0.0.2:80", .label = "v2", .alternative = "[::1]:80" } };
    struct buf bytes = assignment(said, COUNT_OF(said));
    bool reached = true, was_told = false;

    (void) state;
    for (uint64_t nth = 1; reached; nth++) {
        int64_t live;
        int32_t err;

        mem_watch(nth, false);
        err = one_read(&bytes);
        reached = mem_unwatch(&live);
        assert_int_equal(live, 0);
        assert_true(err == 0 || (reached && err == MESH_ERR_NOMEM));
        was_told = was_told || err;
    }
    assert_true(was_told);
    buf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(endpoints_have_place_weight_and_health),
        LEAK_TEST(the_name_is_known_early),
        LEAK_TEST(an_empty_set_is_a_set),
        LEAK_TEST(labels_that_repeat_are_kept_once),
        LEAK_TEST(the_hash_key_is_in_the_metadata),
        LEAK_TEST(the_policy_is_read),
        LEAK_TEST(what_is_not_honoured_is_listed_once),
        LEAK_TEST(addresses_are_literal),
        LEAK_TEST(udp_and_named_ports_are_refused),
        LEAK_TEST(an_address_stands_once),
        LEAK_TEST(weights_are_checked),
        LEAK_TEST(localities_and_priorities_are_checked),
        LEAK_TEST(what_is_no_message_is_refused),
        cmocka_unit_test(memory_may_run_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
