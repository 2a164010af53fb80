/* SPDX-License-Identifier: Apache-2.0 */
/* Zones under load in virtual time: clients of zone a, with the code that ships, before two zones that queue and work. */
#include "mesh_test.h"

#include <math.h>
#include <stdlib.h>

#include "base/base.h"
#include "cluster/spill.h"
#include "sim/heap.h"

enum { CLIENTS = 4, WORKERS = 16, MOST_SECONDS = 120, ZONES = 2 };
#define WORK_US 10000.0 /* on average, exponentially distributed: 1600 a second in each zone */
#define LOST_US 1000000.0

/* Demand on a zone, as a part of what it can do. */
struct phase {
    double until_s;
    double a, b;           /* of the clients of a; of others, which b has all for itself */
    double work_a, work_b; /* times WORK_US */
    bool frozen_a;         /* nobody in a gets on */
};

struct client {
    struct spill spill[ZONES];
};

struct sim {
    const struct phase *phases;
    struct rand dice;
    struct client clients[CLIENTS];
    double free_us[ZONES][WORKERS];
    struct sim_heap answers;
    double share[MOST_SECONDS]; /* of the requests of each second that stayed in a */
    uint64_t requests, lost;
};

static double uniform(struct rand *dice)
{
    return ((double) (rand_u64(dice) >> 11) + 0.5) / 9007199254740992.0;
}

static const struct phase *phase_at(const struct sim *sim, double now_us)
{
    const struct phase *phase = sim->phases;

    while (now_us >= phase->until_s * 1e6)
        phase++;
    return phase;
}

static double thaw_us(const struct sim *sim, unsigned zone, double now_us)
{
    const struct phase *phase = phase_at(sim, now_us);

    return zone == 0 && phase->frozen_a ? phase->until_s * 1e6 : now_us;
}

/* First come, first served: who waits longest gets the worker that is free first. */
static double serve(struct sim *sim, unsigned zone, double now_us)
{
    const struct phase *phase = phase_at(sim, now_us);
    double factor = zone == 0 ? phase->work_a : phase->work_b;
    double *first = &sim->free_us[zone][0], begins;

    for (unsigned i = 1; i < WORKERS; i++)
        if (sim->free_us[zone][i] < *first)
            first = &sim->free_us[zone][i];
    begins = thaw_us(sim, zone, *first > now_us ? *first : now_us);
    *first = begins - WORK_US * factor * log(uniform(&sim->dice));
    return *first;
}

static uint64_t clock_us(double now_us)
{
    return (uint64_t) now_us + US_PER_S;
}

static void take_answers(struct sim *sim, double until_us)
{
    while (sim->answers.n > 0 && sim->answers.answers[0].at_us <= until_us) {
        struct sim_answer answer = sim_heap_pop(&sim->answers);

        spill_ended(&sim->clients[answer.client].spill[answer.server], false,
                    (uint64_t) (answer.at_us - answer.began_us));
    }
}

/* As cluster/zone_choose.c does it. */
static unsigned choose(struct client *client, double now_us)
{
    float elsewhere_us = spill_mean_us(&client->spill[1], clock_us(now_us));

    spill_wanted(&client->spill[0]);
    spill_look(&client->spill[0], true, elsewhere_us, clock_us(now_us));
    if (spill_takes(&client->spill[0], spill_keep(&client->spill[0])))
        return 0;
    spill_wanted(&client->spill[1]);
    spill_look(&client->spill[1], false, 0, clock_us(now_us));
    return spill_takes(&client->spill[1], spill_keep(&client->spill[1])) ? 1 : 0;
}

static void request(struct sim *sim, double now_us, unsigned second, unsigned *of_second)
{
    uint16_t client = (uint16_t) rand_below(&sim->dice, CLIENTS);
    unsigned zone = choose(&sim->clients[client], now_us);
    struct sim_answer answer = { .began_us = now_us, .client = client, .server = (uint16_t) zone };

    answer.at_us = serve(sim, zone, now_us);
    sim_heap_push(&sim->answers, &answer);
    sim->requests++;
    sim->lost += answer.at_us - now_us > LOST_US;
    (*of_second)++;
    sim->share[second] += zone == 0;
}

