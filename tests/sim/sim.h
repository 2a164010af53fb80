/* SPDX-License-Identifier: Apache-2.0 */
/* A cluster in virtual time: servers that queue and work, and clients that choose among them with the balancers of the
 * library. The same seed gives the same figures.
 *
 * The model (after the reference that libmesh's balancing was designed by): each client sends by a Poisson process of its own
 * and knows only what its own requests told it. A server has 8 workers and one queue, first come, first served; the work takes 1 ms on average,
 * exponentially distributed. No network, no connections, no retries. */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "balance/balance.h"

enum { SIM_WORKERS = 8, SIM_MOST_SERVERS = 64, SIM_MOST_CLIENTS = 64 };
#define SIM_WORK_US 1000.0

struct sim_case {
    const char *name;
    unsigned servers, clients;
    double load;      /* requests a second as a share of what healthy servers can do together */
    double seconds;   /* of virtual time */
    double warm_up_s; /* not counted in the latencies */
    unsigned slow;    /* so many servers, the first ones, answer slow_us later: a delay, no work */
    double slow_us;
    unsigned failing; /* so many servers, the first ones, answer with an error at once, within: */
    double fails_from_s, fails_to_s;
    double error_share; /* of all answers, whoever gives them */
    /* Each server draws its state about once a second: 30 % of the time its work takes three times as long. */
    bool antagonist;
};

struct sim_result {
    uint64_t requests, failed;
    double p50_ms, p99_ms, p999_ms;
    double
        back_s; /* from fails_to_s until the failing servers get 80 % of their share again; seconds when they never do */
};

/* Answers come after this when they are an immediate error. */
#define SIM_FAST_US 50.0

void sim_run(const struct sim_case *what, const struct balance_ops *policy, uint64_t seed, struct sim_result *out);

/* For comparison: Finagle's Peak-EWMA over two choices, which knows nothing of failures. */
extern const struct balance_ops sim_peak_ewma;

#endif
