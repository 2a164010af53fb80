/* SPDX-License-Identifier: Apache-2.0 */
/* Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam: Consistent Hashing with Bounded Loads, 2016), as Envoy's
 * hash_balance_factor has it: no endpoint gets more attempts at once than so many percent of its share. What is too much for it goes to
 * another one, by the hash the same again. */
#include "balance/balance.h"

static uint32_t active_of(const struct balance_endpoint *endpoint)
{
    return atomic_load_explicit(&endpoint->active, memory_order_relaxed);
}

struct bound {
    const struct balance_view *view;
    uint64_t slots;   /* of all, the attempt that is to be placed included */
    uint64_t weights; /* of all */
};

static struct bound bound_of(const struct balance_view *view, uint32_t percent)
{
    struct bound bound = { .view = view, .weights = view->weight_sums ? view->weight_sums[view->n - 1] : view->n };
    uint64_t active = 0;

    for (size_t i = 0; i < view->n; i++)
        active += active_of(view->endpoints[i]);
    bound.slots = ((active + 1) * percent + 99) / 100;
    return bound;
}

static uint64_t weight_at(const struct balance_view *view, size_t at)
{
    if (!view->weight_sums)
        return 1;
    return view->weight_sums[at] - (at > 0 ? view->weight_sums[at - 1] : 0);
}

/* Attempts by places, of which each endpoint has one at least: more than 1 is too much. */
static double load_of(const struct bound *bound, size_t at)
{
    double share = (double) bound->slots * (double) weight_at(bound->view, at) / (double) bound->weights;
    double slots = (double) (uint64_t) share;

    slots += slots < share;
    return active_of(bound->view->endpoints[at]) / (slots < 1 ? 1 : slots);
}

size_t balance_bounded(const struct balance_view *view, size_t chosen, const struct balance_hint *hint,
                       uint32_t percent)
{
    struct bound bound = bound_of(view, percent);
    double least = load_of(&bound, chosen);
    size_t first, found = chosen;

    if (least <= 1)
        return chosen;
    first = (size_t) (xxh64(&hint->key, sizeof hint->key, percent) % view->n);
    for (size_t i = 0; i < view->n; i++) {
        size_t at = (first + i) % view->n;
        double load = load_of(&bound, at);

        if (at == chosen || balance_was_tried(hint, view->endpoints[at]))
            continue;
        if (load <= 1)
            return at;
        if (load < least) {
            least = load;
            found = at;
        }
    }
    return found;
}
