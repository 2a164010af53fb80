/* SPDX-License-Identifier: Apache-2.0 */
/* Services kept resolved against a DNS server that does as it is told: what is published, when, and what never is. */
#include "support/dns_source.h"
#include "support/fake_dns.h"

static struct fake_dns *dns;

static int set_up(void **state)
{
    static struct source_fixture f;

    mesh_test_watch(state);
    dns = fake_dns_start();
    fixture_init(&f);
    fixture_set(&f, "dns.servers", dns->servers);
    fixture_set(&f, "dns.timeout_ms", "400");
    fixture_set(&f, "dns.tries", "1");
    fixture_set(&f, "zone_cidrs", "a=10.0.1.0/24,b=10.0.2.0/24");
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_clear(*state);
    fake_dns_stop(dns);
    return mesh_test_unwatch(state);
}

/* Lets the next lookup of a name come and end. The clock of c-ares, which is not ours, needs some real time to pass. */
static void next_lookup(struct source_fixture *f, const char *name, unsigned type)
{
    unsigned before = fake_dns_asked(dns, name, type);

    for (int i = 0; i < TEST_GUARD_MS && fake_dns_asked(dns, name, type) == before; i++) {
        skip_ms(200);
        test_loop_turn(f->loop);
        poll(NULL, 0, 1);
    }
    assert_true(fake_dns_asked(dns, name, type) > before);
    test_loop_turns(f->loop, 10);
}

/* ---- hosts ---- */

static const char *hostname_now(struct source_fixture *f)
{
    const struct model_endpoints *set = endpoints_now(f, "users");

    return model_endpoint_rare(set, &set->endpoints[0])->hostname;
}

static void a_host_is_pending_then_ready(void **state)
{
    struct source_fixture *f = *state;

    fake_dns_set(dns, "users.test", FAKE_A, 60, "10.0.1.7 10.0.2.7 10.0.3.7");
    fixture_set(f, "services.users.target", "h2c://users.test:8080");
    fixture_start(f);
    assert_string_equal(describe_endpoints(endpoints_now(f, "users")), "PENDING");
    want(f, "users");
    expect(f, "users", "READY 10.0.1.7:8080@a 10.0.2.7:8080@b 10.0.3.7:8080", NULL);
    assert_string_equal(endpoints_now(f, "users")->source, "dns");
    assert_string_equal(hostname_now(f), "users.test");
    assert_int_equal(f->n_snapshots, 1);
}

static void static_services_ask_nobody(void **state)
{
    struct source_fixture *f = *state;

    fixture_set(f, "services.users.endpoints", "[{\"address\": \"127.0.0.1:9001\", \"zone\": \"z\"}]");
    fixture_start(f);
    assert_string_equal(describe_endpoints(endpoints_now(f, "users")), "READY 127.0.0.1:9001@z");
    want(f, "users");
    test_loop_turns(f->loop, 3);
    assert_int_equal(f->n_snapshots, 0);
}

/* The families of one host are one endpoint each way; in no order that servers send. */
static void families_pair_up(void **state)
{
    struct source_fixture *f = *state;

    fake_dns_set(dns, "users.test", FAKE_A, 60, "127.0.0.9 127.0.0.7 127.0.0.8");
    fake_dns_set(dns, "users.test", FAKE_AAAA, 60, "::1");
    fixture_set(f, "services.users.target", "h2c://users.test:80");
    fixture_start(f);
    want(f, "users");
    test_loop_turns(f->loop, 5);
    if (strstr(describe_endpoints(endpoints_now(f, "users")), "READY ["))
        expect(f, "users", "READY [::1]:80|127.0.0.7:80 127.0.0.8:80 127.0.0.9:80", NULL);
    else
        expect(f, "users", "READY 127.0.0.7:80|[::1]:80 127.0.0.8:80 127.0.0.9:80", NULL);
}

