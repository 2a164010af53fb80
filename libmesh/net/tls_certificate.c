/* SPDX-License-Identifier: Apache-2.0 */
/* Sentences for certificates that were refused: which check failed, for which name, and what to change. A certificate is a
 * stranger's: all its text is escaped and cut. */
#include "net/stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/x509v3.h>

enum { NAMES_TEXT = 112, SUBJECT_TEXT = 72 };

/* ---- what a certificate says of itself ---- */

static const char *subject_text(const X509_NAME *name, char out[SUBJECT_TEXT])
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *text = NULL;
    long len = 0;

    if (memory && X509_NAME_print_ex(memory, name, 0, XN_FLAG_RFC2253) >= 0)
        len = BIO_get_mem_data(memory, &text);
    text_printable(text, len > 0 ? (size_t) len : 0, out, SUBJECT_TEXT);
    BIO_free(memory);
    return out;
}

static const char *time_text(const ASN1_TIME *when, char out[32])
{
    struct tm tm;

    if (ASN1_TIME_to_tm(when, &tm) != 1) {
        snprintf(out, 32, "an unreadable date");
        return out;
    }
    strftime(out, 32, "%Y-%m-%d %H:%M UTC", &tm);
    return out;
}

/* One subject alternative name; "" for kinds that no host is called by. */
static const char *alternative_text(const GENERAL_NAME *name, char out[64])
{
    const ASN1_STRING *string = name->d.ia5;

    out[0] = '\0';
    if (name->type == GEN_DNS || name->type == GEN_URI)
        text_printable((const char *) ASN1_STRING_get0_data(string), (size_t) ASN1_STRING_length(string), out, 64);
    else if (name->type == GEN_IPADD && ASN1_STRING_length(string) == 4)
        inet_ntop(AF_INET, ASN1_STRING_get0_data(string), out, 64);
    else if (name->type == GEN_IPADD && ASN1_STRING_length(string) == 16)
        inet_ntop(AF_INET6, ASN1_STRING_get0_data(string), out, 64);
    return out;
}

/* "a.example, b.example, ..."; "" when there are none. */
static const char *names_text(const X509 *certificate, char out[NAMES_TEXT])
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    size_t used = 0;

    out[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        char one[64];

        if (alternative_text(sk_GENERAL_NAME_value(names, i), one)[0] == '\0')
            continue;
        if (used + strlen(one) + strlen(", , ...") >= NAMES_TEXT) {
            snprintf(out + used, NAMES_TEXT - used, ", ...");
            break;
        }
        used += (size_t) snprintf(out + used, NAMES_TEXT - used, "%s%s", used ? ", " : "", one);
    }
    GENERAL_NAMES_free(names);
    return out;
}

/* ---- one sentence per check ---- */

/* What the sentences are made of. */
struct refusal {
    struct net_stream *stream;
    const X509 *certificate; /* the one that failed */
    int error;               /* X509_V_ERR_* */
    int depth;               /* 0: the peer's own */
};

