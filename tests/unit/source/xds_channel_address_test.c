/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which addresses of a control plane are raced, and what it is called. */
#include <string.h>

#include "mesh_test.h"
#include "source/xds/channel_address.h"

static struct addr addr_of(const char *text)
{
    struct addr addr;

    assert_true(addr_parse(&addr, text, strlen(text), 0));
    return addr;
}

/* "10.0.0.1:80 [::1]:80" */
static const char *ordered(const struct addr *addrs, size_t n, enum addr_family prefers, uint64_t dice)
{
    static char out[1024];
    struct addr order[CHANNEL_ADDRS_MOST];
    size_t count = channel_order_addrs(addrs, n, prefers, 80, dice, order), len = 0;
    char text[ADDR_TEXT];

    out[0] = '\0';
    for (size_t i = 0; i < count; i++)
        len += (size_t) snprintf(out + len, sizeof out - len, "%s%s", i > 0 ? " " : "", addr_format(&order[i], text));
    return out;
}

static void families_take_turns(void **state)
{
    const struct addr addrs[] = { addr_of("10.0.0.1"), addr_of("10.0.0.2"), addr_of("10.0.0.3"), addr_of("fd00::1") };

    (void) state;
    assert_string_equal(ordered(addrs, 4, ADDR_IPV4, 0), "10.0.0.1:80 [fd00::1]:80 10.0.0.2:80 10.0.0.3:80");
    assert_string_equal(ordered(addrs, 4, ADDR_IPV6, 0), "[fd00::1]:80 10.0.0.1:80 10.0.0.2:80 10.0.0.3:80");
    assert_string_equal(ordered(addrs, 3, ADDR_IPV6, 0), "10.0.0.1:80 10.0.0.2:80 10.0.0.3:80");
    assert_string_equal(ordered(addrs + 3, 1, ADDR_NONE, 7), "[fd00::1]:80");
    assert_string_equal(ordered(addrs, 0, ADDR_IPV4, 7), "");
}

static void each_family_begins_anywhere(void **state)
{
    const struct addr addrs[] = { addr_of("10.0.0.1"), addr_of("10.0.0.2"), addr_of("10.0.0.3"), addr_of("fd00::1"),
                                  addr_of("fd00::2") };

    (void) state;
    assert_string_equal(ordered(addrs, 5, ADDR_IPV4, 1),
                        "10.0.0.2:80 [fd00::2]:80 10.0.0.3:80 [fd00::1]:80 10.0.0.1:80");
    assert_string_equal(ordered(addrs, 5, ADDR_IPV4, 2),
                        "10.0.0.3:80 [fd00::1]:80 10.0.0.1:80 [fd00::2]:80 10.0.0.2:80");
    assert_true(strlen(ordered(addrs, 5, ADDR_IPV4, UINT64_MAX)) > 0);
}

static void there_is_a_most(void **state)
{
    struct addr addrs[1000], out[CHANNEL_ADDRS_MOST];

    (void) state;
    for (size_t i = 0; i < COUNT_OF(addrs); i++) {
        addrs[i] = addr_of(i % 2 ? "fd00::1" : "10.0.0.1");
        addrs[i].ip[2] = (uint8_t) (i >> 8);
        addrs[i].ip[3] = (uint8_t) i;
    }
    assert_int_equal(channel_order_addrs(addrs, COUNT_OF(addrs), ADDR_IPV6, 1, 499, out), CHANNEL_ADDRS_MOST);
    assert_int_equal(out[0].family, ADDR_IPV6);
    assert_int_equal(out[0].ip[2] << 8 | out[0].ip[3], 999);
    assert_int_equal(out[2].ip[2] << 8 | out[2].ip[3], 1);
    assert_int_equal(out[CHANNEL_ADDRS_MOST - 1].family, ADDR_IPV4);
}

static void is_called(const char *uri, const char *authority, const char *server_name)
{
    struct model_target target;
    char *text;

    MESH_OK(model_target_parse(uri, MODEL_H2, &target, NULL));
    text = channel_authority(&target);
    assert_string_equal(text, authority);
    assert_string_equal(channel_server_name(&target), server_name);
    mem_free(text);
    model_target_free(&target);
}

static void names(void **state)
{
    (void) state;
    is_called("istiod.istio-system.svc:15012", "istiod.istio-system.svc:15012", "istiod.istio-system.svc");
    is_called("dns:///control", "control", "control");
    is_called("10.0.0.1:18000", "10.0.0.1:18000", "10.0.0.1");
    is_called("ipv6:[fd00::1]:18000", "[fd00::1]:18000", "fd00::1");
    is_called("ipv6:fd00::1", "[fd00::1]", "fd00::1");
    is_called("unix:///var/run/xds.sock", "localhost", "localhost");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(families_take_turns),
        LEAK_TEST(each_family_begins_anywhere),
        LEAK_TEST(there_is_a_most),
        LEAK_TEST(names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