static void changes_are_taken_up_and_nothing_else(void **state)
{
    struct source_fixture *f = *state;
    struct model_endpoints *still;

    fake_dns_set(dns, "users.test", FAKE_A, 2, "10.0.0.1 10.0.0.2");
    fake_dns_set(dns, "pay.test", FAKE_A, 60, "10.0.9.9");
    fixture_set(f, "services.users.target", "h2c://users.test:80");
    fixture_set(f, "services.pay.target", "h2c://pay.test:80");
    fixture_start(f);
    want(f, "users");
    want(f, "pay");
    expect(f, "users", "READY 10.0.0.1:80 10.0.0.2:80", NULL);
    expect(f, "pay", "READY 10.0.9.9:80", NULL);
    still = endpoints_now(f, "pay");
    /* rotated: the same */
    unsigned before = f->n_snapshots;

    fake_dns_set(dns, "users.test", FAKE_A, 2, "10.0.0.2 10.0.0.1");
    next_lookup(f, "users.test", FAKE_A);
    assert_int_equal(f->n_snapshots, before);
    fake_dns_set(dns, "users.test", FAKE_A, 2, "10.0.0.3 10.0.0.1");
    next_lookup(f, "users.test", FAKE_A);
    expect(f, "users", "READY 10.0.0.1:80 10.0.0.3:80", NULL);
    assert_int_equal(f->n_snapshots, before + 1);
    assert_ptr_equal(endpoints_now(f, "pay"), still);
}

/* ---- SRV ---- */

static void srv_leads_to_hosts(void **state)
{
    struct source_fixture *f = *state;

    fake_dns_set(dns, "_h2c._tcp.users.test", FAKE_SRV, 60,
                 "20 1 8081 c.test; 10 5 8080 a.test; 10 0 8080 b.test; 10 5 0 d.test");
    fake_dns_set(dns, "a.test", FAKE_A, 60, "10.0.1.1");
    fake_dns_set(dns, "b.test", FAKE_A, 60, "10.0.2.1");
    fake_dns_set(dns, "c.test", FAKE_A, 60, "10.0.3.1 10.0.1.1");
    fake_dns_set(dns, "d.test", FAKE_A, 60, "10.0.4.1");
    fixture_set(f, "services.users.target", "srv+h2c://_h2c._tcp.users.test");
    fixture_start(f);
    want(f, "users");
    expect(f, "users", "READY 10.0.1.1:8080@a/w500 10.0.2.1:8080@b 10.0.1.1:8081@a/p1/w100 10.0.3.1:8081/p1/w100",
           NULL);
    assert_string_equal(endpoints_now(f, "users")->source, "srv");
    assert_string_equal(hostname_now(f), "a.test");
    assert_int_equal(fake_dns_asked(dns, "d.test", FAKE_A), 0); /* port 0 leads nowhere */
}

static void the_same_address_twice_is_one(void **state)
{
    struct source_fixture *f = *state;

    fake_dns_set(dns, "_s._tcp.test", FAKE_SRV, 60, "20 1 80 a.test; 10 1 80 b.test");
    fake_dns_set(dns, "a.test", FAKE_A, 60, "10.0.0.1 10.0.0.2");
    fake_dns_set(dns, "b.test", FAKE_A, 60, "10.0.0.2");
    fixture_set(f, "services.users.target", "srv+h2c://_s._tcp.test");
    fixture_start(f);
    want(f, "users");
    expect(f, "users", "READY 10.0.0.2:80 10.0.0.1:80/p1", NULL);
}

static void the_root_withdraws_at_once(void **state)
{
    struct source_fixture *f = *state;

    fake_dns_set(dns, "_s._tcp.test", FAKE_SRV, 2, "1 1 80 a.test");
    fake_dns_set(dns, "a.test", FAKE_A, 60, "10.0.0.1");
    fixture_set(f, "services.users.target", "srv+h2c://_s._tcp.test");
    fixture_start(f);
    want(f, "users");
    expect(f, "users", "READY 10.0.0.1:80", NULL);
    fake_dns_set(dns, "_s._tcp.test", FAKE_SRV, 2, "0 0 0 .");
    next_lookup(f, "_s._tcp.test", FAKE_SRV);
    expect(f, "users", "WITHDRAWN", NULL);
    /* What fails afterwards does not bring the old ones back. */
    fake_dns_fail(dns, "_s._tcp.test", FAKE_SRV, FAKE_SERVFAIL);
    next_lookup(f, "_s._tcp.test", FAKE_SRV);
    expect(f, "users", "WITHDRAWN", "SERVFAIL");
    fake_dns_set(dns, "_s._tcp.test", FAKE_SRV, 2, "1 1 81 a.test");
    next_lookup(f, "_s._tcp.test", FAKE_SRV);
    expect(f, "users", "READY 10.0.0.1:81", NULL);
}

