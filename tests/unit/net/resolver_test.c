/* SPDX-License-Identifier: Apache-2.0 */
/* The resolver against a DNS server that does as it is told. */
#include "support/fake_dns.h"
#include "test_loop.h"

#include <sys/stat.h>

#include "net/net.h"

/* What one lookup was told, copied. */
struct heard {
    unsigned times;
    enum net_answer_kind kind;
    struct fault fault;
    uint32_t ttl_s;
    struct addr addrs[2000];
    size_t n_addrs;
    struct net_srv srvs[16];
    char targets[16][256];
    size_t n_srvs;
    bool partial;
    char from[32];
};

struct fixture {
    struct loop *loop;
    struct fake_dns *dns;
    struct net_resolver *resolver;
};

static struct heard heard, other;

static void on_answer(void *user, const struct net_answer *answer)
{
    struct heard *h = user;

    h->times++;
    h->kind = answer->kind;
    h->fault = answer->fault;
    h->ttl_s = answer->ttl_s;
    h->partial = answer->partial;
    h->n_addrs = answer->n_addrs;
    for (size_t i = 0; i < answer->n_addrs && i < COUNT_OF(h->addrs); i++)
        h->addrs[i] = answer->addrs[i];
    h->n_srvs = answer->n_srvs;
    for (size_t i = 0; i < answer->n_srvs && i < COUNT_OF(h->srvs); i++) {
        h->srvs[i] = answer->srvs[i];
        snprintf(h->targets[i], sizeof h->targets[i], "%s", answer->srvs[i].target);
    }
    snprintf(h->from, sizeof h->from, "%s", answer->from);
}

static bool was_heard(void *user)
{
    return ((struct heard *) user)->times > 0;
}

static struct net_resolver *new_resolver(struct loop *loop, const char *servers, const char *resolv_conf)
{
    struct net_resolver_conf conf = { .servers = servers, .timeout_ms = 150, .tries = 2, .resolv_conf = resolv_conf };
    struct net_resolver *resolver;

    MESH_OK(net_resolver_new(loop, &conf, &resolver, NULL));
    return resolver;
}

static int set_up(void **state)
{
    static struct fixture f;

    mesh_test_watch(state);
    f.loop = test_loop_new();
    f.dns = fake_dns_start();
    f.resolver = new_resolver(f.loop, f.dns->servers, NULL);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    loop_enter(f->loop);
    net_resolver_free(f->resolver);
    loop_leave(f->loop);
    fake_dns_stop(f->dns);
    loop_free(f->loop);
    return mesh_test_unwatch(state);
}

/* Asks and waits for the answer. */
static void ask(struct fixture *f, const char *name, bool srv)
{
    struct net_lookup *lookup;

    heard = (struct heard){ 0 };
    loop_enter(f->loop);
    MESH_OK((srv ? net_lookup_srv : net_lookup_host)(f->resolver, name, on_answer, &heard, &lookup));
    assert_int_equal(heard.times, 0);
    loop_leave(f->loop);
    test_loop_until(f->loop, was_heard, &heard);
    assert_int_equal(heard.times, 1);
}

static void assert_addr(const struct addr *addr, const char *expected)
{
    char text[ADDR_TEXT];

    assert_string_equal(addr_format_ip(addr, text), expected);
    assert_int_equal(addr->port, 0);
}

static void assert_says(const char *part)
{
    assert_int_equal(heard.fault.code, MESH_ERR_DNS);
    if (!strstr(heard.fault.text, part))
        fail_msg("\"%s\" does not say \"%s\"", heard.fault.text, part);
}

/* ---- answers ---- */

static void both_families_come(void **state)
{
    struct fixture *f = *state;

    fake_dns_set(f->dns, "users.test", FAKE_A, 60, "127.0.0.7");
    fake_dns_set(f->dns, "users.test", FAKE_AAAA, 30, "::1");
    ask(f, "users.test", false);
    assert_int_equal(heard.kind, NET_ANSWER_OK);
    assert_int_equal(heard.n_addrs, 2);
    assert_int_equal(heard.ttl_s, 30);
    assert_false(heard.partial);
    assert_string_equal(heard.from, "dns");
    assert_int_equal(heard.fault.code, 0);
}

