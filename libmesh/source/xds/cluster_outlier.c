/* SPDX-License-Identifier: Apache-2.0 */
/* outlier_detection: ejection by Envoy's rules, with its defaults. Without it libmesh's own ejection stays. */
#include "source/xds/cluster_reader.h"

static const struct policy_outlier_envoy defaults = {
    .interval_ms = 10000,
    .base_ejection_ms = 30000,
    .max_ejection_ms = 300000,
    .max_ejection_percent = 10,
    .consecutive_5xx = 5,
    .consecutive_gateway_failure = 5,
    .consecutive_local_origin_failure = 5,
    .success_rate_stdev_factor = 1900,
    .success_rate_minimum_hosts = 5,
    .success_rate_request_volume = 100,
    .failure_percentage_threshold = 85,
    .failure_percentage_minimum_hosts = 5,
    .failure_percentage_request_volume = 50,
};

struct number {
    const char *field;
    const Pb__UInt32Value *value;
    uint32_t most;
    uint32_t *to;
};

static int32_t read_numbers(struct reading *reading, const Cluster__OutlierDetection *m,
                            struct policy_outlier_envoy *to)
{
    const struct number numbers[] = {
        { "max_ejection_percent", m->max_ejection_percent, 100, &to->max_ejection_percent },
        { "consecutive_5xx", m->consecutive_5xx, UINT32_MAX, &to->consecutive_5xx },
        { "consecutive_gateway_failure", m->consecutive_gateway_failure, UINT32_MAX, &to->consecutive_gateway_failure },
        { "consecutive_local_origin_failure", m->consecutive_local_origin_failure, UINT32_MAX,
          &to->consecutive_local_origin_failure },
        { "success_rate_stdev_factor", m->success_rate_stdev_factor, UINT32_MAX, &to->success_rate_stdev_factor },
        { "success_rate_minimum_hosts", m->success_rate_minimum_hosts, UINT32_MAX, &to->success_rate_minimum_hosts },
        { "success_rate_request_volume", m->success_rate_request_volume, UINT32_MAX, &to->success_rate_request_volume },
        { "failure_percentage_threshold", m->failure_percentage_threshold, 100, &to->failure_percentage_threshold },
        { "failure_percentage_minimum_hosts", m->failure_percentage_minimum_hosts, UINT32_MAX,
          &to->failure_percentage_minimum_hosts },
        { "failure_percentage_request_volume", m->failure_percentage_request_volume, UINT32_MAX,
          &to->failure_percentage_request_volume },
    };

    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        const struct number *n = &numbers[i];
        int32_t err = scalar_u32(reading, n->field, n->value, 0, n->most, n->to);

        if (err)
            return err;
    }
    return 0;
}

/* ---- what is enforced ---- */

struct enforcing {
    const char *field;
    const Pb__UInt32Value *percent;
    uint32_t standard;
    uint32_t *threshold; /* becomes 0 with 0 % */
};

static int32_t enforce(struct reading *reading, const struct enforcing *rule)
{
    uint32_t percent = rule->standard;
    int32_t err = scalar_u32(reading, rule->field, rule->percent, 0, 100, &percent);

    if (err)
        return err;
    if (percent == 0)
        *rule->threshold = 0;
    else if (percent < 100)
        reading_ignored_at(reading, rule->field, "is 100: whoever fails the rule is ejected, without a draw");
    return 0;
}

static int32_t read_enforcing(struct reading *reading, const Cluster__OutlierDetection *m,
                              struct policy_outlier_envoy *to)
{
    const struct enforcing rules[] = {
        { "enforcing_consecutive_5xx", m->enforcing_consecutive_5xx, 100, &to->consecutive_5xx },
        { "enforcing_consecutive_gateway_failure", m->enforcing_consecutive_gateway_failure, 0,
          &to->consecutive_gateway_failure },
        { "enforcing_consecutive_local_origin_failure", m->enforcing_consecutive_local_origin_failure, 100,
          &to->consecutive_local_origin_failure },
        { "enforcing_success_rate", m->enforcing_success_rate, 100, &to->success_rate_stdev_factor },
        { "enforcing_failure_percentage", m->enforcing_failure_percentage, 0, &to->failure_percentage_threshold },
    };

    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        int32_t err = enforce(reading, &rules[i]);

