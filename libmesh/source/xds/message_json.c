/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as JSON. */
#include "source/xds/message_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/aggregate_cluster.pb-c.h"
#include "proto/client_side_weighted_round_robin.pb-c.h"
#include "proto/dns_cluster.pb-c.h"
#include "proto/fault.pb-c.h"
#include "proto/http_connection_manager.pb-c.h"
#include "proto/http_protocol_options.pb-c.h"
#include "proto/least_request.pb-c.h"
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
#include "source/xds/scalars.h"
#include "source/xds/values.h"
#include "source/xds/wire.h"

/* The writer bears 63, of which the caller has some. */
enum { DEEPEST = 48, DURATION_TEXT = 40 };

/* What an Any may hold. */
static const ProtobufCMessageDescriptor *const known[] = {
    &hcm__http_connection_manager__descriptor,
    &router__router__descriptor,
    &fault__httpfault__descriptor,
    &local_rate_limit__local_rate_limit__descriptor,
    &route__filter_config__descriptor,
    &upstream_http__http_protocol_options__descriptor,
    &tls__upstream_tls_context__descriptor,
    &aggregate_cluster__cluster_config__descriptor,
    &dns_cluster__dns_cluster__descriptor,
    &round_robin__round_robin__descriptor,
    &least_request__least_request__descriptor,
    &random__random__descriptor,
    &ring_hash__ring_hash__descriptor,
    &maglev__maglev__descriptor,
    &weighted_round_robin__client_side_weighted_round_robin__descriptor,
    &wrr_locality__wrr_locality__descriptor,
    &pick_first__pick_first__descriptor,
};

static void put_members(struct json_writer *w, const ProtobufCMessage *message);

static const void *member_of(const ProtobufCMessage *message, size_t offset)
{
    return (const char *) message + offset;
}

/* ---- single values ---- */

static void put_text(struct json_writer *w, char *json)
{
    if (json)
        json_raw(w, json);
    else
        w->failed = true;
    mem_free(json);
}

/* The text that is the same in every locale. */
static void put_double(struct json_writer *w, double number)
{
    Pb__Value value = PB__VALUE__INIT;

    value.kind_case = PB__VALUE__KIND_NUMBER_VALUE;
    value.number_value = number;
    put_text(w, values_json(&value));
}

static void put_enum(struct json_writer *w, const ProtobufCEnumDescriptor *type, int number)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(type, number);

    if (value)
        json_quoted(w, value->name);
    else
        json_number(w, number);
}

static void put_size(struct json_writer *w, size_t size)
{
    json_begin(w, '{');
    json_put_number(w, "@bytes", size);
    json_end(w, '}');
}

/* Seconds, as "1.5s". */
static void put_duration(struct json_writer *w, const Pb__Duration *duration)
{
    char text[DURATION_TEXT];
    size_t len = (size_t) snprintf(text, sizeof text - 1, "%" PRId64 ".%09" PRId32, duration->seconds, duration->nanos);

    while (text[len - 1] == '0')
        len--;
    if (text[len - 1] == '.')
        len--;
    memcpy(text + len, "s", 2);
    json_quoted(w, text);
}

/* ---- messages that JSON has a form of its own for ---- */

static void put_any(struct json_writer *w, const Pb__Any *any)
{
    ProtobufCMessage *message = NULL;

    for (size_t i = 0; i < COUNT_OF(known) && !message; i++)
        if (scalar_any_is(any, known[i]->name) && wire_unpack(known[i], any->value.data, any->value.len,
                                                              &wire_limits_standard, &message, NULL) == MESH_ERR_NOMEM)
            w->failed = true;
    json_begin(w, '{');
    json_put_text(w, "@type", any->type_url);
    if (message)
        put_members(w, message);
    else if (any->value.len > 0)
        json_put_number(w, "@bytes", any->value.len);
    json_end(w, '}');
    wire_free(message);
}

/* Wrapped numbers have one field. */
static bool is_wrapper(const ProtobufCMessageDescriptor *type)
{
    return type == &pb__uint32_value__descriptor || type == &pb__uint64_value__descriptor ||
           type == &pb__bool_value__descriptor || type == &pb__double_value__descriptor ||
           type == &pb__float_value__descriptor;
}

static void put_scalar(struct json_writer *w, const ProtobufCFieldDescriptor *field, const void *member);

