/* SPDX-License-Identifier: Apache-2.0 */
/* For comparison: Peak-EWMA over two random choices (Finagle), which knows nothing of failures. */
#include "sim/sim.h"

static struct balancer self = { &sim_peak_ewma };

static struct balancer *make(const struct balance_conf *conf)
{
    (void) conf;
    return &self;
}

static void drop(struct balancer *balancer)
{
    (void) balancer;
}

static float score(const struct balance_endpoint *endpoint, uint64_t now_us)
{
    float active = (float) atomic_load_explicit(&endpoint->active, memory_order_relaxed);
    float peak = balance_peak_us(endpoint, now_us);

    return peak > 0 ? peak * (active + 1) : active * 1e12F;
}

static size_t pick(struct balancer *balancer, const struct balance_view *view, const struct balance_hint *hint,
                   struct rand *dice)
{
    size_t a = (size_t) rand_below(dice, view->n);
    size_t b = (a + 1 + (size_t) rand_below(dice, view->n - 1)) % view->n;

    (void) balancer;
    return score(view->endpoints[b], hint->now_us) < score(view->endpoints[a], hint->now_us) ? b : a;
}

const struct balance_ops sim_peak_ewma = { "peak_ewma", false, make, NULL, pick, drop, NULL, false };
