/* SPDX-License-Identifier: Apache-2.0 */
/* Whom TLS trusts: good certificates and every kind of bad one, what the refusals say, versions, ALPN, client certificates. */
#include "support/dialling.h"
#include "support/tls_peer.h"

static struct certificate_folder folder;
static struct certificate authority, stranger; /* two that issue; the first one is trusted */
static const char *trusted;                    /* its file */
static struct loop *loop;

static int set_up_all(void **state)
{
    (void) state;
    unsetenv("SSL_CERT_FILE");
    unsetenv("SSL_CERT_DIR");
    certificate_folder_make(&folder);
    authority = certificate_make((struct certificate_spec){ .common_name = "Test CA", .is_authority = 1 });
    stranger = certificate_make((struct certificate_spec){ .common_name = "Strange \"CA\"\n", .is_authority = 1 });
    trusted = certificate_write(&folder, "ca.pem", &authority);
    loop = dialling_loop();
    return 0;
}

static int tear_down_all(void **state)
{
    (void) state;
    loop_free(loop);
    certificate_free(&authority);
    certificate_free(&stranger);
    certificate_folder_remove(&folder);
    return 0;
}

static struct net_tls *tls_of(struct net_tls_conf conf)
{
    struct net_tls *tls;
    struct fault fault = { 0 };

    if (!conf.ca && !conf.insecure)
        conf.ca = trusted;
    if (net_tls_new(&conf, &tls, &fault) != 0)
        fail_msg("%s", fault.text);
    return tls;
}

static struct dialled dial_tls(const struct peer *peer, struct net_tls *tls, const char *name, const char *alpn)
{
    return dial(loop, (struct net_dial_conf){
                          .addrs = &peer->addr, .n_addrs = 1, .tls = tls, .server_name = name, .alpn = alpn });
}

static struct certificate good_certificate(void)
{
    return certificate_make((struct certificate_spec){
        .common_name = "users", .names = "DNS:users.test,DNS:*.wild.test,IP:127.0.0.1,IP:::1", .issuer = &authority });
}

static void talk_and_close(struct net_stream *stream)
{
    char buf[8];

    assert_true(stream_write_all(stream, "hello", 5));
    assert_int_equal(stream_read(stream, buf, sizeof buf), 5);
    assert_memory_equal(buf, "hello", 5);
    net_stream_close(stream);
}

static void assert_accepted(struct dialled dialled)
{
    if (dialled.err)
        fail_msg("%s", dialled.fault.text);
    assert_true(net_stream_is_tls(dialled.stream));
    talk_and_close(dialled.stream);
}

static void assert_failed(struct dialled dialled, int32_t err, const char *words)
{
    assert_int_equal(dialled.err, err);
    assert_int_equal(dialled.fault.code, err);
    assert_null(dialled.stream);
    assert_says(&dialled.fault, words);
}

static void assert_refused(struct dialled dialled, const char *words)
{
    assert_failed(dialled, MESH_ERR_TLS, words);
}

/* One connection to a server that has this certificate. */
static struct dialled dial_certificate(struct peer_conf conf, struct net_tls_conf tls_conf, const char *name)
{
    struct net_tls *tls = tls_of(tls_conf);
    struct dialled dialled;
    struct peer peer;

    peer_start(&peer, conf);
    dialled = dial_tls(&peer, tls, name, NULL);
    if (dialled.err == 0)
        talk_and_close(dialled.stream);
    peer_stop(&peer);
    if (dialled.err)
        assert_int_equal(peer.bytes, 0);
    net_tls_unref(tls);
    return dialled;
}

static void refuse(struct certificate_spec spec, const char *name, const char *words)
{
    struct certificate certificate = certificate_make(spec);
    struct dialled dialled =
        dial_certificate((struct peer_conf){ .certificate = &certificate }, (struct net_tls_conf){ .ca = NULL }, name);

    certificate_free(&certificate);
    assert_refused(dialled, words);
    assert_says(&dialled.fault, "TLS with 127.0.0.1:");
}

static void accept_spec(struct certificate_spec spec, struct net_tls_conf conf, const char *name)
{
    struct certificate certificate = certificate_make(spec);
    struct dialled dialled = dial_certificate((struct peer_conf){ .certificate = &certificate }, conf, name);

    certificate_free(&certificate);
    if (dialled.err)
        fail_msg("%s", dialled.fault.text);
}

/* ---- trusted ---- */

