/* SPDX-License-Identifier: Apache-2.0 */
/* What libcurl's result codes are told as. */
#include "mesh_test.h"

#include <errno.h>
#include <string.h>

#include "http/h1.h"

struct outcome_case {
    CURLcode code;
    bool sent, head_begun, head_done, is_cut;
    const char *text;
    int error;
    int32_t err;
    const char *words;
};

static const struct outcome_case cases[] = {
    { .code = CURLE_OK, .sent = true, .head_begun = true, .head_done = true },
    { .code = CURLE_OK, .sent = true, .head_begun = true, .err = MESH_ERR_RESET, .words = "inside the answer's head" },
    { .code = CURLE_OK,
      .sent = true,
      .head_done = true,
      .is_cut = true,
      .err = MESH_ERR_RESET,
      .words = "close-notify" },
    /* before anything was sent */
    { .code = CURLE_COULDNT_CONNECT, .error = ECONNREFUSED, .err = MESH_ERR_CONNECT, .words = "Connection refused" },
    { .code = CURLE_COULDNT_CONNECT, .text = "no way", .err = MESH_ERR_CONNECT, .words = "no way" },
    { .code = CURLE_COULDNT_CONNECT, .err = MESH_ERR_CONNECT, .words = "connect" },
    { .code = CURLE_OPERATION_TIMEDOUT, .err = MESH_ERR_CONNECT, .words = "within 250 ms" },
    { .code = CURLE_RECV_ERROR, .text = "403 from proxy", .err = MESH_ERR_CONNECT, .words = "403 from proxy" },
    { .code = CURLE_COULDNT_RESOLVE_PROXY, .text = "no such name", .err = MESH_ERR_DNS, .words = "no such name" },
    { .code = CURLE_OUT_OF_MEMORY, .err = MESH_ERR_NOMEM, .words = "out of memory" },
    { .code = CURLE_URL_MALFORMAT, .text = "bad", .err = MESH_ERR_INVALID, .words = "bad" },
    /* trust */
    { .code = CURLE_PEER_FAILED_VERIFICATION,
      .text = "SSL certificate problem: certificate has expired",
      .err = MESH_ERR_TLS,
      .words = "not trusted for the name \"users.test\": SSL certificate problem: certificate has expired" },
    { .code = CURLE_SSL_CACERT_BADFILE, .text = "CAfile: /x", .err = MESH_ERR_TLS, .words = "CAfile: /x" },
    { .code = CURLE_SSL_CERTPROBLEM, .text = "no key", .err = MESH_ERR_TLS, .words = "no key" },
    { .code = CURLE_SSL_CONNECT_ERROR, .text = "wrong version number", .err = MESH_ERR_TLS, .words = "wrong version" },
    { .code = CURLE_SSL_CONNECT_ERROR,
      .text = "OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to x",
      .err = MESH_ERR_CONNECT,
      .words = "in the TLS handshake" },
    { .code = CURLE_SSL_CONNECT_ERROR,
      .text = "OpenSSL SSL_connect: Connection reset by peer in connection to x",
      .err = MESH_ERR_CONNECT,
      .words = "in the TLS handshake" },
    { .code = CURLE_RECV_ERROR,
      .sent = true,
      .text = "OpenSSL SSL_read: tlsv13 alert certificate required",
      .err = MESH_ERR_TLS,
      .words = "refuses us" },
    /* afterwards */
    { .code = CURLE_OPERATION_TIMEDOUT, .sent = true, .err = MESH_ERR_TIMEOUT, .words = "deadline" },
    { .code = CURLE_GOT_NOTHING, .sent = true, .err = MESH_ERR_RESET, .words = "without an answer" },
    { .code = CURLE_RECV_ERROR,
      .sent = true,
      .text = "reset",
      .err = MESH_ERR_RESET,
      .words = "without an answer: reset" },
    { .code = CURLE_RECV_ERROR,
      .sent = true,
      .head_begun = true,
      .err = MESH_ERR_RESET,
      .words = "inside the answer's" },
    { .code = CURLE_PARTIAL_FILE,
      .sent = true,
      .head_begun = true,
      .head_done = true,
      .err = MESH_ERR_RESET,
      .words = "before the answer's end" },
    { .code = CURLE_ABORTED_BY_CALLBACK, .sent = true, .err = MESH_ERR_RESET, .words = "used before" },
    { .code = CURLE_COULDNT_CONNECT, .sent = true, .err = MESH_ERR_RESET, .words = "used before" },
    { .code = CURLE_SEND_FAIL_REWIND, .sent = true, .err = MESH_ERR_RESET, .words = "used before" },
    { .code = CURLE_WEIRD_SERVER_REPLY, .sent = true, .text = "odd", .err = MESH_ERR_PROTOCOL, .words = "odd" },
    { .code = CURLE_UNSUPPORTED_PROTOCOL, .sent = true, .err = MESH_ERR_PROTOCOL, .words = "not HTTP/1.1" },
    { .code = CURLE_RECV_ERROR,
      .sent = true,
      .head_done = true,
      .text = "Illegal or missing hexadecimal sequence in chunked-encoding",
      .err = MESH_ERR_PROTOCOL,
      .words = "hexadecimal" },
    { .code = CURLE_RECV_ERROR,
      .sent = true,
      .head_done = true,
      .text = "Out of memory in chunked-encoding",
      .err = MESH_ERR_TOO_LARGE,
      .words = "too long" },
    { .code = CURLE_OUT_OF_MEMORY, .sent = true, .err = MESH_ERR_TOO_LARGE, .words = "too long" },
    { .code = CURLE_OUT_OF_MEMORY, .sent = true, .head_done = true, .err = MESH_ERR_NOMEM, .words = "out of memory" },
};

static void codes_become_errors_and_sentences(void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct outcome_case *c = &cases[i];
        struct h1_outcome outcome = { .code = c->code,
                                      .head_begun = c->head_begun,
                                      .head_done = c->head_done,
                                      .is_cut = c->is_cut,
                                      .sent = c->sent,
                                      .text = c->text ? c->text : "",
                                      .error = c->error,
                                      .peer = "10.0.0.1:80",
                                      .name = "users.test",
                                      .connect_timeout_us = 250 * US_PER_MS };
        struct fault fault = { 0 };
        int32_t err = h1_fault_of(&outcome, &fault);

        if (err == c->err && fault.code == err &&
            (!err || (strstr(fault.text, c->words) && strstr(fault.text, "10.0.0.1"))))
            continue;
        fail_msg("case %zu: %s \"%s\"", i, error_name(err), fault.text);
    }
}

/* Whatever a future libcurl makes up: an error stays an error. */
static void every_code_but_0_is_an_error(void **state)
{
    (void) state;
    for (int code = 1; code < 200; code++)
        for (int sent = 0; sent < 2; sent++) {
            struct h1_outcome outcome = { .code = (CURLcode) code,
                                          .sent = sent,
                                          .head_begun = true,
                                          .head_done = true,
                                          .text = "",
                                          .peer = "10.0.0.1:80",
                                          .name = "" };
            struct fault fault = { 0 };

            assert_true(h1_fault_of(&outcome, &fault) < 0);
            assert_true(fault.code < 0 && strlen(fault.text) > 0);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_become_errors_and_sentences),
        cmocka_unit_test(every_code_but_0_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
