/* SPDX-License-Identifier: Apache-2.0 */
/* The context of one identity: what to trust, who we are, which versions and options. Read once. */
#include "net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509err.h>

#include "net/stream.h"

enum {
    CHAIN_DEPTH_MOST = 10,
    SECURITY_LEVEL_LEAST = 2, /* OpenSSL's: no RSA below 2048 bits, no SHA-1 signatures */
};

/* ---- files ---- */

/* What came without a file came from a control plane. */
static const char *shown(const char *path)
{
    return path ? path : "(inline)";
}

/* OpenSSL would ask for the password on the terminal. */
static int no_password(char *buf, int size, int for_writing, void *user)
{
    (void) buf;
    (void) size;
    (void) for_writing;
    (void) user;
    return -1;
}

/* OpenSSL's own sentences leave out the file, so what the kernel refuses is found out first. Nothing is read: it may be a pipe. */
static int32_t check_file(const char *role, const char *path, struct fault *fault)
{
    char text[FAULT_TEXT];
    struct stat info;
    int error = 0;

    if (stat(path, &info) != 0 || faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0)
        error = errno;
    else if (S_ISDIR(info.st_mode))
        error = EISDIR;
    if (error)
        return fault_set(fault, MESH_ERR_IO, "%s %s: %s", role, path, fault_errno(error, text));
    if (S_ISREG(info.st_mode) && info.st_size == 0)
        return fault_set(fault, MESH_ERR_TLS, "%s %s: the file is empty", role, path);
    return 0;
}

static int32_t load_roots_file(struct net_tls *tls, const char *role, const char *path, struct fault *fault)
{
    char text[FAULT_TEXT];
    int32_t err = check_file(role, path, fault);

    if (err)
        return err;
    tls_errors_clear();
    if (SSL_CTX_load_verify_file(tls->context, path) != 1)
        return fault_set(fault, MESH_ERR_TLS, "%s %s: no usable certificates in PEM form: %s", role, path,
                         tls_errors_text(text));
    return 0;
}

static int32_t name_roots(struct net_tls *tls, const char *role, const char *path, struct fault *fault)
{
    char text[FAULT_TEXT];

    snprintf(text, sizeof text, "%s%s%s", role, path ? " " : "", path ? path : "");
    tls->roots = mem_strdup(text);
    return tls->roots ? 0 : fault_set(fault, MESH_ERR_NOMEM, "out of memory");
}

/* SSL_CERT_FILE and SSL_CERT_DIR replace what OpenSSL was built with. It would pass over a file that is not there in silence,
 * and every peer would be refused later: so the file is loaded here. */
static int32_t load_default_roots(struct net_tls *tls, struct fault *fault)
{
    const char *file_name = X509_get_default_cert_file_env(), *dir_name = X509_get_default_cert_dir_env();
    const char *file = secure_getenv(file_name), *dir = secure_getenv(dir_name);
    char text[FAULT_TEXT];
    int32_t err = file ? load_roots_file(tls, file_name, file, fault) : 0;

    if (err)
        return err;
    tls_errors_clear();
    if (SSL_CTX_set_default_verify_dir(tls->context) != 1 ||
        (!file && SSL_CTX_set_default_verify_file(tls->context) != 1))
        return fault_set(fault, MESH_ERR_TLS, "the system's roots: %s", tls_errors_text(text));
    tls_errors_clear();
    if (file)
        return name_roots(tls, file_name, file, fault);
    if (dir)
        return name_roots(tls, dir_name, dir, fault);
    return name_roots(tls, "the system's roots", NULL, fault);
}

static bool is_trust(const X509_INFO *entry)
{
    return entry->x509 || entry->crl;
}

static bool add_root(X509_STORE *store, const X509_INFO *entry)
{
    return (!entry->x509 || X509_STORE_add_cert(store, entry->x509) == 1) &&
           (!entry->crl || X509_STORE_add_crl(store, entry->crl) == 1);
}

/* What SSL_CTX_load_verify_file() does with a file. */
static int32_t load_roots_text(struct net_tls *tls, const struct net_tls_conf *conf, struct fault *fault)
{
    BIO *bio = BIO_new_mem_buf(conf->ca_pem, -1);
    STACK_OF(X509_INFO) *entries = bio ? PEM_X509_INFO_read_bio(bio, NULL, no_password, NULL) : NULL;
    bool done = true;
    char text[FAULT_TEXT];
    int found = 0;

    for (int i = 0; done && i < sk_X509_INFO_num(entries); i++) {
        const X509_INFO *entry = sk_X509_INFO_value(entries, i);

        found += is_trust(entry);
        done = add_root(SSL_CTX_get_cert_store(tls->context), entry);
    }
    sk_X509_INFO_pop_free(entries, X509_INFO_free);
    BIO_free(bio);
    if (done && found > 0)
        return 0;
    return fault_set(fault, MESH_ERR_TLS, "tls.ca %s: no usable certificates in PEM form: %s", shown(conf->ca),
                     tls_errors_text(text));
}

