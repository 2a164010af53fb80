/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates in files that a control plane's clusters name: shared with configured services, and new when the files are. */
#include "support/certificates.h"
#include "support/dns_source.h"
#include "support/proto_text.h"

#include "proto/cluster.pb-c.h"
#include "source/state.h"
#include "source/xds/identities.h"

enum { MOST_TURNS = 4000, CLUSTERS = 300 };

static struct certificate_folder folder;
static struct certificate first, second;
static const char *cert, *key;

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

/* Renamed into their places, the certificate first: for a moment the two do not fit. */
static void renew(const struct certificate *pair)
{
    const char *fresh_cert = certificate_write(&folder, "new.pem", pair);
    const char *fresh_key = certificate_write_key(&folder, "new.key", pair, NULL);

    assert_int_equal(rename(fresh_cert, cert), 0);
    assert_int_equal(rename(fresh_key, key), 0);
}

/* ---- a store whose clusters are attached ---- */

struct stage {
    struct source_fixture f;
    struct store store;
    struct identities identities;
    struct resource *resources[CLUSTERS];
};

static void on_resource(void *user, struct resource *resource)
{
    (void) user;
    (void) resource;
}

static void on_cluster(void *user, struct model_cluster *cluster)
{
    identities_attach(&((struct stage *) user)->identities, cluster);
}

static void begin(struct stage *stage)
{
    struct store_conf conf = { .on_want = on_resource, .on_rest = on_resource, .on_change = on_resource };

    fixture_init(&stage->f);
    fixture_set(&stage->f, "services.a.target", "h2://127.0.0.1:1");
    fixture_set(&stage->f, "tls.ca", cert);
    fixture_set(&stage->f, "tls.cert", cert);
    fixture_set(&stage->f, "tls.key", key);
    fixture_start(&stage->f);
    loop_enter(stage->f.loop);
    source_want(stage->f.source, "a", NULL);
    conf.loop = stage->f.loop;
    conf.conf = stage->f.source->conf;
    conf.on_cluster = on_cluster;
    conf.user = stage;
    store_init(&stage->store, &conf);
    identities_begin(&stage->identities, stage->f.source, &stage->store, stage->f.loop);
    loop_leave(stage->f.loop);
}

static void end(struct stage *stage)
{
    loop_enter(stage->f.loop);
    identities_end(&stage->identities);
    for (size_t i = 0; i < CLUSTERS && stage->resources[i]; i++)
        store_rest(stage->resources[i]);
    store_clear(&stage->store);
    loop_leave(stage->f.loop);
    fixture_clear(&stage->f);
}

/* The i-th cluster; `tls` stands in its common_tls_context. */
static void take(struct stage *stage, size_t i, const char *tls)
{
    struct resource_news news = { .version = "1" };
    struct buf bytes = { 0 };
    struct fault fault = { 0 };
    char name[32], text[2048];

    snprintf(name, sizeof name, "c%zu", i);
    snprintf(text, sizeof text,
             "name: \"%s\" type: EDS eds_cluster_config { eds_config { ads { } } } transport_socket { name: \"tls\" "
             "typed_config { [envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext] { sni: \"u\" "
             "common_tls_context { %s } } } }",
             name, tls);
    proto_text(&cluster__cluster__descriptor, text, &bytes);
    news.bytes = buf_bytes(&bytes);
    news.len = buf_len(&bytes);
    loop_enter(stage->f.loop);
    stage->resources[i] = store_want(&stage->store, XDS_CLUSTER, name);
    if (store_take(stage->resources[i], &news, &fault))
        fail_msg("%s", fault.text);
    loop_leave(stage->f.loop);
    buf_free(&bytes);
}

static const char *files(char text[512])
{
    snprintf(text, 512,
             "tls_certificates { certificate_chain { filename: \"%s\" } private_key { filename: \"%s\" } } "
             "validation_context { trusted_ca { filename: \"%s\" } }",
             cert, key, cert);
    return text;
}

static const struct model_cluster *cluster_of(const struct stage *stage, size_t i)
{
    return stage->resources[i]->cluster->conf;
}