static void an_alias_counts_with_its_ttl(void **state)
{
    struct fixture *f = *state;

    fake_dns_set(f->dns, "alias.test", FAKE_CNAME, 5, "real.test");
    fake_dns_set(f->dns, "real.test", FAKE_A, 60, "127.0.0.8 127.0.0.9");
    ask(f, "alias.test", false);
    assert_int_equal(heard.kind, NET_ANSWER_OK);
    assert_int_equal(heard.n_addrs, 2);
    assert_int_equal(heard.ttl_s, 5);
}

static void literal_addresses_ask_nobody(void **state)
{
    struct fixture *f = *state;

    ask(f, "10.1.2.3", false);
    assert_int_equal(heard.kind, NET_ANSWER_OK);
    assert_string_equal(heard.from, "literal");
    assert_addr(&heard.addrs[0], "10.1.2.3");
    ask(f, "10.1.2.3.", false);
    assert_addr(&heard.addrs[0], "10.1.2.3");
    ask(f, "[fe80::1]", false);
    assert_addr(&heard.addrs[0], "fe80::1");
}

static void the_hosts_file_comes_first(void **state)
{
    struct fixture *f = *state;

    fake_dns_set(f->dns, "localhost", FAKE_A, 60, "10.9.9.9");
    ask(f, "localhost", false);
    assert_int_equal(heard.kind, NET_ANSWER_OK);
    assert_string_equal(heard.from, "hosts file");
    assert_int_equal(heard.ttl_s, 0);
    for (size_t i = 0; i < heard.n_addrs; i++)
        assert_true(heard.addrs[i].ip[0] == 127 || heard.addrs[i].ip[15] == 1);
    ask(f, "localhost.", false); /* as a target of SRV records */
    assert_string_equal(heard.from, "hosts file");
    assert_int_equal(fake_dns_asked(f->dns, "localhost", FAKE_A), 0);
}

static void services_come_sorted(void **state)
{
    struct fixture *f = *state;

    fake_dns_set(f->dns, "_h2c._tcp.users.test", FAKE_SRV, 20, "20 1 81 b.test; 10 3 80 a.test; 10 7 80 c.test");
    ask(f, "_h2c._tcp.users.test", true);
    assert_int_equal(heard.kind, NET_ANSWER_OK);
    assert_int_equal(heard.n_srvs, 3);
    assert_int_equal(heard.ttl_s, 20);
    assert_string_equal(heard.targets[0], "c.test");
    assert_string_equal(heard.targets[1], "a.test");
    assert_string_equal(heard.targets[2], "b.test");
    assert_int_equal(heard.srvs[2].priority, 20);
    assert_int_equal(heard.srvs[2].port, 81);
}

static void a_service_can_be_decidedly_not_there(void **state)
{
    struct fixture *f = *state;

    fake_dns_set(f->dns, "_gone._tcp.test", FAKE_SRV, 20, "0 0 0 .");
    ask(f, "_gone._tcp.test", true);
    assert_int_equal(heard.kind, NET_ANSWER_OK);
    assert_int_equal(heard.n_srvs, 1);
    assert_string_equal(heard.targets[0], "");
}

/* ---- no answers ---- */

static void a_name_that_does_not_exist(void **state)
{
    struct fixture *f = *state;

    ask(f, "nothing.test", false);
    assert_int_equal(heard.kind, NET_ANSWER_NXDOMAIN);
    assert_says("\"nothing.test\" does not exist (NXDOMAIN for A or AAAA from 127.0.0.1:");
    ask(f, "_nothing._tcp.test", true);
    assert_int_equal(heard.kind, NET_ANSWER_NXDOMAIN);
    assert_says("NXDOMAIN for SRV from");
}

static void a_name_without_such_a_record(void **state)
{
    struct fixture *f = *state;

    fake_dns_set(f->dns, "other.test", 16 /* TXT */, 60, "");
    ask(f, "other.test", false);
    assert_int_equal(heard.kind, NET_ANSWER_NODATA);
    assert_says("\"other.test\" has no A or AAAA record");
    ask(f, "other.test", true);
    assert_int_equal(heard.kind, NET_ANSWER_NODATA);
    assert_says("no SRV record");
}

