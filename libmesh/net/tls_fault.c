/* SPDX-License-Identifier: Apache-2.0 */
/* Sentences for handshakes and transfers that failed: what the peer said or did, and what to configure next. */
#include "net/stream.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "net/socket.h"

void tls_errors_clear(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

const char *tls_errors_text(char out[FAULT_TEXT])
{
    unsigned long error = ERR_peek_error();
    const char *reason = ERR_reason_error_string(error);

    if (error == 0)
        snprintf(out, FAULT_TEXT, "no reason given");
    else if (ERR_SYSTEM_ERROR(error))
        fault_errno(ERR_GET_REASON(error), out);
    else if (reason)
        snprintf(out, FAULT_TEXT, "%s", reason);
    else
        snprintf(out, FAULT_TEXT, "OpenSSL error %lx", error);
    ERR_clear_error();
    return out;
}

/* ---- what is known to help ---- */

static const struct explanation {
    int reason;
    const char *text;
} explanations[] = {
    { SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "the peer allows no TLS version that is allowed here (see tls.min_version)" },
    { SSL_R_UNSUPPORTED_PROTOCOL, "the peer's TLS version is not allowed here (see tls.min_version)" },
    { SSL_R_WRONG_VERSION_NUMBER, "the peer does not speak TLS on this port; is it meant to be http:// or h2c://?" },
    { SSL_R_HTTP_REQUEST, "the peer does not speak TLS on this port; is it meant to be http:// or h2c://?" },
    { SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL, "the peer speaks none of the protocols that were offered (ALPN)" },
    { SSL_R_TLSV1_UNRECOGNIZED_NAME, "the peer does not know this server name; set tls.server_name to one of its own" },
    { SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
      "the peer refused the handshake: no cipher in common, or it wants a client certificate (tls.cert, tls.key)" },
    { SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY, "the peer wants stronger ciphers than are offered" },
    { SSL_R_EE_KEY_TOO_SMALL, "the client certificate tls.cert has too short a key" },
    { SSL_R_UNEXPECTED_EOF_WHILE_READING, "the peer ended the connection during the handshake" },
    { SSL_R_DH_KEY_TOO_SMALL, "the peer's Diffie-Hellman key is too short" },
    { SSL_R_EXCESSIVE_MESSAGE_SIZE, "the peer's certificate chain is too large" },
};

/* Alerts with which a peer speaks of our certificate. */
static const int about_our_certificate[] = {
    SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED,   SSL_R_SSLV3_ALERT_NO_CERTIFICATE,
    SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,         SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
    SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED,     SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
    SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, SSL_R_TLSV1_ALERT_UNKNOWN_CA,
    SSL_R_TLSV1_ALERT_ACCESS_DENIED,
};

static const char *explain(int reason)
{
    for (size_t i = 0; i < COUNT_OF(explanations); i++)
        if (explanations[i].reason == reason)
            return explanations[i].text;
    return NULL;
}

static bool is_about_our_certificate(int reason)
{
    for (size_t i = 0; i < COUNT_OF(about_our_certificate); i++)
        if (about_our_certificate[i] == reason)
            return true;
    return false;
}

/* ---- the cause ---- */

/* OpenSSL calls it "tlsv13 alert certificate required", of old ones even "sslv3 alert ...": the version only misleads. */
static const char *alert_text(unsigned long error, char out[64])
{
    const char *reason = ERR_reason_error_string(error);
    const char *name = reason ? strstr(reason, "alert ") : NULL;

    if (name)
        snprintf(out, 64, "%s", name + strlen("alert "));
    else if (reason)
        snprintf(out, 64, "%s", reason);
    else
        snprintf(out, 64, "number %d", ERR_GET_REASON(error) - SSL_AD_REASON_OFFSET);
    return out;
}

static const char *about_alert(const struct net_stream *stream, unsigned long error, char out[FAULT_TEXT])
{
    char alert[64];

    alert_text(error, alert);
    if (!is_about_our_certificate(ERR_GET_REASON(error)))
        snprintf(out, FAULT_TEXT, "the peer ended it with the alert \"%s\"", alert);
    else if (stream->tls->has_certificate)
        snprintf(out, FAULT_TEXT, "the peer refused our client certificate tls.cert: alert \"%s\"", alert);
    else
        snprintf(out, FAULT_TEXT, "the peer wants a client certificate (alert \"%s\"): set tls.cert and tls.key",
                 alert);
    return out;
}

/* From the queue, which is empty afterwards. */
static const char *cause(const struct net_stream *stream, char out[FAULT_TEXT])
{
    unsigned long error = ERR_peek_error();
    int reason = ERR_GET_REASON(error);
    const char *text = ERR_GET_LIB(error) == ERR_LIB_SSL ? explain(reason) : NULL;

    if (text)
        snprintf(out, FAULT_TEXT, "%s", text);
    else if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET)
        about_alert(stream, error, out);
    else if (error != 0)
        return tls_errors_text(out);
    else
        net_socket_error_text(stream->io_error, out);
    tls_errors_clear();
    return out;
}

static bool peer_is_gone(int ssl_error)
{
    unsigned long error = ERR_peek_error();

    if (ssl_error == SSL_ERROR_SYSCALL)
        return true;
    return ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

/* ---- the sentences ---- */

/* A peer that goes away is no connection, and another endpoint may do better; what it refuses, or we, stays refused. */
void tls_fault_handshake(struct net_stream *stream, int ssl_error)
{
    char peer[ADDR_TEXT], name[64], text[FAULT_TEXT];
    int32_t code = peer_is_gone(ssl_error) ? MESH_ERR_CONNECT : MESH_ERR_TLS;

    cause(stream, text);
    if (stream->fault.code)
        return;
    text_printable(stream->server_name, strlen(stream->server_name), name, sizeof name);
    fault_set(&stream->fault, code, "TLS with %s for \"%s\": %s", addr_format(&stream->peer, peer), name, text);
}

void tls_fault_transfer(struct net_stream *stream, int ssl_error)
{
    char peer[ADDR_TEXT], text[FAULT_TEXT];
    int32_t code = peer_is_gone(ssl_error) ? MESH_ERR_RESET : MESH_ERR_TLS;

    if (code == MESH_ERR_RESET && stream->at_end)
        snprintf(text, sizeof text, "ended without TLS close-notify: what came may be cut off");
    else
        cause(stream, text);
    tls_errors_clear();
    if (!stream->fault.code)
        fault_set(&stream->fault, code, "connection to %s: %s", addr_format(&stream->peer, peer), text);
}
