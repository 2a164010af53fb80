/* SPDX-License-Identifier: Apache-2.0 */
/* The SRV walk: what RFC 2782 says, and packets that somebody made to hurt. */
#include "mesh_test.h"

#include <string.h>

#include "net/resolver_srv.h"
#include "net/resolver_wire.h"

/* ---- a message in the making ---- */

struct message {
    uint8_t bytes[65535];
    size_t len;
};

static void put8(struct message *m, unsigned value)
{
    m->bytes[m->len++] = (uint8_t) value;
}

static void put16(struct message *m, unsigned value)
{
    put8(m, value >> 8);
    put8(m, value & 255);
}

static void put32(struct message *m, uint32_t value)
{
    put16(m, value >> 16);
    put16(m, value & 65535);
}

static void put_name(struct message *m, const char *name)
{
    while (*name) {
        size_t n = strcspn(name, ".");

        put8(m, (unsigned) n);
        memcpy(m->bytes + m->len, name, n);
        m->len += n;
        name += n + (name[n] == '.');
    }
    put8(m, 0);
}

static void begin(struct message *m, const char *question, unsigned n_answers)
{
    m->len = 0;
    put16(m, 1);
    put16(m, 0x8180);
    put16(m, 1);
    put16(m, n_answers);
    put32(m, 0);
    put_name(m, question);
    put16(m, WIRE_TYPE_SRV);
    put16(m, WIRE_CLASS_IN);
}

/* Returns where the length of the data stands. */
static size_t put_head(struct message *m, const char *owner, unsigned type, uint32_t ttl)
{
    put_name(m, owner);
    put16(m, type);
    put16(m, WIRE_CLASS_IN);
    put32(m, ttl);
    put16(m, 0);
    return m->len - 2;
}

static void set_length(struct message *m, size_t at)
{
    size_t n = m->len - at - 2;

    m->bytes[at] = (uint8_t) (n >> 8);
    m->bytes[at + 1] = (uint8_t) n;
}

static void put_srv(struct message *m, const char *owner, uint32_t ttl, unsigned priority, unsigned weight,
                    unsigned port, const char *target)
{
    size_t at = put_head(m, owner, WIRE_TYPE_SRV, ttl);

    put16(m, priority);
    put16(m, weight);
    put16(m, port);
    put_name(m, target);
    set_length(m, at);
}

static void put_cname(struct message *m, const char *owner, uint32_t ttl, const char *to)
{
    size_t at = put_head(m, owner, WIRE_TYPE_CNAME, ttl);

    put_name(m, to);
    set_length(m, at);
}

static struct message message;

static struct srv_records read_ok(const struct message *m)
{
    struct srv_records records;

    MESH_OK(srv_records_read(&records, m->bytes, m->len));
    return records;
}

/* ---- what is right ---- */

static void sorts_and_takes_the_least_ttl(void **state)
{
    struct srv_records r;

    (void) state;
    begin(&message, "_h2c._tcp.users", 4);
    put_srv(&message, "_h2c._tcp.users", 60, 20, 5, 80, "late.example");
    put_srv(&message, "_h2c._tcp.users", 30, 10, 1, 8080, "b.example");
    put_srv(&message, "_H2C._TCP.Users", 90, 10, 9, 8080, "A.Example");
    put_srv(&message, "_h2c._tcp.users", 90, 10, 9, 8080, "a.example");
    r = read_ok(&message);
    assert_int_equal(r.n, 3); /* the same record twice is one */
    assert_int_equal(r.ttl_s, 30);
    assert_string_equal(r.srvs[0].target, "a.example");
    assert_int_equal(r.srvs[0].weight, 9);
    assert_string_equal(r.srvs[1].target, "b.example");
    assert_int_equal(r.srvs[1].port, 8080);
    assert_string_equal(r.srvs[2].target, "late.example");
    assert_int_equal(r.srvs[2].priority, 20);
    srv_records_free(&r);
}

static void the_root_is_an_empty_target(void **state)
{
    struct srv_records r;

    (void) state;
    begin(&message, "gone", 1);
    put_srv(&message, "gone", 60, 0, 0, 0, "");
    r = read_ok(&message);
    assert_int_equal(r.n, 1);
    assert_string_equal(r.srvs[0].target, "");
    srv_records_free(&r);
}