static void refusals_are_named(void **state)
{
    struct fixture *f = *state;

    fake_dns_fail(f->dns, "ill.test", FAKE_A, FAKE_SERVFAIL);
    fake_dns_fail(f->dns, "ill.test", FAKE_AAAA, FAKE_SERVFAIL);
    ask(f, "ill.test", false);
    assert_int_equal(heard.kind, NET_ANSWER_FAILED);
    assert_says("SERVFAIL for \"ill.test\"");
    fake_dns_fail(f->dns, "_ill._tcp.test", FAKE_SRV, FAKE_REFUSED);
    ask(f, "_ill._tcp.test", true);
    assert_int_equal(heard.kind, NET_ANSWER_FAILED);
    assert_says("REFUSED for \"_ill._tcp.test\" (SRV)");
}

/* That there is no AAAA does not mean that there is no A. */
static void half_a_refusal_is_not_nodata(void **state)
{
    struct fixture *f = *state;

    fake_dns_fail(f->dns, "half.test", FAKE_A, FAKE_SERVFAIL);
    fake_dns_set(f->dns, "half.test", FAKE_AAAA, 60, "");
    ask(f, "half.test", false);
    assert_int_equal(heard.kind, NET_ANSWER_FAILED);
    assert_says("SERVFAIL");
}

static void half_an_answer_is_told_as_such(void **state)
{
    struct fixture *f = *state;

    fake_dns_set(f->dns, "half.test", FAKE_A, 60, "127.0.0.7");
    fake_dns_fail(f->dns, "half.test", FAKE_AAAA, FAKE_SERVFAIL);
    ask(f, "half.test", false);
    assert_int_equal(heard.kind, NET_ANSWER_OK);
    assert_true(heard.partial);
    fake_dns_behave(f->dns, "half.test", FAKE_AAAA, FAKE_DROP);
    ask(f, "half.test", false);
    assert_int_equal(heard.kind, NET_ANSWER_OK);
    assert_true(heard.partial);
    assert_int_equal(heard.n_addrs, 1);
}

static void silence_is_told_with_its_limits(void **state)
{
    struct fixture *f = *state;

    fake_dns_behave(f->dns, "quiet.test", FAKE_A, FAKE_DROP);
    fake_dns_behave(f->dns, "quiet.test", FAKE_AAAA, FAKE_DROP);
    ask(f, "quiet.test", false);
    assert_int_equal(heard.kind, NET_ANSWER_FAILED);
    assert_says("no answer for \"quiet.test\"");
    assert_says("asked 2 times, 150 ms");
    assert_int_equal(fake_dns_asked(f->dns, "quiet.test", FAKE_A), 2);
}

static void nobody_listens(void **state)
{
    struct fixture *f = *state;
    struct net_resolver *resolver = f->resolver;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    char servers[32];

    assert_int_equal(bind(fd, (struct sockaddr *) &at, sizeof at), 0);
    getsockname(fd, (struct sockaddr *) &at, &len);
    close(fd);
    snprintf(servers, sizeof servers, "127.0.0.1:%u", ntohs(at.sin_port));
    f->resolver = new_resolver(f->loop, servers, NULL);
    ask(f, "users.test", false);
    assert_int_equal(heard.kind, NET_ANSWER_FAILED);
    assert_says(servers);
    loop_enter(f->loop);
    net_resolver_free(f->resolver);
    loop_leave(f->loop);
    f->resolver = resolver;
}

static void the_next_server_is_asked(void **state)
{
    struct fixture *f = *state;
    struct fake_dns *silent = fake_dns_start();
    struct net_resolver *resolver = f->resolver;
    char servers[80];

    snprintf(servers, sizeof servers, " %s , %s", silent->servers, f->dns->servers);
    fake_dns_behave(silent, "users.test", FAKE_A, FAKE_DROP);
    fake_dns_fail(silent, "users.test", FAKE_AAAA, FAKE_SERVFAIL);
    fake_dns_set(f->dns, "users.test", FAKE_A, 60, "127.0.0.7");
    fake_dns_set(f->dns, "users.test", FAKE_AAAA, 60, "::1");
    f->resolver = new_resolver(f->loop, servers, NULL);
    ask(f, "users.test", false);
    assert_int_equal(heard.kind, NET_ANSWER_OK);
    assert_int_equal(heard.n_addrs, 2);
    assert_false(heard.partial);
    loop_enter(f->loop);
    net_resolver_free(f->resolver);
    loop_leave(f->loop);
    f->resolver = resolver;
    fake_dns_stop(silent);
}

