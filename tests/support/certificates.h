/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates made while a test runs: authorities, servers, clients; good ones and every kind of bad one. */
#ifndef SUPPORT_CERTIFICATES_H
#define SUPPORT_CERTIFICATES_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

struct certificate {
    X509 *x509;
    EVP_PKEY *key;
};

struct certificate_spec {
    const char *common_name;
    const char *names;                /* "DNS:users.test,IP:127.0.0.1"; NULL: none */
    const struct certificate *issuer; /* NULL: self-signed */
    const char *purpose;              /* extendedKeyUsage; NULL: none */
    long from_s, until_s;             /* from now; until_s 0: an hour */
    unsigned rsa_bits;                /* 0: an elliptic curve, which is quicker */
    int is_authority;
};

static inline void certificate_extend(X509 *x509, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
}

static inline struct certificate certificate_make(struct certificate_spec spec)
{
    static long serial = 1000;
    struct certificate made = {
        .x509 = X509_new(),
        .key = spec.rsa_bits ? EVP_RSA_gen(spec.rsa_bits) : EVP_EC_gen("P-256"),
    };
    X509 *issuer = spec.issuer ? spec.issuer->x509 : made.x509;
    X509_NAME *name = X509_get_subject_name(made.x509);

    assert_non_null(made.key);
    X509_set_version(made.x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.x509), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(made.x509), spec.from_s ? spec.from_s : -3600);
    X509_gmtime_adj(X509_getm_notAfter(made.x509), spec.until_s ? spec.until_s : 3600);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *) spec.common_name, -1, -1, 0);
    X509_set_issuer_name(made.x509, X509_get_subject_name(issuer));
    X509_set_pubkey(made.x509, made.key);
    certificate_extend(made.x509, issuer, NID_basic_constraints, spec.is_authority ? "critical,CA:TRUE" : "CA:FALSE");
    if (spec.names)
        certificate_extend(made.x509, issuer, NID_subject_alt_name, spec.names);
    if (spec.purpose)
        certificate_extend(made.x509, issuer, NID_ext_key_usage, spec.purpose);
    assert_true(X509_sign(made.x509, spec.issuer ? spec.issuer->key : made.key, EVP_sha256()) > 0);
    return made;
}

static inline void certificate_free(struct certificate *certificate)
{
    X509_free(certificate->x509);
    EVP_PKEY_free(certificate->key);
    *certificate = (struct certificate){ NULL, NULL };
}

/* ---- files, in a folder that certificate_folder_remove() empties ---- */

struct certificate_folder {
    char path[64];
    char files[32][96];
    int n;
};

static inline void certificate_folder_make(struct certificate_folder *folder)
{
    *folder = (struct certificate_folder){ .n = 0 };
    snprintf(folder->path, sizeof folder->path, "/tmp/mesh-test-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
}

static inline void certificate_folder_remove(struct certificate_folder *folder)
{
    for (int i = 0; i < folder->n; i++)
        unlink(folder->files[i]);
    rmdir(folder->path);
}

/* The path of a file that does not exist yet; valid as long as the folder. */
static inline const char *certificate_path(struct certificate_folder *folder, const char *name)
{
    char path[sizeof folder->files[0]];

    assert_true(folder->n < 32);
    snprintf(path, sizeof path, "%.60s/%.30s", folder->path, name);
    return memcpy(folder->files[folder->n++], path, sizeof path);
}

static inline const char *certificate_write_text(struct certificate_folder *folder, const char *name, const char *text)
{
    const char *path = certificate_path(folder, name);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static inline const char *certificate_write(struct certificate_folder *folder, const char *name,
                                            const struct certificate *certificate)
{
    const char *path = certificate_path(folder, name);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(PEM_write_X509(file, certificate->x509));
    fclose(file);
    return path;
}

/* password NULL: none. */
static inline const char *certificate_write_key(struct certificate_folder *folder, const char *name,
                                                const struct certificate *certificate, const char *password)
{
    const char *path = certificate_path(folder, name);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(PEM_write_PrivateKey(file, certificate->key, password ? EVP_aes_128_cbc() : NULL,
                                     (const unsigned char *) password, password ? (int) strlen(password) : 0, NULL,
                                     NULL));
    fclose(file);
    return path;
}

#endif
