/* SPDX-License-Identifier: Apache-2.0 */
/* The door: options of callers with older and newer headers, and what a request may ask for. Every refusal names the field. */
#include "api/api.h"

#include <string.h>

#include "mesh_test.h"

/* ---- sized structs ---- */

static int32_t import(struct mesh_request_opts *ours, const void *theirs, struct fault *fault)
{
    return api_import(ours, sizeof *ours, theirs, offsetof(struct mesh_request_opts, method), fault);
}

static void a_caller_of_the_same_age(void **state)
{
    struct mesh_request_opts theirs, ours;
    struct fault fault;

    (void) state;
    mesh_request_opts_init(&theirs, sizeof theirs);
    assert_int_equal(theirs.size, sizeof theirs);
    theirs.service = "users";
    theirs.hash_key = 7;
    MESH_OK(import(&ours, &theirs, &fault));
    assert_memory_equal(&ours, &theirs, sizeof ours);
}

/* Its struct ended with the path; what follows in its memory is not ours to read. */
static void an_older_caller(void **state)
{
    struct mesh_request_opts theirs, ours;
    struct fault fault;

    (void) state;
    memset(&theirs, 0xff, sizeof theirs);
    mesh_request_opts_init(&theirs, offsetof(struct mesh_request_opts, headers));
    assert_int_equal(theirs.size, offsetof(struct mesh_request_opts, headers));
    theirs.service = "users";
    theirs.path = "/x";
    MESH_OK(import(&ours, &theirs, &fault));
    assert_string_equal(ours.path, "/x");
    assert_null(ours.headers);
    assert_int_equal(ours.n_headers, 0);
    assert_null(ours.body);
    assert_int_equal(ours.timeout_ms, 0);
    assert_int_equal(ours.hash_key, 0);
}

static void a_newer_caller(void **state)
{
    struct {
        struct mesh_request_opts opts;
        uint64_t later[4];
    } theirs;
    struct mesh_request_opts ours;
    struct fault fault;

    (void) state;
    mesh_request_opts_init(&theirs.opts, sizeof theirs);
    theirs.opts.service = "users";
    MESH_OK(import(&ours, &theirs, &fault));
    assert_string_equal(ours.service, "users");
    ((char *) theirs.later)[31] = 1;
    MESH_ERR(MESH_ERR_TOO_NEW, import(&ours, &theirs, &fault));
    assert_non_null(strstr(fault.text, mesh_version_string()));
    assert_non_null(strstr(fault.text, "byte"));
}

static void a_size_that_was_not_set(void **state)
{
    static const uint32_t wrong[] = { 0, 1, 4, 15, UINT32_MAX, 0xdeadbeef };
    struct mesh_request_opts theirs, ours;
    struct fault fault;

    (void) state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        mesh_request_opts_init(&theirs, sizeof theirs);
        theirs.size = wrong[i];
        MESH_ERR(MESH_ERR_INVALID, import(&ours, &theirs, &fault));
        assert_non_null(strstr(fault.text, "size"));
    }
    mesh_request_opts_init(&theirs, 3); /* too small to say anything */
    mesh_request_opts_init(NULL, sizeof theirs);
}

/* ---- requests ---- */

static struct api_request out;
static struct fault fault;

static int32_t read_request(const struct mesh_request_opts *opts)
{
    return api_read_request(opts, API_FLAGS_WAITING, &out, &fault);
}

static struct mesh_request_opts opts_of(const char *service)
{
    struct mesh_request_opts opts;

    mesh_request_opts_init(&opts, sizeof opts);
    opts.service = service;
    return opts;
}

static void refused(const struct mesh_request_opts *opts, const char *names)
{
    MESH_ERR(MESH_ERR_INVALID, read_request(opts));
    if (!strstr(fault.text, names))
        fail_msg("\"%s\" does not name %s", fault.text, names);
    assert_null(out.headers);
}

static void defaults(void **state)
{
    struct mesh_request_opts opts = opts_of("users");

    (void) state;
    MESH_OK(read_request(&opts));
    assert_string_equal(out.ask.method, "GET");
    assert_string_equal(out.ask.path, "/");
    assert_true(out.ask.idempotent);
    assert_false(out.ask.chained);
    assert_null(out.ask.authority);
    assert_int_equal(out.body.len, 0);
    api_request_clear(&out);
}

static void services(void **state)
{
    static const char *const wrong[] = { NULL, "", "a b", "a\nb", "a\x7f", "\t" };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct mesh_request_opts opts = opts_of(wrong[i]);

        refused(&opts, "service");
    }
}