void message_json(struct json_writer *w, const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;

    if (w->depth > DEEPEST)
        json_quoted(w, "...");
    else if (type == &pb__any__descriptor)
        put_any(w, (const Pb__Any *) message);
    else if (type == &pb__duration__descriptor)
        put_duration(w, (const Pb__Duration *) message);
    else if (type == &pb__struct__descriptor)
        put_text(w, values_json_object((const Pb__Struct *) message));
    else if (type == &pb__value__descriptor)
        put_text(w, values_json((const Pb__Value *) message));
    else if (is_wrapper(type))
        put_scalar(w, &type->fields[0], member_of(message, type->fields[0].offset));
    else {
        json_begin(w, '{');
        put_members(w, message);
        json_end(w, '}');
    }
}

/* ---- fields ---- */

static void put_scalar(struct json_writer *w, const ProtobufCFieldDescriptor *field, const void *member)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
        json_number(w, *(const int32_t *) member);
        break;
    case PROTOBUF_C_TYPE_INT64:
        json_number(w, *(const int64_t *) member);
        break;
    case PROTOBUF_C_TYPE_UINT32:
        json_number(w, *(const uint32_t *) member);
        break;
    case PROTOBUF_C_TYPE_UINT64:
        json_number(w, (int64_t) * (const uint64_t *) member);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        put_double(w, *(const float *) member);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        put_double(w, *(const double *) member);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        json_bool(w, *(const protobuf_c_boolean *) member);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        put_enum(w, field->descriptor, *(const int *) member);
        break;
    case PROTOBUF_C_TYPE_STRING:
        json_quoted(w, *(char *const *) member);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        put_size(w, ((const ProtobufCBinaryData *) member)->len);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        message_json(w, *(ProtobufCMessage *const *) member);
        break;
    default:
        json_quoted(w, NULL);
    }
}

static size_t size_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_DOUBLE:
        return sizeof(double);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return sizeof(uint32_t);
    }
}

static bool is_map(const ProtobufCFieldDescriptor *field)
{
    const ProtobufCMessageDescriptor *type = field->descriptor;
    size_t len;

    if (field->type != PROTOBUF_C_TYPE_MESSAGE || type->n_fields != 2)
        return false;
    len = strlen(type->short_name);
    return len > strlen("Entry") && strcmp(type->short_name + len - strlen("Entry"), "Entry") == 0 &&
           type->fields[0].type == PROTOBUF_C_TYPE_STRING;
}

static void put_entry(struct json_writer *w, const ProtobufCMessage *entry)
{
    const ProtobufCFieldDescriptor *value = &entry->descriptor->fields[1];
    const void *member = member_of(entry, value->offset);

    json_key(w, *(char *const *) member_of(entry, entry->descriptor->fields[0].offset));
    if (value->type == PROTOBUF_C_TYPE_MESSAGE && !*(ProtobufCMessage *const *) member)
        json_quoted(w, NULL);
    else
        put_scalar(w, value, member);
}

static void put_repeated(struct json_writer *w, const ProtobufCFieldDescriptor *field, const char *items, size_t n)
{
    bool map = is_map(field);

    json_begin(w, map ? '{' : '[');
    for (size_t i = 0; i < n; i++) {
        const void *item = items + i * size_of(field->type);

        if (map)
            put_entry(w, *(ProtobufCMessage *const *) item);
        else
            put_scalar(w, field, item);
    }
    json_end(w, map ? '}' : ']');
}

/* proto3: a value that nobody set and 0 are the same. */
static bool is_there(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, const void *member)
{
    static const char zero[sizeof(ProtobufCBinaryData)];

    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return *(const uint32_t *) member_of(message, field->quantifier_offset) == field->id;
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return *(char *const *) member && (*(char *const *) member)[0] != '\0';
    if (field->type == PROTOBUF_C_TYPE_BYTES)
        return ((const ProtobufCBinaryData *) member)->len > 0;
    return memcmp(member, zero, size_of(field->type)) != 0;
}

static bool is_secret(const char *name)
{
    return strcmp(name, "private_key") == 0 || strcmp(name, "password") == 0;
}

static void put_field(struct json_writer *w, const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    const void *member = member_of(message, field->offset);
    size_t n = 0;

    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        n = *(const size_t *) member_of(message, field->quantifier_offset);
        if (n == 0)
            return;
    } else if (!is_there(message, field, member)) {
        return;
    }
    json_key(w, field->name);
    if (is_secret(field->name))
        json_quoted(w, "[redacted]");
    else if (field->label == PROTOBUF_C_LABEL_REPEATED)
        put_repeated(w, field, *(char *const *) member, n);
    else
        put_scalar(w, field, member);
}

static void put_members(struct json_writer *w, const ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++)
        put_field(w, message, &message->descriptor->fields[i]);
    if (message->n_unknown_fields == 0)
        return;
    json_key(w, "@unknown");
    json_begin(w, '[');
    for (unsigned i = 0; i < message->n_unknown_fields; i++)
        json_number(w, message->unknown_fields[i].tag);
    json_end(w, ']');
}
