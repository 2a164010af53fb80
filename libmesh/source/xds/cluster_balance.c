/* SPDX-License-Identifier: Apache-2.0 */
/* How endpoints and localities are chosen: load_balancing_policy, or the older lb_policy with its configuration. */
#include "source/xds/cluster_reader.h"

#include <inttypes.h>

#include "proto/client_side_weighted_round_robin.pb-c.h"
#include "proto/least_request.pb-c.h"
#include "proto/maglev.pb-c.h"
#include "proto/pick_first.pb-c.h"
#include "proto/random.pb-c.h"
#include "proto/ring_hash.pb-c.h"
#include "proto/round_robin.pb-c.h"
#include "proto/wrr_locality.pb-c.h"
#include "source/conf.h"

#define POLICIES "envoy.extensions.load_balancing_policies."

enum { RING_MOST = 8388608, MAGLEV_SIZE = 65537, MAGLEV_MOST = 5000011, CHOICES = 2, NESTED_MOST = 16 };

/* Whoever operates the client has the last word. */
static void choose(struct cluster_reader *reader, const char *name)
{
    const char *service = reader->env->service ? reader->env->service : "";

    if (!conf_value(reader->env->conf, service, KEY_BALANCE_POLICY))
        reader->policy->balance = name;
}

/* ---- what policies share ---- */

struct slow_start {
    const Pb__Duration *window;
    const Core__RuntimeDouble *aggression;
    const Type__Percent *least;
};

static int32_t read_slow_start(struct cluster_reader *reader, struct slow_start slow)
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
    return read_slow_start(reader,
                           (struct slow_start){ slow->slow_start_window, slow->aggression, slow->min_weight_percent });
}

static int32_t read_common_slow_start(struct cluster_reader *reader, const LbCommon__SlowStartConfig *slow)
{
    if (!slow)
        return 0;
    return read_slow_start(reader,
                           (struct slow_start){ slow->slow_start_window, slow->aggression, slow->min_weight_percent });
}

static int32_t read_zone_aware(struct cluster_reader *reader, const Type__Percent *enabled)
{
    uint32_t percent = 100;
    int32_t err = scalar_percent(&reader->reading, "zone_aware_lb_config.routing_enabled", enabled, &percent);

    if (!err && percent == 0)
        reader->policy->spill.zones = false;
    if (!err && percent > 0 && percent < 100)
        reading_ignored_at(&reader->reading, "zone_aware_lb_config.routing_enabled", "is 100: all requests");
    return err;
}

static int32_t read_locality(struct cluster_reader *reader, const LbCommon__LocalityLbConfig *locality)
{
    int32_t err = 0;

    if (!locality)
        return 0;
    reading_enter(&reader->reading, "locality_lb_config");
    switch (locality->locality_config_specifier_case) {
    case LB_COMMON__LOCALITY_LB_CONFIG__LOCALITY_CONFIG_SPECIFIER_ZONE_AWARE_LB_CONFIG:
        err = read_zone_aware(reader, locality->zone_aware_lb_config->routing_enabled);
        break;
    case LB_COMMON__LOCALITY_LB_CONFIG__LOCALITY_CONFIG_SPECIFIER_LOCALITY_WEIGHTED_LB_CONFIG:
        reader->policy->spill.weighted = true;
        break;
    default:
        break;
    }
    reading_leave(&reader->reading);
    return err;
}

static void list_hashing(struct cluster_reader *reader, bool by_hostname, const Pb__UInt32Value *factor)
{
    if (by_hostname)
        reading_ignored_at(&reader->reading, "use_hostname_for_hashing", "endpoints are hashed by their addresses");
    if (factor && factor->value > 0)
        reading_ignored_at(&reader->reading, "hash_balance_factor", "no load is too much for an endpoint of a hash");
}

static int32_t read_hashing(struct cluster_reader *reader, const LbCommon__ConsistentHashingLbConfig *hashing)
{
    uint32_t factor = 0;
    int32_t err = 0;

    if (!hashing)
        return 0;
    reading_enter(&reader->reading, "consistent_hashing_lb_config");
    if (hashing->hash_balance_factor && hashing->hash_balance_factor->value > 0)
        err =
            scalar_u32(&reader->reading, "hash_balance_factor", hashing->hash_balance_factor, 100, UINT32_MAX, &factor);
    if (!err)
        list_hashing(reader, hashing->use_hostname_for_hashing, hashing->hash_balance_factor);
    reading_leave(&reader->reading);
    return err;
}

