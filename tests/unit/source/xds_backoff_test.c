/* SPDX-License-Identifier: Apache-2.0 */
/* Waits between attempts to reach a control plane. */
#include "base/rand.h"
#include "mesh_test.h"
#include "source/xds/backoff.h"

enum { LEAST = 0 }; /* dice */
#define MS US_PER_MS

/* The dice that gives the longest wait. */
static uint64_t most(uint64_t most_ms)
{
    return most_ms * MS - most_ms * MS / 10;
}

static void failures_double_the_wait(void **state)
{
    static const uint64_t ms[] = { 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000 };
    struct backoff low = { 0 }, high = { 0 };

    (void) state;
    for (size_t i = 0; i < sizeof ms / sizeof *ms; i++) {
        assert_int_equal(backoff_after_failure(&low, LEAST), ms[i] * MS / 10);
        assert_int_equal(backoff_after_failure(&high, most(ms[i])), ms[i] * MS);
    }
}

static void any_dice_is_within(void **state)
{
    struct backoff backoff = { 0 };
    uint64_t dice = 1;

    (void) state;
    for (int i = 0; i < 10000; i++) {
        struct backoff once = backoff;
        uint64_t wait = backoff_after_failure(&once, dice);

        assert_in_range(wait, 50 * MS, 500 * MS);
        dice = dice * 6364136223846793005u + 1442695040888963407u;
    }
    assert_in_range(backoff_after_failure(&backoff, UINT64_MAX), 50 * MS, 500 * MS);
}

static void no_number_of_failures_is_too_many(void **state)
{
    struct backoff backoff = { .failures = UINT32_MAX - 1 };

    (void) state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(backoff_after_failure(&backoff, LEAST), 3000 * MS);
}

static void an_answer_forgets_failures(void **state)
{
    struct backoff backoff = { 0 };

    (void) state;
    for (int i = 0; i < 5; i++)
        backoff_after_failure(&backoff, LEAST);
    backoff_answered(&backoff);
    assert_int_equal(backoff_after_failure(&backoff, LEAST), 50 * MS);
}

static void streams_that_last_are_replaced_at_once(void **state)
{
    struct backoff backoff = { 0 };

    (void) state;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(backoff_after_answers(&backoff, 1000 * MS, LEAST), 0);
        assert_int_equal(backoff_after_answers(&backoff, 1000 * MS, 200 * MS), 200 * MS);
    }
}

static void streams_that_do_not_last_wait_from_the_second_on(void **state)
{
    struct backoff backoff = { 0 };

    (void) state;
    assert_int_equal(backoff_after_answers(&backoff, 999 * MS, 200 * MS), 200 * MS);
    assert_int_equal(backoff_after_answers(&backoff, 999 * MS, most(500)), 500 * MS);
    assert_int_equal(backoff_after_answers(&backoff, 10 * MS, most(1000)), 1000 * MS);
    backoff_answered(&backoff); /* each of them has had an answer */
    assert_int_equal(backoff_after_answers(&backoff, 10 * MS, most(2000)), 2000 * MS);
    assert_int_equal(backoff_after_answers(&backoff, 5000 * MS, LEAST), 0);
    assert_int_equal(backoff_after_answers(&backoff, 10 * MS, LEAST), 0);
    assert_int_equal(backoff_after_answers(&backoff, 10 * MS, most(500)), 500 * MS);
}

/* A control plane that 500 clients lost at once, and that is away for a minute: none of its milliseconds after that has a crowd
 * (case X15). */
enum { CLIENTS = 500, AWAY_MS = 60000, WINDOW_MS = 40000 };

static uint64_t comes_back_at(struct rand *dice)
{
    struct backoff backoff = { 0 };
    uint64_t at = backoff_after_answers(&backoff, 3600 * US_PER_S, rand_u64(dice));

    while (at < AWAY_MS * MS)
        at += backoff_after_failure(&backoff, rand_u64(dice));
    return at / MS - AWAY_MS;
}

static void hundreds_of_clients_do_not_come_together(void **state)
{
    static uint32_t windows[WINDOW_MS / 100];
    struct rand dice;
    uint32_t most_at_once = 0, came = 0;

    (void) state;
    rand_seed_with(&dice, 15);
    for (int i = 0; i < CLIENTS; i++) {
        uint64_t ms = comes_back_at(&dice);

        assert_in_range(ms, 0, BACKOFF_LONGEST_MS); /* nobody stays away for longer than the longest wait */
        windows[ms / 100]++;
    }
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        most_at_once = windows[i] > most_at_once ? windows[i] : most_at_once;
        came += windows[i];
    }
    assert_int_equal(came, CLIENTS);
    assert_in_range(most_at_once, 1, 15); /* of a hundred milliseconds; evenly it were two */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_double_the_wait),
        cmocka_unit_test(any_dice_is_within),
        cmocka_unit_test(no_number_of_failures_is_too_many),
        cmocka_unit_test(an_answer_forgets_failures),
        cmocka_unit_test(streams_that_last_are_replaced_at_once),
        cmocka_unit_test(streams_that_do_not_last_wait_from_the_second_on),
        cmocka_unit_test(hundreds_of_clients_do_not_come_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
