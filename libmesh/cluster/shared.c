/* SPDX-License-Identifier: Apache-2.0 */
/* What the loops of a client share of one cluster: limits, budget, and each endpoint's figures. */
#include <string.h>

#include "cluster/state.h"

struct cluster_shared *cluster_shared_new(const char *name)
{
    size_t size = strlen(name) + 1;
    struct cluster_shared *shared = mem_zalloc(sizeof *shared + size);
    struct rand dice;

    if (!shared)
        return NULL;
    memcpy(shared->name, name, size);
    shared->refs = 1;
    rand_seed(&dice);
    shared->subset = rand_u64(&dice);
    list_init(&shared->places);
    list_init(&shared->categories);
    pthread_mutex_init(&shared->lock, NULL);
    return shared;
}

struct cluster_shared *cluster_shared_ref(struct cluster_shared *shared)
{
    atomic_fetch_add(&shared->refs, 1);
    return shared;
}

void cluster_shared_unref(struct cluster_shared *shared)
{
    if (!shared || atomic_fetch_sub(&shared->refs, 1) != 1)
        return;
    admission_shared_free(&shared->admission);
    load_free(shared);
    map_free(&shared->stats);
    pthread_mutex_destroy(&shared->lock);
    mem_free(shared);
}

static struct endpoint_stats *stats_new(const char *key, size_t len)
{
    struct endpoint_stats *stats = mem_zalloc(sizeof *stats + len);
    size_t address;

    if (!stats)
        return NULL;
    memcpy(stats->address, key, len);
    address = strlen(stats->address) + 1;
    stats->key_len = (uint32_t) len;
    stats->refs = 1;
    stats->balance.weight = 1;
    stats->balance.hash_key = len > address && stats->address[address] ? stats->address + address : stats->address;
    return stats;
}

struct endpoint_stats *cluster_stats_get(struct cluster_shared *shared, const char *key, size_t key_len)
{
    struct endpoint_stats *stats;

    pthread_mutex_lock(&shared->lock);
    stats = map_get(&shared->stats, key, key_len);
    if (stats) {
        atomic_fetch_add(&stats->refs, 1);
        goto done;
    }
    stats = stats_new(key, key_len);
    if (stats && !map_put(&shared->stats, stats->address, key_len, stats)) {
        mem_free(stats);
        stats = NULL;
    }
done:
    pthread_mutex_unlock(&shared->lock);
    return stats;
}

void cluster_stats_put(struct cluster_shared *shared, struct endpoint_stats *stats)
{
    pthread_mutex_lock(&shared->lock);
    if (atomic_fetch_sub(&stats->refs, 1) == 1) {
        load_forget_endpoint(shared, stats);
        map_remove(&shared->stats, stats->address, stats->key_len);
        mem_free(stats->health_why);
        balance_forget_load(&stats->balance);
        mem_free(stats);
    }
    pthread_mutex_unlock(&shared->lock);
}
