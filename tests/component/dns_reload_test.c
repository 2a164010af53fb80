/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration file that changes under a running source: written in place, replaced, swapped as Kubernetes does, broken. */
#include "support/dns_source.h"
#include "support/fake_dns.h"

#include <sys/stat.h>

static struct fake_dns *dns;
static char folder[64], path[128];

static int set_up(void **state)
{
    static struct source_fixture f;

    mesh_test_watch(state);
    dns = fake_dns_start();
    snprintf(folder, sizeof folder, "/tmp/mesh-reload-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/mesh.json", folder);
    fixture_init(&f);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    char command[256];

    fixture_clear(*state);
    fake_dns_stop(dns);
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    assert_int_equal(system(command), 0);
    return mesh_test_unwatch(state);
}

static void write_in_place(const char *where, const char *text)
{
    FILE *file = fopen(where, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void replace(const char *text)
{
    char fresh[160];

    snprintf(fresh, sizeof fresh, "%s.new", path);
    write_in_place(fresh, text);
    assert_int_equal(rename(fresh, path), 0);
}

/* The DNS server of the test, and services that are written as they stand in JSON. */
static const char *config(const char *services)
{
    static char text[4096];

    snprintf(text, sizeof text,
             "{\"dns.servers\": \"%s\", \"dns.timeout_ms\": 100, \"dns.tries\": 1, \"services\": {%s}}", dns->servers,
             services);
    return text;
}

static void start_with(struct source_fixture *f, const char *services)
{
    struct fault fault = { 0 };

    write_in_place(path, config(services));
    if (conf_read_file(f->conf, path, &fault))
        fail_msg("%s", fault.text);
    fixture_start(f);
}

static void expect_logged(struct source_fixture *f, const char *text, unsigned times)
{
    for (int i = 0; i < TEST_GUARD_MS / TEST_POLL_MS && logged(f, text) < times; i++)
        test_loop_turn(f->loop);
    assert_int_equal(logged(f, text), times);
}

#define USERS "\"users\": {\"target\": \"h2c://users.test:80\"}"

static void a_file_written_in_place(void **state)
{
    struct source_fixture *f = *state;

    start_with(f, "\"a\": {\"endpoints\": [{\"address\": \"10.0.0.1:80\"}]}");
    want(f, "a");
    expect(f, "a", "READY 10.0.0.1:80", NULL);
    write_in_place(path, config("\"a\": {\"endpoints\": [{\"address\": \"10.0.0.2:80\"}]}"));
    expect(f, "a", "READY 10.0.0.2:80", NULL);
    write_in_place(path, config("\"a\": {\"endpoints\": [{\"address\": \"10.0.0.3:80\"}]}"));
    expect(f, "a", "READY 10.0.0.3:80", NULL);
    expect_logged(f, "config_loaded", 2);
}

static void a_file_replaced_by_another(void **state)
{
    struct source_fixture *f = *state;

    start_with(f, "\"a\": {\"endpoints\": [{\"address\": \"10.0.0.1:80\"}]}");
    want(f, "a");
    for (int i = 2; i < 5; i++) {
        char services[128], expected[64];

        snprintf(services, sizeof services, "\"a\": {\"endpoints\": [{\"address\": \"10.0.0.%d:80\"}]}", i);
        snprintf(expected, sizeof expected, "READY 10.0.0.%d:80", i);
        replace(config(services));
        expect(f, "a", expected, NULL);
    }
}

/* mesh.json → ..data/mesh.json, ..data → a folder; the swap is a rename of ..data, after which the old folder goes. */
static void link_version(const char *version, const char *services)
{
    char dir[160], file[224], fresh[160], data[160];

    snprintf(dir, sizeof dir, "%s/..%s", folder, version);
    snprintf(file, sizeof file, "%s/mesh.json", dir);
    snprintf(fresh, sizeof fresh, "%s/..data_tmp", folder);
    snprintf(data, sizeof data, "%s/..data", folder);
    assert_int_equal(mkdir(dir, 0755), 0);
    write_in_place(file, config(services));
    assert_int_equal(symlink(strrchr(dir, '/') + 1, fresh), 0);
    assert_int_equal(rename(fresh, data), 0);
}

static void remove_version(const char *version)
{
    char dir[160], file[224];

    snprintf(dir, sizeof dir, "%s/..%s", folder, version);
    snprintf(file, sizeof file, "%s/mesh.json", dir);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void a_folder_swapped_as_kubernetes_does(void **state)
{
    struct source_fixture *f = *state;
    struct fault fault = { 0 };

    link_version("one", "\"a\": {\"endpoints\": [{\"address\": \"10.0.0.1:80\"}]}");
    assert_int_equal(symlink("..data/mesh.json", path), 0);
    MESH_OK(conf_read_file(f->conf, path, &fault));
    fixture_start(f);
    want(f, "a");
    expect(f, "a", "READY 10.0.0.1:80", NULL);
    link_version("two", "\"a\": {\"endpoints\": [{\"address\": \"10.0.0.2:80\"}]}");
    remove_version("one");
    expect(f, "a", "READY 10.0.0.2:80", NULL);
    link_version("three", "\"a\": {\"endpoints\": [{\"address\": \"10.0.0.3:80\"}]}");
    remove_version("two");
    expect(f, "a", "READY 10.0.0.3:80", NULL);
    assert_int_equal(logged(f, "config_rejected"), 0);
}

/* What inotify does not see is found by looking. */
static void a_link_to_another_folder(void **state)
{
    struct source_fixture *f = *state;
    struct fault fault = { 0 };
    char elsewhere[] = "/tmp/mesh-elsewhere-XXXXXX";
    int fd = mkstemp(elsewhere);

    close(fd);
    write_in_place(elsewhere, config("\"a\": {\"endpoints\": [{\"address\": \"10.0.0.1:80\"}]}"));
    assert_int_equal(symlink(elsewhere, path), 0);
    MESH_OK(conf_read_file(f->conf, path, &fault));
    fixture_start(f);
    want(f, "a");
    test_loop_turns(f->loop, 10);
    write_in_place(elsewhere, config("\"a\": {\"endpoints\": [{\"address\": \"10.0.0.2:80\"}]}"));
    for (int i = 0; i < 5; i++) {
        skip_ms(10100);
        test_loop_turns(f->loop, 3);
    }
    expect(f, "a", "READY 10.0.0.2:80", NULL);
    unlink(elsewhere);
}

/* Changed after it was read, before anybody watched. */
static void a_change_before_the_first_want(void **state)
{
    struct source_fixture *f = *state;

    start_with(f, "\"a\": {\"endpoints\": [{\"address\": \"10.0.0.1:80\"}]}");
    replace(config("\"a\": {\"endpoints\": [{\"address\": \"10.0.0.2:80\"}]}"));
    want(f, "a");
    expect(f, "a", "READY 10.0.0.2:80", NULL);
}

static void a_broken_file_is_told_and_ignored(void **state)
{
    struct source_fixture *f = *state;
    unsigned before;

    start_with(f, "\"a\": {\"endpoints\": [{\"address\": \"10.0.0.1:80\"}]}");
    want(f, "a");
    test_loop_turns(f->loop, 15);
    before = f->n_snapshots;
    replace("{\"services\": {");
    expect_logged(f, "config_rejected", 1);
    replace(config("\"a\": {\"timeout_ms\": -5, \"endpoints\": [{\"address\": \"10.0.0.9:80\"}]}"));
    expect_logged(f, "config_rejected", 2);
    assert_non_null(strstr(f->log, "timeout_ms"));
    replace(config("\"a\": {\"endpoints\": [{\"address\": \"10.0.0.9:80\"}], \"target\": \"h2c://a:1\"}"));
    expect_logged(f, "config_rejected", 3);
    unlink(path);
    expect_logged(f, "config_rejected", 4);
    assert_int_equal(f->n_snapshots, before);
    expect(f, "a", "READY 10.0.0.1:80", NULL);
    replace(config("\"a\": {\"endpoints\": [{\"address\": \"10.0.0.2:80\"}]}"));
    expect(f, "a", "READY 10.0.0.2:80", NULL);
}

static void what_has_not_changed_is_not_touched(void **state)
{
    struct source_fixture *f = *state;
    const struct model_entry *before, *after;

    fake_dns_set(dns, "users.test", FAKE_A, 60, "10.0.0.1");
    start_with(f, USERS ", \"b\": {\"endpoints\": [{\"address\": \"10.0.0.5:80\"}]}");
    want(f, "users");
    want(f, "b");
    expect(f, "users", "READY 10.0.0.1:80", NULL);
    before = model_snapshot_find(f->snapshots[f->n_snapshots - 1], "users");
    fake_dns_set(dns, "users.test", FAKE_A, 60, "10.0.0.99");
    replace(config(USERS ", \"b\": {\"endpoints\": [{\"address\": \"10.0.0.6:80\"}]}, \"c\": {\"endpoints\": "
                         "[{\"address\": \"10.0.0.7:80\"}]}"));
    expect(f, "c", "READY 10.0.0.7:80", NULL);
    expect(f, "b", "READY 10.0.0.6:80", NULL);
    after = model_snapshot_find(source_snapshot(f->source), "users");
    assert_ptr_equal(after->endpoints, before->endpoints);
    assert_ptr_equal(after->cluster, before->cluster);
    assert_int_equal(fake_dns_asked(dns, "users.test", FAKE_A), 1);
}

static void policies_change_without_another_lookup(void **state)
{
    struct source_fixture *f = *state;
    struct model_endpoints *endpoints;

    fake_dns_set(dns, "users.test", FAKE_A, 60, "10.0.0.1");
    start_with(f, USERS);
    want(f, "users");
    expect(f, "users", "READY 10.0.0.1:80", NULL);
    endpoints = endpoints_now(f, "users");
    replace(config("\"users\": {\"target\": \"h2c://users.test:80\", \"timeout_ms\": 1234}"));
    expect_logged(f, "config_loaded", 1);
    test_loop_turns(f->loop, 2);
    assert_int_equal(model_snapshot_find(source_snapshot(f->source), "users")->cluster->policy.timeout_ms, 1234);
    assert_ptr_equal(endpoints_now(f, "users"), endpoints);
    assert_int_equal(fake_dns_asked(dns, "users.test", FAKE_A), 1);
}

/* The old endpoints serve until the new target has answered; if it says no, they are not kept. */
static void another_target_takes_over_without_a_gap(void **state)
{
    struct source_fixture *f = *state;

    fake_dns_set(dns, "users.test", FAKE_A, 60, "10.0.0.1");
    fake_dns_set(dns, "new.test", FAKE_A, 60, "10.0.0.2");
    start_with(f, USERS);
    want(f, "users");
    expect(f, "users", "READY 10.0.0.1:80", NULL);
    replace(config("\"users\": {\"target\": \"h2c://new.test:81\"}"));
    expect(f, "users", "READY 10.0.0.2:81", NULL);
    replace(config("\"users\": {\"endpoints\": [{\"address\": \"10.0.0.3:82\"}]}"));
    expect(f, "users", "READY 10.0.0.3:82", NULL);
    replace(config("\"users\": {\"target\": \"h2c://new.test:83\"}"));
    expect(f, "users", "READY 10.0.0.2:83", NULL);
    for (unsigned i = 1; i < f->n_snapshots; i++)
        assert_int_equal(model_snapshot_find(f->snapshots[i], "users")->endpoints->state, ENDPOINTS_READY);
    replace(config("\"users\": {\"target\": \"h2c://nothing.test:84\"}"));
    expect(f, "users", "FAILED", "NXDOMAIN");
}

static void services_come_and_go(void **state)
{
    struct source_fixture *f = *state;

    fake_dns_set(dns, "users.test", FAKE_A, 60, "10.0.0.1");
    fake_dns_set(dns, "dyn.test", FAKE_A, 60, "10.0.0.7");
    start_with(f, USERS);
    want(f, "users");
    want(f, "dyn.test");
    expect(f, "dyn.test", "READY 10.0.0.7:80", NULL);
    replace(config("\"b\": {\"endpoints\": [{\"address\": \"10.0.0.6:80\"}]}, \"dyn.test\": {\"endpoints\": "
                   "[{\"address\": \"10.0.0.8:85\"}]}"));
    expect(f, "dyn.test", "READY 10.0.0.8:85", NULL); /* the configuration knows it now */
    expect(f, "b", "READY 10.0.0.6:80", NULL);
    assert_null(endpoints_now(f, "users"));
    replace(config(USERS));
    expect(f, "users", "PENDING", NULL);
    want(f, "users");
    expect(f, "users", "READY 10.0.0.1:80", NULL);
}

static void other_servers_are_asked_from_now_on(void **state)
{
    struct source_fixture *f = *state;
    struct fake_dns *other = fake_dns_start();
    char text[512];

    fake_dns_set(dns, "users.test", FAKE_A, 2, "10.0.0.1");
    fake_dns_set(other, "users.test", FAKE_A, 2, "10.0.0.2");
    start_with(f, USERS);
    want(f, "users");
    expect(f, "users", "READY 10.0.0.1:80", NULL);
    snprintf(text, sizeof text, "{\"dns.servers\": \"%s\", \"services\": {" USERS "}}", other->servers);
    replace(text);
    expect_logged(f, "config_loaded", 1);
    skip_ms(2500);
    expect(f, "users", "READY 10.0.0.2:80", NULL);
    fake_dns_stop(other);
}

#define RELOAD_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RELOAD_TEST(a_file_written_in_place),
        RELOAD_TEST(a_file_replaced_by_another),
        RELOAD_TEST(a_folder_swapped_as_kubernetes_does),
        RELOAD_TEST(a_link_to_another_folder),
        RELOAD_TEST(a_change_before_the_first_want),
        RELOAD_TEST(a_broken_file_is_told_and_ignored),
        RELOAD_TEST(what_has_not_changed_is_not_touched),
        RELOAD_TEST(policies_change_without_another_lookup),
        RELOAD_TEST(another_target_takes_over_without_a_gap),
        RELOAD_TEST(services_come_and_go),
        RELOAD_TEST(other_servers_are_asked_from_now_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
