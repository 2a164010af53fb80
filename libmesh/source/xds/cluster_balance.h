/* SPDX-License-Identifier: Apache-2.0 */
/* What the two ways of naming a balancing policy share. Private to source/xds/cluster*.c. */
#ifndef SOURCE_XDS_CLUSTER_BALANCE_H
#define SOURCE_XDS_CLUSTER_BALANCE_H

#include "source/xds/cluster_reader.h"

/* Unless whoever operates the client has chosen one, who has the last word. */
void cluster_balance_choose(struct cluster_reader *reader, const char *name);

struct cluster_slow_start {
    const Pb__Duration *window;
    const Core__RuntimeDouble *aggression;
    const Type__Percent *least;
};
int32_t cluster_balance_read_slow_start(struct cluster_reader *reader, struct cluster_slow_start slow);
int32_t cluster_balance_read_zone_aware(struct cluster_reader *reader, const Type__Percent *enabled);
int32_t cluster_balance_read_hashing(struct cluster_reader *reader, bool by_hostname, const Pb__UInt32Value *factor);

/* Numbers of one policy each. */
int32_t cluster_balance_read_choices(struct cluster_reader *reader, const Pb__UInt32Value *choices,
                                     const Core__RuntimeDouble *bias);
int32_t cluster_balance_read_ring(struct cluster_reader *reader, const Pb__UInt64Value *least,
                                  const Pb__UInt64Value *most, bool other_hash);
int32_t cluster_balance_read_table(struct cluster_reader *reader, const Pb__UInt64Value *size);

/* cluster_policies.c. `depth`: of lists in each other, the outermost is 1. */
int32_t cluster_balance_take_list(struct cluster_reader *reader, const Cluster__LoadBalancingPolicy *list,
                                  unsigned depth);

#endif