static int32_t load_roots(struct net_tls *tls, const struct net_tls_conf *conf, struct fault *fault)
{
    int32_t err;

    if (!conf->ca && !conf->ca_pem)
        return load_default_roots(tls, fault);
    tls_errors_clear();
    err = conf->ca_pem ? load_roots_text(tls, conf, fault) : load_roots_file(tls, "tls.ca", conf->ca, fault);
    return err ? err : name_roots(tls, "tls.ca", shown(conf->ca), fault);
}

static int32_t refuse_pair(const struct net_tls_conf *conf, struct fault *fault)
{
    tls_errors_clear();
    return fault_set(fault, MESH_ERR_TLS, "tls.key %s does not belong to the certificate tls.cert %s", shown(conf->key),
                     shown(conf->cert));
}

static int use_key_text(SSL_CTX *context, const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    int done = key ? SSL_CTX_use_PrivateKey(context, key) : 0;

    EVP_PKEY_free(key);
    BIO_free(bio);
    return done;
}

static int use_key(SSL_CTX *context, const struct net_tls_conf *conf)
{
    if (conf->key_pem)
        return use_key_text(context, conf->key_pem);
    return SSL_CTX_use_PrivateKey_file(context, conf->key, SSL_FILETYPE_PEM);
}

/* The rest of a chain; its end is an error in OpenSSL's words. */
static bool add_issuers(SSL_CTX *context, BIO *bio)
{
    X509 *issuer;

    while ((issuer = PEM_read_bio_X509(bio, NULL, no_password, NULL))) {
        if (SSL_CTX_add0_chain_cert(context, issuer) == 1)
            continue;
        X509_free(issuer);
        return false;
    }
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        return false;
    tls_errors_clear();
    return true;
}

static bool use_chain_text(SSL_CTX *context, const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *own = bio ? PEM_read_bio_X509_AUX(bio, NULL, no_password, NULL) : NULL;
    bool done = own && SSL_CTX_use_certificate(context, own) == 1 && add_issuers(context, bio);

    X509_free(own);
    BIO_free(bio);
    return done;
}

static bool use_chain(SSL_CTX *context, const struct net_tls_conf *conf)
{
    if (conf->cert_pem)
        return use_chain_text(context, conf->cert_pem);
    return SSL_CTX_use_certificate_chain_file(context, conf->cert) == 1;
}

static int32_t load_key(struct net_tls *tls, const struct net_tls_conf *conf, struct fault *fault)
{
    char text[FAULT_TEXT];
    unsigned long error;

    tls_errors_clear();
    if (use_key(tls->context, conf) == 1)
        return SSL_CTX_check_private_key(tls->context) == 1 ? 0 : refuse_pair(conf, fault);
    error = ERR_peek_error();
    if (ERR_GET_LIB(error) == ERR_LIB_X509 &&
        (ERR_GET_REASON(error) == X509_R_KEY_VALUES_MISMATCH || ERR_GET_REASON(error) == X509_R_KEY_TYPE_MISMATCH))
        return refuse_pair(conf, fault);
    return fault_set(fault, MESH_ERR_TLS, "tls.key %s: no private key in PEM form without a password: %s",
                     shown(conf->key), tls_errors_text(text));
}

static int32_t load_identity(struct net_tls *tls, const struct net_tls_conf *conf, struct fault *fault)
{
    const bool has_cert = conf->cert || conf->cert_pem, has_key = conf->key || conf->key_pem;
    char text[FAULT_TEXT];
    int32_t err;

    if (!has_cert && !has_key)
        return 0;
    if (!has_cert || !has_key)
        return fault_set(fault, MESH_ERR_INVALID, "%s is set without %s: a client certificate needs both",
                         has_cert ? "tls.cert" : "tls.key", has_cert ? "tls.key" : "tls.cert");
    err = conf->cert_pem ? 0 : check_file("tls.cert", conf->cert, fault);
    if (!err && !conf->key_pem)
        err = check_file("tls.key", conf->key, fault);
    if (err)
        return err;
    tls_errors_clear();
    if (!use_chain(tls->context, conf))
        return fault_set(fault, MESH_ERR_TLS, "tls.cert %s: no usable certificate in PEM form: %s", shown(conf->cert),
                         tls_errors_text(text));
    tls->has_certificate = true;
    return load_key(tls, conf, fault);
}

/* ---- the context ---- */

/* Tickets of TLS 1.3 come after the handshake, at the first read. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct net_stream *stream = SSL_get_app_data(ssl);

    tls_sessions_remember(&stream->tls->sessions, stream->server_name, session);
    return 0; /* the session stays OpenSSL's: a copy was kept */
}

/* What the configured file names is trusted, be it a root or not (X509_V_FLAG_PARTIAL_CHAIN); a subject's common name is no
 * host name (RFC 9525), but that is set for each connection, with the name. */
static void set_checks(struct net_tls *tls)
{
    SSL_CTX_set_verify_depth(tls->context, CHAIN_DEPTH_MOST);
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(tls->context), X509_V_FLAG_PARTIAL_CHAIN);
    if (SSL_CTX_get_security_level(tls->context) < SECURITY_LEVEL_LEAST)
        SSL_CTX_set_security_level(tls->context, SECURITY_LEVEL_LEAST);
}

