/* SPDX-License-Identifier: Apache-2.0 */
/* From text to the wire by descriptors. */
#include "support/proto_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "mesh_test.h"
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
#include "proto/random.pb-c.h"
#include "proto/ring_hash.pb-c.h"
#include "proto/round_robin.pb-c.h"
#include "proto/route.pb-c.h"
#include "proto/router.pb-c.h"
#include "proto/tls.pb-c.h"
#include "proto/wrr_locality.pb-c.h"

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5, WORD_MOST = 128 };

static const ProtobufCMessageDescriptor *const known[] = {
    &aggregate_cluster__cluster_config__descriptor,
    &cluster__cluster__descriptor,
    &dns_cluster__dns_cluster__descriptor,
    &endpoint__cluster_load_assignment__descriptor,
    &fault__httpfault__descriptor,
    &hcm__http_connection_manager__descriptor,
    &least_request__least_request__descriptor,
    &listener__listener__descriptor,
    &local_rate_limit__local_rate_limit__descriptor,
    &maglev__maglev__descriptor,
    &pick_first__pick_first__descriptor,
    &random__random__descriptor,
    &ring_hash__ring_hash__descriptor,
    &round_robin__round_robin__descriptor,
    &route__route_configuration__descriptor,
    &router__router__descriptor,
    &tls__upstream_tls_context__descriptor,
    &upstream_http__http_protocol_options__descriptor,
    &weighted_round_robin__client_side_weighted_round_robin__descriptor,
    &wrr_locality__wrr_locality__descriptor,
};

struct text {
    const char *at;
};

static void pass(struct text *text)
{
    while (isspace((unsigned char) *text->at) || *text->at == ',' || *text->at == ';')
        text->at++;
}

static bool take(struct text *text, char wanted)
{
    pass(text);
    if (*text->at != wanted)
        return false;
    text->at++;
    return true;
}

static void need(struct text *text, char wanted)
{
    if (!take(text, wanted))
        fail_msg("'%c' is missing at \"%.40s\"", wanted, text->at);
}

static void word(struct text *text, char out[WORD_MOST])
{
    size_t len = 0;

    pass(text);
    while (isalnum((unsigned char) text->at[len]) || strchr("_.+-/", text->at[len] ? text->at[len] : ' '))
        len++;
    if (len == 0 || len >= WORD_MOST)
        fail_msg("no word at \"%.40s\"", text->at);
    memcpy(out, text->at, len);
    out[len] = '\0';
    text->at += len;
}

/* ---- the wire ---- */

static void varint(struct buf *out, uint64_t value)
{
    do {
        uint8_t byte = (uint8_t) (value & 0x7f) | (value > 0x7f ? 0x80 : 0);

        assert_true(buf_append(out, &byte, 1));
        value >>= 7;
    } while (value > 0);
}

static void tag(struct buf *out, uint32_t id, unsigned kind)
{
    varint(out, (uint64_t) id << 3 | kind);
}

static void bytes(struct buf *out, uint32_t id, const struct buf *value)
{
    tag(out, id, BYTES);
    varint(out, buf_len(value));
    assert_true(buf_append(out, buf_len(value) ? buf_bytes(value) : (const uint8_t *) "", buf_len(value)));
}

/* ---- values ---- */

static void quoted(struct text *text, struct buf *out)
{
    need(text, '"');
    for (; *text->at != '"'; text->at++) {
        char c = *text->at;

        if (c == '\\') {
            c = *++text->at;
            c = c == 'n' ? '\n' : c == '0' ? '\0' : c;
        }
        assert_true(buf_append(out, &c, 1));
    }
    text->at++;
}

static void message(const ProtobufCMessageDescriptor *type, struct text *text, struct buf *out, char end);

static const ProtobufCMessageDescriptor *find_type(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (strcmp(known[i]->name, name) == 0)
            return known[i];
    fail_msg("no type \"%s\" is known here", name);
    return NULL;
}

/* `[envoy.full.Name] { ... }` in an Any. */
static void any(struct text *text, struct buf *out)
{
    struct buf url = { 0 }, value = { 0 };
    char name[WORD_MOST];

    word(text, name);
    need(text, ']');
    need(text, '{');
    message(find_type(name), text, &value, '}');
    assert_true(buf_printf(&url, "type.googleapis.com/%s", name));
    bytes(out, 1, &url);
    bytes(out, 2, &value);
    buf_free(&url);
    buf_free(&value);
}

static void number(const ProtobufCFieldDescriptor *field, const char *at, struct buf *out)
{
    double real = strtod(at, NULL);
    float small = (float) real;

    switch (field->type) {
    case PROTOBUF_C_TYPE_DOUBLE:
        tag(out, field->id, FIXED64);
        assert_true(buf_append(out, &real, sizeof real));
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        tag(out, field->id, FIXED32);
        assert_true(buf_append(out, &small, sizeof small));
        break;
    case PROTOBUF_C_TYPE_BOOL:
        tag(out, field->id, VARINT);
        varint(out, strcmp(at, "true") == 0);
        break;
    default:
        tag(out, field->id, VARINT);
        varint(out, at[0] == '-' ? (uint64_t) strtoll(at, NULL, 10) : strtoull(at, NULL, 10));
        break;
    }
}

static void enumerated(const ProtobufCFieldDescriptor *field, const char *name, struct buf *out)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value_by_name(field->descriptor, name);

    if (!value && !isdigit((unsigned char) name[0]))
        fail_msg("%s has no value \"%s\"", field->name, name);
    tag(out, field->id, VARINT);
    varint(out, value ? (uint64_t) value->value : strtoull(name, NULL, 10));
}

static void field_value(const ProtobufCFieldDescriptor *field, struct text *text, struct buf *out)
{
    struct buf inner = { 0 };
    char value[WORD_MOST];

    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        need(text, '{');
        message(field->descriptor, text, &inner, '}');
        bytes(out, field->id, &inner);
    } else if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_BYTES) {
        quoted(text, &inner);
        bytes(out, field->id, &inner);
    } else {
        word(text, value);
        field->type == PROTOBUF_C_TYPE_ENUM ? enumerated(field, value, out) : number(field, value, out);
    }
    buf_free(&inner);
}

static void unknown(uint32_t id, struct text *text, struct buf *out)
{
    struct buf inner = { 0 };
    char value[WORD_MOST];

    pass(text);
    if (*text->at == '"') {
        quoted(text, &inner);
        bytes(out, id, &inner);
        buf_free(&inner);
        return;
    }
    word(text, value);
    tag(out, id, VARINT);
    varint(out, strtoull(value, NULL, 10));
}

static void message(const ProtobufCMessageDescriptor *type, struct text *text, struct buf *out, char end)
{
    const ProtobufCFieldDescriptor *field;
    char name[WORD_MOST];

    for (pass(text); *text->at != end; pass(text)) {
        if (take(text, '[')) {
            any(text, out);
            continue;
        }
        word(text, name);
        take(text, ':');
        if (isdigit((unsigned char) name[0])) {
            unknown((uint32_t) strtoul(name, NULL, 10), text, out);
            continue;
        }
        field = protobuf_c_message_descriptor_get_field_by_name(type, name);
        if (!field)
            fail_msg("%s has no field \"%s\"", type->name, name);
        else
            field_value(field, text, out);
    }
    text->at += end != '\0';
}

void proto_text(const ProtobufCMessageDescriptor *type, const char *text, struct buf *out)
{
    struct text rest = { text };

    message(type, &rest, out, '\0');
}
