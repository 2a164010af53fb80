/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that grow from the fuzzer's bytes along their descriptors: always well formed on the wire, whatever they say, so that
 * the bytes are not spent on lengths. The same bytes give the same message; no bytes give an empty one. */
#ifndef FUZZ_GROW_H
#define FUZZ_GROW_H

#include "fuzz.h"

#include "base/base.h"
#include "proto/aggregate_cluster.pb-c.h"
#include "proto/client_side_weighted_round_robin.pb-c.h"
#include "proto/cluster.pb-c.h"
#include "proto/dns_cluster.pb-c.h"
#include "proto/endpoint.pb-c.h"
#include "proto/fault.pb-c.h"
#include "proto/http_connection_manager.pb-c.h"
#include "proto/http_protocol_options.pb-c.h"
#include "proto/least_request.pb-c.h"
#include "proto/listener.pb-c.h"
#include "proto/local_rate_limit.pb-c.h"
#include "proto/maglev.pb-c.h"
#include "proto/pick_first.pb-c.h"
#include "proto/protobuf.pb-c.h"
#include "proto/random.pb-c.h"
#include "proto/ring_hash.pb-c.h"
#include "proto/round_robin.pb-c.h"
#include "proto/route.pb-c.h"
#include "proto/router.pb-c.h"
#include "proto/tls.pb-c.h"
#include "proto/wrr_locality.pb-c.h"
#include "support/assignment.h"

enum { GROW_DEPTH = 30, GROW_MOST = 1 << 16, GROW_RAW = 24 };

struct grow {
    const uint8_t *at;
    size_t left;
};

static inline uint8_t grow_byte(struct grow *grow)
{
    if (grow->left == 0)
        return 0;
    grow->left--;
    return *grow->at++;
}

/* What stands in an Any. */
static const ProtobufCMessageDescriptor *const grow_types[] = {
    &hcm__http_connection_manager__descriptor,
    &router__router__descriptor,
    &fault__httpfault__descriptor,
    &local_rate_limit__local_rate_limit__descriptor,
    &route__filter_config__descriptor,
    &tls__upstream_tls_context__descriptor,
    &upstream_http__http_protocol_options__descriptor,
    &aggregate_cluster__cluster_config__descriptor,
    &dns_cluster__dns_cluster__descriptor,
    &round_robin__round_robin__descriptor,
    &least_request__least_request__descriptor,
    &ring_hash__ring_hash__descriptor,
    &maglev__maglev__descriptor,
    &random__random__descriptor,
    &pick_first__pick_first__descriptor,
    &weighted_round_robin__client_side_weighted_round_robin__descriptor,
    &wrr_locality__wrr_locality__descriptor,
    &route__route_configuration__descriptor,
    &pb__struct__descriptor,
    &endpoint__cluster_load_assignment__descriptor,
};

static const char *const grow_words[] = {
    "a",
    "b",
    "users",
    "*",
    "*.example.com",
    "users.*",
    "example.com:80",
    "/",
    "/a",
    "/a/b?c=d",
    "a.B/c",
    "[a-z]+",
    "^/(a|b)/([0-9]{1,3})$",
    "(a*)*b",
    "\\1x\\2",
    "(",
    ":path",
    ":method",
    ":authority",
    "host",
    "x-a",
    "content-type",
    "application/grpc",
    "%REQ(x-a?:path):8%",
    "%%",
    "%DOWNSTREAM_REMOTE_ADDRESS%",
    "%START_TIME(",
    "5xx,reset,connect-failure",
    "gateway-error,retriable-status-codes,retriable-headers",
    "unavailable,cancelled,deadline-exceeded",
    "envoy.lb",
    "envoy.filters.http.router",
    "envoy.filters.http.fault",
    "envoy.filters.http.local_ratelimit",
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    "envoy.transport_sockets.tls",
    "envoy.clusters.aggregate",
    "envoy.cluster.dns",
    "envoy.load_balancing_policies.round_robin",
    "envoy.retry_host_predicates.previous_hosts",
    "default",
    "10.0.0.1",
    "10.0.0.2",
    "::1",
    "127.0.0.1",
    "1.2.3.256",
    "/run/a.sock",
    "h2",
    "http/1.1",
    "spiffe://a/b",
    "xdstp://plane/envoy.config.route.v3.RouteConfiguration/a",
    "x\r\ny",
    "\xc3\xa4",
    "https",
    "true",
    "1",
};

static const uint64_t grow_numbers[] = {
    0,          1,          2,        3,       5,       80,        100,       101,
    200,        301,        500,      503,     599,     600,       1000,      65535,
    65536,      65537,      999999,   1000000, 8388608, 999999999, INT32_MAX, (uint64_t) INT32_MAX + 1,
    UINT32_MAX, UINT64_MAX, INT64_MAX
};

