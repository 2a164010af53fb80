/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoints to choose from, and drawing among them by weight in constant time.
 *
 * Weights are drawn by inverting their running sums, where a guide table gives each point a place to begin the search that is
 * one step off on average (Chen, Asau: On Generating Random Variates from an Empirical Distribution, 1974). Slow start changes
 * all the time and costs nothing: an endpoint that is drawn and lets only a part of its weight count is drawn again as often
 * as the missing part says. */
#include "balance/balance.h"

/* Draws for one endpoint before whoever comes is taken: when everybody is starting slowly nobody is to be spared. */
enum { MOST_DRAWS = 16 };

static uint32_t weight_of(const struct balance_endpoint *endpoint)
{
    return atomic_load_explicit(&endpoint->weight, memory_order_relaxed);
}

static uint32_t withheld_of(const struct balance_endpoint *endpoint)
{
    return atomic_load_explicit(&endpoint->withheld, memory_order_relaxed);
}

static bool weights_differ(struct balance_endpoint *const *endpoints, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (weight_of(endpoints[i]) != weight_of(endpoints[0]))
            return true;
    return false;
}

static bool is_withheld(struct balance_endpoint *const *endpoints, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (withheld_of(endpoints[i]) > 0)
            return true;
    return false;
}

/* The point `at` of 2^64 of `whole`. */
static uint64_t part(uint64_t whole, uint64_t at)
{
    __extension__ typedef unsigned __int128 wide;

    return (uint64_t) (((wide) whole * at) >> 64);
}

/* guide[i]: the first whose share ends beyond the i-th n-th of the sum. */
static void fill_guide(struct balance_view *view)
{
    uint64_t sum = view->weight_sums[view->n - 1];
    size_t at = 0;

    for (size_t i = 0; i < view->n; i++) {
        __extension__ typedef unsigned __int128 wide;
        uint64_t begin = (uint64_t) ((wide) sum * i / view->n);

        while (view->weight_sums[at] <= begin)
            at++;
        view->guide[i] = (uint32_t) at;
    }
}

static bool weigh(struct balance_view *view)
{
    uint64_t sum = 0;

    view->weight_sums = mem_array(view->n, sizeof *view->weight_sums);
    view->guide = mem_array(view->n, sizeof *view->guide);
    if (!view->weight_sums || !view->guide)
        return false;
    for (size_t i = 0; i < view->n; i++) {
        sum += weight_of(view->endpoints[i]);
        view->weight_sums[i] = sum;
    }
    fill_guide(view);
    return true;
}

bool balance_view_build(struct balance_view *view, struct balance_endpoint *const *endpoints, size_t n)
{
    bool differ = weights_differ(endpoints, n);
    struct balance_view built = { .n = n, .even = !differ && !is_withheld(endpoints, n) };

    built.endpoints = mem_array(n, sizeof *built.endpoints);
    if (!built.endpoints)
        return false;
    for (size_t i = 0; i < n; i++)
        built.endpoints[i] = endpoints[i];
    if (differ && !weigh(&built)) {
        balance_view_free(&built);
        return false;
    }
    balance_view_free(view);
    *view = built;
    return true;
}

void balance_view_free(struct balance_view *view)
{
    mem_free(view->endpoints);
    mem_free(view->weight_sums);
    mem_free(view->guide);
    *view = (struct balance_view){ 0 };
}

size_t balance_view_at(const struct balance_view *view, uint64_t at)
{
    uint64_t point;
    size_t found;

    if (!view->weight_sums)
        return (size_t) part(view->n, at);
    point = part(view->weight_sums[view->n - 1], at);
    found = view->guide[part(view->n, at)];
    while (view->weight_sums[found] <= point)
        found++;
    return found;
}

bool balance_admits(const struct balance_endpoint *endpoint, struct rand *dice)
{
    uint32_t withheld = withheld_of(endpoint);

    return withheld == 0 || rand_below(dice, BALANCE_WHOLE) >= withheld;
}

size_t balance_view_sample(const struct balance_view *view, struct rand *dice)
{
    size_t drawn = balance_view_at(view, rand_u64(dice));

    if (view->even)
        return drawn;
    for (int i = 1; i < MOST_DRAWS && !balance_admits(view->endpoints[drawn], dice); i++)
        drawn = balance_view_at(view, rand_u64(dice));
    return drawn;
}