static void flags(void **state)
{
    struct mesh_request_opts opts = opts_of("users");

    (void) state;
    opts.flags = MESH_REQ_IDEMPOTENT | MESH_REQ_HAS_HASH_KEY | MESH_REQ_INTERRUPTIBLE | MESH_REQ_EXPLAIN;
    opts.method = "POST";
    opts.hash_key = 9;
    MESH_OK(read_request(&opts));
    assert_true(out.ask.idempotent);
    assert_true(out.ask.explain);
    assert_int_equal(out.ask.hash_key, 9);
    opts.flags = 0;
    MESH_OK(read_request(&opts));
    assert_false(out.ask.idempotent);
    assert_int_equal(out.ask.hash_key, 0);
    for (int bit = 4; bit < 32; bit++) {
        char text[32];

        opts.flags = UINT32_C(1) << bit;
        snprintf(text, sizeof text, "flags 0x%x", opts.flags);
        refused(&opts, text);
    }
    opts.flags = MESH_REQ_INTERRUPTIBLE;
    MESH_ERR(MESH_ERR_INVALID, api_read_request(&opts, API_FLAGS_QUEUED, &out, &fault));
}

static void methods_and_paths(void **state)
{
    static const char *const methods[] = { "", "GET\r\n", "G T", "GET\n", "CONNECT", "GE\x80" };
    static const char *const paths[] = { "", "x", "/a b", "/a\r\nb", "/a\nb", "/\x01", "http://h/" };
    struct mesh_request_opts opts;

    (void) state;
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        opts = opts_of("users");
        opts.method = methods[i];
        refused(&opts, "method");
    }
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        opts = opts_of("users");
        opts.path = paths[i];
        refused(&opts, "path");
    }
}

static void bodies(void **state)
{
    struct mesh_request_opts opts = opts_of("users");

    (void) state;
    opts.body_len = 4;
    refused(&opts, "body is NULL");
    opts.body = "abcd";
    MESH_OK(read_request(&opts));
    assert_int_equal(out.body.len, 4);
    assert_ptr_equal(out.body.bytes, opts.body);
}

static struct mesh_request_opts opts_with(const struct mesh_header *headers, size_t n)
{
    struct mesh_request_opts opts = opts_of("users");

    opts.headers = headers;
    opts.n_headers = n;
    return opts;
}

static void headers_that_are_refused(void **state)
{
    static const struct {
        struct mesh_header header;
        const char *names;
    } wrong[] = {
        { { NULL, "x" }, "header 0 has no name" },
        { { "x", NULL }, "header 0 has no value" },
        { { "x", "a\r\nb" }, "\"x\"" },
        { { "x", "a\nb" }, "\"x\"" },
        { { "x", "a\rb" }, "\"x\"" },
        { { "x\r\n", "a" }, "CR" },
        { { "x y", "a" }, "x y" },
        { { "", "a" }, "name" },
        { { "connection", "close" }, "connection" },
        { { "Transfer-Encoding", "chunked" }, "Transfer-Encoding" },
        { { "Upgrade", "h2c" }, "Upgrade" },
        { { "keep-alive", "1" }, "keep-alive" },
        { { "te", "gzip" }, "te" },
        { { "content-length", "4" }, "content-length" },
        { { ":path", "/" }, ":path" },
        { { "host", "a\r\nb" }, "host" },
        { { "host", "a/b" }, "host" },
        { { ":authority", "a b" }, "host" },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct mesh_request_opts opts = opts_with(&wrong[i].header, 1);

        refused(&opts, wrong[i].names);
    }
}

static void a_count_without_headers(void **state)
{
    struct mesh_request_opts opts = opts_with(NULL, 2);

    (void) state;
    refused(&opts, "n_headers is 2, but headers is NULL");
}

/* The value may be a secret. */
static void a_headers_value_is_not_told(void **state)
{
    const struct mesh_header header = { "authorization", "secret\r\n" };
    struct mesh_request_opts opts = opts_with(&header, 1);

    (void) state;
    MESH_ERR(MESH_ERR_INVALID, read_request(&opts));
    assert_null(strstr(fault.text, "secret"));
}

static void the_host_becomes_the_authority(void **state)
{
    static const char *const names[] = { "host", "Host", ":authority" };
    struct mesh_header headers[3] = { { "a", "1" }, { NULL, "example.com:81" }, { "b", "2" } };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct mesh_request_opts opts = opts_with(headers, 3);

        headers[1].name = names[i];
        MESH_OK(read_request(&opts));
        assert_string_equal(out.ask.authority, "example.com:81");
        assert_int_equal(out.ask.n_headers, 2);
        assert_string_equal(out.ask.headers[0].name, "a");
        assert_string_equal(out.ask.headers[1].name, "b");
        api_request_clear(&out);
    }
}

