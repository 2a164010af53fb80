/* SPDX-License-Identifier: Apache-2.0 */
/* From values to the numbers, switches and words of a cluster's policy. */
#include "source/conf.h"

#include <string.h>

static uint32_t number(const struct building *b, enum key_id id)
{
    return (uint32_t) conf_value_number(b->conf, b->service, id);
}

static bool is_on(const struct building *b, enum key_id id)
{
    return conf_value_on(b->conf, b->service, id);
}

static const char *text(const struct building *b, enum key_id id)
{
    return conf_value_text(b->conf, b->service, id);
}

/* Where a word stands in the key's list of words: the enums have the same order. */
static uint32_t word_index(const struct building *b, enum key_id id)
{
    const char *words = key_at(id)->words, *chosen = text(b, id), *word;
    uint32_t at = 0;
    size_t len;

    for (; (word = key_word(&words, &len)); at++)
        if (strlen(chosen) == len && memcmp(word, chosen, len) == 0)
            return at;
    return 0;
}

static struct policy_statuses statuses(const struct building *b, enum key_id id)
{
    const char *list = text(b, id), *word;
    struct policy_statuses all = { 0 };
    uint64_t status;
    size_t len;

    while (all.n < POLICY_MOST_STATUSES && (word = key_word(&list, &len)))
        if (text_to_u64(word, len, &status))
            all.codes[all.n++] = (uint16_t) status;
    return all;
}

static uint32_t deadline_headers(const struct building *b)
{
    static const struct {
        const char *word;
        uint32_t bit;
    } headers[] = {
        { "x-mesh-deadline-ms", DEADLINE_MESH },
        { "grpc-timeout", DEADLINE_GRPC },
        { "x-envoy-expected-rq-timeout-ms", DEADLINE_ENVOY },
    };
    const char *list = text(b, KEY_DEADLINE_HEADERS);
    uint32_t all = 0;

    if (key_has_word(list, "off", 3))
        return 0;
    for (size_t i = 0; i < COUNT_OF(headers); i++)
        if (key_has_word(list, headers[i].word, strlen(headers[i].word)))
            all |= headers[i].bit;
    return all;
}

/* ---- attempts ---- */

static uint32_t retry_conditions(const struct building *b)
{
    const char *list = text(b, KEY_RETRY_ON), *word;
    uint32_t all = 0, bit;
    size_t len;

    while ((word = key_word(&list, &len)))
        if (policy_retry_parse(word, len, &bit))
            all |= bit;
    return all;
}

static void fill_retry(const struct building *b, struct policy_retry *retry)
{
    retry->attempts = number(b, KEY_RETRY_ATTEMPTS);
    retry->on = retry_conditions(b);
    retry->statuses = statuses(b, KEY_RETRY_STATUSES);
    retry->refused = is_on(b, KEY_RETRY_REFUSED);
    retry->per_try_timeout_ms = number(b, KEY_RETRY_PER_TRY_TIMEOUT_MS);
    retry->backoff_base_ms = number(b, KEY_RETRY_BACKOFF_BASE_MS);
    retry->backoff_max_ms = number(b, KEY_RETRY_BACKOFF_MAX_MS);
    retry->budget_percent = number(b, KEY_RETRY_BUDGET_PERCENT);
    retry->budget_per_second = number(b, KEY_RETRY_BUDGET_PER_SECOND);
    retry->budget_min = number(b, KEY_RETRY_BUDGET_MIN);
}

static void fill_hedge(const struct building *b, struct policy_hedge *hedge)
{
    hedge->percentile = number(b, KEY_HEDGE_PERCENTILE);
    hedge->min_delay_ms = number(b, KEY_HEDGE_MIN_DELAY_MS);
    hedge->on_per_try_timeout = is_on(b, KEY_HEDGE_ON_PER_TRY_TIMEOUT);
}

/* ---- endpoints ---- */

