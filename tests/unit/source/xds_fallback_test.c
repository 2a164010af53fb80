/* SPDX-License-Identifier: Apache-2.0 */
/* Falling back from one control plane to the next, event by event. */
#include "mesh_test.h"
#include "source/xds/fallback.h"

static struct fallback begin(size_t n, bool lacks)
{
    struct fallback f = { .n = n, .lacks = lacks };

    assert_int_equal(fallback_wants_next(&f), n > 0);
    f.n_asked = n > 0;
    return f;
}

static void ask_next(struct fallback *f)
{
    assert_true(fallback_wants_next(f));
    f->n_asked++;
}

static void the_first_is_enough(void **state)
{
    struct fallback f = begin(2, true);

    (void) state;
    assert_false(fallback_wants_next(&f));
    assert_false(fallback_answered(&f, 0));
    assert_false(fallback_wants_next(&f));
    assert_false(fallback_is_lost(&f));
}

static void nobody_falls_back_who_lacks_nothing(void **state)
{
    struct fallback f = begin(2, false);

    (void) state;
    fallback_failed(&f, 0);
    assert_false(fallback_wants_next(&f));
    assert_true(fallback_is_lost(&f));
    f.lacks = true; /* a new service is wanted */
    ask_next(&f);
    assert_false(fallback_is_lost(&f));
}

static void each_failure_adds_one(void **state)
{
    struct fallback f = begin(3, true);

    (void) state;
    fallback_failed(&f, 0);
    ask_next(&f);
    fallback_failed(&f, 0); /* again */
    assert_false(fallback_wants_next(&f));
    fallback_failed(&f, 1);
    ask_next(&f);
    assert_false(fallback_is_lost(&f));
    fallback_failed(&f, 2);
    assert_false(fallback_wants_next(&f));
    assert_true(fallback_is_lost(&f));
}

static void who_answers_ends_those_after_it(void **state)
{
    struct fallback f = begin(3, true);

    (void) state;
    fallback_failed(&f, 0);
    ask_next(&f);
    fallback_failed(&f, 1);
    ask_next(&f);
    assert_false(fallback_answered(&f, 2));
    assert_true(fallback_answered(&f, 1));
    assert_int_equal(f.n_asked, 2);
    assert_true(fallback_answered(&f, 0));
    assert_int_equal(f.n_asked, 1);
    assert_false(fallback_answered(&f, 0));
    fallback_failed(&f, 0);
    ask_next(&f);
    assert_false(fallback_wants_next(&f)); /* that it has failed before counts no more */
}

static void a_fallback_stays_while_the_first_is_away(void **state)
{
    struct fallback f = begin(2, true);

    (void) state;
    fallback_failed(&f, 0);
    ask_next(&f);
    fallback_answered(&f, 1);
    f.lacks = false;
    fallback_failed(&f, 0);
    assert_int_equal(f.n_asked, 2);
    assert_false(fallback_is_lost(&f));
    fallback_failed(&f, 1);
    assert_true(fallback_is_lost(&f));
}

static void as_many_as_there_may_be(void **state)
{
    struct fallback f = begin(FALLBACK_MOST, true);

    (void) state;
    for (size_t i = 0; i + 1 < FALLBACK_MOST; i++) {
        fallback_failed(&f, i);
        ask_next(&f);
    }
    fallback_failed(&f, FALLBACK_MOST - 1);
    assert_true(fallback_is_lost(&f));
    fallback_answered(&f, FALLBACK_MOST - 1);
    assert_false(fallback_is_lost(&f));
    assert_int_equal(f.failed, UINT64_MAX >> 1);
}

static void nobody_at_all(void **state)
{
    struct fallback f = begin(0, true);

    (void) state;
    assert_false(fallback_is_lost(&f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_enough),
        cmocka_unit_test(nobody_falls_back_who_lacks_nothing),
        cmocka_unit_test(each_failure_adds_one),
        cmocka_unit_test(who_answers_ends_those_after_it),
        cmocka_unit_test(a_fallback_stays_while_the_first_is_away),
        cmocka_unit_test(as_many_as_there_may_be),
        cmocka_unit_test(nobody_at_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
