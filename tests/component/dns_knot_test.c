/* SPDX-License-Identifier: Apache-2.0 */
/* Discovery against a real DNS server whose zone changes, and that dies and comes back. */
#include "support/dns_source.h"
#include "support/knot.h"

static struct knot knot;
static struct source_fixture f;

#define USERS "_h2c._tcp.users SRV 10 1 8080 a\n"
#define HOSTS "a A 10.0.0.1\nb A 10.0.0.2\nb AAAA fd00::2\nc A 10.0.0.3\n"

static int set_up(void **state)
{
    mesh_test_watch(state);
    knot_start(&knot, USERS HOSTS "alias CNAME b\nother TXT \"x\"\n");
    fixture_init(&f);
    fixture_set(&f, "dns.servers", knot.servers);
    fixture_set(&f, "dns.timeout_ms", "300");
    fixture_set(&f, "dns.tries", "1");
    fixture_set(&f, "dns.min_ttl_ms", "100");
    fixture_set(&f, "services.users.target", "srv+h2c://_h2c._tcp.users.test");
    fixture_start(&f);
    return 0;
}

static int tear_down(void **state)
{
    fixture_clear(&f);
    knot_stop(&knot);
    return mesh_test_unwatch(state);
}

/* The zone changes, and what was known of it is over. */
static void change(const char *records)
{
    knot_change(&knot, records);
    skip_ms(2300);
}

static void records_come_and_go(void **state)
{
    (void) state;
    want(&f, "users");
    expect(&f, "users", "READY 10.0.0.1:8080", NULL);
    change(USERS "_h2c._tcp.users SRV 20 1 8081 c\n" HOSTS);
    expect(&f, "users", "READY 10.0.0.1:8080 10.0.0.3:8081/p1", NULL);
    change("_h2c._tcp.users SRV 20 0 8081 c\n_h2c._tcp.users SRV 20 5 8082 c\n" HOSTS);
    expect(&f, "users", "READY 10.0.0.3:8082/w500 10.0.0.3:8081", NULL);
    change("_h2c._tcp.users SRV 0 0 0 .\n" HOSTS);
    expect(&f, "users", "WITHDRAWN", NULL);
    change(USERS HOSTS);
    expect(&f, "users", "READY 10.0.0.1:8080", NULL);
    change(HOSTS); /* a mistake of somebody's: what was good goes on */
    expect(&f, "users", "READY 10.0.0.1:8080", "NXDOMAIN");
    change("_h2c._tcp.users TXT \"x\"\n" HOSTS);
    expect(&f, "users", "READY 10.0.0.1:8080", "NODATA");
    change(USERS HOSTS);
    expect(&f, "users", "READY 10.0.0.1:8080", NULL);
}

static void hosts_aliases_and_what_is_not_there(void **state)
{
    const struct model_endpoints *set;

    (void) state;
    want(&f, "a.test:80");
    want(&f, "alias.test:80");
    want(&f, "other.test:80");
    want(&f, "nothing.test:80");
    expect(&f, "a.test:80", "READY 10.0.0.1:80", NULL);
    expect(&f, "other.test:80", "FAILED", "has no A or AAAA record");
    expect(&f, "nothing.test:80", "FAILED", "does not exist");
    for (int i = 0; i < 1000 && endpoints_now(&f, "alias.test:80")->state != ENDPOINTS_READY; i++)
        test_loop_turn(f.loop);
    set = endpoints_now(&f, "alias.test:80");
    assert_int_equal(set->n, 1);
    assert_int_equal(model_endpoint_rare(set, &set->endpoints[0])->alternative.port, 80);
    assert_string_equal(model_endpoint_rare(set, &set->endpoints[0])->hostname, "alias.test");
}

static void the_server_dies_and_comes_back(void **state)
{
    (void) state;
    want(&f, "users");
    expect(&f, "users", "READY 10.0.0.1:8080", NULL);
    knot_kill(&knot);
    expect(&f, "users", "READY 10.0.0.1:8080", knot.servers);
    want(&f, "c.test:80");
    expect(&f, "c.test:80", "FAILED", knot.servers);
    knot_write_zone(&knot, "_h2c._tcp.users SRV 10 1 8080 b\n"
                           "b A 10.0.0.2\nc A 10.0.0.3\n");
    knot_launch(&knot);
    skip_ms(31000);
    expect(&f, "users", "READY 10.0.0.2:8080", NULL);
    expect(&f, "c.test:80", "READY 10.0.0.3:80", NULL);
}

static void large_answers_come_over_tcp(void **state)
{
    static char records[300 * 48 + 256];
    size_t len = (size_t) snprintf(records, sizeof records, HOSTS);

    (void) state;
    for (unsigned i = 0; i < 300; i++)
        len += (size_t) snprintf(records + len, sizeof records - len, "_h2c._tcp.users SRV 10 5 %u a\n", 9000 + i);
    knot_change(&knot, records);
    want(&f, "users");
    for (int i = 0; i < 1000 && endpoints_now(&f, "users")->n != 300; i++)
        test_loop_turn(f.loop);
    assert_int_equal(endpoints_now(&f, "users")->n, 300);
}

#define KNOT_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KNOT_TEST(records_come_and_go),
        KNOT_TEST(hosts_aliases_and_what_is_not_there),
        KNOT_TEST(the_server_dies_and_comes_back),
        KNOT_TEST(large_answers_come_over_tcp),
    };

    if (!knot_is_installed()) {
        print_message("skipped: knotd is not installed\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
