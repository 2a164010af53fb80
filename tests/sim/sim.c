/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator: requests arrive, clients pick, servers work, answers come back. */
#include "sim/sim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/heap.h"

/* ---- dice ---- */

/* Above 0, up to 1. */
static double uniform(struct rand *dice)
{
    return (double) ((rand_u64(dice) >> 11) + 1) * 0x1p-53;
}

static double exponential(struct rand *dice, double mean)
{
    return -mean * log(uniform(dice));
}

/* ---- latencies: steps of one percent ---- */

enum { STEPS_PER_OCTAVE = 64, OCTAVES = 32 };

struct histogram {
    uint64_t n;
    uint64_t counts[STEPS_PER_OCTAVE * OCTAVES];
};

static void count(struct histogram *histogram, double us)
{
    int octave;
    double mantissa = frexp(us < 1 ? 1 : us, &octave);

    histogram->n++;
    histogram->counts[(octave - 1) * STEPS_PER_OCTAVE + (int) ((mantissa - 0.5) * 2 * STEPS_PER_OCTAVE)]++;
}

static double quantile_ms(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t) ceil(share * (double) histogram->n), seen = 0;
    size_t i = 0;

    while (seen + histogram->counts[i] < wanted)
        seen += histogram->counts[i++];
    return ldexp(1 + ((double) (i % STEPS_PER_OCTAVE) + 0.5) / STEPS_PER_OCTAVE, (int) (i / STEPS_PER_OCTAVE)) / 1e3;
}

/* ---- servers ---- */

enum { MOST_DRAWS = 512 };

struct server {
    double free_us[SIM_WORKERS]; /* when each worker has done what is given to it */
    size_t n_draws, draw;        /* of the antagonist: */
    double until_us[MOST_DRAWS];
    bool busy[MOST_DRAWS];
};

static void draw_states(struct server *server, double seconds, struct rand *dice)
{
    double at = 0;

    while (at < 2e6 * seconds && server->n_draws < MOST_DRAWS) {
        at += 1e6 * (0.5 + uniform(dice));
        server->until_us[server->n_draws] = at;
        server->busy[server->n_draws++] = uniform(dice) <= 0.3;
    }
}

/* Starts come in order, so the state is looked for from the last one on. */
static double slowdown(struct server *server, double at_us)
{
    while (server->draw + 1 < server->n_draws && server->until_us[server->draw] <= at_us)
        server->draw++;
    return server->n_draws > 0 && server->busy[server->draw] ? 3 : 1;
}

/* The worker that is free first takes the request; when it has done. */
static double serve(struct server *server, double now_us, struct rand *dice)
{
    double *first = &server->free_us[0];
    double begin;

    for (int i = 1; i < SIM_WORKERS; i++)
        if (server->free_us[i] < *first)
            first = &server->free_us[i];
    begin = *first > now_us ? *first : now_us;
    *first = begin + exponential(dice, SIM_WORK_US) * slowdown(server, begin);
    return *first;
}

/* ---- clients ---- */

struct client {
    struct balance_endpoint endpoints[SIM_MOST_SERVERS];
    struct balance_view view;
    struct balancer *balancer;
    struct rand dice;
};

static void client_begin(struct client *client, const struct balance_ops *policy, unsigned servers, struct rand *dice)
{
    struct balance_endpoint *pointers[SIM_MOST_SERVERS];

    for (unsigned i = 0; i < servers; i++) {
        client->endpoints[i].weight = 1;
        pointers[i] = &client->endpoints[i];
    }
    client->balancer = policy->make(&(struct balance_conf){ 0 });
    if (!client->balancer || !balance_view_build(&client->view, pointers, servers) ||
        !balance_prepare(client->balancer, &client->view))
        abort();
    rand_seed_with(&client->dice, rand_u64(dice));
}

static void client_end(struct client *client)
{
    balance_view_free(&client->view);
    client->balancer->ops->free(client->balancer);
}

/* ---- the world ---- */

/* The share of the failing servers after the blip is looked at in slices of this. */
#define SLICE_US 100e3

struct sim {
    const struct sim_case *what;
    struct rand dice;
    struct server servers[SIM_MOST_SERVERS];
    struct client clients[SIM_MOST_CLIENTS];
    struct sim_heap heap;
    struct histogram latencies;
    struct sim_result *result;
    uint64_t slice, slice_all, slice_failing;
};

