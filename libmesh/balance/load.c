/* SPDX-License-Identifier: Apache-2.0 */
/* What endpoints report of their load becomes weights (gRFC A58, Envoy's client-side weighted round robin). */
#include <math.h>

#include "balance/figure.h"

float balance_load_weight(double rps, double eps, double utilization, double penalty)
{
    double used = utilization;

    if (!(rps > 0) || !(utilization > 0))
        return 0;
    if (eps > 0 && penalty > 0)
        used += eps / rps * penalty;
    return isfinite(rps / used) ? (float) (rps / used) : 0;
}

/* Loops may come at once: whoever is second takes the first one's. */
static struct balance_load *load_of(struct balance_endpoint *endpoint)
{
    struct balance_load *there = atomic_load_explicit(&endpoint->load, memory_order_acquire), *made;

    if (there)
        return there;
    made = mem_zalloc(sizeof *made);
    if (!made)
        return NULL;
    if (atomic_compare_exchange_strong_explicit(&endpoint->load, &there, made, memory_order_acq_rel,
                                                memory_order_acquire))
        return made;
    mem_free(made);
    return there;
}

bool balance_reported(struct balance_endpoint *endpoint, float weight, uint64_t now_us)
{
    struct balance_load *load;

    if (!(weight > 0))
        return true;
    load = load_of(endpoint);
    if (!load)
        return false;
    if (atomic_load_explicit(&load->since_ms, memory_order_relaxed) == 0) /* 0 means none: a millisecond is no matter */
        atomic_store_explicit(&load->since_ms, (uint32_t) (now_us / US_PER_MS) | 1, memory_order_relaxed);
    figure_store(&load->weight, weight, now_us);
    return true;
}

/* What has expired begins anew with the next report, blackout included. */
float balance_loaded(const struct balance_endpoint *endpoint, uint32_t blackout_ms, uint32_t expiration_ms,
                     uint64_t now_us)
{
    struct balance_load *load = atomic_load_explicit(&endpoint->load, memory_order_acquire);
    uint32_t since_ms = load ? atomic_load_explicit(&load->since_ms, memory_order_relaxed) : 0;
    struct figure weight;

    if (since_ms == 0)
        return 0;
    weight = figure_load(&load->weight);
    if (figure_age_ms(weight.at_ms, now_us) >= expiration_ms) {
        atomic_store_explicit(&load->since_ms, 0, memory_order_relaxed);
        return 0;
    }
    return figure_age_ms(since_ms, now_us) < blackout_ms ? 0 : weight.value;
}

void balance_forget_load(struct balance_endpoint *endpoint)
{
    mem_free(atomic_exchange_explicit(&endpoint->load, NULL, memory_order_acq_rel));
}