static void names_that_cannot_be(void **state)
{
    struct fixture *f = *state;

    ask(f, "a..b", false);
    assert_int_equal(heard.kind, NET_ANSWER_FAILED);
    assert_says("\"a..b\" is no name");
    ask(f, "", false);
    assert_int_equal(heard.kind, NET_ANSWER_FAILED);
    ask(f, ".", true);
    assert_int_equal(heard.kind, NET_ANSWER_FAILED);
}

static void bad_answers(void **state)
{
    struct fixture *f = *state;

    fake_dns_behave(f->dns, "bad.test", FAKE_A, FAKE_GARBAGE);
    fake_dns_behave(f->dns, "bad.test", FAKE_AAAA, FAKE_GARBAGE);
    ask(f, "bad.test", false);
    assert_int_equal(heard.kind, NET_ANSWER_FAILED);
    fake_dns_behave(f->dns, "_bad._tcp.test", FAKE_SRV, FAKE_GARBAGE);
    ask(f, "_bad._tcp.test", true);
    assert_int_equal(heard.kind, NET_ANSWER_FAILED);
    assert_says("malformed");
}

static void servers_without_edns_are_asked_without(void **state)
{
    struct fixture *f = *state;

    f->dns->no_edns = true;
    fake_dns_set(f->dns, "old.test", FAKE_A, 60, "127.0.0.7");
    fake_dns_set(f->dns, "old.test", FAKE_AAAA, 60, "::1");
    fake_dns_set(f->dns, "_old._tcp.test", FAKE_SRV, 60, "1 1 1 a.test");
    ask(f, "old.test", false);
    assert_int_equal(heard.kind, NET_ANSWER_OK);
    assert_int_equal(heard.n_addrs, 2);
    assert_false(heard.partial);
    ask(f, "_old._tcp.test", true);
    assert_int_equal(heard.kind, NET_ANSWER_OK);
}

static void answers_to_other_questions_are_ignored(void **state)
{
    struct fixture *f = *state;

    fake_dns_set_all(f->dns, "users.test", FAKE_A, FAKE_NOERROR, 60, "127.0.0.7", FAKE_WRONG_ID);
    fake_dns_set_all(f->dns, "users.test", FAKE_AAAA, FAKE_NOERROR, 60, "::1", FAKE_WRONG_ID);
    ask(f, "users.test", false);
    assert_int_equal(heard.kind, NET_ANSWER_OK);
    assert_int_equal(heard.n_addrs, 2);
}

/* ---- TCP ---- */

static void what_is_cut_is_asked_over_tcp(void **state)
{
    struct fixture *f = *state;

    fake_dns_set_all(f->dns, "big.test", FAKE_A, FAKE_NOERROR, 60, "127.0.0.7", FAKE_TRUNCATE);
    fake_dns_set_all(f->dns, "big.test", FAKE_AAAA, FAKE_NOERROR, 60, "::1", FAKE_TRUNCATE);
    ask(f, "big.test", false);
    assert_int_equal(heard.kind, NET_ANSWER_OK);
    assert_int_equal(heard.n_addrs, 2);
    assert_false(heard.partial);
    assert_true(fake_dns_asked_tcp(f->dns) >= 2);
    fake_dns_set_all(f->dns, "_big._tcp.test", FAKE_SRV, FAKE_NOERROR, 60, "1 1 1 a.test; 1 1 2 a.test", FAKE_TRUNCATE);
    ask(f, "_big._tcp.test", true);
    assert_int_equal(heard.n_srvs, 2);
}

static void a_thousand_addresses(void **state)
{
    struct fixture *f = *state;
    static char records[1500 * 16];
    size_t len = 0;

    for (unsigned i = 0; i < 1500; i++)
        len += (size_t) snprintf(records + len, sizeof records - len, "127.1.%u.%u ", i / 250, i % 250 + 1);
    fake_dns_set_all(f->dns, "many.test", FAKE_A, FAKE_NOERROR, 60, records, FAKE_TRUNCATE);
    ask(f, "many.test", false);
    assert_int_equal(heard.kind, NET_ANSWER_OK);
    assert_int_equal(heard.n_addrs, 1500);
    assert_false(heard.partial);
}