static inline void grow_message(struct grow *grow, const ProtobufCMessageDescriptor *type, struct buf *out,
                                unsigned depth);

static inline uint64_t grow_number(struct grow *grow)
{
    uint8_t which = grow_byte(grow);

    if (which < 2 * sizeof grow_numbers / sizeof *grow_numbers)
        return grow_numbers[which / 2];
    return which % 2 ? grow_byte(grow) : (uint64_t) grow_byte(grow) << 8 | grow_byte(grow);
}

static inline void grow_text(struct grow *grow, uint32_t field, struct buf *out)
{
    const size_t words = sizeof grow_words / sizeof *grow_words;
    uint8_t which = grow_byte(grow);
    char text[GROW_RAW];
    size_t len = 0;

    if (which < 3 * words) {
        put_text(out, field, grow_words[which / 3]);
        return;
    }
    for (len = 0; len < (size_t) (which % GROW_RAW); len++) {
        text[len] = (char) (grow_byte(grow) & 0x7f);
        if (!text[len])
            break;
    }
    put_bytes(out, field, text, len);
}

static inline void grow_any(struct grow *grow, struct buf *out, unsigned depth)
{
    const ProtobufCMessageDescriptor *type = grow_types[grow_byte(grow) % (sizeof grow_types / sizeof *grow_types)];
    struct buf value = { 0 };
    char url[128];

    snprintf(url, sizeof url, "type.googleapis.com/%s", type->name);
    put_text(out, 1, url);
    grow_message(grow, type, &value, depth + 1);
    put_message(out, 2, value);
}

static inline void grow_double(struct grow *grow, struct buf *out, bool is_float)
{
    static const double values[] = { 0, 1, -1, 0.5, 1.4, 99.9, 100, 1e30, 1e-30 };
    double value = values[grow_byte(grow) % (sizeof values / sizeof *values)];
    float narrow = (float) value;

    if (is_float)
        buf_append(out, &narrow, sizeof narrow);
    else
        buf_append(out, &value, sizeof value);
}

static inline void grow_nested(struct grow *grow, const ProtobufCFieldDescriptor *field, struct buf *out,
                               unsigned depth)
{
    struct buf inner = { 0 };

    if (field->descriptor == &pb__any__descriptor)
        grow_any(grow, &inner, depth + 1);
    else
        grow_message(grow, field->descriptor, &inner, depth + 1);
    put_message(out, field->id, inner);
}

static inline uint64_t grow_enum(struct grow *grow, const ProtobufCEnumDescriptor *type)
{
    unsigned which = grow_byte(grow) % (type->n_values + 1);

    return which < type->n_values ? (uint64_t) (uint32_t) type->values[which].value : 77;
}

static inline void grow_field(struct grow *grow, const ProtobufCFieldDescriptor *field, struct buf *out, unsigned depth)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        grow_nested(grow, field, out, depth);
        break;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
        grow_text(grow, field->id, out);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        put_number(out, field->id, grow_enum(grow, field->descriptor));
        break;
    case PROTOBUF_C_TYPE_BOOL:
        put_number(out, field->id, grow_byte(grow) % 2);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        put_varint(out, field->id << 3 | 1);
        grow_double(grow, out, false);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        put_varint(out, field->id << 3 | 5);
        grow_double(grow, out, true);
        break;
    default:
        put_number(out, field->id, grow_number(grow));
    }
}

/* A byte a field, 0: the end. Numbers that no descriptor has come too. */
static inline void grow_message(struct grow *grow, const ProtobufCMessageDescriptor *type, struct buf *out,
                                unsigned depth)
{
    uint64_t seen = 0;
    uint8_t which;

    while (depth < GROW_DEPTH && buf_len(out) < GROW_MOST && (which = grow_byte(grow)) != 0) {
        unsigned at = which % (type->n_fields + 1);
        const ProtobufCFieldDescriptor *field = at < type->n_fields ? &type->fields[at] : NULL;

        if (!field) {
            put_number(out, 999, 1);
            continue;
        }
        if (field->label != PROTOBUF_C_LABEL_REPEATED && (seen & UINT64_C(1) << at))
            continue;
        seen |= UINT64_C(1) << at;
        grow_field(grow, field, out, depth);
    }
}

/* The first byte says whether the others are the message or what it grows from. Given back with buf_free(). */
static inline struct buf grow_or_take(const uint8_t *data, size_t size, const ProtobufCMessageDescriptor *type)
{
    struct grow grow = { data, size };
    struct buf out = { 0 };

    if (grow_byte(&grow) & 1)
        grow_message(&grow, type, &out, 0);
    else if (grow.left > 0)
        buf_append(&out, grow.at, grow.left);
    return out;
}

#endif
