/* SPDX-License-Identifier: Apache-2.0 */
/* A walk over the fields of one message, as they stand, for whoever cannot afford to unpack it. Pure. Private to source/xds/. */
#ifndef SOURCE_XDS_WIRE_FIELDS_H
#define SOURCE_XDS_WIRE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wire_kind { WIRE_NUMBER, WIRE_EIGHT_BYTES, WIRE_RUN, WIRE_FOUR_BYTES };

struct wire_fields {
    const uint8_t *at, *end;
};

/* `bytes` may be NULL if there are none. */
static inline struct wire_fields wire_fields_of(const uint8_t *bytes, size_t len)
{
    return (struct wire_fields){ bytes, len > 0 ? bytes + len : bytes };
}

struct wire_field {
    uint32_t number;
    enum wire_kind kind;
    uint64_t value;       /* of WIRE_NUMBER */
    const uint8_t *bytes; /* of all others */
    size_t len;
};

enum wire_step { WIRE_FIELD, WIRE_END, WIRE_BROKEN };

/* WIRE_BROKEN: what follows is no field, a group, or longer than the message. */
enum wire_step wire_next(struct wire_fields *fields, struct wire_field *out);

#endif
