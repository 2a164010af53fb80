/* SPDX-License-Identifier: Apache-2.0 */
/* A walk over messages by their descriptors that writes JSON. */
#include "source/xds/wire_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "source/xds/values.h"
#include "source/xds/wire.h"
#include "source/xds/wire_types.h"

struct writing {
    struct json_writer *w;
    size_t most;   /* of the text */
    unsigned anys; /* around what is written now */
};

static void write_message(struct writing *writing, const ProtobufCMessage *message);
static void write_fields(struct writing *writing, const ProtobufCMessage *message);

static bool is_too_much(const struct writing *writing)
{
    return writing->w->depth >= WIRE_JSON_DEPTH || buf_len(&writing->w->out) > writing->most;
}

/* ---- scalars ---- */

/* As protobuf has it: numbers of 64 bits are texts, since readers of JSON keep 53. */
static void write_wide(struct json_writer *w, uint64_t number, bool is_signed)
{
    char text[32];

    if (is_signed)
        snprintf(text, sizeof text, "%" PRId64, (int64_t) number);
    else
        snprintf(text, sizeof text, "%" PRIu64, number);
    json_quoted(w, text);
}

/* The shortest digits that read back as the same number, whatever the locale. */
static void write_real(struct json_writer *w, double number, bool is_float)
{
    char text[48];

    if (!isfinite(number)) {
        json_quoted(w, isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity");
        return;
    }
    snprintf(text, sizeof text, "%.*g", is_float ? 6 : 15, number);
    for (char *at = text; *at; at++)
        if (*at == ',')
            *at = '.';
    json_raw(w, text);
}

static void write_enum(struct json_writer *w, const ProtobufCEnumDescriptor *type, int value)
{
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(type, value);

    if (known)
        json_quoted(w, known->name);
    else
        json_number(w, value);
}

static void write_bytes(struct json_writer *w, const ProtobufCBinaryData *bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct buf text = { 0 };
    bool done = true;

    for (size_t i = 0; done && i < bytes->len; i += 3) {
        size_t n = bytes->len - i < 3 ? bytes->len - i : 3;
        uint32_t three = (uint32_t) bytes->data[i] << 16;
        char out[5] = "====";

        if (n > 1)
            three |= (uint32_t) bytes->data[i + 1] << 8;
        if (n > 2)
            three |= bytes->data[i + 2];
        for (size_t j = 0; j <= n; j++)
            out[j] = digits[three >> (18 - 6 * j) & 63];
        done = buf_append_text(&text, out);
    }
    json_quoted(w, buf_append(&text, "", 1) && done ? (const char *) buf_bytes(&text) : NULL);
    buf_free(&text);
}

/* ---- well-known types ---- */

/* Nanos as three, six or nine digits. */
static void write_duration(struct json_writer *w, const Pb__Duration *duration)
{
    bool negative = duration->seconds < 0 || duration->nanos < 0;
    uint64_t seconds = negative ? -(uint64_t) duration->seconds : (uint64_t) duration->seconds;
    uint32_t nanos = negative ? -(uint32_t) duration->nanos : (uint32_t) duration->nanos;
    char text[64];

    if (nanos == 0)
        snprintf(text, sizeof text, "%s%" PRIu64 "s", negative ? "-" : "", seconds);
    else if (nanos % 1000000 == 0)
        snprintf(text, sizeof text, "%s%" PRIu64 ".%03" PRIu32 "s", negative ? "-" : "", seconds, nanos / 1000000);
    else
        snprintf(text, sizeof text, "%s%" PRIu64 ".%09" PRIu32 "s", negative ? "-" : "", seconds, nanos);
    json_quoted(w, text);
}

static void write_owned(struct json_writer *w, char *json)
{
    json_raw(w, json ? json : "null");
    w->failed |= json == NULL;
    mem_free(json);
}

static void write_list(struct json_writer *w, const Pb__ListValue *list)
{
    json_begin(w, '[');
    for (size_t i = 0; i < list->n_values; i++)
        write_owned(w, values_json(list->values[i]));
    json_end(w, ']');
}

/* True: it was one that has a JSON of its own. */
static bool write_known(struct json_writer *w, const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;

    if (type == &pb__duration__descriptor)
        write_duration(w, (const Pb__Duration *) message);
    else if (type == &pb__uint32_value__descriptor)
        json_number(w, ((const Pb__UInt32Value *) message)->value);
    else if (type == &pb__uint64_value__descriptor)
        write_wide(w, ((const Pb__UInt64Value *) message)->value, false);
    else if (type == &pb__bool_value__descriptor)
        json_bool(w, ((const Pb__BoolValue *) message)->value);
    else if (type == &pb__double_value__descriptor)
        write_real(w, ((const Pb__DoubleValue *) message)->value, false);
    else if (type == &pb__float_value__descriptor)
        write_real(w, ((const Pb__FloatValue *) message)->value, true);
    else if (type == &pb__struct__descriptor)
        write_owned(w, values_json_object((const Pb__Struct *) message));
    else if (type == &pb__value__descriptor)
        write_owned(w, values_json((const Pb__Value *) message));
    else if (type == &pb__list_value__descriptor)
        write_list(w, (const Pb__ListValue *) message);
    else
        return false;
    return true;
}

static void write_any(struct writing *writing, const Pb__Any *any)
{
    const ProtobufCMessageDescriptor *type = wire_type_of_url(any->type_url);
    ProtobufCMessage *message = NULL;
    struct fault fault = { 0 };

    json_begin(writing->w, '{');
    json_put_text(writing->w, "@type", any->type_url);
    if (!type || writing->anys >= WIRE_JSON_ANYS) {
        json_put_number(writing->w, "@bytes", any->value.len);
    } else if (wire_unpack(type, any->value.data, any->value.len, &wire_limits_standard, &message, &fault)) {
        json_put_text(writing->w, "@error", fault.text);
    } else if (type == &pb__struct__descriptor) {
        json_key(writing->w, "value");
        write_known(writing->w, message);
    } else {
        writing->anys++;
        write_fields(writing, message);
        writing->anys--;
    }
    json_end(writing->w, '}');
    wire_free(message);
}

/* ---- fields ---- */

static const void *member_of(const ProtobufCMessage *message, size_t offset)
{
    return (const char *) message + offset;
}

static size_t size_of(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 4;
    }
}

