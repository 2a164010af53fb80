/* SPDX-License-Identifier: Apache-2.0 */
/* The names that a peer's certificate must have one of, beside a chain that is trusted: checked as the last part of OpenSSL's own
 * verification, so that it holds for every connection, also those that libcurl makes. */
#include "net/tls.h"

#include <arpa/inet.h>

#include <openssl/x509v3.h>

enum { IPV4_BYTES = 4, IPV6_BYTES = 16 };

static bool fits_address(const struct peer_names *names, const ASN1_STRING *bytes)
{
    int len = ASN1_STRING_length(bytes);
    char text[INET6_ADDRSTRLEN];

    if (len != IPV4_BYTES && len != IPV6_BYTES)
        return false;
    if (!inet_ntop(len == IPV4_BYTES ? AF_INET : AF_INET6, ASN1_STRING_get0_data(bytes), text, sizeof text))
        return false;
    return peer_names_match(names, PEER_NAME_IP, text, strlen(text));
}

/* A NUL in a name is there to deceive who reads C strings. */
static bool fits_text(const struct peer_names *names, enum peer_name_type type, const ASN1_STRING *text)
{
    const char *bytes = (const char *) ASN1_STRING_get0_data(text);
    size_t len = (size_t) ASN1_STRING_length(text);

    return len > 0 && !memchr(bytes, '\0', len) && peer_names_match(names, type, bytes, len);
}

static bool fits(const struct peer_names *names, const GENERAL_NAME *name)
{
    switch (name->type) {
    case GEN_DNS:
        return fits_text(names, PEER_NAME_DNS, name->d.dNSName);
    case GEN_URI:
        return fits_text(names, PEER_NAME_URI, name->d.uniformResourceIdentifier);
    case GEN_EMAIL:
        return fits_text(names, PEER_NAME_EMAIL, name->d.rfc822Name);
    case GEN_IPADD:
        return fits_address(names, name->d.iPAddress);
    default:
        return false;
    }
}

static bool has_wanted(const struct peer_names *names, const X509 *certificate)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    bool found = false;

    for (int i = 0; i < sk_GENERAL_NAME_num(all) && !found; i++)
        found = fits(names, sk_GENERAL_NAME_value(all, i));
    GENERAL_NAMES_free(all);
    return found;
}

/* In place of X509_verify_cert(). The callback of the connection is told as of any other check: ours makes the sentence. */
static int verify(X509_STORE_CTX *check, void *user)
{
    const struct net_tls *tls = user;
    X509_STORE_CTX_verify_cb tell = X509_STORE_CTX_get_verify_cb(check);
    X509 *certificate = X509_STORE_CTX_get0_cert(check);
    int result = X509_verify_cert(check);

    if (result != 1 || has_wanted(tls->names, certificate))
        return result;
    X509_STORE_CTX_set_error(check, X509_V_ERR_APPLICATION_VERIFICATION);
    X509_STORE_CTX_set_error_depth(check, 0);
    X509_STORE_CTX_set_current_cert(check, certificate);
    if (tell)
        tell(0, check);
    return 0;
}

void tls_names_demand(struct net_tls *tls, SSL_CTX *context)
{
    SSL_CTX_set_cert_verify_callback(context, verify, tls);
}