/* All hosts are replaced at once: at no time is there none, nor only the first that answers. */
static void replaced_hosts_come_together(void **state)
{
    struct source_fixture *f = *state;

    fake_dns_set(dns, "_s._tcp.test", FAKE_SRV, 2, "1 1 80 a.test; 1 1 80 b.test");
    fake_dns_set(dns, "a.test", FAKE_A, 60, "10.0.0.1");
    fake_dns_set(dns, "b.test", FAKE_A, 60, "10.0.0.2");
    fake_dns_set(dns, "c.test", FAKE_A, 60, "10.0.0.3");
    fake_dns_set(dns, "d.test", FAKE_A, 60, "10.0.0.4");
    fixture_set(f, "services.users.target", "srv+h2c://_s._tcp.test");
    fixture_start(f);
    want(f, "users");
    expect(f, "users", "READY 10.0.0.1:80 10.0.0.2:80", NULL);
    fake_dns_set(dns, "_s._tcp.test", FAKE_SRV, 2, "1 1 80 c.test; 1 1 80 d.test");
    next_lookup(f, "_s._tcp.test", FAKE_SRV);
    expect(f, "users", "READY 10.0.0.3:80 10.0.0.4:80", NULL);
    for (unsigned i = 0; i < f->n_snapshots; i++) {
        const struct model_endpoints *set = model_snapshot_find(f->snapshots[i], "users")->endpoints;

        assert_true(set->state == ENDPOINTS_PENDING || set->n == 2);
    }
}

/* ---- failures ---- */

static void what_fails_at_first_fails_at_once_and_heals(void **state)
{
    struct source_fixture *f = *state;

    fixture_set(f, "services.users.target", "h2c://users.test:80");
    fixture_start(f);
    want(f, "users");
    expect(f, "users", "FAILED", "NXDOMAIN");
    assert_int_equal(endpoints_now(f, "users")->fault.code, MESH_ERR_DNS);
    for (int i = 0; i < 5; i++) { /* cached: nobody asks again for each request */
        want(f, "users");
        test_loop_turn(f->loop);
    }
    assert_int_equal(logged(f, "dns_refresh_failed"), 1);
    fake_dns_set(dns, "users.test", FAKE_A, 60, "10.0.0.1");
    skip_ms(1200);
    expect(f, "users", "READY 10.0.0.1:80", NULL);
    assert_int_equal(logged(f, "dns_refresh_recovered"), 1);
}

struct failure {
    unsigned rcode, behaviour;
    const char *says;
};

static void the_last_good_answer_stays(void **state)
{
    static const struct failure failures[] = {
        { FAKE_SERVFAIL, 0, "SERVFAIL" },
        { FAKE_NXDOMAIN, 0, "NXDOMAIN" },
        { FAKE_NOERROR, 0, "NODATA" },
        { FAKE_REFUSED, 0, "REFUSED" },
        { FAKE_NOERROR, FAKE_DROP, "no answer" },
        { FAKE_NOERROR, FAKE_GARBAGE, "DNS: " },
    };
    struct source_fixture *f = *state;

    fake_dns_set(dns, "users.test", FAKE_A, 2, "10.0.0.1");
    fixture_set(f, "services.users.target", "h2c://users.test:80");
    fixture_start(f);
    want(f, "users");
    expect(f, "users", "READY 10.0.0.1:80", NULL);
    for (unsigned i = 0; i < COUNT_OF(failures); i++) {
        for (unsigned type = FAKE_A; type <= FAKE_AAAA; type += FAKE_AAAA - FAKE_A)
            fake_dns_set_all(dns, "users.test", type, failures[i].rcode, 2, "", failures[i].behaviour);
        next_lookup(f, "users.test", FAKE_A);
        expect(f, "users", "READY 10.0.0.1:80", failures[i].says);
        next_lookup(f, "users.test", FAKE_A); /* told once, however often it fails */
        assert_int_equal(logged(f, "dns_refresh_failed"), i + 1);
        fake_dns_set(dns, "users.test", FAKE_A, 2, "10.0.0.1");
        fake_dns_set(dns, "users.test", FAKE_AAAA, 2, "");
        next_lookup(f, "users.test", FAKE_A);
        expect(f, "users", "READY 10.0.0.1:80", NULL);
    }
}

