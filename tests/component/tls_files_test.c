/* SPDX-License-Identifier: Apache-2.0 */
/* Files of TLS identities in a source: shared by services, taken up when they change, also while memory runs out. */
#include "support/certificates.h"
#include "support/dns_source.h"

enum { MOST_TURNS = 4000 };

static struct certificate_folder folder;
static struct certificate first, second;
static const char *cert, *key;

/* Renamed into its place, as those who care do it. */
static void put(const char *path, const char *name, void (*print)(FILE *file, const struct certificate *one),
                const struct certificate *one)
{
    char fresh[128];
    FILE *file;

    snprintf(fresh, sizeof fresh, "%s/%s", folder.path, name);
    file = fopen(fresh, "w");
    assert_non_null(file);
    print(file, one);
    fclose(file);
    assert_int_equal(rename(fresh, path), 0);
}

static void print_certificate(FILE *file, const struct certificate *one)
{
    assert_true(PEM_write_X509(file, one->x509));
}

static void print_key(FILE *file, const struct certificate *one)
{
    assert_true(PEM_write_PrivateKey(file, one->key, NULL, NULL, 0, NULL, NULL));
}

static void write_pair(const struct certificate *pair)
{
    put(cert, "new.pem", print_certificate, pair);
    put(key, "new.key", print_key, pair);
}

static int set_up(void **state)
{
    (void) state;
    certificate_folder_make(&folder);
    first = certificate_make((struct certificate_spec){ .common_name = "first" });
    second = certificate_make((struct certificate_spec){ .common_name = "second" });
    cert = certificate_write(&folder, "me.pem", &first);
    key = certificate_write_key(&folder, "me.key", &first, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    certificate_free(&first);
    certificate_free(&second);
    certificate_folder_remove(&folder);
    return 0;
}

static void configure(struct source_fixture *f)
{
    fixture_init(f);
    fixture_set(f, "services.a.target", "h2://127.0.0.1:1");
    fixture_set(f, "services.b.target", "https://127.0.0.1:2");
    fixture_set(f, "services.plain.target", "h2c://127.0.0.1:3");
    fixture_set(f, "tls.ca", cert);
    fixture_set(f, "tls.cert", cert);
    fixture_set(f, "tls.key", key);
}

static const struct model_cluster *cluster_now(struct source_fixture *f, const char *name)
{
    return model_snapshot_find(source_snapshot(f->source), name)->cluster;
}

static void want_a(struct source_fixture *f)
{
    loop_enter(f->loop);
    source_want(f->source, "a", NULL);
    loop_leave(f->loop);
}

static void test_services_share_what_is_read(void **state)
{
    static struct source_fixture f;

    (void) state;
    configure(&f);
    fixture_start(&f);
    assert_non_null(cluster_now(&f, "a")->tls.pem);
    assert_ptr_equal(cluster_now(&f, "a")->tls.pem, cluster_now(&f, "b")->tls.pem);
    assert_null(cluster_now(&f, "plain")->tls.pem);
    fixture_clear(&f);
}

static void test_a_pair_that_does_not_fit_is_told_once(void **state)
{
    static struct source_fixture f;
    uint64_t identity;

    (void) state;
    configure(&f);
    fixture_start(&f);
    want_a(&f);
    identity = cluster_now(&f, "a")->identity;
    put(cert, "new.pem", print_certificate, &second);
    for (int i = 0; i < MOST_TURNS && logged(&f, "tls_files_rejected") == 0; i++)
        test_loop_turn(f.loop);
    assert_int_equal(logged(&f, "tls_files_rejected"), 1);
    assert_int_equal(logged(&f, "does not belong to"), 1);
    assert_true(cluster_now(&f, "a")->identity == identity);

    put(key, "new.key", print_key, &second);
    for (int i = 0; i < MOST_TURNS && cluster_now(&f, "a")->identity == identity; i++)
        test_loop_turn(f.loop);
    assert_true(cluster_now(&f, "a")->identity != identity);
    assert_ptr_equal(cluster_now(&f, "a")->tls.pem, cluster_now(&f, "b")->tls.pem);
    assert_int_equal(logged(&f, "tls_files_loaded"), 1);
    fixture_clear(&f);
    write_pair(&first);
}

/* ---- memory ---- */

static bool is_new(struct source_fixture *f)
{
    const struct model_pem *pem = cluster_now(f, "a")->tls.pem;

    return pem && strcmp(pem->ca, pem->cert) == 0 && cluster_now(f, "b")->tls.pem == pem;
}

/* A start and one rotation. False: memory was short at a place where it is not tried again. */
static bool live(struct source_fixture *f)
{
    struct source_conf conf = { .loop = f->loop, .conf = f->conf, .on_snapshot = keep_snapshot, .user = f };
    const struct certificate *pairs[] = { &second, &first };
    uint64_t identity;

    if (source_new(&conf, &f->source, NULL) != 0)
        return false;
    want_a(f);
    identity = cluster_now(f, "a")->identity;
    for (int i = 0; i < 300; i++) {
        if (cluster_now(f, "a")->identity != identity && is_new(f))
            return true;
        if (i % 50 == 0)
            write_pair(pairs[i / 50 % 2]);
        loop_turn(f->loop);
        skip_ms(50);
    }
    return false;
}

static bool live_and_die(struct source_fixture *f)
{
    bool is_whole = live(f);

    loop_enter(f->loop);
    source_free(f->source);
    f->source = NULL;
    loop_leave(f->loop);
    for (unsigned i = 0; i < f->n_snapshots; i++)
        model_snapshot_unref(f->snapshots[i]);
    f->n_snapshots = 0;
    write_pair(&first);
    return is_whole;
}

static void each_allocation_fails_once(void **state)
{
    static struct source_fixture f;
    bool reached = true;
    int64_t left;

    (void) state;
    configure(&f);
    assert_true(live_and_die(&f)); /* what the loop keeps for itself is there from now on */
    for (uint64_t nth = 1; reached; nth++) {
        mem_watch(nth, false);
        live_and_die(&f);
        reached = mem_unwatch(&left);
        if (left != 0)
            fail_msg("allocation %llu: %lld blocks are left", (unsigned long long) nth, (long long) left);
    }
    fixture_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_services_share_what_is_read),
        cmocka_unit_test(test_a_pair_that_does_not_fit_is_told_once),
        cmocka_unit_test(each_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
