/* SPDX-License-Identifier: Apache-2.0 */
/* A token bucket in one word, after the generic cell rate algorithm (ITU-T I.371, virtual scheduling). Pure: time is an argument.
 * Shared by all loops of a client: one compare-and-swap a request, no lock, nothing that refills it. */
#ifndef CLUSTER_RATE_LIMIT_H
#define CLUSTER_RATE_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/model.h"

/* Zeroed: a full bucket. */
struct rate_limit {
    _Atomic uint64_t full_again; /* when it will be, in sixteenths of a nanosecond: 36 years of uptime */
};

/* Takes a token; false: there is none, and nothing has changed. Where per_second is 0 there is always one. */
bool rate_limit_take(struct rate_limit *limit, const struct policy_rate_limit *policy, uint64_t now_us);
/* The same of a bucket of `most` tokens that gets `per_fill` more each fill_us, evenly; neither is 0. */
bool rate_limit_take_of(struct rate_limit *limit, uint32_t most, uint32_t per_fill, uint64_t fill_us, uint64_t now_us);
bool rate_limit_is_full(const struct rate_limit *limit, uint64_t now_us);
/* Gives back what was taken for a request that was not sent. */
void rate_limit_give_back(struct rate_limit *limit, const struct policy_rate_limit *policy);
/* The policy has changed: a debt by the old one is no greater than an empty bucket of the new one. Not done at each token, since
 * loops whose time differs a little would forgive each other's debts. */
void rate_limit_adopt(struct rate_limit *limit, const struct policy_rate_limit *policy, uint64_t now_us);
/* Tokens of a full bucket. */
uint32_t rate_limit_burst(const struct policy_rate_limit *policy);

#endif
