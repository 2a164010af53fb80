/* SPDX-License-Identifier: Apache-2.0 */
/* Names that a peer's certificate must have one of, beside a chain that is trusted, as a control plane may want them. */
#include "support/dialling.h"
#include "support/tls_peer.h"

static struct certificate_folder folder;
static struct certificate authority, stranger;
static const char *trusted;
static struct loop *loop;

static int set_up_all(void **state)
{
    (void) state;
    certificate_folder_make(&folder);
    authority = certificate_make((struct certificate_spec){ .common_name = "Test CA", .is_authority = 1 });
    stranger = certificate_make((struct certificate_spec){ .common_name = "Strange CA", .is_authority = 1 });
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

static struct peer_names *wanted(uint32_t types, enum peer_name_how how, const char *text)
{
    struct peer_names *names = peer_names_new(1);
    struct fault fault;

    assert_non_null(names);
    names->items[0].types = types;
    names->items[0].how = how;
    names->items[0].text = mem_strdup(text);
    if (how == PEER_NAME_REGEX)
        assert_int_equal(regex_new(text, REGEX_TO_MATCH, &names->items[0].regex, &fault), 0);
    return names;
}

static struct net_tls *tls_of(struct net_tls_conf conf)
{
    struct net_tls *tls;
    struct fault fault = { 0 };

    conf.ca = trusted;
    if (net_tls_new(&conf, &tls, &fault) != 0)
        fail_msg("%s", fault.text);
    peer_names_unref(conf.names); /* tls has its own */
    return tls;
}

/* One connection to a server with a certificate of these names; for fault. */
static struct dialled dial_names(const struct certificate *issuer, const char *names, struct net_tls_conf conf,
                                 const char *server_name, char sni[64])
{
    struct certificate certificate =
        certificate_make((struct certificate_spec){ .common_name = "users", .names = names, .issuer = issuer });
    struct net_tls *tls = tls_of(conf);
    struct dialled dialled;
    struct peer peer;

    peer_start(&peer, (struct peer_conf){ .certificate = &certificate });
    dialled =
        dial(loop, (struct net_dial_conf){ .addrs = &peer.addr, .n_addrs = 1, .tls = tls, .server_name = server_name });
    net_stream_close(dialled.stream);
    peer_stop(&peer);
    if (sni)
        memcpy(sni, peer.sni, sizeof peer.sni);
    net_tls_unref(tls);
    certificate_free(&certificate);
    return dialled;
}

static void one_name_is_enough(void **state)
{
    static const struct {
        const char *names; /* of the certificate */
        uint32_t types;
        enum peer_name_how how;
        const char *text;
        bool fits;
    } cases[] = {
        { "URI:spiffe://td/ns/a/sa/b", PEER_NAME_URI, PEER_NAME_EXACT, "spiffe://td/ns/a/sa/b", true },
        { "URI:spiffe://td/ns/a/sa/b", PEER_NAME_URI, PEER_NAME_EXACT, "spiffe://td/ns/a/sa/c", false },
        { "URI:spiffe://td/ns/a/sa/b", PEER_NAME_DNS, PEER_NAME_EXACT, "spiffe://td/ns/a/sa/b", false },
        { "URI:spiffe://td/ns/a/sa/b", PEER_NAME_ANY, PEER_NAME_PREFIX, "spiffe://td/", true },
        { "DNS:other.test,URI:spiffe://td/x", PEER_NAME_URI, PEER_NAME_SUFFIX, "/x", true },
        { "DNS:a.users.test", PEER_NAME_DNS, PEER_NAME_EXACT, "A.Users.test", true },
        { "DNS:*.users.test", PEER_NAME_DNS, PEER_NAME_EXACT, "a.users.test", true },
        { "DNS:*.users.test", PEER_NAME_DNS, PEER_NAME_EXACT, "a.b.users.test", false },
        { "DNS:*.users.test", PEER_NAME_DNS, PEER_NAME_CONTAINS, "users", true },
        { "IP:10.1.2.3", PEER_NAME_IP, PEER_NAME_EXACT, "10.1.2.3", true },
        { "IP:fd00::7", PEER_NAME_IP, PEER_NAME_EXACT, "fd00::7", true },
        { "email:a@users.test", PEER_NAME_EMAIL, PEER_NAME_REGEX, "[a-z]@users\\.test", true },
        { "email:ab@users.test", PEER_NAME_EMAIL, PEER_NAME_REGEX, "[a-z]@users\\.test", false },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct net_tls_conf conf = { .any_name = true, .names = wanted(cases[i].types, cases[i].how, cases[i].text) };
        struct dialled dialled = dial_names(&authority, cases[i].names, conf, "127.0.0.1", NULL);

        if ((dialled.err == 0) != cases[i].fits)
            fail_msg("%s and %s: %s", cases[i].names, cases[i].text, dialled.fault.text);
        if (cases[i].fits)
            continue;
        assert_int_equal(dialled.err, MESH_ERR_TLS);
        assert_says(&dialled.fault, "has no name that the control plane wants");
    }
}

static void the_chain_is_still_checked(void **state)
{
    struct net_tls_conf conf = { .any_name = true, .names = wanted(PEER_NAME_DNS, PEER_NAME_EXACT, "users.test") };
    struct dialled dialled = dial_names(&stranger, "DNS:users.test", conf, "127.0.0.1", NULL);

    (void) state;
    assert_int_equal(dialled.err, MESH_ERR_TLS);
    assert_says(&dialled.fault, "unknown issuer");
}

/* A control plane that wants nothing of the names: the chain alone counts, and what is sent is not compared. */
static void any_name_will_do(void **state)
{
    struct net_tls_conf conf = { .any_name = true };
    char sni[64];

    (void) state;
    assert_int_equal(dial_names(&authority, "DNS:users.test", conf, "outbound_.80_._.users", sni).err, 0);
    assert_string_equal(sni, "outbound_.80_._.users");
    assert_int_equal(dial_names(&authority, "DNS:users.test", conf, "127.0.0.1", sni).err, 0);
    assert_string_equal(sni, "");
    assert_int_equal(dial_names(&authority, NULL, conf, "127.0.0.1", NULL).err, 0);
    assert_int_equal(dial_names(&stranger, "DNS:users.test", conf, "127.0.0.1", NULL).err, MESH_ERR_TLS);
}

/* Both are wanted: the host's name, and one of the list. */
static void a_host_and_a_name(void **state)
{
    struct net_tls_conf conf = { .names = wanted(PEER_NAME_URI, PEER_NAME_PREFIX, "spiffe://td/") };
    struct dialled dialled;

    (void) state;
    peer_names_ref(conf.names);
    assert_int_equal(dial_names(&authority, "DNS:users.test,URI:spiffe://td/x", conf, "users.test", NULL).err, 0);
    dialled = dial_names(&authority, "DNS:pay.test,URI:spiffe://td/x", conf, "users.test", NULL);
    assert_int_equal(dialled.err, MESH_ERR_TLS);
    assert_says(&dialled.fault, "the certificate is for pay.test");
}

/* "users.test\0.evil.test", by an authority that reads C strings. */
static void a_name_with_a_nul_is_none(void **state)
{
    static const char deceit[] = "users.test\0.evil.test";
    struct certificate certificate =
        certificate_make((struct certificate_spec){ .common_name = "users", .issuer = &authority });
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    const enum peer_name_how hows[] = { PEER_NAME_EXACT, PEER_NAME_PREFIX, PEER_NAME_CONTAINS };

    (void) state;
    ASN1_STRING_set(text, deceit, sizeof deceit - 1);
    GENERAL_NAME_set0_value(name, GEN_DNS, text);
    sk_GENERAL_NAME_push(names, name);
    assert_int_equal(X509_add1_ext_i2d(certificate.x509, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT), 1);
    assert_true(X509_sign(certificate.x509, authority.key, EVP_sha256()) > 0);
    for (size_t i = 0; i < COUNT_OF(hows); i++) {
        struct net_tls *tls =
            tls_of((struct net_tls_conf){ .any_name = true, .names = wanted(PEER_NAME_DNS, hows[i], "users.test") });
        struct dialled dialled;
        struct peer peer;

        peer_start(&peer, (struct peer_conf){ .certificate = &certificate });
        dialled = dial(
            loop, (struct net_dial_conf){ .addrs = &peer.addr, .n_addrs = 1, .tls = tls, .server_name = "127.0.0.1" });
        peer_stop(&peer);
        assert_int_equal(dialled.err, MESH_ERR_TLS);
        net_tls_unref(tls);
    }
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    certificate_free(&certificate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_name_is_enough),        cmocka_unit_test(the_chain_is_still_checked),
        cmocka_unit_test(any_name_will_do),          cmocka_unit_test(a_host_and_a_name),
        cmocka_unit_test(a_name_with_a_nul_is_none),
    };

    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
