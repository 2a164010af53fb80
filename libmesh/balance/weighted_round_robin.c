/* SPDX-License-Identifier: Apache-2.0 */
/* One after the other, as often as the endpoints' own load reports say (gRFC A58). Weights are looked at once in a while; who reports
 * none counts as the median of those who do. Until two of them have one, it goes by the weights that are configured. */
#include <stdlib.h>
#include <string.h>

#include "balance/balance.h"

enum {
    MOST_PASSED = 16, /* endpoints that slow start may let pass in one pick */
    SCALE = 65536,    /* of the heaviest one */
    BLACKOUT_MS = 10000,
    EXPIRATION_MS = 180000,
    UPDATE_MS = 1000,
};

struct weighted {
    struct balancer balancer;
    uint32_t blackout_ms, expiration_ms, update_ms;
    uint64_t phase; /* fraction of 2^64 */
    bool begun;
    bool reported;   /* `sums` holds; else the view's weights */
    uint64_t due_us; /* when to look at the reports again */
    size_t n;        /* of the view */
    uint64_t *sums;  /* running, of what counts */
    float *weights;  /* n as reported, and n to find the median by */
};

static struct balancer *make(const struct balance_conf *conf)
{
    struct weighted *self = mem_zalloc(sizeof *self);

    if (!self)
        return NULL;
    self->balancer.ops = &balance_weighted_round_robin;
    self->blackout_ms = conf->load_update_ms ? conf->load_blackout_ms : BLACKOUT_MS;
    self->expiration_ms = conf->load_update_ms ? conf->load_expiration_ms : EXPIRATION_MS;
    self->update_ms = conf->load_update_ms ? conf->load_update_ms : UPDATE_MS;
    return &self->balancer;
}

static void drop(struct balancer *balancer)
{
    struct weighted *self = CONTAINER_OF(balancer, struct weighted, balancer);

    mem_free(self->sums);
    mem_free(self->weights);
    mem_free(self);
}

static bool prepare(struct balancer *balancer, const struct balance_view *view)
{
    struct weighted *self = CONTAINER_OF(balancer, struct weighted, balancer);
    uint64_t *sums = mem_array(view->n, sizeof *sums);
    float *weights = mem_array(view->n * 2, sizeof *weights);

    if (!sums || !weights) {
        mem_free(sums);
        mem_free(weights);
        return false;
    }
    mem_free(self->sums);
    mem_free(self->weights);
    self->sums = sums;
    self->weights = weights;
    self->n = view->n;
    self->due_us = 0;
    return true;
}

/* ---- what was reported ---- */

static int by_weight(const void *a, const void *b)
{
    float x = *(const float *) a, y = *(const float *) b;

    return (x > y) - (x < y);
}

/* n is not 0; sorts them. */
static float median(float *weights, size_t n)
{
    qsort(weights, n, sizeof *weights, by_weight);
    return n % 2 ? weights[n / 2] : (weights[n / 2 - 1] + weights[n / 2]) / 2;
}

/* How many have a weight; copies of theirs stand behind all of them. */
static size_t gather(struct weighted *self, const struct balance_view *view, uint64_t now_us)
{
    float *found = self->weights + self->n;
    size_t n = 0;

    for (size_t i = 0; i < self->n; i++) {
        self->weights[i] = balance_loaded(view->endpoints[i], self->blackout_ms, self->expiration_ms, now_us);
        if (self->weights[i] > 0)
            found[n++] = self->weights[i];
    }
    return n;
}

static void look(struct weighted *self, const struct balance_view *view, uint64_t now_us)
{
    float *found = self->weights + self->n, heaviest, middle;
    size_t n = gather(self, view, now_us);
    uint64_t sum = 0;

    self->due_us = now_us + self->update_ms * US_PER_MS;
    self->reported = n >= 2;
    if (!self->reported)
        return;
    middle = median(found, n);
    heaviest = found[n - 1];
    for (size_t i = 0; i < self->n; i++) {
        float weight = self->weights[i] > 0 ? self->weights[i] : middle;

        sum += 1 + (uint64_t) (weight / heaviest * (SCALE - 1));
        self->sums[i] = sum;
    }
}

/* ---- picking ---- */

/* The first whose running sum is beyond the point. */
static size_t find(const struct weighted *self, uint64_t point)
{
    size_t low = 0, high = self->n - 1;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (self->sums[middle] > point)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static size_t next(struct weighted *self, const struct balance_view *view)
{
    __extension__ typedef unsigned __int128 wide;

    self->phase += UINT64_C(0x9e3779b97f4a7c15); /* by the golden ratio, as round_robin does */
    if (!self->reported)
        return balance_view_at(view, self->phase);
    return find(self, (uint64_t) (((wide) self->sums[self->n - 1] * self->phase) >> 64));
}

static size_t pick(struct balancer *balancer, const struct balance_view *view, const struct balance_hint *hint,
                   struct rand *dice)
{
    struct weighted *self = CONTAINER_OF(balancer, struct weighted, balancer);
    size_t at;

    if (!self->begun) /* clients that start together do not all begin with the same endpoint */
        self->phase = rand_u64(dice);
    self->begun = true;
    if (hint->now_us >= self->due_us)
        look(self, view, hint->now_us);
    at = next(self, view);
    for (int i = 0; !view->even && i < MOST_PASSED && !balance_admits(view->endpoints[at], dice); i++)
        at = next(self, view);
    return at;
}

const struct balance_ops balance_weighted_round_robin = {
    "weighted_round_robin", false, make, prepare, pick, drop, NULL, true,
};