static void write_value(struct writing *writing, const ProtobufCFieldDescriptor *field, const void *value)
{
    struct json_writer *w = writing->w;

    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        json_number(w, *(const int32_t *) value);
        return;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        json_number(w, *(const uint32_t *) value);
        return;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        write_wide(w, (uint64_t) * (const int64_t *) value, true);
        return;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        write_wide(w, *(const uint64_t *) value, false);
        return;
    case PROTOBUF_C_TYPE_FLOAT:
        write_real(w, (double) *(const float *) value, true);
        return;
    case PROTOBUF_C_TYPE_DOUBLE:
        write_real(w, *(const double *) value, false);
        return;
    case PROTOBUF_C_TYPE_BOOL:
        json_bool(w, *(const protobuf_c_boolean *) value);
        return;
    case PROTOBUF_C_TYPE_ENUM:
        write_enum(w, field->descriptor, *(const int *) value);
        return;
    case PROTOBUF_C_TYPE_STRING:
        json_quoted(w, *(char *const *) value);
        return;
    case PROTOBUF_C_TYPE_BYTES:
        write_bytes(w, value);
        return;
    case PROTOBUF_C_TYPE_MESSAGE:
        write_message(writing, *(ProtobufCMessage *const *) value);
        return;
    }
}

/* Of the fields that are not messages: what proto3 takes for absent. */
static bool is_default(const ProtobufCFieldDescriptor *field, const void *value)
{
    static const char zeros[8];

    if (field->type == PROTOBUF_C_TYPE_STRING)
        return !*(char *const *) value || **(char *const *) value == '\0';
    if (field->type == PROTOBUF_C_TYPE_BYTES)
        return ((const ProtobufCBinaryData *) value)->len == 0;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return !*(ProtobufCMessage *const *) value;
    return memcmp(value, zeros, size_of(field)) == 0;
}

static bool is_there(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return *(const size_t *) member_of(message, field->quantifier_offset) > 0;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return *(const uint32_t *) member_of(message, field->quantifier_offset) == field->id;
    return !is_default(field, member_of(message, field->offset));
}

/* protobuf-c has maps as lists of messages with a key and a value. */
static bool is_map(const ProtobufCFieldDescriptor *field)
{
    const ProtobufCMessageDescriptor *type = field->descriptor;
    size_t len;

    if (field->type != PROTOBUF_C_TYPE_MESSAGE || field->label != PROTOBUF_C_LABEL_REPEATED || type->n_fields != 2)
        return false;
    len = strlen(type->name);
    return len > 5 && strcmp(type->name + len - 5, "Entry") == 0 && strcmp(type->fields[0].name, "key") == 0 &&
           type->fields[0].type == PROTOBUF_C_TYPE_STRING && strcmp(type->fields[1].name, "value") == 0;
}

