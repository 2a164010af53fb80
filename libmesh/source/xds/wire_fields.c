/* SPDX-License-Identifier: Apache-2.0 */
/* Heads, numbers and lengths of protobuf's wire format. */
#include "source/xds/wire_fields.h"

enum { NUMBER_BYTES = 10, LENGTH_BYTES = 5 };

static bool read_number(struct wire_fields *fields, unsigned most, uint64_t *out)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < most && fields->at < fields->end; i++) {
        uint8_t byte = *fields->at++;

        value |= (uint64_t) (byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *out = value;
            return true;
        }
    }
    return false;
}

static bool take(struct wire_fields *fields, struct wire_field *out, uint64_t len)
{
    if (len > (size_t) (fields->end - fields->at))
        return false;
    out->bytes = fields->at;
    out->len = (size_t) len;
    fields->at += len;
    return true;
}

static bool read_value(struct wire_fields *fields, unsigned type, struct wire_field *out)
{
    uint64_t len;

    switch (type) {
    case 0:
        out->kind = WIRE_NUMBER;
        return read_number(fields, NUMBER_BYTES, &out->value);
    case 1:
        out->kind = WIRE_EIGHT_BYTES;
        return take(fields, out, 8);
    case 2:
        out->kind = WIRE_RUN;
        return read_number(fields, LENGTH_BYTES, &len) && take(fields, out, len);
    case 5:
        out->kind = WIRE_FOUR_BYTES;
        return take(fields, out, 4);
    default:
        return false;
    }
}

enum wire_step wire_next(struct wire_fields *fields, struct wire_field *out)
{
    uint64_t head;

    if (fields->at == fields->end)
        return WIRE_END;
    if (!read_number(fields, LENGTH_BYTES, &head) || head < 8 || head > UINT32_MAX)
        return WIRE_BROKEN;
    out->number = (uint32_t) head >> 3;
    return read_value(fields, head & 7, out) ? WIRE_FIELD : WIRE_BROKEN;
}
