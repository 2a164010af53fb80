/* SPDX-License-Identifier: Apache-2.0 */
/* The names of retry conditions. */
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
