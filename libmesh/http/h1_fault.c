/* SPDX-License-Identifier: Apache-2.0 */
/* What libcurl's result codes mean to a mesh: an error code and a sentence. */
#include <stdio.h>
#include <string.h>

#include "http/h1.h"

static bool is_trust_problem(CURLcode code)
{
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
        return true;
    default:
        return false;
    }
}

/* libcurl has one code for everything that goes wrong in a handshake; the peer going away is no question of trust. */
static bool ended_in_handshake(const struct h1_outcome *outcome)
{
    static const char *const words[] = { "SSL_ERROR_SYSCALL", "SSL_ERROR_ZERO_RETURN", "reset by peer",
                                         "unexpected eof" };

    if (outcome->code != CURLE_SSL_CONNECT_ERROR)
        return false;
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strstr(outcome->text, words[i]))
            return true;
    return false;
}

/* With TLS 1.3 a peer refuses our certificate when the request is already on its way. */
static bool is_late_alert(const struct h1_outcome *outcome)
{
    return outcome->code == CURLE_RECV_ERROR && strstr(outcome->text, "SSL_read") && strstr(outcome->text, "alert");
}

static int32_t trust_fault(const struct h1_outcome *outcome, struct fault *fault)
{
    const char *text = *outcome->text ? outcome->text : curl_easy_strerror(outcome->code);

    if (is_late_alert(outcome))
        return fault_set(fault, MESH_ERR_TLS, "%s refuses us (our certificate?): %s", outcome->peer, text);
    if (outcome->code == CURLE_PEER_FAILED_VERIFICATION)
        return fault_set(fault, MESH_ERR_TLS, "certificate of %s is not trusted for the name \"%s\": %s", outcome->peer,
                         outcome->name, text);
    return fault_set(fault, MESH_ERR_TLS, "TLS with %s (name \"%s\") failed: %s", outcome->peer, outcome->name, text);
}

static int32_t connect_fault(const struct h1_outcome *outcome, struct fault *fault)
{
    char why[FAULT_TEXT];

    if (outcome->code == CURLE_OPERATION_TIMEDOUT)
        return fault_set(fault, MESH_ERR_CONNECT, "connect to %s: no connection within %llu ms", outcome->peer,
                         (unsigned long long) (outcome->connect_timeout_us / US_PER_MS));
    if (ended_in_handshake(outcome))
        return fault_set(fault, MESH_ERR_CONNECT, "connect to %s: it ended the connection in the TLS handshake (%s)",
                         outcome->peer, outcome->text);
    if (outcome->error)
        return fault_set(fault, MESH_ERR_CONNECT, "connect to %s: %s", outcome->peer, fault_errno(outcome->error, why));
    return fault_set(fault, MESH_ERR_CONNECT, "connect to %s: %s", outcome->peer,
                     *outcome->text ? outcome->text : curl_easy_strerror(outcome->code));
}

/* libcurl reports what exceeds its own limits (100 KB for a line, 4 KB for a trailer) as if memory had run out. */
static bool exceeds_a_limit(const struct h1_outcome *outcome)
{
    if (outcome->code == CURLE_OUT_OF_MEMORY)
        return outcome->sent && !outcome->head_done;
    return strstr(outcome->text, "Too large response headers") || strstr(outcome->text, "Out of memory in chunked");
}

static bool breaks_protocol(const struct h1_outcome *outcome)
{
    switch (outcome->code) {
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9, or a version of the future */
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return true;
    default:
        return strstr(outcome->text, "in chunked-encoding") != NULL;
    }
}

/* What is left of libcurl's wish to send the request again. */
static bool is_refused_retry(const struct h1_outcome *outcome)
{
    return outcome->code == CURLE_ABORTED_BY_CALLBACK || outcome->code == CURLE_COULDNT_CONNECT ||
           outcome->code == CURLE_SEND_FAIL_REWIND;
}

static int32_t cut_head(const struct h1_outcome *outcome, struct fault *fault)
{
    return fault_set(fault, MESH_ERR_RESET, "%s ended the connection inside the answer's head", outcome->peer);
}

static int32_t answer_fault(const struct h1_outcome *outcome, struct fault *fault)
{
    const char *text = *outcome->text ? outcome->text : curl_easy_strerror(outcome->code);

    if (outcome->code == CURLE_OPERATION_TIMEDOUT)
        return fault_set(fault, MESH_ERR_TIMEOUT, "no whole answer of %s before the deadline", outcome->peer);
    if (exceeds_a_limit(outcome))
        return fault_set(fault, MESH_ERR_TOO_LARGE, "answer of %s has a header line that is too long", outcome->peer);
    if (breaks_protocol(outcome))
        return fault_set(fault, MESH_ERR_PROTOCOL, "answer of %s is not HTTP/1.1: %s", outcome->peer, text);
    if (is_refused_retry(outcome))
        return fault_set(fault, MESH_ERR_RESET, "%s ended the connection, used before, without an answer",
                         outcome->peer);
    if (outcome->head_done)
        return fault_set(fault, MESH_ERR_RESET, "%s ended the connection before the answer's end: %s", outcome->peer,
                         text);
    if (outcome->head_begun)
        return cut_head(outcome, fault);
    return fault_set(fault, MESH_ERR_RESET, "%s ended the connection without an answer: %s", outcome->peer, text);
}

int32_t h1_fault_of(const struct h1_outcome *outcome, struct fault *fault)
{
    switch (outcome->code) {
    case CURLE_OK:
        if (outcome->head_done && !outcome->is_cut)
            return 0;
        if (outcome->head_done)
            return fault_set(fault, MESH_ERR_RESET,
                             "%s ended the connection without TLS close-notify: the answer may be cut", outcome->peer);
        return cut_head(outcome, fault);
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
        return fault_set(fault, MESH_ERR_DNS, "name of %s was not resolved: %s", outcome->peer, outcome->text);
    case CURLE_URL_MALFORMAT:
        return fault_set(fault, MESH_ERR_INVALID, "request to %s: %s", outcome->peer, outcome->text);
    default:
        break;
    }
    if (outcome->code == CURLE_OUT_OF_MEMORY && !exceeds_a_limit(outcome))
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory in a request to %s", outcome->peer);
    if ((is_trust_problem(outcome->code) && !ended_in_handshake(outcome)) || is_late_alert(outcome))
        return trust_fault(outcome, fault);
    return outcome->sent ? answer_fault(outcome, fault) : connect_fault(outcome, fault);
}
