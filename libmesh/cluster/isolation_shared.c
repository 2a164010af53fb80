/* SPDX-License-Identifier: Apache-2.0 */
/* What one loop has found out about an endpoint, the others of the client hold to be true: failures in a row add up, and who is
 * isolated in one is isolated in all. The loop that isolated it also tries it out; the others only if it does not. */
#include "cluster/state.h"

/* How much longer the others wait. */
#define FOLLOWERS_WAIT_US US_PER_S

void isolation_tell(struct endpoint *endpoint, uint64_t until_us)
{
    struct cluster_shared *shared = endpoint->cluster->shared;

    atomic_store_explicit(&endpoint->stats->isolated_until_us, until_us, memory_order_relaxed);
    atomic_fetch_add_explicit(&shared->isolation_version, 1, memory_order_release);
}

bool isolation_has_news(const struct cluster *cluster)
{
    return atomic_load_explicit(&cluster->shared->isolation_version, memory_order_acquire) != cluster->isolation_seen;
}

static void follow(struct endpoint *endpoint, uint64_t until_us, uint64_t now_us)
{
    if (!isolation_is_possible(endpoint))
        return;
    outlier_isolate_for(endpoint->outlier, until_us - now_us + FOLLOWERS_WAIT_US, now_us);
    endpoint->outlier->follows = true;
    isolation_enlist(endpoint);
}

static void heed(struct endpoint *endpoint, uint64_t now_us)
{
    uint64_t until = atomic_load_explicit(&endpoint->stats->isolated_until_us, memory_order_relaxed);
    struct outlier *outlier = endpoint->outlier;
    bool is_in = !outlier || outlier_is_in(outlier);

    if (until > now_us && (is_in || outlier->follows))
        follow(endpoint, until, now_us);
    if (until > 0 || is_in || !outlier->follows)
        return;
    outlier_rejoin(outlier, &endpoint->cluster->conf->policy.outlier, now_us);
    isolation_enlist(endpoint);
}

void isolation_heed(struct cluster *cluster, uint64_t now_us)
{
    cluster->isolation_seen = atomic_load_explicit(&cluster->shared->isolation_version, memory_order_acquire);
    if (cluster->conf->policy.outlier.kind != OUTLIER_ADAPTIVE)
        return;
    LIST_EACH(link, &cluster->endpoints) {
        heed(CONTAINER_OF(link, struct endpoint, link), now_us);
    }
}

uint32_t isolation_count_failure(struct endpoint *endpoint)
{
    return atomic_fetch_add_explicit(&endpoint->stats->failed_in_row, 1, memory_order_relaxed) + 1;
}

void isolation_count_answer(struct endpoint *endpoint)
{
    if (atomic_load_explicit(&endpoint->stats->failed_in_row, memory_order_relaxed) > 0)
        atomic_store_explicit(&endpoint->stats->failed_in_row, 0, memory_order_relaxed);
}
