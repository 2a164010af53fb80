/* SPDX-License-Identifier: Apache-2.0 */
/* The door of balance/: which of a cluster's usable endpoints gets the next attempt. Pure: time and dice are arguments, one
 * algorithm a file behind a table of functions.
 *
 * Vocabulary
 *   figures   what attempts have told about an endpoint; kept whatever the policy is (figures.c)
 *   view      the endpoints to choose from, fixed until their set, their health or a weight changes (view.c)
 *   even      a view in which everybody has the same weight, and all of it */
#ifndef BALANCE_BALANCE_H
#define BALANCE_BALANCE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

/* ---- figures: balance/figures.c ---- */

/* A value in microseconds and the millisecond it was true at, in one word, so that loops always see the two together. */
typedef _Atomic uint64_t balance_figure;

/* What balancers know of one endpoint. Zeroed but for weight and hash_key. Shared by all loops: relaxed atomics. */
struct balance_endpoint {
    balance_figure peak;        /* latency: up at once, down with 10 s */
    balance_figure mean;        /* latency: moving mean over 2 s; unused, halved every 30 s */
    balance_figure penalty;     /* of failures: down with 2 s, halved by each success */
    _Atomic uint32_t active;    /* attempts in flight */
    _Atomic uint32_t answers;   /* that were measured, counted up to BALANCE_INTRODUCTION */
    _Atomic uint32_t failures;  /* in a row */
    _Atomic uint32_t picked_ms; /* when the last attempt began */
    _Atomic uint32_t weight;    /* 1 and up; a change needs a new view */
    _Atomic uint32_t
        withheld;         /* 1/65536ths of the weight that do not count now (slow start); a change counts at once */
    const char *hash_key; /* its name on rings: "10.0.0.7:8080" */
    _Atomic(struct balance_load *) load; /* what it reports of itself; NULL: it never has. balance_forget_load() */
};

enum { BALANCE_WHOLE = 65536, BALANCE_INTRODUCTION = 4 };

/* An attempt begins, and ends, on the endpoint. */
void balance_began(struct balance_endpoint *endpoint, uint64_t now_us);
void balance_ended(struct balance_endpoint *endpoint);
/* It got a usable answer; latency 0: not measured. */
void balance_answered(struct balance_endpoint *endpoint, uint64_t latency_us, uint64_t now_us);
/* It failed by the endpoint's fault: no connection, reset, timeout, 5xx, 408, 429. Not what our own side ended or refused,
 * nor any other 4xx. */
void balance_failed(struct balance_endpoint *endpoint, uint64_t now_us);
/* It did not answer within waited_us, but may be at work: it has too much to do, and is not left alone for longer each time. */
void balance_late(struct balance_endpoint *endpoint, uint64_t waited_us, uint64_t now_us);

/* Its attempt was ended after so long, since another was faster: it is no faster than that. */
void balance_outrun(struct balance_endpoint *endpoint, uint64_t elapsed_us, uint64_t now_us);

/* The figures in microseconds, for balancers and for whoever shows them; 0: not known, or none. */
float balance_peak_us(const struct balance_endpoint *endpoint, uint64_t now_us);
float balance_mean_us(const struct balance_endpoint *endpoint, uint64_t now_us);
float balance_penalty_us(const struct balance_endpoint *endpoint, uint64_t now_us);
/* Enough was measured to judge by. */
bool balance_is_known(const struct balance_endpoint *endpoint);
uint64_t balance_idle_ms(const struct balance_endpoint *endpoint, uint64_t now_us);

/* ---- load reports: balance/load.c ---- */

/* What one endpoint says it can do, as gRFC A58 counts it. Shared by all loops. */
struct balance_load {
    balance_figure weight;
    _Atomic uint32_t since_ms; /* of the first of the reports that go on; 0: none count */
};

/* Requests a second that an endpoint could do if it were used wholly, and failures are work, too: rps / (utilization +
 * eps / rps * penalty). 0: the numbers say nothing. */
float balance_load_weight(double rps, double eps, double utilization, double penalty);
/* A report has come. Weights of 0 are none. False: out of memory, it is not heard. */
bool balance_reported(struct balance_endpoint *endpoint, float weight, uint64_t now_us);
/* The weight of now; 0: none, too long ago, or reported for less than `blackout_ms`. */
float balance_loaded(const struct balance_endpoint *endpoint, uint32_t blackout_ms, uint32_t expiration_ms,
                     uint64_t now_us);
/* Before the endpoint ends. */
void balance_forget_load(struct balance_endpoint *endpoint);

/* ---- views: balance/view.c ---- */

/* Rebuilt when the set, the health or a weight of its endpoints changes, never per request. An empty one is all zeros. */
struct balance_view {
    size_t n;
    struct balance_endpoint **endpoints;
    bool even;             /* neither weights nor slow start: any endpoint is as likely as any other */
    uint64_t *weight_sums; /* running sums of the weights; NULL: all are equal */
    uint32_t *guide;       /* with weight_sums: where the search for each n-th of the sum begins */
};

