/* SPDX-License-Identifier: Apache-2.0 */
/* The default: failure-aware Peak-EWMA among as many candidates as it takes.
 *
 * Candidates are drawn by weight, and the one with the least expected wait gets the attempt: (mean + peak) / 2 + penalty, times
 * the attempts it would then have in flight. So far it is Finagle's Peak-EWMA over two random choices, with two of its faults
 * mended:
 *   Two choices are both slow in a quarter of all picks when half of the endpoints are. Ten times a second it is judged how
 *   many are slow, and so many candidates are drawn that hardly ever (one pick in a thousand) all are.
 *   Whoever fails fast attracts load. Failures carry a penalty of their own (figures.c).
 * A weight decides how often an endpoint is a candidate and nothing else: as a divisor of the score it would be all or nothing
 * as long as nothing is in flight.
 * Who lost for a second is tried out again, by a share of the requests that does not show in the latencies of the rest.
 * Why these numbers: tests/sim has the figures. */
#include "balance/balance.h"

#include <math.h>

enum {
    FEWEST_CHOICES = 2,
    MOST_CHOICES = 8,
    MOST_DRAWN = 16, /* candidates, tried ones included */
    SAMPLE = 64,     /* endpoints looked at for the judgement */
    TRIAL_COST = 1000,
    TRIAL_INCOME = 3, /* of each request: three trials in a thousand requests */
    TRIAL_MOST = 2 * TRIAL_COST,
    TRIAL_IDLE_MS = 1000,
};
#define JUDGE_EVERY_US   (100 * US_PER_MS)
#define SLOW_FACTOR      2.0F
#define ALL_SLOW_AT_MOST 0.001F
/* What an unmeasured endpoint is taken for once it is busy: nobody knows whether it works at all, so those that do come first;
 * the second is for when nobody is measured, and what penalties are made for (figures.c). */
#define ASSUMED_FACTOR 8.0F
#define ASSUMED_US     6250.0F

struct adaptive {
    struct balancer balancer;
    uint64_t judged_us;
    uint32_t choices;
    uint32_t trials;  /* credit */
    float assumed_us; /* latency of unmeasured endpoints */
};

struct candidates {
    size_t n;
    size_t at[MOST_DRAWN];
};

static struct balancer *make(const struct balance_conf *conf)
{
    struct adaptive *self = mem_zalloc(sizeof *self);

    (void) conf;
    if (!self)
        return NULL;
    self->balancer.ops = &balance_adaptive;
    self->choices = FEWEST_CHOICES;
    self->assumed_us = ASSUMED_US;
    return &self->balancer;
}

static void drop(struct balancer *balancer)
{
    mem_free(balancer);
}

/* ---- how many candidates ---- */

/* An even view's candidates are different ones, so a few slow ones run out; weighted draws may repeat. */
static uint32_t choices_for(float slow, float n, bool distinct)
{
    float all_slow = 1;
    uint32_t choices = 0;

    while (choices < MOST_CHOICES && (choices < FEWEST_CHOICES || all_slow > ALL_SLOW_AT_MOST)) {
        float gone = distinct ? (float) choices : 0;

        all_slow *= slow > gone && n > gone ? (slow - gone) / (n - gone) : 0;
        choices++;
    }
    return choices;
}

static void insert(float *sorted, size_t n, float value)
{
    while (n > 0 && sorted[n - 1] > value) {
        sorted[n] = sorted[n - 1];
        n--;
    }
    sorted[n] = value;
}

/* All of a small even view, else a sample, drawn as candidates are: the price does not grow with the number of endpoints. */
static size_t sample_means(const struct balance_view *view, uint64_t now_us, struct rand *dice, float *means)
{
    bool all = view->even && view->n <= SAMPLE;
    size_t looked_at = all ? view->n : SAMPLE, n = 0;

    for (size_t i = 0; i < looked_at; i++) {
        size_t at = all ? i : balance_view_sample(view, dice);
        float mean = balance_mean_us(view->endpoints[at], now_us);

        if (mean > 0)
            insert(means, n++, mean);
    }
    return n;
}

/* Slow is who takes twice as long as the endpoint at the lower quartile. Judged by means: with noisy service times the peaks of
 * good and bad endpoints overlap. */
static void judge(struct adaptive *self, const struct balance_view *view, uint64_t now_us, struct rand *dice)
{
    float means[SAMPLE];
    size_t n = sample_means(view, now_us, dice, means), slow = 0;

    self->choices = FEWEST_CHOICES;
    self->assumed_us = ASSUMED_US;
    if (n == 0)
        return;
    while (slow < n && means[n - 1 - slow] > SLOW_FACTOR * means[n / 4])
        slow++;
    self->choices = choices_for((float) slow / (float) n * (float) view->n, (float) view->n, view->even);
    self->assumed_us = ASSUMED_FACTOR * means[n - 1];
}

/* ---- candidates ---- */

static bool has(const struct candidates *drawn, size_t at)
{
    for (size_t i = 0; i < drawn->n; i++)
        if (drawn->at[i] == at)
            return true;
    return false;
}

