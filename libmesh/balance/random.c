/* SPDX-License-Identifier: Apache-2.0 */
/* One endpoint at random, by weight. */
#include "balance/balance.h"

static struct balancer self = { &balance_random };

static struct balancer *make(const struct balance_conf *conf)
{
    (void) conf;
    return &self;
}

static void drop(struct balancer *balancer)
{
    (void) balancer;
}

static size_t pick(struct balancer *balancer, const struct balance_view *view, const struct balance_hint *hint,
                   struct rand *dice)
{
    (void) balancer, (void) hint;
    return balance_view_sample(view, dice);
}

const struct balance_ops balance_random = { "random", false, make, NULL, pick, drop, NULL, false };