static void compression_is_understood(void **state)
{
    struct srv_records r;
    size_t at;

    (void) state;
    begin(&message, "x.example", 1);
    put16(&message, 0xc000 | 12); /* x.example */
    put16(&message, WIRE_TYPE_SRV);
    put16(&message, WIRE_CLASS_IN);
    put32(&message, 7);
    at = message.len;
    put16(&message, 0);
    put16(&message, 1);
    put16(&message, 2);
    put16(&message, 3);
    put8(&message, 1);
    put8(&message, 'h');
    put16(&message, 0xc000 | 14); /* .example */
    set_length(&message, at);
    r = read_ok(&message);
    assert_int_equal(r.n, 1);
    assert_string_equal(r.srvs[0].target, "h.example");
    srv_records_free(&r);
}

static void aliases_are_followed_in_any_order(void **state)
{
    struct srv_records r;

    (void) state;
    begin(&message, "a", 3);
    put_srv(&message, "c", 60, 0, 1, 1, "h");
    put_cname(&message, "b", 5, "c");
    put_cname(&message, "a", 50, "b");
    r = read_ok(&message);
    assert_int_equal(r.n, 1);
    assert_int_equal(r.ttl_s, 5);
    srv_records_free(&r);
}

static void other_names_and_types_do_not_count(void **state)
{
    struct srv_records r;
    size_t at;

    (void) state;
    begin(&message, "a", 2);
    put_srv(&message, "b", 60, 0, 1, 1, "h");
    at = put_head(&message, "a", WIRE_TYPE_A, 1);
    put32(&message, 0x0a000001);
    set_length(&message, at);
    r = read_ok(&message);
    assert_int_equal(r.n, 0);
    assert_int_equal(r.ttl_s, 0);
    srv_records_free(&r);
}

static void a_negative_ttl_is_none(void **state)
{
    struct srv_records r;

    (void) state;
    begin(&message, "a", 1);
    put_srv(&message, "a", 0x80000001, 0, 1, 1, "h");
    r = read_ok(&message);
    assert_int_equal(r.ttl_s, 0);
    srv_records_free(&r);
}

/* ---- what is wrong ---- */

static void strange_targets_are_left_out(void **state)
{
    struct srv_records r;
    size_t at;

    (void) state;
    begin(&message, "a", 4);
    put_srv(&message, "a", 60, 0, 1, 1, "h\nX");
    put_srv(&message, "a", 60, 0, 1, 1, "good");
    at = put_head(&message, "a", WIRE_TYPE_SRV, 60); /* data that ends within its name */
    put32(&message, 0);
    put16(&message, 80);
    put8(&message, 5);
    put8(&message, 'x');
    set_length(&message, at);
    at = put_head(&message, "a", WIRE_TYPE_SRV, 60); /* no data at all */
    set_length(&message, at);
    r = read_ok(&message);
    assert_int_equal(r.n, 1);
    assert_string_equal(r.srvs[0].target, "good");
    srv_records_free(&r);
}

static void loops_end(void **state)
{
    struct srv_records r;

    (void) state;
    begin(&message, "a", 2); /* of aliases */
    put_cname(&message, "a", 1, "b");
    put_cname(&message, "b", 1, "a");
    r = read_ok(&message);
    assert_int_equal(r.n, 0);
    srv_records_free(&r);

    begin(&message, "a", 1); /* of pointers: to itself, and forward */
    put16(&message, 0xc000 | (unsigned) message.len);
    put_srv(&message, "", 1, 1, 1, 1, "h");
    MESH_ERR(MESH_ERR_DNS, srv_records_read(&r, message.bytes, message.len));
    begin(&message, "a", 1);
    put16(&message, 0xc000 | (unsigned) (message.len + 2));
    put_srv(&message, "", 1, 1, 1, 1, "h");
    MESH_ERR(MESH_ERR_DNS, srv_records_read(&r, message.bytes, message.len));
}

/* Thousands of records, each of whose owners is the end of one long chain of pointers. */
static void chains_of_pointers_are_refused(void **state)
{
    struct srv_records r;
    size_t last;

    (void) state;
    begin(&message, "a", 2000);
    last = 12;
    put_name(&message, "pad");
    while (message.len < 16000) {
        size_t here = message.len;

        put16(&message, 0xc000 | (unsigned) last);
        last = here;
    }
    MESH_ERR(MESH_ERR_DNS, srv_records_read(&r, message.bytes, message.len));
}

