/* SPDX-License-Identifier: Apache-2.0 */
/* What a request is hashed by: key, path, header - and when there is nothing. */
#include "request/hash.h"

#include "mesh_test.h"

static const struct mesh_header headers[] = { { "X-User", "bob" }, { "x-other", "o" }, { "x-user", "alice" } };

static uint64_t hash_of(const struct policy_hash *policy, const struct request_ask *ask)
{
    uint64_t hash = 1;

    assert_true(hash_request(policy, ask, &hash));
    return hash;
}

static void test_key(void **state)
{
    struct policy_hash policy = { .on = HASH_ON_KEY };
    uint64_t hash;

    (void) state;
    assert_int_equal(hash_of(&policy, &(struct request_ask){ .hash_key = 77, .has_hash_key = true }), 77);
    assert_int_equal(hash_of(&policy, &(struct request_ask){ .hash_key = 0, .has_hash_key = true }), 0);
    assert_false(hash_request(&policy, &(struct request_ask){ .hash_key = 0 }, &hash));
}

/* The value of xxHash64 for "" is its published one. */
static void test_path(void **state)
{
    struct policy_hash policy = { .on = HASH_ON_PATH };

    (void) state;
    assert_true(hash_of(&policy, &(struct request_ask){ .path = "" }) == UINT64_C(0xef46db3751d8e999));
    assert_true(hash_of(&policy, &(struct request_ask){ .path = "/a?b" }) == xxh64("/a?b", 4, 0));
}

static void test_header(void **state)
{
    struct policy_hash policy = { .on = HASH_ON_HEADER, .header = "x-other" };
    struct request_ask ask = {
        .headers = headers, .n_headers = COUNT_OF(headers), .hash_key = 5, .has_hash_key = true
    };
    uint64_t hash;

    (void) state;
    assert_true(hash_of(&policy, &ask) == xxh64("o", 1, 0));
    policy.header = "X-USER"; /* both values, in their order */
    assert_true(hash_of(&policy, &ask) == xxh64("bob", 3, xxh64("alice", 5, 0)));
    policy.header = "x-none";
    assert_false(hash_request(&policy, &ask, &hash));
}

static void test_many_values(void **state)
{
    struct policy_hash policy = { .on = HASH_ON_HEADER, .header = "x" };
    struct mesh_header many[40];
    struct request_ask ask = { .headers = many, .n_headers = COUNT_OF(many) };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(many); i++)
        many[i] = (struct mesh_header){ "x", i % 2 ? "a" : "b" };
    assert_true(hash_of(&policy, &ask) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_many_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