static void srv_hosts_keep_theirs_too(void **state)
{
    struct source_fixture *f = *state;

    fake_dns_set(dns, "_s._tcp.test", FAKE_SRV, 60, "1 1 80 a.test; 1 1 80 b.test");
    fake_dns_set(dns, "a.test", FAKE_A, 2, "10.0.0.1");
    fake_dns_set(dns, "b.test", FAKE_A, 60, "10.0.0.2");
    fixture_set(f, "services.users.target", "srv+h2c://_s._tcp.test");
    fixture_start(f);
    want(f, "users");
    expect(f, "users", "READY 10.0.0.1:80 10.0.0.2:80", NULL);
    fake_dns_fail(dns, "a.test", FAKE_A, FAKE_SERVFAIL);
    next_lookup(f, "a.test", FAKE_A);
    expect(f, "users", "READY 10.0.0.1:80 10.0.0.2:80", "SERVFAIL for \"a.test.\"");
}

/* A server that answers for one family only takes nothing away from the other. */
static void half_an_answer_takes_nothing_away(void **state)
{
    struct source_fixture *f = *state;

    fake_dns_set(dns, "users.test", FAKE_A, 2, "127.0.0.1");
    fake_dns_set(dns, "users.test", FAKE_AAAA, 2, "::1");
    fixture_set(f, "services.users.target", "h2c://users.test:80");
    fixture_start(f);
    want(f, "users");
    for (int i = 0; i < 200 && endpoints_now(f, "users")->state != ENDPOINTS_READY; i++)
        test_loop_turn(f->loop);
    unsigned before = f->n_snapshots;

    assert_int_equal(endpoints_now(f, "users")->n, 1);
    fake_dns_fail(dns, "users.test", FAKE_AAAA, FAKE_SERVFAIL);
    next_lookup(f, "users.test", FAKE_A);
    next_lookup(f, "users.test", FAKE_A);
    assert_int_equal(f->n_snapshots, before);
    fake_dns_set(dns, "users.test", FAKE_AAAA, 2, "");
    next_lookup(f, "users.test", FAKE_A);
    expect(f, "users", "READY 127.0.0.1:80", NULL);
}

/* ---- zones ---- */

static void a_slow_zone_does_not_hold_up_the_others(void **state)
{
    struct source_fixture *f = *state;

    fake_dns_set(dns, "a.test", FAKE_A, 60, "10.9.0.1");
    fake_dns_set_all(dns, "b.test", FAKE_A, FAKE_NOERROR, 60, "10.9.0.2", FAKE_LATE);
    fixture_set(f, "dns.timeout_ms", "30000");
    fixture_set(f, "services.users.zones", "{\"x\": \"h2c://a.test:80\", \"y\": \"h2c://b.test:80\"}");
    fixture_start(f);
    want(f, "users");
    expect(f, "users", "READY 10.9.0.1:80@x", NULL);
    fake_dns_release(dns);
    expect(f, "users", "READY 10.9.0.1:80@x 10.9.0.2:80@y", NULL);
}

static void zones_that_answer_come_as_one_snapshot(void **state)
{
    struct source_fixture *f = *state;

    fake_dns_set(dns, "a.test", FAKE_A, 60, "10.9.0.1");
    fake_dns_set(dns, "b.test", FAKE_A, 60, "10.9.0.2");
    fixture_set(f, "services.users.zones", "{\"x\": \"h2c://a.test:80\", \"y\": \"h2c://b.test:80\"}");
    fixture_start(f);
    want(f, "users");
    expect(f, "users", "READY 10.9.0.1:80@x 10.9.0.2:80@y", NULL);
    assert_int_equal(f->n_snapshots, 1);
}

static void a_zone_that_is_gone_leaves_the_others(void **state)
{
    struct source_fixture *f = *state;

    fake_dns_set(dns, "a.test", FAKE_A, 60, "10.9.0.1");
    fixture_set(f, "services.users.zones", "{\"x\": \"h2c://a.test:80\", \"y\": \"h2c://nothing.test:80\"}");
    fixture_start(f);
    want(f, "users");
    expect(f, "users", "READY 10.9.0.1:80@x", "\"nothing.test\" does not exist");
}