/* SSL_OP_IGNORE_UNEXPECTED_EOF stays unset: an end without close-notify may be an attacker's, so it is a failure. Read-ahead
 * saves the second recv() that each record would cost; buffers are released while a connection is idle. */
static void set_behaviour(struct net_tls *tls)
{
    SSL_CTX *context = tls->context;

    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_clear_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, on_session);
    SSL_CTX_set_default_passwd_cb(context, no_password);
}

/* What the machine's openssl.cnf demands beyond this stays: versions and levels are only ever raised. */
static int32_t make_context(struct net_tls *tls, struct fault *fault)
{
    int version = tls->min_version == 13 ? TLS1_3_VERSION : TLS1_2_VERSION;
    char text[FAULT_TEXT];

    tls_errors_clear();
    tls->socket_method = tls_bio_method_new();
    tls->context = SSL_CTX_new(TLS_client_method());
    if (!tls->context || !tls->socket_method)
        return fault_set(fault, MESH_ERR_NOMEM, "TLS context: %s", tls_errors_text(text));
    if (SSL_CTX_get_min_proto_version(tls->context) < version &&
        SSL_CTX_set_min_proto_version(tls->context, version) != 1)
        return fault_set(fault, MESH_ERR_TLS, "tls.min_version: %s", tls_errors_text(text));
    set_behaviour(tls);
    if (!tls->insecure)
        set_checks(tls);
    if (tls->names)
        tls_names_demand(tls, tls->context);
    return 0;
}

static int32_t fill(struct net_tls *tls, const struct net_tls_conf *conf, struct fault *fault)
{
    int32_t err;

    if (conf->min_version != 0 && conf->min_version != 12 && conf->min_version != 13)
        return fault_set(fault, MESH_ERR_INVALID, "tls.min_version: %d is none of 12 (TLS 1.2) and 13 (TLS 1.3)",
                         conf->min_version);
    tls->insecure = conf->insecure;
    tls->any_name = conf->any_name;
    tls->names = conf->insecure ? NULL : peer_names_ref(conf->names);
    tls->min_version = conf->min_version ? conf->min_version : 12;
    err = make_context(tls, fault);
    if (!err && !conf->insecure)
        err = load_roots(tls, conf, fault);
    if (!err)
        err = load_identity(tls, conf, fault);
    return err;
}

/* Unless the application was first, OpenSSL is not to clean up at exit(): the loop's thread may still be using it then. */
static bool start_openssl(void)
{
    return OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, NULL) == 1;
}

int32_t net_tls_new(const struct net_tls_conf *conf, struct net_tls **out, struct fault *fault)
{
    struct net_tls *tls;
    int32_t err;

    *out = NULL;
    if (!start_openssl())
        return fault_set(fault, MESH_ERR_TLS, "OpenSSL does not start: see its configuration file (OPENSSL_CONF)");
    tls = mem_zalloc(sizeof *tls);
    if (!tls)
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    atomic_init(&tls->refs, 1);
    tls_sessions_init(&tls->sessions);

    err = fill(tls, conf, fault);
    if (err) {
        net_tls_unref(tls);
        return err;
    }
    *out = tls;
    return 0;
}

struct net_tls *net_tls_ref(struct net_tls *tls)
{
    atomic_fetch_add_explicit(&tls->refs, 1, memory_order_relaxed);
    return tls;
}

void net_tls_unref(struct net_tls *tls)
{
    if (!tls || atomic_fetch_sub_explicit(&tls->refs, 1, memory_order_acq_rel) > 1)
        return;
    tls_sessions_fini(&tls->sessions);
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->socket_method);
    peer_names_unref(tls->names);
    mem_free(tls->roots);
    mem_free(tls);
}

bool net_tls_lend(struct net_tls *tls, void *ssl_ctx)
{
    X509 *certificate = SSL_CTX_get0_certificate(tls->context);
    STACK_OF(X509) *issuers = NULL;

    SSL_CTX_set1_cert_store(ssl_ctx, SSL_CTX_get_cert_store(tls->context));
    if (tls->names)
        tls_names_demand(tls, ssl_ctx);
    if (!certificate)
        return true;
    SSL_CTX_get0_chain_certs(tls->context, &issuers);
    return SSL_CTX_use_certificate(ssl_ctx, certificate) == 1 &&
           SSL_CTX_use_PrivateKey(ssl_ctx, SSL_CTX_get0_privatekey(tls->context)) == 1 &&
           SSL_CTX_set1_chain(ssl_ctx, issuers) == 1;
}

bool tls_alpn_wire(const char *names, uint8_t wire[TLS_ALPN_MOST], size_t *len)
{
    *len = 0;
    for (const char *name = names;; name++) {
        size_t name_len = strcspn(name, ",");

        if (name_len == 0 || *len + 1 + name_len > TLS_ALPN_MOST)
            return false;
        wire[(*len)++] = (uint8_t) name_len;
        memcpy(wire + *len, name, name_len);
        *len += name_len;
        name += name_len;
        if (*name == '\0')
            return true;
    }
}
