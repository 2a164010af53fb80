/* SPDX-License-Identifier: Apache-2.0 */
/* When checks make an endpoint unhealthy and healthy again, and when the next one is due. */
#include "mesh_test.h"

#include "cluster/health.h"

static const struct policy_health conf = { .interval_ms = 5000, .unhealthy_threshold = 3, .healthy_threshold = 2 };

/* One letter a check: p passed, f failed, r refused, u untold; the states they lead to: ?, h, u. */
static void leads_to(const char *checks, const char *states)
{
    static const char letters[] = "?hu";
    struct health health = { 0 };

    for (size_t i = 0; checks[i]; i++) {
        enum health_state before = health.state;
        enum health_verdict verdict = checks[i] == 'p'   ? HEALTH_PASSED
                                      : checks[i] == 'f' ? HEALTH_FAILED
                                      : checks[i] == 'r' ? HEALTH_REFUSED
                                                         : HEALTH_UNTOLD;
        bool changed = health_judge(&health, &conf, verdict);

        if (letters[health.state] != states[i])
            fail_msg("%s: after %zu checks it is '%c', not '%c'", checks, i + 1, letters[health.state], states[i]);
        assert_int_equal(changed, health.state != before);
    }
}

static void the_first_decides_alone(void **state)
{
    (void) state;
    leads_to("p", "h");
    leads_to("f", "u");
    leads_to("r", "u");
    leads_to("uup", "??h");
}

static void silence_has_to_repeat(void **state)
{
    (void) state;
    leads_to("pfff", "hhhu");
    leads_to("pffpffpfff", "hhhhhhhhhu");
}

static void an_answer_that_says_no_decides_alone(void **state)
{
    (void) state;
    leads_to("pr", "hu");
    leads_to("pfr", "hhu");
}

static void recovery_has_to_repeat(void **state)
{
    (void) state;
    leads_to("fpp", "uuh");
    leads_to("rpfpp", "uuuuh");
    leads_to("rprpp", "uuuuh");
    leads_to("rppf", "uuhh");
}

static void what_we_could_not_ask_changes_nothing(void **state)
{
    (void) state;
    leads_to("pfuuuufuf", "hhhhhhhhu");
    leads_to("fpuup", "uuuuh");
}

static void waits_are_spread(void **state)
{
    const struct policy_health often = { .interval_ms = 200 };
    uint64_t least = UINT64_MAX, most = 0, sum = 0;
    struct rand dice;

    (void) state;
    rand_seed_with(&dice, 1);
    for (int i = 0; i < 10000; i++) {
        uint64_t wait = health_wait_us(&conf, &dice);

        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
        sum += wait;
        assert_true(health_first_wait_us(&conf, &dice) < US_PER_S);
        assert_true(health_first_wait_us(&often, &dice) < 200 * US_PER_MS);
    }
    assert_in_range(least, 4500000, 4501000);
    assert_in_range(most, 5499000, 5500000);
    assert_in_range(sum / 10000, 4980000, 5020000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_decides_alone),
        cmocka_unit_test(silence_has_to_repeat),
        cmocka_unit_test(an_answer_that_says_no_decides_alone),
        cmocka_unit_test(recovery_has_to_repeat),
        cmocka_unit_test(what_we_could_not_ask_changes_nothing),
        cmocka_unit_test(waits_are_spread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