/* ---- search rules, resolv.conf ---- */

static void write_file(const char *path, const char *text)
{
    char fresh[256];
    FILE *file;

    snprintf(fresh, sizeof fresh, "%s.new", path);
    file = fopen(fresh, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(rename(fresh, path), 0);
}

static bool a_second_later(void *user)
{
    struct timespec *began = user, now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec - began->tv_sec > 1;
}

static void search_rules_apply_and_a_changed_file_is_read_again(void **state)
{
    struct fixture *f = *state;
    struct net_resolver *resolver = f->resolver;
    char path[] = "/tmp/resolver-test-XXXXXX";
    struct timespec began;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    close(fd);
    write_file(path, "search one.test\noptions ndots:2\n");
    fake_dns_set(f->dns, "db.one.test", FAKE_A, 60, "127.0.0.1");
    fake_dns_set(f->dns, "db.two.test", FAKE_A, 60, "127.0.0.2");
    fake_dns_set(f->dns, "_a.one.test", FAKE_SRV, 60, "1 1 1 x.test");
    f->resolver = new_resolver(f->loop, f->dns->servers, path);
    ask(f, "db", false);
    assert_addr(&heard.addrs[0], "127.0.0.1");
    ask(f, "_a", true);
    assert_int_equal(heard.n_srvs, 1);
    ask(f, "db.", false); /* absolute: no search */
    assert_int_equal(heard.kind, NET_ANSWER_NXDOMAIN);
    write_file(path, "search two.test\noptions ndots:2\n");
    clock_gettime(CLOCK_MONOTONIC, &began);
    test_loop_until(f->loop, a_second_later, &began);
    ask(f, "db", false);
    assert_addr(&heard.addrs[0], "127.0.0.2");
    loop_enter(f->loop);
    net_resolver_free(f->resolver);
    loop_leave(f->loop);
    f->resolver = resolver;
    unlink(path);
}

static void servers_that_are_none_are_refused(void **state)
{
    struct fixture *f = *state;
    struct net_resolver_conf conf = { .servers = "127.0.0.1:53,dns.example" };
    struct net_resolver *resolver;
    struct fault fault;

    MESH_ERR(MESH_ERR_INVALID, net_resolver_new(f->loop, &conf, &resolver, &fault));
    assert_non_null(strstr(fault.text, "\"dns.example\""));
    assert_null(resolver);
}

/* ---- life ---- */

static void a_cancelled_lookup_is_not_heard(void **state)
{
    struct fixture *f = *state;
    struct net_lookup *literal, *waiting, *running;

    heard = other = (struct heard){ 0 };
    fake_dns_set_all(f->dns, "late.test", FAKE_A, FAKE_NOERROR, 60, "127.0.0.7", FAKE_LATE);
    fake_dns_set_all(f->dns, "late.test", FAKE_AAAA, FAKE_NOERROR, 60, "::1", FAKE_LATE);
    fake_dns_set(f->dns, "users.test", FAKE_A, 60, "127.0.0.7");
    loop_enter(f->loop);
    MESH_OK(net_lookup_host(f->resolver, "10.0.0.1", on_answer, &other, &literal));
    MESH_OK(net_lookup_host(f->resolver, "users.test", on_answer, &other, &waiting));
    MESH_OK(net_lookup_host(f->resolver, "late.test", on_answer, &other, &running));
    net_lookup_cancel(literal);
    net_lookup_cancel(waiting);
    loop_leave(f->loop);
    loop_enter(f->loop);
    net_lookup_cancel(running);
    loop_leave(f->loop);
    ask(f, "users.test", false);
    fake_dns_release(f->dns);
    test_loop_turns(f->loop, 5);
    assert_int_equal(other.times, 0);
}

/* A lookup under way when the resolver goes; its late answer finds nobody. */
static void freed_with_lookups_under_way(void **state)
{
    struct fixture *f = *state;
    struct net_lookup *lookup;

    other = (struct heard){ 0 };
    fake_dns_behave(f->dns, "late.test", FAKE_A, FAKE_DROP);
    loop_enter(f->loop);
    for (int i = 0; i < 200; i++)
        MESH_OK(net_lookup_host(f->resolver, "late.test", on_answer, &other, &lookup));
    loop_leave(f->loop);
    test_loop_turns(f->loop, 2);
    loop_enter(f->loop);
    net_resolver_free(f->resolver);
    f->resolver = NULL;
    loop_leave(f->loop);
    test_loop_turns(f->loop, 2);
    assert_int_equal(other.times, 0);
}

static void free_resolver(void *user, const struct net_answer *answer)
{
    struct fixture *f = user;

    (void) answer;
    net_resolver_free(f->resolver);
    f->resolver = NULL;
}

static bool is_freed(void *user)
{
    return !((struct fixture *) user)->resolver;
}

/* The trap of c-ares 1.18: its channel may not be destroyed from its callbacks. */
static void freed_by_an_answer(void **state)
{
    struct fixture *f = *state;
    struct net_lookup *lookup;

    fake_dns_set(f->dns, "users.test", FAKE_A, 60, "127.0.0.7");
    loop_enter(f->loop);
    MESH_OK(net_lookup_host(f->resolver, "users.test", free_resolver, f, &lookup));
    MESH_OK(net_lookup_host(f->resolver, "others.test", on_answer, &other, &lookup));
    loop_leave(f->loop);
    test_loop_until(f->loop, is_freed, f);
}

static unsigned left;

static void on_one_of_many(void *user, const struct net_answer *answer)
{
    struct fixture *f = user;
    struct net_lookup *lookup;

    assert_int_equal(answer->kind, NET_ANSWER_OK);
    if (--left >= 150) /* the first ones bring more, from within their answers */
        MESH_OK(net_lookup_host(f->resolver, "users.test", on_one_of_many, f, &lookup));
    else if (left >= 140)
        MESH_OK(net_lookup_srv(f->resolver, "_s._tcp.test", on_one_of_many, f, &lookup));
}

static bool none_left(void *user)
{
    (void) user;
    return left <= 100;
}

/* More than run at once, and more than one channel lives for. */
static void many_lookups_and_new_ones_from_within_answers(void **state)
{
    struct fixture *f = *state;
    struct net_lookup *lookup;

    fake_dns_set(f->dns, "users.test", FAKE_A, 60, "127.0.0.7");
    fake_dns_set(f->dns, "_s._tcp.test", FAKE_SRV, 60, "1 1 1 a.test");
    left = 400;
    loop_enter(f->loop);
    for (int i = 0; i < 200; i++)
        MESH_OK(net_lookup_host(f->resolver, "users.test", on_one_of_many, f, &lookup));
    loop_leave(f->loop);
    test_loop_until(f->loop, none_left, NULL);
}

#define RESOLVER_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RESOLVER_TEST(both_families_come),
        RESOLVER_TEST(an_alias_counts_with_its_ttl),
        RESOLVER_TEST(literal_addresses_ask_nobody),
        RESOLVER_TEST(the_hosts_file_comes_first),
        RESOLVER_TEST(services_come_sorted),
        RESOLVER_TEST(a_service_can_be_decidedly_not_there),
        RESOLVER_TEST(a_name_that_does_not_exist),
        RESOLVER_TEST(a_name_without_such_a_record),
        RESOLVER_TEST(refusals_are_named),
        RESOLVER_TEST(half_a_refusal_is_not_nodata),
        RESOLVER_TEST(half_an_answer_is_told_as_such),
        RESOLVER_TEST(silence_is_told_with_its_limits),
        RESOLVER_TEST(nobody_listens),
        RESOLVER_TEST(the_next_server_is_asked),
        RESOLVER_TEST(names_that_cannot_be),
        RESOLVER_TEST(bad_answers),
        RESOLVER_TEST(servers_without_edns_are_asked_without),
        RESOLVER_TEST(answers_to_other_questions_are_ignored),
        RESOLVER_TEST(what_is_cut_is_asked_over_tcp),
        RESOLVER_TEST(a_thousand_addresses),
        RESOLVER_TEST(search_rules_apply_and_a_changed_file_is_read_again),
        RESOLVER_TEST(servers_that_are_none_are_refused),
        RESOLVER_TEST(a_cancelled_lookup_is_not_heard),
        RESOLVER_TEST(freed_with_lookups_under_way),
        RESOLVER_TEST(freed_by_an_answer),
        RESOLVER_TEST(many_lookups_and_new_ones_from_within_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
