/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses: what is read, what is refused, how they are written, compared and given to the kernel. */
#include "mesh_test.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "base/base.h"

static bool parse(struct addr *addr, const char *text)
{
    return addr_parse(addr, text, strlen(text), 80);
}

static void literals_are_read_and_written_alike(void **state)
{
    static const struct {
        const char *text;
        const char *written;
        const char *ip;
    } cases[] = {
        { "10.0.0.1", "10.0.0.1:80", "10.0.0.1" },
        { "10.0.0.1:0", "10.0.0.1:0", "10.0.0.1" },
        { "255.255.255.255:65535", "255.255.255.255:65535", "255.255.255.255" },
        { "::1", "[::1]:80", "::1" },
        { "::", "[::]:80", "::" },
        { "[::1]", "[::1]:80", "::1" },
        { "[::1]:8443", "[::1]:8443", "::1" },
        { "2001:0DB8:0:0:0:0:0:1", "[2001:db8::1]:80", "2001:db8::1" },
        { "[::ffff:10.0.0.1]:1", "[::ffff:10.0.0.1]:1", "::ffff:10.0.0.1" },
        { "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:80",
          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char out[ADDR_TEXT];
        struct addr addr;

        assert_true(parse(&addr, cases[i].text));
        assert_string_equal(addr_format(&addr, out), cases[i].written);
        assert_string_equal(addr_format_ip(&addr, out), cases[i].ip);
    }
}

static void what_is_no_literal_address_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "users",
        "users:80",
        "localhost",
        "10.0.0",
        "10.0.0.256",
        "10.0.0.1.",
        " 10.0.0.1",
        "10.0.0.1 ",
        "10.0.0.1:",
        "10.0.0.1:65536",
        "10.0.0.1:-1",
        "10.0.0.1:+1",
        "10.0.0.1:80x",
        "10.0.0.1:99999999999999999999",
        ":80",
        ":",
        ":::",
        "[",
        "]",
        "[]",
        "[]:80",
        "[::1",
        "::1]",
        "[::1]80",
        "[::1]:",
        "[::1]]:80",
        "[10.0.0.1]",
        "[10.0.0.1]:80",
        "::g",
        "1:2:3:4:5:6:7:8:9",
        "fe80::1%",
        "fe80::1%no-such-interface-here",
        "10.0.0.1%lo",
        "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255%an-interface-with-a-name-that-nobody-has",
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct addr addr;

        if (parse(&addr, cases[i]))
            fail_msg("\"%s\" was taken for an address", cases[i]);
    }
}

static void length_ends_the_text(void **state)
{
    struct addr addr;
    char out[ADDR_TEXT];

    (void) state;
    assert_true(addr_parse(&addr, "10.0.0.1:8080,10.0.0.2", 13, 1));
    assert_string_equal(addr_format(&addr, out), "10.0.0.1:8080");
    assert_true(addr_parse(&addr, "[::1]:80808080", 8, 1));
    assert_string_equal(addr_format(&addr, out), "[::1]:80");
    assert_false(addr_parse(&addr, "10.0.0.1\0x", 10, 1));
    assert_false(addr_parse(&addr, NULL, 0, 1));
}

static void scope_is_the_interface(void **state)
{
    char name[IF_NAMESIZE], text[64], out[ADDR_TEXT], expected[80];
    struct addr addr;

    (void) state;
    if (!if_indextoname(1, name))
        skip();
    snprintf(text, sizeof text, "[fe80::1%%%s]:9", name);
    snprintf(expected, sizeof expected, "[fe80::1%%%s]:9", name);
    assert_true(parse(&addr, text));
    assert_int_equal(addr.scope, 1);
    assert_string_equal(addr_format(&addr, out), expected);
}

static void unix_path_must_fit(void **state)
{
    char longest[sizeof(((struct sockaddr_un *) 0)->sun_path)], too_long[sizeof longest + 1];
    char out[ADDR_TEXT], expected[sizeof longest + 5];
    struct addr addr;

    (void) state;
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    memset(too_long, 'x', sizeof too_long);
    too_long[sizeof too_long - 1] = '\0';
    assert_true(addr_unix(&addr, longest));
    snprintf(expected, sizeof expected, "unix:%s", longest);
    assert_string_equal(addr_format(&addr, out), expected);
    assert_false(addr_unix(&addr, too_long));
    assert_false(addr_unix(&addr, ""));
}

static void equal_means_same_family_address_port_and_path(void **state)
{
    char path[] = "/run/a.sock";
    struct addr a, b;

    (void) state;
    parse(&a, "10.0.0.1:1");
    parse(&b, "10.0.0.1:1");
    assert_true(addr_equal(&a, &b));
    assert_true(addr_hash(&a) == addr_hash(&b));
    parse(&b, "10.0.0.1:2");
    assert_false(addr_equal(&a, &b));
    parse(&b, "[::ffff:10.0.0.1]:1");
    assert_false(addr_equal(&a, &b));
    addr_unix(&a, path);
    assert_false(addr_equal(&a, &b));
    addr_unix(&b, "/run/a.sock");
    assert_true(addr_equal(&a, &b));
    assert_true(addr_hash(&a) == addr_hash(&b));
    addr_unix(&b, "/run/b.sock");
    assert_false(addr_equal(&a, &b));
}

static void sockaddr_there_and_back(void **state)
{
    static const char *const cases[] = { "10.1.2.3:4567", "[2001:db8::7]:443" };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sockaddr_storage storage;
        struct addr addr, back;

        assert_true(parse(&addr, cases[i]));
        assert_true(addr_to_sockaddr(&addr, &storage) >= sizeof(struct sockaddr_in));
        assert_true(addr_from_sockaddr(&back, (struct sockaddr *) &storage));
        assert_true(addr_equal(&addr, &back));
    }
}

static void sockaddr_has_network_byte_order(void **state)
{
    struct sockaddr_storage storage;
    const struct sockaddr_in *in = (const struct sockaddr_in *) &storage;
    struct addr addr;

    (void) state;
    parse(&addr, "10.1.2.3:4567");
    assert_int_equal(addr_to_sockaddr(&addr, &storage), sizeof *in);
    assert_int_equal(in->sin_port, htons(4567));
    assert_int_equal(in->sin_addr.s_addr, inet_addr("10.1.2.3"));
}

static void other_families_are_refused(void **state)
{
    struct sockaddr_storage storage;
    const struct sockaddr_un *un = (const struct sockaddr_un *) &storage;
    struct addr addr = { 0 };

    (void) state;
    assert_int_equal(addr_to_sockaddr(&addr, &storage), 0);
    addr_unix(&addr, "/run/a.sock");
    assert_int_equal(addr_to_sockaddr(&addr, &storage), sizeof *un);
    assert_string_equal(un->sun_path, "/run/a.sock");
    assert_false(addr_from_sockaddr(&addr, (struct sockaddr *) &storage));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_are_read_and_written_alike),
        cmocka_unit_test(what_is_no_literal_address_is_refused),
        cmocka_unit_test(length_ends_the_text),
        cmocka_unit_test(scope_is_the_interface),
        cmocka_unit_test(unix_path_must_fit),
        cmocka_unit_test(equal_means_same_family_address_port_and_path),
        cmocka_unit_test(sockaddr_there_and_back),
        cmocka_unit_test(sockaddr_has_network_byte_order),
        cmocka_unit_test(other_families_are_refused),
    };

    return cmocka_run_group_tests_name("base/addr", tests, NULL, NULL);
}