static bool fails(const struct sim_case *what, unsigned server, double now_us)
{
    return server < what->failing && now_us >= what->fails_from_s * 1e6 && now_us < what->fails_to_s * 1e6;
}

static void close_slice(struct sim *sim)
{
    const struct sim_case *what = sim->what;
    double fair = (double) sim->slice_all * what->failing / what->servers;

    if (sim->result->back_s == what->seconds && (double) sim->slice_failing >= 0.8 * fair)
        sim->result->back_s = (double) (sim->slice + 1) * SLICE_US / 1e6;
    sim->slice_all = sim->slice_failing = 0;
}

static void watch_share(struct sim *sim, unsigned server, double now_us)
{
    double since = now_us - sim->what->fails_to_s * 1e6;
    uint64_t slice = (uint64_t) (since / SLICE_US);

    if (sim->what->failing == 0 || since < 0)
        return;
    if (slice > sim->slice)
        close_slice(sim);
    sim->slice = slice;
    sim->slice_all++;
    sim->slice_failing += server < sim->what->failing;
}

static void on_arrival(struct sim *sim, double now_us)
{
    const struct sim_case *what = sim->what;
    unsigned at = (unsigned) rand_below(&sim->dice, what->clients);
    struct client *client = &sim->clients[at];
    struct balance_hint hint = { .now_us = (uint64_t) now_us, .idempotent = true };
    unsigned server = (unsigned) balance_pick(client->balancer, &client->view, &hint, &client->dice);
    struct sim_answer answer = { .began_us = now_us, .client = (uint16_t) at, .server = (uint16_t) server };

    balance_began(&client->endpoints[server], hint.now_us);
    if (fails(what, server, now_us)) {
        answer.failed = true;
        answer.at_us = now_us + SIM_FAST_US;
    } else {
        answer.failed = what->error_share > 0 && uniform(&sim->dice) <= what->error_share;
        answer.at_us = serve(&sim->servers[server], now_us, &sim->dice);
    }
    if (server < what->slow)
        answer.at_us += what->slow_us;
    sim_heap_push(&sim->heap, &answer);
    sim->result->requests++;
    watch_share(sim, server, now_us);
}

static void on_answer(struct sim *sim, const struct sim_answer *answer)
{
    struct balance_endpoint *endpoint = &sim->clients[answer->client].endpoints[answer->server];
    double took = answer->at_us - answer->began_us;

    balance_ended(endpoint);
    if (answer->failed) {
        balance_failed(endpoint, (uint64_t) answer->at_us);
        sim->result->failed++;
    } else {
        balance_answered(endpoint, (uint64_t) took, (uint64_t) answer->at_us);
    }
    if (answer->began_us >= sim->what->warm_up_s * 1e6)
        count(&sim->latencies, took);
}

/* Independent Poisson processes together are one, whose events belong to each of them alike. */
static void run(struct sim *sim)
{
    const struct sim_case *what = sim->what;
    double every = SIM_WORK_US / (what->load * SIM_WORKERS * what->servers);
    double arrives = exponential(&sim->dice, every);

    while (arrives < what->seconds * 1e6 || sim->heap.n > 0) {
        if (sim->heap.n > 0 && (sim->heap.answers[0].at_us < arrives || arrives >= what->seconds * 1e6)) {
            struct sim_answer answer = sim_heap_pop(&sim->heap);

            on_answer(sim, &answer);
            continue;
        }
        on_arrival(sim, arrives);
        arrives += exponential(&sim->dice, every);
    }
}

void sim_run(const struct sim_case *what, const struct balance_ops *policy, uint64_t seed, struct sim_result *out)
{
    struct sim *sim = calloc(1, sizeof *sim);

    if (!sim)
        abort();
    *out = (struct sim_result){ .back_s = what->seconds };
    sim->what = what;
    sim->result = out;
    rand_seed_with(&sim->dice, seed);
    for (unsigned i = 0; i < what->servers && what->antagonist; i++)
        draw_states(&sim->servers[i], what->seconds, &sim->dice);
    for (unsigned i = 0; i < what->clients; i++)
        client_begin(&sim->clients[i], policy, what->servers, &sim->dice);
    run(sim);
    for (unsigned i = 0; i < what->clients; i++)
        client_end(&sim->clients[i]);
    out->p50_ms = quantile_ms(&sim->latencies, 0.5);
    out->p99_ms = quantile_ms(&sim->latencies, 0.99);
    out->p999_ms = quantile_ms(&sim->latencies, 0.999);
    free(sim->heap.answers);
    free(sim);
}