static void two_hosts(void **state)
{
    struct mesh_header headers[2] = { { "host", "a" }, { ":authority", "a" } };
    struct mesh_request_opts opts = opts_with(headers, 2);

    (void) state;
    MESH_OK(read_request(&opts));
    assert_int_equal(out.ask.n_headers, 0);
    api_request_clear(&out);
    headers[1].value = "b";
    refused(&opts, "host");
}

static void an_attempt_of_somebody_above(void **state)
{
    static const struct {
        struct mesh_header header;
        bool chained;
    } cases[] = {
        { { "x-mesh-attempt", "1" }, false },       { { "x-mesh-attempt", "2" }, true },
        { { "X-Mesh-Attempt", "3" }, true },        { { "x-envoy-attempt-count", "1" }, false },
        { { "x-envoy-attempt-count", "2" }, true }, { { "x-mesh-attempt", "two" }, false },
        { { "x-mesh-attempt", "" }, false },        { { "x-mesh-attempts", "2" }, false },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mesh_request_opts opts = opts_with(&cases[i].header, 1);

        MESH_OK(read_request(&opts));
        assert_int_equal(out.ask.chained, cases[i].chained);
        assert_int_equal(out.ask.n_headers, 1); /* it goes on */
    }
}

static void criticality(void **state)
{
    static const struct {
        struct mesh_header header;
        int32_t err;
        enum policy_criticality expected;
    } cases[] = {
        { { "x-mesh-criticality", "critical-plus" }, 0, CRITICALITY_CRITICAL_PLUS },
        { { "X-Mesh-Criticality", "Critical" }, 0, CRITICALITY_CRITICAL },
        { { "x-mesh-criticality", "sheddable-plus" }, 0, CRITICALITY_SHEDDABLE_PLUS },
        { { "x-mesh-criticality", "sheddable" }, 0, CRITICALITY_SHEDDABLE },
        { { "x-mesh-criticality", "" }, MESH_ERR_INVALID, 0 },
        { { "x-mesh-criticality", "1" }, MESH_ERR_INVALID, 0 },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mesh_request_opts opts = opts_with(&cases[i].header, 1);

        MESH_ERR(cases[i].err, read_request(&opts));
        if (cases[i].err) {
            assert_non_null(strstr(fault.text, "x-mesh-criticality"));
            assert_non_null(strstr(fault.text, "sheddable-plus"));
            continue;
        }
        assert_true(out.ask.has_criticality);
        assert_int_equal(out.ask.criticality, cases[i].expected);
        assert_int_equal(out.ask.n_headers, 1); /* it goes on */
    }
}

static void criticality_given_twice(void **state)
{
    struct mesh_header headers[2] = { { "x-mesh-criticality", "sheddable" }, { "X-MESH-CRITICALITY", "Sheddable" } };
    struct mesh_request_opts opts = opts_with(headers, 2);

    (void) state;
    MESH_OK(read_request(&opts));
    assert_int_equal(out.ask.criticality, CRITICALITY_SHEDDABLE);
    headers[1].value = "critical";
    MESH_ERR(MESH_ERR_INVALID, read_request(&opts));
    assert_non_null(strstr(fault.text, "twice"));
    opts = opts_with((struct mesh_header[]){ { "x-id", "1" } }, 1);
    MESH_OK(read_request(&opts));
    assert_false(out.ask.has_criticality);
}

static int32_t read_with_host(void)
{
    const struct mesh_header header = { "host", "a" };
    struct mesh_request_opts opts = opts_with(&header, 1);
    int32_t err = read_request(&opts);

    api_request_clear(&out);
    return err;
}

static void out_of_memory(void **state)
{
    (void) state;
    mesh_test_each_allocation_fails(read_with_host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_caller_of_the_same_age),
        cmocka_unit_test(an_older_caller),
        cmocka_unit_test(a_newer_caller),
        cmocka_unit_test(a_size_that_was_not_set),
        LEAK_TEST(defaults),
        LEAK_TEST(services),
        LEAK_TEST(flags),
        LEAK_TEST(methods_and_paths),
        LEAK_TEST(bodies),
        LEAK_TEST(headers_that_are_refused),
        LEAK_TEST(a_count_without_headers),
        LEAK_TEST(a_headers_value_is_not_told),
        LEAK_TEST(the_host_becomes_the_authority),
        LEAK_TEST(two_hosts),
        LEAK_TEST(an_attempt_of_somebody_above),
        LEAK_TEST(criticality),
        LEAK_TEST(criticality_given_twice),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
