/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an identity's files: what is told when they are wrong. And the lists for ALPN. */
#include "support/certificates.h"

#include <openssl/err.h>

#include "net/tls.h"

static struct certificate_folder folder;
static struct certificate one, two, rsa;
static const char *cert, *key, *other_key, *rsa_key, *locked_key, *text, *empty, *cut;

static int set_up_all(void **state)
{
    char pem[64];
    FILE *file;
    size_t n;

    (void) state;
    unsetenv("SSL_CERT_FILE");
    unsetenv("SSL_CERT_DIR");
    certificate_folder_make(&folder);
    one = certificate_make((struct certificate_spec){ .common_name = "one" });
    two = certificate_make((struct certificate_spec){ .common_name = "two" });
    rsa = certificate_make((struct certificate_spec){ .common_name = "rsa", .rsa_bits = 2048 });
    cert = certificate_write(&folder, "one.pem", &one);
    key = certificate_write_key(&folder, "one.key", &one, NULL);
    other_key = certificate_write_key(&folder, "two.key", &two, NULL);
    rsa_key = certificate_write_key(&folder, "rsa.key", &rsa, NULL);
    locked_key = certificate_write_key(&folder, "locked.key", &one, "secret");
    text = certificate_write_text(&folder, "text.pem", "this is no certificate\n");
    empty = certificate_write_text(&folder, "empty.pem", "");
    file = fopen(cert, "r");
    n = fread(pem, 1, sizeof pem - 1, file);
    fclose(file);
    pem[n] = '\0';
    cut = certificate_write_text(&folder, "cut.pem", pem);
    return 0;
}

static int tear_down_all(void **state)
{
    (void) state;
    certificate_free(&one);
    certificate_free(&two);
    certificate_free(&rsa);
    certificate_folder_remove(&folder);
    return 0;
}

/* ---- the same from texts ---- */

/* NULL where there is no file, or nothing in it. */
static char *text_of_file(const char *path)
{
    char *content = calloc(1, 65536);
    FILE *file = path ? fopen(path, "r") : NULL;
    size_t n = file ? fread(content, 1, 65535, file) : 0;

    if (file)
        fclose(file);
    if (n > 0)
        return content;
    free(content);
    return NULL;
}

static int32_t new_from_texts(struct net_tls_conf conf, struct fault *fault)
{
    char *ca_text = text_of_file(conf.ca), *cert_text = text_of_file(conf.cert), *key_text = text_of_file(conf.key);
    struct net_tls *tls;
    int32_t err;

    conf.ca_pem = ca_text;
    conf.cert_pem = cert_text;
    conf.key_pem = key_text;
    err = net_tls_new(&conf, &tls, fault);
    net_tls_unref(tls);
    free(ca_text);
    free(cert_text);
    free(key_text);
    return err;
}

static void accept_conf(struct net_tls_conf conf)
{
    struct net_tls *tls;
    struct fault fault = { 0 };

    assert_int_equal(new_from_texts(conf, &fault), 0);
    assert_int_equal(ERR_peek_error(), 0);
    if (net_tls_new(&conf, &tls, &fault) != 0)
        fail_msg("%s", fault.text);
    assert_ptr_equal(net_tls_ref(tls), tls);
    net_tls_unref(tls);
    net_tls_unref(tls);
}

static void refuse_conf(struct net_tls_conf conf, int32_t code, const char *path, const char *words)
{
    struct net_tls *tls = (struct net_tls *) &folder;
    struct fault fault = { 0 };

    assert_int_equal(net_tls_new(&conf, &tls, &fault), code);
    assert_int_equal(fault.code, code);
    assert_null(tls);
    if (!strstr(fault.text, words) || !strstr(fault.text, path))
        fail_msg("\"%s\" does not say \"%s\" and \"%s\"", fault.text, path, words);
    assert_int_equal(ERR_peek_error(), 0);
    assert_int_equal(net_tls_new(&conf, &tls, NULL), code);
    assert_int_equal(new_from_texts(conf, &fault), code);
    if (!strstr(fault.text, words) || !strstr(fault.text, path))
        fail_msg("from texts: \"%s\" does not say \"%s\" and \"%s\"", fault.text, path, words);
    assert_int_equal(ERR_peek_error(), 0);
}

static void test_good(void **state)
{
    (void) state;
    accept_conf((struct net_tls_conf){ .ca = NULL });
    accept_conf((struct net_tls_conf){ .ca = cert });
    accept_conf((struct net_tls_conf){ .insecure = true, .min_version = 13 });
    accept_conf((struct net_tls_conf){ .ca = cert, .cert = cert, .key = key, .min_version = 12 });
    net_tls_unref(NULL);
}

