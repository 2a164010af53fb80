/* SPDX-License-Identifier: Apache-2.0 */
/* The policies that a load_balancing_policy may name: the first one that is known holds. */
#include "source/xds/cluster_balance.h"

#include "proto/client_side_weighted_round_robin.pb-c.h"
#include "proto/least_request.pb-c.h"
#include "proto/maglev.pb-c.h"
#include "proto/pick_first.pb-c.h"
#include "proto/random.pb-c.h"
#include "proto/ring_hash.pb-c.h"
#include "proto/round_robin.pb-c.h"
#include "proto/wrr_locality.pb-c.h"

#define POLICIES "envoy.extensions.load_balancing_policies."

enum { LOAD_UPDATE_LEAST_MS = 100, LOAD_PENALTY_MOST = 10000, NESTED_MOST = 16 };

/* ---- what policies share ---- */

static int32_t read_common_slow_start(struct cluster_reader *reader, const LbCommon__SlowStartConfig *slow)
{
    if (!slow)
        return 0;
    return cluster_balance_read_slow_start(
        reader, (struct cluster_slow_start){ slow->slow_start_window, slow->aggression, slow->min_weight_percent });
}

static int32_t read_locality(struct cluster_reader *reader, const LbCommon__LocalityLbConfig *locality)
{
    int32_t err = 0;

    if (!locality)
        return 0;
    reading_enter(&reader->reading, "locality_lb_config");
    switch (locality->locality_config_specifier_case) {
    case LB_COMMON__LOCALITY_LB_CONFIG__LOCALITY_CONFIG_SPECIFIER_ZONE_AWARE_LB_CONFIG:
        err = cluster_balance_read_zone_aware(reader, locality->zone_aware_lb_config->routing_enabled);
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

static int32_t read_hashing(struct cluster_reader *reader, const LbCommon__ConsistentHashingLbConfig *hashing)
{
    int32_t err;

    if (!hashing)
        return 0;
    reading_enter(&reader->reading, "consistent_hashing_lb_config");
    err = cluster_balance_read_hashing(reader, hashing->use_hostname_for_hashing, hashing->hash_balance_factor);
    reading_leave(&reader->reading);
    return err;
}

/* ---- one each ---- */

static int32_t take_round_robin(struct cluster_reader *reader, const ProtobufCMessage *message)
{
    const RoundRobin__RoundRobin *config = (const RoundRobin__RoundRobin *) message;
    int32_t err = read_common_slow_start(reader, config->slow_start_config);

    cluster_balance_choose(reader, "round_robin");
    return err ? err : read_locality(reader, config->locality_lb_config);
}

static int32_t take_least_request(struct cluster_reader *reader, const ProtobufCMessage *message)
{
    const LeastRequest__LeastRequest *config = (const LeastRequest__LeastRequest *) message;
    int32_t err = cluster_balance_read_choices(reader, config->choice_count, config->active_request_bias);

    cluster_balance_choose(reader, "least_request");
    if (!err)
        err = read_common_slow_start(reader, config->slow_start_config);
    return err ? err : read_locality(reader, config->locality_lb_config);
}

static int32_t take_random(struct cluster_reader *reader, const ProtobufCMessage *message)
{
    cluster_balance_choose(reader, "random");
    return read_locality(reader, ((const Random__Random *) message)->locality_lb_config);
}

static int32_t take_ring_hash(struct cluster_reader *reader, const ProtobufCMessage *message)
{
    const RingHash__RingHash *config = (const RingHash__RingHash *) message;
    int32_t err =
        cluster_balance_read_ring(reader, config->minimum_ring_size, config->maximum_ring_size,
                                  config->hash_function == RING_HASH__RING_HASH__HASH_FUNCTION__MURMUR_HASH_2);

    cluster_balance_choose(reader, "ring_hash");
    if (config->locality_weighted_lb_config)
        reader->policy->spill.weighted = true;
    if (!err)
        err = cluster_balance_read_hashing(reader, config->use_hostname_for_hashing, config->hash_balance_factor);
    return err ? err : read_hashing(reader, config->consistent_hashing_lb_config);
}

static int32_t take_maglev(struct cluster_reader *reader, const ProtobufCMessage *message)
{
    const Maglev__Maglev *config = (const Maglev__Maglev *) message;
    int32_t err = cluster_balance_read_table(reader, config->table_size);

    cluster_balance_choose(reader, "maglev");
    if (config->locality_weighted_lb_config)
        reader->policy->spill.weighted = true;
    return err ? err : read_hashing(reader, config->consistent_hashing_lb_config);
}

static int32_t take_pick_first(struct cluster_reader *reader, const ProtobufCMessage *message)
{
    cluster_balance_choose(reader, "pick_first");
    reader->policy->shuffle = ((const PickFirst__PickFirst *) message)->shuffle_address_list;
    return 0;
}

static int32_t read_load_times(struct cluster_reader *reader,
                               const WeightedRoundRobin__ClientSideWeightedRoundRobin *config)
{
    struct policy_load *load = &reader->policy->load;
    uint32_t update_ms = load->update_ms;
    int32_t err = scalar_ms(&reader->reading, "blackout_period", config->blackout_period, 0, &load->blackout_ms);

    if (!err)
        err = scalar_ms(&reader->reading, "weight_expiration_period", config->weight_expiration_period, 1,
                        &load->expiration_ms);
    if (!err)
        err = scalar_ms(&reader->reading, "weight_update_period", config->weight_update_period, 0, &update_ms);
    load->update_ms = update_ms > LOAD_UPDATE_LEAST_MS ? update_ms : LOAD_UPDATE_LEAST_MS;
    return err;
}

static int32_t read_penalty(struct cluster_reader *reader, const Pb__FloatValue *penalty)
{
    if (!penalty)
        return 0;
    if (!(penalty->value >= 0 && penalty->value <= LOAD_PENALTY_MOST)) /* also what is no number */
        return reading_wrong_at(&reader->reading, "error_utilization_penalty", "%g is not from 0 to %d",
                                (double) penalty->value, LOAD_PENALTY_MOST);
    reader->policy->load.penalty_percent = (uint32_t) (penalty->value * 100 + 0.5F);
    return 0;
}

/* "a,b": names have no commas in them that an endpoint could report. */
static int32_t keep_metrics(struct cluster_reader *reader,
                            const WeightedRoundRobin__ClientSideWeightedRoundRobin *config)
{
    struct buf *text = &reader->metrics;
    size_t n = config->n_metric_names_for_computing_utilization;

    buf_clear(text);
    for (size_t i = 0; i < n; i++)
        if (!buf_printf(text, "%s%s", i ? "," : "", config->metric_names_for_computing_utilization[i]))
            return reading_no_memory(&reader->reading);
    if (n > 0 && !buf_append(text, "", 1))
        return reading_no_memory(&reader->reading);
    reader->policy->load.metrics = n > 0 ? (const char *) buf_bytes(text) : NULL;
    return 0;
}

static int32_t take_weighted(struct cluster_reader *reader, const ProtobufCMessage *message)
{
    const WeightedRoundRobin__ClientSideWeightedRoundRobin *config =
        (const WeightedRoundRobin__ClientSideWeightedRoundRobin *) message;
    int32_t err = read_load_times(reader, config);

    cluster_balance_choose(reader, "weighted_round_robin");
    if (!err)
        err = read_penalty(reader, config->error_utilization_penalty);
    if (!err)
        err = keep_metrics(reader, config);
    if (!err)
        err = read_common_slow_start(reader, config->slow_start_config);
    if (config->enable_oob_load_report && config->enable_oob_load_report->value)
        reading_ignored_at(&reader->reading, "enable_oob_load_report", "reports are taken from answers");
    return err;
}

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
    { POLICIES "pick_first.v3.PickFirst", &pick_first__pick_first__descriptor, take_pick_first },
    { POLICIES "client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin",
      &weighted_round_robin__client_side_weighted_round_robin__descriptor, take_weighted },
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
    err = config->endpoint_picking_policy
              ? cluster_balance_take_list(reader, config->endpoint_picking_policy, depth + 1)
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

int32_t cluster_balance_take_list(struct cluster_reader *reader, const Cluster__LoadBalancingPolicy *list,
                                  unsigned depth)
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