        if (err)
            return err;
    }
    return 0;
}

/* Those of local origin follow the external ones. */
static void list_local_origin(struct reading *reading, const Cluster__OutlierDetection *m)
{
    uint32_t rate = m->enforcing_success_rate ? m->enforcing_success_rate->value : 100;
    uint32_t local_rate = m->enforcing_local_origin_success_rate ? m->enforcing_local_origin_success_rate->value : 100;
    uint32_t failures = m->enforcing_failure_percentage ? m->enforcing_failure_percentage->value : 0;
    uint32_t local_failures =
        m->enforcing_failure_percentage_local_origin ? m->enforcing_failure_percentage_local_origin->value : 0;

    if (!m->split_external_local_origin_errors)
        return;
    if ((rate == 0) != (local_rate == 0))
        reading_ignored_at(reading, "enforcing_local_origin_success_rate", "is that of enforcing_success_rate");
    if ((failures == 0) != (local_failures == 0))
        reading_ignored_at(reading, "enforcing_failure_percentage_local_origin",
                           "is that of enforcing_failure_percentage");
}

/* ---- times ---- */

static int32_t read_times(struct reading *reading, const Cluster__OutlierDetection *m, struct policy_outlier_envoy *to)
{
    uint64_t jitter_us = 0;
    int32_t err = scalar_ms(reading, "interval", m->interval, 1, &to->interval_ms);

    if (!err)
        err = scalar_ms(reading, "base_ejection_time", m->base_ejection_time, 1, &to->base_ejection_ms);
    if (!err)
        err = scalar_ms(reading, "max_ejection_time", m->max_ejection_time, 1, &to->max_ejection_ms);
    if (!err)
        err = scalar_us(reading, "max_ejection_time_jitter", m->max_ejection_time_jitter, &jitter_us);
    if (err)
        return err;
    if (jitter_us > 0)
        reading_ignored_at(reading, "max_ejection_time_jitter", "ejections last as long as they should");
    if (to->max_ejection_ms >= to->base_ejection_ms)
        return 0;
    if (m->max_ejection_time)
        return reading_wrong_at(reading, "max_ejection_time", "is less than base_ejection_time");
    to->max_ejection_ms = to->base_ejection_ms;
    return 0;
}

static int32_t read_detection(struct reading *reading, const Cluster__OutlierDetection *m,
                              struct policy_outlier *outlier)
{
    struct policy_outlier_envoy envoy = defaults;
    int32_t err = read_times(reading, m, &envoy);

    if (!err)
        err = read_numbers(reading, m, &envoy);
    if (!err)
        err = read_enforcing(reading, m, &envoy);
    if (err)
        return err;
    envoy.split_local_origin = m->split_external_local_origin_errors;
    list_local_origin(reading, m);
    if (m->successful_active_health_check_uneject_host && !m->successful_active_health_check_uneject_host->value)
        reading_ignored_at(reading, "successful_active_health_check_uneject_host",
                           "who passes a health check is always used again");
    if (m->always_eject_one_host && m->always_eject_one_host->value)
        reading_ignored_at(reading, "always_eject_one_host", "max_ejection_percent holds for the first one, too");
    outlier->kind = OUTLIER_ENVOY;
    outlier->envoy = envoy;
    return 0;
}

int32_t cluster_read_outlier(struct cluster_reader *reader)
{
    int32_t err;

    if (!reader->message->outlier_detection)
        return 0;
    reading_enter(&reader->reading, "outlier_detection");
    err = read_detection(&reader->reading, reader->message->outlier_detection, &reader->policy->outlier);
    reading_leave(&reader->reading);
    return err;
}
