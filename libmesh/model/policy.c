/* SPDX-License-Identifier: Apache-2.0 */
/* The names of what policies are made of. */
#include "model/model.h"

#include <string.h>

static const struct {
    uint32_t bit;
    const char *name;
} conditions[] = {
    { RETRY_CONNECT_FAILURE, "connect-failure" },
    { RETRY_REFUSED_STREAM, "refused-stream" },
    { RETRY_RESET, "reset" },
    { RETRY_GATEWAY_ERROR, "gateway-error" },
    { RETRY_5XX, "5xx" },
    { RETRY_TIMEOUT, "per-try-timeout" },
    { RETRY_RETRIABLE_4XX, "retriable-4xx" },
    { RETRY_RESET_BEFORE_REQUEST, "reset-before-request" },
    { RETRY_STATUS_CODES, "retriable-status-codes" },
    { RETRY_RATELIMITED, "envoy-ratelimited" },
    { RETRY_GRPC_CANCELLED, "cancelled" },
    { RETRY_GRPC_DEADLINE_EXCEEDED, "deadline-exceeded" },
    { RETRY_GRPC_INTERNAL, "internal" },
    { RETRY_GRPC_RESOURCE_EXHAUSTED, "resource-exhausted" },
    { RETRY_GRPC_UNAVAILABLE, "unavailable" },
};

const char *policy_retry_name(uint32_t bit)
{
    for (size_t i = 0; i < COUNT_OF(conditions); i++)
        if (conditions[i].bit == bit)
            return conditions[i].name;
    return NULL;
}

bool policy_retry_parse(const char *name, size_t len, uint32_t *bit)
{
    for (size_t i = 0; i < COUNT_OF(conditions); i++) {
        if (text_equal_nocase_n(name, len, conditions[i].name, strlen(conditions[i].name))) {
            *bit = conditions[i].bit;
            return true;
        }
    }
    return false;
}

bool policy_has_status(const struct policy_statuses *statuses, int status)
{
    for (uint32_t i = 0; i < statuses->n; i++)
        if (statuses->codes[i] == status)
            return true;
    return false;
}

static const char *const criticalities[] = { "critical-plus", "critical", "sheddable-plus", "sheddable" };

const char *policy_criticality_name(enum policy_criticality criticality)
{
    return criticalities[criticality];
}

bool policy_criticality_parse(const char *name, enum policy_criticality *out)
{
    for (size_t i = 0; i < COUNT_OF(criticalities); i++) {
        if (text_equal_nocase(name, criticalities[i])) {
            *out = (enum policy_criticality) i;
            return true;
        }
    }
    return false;
}
