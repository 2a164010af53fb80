/* SPDX-License-Identifier: Apache-2.0 */
/* How endpoints and localities are chosen: load_balancing_policy, or the older lb_policy with its configuration. */
#include "source/xds/cluster_balance.h"

#include <inttypes.h>

#include "source/conf.h"

enum { RING_MOST = 8388608, MAGLEV_SIZE = 65537, MAGLEV_MOST = 5000011, CHOICES = 2, HASH_BALANCE_LEAST = 100 };

/* Whoever operates the client has the last word. */
void cluster_balance_choose(struct cluster_reader *reader, const char *name)
{
    const char *service = reader->env->service ? reader->env->service : "";

    if (!conf_value(reader->env->conf, service, KEY_BALANCE_POLICY))
        reader->policy->balance = name;
}

/* ---- what policies share ---- */

int32_t cluster_balance_read_slow_start(struct cluster_reader *reader, struct cluster_slow_start slow)
{
    uint32_t least = 10;
    int32_t err;

    reading_enter(&reader->reading, "slow_start_config");
    err = scalar_ms(&reader->reading, "slow_start_window", slow.window, 0, &reader->policy->slow_start_ms);
    if (!err)
        err = scalar_percent(&reader->reading, "min_weight_percent", slow.least, &least);
    if (!err && slow.aggression && slow.aggression->default_value != 1.0)
        reading_ignored_at(&reader->reading, "aggression", "shares grow evenly, as with 1.0");
    if (!err && least != 10)
        reading_ignored_at(&reader->reading, "min_weight_percent", "is 10");
    reading_leave(&reader->reading);
    return err;
}

static int32_t read_older_slow_start(struct cluster_reader *reader, const Cluster__Cluster__SlowStartConfig *slow)
{
    if (!slow)
        return 0;
    return cluster_balance_read_slow_start(
        reader, (struct cluster_slow_start){ slow->slow_start_window, slow->aggression, slow->min_weight_percent });
}

int32_t cluster_balance_read_zone_aware(struct cluster_reader *reader, const Type__Percent *enabled)
{
    uint32_t percent = 100;
    int32_t err = scalar_percent(&reader->reading, "zone_aware_lb_config.routing_enabled", enabled, &percent);

    if (!err && percent == 0)
        reader->policy->spill.zones = false;
    if (!err && percent > 0 && percent < 100)
        reading_ignored_at(&reader->reading, "zone_aware_lb_config.routing_enabled", "is 100: all requests");
    return err;
}

int32_t cluster_balance_read_hashing(struct cluster_reader *reader, bool by_hostname, const Pb__UInt32Value *factor)
{
    uint32_t *percent = &reader->policy->hash_balance_percent;

    reader->policy->hash.by_hostname |= by_hostname;
    if (!factor || factor->value == 0)
        return 0;
    return scalar_u32(&reader->reading, "hash_balance_factor", factor, HASH_BALANCE_LEAST, UINT32_MAX, percent);
}

/* ---- numbers of one policy, wherever they stand ---- */

int32_t cluster_balance_read_choices(struct cluster_reader *reader, const Pb__UInt32Value *choices,
                                     const Core__RuntimeDouble *bias)
{
    uint32_t n = CHOICES;
    int32_t err = scalar_u32(&reader->reading, "choice_count", choices, CHOICES, UINT32_MAX, &n);

    if (!err && n != CHOICES)
        reading_ignored_at(&reader->reading, "choice_count", "is 2");
    if (!err && bias && bias->default_value != 1.0)
        reading_ignored_at(&reader->reading, "active_request_bias",
                           "endpoints with weights are drawn by them, then compared");
    return err;
}

