/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation of a source's life fails once: an error or a delay, never a leak, and in the end the service is there. */
#include "support/dns_source.h"
#include "support/fake_dns.h"

static struct fake_dns *dns;

static void configure(struct source_fixture *f)
{
    fixture_init(f);
    fixture_set(f, "dns.servers", dns->servers);
    fixture_set(f, "services.users.target", "srv+h2c://_s._tcp.test");
    fixture_set(f, "services.zones.zones", "{\"x\": \"h2c://a.test:80\", \"y\": \"h2c://b.test:81\"}");
}

static bool is_ready(struct source_fixture *f, const char *service)
{
    const struct model_entry *entry = model_snapshot_find(source_snapshot(f->source), service);

    return entry && entry->endpoints->state == ENDPOINTS_READY && entry->endpoints->n == 2;
}

/* 0, or MESH_ERR_NOMEM from the first call that says so. */
static int32_t live(struct source_fixture *f)
{
    struct source_conf conf = { .loop = f->loop, .conf = f->conf, .on_snapshot = keep_snapshot, .user = f };
    int32_t err = source_new(&conf, &f->source, NULL);

    if (err)
        return err;
    loop_enter(f->loop);
    err = source_want(f->source, "users", NULL);
    if (!err)
        err = source_want(f->source, "zones", NULL);
    if (!err)
        err = source_want(f->source, "10.0.0.1:80", NULL);
    loop_leave(f->loop);
    for (int i = 0; !err && !(is_ready(f, "users") && is_ready(f, "zones")); i++) {
        if (i > 2000)
            fail_msg("zones: %s", describe_endpoints(endpoints_now(f, "zones")));
        test_loop_turn(f->loop);
        if (i % 10 == 9)
            skip_ms(500); /* what failed is tried again after a while */
    }
    return err;
}

static int32_t live_and_die(struct source_fixture *f)
{
    int32_t err = live(f);

    loop_enter(f->loop);
    source_free(f->source);
    f->source = NULL;
    loop_leave(f->loop);
    for (unsigned i = 0; i < f->n_snapshots; i++)
        model_snapshot_unref(f->snapshots[i]);
    f->n_snapshots = 0;
    return err;
}

static void each_allocation_fails_once(void **state)
{
    static struct source_fixture f;
    bool reached = true;
    int64_t left;

    (void) state;
    configure(&f);
    MESH_OK(live_and_die(&f)); /* what the loop keeps for itself is there from now on */
    for (uint64_t nth = 1; reached; nth++) {
        int32_t err;

        mem_watch(nth, false);
        err = live_and_die(&f);
        reached = mem_unwatch(&left);
        if (left != 0)
            fail_msg("allocation %llu: %lld blocks are left", (unsigned long long) nth, (long long) left);
        if (err && (err != MESH_ERR_NOMEM || !reached))
            fail_msg("allocation %llu: %s", (unsigned long long) nth, error_name(err));
    }
    fixture_clear(&f);
}

static void on_told(void *user, int32_t err, char *json)
{
    assert_true(err == 0 || err == MESH_ERR_NOMEM);
    assert_true(json || err);
    mem_free(json);
    *(bool *) user = true;
}

static int32_t explain_it(struct source_fixture *f, bool *told)
{
    int32_t err;

    *told = false;
    loop_enter(f->loop);
    err = source_explain(f->source, "users", on_told, told, NULL);
    loop_leave(f->loop);
    for (int i = 0; !err && !*told; i++) {
        if (i > 2000)
            fail_msg("nobody explains");
        test_loop_turn(f->loop);
    }
    return err;
}

static void each_allocation_of_an_explanation_fails_once(void **state)
{
    static struct source_fixture f;
    struct source_conf conf = { .on_snapshot = keep_snapshot, .user = &f };
    bool reached = true, told;
    int64_t left;

    (void) state;
    configure(&f);
    conf.loop = f.loop;
    conf.conf = f.conf;
    MESH_OK(source_new(&conf, &f.source, NULL));
    MESH_OK(explain_it(&f, &told));
    for (uint64_t nth = 1; reached; nth++) {
        int32_t err;

        mem_watch(nth, false);
        err = explain_it(&f, &told);
        reached = mem_unwatch(&left);
        assert_true(err == 0 || err == MESH_ERR_NOMEM);
        assert_int_equal(left, 0);
    }
    fixture_clear(&f);
}

static int set_up(void **state)
{
    (void) state;
    dns = fake_dns_start();
    fake_dns_set(dns, "_s._tcp.test", FAKE_SRV, 60, "1 1 80 a.test; 1 1 80 b.test");
    fake_dns_set(dns, "a.test", FAKE_A, 60, "10.0.0.1");
    fake_dns_set(dns, "b.test", FAKE_A, 60, "10.0.0.2");
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    fake_dns_stop(dns);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_fails_once),
        cmocka_unit_test(each_allocation_of_an_explanation_fails_once),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