/* ---- names ---- */

static void a_name_is_asked_once_for_all(void **state)
{
    struct source_fixture *f = *state;

    fake_dns_set(dns, "shared.test", FAKE_A, 60, "10.0.0.1");
    fixture_set(f, "services.one.target", "h2c://shared.test:81");
    fixture_set(f, "services.two.target", "h2c://shared.test:82");
    fixture_start(f);
    want(f, "one");
    want(f, "two");
    expect(f, "one", "READY 10.0.0.1:81", NULL);
    expect(f, "two", "READY 10.0.0.1:82", NULL);
    want(f, "shared.test:83");
    expect(f, "shared.test:83", "READY 10.0.0.1:83", NULL);
    assert_int_equal(fake_dns_asked(dns, "shared.test", FAKE_A), 1);
}

static void unknown_names_are_taken_as_targets(void **state)
{
    struct source_fixture *f = *state;
    struct fault fault = { 0 };

    fixture_start(f);
    want(f, "10.0.0.1:8080");
    expect(f, "10.0.0.1:8080", "READY 10.0.0.1:8080", NULL);
    fake_dns_set(dns, "some.test", FAKE_A, 60, "10.0.0.2");
    want(f, "h2c://some.test:90");
    expect(f, "h2c://some.test:90", "READY 10.0.0.2:90", NULL);
    loop_enter(f->loop);
    assert_int_not_equal(source_want(f->source, "ftp://some.test", &fault), 0);
    assert_true(fault.text[0] != '\0');
    loop_leave(f->loop);
}

static void unknown_names_are_limited(void **state)
{
    struct source_fixture *f = *state;
    struct fault fault = { 0 };
    char name[32];

    fixture_start(f);
    loop_enter(f->loop);
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof name, "10.1.%d.%d:80", i / 250, i % 250);
        MESH_OK(source_want(f->source, name, NULL));
    }
    MESH_ERR(MESH_ERR_NO_ROUTE, source_want(f->source, "10.2.0.1:80", &fault));
    assert_non_null(strstr(fault.text, "10000"));
    MESH_OK(source_want(f->source, "10.1.0.1:80", NULL));
    loop_leave(f->loop);
    assert_int_equal(f->n_snapshots, 1);
    skip_ms((SOURCE_UNUSED_S + 70) * 1000);
    test_loop_turns(f->loop, 3);
    assert_int_equal(source_snapshot(f->source)->n, 0);
    loop_enter(f->loop);
    MESH_OK(source_want(f->source, "10.2.0.1:80", NULL));
    loop_leave(f->loop);
}

static void what_nobody_wants_rests(void **state)
{
    struct source_fixture *f = *state;
    unsigned asked;

    fake_dns_set(dns, "users.test", FAKE_A, 200, "10.0.0.1");
    fixture_set(f, "services.users.target", "h2c://users.test:80");
    fixture_start(f);
    want(f, "users");
    expect(f, "users", "READY 10.0.0.1:80", NULL);
    skip_ms((SOURCE_UNUSED_S + 70) * 1000);
    test_loop_turns(f->loop, 10);
    asked = fake_dns_asked(dns, "users.test", FAKE_A);
    fake_dns_set(dns, "users.test", FAKE_A, 200, "10.0.0.2");
    for (int i = 0; i < 10; i++) {
        skip_ms(1000 * 1000);
        test_loop_turns(f->loop, 3);
    }
    assert_int_equal(fake_dns_asked(dns, "users.test", FAKE_A), asked);
    assert_string_equal(describe_endpoints(endpoints_now(f, "users")), "READY 10.0.0.1:80"); /* better than waiting */
    want(f, "users");
    expect(f, "users", "READY 10.0.0.2:80", NULL);
}

static void wait_asked(struct source_fixture *f, const char *name, unsigned times)
{
    for (int i = 0; i < TEST_GUARD_MS / TEST_POLL_MS && fake_dns_asked(dns, name, FAKE_A) < times; i++)
        test_loop_turn(f->loop);
    test_loop_turns(f->loop, 5);
    assert_int_equal(fake_dns_asked(dns, name, FAKE_A), times);
}