static void test_names_and_addresses(void **state)
{
    static const struct {
        const char *name, *sni;
    } good[] = {
        { "users.test", "users.test" },
        { "USERS.test", "USERS.test" },
        { "users.test.", "users.test" },
        { "any.wild.test", "any.wild.test" },
        { "127.0.0.1", "" },
        { "::1", "" },
    };
    struct certificate certificate = good_certificate();
    struct net_tls *tls = tls_of((struct net_tls_conf){ .ca = NULL });
    struct peer peer;

    (void) state;
    peer_start(&peer, (struct peer_conf){ .certificate = &certificate });
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_accepted(dial_tls(&peer, tls, good[i].name, NULL));
        assert_string_equal(peer.sni, good[i].sni);
    }
    peer_stop(&peer);
    net_tls_unref(tls);
    certificate_free(&certificate);
}

static void test_v6_peer(void **state)
{
    struct certificate certificate = good_certificate();
    struct dialled dialled = dial_certificate((struct peer_conf){ .certificate = &certificate, .family = AF_INET6 },
                                              (struct net_tls_conf){ .min_version = 13 }, "::1");

    (void) state;
    assert_int_equal(dialled.err, 0);
    certificate_free(&certificate);
}

static void test_roots_from_the_environment(void **state)
{
    struct certificate certificate = good_certificate();
    struct net_tls_conf conf = { .ca = NULL };
    struct net_tls *tls;
    struct fault fault;
    struct peer peer;

    (void) state;
    peer_start(&peer, (struct peer_conf){ .certificate = &certificate });
    assert_int_equal(net_tls_new(&conf, &tls, &fault), 0);
    assert_refused(dial_tls(&peer, tls, "users.test", NULL), "not in the system's roots");
    net_tls_unref(tls);

    setenv("SSL_CERT_FILE", trusted, 1);
    assert_int_equal(net_tls_new(&conf, &tls, &fault), 0);
    assert_accepted(dial_tls(&peer, tls, "users.test", NULL));
    net_tls_unref(tls);

    setenv("SSL_CERT_FILE", "/nonexistent/roots.pem", 1);
    assert_int_equal(net_tls_new(&conf, &tls, &fault), MESH_ERR_IO);
    assert_says(&fault, "SSL_CERT_FILE /nonexistent/roots.pem: No such file or directory");
    unsetenv("SSL_CERT_FILE");

    setenv("SSL_CERT_DIR", "/nonexistent", 1);
    assert_int_equal(net_tls_new(&conf, &tls, &fault), 0);
    unsetenv("SSL_CERT_DIR");
    assert_refused(dial_tls(&peer, tls, "users.test", NULL), "not in SSL_CERT_DIR /nonexistent");
    net_tls_unref(tls);
    peer_stop(&peer);
    certificate_free(&certificate);
}

static void test_intermediate(void **state)
{
    struct certificate middle = certificate_make(
        (struct certificate_spec){ .common_name = "Middle CA", .issuer = &authority, .is_authority = 1 });
    struct certificate certificate = certificate_make(
        (struct certificate_spec){ .common_name = "users", .names = "DNS:users.test", .issuer = &middle });
    const char *middle_file = certificate_write(&folder, "middle.pem", &middle);
    struct dialled dialled;

    (void) state;
    dialled = dial_certificate((struct peer_conf){ .certificate = &certificate, .intermediate = &middle },
                               (struct net_tls_conf){ .ca = NULL }, "users.test");
    assert_int_equal(dialled.err, 0);
    dialled = dial_certificate((struct peer_conf){ .certificate = &certificate }, (struct net_tls_conf){ .ca = NULL },
                               "users.test");
    assert_refused(dialled, "unknown issuer \"CN=Middle CA\"");
    /* what the file names is trusted, be it a root or not */
    dialled = dial_certificate((struct peer_conf){ .certificate = &certificate },
                               (struct net_tls_conf){ .ca = middle_file }, "users.test");
    assert_int_equal(dialled.err, 0);
    certificate_free(&middle);
    certificate_free(&certificate);
}

static void test_self_signed_and_trusted(void **state)
{
    struct certificate certificate =
        certificate_make((struct certificate_spec){ .common_name = "lone", .names = "DNS:lone.test" });
    const char *file = certificate_write(&folder, "lone.pem", &certificate);
    struct dialled dialled = dial_certificate((struct peer_conf){ .certificate = &certificate },
                                              (struct net_tls_conf){ .ca = file }, "lone.test");

    (void) state;
    assert_int_equal(dialled.err, 0);
    certificate_free(&certificate);
}