static void test_bad_ca(void **state)
{
    (void) state;
    refuse_conf((struct net_tls_conf){ .ca = "/nonexistent/ca.pem" }, MESH_ERR_IO, "tls.ca /nonexistent/ca.pem",
                "No such file");
    refuse_conf((struct net_tls_conf){ .ca = folder.path }, MESH_ERR_IO, folder.path, "Is a directory");
    refuse_conf((struct net_tls_conf){ .ca = text }, MESH_ERR_TLS, text, "no usable certificates in PEM form");
    refuse_conf((struct net_tls_conf){ .ca = cut }, MESH_ERR_TLS, cut, "no usable certificates in PEM form");
    refuse_conf((struct net_tls_conf){ .ca = key }, MESH_ERR_TLS, key, "no usable certificates in PEM form");
    refuse_conf((struct net_tls_conf){ .ca = empty }, MESH_ERR_TLS, empty, "the file is empty");
}

static void test_bad_identity(void **state)
{
    (void) state;
    refuse_conf((struct net_tls_conf){ .cert = cert }, MESH_ERR_INVALID, "tls.cert", "is set without tls.key");
    refuse_conf((struct net_tls_conf){ .key = key }, MESH_ERR_INVALID, "tls.key", "is set without tls.cert");
    refuse_conf((struct net_tls_conf){ .cert = "/nonexistent/c", .key = key }, MESH_ERR_IO, "tls.cert /nonexistent/c",
                "No such file");
    refuse_conf((struct net_tls_conf){ .cert = cert, .key = "/nonexistent/k" }, MESH_ERR_IO, "tls.key /nonexistent/k",
                "No such file");
    refuse_conf((struct net_tls_conf){ .cert = text, .key = key }, MESH_ERR_TLS, text, "no usable certificate");
    refuse_conf((struct net_tls_conf){ .cert = cut, .key = key }, MESH_ERR_TLS, cut, "no usable certificate");
    refuse_conf((struct net_tls_conf){ .cert = cert, .key = text }, MESH_ERR_TLS, text, "no private key in PEM form");
    refuse_conf((struct net_tls_conf){ .cert = cert, .key = empty }, MESH_ERR_TLS, empty, "the file is empty");
}

/* Nobody is asked for the password: there may be no terminal, or somebody else's. */
static void test_locked_key(void **state)
{
    (void) state;
    refuse_conf((struct net_tls_conf){ .cert = cert, .key = locked_key }, MESH_ERR_TLS, locked_key,
                "without a password");
}

static void test_key_of_another_certificate(void **state)
{
    const char *wrong[] = { other_key, rsa_key };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        refuse_conf((struct net_tls_conf){ .cert = cert, .key = wrong[i] }, MESH_ERR_TLS, cert, wrong[i]);
        refuse_conf((struct net_tls_conf){ .cert = cert, .key = wrong[i] }, MESH_ERR_TLS, cert, "does not belong to");
    }
}

static void test_bad_version(void **state)
{
    (void) state;
    refuse_conf((struct net_tls_conf){ .min_version = 11 }, MESH_ERR_INVALID, "tls.min_version: 11", "12 (TLS 1.2)");
}

static void test_alpn_lists(void **state)
{
    uint8_t wire[TLS_ALPN_MOST];
    char name[TLS_ALPN_MOST + 1];
    size_t len;

    (void) state;
    assert_true(tls_alpn_wire("h2,http/1.1", wire, &len));
    assert_int_equal(len, 12);
    assert_memory_equal(wire, "\x02h2\x08http/1.1", 12);
    assert_false(tls_alpn_wire("", wire, &len));
    assert_false(tls_alpn_wire("h2,", wire, &len));
    assert_false(tls_alpn_wire(",h2", wire, &len));
    assert_false(tls_alpn_wire("h2,,h2", wire, &len));
    memset(name, 'a', sizeof name);
    name[255] = '\0';
    assert_true(tls_alpn_wire(name, wire, &len));
    name[255] = 'a';
    name[256] = '\0';
    assert_false(tls_alpn_wire(name, wire, &len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad_ca),
        cmocka_unit_test(test_bad_identity),
        cmocka_unit_test(test_locked_key),
        cmocka_unit_test(test_key_of_another_certificate),
        cmocka_unit_test(test_bad_version),
        cmocka_unit_test(test_alpn_lists),
    };

    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