static void turn_until_renewed(struct stage *stage, const uint64_t *identities, size_t n)
{
    size_t renewed = 0;

    for (int i = 0; i < MOST_TURNS && renewed < n; i++) {
        test_loop_turn(stage->f.loop);
        renewed = 0;
        for (size_t k = 0; k < n; k++)
            renewed += cluster_of(stage, k)->identity != identities[k];
    }
    assert_int_equal(renewed, n);
}

static void clusters_follow_their_files(void **state)
{
    static struct stage stage;
    uint64_t identities[CLUSTERS];
    char text[512];

    (void) state;
    stage = (struct stage){ 0 };
    begin(&stage);
    for (size_t i = 0; i < CLUSTERS; i++) {
        take(&stage, i, files(text));
        identities[i] = cluster_of(&stage, i)->identity;
        assert_ptr_equal(cluster_of(&stage, i)->tls.pem, cluster_of(&stage, 0)->tls.pem);
    }
    assert_non_null(cluster_of(&stage, 0)->tls.pem);
    assert_ptr_equal(cluster_of(&stage, 0)->tls.pem,
                     model_snapshot_find(source_snapshot(stage.f.source), "a")->cluster->tls.pem);
    renew(&second);
    turn_until_renewed(&stage, identities, CLUSTERS);
    for (size_t i = 0; i < CLUSTERS; i++)
        assert_ptr_equal(cluster_of(&stage, i)->tls.pem, cluster_of(&stage, 0)->tls.pem);
    end(&stage);
}

/* What stands in the resource itself stays, beside what is in files. */
static void inline_roots_beside_files(void **state)
{
    static struct stage stage;
    uint64_t identity;
    char text[4096], pem[2048] = "", *at = pem;
    BIO *memory = BIO_new(BIO_s_mem());
    char *bytes;
    long len;

    (void) state;
    PEM_write_bio_X509(memory, first.x509);
    len = BIO_get_mem_data(memory, &bytes);
    for (long i = 0; i < len; i++) {
        if (bytes[i] == '\n')
            *at++ = '\\';
        *at++ = bytes[i] == '\n' ? 'n' : bytes[i];
    }
    *at = '\0';
    BIO_free(memory);
    snprintf(text, sizeof text,
             "tls_certificates { certificate_chain { filename: \"%s\" } private_key { filename: \"%s\" } } "
             "validation_context { trusted_ca { inline_string: \"%s\" } }",
             cert, key, pem);
    stage = (struct stage){ 0 };
    begin(&stage);
    take(&stage, 0, text);
    assert_non_null(cluster_of(&stage, 0)->tls.pem->ca);
    assert_non_null(cluster_of(&stage, 0)->tls.pem->cert);
    identity = cluster_of(&stage, 0)->identity;
    renew(&first);
    turn_until_renewed(&stage, &identity, 1);
    assert_non_null(cluster_of(&stage, 0)->tls.pem->ca);
    assert_null(cluster_of(&stage, 0)->tls.ca);
    end(&stage);
}

/* Files that only a control plane's cluster names are watched as long as it is there. */
static void files_are_kept_while_they_are_used(void **state)
{
    static struct stage stage;
    char other[128], text[1024];

    (void) state;
    snprintf(other, sizeof other, "%s", certificate_write(&folder, "ca.pem", &first));
    snprintf(text, sizeof text, "validation_context { trusted_ca { filename: \"%s\" } }", other);
    stage = (struct stage){ 0 };
    begin(&stage);
    take(&stage, 0, text);
    loop_enter(stage.f.loop);
    assert_false(list_empty(&stage.f.source->tls_files));
    tls_files_sweep(stage.f.source);
    assert_ptr_not_equal(stage.f.source->tls_files.next,
                         stage.f.source->tls_files.prev); /* the service's and this one */
    store_rest(stage.resources[0]);
    stage.resources[0] = NULL;
    tls_files_sweep(stage.f.source);
    assert_ptr_equal(stage.f.source->tls_files.next, stage.f.source->tls_files.prev);
    loop_leave(stage.f.loop);
    end(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clusters_follow_their_files),
        cmocka_unit_test(inline_roots_beside_files),
        cmocka_unit_test(files_are_kept_while_they_are_used),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