static void test_insecure_accepts_anything(void **state)
{
    (void) state;
    accept_spec((struct certificate_spec){ .common_name = "x", .names = "DNS:x.test", .until_s = -60 },
                (struct net_tls_conf){ .insecure = true }, "users.test");
}

/* ---- refused ---- */

static void test_expired(void **state)
{
    (void) state;
    refuse(
        (struct certificate_spec){
            .common_name = "users", .names = "DNS:users.test", .issuer = &authority, .from_s = -7200, .until_s = -60 },
        "users.test", "for \"users.test\": the certificate expired on 20");
}

static void test_not_yet_valid(void **state)
{
    (void) state;
    refuse(
        (struct certificate_spec){
            .common_name = "users", .names = "DNS:users.test", .issuer = &authority, .from_s = 3600, .until_s = 7200 },
        "users.test", "the certificate is not yet valid, only from 20");
}

static void test_expired_issuer(void **state)
{
    struct certificate old = certificate_make((struct certificate_spec){
        .common_name = "Old CA", .issuer = &authority, .is_authority = 1, .from_s = -7200, .until_s = -60 });
    struct certificate certificate = certificate_make(
        (struct certificate_spec){ .common_name = "users", .names = "DNS:users.test", .issuer = &old });
    struct dialled dialled = dial_certificate((struct peer_conf){ .certificate = &certificate, .intermediate = &old },
                                              (struct net_tls_conf){ .ca = NULL }, "users.test");

    (void) state;
    assert_refused(dialled, "the issuing certificate \"CN=Old CA\" expired on 20");
    certificate_free(&old);
    certificate_free(&certificate);
}

static void test_unknown_issuer(void **state)
{
    char words[FAULT_TEXT];

    (void) state;
    snprintf(words, sizeof words, "not in tls.ca %s;", trusted);
    refuse((struct certificate_spec){ .common_name = "users", .names = "DNS:users.test", .issuer = &stranger },
           "users.test", words);
    refuse((struct certificate_spec){ .common_name = "users", .names = "DNS:users.test", .issuer = &stranger },
           "users.test", "unknown issuer \"CN=Strange ");
}

static void test_self_signed(void **state)
{
    (void) state;
    refuse((struct certificate_spec){ .common_name = "users", .names = "DNS:users.test" }, "users.test",
           "the certificate is self-signed and not in tls.ca");
}

static void test_wrong_name(void **state)
{
    struct certificate_spec spec = { .common_name = "users.test",
                                     .names = "DNS:a.test,DNS:*.b.test,IP:10.0.0.7,URI:spiffe://mesh/users",
                                     .issuer = &authority };

    (void) state;
    refuse(spec, "users.test",
           "for \"users.test\": the certificate is for a.test, *.b.test, 10.0.0.7, spiffe://mesh/users;");
    refuse(spec, "x.y.b.test", "set tls.server_name");
    refuse(spec, "b.test", "the certificate is for");
    refuse(spec, "127.0.0.1", "for \"127.0.0.1\": the certificate is for a.test");
    refuse(spec, "::1", "the certificate is for a.test");
    spec.names = "email:me@users.test,IP:::1";
    refuse(spec, "users.test", "the certificate is for ::1;");
}

static void test_partial_wildcards_are_none(void **state)
{
    (void) state;
    refuse((struct certificate_spec){ .common_name = "x", .names = "DNS:us*.wild.test", .issuer = &authority },
           "users.wild.test", "the certificate is for us*.wild.test");
}

static void test_common_name_is_no_name(void **state)
{
    (void) state;
    refuse((struct certificate_spec){ .common_name = "users.test", .issuer = &authority }, "users.test",
           "the certificate is for no name at all");
}

/* The long list is cut, and what is hostile in it is escaped. */
static void test_hostile_names(void **state)
{
    char names[2048] = "DNS:first.test";

    (void) state;
    for (int i = 0; i < 60; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), ",DNS:%d.some.long.name.test", i);
    refuse((struct certificate_spec){ .common_name = "x", .names = names, .issuer = &authority }, "users.test",
           "the certificate is for first.test, 0.some.long.name.test");
    refuse((struct certificate_spec){ .common_name = "x", .names = names, .issuer = &authority }, "users.test",
           ", ...; if that is the peer, set tls.server_name to it");
    refuse((struct certificate_spec){ .common_name = "x", .names = "DNS:evil\n\"name", .issuer = &authority },
           "users.test", "the certificate is for evil\\x0a\\\"name;");
}

