/* SPDX-License-Identifier: Apache-2.0 */
/* Hash policies of a route, alone and combined as Envoy combines them. */
#include "route/route.h"

#include <string.h>

#include "mesh_test.h"

static const struct mesh_header sent[] = {
    { "X-User", "zoe" },
    { "x-user", "ann" },
    { "cookie", "theme=dark; session=\"abc\"" },
    { "x-one", "alice@example.com" },
    { "cookie", "other=1;late=2; empty=" },
};
static const struct route_request request = {
    .service = "users",
    .path = "/a?id=7&empty&id=8",
    .authority = "Host",
    .headers = sent,
    .n_headers = COUNT_OF(sent),
    .channel = 42,
};

static uint64_t of(const char *text)
{
    return xxh64(text, strlen(text), 0);
}

static uint64_t rotated(uint64_t hash)
{
    return hash << 1 | hash >> 63;
}

static bool hash(const struct route_hash *policies, size_t n, uint64_t *out)
{
    struct route_rules rules = { .n_hash = n, .hash = (struct route_hash *) policies };

    return route_hash(&rules, &request, out);
}

static void each_policy_alone(void **state)
{
    const struct {
        struct route_hash policy;
        bool found;
        uint64_t hash;
    } cases[] = {
        { { .kind = ROUTE_HASH_HEADER, .name = "x-one" }, true, of("alice@example.com") },
        /* Values are sorted, each is hashed with the hash of those before. */
        { { .kind = ROUTE_HASH_HEADER, .name = "x-user" }, true, xxh64("zoe", 3, of("ann")) },
        { { .kind = ROUTE_HASH_HEADER, .name = ":path" }, true, of("/a?id=7&empty&id=8") },
        { { .kind = ROUTE_HASH_HEADER, .name = ":authority" }, true, of("Host") },
        { { .kind = ROUTE_HASH_HEADER, .name = "x-none" }, false, 0 },
        { { .kind = ROUTE_HASH_COOKIE, .name = "theme" }, true, of("dark") },
        { { .kind = ROUTE_HASH_COOKIE, .name = "session" }, true, of("abc") }, /* without its quotes */
        { { .kind = ROUTE_HASH_COOKIE, .name = "late" }, true, of("2") },
        { { .kind = ROUTE_HASH_COOKIE, .name = "empty" }, false, 0 },
        { { .kind = ROUTE_HASH_COOKIE, .name = "sess" }, false, 0 },
        { { .kind = ROUTE_HASH_QUERY, .name = "id" }, true, of("7") },
        { { .kind = ROUTE_HASH_QUERY, .name = "empty" }, true, of("") },
        { { .kind = ROUTE_HASH_QUERY, .name = "none" }, false, 0 },
        { { .kind = ROUTE_HASH_CHANNEL }, true, xxh64(&request.channel, 8, 0) },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t out;

        assert_int_equal(hash(&cases[i].policy, 1, &out), cases[i].found);
        if (out != cases[i].hash)
            fail_msg("case %zu", i);
    }
}

static void a_value_may_be_rewritten(void **state)
{
    struct route_hash policy = { .kind = ROUTE_HASH_HEADER, .name = "x-one", .rewrite.substitution = "\\1" };
    struct fault fault;
    uint64_t out;

    (void) state;
    MESH_OK(regex_new("^.*@(.*)$", REGEX_TO_REPLACE, &policy.rewrite.regex, &fault));
    assert_true(hash(&policy, 1, &out));
    assert_true(out == of("example.com"));
    policy.rewrite.substitution = "";
    assert_true(hash(&policy, 1, &out));
    assert_true(out == of(""));
    policy.name = "x-user"; /* matches none: as they are, sorted after the rewrite */
    assert_true(hash(&policy, 1, &out));
    assert_true(out == xxh64("zoe", 3, of("ann")));
    regex_free(policy.rewrite.regex);
}

static void policies_are_combined(void **state)
{
    const struct route_hash id = { .kind = ROUTE_HASH_QUERY, .name = "id" },
                            theme = { .kind = ROUTE_HASH_COOKIE, .name = "theme" },
                            none = { .kind = ROUTE_HASH_HEADER, .name = "x-none" };
    struct route_hash policies[] = { id, none, theme, id };
    uint64_t out;

    (void) state;
    assert_true(hash(policies, 4, &out));
    assert_true(out == (rotated(rotated(of("7")) ^ of("dark")) ^ of("7")));
    policies[1].terminal = true; /* whatever gave one before it counts */
    assert_true(hash(policies, 4, &out));
    assert_true(out == of("7"));
    policies[0] = none;
    assert_true(hash(policies, 4, &out));
    assert_true(out == (rotated(of("dark")) ^ of("7")));
    policies[2].terminal = true;
    assert_true(hash(policies, 4, &out));
    assert_true(out == of("dark"));
    assert_false(hash(&none, 1, &out));
    assert_false(hash(NULL, 0, &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(each_policy_alone),
        LEAK_TEST(a_value_may_be_rewritten),
        LEAK_TEST(policies_are_combined),
    };

    return cmocka_run_group_tests_name("route/hash", tests, NULL, NULL);
}