static void fill_spill(const struct building *b, struct policy_spill *spill)
{
    spill->zones = is_on(b, KEY_SPILL_ZONES);
    spill->load = is_on(b, KEY_SPILL_LOAD);
    spill->warm = is_on(b, KEY_SPILL_WARM);
    spill->overprovisioning_percent = number(b, KEY_SPILL_OVERPROVISIONING_PERCENT);
    spill->panic_percent = number(b, KEY_SPILL_PANIC_PERCENT);
}

static void fill_outlier_envoy(const struct building *b, struct policy_outlier_envoy *envoy)
{
    envoy->interval_ms = number(b, KEY_OUTLIER_INTERVAL_MS);
    envoy->base_ejection_ms = number(b, KEY_OUTLIER_BASE_EJECTION_MS);
    envoy->max_ejection_ms = number(b, KEY_OUTLIER_MAX_EJECTION_MS);
    envoy->max_ejection_percent = number(b, KEY_OUTLIER_MAX_EJECTION_PERCENT);
    envoy->consecutive_5xx = number(b, KEY_OUTLIER_CONSECUTIVE_5XX);
    envoy->consecutive_gateway_failure = number(b, KEY_OUTLIER_CONSECUTIVE_GATEWAY_FAILURE);
    envoy->consecutive_local_origin_failure = number(b, KEY_OUTLIER_CONSECUTIVE_LOCAL_ORIGIN_FAILURE);
    envoy->split_local_origin = is_on(b, KEY_OUTLIER_SPLIT_LOCAL_ORIGIN);
    envoy->success_rate_stdev_factor = number(b, KEY_OUTLIER_SUCCESS_RATE_STDEV_FACTOR);
    envoy->success_rate_minimum_hosts = number(b, KEY_OUTLIER_SUCCESS_RATE_MINIMUM_HOSTS);
    envoy->success_rate_request_volume = number(b, KEY_OUTLIER_SUCCESS_RATE_REQUEST_VOLUME);
    envoy->failure_percentage_threshold = number(b, KEY_OUTLIER_FAILURE_PERCENTAGE_THRESHOLD);
    envoy->failure_percentage_minimum_hosts = number(b, KEY_OUTLIER_FAILURE_PERCENTAGE_MINIMUM_HOSTS);
    envoy->failure_percentage_request_volume = number(b, KEY_OUTLIER_FAILURE_PERCENTAGE_REQUEST_VOLUME);
}

static void fill_outlier(const struct building *b, struct policy_outlier *outlier)
{
    outlier->kind = (enum policy_outlier_kind) word_index(b, KEY_OUTLIER_POLICY);
    outlier->consecutive = number(b, KEY_OUTLIER_CONSECUTIVE);
    outlier->success_percent = number(b, KEY_OUTLIER_SUCCESS_PERCENT);
    outlier->min_requests = number(b, KEY_OUTLIER_MIN_REQUESTS);
    outlier->base_ms = number(b, KEY_OUTLIER_BASE_MS);
    outlier->max_ms = number(b, KEY_OUTLIER_MAX_MS);
    outlier->max_percent = number(b, KEY_OUTLIER_MAX_PERCENT);
    outlier->slow_start_ms = number(b, KEY_OUTLIER_SLOW_START_MS);
    outlier->ramp = is_on(b, KEY_OUTLIER_RAMP);
    fill_outlier_envoy(b, &outlier->envoy);
}

static void fill_health(const struct building *b, struct policy_health *health)
{
    health->kind = (enum policy_health_kind) word_index(b, KEY_HEALTH_CHECK);
    health->statuses = statuses(b, KEY_HEALTH_STATUSES);
    health->interval_ms = number(b, KEY_HEALTH_INTERVAL_MS);
    health->timeout_ms = number(b, KEY_HEALTH_TIMEOUT_MS);
    health->unhealthy_threshold = number(b, KEY_HEALTH_UNHEALTHY_THRESHOLD);
    health->healthy_threshold = number(b, KEY_HEALTH_HEALTHY_THRESHOLD);
}

static enum policy_hash_on hash_on(const struct building *b)
{
    const char *what = text(b, KEY_BALANCE_HASH_ON);

