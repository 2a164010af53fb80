/* SPDX-License-Identifier: Apache-2.0 */
/* TLS on a connected stream, until the peer is trusted: whom it must be, what we offer, a session to resume. */
#include "net/stream.h"

#include <string.h>
#include <sys/epoll.h>

#include <openssl/x509v3.h>

static int32_t fail(struct net_stream *stream, int32_t code, const char *why)
{
    tls_errors_clear();
    return fault_set(&stream->fault, code, "TLS: %s", why);
}

static int32_t out_of_memory(struct net_stream *stream)
{
    return fail(stream, MESH_ERR_NOMEM, "out of memory");
}

/* ---- whom the peer must be ---- */

/* OpenSSL says no more than a number afterwards; here the certificate that failed is at hand. */
static int on_check(int is_good, X509_STORE_CTX *check)
{
    SSL *ssl;

    if (is_good)
        return 1;
    ssl = X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx());
    tls_fault_certificate(SSL_get_app_data(ssl), check);
    return 0;
}

static bool demand_name(SSL *ssl, const char *name)
{
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return SSL_set1_host(ssl, name) == 1;
}

static bool demand_address(SSL *ssl, const struct addr *addr)
{
    return X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl), addr->ip, addr->family == ADDR_IPV4 ? 4 : 16) == 1;
}

/* SNI carries names only (RFC 6066 section 3). */
static int32_t set_peer(struct net_stream *stream)
{
    const char *name = stream->server_name;
    struct addr addr;
    bool is_address = addr_parse(&addr, name, strlen(name), 0);

    if (!is_address && SSL_set_tlsext_host_name(stream->ssl, name) != 1)
        return fail(stream, MESH_ERR_TLS, "the server name is longer than the 255 bytes that TLS can carry");
    if (stream->tls->insecure)
        return 0;
    SSL_set_verify(stream->ssl, SSL_VERIFY_PEER, on_check);
    if (stream->tls->any_name)
        return 0;
    if (is_address ? !demand_address(stream->ssl, &addr) : !demand_name(stream->ssl, name))
        return out_of_memory(stream);
    return 0;
}

/* ---- what we offer ---- */

static int32_t offer_protocols(struct net_stream *stream, const char *alpn)
{
    uint8_t wire[TLS_ALPN_MOST];
    size_t len;

    if (!alpn)
        return 0;
    if (!tls_alpn_wire(alpn, wire, &len))
        return fail(stream, MESH_ERR_INVALID, "the list of protocols for ALPN is malformed");
    return SSL_set_alpn_protos(stream->ssl, wire, (unsigned) len) == 0 ? 0 : out_of_memory(stream);
}

static void offer_session(struct net_stream *stream)
{
    SSL_SESSION *session = tls_sessions_recall(&stream->tls->sessions, stream->server_name);

    if (!session)
        return;
    SSL_set_session(stream->ssl, session);
    SSL_SESSION_free(session);
}

/* ---- the handshake ---- */

static int32_t attach(struct net_stream *stream, struct net_tls *tls, const char *server_name)
{
    size_t len = strlen(server_name);
    BIO *bio;

    if (len > 0 && server_name[len - 1] == '.')
        len--;
    stream->tls = net_tls_ref(tls);
    stream->server_name = mem_strndup(server_name, len);
    stream->ssl = stream->server_name ? SSL_new(tls->context) : NULL;
    bio = stream->ssl ? tls_bio_new(tls->socket_method, stream) : NULL;
    if (!bio)
        return out_of_memory(stream);
    SSL_set_bio(stream->ssl, bio, bio);
    SSL_set_app_data(stream->ssl, stream);
    SSL_set_connect_state(stream->ssl);
    return 0;
}

int32_t net_stream_secure(struct net_stream *stream, struct net_tls *tls, const char *server_name, const char *alpn)
{
    int32_t err;

    tls_errors_clear();
    err = attach(stream, tls, server_name);
    if (!err)
        err = set_peer(stream);
    if (!err)
        err = offer_protocols(stream, alpn);
    if (!err)
        offer_session(stream);
    return err;
}

/* A protocol longer than the room for it is none that was offered; cut, it equals none either. */
static void note_protocol(struct net_stream *stream)
{
    const unsigned char *name;
    unsigned len;

    SSL_get0_alpn_selected(stream->ssl, &name, &len);
    if (len >= sizeof stream->alpn)
        len = sizeof stream->alpn - 1;
    if (len > 0)
        memcpy(stream->alpn, name, len);
    stream->alpn[len] = '\0';
}

/* OpenSSL has checked this already; here it is what everything else relies on. */
static bool is_trusted(const struct net_stream *stream)
{
    if (stream->tls->insecure)
        return true;
    return SSL_get0_peer_certificate(stream->ssl) && SSL_get_verify_result(stream->ssl) == X509_V_OK;
}

static int finish(struct net_stream *stream)
{
    if (!is_trusted(stream)) {
        stream->is_broken = true;
        fail(stream, MESH_ERR_TLS, "the peer's certificate was not verified");
        return NET_FAILED;
    }
    note_protocol(stream);
    stream->read_needs = EPOLLIN;
    return 0;
}

int net_stream_handshake(struct net_stream *stream)
{
    int result, error;

    tls_errors_clear();
    result = SSL_do_handshake(stream->ssl);
    if (result == 1)
        return finish(stream);
    error = SSL_get_error(stream->ssl, result);
    switch (error) {
    case SSL_ERROR_WANT_READ:
        stream->read_needs = EPOLLIN;
        return NET_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        stream->read_needs = EPOLLOUT;
        return NET_AGAIN;
    default:
        stream->is_broken = true;
        tls_fault_handshake(stream, error);
        tls_sessions_forget(&stream->tls->sessions, stream->server_name);
        return NET_FAILED;
    }
}
