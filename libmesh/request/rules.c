/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing between route and cluster. */
#include "request/rules.h"

static const struct route_rules no_rules;

/* A gRPC call's own time, up to the most; DEADLINE_NONE: it does not count. */
static uint64_t grpc_time(const struct route_rules *route, const struct deadline_asked *asked)
{
    uint64_t asked_us = route->has_grpc_max ? deadline_grpc_us(asked) : DEADLINE_NONE;

    if (asked_us == DEADLINE_NONE)
        return DEADLINE_NONE;
    return route->grpc_max_us && route->grpc_max_us < asked_us ? route->grpc_max_us : asked_us;
}

static uint64_t choose_timeout(const struct policy *policy, const struct route_rules *route, uint64_t grpc_us)
{
    if (grpc_us != DEADLINE_NONE)
        return grpc_us;
    return route->has_timeout ? route->timeout_us : policy->timeout_ms * US_PER_MS;
}

static uint64_t choose_idle(const struct policy *policy, const struct model_routes *routes,
                            const struct route_rules *route)
{
    if (route->has_idle)
        return route->idle_us;
    return routes && routes->idle_us != UINT64_MAX ? routes->idle_us : policy->stream_idle_ms * US_PER_MS;
}

static struct rules rules_of_route(const struct policy *policy, const struct model_routes *routes,
                                   const struct route_rules *rules, const struct deadline_asked *asked)
{
    uint64_t grpc_us = grpc_time(rules, asked);

    return (struct rules){
        .retry = rules->retry ? rules->retry : &policy->retry,
        .route = rules,
        .is_obeyed = rules->retry != NULL,
        .hedges_late = policy->hedge.on_per_try_timeout || rules->hedge_on_per_try_timeout,
        .timeout_us = choose_timeout(policy, rules, grpc_us),
        .stream_us = grpc_us != DEADLINE_NONE ? grpc_us : rules->stream_us,
        .idle_us = choose_idle(policy, routes, rules),
    };
}

struct rules rules_choose(const struct policy *policy, const struct model_routes *routes, const struct route *route,
                          const struct deadline_asked *asked)
{
    if (route)
        return rules_of_route(policy, routes, &route->rules, asked);
    return (struct rules){
        .retry = &policy->retry,
        .route = &no_rules,
        .hedges_late = policy->hedge.on_per_try_timeout,
        .timeout_us = policy->timeout_ms * US_PER_MS,
        .idle_us = policy->stream_idle_ms * US_PER_MS,
    };
}
