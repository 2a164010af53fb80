/* SPDX-License-Identifier: Apache-2.0 */
/* Dealing out faults. What headers ask for counts where the fault says so, and never with more than its own probability. */
#include "request/faults.h"

#include <stdatomic.h>
#include <string.h>

#define MOST_DELAY_MS (UINT64_C(1) << 40)

/* ---- headers ---- */

static const char *find(const struct route_request *request, const char *name)
{
    for (size_t i = 0; i < request->n_headers; i++)
        if (text_equal_nocase(request->headers[i].name, name))
            return request->headers[i].value;
    return NULL;
}

static bool find_number(const struct route_request *request, const char *name, uint64_t most, uint64_t *out)
{
    const char *value = find(request, name);

    return value && text_to_u64(value, strlen(value), out) && *out <= most;
}

static struct route_fraction lowered(struct route_fraction fraction, const struct route_request *request,
                                     const char *name)
{
    uint64_t asked;

    if (find_number(request, name, UINT32_MAX, &asked) && asked < fraction.numerator)
        fraction.numerator = (uint32_t) asked;
    return fraction;
}

/* ---- one fault ---- */

static bool is_met(const struct route_fault *fault, const struct route_request *request, const char *cluster)
{
    if (fault->cluster && (!cluster || strcmp(fault->cluster, cluster) != 0))
        return false;
    for (size_t i = 0; i < fault->n_headers; i++)
        if (!route_header_matches(&fault->headers[i], request, request->headers, request->n_headers))
            return false;
    return true;
}

static uint64_t deal_delay(const struct route_fault *fault, const struct route_request *request, struct rand *dice)
{
    struct route_fraction fraction = fault->delay_fraction;
    uint64_t delay_us = fault->delay_us, ms;

    if (!fault->has_delay)
        return 0;
    if (fault->delay_by_header) {
        if (!find_number(request, "x-envoy-fault-delay-request", MOST_DELAY_MS, &ms))
            return 0;
        delay_us = ms * US_PER_MS;
        fraction = lowered(fraction, request, "x-envoy-fault-delay-request-percentage");
    }
    return route_fraction_hits(&fraction, rand_u64(dice)) ? delay_us : 0;
}

/* False: the headers ask for none. */
static bool read_abort(const struct route_request *request, struct faults_dealt *out)
{
    uint64_t status;

    if (find_number(request, "x-envoy-fault-abort-request", 599, &status) && status >= 200) {
        out->status = (uint16_t) status;
        return true;
    }
    if (!find_number(request, "x-envoy-fault-abort-grpc-request", UINT32_MAX, &status))
        return false;
    out->status = 0;
    out->grpc_status = (uint32_t) status;
    return true;
}

static bool deal_abort(const struct route_fault *fault, const struct route_request *request, struct rand *dice,
                       struct faults_dealt *out)
{
    struct route_fraction fraction = fault->abort_fraction;

    if (!fault->has_abort)
        return false;
    out->status = fault->abort_status;
    out->grpc_status = fault->abort_grpc;
    if (fault->abort_by_header) {
        if (!read_abort(request, out))
            return false;
        fraction = lowered(fraction, request, "x-envoy-fault-abort-request-percentage");
    }
    return route_fraction_hits(&fraction, rand_u64(dice));
}

/* False: as many as may be are active already. */
static bool count(struct route_fault *fault)
{
    if (atomic_fetch_add_explicit(&fault->active, 1, memory_order_relaxed) < fault->most_active)
        return true;
    atomic_fetch_sub_explicit(&fault->active, 1, memory_order_relaxed);
    return false;
}

/* ---- all of them ---- */

void faults_deal(const struct route_rules *rules, const struct route_request *request, const char *cluster,
                 struct rand *dice, struct faults_dealt *out)
{
    *out = (struct faults_dealt){ 0 };
    for (size_t i = 0; i < rules->n_faults && i < FAULTS_MOST && !out->aborts; i++) {
        struct route_fault *fault = &rules->faults[i];
        uint64_t delay_us;
        bool aborts;

        if (!is_met(fault, request, cluster))
            continue;
        delay_us = deal_delay(fault, request, dice);
        aborts = deal_abort(fault, request, dice, out);
        if ((delay_us == 0 && !aborts) || !count(fault))
            continue;
        out->counted |= UINT32_C(1) << i;
        out->delay_us += delay_us;
        out->aborts = aborts;
    }
}

void faults_end(const struct route_rules *rules, uint32_t counted)
{
    for (size_t i = 0; i < rules->n_faults && i < FAULTS_MOST; i++)
        if (counted & UINT32_C(1) << i)
            atomic_fetch_sub_explicit(&rules->faults[i].active, 1, memory_order_relaxed);
}
