/* SPDX-License-Identifier: Apache-2.0 */
/* Which endpoints of a very large cluster one client uses: those that rank first by a hash of the endpoint and the client
 * (Thaler, Ravishankar: Using Name-Based Mappings to Increase Hit Rates, 1998: rendezvous hashing).
 *
 * Each client has its own order of preference, in which nobody's place depends on who else is there: when an endpoint leaves, the
 * next in rank follows it, and no other connection changes. Over many clients every endpoint is chosen as often as any other.
 * Weights do not count here, or they would count twice: they decide how often an endpoint of the subset is drawn. */
#include "balance/balance.h"

#include <math.h>
#include <string.h>

/* Up to SMALL everybody; above, the subset grows with the root of the cluster, without a step at the border, up to MOST. */
enum { SMALL = 64, MOST = 200 };

size_t balance_subset_size(size_t n, size_t configured)
{
    size_t keep;

    if (configured > 0)
        return configured < n ? configured : n;
    if (n <= SMALL)
        return n;
    keep = (size_t) ceil(sqrt((double) n * SMALL));
    return keep < MOST ? keep : MOST;
}

static uint64_t rank_of(const struct balance_endpoint *endpoint, uint64_t client)
{
    return xxh64(endpoint->hash_key, strlen(endpoint->hash_key), client);
}

static void swap(uint64_t *a, uint64_t *b)
{
    uint64_t kept = *a;

    *a = *b;
    *b = kept;
}

/* Moves what is less than the value at `pivot` to the front, and the value behind it: to the index returned. */
static size_t partition(uint64_t *ranks, size_t n, size_t pivot)
{
    size_t less = 0;

    swap(&ranks[pivot], &ranks[n - 1]);
    for (size_t i = 0; i < n - 1; i++)
        if (ranks[i] < ranks[n - 1])
            swap(&ranks[i], &ranks[less++]);
    swap(&ranks[less], &ranks[n - 1]);
    return less;
}

/* The nth smallest, counted from 0 (Hoare's FIND). Ranks are hashes, so any pivot is as good as another. */
static uint64_t nth_smallest(uint64_t *ranks, size_t n, size_t nth)
{
    for (;;) {
        size_t at = partition(ranks, n, n / 2);

        if (at == nth)
            return ranks[at];
        if (at > nth) {
            n = at;
            continue;
        }
        ranks += at + 1;
        n -= at + 1;
        nth -= at + 1;
    }
}

bool balance_subset(struct balance_endpoint *const *endpoints, size_t n, uint64_t client, size_t keep, uint32_t *chosen)
{
    uint64_t *ranks = mem_array(n, sizeof *ranks), limit;
    size_t found = 0;

    if (!ranks)
        return false;
    for (size_t i = 0; i < n; i++)
        ranks[i] = rank_of(endpoints[i], client);
    limit = nth_smallest(ranks, n, keep - 1);
    mem_free(ranks);
    for (uint32_t i = 0; i < n && found < keep; i++)
        if (rank_of(endpoints[i], client) <= limit)
            chosen[found++] = i;
    return true;
}
