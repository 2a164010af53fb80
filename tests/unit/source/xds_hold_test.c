/* SPDX-License-Identifier: Apache-2.0 */
/* What serves while a control plane takes most endpoints away. */
#include <stdio.h>
#include <string.h>

#include "mesh_test.h"
#include "source/xds/hold.h"

#define HOLD_US (30 * US_PER_S)

/* Endpoints "10.0.0.1:80" for each letter from 'a' on. */
static struct model_endpoints *set_of(const char *letters)
{
    struct model_endpoints *set = model_endpoints_new(ENDPOINTS_READY, "eds", strlen(letters));

    assert_non_null(set);
    for (size_t i = 0; i < set->n; i++) {
        char text[32];

        snprintf(text, sizeof text, "10.0.0.%d:80", letters[i] - 'a' + 1);
        assert_true(addr_parse(&set->endpoints[i].addr, text, strlen(text), 0));
        assert_true(model_endpoints_place(set, &set->endpoints[i], "zone", 0));
    }
    return set;
}

/* "ab" are named, "(c)" is held; "1" in front of those of priority 1. */
static const char *told(const struct model_endpoints *set, char out[64])
{
    size_t at = 0;

    for (size_t i = 0; i < set->n; i++) {
        const struct model_endpoint *endpoint = &set->endpoints[i];
        char letter = (char) ('a' + endpoint->addr.ip[3] - 1);

        if (model_endpoint_locality(set, endpoint)->priority > 0)
            out[at++] = (char) ('0' + model_endpoint_locality(set, endpoint)->priority);
        if (endpoint->is_held)
            out[at++] = '(';
        out[at++] = letter;
        if (endpoint->is_held)
            out[at++] = ')';
    }
    out[at] = '\0';
    return out;
}

struct scene {
    struct hold hold;
    struct model_endpoints *news;
    char text[64];
    bool is_new;
};

static const char *says(struct scene *scene, const char *letters, uint64_t now_us)
{
    struct model_endpoints *out;

    model_endpoints_unref(scene->news);
    scene->news = set_of(letters);
    out = hold_take(&scene->hold, scene->news, now_us, HOLD_US, &scene->is_new);
    return told(out, scene->text);
}

static const char *later(struct scene *scene, uint64_t now_us)
{
    return told(hold_take(&scene->hold, scene->news, now_us, HOLD_US, &scene->is_new), scene->text);
}

static void end(struct scene *scene)
{
    model_endpoints_unref(scene->news);
    hold_clear(&scene->hold);
}

static void test_first_answer_is_obeyed(void **state)
{
    struct scene scene = { 0 };

    (void) state;
    assert_string_equal(says(&scene, "", 0), "");
    assert_string_equal(says(&scene, "ab", 1), "ab");
    assert_false(scene.is_new);
    assert_int_equal(hold_due_us(&scene.hold), UINT64_MAX);
    end(&scene);
}

static void test_small_changes_are_obeyed(void **state)
{
    struct scene scene = { 0 };

    (void) state;
    says(&scene, "abcd", 0);
    assert_string_equal(says(&scene, "ab", 1), "ab");
    assert_string_equal(says(&scene, "yz", 2), "yz"); /* others, and as many */
    assert_string_equal(says(&scene, "yzabcdef", 3), "yzabcdef");
    end(&scene);
}

static void test_emptied(void **state)
{
    struct scene scene = { 0 };

    (void) state;
    says(&scene, "abc", 0);
    assert_string_equal(says(&scene, "", 100), "abc");
    assert_true(scene.is_new);
    assert_int_equal(hold_due_us(&scene.hold), 100 + HOLD_US);
    assert_string_equal(says(&scene, "", 200), "abc"); /* again: the time runs on */
    assert_false(scene.is_new);
    assert_string_equal(later(&scene, 99 + HOLD_US), "abc");
    assert_string_equal(later(&scene, 100 + HOLD_US), "(a)(b)(c)");
    assert_int_equal(hold_due_us(&scene.hold), UINT64_MAX);
    assert_string_equal(says(&scene, "", 101 + HOLD_US), "(a)(b)(c)");
    assert_string_equal(says(&scene, "x", 102 + HOLD_US), "x");
    end(&scene);
}

/* News that come when a hold is over are measured by what was believed by then. */
static void test_news_after_the_time(void **state)
{
    struct scene scene = { 0 };

    (void) state;
    says(&scene, "abcdefgh", 0);
    assert_string_equal(says(&scene, "ab", 10), "ab1(c)1(d)1(e)1(f)1(g)1(h)");
    assert_string_equal(says(&scene, "a", 10 + HOLD_US), "a");
    assert_false(scene.is_new);
    assert_int_equal(hold_due_us(&scene.hold), UINT64_MAX);
    says(&scene, "", 11 + HOLD_US);
    assert_string_equal(says(&scene, "", 11 + 2 * HOLD_US), "(a)");
    end(&scene);
}

static void test_endpoints_end_a_hold_at_once(void **state)
{
    struct scene scene = { 0 };

    (void) state;
    says(&scene, "abcdef", 0);
    says(&scene, "", 1);
    assert_string_equal(says(&scene, "a", 2), "a");
    assert_int_equal(hold_due_us(&scene.hold), UINT64_MAX);
    end(&scene);
}

static void test_thinned(void **state)
{
    struct scene scene = { 0 };

    (void) state;
    says(&scene, "abcde", 0);
    assert_string_equal(says(&scene, "bx", 10), "bx1(a)1(c)1(d)1(e)");
    assert_true(scene.is_new);
    assert_string_equal(says(&scene, "c", 20), "c1(a)1(b)1(d)1(e)");
    assert_string_equal(later(&scene, 10 + HOLD_US), "c");
    assert_string_equal(says(&scene, "", 11 + HOLD_US), "c");
    end(&scene);
}

static void test_switched_off(void **state)
{
    struct model_endpoints *some = set_of("abc"), *none = set_of("");
    struct hold hold = { 0 };
    bool is_new;

    (void) state;
    assert_ptr_equal(hold_take(&hold, some, 0, 0, &is_new), some);
    assert_ptr_equal(hold_take(&hold, none, 1, 0, &is_new), none);
    model_endpoints_unref(some);
    model_endpoints_unref(none);
    hold_clear(&hold);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_answer_is_obeyed),
        cmocka_unit_test(test_small_changes_are_obeyed),
        cmocka_unit_test(test_emptied),
        cmocka_unit_test(test_news_after_the_time),
        cmocka_unit_test(test_endpoints_end_a_hold_at_once),
        cmocka_unit_test(test_thinned),
        cmocka_unit_test(test_switched_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
