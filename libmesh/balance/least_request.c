/* SPDX-License-Identifier: Apache-2.0 */
/* Of two endpoints drawn by weight, the one with fewer attempts in flight (Mitzenmacher: The Power of Two Choices in
 * Randomized Load Balancing, 2001). */
#include "balance/balance.h"

static struct balancer self = { &balance_least_request };

static struct balancer *make(const struct balance_conf *conf)
{
    (void) conf;
    return &self;
}

static void drop(struct balancer *balancer)
{
    (void) balancer;
}

static uint32_t active(const struct balance_view *view, size_t at)
{
    return atomic_load_explicit(&view->endpoints[at]->active, memory_order_relaxed);
}

static size_t pick(struct balancer *balancer, const struct balance_view *view, const struct balance_hint *hint,
                   struct rand *dice)
{
    size_t a = balance_view_sample(view, dice), b;

    (void) balancer;
    balance_note(hint->choice, view->endpoints[a], (float) active(view, a));
    if (view->n == 1)
        return a;
    b = balance_view_sample(view, dice);
    /* Two different ones, or an idle endpoint may lose to a busy one drawn twice. Not with weights: a light endpoint would be in
     * half of the pairs of three. */
    if (b == a && view->even)
        b = (a + 1 + (size_t) rand_below(dice, view->n - 1)) % view->n;
    if (b != a)
        balance_note(hint->choice, view->endpoints[b], (float) active(view, b));
    return active(view, b) < active(view, a) ? b : a;
}

static float score(const struct balancer *balancer, const struct balance_endpoint *endpoint, uint64_t now_us)
{
    (void) balancer, (void) now_us;
    return (float) atomic_load_explicit(&endpoint->active, memory_order_relaxed);
}

const struct balance_ops balance_least_request = { "least_request", false, make, NULL, pick, drop, score, false };