static void test_wrong_purpose(void **state)
{
    (void) state;
    refuse(
        (struct certificate_spec){
            .common_name = "users", .names = "DNS:users.test", .issuer = &authority, .purpose = "clientAuth" },
        "users.test", "the certificate is not made for servers");
}

static void test_short_key(void **state)
{
    (void) state;
    refuse(
        (struct certificate_spec){
            .common_name = "users", .names = "DNS:users.test", .issuer = &authority, .rsa_bits = 1024 },
        "users.test", "the certificate is too weak to be trusted");
}

/* A check without a sentence of its own. */
static void test_issuer_that_is_no_authority(void **state)
{
    struct certificate leaf =
        certificate_make((struct certificate_spec){ .common_name = "leaf", .issuer = &authority });
    struct certificate forged = certificate_make(
        (struct certificate_spec){ .common_name = "users", .names = "DNS:users.test", .issuer = &leaf });
    struct dialled dialled = dial_certificate((struct peer_conf){ .certificate = &forged, .intermediate = &leaf },
                                              (struct net_tls_conf){ .ca = NULL }, "users.test");

    (void) state;
    assert_refused(dialled, "the issuing certificate \"CN=leaf\" was refused: invalid CA certificate");
    certificate_free(&leaf);
    certificate_free(&forged);
}

/* Trust is no matter of which address answers first: the good one behind it must not hide the bad one. */
static void test_refusal_is_final(void **state)
{
    struct certificate bad = certificate_make(
        (struct certificate_spec){ .common_name = "users", .names = "DNS:users.test", .issuer = &stranger });
    struct certificate good = good_certificate();
    struct net_tls *tls = tls_of((struct net_tls_conf){ .ca = NULL });
    struct peer peers[2];
    struct addr addrs[2];

    (void) state;
    peer_start(&peers[0], (struct peer_conf){ .certificate = &bad });
    peer_start(&peers[1], (struct peer_conf){ .certificate = &good });
    addrs[0] = peers[0].addr;
    addrs[1] = peers[1].addr;
    assert_refused(
        dial(loop, (struct net_dial_conf){ .addrs = addrs, .n_addrs = 2, .tls = tls, .server_name = "users.test" }),
        "unknown issuer");
    peer_stop(&peers[0]);
    peer_stop(&peers[1]);
    assert_int_equal(peers[1].accepted, 0);
    net_tls_unref(tls);
    certificate_free(&bad);
    certificate_free(&good);
}

/* ---- versions, protocols, handshakes that do not end ---- */

static void test_versions(void **state)
{
    struct certificate certificate = good_certificate();
    struct peer_conf conf = { .certificate = &certificate };

    (void) state;
    conf.max_version = TLS1_1_VERSION;
    assert_refused(dial_certificate(conf, (struct net_tls_conf){ .ca = NULL }, "users.test"), "see tls.min_version");
    conf.max_version = TLS1_2_VERSION;
    assert_int_equal(dial_certificate(conf, (struct net_tls_conf){ .ca = NULL }, "users.test").err, 0);
    assert_refused(dial_certificate(conf, (struct net_tls_conf){ .min_version = 13 }, "users.test"),
                   "see tls.min_version");
    conf.max_version = TLS1_3_VERSION;
    assert_int_equal(dial_certificate(conf, (struct net_tls_conf){ .min_version = 13 }, "users.test").err, 0);
    certificate_free(&certificate);
}

static void test_alpn(void **state)
{
    struct certificate certificate = good_certificate();
    struct net_tls *tls = tls_of((struct net_tls_conf){ .ca = NULL });
    struct dialled dialled;
    struct peer peer;

    (void) state;
    peer_start(&peer, (struct peer_conf){ .certificate = &certificate, .alpn = "http/1.1" });
    dialled = dial_tls(&peer, tls, "users.test", "h2,http/1.1");
    assert_int_equal(dialled.err, 0);
    assert_string_equal(net_stream_alpn(dialled.stream), "http/1.1");
    net_stream_close(dialled.stream);
    dialled = dial_tls(&peer, tls, "users.test", NULL);
    assert_int_equal(dialled.err, 0);
    assert_string_equal(net_stream_alpn(dialled.stream), "");
    net_stream_close(dialled.stream);
    assert_refused(dial_tls(&peer, tls, "users.test", "h2"), "speaks none of the protocols that were offered");
    peer_stop(&peer);

    peer_start(&peer, (struct peer_conf){ .certificate = &certificate });
    dialled = dial_tls(&peer, tls, "users.test", "h2");
    assert_int_equal(dialled.err, 0);
    assert_string_equal(net_stream_alpn(dialled.stream), "");
    net_stream_close(dialled.stream);
    peer_stop(&peer);
    net_tls_unref(tls);
    certificate_free(&certificate);
}

