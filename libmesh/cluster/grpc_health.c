/* SPDX-License-Identifier: Apache-2.0 */
/* HealthCheckRequest and HealthCheckResponse in protobuf's wire format: one field each. */
#include "cluster/grpc_health.h"

#include <stdbool.h>
#include <string.h>

#include "base/base.h"
#include "grpc/frame.h"

enum { WIRE_VARINT = 0, WIRE_64_BITS = 1, WIRE_BYTES = 2, WIRE_32_BITS = 5 };

static uint8_t *put_varint(uint8_t *at, size_t number)
{
    while (number >= 0x80) {
        *at++ = (uint8_t) (number | 0x80);
        number >>= 7;
    }
    *at++ = (uint8_t) number;
    return at;
}

size_t grpc_health_request(const char *service, uint8_t out[GRPC_HEALTH_REQUEST_MOST])
{
    size_t len = service ? strnlen(service, GRPC_HEALTH_SERVICE_MOST) : 0, size;
    uint8_t *at = out + GRPC_FRAME_HEAD;

    if (len > 0) {
        *at++ = 1 << 3 | WIRE_BYTES;
        at = put_varint(at, len);
        memcpy(at, service, len);
        at += len;
    }
    size = (size_t) (at - out);
    grpc_frame_head(out, (uint32_t) (size - GRPC_FRAME_HEAD));
    return size;
}

static bool take_varint(const uint8_t **at, const uint8_t *end, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;

        *out |= (uint64_t) (byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* Over a field whose key has been read; a varint is given to `out`. */
static bool take_value(const uint8_t **at, const uint8_t *end, unsigned wire, uint64_t *out)
{
    uint64_t len = wire == WIRE_64_BITS ? 8 : 4;

    if (wire == WIRE_VARINT)
        return take_varint(at, end, out);
    if (wire == WIRE_BYTES && !take_varint(at, end, &len))
        return false;
    if ((wire != WIRE_BYTES && wire != WIRE_64_BITS && wire != WIRE_32_BITS) || len > (uint64_t) (end - *at))
        return false;
    *at += len;
    return true;
}

int grpc_health_status(const uint8_t *bytes, size_t len)
{
    const uint8_t *at = bytes + GRPC_FRAME_HEAD, *end = bytes + len;
    uint64_t status = 0;

    if (len < GRPC_FRAME_HEAD || len > GRPC_HEALTH_ANSWER_MOST || bytes[0] != 0 || bytes[1] != 0 || bytes[2] != 0 ||
        ((size_t) bytes[3] << 8 | bytes[4]) != len - GRPC_FRAME_HEAD)
        return -1;
    while (at < end) {
        uint64_t key, value = 0;

        if (!take_varint(&at, end, &key) || !take_value(&at, end, key & 7, &value))
            return -1;
        if (key == (1 << 3 | WIRE_VARINT))
            status = value;
    }
    return status <= INT32_MAX ? (int) status : -1;
}

const char *grpc_health_status_name(int status)
{
    static const char *const names[] = { "UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN" };

    return status >= 0 && (size_t) status < COUNT_OF(names) ? names[status] : "?";
}