int32_t cluster_balance_read_ring(struct cluster_reader *reader, const Pb__UInt64Value *least,
                                  const Pb__UInt64Value *most, bool other_hash)
{
    struct policy *policy = reader->policy;
    int32_t err = scalar_u64(&reader->reading, "minimum_ring_size", least, 0, RING_MOST, &policy->ring_min_size);

    if (!err)
        err = scalar_u64(&reader->reading, "maximum_ring_size", most, 0, RING_MOST, &policy->ring_max_size);
    if (err)
        return err;
    if (policy->ring_min_size > policy->ring_max_size)
        return reading_wrong_at(&reader->reading, "maximum_ring_size",
                                "%" PRIu64 " is less than minimum_ring_size, which is %" PRIu64, policy->ring_max_size,
                                policy->ring_min_size);
    if (other_hash)
        reading_ignored_at(&reader->reading, "hash_function", "is XX_HASH");
    return 0;
}

int32_t cluster_balance_read_table(struct cluster_reader *reader, const Pb__UInt64Value *size)
{
    uint64_t n = MAGLEV_SIZE;
    int32_t err = scalar_u64(&reader->reading, "table_size", size, 1, MAGLEV_MOST, &n);

    if (!err && n != MAGLEV_SIZE)
        reading_ignored_at(&reader->reading, "table_size", "is %d", MAGLEV_SIZE);
    return err;
}

/* ---- the older way ---- */

static int32_t older_round_robin(struct cluster_reader *reader)
{
    const Cluster__Cluster *message = reader->message;

    cluster_balance_choose(reader, "round_robin");
    if (message->lb_config_case != CLUSTER__CLUSTER__LB_CONFIG_ROUND_ROBIN_LB_CONFIG)
        return 0;
    return read_older_slow_start(reader, message->round_robin_lb_config->slow_start_config);
}

static int32_t older_least_request(struct cluster_reader *reader)
{
    const Cluster__Cluster *message = reader->message;
    const Cluster__Cluster__LeastRequestLbConfig *config = message->least_request_lb_config;
    int32_t err;

    cluster_balance_choose(reader, "least_request");
    if (message->lb_config_case != CLUSTER__CLUSTER__LB_CONFIG_LEAST_REQUEST_LB_CONFIG)
        return 0;
    err = cluster_balance_read_choices(reader, config->choice_count, config->active_request_bias);
    return err ? err : read_older_slow_start(reader, config->slow_start_config);
}

static int32_t older_ring_hash(struct cluster_reader *reader)
{
    const Cluster__Cluster *message = reader->message;
    const Cluster__Cluster__RingHashLbConfig *config = message->ring_hash_lb_config;

    cluster_balance_choose(reader, "ring_hash");
    if (message->lb_config_case != CLUSTER__CLUSTER__LB_CONFIG_RING_HASH_LB_CONFIG)
        return 0;
    return cluster_balance_read_ring(reader, config->minimum_ring_size, config->maximum_ring_size,
                                     config->hash_function ==
                                         CLUSTER__CLUSTER__RING_HASH_LB_CONFIG__HASH_FUNCTION__MURMUR_HASH_2);
}

static int32_t older_maglev(struct cluster_reader *reader)
{
    const Cluster__Cluster *message = reader->message;

    cluster_balance_choose(reader, "maglev");
    if (message->lb_config_case != CLUSTER__CLUSTER__LB_CONFIG_MAGLEV_LB_CONFIG)
        return 0;
    return cluster_balance_read_table(reader, message->maglev_lb_config->table_size);
}

static bool is_custom(const struct cluster_reader *reader)
{
    return reader->message->cluster_discovery_type_case == CLUSTER__CLUSTER__CLUSTER_DISCOVERY_TYPE_CLUSTER_TYPE;
}

/* The field of the lb_config that lb_policy has is entered for its complaints. */
static int32_t older(struct cluster_reader *reader, const char *field, int32_t (*read)(struct cluster_reader *reader))
{
    int32_t err;

    reading_enter(&reader->reading, field);
    err = read(reader);
    reading_leave(&reader->reading);
    return err;
}