    if (strcmp(what, "path") == 0)
        return HASH_ON_PATH;
    return strcmp(what, "key") == 0 ? HASH_ON_KEY : HASH_ON_HEADER;
}

/* ---- limits ---- */

static void fill_limits(const struct building *b, struct policy *policy)
{
    policy->breaker.max_connections = number(b, KEY_BREAKER_MAX_CONNECTIONS);
    policy->breaker.max_pending = number(b, KEY_BREAKER_MAX_PENDING);
    policy->breaker.max_requests = number(b, KEY_BREAKER_MAX_REQUESTS);
    policy->breaker.high_max_pending = number(b, KEY_BREAKER_HIGH_MAX_PENDING);
    policy->breaker.high_max_requests = number(b, KEY_BREAKER_HIGH_MAX_REQUESTS);
    policy->concurrency.adaptive = is_on(b, KEY_CONCURRENCY_ADAPTIVE);
    policy->concurrency.initial = number(b, KEY_CONCURRENCY_INITIAL);
    policy->concurrency.min = number(b, KEY_CONCURRENCY_MIN);
    policy->concurrency.max = number(b, KEY_CONCURRENCY_MAX);
    policy->concurrency.queue_ms = number(b, KEY_CONCURRENCY_QUEUE_MS);
    policy->throttle.adaptive = is_on(b, KEY_THROTTLE_ADAPTIVE);
    policy->throttle.max_percent = number(b, KEY_THROTTLE_MAX_PERCENT);
    policy->rate_limit.per_second = number(b, KEY_RATE_LIMIT_PER_SECOND);
    policy->rate_limit.burst = number(b, KEY_RATE_LIMIT_BURST);
}

void building_fill_numbers(const struct building *b, struct policy *policy)
{
    policy->timeout_ms = number(b, KEY_TIMEOUT_MS);
    policy->connect_timeout_ms = number(b, KEY_CONNECT_TIMEOUT_MS);
    policy->stream_idle_ms = number(b, KEY_STREAM_IDLE_MS);
    policy->response_max_bytes = conf_value_number(b->conf, b->service, KEY_RESPONSE_MAX_BYTES);
    policy->max_header_bytes = number(b, KEY_HTTP_MAX_HEADER_BYTES);
    policy->window_bytes = number(b, KEY_HTTP_WINDOW_BYTES);
    policy->connection_idle_ms = number(b, KEY_CONNECTION_IDLE_MS);
    policy->connection_age_ms = number(b, KEY_CONNECTION_AGE_MS);
    policy->silence_ms = number(b, KEY_CONNECTION_SILENCE_MS);
    policy->hash.on = hash_on(b);
    policy->ring_min_size = number(b, KEY_BALANCE_RING_MIN_SIZE);
    policy->ring_max_size = number(b, KEY_BALANCE_RING_MAX_SIZE);
    policy->hash_balance_percent = number(b, KEY_BALANCE_HASH_BALANCE_PERCENT);
    policy->subset_size = number(b, KEY_BALANCE_SUBSET_SIZE);
    policy->slow_start_ms = number(b, KEY_BALANCE_SLOW_START_MS);
    policy->load.blackout_ms = number(b, KEY_BALANCE_LOAD_BLACKOUT_MS);
    policy->load.expiration_ms = number(b, KEY_BALANCE_LOAD_EXPIRATION_MS);
    policy->load.update_ms = number(b, KEY_BALANCE_LOAD_UPDATE_MS);
    policy->load.penalty_percent = number(b, KEY_BALANCE_LOAD_PENALTY_PERCENT);
    policy->deadline_headers = deadline_headers(b);
    policy->criticality = (enum policy_criticality) word_index(b, KEY_CRITICALITY);
    fill_retry(b, &policy->retry);
    fill_hedge(b, &policy->hedge);
    fill_spill(b, &policy->spill);
    fill_outlier(b, &policy->outlier);
    fill_health(b, &policy->health);
    fill_limits(b, policy);
}