static void write_entry(struct writing *writing, const ProtobufCMessage *entry)
{
    const ProtobufCFieldDescriptor *key = &entry->descriptor->fields[0], *value = &entry->descriptor->fields[1];
    const void *content = member_of(entry, value->offset);

    json_key(writing->w, *(char *const *) member_of(entry, key->offset));
    if (value->type == PROTOBUF_C_TYPE_MESSAGE && is_default(value, content))
        json_quoted(writing->w, NULL);
    else
        write_value(writing, value, content);
}

static void write_items(struct writing *writing, const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    size_t n = *(const size_t *) member_of(message, field->quantifier_offset);
    const char *items = *(char *const *) member_of(message, field->offset);
    bool map = is_map(field);

    json_begin(writing->w, map ? '{' : '[');
    for (size_t i = 0; i < n; i++) {
        const void *item = items + i * size_of(field);

        if (is_too_much(writing)) {
            if (!map)
                json_quoted(writing->w, "(the rest is left out: too much for a description)");
            break;
        }
        if (map)
            write_entry(writing, *(ProtobufCMessage *const *) item);
        else
            write_value(writing, field, item);
    }
    json_end(writing->w, map ? '}' : ']');
}

static bool is_secret(const ProtobufCFieldDescriptor *field)
{
    return strcmp(field->name, "private_key") == 0;
}

/* Where the key is, but not the key. */
static void write_secret(struct writing *writing, const Core__DataSource *source)
{
    bool is_inline = source->specifier_case == CORE__DATA_SOURCE__SPECIFIER_INLINE_BYTES ||
                     source->specifier_case == CORE__DATA_SOURCE__SPECIFIER_INLINE_STRING;

    if (is_inline)
        json_quoted(writing->w, "(a private key, not shown)");
    else
        write_message(writing, &source->base);
}

static void write_field(struct writing *writing, const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    const void *value = member_of(message, field->offset);

    json_key(writing->w, field->name);
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        write_items(writing, message, field);
    else if (is_secret(field) && field->descriptor == &core__data_source__descriptor)
        write_secret(writing, *(Core__DataSource *const *) value);
    else
        write_value(writing, field, value);
}

static void write_unread(struct json_writer *w, const ProtobufCMessage *message)
{
    if (message->n_unknown_fields == 0)
        return;
    json_key(w, "@unread");
    json_begin(w, '[');
    for (unsigned i = 0; i < message->n_unknown_fields; i++)
        if (i == 0 || message->unknown_fields[i].tag != message->unknown_fields[i - 1].tag)
            json_number(w, message->unknown_fields[i].tag);
    json_end(w, ']');
}

/* Inside an object that is open. */
static void write_fields(struct writing *writing, const ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        if (!is_there(message, &message->descriptor->fields[i]))
            continue;
        if (is_too_much(writing)) {
            json_put_text(writing->w, "@left_out", "the rest is too much for a description");
            return;
        }
        write_field(writing, message, &message->descriptor->fields[i]);
    }
    write_unread(writing->w, message);
}

static void write_message(struct writing *writing, const ProtobufCMessage *message)
{
    if (is_too_much(writing)) {
        json_quoted(writing->w, "(left out: too much for a description)");
        return;
    }
    if (write_known(writing->w, message))
        return;
    if (message->descriptor == &pb__any__descriptor) {
        write_any(writing, (const Pb__Any *) message);
        return;
    }
    json_begin(writing->w, '{');
    write_fields(writing, message);
    json_end(writing->w, '}');
}

/* ---- the door ---- */

void wire_json_write_message(struct json_writer *w, const ProtobufCMessage *message, size_t most)
{
    struct writing writing = { .w = w, .most = buf_len(&w->out) + most };

    write_message(&writing, message);
}

void wire_json_write(struct json_writer *w, const char *type_url, const uint8_t *bytes, size_t len, size_t most)
{
    struct writing writing = { .w = w, .most = buf_len(&w->out) + most };
    Pb__Any any = PB__ANY__INIT;

    any.type_url = (char *) type_url;
    any.value = (ProtobufCBinaryData){ len, (uint8_t *) bytes };
    write_any(&writing, &any);
}
