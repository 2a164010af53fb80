/* SPDX-License-Identifier: Apache-2.0 */
/* Names of certificates against patterns: which labels a wildcard stands for, letters, types. */
#include "mesh_test.h"

#include <string.h>

#include "base/base.h"

static bool fits(uint32_t wanted, enum peer_name_how how, bool ignore_case, const char *pattern,
                 enum peer_name_type type, const char *name)
{
    struct peer_names *names = peer_names_new(1);
    bool result;

    assert_non_null(names);
    names->items[0] =
        (struct peer_name){ .types = wanted, .how = how, .ignore_case = ignore_case, .text = mem_strdup(pattern) };
    result = peer_names_match(names, type, name, strlen(name));
    peer_names_unref(names);
    return result;
}

static void wildcards_are_the_certificates(void **state)
{
    static const struct {
        const char *host, *name;
        bool fits;
    } cases[] = {
        { "a.example.com", "a.example.com", true },
        { "a.example.com", "A.EXAMPLE.com", true },
        { "a.example.com", "*.example.com", true },
        { "example.com", "*.example.com", false },
        { "a.b.example.com", "*.example.com", false },
        { "a.com", "*.com", false }, /* no wildcard over a whole top-level domain */
        { "a.example.com", "a*.example.com", false },
        { "a.example.com", "*", false },
        { "a.example.com", "*.", false },
        { "*.example.com", "a.example.com", false }, /* a pattern has none */
        { "a.example.com", "a.example.co", false },
        { ".example.com", "*.example.com", false },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (fits(PEER_NAME_DNS, PEER_NAME_EXACT, false, cases[i].host, PEER_NAME_DNS, cases[i].name) != cases[i].fits)
            fail_msg("%s and %s", cases[i].host, cases[i].name);
}

static void other_types_are_compared_as_they_are(void **state)
{
    (void) state;
    assert_false(fits(PEER_NAME_URI, PEER_NAME_EXACT, false, "spiffe://td/a", PEER_NAME_URI, "spiffe://td/A"));
    assert_true(fits(PEER_NAME_URI, PEER_NAME_EXACT, true, "spiffe://td/a", PEER_NAME_URI, "spiffe://td/A"));
    assert_false(fits(PEER_NAME_URI, PEER_NAME_EXACT, false, "a.example.com", PEER_NAME_URI, "*.example.com"));
    assert_false(fits(PEER_NAME_DNS | PEER_NAME_IP, PEER_NAME_EXACT, false, "a.b", PEER_NAME_URI, "a.b"));
    assert_true(fits(PEER_NAME_ANY, PEER_NAME_EXACT, false, "10.0.0.7", PEER_NAME_IP, "10.0.0.7"));
}

static void parts_of_names(void **state)
{
    (void) state;
    assert_true(fits(PEER_NAME_URI, PEER_NAME_PREFIX, false, "spiffe://td/", PEER_NAME_URI, "spiffe://td/x"));
    assert_false(fits(PEER_NAME_URI, PEER_NAME_PREFIX, false, "spiffe://td/", PEER_NAME_URI, "spiffe://td"));
    assert_true(fits(PEER_NAME_URI, PEER_NAME_SUFFIX, true, "/X", PEER_NAME_URI, "spiffe://td/x"));
    assert_false(fits(PEER_NAME_URI, PEER_NAME_SUFFIX, false, "/y", PEER_NAME_URI, "spiffe://td/x"));
    assert_true(fits(PEER_NAME_URI, PEER_NAME_CONTAINS, false, "//td", PEER_NAME_URI, "spiffe://td"));
    assert_false(fits(PEER_NAME_URI, PEER_NAME_CONTAINS, false, "//tds", PEER_NAME_URI, "spiffe://td"));
    /* The prefix of a DNS name is compared with what stands in the certificate. */
    assert_false(fits(PEER_NAME_DNS, PEER_NAME_PREFIX, false, "a.", PEER_NAME_DNS, "*.example.com"));
}

static void nothing_is_wanted_of_nobody(void **state)
{
    struct peer_names *names = peer_names_new(0);

    (void) state;
    assert_false(peer_names_match(names, PEER_NAME_DNS, "a", 1));
    assert_true(peer_names_hash(NULL) == 0);
    peer_names_unref(names);
    peer_names_unref(NULL);
    assert_null(peer_names_ref(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(wildcards_are_the_certificates),
        LEAK_TEST(other_types_are_compared_as_they_are),
        LEAK_TEST(parts_of_names),
        LEAK_TEST(nothing_is_wanted_of_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