static void say(const struct refusal *refusal, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(const struct refusal *refusal, const char *format, ...)
{
    struct net_stream *stream = refusal->stream;
    char peer[ADDR_TEXT], name[64], text[FAULT_TEXT];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text_printable(stream->server_name, strlen(stream->server_name), name, sizeof name);
    fault_set(&stream->fault, MESH_ERR_TLS, "TLS with %s for \"%s\": %s", addr_format(&stream->peer, peer), name, text);
}

/* "the certificate", or which one of those above it. */
static const char *which(const struct refusal *refusal, char out[FAULT_TEXT])
{
    char subject[SUBJECT_TEXT];

    if (refusal->depth == 0)
        snprintf(out, FAULT_TEXT, "the certificate");
    else
        snprintf(out, FAULT_TEXT, "the issuing certificate \"%s\"",
                 subject_text(X509_get_subject_name(refusal->certificate), subject));
    return out;
}

static void say_expired(const struct refusal *refusal)
{
    char text[FAULT_TEXT], when[32];

    say(refusal, "%s expired on %s: renew it at the peer", which(refusal, text),
        time_text(X509_get0_notAfter(refusal->certificate), when));
}

static void say_not_yet_valid(const struct refusal *refusal)
{
    char text[FAULT_TEXT], when[32];

    say(refusal, "%s is not yet valid, only from %s: check the clocks of both machines", which(refusal, text),
        time_text(X509_get0_notBefore(refusal->certificate), when));
}

static void say_unknown_issuer(const struct refusal *refusal)
{
    char issuer[SUBJECT_TEXT];

    say(refusal, "unknown issuer \"%s\": not in %s; name a file that has it in tls.ca",
        subject_text(X509_get_issuer_name(refusal->certificate), issuer), refusal->stream->tls->roots);
}

static void say_self_signed(const struct refusal *refusal)
{
    say(refusal, "the certificate is self-signed and not in %s; to trust it, name a file that has it in tls.ca",
        refusal->stream->tls->roots);
}

static void say_wrong_name(const struct refusal *refusal)
{
    char names[NAMES_TEXT];

    if (names_text(refusal->certificate, names)[0] == '\0')
        say(refusal, "the certificate is for no name at all (it has no subjectAltName): issue one with the name");
    else
        say(refusal, "the certificate is for %s; if that is the peer, set tls.server_name to it", names);
}

static void say_unwanted(const struct refusal *refusal)
{
    char names[NAMES_TEXT];

    if (names_text(refusal->certificate, names)[0] == '\0')
        say(refusal, "the certificate has no name that the control plane wants");
    else
        say(refusal, "the certificate is for %s, and has no name that the control plane wants", names);
}

static void say_wrong_purpose(const struct refusal *refusal)
{
    char text[FAULT_TEXT];

    say(refusal, "%s is not made for servers (no serverAuth in its extendedKeyUsage): issue one that is",
        which(refusal, text));
}

static void say_weak(const struct refusal *refusal)
{
    char text[FAULT_TEXT];

    say(refusal, "%s is too weak to be trusted (%s): issue a stronger one", which(refusal, text),
        X509_verify_cert_error_string(refusal->error));
}

static void say_other(const struct refusal *refusal)
{
    char text[FAULT_TEXT];

    say(refusal, "%s was refused: %s", which(refusal, text), X509_verify_cert_error_string(refusal->error));
}

static const struct {
    int error;
    void (*say)(const struct refusal *refusal);
} sentences[] = {
    { X509_V_ERR_CERT_HAS_EXPIRED, say_expired },
    { X509_V_ERR_CERT_NOT_YET_VALID, say_not_yet_valid },
    { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, say_unknown_issuer },
    { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, say_unknown_issuer },
    { X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, say_unknown_issuer },
    { X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, say_unknown_issuer },
    { X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, say_self_signed },
    { X509_V_ERR_HOSTNAME_MISMATCH, say_wrong_name },
    { X509_V_ERR_IP_ADDRESS_MISMATCH, say_wrong_name },
    { X509_V_ERR_APPLICATION_VERIFICATION, say_unwanted },
    { X509_V_ERR_INVALID_PURPOSE, say_wrong_purpose },
    { X509_V_ERR_EE_KEY_TOO_SMALL, say_weak },
    { X509_V_ERR_CA_KEY_TOO_SMALL, say_weak },
    { X509_V_ERR_CA_MD_TOO_WEAK, say_weak },
};

void tls_fault_certificate(struct net_stream *stream, X509_STORE_CTX *check)
{
    struct refusal refusal = {
        .stream = stream,
        .certificate = X509_STORE_CTX_get_current_cert(check),
        .error = X509_STORE_CTX_get_error(check),
        .depth = X509_STORE_CTX_get_error_depth(check),
    };

    if (!refusal.certificate) {
        say(&refusal, "the certificate was refused: %s", X509_verify_cert_error_string(refusal.error));
        return;
    }
    for (size_t i = 0; i < COUNT_OF(sentences); i++) {
        if (sentences[i].error == refusal.error) {
            sentences[i].say(&refusal);
            return;
        }
    }
    say_other(&refusal);
}
