/* SPDX-License-Identifier: Apache-2.0 */
/* A load report on protobuf's wire (proto/orca.proto): a dozen fields, on the way of answers, without unpacking. */
#include <string.h>

#include "base/base.h"
#include "cluster/orca_reader.h"

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct cursor {
    const uint8_t *at, *end;
};

/* One field: its number, and what stands in it by its kind. */
struct field {
    uint32_t number;
    enum wire kind;
    double real;           /* WIRE_FIXED64 */
    struct cursor content; /* WIRE_BYTES */
};

static bool take_varint(struct cursor *cursor, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && cursor->at < cursor->end; shift += 7) {
        uint8_t byte = *cursor->at++;

        *out |= (uint64_t) (byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

static bool pass(struct cursor *cursor, uint64_t len)
{
    if (len > (uint64_t) (cursor->end - cursor->at))
        return false;
    cursor->at += len;
    return true;
}

static bool take_real(struct cursor *cursor, double *out)
{
    uint64_t bits = 0;

    if (cursor->end - cursor->at < (ptrdiff_t) sizeof bits)
        return false;
    for (size_t i = sizeof bits; i-- > 0;)
        bits = bits << 8 | cursor->at[i];
    memcpy(out, &bits, sizeof bits);
    cursor->at += sizeof bits;
    return true;
}

static bool take_bytes(struct cursor *cursor, struct cursor *out)
{
    uint64_t len;

    if (!take_varint(cursor, &len))
        return false;
    out->at = cursor->at;
    if (!pass(cursor, len))
        return false;
    out->end = cursor->at;
    return true;
}

static bool take_field(struct cursor *cursor, struct field *field)
{
    uint64_t tag, ignored;

    if (!take_varint(cursor, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX)
        return false;
    field->number = (uint32_t) (tag >> 3);
    field->kind = (enum wire)(tag & 7);
    switch (field->kind) {
    case WIRE_VARINT:
        return take_varint(cursor, &ignored);
    case WIRE_FIXED64:
        return take_real(cursor, &field->real);
    case WIRE_BYTES:
        return take_bytes(cursor, &field->content);
    case WIRE_FIXED32:
        return pass(cursor, sizeof(uint32_t));
    }
    return false;
}

/* An entry of a map: a text, and a number that is 0 when it is not there. */
static bool take_entry(struct orca_reader *reader, const char *map, struct cursor content)
{
    struct cursor key = { content.at, content.at };
    struct field field;
    double value = 0;

    while (content.at < content.end) {
        if (!take_field(&content, &field))
            return false;
        if (field.number == 1 && field.kind == WIRE_BYTES)
            key = field.content;
        else if (field.number == 2 && field.kind == WIRE_FIXED64)
            value = field.real;
    }
    return orca_take(reader, map, (const char *) key.at, (size_t) (key.end - key.at), value);
}

static const struct {
    uint32_t number;
    const char *name; /* of a number */
    const char *map;
} known[] = {
    { 1, "cpu_utilization", NULL }, { 2, "mem_utilization", NULL },         { 4, NULL, "request_cost" },
    { 5, NULL, "utilization" },     { 6, "rps_fractional", NULL },          { 7, "eps", NULL },
    { 8, NULL, "named_metrics" },   { 9, "application_utilization", NULL },
};

static bool take_known(struct orca_reader *reader, const struct field *field)
{
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (known[i].number != field->number)
            continue;
        if (known[i].map && field->kind == WIRE_BYTES)
            return take_entry(reader, known[i].map, field->content);
        if (known[i].name && field->kind == WIRE_FIXED64)
            return orca_take(reader, NULL, known[i].name, strlen(known[i].name), field->real);
        return false;
    }
    return true;
}

bool orca_read_message(struct orca_reader *reader, const uint8_t *bytes, size_t len)
{
    struct cursor cursor = { bytes, bytes + len };
    struct field field = { 0 };

    while (cursor.at < cursor.end)
        if (!take_field(&cursor, &field) || !take_known(reader, &field))
            return false;
    return true;
}
