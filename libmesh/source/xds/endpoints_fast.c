/* SPDX-License-Identifier: Apache-2.0 */
/* The LbEndpoint that control planes send a million times: a literal address with a port; maybe health, weight, host name, metadata. */
#include "source/xds/endpoints_making.h"
#include "source/xds/wire_fields.h"

/* A field that a message has once and that stands twice: whoever unpacks it says so. */
static bool is_first(uint32_t *seen, uint32_t number)
{
    uint32_t bit = UINT32_C(1) << number;
    bool first = (*seen & bit) == 0;

    *seen |= bit;
    return first;
}

static struct wire_fields inside(const struct wire_field *field)
{
    return (struct wire_fields){ field->bytes, field->bytes + field->len };
}

/* A message of one number. */
static bool read_wrapped(const struct wire_field *field, uint64_t *out)
{
    struct wire_fields fields = inside(field);
    struct wire_field number;

    *out = 0;
    if (field->len == 0)
        return true;
    if (wire_next(&fields, &number) != WIRE_FIELD || number.number != 1 || number.kind != WIRE_NUMBER)
        return false;
    *out = number.value;
    return fields.at == fields.end;
}

static bool read_socket_address(struct wire_fields fields, struct addr *out)
{
    const uint8_t *text = NULL;
    size_t len = 0;
    uint64_t port = 0;
    struct wire_field field;

    while (fields.at < fields.end) {
        if (wire_next(&fields, &field) != WIRE_FIELD)
            return false;
        if (field.number == 2 && field.kind == WIRE_RUN) {
            text = field.bytes;
            len = field.len;
        } else if (field.number == 3 && field.kind == WIRE_NUMBER) {
            port = field.value;
        } else if (field.number != 1 || field.kind != WIRE_NUMBER || field.value != 0) {
            return false;
        }
    }
    return text && port > 0 && port <= UINT16_MAX && addr_parse_ip(out, (const char *) text, len, (uint16_t) port);
}

static bool read_address(struct wire_fields fields, struct addr *out)
{
    struct wire_field field;

    return wire_next(&fields, &field) == WIRE_FIELD && field.number == 1 && field.kind == WIRE_RUN &&
           fields.at == fields.end && read_socket_address(inside(&field), out);
}

static bool read_endpoint(struct wire_fields fields, struct endpoint_read *out)
{
    uint32_t seen = 0;
    struct wire_field field;

    while (fields.at < fields.end) {
        if (wire_next(&fields, &field) != WIRE_FIELD || field.kind != WIRE_RUN)
            return false;
        if (field.number == 1 && is_first(&seen, 1)) {
            if (!read_address(inside(&field), &out->addr))
                return false;
        } else if (field.number == 3) {
            out->hostname = (const char *) field.bytes;
            out->hostname_len = field.len;
        } else {
            return false;
        }
    }
    return out->addr.family != ADDR_NONE && !memchr(out->hostname, '\0', out->hostname_len) &&
           text_is_utf8(out->hostname, out->hostname_len);
}

/* What fails here is read again and told by its message. */
static bool read_metadata(struct endpoints_making *making, const struct wire_field *field, struct endpoint_read *out)
{
    struct fault *fault = making->reading->fault, unheard;
    bool read;

    making->reading->fault = &unheard;
    read = endpoints_read_metadata_bytes(making, field->bytes, field->len, &out->metadata) == 0;
    making->reading->fault = fault;
    return read;
}

static bool read_field(struct endpoints_making *making, const struct wire_field *field, uint32_t *seen,
                       struct endpoint_read *out)
{
    uint64_t weight;

    if (field->number > 4 || !is_first(seen, field->number))
        return false;
    if (field->number == 2 && field->kind == WIRE_NUMBER) {
        out->health = endpoints_health(field->value);
        return true;
    }
    if (field->kind != WIRE_RUN)
        return false;
    if (field->number == 1)
        return read_endpoint(inside(field), out);
    if (field->number == 3)
        return read_metadata(making, field, out);
    if (field->number != 4 || !read_wrapped(field, &weight) || weight == 0 || weight > UINT32_MAX)
        return false;
    out->weight = (uint32_t) weight;
    return true;
}

bool endpoints_read_fast(struct endpoints_making *making, const uint8_t *bytes, size_t len, struct endpoint_read *out)
{
    struct wire_fields fields = { bytes, bytes + len };
    struct wire_field field;
    uint32_t seen = 0;

    *out = (struct endpoint_read){ .weight = 1, .hostname = "" };
    while (fields.at < fields.end)
        if (wire_next(&fields, &field) != WIRE_FIELD || !read_field(making, &field, &seen, out))
            return false;
    return out->addr.family != ADDR_NONE;
}