static void test_peers_that_do_not_shake_hands(void **state)
{
    static const struct {
        enum peer_manner manner;
        uint64_t timeout_us;
        int32_t err; /* what no trust was lost in may work with another endpoint */
        const char *words;
    } cases[] = {
        { PEER_STALL, 100 * US_PER_MS, MESH_ERR_CONNECT, "for \"users.test\": handshake not finished within 100 ms" },
        { PEER_PLAIN, 0, MESH_ERR_TLS, "the peer does not speak TLS on this port" },
        { PEER_CLOSE, 0, MESH_ERR_CONNECT, "the peer ended the connection during the handshake" },
    };
    struct net_tls *tls = tls_of((struct net_tls_conf){ .ca = NULL });

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct peer peer;
        struct dialled dialled;

        peer_start(&peer, (struct peer_conf){ .manner = cases[i].manner });
        dialled = dial(loop, (struct net_dial_conf){ .addrs = &peer.addr,
                                                     .n_addrs = 1,
                                                     .tls = tls,
                                                     .timeout_us = cases[i].timeout_us,
                                                     .server_name = "users.test" });
        peer_stop(&peer);
        if (cases[i].manner == PEER_CLOSE && strstr(dialled.fault.text, "reset by peer"))
            continue; /* our hello had come before it closed */
        assert_failed(dialled, cases[i].err, cases[i].words);
    }
    net_tls_unref(tls);
}

static void test_alerts(void **state)
{
    static const struct {
        unsigned char alert;
        const char *words;
    } cases[] = {
        { 80, "the peer ended it with the alert \"internal error\"" },
        { 200, "the peer ended it with the alert \"number 200\"" },
        { 40, "no cipher in common, or it wants a client certificate" },
        { 112, "the peer does not know this server name" },
    };
    struct net_tls *tls = tls_of((struct net_tls_conf){ .ca = NULL });

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct peer peer;

        peer_start(&peer, (struct peer_conf){ .manner = PEER_ALERT, .alert = cases[i].alert });
        assert_refused(dial_tls(&peer, tls, "users.test", NULL), cases[i].words);
        peer_stop(&peer);
    }
    net_tls_unref(tls);
}

static void test_cancel_during_the_handshake(void **state)
{
    struct net_tls *tls = tls_of((struct net_tls_conf){ .ca = NULL });
    struct dialled dialled = { .is_done = false };
    struct net_dial *started;
    struct peer peer;
    struct net_dial_conf conf = {
        .addrs = &peer.addr, .n_addrs = 1, .timeout_us = 20 * US_PER_S, .tls = tls, .server_name = "users.test"
    };

    (void) state;
    peer_start(&peer, (struct peer_conf){ .manner = PEER_STALL });
    assert_int_equal(loop_open(loop, NULL), 0);
    loop_enter(loop);
    assert_int_equal(net_dial_start(loop, &conf, dialled_on_done, &dialled, &started), 0);
    loop_leave(loop);
    while (peer.accepted == 0)
        loop_turn(loop);
    loop_turn(loop);
    loop_enter(loop);
    net_dial_cancel(started);
    loop_leave(loop);
    peer_stop(&peer);
    assert_false(dialled.is_done);
    net_tls_unref(tls);
}