static void run(struct sim *sim, const struct phase *phases, double seconds, uint64_t seed)
{
    double capacity = WORKERS / WORK_US, now_us = 0, others_us = 0;
    unsigned of_second[MOST_SECONDS] = { 0 };

    *sim = (struct sim){ .phases = phases };
    rand_seed_with(&sim->dice, seed);
    while (now_us < seconds * 1e6) {
        const struct phase *phase = phase_at(sim, now_us);
        unsigned second = (unsigned) (now_us / 1e6);

        take_answers(sim, now_us);
        request(sim, now_us, second, &of_second[second]);
        now_us -= log(uniform(&sim->dice)) / (phase->a * capacity);
        for (; phase->b > 0 && others_us < now_us; others_us -= log(uniform(&sim->dice)) / (phase->b * capacity))
            serve(sim, 1, others_us > 0 ? others_us : 0);
    }
    for (unsigned i = 0; i < (unsigned) seconds; i++)
        sim->share[i] = of_second[i] > 0 ? sim->share[i] / of_second[i] : 1;
    free(sim->answers.answers);
}

static double least(const struct sim *sim, unsigned from, unsigned to)
{
    double found = 1;

    for (unsigned i = from; i < to; i++)
        found = sim->share[i] < found ? sim->share[i] : found;
    return found;
}

static double most(const struct sim *sim, unsigned from, unsigned to)
{
    double found = 0;

    for (unsigned i = from; i < to; i++)
        found = sim->share[i] > found ? sim->share[i] : found;
    return found;
}

static void show(const struct sim *sim, const char *what, unsigned seconds)
{
    if (!getenv("MESH_SIM_SHOW"))
        return;
    printf("%s: lost %.4f %%, share", what, 100 * (double) sim->lost / (double) sim->requests);
    for (unsigned i = 0; i < seconds; i++)
        printf(" %.2f", sim->share[i]);
    printf("\n");
}

static void one_zone_asked_for_more_than_it_can(void **state)
{
    static const struct phase phases[] = { { 10, 0.5, 0.3, 1, 1, false },
                                           { 40, 1.3, 0.3, 1, 1, false },
                                           { 80, 0.8, 0.3, 1, 1, false } };
    struct sim sim;

    (void) state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        run(&sim, phases, 60, seed);
        show(&sim, "1.3", 60);
        assert_true(least(&sim, 2, 10) > 0.99);
        assert_true((double) sim.lost <= 0.001 * (double) sim.requests);
        assert_true(most(&sim, 20, 40) - least(&sim, 20, 40) <= 0.15);
        assert_true(least(&sim, 20, 40) > 0.6); /* of 0.77 that it could do */
        assert_true(least(&sim, 52, 60) > 0.99);
    }
}

static void everything_is_full(void **state)
{
    static const struct phase phases[] = { { 10, 0.5, 0.5, 1, 1, false },
                                           { 40, 1.05, 1.05, 1, 1, false },
                                           { 80, 0.6, 0.6, 1, 1, false } };
    struct sim sim;

    (void) state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        run(&sim, phases, 60, seed);
        show(&sim, "full", 60);
        assert_true(least(&sim, 20, 40) > 0.75);
        assert_true(least(&sim, 55, 60) > 0.99);
    }
}

/* Slower work is not more work: sending it away does not help, so most of it stays. */
static void a_zone_becomes_slower_but_not_full(void **state)
{
    static const struct phase phases[] = { { 20, 0.1, 0.1, 1, 1, false }, { 80, 0.1, 0.1, 4, 4, false } };
    struct sim sim;

    (void) state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        run(&sim, phases, 60, seed);
        show(&sim, "slower", 60);
        assert_true(least(&sim, 20, 60) > 0.65);
    }
}

static void a_zone_stands_still_for_a_while(void **state)
{
    static const struct phase phases[] = { { 20, 0.6, 0.3, 1, 1, false },
                                           { 23, 0.6, 0.3, 1, 1, true },
                                           { 80, 0.6, 0.3, 1, 1, false } };
    struct sim sim;

    (void) state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        run(&sim, phases, 60, seed);
        show(&sim, "still", 60);
        assert_true(least(&sim, 38, 60) > 0.95);
    }
}

static void few_requests_stay_at_home(void **state)
{
    static const struct phase phases[] = { { 80, 0.005, 0, 1, 1, false } };
    struct sim sim;

    (void) state;
    run(&sim, phases, 60, 1);
    assert_true(least(&sim, 0, 60) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_zone_asked_for_more_than_it_can), cmocka_unit_test(everything_is_full),
        cmocka_unit_test(a_zone_becomes_slower_but_not_full),  cmocka_unit_test(a_zone_stands_still_for_a_while),
        cmocka_unit_test(few_requests_stay_at_home),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