static int32_t read_lb_policy(struct cluster_reader *reader)
{
    switch (reader->message->lb_policy) {
    case CLUSTER__CLUSTER__LB_POLICY__ROUND_ROBIN:
        return older(reader, "round_robin_lb_config", older_round_robin);
    case CLUSTER__CLUSTER__LB_POLICY__LEAST_REQUEST:
        return older(reader, "least_request_lb_config", older_least_request);
    case CLUSTER__CLUSTER__LB_POLICY__RING_HASH:
        return older(reader, "ring_hash_lb_config", older_ring_hash);
    case CLUSTER__CLUSTER__LB_POLICY__MAGLEV:
        return older(reader, "maglev_lb_config", older_maglev);
    case CLUSTER__CLUSTER__LB_POLICY__RANDOM:
        cluster_balance_choose(reader, "random");
        return 0;
    case CLUSTER__CLUSTER__LB_POLICY__CLUSTER_PROVIDED:
        if (is_custom(reader))
            return 0;
        return reading_wrong_at(&reader->reading, "lb_policy", "CLUSTER_PROVIDED: this type of cluster provides none");
    case CLUSTER__CLUSTER__LB_POLICY__LOAD_BALANCING_POLICY_CONFIG:
        return reading_wrong_at(&reader->reading, "load_balancing_policy",
                                "is missing, but lb_policy says that it holds");
    default:
        return reading_wrong_at(&reader->reading, "lb_policy", "%d is no policy that libmesh knows",
                                (int) reader->message->lb_policy);
    }
}

/* ---- what holds for all policies ---- */

static int32_t read_older_locality(struct cluster_reader *reader, const Cluster__Cluster__CommonLbConfig *common)
{
    switch (common->locality_config_specifier_case) {
    case CLUSTER__CLUSTER__COMMON_LB_CONFIG__LOCALITY_CONFIG_SPECIFIER_ZONE_AWARE_LB_CONFIG:
        return cluster_balance_read_zone_aware(reader, common->zone_aware_lb_config->routing_enabled);
    case CLUSTER__CLUSTER__COMMON_LB_CONFIG__LOCALITY_CONFIG_SPECIFIER_LOCALITY_WEIGHTED_LB_CONFIG:
        reader->policy->spill.weighted = true;
        return 0;
    default:
        return 0;
    }
}

static int32_t read_common(struct cluster_reader *reader, const Cluster__Cluster__CommonLbConfig *common)
{
    const Cluster__Cluster__CommonLbConfig__ConsistentHashingLbConfig *hashing = common->consistent_hashing_lb_config;
    int32_t err = scalar_percent(&reader->reading, "healthy_panic_threshold", common->healthy_panic_threshold,
                                 &reader->policy->spill.panic_percent);

    if (!err && !reader->message->load_balancing_policy)
        err = read_older_locality(reader, common);
    if (common->close_connections_on_host_set_change)
        reading_ignored_at(&reader->reading, "close_connections_on_host_set_change",
                           "connections of endpoints that stay are kept");
    if (err || !hashing || reader->message->load_balancing_policy)
        return err;
    reading_enter(&reader->reading, "consistent_hashing_lb_config");
    err = cluster_balance_read_hashing(reader, hashing->use_hostname_for_hashing, hashing->hash_balance_factor);
    reading_leave(&reader->reading);
    return err;
}

int32_t cluster_read_balance(struct cluster_reader *reader)
{
    const Cluster__Cluster *message = reader->message;
    int32_t err = 0;

    if (message->common_lb_config) {
        reading_enter(&reader->reading, "common_lb_config");
        err = read_common(reader, message->common_lb_config);
        reading_leave(&reader->reading);
    }
    if (err)
        return err;
    if (!message->load_balancing_policy)
        return read_lb_policy(reader);
    reading_enter(&reader->reading, "load_balancing_policy");
    err = cluster_balance_take_list(reader, message->load_balancing_policy, 1);
    reading_leave(&reader->reading);
    return err;
}