static void draw_all(const struct balance_view *view, struct rand *dice, struct candidates *drawn)
{
    size_t first = (size_t) rand_below(dice, view->n);

    for (size_t i = 0; i < view->n; i++)
        drawn->at[i] = first + i < view->n ? first + i : first + i - view->n;
    drawn->n = view->n;
}

/* Different ones of an even view; `wanted` is less than there are. */
static void draw_distinct(const struct balance_view *view, struct rand *dice, size_t wanted, struct candidates *drawn)
{
    while (drawn->n < wanted) {
        size_t at = (size_t) rand_below(dice, view->n);

        if (!has(drawn, at)) {
            __builtin_prefetch(view->endpoints[at]);
            drawn->at[drawn->n++] = at;
        }
    }
}

/* Independent draws, or a light endpoint would be in every pair of two. One that is drawn again is one candidate the less. */
static void draw_weighted(const struct balance_view *view, struct rand *dice, size_t wanted, struct candidates *drawn)
{
    for (size_t i = 0; i < wanted; i++) {
        size_t at = balance_view_sample(view, dice);

        if (!has(drawn, at))
            drawn->at[drawn->n++] = at;
    }
}

static void draw(const struct balance_view *view, struct rand *dice, size_t wanted, struct candidates *drawn)
{
    if (wanted > MOST_DRAWN)
        wanted = MOST_DRAWN;
    drawn->n = 0;
    if (!view->even)
        draw_weighted(view, dice, wanted, drawn);
    else if (view->n <= wanted)
        draw_all(view, dice, drawn);
    else
        draw_distinct(view, dice, wanted, drawn);
}

/* ---- the choice ---- */

/* The expected wait. An unknown endpoint gets requests one after the other to find out; no second one before the first has ended
 * with an answer, unless all are like that. */
static float score(const struct adaptive *self, const struct balance_endpoint *endpoint, uint64_t now_us)
{
    uint32_t active = atomic_load_explicit(&endpoint->active, memory_order_relaxed);
    float mean = balance_mean_us(endpoint, now_us);
    float penalty = balance_penalty_us(endpoint, now_us);
    float latency = mean > 0 ? (mean + balance_peak_us(endpoint, now_us)) / 2 : self->assumed_us;

    if (active == 0 && penalty == 0 && !balance_is_known(endpoint))
        return 0;
    return (latency + penalty) * (float) (active + 1);
}

static size_t best_of(const struct adaptive *self, const struct balance_view *view, const struct candidates *drawn,
                      const struct balance_hint *hint)
{
    float least = INFINITY;
    size_t best = 0;

    for (size_t i = 0; i < drawn->n; i++) {
        const struct balance_endpoint *endpoint = view->endpoints[drawn->at[i]];
        float its = balance_was_tried(hint, endpoint) ? INFINITY : score(self, endpoint, hint->now_us);

        balance_note(hint->choice, endpoint, its);
        if (i > 0 && its >= least)
            continue;
        least = its;
        best = drawn->at[i];
    }
    return best;
}

static bool may_try_out(const struct balance_endpoint *endpoint, const struct balance_hint *hint)
{
    return atomic_load_explicit(&endpoint->active, memory_order_relaxed) == 0 &&
           balance_idle_ms(endpoint, hint->now_us) > TRIAL_IDLE_MS && !balance_was_tried(hint, endpoint);
}

/* A candidate that lost, and has lost for long; `best` when there is none. */
static size_t try_out(struct adaptive *self, const struct balance_view *view, const struct candidates *drawn,
                      const struct balance_hint *hint, size_t best)
{
    for (size_t i = 0; i < drawn->n; i++) {
        if (drawn->at[i] == best || !may_try_out(view->endpoints[drawn->at[i]], hint))
            continue;
        self->trials -= TRIAL_COST;
        if (hint->choice)
            hint->choice->is_trial = true;
        return drawn->at[i];
    }
    return best;
}

static size_t pick(struct balancer *balancer, const struct balance_view *view, const struct balance_hint *hint,
                   struct rand *dice)
{
    struct adaptive *self = CONTAINER_OF(balancer, struct adaptive, balancer);
    struct candidates drawn;
    size_t best;

    if (hint->now_us - self->judged_us >= JUDGE_EVERY_US) {
        judge(self, view, hint->now_us, dice);
        self->judged_us = hint->now_us;
    }
    if (self->trials < TRIAL_MOST)
        self->trials += TRIAL_INCOME;
    draw(view, dice, self->choices + hint->n_tried, &drawn);
    best = best_of(self, view, &drawn, hint);
    if (self->trials < TRIAL_COST || !hint->idempotent)
        return best;
    return try_out(self, view, &drawn, hint, best);
}

static float score_of(const struct balancer *balancer, const struct balance_endpoint *endpoint, uint64_t now_us)
{
    return score(CONTAINER_OF(balancer, struct adaptive, balancer), endpoint, now_us);
}

const struct balance_ops balance_adaptive = { "adaptive", false, make, NULL, pick, drop, score_of, false };
