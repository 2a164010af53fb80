/* SPDX-License-Identifier: Apache-2.0 */
/* TimeoutValue TimeoutUnit, "PROTOCOL-HTTP2.md" of gRPC. */
#include "grpc/timeout.h"

#include <string.h>

#include "base/base.h"

enum { MOST_DIGITS = 8, MOST = 99999999 };

/* From fine to coarse. */
static const struct {
    char unit;
    uint64_t us; /* 0: a nanosecond */
} units[] = {
    { 'n', 0 }, { 'u', 1 }, { 'm', US_PER_MS }, { 'S', US_PER_S }, { 'M', 60 * US_PER_S }, { 'H', 3600 * US_PER_S },
};

bool grpc_timeout_read(const char *text, size_t len, uint64_t *us)
{
    uint64_t number;

    if (len < 2 || len > MOST_DIGITS + 1 || !text_to_u64(text, len - 1, &number))
        return false;
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (units[i].unit != text[len - 1])
            continue;
        *us = units[i].us ? number * units[i].us : number / 1000;
        return true;
    }
    return false;
}

void grpc_timeout_write(uint64_t us, char out[GRPC_TIMEOUT_TEXT])
{
    char digits[TEXT_U64];
    size_t at = 1, len;

    while (at + 1 < COUNT_OF(units) && us / units[at].us > MOST)
        at++;
    us /= units[at].us;
    len = text_from_u64(us == 0 ? 1 : us < MOST ? us : MOST, digits);
    memcpy(out, digits, len);
    out[len] = units[at].unit;
    out[len + 1] = '\0';
}
