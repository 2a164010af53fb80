/* SPDX-License-Identifier: Apache-2.0 */
/* circuit_breakers: limits of connections, requests and retries, for each priority the first entry. */
#include <inttypes.h>

#include "source/xds/cluster_reader.h"

/* Beyond that a limit is none (Istio writes 2^32 - 1); what the data path multiplies stays small. */
enum { NO_LIMIT = 1000000 };

enum { BUDGET_PERCENT = 20, BUDGET_LEAST = 3 }; /* Envoy's defaults of a retry_budget */

static uint32_t limited(const Pb__UInt32Value *number, uint32_t otherwise)
{
    uint32_t limit = number ? number->value : otherwise;

    return limit < NO_LIMIT ? limit : NO_LIMIT;
}

/* ---- retries ---- */

static int32_t read_budget(struct cluster_reader *reader,
                           const Cluster__CircuitBreakers__Thresholds__RetryBudget *budget)
{
    struct policy_retry *retry = &reader->policy->retry;
    uint32_t percent = BUDGET_PERCENT;
    int32_t err;

    reading_enter(&reader->reading, "retry_budget");
    err = scalar_percent(&reader->reading, "budget_percent", budget->budget_percent, &percent);
    if (!err)
        reading_ignored(&reader->reading,
                        "retries are counted over ten seconds, not by how many run at once: %" PRIu32
                        "%% of the requests of that time",
                        percent);
    reading_leave(&reader->reading);
    retry->budget_percent = percent;
    retry->budget_per_second = 0;
    retry->budget_min = limited(budget->min_retry_concurrency, BUDGET_LEAST);
    return err;
}

static void read_max_retries(struct cluster_reader *reader, const Pb__UInt32Value *most)
{
    struct policy_retry *retry = &reader->policy->retry;
    uint32_t limit = limited(most, 0);

    retry->budget_min = limit;
    retry->budget_per_second = limit;
    retry->budget_percent = limit == NO_LIMIT ? 100 : 0;
    if (limit > 0 && limit < NO_LIMIT)
        reading_ignored_at(&reader->reading, "max_retries",
                           "so many retries a second are allowed, not so many at once");
}

static int32_t read_retries(struct cluster_reader *reader, const Cluster__CircuitBreakers__Thresholds *thresholds)
{
    if (thresholds->retry_budget)
        return read_budget(reader, thresholds->retry_budget);
    if (thresholds->max_retries)
        read_max_retries(reader, thresholds->max_retries);
    return 0;
}

/* ---- thresholds ---- */

/* Envoy opens one connection however small the limit is. */
static int32_t read_default(struct cluster_reader *reader, const Cluster__CircuitBreakers__Thresholds *thresholds)
{
    struct policy_breaker *breaker = &reader->policy->breaker;

    breaker->max_connections = limited(thresholds->max_connections, breaker->max_connections);
    if (breaker->max_connections == 0)
        breaker->max_connections = 1;
    breaker->max_pending = limited(thresholds->max_pending_requests, breaker->max_pending);
    breaker->max_requests = limited(thresholds->max_requests, breaker->max_requests);
    return read_retries(reader, thresholds);
}

static int32_t read_high(struct cluster_reader *reader, const Cluster__CircuitBreakers__Thresholds *thresholds)
{
    struct policy_breaker *breaker = &reader->policy->breaker;
    struct reading *reading = &reader->reading;

    breaker->high_max_pending = limited(thresholds->max_pending_requests, breaker->high_max_pending);
    breaker->high_max_requests = limited(thresholds->max_requests, breaker->high_max_requests);
    if (thresholds->max_connections)
        reading_ignored_at(reading, "max_connections",
                           "connections are shared by the priorities, limited by DEFAULT's");
    if (thresholds->max_retries)
        reading_ignored_at(reading, "max_retries", "retries are shared by the priorities, limited by DEFAULT's");
    if (thresholds->retry_budget)
        reading_ignored_at(reading, "retry_budget", "retries are shared by the priorities, limited by DEFAULT's");
    return 0;
}

static int32_t read_one(struct cluster_reader *reader, const Cluster__CircuitBreakers__Thresholds *thresholds,
                        bool seen[2])
{
    if (thresholds->priority != CORE__ROUTING_PRIORITY__DEFAULT && thresholds->priority != CORE__ROUTING_PRIORITY__HIGH)
        return reading_wrong_at(&reader->reading, "priority", "%d is none of DEFAULT and HIGH",
                                (int) thresholds->priority);
    if (seen[thresholds->priority]) {
        reading_ignored(&reader->reading, "the first entry of the priority holds");
        return 0;
    }
    seen[thresholds->priority] = true;
    if (thresholds->priority == CORE__ROUTING_PRIORITY__HIGH)
        return read_high(reader, thresholds);
    return read_default(reader, thresholds);
}

int32_t cluster_read_limits(struct cluster_reader *reader)
{
    const Cluster__CircuitBreakers *breakers = reader->message->circuit_breakers;
    bool seen[2] = { false, false };
    int32_t err = 0;

    if (!breakers)
        return 0;
    reading_enter(&reader->reading, "circuit_breakers");
    for (size_t i = 0; i < breakers->n_thresholds && !err; i++) {
        reading_enter_item(&reader->reading, "thresholds", i);
        err = read_one(reader, breakers->thresholds[i], seen);
        reading_leave(&reader->reading);
    }
    if (breakers->n_per_host_thresholds > 0)
        reading_ignored_at(&reader->reading, "per_host_thresholds", "limits are those of the whole cluster");
    reading_leave(&reader->reading);
    return err;
}