static void test_senseless_arguments(void **state)
{
    struct net_tls *tls = tls_of((struct net_tls_conf){ .ca = NULL });
    struct peer nobody = { .addr = { .family = ADDR_IPV4, .port = 1, .ip = { 127, 0, 0, 1 } } };
    char long_name[300];

    (void) state;
    memset(long_name, 'a', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    assert_int_equal(dial_tls(&nobody, tls, NULL, NULL).err, MESH_ERR_INVALID);
    assert_int_equal(dial_tls(&nobody, tls, "", NULL).err, MESH_ERR_INVALID);
    assert_int_equal(dial_tls(&nobody, tls, ".test", NULL).err, MESH_ERR_INVALID);
    assert_int_equal(dial_tls(&nobody, tls, ".", NULL).err, MESH_ERR_INVALID);
    assert_int_equal(dial_tls(&nobody, tls, "a.test", "h2,").err, MESH_ERR_INVALID);
    assert_int_equal(dial_tls(&nobody, tls, "a.test", long_name).err, MESH_ERR_INVALID);
    net_tls_unref(tls);
}

static void test_name_too_long(void **state)
{
    struct certificate certificate = good_certificate();
    char name[300];

    (void) state;
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_refused(
        dial_certificate((struct peer_conf){ .certificate = &certificate }, (struct net_tls_conf){ .ca = NULL }, name),
        "longer than the 255 bytes");
    certificate_free(&certificate);
}

/* ---- client certificates ---- */

static void test_client_certificate(void **state)
{
    struct certificate server = good_certificate();
    struct certificate ours = certificate_make((struct certificate_spec){ .common_name = "me", .issuer = &authority });
    struct certificate other = certificate_make((struct certificate_spec){ .common_name = "me", .issuer = &stranger });
    struct net_tls_conf good = { .cert = certificate_write(&folder, "me.pem", &ours),
                                 .key = certificate_write_key(&folder, "me.key", &ours, NULL) };
    struct net_tls_conf bad = { .cert = certificate_write(&folder, "other.pem", &other),
                                .key = certificate_write_key(&folder, "other.key", &other, NULL) };
    struct peer_conf conf = { .certificate = &server, .client_ca = &authority, .max_version = TLS1_2_VERSION };

    (void) state;
    assert_int_equal(dial_certificate(conf, good, "users.test").err, 0);
    assert_refused(dial_certificate(conf, bad, "users.test"), "the peer refused our client certificate tls.cert");
    assert_refused(dial_certificate(conf, (struct net_tls_conf){ .ca = NULL }, "users.test"), "tls.cert");
    certificate_free(&server);
    certificate_free(&ours);
    certificate_free(&other);
}

/* TLS 1.3 servers tell after the client's handshake has ended: the first read finds out. */
static void test_client_certificate_in_13(void **state)
{
    struct certificate server = good_certificate();
    struct net_tls *tls = tls_of((struct net_tls_conf){ .ca = NULL });
    struct dialled dialled;
    struct peer peer;
    char buf[8];

    (void) state;
    peer_start(&peer, (struct peer_conf){ .certificate = &server, .client_ca = &authority });
    dialled = dial_tls(&peer, tls, "users.test", NULL);
    assert_int_equal(dialled.err, 0);
    assert_int_equal(stream_read(dialled.stream, buf, sizeof buf), NET_FAILED);
    assert_int_equal(net_stream_fault(dialled.stream)->code, MESH_ERR_TLS);
    assert_says(net_stream_fault(dialled.stream),
                "the peer wants a client certificate (alert \"certificate required\")");
    assert_int_equal(net_stream_write(dialled.stream, "x", 1), NET_FAILED);
    assert_int_equal(net_stream_read(dialled.stream, buf, sizeof buf), NET_FAILED);
    net_stream_close(dialled.stream);
    peer_stop(&peer);
    net_tls_unref(tls);
    certificate_free(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_addresses),
        cmocka_unit_test(test_v6_peer),
        cmocka_unit_test(test_roots_from_the_environment),
        cmocka_unit_test(test_intermediate),
        cmocka_unit_test(test_self_signed_and_trusted),
        cmocka_unit_test(test_insecure_accepts_anything),
        cmocka_unit_test(test_expired),
        cmocka_unit_test(test_not_yet_valid),
        cmocka_unit_test(test_expired_issuer),
        cmocka_unit_test(test_unknown_issuer),
        cmocka_unit_test(test_self_signed),
        cmocka_unit_test(test_wrong_name),
        cmocka_unit_test(test_partial_wildcards_are_none),
        cmocka_unit_test(test_common_name_is_no_name),
        cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_wrong_purpose),
        cmocka_unit_test(test_short_key),
        cmocka_unit_test(test_issuer_that_is_no_authority),
        cmocka_unit_test(test_refusal_is_final),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_alpn),
        cmocka_unit_test(test_peers_that_do_not_shake_hands),
        cmocka_unit_test(test_alerts),
        cmocka_unit_test(test_cancel_during_the_handshake),
        cmocka_unit_test(test_senseless_arguments),
        cmocka_unit_test(test_name_too_long),
        cmocka_unit_test(test_client_certificate),
        cmocka_unit_test(test_client_certificate_in_13),
    };

    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