/* TTLs are obeyed within limits: 0 is not "always", and a day is not a day. */
static void ttls_have_limits(void **state)
{
    struct source_fixture *f = *state;
    unsigned asked;

    fake_dns_set(dns, "zero.test", FAKE_A, 0, "10.0.0.1");
    fake_dns_set(dns, "day.test", FAKE_A, 86400, "10.0.0.2");
    fixture_start(f);
    want(f, "zero.test");
    want(f, "day.test");
    expect(f, "zero.test", "READY 10.0.0.1:80", NULL);
    expect(f, "day.test", "READY 10.0.0.2:80", NULL);
    asked = fake_dns_asked(dns, "day.test", FAKE_A);
    test_loop_turns(f->loop, 3);
    assert_int_equal(fake_dns_asked(dns, "zero.test", FAKE_A), 1);
    skip_ms(1250);
    wait_asked(f, "zero.test", 2);
    assert_int_equal(fake_dns_asked(dns, "day.test", FAKE_A), asked);
    skip_ms(301 * 1000);
    wait_asked(f, "day.test", asked + 1);
}

static void many_targets_are_cut_where_they_are_too_many(void **state)
{
    static char records[1200 * 24];
    struct source_fixture *f = *state;
    size_t len = 0;

    for (unsigned i = 0; i < 1200; i++)
        len += (size_t) snprintf(records + len, sizeof records - len, "%s1 1 %u a.test", i ? "; " : "", 2000 + i);
    fake_dns_set_all(dns, "_s._tcp.test", FAKE_SRV, FAKE_NOERROR, 60, records, FAKE_TRUNCATE);
    fake_dns_set(dns, "a.test", FAKE_A, 60, "10.0.0.1");
    fixture_set(f, "services.users.target", "srv+h2c://_s._tcp.test");
    fixture_start(f);
    want(f, "users");
    for (int i = 0; i < 1000 && endpoints_now(f, "users")->state != ENDPOINTS_READY; i++)
        test_loop_turn(f->loop);
    assert_int_equal(endpoints_now(f, "users")->n, 1000);
    assert_int_equal(endpoints_now(f, "users")->endpoints[999].addr.port, 2999);
    assert_int_equal(logged(f, "dns_answer_cut"), 1);
    assert_int_equal(fake_dns_asked(dns, "a.test", FAKE_A), 1);
}

static void freed_while_it_asks(void **state)
{
    struct source_fixture *f = *state;

    fake_dns_set(dns, "_s._tcp.test", FAKE_SRV, 60, "1 1 80 a.test; 1 1 80 b.test");
    fake_dns_behave(dns, "a.test", FAKE_A, FAKE_DROP);
    fake_dns_set(dns, "b.test", FAKE_A, 60, "10.0.0.2");
    fixture_set(f, "services.users.target", "srv+h2c://_s._tcp.test");
    fixture_start(f);
    want(f, "users");
    want(f, "users.test:80");
    test_loop_turns(f->loop, 5);
}

#define SOURCE_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOURCE_TEST(a_host_is_pending_then_ready),
        SOURCE_TEST(static_services_ask_nobody),
        SOURCE_TEST(families_pair_up),
        SOURCE_TEST(changes_are_taken_up_and_nothing_else),
        SOURCE_TEST(srv_leads_to_hosts),
        SOURCE_TEST(the_same_address_twice_is_one),
        SOURCE_TEST(the_root_withdraws_at_once),
        SOURCE_TEST(replaced_hosts_come_together),
        SOURCE_TEST(what_fails_at_first_fails_at_once_and_heals),
        SOURCE_TEST(the_last_good_answer_stays),
        SOURCE_TEST(srv_hosts_keep_theirs_too),
        SOURCE_TEST(half_an_answer_takes_nothing_away),
        SOURCE_TEST(a_slow_zone_does_not_hold_up_the_others),
        SOURCE_TEST(zones_that_answer_come_as_one_snapshot),
        SOURCE_TEST(a_zone_that_is_gone_leaves_the_others),
        SOURCE_TEST(a_name_is_asked_once_for_all),
        SOURCE_TEST(unknown_names_are_taken_as_targets),
        SOURCE_TEST(unknown_names_are_limited),
        SOURCE_TEST(what_nobody_wants_rests),
        SOURCE_TEST(ttls_have_limits),
        SOURCE_TEST(many_targets_are_cut_where_they_are_too_many),
        SOURCE_TEST(freed_while_it_asks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
