/* SPDX-License-Identifier: Apache-2.0 */
/* Random messages by their descriptors. */
#include "support/xds_random.h"

#include <string.h>

#include "support/xds_make.h"

enum { MOST_REPEATED = 3, DEEPEST = 14 };

static uint64_t number(struct xds_random *random)
{
    static const uint64_t numbers[] = { 0, 1, 2, 5, 50, 100, 200, 404, 600, 65536, UINT32_MAX, INT64_MAX, UINT64_MAX };

    return numbers[rand_below(&random->dice, COUNT_OF(numbers))];
}

static char *text(struct xds_random *random)
{
    return xds_make_text("%s", random->texts[rand_below(&random->dice, random->n_texts)]);
}

static Pb__Any *any(struct xds_random *random, unsigned depth)
{
    Pb__Any *made = xds_make(&pb__any__descriptor);

    if (depth < DEEPEST && rand_below(&random->dice, 5) > 0)
        return xds_make_any(
            xds_random_message(random, random->anys[rand_below(&random->dice, random->n_anys)], depth + 1));
    made->type_url = text(random);
    return made;
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

static ProtobufCMessage *inner(struct xds_random *random, const ProtobufCMessageDescriptor *type, unsigned depth)
{
    return type == &pb__any__descriptor ? &any(random, depth)->base : xds_random_message(random, type, depth + 1);
}

static void put(struct xds_random *random, const ProtobufCFieldDescriptor *field, void *member, unsigned depth)
{
    const ProtobufCEnumDescriptor *values = field->descriptor;
    ProtobufCBinaryData bytes;
    uint64_t value = number(random);
    double real = (double) (int64_t) value;

    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        *(char **) member = text(random);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        bytes.data = (uint8_t *) text(random);
        bytes.len = strlen((char *) bytes.data);
        memcpy(member, &bytes, sizeof bytes);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        *(ProtobufCMessage **) member = inner(random, field->descriptor, depth);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        *(int *) member = (int) rand_below(&random->dice, values->n_values + (rand_below(&random->dice, 20) == 0));
        break;
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *) member = (protobuf_c_boolean) rand_below(&random->dice, 2);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        memcpy(member, &real, sizeof real);
        break;
    default:
        memcpy(member, &value, size_of(field->type));
    }
}

static void put_repeated(struct xds_random *random, const ProtobufCFieldDescriptor *field, char *base, unsigned depth)
{
    size_t n = rand_below(&random->dice, MOST_REPEATED + 1);
    char *items = xds_make_block(n * size_of(field->type) + 1);

    for (size_t i = 0; i < n; i++)
        put(random, field, items + i * size_of(field->type), depth);
    *(size_t *) (base + field->quantifier_offset) = n;
    *(char **) (base + field->offset) = items;
}

ProtobufCMessage *xds_random_message(struct xds_random *random, const ProtobufCMessageDescriptor *type, unsigned depth)
{
    ProtobufCMessage *message = xds_make(type);
    char *base = (char *) message;

    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];

        if (rand_below(&random->dice, 100) >= random->share ||
            (depth >= DEEPEST && field->type == PROTOBUF_C_TYPE_MESSAGE))
            continue;
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            put_repeated(random, field, base, depth);
            continue;
        }
        if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
            *(uint32_t *) (base + field->quantifier_offset) = field->id;
        put(random, field, base + field->offset, depth);
    }
    if (rand_below(&random->dice, 60) == 0)
        xds_make_unknown(message, 100 + (uint32_t) rand_below(&random->dice, 3));
    return message;
}