/* ---- numbers of one policy, wherever they stand ---- */

static int32_t read_choices(struct cluster_reader *reader, const Pb__UInt32Value *choices,
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

static int32_t read_ring(struct cluster_reader *reader, const Pb__UInt64Value *least, const Pb__UInt64Value *most,
                         bool other_hash)
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

static int32_t read_table(struct cluster_reader *reader, const Pb__UInt64Value *size)
{
    uint64_t n = MAGLEV_SIZE;
    int32_t err = scalar_u64(&reader->reading, "table_size", size, 1, MAGLEV_MOST, &n);

    if (!err && n != MAGLEV_SIZE)
        reading_ignored_at(&reader->reading, "table_size", "is %d", MAGLEV_SIZE);
    return err;
}

/* ---- the policies of a list ---- */

static int32_t take_round_robin(struct cluster_reader *reader, const ProtobufCMessage *message)
{
    const RoundRobin__RoundRobin *config = (const RoundRobin__RoundRobin *) message;
    int32_t err = read_common_slow_start(reader, config->slow_start_config);

    choose(reader, "round_robin");
    return err ? err : read_locality(reader, config->locality_lb_config);
}

static int32_t take_least_request(struct cluster_reader *reader, const ProtobufCMessage *message)
{
    const LeastRequest__LeastRequest *config = (const LeastRequest__LeastRequest *) message;
    int32_t err = read_choices(reader, config->choice_count, config->active_request_bias);

    choose(reader, "least_request");
    if (!err)
        err = read_common_slow_start(reader, config->slow_start_config);
    return err ? err : read_locality(reader, config->locality_lb_config);
}

static int32_t take_random(struct cluster_reader *reader, const ProtobufCMessage *message)
{
    choose(reader, "random");
    return read_locality(reader, ((const Random__Random *) message)->locality_lb_config);
}

static int32_t take_ring_hash(struct cluster_reader *reader, const ProtobufCMessage *message)
{
    const RingHash__RingHash *config = (const RingHash__RingHash *) message;
    int32_t err = read_ring(reader, config->minimum_ring_size, config->maximum_ring_size,
                            config->hash_function == RING_HASH__RING_HASH__HASH_FUNCTION__MURMUR_HASH_2);

    choose(reader, "ring_hash");
    if (config->locality_weighted_lb_config)
        reader->policy->spill.weighted = true;
    list_hashing(reader, config->use_hostname_for_hashing, config->hash_balance_factor);
    return err ? err : read_hashing(reader, config->consistent_hashing_lb_config);
}

static int32_t take_maglev(struct cluster_reader *reader, const ProtobufCMessage *message)
{
    const Maglev__Maglev *config = (const Maglev__Maglev *) message;
    int32_t err = read_table(reader, config->table_size);

    choose(reader, "maglev");
    if (config->locality_weighted_lb_config)
        reader->policy->spill.weighted = true;
    return err ? err : read_hashing(reader, config->consistent_hashing_lb_config);
}

static int32_t take_list(struct cluster_reader *reader, const Cluster__LoadBalancingPolicy *list, unsigned depth);

static const struct known {
    const char *name;
    const ProtobufCMessageDescriptor *type;
    int32_t (*take)(struct cluster_reader *reader, const ProtobufCMessage *message); /* NULL: wrr_locality */
} policies[] = {
    { POLICIES "round_robin.v3.RoundRobin", &round_robin__round_robin__descriptor, take_round_robin },
    { POLICIES "least_request.v3.LeastRequest", &least_request__least_request__descriptor, take_least_request },
    { POLICIES "random.v3.Random", &random__random__descriptor, take_random },
    { POLICIES "ring_hash.v3.RingHash", &ring_hash__ring_hash__descriptor, take_ring_hash },
    { POLICIES "maglev.v3.Maglev", &maglev__maglev__descriptor, take_maglev },
    { POLICIES "wrr_locality.v3.WrrLocality", &wrr_locality__wrr_locality__descriptor, NULL },
};

static const struct known *find_policy(const Pb__Any *any)
{
    for (size_t i = 0; any && i < COUNT_OF(policies); i++)
        if (scalar_any_is(any, policies[i].name))
            return &policies[i];
    return NULL;
}

static int32_t take_wrr_locality(struct cluster_reader *reader, const WrrLocality__WrrLocality *config, unsigned depth)
{
    int32_t err;

    reader->policy->spill.weighted = true;
    reading_enter(&reader->reading, "endpoint_picking_policy");
    err = config->endpoint_picking_policy ? take_list(reader, config->endpoint_picking_policy, depth + 1)
                                          : reading_wrong(&reader->reading, "is missing");
    reading_leave(&reader->reading);
    return err;
}

static int32_t take(struct cluster_reader *reader, const struct known *policy, const Pb__Any *any, unsigned depth)
{
    ProtobufCMessage *config;
    int32_t err = cluster_open(reader, any, policy->type, &config);

    if (err)
        return err;
    if (policy->take)
        return policy->take(reader, config);
    return take_wrr_locality(reader, (const WrrLocality__WrrLocality *) config, depth);
}

static const Pb__Any *config_of(const Cluster__LoadBalancingPolicy__Policy *policy)
{
    return policy->typed_extension_config ? policy->typed_extension_config->typed_config : NULL;
}

static int32_t take_list(struct cluster_reader *reader, const Cluster__LoadBalancingPolicy *list, unsigned depth)
{
    if (depth > NESTED_MOST)
        return reading_wrong(&reader->reading, "is nested more than %d deep", NESTED_MOST);
    for (size_t i = 0; i < list->n_policies; i++) {
        const Pb__Any *any = config_of(list->policies[i]);
        const struct known *policy = find_policy(any);
        int32_t err = 0;

        reading_enter_item(&reader->reading, "policies", i);
        if (policy)
            err = take(reader, policy, any, depth);
        else
            reading_ignored(&reader->reading, "libmesh has no policy \"%.100s\"", any ? any->type_url : "");
        reading_leave(&reader->reading);
        if (policy)
            return err;
    }
    return reading_wrong(&reader->reading, "has no policy that libmesh knows");
}

/* ---- the older way ---- */

static int32_t older_round_robin(struct cluster_reader *reader)
{
    const Cluster__Cluster *message = reader->message;

    choose(reader, "round_robin");
    if (message->lb_config_case != CLUSTER__CLUSTER__LB_CONFIG_ROUND_ROBIN_LB_CONFIG)
        return 0;
    return read_older_slow_start(reader, message->round_robin_lb_config->slow_start_config);
}

static int32_t older_least_request(struct cluster_reader *reader)
{
    const Cluster__Cluster *message = reader->message;
    const Cluster__Cluster__LeastRequestLbConfig *config = message->least_request_lb_config;
    int32_t err;

    choose(reader, "least_request");
    if (message->lb_config_case != CLUSTER__CLUSTER__LB_CONFIG_LEAST_REQUEST_LB_CONFIG)
        return 0;
    err = read_choices(reader, config->choice_count, config->active_request_bias);
    return err ? err : read_older_slow_start(reader, config->slow_start_config);
}

static int32_t older_ring_hash(struct cluster_reader *reader)
{
    const Cluster__Cluster *message = reader->message;
    const Cluster__Cluster__RingHashLbConfig *config = message->ring_hash_lb_config;

    choose(reader, "ring_hash");
    if (message->lb_config_case != CLUSTER__CLUSTER__LB_CONFIG_RING_HASH_LB_CONFIG)
        return 0;
    return read_ring(reader, config->minimum_ring_size, config->maximum_ring_size,
                     config->hash_function == CLUSTER__CLUSTER__RING_HASH_LB_CONFIG__HASH_FUNCTION__MURMUR_HASH_2);
}

static int32_t older_maglev(struct cluster_reader *reader)
{
    const Cluster__Cluster *message = reader->message;

    choose(reader, "maglev");
    if (message->lb_config_case != CLUSTER__CLUSTER__LB_CONFIG_MAGLEV_LB_CONFIG)
        return 0;
    return read_table(reader, message->maglev_lb_config->table_size);
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
        choose(reader, "random");
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
        return read_zone_aware(reader, common->zone_aware_lb_config->routing_enabled);
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
    if (hashing && !reader->message->load_balancing_policy)
        list_hashing(reader, hashing->use_hostname_for_hashing, hashing->hash_balance_factor);
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
    err = take_list(reader, message->load_balancing_policy, 1);
    reading_leave(&reader->reading);
    return err;
}
