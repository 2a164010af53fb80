/* SPDX-License-Identifier: Apache-2.0 */
/* What answers mean: with a status, without, with a wrong one, from somebody who does not speak gRPC. */
#include <stdlib.h>
#include <string.h>

#include "mesh_test.h"

#include "grpc/answer.h"

static struct grpc_answer answer;
static struct grpc_status status;

static void header(const char *name, const char *value, bool is_trailer)
{
    MESH_OK(grpc_answer_header(&answer, name, strlen(name), value, strlen(value), is_trailer));
}

static void head(int http_status, const char *type)
{
    grpc_answer_free(&answer);
    answer = (struct grpc_answer){ 0 };
    if (type)
        header("content-type", type, false);
    grpc_answer_head(&answer, http_status);
}

static void means(enum grpc_code code, bool from_peer, const char *message)
{
    grpc_answer_judge(&answer, &status);
    assert_int_equal(status.code, code);
    assert_int_equal(status.from_peer, from_peer);
    assert_string_equal(status.message, message);
}

static void the_trailers_say_it(void **state)
{
    (void) state;
    head(200, "application/grpc");
    grpc_answer_body(&answer);
    header("grpc-status", "0", true);
    means(GRPC_OK, true, "");
    head(200, "application/grpc+proto");
    header("grpc-status", "5", true);
    header("grpc-message", "no%20such", true);
    means(GRPC_NOT_FOUND, true, "no such");
}

static void or_the_head_of_an_answer_without_a_body(void **state)
{
    (void) state;
    head(200, "application/grpc");
    header("grpc-status", "12", false);
    header("grpc-message", "what", false);
    means(GRPC_UNIMPLEMENTED, true, "what");
    grpc_answer_body(&answer);
    means(GRPC_UNKNOWN, false, "the answer has no grpc-status");
    head(200, NULL);
    header("grpc-status", "0", false);
    header("grpc-message", "early", false);
    header("grpc-status", "14", true); /* the trailers win */
    means(GRPC_UNAVAILABLE, true, "");
}

static void says(const char *value, enum grpc_code code, bool from_peer, const char *message)
{
    head(200, "application/grpc");
    header("grpc-status", value, true);
    means(code, from_peer, message);
}

/* G1: never OK. */
static void what_is_no_status(void **state)
{
    (void) state;
    head(200, "application/grpc");
    means(GRPC_UNKNOWN, false, "the answer has no grpc-status");
    says("", GRPC_UNKNOWN, false, "grpc-status \"\" is not a number");
    says("OK", GRPC_UNKNOWN, false, "grpc-status \"OK\" is not a number");
    says("-1", GRPC_UNKNOWN, false, "grpc-status \"-1\" is not a number");
    says("0 ", GRPC_UNKNOWN, false, "grpc-status \"0 \" is not a number");
    says("99999999999999999999999", GRPC_UNKNOWN, false, "grpc-status \"99999999999999999999999\" is not a number");
    says("17", GRPC_UNKNOWN, false, "grpc-status 17 is no code that is known");
    header("grpc-status", "0", true);
    means(GRPC_UNKNOWN, false, "the answer has grpc-status 2 times");
    head(200, "application/grpc");
    header("grpc-status", "4294967296", true);
    header("grpc-message", "theirs", true);
    means(GRPC_UNKNOWN, true, "theirs");
}

/* G2 */
static void answers_that_are_not_grpc(void **state)
{
    (void) state;
    head(200, "text/html");
    assert_true(grpc_answer_is_other(&answer));
    means(GRPC_UNKNOWN, false, "the answer is not gRPC's: HTTP status 200, content-type text/html");
    header("grpc-status", "0", true);
    means(GRPC_UNKNOWN, false, "the answer is not gRPC's: HTTP status 200, content-type text/html");
    head(200, "application/grpc-web");
    means(GRPC_UNKNOWN, false, "the answer is not gRPC's: HTTP status 200, content-type application/grpc-web");
    head(503, NULL);
    assert_true(grpc_answer_is_other(&answer));
    means(GRPC_UNAVAILABLE, false, "the answer has HTTP status 503");
    head(401, "text/html\n");
    means(GRPC_UNAUTHENTICATED, false, "the answer is not gRPC's: HTTP status 401, content-type text/html\\x0a");
}

