/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in many resources and means the same in all: shares of requests, JSON, messages of another type. Pure, but for
 * files and variables of values_data(). Private to source/xds/. */
#ifndef SOURCE_XDS_VALUES_H
#define SOURCE_XDS_VALUES_H

#include "model/model.h"
#include "proto/core.pb-c.h"
#include "proto/protobuf.pb-c.h"
#include "proto/type.pb-c.h"
#include "source/xds/reading.h"

/* NULL: none of it. A numerator beyond the denominator is all of it. Refused: a denominator that does not exist. */
int32_t values_fraction(struct reading *reading, const char *field, const Type__FractionalPercent *fraction,
                        struct route_fraction *out);
/* There is no runtime: its default holds, and must be there. NULL leaves *out as it is. */
int32_t values_runtime_fraction(struct reading *reading, const char *field,
                                const Core__RuntimeFractionalPercent *fraction, struct route_fraction *out);

/* A field of that number is there, and not known. */
bool values_has_unknown(const ProtobufCMessage *message, uint32_t number);
/* Scanned and unpacked; unknown fields are listed. *out: wire_free(). */
int32_t values_unpack(struct reading *reading, const Pb__Any *any, const ProtobufCMessageDescriptor *type,
                      ProtobufCMessage **out);

/* The same text for the same value: members sorted, no space, numbers without a fraction as integers. From mem_alloc(); NULL:
 * out of memory. */
char *values_json(const Pb__Value *value);
char *values_json_object(const Pb__Struct *object);

/* What a source of data holds, NULL: nothing. A file or a variable is read now, and has no NUL. Refused: more than `most` bytes. */
int32_t values_data(struct reading *reading, const Core__DataSource *source, size_t most, struct buf *out);

#endif