static void names_longer_than_allowed_are_refused(void **state)
{
    char label[64], name[400] = "";
    struct srv_records r;

    (void) state;
    memset(label, 'x', 63);
    label[63] = '\0';
    for (int i = 0; i < 5; i++)
        snprintf(name + strlen(name), sizeof name - strlen(name), "%s%s", i ? "." : "", label);
    begin(&message, "a", 1);
    put_srv(&message, name, 1, 1, 1, 1, "h");
    MESH_ERR(MESH_ERR_DNS, srv_records_read(&r, message.bytes, message.len));
}

static void promised_records_must_be_there(void **state)
{
    struct srv_records r;

    (void) state;
    begin(&message, "a", 65535);
    put_srv(&message, "a", 60, 0, 1, 1, "h");
    MESH_ERR(MESH_ERR_DNS, srv_records_read(&r, message.bytes, message.len));
}

/* Every prefix of a good message, each in a block of its own so that a sanitizer sees the first byte too far. */
static void any_cut_is_survived(void **state)
{
    struct srv_records r;

    (void) state;
    begin(&message, "_h2c._tcp.users.example", 3);
    put_cname(&message, "_h2c._tcp.users.example", 9, "elsewhere.example");
    put_srv(&message, "elsewhere.example", 60, 10, 1, 8080, "b.example");
    put_srv(&message, "elsewhere.example", 60, 10, 1, 8080, "c.example");
    for (size_t n = 0; n < message.len; n++) {
        uint8_t *copy = mem_alloc(n + 1);

        memcpy(copy, message.bytes, n);
        MESH_ERR(MESH_ERR_DNS, srv_records_read(&r, copy, n));
        mem_free(copy);
    }
}

/* Good messages with bytes changed at random: any answer is fine, none may read elsewhere. */
static void random_damage_is_survived(void **state)
{
    struct rand dice;
    struct message whole;

    (void) state;
    rand_seed_with(&dice, 4711);
    begin(&whole, "_h2c._tcp.users.example", 3);
    put_cname(&whole, "_h2c._tcp.users.example", 9, "elsewhere.example");
    put_srv(&whole, "elsewhere.example", 60, 10, 1, 8080, "b.example");
    put_srv(&whole, "elsewhere.example", 60, 10, 1, 8080, "c.example");
    for (int round = 0; round < 20000; round++) {
        uint8_t *copy = mem_alloc(whole.len);
        struct srv_records r;

        memcpy(copy, whole.bytes, whole.len);
        for (uint64_t i = rand_below(&dice, 6) + 1; i > 0; i--)
            copy[rand_below(&dice, whole.len)] = (uint8_t) rand_u64(&dice);
        if (srv_records_read(&r, copy, whole.len) == 0)
            srv_records_free(&r);
        mem_free(copy);
    }
}

static int32_t read_one(void)
{
    struct srv_records r;
    int32_t err = srv_records_read(&r, message.bytes, message.len);

    srv_records_free(&r);
    return err;
}

static void running_out_of_memory_leaves_nothing(void **state)
{
    (void) state;
    begin(&message, "a", 1);
    put_srv(&message, "a", 60, 0, 1, 1, "h");
    mesh_test_each_allocation_fails(read_one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(sorts_and_takes_the_least_ttl),      LEAK_TEST(the_root_is_an_empty_target),
        LEAK_TEST(compression_is_understood),          LEAK_TEST(aliases_are_followed_in_any_order),
        LEAK_TEST(other_names_and_types_do_not_count), LEAK_TEST(a_negative_ttl_is_none),
        LEAK_TEST(strange_targets_are_left_out),       LEAK_TEST(loops_end),
        LEAK_TEST(chains_of_pointers_are_refused),     LEAK_TEST(names_longer_than_allowed_are_refused),
        LEAK_TEST(promised_records_must_be_there),     LEAK_TEST(any_cut_is_survived),
        LEAK_TEST(random_damage_is_survived),          cmocka_unit_test(running_out_of_memory_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