static void another_http_status_is_no_success(void **state)
{
    (void) state;
    head(503, "application/grpc");
    header("grpc-status", "8", false);
    means(GRPC_RESOURCE_EXHAUSTED, true, "");
    head(503, "application/grpc");
    header("grpc-status", "0", false);
    means(GRPC_UNAVAILABLE, false, "the answer has HTTP status 503");
}

static void types_of_grpc(void **state)
{
    static const char *const types[] = { "application/grpc", "Application/GRPC", "application/grpc+json",
                                         "application/grpc;a=b" };

    (void) state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        head(200, types[i]);
        assert_false(grpc_answer_is_other(&answer));
    }
    head(200, NULL);
    assert_false(grpc_answer_is_other(&answer));
}

static void encodings_are_known(void **state)
{
    (void) state;
    head(200, "application/grpc");
    assert_int_equal(answer.encoding, GRPC_IDENTITY);
    header("grpc-encoding", "gzip", false);
    assert_int_equal(answer.encoding, GRPC_GZIP);
    header("grpc-encoding", "snappy", false);
    assert_int_equal(answer.encoding, GRPC_OTHER_ENCODING);
    header("grpc-encoding", "identity", false);
    assert_int_equal(answer.encoding, GRPC_IDENTITY);
}

static void details_are_bytes(void **state)
{
    (void) state;
    head(200, "application/grpc");
    header("grpc-status", "3", true);
    header("grpc-status-details-bin", "CAMSA2Zvbw", true);
    means(GRPC_INVALID_ARGUMENT, true, "");
    assert_int_equal(status.n_details, 7);
    assert_memory_equal(status.details,
                        "\x08\x03\x12\x03"
                        "foo",
                        7);
    header("grpc-status-details-bin", "no base64!", true);
    means(GRPC_INVALID_ARGUMENT, true, "");
    assert_null(status.details);
}

/* G8 */
static void everything_is_bounded(void **state)
{
    size_t len = 1 << 20;
    char *text = malloc(len + 1);

    (void) state;
    memset(text, 'A', len);
    text[len] = '\0';
    head(200, text);
    head(200, "application/grpc");
    header("grpc-status", "2", true);
    header("grpc-message", text, true);
    header("grpc-status-details-bin", text, true);
    grpc_answer_judge(&answer, &status);
    assert_int_equal(strlen(status.message), GRPC_MESSAGE_MOST);
    assert_null(status.details);
    header("grpc-status", text, true);
    grpc_answer_judge(&answer, &status);
    free(text);
}

static int32_t read_details(void)
{
    struct grpc_answer one = { 0 };
    int32_t err = grpc_answer_header(&one, "grpc-status-details-bin", 23, "Zm9v", 4, true);

    grpc_answer_free(&one);
    return err;
}

static void details_want_memory(void **state)
{
    (void) state;
    mesh_test_each_allocation_fails(read_details);
}

static int forget(void **state)
{
    grpc_answer_free(&answer);
    return mesh_test_unwatch(state);
}
#define ANSWER_TEST(function) cmocka_unit_test_setup_teardown(function, mesh_test_watch, forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ANSWER_TEST(the_trailers_say_it),
        ANSWER_TEST(or_the_head_of_an_answer_without_a_body),
        ANSWER_TEST(what_is_no_status),
        ANSWER_TEST(answers_that_are_not_grpc),
        ANSWER_TEST(another_http_status_is_no_success),
        ANSWER_TEST(types_of_grpc),
        ANSWER_TEST(encodings_are_known),
        ANSWER_TEST(details_are_bytes),
        ANSWER_TEST(everything_is_bounded),
        cmocka_unit_test(details_want_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