/* False: out of memory, the view stays as it was. The endpoints are borrowed. */
bool balance_view_build(struct balance_view *view, struct balance_endpoint *const *endpoints, size_t n);
void balance_view_free(struct balance_view *view);
/* The endpoint whose share of the sum of weights covers the point `at` of 2^64 of it. */
size_t balance_view_at(const struct balance_view *view, uint64_t at);
/* One endpoint at random, by what counts of its weight; n is not 0. */
size_t balance_view_sample(const struct balance_view *view, struct rand *dice);
/* Whether slow start lets the endpoint pass for one draw. */
bool balance_admits(const struct balance_endpoint *endpoint, struct rand *dice);

/* ---- subsets: balance/subset.c ---- */

/* How many of n endpoints one client uses; `configured` 0: by n. */
size_t balance_subset_size(size_t n, size_t configured);
/* The indices, ascending, of the `keep` (1 to n) endpoints that the client uses, which a number of its own stands for. False: out
 * of memory. */
bool balance_subset(struct balance_endpoint *const *endpoints, size_t n, uint64_t client, size_t keep,
                    uint32_t *chosen);

/* ---- policies ---- */

enum { BALANCE_MOST_CANDIDATES = 8 };

/* How a pick was made, for whoever explains it. Endpoints are the view's. */
struct balance_choice {
    uint8_t n;      /* candidates; 0: the policy compares none */
    bool is_trial;  /* one that lost for long is tried out again */
    bool was_moved; /* the policy's choice was tried before: one after it */
    struct balance_candidate {
        const struct balance_endpoint *endpoint;
        float score; /* the least wins; INFINITY: it was tried before */
    } candidates[BALANCE_MOST_CANDIDATES];
};

/* What the attempt asks for. */
struct balance_hint {
    uint64_t now_us;
    uint64_t key;                          /* of hashing policies */
    struct balance_endpoint *const *tried; /* by earlier attempts: not again while there is another */
    size_t n_tried;
    bool idempotent;               /* it may serve to try out an endpoint that is likely to be worse */
    struct balance_choice *choice; /* zeroed but for the candidates, filled by the pick; NULL: nobody wants to know */
};

/* Instead of the endpoint that a hash has chosen, another one if it has more than `percent` of its share of what is in flight. */
size_t balance_bounded(const struct balance_view *view, size_t chosen, const struct balance_hint *hint,
                       uint32_t percent);
bool balance_was_tried(const struct balance_hint *hint, const struct balance_endpoint *endpoint);
/* For policies: one more candidate of the choice, which may be NULL. */
static inline void balance_note(struct balance_choice *choice, const struct balance_endpoint *endpoint, float score)
{
    if (choice && choice->n < BALANCE_MOST_CANDIDATES)
        choice->candidates[choice->n++] = (struct balance_candidate){ endpoint, score };
}

/* What policies can be told; zeros are the defaults. */
struct balance_conf {
    uint64_t ring_min_size, ring_max_size;                         /* 1024, 8388608 */
    uint32_t load_blackout_ms, load_expiration_ms, load_update_ms; /* of weighted_round_robin: 10 s, 180 s, 1 s */
    uint32_t
        hash_balance_percent; /* of ring_hash and maglev: of its share that an endpoint may have in flight; 0: any number */
    bool shuffle;             /* of pick_first: each client has an order of its own */
};

struct balancer;

struct balance_ops {
    const char *name;
    bool by_key;                                               /* goes by the hint's key */
    struct balancer *(*make)(const struct balance_conf *conf); /* NULL: out of memory */
    /* Makes tables for a view; NULL: needs none. False: out of memory, the tables stay as they were. */
    bool (*prepare)(struct balancer *self, const struct balance_view *view);
    /* Index into the view, whose n is not 0, and for which it is prepared. */
    size_t (*pick)(struct balancer *self, const struct balance_view *view, const struct balance_hint *hint,
                   struct rand *dice);
    void (*free)(struct balancer *self);
    /* What it compares endpoints by, the least wins; NULL: it does not compare them. */
    float (*score)(const struct balancer *self, const struct balance_endpoint *endpoint, uint64_t now_us);
    bool by_load; /* goes by what endpoints report */
};

/* First member of each. One a cluster and loop: not shared by threads. */
struct balancer {
    const struct balance_ops *ops;
};

extern const struct balance_ops balance_adaptive;
extern const struct balance_ops balance_least_request;
extern const struct balance_ops balance_round_robin;
extern const struct balance_ops balance_random;
extern const struct balance_ops balance_ring_hash;
extern const struct balance_ops balance_maglev;
extern const struct balance_ops balance_pick_first;
extern const struct balance_ops balance_weighted_round_robin;

/* NULL: no policy of that name. */
const struct balance_ops *balance_find(const char *name);

/* Before the first pick from a view. False: out of memory, the balancer still serves the view it was prepared for before. */
bool balance_prepare(struct balancer *self, const struct balance_view *view);
/* The policy's choice; when that was tried already and another is left, one that was not, nearest after it.
 * An index into the view; -1 when the view is empty. */
int64_t balance_pick(struct balancer *self, const struct balance_view *view, const struct balance_hint *hint,
                     struct rand *dice);

#endif
