/* SPDX-License-Identifier: Apache-2.0 */
/* Durations, percentages and wrapped numbers of a resource, checked; and what an Any holds. */
#include "source/xds/scalars.h"

#include <inttypes.h>
#include <string.h>

#define SECONDS_MOST INT64_C(315576000000) /* as Duration's own description limits it */

enum { NANOS_MOST = 999999999, NS_PER_US = 1000 };

int32_t scalar_us(struct reading *reading, const char *field, const Pb__Duration *duration, uint64_t *us)
{
    if (!duration)
        return 0;
    if (duration->seconds < 0 || duration->seconds > SECONDS_MOST || duration->nanos < 0 ||
        duration->nanos > NANOS_MOST)
        return reading_wrong_at(reading, field,
                                "%" PRId64 " s and %" PRId32 " ns is no duration from 0 to 10,000 years",
                                duration->seconds, duration->nanos);
    *us = (uint64_t) duration->seconds * US_PER_S + ((uint64_t) duration->nanos + NS_PER_US - 1) / NS_PER_US;
    return 0;
}

int32_t scalar_ms(struct reading *reading, const char *field, const Pb__Duration *duration, uint32_t least,
                  uint32_t *ms)
{
    uint64_t us = 0, whole;
    int32_t err = scalar_us(reading, field, duration, &us);

    if (err || !duration)
        return err;
    whole = (us + US_PER_MS - 1) / US_PER_MS;
    if (whole < least)
        return reading_wrong_at(reading, field, "%" PRIu64 " us is less than %" PRIu32 " ms", us, least);
    *ms = whole < UINT32_MAX ? (uint32_t) whole : UINT32_MAX;
    return 0;
}

int32_t scalar_u64(struct reading *reading, const char *field, const Pb__UInt64Value *number, uint64_t least,
                   uint64_t most, uint64_t *out)
{
    if (!number)
        return 0;
    if (number->value < least || number->value > most)
        return reading_wrong_at(reading, field, "%" PRIu64 " is not from %" PRIu64 " to %" PRIu64, number->value, least,
                                most);
    *out = number->value;
    return 0;
}

int32_t scalar_u32(struct reading *reading, const char *field, const Pb__UInt32Value *number, uint32_t least,
                   uint32_t most, uint32_t *out)
{
    if (!number)
        return 0;
    if (number->value < least || number->value > most)
        return reading_wrong_at(reading, field, "%" PRIu32 " is not from %" PRIu32 " to %" PRIu32, number->value, least,
                                most);
    *out = number->value;
    return 0;
}

int32_t scalar_percent(struct reading *reading, const char *field, const Type__Percent *percent, uint32_t *out)
{
    if (!percent)
        return 0;
    if (!(percent->value >= 0 && percent->value <= 100)) /* also what is no number */
        return reading_wrong_at(reading, field, "%g is no percentage from 0 to 100", percent->value);
    *out = (uint32_t) (percent->value + 0.5);
    return 0;
}

bool scalar_any_is(const Pb__Any *any, const char *name)
{
    const char *slash = any ? strrchr(any->type_url, '/') : NULL;

    return any && strcmp(slash ? slash + 1 : any->type_url, name) == 0;
}
