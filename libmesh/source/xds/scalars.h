/* SPDX-License-Identifier: Apache-2.0 */
/* Durations, percentages and wrapped numbers of a resource, checked; and what an Any holds. Pure. Private to source/xds/. */
#ifndef SOURCE_XDS_SCALARS_H
#define SOURCE_XDS_SCALARS_H

#include "proto/protobuf.pb-c.h"
#include "proto/type.pb-c.h"
#include "source/xds/reading.h"

/* `field` is added to the path of a complaint. What is absent (NULL) leaves the result as it is. */

/* Negative ones, and nanos that are out of range, are refused; longer than 10,000 years is refused, too. */
int32_t scalar_us(struct reading *reading, const char *field, const Pb__Duration *duration, uint64_t *us);
/* In whole milliseconds, rounded up, at most UINT32_MAX; `least` or more. */
int32_t scalar_ms(struct reading *reading, const char *field, const Pb__Duration *duration, uint32_t least,
                  uint32_t *ms);
/* From `least` to `most`. */
int32_t scalar_u32(struct reading *reading, const char *field, const Pb__UInt32Value *number, uint32_t least,
                   uint32_t most, uint32_t *out);
int32_t scalar_u64(struct reading *reading, const char *field, const Pb__UInt64Value *number, uint64_t least,
                   uint64_t most, uint64_t *out);
/* 0 to 100, rounded to whole ones. */
int32_t scalar_percent(struct reading *reading, const char *field, const Type__Percent *percent, uint32_t *out);

/* Whether `any` holds messages of that full name: what stands behind the last slash of its type_url. NULL holds nothing. */
bool scalar_any_is(const Pb__Any *any, const char *name);

#endif
