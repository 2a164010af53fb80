/* SPDX-License-Identifier: Apache-2.0 */
/* When a connection is silent, step by step. */
#include "http/h2_silence.h"
#include "mesh_test.h"

enum { LIMIT = 1000 };

struct scene {
    struct h2_silence silence;
    uint64_t now, next, useful;
    bool busy;
};

static struct scene begin(void)
{
    struct scene s = { .silence.limit_us = LIMIT, .now = 100000 };

    h2_silence_heard(&s.silence, s.now);
    return s;
}

static void ask(struct scene *s)
{
    h2_silence_asked(&s->silence, s->now, !s->busy);
    s->busy = true;
}

static void step(struct scene *s, uint64_t later, enum h2_silence_step expected, bool is_silent)
{
    s->now += later;
    assert_int_equal(h2_silence_is(&s->silence, s->now, s->busy, s->useful), is_silent);
    assert_int_equal(h2_silence_check(&s->silence, s->now, s->busy, s->useful, &s->next), expected);
    if (expected == H2_SILENCE_PING)
        h2_silence_pinged(&s->silence, s->now);
}

static void hear(struct scene *s)
{
    h2_silence_heard(&s->silence, s->now);
}

static void test_rest(void **state)
{
    struct scene s = begin();

    (void) state;
    step(&s, 100 * LIMIT, H2_SILENCE_REST, false);
    ask(&s);
    s.silence.limit_us = 0;
    step(&s, 100 * LIMIT, H2_SILENCE_REST, false);
}

static void test_silence_is_counted_from_the_beginning_of_work(void **state)
{
    struct scene s = begin();

    (void) state;
    s.now += 50 * LIMIT;
    ask(&s);
    step(&s, 0, H2_SILENCE_WAIT, false);
    assert_int_equal(s.next, s.now + LIMIT);
    step(&s, LIMIT - 1, H2_SILENCE_WAIT, false);
    assert_int_equal(s.next, s.now + 1);
    step(&s, 1, H2_SILENCE_PING, true);
}

static void test_unanswered_ping(void **state)
{
    struct scene s = begin();

    (void) state;
    ask(&s);
    step(&s, LIMIT, H2_SILENCE_PING, true);
    assert_int_equal(s.next, s.now + LIMIT);
    step(&s, LIMIT / 2, H2_SILENCE_WAIT, true);
    assert_int_equal(s.next, s.now + LIMIT / 2);
    step(&s, LIMIT / 2, H2_SILENCE_CLOSE, true);
}

static void test_an_answer_may_have_a_time_of_its_own(void **state)
{
    struct scene s = begin();

    (void) state;
    s.silence.answer_us = LIMIT / 10;
    ask(&s);
    step(&s, LIMIT, H2_SILENCE_PING, true);
    assert_int_equal(s.next, s.now + LIMIT / 10);
    step(&s, LIMIT / 10 - 1, H2_SILENCE_WAIT, true);
    assert_int_equal(s.next, s.now + 1);
    step(&s, 1, H2_SILENCE_CLOSE, true);
}

static void test_rare_pings_are_not_counted(void **state)
{
    struct scene s = begin();

    (void) state;
    s.silence.limit_us = H2_SILENCE_HARMLESS_US;
    ask(&s);
    for (int i = 0; i < 300; i++) {
        step(&s, H2_SILENCE_HARMLESS_US, H2_SILENCE_PING, true);
        hear(&s);
    }
}

static void test_more_requests_do_not_put_it_off(void **state)
{
    struct scene s = begin();

    (void) state;
    ask(&s);
    s.now += LIMIT / 2;
    ask(&s);
    step(&s, LIMIT / 2, H2_SILENCE_PING, true);
    ask(&s);
    step(&s, LIMIT, H2_SILENCE_CLOSE, true);
}

static void test_a_byte_clears_everything(void **state)
{
    struct scene s = begin();

    (void) state;
    ask(&s);
    step(&s, LIMIT, H2_SILENCE_PING, true);
    s.now += LIMIT / 2;
    hear(&s);
    step(&s, 0, H2_SILENCE_WAIT, false);
    assert_int_equal(s.next, s.now + LIMIT);
}

static void test_a_ping_outlives_its_work(void **state)
{
    struct scene s = begin();

    (void) state;
    ask(&s);
    step(&s, LIMIT, H2_SILENCE_PING, true);
    s.busy = false;
    step(&s, LIMIT / 2, H2_SILENCE_WAIT, true);
    step(&s, LIMIT / 2, H2_SILENCE_CLOSE, true);
}

static void test_two_pings_then_the_kernel_is_asked(void **state)
{
    struct scene s = begin();

    (void) state;
    ask(&s);
    for (int i = 0; i < H2_SILENCE_PINGS; i++) {
        step(&s, LIMIT, H2_SILENCE_PING, true);
        hear(&s);
    }
    step(&s, LIMIT, H2_SILENCE_ASK_KERNEL, false);
    assert_int_equal(s.next, s.now + LIMIT);
    ask(&s); /* a new request */
    step(&s, LIMIT - 1, H2_SILENCE_ASK_KERNEL, false);
    step(&s, 1, H2_SILENCE_ASK_KERNEL, true);
    hear(&s);
    step(&s, LIMIT, H2_SILENCE_ASK_KERNEL, false);

    s.useful++; /* the peer sends HEADERS or DATA: two PINGs more */
    hear(&s);
    for (int i = 0; i < H2_SILENCE_PINGS; i++) {
        step(&s, LIMIT, H2_SILENCE_PING, true);
        hear(&s);
    }
    step(&s, LIMIT, H2_SILENCE_ASK_KERNEL, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_silence_is_counted_from_the_beginning_of_work),
        cmocka_unit_test(test_unanswered_ping),
        cmocka_unit_test(test_an_answer_may_have_a_time_of_its_own),
        cmocka_unit_test(test_rare_pings_are_not_counted),
        cmocka_unit_test(test_more_requests_do_not_put_it_off),
        cmocka_unit_test(test_a_byte_clears_everything),
        cmocka_unit_test(test_a_ping_outlives_its_work),
        cmocka_unit_test(test_two_pings_then_the_kernel_is_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
