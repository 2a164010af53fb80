/* SPDX-License-Identifier: Apache-2.0 */
/* Control planes by TLS: certificates both ways, names, files that change between two connections. */
#include <unistd.h>

#include "support/certificates.h"
#include "support/xds_channel.h"

/* ---- certificates ---- */

static struct pki {
    struct certificate authority, server, client;
    struct certificate_folder folder;
    const char *ca, *cert, *key;
    SSL_CTX *context;
} pki;

static int choose_h2(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                     unsigned in_len, void *user)
{
    (void) ssl, (void) user;
    return SSL_select_next_proto((unsigned char **) (uintptr_t) out, out_len, (const unsigned char *) "\2h2", 3, in,
                                 in_len) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_NOACK;
}

/* The client must show a certificate. */
static void pki_begin(const char *names)
{
    pki = (struct pki){ .authority = certificate_make((struct certificate_spec){ "authority", .is_authority = 1 }) };
    pki.server = certificate_make((struct certificate_spec){ "plane", .names = names, .issuer = &pki.authority });
    pki.client = certificate_make((struct certificate_spec){ "client", .issuer = &pki.authority });
    certificate_folder_make(&pki.folder);
    pki.ca = certificate_write(&pki.folder, "ca.pem", &pki.authority);
    pki.cert = certificate_write(&pki.folder, "cert.pem", &pki.client);
    pki.key = certificate_write_key(&pki.folder, "key.pem", &pki.client, NULL);
    pki.context = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(pki.context, pki.server.x509), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(pki.context, pki.server.key), 1);
    SSL_CTX_set_session_id_context(pki.context, (const unsigned char *) "plane", 5);
    SSL_CTX_set_alpn_select_cb(pki.context, choose_h2, NULL);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(pki.context), pki.authority.x509);
    SSL_CTX_set_verify(pki.context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

static void pki_end(void)
{
    SSL_CTX_free(pki.context);
    certificate_free(&pki.client);
    certificate_free(&pki.server);
    certificate_free(&pki.authority);
    certificate_folder_remove(&pki.folder);
}

static void start_tls(const char *host)
{
    char list[640];

    scene_begin(NULL);
    scene.planes[0] = plane_start((struct plane_conf){ .tls = pki.context });
    snprintf(list, sizeof list,
             "{\"server_uri\": \"%s:%u\", \"channel_creds\": [{\"type\": \"tls\", \"config\": {"
             "\"ca_certificate_file\": \"%s\", \"certificate_file\": \"%s\", \"private_key_file\": \"%s\"}}]}",
             host, plane_port(scene.planes[0]), pki.ca, pki.cert, pki.key);
    make_channel(list);
    open_stream(&owner, CHANNEL_ADS_PATH);
}

static void certificates_both_ways(void **state)
{
    (void) state;
    pki_begin("IP:127.0.0.1");
    start_tls("127.0.0.1");
    SCENE_UNTIL(owner.n_up == 1);
    SCENE_UNTIL(plane_streams(scene.planes[0]) == 1);
    assert_string_equal(theirs()->scheme, "https");
    says("a");
    stop();
    pki_end();
}

static void a_wrong_name_is_not_trusted(void **state)
{
    (void) state;
    pki_begin("DNS:other.test");
    start_tls("127.0.0.1");
    SCENE_UNTIL(owner.n_down == 1);
    assert_int_equal(owner.fault.code, MESH_ERR_TLS);
    is_within(owner.fault.text, "127.0.0.1");
    scene_turns();
    assert_int_equal(plane_streams(scene.planes[0]), 0);
    stop();
    pki_end();
}

static void overwrite(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void reconnect(unsigned n_up)
{
    scene_pass_ms(5000);
    plane_hang_up(scene.planes[0]);
    SCENE_UNTIL(owner.n_down == n_up - 1);
    scene_pass_ms(BACKOFF_SPREAD_MS);
    SCENE_UNTIL(owner.n_up == n_up && plane_streams(scene.planes[0]) == n_up);
    says("a");
}

/* The next connection is made with what stands in the files then, or with what was good if that cannot be used. */
static void files_that_change(void **state)
{
    struct certificate fresh;

    (void) state;
    pki_begin("IP:127.0.0.1");
    start_tls("127.0.0.1");
    SCENE_UNTIL(owner.n_up == 1);
    SCENE_UNTIL(plane_streams(scene.planes[0]) == 1);
    says("a");
    overwrite(pki.cert, "half");
    reconnect(2);
    assert_int_equal(scene_logged("tls_files_rejected"), 1);
    fresh = certificate_make((struct certificate_spec){ "client 2", .issuer = &pki.authority });
    certificate_write(&pki.folder, "cert.pem", &fresh);
    certificate_write_key(&pki.folder, "key.pem", &fresh, NULL);
    reconnect(3);
    assert_int_equal(scene_logged("tls_files_loaded"), 1);
    assert_int_equal(scene_logged("tls_files_rejected"), 1);
    certificate_free(&fresh);
    stop();
    pki_end();
}

static void files_that_are_not_there(void **state)
{
    (void) state;
    pki_begin("IP:127.0.0.1");
    unlink(pki.ca);
    start_tls("127.0.0.1");
    SCENE_UNTIL(owner.n_down == 1);
    is_within(owner.fault.text, pki.ca);
    certificate_write(&pki.folder, "ca.pem", &pki.authority);
    scene_pass_ms(500);
    SCENE_UNTIL(owner.n_up == 1);
    stop();
    pki_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(certificates_both_ways),
        LEAK_TEST(a_wrong_name_is_not_trusted),
        LEAK_TEST(files_that_change),
        LEAK_TEST(files_that_are_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
